#include "runtime/modules.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lfs.h>

#include "embedded.h"

enum { FILE_NAME_BYTES = 1024 /* folder + module name + ".lua" */ };

static const struct embedded_file *find(const char *name)
{
    for (size_t i = 0; i < embedded_file_count; i++) {
        if (strcmp(embedded_files[i].name, name) == 0) {
            return &embedded_files[i];
        }
    }
    return NULL;
}

/* From the development folder: "a.b" is a/b.lua. Pushes the loader and the file's name. */
static int search_folder(lua_State *L, const char *folder, const char *name)
{
    char path[FILE_NAME_BYTES];
    (void)luaL_gsub(L, name, ".", "/");
    int length = snprintf(path, sizeof path, "%s/%s.lua", folder, lua_tostring(L, -1));
    if (length < 0 || (size_t)length >= sizeof path) {
        return 0;
    }
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return 0;
    }
    (void)fclose(file);
    if (luaL_loadfilex(L, path, "t") != LUA_OK) {
        return luaL_error(L, "error loading module '%s' from file '%s':\n\t%s", name, path,
                          lua_tostring(L, -1));
    }
    (void)lua_pushstring(L, path);
    return 2;
}

/* package.searchers entry; upvalue 1: the development folder or nil. (name) -> loader, where |
 * message */
static int search(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const char *folder = lua_tostring(L, lua_upvalueindex(1));
    const struct embedded_file *file = find(name);
    if (folder != NULL && file != NULL) {
        int found = search_folder(L, folder, name);
        if (found > 0) {
            return found;
        }
    }
    if (file == NULL) {
        (void)lua_pushfstring(L, "no module '%s' in the host", name);
        return 1;
    }
    (void)lua_pushfstring(L, "=lua/%s", name);
    if (luaL_loadbufferx(L, (const char *)file->bytes, file->len, lua_tostring(L, -1), "t") !=
        LUA_OK) {
        return luaL_error(L, "error loading module '%s':\n\t%s", name, lua_tostring(L, -1));
    }
    (void)lua_pushstring(L, ":host:");
    return 2;
}

/* (folder or nil) */
static int preload(lua_State *L)
{
    (void)luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, luaopen_lfs);
    lua_setfield(L, -2, "lfs");
    (void)lua_getglobal(L, "package");
    (void)lua_getfield(L, -1, "searchers");
    for (lua_Integer i = (lua_Integer)lua_rawlen(L, -1); i >= 2; i--) {
        (void)lua_rawgeti(L, -1, i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, search, 1);
    lua_rawseti(L, -2, 2);
    return 0;
}

int modules_preload(lua_State *L, const char *folder)
{
    lua_pushcfunction(L, preload);
    (void)lua_pushstring(L, folder);
    return lua_pcall(L, 1, 0, 0);
}

int modules_require(lua_State *L, const char *name)
{
    (void)lua_getglobal(L, "require");
    (void)lua_pushstring(L, name);
    return lua_pcall(L, 1, 1, 0);
}
