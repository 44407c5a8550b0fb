/* http.session, http.group, http.queue, http.url as a script sees them, over the recording fake. */
#include "support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "binding/handlers.h"
#include "binding/ledger.h"
#include "binding/module.h"
#include "binding/request.h"
#include "binding/state.h"
#include "support/fake.h"

struct context {
    struct ledger *ledger;
    struct loop *loop;
    struct request_pool pool;
    struct state state;
    struct log log;
    char logged[4096]; /* lines of level warn and above */
    unsigned queues;   /* calls of on_queue */
    ULONG queue_result;
};

static void keep_line(void *ctx, enum log_level level, struct slice line)
{
    struct context *c = ctx;
    size_t len = strlen(c->logged);
    if (level <= LOG_LEVEL_WARN) {
        snprintf(c->logged + len, sizeof c->logged - len, "%.*s\n", (int)line.len, line.p);
    }
}

static ULONG on_queue(struct state *S, uint64_t queue_id, HANDLE queue)
{
    struct context *c = S->host;
    assert_int_not_equal(queue_id, 0);
    assert_non_null(queue);
    c->queues++;
    return c->queue_result;
}

static const struct state_hooks hooks = {.on_queue = on_queue};

static int open_libraries(lua_State *L)
{
    luaL_openlibs(L);
    module_open(L, NULL);
    return 0;
}

static int set_up(void **state)
{
    struct context *c = calloc(1, sizeof *c);
    struct ledger_error error;
    assert_non_null(c);
    fake_reset();
    c->log = (struct log){LOG_LEVEL_WARN, keep_line, c};
    struct ledger_options options = {.log = &c->log};
    c->ledger = ledger_create(&options);
    assert_non_null(c->ledger);
    assert_int_equal(ledger_initialize(c->ledger, HTTP_INITIALIZE_SERVER, &error), NO_ERROR);
    assert_int_equal(loop_open(LOOP_BACKEND_DEFAULT, &c->loop), NO_ERROR);
    httpreq_pool_init(&c->pool);
    struct state_config config = {.loop = c->loop,
                                  .ledger = c->ledger,
                                  .log = &c->log,
                                  .hooks = &hooks,
                                  .host = c,
                                  .generation = 1};
    assert_int_equal(state_open(&c->state, &config), NO_ERROR);
    lua_pushcfunction(c->state.L, open_libraries);
    assert_int_equal(lua_pcall(c->state.L, 0, 0, 0), LUA_OK);
    *state = c;
    return 0;
}

static int tear_down(void **state)
{
    struct context *c = *state;
    ledger_stop(c->ledger);
    (void)ledger_close_all(c->ledger); /* failures are violations of the fake */
    state_enter(&c->state, STATE_STOPPING);
    state_close(&c->state);
    (void)ledger_terminate(c->ledger); /* as above */
    ledger_destroy(c->ledger);
    httpreq_pool_deinit(&c->pool);
    loop_close(c->loop);
    (void)fake_check_end(); /* counted below */
    for (size_t i = 0; i < fake_violation_count(); i++) {
        fprintf(stderr, "%s\n", fake_violation_at(i));
    }
    size_t violations = fake_violation_count();
    free(c);
    return violations == 0 ? 0 : -1;
}

/* Runs a chunk named app.lua; a failure fails the test with its message. */
static void run(struct context *c, const char *source)
{
    lua_State *L = c->state.L;
    lua_settop(L, 0);
    if (luaL_loadbuffer(L, source, strlen(source), "@app.lua") != LUA_OK ||
        lua_pcall(L, 0, 0, 0) != LUA_OK) {
        fail_msg("%s", luaL_tolstring(L, -1, NULL));
    }
}

/* Runs a chunk that must fail; returns the message, good until the next run. */
static const char *run_badly(struct context *c, const char *source)
{
    lua_State *L = c->state.L;
    lua_settop(L, 0);
    assert_int_equal(luaL_loadbuffer(L, source, strlen(source), "@app.lua"), LUA_OK);
    assert_int_not_equal(lua_pcall(L, 0, 0, 0), LUA_OK);
    return luaL_tolstring(L, -1, NULL);
}

static void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, text);
    }
}

static void commit(struct context *c)
{
    struct ledger_error error;
    state_enter(&c->state, STATE_LOADED);
    assert_int_equal(ledger_commit(c->ledger, 1, LEDGER_PHASE_OBJECTS, &error), NO_ERROR);
    assert_int_equal(ledger_commit(c->ledger, 1, LEDGER_PHASE_URLS, &error), NO_ERROR);
    state_enter(&c->state, STATE_SERVING);
    state_move(&c->state, c->loop, &c->pool);
}

