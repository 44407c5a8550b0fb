/* The recording fake: the two send calls, and what is kept of an answer for fake_response_of. */
#include "fake_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const response_header[10] = {
    "Accept-Ranges", "Age",    "ETag",       "Location", "Proxy-Authenticate",
    "Retry-After",   "Server", "Set-Cookie", "Vary",     "WWW-Authenticate"};
void fake_append(char **text, size_t *len, const void *more, size_t more_len)
{
    char *bigger = realloc(*text, *len + more_len + 1);
    if (bigger == NULL) {
        abort();
    }
    if (more_len > 0) {
        memcpy(bigger + *len, more, more_len);
    }
    *len += more_len;
    bigger[*len] = 0;
    *text = bigger;
}

static void append_header(struct fake_response *response, const char *name, size_t name_len,
                          const char *value, size_t value_len)
{
    size_t len = strlen(response->headers);
    fake_append(&response->headers, &len, name, name_len);
    fake_append(&response->headers, &len, ": ", 2);
    fake_append(&response->headers, &len, value, value_len);
    fake_append(&response->headers, &len, "\r\n", 2);
}

static void keep_headers(struct fake_response *response, const HTTP_RESPONSE *from)
{
    for (int i = 0; i < 30; i++) {
        const HTTP_KNOWN_HEADER *known = &from->Headers.KnownHeaders[i];
        if (known->RawValueLength > 0) {
            const char *name = i < 20 ? fake_common_header[i] : response_header[i - 20];
            append_header(response, name, strlen(name), known->pRawValue, known->RawValueLength);
        }
    }
    for (USHORT i = 0; i < from->Headers.UnknownHeaderCount; i++) {
        const HTTP_UNKNOWN_HEADER *unknown = &from->Headers.pUnknownHeaders[i];
        append_header(response, unknown->pName, unknown->NameLength, unknown->pRawValue,
                      unknown->RawValueLength);
    }
    for (USHORT i = 0; i < from->ResponseInfoCount; i++) {
        const HTTP_MULTIPLE_KNOWN_HEADERS *many = from->pResponseInfo[i].pInfo;
        bool headers = from->pResponseInfo[i].Type == HttpResponseInfoTypeMultipleKnownHeaders;
        for (USHORT j = 0; headers && j < many->KnownHeaderCount; j++) {
            int id = (int)many->HeaderId;
            const char *name = id < 20 ? fake_common_header[id] : response_header[id - 20];
            append_header(response, name, strlen(name), many->KnownHeaders[j].pRawValue,
                          many->KnownHeaders[j].RawValueLength);
        }
    }
}

static size_t keep_file(struct fake_response *response, const HTTP_DATA_CHUNK *chunk)
{
    int fd = http_fd_from_handle(chunk->FromFileHandle.FileHandle);
    off_t at = (off_t)chunk->FromFileHandle.ByteRange.StartingOffset.QuadPart;
    uint64_t left = chunk->FromFileHandle.ByteRange.Length.QuadPart;
    size_t total = 0;
    while (left > 0) {
        char piece[4096];
        ssize_t got = pread(fd, piece, left < sizeof piece ? (size_t)left : sizeof piece, at);
        if (got <= 0) {
            break;
        }
        fake_append(&response->body, &response->body_len, piece, (size_t)got);
        at += got;
        total += (size_t)got;
        left -= left == UINT64_MAX ? 0 : (uint64_t)got;
    }
    return total;
}

static size_t keep_body(struct fake_response *response, const HTTP_DATA_CHUNK *chunks, USHORT count)
{
    size_t total = 0;
    for (USHORT i = 0; i < count; i++) {
        if (chunks[i].DataChunkType == HttpDataChunkFromMemory) {
            fake_append(&response->body, &response->body_len, chunks[i].FromMemory.pBuffer,
                        chunks[i].FromMemory.BufferLength);
            total += chunks[i].FromMemory.BufferLength;
        } else if (chunks[i].DataChunkType == HttpDataChunkFromFileHandle) {
            total += keep_file(response, &chunks[i]);
        }
    }
    return total;
}

