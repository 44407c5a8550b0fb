#include "binding/request.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "binding/answer.h"
#include "binding/body.h"
#include "binding/cooked.h"
#include "binding/devpage.h"
#include "binding/file_cache.h"
#include "binding/state.h"
#include "binding/stream.h"
#include "binding/task.h"

static void enter(struct request *r, enum request_phase phase)
{
    static const uint8_t allowed[] = {
        [REQUEST_FREE] = 1 << REQUEST_RECEIVING,
        [REQUEST_RECEIVING] = 1 << REQUEST_DELIVERED | 1 << REQUEST_FREE,
        [REQUEST_DELIVERED] = 1 << REQUEST_LIVE | 1 << REQUEST_ENDED,
        [REQUEST_LIVE] = 1 << REQUEST_STREAMING | 1 << REQUEST_ENDED,
        [REQUEST_STREAMING] = 1 << REQUEST_ENDED,
        [REQUEST_ENDED] = 1 << REQUEST_FREE,
    };
    assert((allowed[r->phase] >> phase & 1) != 0);
    (void)allowed; /* used by the assert alone */
    r->phase = phase;
}

/* --- pool
 * ------------------------------------------------------------------------------------ */

void httpreq_pool_init(struct request_pool *pool)
{
    memset(pool, 0, sizeof *pool);
    list_init(&pool->idle);
}

static void destroy(struct request *r)
{
    r->pool->made--;
    free(r);
}

void httpreq_pool_deinit(struct request_pool *pool)
{
    struct list_node *node;
    assert(pool->made == pool->idle_count);
    while ((node = list_pop_front(&pool->idle)) != NULL) {
        destroy(LIST_ITEM(node, struct request, node));
    }
    pool->idle_count = 0;
    body_pool_deinit(pool);
    httpstream_pool_deinit(pool);
}

struct request *httpreq_acquire(struct request_pool *pool)
{
    struct list_node *node = list_pop_front(&pool->idle);
    if (node != NULL) {
        pool->idle_count--;
        return LIST_ITEM(node, struct request, node);
    }
    struct request *r = calloc(1, sizeof *r);
    if (r != NULL) {
        r->pool = pool;
        pool->made++;
    }
    return r;
}

/* Back to what calloc gave, at the price of what was used. */
static void clear(struct request *r)
{
    headers_reset(r);
    r->response.EntityChunkCount = 0;
    r->response.pEntityChunks = NULL;
    r->state = NULL;
    r->id = 0;
    r->http = NULL;
    r->head_only = false;
    r->cancelled = false;
    r->write_pending = false;
    r->pulled = false;
    r->passed = false;
    r->body_chunk = 0;
    r->body_chunk_at = 0;
    r->body_ended = false;
    r->body_failed = false;
    if (r->cooked != NULL) {
        cooked_close(r);
    }
    if (r->file != NULL) {
        file_cache_release(r->file);
        r->file = NULL;
    }
    if (r->big != NULL || r->text != NULL) {
        free(r->big);
        free(r->text);
        r->big = NULL;
        r->text = NULL;
        r->big_bytes = 0;
    }
}

void httpreq_release(struct request *r)
{
    struct request_pool *pool = r->pool;
    assert(r->phase == REQUEST_FREE && r->task == NULL && r->read_buffer == NULL);
    assert(!r->receive.busy && !r->send.busy && !r->watch.busy && !r->read.busy);
    clear(r);
    if (pool->idle_count < REQUEST_POOL_IDLE_MAX) {
        list_push_front(&pool->idle, &r->node);
        pool->idle_count++;
    } else {
        destroy(r);
    }
    if (pool->starved && pool->on_idle != NULL) {
        pool->on_idle(pool);
    }
}

void httpreq_leave_pool(struct request *r)
{
    struct request_pool *pool = r->pool;
    assert(r->phase == REQUEST_DELIVERED && r->state == NULL && !list_is_linked(&r->node));
    pool->made--;
    r->pool = NULL;
    if (pool->starved && pool->on_idle != NULL) {
        pool->on_idle(pool);
    }
}

