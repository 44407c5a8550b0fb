#include "binding/headers.h"

#include <assert.h>
#include <string.h>

#include <lauxlib.h>

#include "binding/request.h"
#include "binding/state.h"

/* --- names
 * ----------------------------------------------------------------------------------- */

/* Canonical spelling by id; 0 to 19 are shared. Source: HTTP_HEADER_ID. */
static const struct slice common_names[] = {
    SLICE_INIT("Cache-Control"),
    SLICE_INIT("Connection"),
    SLICE_INIT("Date"),
    SLICE_INIT("Keep-Alive"),
    SLICE_INIT("Pragma"),
    SLICE_INIT("Trailer"),
    SLICE_INIT("Transfer-Encoding"),
    SLICE_INIT("Upgrade"),
    SLICE_INIT("Via"),
    SLICE_INIT("Warning"),
    SLICE_INIT("Allow"),
    SLICE_INIT("Content-Length"),
    SLICE_INIT("Content-Type"),
    SLICE_INIT("Content-Encoding"),
    SLICE_INIT("Content-Language"),
    SLICE_INIT("Content-Location"),
    SLICE_INIT("Content-MD5"),
    SLICE_INIT("Content-Range"),
    SLICE_INIT("Expires"),
    SLICE_INIT("Last-Modified"),
};

static const struct slice request_names[] = {
    SLICE_INIT("Accept"),
    SLICE_INIT("Accept-Charset"),
    SLICE_INIT("Accept-Encoding"),
    SLICE_INIT("Accept-Language"),
    SLICE_INIT("Authorization"),
    SLICE_INIT("Cookie"),
    SLICE_INIT("Expect"),
    SLICE_INIT("From"),
    SLICE_INIT("Host"),
    SLICE_INIT("If-Match"),
    SLICE_INIT("If-Modified-Since"),
    SLICE_INIT("If-None-Match"),
    SLICE_INIT("If-Range"),
    SLICE_INIT("If-Unmodified-Since"),
    SLICE_INIT("Max-Forwards"),
    SLICE_INIT("Proxy-Authorization"),
    SLICE_INIT("Referer"),
    SLICE_INIT("Range"),
    SLICE_INIT("TE"),
    SLICE_INIT("Translate"),
    SLICE_INIT("User-Agent"),
};

static const struct slice response_names[] = {
    SLICE_INIT("Accept-Ranges"),
    SLICE_INIT("Age"),
    SLICE_INIT("ETag"),
    SLICE_INIT("Location"),
    SLICE_INIT("Proxy-Authenticate"),
    SLICE_INIT("Retry-After"),
    SLICE_INIT("Server"),
    SLICE_INIT("Set-Cookie"),
    SLICE_INIT("Vary"),
    SLICE_INIT("WWW-Authenticate"),
};

enum { COMMON_COUNT = sizeof common_names / sizeof common_names[0] };

_Static_assert(COMMON_COUNT + sizeof request_names / sizeof request_names[0] ==
                   HttpHeaderRequestMaximum,
               "one name for each request header id");
_Static_assert(COMMON_COUNT + sizeof response_names / sizeof response_names[0] ==
                   HttpHeaderResponseMaximum,
               "one name for each response header id");

/* The first letter decides nearly always, so most of the table is passed at a byte each. */
static int find(const struct slice *names, size_t count, struct slice name)
{
    unsigned char first = slice_lower((unsigned char)name.p[0]);
    for (size_t i = 0; i < count; i++) {
        if (names[i].len == name.len && slice_lower((unsigned char)names[i].p[0]) == first &&
            (slice_equal(names[i], name) || slice_equal_nocase(names[i], name))) {
            return (int)i;
        }
    }
    return -1;
}

static int find_id(struct slice name, const struct slice *rest, size_t rest_count)
{
    if (name.len == 0 || name.len > HEADERS_NAME_MAX) {
        return -1;
    }
    int id = find(common_names, COMMON_COUNT, name);
    if (id >= 0) {
        return id;
    }
    id = find(rest, rest_count, name);
    return id < 0 ? -1 : id + COMMON_COUNT;
}

int headers_response_id(struct slice name)
{
    return find_id(name, response_names, sizeof response_names / sizeof response_names[0]);
}

int headers_request_id(struct slice name)
{
    return find_id(name, request_names, sizeof request_names / sizeof request_names[0]);
}

