#include "binding/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "base/slice.h"
#include "base/utf8.h"

/* One step of the place where the encoder is. */
struct step {
    const void *table; /* identity, to find cycles */
    const char *key; /* NULL: an array, see index. The string is a key of the table, so it stays */
    lua_Integer index;
};

struct encoder {
    lua_State *L;
    struct json_text *out;
    const char *wrong; /* why it stopped; NULL so far */
    int depth;
    struct step steps[JSON_DEPTH_MAX];
};

/* --- output --------------------------------------------------------------------------------- */

/* Makes room in a userdata that stands at the slot `box` of the stack. [-0,+0,m] */
static bool grow(struct encoder *e, size_t n)
{
    struct json_text *out = e->out;
    if (n > out->max || out->len > out->max - n) {
        e->wrong = "the text is too large";
        return false;
    }
    size_t cap = out->cap;
    while (cap - out->len < n) {
        cap = cap <= SIZE_MAX / 2 ? cap * 2 : out->len + n;
    }
    luaL_checkstack(e->L, 1, NULL);
    char *bytes = lua_newuserdatauv(e->L, cap, 0);
    memcpy(bytes, out->p, out->len);
    lua_replace(e->L, out->box);
    out->p = bytes;
    out->cap = cap;
    return true;
}

static inline bool reserve(struct encoder *e, size_t n)
{
    struct json_text *out = e->out;
    return (out->cap - out->len >= n && out->max - out->len >= n) || grow(e, n);
}

static inline bool put(struct encoder *e, const char *p, size_t n)
{
    if (!reserve(e, n)) {
        return false;
    }
    memcpy(e->out->p + e->out->len, p, n);
    e->out->len += n;
    return true;
}

static inline bool put_char(struct encoder *e, char c)
{
    if (!reserve(e, 1)) {
        return false;
    }
    e->out->p[e->out->len++] = c;
    return true;
}

static bool fail(struct encoder *e, const char *wrong)
{
    e->wrong = wrong;
    return false;
}

/* --- scalars -------------------------------------------------------------------------------- */

static bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
}

/* Writes the escape of one byte at p, at most 6 bytes. Returns its length. */
static size_t escape(unsigned char c, char *p)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = "btnvfr"; /* 8 to 13; \v is not JSON's */
    p[0] = '\\';
    if (c == '"' || c == '\\') {
        p[1] = (char)c;
        return 2;
    }
    if (c >= 8 && c <= 13 && c != 11) {
        p[1] = letters[c - 8];
        return 2;
    }
    memcpy(p + 1, "u00", 3);
    p[4] = hex[c >> 4];
    p[5] = hex[c & 15];
    return 6;
}

static bool put_string(struct encoder *e, const char *s, size_t len)
{
    if (!utf8_is_valid(slice_make(s, len))) {
        return fail(e, "the string is not UTF-8");
    }
    if (!put_char(e, '"')) {
        return false;
    }
    for (size_t at = 0; at < len;) {
        size_t run = at;
        while (run < len && !needs_escape((unsigned char)s[run])) {
            run++;
        }
        if (!put(e, s + at, run - at)) {
            return false;
        }
        at = run;
        if (at < len) {
            char text[6];
            size_t n = escape((unsigned char)s[at], text);
            if (!put(e, text, n)) {
                return false;
            }
            at++;
        }
    }
    return put_char(e, '"');
}

static bool put_integer(struct encoder *e, lua_Integer value)
{
    char digits[24];
    char *p = digits + sizeof digits;
    /* Of a negative value the magnitude, which for the smallest one does not fit lua_Integer. */
    lua_Unsigned rest = value < 0 ? 0 - (lua_Unsigned)value : (lua_Unsigned)value;
    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        *--p = '-';
    }
    return put(e, p, (size_t)(digits + sizeof digits - p));
}

/* The shortest of 15 to 17 digits that reads back the same. */
static bool put_float(struct encoder *e, lua_Number value)
{
    char text[40];
    int len = 0;
    if (!isfinite(value)) {
        return fail(e, "NaN and infinities have no JSON");
    }
    if (fabs(value) < 9007199254740992.0 && value == floor(value) &&
        !(value == 0 && signbit(value))) {
        return put_integer(e, (lua_Integer)value); /* exact below 2^53 */
    }
    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(text, sizeof text, "%.*g", digits, value);
        assert(len > 0 && (size_t)len < sizeof text);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    for (int i = 0; i < len; i++) {
        /* A script may have set another locale, with another decimal point. */
        bool plain = (unsigned char)(text[i] - '0') < 10 || strchr("+-e.", text[i]) != NULL;
        if (!plain) {
            text[i] = '.';
        }
    }
    return put(e, text, (size_t)len);
}

/* --- tables --------------------------------------------------------------------------------- */

static bool put_value(struct encoder *e);

/* Whether the table on top has exactly the keys 1 to n. */
static bool is_sequence(lua_State *L, lua_Integer n)
{
    lua_Integer count = 0;
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 1 || lua_tointeger(L, -2) > n) {
            lua_pop(L, 2);
            return false;
        }
        count++;
    }
    return count == n;
}

/* Whether the table on top asks to be an array although it is empty. */
static bool is_marked_array(lua_State *L)
{
    if (luaL_getmetafield(L, -1, "__jsontype") == LUA_TNIL) {
        return false;
    }
    const char *type = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    bool array = strcmp(type, "array") == 0;
    lua_pop(L, 1);
    return array;
}

