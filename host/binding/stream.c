#include "binding/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "binding/answer.h"
#include "binding/devpage.h"
#include "binding/error.h"
#include "binding/request_type.h"
#include "binding/state.h"
#include "binding/task.h"

/* One HttpSendResponseEntityBody. Owner: the pool, or the request until it has come back. */
struct send {
    struct op op; /* first */
    struct request *request;
    struct send *next; /* while idle */
    bool pending;      /* it was not taken at once */
    HTTP_DATA_CHUNK chunks[STREAM_CHUNKS_MAX];
};

struct stream_handle {
    uint64_t id; /* of the request */
};

/* --- sends
 * ----------------------------------------------------------------------------------- */

static struct send *take(struct request *r)
{
    struct request_pool *pool = r->pool;
    struct send *send = pool->sends;
    if (send != NULL) {
        pool->sends = send->next;
        pool->send_count--;
    } else {
        send = calloc(1, sizeof *send);
    }
    if (send != NULL) {
        send->request = r;
        r->stream_sends++;
    }
    return send;
}

static void give_back(struct send *send)
{
    struct request *r = send->request;
    struct request_pool *pool = r->pool;
    r->stream_sends--;
    send->request = NULL;
    if (pool->send_count < STREAM_SENDS_IDLE_MAX) {
        send->next = pool->sends;
        pool->sends = send;
        pool->send_count++;
    } else {
        free(send);
    }
}

void httpstream_pool_deinit(struct request_pool *pool)
{
    struct send *send;
    while ((send = pool->sends) != NULL) {
        pool->sends = send->next;
        free(send);
    }
    pool->send_count = 0;
}

void httpstream_note_sent(struct request *r)
{
    if (r->stream_sends == 0 && !r->send.busy) {
        task_wake(&r->flush);
    }
}

static bool send_done(struct op *op)
{
    struct send *send = (struct send *)op;
    struct request *r = send->request;
    if (send->pending) {
        r->write_pending = false;
        send->pending = false;
    }
    give_back(send);
    httpstream_note_sent(r);
    httpreq_settle(r);
    return false;
}

/* Hands count chunks of `send` to the contract; flags 0 ends the body and the request.
 * ERROR_IO_PENDING: send->op is under way. Any error ends the request. */
static ULONG post(struct request *r, struct send *send, unsigned count, ULONG flags)
{
    send->op.on_done = send_done;
    ULONG code = HttpSendResponseEntityBody(r->queue, r->http->RequestId, flags, (USHORT)count,
                                            count == 0 ? NULL : send->chunks, NULL, NULL, 0,
                                            op_begin(&send->op, r->queue), NULL);
    (void)op_started(&send->op, code); /* busy says it */
    if (code == ERROR_IO_PENDING) {
        send->pending = true;
        r->write_pending = true;
    } else if (code != NO_ERROR) {
        give_back(send);
        httpreq_cancel(r);
        return code;
    }
    if (flags == 0) {
        httpreq_end(r);
    }
    return code;
}

static int fail(lua_State *L, ULONG code)
{
    return error_return(L, "HttpSendResponseEntityBody", code, NULL,
                        "the client has gone or was cut off");
}

ULONG httpstream_send_head(struct request *r)
{
    if (r->state->dev != NULL) {
        devpage_decorate(r, false);
    }
    ULONG code =
        HttpSendHttpResponse(r->queue, r->http->RequestId, HTTP_SEND_RESPONSE_FLAG_MORE_DATA,
                             &r->response, NULL, NULL, NULL, 0, op_begin(&r->send, r->queue), NULL);
    (void)op_started(&r->send, code); /* busy says it */
    if (code == NO_ERROR || code == ERROR_IO_PENDING) {
        httpreq_begin_stream(r);
    } else {
        httpreq_cancel(r);
    }
    return code;
}

/* --- ending
 * ---------------------------------------------------------------------------------- */

void httpstream_finish(struct request *r)
{
    assert(r->phase == REQUEST_STREAMING);
    struct send *send = take(r);
    if (send == NULL) {
        httpreq_cancel(r); /* no memory: better cut than left open */
        return;
    }
    (void)post(r, send, 0, 0); /* an error has ended the request too */
}

