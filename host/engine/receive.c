/* See receive.h.
 *
 * The buffer:  HTTP_REQUEST | unknown headers | cooked URL | [verb, raw URL, header values] |
 * addresses | chunk | body With BORROW the part in brackets stays in the connection's input block,
 * but for values that had to be joined. */
#include "engine/receive.h"

#include <assert.h>
#include <string.h>

#include "base/path.h"
#include "engine/body.h"
#include "engine/h1.h"
#include "engine/queue.h"
#include "protocol/header.h"
#include "protocol/verb.h"

/* Writes behind one another into the caller's buffer; past its end it only counts. */
struct writer {
    char *p;
    size_t at, cap;
};

static void *place(struct writer *w, size_t bytes, size_t align)
{
    size_t at = (w->at + align - 1) & ~(align - 1);
    w->at = at + bytes;
    return w->at <= w->cap ? w->p + at : NULL;
}

/* A copy with a NUL behind it, which programs that ignore the length rely on. */
static const char *place_text(struct writer *w, struct slice text)
{
    char *copy = place(w, text.len + 1, 1);
    if (copy != NULL) {
        if (text.len > 0) {
            memcpy(copy, text.p, text.len);
        }
        copy[text.len] = 0;
    }
    return copy;
}

static const char *lend_text(struct writer *w, struct slice text, bool borrow)
{
    return borrow ? text.p : place_text(w, text);
}

/* A repeated field becomes one value (RFC 9110 section 5.2; cookies RFC 6265 section 5.4). */
static const char *join(struct writer *w, const HTTP_KNOWN_HEADER *first, struct slice second,
                        int id, size_t *len)
{
    const char *separator = id == H_COOKIE ? "; " : ", ";
    *len = first->RawValueLength + 2 + second.len;
    char *copy = place(w, *len + 1, 1);
    if (copy != NULL) {
        memcpy(copy, first->pRawValue, first->RawValueLength);
        memcpy(copy + first->RawValueLength, separator, 2);
        memcpy(copy + first->RawValueLength + 2, second.p, second.len);
        copy[*len] = 0;
    }
    return copy;
}

static void write_known(struct writer *w, HTTP_REQUEST *out, const struct h1_header *header,
                        bool borrow)
{
    HTTP_KNOWN_HEADER *known = &out->Headers.KnownHeaders[header->id];
    size_t len = header->value.len;
    const char *value = NULL;
    if (known->pRawValue == NULL) {
        value = lend_text(w, header->value, borrow);
    } else {
        value = join(w, known, header->value, header->id, &len);
    }
    if (value != NULL) {
        known->pRawValue = value;
        known->RawValueLength = (USHORT)len;
    }
}

static void write_headers(struct writer *w, HTTP_REQUEST *out, const struct h1_head *head,
                          bool borrow)
{
    unsigned unknown = 0;
    for (unsigned i = 0; i < head->header_count; i++) {
        unknown += head->headers[i].id < 0;
    }
    HTTP_UNKNOWN_HEADER *list = NULL;
    if (unknown > 0) {
        list = place(w, unknown * sizeof *list, _Alignof(HTTP_UNKNOWN_HEADER));
    }
    out->Headers.UnknownHeaderCount = (USHORT)unknown;
    out->Headers.pUnknownHeaders = list;
    unsigned k = 0;
    for (unsigned i = 0; i < head->header_count; i++) {
        const struct h1_header *header = &head->headers[i];
        if (header->id >= 0) {
            write_known(w, out, header, borrow);
            continue;
        }
        const char *name = lend_text(w, header->name, borrow);
        const char *value = lend_text(w, header->value, borrow);
        if (list != NULL) {
            list[k++] = (HTTP_UNKNOWN_HEADER){(USHORT)header->name.len, (USHORT)header->value.len,
                                              name, value};
        }
    }
}

static void write_url(struct writer *w, HTTP_REQUEST *out, const struct shard *shard)
{
    const struct url_cooked *at = &shard->cooked_at;
    const char *full = place_text(w, slice_make(shard->cooked, at->full_bytes));
    if (full == NULL) {
        return;
    }
    HTTP_COOKED_URL *url = &out->CookedUrl;
    url->pFullUrl = full;
    url->FullUrlLength = (USHORT)at->full_bytes;
    url->pHost = full + at->host_at;
    url->HostLength = (USHORT)at->host_bytes;
    url->pAbsPath = full + at->path_at;
    url->AbsPathLength = (USHORT)at->path_bytes;
    if (at->query_bytes > 0) {
        url->pQueryString = full + at->query_at;
        url->QueryStringLength = (USHORT)at->query_bytes;
    }
}

