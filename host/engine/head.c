/* The head of an answer. See response.h. */
#include <assert.h>
#include <string.h>

#include "engine/response.h"
#include "protocol/h1write.h"
#include "protocol/header.h"
#include "protocol/verb.h"

/* What is added beside the caller's headers: Date, Server, Content-Length or Transfer-Encoding,
 * Connection, the empty line. */
enum { AUTOMATIC_BOUND = 256 };

static struct slice known_value(const HTTP_RESPONSE *response, int id)
{
    const HTTP_KNOWN_HEADER *header = &response->Headers.KnownHeaders[id];
    return slice_make(header->pRawValue, header->RawValueLength);
}

static bool is_given(const HTTP_RESPONSE *response, int id)
{
    return response->Headers.KnownHeaders[id].RawValueLength > 0;
}

/* The ids of the known headers that are there: the array is looked through once. */
struct given {
    unsigned count;
    uint8_t ids[H_RESPONSE_COUNT];
};

static void list_given(const HTTP_RESPONSE *response, struct given *given)
{
    const HTTP_KNOWN_HEADER *known = response->Headers.KnownHeaders;
    unsigned count = 0;
    static_assert(H_RESPONSE_COUNT % 5 == 0, "looked at by fives: most of them are not there");
    for (unsigned first = 0; first < H_RESPONSE_COUNT; first += 5) {
        const HTTP_KNOWN_HEADER *five = known + first;
        if ((five[0].RawValueLength | five[1].RawValueLength | five[2].RawValueLength |
             five[3].RawValueLength | five[4].RawValueLength) == 0) {
            continue;
        }
        for (unsigned id = first; id < first + 5; id++) {
            given->ids[count] = (uint8_t)id;
            count += known[id].RawValueLength > 0;
        }
    }
    given->count = count;
}

static const HTTP_MULTIPLE_KNOWN_HEADERS *multiple_of(const HTTP_RESPONSE_INFO *info)
{
    return info->Type == HttpResponseInfoTypeMultipleKnownHeaders ? info->pInfo : NULL;
}

/* Adds the bytes of the caller's headers to *bound; false: one of them must not be sent. */
static bool check_known(const HTTP_RESPONSE *response, const struct given *given, size_t *bound)
{
    for (unsigned i = 0; i < given->count; i++) {
        struct slice value = known_value(response, given->ids[i]);
        if (value.p == NULL || !header_is_field_value(value)) {
            return false;
        }
        *bound += H1_HEADER_BOUND(header_response_name(given->ids[i]).len, value.len);
    }
    return true;
}

/* Framing and connection are this side's business: as unknown headers they would slip past it. */
static bool is_reserved(int id)
{
    return id == H_CONTENT_LENGTH || id == H_TRANSFER_ENCODING || id == H_CONNECTION ||
           id == H_DATE;
}

static bool check_unknown(const HTTP_RESPONSE *response, size_t *bound)
{
    for (USHORT i = 0; i < response->Headers.UnknownHeaderCount; i++) {
        const HTTP_UNKNOWN_HEADER *header = &response->Headers.pUnknownHeaders[i];
        struct slice name = slice_make(header->pName, header->NameLength);
        struct slice value = slice_make(header->pRawValue, header->RawValueLength);
        if (!header_is_token(name) || !header_is_field_value(value) ||
            is_reserved(header_response_id(name))) {
            return false;
        }
        *bound += H1_HEADER_BOUND(name.len, value.len);
    }
    return true;
}

static bool check_multiple(const HTTP_RESPONSE *response, size_t *bound)
{
    for (USHORT i = 0; i < response->ResponseInfoCount; i++) {
        const HTTP_MULTIPLE_KNOWN_HEADERS *multiple = multiple_of(&response->pResponseInfo[i]);
        if (multiple == NULL) {
            continue; /* authentication, QoS and channel binding say nothing here */
        }
        if ((unsigned)multiple->HeaderId >= H_RESPONSE_COUNT ||
            is_reserved((int)multiple->HeaderId)) {
            return false;
        }
        size_t name_len = header_response_name((int)multiple->HeaderId).len;
        for (USHORT k = 0; k < multiple->KnownHeaderCount; k++) {
            const HTTP_KNOWN_HEADER *header = &multiple->KnownHeaders[k];
            if (!header_is_field_value(slice_make(header->pRawValue, header->RawValueLength))) {
                return false;
            }
            *bound += H1_HEADER_BOUND(name_len, header->RawValueLength);
        }
    }
    return true;
}

/* What is known about the body before a byte is written. */
struct plan {
    enum response_framing framing;
    uint64_t body_bytes; /* of this call's chunks */
    uint64_t length;     /* what Content-Length says */
    bool write_length;   /* we write Content-Length */
    bool close;
};

