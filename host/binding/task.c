#include "binding/task.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/path.h"
#include "binding/chain.h"
#include "binding/state.h"

/* The error value of task_exit: nothing a script can make. */
static const char exit_mark = 0;

static void schedule(struct task *t);

static void enter(struct task *t, enum task_phase phase)
{
    static const uint8_t allowed[] = {
        [TASK_IDLE] = 1 << TASK_READY | 1 << TASK_RUNNING | 1 << TASK_DEFERRED,
        [TASK_DEFERRED] = 1 << TASK_READY | 1 << TASK_RUNNING | 1 << TASK_IDLE,
        [TASK_READY] = 1 << TASK_RUNNING | 1 << TASK_IDLE,
        [TASK_RUNNING] = 1 << TASK_WAITING | 1 << TASK_READY | 1 << TASK_IDLE,
        [TASK_WAITING] = 1 << TASK_READY | 1 << TASK_RUNNING | 1 << TASK_IDLE,
    };
    assert((allowed[t->phase] >> phase & 1) != 0);
    (void)allowed; /* used by the assert alone */
    t->phase = phase;
}

/* --- pool
 * ----------------------------------------------------------------------------------- */

static int make_coroutine(lua_State *L)
{
    struct task *t = lua_touserdata(L, 1);
    t->co = lua_newthread(L);
    t->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static struct task *make(struct state *S)
{
    struct task *t = calloc(1, sizeof *t);
    if (t == NULL || lua_checkstack(S->L, 4) == 0) {
        free(t);
        return NULL;
    }
    t->state = S;
    lua_pushcfunction(S->L, make_coroutine);
    lua_pushlightuserdata(S->L, t);
    if (lua_pcall(S->L, 1, 0, 0) != LUA_OK) {
        lua_pop(S->L, 1);
        state_close_reserve(S);
        free(t);
        return NULL;
    }
    return t;
}

static void destroy(struct task *t)
{
    luaL_unref(t->state->L, LUA_REGISTRYINDEX, t->ref);
    free(t->chain);
    free(t);
}

struct task *task_acquire(struct state *S)
{
    if (S->live[LIVE_TASK] >= STATE_TASKS_MAX) {
        return NULL;
    }
    struct task *t;
    struct list_node *node = list_pop_front(&S->idle);
    if (node != NULL) {
        t = LIST_ITEM(node, struct task, node);
        S->idle_count--;
    } else {
        t = make(S);
        if (t == NULL) {
            return NULL;
        }
    }
    assert(t->phase == TASK_IDLE && lua_gettop(t->co) == 0);
    list_push_back(&S->tasks, &t->node);
    S->live[LIVE_TASK]++;
    return t;
}

/* The coroutine is clean; the task may be used again. */
static void give_back(struct task *t)
{
    struct state *S = t->state;
    if (t->id != 0) {
        slots_remove(&S->task_ids, t->id);
        t->id = 0;
    }
    t->for_request = false;
    t->on_end = NULL;
    t->on_first_wait = NULL;
    t->owner = NULL;
    t->name = NULL;
    memset(&t->run, 0, sizeof t->run);
    list_remove(&t->node);
    S->live[LIVE_TASK]--;
    if (S->idle_count < STATE_TASKS_IDLE_MAX) {
        list_push_front(&S->idle, &t->node);
        S->idle_count++;
    } else {
        destroy(t);
    }
}

void task_release(struct task *t)
{
    assert(t->phase == TASK_IDLE);
    lua_settop(t->co, 0);
    give_back(t);
}

void task_free_pool(struct state *S)
{
    struct list_node *node;
    while ((node = list_pop_front(&S->idle)) != NULL) {
        destroy(LIST_ITEM(node, struct task, node));
    }
    S->idle_count = 0;
}

/* --- the body of a task
 * ---------------------------------------------------------------------- */

/* Message handler: keeps the traceback where finish() finds it. `cancelled` and task_exit are no
 * accidents and have none; while memory is short there is none either. */
static int keep_traceback(lua_State *L)
{
    struct state *S = state_of(L);
    if (S->account.reserve != 0 || lua_touserdata(L, 1) == &exit_mark ||
        task_is_cancelled_error(L, 1)) {
        return 1;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, S->ref_tracebacks);
    lua_pushthread(L);
    luaL_traceback(L, L, NULL, 1);
    lua_rawset(L, -3);
    lua_settop(L, 1);
    return 1;
}

void task_push_handler(lua_State *L)
{
    lua_pushcfunction(L, keep_traceback);
}

static int body_done(lua_State *L, int status, lua_KContext ctx)
{
    (void)ctx; /* the stack has everything */
    if (status != LUA_OK && status != LUA_YIELD) {
        return lua_error(L);
    }
    return lua_gettop(L) - 1;
}

/* The lua_pcallk is not there to catch: only under it may <close> variables wait while an error
 * unwinds. */
static int body(lua_State *L)
{
    task_push_handler(L);
    lua_insert(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, body_done);
    return body_done(L, status, 0);
}

/* Whether a wait ends, or must not begin, because the task is to end. */
static bool must_raise(const struct task *t)
{
    return t->run.exiting || (t->run.cancelled && (t->run.raises == 0 || t->run.caught));
}

static void cancel_wait(struct task *t)
{
    struct wait *wait = t->wait;
    if (wait == NULL) {
        return; /* its end is being told: it goes on soon */
    }
    if (wait->cancel != NULL) {
        wait->cancel(wait);
    } else {
        task_wake(wait);
    }
}

/* --- running
 * --------------------------------------------------------------------------------- */

/* Replaces what a failed run left: error value, traceback or nil. */
static APART void push_traceback(struct task *t)
{
    lua_State *co = t->co;
    if (lua_checkstack(co, 4) == 0) {
        return;
    }
    lua_rawgeti(co, LUA_REGISTRYINDEX, t->state->ref_tracebacks);
    lua_pushthread(co);
    lua_rawget(co, -2);
    if (!lua_isnil(co, -1)) {
        lua_pushthread(co);
        lua_pushnil(co);
        lua_rawset(co, -4); /* an existing key: no memory */
    }
    lua_remove(co, -2);
}

static void finish(struct task *t, enum task_end end, int nresults)
{
    struct state *S = t->state;
    enter(t, TASK_IDLE);
    t->chain_len = 0;
    if (t->on_end != NULL) {
        t->on_end(t, end, nresults);
    }
    if (end != TASK_RETURNED) {
        chain_reset(t->co);
    }
    lua_settop(t->co, 0);
    if (lua_gethookmask(t->co) != 0) {
        lua_sethook(t->co, NULL, 0, 0);
    }
    if (S->account.reserve != 0) {
        state_close_reserve(S);
    }
    give_back(t);
}

static int push_text(lua_State *L)
{
    lua_pushstring(L, lua_touserdata(L, 1));
    return 1;
}

/* Leaves one string, whatever memory says. */
static void finish_killed(struct task *t)
{
    const char *why = t->run.doomed != NULL ? t->run.doomed : "it was never started";
    lua_settop(t->co, 0);
    lua_pushcfunction(t->co, push_text);
    lua_pushlightuserdata(t->co, (void *)(uintptr_t)why);
    (void)lua_pcall(t->co, 1, 1, 0); /* on failure the string is "not enough memory" */
    finish(t, TASK_KILLED, 1);
}

static void log_close_error(struct task *t, lua_State *co)
{
    const char *text = lua_type(co, -1) == LUA_TSTRING ? lua_tostring(co, -1) : "(no text)";
    log_write(t->state->log, LOG_LEVEL_WARN, "error in a __close of a stopped %s: %s",
              t->name == NULL ? "task" : t->name, text);
}

/* From here on script code runs in co: tells the watchdog. */
static inline uint64_t begin_watch(struct state *S, lua_State *co)
{
    uint64_t turn = atomic_load_explicit(&S->watch.turn, memory_order_relaxed);
    atomic_store_explicit(&S->watch.running, co, memory_order_relaxed);
    atomic_store_explicit(&S->watch.turn, turn + 1, memory_order_relaxed);
    if (S->watch.parked != NULL && atomic_load_explicit(S->watch.parked, memory_order_relaxed)) {
        S->hooks->on_guard_wake(S);
    }
    return turn;
}

static inline void end_watch(struct state *S, uint64_t turn)
{
    atomic_store_explicit(&S->watch.turn, turn + 2, memory_order_relaxed);
    atomic_store_explicit(&S->watch.running, NULL, memory_order_relaxed);
}

/* The <close> variables of a stopped coroutine run in here; one that does not end is the guard's.
 */
static void close_coroutine(struct task *t, lua_State *co)
{
    uint64_t turn = begin_watch(t->state, co);
    int status = chain_reset(co);
    end_watch(t->state, turn);
    if (status != LUA_OK) {
        log_close_error(t, co);
    }
}

/* Hard stop: innermost script coroutine first, so that <close> variables run in the usual order. */
static COLD void stop(struct task *t)
{
    struct state *S = t->state;
    struct resume_frame frame = {.co = t->co, .up = NULL, .yieldable = false};
    if (t->phase != TASK_RUNNING) { /* it is when the guard has just yielded it */
        enter(t, TASK_RUNNING);
    }
    chain_mark(t->co, false);
    S->current = t;
    S->frame = &frame;
    for (unsigned i = 0; i < t->chain_len; i++) {
        chain_mark(t->chain[i], false);
        close_coroutine(t, t->chain[i]);
    }
    t->chain_len = 0;
    close_coroutine(t, t->co);
    S->frame = NULL;
    S->current = NULL;
    finish_killed(t);
}

/* The task has left lua_resume by a yield: for which reason? */
static APART void suspended(struct task *t, int nresults)
{
    struct state *S = t->state;
    lua_pop(t->co, nresults);
    chain_mark(t->co, true); /* a script may know it from coroutine.running, but not resume it */
    if (t->wait != NULL) {
        enter(t, TASK_WAITING);
        if (t->run.doomed != NULL || must_raise(t)) {
            cancel_wait(t);
        }
    } else if (t->run.doomed != NULL) {
        stop(t);
    } else if (t->run.preempted) {
        t->run.preempted = false;
        t->nargs = 0;
        enter(t, TASK_READY);
        list_remove(&t->node);
        list_push_back(&S->later, &t->node);
    } else {
        t->run.doomed = "it yielded outside of a coroutine";
        stop(t);
    }
}

static void finished(struct task *t, int status, int nresults)
{
    struct state *S = t->state;
    if (t->run.exiting) {
        finish(t, TASK_EXITED, 0);
    } else if (status == LUA_OK) {
        finish(t, TASK_RETURNED, nresults);
    } else if (task_is_cancelled_error(t->co, -1)) {
        finish(t, TASK_CANCELLED, 1);
    } else {
        if (status == LUA_ERRMEM) {
            state_open_reserve(S);
        }
        push_traceback(t);
        finish(t, TASK_FAILED, 2);
    }
}

static void run(struct task *t)
{
    struct state *S = t->state;
    struct resume_frame frame = {.co = t->co, .up = NULL, .yieldable = true};
    if (t->run.doomed != NULL) {
        if (t->drop != NULL) {
            t->drop(S, t->ctx);
            t->drop = NULL;
        }
        stop(t);
        return;
    }
    enter(t, TASK_RUNNING);
    chain_mark(t->co, false);
    S->current = t;
    S->frame = &frame;
    uint64_t turn = begin_watch(S, t->co);
    int nresults = 0;
    int status = lua_resume(t->co, NULL, t->nargs, &nresults);
    end_watch(S, turn);
    S->frame = NULL;
    S->current = NULL;
    if (status == LUA_YIELD) {
        suspended(t, nresults);
    } else {
        finished(t, status, nresults);
    }
}

static void run_first(struct state *S, struct list *list)
{
    struct task *t = LIST_ITEM(list_pop_front(list), struct task, node);
    list_push_back(&S->tasks, &t->node);
    run(t);
}

/* Runs what others woke, but not for ever: the loop has work too. */
static void drain(struct state *S)
{
    for (unsigned n = 0; n < TASK_READY_BATCH && !S->turn_over && !list_is_empty(&S->ready); n++) {
        run_first(S, &S->ready);
    }
    S->turn_over = false;
}

/* Gives each of those that gave way another go, until one of them has run for long. */
static void drain_later(struct state *S)
{
    unsigned count = 0;
    const struct list_node *node = S->later.head.next;
    for (; node != &S->later.head && count < TASK_READY_BATCH; node = node->next) {
        count++;
    }
    for (; count > 0 && !S->turn_over && !list_is_empty(&S->later); count--) {
        run_first(S, &S->later);
    }
}

static void on_drain(struct loop_task *loop_task);

static void end_scheduling(struct state *S)
{
    drain(S);
    S->scheduling = false;
    if (!S->drain_posted && !(list_is_empty(&S->ready) && list_is_empty(&S->later))) {
        S->later_due = false;
        S->drain_posted = true;
        S->drain_ready.run = on_drain;
        loop_post(S->loop, &S->drain_ready);
    }
}

/* What is posted runs before the requests that the same turn has read. So those who gave way wait
 * for a second drain: a request waits for one go of a long computation, never for one go each. */
static void on_drain(struct loop_task *loop_task)
{
    struct state *S = LIST_ITEM(loop_task, struct state, drain_ready);
    assert(S->drain_posted && !S->scheduling);
    S->drain_posted = false;
    S->scheduling = true;
    bool due = S->later_due;
    if (due) {
        drain_later(S);
    }
    end_scheduling(S);
    S->later_due = !due && !list_is_empty(&S->later);
}

/* Now, or after the task that runs. */
static void schedule(struct task *t)
{
    struct state *S = t->state;
    if (S->scheduling) {
        enter(t, TASK_READY);
        list_remove(&t->node);
        list_push_back(&S->ready, &t->node);
        return;
    }
    S->scheduling = true;
    run(t);
    if (list_is_empty(&S->ready) && list_is_empty(&S->later)) {
        S->scheduling = false;
    } else {
        end_scheduling(S);
    }
}

void task_resume(struct task *t, int nargs)
{
    assert(t->phase == TASK_IDLE || t->phase == TASK_DEFERRED);
    assert(lua_gettop(t->co) == nargs + 1);
    lua_pushcfunction(t->co, body);
    lua_insert(t->co, 1);
    task_start(t, nargs + 1);
}

void task_start(struct task *t, int nargs)
{
    assert(t->phase == TASK_IDLE || t->phase == TASK_DEFERRED);
    t->nargs = nargs;
    schedule(t);
}

void task_defer(struct task *t, int nargs)
{
    enter(t, TASK_DEFERRED);
    t->nargs = nargs;
    list_remove(&t->node);
    list_push_back(&t->state->deferred, &t->node);
}

void task_start_deferred(struct task *t)
{
    assert(t->phase == TASK_DEFERRED);
    list_remove(&t->node);
    list_push_back(&t->state->tasks, &t->node);
    task_resume(t, t->nargs);
}

/* --- who
 * ------------------------------------------------------------------------------------- */

struct task *task_current(lua_State *L)
{
    return state_of(L)->current;
}

uint64_t task_id(struct task *t)
{
    if (t->id == 0) {
        t->id = slots_insert(&t->state->task_ids, t);
    }
    return t->id;
}

struct task *task_find(struct state *S, uint64_t id)
{
    return slots_get(&S->task_ids, id);
}

void task_push_cancelled(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, state_of(L)->ref_cancelled);
}

