#include "runtime/dispatch.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "base/path.h"
#include "binding/answer.h"
#include "binding/handlers.h"
#include "binding/ledger.h"
#include "binding/pull.h"
#include "binding/request_type.h"
#include "binding/router.h"
#include "binding/stream.h"
#include "binding/task.h"
#include "runtime/reqlog.h"

/* Where things stand on the coroutine of a handler. */
enum { AT_REQUEST = 1, AT_MESSAGE_HANDLER, AT_RESULTS };

static void take(struct request *r, ULONG status);

/* --- receives
 * -------------------------------------------------------------------------------- */

static size_t alive(const struct dispatch *d)
{
    return d->pool.made - d->pool.idle_count;
}

static void post_all(struct dispatch *d);

static void on_retry(struct loop_timer *timer)
{
    post_all(LIST_ITEM(timer, struct dispatch, retry));
}

/* Tries again when a request ends, or a little later: perhaps none is alive that could end. */
static COLD void post_later(struct dispatch *d)
{
    d->pool.starved = true;
    d->retry.on_fire = on_retry;
    loop_timer_start(d->loop, &d->retry, DISPATCH_RETRY_MS * UINT64_C(1000000));
}

/* true: another receive may be tried at once. A failure that would repeat for ever ends the lane.
 */
static COLD bool may_go_on(struct dispatch_lane *lane, ULONG code)
{
    if (code == ERROR_CONNECTION_INVALID) {
        return true; /* a request that needed a bigger buffer, and its client has gone */
    }
    if (code == ERROR_NOT_ENOUGH_MEMORY) {
        post_later(lane->dispatch);
        return false;
    }
    lane->broken = true;
    log_write(lane->dispatch->log, LOG_LEVEL_ERROR,
              "receives on a queue ended: HttpReceiveHttpRequest returned %u", (unsigned)code);
    return false;
}

static void post(struct dispatch_lane *lane)
{
    struct dispatch *d = lane->dispatch;
    while (lane->posted < lane->wanted && !lane->pulled && !lane->broken && !d->stopped) {
        if (alive(d) >= DISPATCH_REQUESTS_MAX) {
            d->pool.starved = true;
            return;
        }
        struct request *r = httpreq_acquire(&d->pool);
        if (r == NULL) {
            post_later(d);
            return;
        }
        r->on_received = take;
        r->receiver = lane;
        ULONG code = httpreq_receive(r, lane->queue);
        if (code != NO_ERROR) {
            httpreq_release(r);
            if (may_go_on(lane, code)) {
                continue;
            }
            return;
        }
        list_push_back(&lane->receives, &r->node);
        lane->posted++;
        if (r->receive.status == NO_ERROR && lane->wanted < DISPATCH_RECEIVES_MAX) {
            lane->wanted++; /* a request that has to wait is parsed twice */
        }
    }
}

static void post_all(struct dispatch *d)
{
    for (size_t i = 0; i < d->lane_count; i++) {
        post(&d->lanes[i]);
    }
}

static void on_idle(struct request_pool *pool)
{
    pool->starved = false;
    post_all(LIST_ITEM(pool, struct dispatch, pool));
}

static void cancel_receives(struct dispatch_lane *lane)
{
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &lane->receives)
    {
        op_cancel(&LIST_ITEM(node, struct request, node)->receive);
    }
}

/* --- the handler's coroutine
 * ----------------------------------------------------------------- */

/* The handler has returned, or what it left streaming must end. */
static int handled(lua_State *L, int status, lua_KContext ctx)
{
    struct request *r = (struct request *)ctx;
    if (status != LUA_OK && status != LUA_YIELD) {
        return lua_error(L); /* to handler_ended, with the traceback kept */
    }
    if (r->phase == REQUEST_LIVE) {
        return answer_return(L, r, AT_RESULTS);
    }
    if (r->phase == REQUEST_STREAMING) {
        return httpstream_finish_wait(L, r, ctx, handled);
    }
    return 0;
}

