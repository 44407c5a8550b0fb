/* The registry side of request queues: creation, properties, closing. See queue.h; delivery is
 * queue.c. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/call.h"
#include "engine/queue.h"
#include "engine/shard.h"
#include "engine/urlgroup.h"

static void release_queue(struct retired *retired)
{
    free(LIST_ITEM(retired, struct queue, retired));
}

void queue_ref(struct queue *queue)
{
    atomic_fetch_add(&queue->refs, 1);
}

void queue_unref_locked(struct engine *engine, struct queue *queue)
{
    if (atomic_fetch_sub(&queue->refs, 1) == 1) {
        lifetime_retire(engine, &queue->retired, release_queue);
    }
}

void queue_unref(struct engine *engine, struct queue *queue)
{
    if (atomic_fetch_sub(&queue->refs, 1) == 1) {
        pthread_mutex_lock(&engine->lock);
        lifetime_retire(engine, &queue->retired, release_queue);
        pthread_mutex_unlock(&engine->lock);
    }
}

struct queue *queue_find(struct engine *engine, HANDLE handle)
{
    return slots_get(&engine->queues, (uint64_t)(uintptr_t)handle);
}

static bool name_is_taken(struct engine *engine, const char *name)
{
    size_t cursor = 0;
    const struct queue *queue = NULL;
    while ((queue = slots_next(&engine->queues, &cursor)) != NULL) {
        if (strcmp(queue->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static ULONG check_create(HTTPAPI_VERSION version, PCWSTR name, PSECURITY_ATTRIBUTES security,
                          ULONG flags, const HANDLE *out)
{
    const ULONG known = HTTP_CREATE_REQUEST_QUEUE_FLAG_OPEN_EXISTING |
                        HTTP_CREATE_REQUEST_QUEUE_FLAG_CONTROLLER |
                        HTTP_CREATE_REQUEST_QUEUE_FLAG_DELEGATION;
    bool existing = (flags & HTTP_CREATE_REQUEST_QUEUE_FLAG_OPEN_EXISTING) != 0;
    bool controller = (flags & HTTP_CREATE_REQUEST_QUEUE_FLAG_CONTROLLER) != 0;
    bool named = name != NULL && name[0] != 0;
    if (!lifetime_is_version(version, 2)) {
        return ERROR_REVISION_MISMATCH;
    }
    if (out == NULL || (flags & ~known) != 0 || (named && strlen(name) >= MAX_PATH) ||
        (existing && (security != NULL || !named || controller))) {
        return ERROR_INVALID_PARAMETER;
    }
    /* Queues shared between processes, delegation and access control lists are of a later tier. */
    return existing || security != NULL || (flags & HTTP_CREATE_REQUEST_QUEUE_FLAG_DELEGATION) != 0
               ? ERROR_NOT_SUPPORTED
               : NO_ERROR;
}

ULONG queue_create(struct engine *engine, HTTPAPI_VERSION version, PCWSTR name,
                   PSECURITY_ATTRIBUTES security, ULONG flags, HANDLE *out)
{
    ULONG status = check_create(version, name, security, flags, out);
    if (status != NO_ERROR) {
        return status;
    }
    bool named = name != NULL && name[0] != 0;
    if (named && name_is_taken(engine, name)) {
        return ERROR_ALREADY_EXISTS;
    }
    struct queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    if (named) {
        memcpy(queue->name, name, strlen(name) + 1);
    }
    queue->controller = (flags & HTTP_CREATE_REQUEST_QUEUE_FLAG_CONTROLLER) != 0;
    list_init(&queue->groups);
    atomic_store(&queue->phase, QUEUE_OPEN);
    atomic_store(&queue->active, 1);
    atomic_store(&queue->verbosity, Http503ResponseVerbosityBasic);
    atomic_store(&queue->length_max, PROPERTY_QUEUE_LENGTH_DEFAULT);
    atomic_store(&queue->refs, 1);
    queue->id = slots_insert(&engine->queues, queue);
    if (queue->id == 0) {
        free(queue);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    *out = (HANDLE)(uintptr_t)queue->id;
    return NO_ERROR;
}

ULONG queue_set_property(struct queue *queue, HTTP_SERVER_PROPERTY property, const void *info,
                         ULONG length)
{
    uint32_t value = 0;
    if (info == NULL || length < sizeof value) {
        return ERROR_INVALID_PARAMETER;
    }
    memcpy(&value, info, sizeof value);
    switch (property) {
    case HttpServerQueueLengthProperty:
        if (value < HTTP_MIN_SERVER_QUEUE_LENGTH || value > HTTP_MAX_SERVER_QUEUE_LENGTH) {
            return ERROR_INVALID_PARAMETER;
        }
        atomic_store(&queue->length_max, value);
        return NO_ERROR;
    case HttpServerStateProperty:
        if (value != HttpEnabledStateActive && value != HttpEnabledStateInactive) {
            return ERROR_INVALID_PARAMETER;
        }
        atomic_store(&queue->active, value == HttpEnabledStateActive);
        return NO_ERROR;
    case HttpServer503VerbosityProperty:
        if (value > Http503ResponseVerbosityFull) {
            return ERROR_INVALID_PARAMETER;
        }
        atomic_store(&queue->verbosity, value);
        return NO_ERROR;
    default: return ERROR_INVALID_PARAMETER;
    }
}

ULONG queue_query_property(const struct queue *queue, HTTP_SERVER_PROPERTY property, void *info,
                           ULONG length, ULONG *out_length)
{
    uint32_t value = 0;
    switch (property) {
    case HttpServerQueueLengthProperty: value = atomic_load(&queue->length_max); break;
    case HttpServerStateProperty:
        value = atomic_load(&queue->active) != 0 ? (uint32_t)HttpEnabledStateActive
                                                 : (uint32_t)HttpEnabledStateInactive;
        break;
    case HttpServer503VerbosityProperty: value = atomic_load(&queue->verbosity); break;
    default: return ERROR_INVALID_PARAMETER;
    }
    *out_length = sizeof value;
    if (info == NULL || length < sizeof value) {
        return ERROR_MORE_DATA;
    }
    memcpy(info, &value, sizeof value);
    return NO_ERROR;
}

void queue_shut_locked(struct engine *engine, struct queue *queue)
{
    uint32_t open = QUEUE_OPEN;
    if (atomic_compare_exchange_strong(&queue->phase, &open, QUEUE_SHUT)) {
        call_abort_orphans(engine, queue);
        (void)lifetime_bump(engine); /* nobody waits for this version here */
    }
}

void queue_close_locked(struct engine *engine, struct queue *queue)
{
    void *removed = slots_remove(&engine->queues, queue->id);
    assert(removed == queue);
    (void)removed; /* only asserted */
    while (!list_is_empty(&queue->groups)) {
        struct list_node *node = list_first(&queue->groups);
        urlgroup_bind(LIST_ITEM(node, struct urlgroup, queue_link), NULL);
    }
    atomic_store(&queue->phase, QUEUE_CLOSED);
    call_abort_orphans(engine, queue);
    (void)lifetime_bump(engine); /* nobody waits for this version here */
    queue_unref_locked(engine, queue);
}
