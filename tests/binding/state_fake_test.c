/* A state's memory and its tasks: waiting, waking, cancelling, killing, without script
 * functions. */
#include "support/cmocka_all.h"

#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "binding/state.h"
#include "binding/task.h"
#include "support/fake.h"

static struct state S;
static struct loop *loop;
static enum task_end ended_as;
static int ended;              /* how many tasks */
static lua_Integer ended_with; /* last result, when it was an integer */
static char traceback[1024];
static struct wait gate; /* what the tasks of these tests wait for */
static int dropped;

static void open_state(size_t memory)
{
    fake_reset();
    ended = 0;
    dropped = 0;
    memset(&gate, 0, sizeof gate);
    assert_int_equal(loop_open(LOOP_BACKEND_DEFAULT, &loop), NO_ERROR);
    const struct state_config config = {.loop = loop, .generation = 1, .bytes_max = memory};
    assert_int_equal(state_open(&S, &config), NO_ERROR);
}

static void close_state(void)
{
    state_enter(&S, STATE_STOPPING);
    state_kill_tasks(&S, "end");
    for (int i = 0; i < 10 && !state_is_quiet(&S); i++) {
        loop_run_once(loop, 0);
    }
    assert_true(state_is_quiet(&S));
    state_close(&S);
    assert_int_equal(S.account.bytes, 0);
    state_close(&S); /* harmless */
    loop_close(loop);
}

static void on_end(struct task *t, enum task_end end, int nresults)
{
    ended++;
    ended_as = end;
    ended_with = 0;
    traceback[0] = 0;
    if (end == TASK_RETURNED && nresults > 0) {
        ended_with = lua_tointeger(t->co, -1);
    }
    if (end == TASK_FAILED) {
        assert_int_equal(nresults, 2);
        snprintf(traceback, sizeof traceback, "%s",
                 lua_isstring(t->co, -1) ? lua_tostring(t->co, -1) : "");
    }
}

static struct task *start(lua_CFunction f)
{
    struct task *t = task_acquire(&S);
    assert_non_null(t);
    t->on_end = on_end;
    t->name = "test";
    lua_pushcfunction(t->co, f);
    task_resume(t, 0);
    return t;
}

static int after_gate(lua_State *L, int status, lua_KContext ctx)
{
    assert_int_equal(status, LUA_YIELD);
    lua_pushinteger(L, (lua_Integer)ctx);
    return 1;
}

static int wait_at_gate(lua_State *L)
{
    return task_wait(L, &gate, 42, after_gate);
}

static void task_that_waits_is_woken_with_its_context(void **state)
{
    (void)state;
    open_state(0);
    start(wait_at_gate);
    assert_int_equal(ended, 0);
    assert_int_equal(state_count_live(&S, LIVE_TASK), 1);
    task_wake(&gate);
    assert_int_equal(ended, 1);
    assert_int_equal(ended_as, TASK_RETURNED);
    assert_int_equal(ended_with, 42);
    task_wake(&gate); /* nobody waits: harmless */
    assert_int_equal(state_count_live(&S, LIVE_TASK), 0);
    close_state();
}

static void task_coroutine_is_used_again(void **state)
{
    (void)state;
    open_state(0);
    lua_State *first = NULL;
    for (int i = 0; i < 100; i++) {
        struct task *t = start(wait_at_gate);
        first = first == NULL ? t->co : first;
        assert_ptr_equal(t->co, first);
        task_wake(&gate);
    }
    assert_int_equal(S.idle_count, 1);
    close_state();
}

static int fail_now(lua_State *L)
{
    return luaL_error(L, "broken");
}

static void task_that_fails_leaves_value_and_traceback(void **state)
{
    (void)state;
    open_state(0);
    start(fail_now);
    assert_int_equal(ended_as, TASK_FAILED);
    assert_non_null(strstr(traceback, "stack traceback:"));
    start(wait_at_gate); /* the coroutine is good again */
    task_wake(&gate);
    assert_int_equal(ended_as, TASK_RETURNED);
    close_state();
}

