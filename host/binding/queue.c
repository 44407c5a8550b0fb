#include "binding/queue.h"

#include "binding/error.h"
#include "binding/module.h"
#include "binding/object.h"
#include "binding/pull.h"
#include "binding/state.h"

int queue_object_create(lua_State *L, int options, const struct caller *caller)
{
    struct slice name = {NULL, 0};
    struct properties set = {0};
    struct ledger_error error;
    uint64_t id = 0;
    object_read_options(L, options, PROPERTY_ON_QUEUE, NULL, &name, &set);
    struct object *object = object_new(L, NODE_QUEUE);
    ULONG code = ledger_make_queue(state_of(L)->ledger, &caller->origin, name, &set, &id, &error);
    if (code != NO_ERROR) {
        return object_fail(L, caller, &error);
    }
    object_own(L, object, caller, id);
    return object_finish(L, object, caller);
}

/* http.queue([options]) -> http.queue | nil, error [-0,+(1|2),v] */
static int new_queue(lua_State *L)
{
    struct caller caller;
    lua_settop(L, 1);
    object_caller(L, &caller);
    return queue_object_create(L, 1, &caller);
}

static const struct binding_entry functions[] = {
    {"queue", new_queue,
     "fun(options?: { name?: string, length?: integer, verbosity?: http.verbosity, state?: "
     "http.state }): http.queue?, http.error?",
     "Makes a request queue; groups are bound to it."},
    {0}};

static const struct binding_entry methods[] = {
    {"receive", pull_receive, "fun(self: http.queue, timeout?: number): http.request?, http.error?",
     "Takes the next request; nil when the server stops or the script was replaced."},
    {"requests", pull_requests, "fun(self: http.queue): fun(): http.request?",
     "Iterates over requests until the server stops or the script was replaced."},
    {"set", object_set, "fun(self: http.queue, properties: table): http.queue?, http.error?",
     "Sets several properties; a failure is returned, not raised."},
    {"close", object_close, "fun(self: http.queue)",
     "Closes the queue; its groups are unbound first. Silent when closed."},
    {0}};

static const struct binding_entry fields[] = {
    {"name", NULL, "string?", "The name it was given."},
    {"closed", NULL, "boolean", "Whether it is closed; the one field a closed object answers."},
    {"length", NULL, "integer?", "Requests that may wait; more are refused with 503."},
    {"verbosity", NULL, "http.verbosity?",
     "What a refused client sees: nothing, 503, or 503 and why."},
    {"state", NULL, "http.state?", "\"active\" or \"inactive\": requests are refused with 503."},
    {0}};

static const struct binding_type queue_type = {
    .name = QUEUE_TYPE,
    .doc = "A request queue: where requests wait for a handler or for receive.",
    .methods = methods,
    .fields = fields,
    .metamethods = object_metamethods,
    .index = object_index,
};

static const struct binding_type *const types[] = {&queue_type, NULL};
const struct binding_part queue_part = {.functions = functions, .types = types};
