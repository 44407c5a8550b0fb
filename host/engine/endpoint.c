/* See endpoint.h. */
#include "engine/endpoint.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/listener.h"
#include "engine/ownthread.h"
#include "engine/shard.h"

ULONG endpoint_need_shard(struct engine *engine)
{
    for (uint32_t i = 0; i < LIFETIME_SHARDS_MAX; i++) {
        if (engine->shards[i] != NULL) {
            return NO_ERROR;
        }
    }
    return ownthread_start(engine);
}

static bool same_address(const struct sock_addr *a, const struct sock_addr *b)
{
    if (a->sa.sa_family != b->sa.sa_family || sock_addr_port(a) != sock_addr_port(b)) {
        return false;
    }
    return a->sa.sa_family == AF_INET
               ? a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr
               : memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

bool endpoint_is_open(struct engine *engine, uint64_t id)
{
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &engine->endpoints)
    {
        const struct endpoint *endpoint = LIST_ITEM(node, struct endpoint, link);
        if (endpoint->id == id) {
            return endpoint->uses > 0;
        }
    }
    return false;
}

/* Finds the open endpoint of that address; *sibling: whether sockets of our own may overlap with
 * it, of another address of that port or of a closed endpoint that a shard has not yet noticed. */
static struct endpoint *find(struct engine *engine, const struct sock_addr *address, bool *sibling)
{
    struct list_node *node, *next;
    *sibling = false;
    LIST_FOREACH_SAFE(node, next, &engine->endpoints)
    {
        struct endpoint *endpoint = LIST_ITEM(node, struct endpoint, link);
        if (endpoint->uses > 0 && same_address(&endpoint->address, address)) {
            return endpoint;
        }
        *sibling |= endpoint->address.sa.sa_family == address->sa.sa_family &&
                    sock_addr_port(&endpoint->address) == sock_addr_port(address);
    }
    return NULL;
}

static ULONG open_on(struct shard *shard, const struct endpoint *endpoint, bool share)
{
    int fd = -1;
    ULONG status = sock_listen(&endpoint->address.sa, sock_addr_len(&endpoint->address), share,
                               ENDPOINT_BACKLOG, &fd);
    if (status == ERROR_TOO_MANY_OPEN_FILES) {
        return ERROR_NOT_ENOUGH_MEMORY; /* the contract has one code for what is lacking */
    }
    return status == NO_ERROR ? listener_add(shard, fd, endpoint) : status;
}

static void release(struct retired *retired)
{
    struct endpoint *endpoint = LIST_ITEM(retired, struct endpoint, retired);
    list_remove(&endpoint->link);
    free(endpoint);
}

/* Marks it closed; each shard closes its listener when it notices, the calling thread's at once. */
static void close_endpoint(struct engine *engine, struct endpoint *endpoint)
{
    struct shard *here = shard_current();
    assert(endpoint->uses == 0);
    if (here != NULL) {
        listener_close_gone(here);
    }
    lifetime_retire(engine, &endpoint->retired, release);
}

static ULONG open_on_all(struct engine *engine, const struct endpoint *endpoint, bool sibling)
{
    bool first = true;
    for (uint32_t i = 0; i < LIFETIME_SHARDS_MAX; i++) {
        struct shard *shard = engine->shards[i];
        if (shard == NULL) {
            continue;
        }
        ULONG status = open_on(shard, endpoint, !first);
        if (status == ERROR_SHARING_VIOLATION && first && sibling) {
            status = open_on(shard, endpoint, true); /* it is our own 0.0.0.0 that overlaps */
        }
        if (status != NO_ERROR) {
            return status;
        }
        first = false;
    }
    assert(!first); /* endpoint_need_shard came before */
    return NO_ERROR;
}

ULONG endpoint_acquire(struct engine *engine, const struct sock_addr *address, bool https,
                       struct endpoint **out)
{
    bool sibling = false;
    struct endpoint *endpoint = find(engine, address, &sibling);
    if (endpoint != NULL) {
        endpoint->uses++;
        *out = endpoint;
        return NO_ERROR;
    }
    endpoint = calloc(1, sizeof *endpoint);
    if (endpoint == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    endpoint->address = *address;
    endpoint->https = https;
    endpoint->id = ++engine->endpoint_sequence;
    endpoint->uses = 1;
    list_push_back(&engine->endpoints, &endpoint->link);
    ULONG status = open_on_all(engine, endpoint, sibling);
    if (status != NO_ERROR) {
        endpoint->uses = 0;
        close_endpoint(engine, endpoint);
        return status;
    }
    *out = endpoint;
    return NO_ERROR;
}

void endpoint_release(struct engine *engine, struct endpoint *endpoint)
{
    assert(endpoint->uses > 0);
    if (--endpoint->uses == 0) {
        close_endpoint(engine, endpoint);
    }
}

ULONG endpoint_open_for_shard(struct engine *engine, struct shard *shard)
{
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &engine->endpoints)
    {
        /* Shared when any other shard has a socket on it. */
        const struct endpoint *endpoint = LIST_ITEM(node, struct endpoint, link);
        ULONG status = endpoint->uses == 0 ? NO_ERROR : open_on(shard, endpoint, true);
        if (status != NO_ERROR) {
            return status;
        }
    }
    return NO_ERROR;
}
