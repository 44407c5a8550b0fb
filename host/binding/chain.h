/* Script coroutines inside a task: which one runs, and which ones a wait has gone through.
 *
 * A wait inside a coroutine of the script suspends the whole task: each coroutine.resume on the way
 * out yields too (runtime/sched_lua.h). Those coroutines are the task's chain, innermost first;
 * they are resumed in reverse when the wait is over, and closed in order when the task is killed.
 *
 * Thread: the state's. */
#pragma once

#include <stdbool.h>

#include <lua.h>

struct state;

/* One lua_resume under way; kept on the C stack of whoever resumes (task.c, sched_lua.c). */
struct resume_frame {
    lua_State *co;           /* what runs */
    struct resume_frame *up; /* who resumed it; NULL: the host */
    bool yieldable;          /* every coroutine below can be suspended */
};

/* Around a lua_resume of a script's coroutine `co` from `from`. */
void chain_enter(struct state *S, struct resume_frame *frame, lua_State *from, lua_State *co);
/* The same frame, after lua_resume. */
void chain_leave(struct state *S, struct resume_frame *frame);

/* Before the yield is passed on: `co` is suspended by the host. L runs in the task. [-0, +0, -] */
void chain_push(lua_State *L, lua_State *co);
/* When it comes back, outermost first. [-0, +0, -] */
void chain_pop(lua_State *L, lua_State *co);

/* Whether the host suspends this coroutine: nobody else may resume or close it. */
bool chain_has(lua_State *co);
/* Sets that; for the coroutines of tasks themselves. */
void chain_mark(lua_State *co, bool waiting);

/* Runs the pending <close> variables, without waiting, and makes the coroutine usable again. Not
 * LUA_OK: one of them failed, its error is on top of co. */
int chain_reset(lua_State *co);

/* Runs the <close> variables of every suspended coroutine of the script. */
void chain_close_all(struct state *S);