struct slice headers_response_name(unsigned id)
{
    if (id < COMMON_COUNT) {
        return common_names[id];
    }
    return id < HttpHeaderResponseMaximum ? response_names[id - COMMON_COUNT] : slice_make("", 0);
}

struct slice headers_request_name(unsigned id)
{
    if (id < COMMON_COUNT) {
        return common_names[id];
    }
    return id < HttpHeaderRequestMaximum ? request_names[id - COMMON_COUNT] : slice_make("", 0);
}

/* --- request side
 * ---------------------------------------------------------------------------- */

static bool is_named(const HTTP_UNKNOWN_HEADER *h, struct slice name)
{
    return slice_equal_nocase(slice_make(h->pName, h->NameLength), name);
}

/* Repeated unknown fields become one, in order (RFC 9110 section 5.3). */
static void push_unknown(lua_State *L, const HTTP_REQUEST_HEADERS *headers, struct slice name)
{
    const HTTP_UNKNOWN_HEADER *h = headers->pUnknownHeaders;
    const HTTP_UNKNOWN_HEADER *end = h + headers->UnknownHeaderCount;
    while (h < end && !is_named(h, name)) {
        h++;
    }
    if (h == end) {
        lua_pushnil(L);
        return;
    }
    lua_pushlstring(L, h->pRawValue, h->RawValueLength);
    for (h++; h < end; h++) {
        if (is_named(h, name)) {
            lua_pushliteral(L, ", ");
            lua_pushlstring(L, h->pRawValue, h->RawValueLength);
            lua_concat(L, 3);
        }
    }
}

void headers_push_field(lua_State *L, const HTTP_REQUEST *http, struct slice name)
{
    int id = headers_request_id(name);
    luaL_checkstack(L, 4, "headers");
    if (id < 0) {
        push_unknown(L, &http->Headers, name);
        return;
    }
    const HTTP_KNOWN_HEADER *h = &http->Headers.KnownHeaders[id];
    if (h->pRawValue == NULL) {
        lua_pushnil(L);
    } else {
        lua_pushlstring(L, h->pRawValue, h->RawValueLength);
    }
}

struct headers_object {
    uint64_t request_id;
};

void headers_push(lua_State *L, uint64_t request_id)
{
    struct headers_object *object = lua_newuserdatauv(L, sizeof *object, 0);
    object->request_id = request_id;
    luaL_setmetatable(L, headers_type.name);
}

static const HTTP_REQUEST *check_object(lua_State *L)
{
    const struct headers_object *object = luaL_checkudata(L, 1, headers_type.name);
    const struct request *r = httpreq_find(state_of(L), object->request_id);
    if (r == NULL) {
        luaL_error(L, "closed http.request (its headers are gone with it)");
        return NULL;
    }
    return r->http;
}

/* headers[name] -> string | nil [-0, +1, e] */
static int index_headers(lua_State *L)
{
    size_t len = 0;
    const HTTP_REQUEST *http = check_object(L);
    const char *name = luaL_checklstring(L, 2, &len);
    headers_push_field(L, http, slice_make(name, len));
    return 1;
}

static int newindex_headers(lua_State *L)
{
    return luaL_error(L, "request headers cannot be changed");
}

static void push_lower(lua_State *L, struct slice name)
{
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, name.len);
    for (size_t i = 0; i < name.len; i++) {
        out[i] = (char)slice_lower((unsigned char)name.p[i]);
    }
    luaL_pushresultsize(&b, name.len);
}

static bool seen_before(const HTTP_UNKNOWN_HEADER *all, size_t i)
{
    struct slice name = slice_make(all[i].pName, all[i].NameLength);
    for (size_t j = 0; j < i; j++) {
        if (is_named(&all[j], name)) {
            return true;
        }
    }
    return false;
}

