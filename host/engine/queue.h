/* Request queues: where routed requests wait for a receive, and receives for a request.
 *
 * A queue is one object for the process (struct queue) and one port on each shard that meets it
 * (struct port). The port holds what belongs to that shard's thread: requests not yet delivered and
 * receives not yet answered; one of the two is always empty. So a worker that receives, handles and
 * answers its own requests takes no lock.
 *
 * Receives travel, requests do not: a request stays with its connection's shard. A shard that has a
 * request and no receive is needy: it asks the others once, each of which lends one (queue_lend),
 * and a receive made elsewhere while it is needy is sent there. Among several needy shards each
 * gets its turn. A receive of a loop that finds nothing to do goes home again.
 *
 * Lifetime of struct queue: the registry, the ports and travelling calls hold references; a shard
 * that found it through a group may look at it for the rest of its turn (lifetime.h). */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "engine/lifetime.h"

struct call;
struct request;
struct shard;

/* Life of a queue; only grows.
 *
 *   phase         made by                    receives              requests
 *   QUEUE_OPEN    HttpCreateRequestQueue     served                delivered
 *   QUEUE_SHUT    HttpShutdownRequestQueue   ERROR_INVALID_HANDLE  wait: nobody here gets them
 *   QUEUE_CLOSED  HttpCloseRequestQueue      ERROR_INVALID_HANDLE  dropped; later ones get 503 */
enum queue_phase { QUEUE_OPEN, QUEUE_SHUT, QUEUE_CLOSED };

struct queue {
    uint64_t id;                 /* the HANDLE */
    char name[MAX_PATH];         /* UTF-8, empty when unnamed */
    bool controller;             /* made by a controller: its handle does no I/O */
    struct list groups;          /* struct urlgroup.queue_link; under the lock */
    _Atomic uint32_t phase;      /* enum queue_phase; any thread */
    _Atomic uint32_t active;     /* HttpServerStateProperty: 0 = 503; any thread */
    _Atomic uint32_t verbosity;  /* HTTP_503_RESPONSE_VERBOSITY; any thread */
    _Atomic uint32_t length_max; /* requests that may wait; any thread */
    _Atomic uint32_t waiting;    /* requests undelivered, of all ports; any thread */
    _Atomic uint64_t needy;      /* bit i: the shard with index i wants receives; any thread */
    uint32_t needy_served;       /* index of the one helped last from outside; under the lock */
    uint32_t cancels;            /* errands of CancelIoEx under way; under the lock */
    _Atomic uint32_t refs;       /* any thread */
    struct retired retired;
};

/* The part of a queue that is one shard's. Owner and thread: the shard. */
struct port {
    struct queue *queue;     /* one reference */
    struct list receives;    /* struct call.link, oldest first */
    struct list undelivered; /* struct request.port_link, oldest first */
    struct list delivered;   /* struct request.port_link: bound to an id or with the application */
    uint32_t phase_seen;     /* what this shard has acted upon */
    uint32_t needy_served;   /* index of the shard that got a receive last */
    bool asked;              /* the other shards were asked to lend, nothing has come yet */
    bool attached;           /* the loop was attached to this queue */
};

/* -------- registry (queue_config.c): under the lock -------- */

/* HttpCreateRequestQueue. Errors as documented; named queues are private to the process. */
ULONG queue_create(struct engine *engine, HTTPAPI_VERSION version, PCWSTR name,
                   PSECURITY_ATTRIBUTES security, ULONG flags, HANDLE *out);
/* NULL: no such handle, or closed. */
struct queue *queue_find(struct engine *engine, HANDLE handle);
ULONG queue_set_property(struct queue *queue, HTTP_SERVER_PROPERTY property, const void *info,
                         ULONG length);
ULONG queue_query_property(const struct queue *queue, HTTP_SERVER_PROPERTY property, void *info,
                           ULONG length, ULONG *out_length);
/* Takes the handle out of the registry, unbinds its groups, and marks it closed. The shards follow.
 */
void queue_close_locked(struct engine *engine, struct queue *queue);
/* HttpShutdownRequestQueue: marks it. The shards follow. */
void queue_shut_locked(struct engine *engine, struct queue *queue);

void queue_ref(struct queue *queue);                          /* any thread that may see it */
void queue_unref(struct engine *engine, struct queue *queue); /* any thread, not under the lock */
void queue_unref_locked(struct engine *engine, struct queue *queue); /* under the lock */

/* -------- delivery (queue.c): the shard's own thread -------- */

/* The shard's port of the queue, made when missing. NULL: no memory. */
struct port *queue_port(struct shard *shard, struct queue *queue);
/* The shard's port of that handle, or NULL. No lock: the way to a queue on the hot path. */
struct port *queue_port_of_handle(const struct shard *shard, HANDLE handle);

/* Gives a routed request to the queue: a waiting receive gets it, or it waits. Refuses it itself
 * when it must. */
void queue_deliver(struct shard *shard, struct queue *queue, struct request *request);
/* A receive for any request. ERROR_IO_PENDING while it waits or travels. */
ULONG queue_receive(struct shard *shard, struct queue *queue, struct call *call);
/* Lends a receive of each port to each needy shard: when shard->asked was set. */
void queue_lend(struct shard *shard);
/* Sets `asked` on every shard but `needy` (NULL: on all), and wakes it. Under the lock. */
void queue_ask(struct engine *engine, const struct shard *needy);
/* The needy shard whose turn it is after *served, itself (an index, or any number) excepted; -1:
 * none. *served becomes the answer. */
int queue_pick_needy(const struct queue *queue, uint32_t *served, uint32_t self);
/* A request leaves the queue: answered, cancelled, or its connection is gone. Harmless the second
 * time. */
void queue_forget(struct request *request);
/* CancelIoEx on this shard: ends the waiting receives, body reads and waits for disconnect of
 * `overlapped`, or of the queue when it is NULL. A send that is half way out is not called back.
 * Returns how many. */
unsigned queue_cancel_calls(struct shard *shard, struct queue *queue, const OVERLAPPED *overlapped);
/* Ends what the closing shard `home` has waiting on this one with ERROR_OPERATION_ABORTED: body
 * reads, waits for disconnect; a send that is half way out takes its connection with it. */
void queue_recall(struct shard *shard, const struct shard *home);
/* Acts on a phase that other threads have set. Frees the port (and clears *place) when it is
 * closed. */
void queue_notice_phase(struct shard *shard, struct port **place);
/* The shard closes: its receives end or move on to another shard. */
void queue_end_receives(struct shard *shard, struct port *port);
/* Frees the port, in which nothing waits any more, and clears *place. */
void queue_free_port(struct shard *shard, struct port **place);
