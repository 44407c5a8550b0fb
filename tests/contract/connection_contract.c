/* Connections: how long they live, pipelining, and bodies nobody read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/client.h"
#include "contract/contract.h"

#define WINE_NEVER_CLOSES "connections stay open there"

static void a_connection_is_kept_alive(void)
{
    struct server server;
    struct received received;
    struct client client;
    HTTP_CONNECTION_ID connection = HTTP_NULL_ID;
    HTTP_REQUEST_ID last = HTTP_NULL_ID;
    server_start(&server);
    client_open(&client, server.port);
    for (int i = 0; i < 20; i++) {
        client_request(&client, "GET", "/", "");
        expect(&server, "/", &received);
        CHECK(i == 0 || received.request.ConnectionId == connection);
        CHECK(received.request.RequestId != last);
        connection = received.request.ConnectionId;
        last = received.request.RequestId;
        CHECK_CODE(NO_ERROR, answer(server.queue, last, 200, "again"));
        client_expect_body(&client, 200, "again");
    }
    client_close(&client);
    server_close(&server);
}

/* Sends these lines and answers; the connection must end afterwards, and the answer say so. */
static void closes_after(const char *version, const char *more)
{
    struct server server;
    struct client client;
    struct reply reply;
    char value[64];
    server_start(&server);
    client_open(&client, server.port);
    client_send(&client, "GET / %s\r\nHost: localhost:%u\r\n%s\r\n", version, (unsigned)server.port,
                more);
    serve_one(&server);
    client_read(&client, &reply, false);
    CHECK_UINT(200, reply.status);
    CHECK(reply_header(&reply, "Connection", value, sizeof value));
    CHECK_TEXT("close", value, strlen(value));
    reply_free(&reply);
    client_expect_end(&client);
    client_close(&client);
    server_close(&server);
}

static void the_client_may_ask_to_close(void)
{
    closes_after("HTTP/1.1", "Connection: close\r\n");
    closes_after("HTTP/1.1", "Connection: x, Close\r\n");
}

static void version_1_0_closes(void)
{
    closes_after("HTTP/1.0", "");
}

static void version_1_0_may_be_kept_alive(void)
{
    struct server server;
    struct client client;
    server_start(&server);
    client_open(&client, server.port);
    for (int i = 0; i < 3; i++) {
        client_send(&client,
                    "GET / HTTP/1.0\r\nHost: localhost:%u\r\nConnection: keep-alive\r\n\r\n",
                    (unsigned)server.port);
        serve_one(&server);
        client_expect_body(&client, 200, "0");
    }
    client_close(&client);
    server_close(&server);
}

static void version_1_0_needs_no_host(void)
{
    struct server server;
    struct client client;
    server_open(&server);
    server_add(&server, "+", "/", 1);
    client_open(&client, server.port);
    client_send(&client, "GET / HTTP/1.0\r\n\r\n");
    serve_one(&server);
    client_expect_body(&client, 200, "1");
    client_expect_end(&client);
    client_close(&client);
    server_close(&server);
}

static void the_next_request_waits_for_the_answer(void)
{
    struct server server;
    struct received one, two;
    struct pending pending;
    struct client client;
    server_start(&server);
    client_open(&client, server.port);
    client_send(&client,
                "GET /one HTTP/1.1\r\nHost: localhost:%u\r\n\r\n"
                "GET /two HTTP/1.1\r\nHost: localhost:%u\r\n\r\n",
                (unsigned)server.port, (unsigned)server.port);
    expect(&server, "/one", &one);
    pending_open(&pending);
    pending_receive(&pending, server.queue, 0, &two);
    CHECK(!pending_done(&pending, 100));
    CHECK_CODE(NO_ERROR, answer(server.queue, one.request.RequestId, 200, "one"));
    CHECK_UINT(NO_ERROR, pending_wait(&pending, server.queue, NULL));
    CHECK_TEXT("/two", two.request.pRawUrl, two.request.RawUrlLength);
    CHECK(two.request.ConnectionId == one.request.ConnectionId);
    CHECK(two.request.RequestId != one.request.RequestId);
    client_expect_body(&client, 200, "one"); /* need not wait for the second */
    CHECK_CODE(NO_ERROR, answer(server.queue, two.request.RequestId, 200, "two"));
    client_expect_body(&client, 200, "two");
    pending_close(&pending);
    client_close(&client);
    server_close(&server);
}