/* pairs(headers): lower-case names and values, copied at the call. [-0, +3, e] */
static int pairs_headers(lua_State *L)
{
    const HTTP_REQUEST *http = check_object(L);
    lua_getglobal(L, "next");
    lua_createtable(L, 0, 8);
    for (unsigned id = 0; id < HttpHeaderRequestMaximum; id++) {
        const HTTP_KNOWN_HEADER *h = &http->Headers.KnownHeaders[id];
        if (h->pRawValue != NULL) {
            push_lower(L, headers_request_name(id));
            lua_pushlstring(L, h->pRawValue, h->RawValueLength);
            lua_rawset(L, -3);
        }
    }
    for (size_t i = 0; i < http->Headers.UnknownHeaderCount; i++) {
        const HTTP_UNKNOWN_HEADER *h = &http->Headers.pUnknownHeaders[i];
        if (!seen_before(http->Headers.pUnknownHeaders, i)) {
            push_lower(L, slice_make(h->pName, h->NameLength));
            push_unknown(L, &http->Headers, slice_make(h->pName, h->NameLength));
            lua_rawset(L, -3);
        }
    }
    lua_pushnil(L);
    return 3;
}

static int tostring_headers(lua_State *L)
{
    luaL_checkudata(L, 1, headers_type.name);
    lua_pushliteral(L, "http.headers");
    return 1;
}

static const struct luaL_Reg headers_meta[] = {
    {"__newindex", newindex_headers},
    {"__pairs", pairs_headers},
    {"__tostring", tostring_headers},
    {NULL, NULL},
};

static const struct binding_entry headers_fields[] = {
    {"[string]", NULL, "string?", "One field; repeated ones are joined with \", \"."},
    {NULL, NULL, NULL, NULL},
};

const struct binding_type headers_type = {
    .name = "http.headers",
    .doc = "The header fields of a request, looked up by name without case; pairs() walks them.",
    .fields = headers_fields,
    .metamethods = headers_meta,
    .index = index_headers,
};

/* --- response side
 * --------------------------------------------------------------------------- */

/* RFC 9110 section 5.6.2. */
static bool is_token(struct slice s)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool alnum = (unsigned char)(slice_lower(c) - 'a') < 26 || (unsigned char)(c - '0') < 10;
        if (!alnum && (c == 0 || strchr(marks, c) == NULL)) {
            return false;
        }
    }
    return s.len > 0;
}

static void check_value(lua_State *L, struct slice name, struct slice value)
{
    if (value.len > HEADERS_VALUE_BYTES_MAX) {
        luaL_error(L, "header '%s' is longer than %d bytes", name.p, HEADERS_VALUE_BYTES_MAX);
    }
    for (size_t i = 0; i < value.len; i++) {
        char c = value.p[i];
        if (c == '\r' || c == '\n' || c == 0) {
            luaL_error(L, "header '%s' has a %s in its value", name.p,
                       c == 0 ? "NUL" : "line break");
        }
    }
}

void headers_set(struct request *r, unsigned id, struct slice value)
{
    assert(id < HttpHeaderResponseMaximum && value.len <= HEADERS_VALUE_BYTES_MAX);
    HTTP_KNOWN_HEADER *h = &r->response.Headers.KnownHeaders[id];
    h->pRawValue = value.p;
    h->RawValueLength = (USHORT)value.len;
    r->known_set |= UINT32_C(1) << id;
}

/* The lines a table will make, so that memory for them is there before the first one. entries: of
 * the table, of which each makes no, one or more lines. */
static unsigned count_lines(lua_State *L, int index, unsigned *entries)
{
    lua_Unsigned lines = 0;
    *entries = 0;
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        if (++*entries > HEADERS_RESPONSE_MAX) {
            luaL_error(L, "more than %d header lines", HEADERS_RESPONSE_MAX);
        }
        lines += lua_type(L, -1) == LUA_TTABLE ? lua_rawlen(L, -1) : 1;
        if (lines > HEADERS_RESPONSE_MAX) {
            luaL_error(L, "more than %d header lines", HEADERS_RESPONSE_MAX);
        }
    }
    return (unsigned)lines;
}

static void add_unknown(struct request *r, struct slice name, struct slice value)
{
    HTTP_RESPONSE_HEADERS *headers = &r->response.Headers;
    HTTP_UNKNOWN_HEADER *h = &headers->pUnknownHeaders[headers->UnknownHeaderCount++];
    h->pName = name.p;
    h->NameLength = (USHORT)name.len;
    h->pRawValue = value.p;
    h->RawValueLength = (USHORT)value.len;
}

static void note_length(lua_State *L, struct slice value, struct headers_seen *seen)
{
    if (seen->content_length || !slice_to_u64(value, &seen->length)) {
        luaL_error(L, "header 'Content-Length' must be one number");
    }
    seen->content_length = true;
}

