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

/* Ids by length of the name, each plus one; 0 ends a row. */
enum { NAMES_OF_LENGTH_MAX = 7 };

#define ID(name) (HttpHeader##name + 1)
static const uint8_t response_by_length[HEADERS_NAME_MAX + 1][NAMES_OF_LENGTH_MAX] = {
    [3] = {ID(Via), ID(Age)},
    [4] = {ID(Date), ID(Vary), ID(Etag)},
    [5] = {ID(Allow)},
    [6] = {ID(Pragma), ID(Server)},
    [7] = {ID(Expires), ID(Trailer), ID(Upgrade), ID(Warning)},
    [8] = {ID(Location)},
    [10] = {ID(SetCookie), ID(Connection), ID(KeepAlive)},
    [11] = {ID(ContentMd5), ID(RetryAfter)},
    [12] = {ID(ContentType)},
    [13] = {ID(CacheControl), ID(LastModified), ID(ContentRange), ID(AcceptRanges)},
    [14] = {ID(ContentLength)},
    [16] = {ID(ContentEncoding), ID(ContentLanguage), ID(ContentLocation), ID(WwwAuthenticate)},
    [17] = {ID(TransferEncoding)},
    [18] = {ID(ProxyAuthenticate)},
};

static const uint8_t request_by_length[HEADERS_NAME_MAX + 1][NAMES_OF_LENGTH_MAX] = {
    [2] = {ID(Te)},
    [3] = {ID(Via)},
    [4] = {ID(Host), ID(Date), ID(From)},
    [5] = {ID(Range), ID(Allow)},
    [6] = {ID(Accept), ID(Cookie), ID(Expect), ID(Pragma)},
    [7] = {ID(Referer), ID(Upgrade), ID(Expires), ID(Trailer), ID(Warning)},
    [8] = {ID(IfMatch), ID(IfRange)},
    [9] = {ID(Translate)},
    [10] = {ID(UserAgent), ID(Connection), ID(KeepAlive)},
    [11] = {ID(ContentMd5)},
    [12] = {ID(ContentType), ID(MaxForwards)},
    [13] = {ID(Authorization), ID(CacheControl), ID(IfNoneMatch), ID(LastModified),
            ID(ContentRange)},
    [14] = {ID(ContentLength), ID(AcceptCharset)},
    [15] = {ID(AcceptEncoding), ID(AcceptLanguage)},
    [16] = {ID(ContentEncoding), ID(ContentLanguage), ID(ContentLocation)},
    [17] = {ID(IfModifiedSince), ID(TransferEncoding)},
    [19] = {ID(IfUnmodifiedSince), ID(ProxyAuthorization)},
};
#undef ID

/* The few names of that length, and of those mostly the first letter decides. */
static int find_id(struct slice name, const uint8_t by_length[][NAMES_OF_LENGTH_MAX],
                   const struct slice *rest)
{
    if (name.len == 0 || name.len > HEADERS_NAME_MAX) {
        return -1;
    }
    unsigned char first = slice_lower((unsigned char)name.p[0]);
    for (const uint8_t *at = by_length[name.len]; *at != 0; at++) {
        int id = *at - 1;
        struct slice known = id < COMMON_COUNT ? common_names[id] : rest[id - COMMON_COUNT];
        assert(known.len == name.len);
        if (slice_lower((unsigned char)known.p[0]) == first &&
            (memcmp(known.p, name.p, name.len) == 0 || slice_equal_nocase(known, name))) {
            return id;
        }
    }
    return -1;
}

int headers_response_id(struct slice name)
{
    return find_id(name, response_by_length, response_names);
}

