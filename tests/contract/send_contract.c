/* HttpSendHttpResponse: what stands on the wire for an answer given in one call.
 * ctest-timeout: 180 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/client.h"
#include "contract/contract.h"

#define WINE_SENDS_PLAINLY "flags, file chunks and header rules are ignored there"

/* A server, a client, and one delivered GET. */
struct exchange {
    struct server server;
    struct client client;
    struct received received;
    HTTP_REQUEST_ID id;
    HTTP_RESPONSE response;
    HTTP_DATA_CHUNK chunk;
};

static void ask(struct exchange *x, const char *method)
{
    client_request(&x->client, method, "/", "");
    expect(&x->server, "/", &x->received);
    x->id = x->received.request.RequestId;
}

static void begin(struct exchange *x, const char *method)
{
    server_start(&x->server);
    client_open(&x->client, x->server.port);
    ask(x, method);
}

static void end(struct exchange *x)
{
    client_close(&x->client);
    server_close(&x->server);
}

static void send_it(struct exchange *x, ULONG flags)
{
    CHECK_CODE(NO_ERROR, send_response(x->server.queue, x->id, flags, &x->response, NULL));
}

static void a_plain_answer(void)
{
    struct exchange x;
    struct reply reply;
    char value[64];
    ULONG sent = 0;
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 200, "hello");
    set_header(&x.response, HttpHeaderContentType, "text/plain");
    CHECK_CODE(NO_ERROR, send_response(x.server.queue, x.id, 0, &x.response, &sent));
    client_read(&x.client, &reply, false);
    CHECK_UINT(200, reply.status);
    CHECK(memcmp(reply.head, "HTTP/1.1 200 OK\r\n", 17) == 0);
    CHECK_TEXT("hello", reply.body, reply.body_length);
    CHECK(reply_header(&reply, "Content-Length", value, sizeof value));
    CHECK_TEXT("5", value, strlen(value));
    CHECK(reply_header(&reply, "Content-Type", value, sizeof value));
    CHECK_TEXT("text/plain", value, strlen(value));
    CHECK(reply_header(&reply, "Date", value, sizeof value));
    CHECK_UINT(29, strlen(value)); /* IMF-fixdate */
    CHECK(strcmp(value + 25, " GMT") == 0);
    CHECK_UINT(reply.wire_length, sent);
    reply_free(&reply);
    end(&x);
}

static void status_and_reason_go_out_as_given(void)
{
    struct exchange x;
    struct reply reply;
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 418, "short and stout");
    x.response.pReason = "I'm a teapot, indeed";
    x.response.ReasonLength = 20;
    send_it(&x, 0);
    client_read(&x.client, &reply, false);
    CHECK(memcmp(reply.head, "HTTP/1.1 418 I'm a teapot, indeed\r\n", 35) == 0);
    reply_free(&reply);
    end(&x);
}

/* One of the answers of the next test. */
struct beginning {
    USHORT status;
    const char *reason, *type, *language; /* type and language: headers, or NULL */
};

static void check_beginning(struct exchange *x, const struct beginning *b)
{
    struct reply reply;
    char line[64], value[64];
    make_response(&x->response, &x->chunk, b->status, "x");
    x->response.pReason = b->reason;
    x->response.ReasonLength = (USHORT)strlen(b->reason);
    if (b->type != NULL) {
        set_header(&x->response, HttpHeaderContentType, b->type);
    }
    if (b->language != NULL) {
        set_header(&x->response, HttpHeaderContentLanguage, b->language);
    }
    send_it(x, 0);
    client_read(&x->client, &reply, false);
    int n = snprintf(line, sizeof line, "HTTP/1.1 %d %s\r\n", b->status, b->reason);
    CHECK(memcmp(reply.head, line, (size_t)n) == 0);
    CHECK(reply_header(&reply, "Content-Type", value, sizeof value) == (b->type != NULL));
    CHECK(b->type == NULL || strcmp(b->type, value) == 0);
    CHECK(reply_header(&reply, "Content-Language", value, sizeof value) == (b->language != NULL));
    CHECK_TEXT("x", reply.body, reply.body_length);
    reply_free(&reply);
}

