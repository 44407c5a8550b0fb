/* See session.h. */
#include "engine/session.h"

#include <assert.h>
#include <stdlib.h>

#include "engine/urlgroup.h"

ULONG session_create(struct engine *engine, HTTPAPI_VERSION version, HTTP_SERVER_SESSION_ID *out)
{
    if (!lifetime_is_version(version, 1) && !lifetime_is_version(version, 2)) {
        return ERROR_REVISION_MISMATCH;
    }
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    session->version = version;
    list_init(&session->groups);
    uint64_t place = slots_insert(&engine->sessions, session);
    if (place == 0) {
        free(session);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    session->id = place | LIFETIME_SESSION_BIT;
    *out = session->id;
    return NO_ERROR;
}

struct session *session_find(struct engine *engine, HTTP_SERVER_SESSION_ID id)
{
    return (id & LIFETIME_SESSION_BIT) == 0
               ? NULL
               : slots_get(&engine->sessions, id & ~LIFETIME_SESSION_BIT);
}

ULONG session_close(struct engine *engine, HTTP_SERVER_SESSION_ID id)
{
    struct session *session = session_find(engine, id);
    if (session == NULL) {
        return ERROR_INVALID_PARAMETER;
    }
    (void)slots_remove(&engine->sessions, id & ~LIFETIME_SESSION_BIT); /* it was just found */
    while (!list_is_empty(&session->groups)) {
        struct urlgroup *newest =
            LIST_ITEM(session->groups.head.prev, struct urlgroup, session_link);
        ULONG status = urlgroup_close(engine, newest->id);
        assert(status == NO_ERROR);
        (void)status; /* only asserted: a listed group is an open one */
    }
    free(session);
    return NO_ERROR;
}

void session_refresh_groups(struct session *session)
{
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &session->groups)
    {
        urlgroup_refresh(LIST_ITEM(node, struct urlgroup, session_link));
    }
}