static int answer_allowed(lua_State *L, struct request *r, unsigned status)
{
    lua_settop(L, AT_REQUEST);
    lua_pushinteger(L, (lua_Integer)status);
    lua_createtable(L, 0, 1);
    lua_pushstring(L, r->match.allow);
    lua_setfield(L, -2, "allow");
    lua_pushnil(L);
    return answer_return(L, r, AT_REQUEST + 1);
}

/* The router is on top and is replaced by the handler. false: answered here, *results is what to
 * return. */
static bool route(lua_State *L, struct request *r, uint32_t segments, int *results)
{
    struct slice method = httpreq_method(r), path = httpreq_path(r);
    switch (router_match(L, -1, method, path, segments, &r->match)) {
    case ROUTER_FOUND: lua_replace(L, -2); return true;
    case ROUTER_NOT_FOUND: httpreq_answer_plain(r, 404, SLICE_LIT("not found\n")); break;
    case ROUTER_METHOD_NOT_ALLOWED: *results = answer_allowed(L, r, 405); return false;
    case ROUTER_OPTIONS: *results = answer_allowed(L, r, 204); return false;
    }
    *results = 0;
    return false;
}

/* The whole coroutine of a request: (light userdata request). Everything that may raise happens in
 * here, so that lua_resume catches it. */
static int serve(lua_State *L)
{
    struct request *r = lua_touserdata(L, AT_REQUEST);
    int results = 0;
    task_push_handler(L);
    const struct handler_entry *entry = state_push_handler(r->state, L, r->http->UrlContext);
    if (entry == NULL) {
        log_write(r->state->log, LOG_LEVEL_WARN,
                  "a URL without a handler got a request, but its "
                  "queue is not pulled in this state");
        httpreq_answer_plain(r, 503, SLICE_LIT("nobody serves this URL\n"));
        return 0;
    }
    bool bare = entry->bare;
    if (entry->kind == HANDLER_ROUTER) {
        if (!route(L, r, entry->segments, &results)) {
            return results;
        }
        bare = r->match.bare;
    }
    if (!bare) {
        request_type_push(L, r);
    }
    int status =
        lua_pcallk(L, bare ? 0 : 1, LUA_MULTRET, AT_MESSAGE_HANDLER, (lua_KContext)r, handled);
    return handled(L, status, (lua_KContext)r);
}

/* Whether a traceback has a line of Lua. */
static bool names_lua(const char *trace)
{
    for (; trace != NULL && (trace = strstr(trace, "\n\t")) != NULL; trace += 2) {
        if (strncmp(trace + 2, "[C]", 3) != 0) {
            return true;
        }
    }
    return false;
}

/* Where the handler stands in the script, for what it returned: it is not on the stack any more. */
static bool find_handler(lua_State *L, struct request *r, char *out, size_t out_bytes)
{
    struct router_match match = {0};
    lua_Debug where;
    int top = lua_gettop(L);
    if (r->phase != REQUEST_LIVE || lua_checkstack(L, 8) == 0) {
        return false;
    }
    const struct handler_entry *entry = state_push_handler(r->state, L, r->http->UrlContext);
    bool found = entry != NULL;
    if (found && entry->kind == HANDLER_ROUTER) {
        found = router_match(L, -1, httpreq_method(r), httpreq_path(r), entry->segments, &match) ==
                ROUTER_FOUND;
        router_match_release(&match);
    }
    if (found && lua_isfunction(L, -1)) {
        found = lua_getinfo(L, ">S", &where) != 0;
        (void)snprintf(out, out_bytes, "returned by the handler at %s:%d", where.short_src,
                       where.linedefined);
    }
    lua_settop(L, top);
    return found && out[0] != '\0';
}

