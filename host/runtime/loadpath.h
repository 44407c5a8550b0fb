/* From the names on the command line to the list of main chunks, and where each is mounted.
 *
 * A file is one script. A directory is a set of route scripts: every *.lua below it, walked with LuaFileSystem, sorted by path; names that begin with
 * "_" or "." are left for `require`. What such a file returns is mounted at its own path:
 *
 *   index.lua        /            users.lua       /users/          admin/index.lua   /admin/
 *   users/[id].lua   /users/:id   a/[b]/c.lua     /a/:b/c
 *
 * A file that returns nothing has registered its own URLs.
 *
 * Owner: struct script_list owns all its strings. Thread: any, one at a time. Limits: HOST_SOURCES_MAX scripts, LOADPATH_DEPTH_MAX folders deep. */
#pragma once

#include <stddef.h>

#include <lua.h>

#include "api/httpapi.h"
#include "base/buf.h"

struct host_source;

enum {
    LOADPATH_DEPTH_MAX = 32,          /* folders below the one given */
    LOADPATH_SCRIPT_BYTES_MAX = 16 * 1024 * 1024 /* a longer script is refused */
};

/* One main chunk to run. */
struct script {
    char *path;      /* as given or found; NULL: text */
    const char *text;/* when path is NULL: the source's own */
    size_t text_len;
    char *chunk;     /* Lua chunk name: "@path" or "=name" */
    char *folder;    /* where require looks first; NULL: a text */
    char *mount;     /* "/users/:id"; NULL: not from a directory, results are not mounted */
};

struct script_list {
    struct script *items;
    size_t count;
};

/* Expands the sources. why: receives one line when it fails.
 * Errors: ERROR_FILE_NOT_FOUND, ERROR_ACCESS_DENIED, ERROR_INVALID_PARAMETER (a name that cannot be mounted, too many or none), ERROR_NOT_ENOUGH_MEMORY. */
ULONG loadpath_expand(const struct host_source *sources, size_t count, struct script_list *out, struct buf *why);

/* Frees the strings; harmless on a zeroed list. */
void loadpath_deinit(struct script_list *list);

/* The mount path of a file by its path below the directory ("users/[id].lua" -> "/users/:id").
 * Errors: ERROR_INVALID_PARAMETER empty, unbalanced or empty brackets, a name with '*' or ':'; ERROR_INSUFFICIENT_BUFFER. */
ULONG loadpath_mount(const char *relative, char *out, size_t capacity);

/* Loads (compiles) one script: pushes the function, or an error message. Reads the file at most once. [-0, +1, -]
 * Returns LUA_OK or Lua's status. A first line that begins with '#' is skipped; bytecode is refused. */
int loadpath_load(lua_State *L, const struct script *script);
