/* The loop over io_uring: one call a turn submits what changed and waits for what happened.
 *
 * A socket is polled by one multishot request for its life, edge triggered. Listeners, watches and
 * the waking are left to an epoll instance, which the ring polls as a descriptor like any other:
 * they are rare, and their rules are then the same in both back ends by construction. A listener
 * has another reason: a request holds its file, and the kernel ends the requests of a process that
 * dies some time after it has closed the rest, so that its port would not be free at once.
 *
 * A request names its socket by descriptor and generation, never by address. The generation of a
 * descriptor moves on when its registration ends, so that what the kernel still has to say about
 * the old one is told apart and dropped.
 *
 * As a request holds its file, closing the descriptor alone would not end the connection. Hence
 * io_remove cancels at once, and the file is the caller's alone when it returns.
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

#include "net/loop.h"
#include "net/sock.h"

enum {
    SUBMISSIONS_MAX = 512,  /* made between two calls; one more is a call of its own */
    COMPLETIONS_MAX = 4096, /* what the ring holds; the kernel keeps what is beyond it */
    PLACES_AT_FIRST = 128   /* descriptors that need no memory later */
};

/* In place of a descriptor. */
static const uint32_t NOBODY = UINT32_MAX;     /* nobody waits for this completion */
static const uint32_t OTHERS = UINT32_MAX - 1; /* the epoll instance */

/* What is known of a descriptor. */
struct place {
    struct loop_io *io;  /* NULL: not registered */
    uint32_t generation; /* of this registration, or of the next one */
    bool is_armed;       /* the kernel has, or is about to get, a request for it */
};

struct uring_state {
    struct io_uring ring;
    void *others;         /* the epoll back end's state */
    bool is_others_armed; /* the ring polls it */
    bool is_arming_due;   /* a socket is unarmed, as the kernel took no request */
    struct place *places; /* by descriptor */
    uint32_t place_count;
};

static uint64_t tag_of(uint32_t fd, uint32_t generation)
{
    return (uint64_t)generation << 32 | fd;
}

/* Room for a request. NULL: the kernel takes none at this time, for lack of memory. */
static struct io_uring_sqe *take_request(struct uring_state *state, uint64_t tag)
{
    struct io_uring_sqe *request = io_uring_get_sqe(&state->ring);
    if (request == NULL) {
        (void)io_uring_submit(&state->ring); /* whether it helped is seen next */
        request = io_uring_get_sqe(&state->ring);
    }
    if (request != NULL) {
        io_uring_sqe_set_data64(request, tag); /* the prep functions leave it alone */
    }
    return request;
}

/* --- registrations ------------------------------------------------------------------------ */