/* What failed is moved to the main thread: the coroutine cannot call anything any more. */
static void fail(struct task *t, struct request *r, int nresults)
{
    lua_State *L = t->state->L;
    if (lua_checkstack(L, nresults + 1) == 0) {
        httpreq_cancel(r);
        return;
    }
    lua_xmove(t->co, L, nresults);
    int first = lua_gettop(L) - nresults + 1;
    const char *trace = nresults > 1 ? lua_tostring(L, first + 1) : NULL;
    char site[160] = "";
    if (!names_lua(trace) && find_handler(L, r, site, sizeof site)) {
        trace = site;
    }
    answer_failure(L, r, first, trace);
    lua_pop(L, nresults);
}

static void handler_ended(struct task *t, enum task_end end, int nresults)
{
    struct request *r = t->owner;
    char what[160];
    switch (end) {
    case TASK_RETURNED: assert(r->phase == REQUEST_ENDED); break;
    case TASK_FAILED: fail(t, r, nresults); break;
    case TASK_KILLED:
        httpreq_describe(r, what, sizeof what);
        log_write(t->state->log, LOG_LEVEL_WARN, "%s: the handler was %s", what,
                  lua_type(t->co, -1) == LUA_TSTRING ? lua_tostring(t->co, -1) : "stopped");
        /* fall through */
    case TASK_CANCELLED:
    case TASK_EXITED:
        if (r->phase == REQUEST_LIVE) {
            bool stopping = r->state->phase == STATE_STOPPING;
            httpreq_answer_plain(r, 503,
                                 stopping ? SLICE_LIT("the server is stopping\n")
                                          : SLICE_LIT("this request was stopped\n"));
        } else if (r->phase == REQUEST_STREAMING) {
            httpreq_cancel(r);
        }
        break;
    }
    if (r->log != NULL) {
        reqlog_end(r, r->response.StatusCode);
    }
    httpreq_forget_task(r);
}

static void watch_client(struct task *t)
{
    httpreq_watch(t->owner);
}

/* Before any state has it. */
static COLD void refuse(struct request *r)
{
    if (r->log != NULL) {
        reqlog_end(r, 503);
    }
    httpreq_refuse(r, 503);
}

static void start(struct state *S, struct request *r)
{
    struct task *t = task_acquire(S);
    if (t == NULL) {
        refuse(r);
        return;
    }
    if (!httpreq_open(r, S, t)) {
        task_release(t);
        refuse(r);
        return;
    }
    t->on_end = handler_ended;
    t->on_first_wait = watch_client;
    t->owner = r;
    t->name = "request";
    t->for_request = true;
    lua_pushcfunction(t->co, serve);
    lua_pushlightuserdata(t->co, r);
    task_start(t, 1);
}

/* Whose request it is, while several generations are here; NULL: it waits for the next one. An
 * older one is asked until its tasks are cancelled: from then on it may be quiet, and closed. */
static APART struct state *choose(struct dispatch *d, const struct request *r)
{
    uint64_t url = r->http->UrlContext;
    if (state_has_handler(d->state, url)) {
        return d->state;
    }
    for (size_t i = 0; i < d->older_count; i++) {
        if (d->older[i]->phase == STATE_RETIRING && state_has_handler(d->older[i], url)) {
            return d->older[i];
        }
    }
    return d->next != NULL && state_has_handler(d->next, url) ? NULL : d->state;
}

/* The gate is closed, or nobody is behind it. true: this one may pass. */
static COLD bool may_pass(struct dispatch *d, struct request *r)
{
    bool passes = false;
    if (d->state != NULL && d->gate == DISPATCH_OUTAGE) {
        passes = !d->on_outage(d->outage_ctx, r);
    } else {
        refuse(r);
    }
    return passes;
}

/* --- requests of another worker
 * -------------------------------------------------------------- */

static void take_request(struct dispatch *d, struct request *r);

