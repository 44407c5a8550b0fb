#include "runtime/sched_lua.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "binding/chain.h"
#include "binding/error.h"
#include "binding/state.h"
#include "binding/task.h"

#define TASK_TYPE  "http.task"
#define GUARD_TYPE "http.coroutine guard"

/* --- pcall, xpcall
 * --------------------------------------------------------------------------- */

static bool is_error(int status)
{
    return status != LUA_OK && status != LUA_YIELD;
}

/* extra: results that are not the function's. As in lbaselib.c, but for task_note_caught. */
static int finish_pcall(lua_State *L, int status, lua_KContext extra)
{
    if (!is_error(status)) {
        return lua_gettop(L) - (int)extra;
    }
    if (task_note_caught(L, -1)) {
        return lua_error(L);
    }
    lua_pushboolean(L, 0);
    lua_pushvalue(L, -2);
    return 2;
}

/* pcall(f, ...) */
static int sched_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, finish_pcall);
    return finish_pcall(L, status, 0);
}

/* xpcall(f, handler, ...) */
static int sched_xpcall(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2); /* f, handler, true, f, arguments */
    int status = lua_pcallk(L, n - 2, LUA_MULTRET, 2, 2, finish_pcall);
    return finish_pcall(L, status, 2);
}

/* --- coroutines of the script
 * ---------------------------------------------------------------- */

/* Stands beside a suspended coroutine in a weak table; when the coroutine is dropped, or the state
 * closes, it runs the <close> variables. */
struct guard {
    bool done;
};

static int guard_gc(lua_State *L)
{
    struct guard *guard = lua_touserdata(L, 1);
    if (guard->done) {
        return 0;
    }
    guard->done = true;
    lua_getiuservalue(L, 1, 1);
    lua_State *co = lua_tothread(L, -1);
    struct state *S = state_of(L);
    if (S->live[LIVE_COROUTINE] > 0) {
        S->live[LIVE_COROUTINE]--;
    }
    if (co != NULL && !chain_has(co) && chain_reset(co) != LUA_OK) {
        log_write(S->log, LOG_LEVEL_WARN, "error in a __close of a dropped coroutine: %s",
                  lua_type(co, -1) == LUA_TSTRING ? lua_tostring(co, -1) : "(no text)");
    }
    return 0;
}

/* The coroutine at index is suspended, or failed with <close> variables pending. [-0, +0, m] */
static void guard_coroutine(lua_State *L, int index)
{
    struct state *S = state_of(L);
    index = lua_absindex(L, index);
    lua_rawgeti(L, LUA_REGISTRYINDEX, S->ref_coroutines);
    lua_pushvalue(L, index);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        lua_pushvalue(L, index);
        struct guard *guard = lua_newuserdatauv(L, sizeof *guard, 1);
        guard->done = true; /* until everything about it is in place */
        luaL_setmetatable(L, GUARD_TYPE);
        lua_pushvalue(L, index);
        lua_setiuservalue(L, -2, 1);
        lua_rawset(L, -4);
        guard->done = false;
        S->live[LIVE_COROUTINE]++;
    }
    lua_pop(L, 2);
}

/* It has ended in the usual way. */
static void unguard_coroutine(lua_State *L, int index)
{
    struct state *S = state_of(L);
    if (S->live[LIVE_COROUTINE] == 0) {
        return;
    }
    index = lua_absindex(L, index);
    lua_rawgeti(L, LUA_REGISTRYINDEX, S->ref_coroutines);
    lua_pushvalue(L, index);
    if (lua_rawget(L, -2) != LUA_TNIL) {
        ((struct guard *)lua_touserdata(L, -1))->done = true;
        S->live[LIVE_COROUTINE]--;
        lua_pushvalue(L, index);
        lua_pushnil(L);
        lua_rawset(L, -4);
    }
    lua_pop(L, 2);
}

/* How a resume ended. */
enum went {
    WENT_WELL,   /* results are on top of L */
    WENT_WRONG,  /* the error value is */
    WENT_TO_WAIT /* the host suspends the task: yield outward */
};

