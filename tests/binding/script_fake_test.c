/* Property test of the Lua types: random scripts make and close sessions, groups, queues and URLs
 * by every route Lua has, while an allocation of Lua or a contract call fails somewhere.
 *
 * A run is one state: a script while it loads, the commit, a second script while it serves, then
 * its end (the generation retires, or the process stops), stages 5 and 6. The record of the fake
 * must show each object closed once, children first, and HttpTerminate last.
 *
 * SCRIPT_SEED and SCRIPT_RUNS in the environment choose others; a failure prints its seed and its
 * scripts, shortened as far as they still fail.
 * ctest-timeout: 300 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "binding/ledger.h"
#include "binding/module.h"
#include "binding/request.h"
#include "binding/state.h"
#include "support/fake.h"

enum { RUNS_DEFAULT = 3000, LINES_MAX = 40, LINE_BYTES = 200, TURNS_MAX = 100 };

struct program {
    char line[LINES_MAX][LINE_BYTES];
    size_t count;
    size_t loading;         /* the first lines run while it loads */
    uint64_t allocation_at; /* from this allocation of the scripts on, each fails; 0: none */
    size_t fault_at;        /* contract call that fails; 0: none */
    ULONG fault_code;
    bool retires;  /* the generation ends before the process stops */
    bool quiet_gc; /* the state closes before stage 5 */
};

/* What is alive during a run. */
struct run {
    struct ledger *ledger;
    struct loop *loop;
    struct request_pool pool;
    struct state state;
    uint64_t refused; /* allocations of Lua that were made to fail */
};

