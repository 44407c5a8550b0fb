#include "runtime/plain.h"

#include <assert.h>
#include <string.h>

#include <lauxlib.h>

enum tag { TAG_NIL, TAG_FALSE, TAG_TRUE, TAG_INTEGER, TAG_NUMBER, TAG_STRING, TAG_TABLE, TAG_END };

static const char too_large[] = "too large";

static bool put(struct buf *out, enum tag tag, const void *bytes, size_t len)
{
    unsigned char byte = (unsigned char)tag;
    return buf_append(out, &byte, 1) && buf_append(out, bytes, len);
}

static const char *write_value(lua_State *L, int index, struct buf *out, int depth);

static const char *write_table(lua_State *L, int index, struct buf *out, int depth)
{
    if (depth >= PLAIN_DEPTH_MAX) {
        return "nested too deeply, or a cycle";
    }
    if (lua_getmetatable(L, index) != 0) {
        lua_pop(L, 1);
        return "a table with a metatable";
    }
    luaL_checkstack(L, 4, NULL);
    if (!put(out, TAG_TABLE, NULL, 0)) {
        return too_large;
    }
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        const char *why = write_value(L, lua_gettop(L) - 1, out, depth + 1);
        why = why == NULL ? write_value(L, lua_gettop(L), out, depth + 1) : why;
        lua_pop(L, 1);
        if (why != NULL) {
            lua_pop(L, 1);
            return why;
        }
    }
    return put(out, TAG_END, NULL, 0) ? NULL : too_large;
}

static const char *write_value(lua_State *L, int index, struct buf *out, int depth)
{
    bool ok = false;
    switch (lua_type(L, index)) {
    case LUA_TNIL: ok = put(out, TAG_NIL, NULL, 0); break;
    case LUA_TBOOLEAN:
        ok = put(out, lua_toboolean(L, index) != 0 ? TAG_TRUE : TAG_FALSE, NULL, 0);
        break;
    case LUA_TNUMBER:
        if (lua_isinteger(L, index)) {
            lua_Integer value = lua_tointeger(L, index);
            ok = put(out, TAG_INTEGER, &value, sizeof value);
        } else {
            lua_Number value = lua_tonumber(L, index);
            ok = put(out, TAG_NUMBER, &value, sizeof value);
        }
        break;
    case LUA_TSTRING: {
        size_t len = 0;
        const char *text = lua_tolstring(L, index, &len);
        ok = put(out, TAG_STRING, &len, sizeof len) && buf_append(out, text, len);
        break;
    }
    case LUA_TTABLE: return write_table(L, index, out, depth);
    case LUA_TFUNCTION: return "a function";
    case LUA_TTHREAD: return "a coroutine";
    default: return "a userdata";
    }
    return ok ? NULL : too_large;
}

const char *plain_write(lua_State *L, int index, struct buf *out)
{
    return write_value(L, lua_absindex(L, index), out, 0);
}

static struct slice take(struct slice *bytes, size_t len)
{
    assert(bytes->len >= len);
    struct slice head = slice_make(bytes->p, len);
    *bytes = slice_make(bytes->p + len, bytes->len - len);
    return head;
}

/* false: the end of a table. */
static bool push_value(lua_State *L, struct slice *bytes)
{
    lua_Integer integer = 0;
    lua_Number number = 0;
    size_t len = 0;
    luaL_checkstack(L, 4, NULL);
    switch ((enum tag)(unsigned char)take(bytes, 1).p[0]) {
    case TAG_NIL: lua_pushnil(L); break;
    case TAG_FALSE: lua_pushboolean(L, 0); break;
    case TAG_TRUE: lua_pushboolean(L, 1); break;
    case TAG_INTEGER:
        memcpy(&integer, take(bytes, sizeof integer).p, sizeof integer);
        lua_pushinteger(L, integer);
        break;
    case TAG_NUMBER:
        memcpy(&number, take(bytes, sizeof number).p, sizeof number);
        lua_pushnumber(L, number);
        break;
    case TAG_STRING:
        memcpy(&len, take(bytes, sizeof len).p, sizeof len);
        lua_pushlstring(L, take(bytes, len).p, len);
        break;
    case TAG_TABLE:
        lua_newtable(L);
        while (push_value(L, bytes)) {
            (void)push_value(L, bytes);
            lua_rawset(L, -3);
        }
        break;
    case TAG_END: return false;
    }
    return true;
}

void plain_push(lua_State *L, struct slice bytes)
{
    (void)push_value(L, &bytes);
    assert(bytes.len == 0);
}
