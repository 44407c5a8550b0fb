/* The body of an answer: chunks of memory and files to the socket. See response.h. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "engine/response.h"
#include "protocol/h1write.h"

enum {
    FILE_COPY_MAX = 6 * 1024, /* a shorter part of a file is read into the output block: measured */
    FILE_STEP_MAX = 1024 * 1024 /* longest single sendfile, so that others get their turn */
};

/* Bytes of a file chunk. */
static APART ULONG measure_file(const HTTP_DATA_CHUNK *chunk, uint64_t *bytes)
{
    const HTTP_BYTE_RANGE *range = &chunk->FromFileHandle.ByteRange;
    if (range->Length.QuadPart != HTTP_BYTE_RANGE_TO_EOF) {
        *bytes = range->Length.QuadPart;
        return NO_ERROR;
    }
    struct stat info;
    if (fstat(http_fd_from_handle(chunk->FromFileHandle.FileHandle), &info) != 0 ||
        !S_ISREG(info.st_mode) || (uint64_t)info.st_size < range->StartingOffset.QuadPart) {
        return ERROR_INVALID_PARAMETER;
    }
    *bytes = (uint64_t)info.st_size - range->StartingOffset.QuadPart;
    return NO_ERROR;
}

static ULONG measure(const HTTP_DATA_CHUNK *chunk, uint64_t *bytes)
{
    switch (chunk->DataChunkType) {
    case HttpDataChunkFromMemory:
        *bytes = chunk->FromMemory.BufferLength;
        return *bytes > 0 && chunk->FromMemory.pBuffer == NULL ? ERROR_INVALID_PARAMETER : NO_ERROR;
    case HttpDataChunkFromFileHandle: return measure_file(chunk, bytes);
    case HttpDataChunkFromFragmentCache:
    case HttpDataChunkFromFragmentCacheEx:
    case HttpDataChunkTrailers:
    case HttpDataChunkFromWinHttpFastForwarding: return ERROR_NOT_SUPPORTED;
    default: return ERROR_INVALID_PARAMETER;
    }
}

ULONG send_measure(const HTTP_DATA_CHUNK *chunks, uint32_t count, uint64_t *bytes)
{
    *bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t one = 0;
        ULONG status = measure(&chunks[i], &one);
        if (status != NO_ERROR || one > UINT64_MAX - *bytes) {
            return status != NO_ERROR ? status : ERROR_INVALID_PARAMETER;
        }
        *bytes += one;
    }
    return NO_ERROR;
}

/* Puts a few bytes of framing into the output. */
static ULONG put(struct request *request, struct call_send *send, const char *p, size_t n)
{
    ULONG status = NO_ERROR;
    char *at = output_reserve(request->conn, (uint32_t)n, &status);
    if (at == NULL) {
        return status;
    }
    memcpy(at, p, n);
    output_commit(request->conn, (uint32_t)n);
    send->wire_bytes += n;
    return NO_ERROR;
}

static ULONG begin_chunk(struct request *request, struct call_send *send)
{
    ULONG status = measure(&send->chunks[send->chunk_index], &send->chunk_bytes);
    if (status == NO_ERROR && request->framing == FRAMING_CHUNKED && send->chunk_bytes > 0) {
        char line[H1_CHUNK_SIZE_BOUND];
        char *end = h1_write_chunk_size(line, send->chunk_bytes);
        status = put(request, send, line, (size_t)(end - line));
    }
    if (status == NO_ERROR) {
        send->chunk_begun = true;
        send->chunk_offset = 0;
    }
    return status;
}

static void took(struct request *request, struct call_send *send, uint64_t n)
{
    send->chunk_offset += n;
    send->wire_bytes += n;
    request->length_left -=
        n; /* wraps when the caller sends more than it said; then not 0 either */
}

static ULONG pump_memory(struct request *request, struct call_send *send)
{
    const HTTP_DATA_CHUNK *chunk = &send->chunks[send->chunk_index];
    const char *p = (const char *)chunk->FromMemory.pBuffer + send->chunk_offset;
    size_t left = (size_t)(send->chunk_bytes - send->chunk_offset);
    size_t n = 0;
    ULONG status = NO_ERROR;
    if (left <= RESPONSE_COPY_MAX) {
        char *at = output_reserve(request->conn, (uint32_t)left, &status);
        if (at != NULL) {
            memcpy(at, p, left);
            output_commit(request->conn, (uint32_t)left);
            n = left;
        }
    } else {
        status = output_write_through(request->conn, p, left, &n);
    }
    took(request, send, n);
    return status;
}