/* Resumes the coroutine at index of L with the narg values on top. */
static enum went resume(lua_State *L, int index, int narg, int *nresults)
{
    struct state *S = state_of(L);
    struct resume_frame frame;
    lua_State *co = lua_tothread(L, index);
    chain_enter(S, &frame, L, co);
    int status = lua_resume(co, L, narg, nresults);
    chain_leave(S, &frame);
    if (status == LUA_YIELD && task_is_suspending(S)) {
        lua_pop(co, *nresults);
        chain_push(L, co);
        return WENT_TO_WAIT;
    }
    if (is_error(status)) {
        lua_xmove(co, L, 1);
        if (lua_status(co) != LUA_OK) {
            guard_coroutine(L, index);
        }
        return WENT_WRONG;
    }
    if (lua_checkstack(L, *nresults + 8) == 0) {
        lua_pop(co, *nresults);
        lua_pushliteral(L, "too many results to resume");
        return WENT_WRONG;
    }
    lua_xmove(co, L, *nresults);
    if (status == LUA_YIELD) {
        guard_coroutine(L, index);
    } else {
        unguard_coroutine(L, index);
    }
    return WENT_WELL;
}

/* Moves narg values on top of L to the coroutine at index. false: why not is on top. */
static bool give_arguments(lua_State *L, int index, int narg)
{
    lua_State *co = lua_tothread(L, index);
    const char *why = NULL;
    if (chain_has(co)) {
        why = "cannot resume a coroutine that waits for the host";
    } else if (lua_checkstack(co, narg) == 0) {
        why = "too many arguments to resume";
    } else if (lua_status(co) == LUA_OK && lua_gettop(co) == 0) {
        why = "cannot resume dead coroutine";
    }
    if (why != NULL) {
        lua_pushstring(L, why);
        return false;
    }
    lua_xmove(L, co, narg);
    return true;
}

static lua_State *check_coroutine(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co != NULL, 1, "coroutine");
    return co;
}

static int resume_k(lua_State *L, int status, lua_KContext ctx);

static int resume_result(lua_State *L, enum went went, int nresults)
{
    switch (went) {
    case WENT_TO_WAIT: return lua_yieldk(L, 0, 0, resume_k);
    case WENT_WELL:
        lua_pushboolean(L, 1);
        lua_insert(L, -(nresults + 1));
        return nresults + 1;
    case WENT_WRONG: break;
    }
    if (task_note_caught(L, -1)) {
        return lua_error(L);
    }
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

/* The host goes on: the coroutine at 1 is resumed where it was suspended. */
static int resume_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status, (void)ctx; /* what counts is on the stack */
    int nresults = 0;
    chain_pop(L, lua_tothread(L, 1));
    enum went went = resume(L, 1, 0, &nresults);
    return resume_result(L, went, nresults);
}

/* coroutine.resume(co, ...) */
static int co_resume(lua_State *L)
{
    check_coroutine(L);
    int narg = lua_gettop(L) - 1, nresults = 0;
    bool ready = give_arguments(L, 1, narg);
    enum went went = ready ? resume(L, 1, narg, &nresults) : WENT_WRONG;
    return resume_result(L, went, nresults);
}

/* coroutine.create(f) */
static int co_create(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    return 1;
}

static int wrap_k(lua_State *L, int status, lua_KContext ctx);