static void collect(struct context *c)
{
    lua_gc(c->state.L, LUA_GCCOLLECT);
    lua_gc(c->state.L, LUA_GCCOLLECT);
}

/* The example of explicit life times, without its end. */
#define GRAPH                                                                                      \
    "queue = http.queue { length = 1000 }\n"                                                       \
    "session = http.session { name = 'shop', timeouts = { header_wait = 5 } }\n"                   \
    "group = session:group { queue = queue }\n"                                                    \
    "url = group:add_url('http://localhost:8080/api/', function() end)\n"

static void types_declare_while_loading_and_open_at_commit(void **state)
{
    struct context *c = *state;
    size_t from = fake_record_count();
    run(c, GRAPH);
    assert_int_equal(fake_record_count(), from);
    commit(c);
    assert_int_equal(fake_open_count(FAKE_URL), 1);
    assert_int_equal(fake_count_calls("HttpSetRequestQueueProperty"), 1);
    assert_int_equal(fake_count_calls("HttpSetServerSessionProperty"), 1);
    run(c, "assert(url.prefixes[1] == 'http://localhost:8080/api/' and #url.prefixes == 1)");
}

static void types_functions_and_methods_are_the_same(void **state)
{
    struct context *c = *state;
    run(c, GRAPH "local g = http.group(session, { name = 'two' })\n"
                 "local u = http.add_url(g, '/two/', print)\n"
                 "assert(http.remove_url(g, '/two/') == true and u.closed)\n"
                 "assert(http.remove_url(url) and url.closed)\n"
                 "local none, e = g:remove_url('/two/')\n"
                 "assert(none == nil and e.name == 'ERROR_FILE_NOT_FOUND' and e.code == 2)");
}

static void types_tell_their_name_and_place(void **state)
{
    struct context *c = *state;
    run(c, GRAPH "assert(tostring(queue) == 'http.queue (app.lua:1)', tostring(queue))\n"
                 "assert(tostring(session) == 'http.session shop (app.lua:2)')\n"
                 "assert(tostring(url) == 'http.url http://localhost:8080/api/ (app.lua:4)')\n"
                 "group:close()\n"
                 "assert(tostring(url) == 'http.url (closed at app.lua:8)', tostring(url))\n"
                 "assert(tostring(group) == 'http.group (closed at app.lua:8)', tostring(group))\n"
                 "assert(group.closed and url.closed and not session.closed)\n");
    assert_contains(run_badly(c, "return group:add_url('/x', print)"),
                    "app.lua:1: closed http.group (closed at app.lua:8)");
    assert_contains(run_badly(c, "return url.path"), "closed http.url (closed at app.lua:8)");
    assert_contains(run_badly(c, "group:add_url(1)"), "closed http.group");
    assert_contains(run_badly(c, "session.add_url()"), "http.session has no field 'add_url'");
    assert_contains(run_badly(c, "http.group(queue)"), "http.session expected, got http.queue");
}

static void types_close_twice_is_silent(void **state)
{
    struct context *c = *state;
    run(c, GRAPH);
    commit(c);
    size_t from = fake_record_count();
    run(c, "session:close() session:close() group:close() url:close() queue:close() queue:close()");
    assert_int_equal(fake_record_count(), from + 4);
    assert_string_equal(fake_record_at(from)->call, "HttpRemoveUrlFromUrlGroup");
    assert_string_equal(fake_record_at(from + 3)->call, "HttpCloseRequestQueue");
}

static void types_naming_an_object_again_adds_to_it(void **state)
{
    struct context *c = *state;
    run(c, GRAPH "again = http.session { name = 'shop' }\n"
                 "named = again:group { name = 'g', queue = queue, connection_limit = 5 }\n"
                 "same = session:group { name = 'g', state = 'inactive' }\n"
                 "assert(again.timeouts.header_wait == 5 and same.connection_limit == 5)\n"
                 "assert(named.state == 'inactive')");
    commit(c);
    assert_int_equal(fake_open_count(FAKE_SESSION), 1);
    assert_int_equal(fake_open_count(FAKE_GROUP), 2);
    assert_int_equal(fake_count_calls("HttpSetUrlGroupProperty"), 4); /* two of them bind */
    run(c, "again:close() assert(again.closed and not session.closed and not named.closed)\n"
           "named:close() assert(not same.closed) session:close() assert(same.closed)");
}

