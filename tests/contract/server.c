/* The server side of the contract tests: objects in the ordinary arrangement, and the calls of the
 * contract with the arguments that most cases need. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/loop.h"
#include "api/text.h"
#include "contract/contract.h"
#include "contract/shim.h"

enum { PORT_TRIES = 20 };

struct url url_of(const char *format, ...)
{
    char text[CONTRACT_URL_UNITS];
    struct url url;
    size_t needed = 0;
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    CHECK(length >= 0 && (size_t)length < sizeof text);
    CHECK_CODE(NO_ERROR,
               text_from_utf8(text, (size_t)length, url.text, CONTRACT_URL_UNITS, &needed));
    return url;
}

ULONG bind_group(HTTP_URL_GROUP_ID group, HANDLE queue)
{
    HTTP_BINDING_INFO binding;
    memset(&binding, 0, sizeof binding);
    binding.Flags.Present = 1;
    binding.RequestQueueHandle = queue;
    return HttpSetUrlGroupProperty(group, HttpServerBindingProperty, &binding, sizeof binding);
}

void set_verbosity(HANDLE queue, HTTP_503_RESPONSE_VERBOSITY verbosity)
{
    CHECK_CODE(NO_ERROR, HttpSetRequestQueueProperty(queue, HttpServer503VerbosityProperty,
                                                     &verbosity, sizeof verbosity, 0, NULL));
}

void server_open(struct server *server)
{
    memset(server, 0, sizeof *server);
    CHECK_CODE(NO_ERROR, HttpInitialize(HTTPAPI_VERSION_2, HTTP_INITIALIZE_SERVER, NULL));
    CHECK_CODE(NO_ERROR, HttpCreateServerSession(HTTPAPI_VERSION_2, &server->session, 0));
    CHECK_CODE(NO_ERROR, HttpCreateUrlGroup(server->session, &server->group, 0));
    CHECK_CODE(NO_ERROR, HttpCreateRequestQueue(HTTPAPI_VERSION_2, NULL, NULL, 0, &server->queue));
    CHECK_CODE(NO_ERROR, bind_group(server->group, server->queue));
    if (shim_provider() != PROVIDER_WINE) {
        set_verbosity(server->queue, Http503ResponseVerbosityLimited);
    }
}

void server_add(struct server *server, const char *host, const char *tail, HTTP_URL_CONTEXT context)
{
    const bool first = server->port == 0;
    for (int tries = 0;; tries++) {
        if (first) {
            CHECK_CODE(NO_ERROR, loop_find_free_port(&server->port));
        }
        const struct url url = url_of("http://%s:%u%s", host, (unsigned)server->port, tail);
        const ULONG code = HttpAddUrlToUrlGroup(server->group, url.text, context, 0);
        if (code == ERROR_SHARING_VIOLATION && first && tries < PORT_TRIES) {
            continue;
        }
        CHECK_CODE(NO_ERROR, code);
        return;
    }
}

void server_start(struct server *server)
{
    server_open(server);
    server_add(server, "localhost", "/", 0);
}

void server_close(struct server *server)
{
    if (server->port != 0) {
        CHECK_CODE(NO_ERROR,
                   HttpRemoveUrlFromUrlGroup(server->group, NULL, HTTP_URL_FLAG_REMOVE_ALL));
    }
    CHECK_CODE(NO_ERROR, HttpCloseUrlGroup(server->group));
    CHECK_CODE(NO_ERROR, HttpCloseServerSession(server->session));
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(server->queue));
    CHECK_CODE(NO_ERROR, HttpTerminate(HTTP_INITIALIZE_SERVER, NULL));
}

ULONG receive(HANDLE queue, ULONG flags, struct received *received)
{
    memset(received, 0xA5, sizeof *received);
    received->count = 0;
    return HttpReceiveHttpRequest(queue, HTTP_NULL_ID, flags, &received->request,
                                  sizeof received->bytes, &received->count, NULL);
}

void expect(const struct server *server, const char *path, struct received *received)
{
    CHECK_CODE(NO_ERROR, receive(server->queue, 0, received));
    CHECK_WIDE(path, received->request.CookedUrl.pAbsPath,
               received->request.CookedUrl.AbsPathLength);
}

void make_memory_chunk(HTTP_DATA_CHUNK *chunk, const void *bytes, size_t length)
{
    memset(chunk, 0, sizeof *chunk);
    chunk->DataChunkType = HttpDataChunkFromMemory;
    chunk->FromMemory.pBuffer = (PVOID)(uintptr_t)bytes; /* the contract reads it only */
    chunk->FromMemory.BufferLength = (ULONG)length;
}

