/* The loop without memory or descriptors; and that it needs none once it is open. */
#include "support/cmocka_all.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/loop.h"
#include "support/failmalloc.h"
#include "support/tcp_pair.h"

static int open_descriptors(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

static void loop_open_without_memory_leaves_nothing(void **state)
{
    (void)state;
    int before = open_descriptors();
    for (size_t nth = 1;; nth++) {
        struct loop *loop = NULL;
        failmalloc_arm(nth);
        ULONG status = loop_open(LOOP_BACKEND_DEFAULT, &loop);
        if (!failmalloc_disarm()) {
            assert_int_equal(status, NO_ERROR);
            assert_true(nth > 1);
            loop_close(loop);
            break;
        }
        assert_int_equal(status, ERROR_NOT_ENOUGH_MEMORY);
        assert_null(loop);
        assert_null(loop_current());
        assert_int_equal(open_descriptors(), before);
    }
    assert_int_equal(open_descriptors(), before);
}

static void loop_open_without_descriptors_leaves_nothing(void **state)
{
    (void)state;
    int before = open_descriptors();
    struct rlimit limit, lower;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    lower = limit;
    int free_fd = dup(0); /* the lowest that is free */
    assert_true(free_fd >= 0);
    close(free_fd);
    for (int spare = 0; spare < 2; spare++) { /* none for epoll; one for it, none for the eventfd */
        lower.rlim_cur = (rlim_t)(free_fd + spare);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &lower), 0);
        struct loop *loop = NULL;
        ULONG status = loop_open(LOOP_BACKEND_DEFAULT, &loop);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(status, ERROR_NOT_ENOUGH_MEMORY);
        assert_null(loop);
        assert_null(loop_current());
        assert_int_equal(open_descriptors(), before);
    }
}

static int calls;

static void count_event(struct loop_io *io, unsigned events)
{
    (void)io;
    (void)events;
    calls++;
}

static void count_fire(struct loop_timer *timer)
{
    (void)timer;
    calls++;
}

static void count_task(struct loop_task *task)
{
    (void)task;
    calls++;
}

static void count_defer(struct loop_defer *defer)
{
    (void)defer;
    calls++;
}

static void count_complete(struct loop_op *op, ULONG status, ULONG bytes)
{
    (void)op;
    (void)status;
    (void)bytes;
    calls++;
}

static void loop_once_open_allocates_nothing(void **state)
{
    (void)state;
    struct loop *loop = NULL;
    struct tcp_pair pair;
    assert_int_equal(loop_open(LOOP_BACKEND_DEFAULT, &loop), NO_ERROR);
    assert_true(tcp_pair_open(&pair, false));
    struct loop_io io = {.on_event = count_event, .fd = pair.server};
    struct loop_timer timers[100] = {{.on_fire = NULL}};
    struct loop_task task = {.run = count_task};
    struct loop_defer defer = {.run = count_defer};
    struct loop_op op = {.on_complete = count_complete};
    failmalloc_arm(1);
    ULONG status = loop_io_add(loop, &io);
    for (unsigned i = 0; i < 100; i++) {
        timers[i].on_fire = count_fire;
        loop_timer_start(loop, &timers[i], (uint64_t)1 << i % 30);
    }
    while (calls < 104) { /* 100 timers, the socket, the task, the deferred one, the op */
        if (calls == 0) {
            loop_post(loop, &task);
            loop_defer(loop, &defer);
            loop_complete(loop, &op, NO_ERROR, 1);
        }
        status |= loop_run_once(loop, UINT64_MAX);
    }
    loop_io_remove(loop, &io);
    size_t asked = failmalloc_count();
    bool failed = failmalloc_disarm();
    assert_int_equal(status, NO_ERROR);
    assert_int_equal(asked, 0);
    assert_false(failed);
    loop_close(loop);
    tcp_pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loop_open_without_memory_leaves_nothing),
        cmocka_unit_test(loop_open_without_descriptors_leaves_nothing),
        cmocka_unit_test(loop_once_open_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
