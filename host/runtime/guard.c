/* What the hook does once it runs: yield, let go on, or end the task. Who arms it stands in
 * guard_posix.c. */
#include "runtime/guard.h"

#include <stdio.h>

#include <lauxlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "binding/state.h"
#include "binding/task.h"
#include "runtime/generation.h"
#include "runtime/hostdata.h"
#include "runtime/signal_watch.h"

/* Text of an error raised by the guard; static because a killed task keeps the pointer. */
static const char too_long_task[] =
    "stopped by the host: longer than the request limit (--limit request)";
static const char too_long_resume[] = "stopped by the host: longer than the resume limit (--limit "
                                      "resume) where it cannot be suspended";
static const char too_long_load[] =
    "stopped by the host: loading takes longer than the load limit (--limit load)";

/* luaL_error would name the caller: inside a hook the function that runs is level 0. */
static void raise_here(lua_State *L, const char *why)
{
    luaL_where(L, 0);
    (void)lua_pushstring(L, why);
    lua_concat(L, 2);
    (void)lua_error(L);
}

/* Ends the running task. Where it cannot be suspended an error is raised, again at every further
 * instruction, so that no pcall of the script keeps it running; once it is out of there, it is
 * killed. */
static void end_task(lua_State *L, const char *why)
{
    if (task_is_yieldable(L)) {
        lua_Debug here = {0};
        if (lua_getstack(L, 0, &here) == 1 && lua_getinfo(L, "Sl", &here) != 0) {
            log_write(state_of(L)->log, LOG_LEVEL_WARN, "%s:%d: too long in one task",
                      here.short_src, here.currentline);
        }
        task_preempt_kill(L, why);
        return;
    }
    lua_sethook(L, guard_hook, LUA_MASKCOUNT, 1);
    raise_here(L, why);
}

void guard_hook(lua_State *L, lua_Debug *ar)
{
    struct state *S = state_of(L);
    struct member *member = S->host;
    struct task *task = S->current;
    (void)ar; /* the line does not matter */
    guard_rest(L);
    if (task == NULL || member == NULL || member->guard == NULL) {
        return;
    }
    const struct host_limits *limits = guard_limits(member->guard);
    guard_answer(member->guard);
    uint64_t since_ns = guard_seen_ns(member->guard);
    uint64_t now_ns = clock_mono_ns();
    uint64_t spent_ns = since_ns == 0 || since_ns > now_ns ? 0 : now_ns - since_ns;
    /* Only resumes that were interrupted count: shorter ones cost nobody anything. */
    uint64_t total_ns = task->run.guard_ns + guard_used_ns(member->guard);
    if (total_ns >= limits->request_ns) {
        end_task(L, too_long_task);
        return;
    }
    if (task_is_yieldable(L)) {
        task->run.guard_ns = total_ns;
        task_preempt(L);
        return;
    }
    if (spent_ns >= limits->resume_ns) {
        end_task(L, too_long_resume);
    }
}

static void loading_hook(lua_State *L, lua_Debug *ar)
{
    struct state *S = state_of(L);
    struct member *member = S->host;
    (void)ar;
    if (S->phase != STATE_LOADING || member == NULL) {
        guard_rest(L);
        return;
    }
    signal_watch_poll(member->host); /* the loop does not turn while this script runs */
    bool stopping = host_is_stopping(member->host);
    if (!stopping && clock_mono_ns() < member->load_deadline_ns) {
        return;
    }
    lua_sethook(L, loading_hook, LUA_MASKCOUNT, 1); /* a pcall cannot keep it running */
    raise_here(L, stopping ? "stopped while loading" : too_long_load);
}

void guard_arm_loading(struct state *S)
{
    lua_sethook(S->L, loading_hook, LUA_MASKCOUNT, GUARD_LOAD_COUNT);
}

void guard_disarm_loading(struct state *S)
{
    guard_rest(S->L);
}