bool task_is_cancelled_error(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TTABLE || lua_checkstack(L, 1) == 0) {
        return false;
    }
    const void *value = lua_topointer(L, index);
    task_push_cancelled(L);
    bool same = lua_topointer(L, -1) == value;
    lua_pop(L, 1);
    return same;
}

/* --- waiting
 * --------------------------------------------------------------------------------- */

/* Names the C function that a wait cannot pass: the innermost one below L's top. */
static const char *boundary(lua_State *L, char *out, size_t out_bytes)
{
    lua_Debug ar;
    for (int level = 1; lua_getstack(L, level, &ar) != 0; level++) {
        lua_getinfo(L, "Sn", &ar);
        if (ar.what[0] == 'C') {
            luaL_traceback(L, L, NULL, level);
            const char *line = lua_tostring(L, -1);
            const char *from = line == NULL ? NULL : strstr(line, "in function '");
            size_t len = from == NULL ? 0 : strcspn(from + 13, "'\n");
            (void)snprintf(out, out_bytes, "%.*s", (int)len, from == NULL ? "" : from + 13);
            lua_pop(L, 1);
            return len > 0 ? out : "a C function";
        }
    }
    return "a __close or __gc that may not wait";
}

static int raise_end(lua_State *L, struct task *t)
{
    if (t->run.exiting) {
        lua_pushlightuserdata(L, (void *)(uintptr_t)&exit_mark);
        return lua_error(L);
    }
    t->run.raises++;
    if (t->run.raises > TASK_CANCEL_RAISES_MAX && task_is_yieldable(L)) {
        t->run.doomed = "it went on after it was cancelled";
        return lua_yield(L, 0);
    }
    if (t->run.raises == 1) {
        t->run.grace_end_ns =
            loop_now_ns(t->state->loop) + TASK_CANCEL_GRACE_MS * UINT64_C(1000000);
    }
    task_push_cancelled(L);
    return lua_error(L);
}