static void types_to_be_closed_variables_close_in_order(void **state)
{
    struct context *c = *state;
    commit(c);
    size_t from = fake_record_count();
    run(c, "do\n"
           "local queue <close> = http.queue()\n"
           "local session <close> = http.session()\n"
           "local group <close> = session:group { queue = queue }\n"
           "local url <close> = group:add_url('http://localhost:8080/api/', print)\n"
           "end");
    static const char *const calls[] = {
        "HttpCreateRequestQueue",  "HttpCreateServerSession", "HttpCreateUrlGroup",
        "HttpSetUrlGroupProperty", "HttpAddUrlToUrlGroup",    "HttpRemoveUrlFromUrlGroup",
        "HttpCloseUrlGroup",       "HttpCloseServerSession",  "HttpCloseRequestQueue"};
    assert_int_equal(fake_record_count(), from + 9);
    for (size_t i = 0; i < 9; i++) {
        assert_string_equal(fake_record_at(from + i)->call, calls[i]);
    }
}

static void types_collected_unregistered_group_is_closed_and_logged(void **state)
{
    struct context *c = *state;
    commit(c);
    run(c, "local s = http.session()\nlocal g = s:group()\n");
    assert_int_equal(fake_open_count(FAKE_GROUP), 1);
    collect(c);
    assert_int_equal(fake_open_count(FAKE_GROUP), 0);
    assert_int_equal(fake_open_count(FAKE_SESSION), 0);
    assert_contains(c->logged, "http.group made at app.lua:2 was dropped open");
    assert_contains(c->logged, "http.session made at app.lua:1 was dropped open");
}

static void types_collected_registered_group_stays_until_its_url_closes(void **state)
{
    struct context *c = *state;
    run(c, "u = http.session():group{ queue = http.queue() }:add_url('/a/', print)");
    commit(c);
    collect(c);
    assert_int_equal(fake_open_count(FAKE_GROUP), 1);
    run(c, "u:close()");
    collect(c);
    assert_int_equal(fake_open_count(FAKE_URL), 0);
    run(c, "u = nil");
    collect(c);
    assert_int_equal(fake_open_count(FAKE_GROUP), 0);
    assert_int_equal(fake_open_count(FAKE_SESSION), 0);
    assert_int_equal(fake_open_count(FAKE_QUEUE), 0);
}

static void types_dropped_url_stays_and_keeps_its_owners(void **state)
{
    struct context *c = *state;
    run(c, "http.session():group{ queue = http.queue() }:add_url('/a/', print)");
    commit(c);
    collect(c);
    assert_int_equal(fake_open_count(FAKE_URL), 3);
    assert_int_equal(fake_open_count(FAKE_QUEUE), 1);
    assert_string_equal(c->logged, "");
}

static void types_own_queue_of_a_group_goes_with_it(void **state)
{
    struct context *c = *state;
    commit(c);
    run(c, "s = http.session()\n"
           "g = s:group { queue = { length = 10, verbosity = 'full' } }\n"
           "assert(g.queue.length == 10 and g.queue.verbosity == 'full')\n");
    assert_int_equal(fake_open_count(FAKE_QUEUE), 1);
    assert_int_equal(c->queues, 1);
    run(c, "q = g.queue g:close() assert(q.closed)");
    assert_int_equal(fake_open_count(FAKE_QUEUE), 0);
}

static void types_properties_by_name(void **state)
{
    struct context *c = *state;
    run(c,
        GRAPH "assert(session.timeouts.header_wait == 5 and session.timeouts.entity_body == nil)\n"
              "assert(queue.length == 1000 and session.name == 'shop' and group.name == nil)\n"
              "assert(group.queue == queue and group.session == session and url.group == group)\n"
              "assert(group.state == nil)\n"
              "group.state = 'inactive'\n"
              "assert(group.state == 'inactive')\n");
    commit(c);
    assert_int_equal(fake_count_calls("HttpSetUrlGroupProperty"), 2); /* state and binding */
    run(c,
        "group.state = 'active' group.connection_limit = 10 group.state = 'active'\n"
        "assert(group.connection_limit == 10)\n"
        "group.connection_limit = false assert(group.connection_limit == false)\n"
        "group.connection_limit = nil assert(group.connection_limit == nil)\n"
        "session.timeouts = { idle_connection = false }\n"
        "assert(session.timeouts.idle_connection == false and session.timeouts.header_wait == 5)\n"
        "session.timeouts = nil assert(session.timeouts.header_wait == nil)\n"
        "assert(queue:set { verbosity = 'limited', length = 5 } == queue)\n"
        "assert(queue.verbosity == 'limited' and queue.length == 5)\n"
        "group.queue = nil assert(group.queue == nil)\n"
        "group.queue = queue assert(group.queue == queue)");
}