static void write_addresses(struct writer *w, HTTP_REQUEST *out, struct conn *conn)
{
    struct sock_addr *both = place(w, 2 * sizeof *both, _Alignof(struct sock_addr));
    if (both == NULL) {
        return;
    }
    const struct sockaddr *local = conn_local(conn);
    both[0] = conn->peer;
    memset(&both[1], 0, sizeof both[1]);
    memcpy(&both[1], local, local->sa_family == AF_INET ? sizeof both[1].v4 : sizeof both[1].v6);
    out->Address.pRemoteAddress = &both[0].sa;
    out->Address.pLocalAddress = &both[1].sa;
}

static void write_line(struct writer *w, HTTP_REQUEST *out, const struct request *request,
                       const struct h1_head *head, bool borrow)
{
    out->ConnectionId = out->RawConnectionId = request->conn->id;
    out->RequestId = request->id;
    out->UrlContext = request->url_context;
    out->Version = (HTTP_VERSION){1, head->minor};
    out->Verb = (HTTP_VERB)head->verb;
    if (head->verb == VERB_UNKNOWN) {
        out->UnknownVerbLength = (USHORT)head->method.len;
        out->pUnknownVerb = lend_text(w, head->method, borrow);
    }
    out->RawUrlLength = (USHORT)head->target.len;
    out->pRawUrl = lend_text(w, head->target, borrow);
    out->BytesReceived = request->received_bytes;
    out->Flags = request->by_address ? HTTP_REQUEST_FLAG_IP_ROUTED : 0;
}

/* COPY_BODY: what is here of the body goes behind the rest, down to the buffer's last byte. */
static void write_body(struct writer *w, HTTP_REQUEST *out, struct request *request)
{
    HTTP_DATA_CHUNK *chunk = place(w, sizeof *chunk, _Alignof(HTTP_DATA_CHUNK));
    if (chunk == NULL || w->at == w->cap) {
        w->at =
            chunk == NULL ? w->cap : w->at; /* no room for body is no reason to refuse the head */
        return;
    }
    char *data = w->p + w->at;
    ULONG n = body_copy_available(request, data, (ULONG)(w->cap - w->at));
    if (n == 0) {
        return;
    }
    w->at += n;
    *chunk = (HTTP_DATA_CHUNK){.DataChunkType = HttpDataChunkFromMemory};
    chunk->FromMemory.pBuffer = data;
    chunk->FromMemory.BufferLength = n;
    out->EntityChunkCount = 1;
    out->pEntityChunks = chunk;
    out->BytesReceived = request->received_bytes;
}

static COLD ULONG refuse_size(struct request *request, const struct call_receive *receive,
                              size_t needed, ULONG *bytes)
{
    HTTP_REQUEST_V1 *out = (void *)receive->buffer;
    memset(out, 0, sizeof *out);
    out->ConnectionId = request->conn->id;
    out->RequestId = request->id;
    if (request->stage == REQUEST_QUEUED) {
        request_set_stage(request, REQUEST_BOUND);
    }
    *bytes = (ULONG)needed;
    return ERROR_MORE_DATA;
}

ULONG receive_write(struct request *request, struct call *call, ULONG *bytes)
{
    const struct call_receive *receive = &call->as.receive;
    struct shard *shard = request->shard;
    bool borrow = (receive->flags & HTTP_RECEIVE_REQUEST_FLAG_BORROW) != 0;
    assert(receive->buffer_bytes >= sizeof(HTTP_REQUEST_V1));
    h1_refresh_scratch(request);
    /* Written into a local first when the caller's buffer cannot hold even the struct. */
    HTTP_REQUEST small;
    bool fits = receive->buffer_bytes >= sizeof(HTTP_REQUEST);
    /* cppcheck-suppress uninitvar ; its address alone is taken */
    HTTP_REQUEST *out = fits ? receive->buffer : &small;
    memset(out, 0, sizeof *out);
    struct writer w = {(char *)receive->buffer, sizeof *out, receive->buffer_bytes};
    write_line(&w, out, request, &shard->head, borrow);
    write_headers(&w, out, &shard->head, borrow);
    write_url(&w, out, shard);
    write_addresses(&w, out, request->conn);
    if (!fits || w.at > w.cap) {
        return refuse_size(request, receive, w.at, bytes);
    }
    if ((receive->flags & HTTP_RECEIVE_REQUEST_FLAG_COPY_BODY) != 0 && !request->body_ended) {
        write_body(&w, out, request);
    }
    if (!body_is_at_end(request)) {
        out->Flags |= HTTP_REQUEST_FLAG_MORE_ENTITY_BODY_EXISTS;
    }
    request->borrowed = borrow;
    request->conn->deadline_ns = UINT64_MAX; /* the application's time is not limited */
    request_set_stage(request, REQUEST_DELIVERED);
    *bytes = (ULONG)w.at;
    return NO_ERROR;
}

ULONG receive_by_id(struct shard *shard, struct call *call)
{
    struct request *request = shard_find_request(shard, call->as.receive.id);
    if (request == NULL || request->stage != REQUEST_BOUND) {
        return ERROR_CONNECTION_INVALID;
    }
    return receive_write(request, call, &call->bytes);
}
