/* The order and the promises of a turn, on the thread of the loop. Other threads:
 * loop_thread_test.c. */
#include "support/cmocka_all.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/loop.h"

static const uint64_t ms = 1000000;

/* What happened, one letter each. */
static char trace[64];
static size_t trace_len;

static void note(char what)
{
    assert_true(trace_len < sizeof trace - 1);
    trace[trace_len++] = what;
    trace[trace_len] = '\0';
}

static struct loop *loop;

static int set_up(void **state)
{
    (void)state;
    trace_len = 0;
    trace[0] = '\0';
    return loop_open(LOOP_BACKEND_DEFAULT, &loop) == NO_ERROR ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    if (loop != NULL) {
        loop_close(loop);
        loop = NULL;
    }
    return loop_current() == NULL ? 0 : -1;
}

/* --- one loop a thread ---------------------------------------------------------------------- */

static void loop_second_of_a_thread_is_refused(void **state)
{
    (void)state;
    struct loop *second = loop;
    assert_int_equal(loop_open(LOOP_BACKEND_EPOLL, &second), ERROR_ALREADY_EXISTS);
    assert_null(second);
    assert_ptr_equal(loop_current(), loop);
    assert_string_equal(loop_backend_name(loop),
                        loop_backend_choose(LOOP_BACKEND_DEFAULT, NULL)->name);
}

static void *open_another(void *ctx)
{
    (void)ctx;
    struct loop *own = NULL;
    bool good = loop_current() == NULL && loop_open(LOOP_BACKEND_DEFAULT, &own) == NO_ERROR &&
                loop_current() == own && loop_run_once(own, 0) == NO_ERROR;
    if (own != NULL) {
        loop_close(own);
    }
    return good && loop_current() == NULL ? own : NULL;
}

