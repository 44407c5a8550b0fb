/* HttpSendResponseEntityBody: answers in several calls.
 * ctest-timeout: 180 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/client.h"
#include "contract/contract.h"

#define WINE_SKIPS    "HttpSendResponseEntityBody is missing or partial there"
#define FRAMES_ITSELF "only where the provider frames by itself"

enum { MORE = HTTP_SEND_RESPONSE_FLAG_MORE_DATA, DISCONNECT = HTTP_SEND_RESPONSE_FLAG_DISCONNECT };

struct stream {
    struct server server;
    struct client client;
    struct received received;
    HTTP_REQUEST_ID id;
    HTTP_RESPONSE response;
    HTTP_DATA_CHUNK chunk;
};

static void ask(struct stream *s, const char *method, const char *version)
{
    client_send(&s->client, "%s / %s\r\nHost: localhost:%u\r\n\r\n", method, version,
                (unsigned)s->server.port);
    expect(&s->server, "/", &s->received);
    s->id = s->received.request.RequestId;
    make_response(&s->response, &s->chunk, 200, NULL);
}

static void begin(struct stream *s, const char *method, const char *version)
{
    server_start(&s->server);
    client_open(&s->client, s->server.port);
    ask(s, method, version);
}

static void end(struct stream *s)
{
    client_close(&s->client);
    server_close(&s->server);
}

static void start(struct stream *s, ULONG flags)
{
    CHECK_CODE(NO_ERROR, send_response(s->server.queue, s->id, flags, &s->response, NULL));
}

static void more(struct stream *s, ULONG flags, const char *text)
{
    CHECK_CODE(NO_ERROR, send_body(s->server.queue, s->id, flags, text, NULL));
}

/* The connection is still good: another request is served on it. */
static void goes_on(struct stream *s)
{
    ask(s, "GET", "HTTP/1.1");
    CHECK_CODE(NO_ERROR, answer(s->server.queue, s->id, 200, "next"));
    client_expect_body(&s->client, 200, "next");
}

static void with_a_length(void)
{
    struct stream s;
    struct reply reply;
    begin(&s, "GET", "HTTP/1.1");
    set_header(&s.response, HttpHeaderContentLength, "11");
    start(&s, MORE);
    more(&s, MORE, "hello");
    more(&s, MORE, " ");
    more(&s, 0, "world");
    client_read(&s.client, &reply, false);
    CHECK_TEXT("hello world", reply.body, reply.body_length);
    CHECK(!reply_has_header(&reply, "Transfer-Encoding"));
    reply_free(&reply);
    goes_on(&s);
    end(&s);
}

static void the_head_goes_out_before_the_end(void)
{
    struct stream s;
    begin(&s, "GET", "HTTP/1.1");
    set_header(&s.response, HttpHeaderContentLength, "10");
    s.response.EntityChunkCount = 1;
    s.response.pEntityChunks = &s.chunk;
    make_memory_chunk(&s.chunk, "first", 5);
    start(&s, MORE);
    char byte = 0;
    size_t count = 0;
    CHECK_UINT(SHIM_BYTES, shim_receive(s.client.socket, &byte, 1, CONTRACT_WAIT_MS, &count));
    CHECK_UINT('H', byte);
    more(&s, 0, "-last");
    size_t length = 0;
    client_send(&s.client, "GET /end HTTP/1.1\r\nHost: localhost:%u\r\nConnection: close\r\n\r\n",
                (unsigned)s.server.port);
    expect(&s.server, "/end", &s.received);
    CHECK_CODE(NO_ERROR, answer(s.server.queue, s.received.request.RequestId, 204, NULL));
    char *all = client_read_all(&s.client, &length);
    CHECK(strstr(all, "\r\n\r\nfirst-lastHTTP/1.1 204") != NULL);
    free(all);
    end(&s);
}

static void without_a_length_it_is_chunked(void)
{
    struct stream s;
    struct reply reply;
    char value[64];
    begin(&s, "GET", "HTTP/1.1");
    start(&s, MORE);
    more(&s, MORE, "one ");
    more(&s, MORE, "two ");
    more(&s, 0, "three");
    client_read(&s.client, &reply, false);
    CHECK(reply_header(&reply, "Transfer-Encoding", value, sizeof value));
    CHECK_TEXT("chunked", value, strlen(value));
    CHECK(!reply_has_header(&reply, "Content-Length"));
    CHECK_TEXT("one two three", reply.body, reply.body_length);
    reply_free(&reply);
    goes_on(&s);
    end(&s);
}

