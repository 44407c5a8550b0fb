/* From the names on the command line to the list of main chunks, and where each is mounted.
 *
 * A file is one script. A directory is a set of route scripts: every *.lua below it, walked with
 * LuaFileSystem, sorted by path; names that begin with
 * "_" or "." are left for `require`. What such a file returns is mounted at its own path:
 *
 *   index.lua        /            users.lua       /users/          admin/index.lua   /admin/
 *   users/[id].lua   /users/:id   a/[b]/c.lua     /a/:b/c
 *
 * A file that returns nothing has registered its own URLs. The text of each script is read once,
 * here, so that all workers of a generation run the same bytes even when the file is being saved.
 *
 * Owner: struct script_list owns all its strings. Thread: any, one at a time. Limits:
 * HOST_SOURCES_MAX scripts, LOADPATH_FOLDERS_MAX folders, LOADPATH_DEPTH_MAX deep,
 * LOADPATH_SCRIPT_BYTES_MAX a script. A symbolic link to a folder above is not followed. */
#pragma once

#include <stddef.h>

#include <lua.h>

#include "api/httpapi.h"
#include "base/buf.h"
#include "base/slice.h"

struct host_source;

enum {
    LOADPATH_DEPTH_MAX = 32,                     /* folders below the one given */
    LOADPATH_FOLDERS_MAX = 4096,                 /* the one given and all below it */
    LOADPATH_SCRIPT_BYTES_MAX = 16 * 1024 * 1024 /* a longer script is refused */
};

/* One main chunk to run. */
struct script {
    char *path;   /* as given or found: what messages say; the name of a text */
    char *text;   /* the source, as read */
    size_t len;   /* bytes */
    char *chunk;  /* Lua chunk name: "@path" or "=name" */
    char *folder; /* where require looks first; NULL: a text */
    char *mount;  /* "/users/:id"; NULL: not from a directory, results are not mounted */
};

struct script_list {
    struct script *items;
    size_t count;
};

/* Expands the sources and reads them. why: receives one line when it fails; initialised by the
 * caller. Errors: ERROR_FILE_NOT_FOUND, ERROR_ACCESS_DENIED, ERROR_INVALID_PARAMETER (a name that
 * cannot be mounted, too many or none), ERROR_NOT_ENOUGH_MEMORY; the list is then empty. */
ULONG loadpath_expand(const struct host_source *sources, size_t count, struct script_list *out,
                      struct buf *why);

/* Frees the strings; harmless on a zeroed list. */
void loadpath_deinit(struct script_list *list);

/* The mount path of a file by its path below the directory ("users/[id].lua" -> "/users/:id").
 * Errors: ERROR_INVALID_PARAMETER empty or unbalanced brackets, a byte that a URL path or a route
 * gives a meaning; ERROR_INSUFFICIENT_BUFFER. */
ULONG loadpath_mount(const char *relative, char *out, size_t capacity);

/* The whole file. *text is the caller's to free. why: may be NULL. Errors: as above. */
ULONG loadpath_read(const char *path, char **text, size_t *len, struct buf *why);

/* Compiles a text as Lua compiles a file: a byte order mark and a first line that begins with '#'
 * are skipped. mode as in load; NULL: both. [-0, +1, -] */
int loadpath_compile(lua_State *L, struct slice text, const char *chunk, const char *mode);

/* Compiles one script: pushes the function, or an error message. [-0, +1, -]
 * A byte order mark and a first line that begins with '#' are skipped; bytecode is refused. Returns
 * LUA_OK or Lua's status. */
int loadpath_load(lua_State *L, const struct script *script);
