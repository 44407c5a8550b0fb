/* Answering: the system's calls, and three named fallbacks.
 *
 *   file chunks      where the system refuses them, they are read and sent from memory
 *   framing          where the system does not frame a body of unknown length, Transfer-Encoding
 *                    and the chunk sizes are written here; where it does, it is asked to in each
 *                    call, as the contract frames such a body unasked
 *   cancelling       where the function cannot be called, a request without an answer gets 503, one
 *                    whose answer has begun is ended as it is */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "windows/httpsys.h"

enum {
    FILE_BYTES_MAX = 64 * 1024 * 1024, /* of one call, where files are read into memory */
    SIZE_BYTES = 24,                   /* "1F\r\n" */
    READ_BYTES_MAX = 1 << 20
};

static const ULONG auto_chunking = HTTP_SEND_RESPONSE_FLAG_AUTOMATIC_CHUNKING;
static const ULONG more_data = HTTP_SEND_RESPONSE_FLAG_MORE_DATA;

/* --- requests that are not answered yet ------------------------------------------------------ */

struct answer {
    struct answer *next;
    HANDLE queue;
    HTTP_REQUEST_ID id;
    bool is_head; /* no body, no framing */
    bool is_old;  /* HTTP/1.0: no framing; a body without length ends with the connection */
    bool begun;   /* the head is sent */
    bool framed;  /* the body has no length: the chunk sizes are ours or the system's */
};

/* The process record of this file; where the system frames, bodies of unknown length alone. */
static struct {
    SRWLOCK lock;
    struct answer *list;
} record = {.lock = SRWLOCK_INIT};

static struct answer **find(HANDLE queue, HTTP_REQUEST_ID id)
{
    struct answer **at = &record.list;
    while (*at != NULL && ((*at)->id != id || (*at)->queue != queue)) {
        at = &(*at)->next;
    }
    return at;
}

static void note(HANDLE queue, HTTP_REQUEST_ID id, bool is_head, bool is_old)
{
    AcquireSRWLockExclusive(&record.lock);
    struct answer *answer = *find(queue, id);
    if (answer == NULL) {
        answer = malloc(sizeof *answer);
        if (answer != NULL) {
            answer->next = record.list;
            record.list = answer;
        }
    }
    if (answer != NULL) { /* a number that is used again is a new request */
        struct answer *next = answer->next;
        *answer = (struct answer){
            .next = next, .queue = queue, .id = id, .is_head = is_head, .is_old = is_old};
    }
    ReleaseSRWLockExclusive(&record.lock);
}

void answer_note(HANDLE queue, HTTP_REQUEST_ID id, bool is_head, bool is_old)
{
    if (!httpsys()->can_chunk) {
        note(queue, id, is_head, is_old);
    }
}

/* A copy of what is known; zeroed when nothing is. */
static struct answer look_up(HANDLE queue, HTTP_REQUEST_ID id)
{
    struct answer found = {.queue = NULL};
    AcquireSRWLockShared(&record.lock);
    const struct answer *answer = *find(queue, id);
    if (answer != NULL) {
        found = *answer;
    }
    ReleaseSRWLockShared(&record.lock);
    return found;
}

static void forget(HANDLE queue, HTTP_REQUEST_ID id)
{
    AcquireSRWLockExclusive(&record.lock);
    struct answer **at = find(queue, id);
    struct answer *answer = *at;
    if (answer != NULL) {
        *at = answer->next;
    }
    ReleaseSRWLockExclusive(&record.lock);
    free(answer);
}

static void note_begun(HANDLE queue, HTTP_REQUEST_ID id, bool framed)
{
    AcquireSRWLockExclusive(&record.lock);
    struct answer *answer = *find(queue, id);
    if (answer != NULL) {
        answer->begun = true;
        answer->framed = framed;
    }
    ReleaseSRWLockExclusive(&record.lock);
}

void answer_forget_queue(HANDLE queue)
{
    AcquireSRWLockExclusive(&record.lock);
    for (struct answer **at = &record.list; *at != NULL;) {
        struct answer *answer = *at;
        if (answer->queue == queue) {
            *at = answer->next;
            free(answer);
        } else {
            at = &answer->next;
        }
    }
    ReleaseSRWLockExclusive(&record.lock);
}

/* --- bodies made anew ------------------------------------------------------------------------ */

/* A body as it is sent: the caller's chunks, or ours in one piece of memory. */
struct body {
    USHORT count;
    PHTTP_DATA_CHUNK chunks;
    void *memory; /* malloc; NULL: the caller's chunks as they are */
};