static bool has_no_body(const struct request *request, USHORT status)
{
    return request->verb == VERB_HEAD || status == 204 || status == 304 || status < 200;
}

/* Whether the connection cannot be kept after this answer. */
static bool must_close(const struct request *request, const HTTP_RESPONSE *response, ULONG flags)
{
    struct slice connection = known_value(response, H_CONNECTION);
    return !request->keep_alive || (flags & HTTP_SEND_RESPONSE_FLAG_DISCONNECT) != 0 ||
           request->shard->draining ||
           (connection.len > 0 && h1_list_has(connection, SLICE_LIT("close"))) ||
           request->conn->eof || (request->expect_continue && conn_in_len(request->conn) == 0) ||
           (request->body == BODY_LENGTH &&
            request->body_left > conn_in_len(request->conn) + (uint64_t)CONN_DRAIN_BYTES_MAX);
}

static ULONG make_plan(struct request *request, const struct call_send *send, struct plan *plan)
{
    const HTTP_RESPONSE *response = send->response;
    bool more = (send->flags & HTTP_SEND_RESPONSE_FLAG_MORE_DATA) != 0;
    bool no_body = has_no_body(request, response->StatusCode);
    struct slice length = known_value(response, H_CONTENT_LENGTH);
    plan->body_bytes = send->body_bytes;
    plan->close = must_close(request, response, send->flags);
    plan->write_length = false;
    if (length.len > 0 && !slice_to_u64(length, &plan->length)) {
        return ERROR_INVALID_PARAMETER;
    }
    if (no_body) {
        plan->framing = FRAMING_NO_BODY;
        plan->write_length = length.len == 0 && !more && request->verb == VERB_HEAD &&
                             response->StatusCode >= 200 && response->StatusCode != 204 &&
                             response->StatusCode != 304;
        plan->length = plan->write_length ? plan->body_bytes : plan->length;
    } else if (is_given(response, H_TRANSFER_ENCODING)) {
        plan->framing = FRAMING_CALLER;
    } else if (length.len > 0) {
        plan->framing = FRAMING_LENGTH;
    } else if (!more) {
        plan->framing = FRAMING_LENGTH;
        plan->write_length = true;
        plan->length = plan->body_bytes;
    } else if (request->http10) {
        plan->framing = FRAMING_CLOSE;
        plan->close = true;
    } else {
        plan->framing = FRAMING_CHUNKED;
    }
    return NO_ERROR;
}

static char *write_status(char *at, const HTTP_RESPONSE *response)
{
    struct slice reason = slice_make(response->pReason, response->ReasonLength);
    return reason.len > 0 ? h1_write_status(at, response->StatusCode, reason)
                          : h1_write_status_known(at, response->StatusCode);
}

static char *write_callers(char *at, const HTTP_RESPONSE *response, const struct given *given)
{
    for (unsigned i = 0; i < given->count; i++) {
        int id = given->ids[i];
        if (id != H_DATE && id != H_CONNECTION) {
            at = h1_write_header(at, header_response_name(id), known_value(response, id));
        }
    }
    for (USHORT i = 0; i < response->ResponseInfoCount; i++) {
        const HTTP_MULTIPLE_KNOWN_HEADERS *multiple = multiple_of(&response->pResponseInfo[i]);
        for (USHORT k = 0; multiple != NULL && k < multiple->KnownHeaderCount; k++) {
            const HTTP_KNOWN_HEADER *header = &multiple->KnownHeaders[k];
            at = h1_write_header(at, header_response_name((int)multiple->HeaderId),
                                 slice_make(header->pRawValue, header->RawValueLength));
        }
    }
    for (USHORT i = 0; i < response->Headers.UnknownHeaderCount; i++) {
        const HTTP_UNKNOWN_HEADER *header = &response->Headers.pUnknownHeaders[i];
        at = h1_write_header(at, slice_make(header->pName, header->NameLength),
                             slice_make(header->pRawValue, header->RawValueLength));
    }
    return at;
}

static char *write_automatic(char *at, struct request *request, const HTTP_RESPONSE *response,
                             const struct plan *plan)
{
    if (plan->write_length) {
        at = h1_write_length(at, plan->length);
    } else if (plan->framing == FRAMING_CHUNKED) {
        at = h1_write_chunked(at);
    }
    struct slice automatic = shard_server_and_date(request->shard, !is_given(response, H_SERVER));
    memcpy(at, automatic.p, automatic.len);
    at += automatic.len;
    struct slice connection = known_value(response, H_CONNECTION);
    if (plan->close) {
        at = h1_write_close(at);
    } else if (connection.len > 0) {
        at = h1_write_header(at, SLICE_LIT("Connection"), connection);
    } else if (request->http10) {
        at = h1_write_keep_alive(at);
    }
    return h1_write_end(at);
}

/* -------- the same beginning again -------- */

