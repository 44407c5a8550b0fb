#include "runtime/loadpath.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <lauxlib.h>
#include <lualib.h>

#include "runtime/host.h"
#include "runtime/modules.h"

enum {
    MOUNT_BYTES_MAX = 4096, /* a mount path */
    PATH_BYTES_MAX = 8192,  /* directory + "/" + path below it */
    READ_STEP = 64 * 1024   /* first guess of a script's size */
};

/* Allocates "prefix" + text[0..len) with a NUL. NULL: no memory. */
static char *join(const char *prefix, const char *text, size_t len)
{
    size_t head = strlen(prefix);
    char *copy = malloc(head + len + 1);
    if (copy != NULL) {
        memcpy(copy, prefix, head);
        if (len > 0) {
            memcpy(copy + head, text, len);
        }
        copy[head + len] = '\0';
    }
    return copy;
}

static void script_deinit(struct script *script)
{
    free(script->path);
    free(script->text);
    free(script->chunk);
    free(script->folder);
    free(script->mount);
    memset(script, 0, sizeof *script);
}

void loadpath_deinit(struct script_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        script_deinit(&list->items[i]);
    }
    free(list->items);
    list->items = NULL;
    list->count = 0;
}

static ULONG code_of_errno(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR: return ERROR_FILE_NOT_FOUND;
    case EACCES:
    case EPERM: return ERROR_ACCESS_DENIED;
    case ENOMEM: return ERROR_NOT_ENOUGH_MEMORY;
    default: return ERROR_INVALID_PARAMETER;
    }
}

ULONG loadpath_read(const char *path, char **text, size_t *len, struct buf *why)
{
    struct buf bytes, nobody;
    buf_init(&nobody, 0);
    why = why == NULL ? &nobody : why; /* it takes nothing */
    ULONG code = NO_ERROR;
    buf_init(&bytes, LOADPATH_SCRIPT_BYTES_MAX + 1);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        code = code_of_errno(errno);
        (void)buf_printf(why, "%s: %s", path, strerror(errno));
        return code;
    }
    for (size_t got = 1; got > 0 && code == NO_ERROR;) {
        if (bytes.len > LOADPATH_SCRIPT_BYTES_MAX || !buf_reserve(&bytes, READ_STEP)) {
            code = ERROR_INVALID_PARAMETER;
            (void)buf_printf(why, "%s: longer than %d bytes", path, LOADPATH_SCRIPT_BYTES_MAX);
            break;
        }
        got = fread(bytes.p + bytes.len, 1, READ_STEP, file);
        buf_grow_len(&bytes, got);
        if (got == 0 && ferror(file) != 0) {
            code = code_of_errno(errno);
            (void)buf_printf(why, "%s: %s", path, strerror(errno));
        }
    }
    (void)fclose(file); /* read only: nothing can be lost */
    if (code != NO_ERROR) {
        buf_deinit(&bytes);
        return code;
    }
    char *fitting = realloc(bytes.p, bytes.len + 1);
    *text = fitting == NULL ? bytes.p : fitting;
    *len = bytes.len;
    return NO_ERROR;
}

/* Room for one more script; NULL: too many or no memory. The item is zeroed and counted. */
static struct script *append(struct script_list *list)
{
    if (list->count >= HOST_SOURCES_MAX) {
        return NULL;
    }
    struct script *items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (items == NULL) {
        return NULL;
    }
    list->items = items;
    memset(&items[list->count], 0, sizeof *items);
    return &items[list->count++];
}

