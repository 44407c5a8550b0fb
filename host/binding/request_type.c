#include "binding/request_type.h"

#include <assert.h>
#include <stdint.h>

#include <lauxlib.h>

#include "base/near.h"
#include "binding/address.h"
#include "binding/cooked.h"
#include "binding/answer.h"
#include "binding/body.h"
#include "binding/error.h"
#include "binding/query.h"
#include "binding/state.h"
#include "binding/stream.h"
#include "binding/task.h"

#define REQUEST_TYPE "http.request"
/* Registry key of the second metatable; its __name is REQUEST_TYPE too. */
#define PULLED_TYPE  "http.request (pulled)"

/* What is made once for a request and kept in the userdata's user values. */
enum { USER_QUERY = 1, USER_HEADERS, USER_PARAMS, USER_COUNT = USER_PARAMS };

/* The userdata. */
struct request_handle {
    const void *tag; /* &request_tag: no other userdata of this size has it */
    uint64_t id;     /* state->request_ids */
};

static const char request_tag = 0;

void request_type_push(lua_State *L, const struct request *r)
{
    struct state *S = r->state;
    struct request_handle *handle = lua_newuserdatauv(L, sizeof *handle, USER_COUNT);
    handle->tag = &request_tag;
    handle->id = r->id;
    lua_rawgeti(L, LUA_REGISTRYINDEX, r->pulled ? S->ref_pulled : S->ref_request);
    lua_setmetatable(L, -2);
}

/* The tag is cheaper to look at than the metatable. */
static const struct request_handle *test_handle(lua_State *L, int arg)
{
    const struct request_handle *handle = lua_touserdata(L, arg);
    return handle != NULL && lua_rawlen(L, arg) == sizeof *handle && handle->tag == &request_tag
               ? handle
               : NULL;
}

struct request *request_type_check(lua_State *L, int arg)
{
    const struct request_handle *handle = test_handle(L, arg);
    if (handle == NULL) {
        luaL_typeerror(L, arg, REQUEST_TYPE);
        return NULL;
    }
    struct request *r = httpreq_find(state_of(L), handle->id);
    if (r == NULL) {
        luaL_error(L, "closed http.request (it has been answered)");
    }
    return r;
}

/* --- fields
 * ---------------------------------------------------------------------------------- */

static void push_slice(lua_State *L, struct slice s)
{
    lua_pushlstring(L, s.p == NULL ? "" : s.p, s.len);
}

static struct slice query_of(const struct request *r)
{
    struct slice query = cooked_query(r);
    if (query.len > 0 && query.p[0] == '?') {
        query = slice_make(query.p + 1, query.len - 1);
    }
    return query;
}

static void get_method(lua_State *L, struct request *r)
{
    push_slice(L, httpreq_method(r));
}

static void get_path(lua_State *L, struct request *r)
{
    push_slice(L, httpreq_path(r));
}

static void get_target(lua_State *L, struct request *r)
{
    lua_pushlstring(L, r->http->pRawUrl, r->http->RawUrlLength);
}

static void get_raw_path(lua_State *L, struct request *r)
{
    struct slice raw = slice_make(r->http->pRawUrl, r->http->RawUrlLength);
    const char *end = raw.len == 0 ? NULL : memchr(raw.p, '?', raw.len);
    lua_pushlstring(L, raw.p, end == NULL ? raw.len : (size_t)(end - raw.p));
}

static void get_query_string(lua_State *L, struct request *r)
{
    push_slice(L, query_of(r));
}

static void get_query(lua_State *L, struct request *r)
{
    query_push_table(L, query_of(r));
}

static void get_headers(lua_State *L, struct request *r)
{
    headers_push(L, r->id);
}

static void get_params(lua_State *L, struct request *r)
{
    if (r->match.router != NULL) {
        router_push_params(L, &r->match);
    } else {
        lua_createtable(L, 0, 0);
    }
}

static void get_remote(lua_State *L, struct request *r)
{
    char text[ADDRESS_BYTES_MAX];
    lua_pushlstring(L, text, address_format(r->http->Address.pRemoteAddress, text));
}

static void get_local(lua_State *L, struct request *r)
{
    char text[ADDRESS_BYTES_MAX];
    lua_pushlstring(L, text, address_format(r->http->Address.pLocalAddress, text));
}

static void get_version(lua_State *L, struct request *r)
{
    lua_pushfstring(L, "%d.%d", (int)r->http->Version.MajorVersion,
                    (int)r->http->Version.MinorVersion);
}

static void get_scheme(lua_State *L, struct request *r)
{
    struct slice full = cooked_full(r);
    const char *colon = full.len == 0 ? NULL : memchr(full.p, ':', full.len);
    push_slice(L, slice_make(full.p, colon == NULL ? 0 : (size_t)(colon - full.p)));
}

static void get_host(lua_State *L, struct request *r)
{
    push_slice(L, cooked_host(r));
}

static void get_url(lua_State *L, struct request *r)
{
    push_slice(L, cooked_full(r));
}

static void get_id(lua_State *L, struct request *r)
{
    lua_pushinteger(L, (lua_Integer)r->http->RequestId);
}

