/* The loop over epoll: sockets edge triggered, watches and listeners level triggered, one eventfd
 * to be woken by.
 *
 * What an event belongs to is told by its 64 bits of data: the address of the struct loop_io, or
 * that of the struct loop_watch plus one, or 0 for the eventfd. The eventfd is edge triggered too:
 * each write is reported once and its counter is never read. */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/sock.h"

enum { EVENTS_PER_WAIT_MAX = 256 };

static const uint64_t wake_tag = 0;
static const uint64_t watch_bit = 1;
static const uint64_t gone_tag = UINT64_MAX; /* fetched, then its registration was ended */

struct epoll_state {
    int epoll_fd;
    int wake_fd;
    int next;  /* first event of the batch not yet handled */
    int count; /* events in the batch */
    struct epoll_event events[EVENTS_PER_WAIT_MAX];
};

static uint64_t io_tag(const struct loop_io *io)
{
    return (uint64_t)(uintptr_t)io;
}

static uint64_t watch_tag(const struct loop_watch *watch)
{
    return (uint64_t)(uintptr_t)watch | watch_bit;
}

static ULONG error_of(int error)
{
    switch (error) {
    case EEXIST: return ERROR_ALREADY_EXISTS;
    case EPERM: /* an ordinary file */ return ERROR_NOT_SUPPORTED;
    case ENOSPC: /* max_user_watches */ return ERROR_NOT_ENOUGH_MEMORY;
    default: return sock_error_from_errno(error);
    }
}

static ULONG control(struct epoll_state *state, int operation, int fd, uint32_t events,
                     uint64_t tag)
{
    struct epoll_event event = {.events = events, .data.u64 = tag};
    return epoll_ctl(state->epoll_fd, operation, fd, &event) == 0 ? NO_ERROR : error_of(errno);
}

/* No event of the batch may call what has this tag any more. An fd has one event in a batch at
 * most. */
static void forget(struct epoll_state *state, uint64_t tag)
{
    for (int i = state->next; i < state->count; i++) {
        if (state->events[i].data.u64 == tag) {
            state->events[i].data.u64 = gone_tag;
            break;
        }
    }
}

static void epoll_close(void *ctx)
{
    struct epoll_state *state = ctx;
    if (state->wake_fd >= 0) {
        close(state->wake_fd);
    }
    if (state->epoll_fd >= 0) {
        close(state->epoll_fd);
    }
    free(state);
}

