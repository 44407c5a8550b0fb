#include "net/loop.h"

#include <assert.h>
#include <sched.h>
#include <stdlib.h>

#include "base/clock.h"

/* Not shared and not a process global: each thread finds its own loop here. */
static _Thread_local struct loop *current;

/* --- without an engine -------------------------------------------------------------------- */

static void no_work(void *owner)
{
    (void)owner; /* there is none */
}

static bool never(void *owner)
{
    (void)owner;
    return false;
}

static size_t none(const void *owner)
{
    (void)owner;
    return 0;
}

static const struct loop_hooks no_hooks = {
    .before_wait = no_work,
    .has_work = never,
    .on_stop_listening = no_work,
    .on_close = no_work,
    .connection_count = none,
};

void loop_set_owner(struct loop *loop, void *owner, const struct loop_hooks *hooks)
{
    assert(loop == current && (owner == NULL || hooks != NULL));
    loop->owner = owner;
    loop->hooks = owner == NULL ? &no_hooks : hooks;
}

/* --- life --------------------------------------------------------------------------------- */

ULONG loop_open(enum loop_backend backend, struct loop **out)
{
    *out = NULL;
    if (current != NULL) {
        return ERROR_ALREADY_EXISTS;
    }
    const struct loop_backend_ops *ops = loop_backend_choose(backend, NULL);
    if (ops == NULL) {
        return ERROR_NOT_SUPPORTED;
    }
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    ULONG status = ops->open(&loop->backend_state);
    while (status != NO_ERROR) {
        ops = loop_backend_choose(backend, ops);
        if (ops == NULL) {
            free(loop);
            return status; /* the last one's reason */
        }
        status = ops->open(&loop->backend_state);
    }
    loop->backend = ops;
    loop->hooks = &no_hooks;
    loop->now_ns = clock_mono_ns();
    timer_wheel_init(&loop->timers, loop->now_ns);
    atomic_init(&loop->posted, NULL);
    atomic_init(&loop->sleep, LOOP_AWAKE);
    atomic_init(&loop->posters, 0);
    current = loop;
    *out = loop;
    return NO_ERROR;
}

struct loop *loop_current(void)
{
    return current;
}

const char *loop_backend_name(const struct loop *loop)
{
    return loop->backend->name;
}

/* --- work at hand ------------------------------------------------------------------------- */

void loop_complete(struct loop *loop, struct loop_op *op, ULONG status, ULONG bytes)
{
    assert(loop == current && op->on_complete != NULL);
    op->overlapped.Internal = status;
    op->overlapped.InternalHigh = bytes;
    op->overlapped.Pointer = NULL;
    if (loop->completed_first == NULL) {
        loop->completed_first = op;
    } else {
        loop->completed_last->overlapped.Pointer = op;
    }
    loop->completed_last = op;
}

static void deliver_completions(struct loop *loop)
{
    for (int i = 0; i < LOOP_COMPLETIONS_PER_TURN_MAX && loop->completed_first != NULL; i++) {
        struct loop_op *op = loop->completed_first;
        loop->completed_first = op->overlapped.Pointer;
        op->overlapped.Pointer = NULL;
        op->on_complete(op, (ULONG)op->overlapped.Internal, (ULONG)op->overlapped.InternalHigh);
    }
}

void loop_defer(struct loop *loop, struct loop_defer *defer)
{
    assert(loop == current && defer->run != NULL);
    defer->next = NULL;
    if (loop->deferred_first == NULL) {
        loop->deferred_first = defer;
    } else {
        loop->deferred_last->next = defer;
    }
    loop->deferred_last = defer;
}

/* Runs what is deferred now, not what that defers. Returns whether there was anything. */
static bool run_deferred(struct loop *loop)
{
    struct loop_defer *defer = loop->deferred_first;
    bool is_any = defer != NULL;
    loop->deferred_first = NULL;
    while (defer != NULL) {
        struct loop_defer *next = defer->next;
        defer->next = NULL;
        defer->run(defer);
        defer = next;
    }
    return is_any;
}

void loop_wake(struct loop *loop)
{
    if (atomic_exchange(&loop->sleep, LOOP_WOKEN) == LOOP_ASLEEP) {
        loop->backend->wake(loop->backend_state);
    }
}

void loop_post(struct loop *loop, struct loop_task *task)
{
    assert(task->run != NULL);
    atomic_fetch_add_explicit(&loop->posters, 1, memory_order_relaxed);
    struct loop_task *newest = atomic_load_explicit(&loop->posted, memory_order_relaxed);
    do {
        task->_next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&loop->posted, &newest, task,
                                                    memory_order_release, memory_order_relaxed));
    loop_wake(loop);
    atomic_fetch_sub_explicit(&loop->posters, 1, memory_order_release); /* the loop may go now */
}

static struct loop_task *reverse(struct loop_task *task)
{
    struct loop_task *reversed = NULL;
    while (task != NULL) {
        struct loop_task *next = task->_next;
        task->_next = reversed;
        reversed = task;
        task = next;
    }
    return reversed;
}

/* Runs what was posted until now, oldest first. */
static void run_posted(struct loop *loop)
{
    if (atomic_load_explicit(&loop->posted, memory_order_relaxed) == NULL) {
        return;
    }
    struct loop_task *task =
        reverse(atomic_exchange_explicit(&loop->posted, NULL, memory_order_acquire));
    while (task != NULL) {
        struct loop_task *next = task->_next;
        task->_next = NULL;
        task->run(task);
        task = next;
    }
}