/* The name of a field in an answer, and its id or -1. */
struct field_name {
    struct slice text;
    int id;
};

static void add_field(lua_State *L, struct request *r, const struct field_name *name,
                      struct slice value, struct headers_seen *seen)
{
    int id = name->id;
    check_value(L, name->text, value);
    if (id == HttpHeaderTransferEncoding) {
        luaL_error(L, "header 'Transfer-Encoding' belongs to the host; leave it out");
    } else if (id == HttpHeaderContentLength) {
        note_length(L, value, seen);
    } else if (id == HttpHeaderContentType) {
        seen->content_type = true;
    }
    if (id >= 0 && (r->known_set >> id & 1) == 0) {
        headers_set(r, (unsigned)id, value);
    } else {
        add_unknown(r, id >= 0 ? headers_response_name((unsigned)id) : name->text, value);
    }
}

/* Adds the value on top of the stack, which stays there as a string. [-0, +0, v] */
static void add_value(lua_State *L, struct request *r, const struct field_name *name,
                      struct headers_seen *seen)
{
    int type = lua_type(L, -1);
    if (type != LUA_TSTRING && type != LUA_TNUMBER) {
        luaL_error(L, "header '%s' is a %s; allowed: string, number, or a list of them",
                   name->text.p, luaL_typename(L, -1));
    }
    size_t len = 0;
    const char *p = lua_tolstring(L, -1, &len);
    add_field(L, r, name, slice_make(p, len), seen);
}

/* One entry of the table: key and value are on top. Leaves name, values, key: the key on top for
 * lua_next, the rest to keep the bytes alive. [-2, +n, v] */
static void add_entry(lua_State *L, struct request *r, struct headers_seen *seen)
{
    int value = lua_gettop(L), key = value - 1;
    if (lua_type(L, key) != LUA_TSTRING) {
        luaL_error(L, "header names are strings, not %s", luaL_typename(L, key));
    }
    struct field_name name;
    name.text.p = lua_tolstring(L, key, &name.text.len);
    name.id = headers_response_id(name.text);
    if (name.id < 0 && (!is_token(name.text) || name.text.len > HEADERS_VALUE_BYTES_MAX)) {
        luaL_error(L, "'%s' is not a header name", name.text.p);
    }
    if (lua_type(L, value) == LUA_TTABLE) {
        lua_Unsigned count = lua_rawlen(L, value);
        for (lua_Unsigned i = 1; i <= count; i++) {
            lua_rawgeti(L, value, (lua_Integer)i);
            add_value(L, r, &name, seen);
        }
    } else {
        add_value(L, r, &name, seen);
    }
    lua_pushvalue(L, key);
}

void headers_fill(lua_State *L, int index, struct request *r, struct headers_seen *seen)
{
    HTTP_RESPONSE_HEADERS *headers = &r->response.Headers;
    assert(headers->UnknownHeaderCount == 0);
    *seen = (struct headers_seen){0};
    if (lua_isnoneornil(L, index)) {
        return;
    }
    if (lua_type(L, index) != LUA_TTABLE) {
        luaL_error(L, "headers are a table, not a %s", luaL_typename(L, index));
    }
    index = lua_absindex(L, index);
    luaL_checkstack(L, 4, "headers");
    unsigned entries = 0;
    unsigned lines = count_lines(L, index, &entries);
    luaL_checkstack(L, (int)(2 * entries + lines) + 8, "headers");
    headers->pUnknownHeaders = r->unknown;
    if (lines > HEADERS_UNKNOWN_INLINE) {
        headers->pUnknownHeaders = lua_newuserdatauv(L, lines * sizeof r->unknown[0], 0);
    }
    for (lua_pushnil(L); lua_next(L, index) != 0;) {
        add_entry(L, r, seen);
    }
}

void headers_reset(struct request *r)
{
    HTTP_RESPONSE_HEADERS *headers = &r->response.Headers;
    for (; r->known_set != 0; r->known_set &= r->known_set - 1) {
        headers->KnownHeaders[__builtin_ctz(r->known_set)] = (HTTP_KNOWN_HEADER){0};
    }
    headers->UnknownHeaderCount = 0;
    headers->pUnknownHeaders = NULL;
}
