/* The wheel alone, with a clock that the test turns: no waiting, every case exact. */
#include "support/cmocka_all.h"

#include <sys/mman.h>

#include "net/timer.h"

static const uint64_t ms = 1000000;
static const uint64_t tick = (uint64_t)LOOP_TICK_MS * 1000000;
static const uint64_t start_ns = 123456789; /* not a multiple of anything */

struct probe {
    struct loop_timer timer; /* first */
    uint64_t due_ns;         /* when it may fire at the earliest; 0: must not */
    int fired;
    void (*then)(struct probe *probe);
    struct probe *other;
};

/* The clock of the running test, for callbacks. */
static struct timer_wheel wheel;
static uint64_t now_ns;

static void on_fire(struct loop_timer *timer)
{
    struct probe *probe = (struct probe *)timer;
    assert_null(timer->_next);
    assert_int_not_equal(probe->due_ns, 0);
    assert_true(now_ns >= probe->due_ns);
    probe->fired++;
    probe->due_ns = 0;
    if (probe->then != NULL) {
        probe->then(probe);
    }
}

static void start(struct probe *probe, uint64_t delay_ns)
{
    probe->timer.on_fire = on_fire;
    probe->due_ns = now_ns + delay_ns;
    timer_wheel_start(&wheel, &probe->timer, now_ns, delay_ns);
}

static void advance_to(uint64_t to_ns)
{
    now_ns = to_ns;
    timer_wheel_advance(&wheel, now_ns);
}

static int set_up(void **state)
{
    (void)state;
    now_ns = start_ns;
    timer_wheel_init(&wheel, now_ns);
    return 0;
}

static void timer_fires_not_early_and_less_than_a_tick_late(void **state)
{
    (void)state;
    static const uint64_t delays_ms[] = {
        0, 1, 3, 4, 5, 63, 255, 256, 257, 300, 1000, 16383, 16384, 120000, 3600000, 86400000 * 3};
    for (size_t i = 0; i < sizeof delays_ms / sizeof delays_ms[0]; i++) {
        for (uint64_t odd = 0; odd < tick; odd += 777777) {
            struct probe probe = {0};
            advance_to(now_ns + odd);
            uint64_t due = now_ns + delays_ms[i] * ms;
            start(&probe, delays_ms[i] * ms);
            if (delays_ms[i] > 0) {
                advance_to(due - 1);
                assert_int_equal(probe.fired, 0);
            }
            advance_to(due + tick - (delays_ms[i] > 0 ? 1 : 0));
            assert_int_equal(probe.fired, 1);
        }
    }
}

static void timer_restarted_fires_at_its_new_time_only(void **state)
{
    (void)state;
    struct probe probe = {0};
    start(&probe, 10 * ms);
    start(&probe, 500 * ms);
    advance_to(start_ns + 499 * ms);
    assert_int_equal(probe.fired, 0);
    start(&probe, 1 * ms);
    advance_to(start_ns + 504 * ms);
    assert_int_equal(probe.fired, 1);
    advance_to(start_ns + 5000 * ms);
    assert_int_equal(probe.fired, 1);
    assert_int_equal(wheel.count, 0);
}

static void timer_stopped_does_not_fire(void **state)
{
    (void)state;
    struct probe probe = {0};
    timer_wheel_stop(&wheel, &probe.timer);
    start(&probe, 10 * ms);
    timer_wheel_stop(&wheel, &probe.timer);
    timer_wheel_stop(&wheel, &probe.timer);
    assert_true(timer_wheel_next_due(&wheel) == UINT64_MAX);
    advance_to(start_ns + 1000 * ms);
    assert_int_equal(probe.fired, 0);
}

static void restart_at_once(struct probe *probe)
{
    start(probe, 0);
}

static void timer_restarting_itself_fires_once_an_advance(void **state)
{
    (void)state;
    struct probe probe = {.then = restart_at_once};
    start(&probe, 1 * ms);
    advance_to(start_ns + 60000 * ms);
    assert_int_equal(probe.fired, 1);
    advance_to(now_ns + tick);
    assert_int_equal(probe.fired, 2);
    timer_wheel_stop(&wheel, &probe.timer);
}

static void stop_other(struct probe *probe)
{
    timer_wheel_stop(&wheel, &probe->other->timer);
}

static void timer_stopped_by_one_of_the_same_tick_does_not_fire(void **state)
{
    (void)state;
    struct probe probes[3] = {{.then = stop_other}};
    probes[0].other = &probes[1];
    for (int i = 0; i < 3; i++) {
        start(&probes[i], 10 * ms);
    }
    advance_to(start_ns + 20 * ms);
    assert_int_equal(probes[0].fired, 1);
    assert_int_equal(probes[1].fired, 0);
    assert_int_equal(probes[2].fired, 1);
    /* And the last of a tick, which empties the list that is being fired. */
    probes[0].other = &probes[2];
    start(&probes[0], 10 * ms);
    start(&probes[2], 10 * ms);
    advance_to(now_ns + 20 * ms);
    assert_int_equal(probes[2].fired, 1);
    assert_int_equal(wheel.count, 0);
}

static void move_other(struct probe *probe)
{
    start(probe->other, 50 * ms);
}

static void timer_moved_by_one_of_the_same_tick_fires_later(void **state)
{
    (void)state;
    struct probe probes[2] = {{.then = move_other}};
    probes[0].other = &probes[1];
    start(&probes[0], 10 * ms);
    start(&probes[1], 10 * ms);
    advance_to(start_ns + 20 * ms);
    assert_int_equal(probes[1].fired, 0);
    advance_to(start_ns + 80 * ms);
    assert_int_equal(probes[1].fired, 1);
}

