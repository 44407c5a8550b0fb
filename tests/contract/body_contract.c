/* Request bodies: copied with the request, read afterwards, chunked, and 100-continue.
 * ctest-timeout: 180 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/client.h"
#include "contract/contract.h"

#define WINE_WANTS_ALL "a request is delivered with its whole body there"
#define WINE_NO_CHUNKS "chunked uploads are not understood there"

enum { COPY = HTTP_RECEIVE_REQUEST_FLAG_COPY_BODY };

static void post(struct client *client, const char *body)
{
    client_send(client, "POST / HTTP/1.1\r\nHost: localhost:%u\r\nContent-Length: %zu\r\n\r\n%s",
                (unsigned)client->port, strlen(body), body);
}

static void finish(const struct server *server, HTTP_REQUEST_ID id, struct client *client)
{
    CHECK_CODE(NO_ERROR, answer(server->queue, id, 200, "done"));
    client_expect_body(client, 200, "done");
    client_close(client);
}

static void headers_alone_announce_the_body(void)
{
    struct server server;
    struct received received;
    struct client client;
    char body[16];
    server_start(&server);
    client_open(&client, server.port);
    post(&client, "hello");
    CHECK_CODE(NO_ERROR, receive(server.queue, 0, &received));
    CHECK_UINT(HTTP_REQUEST_FLAG_MORE_ENTITY_BODY_EXISTS, received.request.Flags);
    CHECK(received.request.EntityChunkCount == 0 && received.request.pEntityChunks == NULL);
    const size_t length =
        read_whole_body(server.queue, received.request.RequestId, body, sizeof body);
    CHECK_TEXT("hello", body, length);
    finish(&server, received.request.RequestId, &client);
    server_close(&server);
}

/* Copies with a buffer of `size` bytes. */
static void receive_copy(const struct server *server, ULONG size, struct received *received)
{
    memset(received, 0xA5, sizeof *received);
    CHECK_CODE(NO_ERROR, HttpReceiveHttpRequest(server->queue, HTTP_NULL_ID, COPY,
                                                &received->request, size, &received->count, NULL));
}

static void a_copied_body_is_one_chunk(void)
{
    struct server server;
    struct received received;
    struct client client;
    char byte = 0;
    ULONG count = 77;
    server_start(&server);
    client_open(&client, server.port);
    post(&client, "twenty bytes of body");
    receive_copy(&server, sizeof received.bytes, &received);
    CHECK_UINT(0, received.request.Flags & HTTP_REQUEST_FLAG_MORE_ENTITY_BODY_EXISTS);
    CHECK_UINT(1, received.request.EntityChunkCount);
    const HTTP_DATA_CHUNK *chunk = received.request.pEntityChunks;
    CHECK_UINT(HttpDataChunkFromMemory, chunk->DataChunkType);
    CHECK_TEXT("twenty bytes of body", (const char *)chunk->FromMemory.pBuffer,
               chunk->FromMemory.BufferLength);
    const uintptr_t at = (uintptr_t)chunk->FromMemory.pBuffer, begin = (uintptr_t)received.bytes;
    CHECK(at > begin && at + 20 <= begin + sizeof received.bytes);
    const HTTP_REQUEST_ID id = received.request.RequestId;
    CHECK_CODE(ERROR_HANDLE_EOF, read_body(server.queue, id, 0, &byte, 1, &count));
    CHECK_UINT(0, count);
    finish(&server, id, &client);
    server_close(&server);
}

static void a_cut_copy_fills_the_buffer(void)
{
    struct server server;
    struct received received;
    struct client client;
    char body[2001], back[2001];
    for (size_t i = 0; i < 2000; i++) {
        body[i] = (char)('a' + i % 26);
    }
    body[2000] = 0;
    server_start(&server);
    client_open(&client, server.port);
    post(&client, body);
    const ULONG size = sizeof(HTTP_REQUEST) + 1200;
    receive_copy(&server, size, &received);
    CHECK_UINT(HTTP_REQUEST_FLAG_MORE_ENTITY_BODY_EXISTS, received.request.Flags);
    CHECK_UINT(1, received.request.EntityChunkCount);
    const HTTP_DATA_CHUNK *chunk = received.request.pEntityChunks;
    const size_t copied = chunk->FromMemory.BufferLength;
    CHECK(copied > 0 && copied < 2000);
    CHECK((uintptr_t)chunk->FromMemory.pBuffer + copied == (uintptr_t)received.bytes + size);
    memcpy(back, chunk->FromMemory.pBuffer, copied);
    const size_t rest =
        read_whole_body(server.queue, received.request.RequestId, back + copied, 2000 - copied);
    CHECK_TEXT(body, back, copied + rest);
    finish(&server, received.request.RequestId, &client);
    server_close(&server);
}

