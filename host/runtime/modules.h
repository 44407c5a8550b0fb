/* The Lua modules that come inside the binary: those of lua/, and LuaFileSystem.
 *
 * Owner: nothing. Thread: the one that has the state. */
#pragma once

#include <lua.h>

/* Lets `require` find them: "lfs" in package.preload, the embedded ones by a searcher right behind
 * package.preload that compiles on demand. folder: a directory whose files are taken before the
 * embedded ones (development), or NULL. [-0, +0 or +1 message]. Returns Lua's status. */
int modules_preload(lua_State *L, const char *folder);

/* require(name): pushes the module or the error message. [-0, +1, -]. Returns Lua's status. */
int modules_require(lua_State *L, const char *name);
