/* A worker in a test: one loop, one state, one dispatch over the recording fake. A script is
 * loaded, committed and served as the runtime does it, then requests are injected one by one. */
#pragma once

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "binding/ledger.h"
#include "binding/module.h"
#include "binding/pull.h"
#include "binding/request_type.h"
#include "binding/state.h"
#include "binding/task.h"
#include "runtime/dispatch.h"
#include "runtime/sched_lua.h"
#include "support/fake.h"

struct rig {
    struct loop *loop;
    struct ledger *ledger;
    struct dispatch dispatch;
    struct state state;
    struct log log;
    char logged[65536]; /* every line of the log */
    size_t logged_len;
    enum task_end main_end; /* of the main chunk */
    bool main_ended;
    char main_error[512];
};

static inline void rig_log(void *ctx, enum log_level level, struct slice line)
{
    struct rig *rig = ctx;
    (void)level;
    size_t room = sizeof rig->logged - rig->logged_len - 2;
    size_t len = line.len < room ? line.len : room;
    memcpy(rig->logged + rig->logged_len, line.p, len);
    rig->logged_len += len;
    rig->logged[rig->logged_len++] = '\n';
    rig->logged[rig->logged_len] = 0;
}

static inline void rig_main_end(struct task *t, enum task_end end, int nresults)
{
    struct rig *rig = t->owner;
    rig->main_end = end;
    rig->main_ended = true;
    if (end == TASK_FAILED && lua_type(t->co, -nresults) == LUA_TSTRING) {
        snprintf(rig->main_error, sizeof rig->main_error, "%s", lua_tostring(t->co, -nresults));
    }
}

static inline void rig_on_pull(struct state *S, struct task *task, uint64_t queue_id)
{
    struct rig *rig = S->host;
    (void)task;
    dispatch_pull(&rig->dispatch, queue_id);
}

static const struct state_hooks rig_hooks = {.on_pull = rig_on_pull};
static const struct binding_part *const rig_parts[] = {&request_part, &sched_part, NULL};

static inline int rig_open_libs(lua_State *L)
{
    luaL_openlibs(L);
    module_open(L, rig_parts);
    return 0;
}

static inline void rig_turn(struct rig *rig, int turns)
{
    for (int i = 0; i < turns; i++) {
        assert_int_equal(loop_run_once(rig->loop, 0), NO_ERROR);
    }
}

/* Runs a chunk in a task of its own, as a main chunk. */
static inline void rig_run(struct rig *rig, const char *script)
{
    struct task *t = task_acquire(&rig->state);
    assert_non_null(t);
    if (luaL_loadbuffer(t->co, script, strlen(script), "=test") != LUA_OK) {
        fail_msg("%s", lua_tostring(t->co, -1));
    }
    t->on_end = rig_main_end;
    t->owner = rig;
    t->name = "main";
    rig->main_ended = false;
    rig->main_error[0] = 0;
    task_resume(t, 0);
}

static inline void rig_open(struct rig *rig, size_t memory)
{
    memset(rig, 0, sizeof *rig);
    fake_reset();
    rig->log = (struct log){LOG_LEVEL_DEBUG, rig_log, rig};
    assert_int_equal(loop_open(LOOP_BACKEND_DEFAULT, &rig->loop), NO_ERROR);
    const struct ledger_options options = {.log = &rig->log};
    rig->ledger = ledger_create(&options);
    assert_non_null(rig->ledger);
    struct ledger_error error;
    assert_int_equal(ledger_initialize(rig->ledger, HTTP_INITIALIZE_SERVER, &error), NO_ERROR);
    dispatch_init(&rig->dispatch, rig->loop, &rig->log);
    const struct state_config config = {
        .loop = rig->loop,
        .ledger = rig->ledger,
        .log = &rig->log,
        .hooks = &rig_hooks,
        .host = rig,
        .generation = 1,
        .bytes_max = memory,
    };
    assert_int_equal(state_open(&rig->state, &config), NO_ERROR);
    lua_pushcfunction(rig->state.L, rig_open_libs);
    if (lua_pcall(rig->state.L, 0, 0, 0) != LUA_OK) {
        fail_msg("%s", lua_tostring(rig->state.L, -1));
    }
}