static void the_flag_asks_for_chunks(void)
{
    struct stream s;
    struct reply reply;
    const ULONG flags = MORE | HTTP_SEND_RESPONSE_FLAG_AUTOMATIC_CHUNKING;
    begin(&s, "GET", "HTTP/1.1");
    start(&s, flags);
    more(&s, flags, "by ");
    more(&s, HTTP_SEND_RESPONSE_FLAG_AUTOMATIC_CHUNKING, "flag");
    client_read(&s.client, &reply, false);
    CHECK(reply_has_header(&reply, "Transfer-Encoding"));
    CHECK_TEXT("by flag", reply.body, reply.body_length);
    reply_free(&reply);
    goes_on(&s);
    end(&s);
}

static void an_empty_last_call_ends_it(void)
{
    struct stream s;
    begin(&s, "GET", "HTTP/1.1");
    start(&s, MORE);
    more(&s, MORE, "all");
    more(&s, 0, NULL);
    client_expect_body(&s.client, 200, "all");
    CHECK_CODE(ERROR_CONNECTION_INVALID, send_body(s.server.queue, s.id, 0, "late", NULL));
    goes_on(&s);
    end(&s);
}

static void an_empty_stream(void)
{
    struct stream s;
    begin(&s, "GET", "HTTP/1.1");
    start(&s, MORE);
    more(&s, 0, NULL);
    client_expect_body(&s.client, 200, "");
    goes_on(&s);
    end(&s);
}

/* A zero-length piece in the middle must not look like the end of a chunked body. */
static void an_empty_piece_does_not_end_it(void)
{
    struct stream s;
    begin(&s, "GET", "HTTP/1.1");
    start(&s, MORE);
    more(&s, MORE, "a");
    more(&s, MORE, "");
    more(&s, MORE, NULL);
    more(&s, 0, "b");
    client_expect_body(&s.client, 200, "ab");
    goes_on(&s);
    end(&s);
}

static void the_callers_own_chunks_go_out_as_they_are(void)
{
    struct stream s;
    struct reply reply;
    begin(&s, "GET", "HTTP/1.1");
    set_header(&s.response, HttpHeaderTransferEncoding, "chunked");
    start(&s, MORE);
    more(&s, MORE, "3\r\nown\r\n");
    more(&s, 0, "0\r\n\r\n");
    client_read(&s.client, &reply, false);
    CHECK_TEXT("own", reply.body, reply.body_length);
    reply_free(&reply);
    goes_on(&s);
    end(&s);
}

static void version_1_0_gets_it_up_to_the_close(void)
{
    struct stream s;
    struct reply reply;
    begin(&s, "GET", "HTTP/1.0");
    CHECK(HTTP_EQUAL_VERSION(s.received.request.Version, 1, 0));
    start(&s, MORE);
    more(&s, MORE, "old ");
    more(&s, 0, "client");
    client_read(&s.client, &reply, false);
    CHECK(!reply_has_header(&reply, "Transfer-Encoding"));
    CHECK_TEXT("old client", reply.body, reply.body_length);
    reply_free(&reply);
    client_expect_end(&s.client);
    end(&s);
}

static void a_streamed_head_has_no_body(void)
{
    struct stream s;
    struct reply reply;
    begin(&s, "HEAD", "HTTP/1.1");
    start(&s, MORE);
    more(&s, MORE, "not sent");
    more(&s, 0, NULL);
    client_read(&s.client, &reply, true);
    CHECK_UINT(200, reply.status);
    reply_free(&reply);
    goes_on(&s);
    end(&s);
}

static void disconnect_with_the_last_call(void)
{
    struct stream s;
    begin(&s, "GET", "HTTP/1.1");
    set_header(&s.response, HttpHeaderContentLength, "4");
    start(&s, MORE);
    more(&s, DISCONNECT, "last");
    client_expect_body(&s.client, 200, "last");
    client_expect_end(&s.client);
    end(&s);
}

