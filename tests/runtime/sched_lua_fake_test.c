/* http.sleep, http.spawn and the functions of Lua that know about waiting. */
#include "runtime/rig.h"

static struct rig rig;

/* Runs a script in a served state until it ends, time jumping to each timer. */
static void run(const char *script)
{
    rig_serve(&rig, "");
    rig_run(&rig, script);
    for (int i = 0; i < 500 && !rig.main_ended; i++) {
        assert_int_equal(loop_run_once(rig.loop, UINT64_C(1000000000)), NO_ERROR);
    }
    if (!rig.main_ended || rig.main_end != TASK_RETURNED) {
        fail_msg("%s\n%s", rig.main_ended ? rig.main_error : "it did not end", rig.logged);
    }
    rig_turn(&rig, 3);
}

static void assert_all_ended(void)
{
    assert_int_equal(state_count_live(&rig.state, LIVE_TASK), 0);
    assert_int_equal(state_count_live(&rig.state, LIVE_TIMER), 0);
    assert_int_equal(lua_gettop(rig.state.L), 0);
    rig_close(&rig);
}

static void ends_well(const char *script)
{
    run(script);
    assert_all_ended();
}

static void sched_sleep_suspends_for_the_time(void **state)
{
    (void)state;
    rig_serve(&rig, "");
    uint64_t before = fake_now_ns();
    rig_run(&rig, "http.sleep(2.5) http.sleep(0)");
    for (int i = 0; i < 20 && !rig.main_ended; i++) {
        loop_run_once(rig.loop, UINT64_MAX);
    }
    assert_int_equal(rig.main_end, TASK_RETURNED);
    uint64_t took = fake_now_ns() - before;
    assert_true(took >= 2500000000u && took < 2600000000u);
    assert_all_ended();
    ends_well("for _, v in ipairs({ -1, 0/0, 1e10, '1x' }) do assert(not pcall(http.sleep, v)) end"
              " assert(not pcall(http.sleep))");
}

static void sched_spawn_returns_results(void **state)
{
    (void)state;
    ends_well(
        "local t = http.spawn(function(a, b) http.sleep(1) return a + b, nil, 'x', nil end, 1, 2)"
        " assert(t:is_running()) local r = table.pack(t:wait()) assert(r.n == 5, r.n)"
        " assert(r[1] == true and r[2] == 3 and r[3] == nil and r[4] == 'x')"
        " assert(not t:is_running()) assert(select('#', t:wait()) == 5)"
        " assert(tostring(t) == 'http.task (returned)')");
}

static void sched_spawn_reports_errors(void **state)
{
    (void)state;
    ends_well("local t = http.spawn(function() error({ 7 }) end) local ok, e = t:wait()"
              " assert(ok == false and e[1] == 7) local again, e2 = t:wait() assert(e2 == e)");
    run("http.spawn(function() error('nobody listens') end) http.sleep(0.1)");
    assert_true(rig_logged(&rig, "a task spawned at test:1 failed: test:1: nobody listens"));
    assert_true(rig_logged(&rig, "stack traceback:"));
    assert_all_ended();
}

static void sched_spawn_wait_times_out(void **state)
{
    (void)state;
    ends_well("local t = http.spawn(function() http.sleep(10) return 'done' end)"
              " local ok, e = t:wait(0.1) assert(ok == nil and e.name == 'timeout')"
              " assert(select(2, t:wait()) == 'done')");
}

static void sched_several_wait_for_one(void **state)
{
    (void)state;
    ends_well("local n = 0 local t = http.spawn(function() http.sleep(1) return 5 end)"
              " local ws = {} for i = 1, 5 do ws[i] = http.spawn(function()"
              " local _, v = t:wait() n = n + v end) end"
              " for _, w in ipairs(ws) do w:wait() end assert(n == 25)");
}

static void sched_cancel_raises_where_it_waits(void **state)
{
    (void)state;
    ends_well(
        "local log = {} local t = http.spawn(function()"
        " local c <close> = setmetatable({}, { __close = function(_, e)"
        " http.sleep(0.1) log[#log + 1] = e.name end }) http.sleep(100) log[#log + 1] = 'no' end)"
        " http.sleep(0.01) t:cancel() local ok, e = t:wait()"
        " assert(ok == false and e.name == 'cancelled', tostring(e))"
        " assert(#log == 1 and log[1] == 'cancelled') t:cancel()");
}

