/* What the provider answers by itself: bad bytes, limits, things it does not know. After each of
 * them the connection is closed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/client.h"
#include "contract/contract.h"

#define WINE_ANSWERS_LITTLE "no error answers there"

/* Sends the bytes and checks the answer and the close. HOST in the text is the server's own. */
static void refused_bytes(struct server *server, const char *bytes, size_t length, unsigned status)
{
    struct client client;
    struct reply reply;
    char value[64];
    client_open(&client, server->port);
    client_send_bytes(&client, bytes, length);
    client_read(&client, &reply, false);
    if (reply.status != status) {
        contract_fail(__FILE__, __LINE__, "\"%.300s\"\n    expected %u, seen %u", bytes, status,
                      reply.status);
    }
    CHECK(reply_header(&reply, "Connection", value, sizeof value));
    CHECK_TEXT("close", value, strlen(value));
    CHECK(reply_has_header(&reply, "Content-Length"));
    CHECK(reply_has_header(&reply, "Date"));
    reply_free(&reply);
    client_expect_end(&client);
    client_close(&client);
}

static void refused(struct server *server, const char *format, unsigned status)
{
    char text[1024];
    char *out = text;
    for (const char *in = format; *in != 0 && out < text + sizeof text - 32; in++) {
        if (strncmp(in, "HOST", 4) == 0) {
            out += snprintf(out, 32, "Host: localhost:%u", (unsigned)server->port);
            in += 3;
        } else {
            *out++ = *in;
        }
    }
    *out = 0;
    refused_bytes(server, text, (size_t)(out - text), status);
}

static void each_refused(const char *const *requests, size_t count, unsigned status)
{
    struct server server;
    server_start(&server);
    for (size_t i = 0; i < count; i++) {
        refused(&server, requests[i], status);
    }
    server_close(&server);
}

static void bad_request_lines_are_400(void)
{
    static const char *const requests[] = {
        "GET\r\n\r\n",
        "GET /\r\nHOST\r\n\r\n",
        "GET  / HTTP/1.1\r\nHOST\r\n\r\n",
        "GET / HTTP/1.1 \r\nHOST\r\n\r\n",
        " GET / HTTP/1.1\r\nHOST\r\n\r\n",
        "GET / HTTX/1.1\r\nHOST\r\n\r\n",
        "GET / HTTP/1\r\nHOST\r\n\r\n",
        "G@T / HTTP/1.1\r\nHOST\r\n\r\n",
        "get / HTTP/1.1\r\nHOST\r\n\r\n",
        "Get / HTTP/1.1\r\nHOST\r\n\r\n",
        "GET nowhere HTTP/1.1\r\nHOST\r\n\r\n",
        "GET /#part HTTP/1.1\r\nHOST\r\n\r\n",
        "GET /a\tb HTTP/1.1\r\nHOST\r\n\r\n",
    };
    each_refused(requests, COUNT_OF(requests), 400);
}

static void bad_urls_are_400(void)
{
    static const char *const requests[] = {
        "GET /%zz HTTP/1.1\r\nHOST\r\n\r\n",       "GET /%4 HTTP/1.1\r\nHOST\r\n\r\n",
        "GET /%00 HTTP/1.1\r\nHOST\r\n\r\n",       "GET /%01 HTTP/1.1\r\nHOST\r\n\r\n",
        "GET /%c0%af HTTP/1.1\r\nHOST\r\n\r\n",    "GET /%ff HTTP/1.1\r\nHOST\r\n\r\n",
        "GET /%ed%a0%80 HTTP/1.1\r\nHOST\r\n\r\n", "GET /../x HTTP/1.1\r\nHOST\r\n\r\n",
        "GET /a/../../x HTTP/1.1\r\nHOST\r\n\r\n",
    };
    each_refused(requests, COUNT_OF(requests), 400);
}

static void bad_headers_are_400(void)
{
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\nHOST\r\nNo colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHOST\r\nName : space\r\n\r\n",
        "GET / HTTP/1.1\r\nHOST\r\n: empty\r\n\r\n",
        "GET / HTTP/1.1\r\nHOST\r\nBad(name): x\r\n\r\n",
        "GET / HTTP/1.1\r\nHOST\r\nX: one\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\n X: early\r\nHOST\r\n\r\n",
        "GET / HTTP/1.1\r\nHOST\r\nX: a\x01z\r\n\r\n",
    };
    each_refused(requests, COUNT_OF(requests), 400);
}

