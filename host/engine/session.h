/* Server sessions: the top of the configuration tree. A session owns its groups and gives them the
 * properties that they do not set. Thread: every function under engine->lock. */
#pragma once

#include "engine/lifetime.h"
#include "engine/property.h"

struct session {
    uint64_t id; /* HTTP_SERVER_SESSION_ID */
    HTTPAPI_VERSION version;
    struct list groups; /* struct urlgroup.session_link, oldest first */
    struct properties properties;
};

ULONG session_create(struct engine *engine, HTTPAPI_VERSION version, HTTP_SERVER_SESSION_ID *out);
/* Closes its groups with their URLs first, newest first. ERROR_INVALID_PARAMETER: unknown id. */
ULONG session_close(struct engine *engine, HTTP_SERVER_SESSION_ID id);
struct session *session_find(struct engine *engine, HTTP_SERVER_SESSION_ID id);
/* After a property changed: recomputes the effective values of each group. */
void session_refresh_groups(struct session *session);