/* The request is here. */
static void arrive(struct loop_task *task)
{
    struct request *r = LIST_ITEM(task, struct request, passing);
    struct dispatch *d = r->receiver;
    httpreq_join_pool(r, &d->pool);
    (void)atomic_fetch_sub(&d->arriving, 1);
    take_request(d, r);
}

/* The worker that has the handler; NULL: none has, as far as the ledger knows. */
static struct dispatch *find_owner(struct dispatch *d, uint64_t url)
{
    struct state *states[DISPATCH_OLDER_MAX + 2] = {d->state, d->next};
    memcpy(&states[2], d->older, d->older_count * sizeof d->older[0]);
    for (size_t i = 0; i < d->older_count + 2; i++) {
        const struct state *S = states[i];
        uint16_t worker =
            S == NULL ? LEDGER_WORKER_HOST : ledger_url_worker(S->ledger, S->generation, url);
        if (worker != LEDGER_WORKER_HOST && worker != S->worker) {
            return d->find_other(d, worker);
        }
    }
    return NULL;
}

/* Passes on a request whose handler another worker has; once, so that none goes in circles. Workers
 * past their drain deadline pass nothing on: before the loops close, every worker has come there.
 */
static COLD bool pass_on(struct dispatch *d, struct request *r)
{
    if (d->find_other == NULL || r->passed || d->gate == DISPATCH_REFUSING) {
        return false;
    }
    struct dispatch *owner = find_owner(d, r->http->UrlContext);
    if (owner == NULL) {
        return false;
    }
    httpreq_leave_pool(r);
    r->passed = true;
    r->receiver = owner;
    r->passing.run = arrive;
    (void)atomic_fetch_add(&owner->arriving, 1);
    loop_post(owner->loop, &r->passing);
    return true;
}

/* Gives a request to the state that has its handler. */
static void take_request(struct dispatch *d, struct request *r)
{
    if ((d->state == NULL || d->gate != DISPATCH_OPEN) && !may_pass(d, r)) {
        return;
    }
    struct state *S = d->state;
    if (d->next != NULL || d->older_count > 0) {
        S = choose(d, r);
    }
    if (S == NULL) {
        list_push_back(&d->held, &r->node);
    } else if (state_has_handler(S, r->http->UrlContext) || !pass_on(d, r)) {
        start(S, r);
    }
}

/* --- a receive is over
 * ----------------------------------------------------------------------- */

static void take(struct request *r, ULONG status)
{
    struct dispatch_lane *lane = r->receiver;
    struct dispatch *d = lane->dispatch;
    list_remove(&r->node);
    lane->posted--;
    if (status != NO_ERROR) {
        httpreq_release(r);
        bool asked = d->stopped || lane->pulled;
        if (!asked && (status == ERROR_INVALID_HANDLE || status == ERROR_OPERATION_ABORTED)) {
            lane->broken = true; /* the queue was shut down or closed */
        }
        post(lane);
        return;
    }
    post(lane);
    if (d->notes != NULL) {
        reqlog_begin(r, d->notes);
    }
    take_request(d, r);
}

/* --- the worker's side
 * ----------------------------------------------------------------------- */

void dispatch_init(struct dispatch *d, struct loop *loop, const struct log *log)
{
    memset(d, 0, sizeof *d);
    d->loop = loop;
    d->log = log;
    httpreq_pool_init(&d->pool);
    d->pool.on_idle = on_idle;
    list_init(&d->held);
    atomic_init(&d->arriving, 0);
}

void dispatch_deinit(struct dispatch *d)
{
    assert(dispatch_is_quiet(d));
    httpreq_pool_deinit(&d->pool);
}

/* A place for one more queue, perhaps that of one which was closed; NULL: too many. */
static struct dispatch_lane *find_free_lane(struct dispatch *d)
{
    for (size_t i = 0; i < d->lane_count; i++) {
        if (d->lanes[i].broken && d->lanes[i].posted == 0) {
            return &d->lanes[i];
        }
    }
    return d->lane_count == DISPATCH_QUEUES_MAX ? NULL : &d->lanes[d->lane_count++];
}

