/* The process record: what HttpInitialize makes and the last HttpTerminate unmakes.
 *
 * The contract has no context argument, so there is one record for the process, and it is the
 * engine's only mutable global. It holds the registry (sessions, groups, queues, URLs, endpoints)
 * and the list of shards (shard.h: one per loop).
 *
 * Threads. `lock` guards the registry. Contract calls on sessions, groups, queues and URLs take it;
 * nothing on the path of a request does. Shards read three things without it: `tree`, the fields of
 * a group or queue marked "any thread", and `version`. Whatever such a reader may still see is
 * freed by lifetime_retire, after every shard has begun a later turn.
 *
 * Lock order: `lock` is the only lock that may be held while another (a loop's mailbox has none) is
 * taken. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/httpapi.h"
#include "base/list.h"
#include "base/slots.h"

struct shard;
struct urltree;

enum {
    LIFETIME_SESSIONS_MAX = 4096, /* live server sessions */
    LIFETIME_GROUPS_MAX = 65536,  /* live URL groups */
    LIFETIME_QUEUES_MAX = 4096,   /* live request queues */
    LIFETIME_SHARDS_MAX = 64 /* loops with a queue attached, the engine's own thread included */
};

/* Kinds of ids, so that one is never taken for another. They lie above every generation that can be
 * reached. */
#define LIFETIME_SESSION_BIT (UINT64_C(1) << 61)
#define LIFETIME_GROUP_BIT   (UINT64_C(1) << 62)

/* Memory that shards may still be reading: freed when they cannot. Embed it in the object. */
struct retired {
    struct retired *next;
    uint64_t version; /* freed once every shard has seen this version */
    void (*release)(struct retired *self);
};

struct engine {
    pthread_mutex_t lock;
    unsigned server_count, config_count; /* HttpInitialize calls not yet terminated, per flag */
    bool stopping; /* the last terminate of SERVER is under way; server_count is 0 already */
    struct slots sessions, groups, queues; /* id -> struct session, urlgroup, queue */
    struct list endpoints;                 /* struct endpoint: addresses that registrations need */
    struct shard *shards[LIFETIME_SHARDS_MAX]; /* by index; NULL = free place */
    uint64_t
        shard_sequences[LIFETIME_SHARDS_MAX]; /* last id sequence of the shard that had the place */
    struct own_thread *own_thread;            /* the engine's own thread (ownthread.h), or NULL */
    pthread_cond_t seen;            /* signalled when a shard has seen a new version, or has gone */
    uint64_t endpoint_sequence;     /* last endpoint id given */
    struct list orphan_receives;    /* struct call: receives made before there was any shard */
    struct retired *retired_first;  /* oldest first */
    struct retired *retired_last;   /* undefined while there are none */
    uint64_t tree_stamp;            /* last one given to a tree (urltree.c) */
    _Atomic(struct urltree *) tree; /* any thread; NULL while server_count is 0 */
    _Atomic uint64_t version;       /* any thread; grows with each lifetime_retire */
};

/* Whether `version` is major.0, the only minor there is. */
static inline bool lifetime_is_version(HTTPAPI_VERSION version, USHORT major)
{
    return version.HttpApiMajorVersion == major && version.HttpApiMinorVersion == 0;
}

/* Whether CONFIG is initialised. Takes the lock for a moment. */
bool lifetime_has_config(void);

/* Takes and leaves the lock. lifetime_enter returns ERROR_DLL_INIT_FAILED, without the lock, when
 * SERVER is not initialised. */
ULONG lifetime_enter(struct engine **out);
void lifetime_leave(struct engine *engine);

/* Hands memory to be freed later. Caller holds the lock and has already made it unreachable for new
 * readers. Wakes the shards. */
void lifetime_retire(struct engine *engine, struct retired *item,
                     void (*release)(struct retired *));

/* Tells the shards that something they look at each turn has changed: a queue was shut or closed.
 * Returns the new version. Caller holds the lock. */
uint64_t lifetime_bump(struct engine *engine);

/* Waits until every shard has acted upon the version. Caller holds the lock, which is given up
 * meanwhile, and is not the thread of a shard. */
void lifetime_wait_seen(struct engine *engine, uint64_t version);

/* Frees what no shard can see any more. Caller holds the lock. Called by shards (when something is
 * retired) and by lifetime_retire. */
void lifetime_reclaim(struct engine *engine);