static void types_wrong_values_raise_with_the_line(void **state)
{
    static const char *const bad[][2] = {
        {"http.session(1)", "table expected"},
        {"http.session{ nmae = 'x' }", "app.lua:1: options: there is no 'nmae'"},
        {"http.session{ 'x' }", "options: a key is a number, not a name"},
        {"http.session{ name = '' }", "name must be a string that is not empty"},
        {"http.session{ name = ('x'):rep(200) }", "a name has at most 127 bytes"},
        {"http.session{ length = 1 }", "options: there is no 'length'"},
        {"http.session{ timeouts = 5 }", "timeouts: expected a table, got number"},
        {"http.session{ timeouts = { header_wiat = 5 } }", "timeouts: there is no 'header_wiat'"},
        {"http.session{ timeouts = { header_wait = 0.5 } }", "whole number from 1 to 65534"},
        {"http.session{ timeouts = { header_wait = 65535 } }", "whole number from 1 to 65534"},
        {"http.session{ timeouts = { header_wait = '5' } }", "whole number from 1 to 65534"},
        {"http.session{ bandwidth = 10 }", "bandwidth: expected a whole number from 1024"},
        {"http.session{ state = 'off' }", "state: expected \"active\" or \"inactive\""},
        {"http.queue{ verbosity = 3 }", "\"basic\" or \"limited\" or \"full\""},
        {"http.queue{ length = 0 }", "length: expected a whole number from 1"},
        {"http.queue().length = false", "length: expected a whole number"},
        {"http.queue().name = 'x'", "http.queue has no property 'name'"},
        {"http.session():group{ queue = 5 }", "queue must be an http.queue or a table"},
        {"http.session():group().timeouts = 1", "timeouts: expected a table"},
        {"http.add_url('/x')", "bad argument #2 to 'add_url'"},
        {"http.add_url('/x', 5)", "function or router expected, got number"},
        {"http.add_url(5, print)", "bad argument #1 to 'add_url' (string expected, got number)"},
        {"http.add_url('x', print)",
         "app.lua:1: x: it must begin with http://, https:// or a slash"},
        {"http.session():set{ name = 'x' }", "a name cannot be changed"},
    };
    struct context *c = *state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_contains(run_badly(c, bad[i][0]), bad[i][1]);
    }
}

static void types_url_twice_raises_while_loading_returns_later(void **state)
{
    struct context *c = *state;
    assert_contains(run_badly(c, "http.add_url('/a', print)\nhttp.add_url('/a/', print)"),
                    "/a: ERROR_ALREADY_EXISTS (183), it exists already; this URL was added at "
                    "app.lua:1 (app.lua:2)");
    commit(c);
    run(c, "local none, e = http.add_url('/A', print)\n"
           "assert(none == nil and e.code == 183 and e.name == 'ERROR_ALREADY_EXISTS')\n"
           "assert(e.hint == 'this URL was added at app.lua:1' and e.where == 'app.lua:1')\n"
           "assert(e.object == '/a')");
}

static void types_failures_of_the_world_are_returned_after_loading(void **state)
{
    struct context *c = *state;
    commit(c);
    fake_refuse_url(":8080/", ERROR_SHARING_VIOLATION);
    run(c, "local none, e = http.add_url('/a', print)\n"
           "assert(none == nil and e.name == 'ERROR_SHARING_VIOLATION' and e.code == 32)\n"
           "assert(e.call == 'HttpAddUrlToUrlGroup' and e.object == 'http://localhost:8080/a/')\n"
           "assert(e.hint:find('port 8080 is held by another program; -p 0 takes', 1, true))\n");
    assert_int_equal(c->state.handlers.count, 0);
    fake_refuse_url(NULL, 0);
    fake_fail_call("HttpSetServerSessionProperty", 1, ERROR_NOT_SUPPORTED);
    run(c, "local none, e = http.session{ bandwidth = 5000 }\n"
           "assert(none == nil and e.hint == 'leave out bandwidth')");
    assert_int_equal(fake_open_count(FAKE_SESSION), 1); /* the host's */
    fake_fail_call("HttpSetServerSessionProperty", 1, ERROR_NOT_SUPPORTED);
    run(c, "s = http.session()\n"
           "local ok, e = pcall(function() s.bandwidth = 5000 end)\n"
           "assert(not ok and e.code == 50)\n"
           "assert(s.bandwidth == nil)");
    fake_fail_call("HttpCreateRequestQueue", 1, ERROR_NOT_ENOUGH_MEMORY);
    run(c, "local none, e = s:group { queue = {} } assert(none == nil and e.code == 8)");
    fake_fail_call("HttpCreateUrlGroup", 1, ERROR_NOT_ENOUGH_MEMORY);
    size_t queues = fake_open_count(FAKE_QUEUE);
    run(c, "local none, e = s:group { queue = {} } assert(none == nil and e.code == 8)");
    assert_int_equal(fake_open_count(FAKE_QUEUE), queues);
}