/* user: the user value that keeps what was made; 0: made each time. */
static const struct field {
    const char *name;
    void (*get)(lua_State *L, struct request *r);
    int user;
} fields[] = {
    {"method", get_method, 0},
    {"path", get_path, 0},
    {"target", get_target, 0},
    {"raw_path", get_raw_path, 0},
    {"query", get_query, USER_QUERY},
    {"query_string", get_query_string, 0},
    {"headers", get_headers, USER_HEADERS},
    {"params", get_params, USER_PARAMS},
    {"remote", get_remote, 0},
    {"local", get_local, 0},
    {"version", get_version, 0},
    {"scheme", get_scheme, 0},
    {"host", get_host, 0},
    {"url", get_url, 0},
    {"id", get_id, 0},
};

enum { FIELD_COUNT = sizeof fields / sizeof fields[0] };

static int get_field(lua_State *L, const struct field *field, struct request *r)
{
    if (field->user == 0) {
        field->get(L, r);
        return 1;
    }
    if (lua_getiuservalue(L, 1, field->user) == LUA_TNIL) {
        field->get(L, r);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, field->user);
    }
    return 1;
}

/* The key is at index 2, the table of all names is upvalue 1. Never returns. */
static int raise_no_field(lua_State *L)
{
    struct near near;
    size_t length = 0;
    if (lua_type(L, 2) != LUA_TSTRING) {
        return luaL_error(L, "http.request has no field of type %s", luaL_typename(L, 2));
    }
    const char *key = lua_tolstring(L, 2, &length);
    near_init(&near, key, length);
    for (lua_pushnil(L); lua_next(L, lua_upvalueindex(1)) != 0; lua_pop(L, 1)) {
        near_try(&near, lua_tostring(L, -2));
    }
    return error_raise_unknown(L, "http.request has no field", key, &near);
}

/* request[name]; upvalue 1: methods by name, and fields as light userdata. [-0, +1, e] */
static int index_request(lua_State *L)
{
    lua_pushvalue(L, 2); /* kept for raise_no_field */
    int type = lua_rawget(L, lua_upvalueindex(1));
    if (type == LUA_TFUNCTION) {
        return 1;
    }
    struct request *r = request_type_check(L, 1);
    if (type != LUA_TLIGHTUSERDATA) {
        return raise_no_field(L);
    }
    return get_field(L, lua_touserdata(L, -1), r);
}

static int newindex_request(lua_State *L)
{
    return luaL_error(L,
                      "a request has no fields to set (keep data in a local or a table of yours)");
}

/* --- methods
 * --------------------------------------------------------------------------------- */

/* request:query_all(name) -> list of values [-0, +1, e] */
static int query_all(lua_State *L)
{
    struct slice name;
    const struct request *r = request_type_check(L, 1);
    name.p = luaL_checklstring(L, 2, &name.len);
    query_push_all(L, query_of(r), name);
    return 1;
}

/* request:cancel(): drops the connection; silent when it has ended [-0, +0, e] */
static int cancel(lua_State *L)
{
    const struct request_handle *handle = test_handle(L, 1);
    if (handle == NULL) {
        return luaL_typeerror(L, 1, REQUEST_TYPE);
    }
    struct request *r = httpreq_find(state_of(L), handle->id);
    if (r != NULL) {
        httpreq_cancel(r);
    }
    return 0;
}

/* request:is_open() -> whether it can still be answered [-0, +1, e] */
static int is_open(lua_State *L)
{
    const struct request_handle *handle = test_handle(L, 1);
    if (handle == NULL) {
        return luaL_typeerror(L, 1, REQUEST_TYPE);
    }
    const struct request *r = httpreq_find(state_of(L), handle->id);
    lua_pushboolean(L, r != NULL && r->phase == REQUEST_LIVE);
    return 1;
}

static int tostring_request(lua_State *L)
{
    const struct request_handle *handle = test_handle(L, 1);
    const struct request *r = handle == NULL ? NULL : httpreq_find(state_of(L), handle->id);
    char text[160];
    if (r == NULL) {
        lua_pushliteral(L, "http.request (closed)");
        return 1;
    }
    httpreq_describe(r, text, sizeof text);
    lua_pushfstring(L, "http.request (%s)", text);
    return 1;
}

/* __gc and __close of a pulled request: nobody answered it, so the host does. [-0, +0, -] */
static int drop_pulled(lua_State *L)
{
    struct state *S = state_of(L);
    const struct request_handle *handle = test_handle(L, 1);
    struct request *r = handle == NULL ? NULL : httpreq_find(S, handle->id);
    if (r == NULL) {
        return 0;
    }
    char text[160];
    httpreq_describe(r, text, sizeof text);
    log_write(S->log, LOG_LEVEL_WARN, "%s was dropped %s (received at %s)", text,
              r->phase == REQUEST_LIVE ? "unanswered" : "with its stream open", r->site);
    if (r->phase == REQUEST_LIVE) {
        httpreq_answer_plain(r, 500, SLICE_LIT("the request was not answered\n"));
    } else {
        httpreq_cancel(r);
    }
    return 0;
}

