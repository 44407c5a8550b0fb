/* http.session: a server session of the contract. */
#include "binding/module.h"

#include "binding/error.h"
#include "binding/group.h"
#include "binding/object.h"
#include "binding/state.h"

/* http.session([options]) -> http.session | nil, error [-0,+(1|2),v] */
static int new_session(lua_State *L)
{
    struct slice name = {NULL, 0};
    struct properties set = {0};
    struct caller caller;
    struct ledger_error error;
    uint64_t id = 0;
    lua_settop(L, 1);
    object_read_options(L, 1, PROPERTY_ON_SESSION, NULL, &name, &set);
    object_caller(L, &caller);
    struct object *object = object_new(L, NODE_SESSION);
    ULONG code = ledger_make_session(state_of(L)->ledger, &caller.origin, name, &set, &id, &error);
    if (code != NO_ERROR) {
        return object_fail(L, &caller, &error);
    }
    object_own(L, object, &caller, id);
    return object_finish(L, object, &caller);
}

static const struct binding_entry functions[] = {
    {"session", new_session,
     "fun(options?: { name?: string, timeouts?: http.timeouts, state?: http.state, bandwidth?: "
     "integer|false }): http.session?, http.error?",
     "Makes a server session, the root of URL groups; a name shares it between workers."},
    {0}};

static const struct binding_entry methods[] = {
    {"group", group_object_new,
     "fun(self: http.session, options?: http.group_options): http.group?, http.error?",
     "Makes a URL group in this session."},
    {"set", object_set, "fun(self: http.session, properties: table): http.session?, http.error?",
     "Sets several properties; a failure is returned, not raised."},
    {"close", object_close, "fun(self: http.session)",
     "Closes the session: its groups first, newest first. Silent when closed."},
    {0}};

static const struct binding_entry fields[] = {
    {"name", NULL, "string?", "The name it was given."},
    {"closed", NULL, "boolean", "Whether it is closed; the one field a closed object answers."},
    {"timeouts", NULL, "http.timeouts",
     "Whole seconds (min_send_rate: bytes a second); false: no limit."},
    {"state", NULL, "http.state?", "\"active\" or \"inactive\": requests are refused with 503."},
    {"bandwidth", NULL, "integer|false|nil", "Bytes a second, at least 1024; false: no limit."},
    {0}};

static const struct binding_type session_type = {
    .name = SESSION_TYPE,
    .doc = "A server session: the root of URL groups.",
    .methods = methods,
    .fields = fields,
    .metamethods = object_metamethods,
    .index = object_index,
};

static const struct binding_type *const types[] = {&session_type, NULL};

/* Shared by the four object types. */
static const struct binding_entry aliases[] = {
    {"http.state", NULL, "\"active\"|\"inactive\"", "Whether requests are served or refused."},
    {"http.timeouts", NULL,
     "{ entity_body?: integer|false, drain_entity_body?: integer|false, request_queue?: "
     "integer|false, idle_connection?: integer|false, header_wait?: integer|false, min_send_rate?: "
     "integer|false }",
     "Whole seconds, min_send_rate in bytes a second; false: no limit."},
    {"http.verbosity", NULL, "\"basic\"|\"limited\"|\"full\"",
     "What a client sees when the queue refuses: nothing, 503, or 503 and why."},
    {"http.group_options", NULL,
     "{ name?: string, queue?: http.queue|table, timeouts?: http.timeouts, state?: http.state, "
     "connection_limit?: integer|false, bandwidth?: integer|false }",
     "What a group is made with."},
    {"http.handler", NULL, "(fun(request: http.request): ...)|http.router",
     "Answers a request with what it returns."},
    {"http.error", NULL,
     "{ name: string, code: integer, status?: integer, call?: string, object?: string, hint?: "
     "string, where?: string }",
     "What went wrong; tostring makes one line of it."},
    {0}};

const struct binding_part session_part = {
    .functions = functions, .types = types, .aliases = aliases};
