/* What a back end does for the loop: wait for descriptors, and be woken. One page, so that a second
 * one can be written.
 *
 * loop.c owns the order of a turn, tasks, timers and completions; a back end owns the kernel
 * object. It keeps its state behind the pointer that open made. Every function but wake is called
 * on the loop's thread. wait calls the on_event and on_ready functions itself; those may call
 * io_add, io_remove, watch_start and watch_stop for any registration. */
#pragma once

#include <stdint.h>

#include "api/loop.h"

struct loop_io;

struct loop_backend_ops {
    const char *name; /* as loop_backend_name returns it */

    /* Makes the state. Errors: ERROR_NOT_ENOUGH_MEMORY; ERROR_NOT_SUPPORTED the kernel has it not,
     * or refuses it to this process. */
    ULONG (*open)(void **state);
    void (*close)(void *state);

    /* See loop_io_add, loop_io_remove, loop_io_close, loop_io_add_listener in net/loop.h. io_close
     * closes the fd, registered or not. */
    ULONG (*io_add)(void *state, struct loop_io *io);
    void (*io_remove)(void *state, struct loop_io *io);
    void (*io_close)(void *state, struct loop_io *io);
    ULONG (*listener_add)(void *state, struct loop_io *io);

    /* See loop_io_send. NULL: it has no such thing. */
    bool (*io_send)(void *state, struct loop_io *io, const char *p, size_t n);

    /* See loop_watch_start, loop_watch_stop in api/loop.h. */
    ULONG (*watch_start)(void *state, struct loop_watch *watch);
    void (*watch_stop)(void *state, struct loop_watch *watch);

    /* Waits up to timeout_ns (UINT64_MAX: for ever, 0: only looks), calls on_waited(ctx) once as
     * soon as waiting has ended, which returns what the clock says (ns), then the functions of what
     * is ready. A signal ends the waiting without an error. */
    ULONG (*wait)(void *state, uint64_t timeout_ns, uint64_t (*on_waited)(void *ctx), void *ctx);

    /* Makes the wait that is running, or the next one, return. Any thread. */
    void (*wake)(void *state);
};

extern const struct loop_backend_ops loop_backend_epoll;
extern const struct loop_backend_ops loop_backend_uring;

/* The descriptor of a state of loop_backend_epoll: readable while its wait would find something. */
int loop_epoll_fd(const void *state);

/* The one that is meant, or NULL: not available here. `turned_down` is the one that this function
 * named before and that did not open, NULL at first: for LOOP_BACKEND_DEFAULT there may be another.
 * One file a platform (loop_choice_linux.c; on Windows loop_iocp.c). */
const struct loop_backend_ops *loop_backend_choose(enum loop_backend wanted,
                                                   const struct loop_backend_ops *turned_down);
