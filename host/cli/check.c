/* check: what can be known of scripts without running them. */
#include "cli/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "base/visible.h"
#include "binding/excerpt.h"
#include "cli/globals.h"
#include "cli/term.h"
#include "runtime/loadpath.h"
#include "runtime/luaenv.h"
#include "runtime/modules.h"

enum {
    DUMP_BYTES_MAX = 64 * 1024 * 1024,
    LINE_BYTES_MAX = 8192 /* of what is shown; a longer one is cut */
};

struct check {
    lua_State *L;                /* registry: "known" -> table of names that exist */
    const struct script *script; /* under way */
    size_t errors, warnings;
    bool collecting; /* first round: what the scripts set */
};

static void put(struct check *check, int line, int column, bool error, const char *text)
{
    char place[32] = "";
    if (column > 0) {
        (void)snprintf(place, sizeof place, "%d:", column);
    }
    char shown[LINE_BYTES_MAX];
    (void)fprintf(stderr, "%s:%d:%s %s: %s\n", check->script->path, line, place,
                  error ? "error" : "warning", visible_text(shown, sizeof shown, text, "\n\t"));
    check->errors += error ? 1 : 0;
    check->warnings += error ? 0 : 1;
}

/* --- syntax
 * ---------------------------------------------------------------------------------------- */

static void put_line(struct slice text, struct excerpt_line line)
{
    char shown[LINE_BYTES_MAX];
    struct slice part = slice_make(text.p + line.start, line.end - line.start);
    part.len -= part.len > 0 && part.p[part.len - 1] == '\r'; /* half a line end of Windows */
    size_t len = visible_write(shown, sizeof shown, part, "\t");
    (void)fprintf(stderr, "%4d | %.*s\n", line.number, (int)len, shown);
}

/* The line before, the line itself, and the caret. */
static void put_excerpt(struct slice text, size_t at)
{
    struct excerpt_line line = excerpt_line_at(text, at);
    char shown[LINE_BYTES_MAX];
    if (line.start > 0) {
        put_line(text, excerpt_line_at(text, line.start - 1));
    }
    put_line(text, line);
    (void)fputs("     | ", stderr);
    struct slice before = slice_make(text.p + line.start, at - line.start);
    size_t len = visible_write(shown, sizeof shown, before, "\t");
    for (size_t i = 0; i < len; i++) {
        (void)fputc(shown[i] == '\t' ? '\t' : ' ', stderr);
    }
    (void)fputs("^\n", stderr);
}

/* Compiles the script again and shows where it broke. */
static void put_syntax_error(struct check *check)
{
    lua_State *L = check->L;
    struct slice source = slice_make(check->script->text, check->script->len);
    struct excerpt_place place = {.line = 1};
    size_t at = excerpt_compile(L, source, check->script->chunk);
    const char *message = lua_tostring(L, -1);
    const char *text = message == NULL ? "not a text" : message;
    const char *rest = text;
    text = excerpt_next_place(&rest, &place) ? place.text.p : text;
    if (at == EXCERPT_NOWHERE) {
        put(check, place.line, 0, true, text);
    } else {
        struct excerpt_line line = excerpt_line_at(source, at);
        put(check, line.number, (int)(at - line.start) + 1, true, text);
        put_excerpt(source, at);
    }
    lua_pop(L, 1);
}

/* --- globals and modules
 * --------------------------------------------------------------------------- */

static int append_dump(lua_State *L, const void *bytes, size_t length, void *ud)
{
    (void)L;
    return buf_append(ud, bytes, length) ? 0 : 1;
}

/* Asks package.searchers; they compile Lua modules and open C ones, and run neither. Pushes
 * nothing. */
static bool can_require(lua_State *L, const char *name, char *why, size_t cap)
{
    static const char ask[] = "local name = ...\n"
                              "for _, search in ipairs(package.searchers) do\n"
                              "  if type((search(name))) == 'function' then return true end\n"
                              "end\n"
                              "error(\"module '\" .. name .. \"' not found\", 0)";
    int top = lua_gettop(L);
    bool found = luaL_loadbufferx(L, ask, sizeof ask - 1, "=check", "t") == LUA_OK;
    (void)lua_pushstring(L, name);
    found = found && lua_pcall(L, 1, 1, 0) == LUA_OK;
    if (!found) {
        const char *message = lua_tostring(L, -1);
        (void)snprintf(why, cap, "%s", message == NULL ? "not found" : message);
    }
    lua_settop(L, top);
    return found;
}

static void on_use(void *ctx, enum globals_use use, struct slice name, int line)
{
    struct check *check = ctx;
    lua_State *L = check->L;
    char text[1024];
    char module[256];
    if (name.p == NULL) {
        return;
    }
    if (use == GLOBALS_REQUIRE && !check->collecting) {
        (void)snprintf(module, sizeof module, "%.*s", (int)name.len, name.p);
        if (!can_require(L, module, text, sizeof text)) {
            put(check, line, 0, true, text);
        }
        return;
    }
    (void)lua_getfield(L, LUA_REGISTRYINDEX, "known");
    (void)lua_pushlstring(L, name.p, name.len);
    if (use == GLOBALS_SET && check->collecting) {
        lua_pushboolean(L, 1);
        lua_rawset(L, -3);
    } else {
        bool known = lua_rawget(L, -2) != LUA_TNIL;
        lua_pop(L, 1);
        if (use == GLOBALS_READ && !check->collecting && !known) {
            (void)snprintf(text, sizeof text, "undefined global '%.*s'", (int)name.len, name.p);
            put(check, line, 0, false, text);
            (void)lua_pushlstring(L, name.p, name.len); /* once is enough */
            lua_pushboolean(L, 1);
            lua_rawset(L, -3);
        }
    }
    lua_pop(L, 1);
}