/* Adds the file. folder: where require looks. mount: NULL for a file given by name. */
static ULONG add_file(struct script_list *list, const char *path, struct slice folder,
                      const char *mount, struct buf *why)
{
    struct script *script = append(list);
    if (script == NULL) {
        (void)buf_printf(why, "%s: too many scripts, or no memory", path);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    script->path = join("", path, strlen(path));
    script->chunk = join("@", path, strlen(path));
    script->folder = join("", folder.p, folder.len);
    script->mount = mount == NULL ? NULL : join("", mount, strlen(mount));
    if (script->path == NULL || script->chunk == NULL || script->folder == NULL ||
        (mount != NULL && script->mount == NULL)) {
        (void)buf_printf(why, "%s: no memory", path);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    return loadpath_read(path, &script->text, &script->len, why);
}

static ULONG add_text(struct script_list *list, const struct host_source *source, struct buf *why)
{
    const char *name = source->name == NULL ? "-e" : source->name;
    struct script *script = append(list);
    if (script != NULL) {
        script->path = join("", name, strlen(name));
        script->chunk = join("=", name, strlen(name));
        script->text = join("", source->text, source->text_len);
        script->len = source->text_len;
    }
    if (script == NULL || script->path == NULL || script->chunk == NULL || script->text == NULL) {
        (void)buf_printf(why, "%s: no memory", name);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    return NO_ERROR;
}

static bool is_plain(char c)
{
    return (unsigned char)c > ' ' && (unsigned char)c != 0x7F && strchr("[]:*?#%\\\"", c) == NULL;
}

/* One part of the path: "users" as it is, "[id]" as ":id". */
static bool append_part(struct buf *out, struct slice part, bool *has_parameter)
{
    bool parameter = part.len > 2 && part.p[0] == '[' && part.p[part.len - 1] == ']';
    struct slice name = parameter ? slice_make(part.p + 1, part.len - 2) : part;
    if (name.len == 0) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (!is_plain(name.p[i])) {
            return false;
        }
    }
    *has_parameter = *has_parameter || parameter;
    return buf_append(out, parameter ? ":" : "", parameter ? 1 : 0) && buf_append_slice(out, name);
}

ULONG loadpath_mount(const char *relative, char *out, size_t capacity)
{
    struct buf path;
    ULONG code = ERROR_INVALID_PARAMETER;
    bool has_parameter = false;
    size_t len = strlen(relative);
    buf_init(&path, MOUNT_BYTES_MAX);
    if (len <= 4 || strcmp(relative + len - 4, ".lua") != 0 || !buf_append(&path, "/", 1)) {
        goto out;
    }
    for (const char *at = relative, *end = relative + len - 4; at <= end;) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        struct slice part = slice_make(at, (size_t)((slash == NULL ? end : slash) - at));
        bool last = slash == NULL;
        if (last && slice_equal(part, SLICE_LIT("index"))) {
            break;
        }
        if (!append_part(&path, part, &has_parameter) || !buf_append(&path, "/", 1)) {
            goto out;
        }
        at += part.len + 1;
    }
    if (has_parameter) { /* a route, not a prefix: it ends with its last part */
        path.len--;
    }
    code = ERROR_INSUFFICIENT_BUFFER;
    if (path.len < capacity) {
        memcpy(out, path.p, path.len);
        out[path.len] = '\0';
        code = NO_ERROR;
    }
out:
    buf_deinit(&path);
    return code;
}

/* [list of names] on top of the stack: adds each file with its mount path. */
static ULONG add_found(lua_State *L, const char *directory, struct script_list *list,
                       struct buf *why)
{
    struct slice folder = slice_from_cstr(directory);
    lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
    for (lua_Integer i = 1; i <= count; i++) {
        char path[PATH_BYTES_MAX];
        char mount[MOUNT_BYTES_MAX];
        (void)lua_rawgeti(L, -1, i);
        const char *relative = lua_tostring(L, -1);
        int length = snprintf(path, sizeof path, "%s/%s", directory, relative);
        ULONG code = length < 0 || (size_t)length >= sizeof path
                         ? ERROR_INVALID_PARAMETER
                         : loadpath_mount(relative, mount, sizeof mount);
        if (code != NO_ERROR) {
            (void)buf_printf(
                why,
                "%s/%s: this name cannot be a path of a URL (\"_%s\" would leave it for require)",
                directory, relative, relative);
            return code;
        }
        code = add_file(list, path, folder, mount, why);
        if (code != NO_ERROR) {
            return code;
        }
        lua_pop(L, 1);
    }
    if (count == 0) {
        (void)buf_printf(why, "%s: no route scripts (*.lua) in this directory", directory);
        return ERROR_FILE_NOT_FOUND;
    }
    return NO_ERROR;
}

/* [walk module] on top of the stack. */
static ULONG add_directory(lua_State *L, const char *directory, struct script_list *list,
                           struct buf *why)
{
    (void)lua_getfield(L, -1, "list");
    (void)lua_pushstring(L, directory);
    lua_pushinteger(L, LOADPATH_DEPTH_MAX);
    lua_pushinteger(L, LOADPATH_FOLDERS_MAX);
    lua_pushinteger(L, HOST_SOURCES_MAX);
    if (lua_pcall(L, 4, 1, 0) != LUA_OK) {
        (void)buf_printf(why, "%s", lua_tostring(L, -1));
        return ERROR_ACCESS_DENIED;
    }
    ULONG code = add_found(L, directory, list, why);
    lua_settop(L, 1);
    return code;
}

/* A file given by name: modules are looked for beside it. */
static ULONG add_single(struct script_list *list, const char *path, struct buf *why)
{
    const char *slash = strrchr(path, '/');
    struct slice folder = slash == NULL   ? SLICE_LIT(".")
                          : slash == path ? SLICE_LIT("/")
                                          : slice_make(path, (size_t)(slash - path));
    return add_file(list, path, folder, NULL, why);
}

/* What can be told without the walk, which costs a sixth of a reload. */
static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* A path that may be a directory. [walk module] on top of the stack. */
static ULONG add_path(lua_State *L, const char *path, struct script_list *list, struct buf *why)
{
    (void)lua_getfield(L, -1, "kind");
    (void)lua_pushstring(L, path);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
        (void)buf_printf(why, "%s: %s", path, lua_tostring(L, -1));
        return ERROR_INVALID_PARAMETER;
    }
    const char *kind = lua_tostring(L, -1);
    bool is_directory = kind != NULL && strcmp(kind, "directory") == 0;
    lua_settop(L, 1);
    return is_directory ? add_directory(L, path, list, why) : add_single(list, path, why);
}

