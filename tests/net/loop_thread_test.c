/* Posting and waking from other threads, also under ThreadSanitizer. The loop waits without a
 * timeout everywhere: a lost wake hangs the test. */
#include "support/cmocka_all.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "net/loop.h"

enum { POSTERS = 4, TASKS_EACH = 5000, ROUNDS = 3000 };

struct numbered {
    struct loop_task task; /* first */
    struct poster *poster;
    int number;
};

struct poster {
    struct loop *loop;
    pthread_t thread;
    struct numbered *tasks;
    int seen; /* the loop's thread only; not atomic on purpose: the loop must order it */
};

static void run_numbered(struct loop_task *task)
{
    struct numbered *numbered = (struct numbered *)task;
    assert_int_equal(numbered->number, numbered->poster->seen);
    numbered->poster->seen++;
}

static void *post_all(void *ctx)
{
    struct poster *poster = ctx;
    for (int i = 0; i < TASKS_EACH; i++) {
        poster->tasks[i].poster = poster;
        poster->tasks[i].number = i;
        poster->tasks[i].task.run = run_numbered;
        loop_post(poster->loop, &poster->tasks[i].task);
        if (i % 97 == 0) {
            sched_yield(); /* lets the loop fall asleep now and then */
        }
    }
    return NULL;
}

static void loop_posts_of_many_threads_all_arrive_in_order(void **state)
{
    (void)state;
    struct loop *loop = NULL;
    assert_int_equal(loop_open(LOOP_BACKEND_DEFAULT, &loop), NO_ERROR);
    struct poster posters[POSTERS] = {{.seen = 0}};
    for (int i = 0; i < POSTERS; i++) {
        posters[i].loop = loop;
        posters[i].tasks = calloc(TASKS_EACH, sizeof *posters[i].tasks);
        assert_non_null(posters[i].tasks);
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
    int seen = 0;
    while (seen < POSTERS * TASKS_EACH) {
        assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
        seen = 0;
        for (int i = 0; i < POSTERS; i++) {
            seen += posters[i].seen;
        }
    }
    for (int i = 0; i < POSTERS; i++) {
        assert_int_equal(pthread_join(posters[i].thread, NULL), 0);
        free(posters[i].tasks);
    }
    loop_close(loop);
}

/* One task goes to and fro between two threads: each side sleeps until the other is done. */
struct pair {
    struct loop *loops[2];
    struct loop_task task;
    int at;    /* whose turn it is; handed over with the task */
    int count; /* hand-overs so far; likewise */
    atomic_bool ready;
    atomic_bool stop;
    atomic_bool first_has_ended;
};

static struct pair pair;

static void hand_over(struct loop_task *task)
{
    assert_ptr_equal(loop_current(), pair.loops[pair.at]);
    if (++pair.count == 2 * ROUNDS) {
        atomic_store(&pair.stop, true);
        loop_wake(pair.loops[0]);
        loop_wake(pair.loops[1]);
        return;
    }
    pair.at = 1 - pair.at;
    loop_post(pair.loops[pair.at], task);
}

static void *turn_second(void *ctx)
{
    (void)ctx;
    assert_int_equal(loop_open(LOOP_BACKEND_DEFAULT, &pair.loops[1]), NO_ERROR);
    atomic_store(&pair.ready, true);
    loop_wake(pair.loops[0]);
    while (!atomic_load(&pair.stop)) {
        assert_int_equal(loop_run_once(pair.loops[1], UINT64_MAX), NO_ERROR);
    }
    while (!atomic_load(&pair.first_has_ended)) { /* it may be about to wake this loop */
        sched_yield();
    }
    loop_close(pair.loops[1]);
    return NULL;
}

static void loop_ping_pong_between_loops_loses_no_wake(void **state)
{
    (void)state;
    pair.task.run = hand_over;
    assert_int_equal(loop_open(LOOP_BACKEND_DEFAULT, &pair.loops[0]), NO_ERROR);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, turn_second, NULL), 0);
    while (!atomic_load(&pair.ready)) {
        assert_int_equal(loop_run_once(pair.loops[0], UINT64_MAX), NO_ERROR);
    }
    loop_post(pair.loops[0], &pair.task);
    while (!atomic_load(&pair.stop)) {
        assert_int_equal(loop_run_once(pair.loops[0], UINT64_MAX), NO_ERROR);
    }
    atomic_store(&pair.first_has_ended, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(pair.count, 2 * ROUNDS);
    loop_close(pair.loops[0]);
}

/* A flag set before loop_wake is seen once run_once has returned, although nothing else orders the
 * two. */
struct flag {
    struct loop *loop;
    atomic_int value;
};

static void *raise_flags(void *ctx)
{
    struct flag *flag = ctx;
    for (int i = 1; i <= ROUNDS; i++) {
        while (atomic_load_explicit(&flag->value, memory_order_relaxed) != 0) {
            sched_yield();
        }
        atomic_store_explicit(&flag->value, i, memory_order_relaxed);
        loop_wake(flag->loop);
    }
    return NULL;
}

static void loop_wake_is_never_lost(void **state)
{
    (void)state;
    struct flag flag = {.loop = NULL};
    assert_int_equal(loop_open(LOOP_BACKEND_DEFAULT, &flag.loop), NO_ERROR);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, raise_flags, &flag), 0);
    for (int seen = 0; seen < ROUNDS;) {
        assert_int_equal(loop_run_once(flag.loop, UINT64_MAX), NO_ERROR);
        int value = atomic_load_explicit(&flag.value, memory_order_relaxed);
        if (value != 0) {
            assert_int_equal(value, seen + 1);
            seen = value;
            atomic_store_explicit(&flag.value, 0, memory_order_relaxed);
        }
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    loop_close(flag.loop);
}

static atomic_bool is_back;

static void on_signal(int number)
{
    (void)number;
}

/* A signal that arrives before the wait has begun wakes nobody: send until the loop is back. */
static void *send_signals(void *ctx)
{
    const pthread_t *target = ctx;
    while (!atomic_load(&is_back)) {
        pthread_kill(*target, SIGUSR1);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return NULL;
}

static void loop_signal_ends_the_wait_without_an_error(void **state)
{
    (void)state;
    struct loop *loop = NULL;
    assert_int_equal(loop_open(LOOP_BACKEND_DEFAULT, &loop), NO_ERROR);
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    pthread_t self = pthread_self(), thread;
    assert_int_equal(pthread_create(&thread, NULL, send_signals, &self), 0);
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    atomic_store(&is_back, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    loop_close(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loop_posts_of_many_threads_all_arrive_in_order),
        cmocka_unit_test(loop_ping_pong_between_loops_loses_no_wake),
        cmocka_unit_test(loop_wake_is_never_lost),
        cmocka_unit_test(loop_signal_ends_the_wait_without_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