void httpreq_join_pool(struct request *r, struct request_pool *pool)
{
    assert(r->phase == REQUEST_DELIVERED && r->pool == NULL);
    pool->made++;
    r->pool = pool;
}

/* --- receiving
 * ------------------------------------------------------------------------------- */

/* Asks again for the request that did not fit. The first buffer names it. */
static COLD ULONG receive_bigger(struct request *r, size_t bytes)
{
    HTTP_REQUEST_ID id = ((HTTP_REQUEST *)(void *)r->buffer)->RequestId;
    void *big = NULL;
    ULONG code = ERROR_NOT_ENOUGH_MEMORY;
    if (bytes > r->big_bytes && bytes <= REQUEST_BUFFER_BYTES_MAX) {
        big = malloc(bytes);
    }
    if (big != NULL) {
        free(r->big);
        r->big = big;
        r->big_bytes = bytes;
        code = HttpReceiveHttpRequest(
            r->queue, id, HTTP_RECEIVE_REQUEST_FLAG_COPY_BODY | HTTP_RECEIVE_REQUEST_FLAG_BORROW,
            big, (ULONG)bytes, NULL, op_begin(&r->receive, r->queue));
        op_started(&r->receive, code);
    }
    if (code == ERROR_NOT_ENOUGH_MEMORY || code == ERROR_MORE_DATA) {
        (void)HttpCancelHttpRequest(r->queue, id, NULL); /* it is bound to us: nobody else can */
        code = ERROR_NOT_ENOUGH_MEMORY;
    }
    return code;
}

static bool received(struct op *op)
{
    struct request *r = LIST_ITEM(op, struct request, receive);
    ULONG status = op->status;
    if (status == ERROR_MORE_DATA) {
        status = receive_bigger(r, op->bytes);
        if (status == NO_ERROR || status == ERROR_IO_PENDING) {
            return true;
        }
        op->status = status;
    }
    if (status == NO_ERROR) {
        r->http = (HTTP_REQUEST *)(r->big != NULL ? r->big : (void *)r->buffer);
        if (!cooked_open(r)) {
            (void)HttpCancelHttpRequest(r->queue, r->http->RequestId, NULL); /* as above */
            status = ERROR_NOT_ENOUGH_MEMORY;
        }
    }
    if (status == NO_ERROR) {
        r->head_only = r->http->Verb == HttpVerbHEAD;
        enter(r, REQUEST_DELIVERED);
    } else {
        enter(r, REQUEST_FREE);
    }
    if (r->on_received != NULL) {
        r->on_received(r, status);
    }
    return false;
}

ULONG httpreq_receive(struct request *r, HANDLE queue)
{
    enter(r, REQUEST_RECEIVING);
    r->queue = queue;
    r->receive.on_done = received;
    ULONG code = HttpReceiveHttpRequest(
        queue, HTTP_NULL_ID, HTTP_RECEIVE_REQUEST_FLAG_COPY_BODY | HTTP_RECEIVE_REQUEST_FLAG_BORROW,
        (HTTP_REQUEST *)(void *)r->buffer, sizeof r->buffer, NULL, op_begin(&r->receive, queue));
    op_started(&r->receive, code);
    if (code == ERROR_MORE_DATA) {
        code = receive_bigger(r, (size_t)r->receive.loop.overlapped.InternalHigh);
    }
    if (code == ERROR_IO_PENDING) {
        return NO_ERROR;
    }
    if (code != NO_ERROR) {
        enter(r, REQUEST_FREE);
    }
    return code;
}

/* --- life in a state
 * ------------------------------------------------------------------------- */

static bool watched(struct op *op)
{
    struct request *r = LIST_ITEM(op, struct request, watch);
    if (op->status == NO_ERROR && r->task != NULL && r->phase != REQUEST_ENDED) {
        task_cancel(r->task);
    }
    httpreq_settle(r);
    return false;
}

