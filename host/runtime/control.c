#include "runtime/control.h"

#include <assert.h>
#include <stdio.h>

#include <lauxlib.h>

#include "binding/ledger.h"
#include "binding/pull.h"
#include "binding/state.h"
#include "binding/task.h"
#include "runtime/dispatch.h"
#include "runtime/generation.h"
#include "runtime/hostdata.h"

enum { EXIT_CODE_MAX = 255 /* what a process can say */ };

/* After the wait: the chunk goes on. [-0, +0] */
static int after_run(lua_State *L, int status, lua_KContext context)
{
    struct chunk *chunk = chunk_of(L);
    (void)status;
    (void)context;
    assert(chunk != NULL && chunk->phase == CHUNK_WAITING);
    chunk_enter(chunk, CHUNK_RUNNING);
    return 0;
}

/* Whether this state has URLs of which each is pulled: no handler would ever be called while
 * http.run waits. */
static bool is_only_pulled(struct member *member)
{
    struct state *S = &member->state;
    struct ledger_queue queues[DISPATCH_QUEUES_MAX];
    size_t count = ledger_queues(S->ledger, S->generation, queues, DISPATCH_QUEUES_MAX);
    size_t pulled = 0;
    count = count < DISPATCH_QUEUES_MAX ? count : DISPATCH_QUEUES_MAX;
    for (size_t i = 0; i < count; i++) {
        pulled += pull_is_pulled(S, queues[i].id) ? 1 : 0;
    }
    return count > 0 && pulled == count;
}

/* http.run() [-0, +0, v] */
static int run(lua_State *L)
{
    struct chunk *chunk = chunk_of(L);
    if (chunk == NULL) {
        return luaL_error(L, "http.run belongs into the main chunk of a script, not into a handler "
                             "or a spawned task");
    }
    if (is_only_pulled(chunk->member)) {
        return luaL_error(L, "http.run: every queue of this script is pulled (queue:requests), no "
                             "handler would be called");
    }
    if (chunk->member->run_over) {
        return 0;
    }
    task_check_wait(L);
    chunk_enter(chunk, CHUNK_WAITING);
    return task_wait(L, &chunk->wait, 0, after_run);
}

/* A script that is being loaded beside one that serves ends its own load, not the process. */
static bool is_beside(const struct member *member)
{
    return member->state.phase == STATE_LOADING && member->host->current != NULL;
}

/* http.stop([code]) [-0, +0, v] */
static int stop(lua_State *L)
{
    struct member *member = state_of(L)->host;
    lua_Integer code = luaL_optinteger(L, 1, 0);
    luaL_argcheck(L, code >= 0 && code <= EXIT_CODE_MAX, 1, "an exit code is 0 to 255");
    if (is_beside(member)) {
        return luaL_error(L, "http.stop(%d) while it is loaded", (int)code);
    }
    host_stop(member->host, HOST_CAUSE_STOP, (int)code, NULL);
    return 0;
}

/* os.exit([code [, close]]) [-0, +0, v] */
static int os_exit(lua_State *L)
{
    struct member *member = state_of(L)->host;
    int code = lua_isboolean(L, 1) ? !lua_toboolean(L, 1)
                                   : (int)(luaL_optinteger(L, 1, 0) & EXIT_CODE_MAX);
    if (is_beside(member)) {
        char where[LOAD_HINT_BYTES_MAX];
        char text[LOAD_HINT_BYTES_MAX + 64];
        state_where(L, 1, where, sizeof where);
        (void)snprintf(text, sizeof text, "%s: os.exit(%d) while it is loaded", where, code);
        member_fail_load(member, text);
        return task_exit(L);
    }
    host_stop(member->host, HOST_CAUSE_OS_EXIT, code, NULL);
    return task_exit(L);
}

/* [http] on top. [-0, +0, e] */
static void open_control(lua_State *L)
{
    (void)lua_getglobal(L, "os");
    lua_pushcfunction(L, os_exit);
    lua_setfield(L, -2, "exit");
    lua_pop(L, 1);
}

static const struct binding_entry functions[] = {
    {"run", run, "fun()",
     "Waits in the main chunk until the host has drained or the generation retires."},
    {"stop", stop, "fun(code?: integer)", "Asks the host to drain and end; returns at once."},
    {"arg", NULL, "table<string|integer, string>",
     "What followed the script on the command line, and --set K=V by name."},
    {NULL, NULL, NULL, NULL},
};

const struct binding_part control_part = {.functions = functions, .open = open_control};
