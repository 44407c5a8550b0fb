#include "binding/query.h"

#include <stdbool.h>

#include <lauxlib.h>

#include "binding/request.h"

enum { QUERY_ROOM_MAX = 16 };

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    unsigned char lower = slice_lower((unsigned char)c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Pushes the decoded text; text without escapes is pushed as it is. */
static void push_decoded(lua_State *L, struct slice s)
{
    size_t i = 0;
    while (i < s.len && s.p[i] != '%' && s.p[i] != '+') {
        i++;
    }
    if (i == s.len) {
        lua_pushlstring(L, s.p, s.len);
        return;
    }
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, s.len);
    size_t n = 0;
    for (i = 0; i < s.len; i++) {
        int high = -1, low = -1;
        if (s.p[i] == '%' && i + 2 < s.len) {
            high = hex(s.p[i + 1]);
            low = hex(s.p[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            out[n++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[n] = s.p[i];
            if (s.p[i] == '+') {
                out[n] = ' ';
            }
            n++;
        }
    }
    luaL_pushresultsize(&b, n);
}

/* Takes the next "key=value" off the query; false at the end. Empty pieces are skipped. */
static bool next_pair(struct slice *rest, struct slice *key, struct slice *value)
{
    while (rest->len > 0) {
        const char *end = memchr(rest->p, '&', rest->len);
        struct slice pair = slice_make(rest->p, end == NULL ? rest->len : (size_t)(end - rest->p));
        size_t used = end == NULL ? pair.len : pair.len + 1;
        *rest = slice_make(rest->p + used, rest->len - used);
        if (pair.len == 0) {
            continue;
        }
        const char *equals = memchr(pair.p, '=', pair.len);
        *key = slice_make(pair.p, equals == NULL ? pair.len : (size_t)(equals - pair.p));
        *value = equals == NULL ? slice_make(pair.p, 0)
                                : slice_make(equals + 1, pair.len - key->len - 1);
        return true;
    }
    return false;
}

static void check_count(lua_State *L, int count)
{
    if (count > REQUEST_QUERY_PAIRS_MAX) {
        luaL_error(L, "the query has more than %d pairs", REQUEST_QUERY_PAIRS_MAX);
    }
}

/* Room to begin with: a table that grows as it is filled costs more than what goes into it. */
static int count_roughly(struct slice query)
{
    int count = query.len > 0;
    for (size_t i = 0; i < query.len && count < QUERY_ROOM_MAX; i++) {
        count += query.p[i] == '&';
    }
    return count;
}

void query_push_table(lua_State *L, struct slice query)
{
    struct slice key, value;
    lua_createtable(L, 0, count_roughly(query));
    for (int count = 1; next_pair(&query, &key, &value); count++) {
        check_count(L, count);
        push_decoded(L, key);
        push_decoded(L, value);
        lua_rawset(L, -3);
    }
}

void query_push_all(lua_State *L, struct slice query, struct slice wanted)
{
    struct slice key, value;
    lua_createtable(L, 0, 0);
    lua_Integer n = 0;
    for (int count = 1; next_pair(&query, &key, &value); count++) {
        check_count(L, count);
        size_t len = 0;
        push_decoded(L, key);
        const char *text = lua_tolstring(L, -1, &len);
        bool same = slice_equal(slice_make(text, len), wanted);
        lua_pop(L, 1);
        if (same) {
            push_decoded(L, value);
            lua_rawseti(L, -2, ++n);
        }
    }
}