static bool is_work_queued(struct loop *loop)
{
    return loop->completed_first != NULL || loop->deferred_first != NULL ||
           atomic_load_explicit(&loop->posted, memory_order_relaxed) != NULL;
}

/* --- a turn ------------------------------------------------------------------------------- */

/* How long this turn may block. The clock is read here only when a timer is the limit: what the
 * last turn took must not make it late. */
static uint64_t wait_limit(struct loop *loop, uint64_t timeout_ns)
{
    if (timeout_ns == 0 || is_work_queued(loop) || loop->hooks->has_work(loop->owner)) {
        return 0;
    }
    uint64_t due_ns = timer_wheel_next_due(&loop->timers);
    if (due_ns == UINT64_MAX) {
        return timeout_ns;
    }
    uint64_t now_ns = clock_mono_ns();
    uint64_t until_due_ns = due_ns > now_ns ? due_ns - now_ns : 0;
    return until_due_ns < timeout_ns ? until_due_ns : timeout_ns;
}

/* The back end calls this when the waiting is over, before anything is handled. From here on a wake
 * is meant for the next turn. The exchange sees what the last waker had done before it woke us: a
 * plain store could hide a task until somebody wakes us again. */
static uint64_t on_waited(void *ctx)
{
    struct loop *loop = ctx;
    loop->now_ns = clock_mono_ns();
    if (atomic_load_explicit(&loop->sleep, memory_order_relaxed) != LOOP_AWAKE) {
        (void)atomic_exchange(&loop->sleep, LOOP_AWAKE); /* ASLEEP or WOKEN, it is all one */
    }
    return loop->now_ns;
}

ULONG loop_run_once(struct loop *loop, uint64_t timeout_ns)
{
    assert(loop == current && !loop->is_turning);
    loop->is_turning = true;
    /* Whoever turns the loop may be waiting for just that, so the turn ends without blocking. */
    bool did_work = run_deferred(loop);
    loop->hooks->before_wait(loop->owner);
    uint64_t wait_ns = did_work ? 0 : wait_limit(loop, timeout_ns);
    int awake = LOOP_AWAKE;
    if (wait_ns > 0 && !atomic_compare_exchange_strong(&loop->sleep, &awake, LOOP_ASLEEP)) {
        assert(awake == LOOP_WOKEN);
        wait_ns = 0;
    }
    ULONG status = loop->backend->wait(loop->backend_state, wait_ns, on_waited, loop);
    run_posted(loop);
    timer_wheel_advance(&loop->timers, loop->now_ns);
    deliver_completions(loop);
    (void)run_deferred(loop); /* the turn is over in any case */
    loop->is_turning = false;
    return status;
}

uint64_t loop_now_ns(const struct loop *loop)
{
    return loop->now_ns;
}

void loop_close(struct loop *loop)
{
    assert(loop == current && !loop->is_turning);
    loop->hooks->on_close(loop->owner);
    loop_set_owner(loop, NULL, NULL);
    for (int i = 0; i < LOOP_CLOSE_ROUNDS_MAX && is_work_queued(loop); i++) {
        run_posted(loop);
        deliver_completions(loop);
        (void)run_deferred(loop); /* is_work_queued tells whether to go on */
    }
    assert(!is_work_queued(loop));
    while (atomic_load_explicit(&loop->posters, memory_order_acquire) != 0) {
        (void)sched_yield(); /* who posted the task that led here has not left loop_wake yet */
    }
    timer_wheel_drop_all(&loop->timers);
    loop->backend->close(loop->backend_state);
    current = NULL;
    free(loop);
}

/* --- registrations ------------------------------------------------------------------------ */

void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ns)
{
    assert(loop == current);
    timer_wheel_start(&loop->timers, timer, loop->now_ns, delay_ns);
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
    assert(loop == current);
    timer_wheel_stop(&loop->timers, timer);
}

bool loop_timer_is_running(const struct loop_timer *timer)
{
    return timer->_next != NULL;
}

ULONG loop_watch_start(struct loop *loop, struct loop_watch *watch)
{
    assert(loop == current && watch->on_ready != NULL);
    return loop->backend->watch_start(loop->backend_state, watch);
}

void loop_watch_stop(struct loop *loop, struct loop_watch *watch)
{
    assert(loop == current);
    loop->backend->watch_stop(loop->backend_state, watch);
}

ULONG loop_io_add(struct loop *loop, struct loop_io *io)
{
    assert(loop == current && io->on_event != NULL);
    return loop->backend->io_add(loop->backend_state, io);
}

ULONG loop_io_add_listener(struct loop *loop, struct loop_io *io)
{
    assert(loop == current && io->on_event != NULL);
    return loop->backend->listener_add(loop->backend_state, io);
}

void loop_io_remove(struct loop *loop, struct loop_io *io)
{
    assert(loop == current);
    loop->backend->io_remove(loop->backend_state, io);
}

void loop_io_close(struct loop *loop, struct loop_io *io)
{
    assert(loop == current);
    loop->backend->io_close(loop->backend_state, io);
    io->fd = -1;
}

bool loop_io_send(struct loop *loop, struct loop_io *io, const char *p, size_t n)
{
    assert(loop == current && n > 0);
    return loop->backend->io_send != NULL && io->id != 0 &&
           loop->backend->io_send(loop->backend_state, io, p, n);
}

/* --- the engine's part of the contract ----------------------------------------------------- */

void loop_stop_listening(struct loop *loop)
{
    assert(loop == current);
    loop->hooks->on_stop_listening(loop->owner);
}

size_t loop_connection_count(const struct loop *loop)
{
    return loop->hooks->connection_count(loop->owner);
}