static void task_cancelled_while_waiting(void **state)
{
    (void)state;
    open_state(0);
    struct task *t = start(wait_at_gate);
    task_cancel(t);
    assert_int_equal(ended_as, TASK_CANCELLED);
    assert_null(gate.task);
    close_state();
}

static void note_drop(struct state *owner, lua_KContext ctx)
{
    assert_ptr_equal(owner, &S);
    assert_int_equal(ctx, 42);
    dropped++;
}

static void task_that_does_not_go_on_drops(void **state)
{
    (void)state;
    open_state(0);
    gate.drop = note_drop;
    task_cancel(start(wait_at_gate));
    assert_int_equal(dropped, 1);
    task_kill(start(wait_at_gate), "why not");
    assert_int_equal(dropped, 2);
    assert_int_equal(ended_as, TASK_KILLED);
    start(wait_at_gate);
    task_wake(&gate);
    assert_int_equal(dropped, 2);
    close_state();
}

static void keep_waiting(struct wait *wait)
{
    (void)wait; /* as an overlapped call: it comes back later */
}

static void task_with_a_call_in_flight_ends_when_it_is_back(void **state)
{
    (void)state;
    open_state(0);
    gate.cancel = keep_waiting;
    struct task *t = start(wait_at_gate);
    task_cancel(t);
    assert_int_equal(ended, 0);
    task_kill(t, "enough");
    assert_int_equal(ended, 0);
    task_wake(&gate);
    assert_int_equal(ended, 1);
    assert_int_equal(ended_as, TASK_KILLED);
    close_state();
}

static int wait_a_second(lua_State *L)
{
    return task_wait_for(L, &gate, 1000000000, 7, after_gate);
}

static void task_timeout_fires_and_stops(void **state)
{
    (void)state;
    open_state(0);
    start(wait_a_second);
    assert_int_equal(state_count_live(&S, LIVE_TIMER), 1);
    fake_advance(2000000000);
    loop_run_once(loop, 0);
    assert_int_equal(ended, 1);
    assert_int_equal(ended_with, 7);
    start(wait_a_second);
    task_wake(&gate);
    assert_int_equal(ended, 2);
    assert_int_equal(state_count_live(&S, LIVE_TIMER), 0);
    close_state();
}

static struct task *other;

static int wake_other(lua_State *L)
{
    int before = ended;
    task_wake(&gate);
    assert_int_equal(ended, before); /* queued, not run inside this resume */
    (void)L;
    return 0;
}

static void task_woken_by_another_runs_after_it(void **state)
{
    (void)state;
    open_state(0);
    other = start(wait_at_gate);
    start(wake_other);
    assert_int_equal(ended, 2);
    close_state();
}

static void task_ids_do_not_mean_another(void **state)
{
    (void)state;
    open_state(0);
    struct task *t = start(wait_at_gate);
    uint64_t id = task_id(t);
    assert_ptr_equal(task_find(&S, id), t);
    task_wake(&gate);
    assert_null(task_find(&S, id));
    assert_ptr_equal(start(wait_at_gate), t);
    assert_null(task_find(&S, id));
    close_state();
}

static int call_without_yield(lua_State *L)
{
    lua_pushcfunction(L, wait_at_gate);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK) { /* no continuation: a boundary */
        assert_non_null(strstr(lua_tostring(L, -1), "cannot wait inside"));
        return 0;
    }
    fail_msg("it waited");
    return 0;
}

static void task_cannot_wait_across_a_boundary(void **state)
{
    (void)state;
    open_state(0);
    start(call_without_yield);
    assert_int_equal(ended_as, TASK_RETURNED);
    /* Outside of any task. */
    lua_pushcfunction(S.L, wait_at_gate);
    assert_int_equal(lua_pcall(S.L, 0, 0, 0), LUA_ERRRUN);
    assert_non_null(strstr(lua_tostring(S.L, -1), "does not run in a task"));
    lua_settop(S.L, 0);
    close_state();
}