/* Answers that begin alike, and nearly alike, one after the other on one connection. */
static void each_answer_begins_as_given(void)
{
    static const struct beginning list[] = {
        {200, "OK", "text/plain", NULL},   {200, "OK", "text/plain", NULL},
        {200, "Ok", "text/plain", NULL},   {200, "OK", "text/plaid", NULL},
        {201, "OK", "text/plaid", NULL},   {201, "OK", "text/plain; a", NULL},
        {201, "OK", "text/plain", "de"},   {201, "OK", "text/plain", NULL},
        {201, "OK", NULL, NULL},           {201, "OK", NULL, "text/plain"},
        {201, "OKAY", "text/plain", NULL}, {201, "OKAY", "text/plain", NULL},
    };
    struct exchange x;
    begin(&x, "GET");
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        if (i > 0) {
            ask(&x, "GET");
        }
        check_beginning(&x, &list[i]);
    }
    end(&x);
}

static void an_empty_body_has_length_0(void)
{
    struct exchange x;
    struct reply reply;
    char value[64];
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 200, NULL);
    send_it(&x, 0);
    client_read(&x.client, &reply, false);
    CHECK(reply_header(&reply, "Content-Length", value, sizeof value));
    CHECK_TEXT("0", value, strlen(value));
    reply_free(&reply);
    end(&x);
}

static void the_date_of_the_caller_is_replaced(void)
{
    struct exchange x;
    struct reply reply;
    char value[64];
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 200, "x");
    set_header(&x.response, HttpHeaderDate, "Thu, 01 Jan 1970 00:00:00 GMT");
    send_it(&x, 0);
    client_read(&x.client, &reply, false);
    CHECK(reply_header(&reply, "Date", value, sizeof value));
    CHECK(strstr(value, "1970") == NULL);
    CHECK(!reply_header_at(&reply, "Date", 1, value, sizeof value));
    reply_free(&reply);
    end(&x);
}

/* Even a wrong length goes out as it is, and the body is neither cut nor padded. */
static void check_given_length(const char *length)
{
    struct exchange x;
    char line[64];
    size_t bytes = 0;
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 200, "hello");
    set_header(&x.response, HttpHeaderContentLength, length);
    send_it(&x, HTTP_SEND_RESPONSE_FLAG_DISCONNECT);
    char *all = client_read_all(&x.client, &bytes);
    snprintf(line, sizeof line, "\r\nContent-Length: %s\r\n", length);
    CHECK(strstr(all, line) != NULL);
    const char *body = strstr(all, "\r\n\r\n");
    CHECK(body != NULL);
    CHECK_TEXT("hello", body + 4, bytes - (size_t)(body + 4 - all));
    free(all);
    end(&x);
}

static void a_given_length_is_used_as_it_is(void)
{
    check_given_length("5");
    check_given_length("100");
    check_given_length("2");
}

static void chunks_follow_each_other(void)
{
    struct exchange x;
    HTTP_DATA_CHUNK chunks[4];
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 200, NULL);
    make_memory_chunk(&chunks[0], "one ", 4);
    make_memory_chunk(&chunks[1], "", 0);
    make_memory_chunk(&chunks[2], "two ", 4);
    make_memory_chunk(&chunks[3], "three", 5);
    x.response.EntityChunkCount = 4;
    x.response.pEntityChunks = chunks;
    send_it(&x, 0);
    client_expect_body(&x.client, 200, "one two three");
    end(&x);
}

static void unknown_headers_follow_known_ones(void)
{
    struct exchange x;
    struct reply reply;
    HTTP_UNKNOWN_HEADER own[2];
    char value[64];
    memset(own, 0, sizeof own);
    own[0].pName = "X-One";
    own[0].NameLength = 5;
    own[0].pRawValue = "1";
    own[0].RawValueLength = 1;
    own[1].pName = "X-Empty";
    own[1].NameLength = 7;
    own[1].pRawValue = "";
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 200, "x");
    set_header(&x.response, HttpHeaderEtag, "\"tag\"");
    set_header(&x.response, HttpHeaderCacheControl, "no-store");
    x.response.Headers.UnknownHeaderCount = 2;
    x.response.Headers.pUnknownHeaders = own;
    send_it(&x, 0);
    client_read(&x.client, &reply, false);
    CHECK(reply_header(&reply, "X-One", value, sizeof value));
    CHECK_TEXT("1", value, strlen(value));
    CHECK(reply_has_header(&reply, "X-Empty"));
    const char *first = strstr(reply.head, "Cache-Control: no-store\r\n");
    const char *second = strstr(reply.head, "ETag: \"tag\"\r\n");
    const char *third = strstr(reply.head, "X-One: 1\r\n");
    CHECK(first != NULL && second != NULL && third != NULL && first < second && second < third);
    reply_free(&reply);
    end(&x);
}

