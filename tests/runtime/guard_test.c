/* The guard on this thread as the worker: real clock, real signal, real Lua; no assertion on time
 * but that the loop comes back. */
#include "support/cmocka_all.h"

#include <string.h>
#include <time.h>

#include <lauxlib.h>
#include <lualib.h>

#include "api/loop.h"
#include "base/clock.h"
#include "binding/ledger.h"
#include "binding/request.h"
#include "binding/state.h"
#include "binding/task.h"
#include "runtime/generation.h"
#include "runtime/guard.h"
#include "runtime/host.h"

enum { TURNS_MAX = 100000 };

struct bench {
    struct loop *loop;
    struct ledger *ledger;
    struct guard *guard;
    struct member member;
    enum task_end end; /* of the first task */
    bool ended;
    bool other_ended; /* the second task has had its turn */
    char why[256];
};

static void on_guard_wake(struct state *S)
{
    guard_wake(((struct member *)S->host)->guard);
}

static const struct state_hooks hooks = {.on_guard_wake = on_guard_wake};

static void bench_open(struct bench *bench, const struct host_limits *limits)
{
    const struct ledger_options options = {.log = NULL};
    memset(bench, 0, sizeof *bench);
    assert_int_equal(loop_open(LOOP_BACKEND_DEFAULT, &bench->loop), NO_ERROR);
    bench->ledger = ledger_create(&options);
    assert_non_null(bench->ledger);
    assert_int_equal(guard_create(2, limits, &bench->guard), NO_ERROR);
    const struct state_config config = {.loop = bench->loop,
                                        .ledger = bench->ledger,
                                        .hooks = &hooks,
                                        .host = &bench->member,
                                        .generation = 1};
    assert_int_equal(state_open(&bench->member.state, &config), NO_ERROR);
    luaL_openlibs(bench->member.state.L);
    bench->member.guard = guard_attach(bench->guard, &bench->member.state);
    assert_non_null(bench->member.guard);
    state_enter(&bench->member.state, STATE_LOADED);
    state_enter(&bench->member.state, STATE_SERVING);
}

static void bench_close(struct bench *bench)
{
    state_enter(&bench->member.state, STATE_STOPPING);
    state_kill_tasks(&bench->member.state, "end of the test");
    for (int i = 0; i < TURNS_MAX && !state_is_quiet(&bench->member.state); i++) {
        assert_int_equal(loop_run_once(bench->loop, UINT64_C(100000000)), NO_ERROR);
    }
    guard_detach(bench->member.guard);
    state_close(&bench->member.state);
    guard_destroy(bench->guard);
    ledger_destroy(bench->ledger);
    loop_close(bench->loop);
}

static void on_end(struct task *task, enum task_end end, int nresults)
{
    struct bench *bench = task->owner;
    bench->end = end;
    bench->ended = true;
    if (nresults > 0 && lua_type(task->co, -nresults) == LUA_TSTRING) {
        strncpy(bench->why, lua_tostring(task->co, -nresults), sizeof bench->why - 1);
    }
}

static void on_other_end(struct task *task, enum task_end end, int nresults)
{
    struct bench *bench = task->owner;
    (void)end;
    (void)nresults;
    bench->other_ended = true;
}

static void start(struct bench *bench, const char *text,
                  void (*ended)(struct task *, enum task_end, int))
{
    struct task *task = task_acquire(&bench->member.state);
    assert_non_null(task);
    assert_int_equal(luaL_loadstring(task->co, text), LUA_OK);
    task->on_end = ended;
    task->owner = bench;
    task->name = "test";
    task_resume(task, 0);
}

static void turn_until(struct bench *bench, const bool *flag)
{
    for (int i = 0; i < TURNS_MAX && !*flag; i++) {
        assert_int_equal(loop_run_once(bench->loop, UINT64_C(100000000)), NO_ERROR);
    }
    assert_true(*flag);
}

#define MS UINT64_C(1000000)

static void guard_endless_loop_lets_others_run(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct host_limits){.resume_ns = 10000 * MS, .request_ns = 60000 * MS});
    start(&bench, "while true do end", on_end); /* returns although the loop never ends */
    assert_false(bench.ended);
    start(&bench, "local n = 0 for i = 1, 1000 do n = n + i end", on_other_end);
    turn_until(&bench, &bench.other_ended);
    assert_false(bench.ended);
    bench_close(&bench);
}