int httpstream_finish_wait(lua_State *L, struct request *r, lua_KContext ctx, lua_KFunction k)
{
    assert(r->phase == REQUEST_STREAMING);
    struct task *t = task_current(L);
    struct send *send = take(r);
    if (send == NULL) {
        httpreq_cancel(r);
        t->op_status = ERROR_NOT_ENOUGH_MEMORY;
        return k(L, LUA_OK, ctx);
    }
    ULONG code = post(r, send, 0, 0);
    if (code == ERROR_IO_PENDING) {
        return op_wait(L, &send->op, UINT64_MAX, ctx, k);
    }
    t->op_status = code;
    return k(L, LUA_OK, ctx);
}

/* --- the Lua type
 * ---------------------------------------------------------------------------- */

void httpstream_push(lua_State *L, const struct request *r)
{
    struct stream_handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    handle->id = r->id;
    luaL_setmetatable(L, stream_type.name);
}

/* NULL: it is closed. */
static struct request *find(lua_State *L)
{
    const struct stream_handle *handle = luaL_checkudata(L, 1, stream_type.name);
    return httpreq_find(state_of(L), handle->id);
}

static struct request *check(lua_State *L)
{
    struct request *r = find(L);
    if (r == NULL) {
        luaL_error(L, "closed http.stream");
        return NULL;
    }
    if (r->write_pending) {
        luaL_error(L, "another coroutine is writing to this stream");
    }
    return r;
}

static int self_or_error(lua_State *L, int status, lua_KContext ctx)
{
    (void)status, (void)ctx; /* the code is kept in the task */
    ULONG code = task_current(L)->op_status;
    if (code != NO_ERROR) {
        return fail(L, code);
    }
    lua_settop(L, 1);
    return 1;
}

/* The arguments as strings at 2.. and the count of them; too many become one. */
static unsigned gather(lua_State *L, size_t *bytes)
{
    *bytes = 0;
    int top = lua_gettop(L);
    for (int i = 2; i <= top; i++) {
        size_t len = 0;
        luaL_checklstring(L, i, &len);
        *bytes += len;
    }
    if (top - 1 > STREAM_CHUNKS_MAX) {
        lua_concat(L, top - 1);
        top = 2;
    }
    return (unsigned)(top - 1);
}

static int write_now(lua_State *L, struct request *r);

static int write_after_flush(lua_State *L, int status, lua_KContext ctx)
{
    (void)status, (void)ctx; /* the arguments are still on the stack */
    return write_now(L, check(L));
}

/* The memory of what has been sent is used again only when its completions have come. */
static int wait_flushed(lua_State *L, struct request *r, lua_KFunction k)
{
    if (r->flush.task != NULL) {
        return luaL_error(L, "another coroutine is flushing this stream");
    }
    return task_wait(L, &r->flush, 0, k);
}

static int write_now(lua_State *L, struct request *r)
{
    size_t bytes = 0;
    unsigned count = gather(L, &bytes);
    if (bytes == 0 || r->head_only) {
        lua_settop(L, 1);
        return 1;
    }
    if (r->stream_sends >= REQUEST_SENDS_MAX) {
        return wait_flushed(L, r, write_after_flush);
    }
    struct send *send = take(r);
    if (send == NULL) {
        return luaL_error(L, "not enough memory");
    }
    unsigned used = 0;
    for (unsigned i = 0; i < count; i++) {
        size_t len = 0;
        const char *p = lua_tolstring(L, (int)i + 2, &len);
        assert(len <= MAXULONG);
        if (len > 0) {
            HTTP_DATA_CHUNK *chunk = &send->chunks[used++];
            chunk->DataChunkType = HttpDataChunkFromMemory;
            chunk->FromMemory.pBuffer = (PVOID)(uintptr_t)p;
            chunk->FromMemory.BufferLength = (ULONG)len;
        }
    }
    ULONG code = post(r, send, used, HTTP_SEND_RESPONSE_FLAG_MORE_DATA);
    if (code == ERROR_IO_PENDING) {
        return op_wait(L, &send->op, UINT64_MAX, 0, self_or_error);
    }
    if (code != NO_ERROR) {
        return fail(L, code);
    }
    lua_settop(L, 1);
    return 1;
}

/* stream:write(...) -> stream | nil, error [-n, +(1|2), e] */
static int stream_write(lua_State *L)
{
    struct request *r = check(L);
    task_check_wait(L);
    return write_now(L, r);
}