static void sched_cancelled_is_raised_again(void **state)
{
    (void)state;
    ends_well(
        "local n = 0 local t = http.spawn(function()"
        " for i = 1, 3 do if not pcall(http.sleep, 100) then n = n + 1 end end return 'out' end)"
        " http.sleep(0.01) t:cancel() local ok, v = t:wait() assert(ok and v == 'out' and n == 3)");
}

static void sched_close_that_waits_for_ever_is_bounded(void **state)
{
    (void)state;
    ends_well(
        "local t = http.spawn(function()"
        " local c <close> = setmetatable({}, { __close = function() http.sleep(1e6) end })"
        " http.sleep(100) end) http.sleep(0.01) t:cancel()"
        " local ok, e = t:wait(30) assert(ok == false and e.name == 'cancelled', tostring(e))");
}

static void sched_task_closes_with_its_scope(void **state)
{
    (void)state;
    ends_well(
        "local closed do local t <close> = http.spawn(function()"
        " local c <close> = setmetatable({}, { __close = function() http.sleep(0.1) closed = true"
        " end }) http.sleep(1e6) end) http.sleep(0.01) end assert(closed)");
}

static void sched_wait_passes_through_script_coroutines(void **state)
{
    (void)state;
    ends_well(
        "local co = coroutine.create(function(a) http.sleep(1) local b = coroutine.yield(a + 1)"
        " http.sleep(1) return b * 2 end)"
        " local ok, v = coroutine.resume(co, 1) assert(ok and v == 2, v)"
        " assert(coroutine.status(co) == 'suspended')"
        " ok, v = coroutine.resume(co, 21) assert(ok and v == 42)"
        " assert(coroutine.status(co) == 'dead')"
        " ok, v = coroutine.resume(co) assert(not ok and v == 'cannot resume dead coroutine', v)");
    ends_well("local f = coroutine.wrap(function() for i = 1, 3 do http.sleep(1) "
              "coroutine.yield(i) end end)"
              " assert(f() == 1 and f() == 2 and f() == 3)");
    /* Three deep. */
    ends_well("local function deep(n) if n == 0 then http.sleep(1) return 'x' end"
              " local r = coroutine.wrap(function() return deep(n - 1) end)() return r .. n end"
              " assert(deep(5) == 'x12345')");
}

static void sched_cancelled_passes_through_script_coroutines(void **state)
{
    (void)state;
    ends_well(
        "local order = {} local function closer(n) return setmetatable({}, { __close = function()"
        " order[#order + 1] = n end }) end"
        " local t = http.spawn(function() local a <close> = closer('outer')"
        " coroutine.wrap(function() local b <close> = closer('inner') http.sleep(100) end)() end)"
        " http.sleep(0.01) t:cancel() local ok, e = t:wait()"
        " assert(not ok and e.name == 'cancelled', tostring(e))"
        " assert(order[1] == 'inner' and order[2] == 'outer', table.concat(order, ' '))");
}

static void sched_waiting_coroutine_cannot_be_resumed_by_others(void **state)
{
    (void)state;
    ends_well(
        "local co local t = http.spawn(function() co = coroutine.create(function() http.sleep(1) "
        "end)"
        " base = coroutine.running() assert(coroutine.resume(co)) end) http.sleep(0.01)"
        " local ok, e = coroutine.resume(co) assert(not ok and e:find('waits for the host'), e)"
        " ok, e = pcall(coroutine.close, co) assert(not ok and e:find('waits for the host'), e)"
        " ok, e = coroutine.resume(base) assert(not ok and e:find('waits for the host'), e)"
        " assert(t:wait())");
}

static void sched_wait_inside_a_callback_names_the_boundary(void **state)
{
    (void)state;
    ends_well("local ok, e = pcall(string.gsub, 'a', 'a', function() http.sleep(1) end)"
              " assert(not ok and e:find('cannot wait inside string.gsub', 1, true), e)"
              " ok, e = pcall(table.sort, { 2, 1 }, function() http.sleep(1) end)"
              " assert(not ok and e:find('cannot wait inside table.sort', 1, true), e)");
    ends_well("local co = coroutine.wrap(function() http.sleep(1) end)"
              " local ok, e = pcall(string.gsub, 'a', 'a', function() co() end)"
              " assert(not ok and e:find('cannot wait inside', 1, true), e)");
}

