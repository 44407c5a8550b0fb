/* See request.h. */
#include "engine/request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/body.h"
#include "engine/call.h"
#include "engine/queue.h"
#include "engine/refuse.h"

void request_set_stage(struct request *request, enum request_stage stage)
{
    static const uint8_t allowed[] = {
        [REQUEST_QUEUED] = 1 << REQUEST_BOUND | 1 << REQUEST_DELIVERED,
        [REQUEST_BOUND] = 1 << REQUEST_DELIVERED,
        [REQUEST_DELIVERED] = 1 << REQUEST_STREAMING | 1 << REQUEST_ANSWERED | 1 << REQUEST_LOST,
        [REQUEST_STREAMING] = 1 << REQUEST_ANSWERED | 1 << REQUEST_LOST,
        [REQUEST_ANSWERED] = 0,
        [REQUEST_LOST] = 0,
    };
    assert((allowed[request->stage] & 1 << stage) != 0);
    (void)allowed; /* only asserted */
    request->stage = (uint8_t)stage;
}

struct request *request_open(struct conn *conn)
{
    struct shard *shard = conn->shard;
    struct request *request = shard_take_request(shard);
    if (request == NULL) {
        return NULL;
    }
    memset(request, 0, sizeof *request);
    request->id = shard_add_request(shard, request);
    if (request->id == 0) {
        shard_give_request(shard, request);
        return NULL;
    }
    const struct h1_head *head = &shard->head;
    request->conn = conn;
    request->shard = shard;
    request->verb = head->verb;
    request->http10 = head->minor == 0;
    request->keep_alive = head->keep_alive;
    request->expect_continue = head->expect_continue;
    request->head_bytes = (uint16_t)head->head_bytes;
    request->received_bytes = head->head_bytes;
    if (head->chunked) {
        request->body = BODY_CHUNKED;
        chunked_init(&request->chunked, NULL);
    } else if (head->content_length > 0) {
        request->body = BODY_LENGTH;
        request->body_left = head->content_length;
    } else {
        request->body_ended = true;
    }
    conn->request = request;
    shard->scratch_of = request;
    return request;
}

static void complete_waiting(struct request *request, ULONG status)
{
    struct call *reader = request->reader;
    struct call *sender = request->sender;
    request->reader = request->sender = NULL;
    if (reader != NULL) {
        call_complete(request->shard, reader, status, 0);
    }
    if (sender != NULL) {
        call_complete(request->shard, sender, status, 0);
    }
}

void request_close(struct request *request, ULONG status)
{
    struct shard *shard = request->shard;
    complete_waiting(request, status);
    queue_forget(request);
    if (request->conn != NULL) {
        request->conn->request = NULL;
    }
    if (request->lent_block != NULL) {
        shard_give_in_block(shard, request->lent_block);
    }
    if (shard->scratch_of == request) {
        shard->scratch_of = NULL;
    }
    shard_remove_request(shard, request->id);
    request->id = 0;
    shard_give_request(shard, request);
}

void request_on_conn_lost(struct request *request)
{
    struct conn *conn = request->conn;
    bool held = request->stage == REQUEST_DELIVERED || request->stage == REQUEST_STREAMING;
    if (!held || !request->borrowed) {
        request_close(request, ERROR_CONNECTION_INVALID);
        return;
    }
    request->lent_block = conn->in;
    conn->in = NULL;
    conn->request = NULL;
    request->conn = NULL;
    request_set_stage(request, REQUEST_LOST);
    complete_waiting(request, ERROR_CONNECTION_INVALID);
}

void request_on_deadline(struct request *request)
{
    struct conn *conn = request->conn;
    if (request->stage == REQUEST_QUEUED || request->stage == REQUEST_BOUND) {
        conn_close(conn, false); /* Timer_AppPool: nobody came for it */
    } else if (request->reader != NULL) {
        if (request->stage == REQUEST_DELIVERED) {
            refuse_conn(conn, 408, "Timer_EntityBody");
        } else {
            conn_close(conn, true);
        }
    }
}

void request_free_all(struct shard *shard)
{
    for (uint32_t i = 0; i < shard->request_places.used; i++) {
        struct request *request = shard->request_places.items[i];
        if (request != NULL) {
            request_close(request, ERROR_OPERATION_ABORTED); /* LOST ones */
        }
    }
}

ULONG request_cancel(struct shard *shard, struct call *call)
{
    struct request *request = shard_find_request(shard, call->id);
    if (request == NULL || request->stage == REQUEST_ANSWERED) {
        return ERROR_CONNECTION_INVALID;
    }
    if (request->stage == REQUEST_LOST) {
        request_close(request, ERROR_OPERATION_ABORTED);
        return NO_ERROR;
    }
    request->borrowed = false; /* the application lets go of it here */
    complete_waiting(request, ERROR_OPERATION_ABORTED);
    conn_close(request->conn, true);
    return NO_ERROR;
}
