#include "runtime/luaenv.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "base/log.h"
#include "binding/module.h"
#include "binding/state.h"
#include "runtime/control.h"
#include "runtime/generation.h"
#include "runtime/host.h"
#include "runtime/hostdata.h"
#include "runtime/modules.h"
#include "runtime/sched_lua.h"
#include "runtime/sources.h"
#include "runtime/store_lua.h"

/* print to stderr: stdout carries the ready line or NDJSON alone. One write a line, so that workers
 * do not mix theirs. [-n, +0, e] */
static int print(lua_State *L)
{
    int count = lua_gettop(L);
    luaL_Buffer line;
    luaL_buffinit(L, &line);
    for (int i = 1; i <= count; i++) {
        if (i > 1) {
            luaL_addchar(&line, '\t');
        }
        (void)luaL_tolstring(L, i, NULL);
        luaL_addvalue(&line);
    }
    luaL_addchar(&line, '\n');
    luaL_pushresult(&line);
    size_t length = 0;
    const char *text = lua_tolstring(L, -1, &length);
    (void)fwrite(text, 1, length, stderr); /* nowhere to say that stderr is gone */
    return 0;
}

/* warn(), and what Lua itself warns of: an error in __gc or in the second __close. Pieces of one
 * warning come one by one; ud is the state. */
static void on_warning(void *ud, const char *text, int continues)
{
    struct member *member = ((struct state *)ud)->host;
    size_t used = strlen(member->warning);
    if (used == 0 && continues == 0 && text[0] == '@') {
        return; /* a control message: our warnings are always on */
    }
    (void)snprintf(member->warning + used, sizeof member->warning - used, "%s", text);
    if (continues == 0) {
        log_write(member->host->log, LOG_LEVEL_WARN, "%s", member->warning);
        member->warning[0] = '\0';
    }
}

static const struct binding_part *const parts[] = {&sched_part, &control_part, &store_part, NULL};

const struct binding_part *const *luaenv_docs(void)
{
    return parts;
}

/* http.arg. [-0, +0, m] */
static void set_arguments(lua_State *L, const struct host_config *config)
{
    (void)lua_getglobal(L, "http");
    lua_createtable(L, (int)config->arg_count, (int)config->setting_count + 1);
    (void)lua_pushstring(L, config->program == NULL ? "moonlatch" : config->program);
    lua_rawseti(L, -2, 0);
    for (size_t i = 0; i < config->arg_count; i++) {
        (void)lua_pushstring(L, config->args[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    for (size_t i = 0; i < config->setting_count; i++) {
        (void)lua_pushstring(L, config->settings[i].value);
        lua_setfield(L, -2, config->settings[i].key);
    }
    lua_setfield(L, -2, "arg");
    lua_pop(L, 1);
}

/* A module in C stays loaded when the last state that uses it is closed: another generation will
 * ask for it again, and not every library survives that. Lua keeps the handles in a table of the
 * registry, whose finalizer would close them. */
static void keep_libraries(lua_State *L)
{
    if (lua_getfield(L, LUA_REGISTRYINDEX, "_CLIBS") == LUA_TTABLE) {
        lua_pushnil(L);
        (void)lua_setmetatable(L, -2);
    }
    lua_pop(L, 1);
}

/* (config as light userdata) */
static int open_all(lua_State *L)
{
    const struct host_config *config = lua_touserdata(L, 1);
    luaL_openlibs(L);
    keep_libraries(L);
    lua_pushcfunction(L, print);
    lua_setglobal(L, "print");
    module_open(L, parts);
    set_arguments(L, config);
    return 0;
}

ULONG luaenv_open(lua_State *L, const struct host_config *config, const char **text)
{
    lua_setwarnf(L, on_warning, state_of(L));
    lua_pushcfunction(L, open_all);
    lua_pushlightuserdata(L, (void *)(uintptr_t)config); /* only read */
    int status = lua_pcall(L, 1, 0, 0);
    if (status == LUA_OK) {
        status = modules_preload(L, config->lua_dir);
    }
    if (status == LUA_OK) {
        status = sources_install(L);
    }
    if (status == LUA_OK) {
        return NO_ERROR;
    }
    *text = luaL_tolstring(L, -1, NULL);
    return status == LUA_ERRMEM ? ERROR_NOT_ENOUGH_MEMORY : ERROR_INVALID_FUNCTION;
}

/* (directory) */
static int add_path(lua_State *L)
{
    const char *directory = luaL_checkstring(L, 1);
    (void)lua_getglobal(L, "package");
    (void)lua_getfield(L, -1, "path");
    const char *path = luaL_tolstring(L, -1, NULL);
    (void)lua_pushfstring(L, "%s/?.lua;%s/?/init.lua", directory, directory);
    const char *ours = lua_tostring(L, -1);
    if (strncmp(path, ours, strlen(ours)) != 0) {
        (void)lua_pushfstring(L, "%s;%s", ours, path);
        lua_setfield(L, 2, "path");
    }
    return 0;
}

ULONG luaenv_add_path(lua_State *L, const char *directory)
{
    lua_pushcfunction(L, add_path);
    (void)lua_pushstring(L, directory);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK) {
        return NO_ERROR;
    }
    lua_pop(L, 1);
    return ERROR_NOT_ENOUGH_MEMORY;
}