static void one_known_header_with_several_values(void)
{
    struct exchange x;
    struct reply reply;
    HTTP_KNOWN_HEADER cookies[3] = {{3, "a=1"}, {3, "b=2"}, {3, "c=3"}};
    HTTP_MULTIPLE_KNOWN_HEADERS several;
    HTTP_RESPONSE_INFO info;
    char value[64];
    memset(&several, 0, sizeof several);
    memset(&info, 0, sizeof info);
    several.HeaderId = HttpHeaderSetCookie;
    several.KnownHeaderCount = 3;
    several.KnownHeaders = cookies;
    info.Type = HttpResponseInfoTypeMultipleKnownHeaders;
    info.Length = sizeof several;
    info.pInfo = &several;
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 200, "x");
    x.response.ResponseInfoCount = 1;
    x.response.pResponseInfo = &info;
    send_it(&x, 0);
    client_read(&x.client, &reply, false);
    for (unsigned i = 0; i < 3; i++) {
        CHECK(reply_header_at(&reply, "Set-Cookie", i, value, sizeof value));
        CHECK_TEXT(cookies[i].pRawValue, value, strlen(value));
    }
    CHECK(!reply_header_at(&reply, "Set-Cookie", 3, value, sizeof value));
    reply_free(&reply);
    end(&x);
}

static void header_injection_is_refused(void)
{
    struct exchange x;
    HTTP_UNKNOWN_HEADER own = {6, 1, "X-A\r\nB", "1"};
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 200, "x");
    set_header(&x.response, HttpHeaderLocation, "/\r\nSet-Cookie: stolen");
    CHECK_CODE(ERROR_INVALID_PARAMETER, send_response(x.server.queue, x.id, 0, &x.response, NULL));
    make_response(&x.response, &x.chunk, 200, "x");
    x.response.Headers.UnknownHeaderCount = 1;
    x.response.Headers.pUnknownHeaders = &own;
    CHECK_CODE(ERROR_INVALID_PARAMETER, send_response(x.server.queue, x.id, 0, &x.response, NULL));
    make_response(&x.response, &x.chunk, 200, "x");
    x.response.pReason = "OK\r\nX: y";
    x.response.ReasonLength = 8;
    CHECK_CODE(ERROR_INVALID_PARAMETER, send_response(x.server.queue, x.id, 0, &x.response, NULL));
    make_response(&x.response, &x.chunk, 200, "fine");
    send_it(&x, 0); /* it can still be answered, and nothing of the above went out */
    client_expect_body(&x.client, 200, "fine");
    end(&x);
}

static void bad_arguments(void)
{
    struct exchange x;
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 200, "x");
    const HANDLE queue = x.server.queue;
    CHECK_CODE(ERROR_INVALID_HANDLE, send_response(NULL, x.id, 0, &x.response, NULL));
    CHECK_CODE(ERROR_CONNECTION_INVALID, send_response(queue, 0xDEADDEAD, 0, &x.response, NULL));
    CHECK_CODE(ERROR_CONNECTION_INVALID, send_response(queue, HTTP_NULL_ID, 0, &x.response, NULL));
    CHECK_CODE(ERROR_INVALID_PARAMETER, send_response(queue, x.id, 0, NULL, NULL));
    CHECK_CODE(ERROR_INVALID_PARAMETER,
               send_response(queue, x.id,
                             HTTP_SEND_RESPONSE_FLAG_DISCONNECT | HTTP_SEND_RESPONSE_FLAG_MORE_DATA,
                             &x.response, NULL));
    CHECK_CODE(ERROR_INVALID_PARAMETER,
               send_response(queue, x.id, HTTP_SEND_RESPONSE_FLAG_OPAQUE, &x.response, NULL));
    x.response.pEntityChunks = NULL;
    CHECK_CODE(ERROR_INVALID_PARAMETER, send_response(queue, x.id, 0, &x.response, NULL));
    make_response(&x.response, &x.chunk, 200, "good");
    send_it(&x, 0);
    client_expect_body(&x.client, 200, "good");
    end(&x);
}

