#include "runtime/locals.h"

#include <lauxlib.h>

#include "base/log.h"
#include "runtime/generation.h"
#include "runtime/hostdata.h"
#include "runtime/modules.h"

#define REGISTRY_KEY "moonlatch.locals"

/* (state) -> */
static int look(lua_State *L)
{
    const struct state *S = lua_touserdata(L, 1);
    if (modules_require(L, "moonlatch.locals") != LUA_OK) {
        return lua_error(L);
    }
    lua_newtable(L);
    lua_Integer count = 0;
    for (uint32_t i = 0; i < S->handlers.cap; i++) {
        if (S->handlers.entries[i].id != 0) {
            lua_rawgeti(L, LUA_REGISTRYINDEX, S->handlers.entries[i].ref);
            lua_rawseti(L, -2, ++count);
        }
    }
    lua_call(L, 1, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, REGISTRY_KEY);
    return 0;
}

void locals_look(struct member *member)
{
    lua_State *L = member->state.L;
    int top = lua_gettop(L);
    if (lua_checkstack(L, LUA_MINSTACK) != 0) {
        lua_pushcfunction(L, look);
        lua_pushlightuserdata(L, &member->state);
        (void)lua_pcall(L, 1, 0, 0); /* without it there is no note */
        lua_settop(L, top);
    }
}

/* -> the note or nil */
static int compare(lua_State *L)
{
    if (lua_getfield(L, LUA_REGISTRYINDEX, REGISTRY_KEY) != LUA_TFUNCTION) {
        lua_pushnil(L);
        return 1;
    }
    lua_call(L, 0, 1);
    return 1;
}

bool locals_note(struct member *member)
{
    lua_State *L = member->state.L;
    int top = lua_gettop(L);
    bool changed = false;
    if (lua_checkstack(L, LUA_MINSTACK) != 0) {
        lua_pushcfunction(L, compare);
        changed = lua_pcall(L, 0, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TSTRING;
        if (changed) {
            log_write(member->host->log, LOG_LEVEL_WARN, "%s", lua_tostring(L, -1));
        }
        lua_settop(L, top);
    }
    return changed;
}