static void a_streamed_answer_holds_the_next_request(void)
{
    struct server server;
    struct received one, two;
    struct pending pending;
    struct client client;
    HTTP_RESPONSE response;
    HTTP_DATA_CHUNK chunk;
    const ULONG more = HTTP_SEND_RESPONSE_FLAG_MORE_DATA;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "GET", "/one", "");
    client_request(&client, "GET", "/two", "");
    expect(&server, "/one", &one);
    make_response(&response, &chunk, 200, NULL);
    set_header(&response, HttpHeaderContentLength, "6");
    CHECK_CODE(NO_ERROR, send_response(server.queue, one.request.RequestId, more, &response, NULL));
    pending_open(&pending);
    pending_receive(&pending, server.queue, 0, &two);
    CHECK_CODE(NO_ERROR, send_body(server.queue, one.request.RequestId, more, "str", NULL));
    CHECK(!pending_done(&pending, 100));
    CHECK_CODE(NO_ERROR, send_body(server.queue, one.request.RequestId, 0, "eam", NULL));
    CHECK_UINT(NO_ERROR, pending_wait(&pending, server.queue, NULL));
    CHECK_CODE(NO_ERROR, answer(server.queue, two.request.RequestId, 200, "two"));
    client_expect_body(&client, 200, "stream");
    client_expect_body(&client, 200, "two");
    pending_close(&pending);
    client_close(&client);
    server_close(&server);
}

enum { PIPELINED = 200 };

static void many_pipelined_requests_stay_in_order(void)
{
    struct server server;
    struct received received;
    struct client client;
    char text[PIPELINED * 64];
    size_t length = 0;
    server_start(&server);
    client_open(&client, server.port);
    for (int i = 0; i < PIPELINED; i++) {
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   "GET /%d HTTP/1.1\r\nHost: localhost:%u\r\n\r\n", i,
                                   (unsigned)server.port);
    }
    client_send_bytes(&client, text, length);
    for (int i = 0; i < PIPELINED; i++) {
        char path[16];
        snprintf(path, sizeof path, "/%d", i);
        expect(&server, path, &received);
        CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, path));
    }
    for (int i = 0; i < PIPELINED; i++) {
        char path[16];
        snprintf(path, sizeof path, "/%d", i);
        client_expect_body(&client, 200, path);
    }
    client_close(&client);
    server_close(&server);
}

static void an_unread_body_is_skipped(void)
{
    struct server server;
    struct received received;
    struct client client;
    server_start(&server);
    client_open(&client, server.port);
    client_send(&client,
                "POST /one HTTP/1.1\r\nHost: localhost:%u\r\nContent-Length: 26\r\n\r\n"
                "GET /body HTTP/1.1 is text"
                "GET /two HTTP/1.1\r\nHost: localhost:%u\r\n\r\n",
                (unsigned)server.port, (unsigned)server.port);
    expect(&server, "/one", &received);
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "one"));
    expect(&server, "/two", &received);
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "two"));
    client_expect_body(&client, 200, "one");
    client_expect_body(&client, 200, "two");
    client_close(&client);
    server_close(&server);
}

static void an_unread_body_may_come_after_the_answer(void)
{
    struct server server;
    struct received received;
    struct client client;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "POST", "/one", "Content-Length: 9\r\n");
    client_send(&client, "half");
    expect(&server, "/one", &received);
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "early"));
    client_expect_body(&client, 200, "early");
    client_send(&client, "-late");
    client_request(&client, "GET", "/two", "");
    expect(&server, "/two", &received);
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "two"));
    client_expect_body(&client, 200, "two");
    client_close(&client);
    server_close(&server);
}