static void check_script(struct check *check)
{
    struct buf dump;
    lua_State *L = check->L;
    if (loadpath_load(L, check->script) != LUA_OK) {
        lua_pop(L, 1);
        if (!check->collecting) {
            put_syntax_error(check);
        }
        return;
    }
    buf_init(&dump, DUMP_BYTES_MAX);
    if (lua_dump(L, append_dump, &dump, 0) == 0) {
        (void)globals_walk(buf_slice(&dump), on_use,
                           check); /* another Lua version: nothing to say */
    }
    buf_deinit(&dump);
    lua_pop(L, 1);
}

/* --- mounts
 * ---------------------------------------------------------------------------------------- */

/* The same route: the same segments, whatever their parameters are called. */
static bool is_same_mount(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        size_t skip = *a == ':' ? strcspn(a, "/") : 1;
        b += *a == ':' ? strcspn(b, "/") : 1;
        a += skip;
    }
    return *a == *b;
}

/* Scripts of directories that are mounted at one place: at most one of them may return something.
 * Other routes are known only when a script runs, and then a second one fails the load. */
static void check_mounts(struct check *check, const struct script_list *list)
{
    char text[1024];
    for (size_t i = 0; i < list->count; i++) {
        for (size_t j = 0; j < i && list->items[i].mount != NULL; j++) {
            const struct script *other = &list->items[j];
            if (other->mount != NULL && is_same_mount(other->mount, list->items[i].mount)) {
                check->script = &list->items[i];
                (void)snprintf(text, sizeof text, "route %s is that of %s (%s) too",
                               list->items[i].mount, other->path, other->mount);
                put(check, 1, 0, false, text);
                break;
            }
        }
    }
}

/* The names that exist in a fresh state, and `http`. */
static int note_known(lua_State *L)
{
    luaL_openlibs(L);
    lua_newtable(L);
    lua_pushglobaltable(L);
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_pushboolean(L, 1);
        lua_rawset(L, 1);
    }
    lua_pop(L, 1);
    lua_pushboolean(L, 1);
    lua_setfield(L, 1, "http");
    lua_setfield(L, LUA_REGISTRYINDEX, "known");
    (void)luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, note_known); /* never called: the module is part of the host */
    lua_setfield(L, -2, "http");
    return 0;
}

static bool check_all(struct check *check, const struct script_list *list)
{
    lua_pushcfunction(check->L, note_known);
    if (lua_pcall(check->L, 0, 0, 0) != LUA_OK) {
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].folder != NULL &&
            luaenv_add_path(check->L, list->items[i].folder) != NO_ERROR) {
            return false;
        }
    }
    for (int round = 0; round < 2; round++) {
        check->collecting = round == 0;
        for (size_t i = 0; i < list->count; i++) {
            check->script = &list->items[i];
            check_script(check);
        }
    }
    check_mounts(check, list);
    return true;
}

static void tell(const struct check *check, const struct term *term, size_t scripts)
{
    char text[128];
    (void)snprintf(text, sizeof text, "%zu script%s, %zu error%s, %zu warning%s", scripts,
                   scripts == 1 ? "" : "s", check->errors, check->errors == 1 ? "" : "s",
                   check->warnings, check->warnings == 1 ? "" : "s");
    term_verdict(term, check->errors > 0 ? HOST_EXIT_LOAD : HOST_EXIT_OK, text);
}

int check_command(const struct options *options)
{
    struct check check = {.L = NULL};
    struct script_list list = {NULL, 0};
    struct term term;
    struct buf why;
    int code = HOST_EXIT_LOAD;
    struct host_source *sources = calloc(options->word_count, sizeof *sources);
    term_init(&term, options);
    buf_init(&why, HOST_REASON_BYTES_MAX);
    check.L = luaL_newstate();
    if (sources == NULL || check.L == NULL) {
        term_error(&term, "not enough memory");
        code = HOST_EXIT_INTERNAL;
        goto out;
    }
    for (size_t i = 0; i < options->word_count; i++) {
        sources[i].path = options->words[i];
    }
    ULONG found = loadpath_expand(sources, options->word_count, &list, &why);
    if (found != NO_ERROR) {
        code = found == ERROR_FILE_NOT_FOUND || found == ERROR_PATH_NOT_FOUND ||
                       found == ERROR_ACCESS_DENIED
                   ? HOST_EXIT_FILE
                   : HOST_EXIT_LOAD;
        (void)buf_append(&why, "", 1);
        term_error(&term, why.p);
        goto out;
    }
    luaL_openlibs(check.L);
    if (modules_preload(check.L, options->lua_dir) != LUA_OK || !check_all(&check, &list)) {
        term_error(&term, "not enough memory");
        code = HOST_EXIT_INTERNAL;
        goto out;
    }
    tell(&check, &term, list.count);
    code = check.errors > 0 ? HOST_EXIT_LOAD : HOST_EXIT_OK;
out:
    loadpath_deinit(&list);
    buf_deinit(&why);
    if (check.L != NULL) {
        lua_close(check.L);
    }
    free(sources);
    return code;
}