void make_response(HTTP_RESPONSE *response, HTTP_DATA_CHUNK *chunk, USHORT status, const char *body)
{
    memset(response, 0, sizeof *response);
    response->StatusCode = status;
    response->pReason = "OK";
    response->ReasonLength = 2;
    if (body != NULL) {
        make_memory_chunk(chunk, body, strlen(body));
        response->EntityChunkCount = 1;
        response->pEntityChunks = chunk;
    }
}

void set_header(HTTP_RESPONSE *response, HTTP_HEADER_ID id, const char *value)
{
    response->Headers.KnownHeaders[id].pRawValue = value;
    response->Headers.KnownHeaders[id].RawValueLength = (USHORT)strlen(value);
}

ULONG send_response(HANDLE queue, HTTP_REQUEST_ID id, ULONG flags, HTTP_RESPONSE *response,
                    ULONG *sent)
{
    return HttpSendHttpResponse(queue, id, flags, response, NULL, sent, NULL, 0, NULL, NULL);
}

ULONG send_body(HANDLE queue, HTTP_REQUEST_ID id, ULONG flags, const char *text, ULONG *sent)
{
    HTTP_DATA_CHUNK chunk;
    make_memory_chunk(&chunk, text, text == NULL ? 0 : strlen(text));
    return HttpSendResponseEntityBody(queue, id, flags, text == NULL ? 0 : 1,
                                      text == NULL ? NULL : &chunk, sent, NULL, 0, NULL, NULL);
}

ULONG answer(HANDLE queue, HTTP_REQUEST_ID id, USHORT status, const char *body)
{
    HTTP_RESPONSE response;
    HTTP_DATA_CHUNK chunk;
    make_response(&response, &chunk, status, body);
    return send_response(queue, id, 0, &response, NULL);
}

void serve_one(const struct server *server)
{
    struct received received;
    char text[24];
    CHECK_CODE(NO_ERROR, receive(server->queue, 0, &received));
    snprintf(text, sizeof text, "%llu", (unsigned long long)received.request.UrlContext);
    CHECK_CODE(NO_ERROR, answer(server->queue, received.request.RequestId, 200, text));
}

ULONG read_body(HANDLE queue, HTTP_REQUEST_ID id, ULONG flags, void *buffer, ULONG size,
                ULONG *count)
{
    return HttpReceiveRequestEntityBody(queue, id, flags, buffer, size, count, NULL);
}

size_t read_whole_body(HANDLE queue, HTTP_REQUEST_ID id, char *out, size_t capacity)
{
    size_t length = 0;
    for (;;) {
        char piece[4096];
        ULONG count = 0;
        const ULONG code = read_body(queue, id, 0, piece, sizeof piece, &count);
        if (code == ERROR_HANDLE_EOF) {
            return length;
        }
        CHECK_CODE(NO_ERROR, code);
        CHECK(count > 0 && count <= sizeof piece && length + count <= capacity);
        memcpy(out + length, piece, count);
        length += count;
    }
}

void pending_open(struct pending *pending)
{
    memset(pending, 0, sizeof *pending);
    pending->overlapped.hEvent = CreateEvent(NULL, TRUE, FALSE, NULL);
    CHECK(pending->overlapped.hEvent != NULL);
}

void pending_reset(struct pending *pending)
{
    const HANDLE event = pending->overlapped.hEvent;
    memset(pending, 0, sizeof *pending);
    pending->overlapped.hEvent = event;
    CHECK(ResetEvent(event));
}

void pending_close(struct pending *pending)
{
    CHECK(CloseHandle(pending->overlapped.hEvent));
}

void pending_receive(struct pending *pending, HANDLE queue, ULONG flags, struct received *received)
{
    memset(received, 0xA5, sizeof *received);
    pending->code = HttpReceiveHttpRequest(queue, HTTP_NULL_ID, flags, &received->request,
                                           sizeof received->bytes, NULL, &pending->overlapped);
    CHECK_CODE_OF(ERROR_IO_PENDING, NO_ERROR, pending->code);
}

bool pending_done(struct pending *pending, unsigned milliseconds)
{
    const DWORD result = WaitForSingleObject(pending->overlapped.hEvent, milliseconds);
    CHECK(result == WAIT_OBJECT_0 || result == WAIT_TIMEOUT);
    return result == WAIT_OBJECT_0;
}

ULONG pending_wait(struct pending *pending, HANDLE queue, ULONG *bytes)
{
    DWORD count = 0;
    CHECK(pending_done(pending, CONTRACT_WAIT_MS));
    const BOOL good = GetOverlappedResult(queue, &pending->overlapped, &count, FALSE);
    const ULONG code = good ? NO_ERROR : GetLastError();
    if (bytes != NULL) {
        *bytes = count;
    }
    return code;
}