ULONG dispatch_add_queue(struct dispatch *d, uint64_t queue_id, HANDLE queue)
{
    for (size_t i = 0; i < d->lane_count; i++) {
        if (d->lanes[i].queue_id == queue_id) {
            return NO_ERROR;
        }
    }
    struct dispatch_lane *lane = find_free_lane(d);
    if (lane == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    memset(lane, 0, sizeof *lane);
    lane->dispatch = d;
    lane->queue = queue;
    lane->queue_id = queue_id;
    lane->wanted = DISPATCH_RECEIVES;
    list_init(&lane->receives);
    return NO_ERROR;
}

static void refuse_held(struct dispatch *d)
{
    struct list_node *node;
    while ((node = list_pop_front(&d->held)) != NULL) {
        refuse(LIST_ITEM(node, struct request, node));
    }
}

void dispatch_announce(struct dispatch *d, struct state *S)
{
    assert(S == NULL || d->next == NULL);
    d->next = S;
    if (S == NULL) {
        refuse_held(d);
    }
}

/* Of several that are kept the oldest goes: it has no room to be asked for late requests. */
static void keep_older(struct dispatch *d)
{
    size_t kept = d->older_count < DISPATCH_OLDER_MAX ? d->older_count : DISPATCH_OLDER_MAX - 1;
    memmove(&d->older[1], &d->older[0], kept * sizeof d->older[0]);
    d->older[0] = d->state;
    d->older_count = kept + 1;
}

void dispatch_forget_state(struct dispatch *d, const struct state *S)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->older_count; i++) {
        if (d->older[i] != S) {
            d->older[kept++] = d->older[i];
        }
    }
    d->older_count = kept;
    d->state = d->state == S ? NULL : d->state;
}

static void post_for(struct dispatch *d, struct state *S)
{
    for (size_t i = 0; i < d->lane_count; i++) {
        struct dispatch_lane *lane = &d->lanes[i];
        lane->pulled = pull_is_pulled(S, lane->queue_id);
        if (lane->pulled) {
            cancel_receives(lane);
        }
        post(lane);
    }
}

void dispatch_set_state(struct dispatch *d, struct state *S)
{
    struct list_node *node;
    if (d->state == S) { /* it has one queue more */
        post_for(d, S);
        return;
    }
    if (d->state != NULL) {
        keep_older(d);
    }
    d->state = S;
    d->next = NULL;
    post_for(d, S);
    while ((node = list_pop_front(&d->held)) != NULL) {
        start(S, LIST_ITEM(node, struct request, node));
    }
}

void dispatch_pull(struct dispatch *d, uint64_t queue_id)
{
    for (size_t i = 0; i < d->lane_count; i++) {
        struct dispatch_lane *lane = &d->lanes[i];
        if (lane->queue_id == queue_id && !lane->pulled) {
            lane->pulled = true;
            cancel_receives(lane);
        }
    }
}

void dispatch_set_outage(struct dispatch *d, bool (*on_outage)(void *ctx, struct request *r),
                         void *ctx)
{
    d->on_outage = on_outage;
    d->outage_ctx = ctx;
    if (d->gate != DISPATCH_REFUSING) {
        d->gate = on_outage == NULL ? DISPATCH_OPEN : DISPATCH_OUTAGE;
    }
}

void dispatch_refuse(struct dispatch *d)
{
    d->gate = DISPATCH_REFUSING;
    refuse_held(d);
}

void dispatch_stop_receiving(struct dispatch *d)
{
    d->stopped = true;
    loop_timer_stop(d->loop, &d->retry);
    for (size_t i = 0; i < d->lane_count; i++) {
        cancel_receives(&d->lanes[i]);
    }
}

bool dispatch_is_quiet(const struct dispatch *d)
{
    return atomic_load(&d->arriving) == 0 && alive(d) == 0;
}
