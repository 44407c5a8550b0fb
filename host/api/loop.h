/* The loop contract: one thread, one loop, everything that waits.
 *
 * A worker opens a loop, attaches the request queues it serves, and turns the loop until it stops.
 * While a thread waits here, the provider below polls its own sockets and parses, routes and
 * completes that thread's overlapped calls, so a request is received, handled and answered without
 * a thread hand-off. On Windows the same page stands over a completion port.
 *
 * Thread: a loop belongs to the thread that opened it, and one thread has at most one loop. Every
 * function is called on that thread except loop_wake and loop_post. A loop that has a queue
 * attached promises to turn until it is closed.
 *
 * Completions: an overlapped call (httpapi.h) on a queue that is attached to the calling thread's
 * loop, made with hEvent NULL, completes into that loop: the OVERLAPPED must then be the first
 * member of a struct loop_op. A completion is queued and delivered by a later part of
 * loop_run_once, never from inside a contract call.
 *
 * Errors: ULONG codes of httpapi.h; NO_ERROR is 0. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/httpapi.h"

struct loop;

/* Which back end turns the loop. */
enum loop_backend {
    LOOP_BACKEND_DEFAULT, /* io_uring, where not given epoll, or what the platform has */
    LOOP_BACKEND_EPOLL,
    LOOP_BACKEND_IO_URING,
    LOOP_BACKEND_IOCP
};

/* An overlapped call in flight. Owner: the caller, alive until on_complete was called. The same op
 * may be used again from inside on_complete. status: NO_ERROR or the call's final code
 * (ERROR_OPERATION_ABORTED when cancelled). bytes: as documented for the call. */
struct loop_op {
    OVERLAPPED overlapped; /* first: the contract hands this address back */
    void (*on_complete)(struct loop_op *op, ULONG status, ULONG bytes);
};

/* A one-shot timer, coarse (LOOP_TICK_MS). Owner: the caller; zeroed before first use. Private
 * members begin with an underscore. */
struct loop_timer {
    void (*on_fire)(struct loop_timer *timer);
    struct loop_timer *_prev, *_next; /* wheel slot list; both NULL when stopped */
    uint64_t _due_tick;               /* tick at which it fires */
};

/* A function to run on the loop's thread. Owner: the caller until run() is called. */
struct loop_task {
    void (*run)(struct loop_task *task);
    struct loop_task *_next;
};

/* Interest in a file descriptor (POSIX only; ERROR_NOT_SUPPORTED elsewhere). Level triggered.
 * Owner: the caller. */
struct loop_watch {
    void (*on_ready)(struct loop_watch *watch, unsigned events);
    int fd;          /* the caller's; never closed by the loop */
    unsigned events; /* LOOP_READABLE | LOOP_WRITABLE as last asked */
};

enum {
    LOOP_READABLE = 1,
    LOOP_WRITABLE = 2,
    LOOP_HANGUP = 4, /* reported, never asked for */
    LOOP_TICK_MS = 4 /* granularity of timers: a timer fires at most this much late, never early */
};

/* Opens a loop for the calling thread.
 * Errors: ERROR_NOT_ENOUGH_MEMORY; ERROR_NOT_SUPPORTED backend not available here;
 * ERROR_ALREADY_EXISTS this thread has one. */
ULONG loop_open(enum loop_backend backend, struct loop **out);

/* The calling thread's loop, or NULL. */
struct loop *loop_current(void);

/* The back end in use, for `version` and messages: "epoll", "io_uring", "iocp". */
const char *loop_backend_name(const struct loop *loop);

/* Closes the loop: its listeners and connections first, then its ops. Ops still pending are
 * completed with ERROR_OPERATION_ABORTED and delivered before this returns. Timers and watches are
 * dropped without a call. Posted tasks not yet run are run. */
void loop_close(struct loop *loop);

/* One turn: waits up to timeout_ns (UINT64_MAX: for ever) unless work is at hand, then runs what is
 * due: sockets, posted tasks, timers, completions, in that order. Errors: only when the back end
 * itself fails. */
ULONG loop_run_once(struct loop *loop, uint64_t timeout_ns);

/* Monotonic nanoseconds as of the start of this turn (refreshed after waiting): costs a load. */
uint64_t loop_now_ns(const struct loop *loop);

/* Makes a waiting loop_run_once return. Any thread. */
void loop_wake(struct loop *loop);

/* Runs the task on the loop's thread in a later turn, in the order of posting. Any thread. */
void loop_post(struct loop *loop, struct loop_task *task);

/* Starts or restarts a timer; delay_ns from loop_now_ns. O(1). */
void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ns);
/* Stops it; harmless when it is not running. */
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);
bool loop_timer_is_running(const struct loop_timer *timer);

/* Watches watch->fd for watch->events; call again to change the events. */
ULONG loop_watch_start(struct loop *loop, struct loop_watch *watch);
/* Ends the interest; no call for this watch is made afterwards, also not for an event already
 * fetched. */
void loop_watch_stop(struct loop *loop, struct loop_watch *watch);

/* Attaches a request queue: this loop gets listeners for every registered URL, now and later, and
 * overlapped calls of this thread on the queue complete here. Attach before URLs are added, so that
 * a program with loops never needs the engine's own thread. Errors: ERROR_INVALID_HANDLE;
 * ERROR_ALREADY_EXISTS attached to this loop already; ERROR_NOT_ENOUGH_MEMORY. */
ULONG loop_attach_queue(struct loop *loop, HANDLE queue);

/* Stops intake (design: stage 1 of the exit path): takes what the kernel has in the backlog, closes
 * this loop's listeners, and from then on answers carry Connection: close; idle connections that
 * have had an answer are closed at once, fresh ones after 1 s. URLs stay registered, receives stay
 * armed. */
void loop_stop_listening(struct loop *loop);

/* Open client connections of this loop; 0 where the provider cannot tell. */
size_t loop_connection_count(const struct loop *loop);

/* A TCP port that is free on 127.0.0.1 and, where there is IPv6, on [::1] at this moment (another
 * process may still take it). Errors: ERROR_SHARING_VIOLATION none found; ERROR_NOT_ENOUGH_MEMORY.
 * Any thread. */
ULONG loop_find_free_port(uint16_t *port);
