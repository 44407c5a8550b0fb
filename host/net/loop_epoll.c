/* The loop over epoll: sockets edge triggered, watches and listeners level triggered, one eventfd
 * to be woken by.
 *
 * What an event belongs to is told by its 64 bits of data: the id of the struct loop_io (slots.h),
 * or the address of the struct loop_watch, bit 31 telling which, or 0 for the eventfd. The eventfd
 * is edge triggered too: each write is reported once and its counter is never read.
 *
 * Closing an fd ends its registration only once no other process has it too: a child between fork
 * and exec is enough for events to arrive later. Those carry a stale id and are dropped, so that a
 * socket is closed without a call to epoll_ctl. */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/slots.h"
#include "net/loop.h"
#include "net/sock.h"

enum {
    EVENTS_PER_WAIT_MAX = 256,
    WATCH_SHIFT = 31,        /* bits of a watch's address below the one that marks it */
    REGISTERED_MAX = 1 << 30 /* so that an id never has that bit */
};

static const uint64_t wake_tag = 0;
static const uint64_t watch_bit = UINT64_C(1) << WATCH_SHIFT;
static const uint64_t gone_tag = UINT64_MAX; /* fetched, then the watch was stopped */

struct epoll_state {
    int epoll_fd;
    int wake_fd;
    struct slots ios; /* struct loop_io, by its id */
    int next;         /* first event of the batch not yet handled */
    int count;        /* events in the batch */
    struct epoll_event events[EVENTS_PER_WAIT_MAX];
};

static uint64_t watch_tag(const struct loop_watch *watch)
{
    uint64_t address = (uint64_t)(uintptr_t)watch;
    return address >> WATCH_SHIFT << (WATCH_SHIFT + 1) | watch_bit | (address & (watch_bit - 1));
}

static struct loop_watch *watch_of(uint64_t tag)
{
    uint64_t address = tag >> (WATCH_SHIFT + 1) << WATCH_SHIFT | (tag & (watch_bit - 1));
    return (struct loop_watch *)(uintptr_t)address;
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

/* No event of the batch may call this watch any more. An fd has one event in a batch at most. */
static void forget_watch(struct epoll_state *state, const struct loop_watch *watch)
{
    uint64_t tag = watch_tag(watch);
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
    slots_deinit(&state->ios);
    free(state);
}

static ULONG epoll_open(void **out)
{
    struct epoll_state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    slots_init(&state->ios, REGISTERED_MAX);
    uint64_t first = slots_insert(&state->ios, state); /* places for the listeners are there */
    (void)slots_remove(&state->ios, first);            /* before they are needed */
    state->wake_fd = -1;
    state->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (state->epoll_fd >= 0) {
        state->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    /* Whatever is lacking (memory, descriptors), the contract has one code for it. */
    if (first == 0 || state->wake_fd < 0 ||
        control(state, EPOLL_CTL_ADD, state->wake_fd, EPOLLIN | EPOLLET, wake_tag) != NO_ERROR) {
        epoll_close(state);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    *out = state;
    return NO_ERROR;
}

static ULONG add(struct epoll_state *state, struct loop_io *io, uint32_t events)
{
    assert(io->id == 0);
    io->id = slots_insert(&state->ios, io);
    if (io->id == 0) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    ULONG status = control(state, EPOLL_CTL_ADD, io->fd, events, io->id);
    if (status != NO_ERROR) {
        (void)slots_remove(&state->ios, io->id);
        io->id = 0;
    }
    return status;
}

static ULONG epoll_io_add(void *ctx, struct loop_io *io)
{
    return add(ctx, io, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

static ULONG epoll_listener_add(void *ctx, struct loop_io *io)
{
    return add(ctx, io, EPOLLIN);
}

static void forget_io(struct epoll_state *state, struct loop_io *io)
{
    void *forgotten = slots_remove(&state->ios, io->id);
    assert(forgotten == io);
    (void)forgotten; /* only asserted */
    io->id = 0;
}

static void epoll_io_remove(void *ctx, struct loop_io *io)
{
    struct epoll_state *state = ctx;
    ULONG status = control(state, EPOLL_CTL_DEL, io->fd, 0, 0);
    assert(status == NO_ERROR);
    (void)status; /* nothing to be done where asserts are off */
    forget_io(state, io);
}

static void epoll_io_close(void *ctx, struct loop_io *io)
{
    if (io->id != 0) {
        forget_io(ctx, io);
    }
    sock_close(io->fd);
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
    forget_watch(state, watch);
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
            struct loop_io *io = slots_get(&state->ios, tag);
            if (io != NULL) {
                io->on_event(io, io_events(event.events));
            }
            continue;
        }
        struct loop_watch *watch = watch_of(tag);
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

static ULONG epoll_wait_and_dispatch(void *ctx, uint64_t timeout_ns,
                                     uint64_t (*on_waited)(void *ctx), void *waited_ctx)
{
    struct epoll_state *state = ctx;
    assert(state->count == 0);
    int count =
        epoll_wait(state->epoll_fd, state->events, EVENTS_PER_WAIT_MAX, timeout_ms(timeout_ns));
    int error = errno;
    (void)on_waited(waited_ctx); /* the time is the loop's business */
    if (count < 0) {
        return error == EINTR ? NO_ERROR : error_of(error);
    }
    state->count = count;
    dispatch(state);
    return NO_ERROR;
}

int loop_epoll_fd(const void *state)
{
    return ((const struct epoll_state *)state)->epoll_fd;
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
    .io_close = epoll_io_close,
    .listener_add = epoll_listener_add,
    .watch_start = epoll_watch_start,
    .watch_stop = epoll_watch_stop,
    .wait = epoll_wait_and_dispatch,
    .wake = epoll_wake,
};