static void copying_takes_what_is_there(void)
{
    struct server server;
    struct received received;
    struct client client;
    char back[16];
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "POST", "/", "Content-Length: 6\r\n");
    receive_copy(&server, sizeof received.bytes, &received);
    CHECK_UINT(HTTP_REQUEST_FLAG_MORE_ENTITY_BODY_EXISTS, received.request.Flags);
    CHECK_UINT(0, received.request.EntityChunkCount);
    client_send(&client, "later!");
    const size_t length =
        read_whole_body(server.queue, received.request.RequestId, back, sizeof back);
    CHECK_TEXT("later!", back, length);
    finish(&server, received.request.RequestId, &client);
    server_close(&server);
}

static void no_body_reads_as_end(void)
{
    struct server server;
    struct received received;
    struct client client;
    char byte = 0;
    ULONG count = 77;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "GET", "/", "");
    CHECK_CODE(NO_ERROR, receive(server.queue, COPY, &received));
    CHECK(received.request.EntityChunkCount == 0 && received.request.pEntityChunks == NULL);
    const HTTP_REQUEST_ID id = received.request.RequestId;
    CHECK_CODE(ERROR_HANDLE_EOF, read_body(server.queue, id, 0, &byte, 1, &count));
    CHECK_CODE(ERROR_HANDLE_EOF, read_body(server.queue, id, 0, &byte, 1, &count));
    finish(&server, id, &client);
    client_open(&client, server.port);
    post(&client, "");
    CHECK_CODE(NO_ERROR, receive(server.queue, 0, &received));
    CHECK_UINT(0, received.request.Flags);
    CHECK_CODE(ERROR_HANDLE_EOF,
               read_body(server.queue, received.request.RequestId, 0, &byte, 1, &count));
    finish(&server, received.request.RequestId, &client);
    server_close(&server);
}

static void arguments_of_a_read(void)
{
    struct server server;
    struct received received;
    struct client client;
    char buffer[8];
    ULONG count = 0;
    server_start(&server);
    client_open(&client, server.port);
    post(&client, "body");
    CHECK_CODE(NO_ERROR, receive(server.queue, 0, &received));
    const HTTP_REQUEST_ID id = received.request.RequestId;
    CHECK_CODE(ERROR_INVALID_HANDLE, read_body(NULL, id, 0, buffer, sizeof buffer, &count));
    CHECK_CODE(ERROR_CONNECTION_INVALID,
               read_body(server.queue, HTTP_NULL_ID, 0, buffer, sizeof buffer, &count));
    CHECK_CODE(ERROR_CONNECTION_INVALID,
               read_body(server.queue, 0xDEADDEAD, 0, buffer, sizeof buffer, &count));
    CHECK_CODE(ERROR_INVALID_PARAMETER, read_body(server.queue, id, 0, NULL, 8, &count));
    CHECK_CODE(ERROR_INVALID_PARAMETER, read_body(server.queue, id, 0x80, buffer, 8, &count));
    CHECK_CODE(NO_ERROR, HttpReceiveRequestEntityBody(server.queue, id, 0, buffer, sizeof buffer,
                                                      NULL, NULL)); /* the count may be left out */
    CHECK(memcmp(buffer, "body", 4) == 0);
    CHECK_CODE(NO_ERROR, answer(server.queue, id, 200, "x"));
    CHECK_CODE(ERROR_CONNECTION_INVALID,
               read_body(server.queue, id, 0, buffer, sizeof buffer, &count));
    client_expect(&client, 200);
    client_close(&client);
    server_close(&server);
}

