/* A web server in plain C over the HTTP Server API, without Lua: answers every GET of
 * http://localhost:8080/hello/ until somebody asks for /hello/stop.
 *
 * Build it in the project's tree, once ./dev build has run:
 *   cmake --build build/release --target example_embedding && build/release/example_embedding
 *   curl http://localhost:8080/hello/
 * or by hand, without -l uring where the host was built without liburing:
 *   cc -std=c17 -I host docs/embedding/hello.c -L build/release -l ml_engine -l ml_net
 *      -l ml_protocol -l ml_base -l uring -l pthread
 * The same source builds on Windows with -lhttpapi.
 *
 * Everything is opened in one order and closed in the opposite one: see main. */
#include <stdio.h>
#include <string.h>

#include "api/text.h"

static ULONG answer(HANDLE queue, HTTP_REQUEST_ID id, char *text)
{
    HTTP_DATA_CHUNK body = {.DataChunkType = HttpDataChunkFromMemory};
    HTTP_RESPONSE response = {.StatusCode = 200, .pReason = "OK", .ReasonLength = 2};
    body.FromMemory.pBuffer = text;
    body.FromMemory.BufferLength = (ULONG)strlen(text);
    response.EntityChunkCount = 1;
    response.pEntityChunks = &body;
    return HttpSendHttpResponse(queue, id, 0, &response, NULL, NULL, NULL, 0, NULL, NULL);
}

static ULONG serve(HANDLE queue)
{
    static const char stop[] = "/hello/stop";
    char hello[] = "hello from C\n", bye[] = "bye\n";
    union {
        HTTP_REQUEST request;
        char bytes[16 * 1024]; /* room for what the request's pointers point to */
    } buffer;
    for (;;) {
        ULONG code = HttpReceiveHttpRequest(queue, HTTP_NULL_ID, 0, &buffer.request, sizeof buffer,
                                            NULL, NULL);
        if (code == NO_ERROR || code == ERROR_MORE_DATA) { /* too large: only its id is known */
            const HTTP_REQUEST *request = &buffer.request;
            const int last = code == NO_ERROR && request->RawUrlLength == sizeof stop - 1 &&
                             memcmp(request->pRawUrl, stop, sizeof stop - 1) == 0;
            code = answer(queue, request->RequestId, last ? bye : hello);
            if (last) {
                return code;
            }
        }
        if (code != NO_ERROR && code != ERROR_CONNECTION_INVALID) {
            return code; /* a client that has gone is no reason to stop */
        }
    }
}

int main(void)
{
    HTTP_SERVER_SESSION_ID session = HTTP_NULL_ID;
    HTTP_URL_GROUP_ID group = HTTP_NULL_ID;
    HTTP_BINDING_INFO binding = {.Flags = {.Present = 1}};
    ULONG code = HttpInitialize(HTTPAPI_VERSION_2, HTTP_INITIALIZE_SERVER, NULL);
    if (code != NO_ERROR) {
        return 1;
    }
    code = HttpCreateRequestQueue(HTTPAPI_VERSION_2, NULL, NULL, 0, &binding.RequestQueueHandle);
    code = code != NO_ERROR ? code : HttpCreateServerSession(HTTPAPI_VERSION_2, &session, 0);
    code = code != NO_ERROR ? code : HttpCreateUrlGroup(session, &group, 0);
    code = code != NO_ERROR ? code
                            : HttpSetUrlGroupProperty(group, HttpServerBindingProperty, &binding,
                                                      sizeof binding);
    code = code != NO_ERROR
               ? code
               : HttpAddUrlToUrlGroup(group, HTTP_TEXT("http://localhost:8080/hello/"), 0, 0);
    code = code != NO_ERROR ? code : serve(binding.RequestQueueHandle);
    if (code != NO_ERROR) {
        fprintf(stderr, "stopped with error %u\n", (unsigned)code);
    }
    HttpCloseUrlGroup(group); /* with its URL; harmless when it was never made */
    HttpCloseServerSession(session);
    HttpCloseRequestQueue(binding.RequestQueueHandle);
    HttpTerminate(HTTP_INITIALIZE_SERVER, NULL);
    return code == NO_ERROR ? 0 : 1;
}
