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
    session->id = slots_insert(&engine->sessions, session);
    if (session->id == 0) {
        free(session);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    *out = session->id;
    return NO_ERROR;
}

struct session *session_find(struct engine *engine, HTTP_SERVER_SESSION_ID id)
{
    return slots_get(&engine->sessions, id);
}

ULONG session_close(struct engine *engine, HTTP_SERVER_SESSION_ID id)
{
    struct session *session = slots_remove(&engine->sessions, id);
    if (session == NULL) {
        return ERROR_INVALID_PARAMETER;
    }
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
