#include "support/cmocka_all.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/child.h"

static const char *why;

/* Waits for its end without reaping it. */
static void wait_for(const struct child *child)
{
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT), 0);
}

static void start(struct child *child, const char *script)
{
    const char *const args[] = {"sh", "-c", script, NULL};
    memset(child, 0, sizeof *child);
    assert_true(child_start(child, args, "http://localhost:81", 81, &why));
    assert_int_equal(child->phase, CHILD_RUNNING);
}

static void child_exit_code_is_kept(void **state)
{
    struct child child;
    (void)state;
    start(&child, "exit 7");
    wait_for(&child);
    assert_true(child_reap(&child));
    assert_int_equal(child.phase, CHILD_ENDED);
    assert_int_equal(child.code, 7);
    assert_int_equal(child.pid, 0);
    assert_false(child_reap(&child));
    child_end(&child);
}

static void child_sees_the_address(void **state)
{
    struct child child;
    (void)state;
    start(&child, "test \"$MOONLATCH_URL $MOONLATCH_PORT\" = 'http://localhost:81 81'");
    wait_for(&child);
    assert_true(child_reap(&child));
    assert_int_equal(child.code, 0);
}

static void child_killed_by_a_signal_is_128_and_its_number(void **state)
{
    struct child child;
    (void)state;
    start(&child, "kill -9 $$");
    wait_for(&child);
    assert_true(child_reap(&child));
    assert_int_equal(child.code, 128 + SIGKILL);
}

static void child_that_does_not_exist_fails(void **state)
{
    struct child child = {.phase = CHILD_NONE};
    const char *const args[] = {"/nonexistent/program", NULL};
    (void)state;
    assert_false(child_start(&child, args, "", 0, &why));
    assert_int_equal(child.phase, CHILD_FAILED);
    assert_int_equal(child.code, 127);
    child_end(&child);
}

static void child_end_ends_a_stubborn_group(void **state)
{
    struct child child;
    int ends[2];
    char line[8];
    char script[256];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    /* The shell and a process of its own, both deaf to SIGTERM: the second says it is there. */
    (void)snprintf(script, sizeof script,
                   "trap '' TERM; sh -c 'trap \"\" TERM; echo a >&%d; while :; do sleep 1; done' & "
                   "while :; do sleep 1; done",
                   ends[1]);
    start(&child, script);
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], line, 2), 2);
    pid_t group = (pid_t)child.pid;
    child_end(&child);
    assert_int_equal(child.phase, CHILD_ENDED);
    assert_int_equal(child.code, 128 + SIGKILL);
    assert_int_equal(kill(-group, 0), -1);
    assert_int_equal(read(ends[0], line, 1), 0); /* nobody has the writing end */
    (void)close(ends[0]);
}

static void child_background_process_goes_with_it(void **state)
{
    struct child child;
    (void)state;
    start(&child, "sleep 100 & exit 3");
    wait_for(&child);
    pid_t group = (pid_t)child.pid;
    assert_true(child_reap(&child));
    assert_int_equal(child.code, 3);
    assert_int_equal(child.pid, group);
    child_end(&child);
    assert_int_equal(kill(-group, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(child_exit_code_is_kept),
        cmocka_unit_test(child_sees_the_address),
        cmocka_unit_test(child_killed_by_a_signal_is_128_and_its_number),
        cmocka_unit_test(child_that_does_not_exist_fails),
        cmocka_unit_test(child_end_ends_a_stubborn_group),
        cmocka_unit_test(child_background_process_goes_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
