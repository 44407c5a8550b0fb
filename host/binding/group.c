#include "binding/group.h"

#include "binding/error.h"
#include "binding/module.h"
#include "binding/object.h"
#include "binding/queue.h"
#include "binding/state.h"
#include "binding/url.h"

enum { SESSION = 1, OPTIONS = 2, QUEUE = 3, AT_GROUP = 4 }; /* places on the stack */

/* Leaves the option `queue` at QUEUE: an http.queue, or nil. A table there makes a queue of the
 * group's own. Returns whether it did; on failure leaves nil and the error on top and sets *failed.
 * [-0,+(1|2),v] */
static bool take_queue(lua_State *L, const struct caller *caller, bool *failed)
{
    *failed = false;
    if (lua_isnil(L, OPTIONS)) {
        lua_pushnil(L);
        return false;
    }
    lua_getfield(L, OPTIONS, "queue");
    if (lua_isnil(L, QUEUE) || object_test(L, QUEUE, NODE_QUEUE) != NULL) {
        return false;
    }
    if (!lua_istable(L, QUEUE)) {
        luaL_error(L, "options: queue must be an http.queue or a table of its options, not a %s",
                   luaL_typename(L, QUEUE));
    }
    *failed = queue_object_create(L, QUEUE, caller) != 1;
    if (!*failed) {
        lua_replace(L, QUEUE);
    }
    return !*failed;
}

/* The group did not come to be: its own queue goes with it. */
static void drop_own_queue(lua_State *L, bool own, const struct caller *caller)
{
    struct object *queue = own ? object_test(L, QUEUE, NODE_QUEUE) : NULL;
    if (queue != NULL) {
        object_end(L, queue, caller);
    }
}

int group_object_new(lua_State *L)
{
    static const char *const others[] = {"queue", NULL};
    struct properties set = {0};
    struct ledger_group_spec spec = {.properties = &set};
    struct caller caller;
    struct ledger_error error;
    bool failed = false;
    uint64_t id = 0;
    lua_settop(L, OPTIONS);
    spec.session = object_check(L, SESSION, NODE_SESSION)->id;
    object_read_options(L, OPTIONS, PROPERTY_ON_GROUP, others, &spec.name, &set);
    object_caller(L, &caller);
    spec.own_queue = take_queue(L, &caller, &failed);
    if (failed) {
        return 2;
    }
    if (!lua_isnil(L, QUEUE)) {
        spec.queue = object_check(L, QUEUE, NODE_QUEUE)->id;
    }
    struct object *object = object_new(L, NODE_GROUP);
    lua_pushvalue(L, SESSION);
    lua_setiuservalue(L, AT_GROUP, OBJECT_OWNER);
    lua_pushvalue(L, QUEUE);
    lua_setiuservalue(L, AT_GROUP, OBJECT_QUEUE);
    if (ledger_make_group(state_of(L)->ledger, &caller.origin, &spec, &id, &error) != NO_ERROR) {
        drop_own_queue(L, spec.own_queue, &caller);
        return object_fail(L, &caller, &error);
    }
    object_own(L, object, &caller, id);
    int results = object_finish(L, object, &caller);
    if (results != 1) {
        drop_own_queue(L, spec.own_queue, &caller);
    }
    return results;
}

static const struct binding_entry functions[] = {
    {"group", group_object_new,
     "fun(session: http.session, options?: http.group_options): http.group?, http.error?",
     "Makes a URL group in the session; `queue` may be an http.queue or a table of its options."},
    {0}};

static const struct binding_entry methods[] = {
    {"add_url", url_object_add,
     "fun(self: http.group, url: string, handler?: http.handler): http.url?, http.error?",
     "Registers a URL prefix or a bare path; without a handler its requests wait in the queue."},
    {"remove_url", url_object_remove,
     "fun(self: http.group, url: string|http.url): true?, http.error?",
     "Withdraws a URL that this script added to the group."},
    {"set", object_set, "fun(self: http.group, properties: table): http.group?, http.error?",
     "Sets several properties; a failure is returned, not raised."},
    {"close", object_close, "fun(self: http.group)",
     "Closes the group: its URLs first, newest first. Silent when closed."},
    {0}};

static const struct binding_entry fields[] = {
    {"name", NULL, "string?", "The name it was given."},
    {"closed", NULL, "boolean", "Whether it is closed; the one field a closed object answers."},
    {"session", NULL, "http.session", "The session it belongs to."},
    {"queue", NULL, "http.queue?", "The queue its requests go to; nil unbinds: they get 503."},
    {"timeouts", NULL, "http.timeouts",
     "Whole seconds (min_send_rate: bytes a second); false: no limit."},
    {"state", NULL, "http.state?", "\"active\" or \"inactive\": requests are refused with 503."},
    {"connection_limit", NULL, "integer|false|nil", "Connections at most; false: no limit."},
    {"bandwidth", NULL, "integer|false|nil", "Bytes a second, at least 1024; false: no limit."},
    {0}};

static const struct binding_type group_type = {
    .name = GROUP_TYPE,
    .doc = "A URL group: URLs that share a queue and properties.",
    .methods = methods,
    .fields = fields,
    .metamethods = object_metamethods,
    .index = object_index,
};

static const struct binding_type *const types[] = {&group_type, NULL};
const struct binding_part group_part = {.functions = functions, .types = types};
