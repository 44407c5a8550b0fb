/* Endpoints: the local addresses that registrations need, and one listening socket per shard on
 * each.
 *
 * "+", "*" and names listen on all addresses (0.0.0.0 and [::]), "localhost" on 127.0.0.1 and
 * [::1], an address on itself. An endpoint is opened by the first registration that needs it and
 * closed by the last. The first socket of an address is bound without SO_REUSEPORT, so that another
 * program that holds it, this one a second time included, is noticed; the other shards' sockets
 * share it.
 *
 * Step after: listener.c accepts. Thread: under the engine's lock. */
#pragma once

#include "engine/lifetime.h"
#include "net/sock.h"

struct shard;

enum { ENDPOINT_BACKLOG = 4096 };

struct endpoint {
    struct list_node link; /* in engine->endpoints */
    struct sock_addr address;
    uint64_t id;   /* names it towards shards; never reused */
    unsigned uses; /* registrations that need it; 0: closed, shards have yet to notice */
    bool https;
    struct retired retired;
};

/* Whether it is still in use. */
bool endpoint_is_open(struct engine *engine, uint64_t id);

/* Makes sure that some shard will accept: starts the engine's own thread when no loop is attached.
 * May give the lock up while it waits. */
ULONG endpoint_need_shard(struct engine *engine);

/* Takes one use, opening the endpoint on every shard when it is new.
 * Errors: ERROR_SHARING_VIOLATION, ERROR_ACCESS_DENIED, ERROR_NOT_FOUND no such address here,
 * ERROR_NOT_ENOUGH_MEMORY. */
ULONG endpoint_acquire(struct engine *engine, const struct sock_addr *address, bool https,
                       struct endpoint **out);
/* Gives one use back; the last one closes the listeners, connections stay. */
void endpoint_release(struct engine *engine, struct endpoint *endpoint);
/* A new shard joins: opens its listeners on every endpoint. On failure those opened so far stay
 * with the shard. */
ULONG endpoint_open_for_shard(struct engine *engine, struct shard *shard);
