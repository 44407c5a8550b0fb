/* The loop over io_uring: one call a turn submits what changed and waits for what happened.
 *
 * A socket is polled by one multishot request for its life, edge triggered. Listeners, watches and
 * the waking are left to an epoll instance, which the ring polls as a descriptor like any other:
 * they are rare, and their rules are then the same in both back ends by construction. A listener
 * has another reason: a request holds its file, and the kernel ends the requests of a process that
 * dies some time after it has closed the rest, so that its port would not be free at once.
 *
 * Sends go through the ring too (loop_io_send): one call of the kernel for the answers of many
 * connections, which then are one wake-up of the peer's thread. Receives do not: it gains next to
 * nothing (docs/performance.md), and would need buffers of the ring's own.
 *
 * An answer that waits for others waits for the handlers between, too. That is microseconds, until
 * one of them computes for long: then what was ready before it would leave after it. So when a
 * batch has taken longer than SLOW_BATCH_NS, sends are calls for DIRECT_NS.
 *
 * A request names its socket by its id (slots.h), never by address: what the kernel still has to
 * say once a registration is over carries an id that nobody has, and is dropped.
 *
 * As a request holds its file, closing the descriptor alone would not end the connection. Hence
 * io_remove and io_close cancel at once, and the file is the caller's alone when they return.
 *
 * When a ring is closed the kernel takes it apart a little later, and interrupts the thread for it:
 * a thread that outlives its loop may see one EINTR where it handles no signal.
 *
 * liburing, not system calls of our own: the order of memory accesses to the two rings is its
 * business, and it is kept by those who write the kernel's side. Where it was not there to build
 * with, loop_uring_none.c takes the place of this file.
 *
 * Needs Linux 6.1: the kernel's part of the work is then done inside the wait, on the loop's
 * thread, and never interrupts a handler. */
#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/slots.h"
#include "net/loop.h"
#include "net/sock.h"

enum {
    SUBMISSIONS_MAX = 512,   /* made between two calls; one more is a call of its own */
    COMPLETIONS_MAX = 4096,  /* what the ring holds; the kernel keeps what is beyond it */
    SENDS_MAX = 32,          /* so many go out without waiting for the end of the turn */
    REGISTERED_MAX = 1 << 30 /* so that an id, also one of the epoll instance, has two bits free */
};

static const uint64_t SLOW_BATCH_NS = 2000000;
static const uint64_t DIRECT_NS = 100000000;

/* What a completion belongs to, beside the ids of sockets. */
static const uint64_t NOBODY = 0;
static const uint64_t OTHERS = UINT64_C(1) << 31; /* the epoll instance */
/* In the id of a socket: the send of it. */
static const uint64_t SEND_BIT = UINT64_C(1) << 30;
/* In the id of a listener, which is otherwise that of the epoll instance. */
static const uint64_t LISTENER_BIT = UINT64_C(1) << 31;

struct uring_state {
    struct io_uring ring;
    struct slots ios;     /* struct loop_io, by its id: sockets but for listeners */
    void *others;         /* the epoll back end's state */
    bool is_others_armed; /* the ring polls it */
    unsigned sends;       /* started since the kernel was called last: the batch */
    bool is_direct;       /* io_send starts nothing */
    uint64_t batch_began_ns;
    uint64_t direct_until_ns;
};

/* Room for a request. NULL: the kernel takes none at this time, for lack of memory. */
static struct io_uring_sqe *take_request(struct uring_state *state, uint64_t id)
{
    struct io_uring_sqe *request = io_uring_get_sqe(&state->ring);
    if (request == NULL) {
        (void)io_uring_submit(&state->ring); /* whether it helped is seen next */
        request = io_uring_get_sqe(&state->ring);
    }
    if (request != NULL) {
        io_uring_sqe_set_data64(request, id); /* the prep functions leave it alone */
    }
    return request;
}

/* --- registrations ------------------------------------------------------------------------ */

static bool arm(struct uring_state *state, const struct loop_io *io)
{
    struct io_uring_sqe *request = take_request(state, io->id);
    if (request != NULL) {
        io_uring_prep_poll_multishot(request, io->fd, POLLIN | POLLOUT | POLLRDHUP);
    }
    return request != NULL;
}

static ULONG uring_io_add(void *ctx, struct loop_io *io)
{
    struct uring_state *state = ctx;
    assert(io->id == 0);
    io->id = slots_insert(&state->ios, io);
    if (io->id != 0 && !arm(state, io)) {
        (void)slots_remove(&state->ios, io->id);
        io->id = 0;
    }
    return io->id != 0 ? NO_ERROR : ERROR_NOT_ENOUGH_MEMORY;
}

static ULONG uring_listener_add(void *ctx, struct loop_io *io)
{
    struct uring_state *state = ctx;
    ULONG status = loop_backend_epoll.listener_add(state->others, io);
    if (status == NO_ERROR) {
        assert((io->id & LISTENER_BIT) == 0);
        io->id |= LISTENER_BIT;
    }
    return status;
}