/* An error goes on outward, with the place of the caller as in lcorolib.c. */
static int raise_from_wrap(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    if (is_error(lua_status(co))) {
        (void)chain_reset(co); /* the first error is the one to tell */
        lua_settop(co, 0);
        unguard_coroutine(L, lua_upvalueindex(1));
    }
    if (lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int wrap_result(lua_State *L, enum went went, int nresults)
{
    switch (went) {
    case WENT_TO_WAIT: return lua_yieldk(L, 0, 0, wrap_k);
    case WENT_WELL: return nresults;
    case WENT_WRONG: break;
    }
    return raise_from_wrap(L);
}

static int wrap_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status, (void)ctx; /* what counts is in the upvalue */
    int nresults = 0;
    chain_pop(L, lua_tothread(L, lua_upvalueindex(1)));
    enum went went = resume(L, lua_upvalueindex(1), 0, &nresults);
    return wrap_result(L, went, nresults);
}

static int call_wrapped(lua_State *L)
{
    int narg = lua_gettop(L), nresults = 0;
    bool ready = give_arguments(L, lua_upvalueindex(1), narg);
    enum went went = ready ? resume(L, lua_upvalueindex(1), narg, &nresults) : WENT_WRONG;
    return wrap_result(L, went, nresults);
}

/* coroutine.wrap(f) */
static int co_wrap(lua_State *L)
{
    co_create(L);
    lua_pushcclosure(L, call_wrapped, 1);
    return 1;
}

/* coroutine.close(co) */
static int co_close(lua_State *L)
{
    lua_State *co = check_coroutine(L);
    lua_Debug ar;
    if (chain_has(co)) {
        return luaL_error(L, "cannot close a coroutine that waits for the host");
    }
    if (co == L || (lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar) != 0)) {
        return luaL_error(L, "cannot close a %s coroutine", co == L ? "running" : "normal");
    }
    int status = chain_reset(co);
    unguard_coroutine(L, 1);
    if (status == LUA_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushboolean(L, 0);
    lua_xmove(co, L, 1);
    return 2;
}

/* Whether L is a coroutine of the host: a script cannot yield out of it. */
static bool is_base(lua_State *L)
{
    const struct task *t = task_current(L);
    return t == NULL || t->co == L;
}

/* coroutine.yield(...) */
static int co_yield (lua_State *L)
{
    if (is_base(L)) {
        return luaL_error(L, "attempt to yield from outside a coroutine");
    }
    return lua_yield(L, lua_gettop(L));
}

/* coroutine.isyieldable([co]) */
static int co_isyieldable(lua_State *L)
{
    lua_State *co = lua_isnone(L, 1) ? L : check_coroutine(L);
    const struct task *t = task_current(L);
    lua_pushboolean(L, (t == NULL || t->co != co) && lua_isyieldable(co));
    return 1;
}

static const luaL_Reg coroutine_functions[] = {
    {"create", co_create}, {"wrap", co_wrap},    {"resume", co_resume},
    {"close", co_close},   {"yield", co_yield }, {"isyieldable", co_isyieldable},
    {NULL, NULL},
};

/* --- http.sleep
 * ------------------------------------------------------------------------------ */

static int slept(lua_State *L, int status, lua_KContext ctx)
{
    (void)L, (void)status, (void)ctx; /* nothing to tell */
    return 0;
}

/* http.sleep(seconds) [-0, +0, e] */
static int http_sleep(lua_State *L)
{
    lua_Number seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds <= SCHED_SLEEP_MAX_S, 1,
                  "seconds, from 0 to a thousand million");
    task_check_wait(L);
    if (seconds == 0) {
        return task_yield_turn(L);
    }
    struct task *t = task_current(L);
    t->own_wait.cancel = NULL;
    return task_wait_for(L, &t->own_wait, (uint64_t)(seconds * 1e9), 0, slept);
}

/* --- http.spawn
 * ------------------------------------------------------------------------------ */

/* A spawned task, as long as it runs. Owner: the task; the userdata finds it by the task's id. */
struct spawn {
    int ref;             /* registry: the http.task userdata, kept until the end */
    struct list waiters; /* struct task.wait_node */
    char site[64];       /* where it was spawned */
};

enum handle_state { HANDLE_RUNNING, HANDLE_RETURNED, HANDLE_FAILED };

/* The userdata. User value 1: results (a list with n) or the error value. */
struct handle {
    uint64_t id; /* of the task */
    enum handle_state state;
};

static struct task *find_task(lua_State *L, const struct handle *handle)
{
    return handle->state == HANDLE_RUNNING ? task_find(state_of(L), handle->id) : NULL;
}

/* (handle, results or error ...): keeps them for whoever asks. In protected mode. */
static int keep_results(lua_State *L)
{
    struct handle *handle = lua_touserdata(L, 1);
    if (handle->state == HANDLE_RETURNED) {
        int n = lua_gettop(L) - 1;
        lua_createtable(L, n, 1);
        lua_insert(L, 2);
        for (int i = n; i >= 1; i--) {
            lua_rawseti(L, 2, i);
        }
        lua_pushinteger(L, n);
        lua_setfield(L, 2, "n");
    }
    lua_settop(L, 2);
    lua_setiuservalue(L, 1, 1);
    return 0;
}

static int message_of(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    return 1;
}

static void log_failure(struct task *t, const struct spawn *spawn)
{
    lua_State *L = t->state->L;
    const char *traceback = lua_tostring(t->co, -1);
    if (lua_checkstack(L, 3) == 0) {
        return;
    }
    lua_pushcfunction(L, message_of);
    lua_pushvalue(t->co, -2);
    lua_xmove(t->co, L, 1);
    (void)lua_pcall(L, 1, 1, 0); /* on failure the message is that of the failure */
    log_write(t->state->log, LOG_LEVEL_ERROR, "a task spawned at %s failed: %s", spawn->site,
              lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "(no text)");
    lua_pop(L, 1);
    while (traceback != NULL && *traceback != 0) {
        size_t len = strcspn(traceback, "\n");
        int skip = traceback[0] == '\t' ? 1 : 0; /* the log would escape it */
        log_write(t->state->log, LOG_LEVEL_ERROR, "   %s%.*s", skip != 0 ? "  " : "",
                  (int)len - skip, traceback + skip);
        traceback += len + (traceback[len] == '\n' ? 1 : 0);
    }
}

