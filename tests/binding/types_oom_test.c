/* Every allocation of a script and of its commit fails once, Lua's and ours alike: nothing leaks
 * and the ledger ends empty.
 *
 * Behind it stands the engine. */
#include "support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "api/loop.h"
#include "binding/json.h"
#include "binding/ledger.h"
#include "binding/module.h"
#include "binding/request.h"
#include "binding/state.h"
#include "support/failmalloc.h"

static uint16_t port;

static const char loading[] =
    "local queue = http.queue { length = 1000 }\n"
    "local session = http.session { name = 'shop', timeouts = { header_wait = 5 } }\n"
    "local group = session:group { queue = queue }\n"
    "local app = http.router()\n"
    "app:get('/users/:id', function(r) return r.params.id end):any('/x', print)\n"
    "url = group:add_url('/api/', app)\n"
    "group.state = 'inactive'\n"
    "http.add_url('/bare/', function() return tostring(queue) end)\n"
    "local other = session:group { queue = { length = 5 }, name = 'other' }\n"
    "other:close()\n"
    "assert(app { method = 'GET', path = '/users/7' } == '7')\n"
    "tostring(http.tree())\n";

static const char serving[] = "do\n"
                              "  local session <close> = http.session()\n"
                              "  local group <close> = assert(session:group { queue = {} })\n"
                              "  local late <close> = assert(group:add_url('/late/', print))\n"
                              "  local none, e = group:add_url('/late', print)\n"
                              "  assert(none == nil and tostring(e):find 'ALREADY')\n"
                              "end\n"
                              "url:close()\n";

static int open_libraries(lua_State *L)
{
    luaL_openlibs(L);
    module_open(L, NULL);
    return 0;
}

static int run_text(lua_State *L)
{
    const char *text = lua_touserdata(L, 1);
    if (luaL_loadbuffer(L, text, strlen(text), "@app.lua") != LUA_OK) {
        return lua_error(L);
    }
    lua_call(L, 0, 0);
    return 0;
}

static bool run(struct state *S, const char *text)
{
    lua_State *L = S->L;
    lua_settop(L, 0);
    lua_pushcfunction(L, run_text);
    lua_pushlightuserdata(L, (void *)(uintptr_t)text);
    int status = lua_pcall(L, 1, 0, 0);
    state_close_reserve(S);
    lua_settop(L, 0);
    return status == LUA_OK;
}

static bool commit(struct ledger *ledger, struct state *S)
{
    struct ledger_error error;
    if (ledger_check(ledger, 1, 1, &error) != NO_ERROR ||
        ledger_commit(ledger, 1, LEDGER_PHASE_OBJECTS, &error) != NO_ERROR ||
        ledger_commit(ledger, 1, LEDGER_PHASE_URLS, &error) != NO_ERROR) {
        ledger_discard(ledger, 1);
        return false;
    }
    state_enter(S, STATE_SERVING);
    return true;
}

/* One life, where the armed allocation fails in the middle part. *fired: it did. */
static bool live(size_t nth, bool *fired)
{
    struct ledger_error error;
    struct ledger_options options = {0};
    struct state S;
    struct loop *loop = NULL;
    char base[64];
    snprintf(base, sizeof base, "http://localhost:%u", port);
    struct ledger_address address = {base, false};
    struct ledger *ledger = ledger_create(&options);
    assert_non_null(ledger);
    assert_int_equal(ledger_initialize(ledger, HTTP_INITIALIZE_SERVER, &error), NO_ERROR);
    assert_int_equal(ledger_set_addresses(ledger, &address, 1), NO_ERROR);
    assert_int_equal(loop_open(LOOP_BACKEND_DEFAULT, &loop), NO_ERROR);
    struct state_config config = {.loop = loop, .ledger = ledger, .generation = 1};
    assert_int_equal(state_open(&S, &config), NO_ERROR);
    lua_pushcfunction(S.L, open_libraries);
    assert_int_equal(lua_pcall(S.L, 0, 0, 0), LUA_OK);

    if (nth > 0) {
        failmalloc_arm(nth);
    }
    bool good = run(&S, loading);
    state_enter(&S, STATE_LOADED);
    good = good && commit(ledger, &S) && run(&S, serving);
    *fired = nth > 0 && failmalloc_disarm();

    ledger_stop(ledger);
    assert_int_equal(ledger_close_all(ledger), 0);
    state_enter(&S, STATE_STOPPING);
    state_close(&S);
    assert_int_equal(ledger_count(ledger, NODE_URL), 0);
    assert_int_equal(ledger_terminate(ledger), 0);
    ledger_destroy(ledger);
    loop_close(loop);
    return good;
}

static void types_each_allocation_failing_loses_nothing(void **state)
{
    (void)state;
    bool fired = false;
    assert_int_equal(loop_find_free_port(&port), NO_ERROR);
    assert_true(live(0, &fired));
    size_t nth = 1;
    for (;; nth++) {
        /* Lua collects and tries again, so that a failure may well go unnoticed. */
        bool good = live(nth, &fired);
        if (!fired) {
            assert_true(good);
            break;
        }
    }
    assert_true(nth > (CELLS_APART ? 100 : 20)); /* else one malloc serves many pieces */
}

static int encode(lua_State *L)
{
    lua_pushboolean(L, json_push(L, 1, JSON_BYTES_MAX));
    return 1;
}

static void json_each_allocation_failing_loses_nothing(void **state)
{
    (void)state;
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    assert_int_equal(
        luaL_dostring(L, "local t = {} for i = 1, 500 do t[i] = { n = i, f = i / 3 } end return t"),
        LUA_OK);
    for (size_t nth = 1;; nth++) {
        lua_settop(L, 1);
        lua_pushcfunction(L, encode);
        lua_pushvalue(L, 1);
        lua_gc(L, LUA_GCSTOP);
        failmalloc_arm(nth);
        int status = lua_pcall(L, 1, 1, 0);
        bool fired = failmalloc_disarm();
        lua_gc(L, LUA_GCRESTART);
        if (!fired) {
            assert_int_equal(status, LUA_OK);
            assert_true(lua_toboolean(L, -1));
            break;
        }
    }
    lua_close(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_each_allocation_failing_loses_nothing),
        cmocka_unit_test(json_each_allocation_failing_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