static bool sent(struct op *op)
{
    struct request *r = LIST_ITEM(op, struct request, send);
    httpstream_note_sent(r);
    httpreq_settle(r);
    return false;
}

bool httpreq_open(struct request *r, struct state *S, struct task *task)
{
    uint64_t id = slots_insert(&S->request_ids, r);
    if (id == 0) {
        return false;
    }
    enter(r, REQUEST_LIVE);
    r->id = id;
    r->state = S;
    r->task = task;
    r->pulled = task == NULL;
    r->send.on_done = sent;
    list_push_back(&S->requests, &r->node);
    S->live[LIVE_REQUEST]++;
    return true;
}

struct request *httpreq_find(struct state *S, uint64_t id)
{
    return slots_get(&S->request_ids, id);
}

/* ENDED, and every call has come back: the memory is free again. */
void httpreq_settle(struct request *r)
{
    if (r->phase != REQUEST_ENDED || r->task != NULL || r->send.busy || r->watch.busy ||
        r->read.busy || r->stream_sends != 0) {
        return;
    }
    struct state *S = r->state;
    enter(r, REQUEST_FREE);
    if (S != NULL) {
        list_remove(&r->node);
        S->live[LIVE_REQUEST]--;
    }
    if (r->read_buffer != NULL) {
        body_drop_buffer(r);
    }
    httpreq_release(r);
    if (S != NULL && S->live[LIVE_REQUEST] == 0 && S->hooks != NULL &&
        S->hooks->on_drained != NULL) {
        S->hooks->on_drained(S);
    }
}

void httpreq_forget_task(struct request *r)
{
    assert(r->phase == REQUEST_ENDED && r->task != NULL);
    r->task = NULL;
    httpreq_settle(r);
}

void httpreq_begin_stream(struct request *r)
{
    enter(r, REQUEST_STREAMING);
    r->state->live[LIVE_STREAM]++;
}

void httpreq_end(struct request *r)
{
    if (r->state != NULL) {
        slots_remove(&r->state->request_ids, r->id);
        if (r->phase == REQUEST_STREAMING) {
            r->state->live[LIVE_STREAM]--;
        }
    }
    enter(r, REQUEST_ENDED);
    router_match_release(&r->match);
    op_cancel(&r->watch);
    op_cancel(&r->read);
    httpreq_settle(r);
}

COLD void httpreq_cancel(struct request *r)
{
    if (!r->cancelled) {
        char name[32];
        r->cancelled = true;
        ULONG code = HttpCancelHttpRequest(r->queue, r->http->RequestId, NULL);
        if (r->state != NULL && r->state->hooks != NULL && r->state->hooks->on_trace != NULL) {
            (void)snprintf(name, sizeof name, "request %llx", (unsigned long long)r->id);
            r->state->hooks->on_trace(r->state, "HttpCancelHttpRequest", name, code);
        }
    }
    if (r->phase != REQUEST_ENDED) {
        httpreq_end(r);
    }
}

void httpreq_watch(struct request *r)
{
    if (r->watch.busy || r->phase == REQUEST_ENDED) {
        return;
    }
    r->watch.on_done = watched;
    LPOVERLAPPED overlapped = op_begin(&r->watch, r->queue);
    ULONG code = HttpWaitForDisconnect(r->queue, r->http->ConnectionId, overlapped);
    /* Whatever keeps it from being watched: the next send finds out. */
    (void)op_started(&r->watch, code);
}

/* --- answers without Lua
 * --------------------------------------------------------------------- */

ULONG httpreq_send(struct request *r)
{
    assert(r->phase == REQUEST_LIVE || r->phase == REQUEST_DELIVERED);
    if (r->state != NULL && r->state->dev != NULL) {
        devpage_decorate(r, true);
    }
    bool body = !r->head_only && (r->chunk.DataChunkType != HttpDataChunkFromMemory ||
                                  r->chunk.FromMemory.BufferLength > 0);
    r->response.EntityChunkCount = body ? 1 : 0;
    r->response.pEntityChunks = body ? &r->chunk : NULL;
    ULONG code = HttpSendHttpResponse(r->queue, r->http->RequestId, 0, &r->response, NULL, NULL,
                                      NULL, 0, op_begin(&r->send, r->queue), NULL);
    op_started(&r->send, code);
    if (code != NO_ERROR && code != ERROR_IO_PENDING) {
        httpreq_cancel(r);
    } else {
        httpreq_end(r);
    }
    return code;
}

