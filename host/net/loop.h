/* The loop as the engine sees it: sockets registered once, completions, deferred work, and the
 * engine's hooks into a turn.
 *
 * One turn (loop_run_once):
 *
 *   before_wait hook -> wait -> sockets -> tasks -> timers -> completions -> deferred work
 *
 * The wait does not block when tasks, completions or deferred work are at hand, when the has_work
 * hook says so, or after loop_wake.
 *
 * Owner: the loop's memory is its own; what is registered, started, posted, completed or deferred
 * is the caller's until it was called or removed. Thread: the loop's own, but for loop_wake and
 * loop_post.
 * Cost of a turn: one system call (the wait), one clock read; nothing for idle sockets and running
 * timers. A wake or post to a loop that is awake makes no system call. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/loop.h"
#include "net/loop_backend.h"
#include "net/timer.h"

enum {
    /* Beside LOOP_READABLE, LOOP_WRITABLE and LOOP_HANGUP of api/loop.h, for loop_io only: the peer
     * has ended its direction (FIN). What is still unread can be read; then comes the end. Because
     * events are reported once, a reader that stops at a short read must remember this bit and read
     * on to the end. Always together with LOOP_READABLE. */
    LOOP_READ_CLOSED = 8,

    /* What loop_io_send started is over: loop_io.sent tells how. Comes alone. */
    LOOP_SENT = 16,

    LOOP_COMPLETIONS_PER_TURN_MAX = 1024, /* then the sockets get their turn again */
    LOOP_CLOSE_ROUNDS_MAX = 1000          /* so often loop_close follows work that makes new work */
};

/* A socket. Edge triggered in both directions: every change is reported once; LOOP_READABLE means
 * read until short or would-block. LOOP_HANGUP: both directions are over (reset, error, or a FIN
 * from each side); it comes with LOOP_READABLE | LOOP_WRITABLE, so that reading or writing tells
 * which.
 * Owner: the caller, from loop_io_add until loop_io_remove or loop_io_close. */
struct loop_io {
    void (*on_event)(struct loop_io *io, unsigned events);
    int fd;       /* the caller's; closed by loop_io_close alone; -1 once it was */
    int32_t sent; /* with LOOP_SENT: bytes taken, at least 1, or minus the errno */
    uint64_t id;  /* the back end's; 0 = not registered */
};

/* What the engine does for the loop. Every member must be there; owner is what loop_set_owner got.
 * on_close is the last call: loop_close makes it first of all, to have everything closed and every
 * pending op completed. What it completes and defers is still delivered, when loop_owner is NULL
 * already; a call that would stay pending on such a loop must be completed at once. */
struct loop_hooks {
    void (*before_wait)(void *owner);              /* once a turn: flush */
    bool (*has_work)(void *owner);                 /* after before_wait; true: do not block now */
    void (*on_stop_listening)(void *owner);        /* loop_stop_listening */
    void (*on_close)(void *owner);                 /* loop_close */
    size_t (*connection_count)(const void *owner); /* loop_connection_count */
};

/* Work put off to a later part of the same turn. Owner: the caller, until run was called. */
struct loop_defer {
    void (*run)(struct loop_defer *defer);
    struct loop_defer *next; /* the loop's */
};

/* Whether the loop's thread may be asleep; only ever changed atomically.
 *
 *   state         set by                                 next
 *   LOOP_AWAKE    the loop, when a wait has ended        ASLEEP (to block), WOKEN (wake, post)
 *   LOOP_ASLEEP   the loop, right before it blocks       AWAKE, WOKEN (which calls the back end)
 *   LOOP_WOKEN    loop_wake, loop_post, any thread       AWAKE; the loop does not block on WOKEN */
enum loop_sleep { LOOP_AWAKE, LOOP_ASLEEP, LOOP_WOKEN };

struct loop {
    const struct loop_backend_ops *backend;
    void *backend_state;
    uint64_t now_ns; /* as of the end of the last wait */

    const struct loop_hooks *hooks; /* never NULL: do-nothing hooks without an owner */
    void *owner;

    struct loop_op *completed_first; /* queued completions, linked through overlapped.Pointer */
    struct loop_op *completed_last;
    struct loop_defer *deferred_first;
    struct loop_defer *deferred_last;

    struct timer_wheel timers;
    bool is_turning; /* inside loop_run_once, which is not called from itself */

    char _pad[64]; /* other threads touch what follows: a cache line of its own */
    _Atomic(struct loop_task *) posted; /* newest first */
    _Atomic int sleep;                  /* enum loop_sleep */
    _Atomic uint32_t posters; /* threads inside loop_post: what they post may end the loop */
};

/* Gives the loop its engine. owner NULL takes it away (hooks is then ignored). loop_close takes it
 * away after on_close. */
void loop_set_owner(struct loop *loop, void *owner, const struct loop_hooks *hooks);

/* NULL before loop_set_owner and once loop_close has called on_close. */
static inline void *loop_owner(const struct loop *loop)
{
    return loop->owner;
}

/* Registers the socket; id is 0 before. What is ready already is reported in the next turn.
 * Errors: ERROR_NOT_ENOUGH_MEMORY. An fd that is not open or is registered already is a fault of
 * the caller's: epoll tells ERROR_INVALID_HANDLE and ERROR_ALREADY_EXISTS, io_uring LOOP_HANGUP
 * and nothing. */
ULONG loop_io_add(struct loop *loop, struct loop_io *io);

/* The same for a listening socket: readable only, and level triggered (reported each turn until the
 * backlog is empty). */
ULONG loop_io_add_listener(struct loop *loop, struct loop_io *io);

/* Ends the registration, while fd is still open. on_event is not called again, also not for an
 * event already fetched; after this the caller may close the fd and free the struct at once, even
 * from inside its own on_event. */
void loop_io_remove(struct loop *loop, struct loop_io *io);

/* Ends the registration, if there is one, and closes the fd. As cheap as closing it alone, and as
 * final as loop_io_remove. */
void loop_io_close(struct loop *loop, struct loop_io *io);

/* Starts sending n bytes of p, which stay as they are until LOOP_SENT tells how it went, or until
 * loop_io_remove or loop_io_close, which send them first. Costs no system call: what was started in
 * a turn goes out together at its end. One at a time, and no other write meanwhile. false: not
 * started, as this back end has no such thing, the socket is not registered, or for lack of memory:
 * write it. */
bool loop_io_send(struct loop *loop, struct loop_io *io, const char *p, size_t n);

/* Ends an overlapped call: sets Internal and InternalHigh, and queues on_complete for the
 * completions part of this turn (or of the next one, when that part is over). First completed,
 * first delivered. Never calls on_complete itself. Completions that are queued while completions
 * are delivered follow in the same turn, LOOP_COMPLETIONS_PER_TURN_MAX in all. op must not be
 * queued already. No allocation: the link lies in overlapped.Pointer until delivery. */
void loop_complete(struct loop *loop, struct loop_op *op, ULONG status, ULONG bytes);

/* Runs defer->run(defer) at the end of this turn (between turns: at the start of the next one),
 * before the loop waits. In order. What is deferred while deferred work runs, runs in the next
 * turn, which then does not block. defer must not be queued already. */
void loop_defer(struct loop *loop, struct loop_defer *defer);