static ULONG make_place(struct uring_state *state, uint32_t fd)
{
    if (fd < state->place_count) {
        return NO_ERROR;
    }
    uint32_t count = state->place_count == 0 ? PLACES_AT_FIRST : state->place_count;
    while (count <= fd) {
        count *= 2;
    }
    struct place *places = realloc(state->places, count * sizeof *places);
    if (places == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    for (uint32_t i = state->place_count; i < count; i++) {
        places[i] = (struct place){.io = NULL};
    }
    state->places = places;
    state->place_count = count;
    return NO_ERROR;
}

static void arm(struct uring_state *state, uint32_t fd)
{
    struct place *place = &state->places[fd];
    struct io_uring_sqe *request = take_request(state, tag_of(fd, place->generation));
    if (request == NULL) {
        state->is_arming_due = true;
        return;
    }
    io_uring_prep_poll_multishot(request, (int)fd, POLLIN | POLLOUT | POLLRDHUP);
    place->is_armed = true;
}

static ULONG uring_io_add(void *ctx, struct loop_io *io)
{
    struct uring_state *state = ctx;
    if (io->fd < 0) {
        return ERROR_INVALID_HANDLE;
    }
    uint32_t fd = (uint32_t)io->fd;
    ULONG status = make_place(state, fd);
    if (status != NO_ERROR) {
        return status;
    }
    struct place *place = &state->places[fd];
    if (place->io != NULL) {
        return ERROR_ALREADY_EXISTS;
    }
    place->io = io;
    arm(state, fd);
    return NO_ERROR;
}

static ULONG uring_listener_add(void *ctx, struct loop_io *io)
{
    struct uring_state *state = ctx;
    return loop_backend_epoll.listener_add(state->others, io);
}

static void uring_io_remove(void *ctx, struct loop_io *io)
{
    struct uring_state *state = ctx;
    uint32_t fd = (uint32_t)io->fd;
    if (fd >= state->place_count || state->places[fd].io != io) { /* a listener */
        loop_backend_epoll.io_remove(state->others, io);
        return;
    }
    struct place *place = &state->places[fd];
    uint64_t tag = tag_of(fd, place->generation);
    place->io = NULL;
    place->generation++;
    if (!place->is_armed) {
        return;
    }
    place->is_armed = false;
    struct io_uring_sqe *request = take_request(state, tag_of(NOBODY, 0));
    if (request != NULL) {
        io_uring_prep_cancel64(request, tag,
                               0); /* poll_remove gives up when an event is under way */
        request->flags |= IOSQE_CQE_SKIP_SUCCESS;
    } else {
        struct io_uring_sync_cancel_reg cancel = {
            .addr = tag, .fd = -1, .timeout = {.tv_sec = -1, .tv_nsec = -1}};
        (void)io_uring_register_sync_cancel(&state->ring, &cancel); /* or it has ended already */
    }
    (void)io_uring_submit_and_get_events(&state->ring); /* the request lets go of the file in it */
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

static void do_nothing(void *ctx)
{
    (void)ctx; /* the waiting was over before */
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

/* What fd is registered for with this generation. NULL: that registration is over. The table may
 * move when something is registered. */
static struct place *find_place(struct uring_state *state, uint64_t tag)
{
    uint32_t fd = (uint32_t)tag;
    struct place *place = fd < state->place_count ? &state->places[fd] : NULL;
    return place != NULL && place->io != NULL && tag_of(fd, place->generation) == tag ? place
                                                                                      : NULL;
}

static void complete(struct uring_state *state, uint64_t tag, int32_t result, uint32_t flags)
{
    if ((uint32_t)tag == OTHERS) {
        state->is_others_armed = false;
        (void)loop_backend_epoll.wait(state->others, 0, do_nothing, NULL);
        return;
    }
    struct place *place = find_place(state, tag);
    if (place == NULL) {
        return;
    }
    bool is_over = (flags & IORING_CQE_F_MORE) == 0;
    place->is_armed = !is_over;
    place->io->on_event(place->io, events_of(result));
    place = is_over && result >= 0 ? find_place(state, tag) : NULL;
    if (place != NULL) {
        arm(state, (uint32_t)tag);
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
        uint64_t tag = io_uring_cqe_get_data64(completion);
        int32_t result = completion->res;
        uint32_t flags = completion->flags;
        io_uring_cqe_seen(&state->ring, completion);
        complete(state, tag, result, flags);
    }
}

/* Makes the requests that are lacking. */
static void arm_due(struct uring_state *state)
{
    if (!state->is_others_armed) {
        struct io_uring_sqe *request = take_request(state, tag_of(OTHERS, 0));
        if (request != NULL) {
            io_uring_prep_poll_add(request, loop_epoll_fd(state->others), POLLIN);
            state->is_others_armed = true;
        }
    }
    if (!state->is_arming_due) {
        return;
    }
    state->is_arming_due = false;
    for (uint32_t fd = 0; fd < state->place_count && !state->is_arming_due; fd++) {
        if (state->places[fd].io != NULL && !state->places[fd].is_armed) {
            arm(state, fd);
        }
    }
}

static int submit_and_wait(struct uring_state *state, uint64_t timeout_ns)
{
    const uint64_t second = 1000000000;
    if (timeout_ns == 0 || state->is_arming_due || !state->is_others_armed) {
        return io_uring_submit_and_get_events(&state->ring);
    }
    struct io_uring_cqe *first = NULL;
    struct __kernel_timespec limit = {.tv_sec = (long long)(timeout_ns / second),
                                      .tv_nsec = (long long)(timeout_ns % second)};
    return io_uring_submit_and_wait_timeout(&state->ring, &first, 1,
                                            timeout_ns == UINT64_MAX ? NULL : &limit, NULL);
}

static ULONG uring_wait(void *ctx, uint64_t timeout_ns, void (*on_waited)(void *ctx),
                        void *waited_ctx)
{
    struct uring_state *state = ctx;
    arm_due(state);
    int result = submit_and_wait(state, timeout_ns);
    on_waited(waited_ctx);
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
    free(state->places);
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
    status = loop_backend_epoll.open(&state->others);
    if (status == NO_ERROR) {
        status = make_place(state, PLACES_AT_FIRST - 1);
    }
    if (status != NO_ERROR) {
        io_uring_queue_exit(&state->ring);
        if (state->others != NULL) {
            loop_backend_epoll.close(state->others);
        }
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
    .listener_add = uring_listener_add,
    .watch_start = uring_watch_start,
    .watch_stop = uring_watch_stop,
    .wait = uring_wait,
    .wake = uring_wake,
};
