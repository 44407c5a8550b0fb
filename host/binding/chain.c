#include "binding/chain.h"

#include <assert.h>
#include <stdlib.h>

#include <lauxlib.h>

#include "binding/state.h"
#include "binding/task.h"

int chain_reset(lua_State *co)
{
#if LUA_VERSION_RELEASE_NUM >= 50406
    return lua_closethread(co, NULL);
#else
    return lua_resetthread(co);
#endif
}

void chain_enter(struct state *S, struct resume_frame *frame, lua_State *from, lua_State *co)
{
    frame->co = co;
    frame->up = S->frame;
    frame->yieldable = S->frame != NULL && S->frame->co == from && S->frame->yieldable &&
                       lua_isyieldable(from) != 0;
    S->frame = frame;
    atomic_store_explicit(&S->watch.running, co, memory_order_relaxed);
}

void chain_leave(struct state *S, struct resume_frame *frame)
{
    assert(S->frame == frame);
    S->frame = frame->up;
    atomic_store_explicit(&S->watch.running, frame->up == NULL ? NULL : frame->up->co,
                          memory_order_relaxed);
}

/* The mark of a coroutine that the host suspends is the lowest bit of its extra space: no code of
 * its runs meanwhile, so nobody reads a state from there. */
void chain_mark(lua_State *co, bool waiting)
{
    struct state **extra = lua_getextraspace(co);
    uintptr_t address = (uintptr_t)*extra & ~(uintptr_t)1;
    *extra = (struct state *)(address | (waiting ? 1 : 0));
}

void chain_push(lua_State *L, lua_State *co)
{
    struct state *S = state_of(L);
    struct task *t = S->current;
    if (t->chain_len == t->chain_cap) {
        unsigned cap = t->chain_cap == 0 ? 8 : t->chain_cap * 2;
        lua_State **chain =
            cap > TASK_CHAIN_MAX * 2 ? NULL : realloc(t->chain, cap * sizeof *chain);
        if (chain == NULL) {
            t->run.doomed = "no memory to suspend its coroutines";
            return;
        }
        t->chain = chain;
        t->chain_cap = cap;
    }
    chain_mark(co, true);
    t->chain[t->chain_len++] = co;
}

void chain_pop(lua_State *L, lua_State *co)
{
    struct task *t = task_current(L);
    assert(t->chain_len > 0 && t->chain[t->chain_len - 1] == co);
    t->chain_len--;
    chain_mark(co, false);
}

bool chain_has(lua_State *co)
{
    struct state *const *extra = lua_getextraspace(co);
    return ((uintptr_t)*extra & 1) != 0;
}

static int close_coroutines(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, state_of(L)->ref_coroutines);
    /* Closing runs script code, which may make coroutines: start again after each. */
    for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pushnil(L)) {
        lua_State *co = lua_tothread(L, -2);
        lua_pop(L, 1);
        lua_pushnil(L);
        lua_rawset(L, 1);
        if (chain_reset(co) != LUA_OK) {
            log_write(state_of(L)->log, LOG_LEVEL_WARN, "error in a __close of a coroutine: %s",
                      lua_type(co, -1) == LUA_TSTRING ? lua_tostring(co, -1) : "(no text)");
        }
    }
    return 0;
}

void chain_close_all(struct state *S)
{
    if (S->ref_coroutines == LUA_NOREF || lua_checkstack(S->L, 4) == 0) {
        return;
    }
    lua_pushcfunction(S->L, close_coroutines);
    if (lua_pcall(S->L, 0, 0, 0) != LUA_OK) {
        log_write(S->log, LOG_LEVEL_WARN, "coroutines could not be closed: %s",
                  lua_type(S->L, -1) == LUA_TSTRING ? lua_tostring(S->L, -1) : "(no text)");
        lua_pop(S->L, 1);
    }
    S->live[LIVE_COROUTINE] = 0;
}