void task_check_wait(lua_State *L)
{
    struct task *t = task_current(L);
    if (t == NULL) {
        luaL_error(L, "cannot wait here: this code does not run in a task of the host");
        return;
    }
    if (must_raise(t)) {
        raise_end(L, t);
    }
    if (!task_is_yieldable(L)) {
        char name[80];
        luaL_error(L, "cannot wait inside %s", boundary(L, name, sizeof name));
    }
}

static void stop_timer(struct task *t)
{
    if (loop_timer_is_running(&t->timer)) {
        loop_timer_stop(t->state->loop, &t->timer);
        t->state->live[LIVE_TIMER]--;
    }
}

static void on_timer(struct loop_timer *timer)
{
    struct task *t = LIST_ITEM(timer, struct task, timer);
    t->state->live[LIVE_TIMER]--;
    if (t->run.grace_timer) {
        t->run.caught = true; /* the <close> variables have had their time */
    } else {
        t->run.timed_out = true;
    }
    cancel_wait(t);
}

/* Starts the timer for the timeout or, after `cancelled`, for what is left of the grace. */
static void start_timer(struct task *t, uint64_t timeout_ns)
{
    struct state *S = t->state;
    t->run.timed_out = false;
    t->run.grace_timer = false;
    if (t->run.cancelled) {
        uint64_t now = loop_now_ns(S->loop);
        uint64_t left = t->run.grace_end_ns > now ? t->run.grace_end_ns - now : 0;
        if (left < timeout_ns) {
            timeout_ns = left;
            t->run.grace_timer = true;
        }
    }
    if (timeout_ns != UINT64_MAX) {
        t->timer.on_fire = on_timer;
        S->live[LIVE_TIMER]++;
        loop_timer_start(S->loop, &t->timer, timeout_ns);
    }
}