static int flushed(lua_State *L, int status, lua_KContext ctx)
{
    (void)status, (void)ctx; /* writes have reported their own errors */
    lua_settop(L, 1);
    return 1;
}

/* stream:flush() -> stream [-0, +1, e] */
static int stream_flush(lua_State *L)
{
    struct request *r = check(L);
    if (r->stream_sends == 0 && !r->send.busy) {
        return flushed(L, LUA_OK, 0);
    }
    return wait_flushed(L, r, flushed);
}

static int true_or_error(lua_State *L, int status, lua_KContext ctx)
{
    (void)status, (void)ctx; /* the code is kept in the task */
    ULONG code = task_current(L)->op_status;
    if (code != NO_ERROR) {
        return fail(L, code);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* stream:close() -> true | nil, error; silent when closed [-0, +(1|2), e] */
static int stream_close(lua_State *L)
{
    struct request *r = find(L);
    if (r == NULL) {
        lua_pushboolean(L, 1);
        return 1;
    }
    r = check(L);
    if (!task_is_yieldable(L)) {
        httpstream_finish(r);
        lua_pushboolean(L, 1);
        return 1;
    }
    return httpstream_finish_wait(L, r, 0, true_or_error);
}

/* __close: well at the end of the block, by cutting when an error leaves it. */
static int close_stream(lua_State *L)
{
    struct request *r = find(L);
    if (r != NULL && !lua_isnoneornil(L, 2)) {
        httpreq_cancel(r);
        return 0;
    }
    lua_settop(L, 1);
    return stream_close(L);
}

static int gc_stream(lua_State *L)
{
    struct request *r = find(L);
    if (r != NULL && r->pulled) {
        log_write(state_of(L)->log, LOG_LEVEL_WARN,
                  "an http.stream was dropped unclosed (its request was received at %s)", r->site);
        httpreq_cancel(r);
    }
    return 0;
}

static int tostring_stream(lua_State *L)
{
    lua_pushstring(L, find(L) != NULL ? "http.stream (open)" : "http.stream (closed)");
    return 1;
}

static int opened(lua_State *L, int status, lua_KContext ctx)
{
    (void)status; /* the code is kept in the task */
    struct request *r = httpreq_find(state_of(L), (uint64_t)ctx);
    ULONG code = task_current(L)->op_status;
    if (r == NULL || code != NO_ERROR) {
        if (r != NULL) {
            httpreq_cancel(r);
        }
        return error_return(L, "HttpSendHttpResponse",
                            code != NO_ERROR ? code : ERROR_CONNECTION_INVALID, NULL,
                            "the client has gone or was cut off");
    }
    httpstream_push(L, r);
    return 1;
}

int httpstream_open(lua_State *L)
{
    struct request *r = request_type_check(L, 1);
    struct headers_seen seen;
    if (r->phase != REQUEST_LIVE) {
        return luaL_error(L, "this request has a stream already");
    }
    lua_Integer status = luaL_optinteger(L, 2, 200);
    luaL_argcheck(L, status >= ANSWER_STATUS_MIN && status <= ANSWER_STATUS_MAX, 2,
                  "a status from 200 to 999");
    lua_settop(L, 3);
    task_check_wait(L);
    answer_begin(L, r, (unsigned)status, 3, &seen);
    lua_KContext id = (lua_KContext)r->id;
    ULONG code = httpstream_send_head(r);
    if (code == ERROR_IO_PENDING) {
        return op_wait(L, &r->send, UINT64_MAX, id, opened);
    }
    task_current(L)->op_status = code;
    return opened(L, LUA_OK, id);
}

static const struct binding_entry stream_methods[] = {
    {"write", stream_write, "fun(self: http.stream, ...: string|number): http.stream?, http.error?",
     "Sends pieces of the body; waits while the client is slow."},
    {"flush", stream_flush, "fun(self: http.stream): http.stream",
     "Waits until everything written has been taken."},
    {"close", stream_close, "fun(self: http.stream): boolean?, http.error?", "Ends the body."},
    {NULL, NULL, NULL, NULL},
};

static const struct luaL_Reg stream_meta[] = {
    {"__close", close_stream},
    {"__gc", gc_stream},
    {"__tostring", tostring_stream},
    {NULL, NULL},
};

const struct binding_type stream_type = {
    .name = "http.stream",
    .doc = "An answer that is written piece by piece.",
    .methods = stream_methods,
    .metamethods = stream_meta,
};
