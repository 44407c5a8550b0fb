/* The recording fake: loop.h with virtual time.
 *
 * Time moves only when no loop has work: the loop that finds all others waiting advances the clock
 * to the next due timer or timeout of any. When a thread holds a loop without turning it (it
 * computes, or joins another thread), the waiting loops give it GRACE_MS of real time and then
 * advance without it, so that nothing hangs. Real descriptors may be watched; they are polled. */
#include "fake_internal.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    GRACE_MS = 1000,  /* real time a busy thread may hold back the clock */
    STUCK_MS = 20000, /* real time after which a loop without anything to wait for ends the test */
    WATCHES_MAX = 32  /* watches of one loop */
};

#define TICK_NS ((uint64_t)LOOP_TICK_MS * 1000000u)

struct completion {
    struct loop_op *op;
    ULONG status, bytes;
};

struct loop {
    enum loop_backend backend;
    int wake_fd;
    bool woken, listening;
    bool waiting;         /* inside wait_for_work */
    uint64_t deadline_ns; /* while waiting: when it wants to return; UINT64_MAX never */
    uint64_t turn_ns;     /* time as of the start of the turn */
    struct loop_task *first_task, *last_task;
    struct loop_timer timers; /* head of a ring, soonest first */
    struct completion *completion;
    size_t completion_count, completion_cap;
    struct loop_watch *watch[WATCHES_MAX];
    size_t watch_count;
};

static _Thread_local struct loop *current;

uint64_t fake_now_ns(void)
{
    fake_lock();
    uint64_t now = fake.now_ns;
    fake_unlock();
    return now;
}

static void kick(struct loop *loop)
{
    uint64_t one = 1;
    if (write(loop->wake_fd, &one, sizeof one) != (ssize_t)sizeof one) {
        return; /* the counter is full: the loop is awake anyway */
    }
}

static void kick_all_locked(void)
{
    for (size_t i = 0; i < fake.loop_count; i++) {
        kick(fake.loop[i]);
    }
}

void fake_advance(uint64_t ns)
{
    fake_lock();
    fake.now_ns += ns;
    kick_all_locked();
    fake_unlock();
}

ULONG loop_open(enum loop_backend backend, struct loop **out)
{
    fake_lock();
    struct fake_record *record = fake_begin_locked("loop_open", "loop");
    if (record->injected) {
        return fake_end(record, record->result);
    }
    if (current != NULL) {
        return fake_end(record, ERROR_ALREADY_EXISTS);
    }
    struct loop *loop = fake_alloc(sizeof *loop);
    loop->backend = backend;
    loop->listening = true;
    loop->turn_ns = fake.now_ns;
    loop->timers._prev = loop->timers._next = &loop->timers;
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->wake_fd < 0) {
        free(loop);
        return fake_end(record, ERROR_NOT_ENOUGH_MEMORY);
    }
    struct loop **list = realloc(fake.loop, (fake.loop_count + 1) * sizeof(struct loop *));
    if (list == NULL) {
        abort();
    }
    fake.loop = list;
    fake.loop[fake.loop_count++] = loop;
    current = loop;
    *out = loop;
    return fake_end(record, NO_ERROR);
}

struct loop *loop_current(void)
{
    return current;
}

const char *loop_backend_name(const struct loop *loop)
{
    (void)loop; /* all fakes are alike */
    return "fake";
}

void fake_complete_locked(struct loop *loop, struct loop_op *op, ULONG status, ULONG bytes)
{
    if (loop->completion_count == loop->completion_cap) {
        loop->completion_cap = loop->completion_cap == 0 ? 16 : loop->completion_cap * 2;
        loop->completion =
            realloc(loop->completion, loop->completion_cap * sizeof(struct completion));
        if (loop->completion == NULL) {
            abort();
        }
    }
    op->overlapped.Internal = status;
    op->overlapped.InternalHigh = bytes;
    loop->completion[loop->completion_count++] = (struct completion){op, status, bytes};
    kick(loop);
}

/* --- what is due --- */