static const struct binding_entry request_methods[] = {
    {"query_all", query_all, "fun(self: http.request, name: string): string[]",
     "All values of a repeated query key."},
    {"read", httpreq_read, "fun(self: http.request, n?: integer): string?, http.error?",
     "Up to n bytes of the body; nil at its end."},
    {"chunks", httpreq_chunks, "fun(self: http.request, n?: integer): fun(): string?",
     "Iterates over the body in pieces."},
    {"body", httpreq_whole,
     "fun(self: http.request, options?: { limit?: integer|string }): string?, http.error?",
     "The whole body, up to the limit (8M)."},
    {"save", httpreq_save,
     "fun(self: http.request, path: string, options?: { limit?: integer|string }): integer?, "
     "http.error?",
     "Writes the body to a file and returns its length."},
    {"respond", answer_respond,
     "fun(self: http.request, status?: any, headers?: any, body?: any): true?, http.error?",
     "Answers now; the same forms as a handler's return values."},
    {"stream", httpstream_open,
     "fun(self: http.request, status?: integer, headers?: table): http.stream?, http.error?",
     "Sends the head; the body is written piece by piece."},
    {"cancel", cancel, "fun(self: http.request)",
     "Gives the request up and closes its connection."},
    {"is_open", is_open, "fun(self: http.request): boolean", "Whether it can still be answered."},
    {NULL, NULL, NULL, NULL},
};

static const struct binding_entry request_fields[] = {
    {"method", NULL, "string", "GET, POST, ..."},
    {"path", NULL, "string", "Decoded path, without the query."},
    {"target", NULL, "string", "The request target as it was sent."},
    {"raw_path", NULL, "string", "The target up to the query, undecoded."},
    {"query", NULL, "table<string, string>", "Decoded query; the last of repeated keys."},
    {"query_string", NULL, "string", "The query, undecoded."},
    {"headers", NULL, "http.headers", "Header fields, by name without case."},
    {"params", NULL, "table<string, string>", "Named segments of the route."},
    {"remote", NULL, "string", "The client's address and port."},
    {"local", NULL, "string", "Our address and port."},
    {"version", NULL, "string", "\"1.1\""},
    {"scheme", NULL, "string", "http or https."},
    {"host", NULL, "string", "Host and port as the client named them."},
    {"url", NULL, "string", "Scheme, host, path and query."},
    {"id", NULL, "integer", "Number of the request at the contract."},
    {NULL, NULL, NULL, NULL},
};

static const struct luaL_Reg request_meta[] = {
    {"__newindex", newindex_request},
    {"__tostring", tostring_request},
    {NULL, NULL},
};

static const struct binding_type request_type = {
    .name = REQUEST_TYPE,
    .doc = "A request; it ends when it has been answered. A pulled one may be a <close> variable.",
    .methods = request_methods,
    .fields = request_fields,
    .metamethods = request_meta,
    .index = index_request,
};

/* The fields join the methods in the upvalue of __index: one lookup finds either. */
static void add_fields(lua_State *L)
{
    lua_getfield(L, -1, "__index");
    const char *name = lua_getupvalue(L, -1, 1);
    assert(name != NULL && lua_istable(L, -1));
    (void)name; /* C functions' upvalues have none */
    for (int i = 0; i < FIELD_COUNT; i++) {
        lua_pushlightuserdata(L, (void *)(uintptr_t)&fields[i]); /* only read */
        lua_setfield(L, -2, fields[i].name);
    }
    lua_pop(L, 2);
}

/* The metatable of pulled requests: the same, and finalizers. */
static void make_pulled(lua_State *L)
{
    luaL_newmetatable(L, PULLED_TYPE);
    for (lua_pushnil(L); lua_next(L, -3) != 0;) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    lua_pushcfunction(L, drop_pulled);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, drop_pulled);
    lua_setfield(L, -2, "__close");
}

/* The module table is on top. [-0, +0, m] */
static void open_request(lua_State *L)
{
    struct state *S = state_of(L);
    luaL_getmetatable(L, headers_type.name);
    S->ref_headers = luaL_ref(L, LUA_REGISTRYINDEX);
    luaL_getmetatable(L, file_type.name);
    S->ref_file = luaL_ref(L, LUA_REGISTRYINDEX);
    luaL_getmetatable(L, REQUEST_TYPE);
    add_fields(L);
    make_pulled(L);
    S->ref_pulled = luaL_ref(L, LUA_REGISTRYINDEX);
    S->ref_request = luaL_ref(L, LUA_REGISTRYINDEX);
}

static const struct binding_entry request_functions[] = {
    {"file", answer_new_file,
     "fun(path: string, options?: { type?: string }): http.file?, http.error?",
     "A file to be returned by a handler."},
    {NULL, NULL, NULL, NULL},
};

static const struct binding_type *const request_types[] = {
    &request_type, &headers_type, &stream_type, &file_type, NULL,
};

const struct binding_part request_part = {
    .functions = request_functions,
    .types = request_types,
    .open = open_request,
};