static ULONG epoll_open(void **out)
{
    struct epoll_state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    state->wake_fd = -1;
    state->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (state->epoll_fd >= 0) {
        state->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    /* Whatever is lacking (memory, descriptors), the contract has one code for it. */
    if (state->wake_fd < 0 ||
        control(state, EPOLL_CTL_ADD, state->wake_fd, EPOLLIN | EPOLLET, wake_tag) != NO_ERROR) {
        epoll_close(state);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    *out = state;
    return NO_ERROR;
}

static ULONG epoll_io_add(void *ctx, struct loop_io *io)
{
    assert((io_tag(io) & watch_bit) == 0);
    return control(ctx, EPOLL_CTL_ADD, io->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                   io_tag(io));
}

static ULONG epoll_listener_add(void *ctx, struct loop_io *io)
{
    assert((io_tag(io) & watch_bit) == 0);
    return control(ctx, EPOLL_CTL_ADD, io->fd, EPOLLIN, io_tag(io));
}

/* Closing the fd alone would end the registration only once no other process has it too: a child
 * between fork and exec is enough for events to arrive for freed memory. Hence the call. */
static void epoll_io_remove(void *ctx, struct loop_io *io)
{
    struct epoll_state *state = ctx;
    ULONG status = control(state, EPOLL_CTL_DEL, io->fd, 0, 0);
    assert(status == NO_ERROR);
    (void)status; /* nothing to be done where asserts are off */
    forget(state, io_tag(io));
}

static ULONG epoll_watch_start(void *ctx, struct loop_watch *watch)
{
    assert((watch->events & ~(unsigned)(LOOP_READABLE | LOOP_WRITABLE)) == 0);
    uint32_t events = 0;
    events |= (watch->events & LOOP_READABLE) != 0 ? EPOLLIN : 0;
    events |= (watch->events & LOOP_WRITABLE) != 0 ? EPOLLOUT : 0;
    ULONG status = control(ctx, EPOLL_CTL_ADD, watch->fd, events, watch_tag(watch));
    if (status == ERROR_ALREADY_EXISTS) {
        status = control(ctx, EPOLL_CTL_MOD, watch->fd, events, watch_tag(watch));
    }
    return status;
}

static void epoll_watch_stop(void *ctx, struct loop_watch *watch)
{
    struct epoll_state *state = ctx;
    /* The result does not matter: stopping what was not started is fine. */
    (void)control(state, EPOLL_CTL_DEL, watch->fd, 0, 0);
    forget(state, watch_tag(watch));
}

static unsigned io_events(uint32_t events)
{
    unsigned result = 0;
    if ((events & (EPOLLIN | EPOLLRDHUP)) != 0) {
        result |= LOOP_READABLE;
    }
    if ((events & EPOLLOUT) != 0) {
        result |= LOOP_WRITABLE;
    }
    if ((events & EPOLLRDHUP) != 0) {
        result |= LOOP_READ_CLOSED;
    }
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        result |= LOOP_HANGUP | LOOP_READABLE | LOOP_WRITABLE;
    }
    return result;
}

/* A hang-up wakes whoever waits for anything: the next read or write tells what happened. */
static unsigned watch_events(uint32_t events, unsigned asked)
{
    unsigned result = io_events(events) & asked;
    return (events & (EPOLLHUP | EPOLLERR)) != 0 ? result | LOOP_HANGUP : result;
}

static void dispatch(struct epoll_state *state)
{
    while (state->next < state->count) {
        struct epoll_event event = state->events[state->next++];
        uint64_t tag = event.data.u64;
        if (tag == wake_tag || tag == gone_tag) {
            continue;
        }
        if ((tag & watch_bit) == 0) {
            struct loop_io *io = (struct loop_io *)(uintptr_t)tag;
            io->on_event(io, io_events(event.events));
            continue;
        }
        struct loop_watch *watch = (struct loop_watch *)(uintptr_t)(tag & ~watch_bit);
        unsigned ready = watch_events(event.events, watch->events);
        if (ready != 0) {
            watch->on_ready(watch, ready);
        }
    }
    state->next = state->count = 0;
}

/* epoll's milliseconds, rounded up so that a timer is never looked at before it is due. */
static int timeout_ms(uint64_t timeout_ns)
{
    const uint64_t ns = 1000000;
    if (timeout_ns == UINT64_MAX) {
        return -1;
    }
    uint64_t ms = timeout_ns / ns + (timeout_ns % ns != 0 ? 1 : 0);
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static ULONG epoll_wait_and_dispatch(void *ctx, uint64_t timeout_ns, void (*on_waited)(void *ctx),
                                     void *waited_ctx)
{
    struct epoll_state *state = ctx;
    assert(state->count == 0);
    int count =
        epoll_wait(state->epoll_fd, state->events, EVENTS_PER_WAIT_MAX, timeout_ms(timeout_ns));
    int error = errno;
    on_waited(waited_ctx);
    if (count < 0) {
        return error == EINTR ? NO_ERROR : error_of(error);
    }
    state->count = count;
    dispatch(state);
    return NO_ERROR;
}

static void epoll_wake(void *ctx)
{
    struct epoll_state *state = ctx;
    const uint64_t one = 1;
    ssize_t written = write(state->wake_fd, &one, sizeof one);
    assert(written == sizeof one); /* fails only after 2^64 - 2 wakes */
    (void)written;                 /* nothing to be done where asserts are off */
}

const struct loop_backend_ops loop_backend_epoll = {
    .name = "epoll",
    .open = epoll_open,
    .close = epoll_close,
    .io_add = epoll_io_add,
    .io_remove = epoll_io_remove,
    .listener_add = epoll_listener_add,
    .watch_start = epoll_watch_start,
    .watch_stop = epoll_watch_stop,
    .wait = epoll_wait_and_dispatch,
    .wake = epoll_wake,
};