static void sched_yield_outside_raises(void **state)
{
    (void)state;
    ends_well("assert(not coroutine.isyieldable()) local ok, e = pcall(coroutine.yield, 1)"
              " assert(not ok and e:find('outside a coroutine'), e)"
              " coroutine.wrap(function() assert(coroutine.isyieldable()) end)()");
}

static void sched_dropped_coroutine_runs_its_close(void **state)
{
    (void)state;
    ends_well(
        "local closed = 0 local function make() local co = coroutine.wrap(function()"
        " local c <close> = setmetatable({}, { __close = function() closed = closed + 1 end })"
        " coroutine.yield() end) co() end for i = 1, 10 do make() end"
        " collectgarbage() collectgarbage() assert(closed == 10, closed)");
}

static void sched_kept_coroutine_runs_its_close_at_the_end(void **state)
{
    (void)state;
    rig_serve(&rig, "");
    rig_run(&rig, "kept = coroutine.wrap(function()"
                  " local c <close> = setmetatable({}, { __close = function() warn('@on') "
                  "warn('clo', 'sed') end })"
                  " coroutine.yield() end) kept()");
    assert_int_equal(state_count_live(&rig.state, LIVE_COROUTINE), 1);
    rig_close(&rig);
    assert_true(rig_logged(&rig, "closed"));
}

static void sched_coroutine_behaves_as_in_the_manual(void **state)
{
    (void)state;
    ends_well(
        "local co = coroutine.create(function(...) local n = select('#', ...)"
        " local a, b = coroutine.yield(n) error({ a, b }) end)"
        " local ok, n = coroutine.resume(co, nil, nil) assert(ok and n == 2)"
        " local ok2, e = coroutine.resume(co, 1, 2) assert(not ok2 and e[1] == 1 and e[2] == 2)"
        " assert(coroutine.status(co) == 'dead') assert(coroutine.close(co) == false)"
        " assert(not pcall(coroutine.create, 5)) assert(not pcall(coroutine.resume, 5))"
        " local c2 = coroutine.create(function() local x <close> = setmetatable({},"
        " { __close = function() error('in close') end }) coroutine.yield() end)"
        " coroutine.resume(c2) local ok3, e3 = coroutine.close(c2)"
        " assert(ok3 == false and e3:find('in close'))"
        " local f = coroutine.wrap(function() error('here') end)"
        " local ok4, e4 = pcall(f) assert(not ok4 and e4:find('here'))"
        " local co5 co5 = coroutine.create(function() return coroutine.resume(co5) end)"
        " local _, ok5, e5 = coroutine.resume(co5) assert(ok5 == false and "
        "e5:find('non%-suspended'), e5)"
        " assert(select('#', coroutine.resume(coroutine.create(function() return nil, nil end))) "
        "== 3)");
}

static void sched_pcall_behaves_as_in_the_manual(void **state)
{
    (void)state;
    ends_well("assert(select('#', pcall(function() return nil, nil end)) == 3)"
              " local ok, e = pcall(error) assert(ok == false and e == nil)"
              " ok, e = xpcall(function(a) return a end, print, 7) assert(ok and e == 7)"
              " ok, e = xpcall(function() error('x', 0) end, function(m) return m .. '!' end)"
              " assert(not ok and e == 'x!') assert(not pcall(pcall))"
              " ok, e = pcall(function() http.sleep(0.1) error('after') end)"
              " assert(not ok and e:find('after'))"
              " ok, e = xpcall(function() http.sleep(0.1) error('after', 0) end, function(m) "
              "return m .. '!' end)"
              " assert(not ok and e == 'after!')");
}

static void sched_spawn_while_loading_starts_when_serving(void **state)
{
    (void)state;
    rig_open(&rig, 0);
    rig_run(&rig, "http.spawn(function() started = true end)");
    lua_getglobal(rig.state.L, "started");
    assert_true(lua_isnil(rig.state.L, -1));
    lua_settop(rig.state.L, 0);
    rig_commit(&rig);
    lua_getglobal(rig.state.L, "started");
    assert_true(lua_toboolean(rig.state.L, -1));
    lua_settop(rig.state.L, 0);
    assert_all_ended();
}