static void guard_loop_past_the_request_limit_is_killed(void **state)
{
    static const char *const loops[] = {
        "while true do end",
        "local ok = pcall(function() while true do end end) while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() return f() end f()",
        "repeat local t = {} until false",
        "for i = 1, math.huge do end",
    };
    (void)state;
    for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++) {
        struct bench bench;
        bench_open(&bench, &(struct host_limits){.resume_ns = 10000 * MS, .request_ns = 50 * MS});
        start(&bench, loops[i], on_end);
        turn_until(&bench, &bench.ended);
        assert_int_equal(bench.end, TASK_KILLED);
        assert_non_null(strstr(bench.why, "request limit"));
        bench_close(&bench);
    }
}

/* Stands for what a busy machine does: time passes in which the worker does not run. */
static int nap(lua_State *L)
{
    struct timespec left = {.tv_nsec = 5 * 1000000L};
    (void)L;
    while (nanosleep(&left, &left) != 0) {
    }
    return 0;
}

static void guard_counts_only_time_that_the_task_has_run(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct host_limits){.resume_ns = 60000 * MS, .request_ns = 400 * MS});
    lua_register(bench.member.state.L, "nap", nap);
    start(&bench, "for i = 1, 200 do nap() end", on_end); /* a second, and hardly any work */
    turn_until(&bench, &bench.ended);
    assert_int_equal(bench.end, TASK_RETURNED);
    bench_close(&bench);
}

/* A gsub callback cannot be suspended: the error must get through every pcall there. */
static void guard_loop_that_cannot_yield_is_ended_at_the_resume_limit(void **state)
{
    static const char *const loops[] = {
        "string.gsub('x', '.', function() while true do end end)",
        "string.gsub('x', '.', function() while 1 do pcall(load('while 1 do end')) end end)",
        "table.sort({1, 2, 3}, function() while true do end end)",
    };
    (void)state;
    for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++) {
        struct bench bench;
        bench_open(&bench, &(struct host_limits){.resume_ns = 50 * MS, .request_ns = 60000 * MS});
        start(&bench, loops[i], on_end);
        turn_until(&bench, &bench.ended);
        assert_int_equal(bench.end, TASK_FAILED);
        assert_non_null(strstr(bench.why, "resume limit"));
        bench_close(&bench);
    }
}

/* The hard stop runs <close> variables where nothing can be suspended. */
static void guard_close_of_a_stopped_task_ends_too(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct host_limits){.resume_ns = 50 * MS, .request_ns = 30 * MS});
    start(&bench,
          "local function forever() while true do pcall(load('while 1 do end')) end end "
          "local a <close> = setmetatable({}, { __close = forever }) "
          "local b <close> = setmetatable({}, { __close = forever }) forever()",
          on_end);
    turn_until(&bench, &bench.ended);
    assert_int_equal(bench.end, TASK_KILLED);
    bench_close(&bench);
}

static void guard_short_work_is_not_disturbed(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct host_limits){.resume_ns = 1, .request_ns = 1});
    for (int i = 0; i < 100; i++) {
        bench.ended = false;
        start(&bench, "return 1", on_end);
        assert_true(bench.ended);
        assert_int_equal(bench.end, TASK_RETURNED);
    }
    bench_close(&bench);
}

static void guard_wakes_again_after_it_has_slept(void **state)
{
    struct bench bench;
    (void)state;
    bench_open(&bench, &(struct host_limits){.resume_ns = 10000 * MS, .request_ns = 30 * MS});
    for (int i = 0; i < 3; i++) {
        uint64_t end_ns = clock_mono_ns() + 5 * GUARD_LOOK_MS * MS;
        while (clock_mono_ns() < end_ns && !atomic_load(bench.member.state.watch.parked)) {
            assert_int_equal(loop_run_once(bench.loop, MS), NO_ERROR);
        }
        bench.ended = false;
        start(&bench, "while true do end", on_end);
        turn_until(&bench, &bench.ended);
        assert_int_equal(bench.end, TASK_KILLED);
    }
    bench_close(&bench);
}

/* ThreadSanitizer holds a signal back until the thread next calls into libc, which an endless loop
 * never does. */
#if defined(__SANITIZE_THREAD__)
enum { SIGNALS_COME_LATE = 1 };
#else
enum { SIGNALS_COME_LATE = 0 };
#endif

int main(void)
{
    enum { SKIPPED = 77 };
    if (SIGNALS_COME_LATE) {
        return SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guard_endless_loop_lets_others_run),
        cmocka_unit_test(guard_loop_past_the_request_limit_is_killed),
        cmocka_unit_test(guard_counts_only_time_that_the_task_has_run),
        cmocka_unit_test(guard_loop_that_cannot_yield_is_ended_at_the_resume_limit),
        cmocka_unit_test(guard_close_of_a_stopped_task_ends_too),
        cmocka_unit_test(guard_short_work_is_not_disturbed),
        cmocka_unit_test(guard_wakes_again_after_it_has_slept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