static uint64_t next_random(uint64_t *seed)
{
    *seed += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = *seed;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static unsigned below(uint64_t *seed, unsigned limit)
{
    return (unsigned)(next_random(seed) % limit);
}

/* --- running --- */

static int open_libraries(lua_State *L)
{
    luaL_openlibs(L);
    module_open(L, NULL);
    return 0;
}

/* Runs lines [from, to) as one chunk; an error in a line ends that line alone. */
static void run_lines(struct run *run, const struct program *program, size_t from, size_t to)
{
    lua_State *L = run->state.L;
    size_t cap = (LINE_BYTES + 40) * (to - from) + 100, len = 0;
    char *text = malloc(cap);
    assert_non_null(text);
    len += (size_t)snprintf(text, cap, "V = V or {} C = C or {} local V, C = V, C\n");
    for (size_t i = from; i < to; i++) {
        len +=
            (size_t)snprintf(text + len, cap - len, "pcall(function() %s end)\n", program->line[i]);
    }
    if (luaL_loadbuffer(L, text, len, "@app.lua") == LUA_OK) {
        struct account *account = &run->state.account;
        uint64_t refused = account->refused;
        if (program->allocation_at > 0) {
            account->fail_from = account->calls + program->allocation_at;
        }
        (void)lua_pcall(L, 0, 0, 0); /* no memory for the chunk itself is one of the cases */
        account->fail_from = 0;
        run->refused += account->refused - refused;
        state_close_reserve(&run->state);
    } else {
        fail_msg("%s\n%s", lua_tostring(L, -1), text);
    }
    lua_settop(L, 0);
    free(text);
}

static void open_run(struct run *run, const struct program *program)
{
    struct ledger_options options = {0};
    struct ledger_error error;
    memset(run, 0, sizeof *run);
    fake_reset();
    run->ledger = ledger_create(&options);
    assert_non_null(run->ledger);
    assert_int_equal(ledger_initialize(run->ledger, HTTP_INITIALIZE_SERVER, &error), NO_ERROR);
    assert_int_equal(loop_open(LOOP_BACKEND_DEFAULT, &run->loop), NO_ERROR);
    httpreq_pool_init(&run->pool);
    struct state_config config = {.loop = run->loop, .ledger = run->ledger, .generation = 1};
    assert_int_equal(state_open(&run->state, &config), NO_ERROR);
    lua_pushcfunction(run->state.L, open_libraries);
    assert_int_equal(lua_pcall(run->state.L, 0, 0, 0), LUA_OK);
    fake_fail_nth(program->fault_at, program->fault_code);
}

/* Loads and commits; false: the generation was discarded. */
static bool load(struct run *run, const struct program *program)
{
    struct ledger_error error;
    run_lines(run, program, 0, program->loading);
    state_enter(&run->state, STATE_LOADED);
    if (ledger_check(run->ledger, 1, 1, &error) == NO_ERROR &&
        ledger_commit(run->ledger, 1, LEDGER_PHASE_OBJECTS, &error) == NO_ERROR &&
        ledger_commit(run->ledger, 1, LEDGER_PHASE_URLS, &error) == NO_ERROR) {
        state_enter(&run->state, STATE_SERVING);
        state_move(&run->state, run->loop, &run->pool);
        return true;
    }
    ledger_discard(run->ledger, 1);
    return false;
}

static void close_state(struct run *run)
{
    state_enter(&run->state, STATE_STOPPING);
    state_kill_tasks(&run->state, "the test ends");
    for (int i = 0; i < TURNS_MAX && !state_is_quiet(&run->state); i++) {
        assert_int_equal(loop_run_once(run->loop, 0), NO_ERROR);
    }
    state_close(&run->state);
}

static void close_run(struct run *run, const struct program *program, bool serving)
{
    bool open = true;
    if (serving && program->retires) {
        state_enter(&run->state, STATE_RETIRING);
        ledger_retire(run->ledger, 1);
    }
    if (!serving || program->retires || program->quiet_gc) {
        close_state(run);
        open = false;
    }
    size_t stop = fake_record_count();
    ledger_stop(run->ledger);
    (void)ledger_shutdown_queues(run->ledger); /* failures are in the record */
    (void)ledger_close_all(run->ledger);       /* as above */
    if (open) {
        close_state(run);
    }
    httpreq_pool_deinit(&run->pool);
    loop_close(run->loop);
    (void)ledger_terminate(run->ledger); /* as above */
    ledger_destroy(run->ledger);
    (void)fake_check_kind_order(stop); /* read by the caller */
    (void)fake_check_end();            /* as above */
}

/* Whether every rule held; *refused: allocations that were made to fail. */
static bool run_program(const struct program *program, uint64_t *refused)
{
    struct run *run = malloc(sizeof *run);
    assert_non_null(run);
    open_run(run, program);
    bool serving = load(run, program);
    if (serving) {
        run_lines(run, program, program->loading, program->count);
    }
    close_run(run, program, serving);
    *refused = run->refused;
    free(run);
    return fake_violation_count() == 0;
}

/* --- making and shortening scripts --- */

static void make_line(char *out, uint64_t *seed)
{
    static const char *const form[] = {
        "V[%u] = http.session { name = ({ 'a', 'b' })[%u] }",
        "V[%u] = http.session {} V[%u] = http.queue {}",
        "V[%u] = V[%u]:group { queue = V[%u] }",
        "V[%u] = V[%u]:group { queue = {} }",
        "V[%u] = V[%u]:add_url('http://localhost:8080/%u/', function() end)",
        "V[%u] = V[%u]:add_url('http://localhost:8080/%u/', function() end)",
        "V[%u] = http.add_url('/b%u/', function() end)",
        "V[%u]:close() V[%u]:close()",
        "V[%u] = nil V[%u] = nil collectgarbage()",
        "V[%u] = nil collectgarbage() collectgarbage()",
        "local s <close> = http.session {} local g <close> = s:group { queue = V[%u] } "
        "local u <close> = g:add_url('http://localhost:8080/%u/', function() end) error('x')",
        "local s <close> = V[%u] local g <close> = V[%u] local u <close> = V[%u]",
        "C[%u] = coroutine.wrap(function() local s <close> = http.session {} "
        "local g = s:group { queue = V[%u] } coroutine.yield(g) end) V[%u] = C[%u]()",
        "C[%u] = nil C[%u]()",
        "V[%u] = setmetatable({ V[%u] }, { __gc = function(t) t[1]:close() error('gc') end })",
        "V[%u].timeouts = { header_wait = %u }",
        "V[%u]:remove_url('http://localhost:8080/%u/')",
        "http.remove_url('/b%u/') http.tree()",
    };
    unsigned n[4];
    for (int i = 0; i < 4; i++) {
        n[i] = 1 + below(seed, 5);
    }
    const char *chosen = form[below(seed, sizeof form / sizeof form[0])];
    /* The forms are constants of this function, each with at most four numbers. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
    snprintf(out, LINE_BYTES, chosen, n[0], n[1], n[2], n[3]);
#pragma GCC diagnostic pop
}

static void make_program(struct program *program, uint64_t seed)
{
    memset(program, 0, sizeof *program);
    program->count = 5 + below(&seed, LINES_MAX - 5);
    program->loading = below(&seed, (unsigned)program->count);
    program->allocation_at = below(&seed, 3) == 0 ? 1 + below(&seed, 400) : 0;
    program->fault_at = below(&seed, 3) == 0 ? 1 + below(&seed, 40) : 0;
    program->fault_code = below(&seed, 2) == 0 ? ERROR_NOT_ENOUGH_MEMORY : ERROR_SHARING_VIOLATION;
    program->retires = below(&seed, 3) == 0;
    program->quiet_gc = below(&seed, 3) == 0;
    for (size_t i = 0; i < program->count; i++) {
        make_line(program->line[i], &seed);
    }
}

static void shorten(struct program *program)
{
    uint64_t refused = 0;
    for (size_t i = program->count; i-- > 0;) {
        struct program shorter = *program;
        memmove(shorter.line[i], shorter.line[i + 1], (shorter.count - i - 1) * LINE_BYTES);
        shorter.count--;
        shorter.loading -= i < shorter.loading;
        if (!run_program(&shorter, &refused)) {
            *program = shorter;
        }
    }
    (void)run_program(program, &refused); /* it fails: for its record */
}

static void print_program(const struct program *program)
{
    print_message("%s%s, allocation %llu fails, call %zu fails with %u\n",
                  program->retires ? "retires" : "stops",
                  program->quiet_gc ? ", closes before stage 5" : "",
                  (unsigned long long)program->allocation_at, program->fault_at,
                  (unsigned)program->fault_code);
    for (size_t i = 0; i < program->count; i++) {
        print_message("%s %s\n", i < program->loading ? "load " : "serve", program->line[i]);
    }
}

static unsigned long from_environment(const char *name, unsigned long otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoul(text, NULL, 10) : otherwise;
}

/* --- tests --- */

static void script_closed_by_any_route_in_order(void **state)
{
    (void)state; /* none is kept */
    unsigned long seed = from_environment("SCRIPT_SEED", 1);
    unsigned long runs = from_environment("SCRIPT_RUNS", RUNS_DEFAULT);
    for (unsigned long i = 0; i < runs; i++) {
        struct program program;
        uint64_t refused = 0;
        make_program(&program, seed + i);
        if (!run_program(&program, &refused)) {
            shorten(&program);
            fake_print_record();
            print_program(&program);
            fail_msg("SCRIPT_SEED=%lu: %s", seed + i, fake_violation_at(0));
        }
    }
}

/* Every allocation of a fixed script fails once, and with it every later one. */
static void script_each_allocation_failing_in_order(void **state)
{
    (void)state; /* none is kept */
    static const char *const lines[] = {
        "V.q = http.queue { length = 5 } V.s = http.session { name = 'n' }",
        "V.g = V.s:group { queue = V.q } V.h = V.s:group { queue = {} }",
        "V.u = V.g:add_url('http://localhost:8080/a/', function() end)",
        "http.add_url('/b/', function() end)",
        "do local s <close> = http.session {} local g <close> = s:group { queue = V.q } end",
        "local u <close> = V.g:add_url('http://localhost:8080/c/', function() end)",
        "V.x = V.s:group {} V.x = nil collectgarbage()",
        "V.u:close() V.g:add_url('http://localhost:8080/d/', function() end) http.tree()",
        "V.q:close()",
    };
    struct program program = {.count = sizeof lines / sizeof lines[0], .loading = 4};
    uint64_t refused = 1;
    for (size_t i = 0; i < program.count; i++) {
        snprintf(program.line[i], LINE_BYTES, "%s", lines[i]);
    }
    for (program.allocation_at = 1; refused > 0; program.allocation_at++) {
        if (!run_program(&program, &refused)) {
            fake_print_record();
            fail_msg("allocation %llu failing: %s", (unsigned long long)program.allocation_at,
                     fake_violation_at(0));
        }
    }
    assert_true(program.allocation_at > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(script_closed_by_any_route_in_order),
        cmocka_unit_test(script_each_allocation_failing_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