static void sched_deferred_task_of_a_failed_load_is_dropped(void **state)
{
    (void)state;
    rig_open(&rig, 0);
    rig_run(&rig, "http.spawn(function() started = true end)");
    rig_close(&rig);
}

static void sched_many_tasks_take_turns(void **state)
{
    (void)state;
    ends_well("local n = 0 local ts = {} for i = 1, 1000 do ts[i] = http.spawn(function()"
              " for j = 1, 10 do http.sleep(0) end n = n + 1 end) end"
              " for _, t in ipairs(ts) do assert(t:wait()) end assert(n == 1000)");
}

static int exit_now(lua_State *L)
{
    return task_exit(L);
}

static void sched_exit_cannot_be_caught(void **state)
{
    (void)state;
    rig_serve(&rig, "");
    lua_pushcfunction(rig.state.L, exit_now);
    lua_setglobal(rig.state.L, "exit");
    rig_run(&rig, "local c <close> = setmetatable({}, { __close = function() closed = true end })"
                  " pcall(function() xpcall(exit, function(e) return e end) end) "
                  "coroutine.wrap(exit)() after = true");
    assert_int_equal(rig.main_end, TASK_EXITED);
    lua_getglobal(rig.state.L, "closed");
    assert_true(lua_toboolean(rig.state.L, -1));
    lua_getglobal(rig.state.L, "after");
    assert_true(lua_isnil(rig.state.L, -1));
    lua_settop(rig.state.L, 0);
    assert_all_ended();
}

static void sched_killed_task_closes_innermost_first(void **state)
{
    (void)state;
    rig_serve(&rig, "");
    rig_run(&rig,
            "order = '' local function closer(n) return setmetatable({}, { __close = function()"
            " order = order .. n .. (pcall(http.sleep, 1) and '+' or '-') end }) end"
            " local a <close> = closer('a') coroutine.wrap(function() local b <close> = closer('b')"
            " http.sleep(1e6) end)()");
    state_kill_tasks(&rig.state, "enough");
    rig_turn(&rig, 2);
    assert_int_equal(rig.main_end, TASK_KILLED);
    lua_getglobal(rig.state.L, "order");
    assert_string_equal(lua_tostring(rig.state.L, -1), "b-a-");
    lua_settop(rig.state.L, 0);
    assert_all_ended();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sched_sleep_suspends_for_the_time),
        cmocka_unit_test(sched_spawn_returns_results),
        cmocka_unit_test(sched_spawn_reports_errors),
        cmocka_unit_test(sched_spawn_wait_times_out),
        cmocka_unit_test(sched_several_wait_for_one),
        cmocka_unit_test(sched_cancel_raises_where_it_waits),
        cmocka_unit_test(sched_cancelled_is_raised_again),
        cmocka_unit_test(sched_close_that_waits_for_ever_is_bounded),
        cmocka_unit_test(sched_task_closes_with_its_scope),
        cmocka_unit_test(sched_wait_passes_through_script_coroutines),
        cmocka_unit_test(sched_cancelled_passes_through_script_coroutines),
        cmocka_unit_test(sched_waiting_coroutine_cannot_be_resumed_by_others),
        cmocka_unit_test(sched_wait_inside_a_callback_names_the_boundary),
        cmocka_unit_test(sched_yield_outside_raises),
        cmocka_unit_test(sched_dropped_coroutine_runs_its_close),
        cmocka_unit_test(sched_kept_coroutine_runs_its_close_at_the_end),
        cmocka_unit_test(sched_coroutine_behaves_as_in_the_manual),
        cmocka_unit_test(sched_pcall_behaves_as_in_the_manual),
        cmocka_unit_test(sched_spawn_while_loading_starts_when_serving),
        cmocka_unit_test(sched_deferred_task_of_a_failed_load_is_dropped),
        cmocka_unit_test(sched_many_tasks_take_turns),
        cmocka_unit_test(sched_exit_cannot_be_caught),
        cmocka_unit_test(sched_killed_task_closes_innermost_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