static void loop_of_another_thread_is_its_own(void **state)
{
    (void)state;
    pthread_t thread;
    void *result = NULL;
    assert_int_equal(pthread_create(&thread, NULL, open_another, NULL), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_non_null(result);
    assert_ptr_not_equal(result, loop);
    assert_ptr_equal(loop_current(), loop);
}

static void loop_missing_back_end_is_not_supported(void **state)
{
    (void)state;
    assert_int_equal(tear_down(state), 0);
    struct loop *none = NULL;
    assert_int_equal(loop_open(LOOP_BACKEND_IOCP, &none), ERROR_NOT_SUPPORTED);
    assert_null(none);
    assert_null(loop_current());
}

/* --- completions ---------------------------------------------------------------------------- */

struct op {
    struct loop_op base; /* first */
    char name;
    int again; /* completes itself so often from inside on_complete */
    ULONG status, bytes;
};

static void on_complete(struct loop_op *base, ULONG status, ULONG bytes)
{
    struct op *op = (struct op *)base;
    assert_int_equal(op->base.overlapped.Internal, status);
    assert_int_equal(op->base.overlapped.InternalHigh, bytes);
    op->status = status;
    op->bytes = bytes;
    if (op->name != 0) {
        note(op->name);
    }
    if (op->again > 0) {
        op->again--;
        loop_complete(loop, base, status, bytes + 1);
    }
}

static void loop_completions_come_in_order_and_never_from_inside(void **state)
{
    (void)state;
    struct op ops[3] = {{.name = 'a'}, {.name = 'b'}, {.name = 'c'}};
    for (int i = 0; i < 3; i++) {
        ops[i].base.on_complete = on_complete;
    }
    loop_complete(loop, &ops[1].base, NO_ERROR, 10);
    loop_complete(loop, &ops[0].base, ERROR_OPERATION_ABORTED, 0);
    loop_complete(loop, &ops[2].base, ERROR_MORE_DATA, UINT32_MAX);
    assert_string_equal(trace, "");
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    assert_string_equal(trace, "bac");
    assert_int_equal(ops[1].bytes, 10);
    assert_int_equal(ops[0].status, ERROR_OPERATION_ABORTED);
    assert_int_equal(ops[2].bytes, UINT32_MAX);
}

static void loop_completion_from_a_completion_comes_in_the_same_turn(void **state)
{
    (void)state;
    struct op op = {.name = 'x', .again = 3, .base.on_complete = on_complete};
    loop_complete(loop, &op.base, NO_ERROR, 0);
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    assert_string_equal(trace, "xxxx");
    assert_int_equal(op.bytes, 3);
}

static void loop_endless_completions_leave_the_sockets_their_turn(void **state)
{
    (void)state;
    struct op op = {.again = 3 * LOOP_COMPLETIONS_PER_TURN_MAX, .base.on_complete = on_complete};
    loop_complete(loop, &op.base, NO_ERROR, 0);
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    assert_int_equal(op.bytes, LOOP_COMPLETIONS_PER_TURN_MAX - 1);
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    assert_int_equal(op.bytes, 2 * LOOP_COMPLETIONS_PER_TURN_MAX - 1);
    loop_close(loop); /* follows them to their end */
    loop = NULL;
    assert_int_equal(op.bytes, 3 * LOOP_COMPLETIONS_PER_TURN_MAX);
}

/* --- tasks and deferred work ------------------------------------------------------------------ */

struct work {
    struct loop_task task; /* first */
    struct loop_defer defer;
    char name;
    int again;
};

static void run_task(struct loop_task *task)
{
    struct work *work = (struct work *)task;
    note(work->name);
    if (work->again > 0) {
        work->again--;
        loop_post(loop, task);
    }
}

static void run_defer(struct loop_defer *defer)
{
    struct work *work = (struct work *)((char *)defer - offsetof(struct work, defer));
    note(work->name);
    if (work->again > 0) {
        work->again--;
        loop_defer(loop, defer);
    }
}

static void loop_tasks_run_in_order_and_their_tasks_in_a_later_turn(void **state)
{
    (void)state;
    struct work works[3] = {{.name = '1', .again = 1}, {.name = '2'}, {.name = '3'}};
    for (int i = 0; i < 3; i++) {
        works[i].task.run = run_task;
        loop_post(loop, &works[i].task);
    }
    assert_string_equal(trace, "");
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    assert_string_equal(trace, "123");
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    assert_string_equal(trace, "1231");
}

static void loop_deferred_again_runs_in_the_next_turn(void **state)
{
    (void)state;
    struct work works[2] = {{.name = 'a', .again = 2}, {.name = 'b'}};
    works[0].defer.run = works[1].defer.run = run_defer;
    struct work poster = {.name = 'p', .task.run = run_task};
    loop_defer(loop, &works[0].defer);
    loop_defer(loop, &works[1].defer);
    loop_post(loop, &poster.task);
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    assert_string_equal(trace, "abpa"); /* before the wait, and at the end of the turn */
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    assert_string_equal(trace, "abpaa");
}

/* --- the order of a turn ------------------------------------------------------------------------
 * */

static struct work deferred_by_watch = {.name = 'd', .defer.run = run_defer};

static void note_watch(struct loop_watch *watch, unsigned events)
{
    assert_int_equal(events, LOOP_READABLE);
    note('s');
    loop_watch_stop(loop, watch);
    loop_defer(loop, &deferred_by_watch.defer);
}

static void note_timer(struct loop_timer *timer)
{
    assert_false(loop_timer_is_running(timer));
    note('i');
}

static void loop_turn_has_its_order(void **state)
{
    (void)state;
    int ends[2] = {-1, -1};
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    struct op op = {.name = 'c', .base.on_complete = on_complete};
    loop_complete(loop, &op.base, NO_ERROR, 0);
    struct loop_timer timer = {.on_fire = note_timer};
    loop_timer_start(loop, &timer, 1);
    assert_true(loop_timer_is_running(&timer));
    struct work work = {.name = 't', .task.run = run_task};
    loop_post(loop, &work.task);
    struct loop_watch watch = {.on_ready = note_watch, .fd = ends[0], .events = LOOP_READABLE};
    assert_int_equal(loop_watch_start(loop, &watch), NO_ERROR);
    while (clock_mono_ns() < loop_now_ns(loop) + 2 * LOOP_TICK_MS * ms) {
    }
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    assert_string_equal(trace, "sticd");
    close(ends[0]);
    close(ends[1]);
}

static void loop_now_is_refreshed_after_waiting(void **state)
{
    (void)state;
    uint64_t before = loop_now_ns(loop);
    while (clock_mono_ns() == before) {
    }
    assert_true(loop_now_ns(loop) == before);
    assert_int_equal(loop_run_once(loop, 0), NO_ERROR);
    assert_true(loop_now_ns(loop) > before);
    assert_true(loop_now_ns(loop) <= clock_mono_ns());
}

static void loop_timer_ends_the_wait_and_is_not_early(void **state)
{
    (void)state;
    int turns = 0;
    struct loop_timer timer = {.on_fire = note_timer};
    uint64_t due = loop_now_ns(loop) + 30 * ms;
    loop_timer_start(loop, &timer, 30 * ms);
    while (trace_len == 0) {
        assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
        turns++;
    }
    assert_true(turns <=
                TIMER_RING_COUNT); /* it sleeps, it does not spin through the last moment */
    assert_true(loop_now_ns(loop) >= due);
}

static void loop_timeout_ends_the_wait_and_not_before(void **state)
{
    (void)state;
    static const uint64_t timeouts_ns[] = {900 * 1000, 3 * 1000 * 1000 + 1};
    for (size_t i = 0; i < 2; i++) {
        uint64_t before = clock_mono_ns();
        assert_int_equal(loop_run_once(loop, timeouts_ns[i]), NO_ERROR);
        assert_true(clock_mono_ns() - before >= timeouts_ns[i]);
    }
}

/* --- what is asked of the back end
 * ---------------------------------------------------------------- */

static const struct loop_backend_ops *real;
static struct loop_backend_ops counted;
static int waits, wakes;
static uint64_t last_timeout_ns;

static ULONG count_wait(void *state, uint64_t timeout_ns, uint64_t (*on_waited)(void *), void *ctx)
{
    waits++;
    last_timeout_ns = timeout_ns;
    return real->wait(state, timeout_ns < 50 * ms ? timeout_ns : 0, on_waited, ctx);
}

static void count_wake(void *state)
{
    wakes++;
    real->wake(state);
}

static void count_calls(void)
{
    real = loop->backend;
    counted = *real;
    counted.wait = count_wait;
    counted.wake = count_wake;
    loop->backend = &counted;
    waits = wakes = 0;
}

static void loop_post_to_an_awake_loop_makes_no_call(void **state)
{
    (void)state;
    count_calls();
    struct work works[3] = {{.name = '1'}, {.name = '2'}, {.name = '3'}};
    for (int i = 0; i < 3; i++) {
        works[i].task.run = run_task;
        loop_post(loop, &works[i].task);
    }
    loop_wake(loop);
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    assert_string_equal(trace, "123");
    assert_int_equal(wakes, 0);
    assert_int_equal(waits, 1);
    assert_int_equal(last_timeout_ns, 0);
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    assert_true(last_timeout_ns == UINT64_MAX); /* the wake was used up */
}

static void loop_wake_before_the_wait_is_not_lost(void **state)
{
    (void)state;
    loop_wake(loop);
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
}

static void loop_timeout_is_the_nearest_limit(void **state)
{
    (void)state;
    count_calls();
    struct loop_timer timer = {.on_fire = note_timer};
    loop_timer_start(loop, &timer, 200 * ms);
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    assert_true(last_timeout_ns > 0 && last_timeout_ns <= 204 * ms);
    assert_int_equal(loop_run_once(loop, 1 * ms), NO_ERROR);
    assert_true(last_timeout_ns == 1 * ms);
    loop_timer_stop(loop, &timer);
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    assert_true(last_timeout_ns == UINT64_MAX);
    assert_int_equal(waits, 3);
}

/* --- hooks and the end
 * ------------------------------------------------------------------------------ */

struct engine {
    bool has_work;
    int flushed, closed, stopped;
    struct op *pending; /* completed in on_close */
};

static void engine_before_wait(void *owner)
{
    ((struct engine *)owner)->flushed++;
}

static bool engine_has_work(void *owner)
{
    struct engine *engine = owner;
    return engine->has_work;
}

static void engine_on_stop_listening(void *owner)
{
    ((struct engine *)owner)->stopped++;
}

static void engine_on_close(void *owner)
{
    struct engine *engine = owner;
    engine->closed++;
    assert_ptr_equal(loop_owner(loop), engine);
    if (engine->pending != NULL) {
        loop_complete(loop, &engine->pending->base, ERROR_OPERATION_ABORTED, 0);
    }
}

static size_t engine_connection_count(const void *owner)
{
    return ((const struct engine *)owner)->flushed == 0 ? 7 : 8;
}

static const struct loop_hooks engine_hooks = {
    .before_wait = engine_before_wait,
    .has_work = engine_has_work,
    .on_stop_listening = engine_on_stop_listening,
    .on_close = engine_on_close,
    .connection_count = engine_connection_count,
};

static void loop_without_an_engine_has_no_connections(void **state)
{
    (void)state;
    assert_int_equal(loop_connection_count(loop), 0);
    loop_stop_listening(loop);
    assert_null(loop_owner(loop));
}

static void loop_hooks_are_called_for_their_owner(void **state)
{
    (void)state;
    struct engine engine = {.has_work = true};
    loop_set_owner(loop, &engine, &engine_hooks);
    assert_ptr_equal(loop_owner(loop), &engine);
    assert_int_equal(loop_connection_count(loop), 7);
    loop_stop_listening(loop);
    assert_int_equal(engine.stopped, 1);
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR); /* has_work: does not block */
    assert_int_equal(engine.flushed, 1);
    count_calls();
    engine.has_work = false;
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    assert_true(last_timeout_ns == UINT64_MAX);
    assert_int_equal(engine.flushed, 2);
    loop_set_owner(loop, NULL, NULL);
    loop_close(loop);
    loop = NULL;
    assert_int_equal(engine.closed, 0);
}

