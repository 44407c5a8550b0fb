#include "binding/error.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "base/near.h"
#include "binding/ledger.h"

static const struct row {
    ULONG code;
    const char *name;
    const char *meaning;
} rows[] = {
#define ROW(name, meaning)                                                                         \
    {                                                                                              \
        name, #name, meaning                                                                       \
    }
    ROW(ERROR_INVALID_FUNCTION, "not possible for this object"),
    ROW(ERROR_FILE_NOT_FOUND, "not found"),
    ROW(ERROR_PATH_NOT_FOUND, "there is no such path"),
    ROW(ERROR_ACCESS_DENIED, "permission denied"),
    ROW(ERROR_INVALID_HANDLE, "closed"),
    ROW(ERROR_NOT_ENOUGH_MEMORY, "not enough memory"),
    ROW(ERROR_OUTOFMEMORY, "not enough memory"),
    ROW(ERROR_BAD_COMMAND, "another send of this request is still going on"),
    ROW(ERROR_SHARING_VIOLATION, "the port is held by another program"),
    ROW(ERROR_HANDLE_EOF, "nothing is left to read"),
    ROW(ERROR_NOT_SUPPORTED, "this provider does not have it"),
    ROW(ERROR_NETNAME_DELETED, "the client has gone"),
    ROW(ERROR_INVALID_PARAMETER, "a value is not acceptable"),
    ROW(ERROR_CALL_NOT_IMPLEMENTED, "this provider does not have it"),
    ROW(ERROR_INSUFFICIENT_BUFFER, "the buffer is too small"),
    ROW(ERROR_ALREADY_EXISTS, "it exists already"),
    ROW(ERROR_MORE_DATA, "there is more than fits"),
    ROW(ERROR_NO_MORE_ITEMS, "there are no more"),
    ROW(ERROR_OPERATION_ABORTED, "cancelled"),
    ROW(ERROR_IO_INCOMPLETE, "not finished yet"),
    ROW(ERROR_IO_PENDING, "under way"),
    ROW(ERROR_NOACCESS, "the memory cannot be used"),
    ROW(ERROR_DLL_INIT_FAILED, "the HTTP Server API is not initialised"),
    ROW(ERROR_NOT_FOUND, "not found"),
    ROW(ERROR_CONNECTION_INVALID, "the client has gone or the request is over"),
    ROW(ERROR_CONNECTION_ABORTED, "the connection was cut"),
    ROW(ERROR_REVISION_MISMATCH, "this version of the API is not there"),
    ROW(ERROR_NO_SUCH_LOGON_SESSION, "the certificate cannot be used"),
    ROW(ERROR_INVALID_ID_AUTHORITY, "only the controller may do this"),
    ROW(ERROR_TIMEOUT, "the time is over"),
#undef ROW
};

static const struct row *find_row(ULONG code)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].code == code) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *error_name(ULONG code, char spare[24])
{
    const struct row *row = find_row(code);
    if (row != NULL) {
        return row->name;
    }
    snprintf(spare, 24, "ERROR_%u", (unsigned)code);
    return spare;
}

const char *error_meaning(ULONG code)
{
    const struct row *row = find_row(code);
    return row == NULL ? "unexpected error" : row->meaning;
}

/* Adds the field of the error value at -2 when text is not empty. [-0,+0,m] */
static void add_field(lua_State *L, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        lua_pushstring(L, text);
        lua_setfield(L, -2, key);
    }
}

static void push_value(lua_State *L, const char *name, ULONG code)
{
    lua_createtable(L, 0, 6);
    add_field(L, "name", name);
    lua_pushinteger(L, (lua_Integer)code);
    lua_setfield(L, -2, "code");
    luaL_setmetatable(L, ERROR_TYPE);
}

void error_push(lua_State *L, const char *call, ULONG code, const char *object, const char *hint)
{
    char spare[24];
    push_value(L, error_name(code, spare), code);
    add_field(L, "call", call);
    add_field(L, "object", object);
    add_field(L, "hint", hint);
}

void error_push_word(lua_State *L, const char *word, const char *hint)
{
    push_value(L, word, NO_ERROR);
    add_field(L, "hint", hint);
}

