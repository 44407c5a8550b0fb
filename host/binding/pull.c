#include "binding/pull.h"

#include <assert.h>
#include <string.h>

#include <lauxlib.h>

#include "binding/error.h"
#include "binding/ledger.h"
#include "binding/object.h"
#include "binding/request_type.h"
#include "binding/state.h"
#include "binding/task.h"

/* --- which queues
 * ---------------------------------------------------------------------------- */

bool pull_is_pulled(const struct state *S, uint64_t queue_id)
{
    for (size_t i = 0; i < S->pulled_count; i++) {
        if (S->pulled[i] == queue_id) {
            return true;
        }
    }
    return false;
}

static void note_pulled(lua_State *L, struct state *S, uint64_t queue_id)
{
    if (!pull_is_pulled(S, queue_id)) {
        if (S->pulled_count == STATE_PULLED_MAX) {
            luaL_error(L, "more than %d queues are pulled", STATE_PULLED_MAX);
        }
        S->pulled[S->pulled_count++] = queue_id;
    }
    if (S->hooks != NULL && S->hooks->on_pull != NULL) {
        S->hooks->on_pull(S, S->current, queue_id);
    }
}

/* --- waiting for the generation to serve
 * ----------------------------------------------------- */

/* What a wait needs that must outlive the C function. Owner: a userdata on the caller's stack. */
struct start {
    struct wait wait;
    struct list_node node; /* state->pull_starts */
};

static void cancel_start(struct wait *wait)
{
    struct start *start = LIST_ITEM(wait, struct start, wait);
    list_remove(&start->node);
    task_wake(wait);
}

void pull_start(struct state *S)
{
    struct list_node *node;
    while ((node = list_first(&S->pull_starts)) != NULL) {
        cancel_start(&LIST_ITEM(node, struct start, node)->wait);
    }
}

void pull_end(struct state *S)
{
    struct list_node *node, *next;
    pull_start(S);
    LIST_FOREACH_SAFE(node, next, &S->pulls)
    {
        op_cancel(&LIST_ITEM(node, struct request, node)->receive);
    }
}

/* --- one receive
 * ----------------------------------------------------------------------------- */

/* Stack of the calls below, kept across waits. */
enum { AT_QUEUE = 1, AT_TIMEOUT };

/* Nobody takes what has come: the task was cancelled or killed. */
static void drop(struct state *S, lua_KContext ctx)
{
    (void)S; /* the request has none yet */
    struct request *r = (struct request *)ctx;
    list_remove(&r->node);
    if (r->phase == REQUEST_DELIVERED) {
        httpreq_refuse(r, 503);
    } else {
        httpreq_release(r);
    }
}

static int fail(lua_State *L, ULONG code)
{
    return error_return(L, "HttpReceiveHttpRequest", code, NULL,
                        "nothing more comes from the queue");
}

static int received(lua_State *L, int status, lua_KContext ctx)
{
    (void)status; /* the code is kept in the task */
    struct state *S = state_of(L);
    struct request *r = (struct request *)ctx;
    const struct task *t = S->current;
    ULONG code = t->op_status;
    list_remove(&r->node);
    if (r->phase != REQUEST_DELIVERED) {
        httpreq_release(r);
        if (t->run.timed_out) {
            return error_return_word(L, "timeout", "no request came in time");
        }
        if (S->pull_ended || code == ERROR_OPERATION_ABORTED) {
            lua_pushnil(L);
            return 1;
        }
        return fail(L, code == NO_ERROR ? ERROR_CONNECTION_INVALID : code);
    }
    if (!httpreq_open(r, S, NULL)) {
        httpreq_refuse(r, 503);
        return fail(L, ERROR_NOT_ENOUGH_MEMORY);
    }
    state_where(L, 1, r->site, sizeof r->site);
    request_type_push(L, r);
    return 1;
}

static uint64_t check_timeout(lua_State *L)
{
    lua_Number seconds = luaL_optnumber(L, AT_TIMEOUT, -1);
    return seconds < 0 || seconds > 1e9 ? UINT64_MAX : (uint64_t)(seconds * 1e9);
}

static int receive(lua_State *L)
{
    struct state *S = state_of(L);
    struct ledger_queue queue = object_check_queue(L, AT_QUEUE);
    uint64_t timeout_ns = check_timeout(L);
    if (S->pull_ended) {
        lua_pushnil(L);
        return 1;
    }
    if (queue.handle == NULL) {
        return fail(L, ERROR_INVALID_HANDLE);
    }
    task_check_wait(L);
    struct request *r = httpreq_acquire(S->pool);
    if (r == NULL) {
        return fail(L, ERROR_NOT_ENOUGH_MEMORY);
    }
    r->on_received = NULL;
    ULONG code = httpreq_receive(r, queue.handle);
    if (code != NO_ERROR) {
        httpreq_release(r);
        return fail(L, code);
    }
    list_push_back(&S->pulls, &r->node);
    r->receive.wait.drop = drop;
    return op_wait(L, &r->receive, timeout_ns, (lua_KContext)r, received);
}

static int started(lua_State *L, int status, lua_KContext ctx)
{
    (void)status, (void)ctx; /* the arguments are on the stack */
    lua_settop(L, AT_TIMEOUT);
    return receive(L);
}

/* While loading it only declares: the receive is posted when the generation serves. */
int pull_receive(lua_State *L)
{
    struct state *S = state_of(L);
    lua_settop(L, AT_TIMEOUT);
    struct ledger_queue queue = object_check_queue(L, AT_QUEUE);
    (void)check_timeout(L); /* raises now rather than later */
    task_check_wait(L);
    note_pulled(L, S, queue.id);
    if (S->phase != STATE_LOADING && S->phase != STATE_LOADED) {
        return receive(L);
    }
    struct start *start = lua_newuserdatauv(L, sizeof *start, 0);
    memset(start, 0, sizeof *start);
    start->wait.cancel = cancel_start;
    list_push_back(&S->pull_starts, &start->node);
    return task_wait(L, &start->wait, 0, started);
}

static int next_done(lua_State *L, int status, lua_KContext ctx)
{
    (void)status, (void)ctx; /* the results are on top */
    return lua_isnil(L, AT_TIMEOUT + 1) && lua_gettop(L) > AT_TIMEOUT + 1 ? lua_error(L) : 1;
}

/* (queue) -> http.request | nil; raises what receive returns as its error. [-0, +1, e] */
static int next_request(lua_State *L)
{
    lua_settop(L, 1);
    lua_pushnil(L);
    lua_pushcfunction(L, pull_receive);
    lua_pushvalue(L, AT_QUEUE);
    lua_callk(L, 1, LUA_MULTRET, 0, next_done);
    return next_done(L, LUA_OK, 0);
}

int pull_requests(lua_State *L)
{
    object_check_queue(L, AT_QUEUE);
    lua_pushcfunction(L, next_request);
    lua_pushvalue(L, AT_QUEUE);
    lua_pushnil(L);
    lua_pushnil(L);
    return 4;
}
