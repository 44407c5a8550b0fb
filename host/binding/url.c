#include "binding/url.h"

#include "binding/error.h"
#include "binding/handlers.h"
#include "binding/module.h"
#include "binding/object.h"
#include "binding/router.h"
#include "binding/state.h"

enum { AT_GROUP = 1, URL = 2, HANDLER = 3, OBJECT = 4 }; /* places on the stack */

/* Leaves group (nil: the host's), url and handler at their places, whichever form was used. */
static void arrange(lua_State *L)
{
    if (luaL_testudata(L, 1, GROUP_TYPE) == NULL) {
        lua_pushnil(L);
        lua_insert(L, 1);
    }
    lua_settop(L, HANDLER);
}

/* Raises about the argument at `place`, numbered as the caller counts. [-0,+0,v] */
static int raise_type(lua_State *L, int place, const char *expected)
{
    const char *text = lua_pushfstring(L, "%s expected, got %s", expected, luaL_typename(L, place));
    return luaL_argerror(L, lua_isnil(L, AT_GROUP) ? place - 1 : place, text);
}

static bool is_callable(lua_State *L, int index)
{
    if (lua_isfunction(L, index) || router_is(L, index)) {
        return true;
    }
    if (luaL_getmetafield(L, index, "__call") == LUA_TNIL) {
        return false;
    }
    lua_pop(L, 1);
    return true;
}

static void check_handler(lua_State *L)
{
    if (lua_isnil(L, HANDLER)) {
        luaL_argcheck(L, !lua_isnil(L, AT_GROUP), HANDLER - 1,
                      "a URL of the default group needs a handler: nothing pulls its queue");
        return;
    }
    if (!is_callable(L, HANDLER)) {
        raise_type(L, HANDLER, "function or router");
    }
}

/* The node of the group. A state that has loaded opens the host's group here, so that its queue is
 * attached before it has a URL. */
static ULONG find_group(lua_State *L, const struct caller *caller, uint64_t *group,
                        struct ledger_error *error)
{
    struct state *S = state_of(L);
    if (!lua_isnil(L, AT_GROUP)) {
        *group = object_check(L, AT_GROUP, NODE_GROUP)->id;
        return NO_ERROR;
    }
    ULONG code = ledger_host_group(S->ledger, group, error);
    if (code == NO_ERROR && !caller->origin.loading) {
        code = ledger_open(S->ledger, &caller->origin, *group, error);
        if (code == NO_ERROR) {
            code = object_attach_queue(S, ledger_host_queue(S->ledger));
            if (code == ERROR_ALREADY_EXISTS) {
                code = NO_ERROR;
            }
            if (code != NO_ERROR) {
                *error = (struct ledger_error){.call = "loop_attach_queue", .code = code};
            }
        }
    }
    return code;
}

int url_object_add(lua_State *L)
{
    struct state *S = state_of(L);
    struct caller caller;
    struct ledger_error error;
    struct slice url;
    uint64_t group = 0;
    uint64_t id = 0;
    arrange(L);
    if (!lua_isnil(L, AT_GROUP)) {
        object_check(L, AT_GROUP, NODE_GROUP);
    }
    if (lua_type(L, URL) != LUA_TSTRING) {
        raise_type(L, URL, "string");
    }
    url.p = lua_tolstring(L, URL, &url.len);
    check_handler(L);
    object_caller(L, &caller);
    struct object *object = object_new(L, NODE_URL);
    lua_pushvalue(L, AT_GROUP);
    lua_setiuservalue(L, OBJECT, OBJECT_OWNER);
    ULONG code = find_group(L, &caller, &group, &error);
    if (code == NO_ERROR) {
        code = ledger_make_url(S->ledger, &caller.origin, group, url, &id, &error);
    }
    if (code != NO_ERROR) {
        return object_fail(L, &caller, &error);
    }
    object_own(L, object, &caller, id);
    /* An anchored node would outlive its collected handle, handler or not: unopened until it has
     * one. */
    object->unopened = true;
    if (!lua_isnil(L, HANDLER)) {
        state_set_handler(S, id, L, HANDLER, ledger_url_segments(S->ledger, id));
    }
    object->unopened = !caller.origin.loading;
    return object_finish(L, object, &caller);
}

int url_object_remove(lua_State *L)
{
    struct state *S = state_of(L);
    struct caller caller;
    struct ledger_error error;
    uint64_t group = 0;
    size_t len = 0;
    arrange(L);
    object_caller(L, &caller);
    struct object *object = object_test(L, URL, NODE_URL);
    if (object != NULL) {
        object_end(L, object, &caller);
        lua_pushboolean(L, true);
        return 1;
    }
    if (lua_type(L, URL) != LUA_TSTRING) {
        raise_type(L, URL, "string or http.url");
    }
    const char *url = lua_tolstring(L, URL, &len);
    if (!lua_isnil(L, AT_GROUP)) {
        group = object_check(L, AT_GROUP, NODE_GROUP)->id;
    } else if (ledger_host_group(S->ledger, &group, &error) != NO_ERROR) {
        return object_fail(L, &caller, &error);
    }
    uint64_t id = ledger_find_url(S->ledger, &caller.origin, group, slice_make(url, len));
    if (id == 0) {
        return error_return(L, NULL, ERROR_FILE_NOT_FOUND, url, "this script has not added it");
    }
    (void)ledger_close_share(S->ledger, &caller.origin, id); /* traced and logged there */
    state_forget_handler(S, id);
    lua_pushboolean(L, true);
    return 1;
}

static const struct binding_entry functions[] = {
    {"add_url", url_object_add,
     "fun(group: http.group, url: string, handler?: http.handler): http.url?, http.error? | "
     "fun(url: string, handler: http.handler): http.url?, http.error?",
     "Registers a URL; without a group, in the host's own."},
    {"remove_url", url_object_remove,
     "fun(group: http.group, url: string|http.url): true?, http.error? | fun(url: "
     "string|http.url): true?, http.error?",
     "Withdraws a URL that this script added."},
    {0}};

static const struct binding_entry methods[] = {
    {"close", object_close, "fun(self: http.url)",
     "Withdraws the URL; requests that have arrived are still answered. Silent when closed."},
    {0}};

static const struct binding_entry fields[] = {
    {"path", NULL, "string", "The URL as the script wrote it."},
    {"prefixes", NULL, "string[]", "What is registered: one prefix for each address."},
    {"group", NULL, "http.group?", "The group it was added to; nil: the host's own."},
    {"closed", NULL, "boolean", "Whether it is closed; the one field a closed object answers."},
    {0}};

static const struct binding_type url_type = {
    .name = URL_TYPE,
    .doc = "A registered URL.",
    .methods = methods,
    .fields = fields,
    .metamethods = object_metamethods,
    .index = object_index,
};

static const struct binding_type *const types[] = {&url_type, NULL};
const struct binding_part url_part = {.functions = functions, .types = types};