void httpreq_fill_text(struct request *r, unsigned status, struct slice type, struct slice text)
{
    struct slice reason = answer_reason(status);
    headers_reset(r);
    r->response.StatusCode = (USHORT)status;
    r->response.pReason = reason.p;
    r->response.ReasonLength = (USHORT)reason.len;
    if (text.len > 0) {
        headers_set(r, HttpHeaderContentType, type);
    }
    r->chunk.DataChunkType = HttpDataChunkFromMemory;
    r->chunk.FromMemory.pBuffer = (PVOID)(uintptr_t)text.p;
    r->chunk.FromMemory.BufferLength = (ULONG)text.len;
}

void httpreq_answer_plain(struct request *r, unsigned status, struct slice text)
{
    httpreq_fill_text(r, status, SLICE_LIT("text/plain; charset=utf-8"), text);
    (void)httpreq_send(r); /* a client that has gone needs no answer */
}

void httpreq_prepare_refusal(struct request *r)
{
    r->send.on_done = sent;
}

void httpreq_refuse(struct request *r, unsigned status)
{
    assert(r->phase == REQUEST_DELIVERED);
    httpreq_prepare_refusal(r);
    httpreq_answer_plain(r, status, answer_reason(status));
}

/* --- looking at it
 * --------------------------------------------------------------------------- */

static const struct slice verbs[HttpVerbMaximum] = {
    [HttpVerbOPTIONS] = SLICE_INIT("OPTIONS"),
    [HttpVerbGET] = SLICE_INIT("GET"),
    [HttpVerbHEAD] = SLICE_INIT("HEAD"),
    [HttpVerbPOST] = SLICE_INIT("POST"),
    [HttpVerbPUT] = SLICE_INIT("PUT"),
    [HttpVerbDELETE] = SLICE_INIT("DELETE"),
    [HttpVerbTRACE] = SLICE_INIT("TRACE"),
    [HttpVerbCONNECT] = SLICE_INIT("CONNECT"),
    [HttpVerbTRACK] = SLICE_INIT("TRACK"),
    [HttpVerbMOVE] = SLICE_INIT("MOVE"),
    [HttpVerbCOPY] = SLICE_INIT("COPY"),
    [HttpVerbPROPFIND] = SLICE_INIT("PROPFIND"),
    [HttpVerbPROPPATCH] = SLICE_INIT("PROPPATCH"),
    [HttpVerbMKCOL] = SLICE_INIT("MKCOL"),
    [HttpVerbLOCK] = SLICE_INIT("LOCK"),
    [HttpVerbUNLOCK] = SLICE_INIT("UNLOCK"),
    [HttpVerbSEARCH] = SLICE_INIT("SEARCH"),
};

struct slice httpreq_method(const struct request *r)
{
    const HTTP_REQUEST *http = r->http;
    if (http->Verb == HttpVerbUnknown || (unsigned)http->Verb >= HttpVerbMaximum) {
        return slice_make(http->pUnknownVerb, http->UnknownVerbLength);
    }
    return verbs[http->Verb];
}

struct slice httpreq_path(const struct request *r)
{
    return cooked_path(r);
}

void httpreq_describe(const struct request *r, char *out, size_t out_bytes)
{
    if (r->phase != REQUEST_LIVE && r->phase != REQUEST_STREAMING &&
        r->phase != REQUEST_DELIVERED) {
        (void)snprintf(out, out_bytes, "a request that was answered");
        return;
    }
    struct slice method = httpreq_method(r), path = httpreq_path(r);
    (void)snprintf(out, out_bytes, "%.*s %.*s", (int)method.len, method.p, (int)path.len, path.p);
}