static int resumed(lua_State *L, int status, lua_KContext ctx)
{
    (void)status, (void)ctx; /* what counts is kept in the task */
    struct task *t = task_current(L);
    if (must_raise(t)) {
        if (t->drop != NULL) {
            t->drop(t->state, t->ctx);
            t->drop = NULL;
        }
        return raise_end(L, t);
    }
    t->drop = NULL;
    return t->k(L, LUA_YIELD, t->ctx);
}

int task_wait_for(lua_State *L, struct wait *wait, uint64_t timeout_ns, lua_KContext ctx,
                  lua_KFunction k)
{
    if (wait->cancel == NULL) {
        task_check_wait(L);
    } /* else a call is in flight: whatever is to be raised is raised when it has come back */
    struct task *t = task_current(L);
    assert(wait->task == NULL && t->wait == NULL && task_is_yieldable(L));
    if (!t->run.suspended_once) {
        t->run.suspended_once = true;
        if (t->on_first_wait != NULL) {
            t->on_first_wait(t);
        }
    }
    t->wait = wait;
    t->k = k;
    t->ctx = ctx;
    t->drop = wait->drop;
    wait->task = t;
    start_timer(t, timeout_ns);
    return lua_yieldk(L, 0, 0, resumed);
}

int task_wait(lua_State *L, struct wait *wait, lua_KContext ctx, lua_KFunction k)
{
    return task_wait_for(L, wait, UINT64_MAX, ctx, k);
}