static void timer_next_due_leads_there_in_few_steps(void **state)
{
    (void)state;
    static const uint64_t delays_ms[] = {1, 100, 5000, 120000, 86400000};
    for (size_t i = 0; i < sizeof delays_ms / sizeof delays_ms[0]; i++) {
        struct probe probe = {0};
        start(&probe, delays_ms[i] * ms);
        uint64_t due_ns = probe.due_ns;
        int steps = 0;
        while (probe.fired == 0) {
            uint64_t next = timer_wheel_next_due(&wheel);
            assert_true(next > now_ns && next < due_ns + tick);
            advance_to(next);
            steps++;
        }
        assert_true(steps <= TIMER_RING_COUNT);
        assert_true(timer_wheel_next_due(&wheel) == UINT64_MAX);
    }
}

static void timer_started_after_a_long_idle_time_needs_one_step(void **state)
{
    (void)state;
    advance_to(start_ns + 100000 * tick);
    struct probe probe = {0};
    start(&probe, tick);
    assert_true(timer_wheel_next_due(&wheel) == probe.due_ns);
    timer_wheel_stop(&wheel, &probe.timer);
}

static void timer_longest_delay_neither_overflows_nor_fires(void **state)
{
    (void)state;
    struct probe probe = {0};
    start(&probe, UINT64_MAX);
    advance_to(start_ns + UINT64_C(100) * 365 * 86400 * 1000 * ms);
    assert_int_equal(probe.fired, 0);
    timer_wheel_stop(&wheel, &probe.timer);
}

static void timer_drop_all_stops_without_calling(void **state)
{
    (void)state;
    struct probe probes[50] = {{.fired = 0}};
    for (unsigned i = 0; i < 50; i++) {
        start(&probes[i], (uint64_t)1 << i);
    }
    timer_wheel_drop_all(&wheel);
    for (int i = 0; i < 50; i++) {
        assert_null(probes[i].timer._next);
        assert_int_equal(probes[i].fired, 0);
    }
    assert_true(timer_wheel_next_due(&wheel) == UINT64_MAX);
}

/* 50,000 timers lie in pages that must not even be looked at while none of them is due. */
static void timer_running_ones_are_not_touched_by_a_turn(void **state)
{
    (void)state;
    enum { COUNT = 50000 };
    size_t bytes = COUNT * sizeof(struct probe);
    struct probe *probes =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(probes, MAP_FAILED);
    advance_to(start_ns + 7 * tick);
    for (size_t i = 0; i < COUNT; i++) {
        start(&probes[i], (10000 + i) * ms);
    }
    assert_int_equal(mprotect(probes, bytes, PROT_NONE), 0);
    uint64_t first = timer_wheel_next_due(&wheel);
    assert_true(first > now_ns + 5000 * ms);
    while (now_ns + 100 * ms < first) {
        advance_to(now_ns + 100 * ms);
        assert_true(timer_wheel_next_due(&wheel) == first);
    }
    assert_int_equal(mprotect(probes, bytes, PROT_READ | PROT_WRITE), 0);
    advance_to(start_ns + 100000 * ms);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(probes[i].fired, 1);
    }
    assert_int_equal(munmap(probes, bytes), 0);
}

static uint32_t random_state = 12345;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)random_state * limit >> 32);
}

/* What must hold after an advance to now: due ones have fired, others have not. on_fire checks the
 * rest. */
static void check_all(struct probe *probes, size_t count)
{
    size_t running = 0;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(probes[i].due_ns != 0, probes[i].timer._next != NULL);
        running += probes[i].due_ns != 0;
        assert_true(probes[i].due_ns == 0 || probes[i].due_ns + tick > now_ns);
    }
    assert_int_equal(wheel.count, running);
}

static void timer_random_use_agrees_with_a_plain_list(void **state)
{
    (void)state;
    enum { COUNT = 200, STEPS = 20000 };
    static struct probe probes[COUNT];
    for (int step = 0; step < STEPS; step++) {
        struct probe *probe = &probes[random_below(COUNT)];
        switch (random_below(4)) {
        case 0:
        case 1:
            start(probe, random_below(1000) * (ms << random_below(24)) + random_below(4000000));
            break;
        case 2:
            timer_wheel_stop(&wheel, &probe->timer);
            probe->due_ns = 0;
            break;
        default:
            advance_to(now_ns + random_below(1000) * (ms >> 10 << random_below(30)));
            check_all(probes, COUNT);
        }
    }
    timer_wheel_drop_all(&wheel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(timer_fires_not_early_and_less_than_a_tick_late, set_up),
        cmocka_unit_test_setup(timer_restarted_fires_at_its_new_time_only, set_up),
        cmocka_unit_test_setup(timer_stopped_does_not_fire, set_up),
        cmocka_unit_test_setup(timer_restarting_itself_fires_once_an_advance, set_up),
        cmocka_unit_test_setup(timer_stopped_by_one_of_the_same_tick_does_not_fire, set_up),
        cmocka_unit_test_setup(timer_moved_by_one_of_the_same_tick_fires_later, set_up),
        cmocka_unit_test_setup(timer_next_due_leads_there_in_few_steps, set_up),
        cmocka_unit_test_setup(timer_started_after_a_long_idle_time_needs_one_step, set_up),
        cmocka_unit_test_setup(timer_longest_delay_neither_overflows_nor_fires, set_up),
        cmocka_unit_test_setup(timer_drop_all_stops_without_calling, set_up),
        cmocka_unit_test_setup(timer_running_ones_are_not_touched_by_a_turn, set_up),
        cmocka_unit_test_setup(timer_random_use_agrees_with_a_plain_list, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