static void types_queue_that_cannot_be_attached_is_closed_again(void **state)
{
    struct context *c = *state;
    commit(c);
    c->queue_result = ERROR_NOT_ENOUGH_MEMORY;
    run(c, "local none, e = http.queue() assert(none == nil and e.call == 'loop_attach_queue')");
    assert_int_equal(fake_open_count(FAKE_QUEUE), 0);
    run(c, "local none, e = http.add_url('/x', print) assert(none == nil and e.code == 8)");
    assert_int_equal(fake_open_count(FAKE_URL), 0);
}

static void types_stopping_refuses_creation_and_defers_closing(void **state)
{
    struct context *c = *state;
    run(c, GRAPH);
    commit(c);
    ledger_stop(c->ledger);
    size_t from = fake_record_count();
    run(c, "local ok, e = pcall(http.session) assert(not ok and e.name == 'stopping')\n"
           "ok, e = pcall(group.add_url, group, '/x', print)\n"
           "assert(not ok and e.name == 'stopping')\n"
           "url:close() session:close() assert(group.closed)\n"
           "queue = nil");
    collect(c);
    assert_int_equal(fake_record_count(), from);
}

static void types_handlers_go_with_their_urls(void **state)
{
    struct context *c = *state;
    run(c, GRAPH "other = group:add_url('/x/y/', http.router())\n"
                 "pulled = group:add_url('/z/')\n"
                 "weak = setmetatable({}, { __mode = 'v' })\n"
                 "weak.f = function() return weak end\n"
                 "kept = group:add_url('/w/', weak.f)\n"
                 "takes = group:add_url('/t/', function(request) end)\n");
    lua_State *L = c->state.L;
    lua_settop(L, 0);
    collect(c);
    assert_int_equal(c->state.handlers.count, 4);
    struct {
        const char *name;
        enum handler_kind kind;
        uint32_t segments;
        bool bare;
    } const rows[] = {{"url", HANDLER_FUNCTION, 1, true},
                      {"other", HANDLER_ROUTER, 2, false},
                      {"pulled", HANDLER_NONE, 0, false},
                      {"takes", HANDLER_FUNCTION, 1, false}};
    uint64_t ids[4];
    for (size_t i = 0; i < 4; i++) {
        lua_getglobal(L, rows[i].name);
        memcpy(&ids[i], lua_touserdata(L, -1), sizeof ids[i]); /* the id is its first member */
        lua_settop(L, 0);
        const struct handler_entry *entry = state_push_handler(&c->state, L, ids[i]);
        assert_int_equal(entry == NULL ? HANDLER_NONE : entry->kind, rows[i].kind);
        assert_int_equal(lua_gettop(L), rows[i].kind != HANDLER_NONE);
        assert_int_equal(entry == NULL ? 0 : entry->segments, rows[i].segments);
        assert_int_equal(entry != NULL && entry->bare, rows[i].bare);
        lua_settop(L, 0);
    }
    run(c, "url:close()");
    assert_int_equal(c->state.handlers.count, 3);
    assert_null(state_push_handler(&c->state, L, ids[0]));
    run(c, "assert(weak.f) session:close()");
    assert_int_equal(c->state.handlers.count, 0);
    collect(c);
    run(c, "assert(weak.f == nil)");
}

