/* The engine's own answers: 400 to 505 for what never reaches an application. Each ends the
 * connection. Source: HTTP Server API error responses; RFC 9110 section 15. */
#pragma once

#include "base/path.h"
#include "engine/conn.h"

struct queue;

/* Answers with a small page that names the status and the reason, then closes. phrase: for people
 * and logs, static. */
APART void refuse_conn(struct conn *conn, unsigned status, const char *phrase);
/* A 503, by the verbosity of the queue: Basic resets without an answer, Limited says "Service
 * Unavailable", Full says why. queue NULL: Limited. */
APART void refuse_unavailable(struct conn *conn, const struct queue *queue, const char *phrase);