static void an_unread_chunked_body_is_skipped(void)
{
    struct server server;
    struct received received;
    struct client client;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "POST", "/one", "Transfer-Encoding: chunked\r\n");
    client_send(&client, "4\r\nbody\r\n");
    expect(&server, "/one", &received);
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "early"));
    client_expect_body(&client, 200, "early");
    client_send(&client, "0\r\n\r\n");
    client_request(&client, "GET", "/two", "");
    expect(&server, "/two", &received);
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "two"));
    client_expect_body(&client, 200, "two");
    client_close(&client);
    server_close(&server);
}

static void a_request_may_come_byte_by_byte(void)
{
    struct server server;
    struct client client;
    char text[128];
    server_start(&server);
    client_open(&client, server.port);
    const int length = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: localhost:%u\r\n\r\n",
                                (unsigned)server.port);
    for (int i = 0; i < length; i++) {
        client_send_bytes(&client, text + i, 1);
        shim_pause(); /* makes pieces of it; whether it does is no matter */
    }
    serve_one(&server);
    client_expect_body(&client, 200, "0");
    client_close(&client);
    server_close(&server);
}

static void connections_do_not_hold_each_other(void)
{
    struct server server;
    struct received slow, quick;
    struct client first, second;
    server_start(&server);
    client_open(&first, server.port);
    client_request(&first, "GET", "/slow", "");
    expect(&server, "/slow", &slow);
    client_open(&second, server.port);
    client_request(&second, "GET", "/quick", "");
    expect(&server, "/quick", &quick);
    CHECK_CODE(NO_ERROR, answer(server.queue, quick.request.RequestId, 200, "quick"));
    client_expect_body(&second, 200, "quick");
    CHECK_CODE(NO_ERROR, answer(server.queue, slow.request.RequestId, 200, "slow"));
    client_expect_body(&first, 200, "slow");
    client_close(&first);
    client_close(&second);
    server_close(&server);
}

static void a_client_may_leave_without_a_word(void)
{
    struct server server;
    struct client client;
    server_start(&server);
    for (int i = 0; i < 20; i++) {
        client_open(&client, server.port);
        if (i % 3 == 1) {
            client_send(&client, "GET / HTT");
        }
        if (i % 2 == 0) {
            client_reset(&client);
        } else {
            client_close(&client);
        }
    }
    client_open(&client, server.port);
    client_request(&client, "GET", "/", "");
    serve_one(&server);
    client_expect_body(&client, 200, "0");
    client_close(&client);
    server_close(&server);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CASE(a_connection_is_kept_alive),
        CASE_NOT_ON(PROVIDER_WINE, WINE_NEVER_CLOSES, the_client_may_ask_to_close),
        CASE_NOT_ON(PROVIDER_WINE, WINE_NEVER_CLOSES, version_1_0_closes),
        CASE(version_1_0_may_be_kept_alive),
        CASE_NOT_ON(PROVIDER_WINE, WINE_NEVER_CLOSES, version_1_0_needs_no_host),
        CASE(the_next_request_waits_for_the_answer),
        CASE(a_streamed_answer_holds_the_next_request),
        CASE_NOT_ON(PROVIDER_WINE, "a long pipeline gets stuck there",
                    many_pipelined_requests_stay_in_order),
        CASE(an_unread_body_is_skipped),
        CASE_NOT_ON(PROVIDER_WINE, "bodies do not stream there",
                    an_unread_body_may_come_after_the_answer),
        CASE_NOT_ON(PROVIDER_WINE, "bodies do not stream there", an_unread_chunked_body_is_skipped),
        CASE_NOT_ON(PROVIDER_WINE, "a request in tiny pieces is cut off there now and then",
                    a_request_may_come_byte_by_byte),
        CASE(connections_do_not_hold_each_other),
        CASE(a_client_may_leave_without_a_word),
    };
    return contract_main(cases, COUNT_OF(cases), argc, argv);
}
