/* See response.h. */
#include "engine/response.h"

#include <assert.h>

#include "base/path.h"
#include "engine/queue.h"

/* The answer is complete: what the connection does next. */
static void finish(struct request *request)
{
    struct conn *conn = request->conn;
    bool close =
        request->close_after || (request->framing == FRAMING_LENGTH && request->length_left != 0);
    request_set_stage(request, REQUEST_ANSWERED);
    queue_forget(request);
    if (request->reader != NULL) {
        struct call *reader = request->reader;
        request->reader = NULL;
        call_complete(request->shard, reader, ERROR_CONNECTION_INVALID, 0);
    }
    if (close) {
        conn_linger(conn);
        return;
    }
    if (request->body_ended) {
        request_close(request, NO_ERROR);
        conn_set_state(conn, CONN_IDLE);
    } else {
        conn_set_state(conn, CONN_DRAIN);
        conn_set_deadline(conn, CONN_TIMEOUT_S(conn, drain_entity_body_s));
    }
    conn_advance(conn);
}

/* After a send was taken whole. The request may be gone afterwards. */
static void after_send(struct request *request, ULONG flags)
{
    if ((flags & HTTP_SEND_RESPONSE_FLAG_MORE_DATA) == 0) {
        finish(request);
        return;
    }
    if (conn_wants_flush(request->conn)) {
        conn_mark_dirty(request->conn); /* sent with whatever else this turn brings */
    }
}

static ULONG advance(struct request *request, struct call_send *send)
{
    if (!send->started) {
        ULONG status = head_write(request, send);
        if (status != NO_ERROR) {
            return status;
        }
        send->started = true;
        request_set_stage(request, REQUEST_STREAMING);
    }
    return send_pump(request, send);
}

static bool is_callers_fault(ULONG status)
{
    return status == ERROR_INVALID_PARAMETER || status == ERROR_NOT_SUPPORTED;
}

/* A send that failed half way leaves a broken answer behind: the connection ends. One that was
 * refused before the first byte, or found no memory for it, leaves the request answerable. */
static APART ULONG fail(struct request *request, const struct call_send *send, ULONG status)
{
    if (!send->started && (is_callers_fault(status) || status == ERROR_NOT_ENOUGH_MEMORY)) {
        return status;
    }
    conn_close(request->conn, true);
    return is_callers_fault(status) ? status : ERROR_CONNECTION_INVALID;
}

ULONG response_send(struct shard *shard, struct call *call)
{
    struct request *request = shard_find_request(shard, call->id);
    struct call_send *send = &call->as.send;
    enum request_stage wanted = send->response != NULL ? REQUEST_DELIVERED : REQUEST_STREAMING;
    if (request != NULL && request->stage == REQUEST_BOUND) {
        request_set_stage(request, REQUEST_DELIVERED); /* it may be answered without being read */
    }
    if (!request_is_held(request)) {
        return ERROR_CONNECTION_INVALID;
    }
    if (request->sender != NULL) {
        return ERROR_BAD_COMMAND;
    }
    if (request->stage != wanted) {
        return ERROR_INVALID_PARAMETER; /* a second head, or a body before the head */
    }
    send->started = send->response == NULL;
    ULONG status = send_measure(send->chunks, send->chunk_count, &send->body_bytes);
    if (status != NO_ERROR) {
        return status; /* nothing has been sent: the answer can go on without these chunks */
    }
    if (send->started && (send->flags & HTTP_SEND_RESPONSE_FLAG_DISCONNECT) != 0) {
        request->close_after = true;
    }
    status = advance(request, send);
    if (status == ERROR_IO_PENDING) {
        request->sender = call;
        return status;
    }
    if (status != NO_ERROR) {
        return fail(request, send, status);
    }
    call->bytes = send->wire_bytes > UINT32_MAX ? UINT32_MAX : (ULONG)send->wire_bytes;
    after_send(request, send->flags);
    return NO_ERROR;
}

void response_on_writable(struct request *request)
{
    struct call *call = request->sender;
    struct call_send *send = &call->as.send;
    struct shard *shard = request->shard;
    ULONG status = advance(request, send);
    if (status == ERROR_IO_PENDING) {
        return;
    }
    request->sender = NULL;
    ULONG bytes = 0;
    if (status != NO_ERROR) {
        status = fail(request, send, status);
    } else {
        bytes = send->wire_bytes > UINT32_MAX ? UINT32_MAX : (ULONG)send->wire_bytes;
        after_send(request, send->flags);
    }
    call_complete(shard, call, status, bytes);
}