static uint64_t soonest_ns(const struct loop *loop)
{
    const struct loop_timer *first = loop->timers._next;
    return first == &loop->timers ? UINT64_MAX : first->_due_tick * TICK_NS;
}

static bool has_work_locked(const struct loop *loop)
{
    return loop->woken || loop->first_task != NULL || loop->completion_count > 0 ||
           soonest_ns(loop) <= fake.now_ns;
}

/* Fills the list with the watches' descriptors. */
static nfds_t watched(const struct loop *loop, struct pollfd *polled)
{
    for (size_t i = 0; i < loop->watch_count; i++) {
        unsigned want = loop->watch[i]->events;
        int events = ((want & LOOP_READABLE) != 0 ? POLLIN : 0) |
                     ((want & LOOP_WRITABLE) != 0 ? POLLOUT : 0);
        polled[i] = (struct pollfd){.fd = loop->watch[i]->fd, .events = (short)events};
    }
    return (nfds_t)loop->watch_count;
}

/* Whether a watched descriptor is ready now. */
static bool has_ready_watch(const struct loop *loop)
{
    struct pollfd polled[WATCHES_MAX];
    return poll(polled, watched(loop, polled), 0) > 0;
}

/* Waits for a watched descriptor or a kick; takes the kicks. */
static void wait_really(const struct loop *loop, int timeout_ms)
{
    struct pollfd polled[WATCHES_MAX + 1];
    nfds_t count = watched(loop, polled);
    polled[count] = (struct pollfd){.fd = loop->wake_fd, .events = POLLIN};
    (void)poll(polled, count + 1, timeout_ms); /* whoever waits looks for himself */
    uint64_t kicks = 0;
    (void)!read(loop->wake_fd, &kicks, sizeof kicks); /* none is as good as many */
}

/* Whether no open loop can do anything at the present time. */
static bool all_idle_locked(void)
{
    for (size_t i = 0; i < fake.loop_count; i++) {
        struct loop *loop = fake.loop[i];
        if (!loop->waiting || has_work_locked(loop) || loop->deadline_ns <= fake.now_ns ||
            has_ready_watch(loop)) {
            return false;
        }
    }
    return true;
}

static uint64_t next_deadline_locked(void)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < fake.loop_count; i++) {
        if (fake.loop[i]->waiting && fake.loop[i]->deadline_ns < next) {
            next = fake.loop[i]->deadline_ns;
        }
    }
    return next;
}

static void advance_to_locked(uint64_t when)
{
    if (when > fake.now_ns) {
        fake.now_ns = when;
        kick_all_locked();
    }
}

static uint64_t real_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* One real wait. since_ms: real time since which this loop waits. When the others keep the clock
 * for too long it goes on without them. */
static void block_locked(struct loop *loop, uint64_t since_ms)
{
    bool finite = loop->deadline_ns != UINT64_MAX;
    fake_unlock();
    wait_really(loop, finite ? GRACE_MS : STUCK_MS);
    fake_lock();
    if (has_work_locked(loop) || has_ready_watch(loop)) {
        return;
    }
    uint64_t waited_ms = real_ms() - since_ms;
    if (finite && waited_ms >= GRACE_MS && next_deadline_locked() == loop->deadline_ns) {
        advance_to_locked(loop->deadline_ns);
    }
    if (waited_ms >= 2 * STUCK_MS) {
        fprintf(stderr, "fake loop: nothing to wait for\n");
        abort();
    }
}

static void wait_for_work(struct loop *loop, uint64_t timeout_ns)
{
    uint64_t since_ms = real_ms();
    fake_lock();
    uint64_t limit = timeout_ns >= UINT64_MAX - fake.now_ns ? UINT64_MAX : fake.now_ns + timeout_ns;
    loop->waiting = true;
    for (;;) {
        uint64_t timer = soonest_ns(loop);
        loop->deadline_ns = timer < limit ? timer : limit;
        if (has_work_locked(loop) || loop->deadline_ns <= fake.now_ns || has_ready_watch(loop)) {
            break;
        }
        uint64_t next = next_deadline_locked();
        if (all_idle_locked() && next != UINT64_MAX) {
            advance_to_locked(next);
            continue;
        }
        block_locked(loop, since_ms);
    }
    loop->waiting = false;
    loop->woken = false;
    loop->turn_ns = fake.now_ns;
    fake_unlock();
}