static bool has_file(USHORT count, const HTTP_DATA_CHUNK *chunks)
{
    for (USHORT i = 0; chunks != NULL && i < count; i++) {
        if (chunks[i].DataChunkType == HttpDataChunkFromFileHandle) {
            return true;
        }
    }
    return false;
}

/* Bytes of a file chunk; HTTP_BYTE_RANGE_TO_EOF is measured. */
static ULONG file_bytes(const HTTP_DATA_CHUNK *chunk, ULONGLONG *bytes)
{
    LARGE_INTEGER size;
    ULONGLONG from = chunk->FromFileHandle.ByteRange.StartingOffset.QuadPart;
    *bytes = chunk->FromFileHandle.ByteRange.Length.QuadPart;
    if (!GetFileSizeEx(chunk->FromFileHandle.FileHandle, &size)) {
        return GetLastError();
    }
    ULONGLONG end = (ULONGLONG)size.QuadPart;
    if (from > end) {
        return ERROR_INVALID_PARAMETER;
    }
    if (*bytes == HTTP_BYTE_RANGE_TO_EOF) {
        *bytes = end - from;
    }
    return *bytes > end - from ? ERROR_HANDLE_EOF : NO_ERROR;
}

/* Reads a range at its offset; does not depend on the file's position. */
static ULONG read_range(const HTTP_DATA_CHUNK *chunk, char *to, ULONGLONG bytes)
{
    ULONGLONG at = chunk->FromFileHandle.ByteRange.StartingOffset.QuadPart;
    while (bytes > 0) {
        OVERLAPPED where = {.Offset = (DWORD)at, .OffsetHigh = (DWORD)(at >> 32)};
        DWORD piece = bytes > READ_BYTES_MAX ? READ_BYTES_MAX : (DWORD)bytes;
        DWORD got = 0;
        if (!ReadFile(chunk->FromFileHandle.FileHandle, to, piece, &got, &where)) {
            return GetLastError();
        }
        if (got == 0) {
            return ERROR_HANDLE_EOF;
        }
        at += got;
        to += got;
        bytes -= got;
    }
    return NO_ERROR;
}

static ULONG measure(USHORT count, const HTTP_DATA_CHUNK *chunks, ULONGLONG *total,
                     ULONGLONG *in_files)
{
    *total = *in_files = 0;
    for (USHORT i = 0; chunks != NULL && i < count; i++) {
        if (chunks[i].DataChunkType == HttpDataChunkFromMemory) {
            *total += chunks[i].FromMemory.BufferLength;
        } else if (chunks[i].DataChunkType == HttpDataChunkFromFileHandle) {
            ULONGLONG bytes = 0;
            ULONG code = file_bytes(&chunks[i], &bytes);
            if (code != NO_ERROR) {
                return code;
            }
            *total += bytes;
            *in_files += bytes;
        }
    }
    return *in_files > FILE_BYTES_MAX ? ERROR_NOT_SUPPORTED : NO_ERROR;
}

static void put_memory(struct body *body, void *bytes, size_t length)
{
    HTTP_DATA_CHUNK *chunk = &body->chunks[body->count++];
    memset(chunk, 0, sizeof *chunk);
    chunk->DataChunkType = HttpDataChunkFromMemory;
    chunk->FromMemory.pBuffer = bytes;
    chunk->FromMemory.BufferLength = (ULONG)length;
}

