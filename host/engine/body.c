/* See body.h. */
#include "engine/body.h"

#include <assert.h>
#include <string.h>

#include "engine/call.h"
#include "engine/refuse.h"
#include "engine/urlgroup.h"
#include "protocol/h1write.h"

enum {
    THROUGH_MIN = 4096 /* from this much room on, the socket is read into the caller's memory */
};

/* Takes the next bytes of the body out of the block, at most max. */
static enum body_step next_run(struct request *request, size_t max, struct slice *run)
{
    struct conn *conn = request->conn;
    *run = slice_make(NULL, 0);
    if (request->body_ended) {
        return BODY_AT_END;
    }
    if (request->body == BODY_LENGTH) {
        uint64_t n =
            conn_in_len(conn) < request->body_left ? conn_in_len(conn) : request->body_left;
        n = n < max ? n : max;
        if (n == 0) {
            return BODY_WANTS_MORE;
        }
        *run = slice_make(conn->in + conn->in_start, (size_t)n);
        conn->in_start = (uint16_t)(conn->in_start + n);
        request->body_left -= n;
        request->body_ended = request->body_left == 0;
        return BODY_BYTES;
    }
    if (request->decoded.len == 0) {
        size_t used = 0;
        enum chunked_result result = chunked_decode(&request->chunked, conn->in + conn->in_start,
                                                    conn_in_len(conn), &used, &request->decoded);
        conn->in_start = (uint16_t)(conn->in_start + used);
        if (result == CHUNKED_DONE) {
            request->decoded = slice_make(NULL, 0);
            request->body_ended = true;
            return BODY_AT_END;
        }
        if (result != CHUNKED_DATA) {
            return result == CHUNKED_NEED_MORE ? BODY_WANTS_MORE : BODY_MALFORMED;
        }
    }
    size_t n = request->decoded.len < max ? request->decoded.len : max;
    *run = slice_make(request->decoded.p, n);
    request->decoded.p += n;
    request->decoded.len -= n;
    return BODY_BYTES;
}

bool body_is_at_end(struct request *request)
{
    if (request->body == BODY_CHUNKED && !request->body_ended && request->decoded.len == 0 &&
        conn_in_len(request->conn) > 0) {
        /* The last data and the last chunk often come together: look, without taking data. */
        size_t used = 0;
        struct slice data = {NULL, 0};
        struct conn *conn = request->conn;
        enum chunked_result result = chunked_decode(&request->chunked, conn->in + conn->in_start,
                                                    conn_in_len(conn), &used, &data);
        conn->in_start = (uint16_t)(conn->in_start + used);
        request->body_ended = result == CHUNKED_DONE;
        if (result == CHUNKED_DATA) {
            request->decoded = data;
        }
    }
    return request->body_ended;
}

ULONG body_copy_available(struct request *request, char *out, ULONG cap)
{
    ULONG copied = 0;
    struct slice run;
    while (copied < cap && next_run(request, cap - copied, &run) == BODY_BYTES) {
        memcpy(out + copied, run.p, run.len);
        copied += (ULONG)run.len;
    }
    request->received_bytes += copied;
    return copied;
}

enum body_step body_discard(struct request *request)
{
    struct slice run;
    for (;;) {
        enum body_step step = next_run(request, SHARD_IN_BLOCK, &run);
        if (step != BODY_BYTES) {
            return step;
        }
        request->discarded += run.len;
        if (request->discarded > CONN_DRAIN_BYTES_MAX) {
            return BODY_MALFORMED;
        }
    }
}

/* Reads into the caller's memory past the block. */
static ULONG read_through(struct request *request, struct call_read *read)
{
    size_t room = read->buffer_bytes - read->filled;
    size_t cap = room < request->body_left ? room : (size_t)request->body_left;
    size_t n = 0;
    ULONG status = conn_read_through(request->conn, read->buffer + read->filled, cap, &n);
    read->filled += (ULONG)n;
    request->body_left -= n;
    request->body_ended = request->body_left == 0;
    return status;
}