/* --- a turn --- */

static void run_watches(struct loop *loop)
{
    struct loop_watch *ready[WATCHES_MAX];
    size_t count = loop->watch_count;
    memcpy(ready, loop->watch, count * sizeof ready[0]);
    for (size_t i = 0; i < count; i++) {
        bool still = false;
        for (size_t j = 0; j < loop->watch_count; j++) {
            still = still || loop->watch[j] == ready[i];
        }
        if (!still) {
            continue;
        }
        struct pollfd polled = {.fd = ready[i]->fd};
        polled.events = (short)(((ready[i]->events & LOOP_READABLE) != 0 ? POLLIN : 0) |
                                ((ready[i]->events & LOOP_WRITABLE) != 0 ? POLLOUT : 0));
        if (poll(&polled, 1, 0) <= 0) {
            continue;
        }
        unsigned events = ((polled.revents & POLLIN) != 0 ? LOOP_READABLE : 0u) |
                          ((polled.revents & POLLOUT) != 0 ? LOOP_WRITABLE : 0u) |
                          ((polled.revents & (POLLHUP | POLLERR)) != 0 ? LOOP_HANGUP : 0u);
        ready[i]->on_ready(ready[i], events);
    }
}

static void run_tasks(struct loop *loop)
{
    fake_lock();
    struct loop_task *task = loop->first_task;
    loop->first_task = loop->last_task = NULL;
    fake_unlock();
    while (task != NULL) {
        struct loop_task *next = task->_next;
        task->run(task);
        task = next;
    }
}

static void unlink_timer(struct loop_timer *timer)
{
    if (timer->_next != NULL) {
        timer->_prev->_next = timer->_next;
        timer->_next->_prev = timer->_prev;
        timer->_prev = timer->_next = NULL;
    }
}

static void run_timers(struct loop *loop)
{
    while (loop->timers._next != &loop->timers &&
           loop->timers._next->_due_tick * TICK_NS <= loop->turn_ns) {
        struct loop_timer *timer = loop->timers._next;
        fake_lock();
        unlink_timer(timer);
        fake_unlock();
        timer->on_fire(timer);
    }
}

static void run_completions(struct loop *loop)
{
    fake_lock();
    struct completion *list = loop->completion;
    size_t count = loop->completion_count;
    loop->completion = NULL;
    loop->completion_count = loop->completion_cap = 0;
    fake_unlock();
    for (size_t i = 0; i < count; i++) {
        list[i].op->on_complete(list[i].op, list[i].status, list[i].bytes);
    }
    free(list);
}

static void check_thread(const struct loop *loop, const char *call)
{
    if (loop != current) {
        fake_lock();
        fake_violate_locked("%s on a thread that does not own the loop", call);
        fake_unlock();
    }
}

ULONG loop_run_once(struct loop *loop, uint64_t timeout_ns)
{
    check_thread(loop, "loop_run_once");
    wait_for_work(loop, timeout_ns);
    run_watches(loop);
    run_tasks(loop);
    run_timers(loop);
    run_completions(loop);
    return NO_ERROR;
}

void loop_close(struct loop *loop)
{
    check_thread(loop, "loop_close");
    fake_lock();
    (void)fake_note_locked("loop_close", "loop"); /* only the line in the record is wanted */
    for (size_t i = 0; i < fake.loop_count; i++) {
        if (fake.loop[i] == loop) {
            fake.loop[i] = fake.loop[--fake.loop_count];
            break;
        }
    }
    fake_abort_loop_locked(loop);
    fake_unlock();
    while (loop->first_task != NULL || loop->completion_count > 0) {
        run_tasks(loop);
        run_completions(loop);
        fake_lock();
        fake_abort_loop_locked(loop);
        fake_unlock();
    }
    while (loop->timers._next != &loop->timers) {
        unlink_timer(loop->timers._next);
    }
    close(loop->wake_fd);
    free(loop->completion);
    free(loop);
    current = NULL;
    fake_lock();
    if (fake.loop_count == 0) {
        free(fake.loop);
        fake.loop = NULL;
    }
    kick_all_locked();
    fake_unlock();
}