struct task *task_detach(struct wait *wait)
{
    struct task *t = wait->task;
    if (t != NULL) {
        assert(t->wait == wait);
        wait->task = NULL;
        t->wait = NULL;
        stop_timer(t);
    }
    return t;
}

void task_attach(struct task *t, struct wait *wait)
{
    assert(t->phase == TASK_WAITING && t->wait == NULL);
    t->wait = wait;
    wait->task = t;
}

void task_wake_detached(struct task *t)
{
    assert(t->phase == TASK_WAITING && t->wait == NULL);
    t->nargs = 0;
    schedule(t);
}

void task_wake(struct wait *wait)
{
    struct task *t = task_detach(wait);
    if (t != NULL) {
        task_wake_detached(t);
    }
}

/* --- ending early
 * ---------------------------------------------------------------------------- */

/* A task that never ran has no <close> variables. */
static void end_unstarted(struct task *t)
{
    enter(t, TASK_READY);
    finish_killed(t);
}

void task_cancel(struct task *t)
{
    if (t->run.cancelled) {
        t->run.caught = true; /* asked twice: no more waiting in <close> variables */
    }
    t->run.cancelled = true;
    if (t->phase == TASK_WAITING) {
        cancel_wait(t);
    } else if (t->phase == TASK_DEFERRED) {
        end_unstarted(t);
    }
}