/* The caller's chunks with files read in, between the chunk size and what ends the chunk. */
static ULONG make_body(USHORT count, PHTTP_DATA_CHUNK chunks, bool framed, bool last,
                       struct body *body)
{
    static const char end[] = "\r\n0\r\n\r\n";
    ULONGLONG total = 0, in_files = 0;
    ULONG code = measure(count, chunks, &total, &in_files);
    *body = (struct body){.count = 0};
    if (code != NO_ERROR) {
        return code;
    }
    size_t table = (count + 2u) * sizeof *chunks;
    char *memory = malloc(table + SIZE_BYTES + sizeof end + (size_t)in_files);
    if (memory == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    char *size = memory + table, *tail = size + SIZE_BYTES, *bytes = tail + sizeof end;
    body->memory = memory;
    body->chunks = (PHTTP_DATA_CHUNK)(void *)memory;
    memcpy(tail, end, sizeof end);
    if (framed && total > 0) {
        put_memory(body, size,
                   (size_t)snprintf(size, SIZE_BYTES, "%llX\r\n", (unsigned long long)total));
    }
    for (USHORT i = 0; chunks != NULL && i < count; i++) {
        if (chunks[i].DataChunkType != HttpDataChunkFromFileHandle) {
            body->chunks[body->count++] = chunks[i];
            continue;
        }
        ULONGLONG length = 0;
        code = file_bytes(&chunks[i], &length);
        code = code == NO_ERROR && length > in_files ? ERROR_INVALID_FUNCTION : code;
        code = code == NO_ERROR ? read_range(&chunks[i], bytes, length) : code;
        if (code != NO_ERROR) {
            free(memory);
            return code;
        }
        put_memory(body, bytes, (size_t)length);
        bytes += length;
        in_files -= length;
    }
    if (framed && total > 0) {
        put_memory(body, tail, last ? sizeof end - 1 : 2);
    } else if (framed && last) {
        put_memory(body, tail + 2, sizeof end - 3);
    }
    return NO_ERROR;
}

/* --- calls ----------------------------------------------------------------------------------- */

/* Neither a length nor a coding of the caller's. */
static bool is_unframed(const HTTP_RESPONSE *response)
{
    const HTTP_KNOWN_HEADER *known = response->Headers.KnownHeaders;
    return known[HttpHeaderContentLength].RawValueLength == 0 &&
           known[HttpHeaderTransferEncoding].RawValueLength == 0;
}

/* After the call that may have ended the request. */
static ULONG settle(HANDLE queue, HTTP_REQUEST_ID id, ULONG flags, ULONG code)
{
    bool ended = code == NO_ERROR || code == ERROR_IO_PENDING ? (flags & more_data) == 0
                                                              : code == ERROR_CONNECTION_INVALID;
    if (ended) {
        forget(queue, id);
    }
    return code;
}

/* The whole call, once the response and the body are as the system wants them. */
static ULONG send_head(struct call *call, HTTP_REQUEST_ID id, ULONG flags, PHTTP_RESPONSE response,
                       PHTTP_CACHE_POLICY policy, PHTTP_LOG_DATA log)
{
    LPOVERLAPPED passed = NULL;
    ULONG code = call_begin(call, &passed);
    if (code != NO_ERROR) {
        return code;
    }
    code =
        httpsys()->HttpSendHttpResponse(call->queue, id, flags, response, policy,
                                        passed == NULL ? call->bytes : NULL, NULL, 0, passed, log);
    return call_end(call, code);
}

ULONG WINAPI HttpSendHttpResponse(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId, ULONG Flags,
                                  PHTTP_RESPONSE HttpResponse, PHTTP_CACHE_POLICY CachePolicy,
                                  PULONG BytesSent, PVOID Reserved1, ULONG Reserved2,
                                  LPOVERLAPPED Overlapped, PHTTP_LOG_DATA LogData)
{
    const struct httpsys *api = httpsys();
    struct call call = {.queue = RequestQueueHandle, .given = Overlapped, .bytes = BytesSent};
    struct answer known = look_up(RequestQueueHandle, RequestId);
    if (api->HttpSendHttpResponse == NULL) {
        return ERROR_NOT_SUPPORTED;
    }
    if (HttpResponse == NULL || Reserved1 != NULL || Reserved2 != 0) {
        return ERROR_INVALID_PARAMETER;
    }
    bool unframed =
        !known.is_head && is_unframed(HttpResponse) && (Flags & (more_data | auto_chunking)) != 0;
    bool framed = unframed && !api->can_chunk && !known.is_old;
    bool reads =
        api->is_wine && has_file(HttpResponse->EntityChunkCount, HttpResponse->pEntityChunks);
    ULONG flags = unframed && api->can_chunk ? Flags | auto_chunking : Flags & ~auto_chunking;
    HTTP_RESPONSE copy = *HttpResponse;
    if (framed || reads) {
        struct body body;
        ULONG code = make_body(copy.EntityChunkCount, copy.pEntityChunks, framed,
                               (Flags & more_data) == 0, &body);
        if (code != NO_ERROR) {
            return code;
        }
        copy.EntityChunkCount = body.count;
        copy.pEntityChunks = body.count == 0 ? NULL : body.chunks;
        call.memory = body.memory;
    }
    if (framed) {
        copy.Headers.KnownHeaders[HttpHeaderTransferEncoding] =
            (HTTP_KNOWN_HEADER){.RawValueLength = 7, .pRawValue = "chunked"};
    }
    ULONG code = send_head(&call, RequestId, flags, framed || reads ? &copy : HttpResponse,
                           CachePolicy, LogData);
    if (code == NO_ERROR || code == ERROR_IO_PENDING) {
        if (unframed && api->can_chunk && (Flags & more_data) != 0) {
            note(RequestQueueHandle, RequestId, false, false);
        }
        note_begun(RequestQueueHandle, RequestId, unframed);
    }
    return settle(RequestQueueHandle, RequestId, Flags, code);
}

ULONG WINAPI HttpSendResponseEntityBody(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId,
                                        ULONG Flags, USHORT EntityChunkCount,
                                        PHTTP_DATA_CHUNK EntityChunks, PULONG BytesSent,
                                        PVOID Reserved1, ULONG Reserved2, LPOVERLAPPED Overlapped,
                                        PHTTP_LOG_DATA LogData)
{
    const struct httpsys *api = httpsys();
    struct call call = {.queue = RequestQueueHandle, .given = Overlapped, .bytes = BytesSent};
    struct answer known = look_up(RequestQueueHandle, RequestId);
    LPOVERLAPPED passed = NULL;
    ULONG code = NO_ERROR;
    if (api->HttpSendResponseEntityBody == NULL) {
        return ERROR_NOT_SUPPORTED;
    }
    if (Reserved1 != NULL || Reserved2 != 0 || (EntityChunkCount > 0 && EntityChunks == NULL)) {
        return ERROR_INVALID_PARAMETER;
    }
    struct body body = {.count = EntityChunkCount, .chunks = EntityChunks};
    bool framed = known.framed && !api->can_chunk && !known.is_old;
    ULONG flags = known.framed && api->can_chunk ? Flags | auto_chunking : Flags & ~auto_chunking;
    if (known.framed && known.is_old && (Flags & more_data) == 0) {
        flags |= HTTP_SEND_RESPONSE_FLAG_DISCONNECT;
    }
    if (framed || (api->is_wine && has_file(EntityChunkCount, EntityChunks))) {
        code = make_body(EntityChunkCount, EntityChunks, framed, (Flags & more_data) == 0, &body);
    }
    if (code != NO_ERROR) {
        return code;
    }
    call.memory = body.memory;
    code = call_begin(&call, &passed);
    if (code != NO_ERROR) {
        return code;
    }
    code = api->HttpSendResponseEntityBody(
        RequestQueueHandle, RequestId, flags, body.count, body.count == 0 ? NULL : body.chunks,
        passed == NULL ? BytesSent : NULL, NULL, 0, passed, LogData);
    return settle(RequestQueueHandle, RequestId, Flags, call_end(&call, code));
}

/* Without the function: an answer that says what happened, or the end of one that has begun. */
static ULONG cancel_by_answering(HANDLE queue, HTTP_REQUEST_ID id)
{
    struct answer known = look_up(queue, id);
    const ULONG flags = HTTP_SEND_RESPONSE_FLAG_DISCONNECT;
    if (known.begun) {
        return HttpSendResponseEntityBody(queue, id, flags, 0, NULL, NULL, NULL, 0, NULL, NULL);
    }
    static const char reason[] = "Service Unavailable";
    HTTP_RESPONSE response;
    memset(&response, 0, sizeof response);
    response.StatusCode = 503;
    response.pReason = reason;
    response.ReasonLength = sizeof reason - 1;
    return HttpSendHttpResponse(queue, id, flags, &response, NULL, NULL, NULL, 0, NULL, NULL);
}

ULONG WINAPI HttpCancelHttpRequest(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId,
                                   LPOVERLAPPED Overlapped)
{
    const struct httpsys *api = httpsys();
    struct call call = {.queue = RequestQueueHandle, .given = Overlapped};
    LPOVERLAPPED passed = NULL;
    ULONG code = NO_ERROR;
    if (api->HttpCancelHttpRequest == NULL) {
        code = cancel_by_answering(RequestQueueHandle, RequestId);
        forget(RequestQueueHandle, RequestId);
        return code == ERROR_IO_PENDING ? NO_ERROR : code;
    }
    code = call_begin(&call, &passed);
    if (code != NO_ERROR) {
        return code;
    }
    code = api->HttpCancelHttpRequest(RequestQueueHandle, RequestId, passed);
    forget(RequestQueueHandle, RequestId);
    return call_end(&call, code);
}