/* A state with just what the walk needs, the walk module on its stack; NULL: no memory. */
static lua_State *open_walk(void)
{
    lua_State *L = luaL_newstate();
    if (L == NULL) {
        return NULL;
    }
    luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
    luaL_requiref(L, LUA_LOADLIBNAME, luaopen_package, 1);
    luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 1);
    luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
    lua_settop(L, 0);
    if (modules_preload(L, NULL) != LUA_OK || modules_require(L, "moonlatch.walk") != LUA_OK) {
        lua_close(L);
        return NULL;
    }
    return L;
}

ULONG loadpath_expand(const struct host_source *sources, size_t count, struct script_list *out,
                      struct buf *why)
{
    ULONG code = count == 0 ? ERROR_INVALID_PARAMETER : NO_ERROR;
    lua_State *walk = NULL;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < count && code == NO_ERROR; i++) {
        if (sources[i].path == NULL) {
            code = add_text(out, &sources[i], why);
            continue;
        }
        if (is_file(sources[i].path)) {
            code = add_single(out, sources[i].path, why);
            continue;
        }
        walk = walk == NULL ? open_walk() : walk;
        if (walk == NULL) {
            (void)buf_printf(why, "%s: no memory", sources[i].path);
            code = ERROR_NOT_ENOUGH_MEMORY;
            break;
        }
        code = add_path(walk, sources[i].path, out, why);
    }
    if (walk != NULL) {
        lua_close(walk);
    }
    if (code != NO_ERROR) {
        loadpath_deinit(out);
    }
    return code;
}

int loadpath_compile(lua_State *L, struct slice text, const char *chunk, const char *mode)
{
    if (slice_starts_with(text, SLICE_LIT("\xEF\xBB\xBF"))) {
        text = slice_make(text.p + 3, text.len - 3);
    }
    if (text.len > 0 && text.p[0] == '#') { /* keep the line feed: line numbers stay true */
        const char *line_end = memchr(text.p, '\n', text.len);
        size_t skip = line_end == NULL ? text.len : (size_t)(line_end - text.p);
        text = slice_make(text.p + skip, text.len - skip);
    }
    return luaL_loadbufferx(L, text.len == 0 ? "" : text.p, text.len, chunk, mode);
}

int loadpath_load(lua_State *L, const struct script *script)
{
    return loadpath_compile(L, slice_make(script->text, script->len), script->chunk, "t");
}