void task_kill(struct task *t, const char *why)
{
    assert(why != NULL);
    if (t->run.doomed != NULL) {
        return;
    }
    t->run.doomed = why;
    if (t->phase == TASK_WAITING) {
        cancel_wait(t);
    } else if (t->phase == TASK_DEFERRED) {
        end_unstarted(t);
    }
}

int task_exit(lua_State *L)
{
    struct task *t = task_current(L);
    if (t != NULL) {
        t->run.exiting = true;
    }
    lua_pushlightuserdata(L, (void *)(uintptr_t)&exit_mark);
    return lua_error(L);
}

int task_yield_turn(lua_State *L)
{
    task_check_wait(L);
    struct task *t = task_current(L);
    t->run.preempted = true;
    return lua_yield(L, 0);
}

bool task_note_caught(lua_State *L, int index)
{
    struct task *t = task_current(L);
    if (t != NULL && t->run.raises > 0 && task_is_cancelled_error(L, index)) {
        t->run.caught = true;
    }
    return lua_touserdata(L, index) == &exit_mark;
}

bool task_is_yieldable(lua_State *L)
{
    struct state *S = state_of(L);
    return S->frame != NULL && S->frame->co == L && S->frame->yieldable && lua_isyieldable(L);
}

void task_preempt(lua_State *L)
{
    assert(task_is_yieldable(L));
    task_current(L)->run.preempted = true;
    state_of(L)->turn_over = true; /* it has run for long: the loop first */
    lua_yield(L, 0);
}

void task_preempt_kill(lua_State *L, const char *why)
{
    assert(task_is_yieldable(L) && why != NULL);
    task_current(L)->run.doomed = why;
    lua_yield(L, 0);
}

bool task_is_suspending(const struct state *S)
{
    const struct task *t = S->current;
    return t != NULL && (t->wait != NULL || t->run.preempted || t->run.doomed != NULL);
}
