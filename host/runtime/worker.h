/* A worker: one thread, one loop, one Lua state of the current generation (and of those that retire).
 *
 * The thread turns its loop and does nothing else; what the coordinator wants of it arrives as a posted call and is acknowledged by a post
 * back, so no field of a worker is ever touched by two threads at once (the few that are, say so).
 *
 *   phase             means                                            next
 *   WORKER_STARTING   thread made, loop not yet open                   SERVING, FAILED
 *   WORKER_SERVING    turns its loop                                   DRAINING
 *   WORKER_DRAINING   does not listen any more (stage 1)               ENDING
 *   WORKER_ENDING     states closed, loop closed (stage 6)             ENDED
 *   WORKER_ENDED      the thread has nothing left to do                -
 *   WORKER_FAILED     the loop could not be opened                     ENDED
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

struct host;
struct worker;

enum {
    WORKER_STACK_BYTES = 512 * 1024, /* Lua's C stack limit (200 C calls) fits several times */
};

enum worker_phase {
    WORKER_STARTING,
    WORKER_SERVING,
    WORKER_DRAINING,
    WORKER_ENDING,
    WORKER_ENDED,
    WORKER_FAILED,
};

/* One errand of the coordinator on a worker. Owner: the coordinator, alive until done. */
struct worker_call {
    struct loop_task task;                   /* there */
    struct loop_task ack;                    /* and back */
    struct worker *worker;
    void (*run)(struct worker_call *call);   /* on the worker; ends with worker_done, at once or later */
    void *arg;                               /* for run */
    ULONG result;                            /* what worker_done was given */
    bool done;                               /* coordinator: the ack arrived */
};

struct worker {
    struct host *host;
    unsigned number;          /* 0.. */
    pthread_t thread;
    struct loop *loop;        /* the worker's; set before SERVING is acknowledged */
    enum worker_phase phase;  /* the worker's own */
    struct list members;      /* struct member.of_worker: its states, current one first (generation.h) */
    struct worker_call *drain;/* waits for "drained"; worker's own */
    struct worker_call start; /* acknowledges that the loop is open */
    _Atomic bool leave;       /* the thread ends after this turn */
    _Atomic bool abandoned;   /* the coordinator has given up on it: touch nothing any more */
    bool joined;              /* coordinator's */
};

/* Starts the thread; `start` is acknowledged when its loop is open or could not be opened. Coordinator.
 * Errors: ERROR_NOT_ENOUGH_MEMORY. */
ULONG worker_open(struct worker *worker, struct host *host, unsigned number);

/* Sends the errand. Coordinator. */
void worker_post(struct worker *worker, struct worker_call *call, void (*run)(struct worker_call *), void *arg);

/* Ends it, on the worker. */
void worker_done(struct worker_call *call, ULONG result);

/* Joins the thread after `leave`. Coordinator. */
void worker_join(struct worker *worker);