void error_push_ledger(lua_State *L, const struct ledger_error *error)
{
    if (error->code == ERROR_OPERATION_ABORTED && error->call == NULL) {
        error_push_word(L, "stopping", "the server stops: nothing new can be opened");
        return;
    }
    error_push(L, error->call, error->code, error->object, error->hint);
    if (error->site.file[0] != '\0') {
        lua_pushfstring(L, "%s:%d", error->site.file, error->site.line);
        lua_setfield(L, -2, "where");
    }
}

int error_return(lua_State *L, const char *call, ULONG code, const char *object, const char *hint)
{
    lua_pushnil(L);
    error_push(L, call, code, object, hint);
    return 2;
}

int error_return_ledger(lua_State *L, const struct ledger_error *error)
{
    lua_pushnil(L);
    error_push_ledger(L, error);
    return 2;
}

int error_return_word(lua_State *L, const char *word, const char *hint)
{
    lua_pushnil(L);
    error_push_word(L, word, hint);
    return 2;
}

int error_raise_unknown(lua_State *L, const char *what, const char *name, const struct near *near)
{
    if (near == NULL || near->best == NULL) {
        return luaL_error(L, "%s '%s'", what, name);
    }
    return luaL_error(L, "%s '%s' ('%s'?)", what, name, near->best);
}

void error_check_options(lua_State *L, int index, const char *const *names)
{
    index = lua_absindex(L, index);
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        size_t length = 0;
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &length) : "?";
        struct near near;
        near_init(&near, key, length);
        for (size_t i = 0; names[i] != NULL; i++) {
            near_try(&near, names[i]);
        }
        if (near.best == NULL || near.steps > 0) {
            (void)error_raise_unknown(L, "options: there is no", key, &near); /* never returns */
        }
    }
}

int error_raise_ledger(lua_State *L, const struct ledger_error *error)
{
    error_push_ledger(L, error);
    return lua_error(L);
}

const char *error_format(const struct ledger_error *error, char *out, size_t cap)
{
    char spare[24];
    const char *call = error->call == NULL ? "" : error->call;
    const char *gap = call[0] != '\0' && error->object[0] != '\0' ? " " : "";
    bool subject = call[0] != '\0' || error->object[0] != '\0';
    int len = snprintf(out, cap, "%s%s%s%s%s (%u), %s%s%s", call, gap, error->object,
                       subject ? ": " : "", error_name(error->code, spare), (unsigned)error->code,
                       error_meaning(error->code), error->hint[0] == '\0' ? "" : "; ", error->hint);
    if (error->site.file[0] != '\0' && len >= 0 && (size_t)len < cap) {
        snprintf(out + len, cap - (size_t)len, " (%s:%d)", error->site.file, error->site.line);
    }
    return out;
}

/* A field of the error value as text, "" when there is none. Pushes it so that it stays. [-0,+1,e]
 */
static const char *text_field(lua_State *L, const char *key)
{
    lua_getfield(L, 1, key);
    const char *text = lua_tostring(L, -1);
    return text == NULL ? "" : text;
}

/* tostring(error) [-0,+1,m] */
static int to_string(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    const char *call = text_field(L, "call");
    const char *object = text_field(L, "object");
    const char *name = text_field(L, "name");
    const char *hint = text_field(L, "hint");
    const char *where = text_field(L, "where");
    lua_getfield(L, 1, "code");
    lua_Integer code = lua_tointeger(L, -1);
    bool subject = call[0] != '\0' || object[0] != '\0';
    lua_pushfstring(L, "%s%s%s%s%s", call, call[0] != '\0' && object[0] != '\0' ? " " : "", object,
                    subject ? ": " : "", name);
    if (code != 0) {
        lua_pushfstring(L, " (%I), %s", (LUAI_UACINT)code, error_meaning((ULONG)code));
    } else {
        lua_pushstring(L, "");
    }
    lua_pushfstring(L, "%s%s%s%s%s", hint[0] == '\0' ? "" : "; ", hint,
                    where[0] == '\0' ? "" : " (", where, where[0] == '\0' ? "" : ")");
    lua_concat(L, 3);
    return 1;
}

void error_register(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__tostring", to_string}, {NULL, NULL}};
    if (luaL_newmetatable(L, ERROR_TYPE)) {
        luaL_setfuncs(L, meta, 0);
    }
    lua_pop(L, 1);
}