static void a_request_is_answered_once(void)
{
    struct exchange x;
    begin(&x, "GET");
    CHECK_CODE(NO_ERROR, answer(x.server.queue, x.id, 200, "first"));
    CHECK_CODE(ERROR_CONNECTION_INVALID, answer(x.server.queue, x.id, 200, "second"));
    CHECK_CODE(ERROR_CONNECTION_INVALID, send_body(x.server.queue, x.id, 0, "third", NULL));
    client_expect_body(&x.client, 200, "first");
    ask(&x, "GET");
    CHECK_CODE(NO_ERROR, answer(x.server.queue, x.id, 200, "next"));
    client_expect_body(&x.client, 200, "next");
    end(&x);
}

static void a_send_may_end_with_an_event(void)
{
    struct exchange x;
    struct pending pending;
    struct reply reply;
    ULONG bytes = 0;
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 200, "by event");
    pending_open(&pending);
    const ULONG code = HttpSendHttpResponse(x.server.queue, x.id, 0, &x.response, NULL, NULL, NULL,
                                            0, &pending.overlapped, NULL);
    CHECK_CODE_OF(NO_ERROR, ERROR_IO_PENDING, code);
    CHECK_UINT(NO_ERROR, pending_wait(&pending, x.server.queue, &bytes));
    client_read(&x.client, &reply, false);
    CHECK_TEXT("by event", reply.body, reply.body_length);
    CHECK_UINT(reply.wire_length, bytes);
    reply_free(&reply);
    pending_close(&pending);
    end(&x);
}

static void disconnect_closes_afterwards(void)
{
    struct exchange x;
    struct reply reply;
    char value[64];
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 200, "bye");
    send_it(&x, HTTP_SEND_RESPONSE_FLAG_DISCONNECT);
    client_read(&x.client, &reply, false);
    CHECK_TEXT("bye", reply.body, reply.body_length);
    CHECK(reply_header(&reply, "Connection", value, sizeof value));
    CHECK_TEXT("close", value, strlen(value));
    reply_free(&reply);
    client_expect_end(&x.client);
    end(&x);
}

static void a_connection_close_header_closes(void)
{
    struct exchange x;
    struct reply reply;
    char value[64];
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 200, "bye");
    set_header(&x.response, HttpHeaderConnection, "close");
    send_it(&x, 0);
    client_read(&x.client, &reply, false);
    CHECK(!reply_header_at(&reply, "Connection", 1, value, sizeof value));
    reply_free(&reply);
    client_expect_end(&x.client);
    end(&x);
}

/* No body bytes go out; the connection goes on, so a stray byte would spoil the next answer. */
static void head_has_no_body(void)
{
    struct exchange x;
    struct reply reply;
    char value[64];
    begin(&x, "HEAD");
    CHECK_UINT(HttpVerbHEAD, x.received.request.Verb);
    CHECK_CODE(NO_ERROR, answer(x.server.queue, x.id, 200, "not sent"));
    client_read(&x.client, &reply, true);
    CHECK_UINT(200, reply.status);
    CHECK(reply_header(&reply, "Content-Length", value, sizeof value));
    CHECK_TEXT("8", value, strlen(value));
    reply_free(&reply);
    ask(&x, "GET");
    CHECK_CODE(NO_ERROR, answer(x.server.queue, x.id, 200, "sent"));
    client_expect_body(&x.client, 200, "sent");
    end(&x);
}

static void status_204_and_304_have_no_body(void)
{
    struct exchange x;
    struct reply reply;
    begin(&x, "GET");
    CHECK_CODE(NO_ERROR, answer(x.server.queue, x.id, 204, "not sent"));
    client_read(&x.client, &reply, false);
    CHECK_UINT(204, reply.status);
    CHECK(!reply_has_header(&reply, "Content-Length")); /* RFC 9110 8.6 */
    CHECK(!reply_has_header(&reply, "Transfer-Encoding"));
    reply_free(&reply);
    ask(&x, "GET");
    CHECK_CODE(NO_ERROR, answer(x.server.queue, x.id, 304, "not sent"));
    client_expect(&x.client, 304);
    ask(&x, "GET");
    CHECK_CODE(NO_ERROR, answer(x.server.queue, x.id, 200, "sent"));
    client_expect_body(&x.client, 200, "sent");
    end(&x);
}