uint64_t loop_now_ns(const struct loop *loop)
{
    return loop->turn_ns;
}

void loop_wake(struct loop *loop)
{
    fake_lock();
    loop->woken = true;
    kick(loop);
    fake_unlock();
}

void loop_post(struct loop *loop, struct loop_task *task)
{
    fake_lock();
    task->_next = NULL;
    if (loop->last_task != NULL) {
        loop->last_task->_next = task;
    } else {
        loop->first_task = task;
    }
    loop->last_task = task;
    kick(loop);
    fake_unlock();
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ns)
{
    check_thread(loop, "loop_timer_start");
    fake_lock();
    unlink_timer(timer);
    uint64_t due = delay_ns >= UINT64_MAX - loop->turn_ns - TICK_NS ? UINT64_MAX - TICK_NS
                                                                    : loop->turn_ns + delay_ns;
    timer->_due_tick = (due + TICK_NS - 1) / TICK_NS;
    struct loop_timer *after = loop->timers._prev;
    while (after != &loop->timers && after->_due_tick > timer->_due_tick) {
        after = after->_prev;
    }
    timer->_prev = after;
    timer->_next = after->_next;
    after->_next->_prev = timer;
    after->_next = timer;
    fake_unlock();
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
    check_thread(loop, "loop_timer_stop");
    fake_lock();
    unlink_timer(timer);
    fake_unlock();
}

bool loop_timer_is_running(const struct loop_timer *timer)
{
    return timer->_next != NULL;
}

ULONG loop_watch_start(struct loop *loop, struct loop_watch *watch)
{
    check_thread(loop, "loop_watch_start");
    for (size_t i = 0; i < loop->watch_count; i++) {
        if (loop->watch[i] == watch) {
            return NO_ERROR; /* the events are read from the watch each turn */
        }
    }
    if (loop->watch_count == WATCHES_MAX) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    loop->watch[loop->watch_count++] = watch;
    return NO_ERROR;
}

void loop_watch_stop(struct loop *loop, struct loop_watch *watch)
{
    check_thread(loop, "loop_watch_stop");
    for (size_t i = 0; i < loop->watch_count; i++) {
        if (loop->watch[i] == watch) {
            loop->watch[i] = loop->watch[--loop->watch_count];
            return;
        }
    }
}

ULONG loop_attach_queue(struct loop *loop, HANDLE queue)
{
    check_thread(loop, "loop_attach_queue");
    fake_lock();
    struct fake_object *object = fake_find_locked(FAKE_QUEUE, (uint64_t)(uintptr_t)queue);
    struct fake_record *record = fake_begin_locked("loop_attach_queue", "queue %u",
                                                   object != NULL ? fake_number_locked(object) : 0);
    if (record->injected) {
        return fake_end(record, record->result);
    }
    if (object == NULL || !object->open) {
        fake_violate_locked("loop_attach_queue on a queue that is not open");
        return fake_end(record, ERROR_INVALID_HANDLE);
    }
    return fake_end(record, NO_ERROR);
}

void loop_stop_listening(struct loop *loop)
{
    check_thread(loop, "loop_stop_listening");
    fake_lock();
    (void)fake_note_locked("loop_stop_listening",
                           "loop"); /* only the line in the record is wanted */
    loop->listening = false;
    fake_unlock();
}

size_t loop_connection_count(const struct loop *loop)
{
    (void)loop; /* every loop sees all of them */
    return fake_request_count();
}

ULONG loop_find_free_port(uint16_t *port)
{
    fake_lock();
    *port = fake.next_port++;
    fake_unlock();
    return NO_ERROR;
}