static void bad_line_ends_are_400(void)
{
    static const char *const requests[] = {
        "GET / HTTP/1.1\nHOST\n\n",
        "GET / HTTP/1.1\r\nHOST\nX: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHOST\rX: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHOST\r\nX: a\rb\r\n\r\n",
    };
    each_refused(requests, COUNT_OF(requests), 400);
}

static void a_nul_byte_is_400(void)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n";
    struct server server;
    server_start(&server);
    refused_bytes(&server, text, sizeof text - 1, 400);
    server_close(&server);
}

static void bad_hosts_are_400(void)
{
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nX: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHOST\r\nHOST\r\n\r\n",
        "GET / HTTP/1.1\r\nHOST\r\nHost: other\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: user@localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost:99999\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: nobody.test\r\n\r\n", /* well formed, but not ours */
    };
    each_refused(requests, COUNT_OF(requests), 400);
}

static void ambiguous_lengths_are_400(void)
{
    static const char *const requests[] = {
        "POST / HTTP/1.1\r\nHOST\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "POST / HTTP/1.1\r\nHOST\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "POST / HTTP/1.1\r\nHOST\r\nContent-Length: 1, 1\r\n\r\nx",
        "POST / HTTP/1.1\r\nHOST\r\nContent-Length: +1\r\n\r\nx",
        "POST / HTTP/1.1\r\nHOST\r\nContent-Length: -1\r\n\r\nx",
        "POST / HTTP/1.1\r\nHOST\r\nContent-Length: 0x1\r\n\r\nx",
        "POST / HTTP/1.1\r\nHOST\r\nContent-Length:\r\n\r\nx",
        "POST / HTTP/1.1\r\nHOST\r\nContent-Length: 1 1\r\n\r\nx",
        "POST / HTTP/1.1\r\nHOST\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0",
        "POST / HTTP/1.1\r\nHOST\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nHOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    };
    each_refused(requests, COUNT_OF(requests), 400);
}

/* Beyond what can be counted: too large, or not a number; the contract does not say which. */
static void an_endless_length_is_refused(void)
{
    struct server server;
    struct client client;
    struct reply reply;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "POST", "/", "Content-Length: 99999999999999999999999\r\n");
    client_read(&client, &reply, false);
    CHECK(reply.status == 400 || reply.status == 413);
    reply_free(&reply);
    client_expect_end(&client);
    client_close(&client);
    server_close(&server);
}

static void an_unknown_path_is_404(void)
{
    struct server server;
    server_open(&server);
    server_add(&server, "localhost", "/known/", 0);
    refused(&server, "GET / HTTP/1.1\r\nHOST\r\n\r\n", 404);
    refused(&server, "GET /knownx HTTP/1.1\r\nHOST\r\n\r\n", 404);
    refused(&server, "POST /x HTTP/1.1\r\nHOST\r\nContent-Length: 3\r\n\r\nabc", 404);
    server_close(&server);
}

static void a_post_without_length_is_411(void)
{
    static const char *const requests[] = {
        "POST / HTTP/1.1\r\nHOST\r\n\r\n",
        "PUT / HTTP/1.1\r\nHOST\r\n\r\n",
    };
    each_refused(requests, COUNT_OF(requests), 411);
}