static void wake_waiters(struct spawn *spawn)
{
    struct list_node *node;
    while ((node = list_pop_front(&spawn->waiters)) != NULL) {
        task_wake(&LIST_ITEM(node, struct task, wait_node)->own_wait);
    }
}

/* How the end of the task looks to those who wait for it: count values from the task's stack. */
static int count_kept(enum task_end end, int nresults)
{
    switch (end) {
    case TASK_RETURNED: return nresults;
    case TASK_FAILED: return 1; /* without the traceback */
    case TASK_CANCELLED:
    case TASK_KILLED: return nresults;
    case TASK_EXITED: break;
    }
    return 0;
}

static void spawn_ended(struct task *t, enum task_end end, int nresults)
{
    struct spawn *spawn = t->owner;
    lua_State *L = t->state->L;
    if (end == TASK_FAILED && list_is_empty(&spawn->waiters)) {
        log_failure(t, spawn);
    }
    int kept = count_kept(end, nresults);
    if (lua_checkstack(L, kept + 3) != 0) {
        lua_settop(t->co, lua_gettop(t->co) - (nresults - kept));
        lua_pushcfunction(L, keep_results);
        lua_rawgeti(L, LUA_REGISTRYINDEX, spawn->ref);
        struct handle *handle = lua_touserdata(L, -1);
        handle->state = end == TASK_RETURNED ? HANDLE_RETURNED : HANDLE_FAILED;
        lua_xmove(t->co, L, kept);
        if (lua_pcall(L, kept + 1, 0, 0) != LUA_OK) {
            lua_pop(L, 1);
        }
    }
    luaL_unref(L, LUA_REGISTRYINDEX, spawn->ref);
    wake_waiters(spawn);
    free(spawn);
}

static struct handle *check_task(lua_State *L)
{
    return luaL_checkudata(L, 1, TASK_TYPE);
}

static int push_outcome(lua_State *L, const struct handle *handle)
{
    lua_pushboolean(L, handle->state == HANDLE_RETURNED);
    if (handle->state == HANDLE_FAILED) {
        lua_getiuservalue(L, 1, 1);
        return 2;
    }
    if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE) {
        return 1; /* there was no memory to keep them */
    }
    lua_getfield(L, -1, "n");
    int n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    luaL_checkstack(L, n, "too many results");
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, 3, i);
    }
    lua_remove(L, 3);
    return n + 1;
}

static int waited(lua_State *L, int status, lua_KContext ctx)
{
    (void)status, (void)ctx; /* what counts is in the handle */
    const struct handle *handle = check_task(L);
    lua_settop(L, 1);
    if (handle->state == HANDLE_RUNNING) {
        return error_return_word(L, "timeout", "the task did not end in time");
    }
    return push_outcome(L, handle);
}

static void stop_waiting(struct wait *wait)
{
    list_remove(&wait->task->wait_node);
    task_wake(wait);
}

static int wait_for(lua_State *L, struct task *t, uint64_t timeout_ns, lua_KFunction k)
{
    struct task *self = task_current(L);
    struct spawn *spawn = t->owner;
    if (self == t) {
        return luaL_error(L, "a task cannot wait for itself");
    }
    task_check_wait(L);
    self->own_wait.cancel = stop_waiting;
    list_push_back(&spawn->waiters, &self->wait_node);
    return task_wait_for(L, &self->own_wait, timeout_ns, 0, k);
}

/* task:wait([seconds]) -> true, results | false, error value | nil, error "timeout" */
static int task_method_wait(lua_State *L)
{
    const struct handle *handle = check_task(L);
    lua_Number seconds = luaL_optnumber(L, 2, -1);
    lua_settop(L, 1);
    struct task *t = find_task(L, handle);
    if (t == NULL) {
        return push_outcome(L, handle);
    }
    uint64_t timeout_ns =
        seconds < 0 || seconds > SCHED_SLEEP_MAX_S ? UINT64_MAX : (uint64_t)(seconds * 1e9);
    return wait_for(L, t, timeout_ns, waited);
}

/* task:cancel(): raises `cancelled` in it; harmless when it has ended */
static int task_method_cancel(lua_State *L)
{
    struct task *t = find_task(L, check_task(L));
    if (t != NULL) {
        task_cancel(t);
    }
    return 0;
}

/* task:is_running() -> boolean */
static int task_method_is_running(lua_State *L)
{
    lua_pushboolean(L, find_task(L, check_task(L)) != NULL);
    return 1;
}