/* Reads a short part of a file into the output block. */
static ULONG copy_file(struct request *request, struct call_send *send, int fd, uint64_t offset,
                       size_t n)
{
    ULONG status = NO_ERROR;
    char *at = output_reserve(request->conn, (uint32_t)n, &status);
    if (at == NULL) {
        return status;
    }
    ssize_t got = 0;
    do {
        got = pread(fd, at, n, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        return ERROR_INVALID_PARAMETER; /* not readable, or shorter than the range says */
    }
    output_commit(request->conn, (uint32_t)got);
    took(request, send, (uint64_t)got);
    return NO_ERROR;
}

static ULONG pump_file(struct request *request, struct call_send *send)
{
    const HTTP_DATA_CHUNK *chunk = &send->chunks[send->chunk_index];
    int fd = http_fd_from_handle(chunk->FromFileHandle.FileHandle);
    while (send->chunk_offset < send->chunk_bytes) {
        uint64_t left = send->chunk_bytes - send->chunk_offset;
        uint64_t offset =
            chunk->FromFileHandle.ByteRange.StartingOffset.QuadPart + send->chunk_offset;
        ULONG status = NO_ERROR;
        if (left <= FILE_COPY_MAX) {
            status = copy_file(request, send, fd, offset, (size_t)left);
        } else {
            size_t n = 0;
            status = output_write_file(request->conn, fd, &offset,
                                       left < FILE_STEP_MAX ? (size_t)left : FILE_STEP_MAX, &n);
            took(request, send, n);
        }
        if (status == ERROR_HANDLE_EOF) {
            return ERROR_INVALID_PARAMETER; /* the file is shorter than the range says */
        }
        if (status != NO_ERROR) {
            return status;
        }
    }
    return NO_ERROR;
}

static APART ULONG pump_chunk(struct request *request, struct call_send *send)
{
    ULONG status = send->chunk_begun ? NO_ERROR : begin_chunk(request, send);
    if (status != NO_ERROR) {
        return status;
    }
    if (send->chunk_offset < send->chunk_bytes) {
        status = send->chunks[send->chunk_index].DataChunkType == HttpDataChunkFromMemory
                     ? pump_memory(request, send)
                     : pump_file(request, send);
    }
    if (status == NO_ERROR && request->framing == FRAMING_CHUNKED && send->chunk_bytes > 0) {
        status = put(request, send, "\r\n", 2);
    }
    if (status == NO_ERROR) {
        send->chunk_index++;
        send->chunk_begun = false;
    }
    return status;
}

/* The usual body, one short piece of memory as it is: copied behind the head where there is room.
 * false: nothing was done. */
static bool copy_whole(struct request *request, struct call_send *send)
{
    const HTTP_DATA_CHUNK *chunk = send->chunks;
    ULONG n = send->chunk_count == 1 && chunk->DataChunkType == HttpDataChunkFromMemory
                  ? chunk->FromMemory.BufferLength
                  : 0;
    if (n == 0 || n > RESPONSE_COPY_MAX || request->framing == FRAMING_CHUNKED ||
        send->chunk_index > 0 || send->chunk_begun || request->conn->out == NULL ||
        output_room(request->conn) < n) {
        return false;
    }
    memcpy(request->conn->out + request->conn->out_end, chunk->FromMemory.pBuffer, n);
    output_commit(request->conn, n);
    took(request, send, n);
    send->chunk_index = 1;
    return true;
}

ULONG send_pump(struct request *request, struct call_send *send)
{
    if (request->framing == FRAMING_NO_BODY || copy_whole(request, send)) {
        return NO_ERROR;
    }
    while (send->chunk_index < send->chunk_count) {
        ULONG status = pump_chunk(request, send);
        if (status != NO_ERROR) {
            return status;
        }
    }
    bool last = (send->flags & HTTP_SEND_RESPONSE_FLAG_MORE_DATA) == 0;
    if (last && request->framing == FRAMING_CHUNKED) {
        return put(request, send, "0\r\n\r\n", 5);
    }
    return NO_ERROR;
}