static void make_file_chunk(HTTP_DATA_CHUNK *chunk, HANDLE file, ULONGLONG from, ULONGLONG length)
{
    memset(chunk, 0, sizeof *chunk);
    chunk->DataChunkType = HttpDataChunkFromFileHandle;
    chunk->FromFileHandle.ByteRange.StartingOffset.QuadPart = from;
    chunk->FromFileHandle.ByteRange.Length.QuadPart = length;
    chunk->FromFileHandle.FileHandle = file;
}

static void a_file_is_sent(void)
{
    struct exchange x;
    struct reply reply;
    ULONG sent = 0;
    const HANDLE file = shim_file("0123456789", 10);
    begin(&x, "GET");
    for (int round = 0; round < 2; round++) { /* its position does not move */
        make_response(&x.response, &x.chunk, 200, NULL);
        make_file_chunk(&x.chunk, file, 0, HTTP_BYTE_RANGE_TO_EOF);
        x.response.EntityChunkCount = 1;
        x.response.pEntityChunks = &x.chunk;
        CHECK_CODE(NO_ERROR, send_response(x.server.queue, x.id, 0, &x.response, &sent));
        client_read(&x.client, &reply, false);
        CHECK_TEXT("0123456789", reply.body, reply.body_length);
        CHECK(reply_has_header(&reply, "Content-Length"));
        CHECK_UINT(reply.wire_length, sent);
        reply_free(&reply);
        ask(&x, "GET");
    }
    CHECK_CODE(NO_ERROR, answer(x.server.queue, x.id, 200, "x"));
    client_expect(&x.client, 200);
    shim_file_close(file);
    end(&x);
}

static void files_and_memory_mix(void)
{
    struct exchange x;
    HTTP_DATA_CHUNK chunks[4];
    const HANDLE file = shim_file("0123456789", 10);
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 200, NULL);
    make_memory_chunk(&chunks[0], "<", 1);
    make_file_chunk(&chunks[1], file, 2, 3);
    make_memory_chunk(&chunks[2], "|", 1);
    make_file_chunk(&chunks[3], file, 8, HTTP_BYTE_RANGE_TO_EOF);
    x.response.EntityChunkCount = 4;
    x.response.pEntityChunks = chunks;
    send_it(&x, 0);
    client_expect_body(&x.client, 200, "<234|89");
    shim_file_close(file);
    end(&x);
}

static void a_large_file_is_sent(void)
{
    struct exchange x;
    struct pending pending;
    struct reply reply;
    const size_t size = 5 << 20;
    char *bytes = malloc(size);
    CHECK(bytes != NULL);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(i * 7 + i / 1000);
    }
    const HANDLE file = shim_file(bytes, size);
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 200, NULL);
    make_file_chunk(&x.chunk, file, 1, HTTP_BYTE_RANGE_TO_EOF);
    x.response.EntityChunkCount = 1;
    x.response.pEntityChunks = &x.chunk;
    pending_open(&pending);
    const ULONG code = HttpSendHttpResponse(x.server.queue, x.id, 0, &x.response, NULL, NULL, NULL,
                                            0, &pending.overlapped, NULL);
    CHECK_CODE_OF(NO_ERROR, ERROR_IO_PENDING, code);
    client_read(&x.client, &reply, false);
    CHECK_UINT(size - 1, reply.body_length);
    CHECK(memcmp(reply.body, bytes + 1, size - 1) == 0);
    CHECK_UINT(NO_ERROR, pending_wait(&pending, x.server.queue, NULL));
    pending_close(&pending);
    reply_free(&reply);
    shim_file_close(file);
    free(bytes);
    end(&x);
}

static void a_bad_file_handle_fails(void)
{
    struct exchange x;
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 200, NULL);
    make_file_chunk(&x.chunk, shim_bad_file(), 0, HTTP_BYTE_RANGE_TO_EOF);
    x.response.EntityChunkCount = 1;
    x.response.pEntityChunks = &x.chunk;
    CHECK_FAILS(send_response(x.server.queue, x.id, 0, &x.response, NULL));
    CHECK_CODE(NO_ERROR, answer(x.server.queue, x.id, 500, "told apart before anything went out"));
    client_expect(&x.client, 500);
    end(&x);
}

