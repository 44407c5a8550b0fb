/* Listeners: the listening sockets of one shard, and accepting on them.
 *
 * Out of descriptors or memory, a listener pauses for LISTENER_PAUSE_MS: a backlog that cannot be
 * taken would keep the loop awake for nothing.
 *
 * Closing one of several listeners of an address can cost a connection: one that the kernel had
 * given to it, completed or half open, is reset, and Linux moves it to another listener only with
 * net.ipv4.tcp_migrate_req = 1, which is the machine's to set. listener_drain accepts until nothing
 * is left right before it closes, so that only the moment between two system calls remains; a loop
 * of several that ends by itself calls loop_stop_listening before loop_close for that.
 *
 * Step before: endpoint.c opens the sockets under the lock. Step after: conn.c owns each
 * connection. Owner and thread: the shard; only listener_add may come from other threads. A closed
 * endpoint is noticed like every change of the registry (shard.h, Turns). */
#pragma once

#include "engine/shard.h"

struct endpoint;

enum { LISTENER_PAUSE_MS = 50 };

/* One listening socket. It outlives its socket while connections that came through it are alive. */
struct listener {
    struct loop_io io;     /* fd -1 once closed */
    struct list_node link; /* shard->listeners */
    struct shard *shard;
    uint64_t endpoint_id;
    struct sock_addr address; /* of the endpoint; may be 0.0.0.0 or [::] */
    uint16_t port;            /* host order */
    bool https;
    bool wildcard;           /* address says nothing about where a connection arrived */
    uint32_t refs;           /* its connections, and 1 while it is open */
    struct loop_timer pause; /* running: there were no descriptors, the loop does not look at it */
};

/* Hands a listening socket to the shard. Thread: any, under the lock; accepting starts in the
 * shard's next turn. Owner of fd: the shard, also on failure (it is closed).
 * Errors: ERROR_NOT_ENOUGH_MEMORY. */
ULONG listener_add(struct shard *shard, int fd, const struct endpoint *endpoint);

/* The shard's own thread. */
void listener_close_gone(struct shard *shard); /* those whose endpoint is closed; under the lock */
void listener_drain(struct shard *shard);      /* accepts what the kernel holds, then closes all */
void listener_close_all(struct shard *shard);
void listener_unref(struct listener *listener);