static void types_tree_shows_what_is_open(void **state)
{
    struct context *c = *state;
    run(c, GRAPH "http.add_url('/bare/', print)");
    commit(c);
    run(c, "local text = tostring(http.tree())\n"
           "local want = [[\n"
           "host\n"
           "  initialization server, open\n"
           "  queue, open, app.lua:1\n"
           "  queue host, open\n"
           "  session shop, open, app.lua:2\n"
           "    group, open, app.lua:3\n"
           "      url http://localhost:8080/api/, open, app.lua:4\n"
           "  session host, open\n"
           "    group host, open\n"
           "      url /bare/, open, app.lua:5]]\n"
           "assert(text == want, text)\n"
           "local tree = http.tree()\n"
           "assert(tree.worker.number == 0 and tree.worker.tasks == 0)\n"
           "assert(tree.worker.memory > 1000 and tree.copy == nil)\n"
           "assert(tree.children[4].children[1].queue == 'app.lua:1')");
}

static void types_router_is_called_from_lua(void **state)
{
    struct context *c = *state;
    run(c, "local app = http.router()\n"
           "assert(app:get('/users/:id', function(r) return 200, r.params.id end) == app)\n"
           "app:any('/any', function() coroutine.yield 'waits' return 'any' end)\n"
           "assert(tostring(app) == 'http.router (2 routes)')\n"
           "local s, b = app { method = 'GET', path = '/users/7' }\n"
           "assert(s == 200 and b == '7')\n"
           "assert(app { method = 'GET', path = '/nobody' } == 404)\n"
           "local s, h = app { method = 'PUT', path = '/users/7' }\n"
           "assert(s == 405 and h.Allow == 'GET, HEAD, OPTIONS')\n"
           "s, h = app { method = 'OPTIONS', path = '/users/7' }\n"
           "assert(s == 204 and h.Allow == 'GET, HEAD, OPTIONS')\n"
           "local f = coroutine.wrap(function() return app { method = 'X', path = '/any' } end)\n"
           "assert(f() == 'waits' and f() == 'any')\n");
    assert_contains(run_badly(c, "http.router():get('x', print)"), "a path begins with a slash");
    assert_contains(run_badly(c, "http.router():get('/x')"), "function expected, got no value");
    assert_contains(run_badly(c, "http.router():route('G T', '/x', print)"), "not a method");
    assert_contains(run_badly(c, "local r = http.router()\nr:get('/x', print)\nr:get('/x', print)"),
                    "app.lua:3: GET /x was added at app.lua:2");
}

static void types_every_entry_is_documented(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct binding_part *const *part = binding_docs(); *part != NULL; part++) {
        for (const struct binding_entry *e = (*part)->functions; e != NULL && e->name; e++) {
            assert_true(e->function != NULL && e->signature[0] != '\0' && e->doc[0] != '\0');
            count++;
        }
        for (const struct binding_entry *e = (*part)->aliases; e != NULL && e->name; e++) {
            assert_true(e->signature[0] != '\0' && e->doc[0] != '\0');
        }
        for (size_t i = 0; (*part)->types != NULL && (*part)->types[i] != NULL; i++) {
            const struct binding_type *type = (*part)->types[i];
            const struct binding_entry *lists[] = {type->methods, type->fields};
            assert_true(type->name != NULL && type->doc != NULL);
            for (size_t k = 0; k < 2; k++) {
                for (const struct binding_entry *e = lists[k]; e != NULL && e->name; e++) {
                    assert_true(e->signature[0] != '\0' && e->doc[0] != '\0');
                    assert_int_equal(e->function != NULL, k == 0);
                    count++;
                }
            }
        }
    }
    assert_true(count > 40);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(types_declare_while_loading_and_open_at_commit),
        TEST(types_functions_and_methods_are_the_same),
        TEST(types_tell_their_name_and_place),
        TEST(types_close_twice_is_silent),
        TEST(types_naming_an_object_again_adds_to_it),
        TEST(types_to_be_closed_variables_close_in_order),
        TEST(types_collected_unregistered_group_is_closed_and_logged),
        TEST(types_collected_registered_group_stays_until_its_url_closes),
        TEST(types_dropped_url_stays_and_keeps_its_owners),
        TEST(types_own_queue_of_a_group_goes_with_it),
        TEST(types_properties_by_name),
        TEST(types_wrong_values_raise_with_the_line),
        TEST(types_url_twice_raises_while_loading_returns_later),
        TEST(types_failures_of_the_world_are_returned_after_loading),
        TEST(types_queue_that_cannot_be_attached_is_closed_again),
        TEST(types_stopping_refuses_creation_and_defers_closing),
        TEST(types_handlers_go_with_their_urls),
        TEST(types_tree_shows_what_is_open),
        TEST(types_router_is_called_from_lua),
        TEST(types_every_entry_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
