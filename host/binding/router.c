#include "binding/router.h"

#include <assert.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "binding/handlers.h"
#include "binding/module.h"
#include "binding/request.h"
#include "binding/request_type.h"
#include "binding/router_tree.h"
#include "binding/state.h"

/* The userdata. */
struct handle {
    struct router *router;
};

static struct router *check_router(lua_State *L, int index)
{
    const struct handle *handle = luaL_checkudata(L, index, ROUTER_TYPE);
    luaL_argcheck(L, handle->router != NULL, index, "closed http.router");
    return handle->router;
}

static bool is_token(struct slice s)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool letter = (unsigned char)(slice_lower(c) - 'a') < 26;
        bool digit = (unsigned char)(c - '0') < 10;
        if (!letter && !digit && (c == '\0' || strchr(others, c) == NULL)) {
            return false;
        }
    }
    return s.len > 0;
}

static bool is_callable(lua_State *L, int index)
{
    if (lua_isfunction(L, index)) {
        return true;
    }
    if (luaL_getmetafield(L, index, "__call") == LUA_TNIL) {
        return false;
    }
    lua_pop(L, 1);
    return true;
}

/* The user value: an array of handlers, at the place that the route remembers. */
enum { HANDLERS = 1 };

/* Adds the route; router, path and handler are at 1, path_arg and path_arg + 1. Leaves the router
 * on top. [-0,+1,v] */
static int add_route(lua_State *L, struct slice method, int path_arg)
{
    struct router *r = check_router(L, 1);
    struct slice path;
    uint32_t param_count = 0;
    char site[64];
    const char *other = NULL;
    path.p = luaL_checklstring(L, path_arg, &path.len);
    const char *why = router_tree_judge(path, &param_count);
    luaL_argcheck(L, why == NULL, path_arg, why);
    if (!is_callable(L, path_arg + 1)) {
        luaL_typeerror(L, path_arg + 1, "function");
    }
    luaL_argcheck(L, router_tree_count(r) < ROUTER_ROUTES_MAX, 1, "too many routes");
    lua_getiuservalue(L, 1, HANDLERS);
    lua_pushvalue(L, path_arg + 1);
    /* Overwritten by the next one when what follows fails. */
    lua_rawseti(L, -2, (lua_Integer)router_tree_count(r) + 1);
    state_where(L, 1, site, sizeof site);
    struct router_route added = {method, path, site, handlers_is_bare(L, path_arg + 1)};
    ULONG code = router_tree_add(r, &added, &other);
    if (code != NO_ERROR) {
        return other == NULL ? luaL_error(L, "not enough memory")
                             : luaL_error(L, "%s %s was added at %s",
                                          method.len == 0 ? "any" : method.p, path.p, other);
    }
    lua_settop(L, 1);
    return 1;
}

/* router:get(path, handler) and its like; upvalue 1: the method, "" for any [-0,+1,v] */
static int add_verb(lua_State *L)
{
    struct slice method;
    method.p = lua_tolstring(L, lua_upvalueindex(1), &method.len);
    return add_route(L, method, 2);
}

/* router:route(method, path, handler) -> router [-0,+1,v] */
static int add_any_verb(lua_State *L)
{
    struct slice method;
    method.p = luaL_checklstring(L, 2, &method.len);
    luaL_argcheck(L, is_token(method) && method.len <= ROUTER_METHOD_BYTES_MAX, 2, "not a method");
    return add_route(L, method, 3);
}

/* --- matching ------------------------------------------------------------------------------ */

enum router_result router_match(lua_State *L, int index, struct slice method, struct slice path,
                                uint32_t segments, struct router_match *match)
{
    const struct handle *handle = lua_touserdata(L, index);
    uint32_t handler = 0;
    assert(handle != NULL && handle->router != NULL);
    enum router_result result =
        router_tree_find(handle->router, method, path, segments, match, &handler);
    if (result == ROUTER_FOUND) {
        lua_getiuservalue(L, index, HANDLERS);
        lua_rawgeti(L, -1, handler);
        lua_replace(L, -2);
    }
    return result;
}

void router_push_params(lua_State *L, const struct router_match *match)
{
    lua_createtable(L, 0, (int)match->param_count);
    for (uint32_t i = 0; i < match->param_count; i++) {
        const struct router_param *param = &match->params[i];
        lua_pushlstring(L, param->name.p, param->name.len);
        lua_pushlstring(L, param->value.p, param->value.len);
        lua_rawset(L, -3);
    }
}

bool router_is(lua_State *L, int index)
{
    return luaL_testudata(L, index, ROUTER_TYPE) != NULL;
}

/* --- called from Lua ----------------------------------------------------------------------- */

static int after_call(lua_State *L, int status, lua_KContext base)
{
    (void)status; /* an error does not come here */
    return lua_gettop(L) - (int)base;
}

/* Answers as a handler returns them: 404, 405 or 204 with what is allowed. [-0,+(1|2|3),m] */
static int push_refusal(lua_State *L, enum router_result result, const struct router_match *match)
{
    if (result == ROUTER_NOT_FOUND) {
        lua_pushinteger(L, 404);
        return 1;
    }
    lua_pushinteger(L, result == ROUTER_OPTIONS ? 204 : 405);
    lua_createtable(L, 0, 1);
    lua_pushstring(L, match->allow);
    lua_setfield(L, -2, "Allow");
    return 2;
}