static void an_unknown_coding_is_501(void)
{
    static const char *const requests[] = {
        "POST / HTTP/1.1\r\nHOST\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST / HTTP/1.1\r\nHOST\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    };
    each_refused(requests, COUNT_OF(requests), 501);
}

static void an_unknown_version_is_505(void)
{
    static const char *const requests[] = {
        "GET / HTTP/2.0\r\nHOST\r\n\r\n",
        "GET / HTTP/3.0\r\nHOST\r\n\r\n",
        "GET / HTTP/0.9\r\nHOST\r\n\r\n",
    };
    each_refused(requests, COUNT_OF(requests), 505);
}

/* Builds `before`, `count` times `filler`, `after`. */
static char *build(const char *before, size_t count, char filler, const char *after, size_t *length)
{
    const size_t first = strlen(before), last = strlen(after);
    char *text = malloc(first + count + last + 1);
    CHECK(text != NULL);
    memcpy(text, before, first);
    memset(text + first, filler, count);
    memcpy(text + first + count, after, last + 1);
    *length = first + count + last;
    return text;
}

static void refused_long(struct server *server, const char *before, size_t count, const char *after,
                         unsigned status)
{
    size_t length = 0;
    char *text = build(before, count, 'x', after, &length);
    refused_bytes(server, text, length, status);
    free(text);
}

static void a_long_url_is_414(void)
{
    struct server server;
    server_start(&server);
    refused_long(&server, "GET /?", 20000, " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414);
    server_close(&server);
}

static void a_long_segment_is_400(void)
{
    struct server server;
    server_start(&server);
    refused_long(&server, "GET /", 300, " HTTP/1.1\r\nHost: localhost\r\n\r\n", 400);
    server_close(&server);
}

static void a_large_header_block_is_431(void)
{
    struct server server;
    char many[12000];
    size_t length = 0;
    server_start(&server);
    refused_long(&server, "GET / HTTP/1.1\r\nHost: localhost\r\nX: ", 20000, "\r\n\r\n", 431);
    for (int i = 0; i < 1000; i++) { /* 10000 bytes, but a thousand headers */
        length += (size_t)snprintf(many + length, sizeof many - length, "X%04d: a\r\n", i);
    }
    snprintf(many + length, sizeof many - length, "\r\n");
    size_t total = 0;
    char *text = build("GET / HTTP/1.1\r\nHost: localhost\r\n", 0, 'x', many, &total);
    refused_bytes(&server, text, total, 431);
    free(text);
    server_close(&server);
}

static void a_full_header_block_is_served(void)
{
    struct server server;
    struct client client;
    struct received received;
    size_t length = 0;
    server_open(&server);
    server_add(&server, "+", "/", 0);
    char *text = build("GET / HTTP/1.1\r\nHost: localhost\r\nX: ", 12000, 'x', "\r\n\r\n", &length);
    client_open(&client, server.port);
    client_send_bytes(&client, text, length);
    CHECK_CODE(NO_ERROR, receive(server.queue, 0, &received));
    CHECK_UINT(12000, received.request.Headers.pUnknownHeaders[0].RawValueLength);
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "x"));
    client_expect(&client, 200);
    client_close(&client);
    free(text);
    server_close(&server);
}

static void an_error_after_good_requests(void)
{
    struct server server;
    struct client client;
    struct received received;
    server_start(&server);
    client_open(&client, server.port);
    client_send(&client,
                "GET /good HTTP/1.1\r\nHost: localhost:%u\r\n\r\n"
                "BAD LINE HERE NOW\r\n\r\n"
                "GET /never HTTP/1.1\r\nHost: localhost:%u\r\n\r\n",
                (unsigned)server.port, (unsigned)server.port);
    expect(&server, "/good", &received);
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "good"));
    client_expect_body(&client, 200, "good"); /* in order: its answer first */
    client_expect(&client, 400);
    client_expect_end(&client); /* and nothing of what followed */
    client_close(&client);
    server_close(&server);
}

static void an_error_answer_has_a_small_page(void)
{
    struct server server;
    struct client client;
    struct reply reply;
    char value[64];
    server_start(&server);
    client_open(&client, server.port);
    client_send(&client, "nonsense\r\n\r\n");
    client_read(&client, &reply, false);
    CHECK_UINT(400, reply.status);
    CHECK_TEXT("Bad Request", reply.reason, strlen(reply.reason));
    CHECK(reply_header(&reply, "Content-Type", value, sizeof value));
    CHECK(strncmp(value, "text/html", 9) == 0);
    CHECK(reply.body_length > 0 && reply.body_length < 2048);
    reply_free(&reply);
    client_close(&client);
    server_close(&server);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "stricter than there",
                    bad_request_lines_are_400),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "stricter than there", bad_urls_are_400),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "stricter than there", bad_headers_are_400),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "bare LF is tolerated there",
                    bad_line_ends_are_400),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ANSWERS_LITTLE, a_nul_byte_is_400),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "stricter than there", bad_hosts_are_400),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "stricter than there",
                    ambiguous_lengths_are_400),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ANSWERS_LITTLE, an_endless_length_is_refused),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ANSWERS_LITTLE, an_unknown_path_is_404),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ANSWERS_LITTLE, a_post_without_length_is_411),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ANSWERS_LITTLE, an_unknown_coding_is_501),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ANSWERS_LITTLE, an_unknown_version_is_505),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ANSWERS_LITTLE, a_long_url_is_414),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ANSWERS_LITTLE, a_long_segment_is_400),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "400 there", a_large_header_block_is_431),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ANSWERS_LITTLE, a_full_header_block_is_served),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ANSWERS_LITTLE, an_error_after_good_requests),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ANSWERS_LITTLE, an_error_answer_has_a_small_page),
    };
    return contract_main(cases, COUNT_OF(cases), argc, argv);
}