/* __close: cancels it and waits until its <close> variables have run */
static int close_task(lua_State *L)
{
    struct task *t = find_task(L, check_task(L));
    lua_settop(L, 1);
    if (t == NULL) {
        return 0;
    }
    task_cancel(t);
    t = find_task(L, check_task(L));
    if (t == NULL || t == task_current(L) || !task_is_yieldable(L)) {
        return 0;
    }
    return wait_for(L, t, UINT64_MAX, slept);
}

static int tostring_task(lua_State *L)
{
    const struct handle *handle = check_task(L);
    static const char *const words[] = {"running", "returned", "failed"};
    lua_pushfstring(L, "http.task (%s)", words[handle->state]);
    return 1;
}

/* http.spawn(f, ...) -> http.task [-n, +1, e] */
static int http_spawn(lua_State *L)
{
    struct state *S = state_of(L);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    int narg = lua_gettop(L) - 1;
    if (S->phase == STATE_STOPPING || S->phase == STATE_CLOSED) {
        return luaL_error(L, "stopping: nothing can be started any more");
    }
    struct handle *handle = lua_newuserdatauv(L, sizeof *handle, 1);
    memset(handle, 0, sizeof *handle);
    luaL_setmetatable(L, TASK_TYPE);
    lua_pushvalue(L, -1);
    int ref = luaL_ref(L, LUA_REGISTRYINDEX);
    struct spawn *spawn = calloc(1, sizeof *spawn);
    struct task *t = spawn == NULL ? NULL : task_acquire(S);
    handle->id = t == NULL ? 0 : task_id(t);
    if (handle->id == 0 || lua_checkstack(t->co, narg + 4) == 0) {
        if (t != NULL) {
            task_release(t);
        }
        free(spawn);
        luaL_unref(L, LUA_REGISTRYINDEX, ref);
        return luaL_error(L, "http.spawn: too many tasks, or not enough memory");
    }
    list_init(&spawn->waiters);
    spawn->ref = ref;
    state_where(L, 1, spawn->site, sizeof spawn->site);
    t->owner = spawn;
    t->on_end = spawn_ended;
    t->name = "spawn";
    t->for_request = S->current != NULL && S->current->for_request;
    lua_insert(L, 1);
    lua_xmove(L, t->co, narg + 1);
    if (S->phase == STATE_LOADING || S->phase == STATE_LOADED) {
        task_defer(t, narg);
    } else {
        task_resume(t, narg);
    }
    return 1;
}

/* --- the module part
 * ------------------------------------------------------------------------- */

static const struct binding_entry task_methods[] = {
    {"wait", task_method_wait, "fun(self: http.task, seconds?: number): boolean?, ...",
     "Waits for the end: true and the results, or false and the error."},
    {"cancel", task_method_cancel, "fun(self: http.task)", "Raises `cancelled` where it waits."},
    {"is_running", task_method_is_running, "fun(self: http.task): boolean",
     "Whether it has not ended yet."},
    {NULL, NULL, NULL, NULL},
};

static const struct luaL_Reg task_meta[] = {
    {"__close", close_task},
    {"__tostring", tostring_task},
    {NULL, NULL},
};

static const struct binding_type task_type = {
    .name = TASK_TYPE,
    .doc = "A task started by http.spawn.",
    .methods = task_methods,
    .metamethods = task_meta,
};

/* Replaces what must know about waiting. [-0, +0, m] */
static void open_sched(lua_State *L)
{
    luaL_newmetatable(L, GUARD_TYPE);
    lua_pushcfunction(L, guard_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_pushglobaltable(L);
    lua_pushcfunction(L, sched_pcall);
    lua_setfield(L, -2, "pcall");
    lua_pushcfunction(L, sched_xpcall);
    lua_setfield(L, -2, "xpcall");
    if (lua_getfield(L, -1, "coroutine") == LUA_TTABLE) {
        luaL_setfuncs(L, coroutine_functions, 0);
    }
    lua_pop(L, 2);
}

static const struct binding_entry sched_functions[] = {
    {"sleep", http_sleep, "fun(seconds: number)", "Suspends the coroutine; 0 lets others run."},
    {"spawn", http_spawn, "fun(f: function, ...): http.task", "Runs f in a task of its own."},
    {NULL, NULL, NULL, NULL},
};

static const struct binding_type *const sched_types[] = {&task_type, NULL};

const struct binding_part sched_part = {
    .functions = sched_functions,
    .types = sched_types,
    .open = open_sched,
};