/* What both send calls end with: pending or done. */
static ULONG end_send_locked(struct fake_object *queue, struct fake_request *request, ULONG flags,
                             size_t total, ULONG *sent, LPOVERLAPPED overlapped)
{
    request->response.sends++;
    request->response.flags = flags;
    request->response.complete = (flags & HTTP_SEND_RESPONSE_FLAG_MORE_DATA) == 0;
    if (request->response.complete) {
        fake_take_back(request);
    }
    if (total > fake.hold_sends_over && overlapped != NULL && loop_current() != NULL) {
        request->sends_pending++;
        fake_add_wait_locked(&(struct fake_wait){.loop = loop_current(),
                                                 .op = (struct loop_op *)(void *)overlapped,
                                                 .queue = queue,
                                                 .id = request->id,
                                                 .what = FAKE_WAIT_SEND,
                                                 .bytes = (ULONG)total});
        return ERROR_IO_PENDING;
    }
    return fake_finish_now_locked(overlapped, sent, (ULONG)total);
}

/* The request a send is for; NULL with *code when it cannot be answered. */
static struct fake_request *answerable_locked(struct fake_object *queue, HTTP_REQUEST_ID id,
                                              bool body, ULONG *code)
{
    struct fake_request *request = fake_find_request_locked(id);
    bool known =
        request != NULL && request->queue == queue && request->delivered && !fake_is_over(request);
    bool started = known && request->response.status >= 200;
    *code = NO_ERROR;
    if (!known || request->hung_up || started != body) {
        *code = ERROR_CONNECTION_INVALID;
    } else if (request->sends_pending > 0) {
        *code = ERROR_BAD_COMMAND;
    }
    return *code == NO_ERROR ? request : NULL;
}

ULONG WINAPI HttpSendHttpResponse(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId, ULONG Flags,
                                  PHTTP_RESPONSE HttpResponse, PHTTP_CACHE_POLICY CachePolicy,
                                  PULONG BytesSent, PVOID Reserved1, ULONG Reserved2,
                                  LPOVERLAPPED Overlapped, PHTTP_LOG_DATA LogData)
{
    (void)CachePolicy, (void)LogData; /* nothing is cached or logged here */
    fake_lock();
    struct fake_record *record = fake_begin_locked("HttpSendHttpResponse", "queue ?");
    if (record->injected) {
        return fake_end(record, record->result);
    }
    ULONG code = NO_ERROR;
    struct fake_object *queue = fake_queue_of(record, RequestQueueHandle, &code);
    if (queue == NULL) {
        return fake_end(record, code);
    }
    const ULONG both = HTTP_SEND_RESPONSE_FLAG_DISCONNECT | HTTP_SEND_RESPONSE_FLAG_MORE_DATA;
    if (HttpResponse == NULL || Reserved1 != NULL || Reserved2 != 0 || (Flags & both) == both) {
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    struct fake_request *request = answerable_locked(queue, RequestId, false, &code);
    if (request == NULL) {
        return fake_end(record, code);
    }
    request->response.status = HttpResponse->StatusCode;
    fake_detail_locked(record, "status %u", (unsigned)HttpResponse->StatusCode);
    keep_headers(&request->response, HttpResponse);
    size_t total =
        keep_body(&request->response, HttpResponse->pEntityChunks, HttpResponse->EntityChunkCount);
    return fake_end(record, end_send_locked(queue, request, Flags, total, BytesSent, Overlapped));
}

ULONG WINAPI HttpSendResponseEntityBody(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId,
                                        ULONG Flags, USHORT EntityChunkCount,
                                        PHTTP_DATA_CHUNK EntityChunks, PULONG BytesSent,
                                        PVOID Reserved1, ULONG Reserved2, LPOVERLAPPED Overlapped,
                                        PHTTP_LOG_DATA LogData)
{
    (void)LogData; /* nothing is logged here */
    fake_lock();
    struct fake_record *record = fake_begin_locked("HttpSendResponseEntityBody", "queue ?");
    if (record->injected) {
        return fake_end(record, record->result);
    }
    ULONG code = NO_ERROR;
    struct fake_object *queue = fake_queue_of(record, RequestQueueHandle, &code);
    if (queue == NULL) {
        return fake_end(record, code);
    }
    bool chunks_missing = EntityChunkCount > 0 && EntityChunks == NULL;
    if (chunks_missing || EntityChunkCount > 9999 || Reserved1 != NULL || Reserved2 != 0) {
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    struct fake_request *request = answerable_locked(queue, RequestId, true, &code);
    if (request == NULL) {
        return fake_end(record, code);
    }
    size_t total = keep_body(&request->response, EntityChunks, EntityChunkCount);
    return fake_end(record, end_send_locked(queue, request, Flags, total, BytesSent, Overlapped));
}