static void a_large_answer_arrives_whole(void)
{
    struct exchange x;
    struct pending pending;
    struct reply reply;
    const size_t size = 6 << 20;
    char *bytes = malloc(size);
    CHECK(bytes != NULL);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(i * 13 + i / 777);
    }
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 200, NULL);
    make_memory_chunk(&x.chunk, bytes, size);
    x.response.EntityChunkCount = 1;
    x.response.pEntityChunks = &x.chunk;
    pending_open(&pending);
    const ULONG code = HttpSendHttpResponse(x.server.queue, x.id, 0, &x.response, NULL, NULL, NULL,
                                            0, &pending.overlapped, NULL);
    CHECK_CODE_OF(NO_ERROR, ERROR_IO_PENDING, code);
    client_read(&x.client, &reply, false);
    CHECK_UINT(size, reply.body_length);
    CHECK(memcmp(reply.body, bytes, size) == 0);
    CHECK_UINT(NO_ERROR, pending_wait(&pending, x.server.queue, NULL));
    pending_close(&pending);
    reply_free(&reply);
    free(bytes);
    end(&x);
}

static void a_client_that_has_gone(void)
{
    struct exchange x;
    struct pending pending;
    begin(&x, "GET");
    pending_open(&pending);
    CHECK_CODE_OF(NO_ERROR, ERROR_IO_PENDING,
                  HttpWaitForDisconnect(x.server.queue, x.received.request.ConnectionId,
                                        &pending.overlapped));
    client_reset(&x.client);
    CHECK_UINT(NO_ERROR, pending_wait(&pending, x.server.queue, NULL));
    const ULONG code = answer(x.server.queue, x.id, 200, "nobody hears");
    CHECK(code == ERROR_CONNECTION_INVALID || code == ERROR_NETNAME_DELETED ||
          code == ERROR_CONNECTION_ABORTED);
    pending_close(&pending);
    server_close(&x.server);
}

static void automatic_chunking_of_a_whole_body(void)
{
    struct exchange x;
    struct reply reply;
    begin(&x, "GET");
    make_response(&x.response, &x.chunk, 200, "in chunks");
    send_it(&x, HTTP_SEND_RESPONSE_FLAG_AUTOMATIC_CHUNKING);
    client_read(&x.client, &reply, false);
    CHECK_TEXT("in chunks", reply.body, reply.body_length);
    CHECK(reply_has_header(&reply, "Transfer-Encoding") !=
          reply_has_header(&reply, "Content-Length"));
    reply_free(&reply);
    ask(&x, "GET");
    CHECK_CODE(NO_ERROR, answer(x.server.queue, x.id, 200, "next"));
    client_expect_body(&x.client, 200, "next");
    end(&x);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CASE_NOT_ON(PROVIDER_WINE, "the count is not written there", a_plain_answer),
        CASE(status_and_reason_go_out_as_given),
        CASE(each_answer_begins_as_given),
        CASE(an_empty_body_has_length_0),
        CASE(the_date_of_the_caller_is_replaced),
        CASE_NOT_ON(PROVIDER_WINE, WINE_SENDS_PLAINLY, a_given_length_is_used_as_it_is),
        CASE(chunks_follow_each_other),
        CASE(unknown_headers_follow_known_ones),
        CASE_NOT_ON(PROVIDER_WINE, WINE_SENDS_PLAINLY, one_known_header_with_several_values),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "a rule of ours",
                    header_injection_is_refused),
        CASE_NOT_ON(PROVIDER_WINE, WINE_SENDS_PLAINLY, bad_arguments),
        CASE(a_request_is_answered_once),
        CASE(a_send_may_end_with_an_event),
        CASE_NOT_ON(PROVIDER_WINE, WINE_SENDS_PLAINLY, disconnect_closes_afterwards),
        CASE_NOT_ON(PROVIDER_WINE, WINE_SENDS_PLAINLY, a_connection_close_header_closes),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "the application's job there",
                    head_has_no_body),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "the application's job there",
                    status_204_and_304_have_no_body),
        CASE_NOT_ON(PROVIDER_WINE, WINE_SENDS_PLAINLY, a_file_is_sent),
        CASE(files_and_memory_mix),
        CASE(a_large_file_is_sent),
        CASE(a_bad_file_handle_fails),
        CASE(a_large_answer_arrives_whole),
        CASE_NOT_ON(PROVIDER_WINE, "no HttpWaitForDisconnect there", a_client_that_has_gone),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "recent systems only",
                    automatic_chunking_of_a_whole_body),
    };
    return contract_main(cases, COUNT_OF(cases), argc, argv);
}