static void bad_arguments(void)
{
    struct stream s;
    begin(&s, "GET", "HTTP/1.1");
    start(&s, MORE);
    const HANDLE queue = s.server.queue;
    HTTP_DATA_CHUNK chunk;
    make_memory_chunk(&chunk, "x", 1);
    CHECK_CODE(ERROR_INVALID_HANDLE, send_body(NULL, s.id, MORE, "x", NULL));
    CHECK_CODE(ERROR_CONNECTION_INVALID, send_body(queue, 0xDEADDEAD, MORE, "x", NULL));
    CHECK_CODE(ERROR_INVALID_PARAMETER, send_body(queue, s.id, MORE | DISCONNECT, "x", NULL));
    CHECK_CODE(ERROR_INVALID_PARAMETER,
               HttpSendResponseEntityBody(queue, s.id, MORE, 1, NULL, NULL, NULL, 0, NULL, NULL));
    CHECK_CODE(ERROR_INVALID_PARAMETER,
               HttpSendResponseEntityBody(queue, s.id, MORE, HTTP_MAX_ENTITY_CHUNKS + 1, &chunk,
                                          NULL, NULL, 0, NULL, NULL));
    chunk.DataChunkType = (HTTP_DATA_CHUNK_TYPE)99;
    CHECK_CODE(ERROR_INVALID_PARAMETER,
               HttpSendResponseEntityBody(queue, s.id, MORE, 1, &chunk, NULL, NULL, 0, NULL, NULL));
    more(&s, 0, "fine");
    client_expect_body(&s.client, 200, "fine");
    end(&s);
}

static void a_body_before_its_head_is_refused(void)
{
    struct stream s;
    begin(&s, "GET", "HTTP/1.1");
    CHECK_FAILS(send_body(s.server.queue, s.id, MORE, "too early", NULL));
    CHECK_CODE(NO_ERROR, answer(s.server.queue, s.id, 200, "good"));
    client_expect_body(&s.client, 200, "good");
    end(&s);
}

static void a_second_head_is_refused(void)
{
    struct stream s;
    begin(&s, "GET", "HTTP/1.1");
    start(&s, MORE);
    CHECK_FAILS(send_response(s.server.queue, s.id, 0, &s.response, NULL));
    more(&s, 0, "one head");
    client_expect_body(&s.client, 200, "one head");
    goes_on(&s);
    end(&s);
}

static void the_counts_add_up_to_the_wire(void)
{
    struct stream s;
    struct reply reply;
    ULONG first = 0, second = 0, third = 0;
    begin(&s, "GET", "HTTP/1.1");
    CHECK_CODE(NO_ERROR, send_response(s.server.queue, s.id, MORE, &s.response, &first));
    CHECK_CODE(NO_ERROR, send_body(s.server.queue, s.id, MORE, "some text", &second));
    CHECK_CODE(NO_ERROR, send_body(s.server.queue, s.id, 0, NULL, &third));
    client_read(&s.client, &reply, false);
    CHECK_UINT(reply.wire_length, (uint64_t)first + second + third);
    reply_free(&reply);
    end(&s);
}

static void files_may_be_streamed(void)
{
    struct stream s;
    HTTP_DATA_CHUNK chunk;
    const HANDLE file = shim_file("file bytes", 10);
    begin(&s, "GET", "HTTP/1.1");
    start(&s, MORE);
    more(&s, MORE, "<");
    memset(&chunk, 0, sizeof chunk);
    chunk.DataChunkType = HttpDataChunkFromFileHandle;
    chunk.FromFileHandle.ByteRange.Length.QuadPart = HTTP_BYTE_RANGE_TO_EOF;
    chunk.FromFileHandle.FileHandle = file;
    CHECK_CODE(NO_ERROR, HttpSendResponseEntityBody(s.server.queue, s.id, MORE, 1, &chunk, NULL,
                                                    NULL, 0, NULL, NULL));
    more(&s, 0, ">");
    client_expect_body(&s.client, 200, "<file bytes>");
    shim_file_close(file);
    goes_on(&s);
    end(&s);
}

enum { PIECE = 1 << 20, PIECES_MAX = 60 };