/* From "loaded" to "serving". */
static inline void rig_commit(struct rig *rig)
{
    struct ledger_error error;
    struct ledger_queue queues[8];
    state_enter(&rig->state, STATE_LOADED);
    assert_int_equal(ledger_check(rig->ledger, 1, 1, &error), NO_ERROR);
    assert_int_equal(ledger_commit(rig->ledger, 1, LEDGER_PHASE_OBJECTS, &error), NO_ERROR);
    state_move(&rig->state, rig->loop, &rig->dispatch.pool);
    size_t count = ledger_queues(rig->ledger, 1, queues, 8);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(loop_attach_queue(rig->loop, queues[i].handle), NO_ERROR);
        assert_int_equal(dispatch_add_queue(&rig->dispatch, queues[i].id, queues[i].handle),
                         NO_ERROR);
    }
    ULONG code = ledger_commit(rig->ledger, 1, LEDGER_PHASE_URLS, &error);
    if (code != NO_ERROR) {
        fail_msg("commit: %u", (unsigned)code);
    }
    state_enter(&rig->state, STATE_SERVING);
    dispatch_set_state(&rig->dispatch, &rig->state);
    pull_start(&rig->state);
    state_start_deferred(&rig->state);
}

/* Opens, loads and serves a script whose main chunk returns or pulls. */
static inline void rig_serve(struct rig *rig, const char *script)
{
    rig_open(rig, 0);
    rig_run(rig, script);
    if (rig->main_ended && rig->main_end != TASK_RETURNED) {
        fail_msg("main chunk: %s", rig->main_error);
    }
    rig_commit(rig);
}

/* Injects a request and turns the loop until it is answered, for a while. */
static inline const struct fake_response *rig_ask(struct rig *rig,
                                                  const struct fake_request_spec *spec)
{
    HTTP_REQUEST_ID id = fake_inject(spec);
    assert_int_not_equal(id, 0);
    const struct fake_response *response = fake_response_of(id);
    for (int i = 0; i < 200 && !response->complete && !response->cancelled; i++) {
        /* Time is virtual: it jumps to the next timer. */
        assert_int_equal(loop_run_once(rig->loop, UINT64_C(1000000000)), NO_ERROR);
        response = fake_response_of(id);
    }
    rig_turn(rig, 2);
    return fake_response_of(id);
}

static inline const struct fake_response *rig_get(struct rig *rig, const char *url)
{
    const struct fake_request_spec spec = {.url = url};
    return rig_ask(rig, &spec);
}

static inline bool rig_logged(const struct rig *rig, const char *text)
{
    return strstr(rig->logged, text) != NULL;
}

/* The end of the process, without the stages that wait. */
static inline void rig_close(struct rig *rig)
{
    struct state *S = &rig->state;
    ledger_stop(rig->ledger);
    state_enter(S, STATE_STOPPING);
    state_end_pulls(S);
    state_end_streams(S);
    state_cancel_tasks(S, NULL);
    rig_turn(rig, 4);
    state_kill_tasks(S, "the test is over");
    state_cancel_requests(S);
    dispatch_stop_receiving(&rig->dispatch);
    for (int i = 0; i < 100 && !(state_is_quiet(S) && dispatch_is_quiet(&rig->dispatch)); i++) {
        rig_turn(rig, 1);
    }
    assert_true(state_is_quiet(S));
    assert_true(dispatch_is_quiet(&rig->dispatch));
    assert_int_equal(ledger_close_all(rig->ledger), 0);
    state_close(S);
    assert_int_equal(ledger_terminate(rig->ledger), 0);
    dispatch_deinit(&rig->dispatch);
    loop_close(rig->loop);
    ledger_destroy(rig->ledger);
    if (fake_check_end() != 0) {
        fail_msg("%s", fake_violation_at(0));
    }
}