enum {
    MEMO_REASON_AT = sizeof "HTTP/1.1 200 " - 1,
    MEMO_TYPE_NAME_BYTES = sizeof "\r\nContent-Type: " - 1
};

static bool is_plain(const HTTP_RESPONSE *response, const struct given *given)
{
    return given->count == 1 && given->ids[0] == H_CONTENT_TYPE &&
           response->Headers.UnknownHeaderCount == 0 && response->ResponseInfoCount == 0;
}

/* Whether the memo is how this plain answer begins. It holds nothing that was not checked. */
static bool is_remembered(const struct head_memo *memo, const HTTP_RESPONSE *response)
{
    struct slice type = known_value(response, H_CONTENT_TYPE);
    const char *reason_at = memo->text + MEMO_REASON_AT;
    const char *type_at = reason_at + memo->reason_bytes + MEMO_TYPE_NAME_BYTES;
    return memo->bytes > 0 && memo->status == response->StatusCode &&
           memo->reason_bytes == response->ReasonLength && memo->type_bytes == type.len &&
           type.p != NULL && slice_same_bytes(type_at, type.p, type.len) &&
           slice_same_bytes(reason_at, response->pReason, memo->reason_bytes);
}

/* start: where this plain answer begins, bytes: to the end of its Content-Type line. */
static void remember(struct head_memo *memo, const HTTP_RESPONSE *response, const char *start,
                     size_t bytes)
{
    if (bytes <= sizeof memo->text && response->ReasonLength > 0) {
        memo->status = response->StatusCode;
        memo->reason_bytes = response->ReasonLength;
        memo->type_bytes = (uint16_t)known_value(response, H_CONTENT_TYPE).len;
        memo->bytes = (uint16_t)bytes;
        memcpy(memo->text, start, bytes);
    }
}

static ULONG check_flags(const HTTP_RESPONSE *response, ULONG flags)
{
    if ((flags & HTTP_SEND_RESPONSE_FLAG_OPAQUE) != 0) {
        return response->StatusCode == 101 ? ERROR_NOT_SUPPORTED : ERROR_INVALID_PARAMETER;
    }
    if ((flags & HTTP_SEND_RESPONSE_FLAG_PROCESS_RANGES) != 0) {
        return ERROR_NOT_SUPPORTED;
    }
    if (response->StatusCode < 200 || response->StatusCode > 999) {
        return response->StatusCode >= 100 && response->StatusCode < 200 ? ERROR_NOT_SUPPORTED
                                                                         : ERROR_INVALID_PARAMETER;
    }
    return NO_ERROR;
}

static ULONG check_head(const HTTP_RESPONSE *response, const struct given *given, size_t *bound)
{
    struct slice reason = slice_make(response->pReason, response->ReasonLength);
    *bound = H1_STATUS_KNOWN_BOUND + H1_STATUS_BOUND(reason.len) + AUTOMATIC_BOUND;
    if (!header_is_field_value(reason) || !check_known(response, given, bound) ||
        !check_unknown(response, bound) || !check_multiple(response, bound) ||
        *bound > SHARD_OUT_BLOCK) {
        return ERROR_INVALID_PARAMETER;
    }
    return NO_ERROR;
}

ULONG head_write(struct request *request, struct call_send *send)
{
    const HTTP_RESPONSE *response = send->response;
    size_t bound = 0;
    struct plan plan = {0};
    struct given given;
    struct head_memo *memo = &request->shard->memo;
    list_given(response, &given);
    bool plain = is_plain(response, &given);
    bool remembered = plain && is_remembered(memo, response);
    ULONG status = check_flags(response, send->flags);
    if (remembered) {
        bound = memo->bytes + (size_t)AUTOMATIC_BOUND;
    } else if (status == NO_ERROR) {
        status = check_head(response, &given, &bound);
    }
    if (status == NO_ERROR) {
        status = make_plan(request, send, &plan);
    }
    if (status != NO_ERROR) {
        return status;
    }
    char *start = output_reserve(request->conn, (uint32_t)bound, &status);
    if (start == NULL) {
        return status;
    }
    char *at = start;
    if (remembered) {
        memcpy(at, memo->text, memo->bytes);
        at += memo->bytes;
    } else {
        at = write_status(at, response);
        at = write_callers(at, response, &given);
        if (plain) {
            remember(memo, response, start, (size_t)(at - start));
        }
    }
    at = write_automatic(at, request, response, &plan);
    assert((size_t)(at - start) <= bound);
    output_commit(request->conn, (uint32_t)(at - start));
    send->wire_bytes += (uint64_t)(at - start);
    request->framing = (uint8_t)plan.framing;
    request->close_after = plan.close;
    request->length_left = plan.framing == FRAMING_LENGTH ? plan.length : 0;
    return NO_ERROR;
}