int headers_request_id(struct slice name)
{
    return find_id(name, request_by_length, request_names);
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

/* The userdata. */
struct headers_object {
    const void *tag; /* &headers_tag: no other userdata of this size has it */
    uint64_t request_id;
};

static const char headers_tag = 0;

void headers_push(lua_State *L, uint64_t request_id)
{
    struct headers_object *object = lua_newuserdatauv(L, sizeof *object, 0);
    object->tag = &headers_tag;
    object->request_id = request_id;
    lua_rawgeti(L, LUA_REGISTRYINDEX, state_of(L)->ref_headers);
    lua_setmetatable(L, -2);
}

static const struct headers_object *test_object(lua_State *L)
{
    const struct headers_object *object = lua_touserdata(L, 1);
    return object != NULL && lua_rawlen(L, 1) == sizeof *object && object->tag == &headers_tag
               ? object
               : NULL;
}

static const HTTP_REQUEST *check_object(lua_State *L)
{
    const struct headers_object *object = test_object(L);
    if (object == NULL) {
        luaL_typeerror(L, 1, headers_type.name);
        return NULL;
    }
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

/* Whether none of the bytes is below 14, which CR, LF and NUL are; eight at a time. */
static bool is_harmless(struct slice s)
{
    const uint64_t ones = UINT64_MAX / 255;
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8) {
        uint64_t word;
        memcpy(&word, s.p + i, 8);
        if (((word - ones * 14) & ~word & ones * 128) != 0) {
            return false;
        }
    }
    while (i < s.len && (unsigned char)s.p[i] >= 14) {
        i++;
    }
    return i == s.len;
}

static void check_value(lua_State *L, struct slice name, struct slice value)
{
    if (value.len > HEADERS_VALUE_BYTES_MAX) {
        luaL_error(L, "header '%s' is longer than %d bytes", name.p, HEADERS_VALUE_BYTES_MAX);
    }
    if (is_harmless(value)) {
        return;
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

enum {
    PLACES_OF_ENTRY = 4, /* of the stack: name, value or more unknown headers, name for lua_next */
    FILLING_PLACES = 16  /* taken at a time */
};

/* A table of headers on its way into an answer. */
struct filling {
    struct request *r;
    struct headers_seen *seen;
    unsigned entries; /* of the table so far, */
    unsigned lines;   /* and header lines */
    int places;       /* of the stack that are sure to be free */
};

static void check_places(lua_State *L, struct filling *f, int needed)
{
    if (f->places < needed) {
        luaL_checkstack(L, needed + FILLING_PLACES, "headers");
        f->places = needed + FILLING_PLACES;
    }
    f->places -= needed;
}

/* Where the next unknown header goes; past HEADERS_UNKNOWN_INLINE into a userdata, which stays on
 * the stack. [-0, +(0|1), m] */
static HTTP_UNKNOWN_HEADER *next_unknown(lua_State *L, struct request *r)
{
    HTTP_RESPONSE_HEADERS *headers = &r->response.Headers;
    if (headers->UnknownHeaderCount == HEADERS_UNKNOWN_INLINE) {
        HTTP_UNKNOWN_HEADER *more = lua_newuserdatauv(
            L, (HEADERS_RESPONSE_MAX + HEADERS_UNKNOWN_OWN) * sizeof r->unknown[0], 0);
        memcpy(more, r->unknown, sizeof r->unknown);
        headers->pUnknownHeaders = more;
    }
    return &headers->pUnknownHeaders[headers->UnknownHeaderCount++];
}

static void fill_unknown(HTTP_UNKNOWN_HEADER *h, struct slice name, struct slice value)
{
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

static void add_field(lua_State *L, struct filling *f, const struct field_name *name,
                      struct slice value)
{
    int id = name->id;
    struct request *r = f->r;
    if (++f->lines > HEADERS_RESPONSE_MAX) {
        luaL_error(L, "more than %d header lines", HEADERS_RESPONSE_MAX);
    }
    check_value(L, name->text, value);
    if (id == HttpHeaderTransferEncoding) {
        luaL_error(L, "header 'Transfer-Encoding' belongs to the host; leave it out");
    } else if (id == HttpHeaderContentLength) {
        note_length(L, value, f->seen);
    } else if (id == HttpHeaderContentType) {
        f->seen->content_type = true;
    }
    if (id >= 0 && (r->known_set >> id & 1) == 0) {
        headers_set(r, (unsigned)id, value);
    } else {
        fill_unknown(next_unknown(L, r), id >= 0 ? headers_response_name((unsigned)id) : name->text,
                     value);
    }
}

/* Adds the value on top of the stack, which stays there as a string. [-0, +(0|1), v] */
static void add_value(lua_State *L, struct filling *f, const struct field_name *name)
{
    size_t len = 0;
    const char *p = NULL;
    int type = lua_type(L, -1);
    if (type != LUA_TSTRING && type != LUA_TNUMBER) {
        luaL_error(L, "header '%s' is a %s; allowed: string, number, or a list of them",
                   name->text.p, luaL_typename(L, -1));
    }
    p = lua_tolstring(L, -1, &len);
    add_field(L, f, name, slice_make(p, len));
}

/* The values of a list at index. [-0, +n, v] */
static void add_list(lua_State *L, struct filling *f, const struct field_name *name, int index)
{
    lua_Unsigned count = lua_rawlen(L, index);
    for (lua_Unsigned i = 1; i <= count; i++) {
        check_places(L, f, 2);
        lua_rawgeti(L, index, (lua_Integer)i);
        add_value(L, f, name);
    }
}

/* One entry of the table: key and value are on top. Leaves name, values, key: the key on top for
 * lua_next, the rest to keep the bytes alive. [-2, +n, v] */
static void add_entry(lua_State *L, struct filling *f)
{
    int value = lua_gettop(L), key = value - 1;
    struct field_name name;
    if (++f->entries > HEADERS_RESPONSE_MAX) {
        luaL_error(L, "more than %d header lines", HEADERS_RESPONSE_MAX);
    }
    if (lua_type(L, key) != LUA_TSTRING) {
        luaL_error(L, "header names are strings, not %s", luaL_typename(L, key));
    }
    name.text.p = lua_tolstring(L, key, &name.text.len);
    name.id = headers_response_id(name.text);
    if (name.id < 0 && (!is_token(name.text) || name.text.len > HEADERS_VALUE_BYTES_MAX)) {
        luaL_error(L, "'%s' is not a header name", name.text.p);
    }
    if (lua_type(L, value) == LUA_TTABLE) {
        add_list(L, f, &name, value);
    } else {
        add_value(L, f, &name);
    }
    lua_pushvalue(L, key);
}

void headers_fill(lua_State *L, int index, struct request *r, struct headers_seen *seen)
{
    struct filling f = {.r = r, .seen = seen};
    assert(r->response.Headers.UnknownHeaderCount == 0);
    *seen = (struct headers_seen){0};
    if (lua_isnoneornil(L, index)) {
        return;
    }
    if (lua_type(L, index) != LUA_TTABLE) {
        luaL_error(L, "headers are a table, not a %s", luaL_typename(L, index));
    }
    index = lua_absindex(L, index);
    r->response.Headers.pUnknownHeaders = r->unknown;
    check_places(L, &f, FILLING_PLACES);
    for (lua_pushnil(L); lua_next(L, index) != 0;) {
        add_entry(L, &f);
        check_places(L, &f, PLACES_OF_ENTRY);
    }
}

void headers_add(struct request *r, struct slice name, struct slice value)
{
    HTTP_RESPONSE_HEADERS *headers = &r->response.Headers;
    if (headers->pUnknownHeaders == NULL) {
        headers->pUnknownHeaders = r->unknown;
    }
    fill_unknown(&headers->pUnknownHeaders[headers->UnknownHeaderCount++], name, value);
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
