/* See lifetime.h. */
#include "engine/lifetime.h"

#include <assert.h>

#include "engine/call.h"
#include "engine/ownthread.h"
#include "engine/queue.h"
#include "engine/session.h"
#include "engine/shard.h"
#include "engine/urltree.h"
#include "net/loop.h"

static struct engine process = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .seen = PTHREAD_COND_INITIALIZER,
    .version = 1,
};

ULONG lifetime_enter(struct engine **out)
{
    pthread_mutex_lock(&process.lock);
    if (process.server_count == 0) {
        pthread_mutex_unlock(&process.lock);
        *out = NULL;
        return ERROR_DLL_INIT_FAILED;
    }
    *out = &process;
    return NO_ERROR;
}

bool lifetime_has_config(void)
{
    pthread_mutex_lock(&process.lock);
    bool has = process.config_count > 0;
    pthread_mutex_unlock(&process.lock);
    return has;
}

void lifetime_leave(struct engine *engine)
{
    assert(engine == &process);
    pthread_mutex_unlock(&engine->lock);
}

/* -------- versions -------- */

uint64_t lifetime_bump(struct engine *engine)
{
    uint64_t version = atomic_fetch_add(&engine->version, 1) + 1;
    for (uint32_t i = 0; i < LIFETIME_SHARDS_MAX; i++) {
        if (engine->shards[i] != NULL) {
            loop_wake(engine->shards[i]->loop);
        }
    }
    return version;
}

void lifetime_retire(struct engine *engine, struct retired *item, void (*release)(struct retired *))
{
    item->release = release;
    item->version = lifetime_bump(engine);
    item->next = NULL;
    if (engine->retired_first == NULL) {
        engine->retired_first = item;
    } else {
        engine->retired_last->next = item;
    }
    engine->retired_last = item;
    lifetime_reclaim(engine);
}

static uint64_t oldest_seen(const struct engine *engine)
{
    uint64_t oldest = UINT64_MAX;
    for (uint32_t i = 0; i < LIFETIME_SHARDS_MAX; i++) {
        if (engine->shards[i] != NULL) {
            uint64_t seen = atomic_load(&engine->shards[i]->seen_version);
            oldest = seen < oldest ? seen : oldest;
        }
    }
    return oldest;
}

void lifetime_reclaim(struct engine *engine)
{
    uint64_t oldest = oldest_seen(engine);
    while (engine->retired_first != NULL && engine->retired_first->version <= oldest) {
        struct retired *item = engine->retired_first;
        engine->retired_first = item->next;
        item->release(item);
    }
}

void lifetime_wait_seen(struct engine *engine, uint64_t version)
{
    while (oldest_seen(engine) < version) {
        pthread_cond_wait(&engine->seen, &engine->lock);
    }
}

/* -------- initialise and terminate -------- */

static ULONG start_server(struct engine *engine)
{
    struct urltree *tree = urltree_create_empty(engine);
    if (tree == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    if (engine->sessions.count_max == 0) {
        /* Once: ids of an earlier life must not come back, and its last endpoints may still be
         * listed until every loop has noticed their end. */
        slots_init(&engine->sessions, LIFETIME_SESSIONS_MAX);
        slots_init(&engine->groups, LIFETIME_GROUPS_MAX);
        slots_init(&engine->queues, LIFETIME_QUEUES_MAX);
        list_init(&engine->endpoints);
        list_init(&engine->orphan_receives);
    }
    atomic_store(&engine->tree, tree);
    return NO_ERROR;
}

/* The last terminate: what the program left open is closed in dependency order. */
static void stop_server(struct engine *engine)
{
    size_t cursor = 0;
    struct queue *queue = NULL;
    struct session *session = NULL;
    while ((queue = slots_next(&engine->queues, &cursor)) != NULL) {
        queue_shut_locked(engine, queue);
    }
    cursor = 0;
    while ((session = slots_next(&engine->sessions, &cursor)) != NULL) {
        (void)session_close(engine, session->id); /* its id is right */
    }
    cursor = 0;
    while ((queue = slots_next(&engine->queues, &cursor)) != NULL) {
        queue_close_locked(engine, queue);
    }
    ownthread_stop(engine); /* gives the lock up for a while */
    urltree_retire(engine, atomic_exchange(&engine->tree, NULL));
    engine->stopping = false;
    pthread_cond_broadcast(&engine->seen);
}

ULONG WINAPI HttpInitialize(HTTPAPI_VERSION Version, ULONG Flags, PVOID pReserved)
{
    const ULONG known = HTTP_INITIALIZE_SERVER | HTTP_INITIALIZE_CONFIG;
    if (Flags == 0 || (Flags & ~known) != 0 || pReserved != NULL) {
        return ERROR_INVALID_PARAMETER;
    }
    if (!lifetime_is_version(Version, 1) && !lifetime_is_version(Version, 2)) {
        return ERROR_REVISION_MISMATCH;
    }
    ULONG status = NO_ERROR;
    pthread_mutex_lock(&process.lock);
    while (process.stopping) {
        pthread_cond_wait(&process.seen, &process.lock);
    }
    if ((Flags & HTTP_INITIALIZE_SERVER) != 0) {
        status = process.server_count == 0 ? start_server(&process) : NO_ERROR;
        process.server_count += status == NO_ERROR;
    }
    if (status == NO_ERROR && (Flags & HTTP_INITIALIZE_CONFIG) != 0) {
        process.config_count++;
    }
    pthread_mutex_unlock(&process.lock);
    return status;
}

ULONG WINAPI HttpTerminate(ULONG Flags, PVOID pReserved)
{
    const ULONG known = HTTP_INITIALIZE_SERVER | HTTP_INITIALIZE_CONFIG;
    if (Flags == 0 || (Flags & ~known) != 0 || pReserved != NULL) {
        return ERROR_INVALID_PARAMETER;
    }
    bool server = (Flags & HTTP_INITIALIZE_SERVER) != 0;
    bool config = (Flags & HTTP_INITIALIZE_CONFIG) != 0;
    ULONG status = NO_ERROR;
    pthread_mutex_lock(&process.lock);
    if ((server && process.server_count == 0) || (config && process.config_count == 0)) {
        status = ERROR_INVALID_PARAMETER;
    } else {
        process.server_count -= server;
        process.config_count -= config;
        if (server && process.server_count == 0) {
            process.stopping = true;
            stop_server(&process);
        }
    }
    pthread_mutex_unlock(&process.lock);
    return status;
}