/* Sets params of the table at 2. Nothing may be held while something may raise, so the match is let
 * go first: the names are the router's, which stands at 1, and the values the path's, at 4.
 * [-0,+0,e] */
static void give_params(lua_State *L, struct router_match *match)
{
    struct router_match copy = *match;
    router_match_release(match);
    router_push_params(L, &copy);
    lua_setfield(L, 2, "params");
}

/* router(request): what the handler returns. The request may be a table with method and path, which
 * gets params. [-0,+n,e] */
static int call_router(lua_State *L)
{
    struct router_match match;
    struct slice method;
    struct slice path;
    check_router(L, 1);
    lua_settop(L, 2);
    struct request *request = lua_isuserdata(L, 2) ? request_type_check(L, 2) : NULL;
    if (request != NULL) {
        method = httpreq_method(request);
        path = httpreq_path(request);
    } else {
        luaL_checktype(L, 2, LUA_TTABLE);
        lua_getfield(L, 2, "method");
        lua_getfield(L, 2, "path");
        method.p = luaL_checklstring(L, 3, &method.len);
        path.p = luaL_checklstring(L, 4, &path.len);
    }
    enum router_result result = router_match(L, 1, method, path, 0, &match);
    if (result != ROUTER_FOUND) {
        return push_refusal(L, result, &match);
    }
    if (request != NULL) {
        router_match_release(&request->match);
        request->match = match; /* released when the request ends */
    } else {
        give_params(L, &match);
    }
    int base = lua_gettop(L) - 1;
    lua_pushvalue(L, 2);
    lua_callk(L, 1, LUA_MULTRET, base, after_call);
    return after_call(L, LUA_OK, base);
}

/* --- the type ------------------------------------------------------------------------------ */

/* http.router() -> http.router [-0,+1,m] */
static int new_router(lua_State *L)
{
    struct handle *handle = lua_newuserdatauv(L, sizeof *handle, HANDLERS);
    handle->router = NULL;
    luaL_setmetatable(L, ROUTER_TYPE);
    lua_newtable(L);
    lua_setiuservalue(L, -2, HANDLERS);
    void *ud = NULL;
    lua_Alloc allocate = lua_getallocf(L, &ud);
    handle->router = router_tree_create(allocate, ud);
    return handle->router == NULL ? luaL_error(L, "not enough memory") : 1;
}

/* __gc(router) [-0,+0,-] */
static int collect_router(lua_State *L)
{
    struct handle *handle = lua_touserdata(L, 1);
    if (handle->router != NULL) {
        router_tree_unref(handle->router);
        handle->router = NULL;
    }
    return 0;
}

/* tostring(router) -> "http.router (3 routes)" [-0,+1,m] */
static int router_tostring(lua_State *L)
{
    uint32_t count = router_tree_count(check_router(L, 1));
    lua_pushfstring(L, "%s (%d route%s)", ROUTER_TYPE, (int)count, count == 1 ? "" : "s");
    return 1;
}

static const struct binding_entry functions[] = {
    {"router", new_router, "fun(): http.router",
     "Makes a router: a handler that chooses by method and path."},
    {0}};

#define VERB "fun(self: http.router, path: string, handler: http.handler): http.router"

static const struct binding_entry methods[] = {
    {"get", add_verb, VERB, "Adds a route for GET, and for HEAD unless there is one."},
    {"head", add_verb, VERB, "Adds a route for HEAD."},
    {"post", add_verb, VERB, "Adds a route for POST."},
    {"put", add_verb, VERB, "Adds a route for PUT."},
    {"patch", add_verb, VERB, "Adds a route for PATCH."},
    {"delete", add_verb, VERB, "Adds a route for DELETE."},
    {"options", add_verb, VERB,
     "Adds a route for OPTIONS, which is answered with Allow otherwise."},
    {"any", add_verb, VERB, "Adds a route for methods that have none of their own."},
    {"route", add_any_verb,
     "fun(self: http.router, method: string, path: string, handler: http.handler): http.router",
     "Adds a route for any method name."},
    {0}};

/* The methods by name, for upvalues. */
static const char *const verbs[][2] = {
    {"get", "GET"},     {"head", "HEAD"},     {"post", "POST"},       {"put", "PUT"},
    {"patch", "PATCH"}, {"delete", "DELETE"}, {"options", "OPTIONS"}, {"any", ""}};

static const luaL_Reg metamethods[] = {{"__gc", collect_router},
                                       {"__tostring", router_tostring},
                                       {"__call", call_router},
                                       {NULL, NULL}};

/* Gives the verbs their upvalues: module_make_type has registered them without. [-0,+0,m] */
static void open_router(lua_State *L)
{
    luaL_getmetatable(L, ROUTER_TYPE);
    lua_getfield(L, -1, "__index");
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        lua_pushstring(L, verbs[i][1]);
        lua_pushcclosure(L, add_verb, 1);
        lua_setfield(L, -2, verbs[i][0]);
    }
    lua_pop(L, 2);
}

static const struct binding_type router_type = {
    .name = ROUTER_TYPE,
    .doc = "Chooses a handler by method and path; `:name` segments are in request.params.",
    .methods = methods,
    .metamethods = metamethods,
};

static const struct binding_type *const types[] = {&router_type, NULL};
const struct binding_part router_part = {
    .functions = functions, .types = types, .open = open_router};
