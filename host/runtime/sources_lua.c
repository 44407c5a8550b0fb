/* dofile, loadfile and require, reading through struct sources. They behave as Lua's own, with the
 * same messages; what is left out is standard input as a file. */
#include "runtime/sources.h"

#include <string.h>

#include <lauxlib.h>

#include "binding/state.h"
#include "runtime/generation.h"
#include "runtime/hostdata.h"

enum { CANDIDATE_BYTES_MAX = 4096 };

static struct generation *generation_of(lua_State *L)
{
    const struct member *member = state_of(L)->host;
    return member->generation;
}

static bool is_loading(lua_State *L)
{
    enum state_phase phase = state_of(L)->phase;
    return phase == STATE_LOADING || phase == STATE_LOADED;
}

/* The coordinator wants to know of files that are loaded while serving. */
static void tell_new(lua_State *L, unsigned version)
{
    const struct generation *generation = generation_of(L);
    if (!is_loading(L) && atomic_load(&generation->sources->version) != version) {
        loop_wake(generation->host->loop);
    }
}

/* Reads and compiles; pushes the function or a message. */
static int load_path(lua_State *L, const char *path, const char *mode)
{
    struct source_text text;
    struct sources *sources = generation_of(L)->sources;
    unsigned version = atomic_load(&sources->version);
    ULONG code = sources_read(sources, path, is_loading(L), true, &text);
    tell_new(L, version);
    if (code != NO_ERROR) {
        (void)lua_pushfstring(L,
                              code == ERROR_FILE_NOT_FOUND
                                  ? "cannot open %s: No such file or directory"
                                  : "cannot read %s",
                              path);
        return LUA_ERRFILE;
    }
    (void)lua_pushfstring(L, "@%s", path);
    int status = loadpath_compile(L, slice_make(text.p, text.len), lua_tostring(L, -1), mode);
    lua_remove(L, -2);
    sources_give_back(&text);
    return status;
}

/* loadfile(path [, mode [, env]]) [-n, +(1|2), e] */
static int load_file(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    const char *mode = luaL_optstring(L, 2, NULL);
    bool has_env = !lua_isnone(L, 3);
    lua_settop(L, 3);
    if (load_path(L, path, mode) != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (has_env) {
        lua_pushvalue(L, 3);
        if (lua_setupvalue(L, -2, 1) == NULL) {
            lua_pop(L, 1);
        }
    }
    return 1;
}

static int file_done(lua_State *L, int status, lua_KContext ctx)
{
    (void)status, (void)ctx; /* the results are above the path */
    return lua_gettop(L) - 1;
}

/* dofile(path) [-1, +n, e] */
static int do_file(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    if (load_path(L, path, NULL) != LUA_OK) {
        return lua_error(L);
    }
    lua_callk(L, 0, LUA_MULTRET, 0, file_done);
    return file_done(L, LUA_OK, 0);
}

/* A file beside the scripts that is looked for in vain is followed: making it may be the fix. */
static bool is_ours(const struct sources *sources, const char *path)
{
    for (size_t i = 0; i < sources->scripts.count; i++) {
        const char *folder = sources->scripts.items[i].folder;
        size_t len = folder == NULL ? 0 : strlen(folder);
        if (len > 0 && strncmp(path, folder, len) == 0 && path[len] == '/') {
            return true;
        }
    }
    return false;
}

/* "?" of a template of package.path becomes the name. false: too long. */
static bool fill(struct slice template, const char *name, char out[CANDIDATE_BYTES_MAX])
{
    size_t used = 0;
    size_t name_len = strlen(name);
    for (size_t i = 0; i < template.len; i++) {
        bool mark = template.p[i] == '?';
        size_t len = mark ? name_len : 1;
        if (used + len >= CANDIDATE_BYTES_MAX) {
            return false;
        }
        memcpy(out + used, mark ? name : template.p + i, len);
        used += len;
    }
    out[used] = '\0';
    return used > 0;
}

/* One candidate: 2 results when it is there, 0 when not; raises when it does not compile. */
static int try_candidate(lua_State *L, const char *name, const char *path)
{
    struct source_text text;
    struct sources *sources = generation_of(L)->sources;
    bool loading = is_loading(L);
    unsigned version = atomic_load(&sources->version);
    ULONG code = sources_read(sources, path, loading, loading && is_ours(sources, path), &text);
    tell_new(L, version);
    if (code != NO_ERROR) {
        return 0;
    }
    (void)lua_pushfstring(L, "@%s", path);
    int status = loadpath_compile(L, slice_make(text.p, text.len), lua_tostring(L, -1), NULL);
    sources_give_back(&text);
    if (status != LUA_OK) {
        return luaL_error(L, "error loading module '%s' from file '%s':\n\t%s", name, path,
                          lua_tostring(L, -1));
    }
    (void)lua_pushstring(L, path);
    return 2;
}

/* package.searchers entry: (name) -> loader, path | message */
static int search(lua_State *L)
{
    char path[CANDIDATE_BYTES_MAX];
    const char *name = luaL_checkstring(L, 1);
    (void)lua_getglobal(L, "package");
    (void)lua_getfield(L, -1, "path");
    struct slice rest;
    rest.p = luaL_checklstring(L, -1, &rest.len);
    const char *folders = luaL_gsub(L, name, ".", "/");
    int at = lua_gettop(L) + 1;
    lua_pushliteral(L, "");
    while (rest.len > 0) {
        const char *end = memchr(rest.p, ';', rest.len);
        size_t len = end == NULL ? rest.len : (size_t)(end - rest.p);
        if (fill(slice_make(rest.p, len), folders, path)) {
            int found = try_candidate(L, name, path);
            if (found > 0) {
                return found;
            }
            (void)lua_pushfstring(L, "%s%sno file '%s'", lua_tostring(L, at),
                                  lua_rawlen(L, at) == 0 ? "" : "\n\t", path);
            lua_replace(L, at);
        }
        len += end == NULL ? 0 : 1;
        rest = slice_make(rest.p + len, rest.len - len);
    }
    lua_settop(L, at);
    return 1;
}

/* Behind package.preload and the host's own modules. */
enum { SEARCHER_OF_LUA_FILES = 3 };

static int install(lua_State *L)
{
    lua_pushcfunction(L, do_file);
    lua_setglobal(L, "dofile");
    lua_pushcfunction(L, load_file);
    lua_setglobal(L, "loadfile");
    (void)lua_getglobal(L, "package");
    (void)lua_getfield(L, -1, "searchers");
    lua_pushcfunction(L, search);
    lua_rawseti(L, -2, SEARCHER_OF_LUA_FILES);
    return 0;
}

int sources_install(lua_State *L)
{
    lua_pushcfunction(L, install);
    return lua_pcall(L, 0, 0, 0);
}