static void a_read_waits_for_a_byte(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    struct client client;
    char buffer[64];
    ULONG count = 0;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "POST", "/", "Content-Length: 9\r\n");
    CHECK_CODE(NO_ERROR, receive(server.queue, 0, &received));
    const HTTP_REQUEST_ID id = received.request.RequestId;
    pending_open(&pending);
    CHECK_CODE(ERROR_IO_PENDING,
               HttpReceiveRequestEntityBody(server.queue, id, 0, buffer, sizeof buffer, NULL,
                                            &pending.overlapped));
    client_send(&client, "four");
    CHECK_UINT(NO_ERROR, pending_wait(&pending, server.queue, &count));
    CHECK(count >= 1 && count <= 4 && memcmp(buffer, "four", count) == 0);
    client_send(&client, "-more");
    size_t length = count;
    length += read_whole_body(server.queue, id, buffer + length, sizeof buffer - length);
    CHECK_TEXT("four-more", buffer, length);
    pending_close(&pending);
    finish(&server, id, &client);
    server_close(&server);
}

static void fill_buffer_waits_for_all(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    struct client client;
    char buffer[16];
    ULONG count = 0;
    const ULONG fill = HTTP_RECEIVE_REQUEST_ENTITY_BODY_FLAG_FILL_BUFFER;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "POST", "/", "Content-Length: 14\r\n");
    CHECK_CODE(NO_ERROR, receive(server.queue, 0, &received));
    const HTTP_REQUEST_ID id = received.request.RequestId;
    pending_open(&pending);
    CHECK_CODE(ERROR_IO_PENDING, HttpReceiveRequestEntityBody(server.queue, id, fill, buffer, 10,
                                                              NULL, &pending.overlapped));
    client_send(&client, "abcd");
    CHECK(!pending_done(&pending, 100));
    client_send(&client, "efghij");
    CHECK_UINT(NO_ERROR, pending_wait(&pending, server.queue, &count));
    CHECK_TEXT("abcdefghij", buffer, count);
    client_send(&client, "klmn");
    CHECK_CODE(NO_ERROR, read_body(server.queue, id, fill, buffer, 10, &count));
    CHECK_TEXT("klmn", buffer, count); /* the body ends before the buffer */
    CHECK_CODE(ERROR_HANDLE_EOF, read_body(server.queue, id, fill, buffer, 10, &count));
    pending_close(&pending);
    finish(&server, id, &client);
    server_close(&server);
}

static void chunks_are_taken_apart(void)
{
    struct server server;
    struct received received;
    struct client client;
    char body[64];
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "POST", "/", "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n");
    client_send(&client, "5\r\nhello\r\n1;name=value\r\n \r\n0A\r\n0123456789\r\n0\r\nX-Sum: 3\r\n"
                         "\r\n");
    CHECK_CODE(NO_ERROR, receive(server.queue, 0, &received));
    CHECK_UINT(HTTP_REQUEST_FLAG_MORE_ENTITY_BODY_EXISTS, received.request.Flags);
    const HTTP_REQUEST_ID id = received.request.RequestId;
    const size_t length = read_whole_body(server.queue, id, body, sizeof body);
    CHECK_TEXT("hello 0123456789", body, length);
    CHECK_CODE(NO_ERROR, answer(server.queue, id, 200, "done"));
    client_expect(&client, 200);
    client_request(&client, "GET", "/next", ""); /* the trailers are consumed, too */
    expect(&server, "/next", &received);
    finish(&server, received.request.RequestId, &client);
    server_close(&server);
}

static void chunks_in_small_pieces(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    struct client client;
    static const char wire[] = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    char body[16], piece[8];
    size_t length = 0, sent = 0;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "PUT", "/", "Transfer-Encoding: chunked\r\n");
    CHECK_CODE(NO_ERROR, receive(server.queue, 0, &received));
    const HTTP_REQUEST_ID id = received.request.RequestId;
    pending_open(&pending);
    for (;;) { /* one byte at a time, whenever the read waits */
        ULONG count = 0;
        pending_reset(&pending);
        ULONG code = HttpReceiveRequestEntityBody(server.queue, id, 0, piece, sizeof piece, NULL,
                                                  &pending.overlapped);
        if (code == NO_ERROR || code == ERROR_IO_PENDING) {
            while (sent < sizeof wire - 1 && !pending_done(&pending, 5)) {
                client_send_bytes(&client, wire + sent++, 1);
            }
            code = pending_wait(&pending, server.queue, &count);
        }
        if (code == ERROR_HANDLE_EOF) {
            break;
        }
        CHECK_CODE(NO_ERROR, code);
        CHECK(count > 0 && length + count <= sizeof body);
        memcpy(body + length, piece, count);
        length += count;
    }
    CHECK_TEXT("abcde", body, length);
    pending_close(&pending);
    finish(&server, id, &client);
    server_close(&server);
}