static void run_other_task(struct loop_task *task)
{
    struct work *work = (struct work *)task;
    note(work->name);
    assert_null(loop_owner(loop));
    loop_defer(loop, &work->defer);
}

static void loop_close_delivers_everything_but_timers(void **state)
{
    (void)state;
    struct op pending = {.name = 'c', .again = 2, .base.on_complete = on_complete};
    struct engine engine = {.pending = &pending};
    loop_set_owner(loop, &engine, &engine_hooks);
    struct work work = {.name = 't', .task.run = run_other_task, .defer.run = run_defer};
    loop_post(loop, &work.task);
    struct loop_timer timer = {.on_fire = note_timer};
    loop_timer_start(loop, &timer, 0);
    loop_close(loop);
    loop = NULL;
    assert_string_equal(trace, "tccct");
    assert_int_equal(pending.status, ERROR_OPERATION_ABORTED);
    assert_int_equal(engine.closed, 1);
    assert_false(loop_timer_is_running(&timer));
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(loop_second_of_a_thread_is_refused),
        LOOP_TEST(loop_of_another_thread_is_its_own),
        LOOP_TEST(loop_missing_back_end_is_not_supported),
        LOOP_TEST(loop_completions_come_in_order_and_never_from_inside),
        LOOP_TEST(loop_completion_from_a_completion_comes_in_the_same_turn),
        LOOP_TEST(loop_endless_completions_leave_the_sockets_their_turn),
        LOOP_TEST(loop_tasks_run_in_order_and_their_tasks_in_a_later_turn),
        LOOP_TEST(loop_deferred_again_runs_in_the_next_turn),
        LOOP_TEST(loop_turn_has_its_order),
        LOOP_TEST(loop_now_is_refreshed_after_waiting),
        LOOP_TEST(loop_timer_ends_the_wait_and_is_not_early),
        LOOP_TEST(loop_timeout_ends_the_wait_and_not_before),
        LOOP_TEST(loop_post_to_an_awake_loop_makes_no_call),
        LOOP_TEST(loop_wake_before_the_wait_is_not_lost),
        LOOP_TEST(loop_timeout_is_the_nearest_limit),
        LOOP_TEST(loop_without_an_engine_has_no_connections),
        LOOP_TEST(loop_hooks_are_called_for_their_owner),
        LOOP_TEST(loop_close_delivers_everything_but_timers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
