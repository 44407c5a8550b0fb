/* The four texts of a request's cooked URL as UTF-8. One file a platform: where the contract's text
 * is UTF-8 they are the request's own; on Windows they are recoded once.
 *
 * Owner: the request; valid while it is LIVE. Thread: the worker's. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

struct request;

/* Once the request has arrived. false: no memory. */
bool cooked_open(struct request *r);
/* Frees what cooked_open made. Harmless without it. */
void cooked_close(struct request *r);

struct slice cooked_full(const struct request *r);  /* "http://host:port/path?query" */
struct slice cooked_host(const struct request *r);  /* "host:port" */
struct slice cooked_path(const struct request *r);  /* "/path", decoded */
struct slice cooked_query(const struct request *r); /* "?query", or empty */