static ULONG get_more(struct request *request, struct call_read *read)
{
    struct conn *conn = request->conn;
    if (!conn->readable) {
        return ERROR_IO_PENDING;
    }
    if (request->body == BODY_LENGTH && conn_in_len(conn) == 0 &&
        read->buffer_bytes - read->filled >= THROUGH_MIN) {
        return read_through(request, read);
    }
    return conn_fill(conn, request_body_base(request));
}

/* Fills the read as far as it goes. ERROR_IO_PENDING: it has to wait. ERROR_CONNECTION_INVALID: the
 * body is broken or cut; the caller of serve ends the connection. */
static ULONG serve(struct request *request, struct call_read *read)
{
    for (;;) {
        struct slice run;
        if (read->filled == read->buffer_bytes) {
            return NO_ERROR;
        }
        enum body_step step = next_run(request, read->buffer_bytes - read->filled, &run);
        if (step == BODY_BYTES) {
            memcpy(read->buffer + read->filled, run.p, run.len);
            read->filled += (ULONG)run.len;
            continue;
        }
        if (step == BODY_AT_END) {
            return read->filled > 0 ? NO_ERROR : ERROR_HANDLE_EOF;
        }
        if (step == BODY_MALFORMED) {
            return ERROR_CONNECTION_INVALID;
        }
        if (read->filled > 0 && !read->fill) {
            return NO_ERROR;
        }
        ULONG status = get_more(request, read);
        if (status == ERROR_IO_PENDING) {
            return ERROR_IO_PENDING;
        }
        if (status != NO_ERROR) {
            return ERROR_CONNECTION_INVALID;
        }
    }
}

/* A body that cannot be read to its end: refused when nothing was answered yet, else the connection
 * ends. */
static void break_off(struct request *request)
{
    struct conn *conn = request->conn;
    bool malformed = request->body == BODY_CHUNKED && request->chunked.state == CHUNKED_AT_REFUSED;
    if (malformed && request->stage == REQUEST_DELIVERED) {
        struct h1_refusal why = h1_rule_refusal((enum h1_rule)request->chunked.refused);
        refuse_conn(conn, why.status, why.phrase);
    } else {
        conn_close(conn, true);
    }
}

static void send_continue(struct request *request)
{
    request->expect_continue = false;
    if (conn_in_len(request->conn) > 0) {
        return; /* the client did not wait (RFC 9110 section 10.1.1) */
    }
    struct slice line = h1_continue();
    ULONG status = NO_ERROR;
    char *at = output_reserve(request->conn, (uint32_t)line.len, &status);
    if (at != NULL) {
        memcpy(at, line.p, line.len);
        output_commit(request->conn, (uint32_t)line.len);
        (void)output_flush(request->conn); /* a failure shows at the read that follows */
    }
}

static void wait_for_input(struct request *request)
{
    conn_set_deadline(request->conn, CONN_TIMEOUT_S(request->conn, entity_body_s));
}

ULONG body_read(struct shard *shard, struct call *call)
{
    struct request *request = shard_find_request(shard, call->id);
    if (!request_is_held(request)) {
        return ERROR_CONNECTION_INVALID;
    }
    if (request->reader != NULL) {
        return ERROR_BAD_COMMAND;
    }
    if (request->expect_continue && request->stage == REQUEST_DELIVERED) {
        send_continue(request);
    }
    ULONG status = serve(request, &call->as.read);
    if (status == ERROR_IO_PENDING) {
        request->reader = call;
        wait_for_input(request);
    } else if (status == ERROR_CONNECTION_INVALID) {
        break_off(request);
    }
    call->bytes = 0;
    if (status == NO_ERROR) {
        call->bytes = call->as.read.filled;
        request->received_bytes += call->bytes;
    }
    return status;
}

void body_on_input(struct request *request)
{
    struct call *call = request->reader;
    assert(call != NULL);
    ULONG status = serve(request, &call->as.read);
    if (status == ERROR_IO_PENDING) {
        wait_for_input(request); /* each piece starts the clock anew */
        return;
    }
    request->reader = NULL;
    request->conn->deadline_ns = UINT64_MAX;
    struct shard *shard = request->shard;
    ULONG bytes = status == NO_ERROR ? call->as.read.filled : 0;
    if (status == ERROR_CONNECTION_INVALID) {
        break_off(request);
    } else {
        request->received_bytes += bytes;
    }
    call_complete(shard, call, status, bytes);
}
