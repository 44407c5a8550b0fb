/* URL groups: a set of URL registrations, bound to one queue or to none, with one set of
 * properties.
 *
 * Threads: functions under engine->lock unless they say otherwise. Shards read `queue`, `effective`
 * and the connection count freely: a group that a shard found through the tree stays allocated for
 * that turn (lifetime_retire), longer with urlgroup_ref.
 *
 * A closed group is out of the registry and the tree at once; its memory lives until the last
 * reference (a connection that is counted in it) goes. */
#pragma once

#include "base/slice.h"
#include "engine/lifetime.h"
#include "engine/property.h"

struct endpoint;
struct queue;
struct session;

struct urlgroup {
    uint64_t id;                   /* HTTP_URL_GROUP_ID */
    struct session *session;       /* owner; NULL once closed */
    struct list_node session_link; /* in session->groups */
    struct list_node queue_link;   /* in queue->groups while bound */
    struct list registrations;     /* struct registration (urltree.h), oldest first */
    struct properties properties;
    struct effective effective;    /* any thread */
    _Atomic(struct queue *) queue; /* any thread: the bound queue or NULL */
    _Atomic uint32_t connections;  /* any thread: connections counted in this group */
    _Atomic uint32_t refs;         /* any thread: registry + connections */
    struct retired retired;
};

ULONG urlgroup_create(struct engine *engine, HTTP_SERVER_SESSION_ID session,
                      HTTP_URL_GROUP_ID *out);
/* Removes its URLs, unbinds it, drops it from its session. ERROR_INVALID_PARAMETER: unknown id. */
ULONG urlgroup_close(struct engine *engine, HTTP_URL_GROUP_ID id);
struct urlgroup *urlgroup_find(struct engine *engine, HTTP_URL_GROUP_ID id);

/* Registers a prefix: parses (protocol/urlprefix.h), checks conflicts, opens the endpoints it
 * needs, publishes a new tree. move: instead of a conflict, what another group registered is
 * replaced in one store. A failure leaves nothing behind. Errors: ERROR_INVALID_PARAMETER,
 * ERROR_ALREADY_EXISTS, ERROR_SHARING_VIOLATION, ERROR_ACCESS_DENIED, ERROR_NOT_FOUND the address
 * is not one of this machine's, ERROR_NOT_ENOUGH_MEMORY. */
ULONG urlgroup_add_url(struct engine *engine, HTTP_URL_GROUP_ID id, PCWSTR url,
                       HTTP_URL_CONTEXT context, bool move);
ULONG urlgroup_remove_url(struct engine *engine, HTTP_URL_GROUP_ID id, PCWSTR url, ULONG flags);
/* queue NULL unbinds. One atomic store: the next request of the group goes to the new queue. */
void urlgroup_bind(struct urlgroup *group, struct queue *queue);
void urlgroup_refresh(struct urlgroup *group); /* recomputes `effective` */

/* Keeps the group's memory. Any thread that may see the group now. */
void urlgroup_ref(struct urlgroup *group);
/* The last one hands it to lifetime_retire (takes the lock itself when called by a shard). */
void urlgroup_unref(struct engine *engine, struct urlgroup *group);