/* A client that does not read holds the sender back: within 60 MiB a send must not complete. */
static void a_slow_client_holds_the_sender_back(void)
{
    struct stream s;
    struct pending pending;
    struct reply reply;
    HTTP_DATA_CHUNK chunk;
    char *piece = malloc(PIECE);
    size_t sent = 0;
    CHECK(piece != NULL);
    memset(piece, 'p', PIECE);
    make_memory_chunk(&chunk, piece, PIECE);
    begin(&s, "GET", "HTTP/1.1");
    start(&s, MORE);
    pending_open(&pending);
    bool held = false;
    while (!held && sent < (size_t)PIECES_MAX * PIECE) {
        pending_reset(&pending);
        const ULONG code = HttpSendResponseEntityBody(s.server.queue, s.id, MORE, 1, &chunk, NULL,
                                                      NULL, 0, &pending.overlapped, NULL);
        CHECK_CODE_OF(NO_ERROR, ERROR_IO_PENDING, code);
        held = !pending_done(&pending, 300);
        sent += PIECE;
    }
    CHECK(held);
    CHECK_CODE(ERROR_BAD_COMMAND, send_body(s.server.queue, s.id, MORE, "x", NULL));
    while (!pending_done(&pending, 0)) { /* reading lets it complete */
        char buffer[65536];
        size_t count = 0;
        CHECK_UINT(SHIM_BYTES,
                   shim_receive(s.client.socket, buffer, sizeof buffer, CONTRACT_WAIT_MS, &count));
        char *bytes = realloc(s.client.bytes, s.client.length + count + 1);
        CHECK(bytes != NULL);
        memcpy(bytes + s.client.length, buffer, count);
        s.client.bytes = bytes;
        s.client.length += count;
        s.client.capacity = s.client.length + 1;
        s.client.bytes[s.client.length] = 0;
    }
    CHECK_UINT(NO_ERROR, pending_wait(&pending, s.server.queue, NULL));
    pending_reset(&pending);
    const ULONG code = HttpSendResponseEntityBody(s.server.queue, s.id, 0, 0, NULL, NULL, NULL, 0,
                                                  &pending.overlapped, NULL);
    CHECK_CODE_OF(NO_ERROR, ERROR_IO_PENDING, code);
    client_read(&s.client, &reply, false);
    CHECK_UINT(sent, reply.body_length);
    reply_free(&reply);
    pending_close(&pending);
    free(piece);
    end(&s);
}

static void a_client_that_goes_ends_the_stream(void)
{
    struct stream s;
    begin(&s, "GET", "HTTP/1.1");
    start(&s, MORE);
    more(&s, MORE, "beginning");
    client_reset(&s.client);
    ULONG code = NO_ERROR;
    for (int i = 0; i < 10000 && code == NO_ERROR; i++) {
        code = send_body(s.server.queue, s.id, MORE, "is anybody there?", NULL);
        shim_pause();
    }
    CHECK(code == ERROR_CONNECTION_INVALID || code == ERROR_NETNAME_DELETED ||
          code == ERROR_CONNECTION_ABORTED);
    server_close(&s.server);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CASE(with_a_length),
        CASE_NOT_ON(PROVIDER_WINE, WINE_SKIPS, the_head_goes_out_before_the_end),
        CASE_NOT_ON(PROVIDER_HTTPSYS, FRAMES_ITSELF, without_a_length_it_is_chunked),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, FRAMES_ITSELF, the_flag_asks_for_chunks),
        CASE_NOT_ON(PROVIDER_HTTPSYS, FRAMES_ITSELF, an_empty_last_call_ends_it),
        CASE_NOT_ON(PROVIDER_HTTPSYS, FRAMES_ITSELF, an_empty_stream),
        CASE_NOT_ON(PROVIDER_HTTPSYS, FRAMES_ITSELF, an_empty_piece_does_not_end_it),
        CASE(the_callers_own_chunks_go_out_as_they_are),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, FRAMES_ITSELF,
                    version_1_0_gets_it_up_to_the_close),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "the application's job there",
                    a_streamed_head_has_no_body),
        CASE_NOT_ON(PROVIDER_WINE, WINE_SKIPS, disconnect_with_the_last_call),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, FRAMES_ITSELF, bad_arguments),
        CASE_NOT_ON(PROVIDER_WINE, WINE_SKIPS, a_body_before_its_head_is_refused),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, FRAMES_ITSELF, a_second_head_is_refused),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, FRAMES_ITSELF, the_counts_add_up_to_the_wire),
        CASE_NOT_ON(PROVIDER_HTTPSYS, FRAMES_ITSELF, files_may_be_streamed),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, FRAMES_ITSELF,
                    a_slow_client_holds_the_sender_back),
        CASE(a_client_that_goes_ends_the_stream),
    };
    return contract_main(cases, COUNT_OF(cases), argc, argv);
}