static bool put_array(struct encoder *e, lua_Integer n)
{
    struct step *step = &e->steps[e->depth - 1];
    if (!put_char(e, '[')) {
        return false;
    }
    for (lua_Integer i = 1; i <= n; i++) {
        step->index = i;
        lua_rawgeti(e->L, -1, i);
        if ((i > 1 && !put_char(e, ',')) || !put_value(e)) {
            return false;
        }
        lua_pop(e->L, 1);
    }
    return put_char(e, ']');
}

static bool put_object(struct encoder *e)
{
    struct step *step = &e->steps[e->depth - 1];
    bool first = true;
    lua_State *L = e->L;
    if (!put_char(e, '{')) {
        return false;
    }
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        size_t len = 0;
        if (lua_type(L, -2) != LUA_TSTRING) {
            return fail(e, "the table is neither a sequence nor has only string keys");
        }
        const char *key = lua_tolstring(L, -2, &len);
        step->key = key;
        if ((!first && !put_char(e, ',')) || !put_string(e, key, len) || !put_char(e, ':') ||
            !put_value(e)) {
            return false;
        }
        first = false;
    }
    step->key = NULL;
    if (first && is_marked_array(L)) {
        e->out->p[e->out->len - 1] = '[';
        return put_char(e, ']');
    }
    return put_char(e, '}');
}

/* The table on top. On failure the stack is left as it is: the caller cuts it. */
static bool put_table(struct encoder *e)
{
    const void *table = lua_topointer(e->L, -1);
    for (int i = 0; i < e->depth; i++) {
        if (e->steps[i].table == table) {
            return fail(e, "the table contains itself");
        }
    }
    if (e->depth == JSON_DEPTH_MAX) {
        return fail(e, "the nesting is too deep");
    }
    luaL_checkstack(e->L, 8, NULL);
    struct step *step = &e->steps[e->depth++];
    step->table = table;
    step->key = NULL;
    step->index = 0;
    lua_Integer n = (lua_Integer)lua_rawlen(e->L, -1);
    bool done = n > 0 && is_sequence(e->L, n) ? put_array(e, n) : put_object(e);
    if (done) {
        e->depth--;
    }
    return done;
}

/* The value on top. */
static bool put_value(struct encoder *e)
{
    size_t len = 0;
    const char *text = NULL;
    lua_State *L = e->L;
    switch (lua_type(L, -1)) {
    case LUA_TNIL: return put(e, "null", 4);
    case LUA_TBOOLEAN: return lua_toboolean(L, -1) ? put(e, "true", 4) : put(e, "false", 5);
    case LUA_TNUMBER:
        return lua_isinteger(L, -1) ? put_integer(e, lua_tointeger(L, -1))
                                    : put_float(e, lua_tonumber(L, -1));
    case LUA_TSTRING: text = lua_tolstring(L, -1, &len); return put_string(e, text, len);
    case LUA_TTABLE: return put_table(e);
    case LUA_TLIGHTUSERDATA:
        return lua_touserdata(L, -1) == NULL ? put(e, "null", 4)
                                             : fail(e, "a light userdata has no JSON");
    case LUA_TFUNCTION: return fail(e, "a function has no JSON");
    case LUA_TTHREAD: return fail(e, "a coroutine has no JSON");
    default: return fail(e, "a userdata has no JSON");
    }
}

/* --- the whole ------------------------------------------------------------------------------ */

/* Pushes "users[3].name: why". The keys are still held by the stack below. [-0,+1,m] */
static void push_message(struct encoder *e)
{
    char path[JSON_PATH_BYTES_MAX];
    size_t len = 0;
    path[0] = '\0';
    for (int i = 0; i < e->depth && len < sizeof path - 1; i++) {
        const struct step *step = &e->steps[i];
        int n = 0;
        if (step->key != NULL) {
            n = snprintf(path + len, sizeof path - len, "%s%s", len == 0 ? "" : ".", step->key);
        } else if (step->index > 0) {
            n = snprintf(path + len, sizeof path - len, "[%lld]", (long long)step->index);
        }
        len += n < 0 ? 0 : (size_t)n;
    }
    for (char *p = path; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f) {
            *p = '?';
        }
    }
    lua_pushfstring(e->L, "%s%s%s", path, path[0] == '\0' ? "" : ": ", e->wrong);
}

bool json_encode(lua_State *L, int index, struct json_text *out, size_t max)
{
    struct encoder e;
    e.L = L;
    e.out = out;
    e.wrong = NULL;
    e.depth = 0;
    index = lua_absindex(L, index);
    out->p = out->first;
    out->len = 0;
    out->cap = sizeof out->first;
    out->max = max;
    luaL_checkstack(L, 8, NULL);
    lua_pushnil(L); /* the slot of the bytes, when they outgrow `first` */
    out->box = lua_gettop(L);
    lua_pushvalue(L, index);
    if (put_value(&e)) {
        lua_settop(L, out->box);
        return true;
    }
    push_message(&e);
    lua_replace(L, out->box);
    lua_settop(L, out->box);
    return false;
}

bool json_push(lua_State *L, int index, size_t max)
{
    struct json_text out;
    if (!json_encode(L, index, &out, max)) {
        return false;
    }
    lua_pushlstring(L, out.p, out.len);
    lua_replace(L, out.box);
    return true;
}
