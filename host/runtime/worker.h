/* A worker: one thread, one loop, one Lua state of the current generation (and of those that
 * retire).
 *
 * The thread turns its loop and does nothing else; what the coordinator wants of it arrives as a
 * posted call and is acknowledged by a post back, so no field of a worker is touched by two threads
 * at once (the few that are, say so).
 *
 *   phase             means                                            next
 *   WORKER_STARTING   thread made, loop not yet open                   SERVING, ENDED
 *   WORKER_SERVING    turns its loop                                   DRAINING, ENDED
 *   WORKER_DRAINING   does not listen any more (stage 1)               ENDED
 *   WORKER_ENDED      states closed, loop closed (stage 6)             -
 *
 * A call is at once or lasting. A lasting one has is_over, asked after each turn of the loop; the
 * next call that arrives ends it, whatever it says: the coordinator has stopped waiting for it
 * then.
 *
 * Owner: host. Cost at rest: nothing; a thread has WORKER_STACK_BYTES of address space. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/httpapi.h"
#include "api/loop.h"
#include "base/list.h"
#include "runtime/dispatch.h"

struct host;
struct worker;

enum {
    WORKER_STACK_BYTES = 1024 * 1024 /* Lua's limit of 200 nested C calls fits several times */
};

enum worker_phase { WORKER_STARTING, WORKER_SERVING, WORKER_DRAINING, WORKER_ENDED };

/* One errand of the coordinator on a worker. Owner: the coordinator, alive and unmoved until done,
 * or for ever when the worker is abandoned. */
struct worker_call {
    struct loop_task task; /* there */
    struct loop_task ack;  /* and back */
    struct worker *worker;
    void (*run)(struct worker_call *call); /* on the worker; may set result and cut */
    bool (*is_over)(
        const struct worker *worker); /* on the worker, after each turn; NULL: over after run */
    void *arg;                        /* for run */
    ULONG result;                     /* NO_ERROR unless run sets it */
    _Atomic size_t left; /* requests and connections left when a drain ended; read while it runs */
    _Atomic bool begun;  /* the worker has taken it up */
    bool done;           /* coordinator: the ack arrived */
};

struct worker {
    struct host *host;
    unsigned number; /* 0.. */
    pthread_t thread;
    struct loop *loop;        /* the worker's; valid for the coordinator once start is done */
    struct dispatch dispatch; /* the worker's */
    enum worker_phase phase;  /* the worker's */
    struct list members;      /* struct member: its states, the current one first (generation.h) */
    size_t retiring;          /* members that retire and are not quiet yet; the worker's */
    struct worker_call *lasting; /* under way; the worker's */
    struct worker_call
        calls[2];     /* the present errand and the one before, whose ack may still be on its way */
    unsigned current; /* coordinator's: which is the present one */
    bool leave;       /* the worker's: the thread ends after this turn */
    bool has_thread;  /* coordinator's: to be joined */
    _Atomic bool abandoned; /* the coordinator has given up on it: touch nothing any more */
};

/* The present errand. Coordinator. */
static inline struct worker_call *worker_call(struct worker *worker)
{
    return &worker->calls[worker->current];
}

/* Starts the thread. The first errand is done when its loop is open (result NO_ERROR), or could not
 * be opened and the thread has ended. Coordinator. Errors: ERROR_NOT_ENOUGH_MEMORY no thread. */
ULONG worker_open(struct worker *worker, struct host *host, unsigned number);

/* Sends the next errand; the one before must have begun. Coordinator. */
void worker_send(struct worker *worker, void (*run)(struct worker_call *call),
                 bool (*is_over)(const struct worker *worker), void *arg);

/* An errand of which only the acknowledgement, or is_over, matters. */
void worker_do_nothing(struct worker_call *call);

/* Requests of the queue come to this worker's loop; harmless when they do already. Errors: the
 * loop's; ERROR_NOT_ENOUGH_MEMORY too many queues. Worker. */
ULONG worker_attach_queue(struct worker *worker, uint64_t queue_id, HANDLE queue);

/* For the run function of the last errand: the thread closes its loop and ends. Every state must be
 * closed. Worker. */
void worker_leave(struct worker *worker);

/* Joins the thread after an errand that called worker_leave is done. Coordinator. */
void worker_join(struct worker *worker);