/* Before the kernel is called: what was started leaves now. */
static void end_batch(struct uring_state *state)
{
    if (state->sends > 0) {
        uint64_t now_ns = clock_mono_ns();
        if (now_ns - state->batch_began_ns > SLOW_BATCH_NS) {
            state->is_direct = true;
            state->direct_until_ns = now_ns + DIRECT_NS;
        }
        state->sends = 0;
        state->batch_began_ns = now_ns;
    }
}

/* Ends the request and lets it go of its file. Not by poll_remove, which gives up when an event is
 * under way. Where there is no room for a request a call of its own does it. */
static void cancel(struct uring_state *state, uint64_t id)
{
    struct io_uring_sqe *request = take_request(state, NOBODY);
    if (request != NULL) {
        io_uring_prep_cancel64(request, id, 0);
        request->flags |= IOSQE_CQE_SKIP_SUCCESS;
    } else {
        struct io_uring_sync_cancel_reg reg = {
            .addr = id, .fd = -1, .timeout = {.tv_sec = -1, .tv_nsec = -1}};
        (void)io_uring_register_sync_cancel(&state->ring, &reg); /* or it has ended already */
    }
    end_batch(state);
    /* The cancelled request ends in here. A send that was started must be through before its bytes
     * and its descriptor are somebody else's: so the kernel is asked until it takes all. */
    do {
        (void)io_uring_submit_and_get_events(&state->ring);
    } while (io_uring_sq_ready(&state->ring) > 0);
}

static void uring_io_remove(void *ctx, struct loop_io *io)
{
    struct uring_state *state = ctx;
    if ((io->id & LISTENER_BIT) != 0) {
        io->id &= ~LISTENER_BIT;
        loop_backend_epoll.io_remove(state->others, io);
        return;
    }
    void *removed = slots_remove(&state->ios, io->id);
    assert(removed == io);
    (void)removed; /* only asserted */
    cancel(state, io->id);
    io->id = 0;
}

static void uring_io_close(void *ctx, struct loop_io *io)
{
    if (io->id != 0) {
        uring_io_remove(ctx, io);
    }
    sock_close(io->fd);
}

/* MSG_DONTWAIT: the send is over once it was submitted. That the socket does not block is not
 * enough: the request would wait for room, with the bytes and the file. */