static void a_chunked_body_may_be_copied(void)
{
    struct server server;
    struct received received;
    struct client client;
    server_start(&server);
    client_open(&client, server.port);
    client_send(&client,
                "POST / HTTP/1.1\r\nHost: localhost:%u\r\nTransfer-Encoding: Chunked\r\n\r\n"
                "4\r\nwhol\r\n1\r\ne\r\n0\r\n\r\n",
                (unsigned)server.port);
    receive_copy(&server, sizeof received.bytes, &received);
    CHECK_UINT(1, received.request.EntityChunkCount);
    const HTTP_DATA_CHUNK *chunk = received.request.pEntityChunks;
    CHECK_TEXT("whole", (const char *)chunk->FromMemory.pBuffer, chunk->FromMemory.BufferLength);
    finish(&server, received.request.RequestId, &client);
    server_close(&server);
}

static void a_broken_chunk_fails_the_read(void)
{
    struct server server;
    struct received received;
    struct client client;
    char buffer[64];
    ULONG count = 0;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "POST", "/", "Transfer-Encoding: chunked\r\n");
    expect(&server, "/", &received);
    client_send(&client, "5\r\nhello\r\nzz\r\n");
    ULONG code = NO_ERROR;
    while (code == NO_ERROR) {
        code =
            read_body(server.queue, received.request.RequestId, 0, buffer, sizeof buffer, &count);
    }
    CHECK(code != ERROR_HANDLE_EOF);
    size_t length = 0;
    char *all = client_read_all(&client, &length);
    CHECK(length == 0 || memcmp(all, "HTTP/1.1 400", 12) == 0);
    free(all);
    client_close(&client);
    server_close(&server);
}

static void a_client_that_goes_fails_the_read(void)
{
    struct server server;
    struct received received;
    struct client client;
    char buffer[64];
    ULONG count = 0;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "POST", "/", "Content-Length: 100\r\n");
    client_send(&client, "half");
    expect(&server, "/", &received);
    client_close(&client);
    ULONG code = NO_ERROR;
    while (code == NO_ERROR) {
        code =
            read_body(server.queue, received.request.RequestId, 0, buffer, sizeof buffer, &count);
    }
    CHECK(code != ERROR_HANDLE_EOF);
    server_close(&server);
}

struct upload {
    struct client *client;
    char *bytes;
    size_t length;
};

static void send_upload(void *context)
{
    struct upload *upload = context;
    client_send_bytes(upload->client, upload->bytes, upload->length);
}

static void a_large_body_streams(void)
{
    struct server server;
    struct received received;
    struct client client;
    const size_t size = 3 << 20;
    struct upload upload = {&client, malloc(size), size};
    char *back = malloc(size);
    char more[64];
    CHECK(upload.bytes != NULL && back != NULL);
    for (size_t i = 0; i < size; i++) {
        upload.bytes[i] = (char)(i * 31 + i / 4096);
    }
    snprintf(more, sizeof more, "Content-Length: %zu\r\n", size);
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "PUT", "/", more);
    struct shim_thread *thread = shim_thread_start(send_upload, &upload);
    expect(&server, "/", &received);
    CHECK_UINT(size, read_whole_body(server.queue, received.request.RequestId, back, size));
    CHECK(memcmp(upload.bytes, back, size) == 0);
    shim_thread_join(thread);
    finish(&server, received.request.RequestId, &client);
    free(upload.bytes);
    free(back);
    server_close(&server);
}