static int yield_plainly(lua_State *L)
{
    return lua_yield(L, 0);
}

static void task_that_yields_to_nobody_is_stopped(void **state)
{
    (void)state;
    open_state(0);
    start(yield_plainly);
    assert_int_equal(ended_as, TASK_KILLED);
    close_state();
}

static void state_counts_every_byte(void **state)
{
    (void)state;
    open_state(0);
    size_t before = S.account.bytes;
    lua_newuserdatauv(S.L, 100000, 0);
    assert_true(S.account.bytes >= before + 100000);
    lua_settop(S.L, 0);
    lua_gc(S.L, LUA_GCCOLLECT);
    assert_true(S.account.bytes < before + 1000);
    close_state();
}

static int eat(lua_State *L)
{
    for (int i = 0; i < 100000; i++) {
        luaL_checkstack(L, 2, "");
        lua_newuserdatauv(L, 1000, 0);
    }
    return 0;
}

static void state_past_its_maximum_fails_the_task_alone(void **state)
{
    (void)state;
    open_state(2 << 20);
    for (int i = 0; i < 3; i++) {
        start(eat);
        assert_int_equal(ended_as, TASK_FAILED);
        assert_true(S.account.refused > 0);
        assert_int_equal(S.account.reserve, 0);
        assert_true(S.account.bytes <= (2 << 20) + STATE_RESERVE_BYTES);
    }
    start(wait_at_gate);
    task_wake(&gate);
    assert_int_equal(ended_as, TASK_RETURNED);
    close_state();
}

static void state_open_survives_each_failing_allocation(void **state)
{
    (void)state;
    fake_reset();
    assert_int_equal(loop_open(LOOP_BACKEND_DEFAULT, &loop), NO_ERROR);
    unsigned failures = 0;
    for (size_t memory = 2000; memory < 60000; memory += 97) {
        const struct state_config config = {.loop = loop, .bytes_max = memory};
        ULONG code = state_open(&S, &config);
        if (code == NO_ERROR) {
            state_enter(&S, STATE_STOPPING);
            state_close(&S);
        } else {
            assert_int_equal(code, ERROR_NOT_ENOUGH_MEMORY);
            failures++;
        }
        assert_int_equal(S.account.bytes, 0);
    }
    assert_true(failures > 10);
    loop_close(loop);
}

static void task_acquire_survives_failing_allocations(void **state)
{
    (void)state;
    open_state(0);
    unsigned failures = 0;
    for (uint64_t n = 1; n < 10; n++) {
        S.account.fail_from = S.account.calls + n;
        struct task *t = task_acquire(&S);
        S.account.fail_from = 0;
        if (t == NULL) {
            failures++;
        } else {
            task_release(t);
            task_free_pool(&S);
        }
    }
    assert_true(failures > 0);
    assert_int_equal(state_count_live(&S, LIVE_TASK), 0);
    close_state();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(task_that_waits_is_woken_with_its_context),
        cmocka_unit_test(task_coroutine_is_used_again),
        cmocka_unit_test(task_that_fails_leaves_value_and_traceback),
        cmocka_unit_test(task_cancelled_while_waiting),
        cmocka_unit_test(task_that_does_not_go_on_drops),
        cmocka_unit_test(task_with_a_call_in_flight_ends_when_it_is_back),
        cmocka_unit_test(task_timeout_fires_and_stops),
        cmocka_unit_test(task_woken_by_another_runs_after_it),
        cmocka_unit_test(task_ids_do_not_mean_another),
        cmocka_unit_test(task_cannot_wait_across_a_boundary),
        cmocka_unit_test(task_that_yields_to_nobody_is_stopped),
        cmocka_unit_test(state_counts_every_byte),
        cmocka_unit_test(state_past_its_maximum_fails_the_task_alone),
        cmocka_unit_test(state_open_survives_each_failing_allocation),
        cmocka_unit_test(task_acquire_survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