static bool uring_io_send(void *ctx, struct loop_io *io, const char *p, size_t n)
{
    struct uring_state *state = ctx;
    struct io_uring_sqe *request = state->is_direct ? NULL : take_request(state, io->id | SEND_BIT);
    if (request == NULL) {
        return false;
    }
    io_uring_prep_send(request, io->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    state->sends++;
    if (state->sends >= SENDS_MAX) {
        end_batch(state);
        (void)io_uring_submit(&state->ring); /* what is not taken now is at the end of the turn */
    }
    return true;
}

static ULONG uring_watch_start(void *ctx, struct loop_watch *watch)
{
    struct uring_state *state = ctx;
    return loop_backend_epoll.watch_start(state->others, watch);
}

static void uring_watch_stop(void *ctx, struct loop_watch *watch)
{
    struct uring_state *state = ctx;
    loop_backend_epoll.watch_stop(state->others, watch);
}

/* --- a turn ------------------------------------------------------------------------------- */

static uint64_t do_nothing(void *ctx)
{
    (void)ctx; /* the waiting was over before */
    return 0;  /* nobody asks */
}

static unsigned events_of(int32_t result)
{
    unsigned events = 0;
    if (result < 0) { /* it cannot be polled (any more): reading or writing tells why */
        return LOOP_HANGUP | LOOP_READABLE | LOOP_WRITABLE;
    }
    if ((result & (POLLIN | POLLRDHUP)) != 0) {
        events |= LOOP_READABLE;
    }
    if ((result & POLLOUT) != 0) {
        events |= LOOP_WRITABLE;
    }
    if ((result & POLLRDHUP) != 0) {
        events |= LOOP_READ_CLOSED;
    }
    if ((result & (POLLHUP | POLLERR)) != 0) {
        events |= LOOP_HANGUP | LOOP_READABLE | LOOP_WRITABLE;
    }
    return events;
}

static void complete(struct uring_state *state, uint64_t id, int32_t result, uint32_t flags)
{
    if (id == OTHERS) {
        state->is_others_armed = false;
        (void)loop_backend_epoll.wait(state->others, 0, do_nothing, NULL);
        return;
    }
    struct loop_io *io = slots_get(&state->ios, id & ~SEND_BIT);
    if (io == NULL) {
        return;
    }
    if ((id & SEND_BIT) != 0) {
        io->sent = result;
        io->on_event(io, LOOP_SENT);
        return;
    }
    io->on_event(io, events_of(result));
    bool is_over = (flags & IORING_CQE_F_MORE) == 0; /* the completions were too many for once */
    if (is_over && result >= 0 && slots_get(&state->ios, id) == io && !arm(state, io)) {
        io->on_event(io, events_of(-ENOMEM)); /* nothing more will be heard of it */
    }
}

/* What is there now, and not what the functions called here add to it. */
static void dispatch(struct uring_state *state)
{
    for (unsigned left = io_uring_cq_ready(&state->ring); left > 0; left--) {
        struct io_uring_cqe *completion = NULL;
        if (io_uring_peek_cqe(&state->ring, &completion) != 0) {
            break;
        }
        uint64_t id = io_uring_cqe_get_data64(completion);
        int32_t result = completion->res;
        uint32_t flags = completion->flags;
        io_uring_cqe_seen(&state->ring, completion);
        complete(state, id, result, flags);
    }
}

/* The request ends with each report: what is still ready then is reported again. */
static void arm_others(struct uring_state *state)
{
    struct io_uring_sqe *request = take_request(state, OTHERS);
    if (request != NULL) {
        io_uring_prep_poll_add(request, loop_epoll_fd(state->others), POLLIN);
        state->is_others_armed = true;
    }
}

static int submit_and_wait(struct uring_state *state, uint64_t timeout_ns)
{
    const uint64_t second = 1000000000;
    if (timeout_ns == 0 || !state->is_others_armed) {
        return io_uring_submit_and_get_events(&state->ring);
    }
    struct io_uring_cqe *first = NULL;
    struct __kernel_timespec limit = {.tv_sec = (long long)(timeout_ns / second),
                                      .tv_nsec = (long long)(timeout_ns % second)};
    return io_uring_submit_and_wait_timeout(&state->ring, &first, 1,
                                            timeout_ns == UINT64_MAX ? NULL : &limit, NULL);
}

static ULONG uring_wait(void *ctx, uint64_t timeout_ns, uint64_t (*on_waited)(void *ctx),
                        void *waited_ctx)
{
    struct uring_state *state = ctx;
    if (!state->is_others_armed) {
        arm_others(state);
    }
    end_batch(state);
    int result = submit_and_wait(state, timeout_ns);
    state->batch_began_ns = on_waited(waited_ctx);
    state->is_direct = state->batch_began_ns < state->direct_until_ns;
    switch (result) {
    case -EAGAIN: /* no memory for a request at this time: it stays where it is */
    case -EBUSY:  /* the completions come first */
    case -EINTR:
    case -ETIME: break;
    default:
        if (result < 0) {
            return sock_error_from_errno(-result);
        }
    }
    dispatch(state);
    return NO_ERROR;
}

static void uring_wake(void *ctx)
{
    struct uring_state *state = ctx;
    loop_backend_epoll.wake(state->others);
}

/* --- life --------------------------------------------------------------------------------- */

static ULONG open_ring(struct io_uring *ring)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                                              IORING_SETUP_CLAMP,
                                     .cq_entries = COMPLETIONS_MAX};
    int result = io_uring_queue_init_params(SUBMISSIONS_MAX, ring, &params);
    switch (result) {
    case 0: return NO_ERROR;
    case -ENOMEM:
    case -EMFILE:
    case -ENFILE: return ERROR_NOT_ENOUGH_MEMORY;
    default: return ERROR_NOT_SUPPORTED; /* forbidden, switched off, or too old */
    }
}

static void uring_close(void *ctx)
{
    struct uring_state *state = ctx;
    io_uring_queue_exit(&state->ring);
    loop_backend_epoll.close(state->others);
    slots_deinit(&state->ios);
    free(state);
}

static ULONG uring_open(void **out)
{
    struct uring_state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    ULONG status = open_ring(&state->ring);
    if (status != NO_ERROR) {
        free(state);
        return status;
    }
    slots_init(&state->ios, REGISTERED_MAX);
    uint64_t first =
        slots_insert(&state->ios, state); /* so that the first sockets need no memory */
    (void)slots_remove(&state->ios, first);
    status = first == 0 ? (ULONG)ERROR_NOT_ENOUGH_MEMORY : loop_backend_epoll.open(&state->others);
    if (status != NO_ERROR) {
        io_uring_queue_exit(&state->ring);
        slots_deinit(&state->ios);
        free(state);
        return status;
    }
    (void)io_uring_register_ring_fd(&state->ring); /* saves a look-up a call where it is known */
    *out = state;
    return NO_ERROR;
}

const struct loop_backend_ops loop_backend_uring = {
    .name = "io_uring",
    .open = uring_open,
    .close = uring_close,
    .io_add = uring_io_add,
    .io_remove = uring_io_remove,
    .io_close = uring_io_close,
    .io_send = uring_io_send,
    .listener_add = uring_listener_add,
    .watch_start = uring_watch_start,
    .watch_stop = uring_watch_stop,
    .wait = uring_wait,
    .wake = uring_wake,
};