static void continue_comes_with_the_first_read(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    struct client client;
    struct reply reply;
    char buffer[16];
    ULONG count = 0;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "POST", "/", "Content-Length: 4\r\nExpect: 100-continue\r\n");
    expect(&server, "/", &received);
    CHECK(client_is_silent(&client, 50)); /* not with the delivery of the head */
    const HTTP_REQUEST_ID id = received.request.RequestId;
    pending_open(&pending);
    CHECK_CODE(ERROR_IO_PENDING,
               HttpReceiveRequestEntityBody(server.queue, id, 0, buffer, sizeof buffer, NULL,
                                            &pending.overlapped));
    client_read(&client, &reply, false);
    CHECK_UINT(100, reply.status);
    reply_free(&reply);
    client_send(&client, "body");
    CHECK_UINT(NO_ERROR, pending_wait(&pending, server.queue, &count));
    CHECK_TEXT("body", buffer, count);
    pending_close(&pending);
    finish(&server, id, &client);
    server_close(&server);
}

static void an_answer_without_reading_suppresses_continue(void)
{
    struct server server;
    struct received received;
    struct client client;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "POST", "/", "Content-Length: 4\r\nExpect: 100-continue\r\n");
    expect(&server, "/", &received);
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 403, "no"));
    client_expect_body(&client, 403, "no"); /* the first and only thing that comes */
    client_close(&client);
    server_close(&server);
}

static void a_body_that_came_along_needs_no_continue(void)
{
    struct server server;
    struct received received;
    struct client client;
    char body[16];
    server_start(&server);
    client_open(&client, server.port);
    client_send(&client,
                "POST / HTTP/1.1\r\nHost: localhost:%u\r\nContent-Length: 4\r\n"
                "Expect: 100-continue\r\n\r\nbody",
                (unsigned)server.port);
    expect(&server, "/", &received);
    const HTTP_REQUEST_ID id = received.request.RequestId;
    CHECK_TEXT("body", body, read_whole_body(server.queue, id, body, sizeof body));
    CHECK_CODE(NO_ERROR, answer(server.queue, id, 200, "done"));
    struct reply reply;
    client_read(&client, &reply, false);
    if (reply.status == 100) { /* allowed (RFC 9110 10.1.1), not needed */
        reply_free(&reply);
        client_read(&client, &reply, false);
    }
    CHECK_UINT(200, reply.status);
    reply_free(&reply);
    client_close(&client);
    server_close(&server);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CASE(headers_alone_announce_the_body),
        CASE(a_copied_body_is_one_chunk),
        CASE(a_cut_copy_fills_the_buffer),
        CASE_NOT_ON(PROVIDER_WINE, WINE_WANTS_ALL, copying_takes_what_is_there),
        CASE(no_body_reads_as_end),
        CASE_NOT_ON(PROVIDER_WINE, "arguments are looked at in part", arguments_of_a_read),
        CASE_NOT_ON(PROVIDER_WINE, WINE_WANTS_ALL, a_read_waits_for_a_byte),
        CASE_NOT_ON(PROVIDER_WINE, WINE_WANTS_ALL, fill_buffer_waits_for_all),
        CASE_NOT_ON(PROVIDER_WINE, WINE_NO_CHUNKS, chunks_are_taken_apart),
        CASE_NOT_ON(PROVIDER_WINE, WINE_NO_CHUNKS, chunks_in_small_pieces),
        CASE_NOT_ON(PROVIDER_WINE, WINE_NO_CHUNKS, a_chunked_body_may_be_copied),
        CASE_NOT_ON(PROVIDER_WINE, WINE_NO_CHUNKS, a_broken_chunk_fails_the_read),
        CASE_NOT_ON(PROVIDER_WINE, WINE_WANTS_ALL, a_client_that_goes_fails_the_read),
        CASE_NOT_ON(PROVIDER_WINE, WINE_WANTS_ALL, a_large_body_streams),
        CASE_NOT_ON(PROVIDER_WINE, "no interim answer there", continue_comes_with_the_first_read),
        CASE_NOT_ON(PROVIDER_WINE, "no interim answer there",
                    an_answer_without_reading_suppresses_continue),
        CASE(a_body_that_came_along_needs_no_continue),
    };
    return contract_main(cases, COUNT_OF(cases), argc, argv);
}
