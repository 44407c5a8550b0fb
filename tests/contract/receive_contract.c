/* HttpReceiveHttpRequest: codes, the MORE_DATA protocol, order, and what a request looks like. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/client.h"
#include "contract/contract.h"

#define WINE_KEEPS_RAW "no decoding or normalisation there"

static void bad_handles(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    server_open(&server);
    CHECK_CODE(ERROR_INVALID_HANDLE, receive(NULL, 0, &received));
    pending_open(&pending);
    CHECK_CODE(ERROR_INVALID_HANDLE,
               HttpReceiveHttpRequest(NULL, HTTP_NULL_ID, 0, &received.request,
                                      sizeof received.bytes, NULL, &pending.overlapped));
    const HANDLE closed = server.queue;
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(closed));
    CHECK_CODE(ERROR_INVALID_HANDLE, receive(closed, 0, &received));
    CHECK_CODE(NO_ERROR, HttpCreateRequestQueue(HTTPAPI_VERSION_2, NULL, NULL, 0, &server.queue));
    pending_close(&pending);
    server_close(&server);
}

static void bad_buffers(void)
{
    struct server server;
    struct received received;
    struct client client;
    ULONG count = 0;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "GET", "/kept", "");
    CHECK_CODE(
        ERROR_INSUFFICIENT_BUFFER,
        HttpReceiveHttpRequest(server.queue, HTTP_NULL_ID, 0, &received.request, 16, &count, NULL));
    CHECK_CODE(ERROR_INSUFFICIENT_BUFFER,
               HttpReceiveHttpRequest(server.queue, HTTP_NULL_ID, 0, &received.request,
                                      sizeof(HTTP_REQUEST_V1) - 1, &count, NULL));
    CHECK_CODE(ERROR_NOACCESS,
               HttpReceiveHttpRequest(server.queue, HTTP_NULL_ID, 0,
                                      (PHTTP_REQUEST)(uintptr_t)(received.bytes + 1),
                                      sizeof received.bytes - 8, &count, NULL));
    CHECK_CODE_OF(ERROR_NOACCESS, ERROR_INVALID_PARAMETER,
                  HttpReceiveHttpRequest(server.queue, HTTP_NULL_ID, 0, NULL, sizeof received.bytes,
                                         &count, NULL));
    expect(&server, "/kept", &received); /* nothing of this consumed it */
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "kept"));
    client_expect(&client, 200);
    client_close(&client);
    server_close(&server);
}

static void unknown_ids(void)
{
    struct server server;
    struct received received;
    struct client client;
    server_start(&server);
    CHECK_CODE(ERROR_CONNECTION_INVALID,
               HttpReceiveHttpRequest(server.queue, 0xDEADDEAD, 0, &received.request,
                                      sizeof received.bytes, NULL, NULL));
    client_open(&client, server.port);
    client_request(&client, "GET", "/", "");
    expect(&server, "/", &received);
    const HTTP_REQUEST_ID id = received.request.RequestId;
    CHECK_CODE(ERROR_CONNECTION_INVALID,
               HttpReceiveHttpRequest(server.queue, id, 0, &received.request, sizeof received.bytes,
                                      NULL, NULL)); /* received already */
    CHECK_CODE(NO_ERROR, answer(server.queue, id, 200, "x"));
    CHECK_CODE(ERROR_CONNECTION_INVALID,
               HttpReceiveHttpRequest(server.queue, id, 0, &received.request, sizeof received.bytes,
                                      NULL, NULL)); /* answered */
    client_expect(&client, 200);
    client_close(&client);
    server_close(&server);
}

/* A header of 2000 bytes that no small buffer holds. */
static void send_long_request(struct client *client, const char *target)
{
    char line[2048];
    memset(line, 'v', sizeof line);
    line[2000] = 0;
    client_send(client, "GET %s HTTP/1.1\r\nHost: localhost:%u\r\nX-Long: %s\r\n\r\n", target,
                (unsigned)client->port, line);
}

static void more_data_binds_the_request_to_its_id(void)
{
    struct server server;
    struct received small, other;
    struct pending pending;
    struct client first, second;
    ULONG needed = 0, again = 0, used = 0;
    const ULONG size = sizeof(HTTP_REQUEST) + 64;
    server_start(&server);
    client_open(&first, server.port);
    send_long_request(&first, "/first");
    memset(&small, 0xA5, sizeof small);
    CHECK_CODE(ERROR_MORE_DATA, HttpReceiveHttpRequest(server.queue, HTTP_NULL_ID, 0,
                                                       &small.request, size, &needed, NULL));
    CHECK(needed > size && needed <= sizeof small.bytes);
    const HTTP_REQUEST_ID id = small.request.RequestId;
    CHECK(id != HTTP_NULL_ID && small.request.ConnectionId != HTTP_NULL_ID);

    /* Whoever asks for any request gets another one. */
    pending_open(&pending);
    pending_receive(&pending, server.queue, 0, &other);
    client_open(&second, server.port);
    client_request(&second, "GET", "/second", "");
    CHECK_UINT(NO_ERROR, pending_wait(&pending, server.queue, NULL));
    CHECK_TEXT("/second", other.request.pRawUrl, other.request.RawUrlLength);

    CHECK_CODE(ERROR_MORE_DATA, HttpReceiveHttpRequest(server.queue, id, 0, &small.request,
                                                       needed - 1, &again, NULL));
    CHECK_UINT(needed, again);
    CHECK_UINT(id, small.request.RequestId);
    CHECK_CODE(NO_ERROR, HttpReceiveHttpRequest(server.queue, id, 0, &small.request, needed, &used,
                                                NULL)); /* exactly what was asked for */
    CHECK_UINT(needed, used);
    CHECK_UINT(id, small.request.RequestId);
    CHECK_TEXT("/first", small.request.pRawUrl, small.request.RawUrlLength);
    CHECK_CODE(ERROR_CONNECTION_INVALID,
               HttpReceiveHttpRequest(server.queue, id, 0, &small.request, needed, &used, NULL));
    CHECK_CODE(NO_ERROR, answer(server.queue, id, 200, "first"));
    CHECK_CODE(NO_ERROR, answer(server.queue, other.request.RequestId, 200, "second"));
    client_expect_body(&first, 200, "first");
    client_expect_body(&second, 200, "second");
    pending_close(&pending);
    client_close(&first);
    client_close(&second);
    server_close(&server);
}

static void more_data_by_an_event(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    struct client client;
    ULONG needed = 0;
    server_start(&server);
    pending_open(&pending);
    memset(&received, 0xA5, sizeof received);
    CHECK_CODE(ERROR_IO_PENDING,
               HttpReceiveHttpRequest(server.queue, HTTP_NULL_ID, 0, &received.request,
                                      sizeof(HTTP_REQUEST) + 64, NULL, &pending.overlapped));
    client_open(&client, server.port);
    send_long_request(&client, "/late");
    CHECK_UINT(ERROR_MORE_DATA, pending_wait(&pending, server.queue, &needed));
    CHECK(needed > sizeof(HTTP_REQUEST) + 64);
    const HTTP_REQUEST_ID id = received.request.RequestId;
    pending_reset(&pending);
    const ULONG code = HttpReceiveHttpRequest(server.queue, id, 0, &received.request, needed, NULL,
                                              &pending.overlapped);
    CHECK_CODE_OF(NO_ERROR, ERROR_IO_PENDING, code);
    CHECK_UINT(NO_ERROR, pending_wait(&pending, server.queue, NULL));
    CHECK_CODE(NO_ERROR, answer(server.queue, id, 200, "late"));
    client_expect_body(&client, 200, "late");
    pending_close(&pending);
    client_close(&client);
    server_close(&server);
}

static void a_bound_request_may_be_answered_unread(void)
{
    struct server server;
    struct received received;
    struct client client;
    ULONG needed = 0;
    server_start(&server);
    client_open(&client, server.port);
    send_long_request(&client, "/");
    CHECK_CODE(ERROR_MORE_DATA,
               HttpReceiveHttpRequest(server.queue, HTTP_NULL_ID, 0, &received.request,
                                      sizeof(HTTP_REQUEST), &needed, NULL));
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 431, "too much"));
    client_expect_body(&client, 431, "too much");
    client_close(&client);
    server_close(&server);
}

static void receives_are_served_first_come_first_served(void)
{
    struct server server;
    struct received one, two;
    struct pending first, second;
    struct client client, other;
    server_start(&server);
    pending_open(&first);
    pending_open(&second);
    pending_receive(&first, server.queue, 0, &one);
    pending_receive(&second, server.queue, 0, &two);
    CHECK_UINT(ERROR_IO_PENDING, first.code);
    client_open(&client, server.port);
    client_request(&client, "GET", "/one", "");
    CHECK_UINT(NO_ERROR, pending_wait(&first, server.queue, NULL));
    CHECK(!pending_done(&second, 0));
    client_open(&other, server.port);
    client_request(&other, "GET", "/two", "");
    CHECK_UINT(NO_ERROR, pending_wait(&second, server.queue, NULL));
    CHECK_TEXT("/one", one.request.pRawUrl, one.request.RawUrlLength);
    CHECK_TEXT("/two", two.request.pRawUrl, two.request.RawUrlLength);
    CHECK(one.request.RequestId != two.request.RequestId);
    CHECK(one.request.ConnectionId != two.request.ConnectionId);
    CHECK_CODE(NO_ERROR, answer(server.queue, two.request.RequestId, 200, "2"));
    CHECK_CODE(NO_ERROR, answer(server.queue, one.request.RequestId, 200, "1"));
    client_expect_body(&client, 200, "1");
    client_expect_body(&other, 200, "2");
    pending_close(&first);
    pending_close(&second);
    client_close(&client);
    client_close(&other);
    server_close(&server);
}

static void requests_wait_for_a_receive_in_order(void)
{
    struct server server;
    struct received received;
    struct client clients[3];
    char target[16];
    server_start(&server);
    CHECK_CODE(NO_ERROR, bind_group(server.group, server.queue));
    for (int i = 0; i < 3; i++) {
        client_open(&clients[i], server.port);
        snprintf(target, sizeof target, "/%d", i);
        client_request(&clients[i], "GET", target, "");
    }
    unsigned seen = 0;
    for (int i = 0; i < 3; i++) {
        CHECK_CODE(NO_ERROR, receive(server.queue, 0, &received));
        CHECK_UINT(2, received.request.RawUrlLength);
        seen |= 1u << (received.request.pRawUrl[1] - '0');
        CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "x"));
    }
    CHECK_UINT(7, seen);
    for (int i = 0; i < 3; i++) {
        client_expect(&clients[i], 200);
        client_close(&clients[i]);
    }
    server_close(&server);
}

static void the_count_may_be_left_out(void)
{
    struct server server;
    struct received received;
    struct client client;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "GET", "/", "");
    CHECK_CODE(NO_ERROR, HttpReceiveHttpRequest(server.queue, HTTP_NULL_ID, 0, &received.request,
                                                sizeof received.bytes, NULL, NULL));
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "x"));
    client_expect(&client, 200);
    client_close(&client);
    server_close(&server);
}

static bool inside(const struct received *received, const void *pointer, size_t length)
{
    const uintptr_t at = (uintptr_t)pointer, begin = (uintptr_t)received->bytes;
    return at >= begin && at + length <= begin + received->count;
}

static void every_field_of_a_plain_request(void)
{
    struct server server;
    struct received received;
    struct client client;
    server_open(&server);
    server_add(&server, "localhost", "/", 0x1122334455667788ull);
    client_open(&client, server.port);
    client_request(&client, "GET", "/plain?a=b", "User-Agent: test\r\nX-Own:  two words \r\n");
    CHECK_CODE(NO_ERROR, receive(server.queue, 0, &received));
    const HTTP_REQUEST *request = &received.request;
    CHECK_UINT(0, request->Flags);
    CHECK(request->ConnectionId != HTTP_NULL_ID && request->RequestId != HTTP_NULL_ID);
    CHECK_UINT(0x1122334455667788ull, request->UrlContext);
    CHECK(HTTP_EQUAL_VERSION(request->Version, 1, 1));
    CHECK_UINT(HttpVerbGET, request->Verb);
    CHECK(request->pUnknownVerb == NULL && request->UnknownVerbLength == 0);
    CHECK_TEXT("/plain?a=b", request->pRawUrl, request->RawUrlLength);
    CHECK(inside(&received, request->pRawUrl, request->RawUrlLength));
    CHECK(inside(&received, request->CookedUrl.pFullUrl, request->CookedUrl.FullUrlLength));
    CHECK(request->EntityChunkCount == 0 && request->pEntityChunks == NULL);
    CHECK(request->pSslInfo == NULL);
    CHECK(request->Headers.TrailerCount == 0 && request->Headers.pTrailers == NULL);
    const HTTP_KNOWN_HEADER *agent = &request->Headers.KnownHeaders[HttpHeaderUserAgent];
    CHECK_TEXT("test", agent->pRawValue, agent->RawValueLength);
    CHECK_UINT(0, agent->pRawValue[agent->RawValueLength]);
    const HTTP_KNOWN_HEADER *accept = &request->Headers.KnownHeaders[HttpHeaderAccept];
    CHECK(accept->pRawValue == NULL && accept->RawValueLength == 0);
    CHECK_UINT(1, request->Headers.UnknownHeaderCount);
    const HTTP_UNKNOWN_HEADER *own = request->Headers.pUnknownHeaders;
    CHECK_TEXT("X-Own", own->pName, own->NameLength);
    CHECK_TEXT("two words", own->pRawValue, own->RawValueLength);
    CHECK(inside(&received, own->pRawValue, own->RawValueLength));
    CHECK(inside(&received, own, sizeof *own));
    CHECK_UINT(AF_INET, request->Address.pRemoteAddress->sa_family);
    CHECK_UINT(AF_INET, request->Address.pLocalAddress->sa_family);
    CHECK_CODE(NO_ERROR, answer(server.queue, request->RequestId, 200, "x"));
    client_expect(&client, 200);
    client_close(&client);
    server_close(&server);
}

static void the_cooked_url_is_one_string(void)
{
    struct server server;
    struct received received;
    struct client client;
    char full[128], host[64];
    server_start(&server);
    snprintf(host, sizeof host, "localhost:%u", (unsigned)server.port);
    snprintf(full, sizeof full, "http://%s/foobar?a=b", host);
    client_open(&client, server.port);
    client_request(&client, "GET", "/foobar?a=b", "");
    CHECK_CODE(NO_ERROR, receive(server.queue, 0, &received));
    const HTTP_COOKED_URL *url = &received.request.CookedUrl;
    CHECK_WIDE(full, url->pFullUrl, url->FullUrlLength);
    CHECK_WIDE(host, url->pHost, url->HostLength);
    CHECK_WIDE("/foobar", url->pAbsPath, url->AbsPathLength);
    CHECK_WIDE("?a=b", url->pQueryString, url->QueryStringLength);
    CHECK(url->pHost == url->pFullUrl + 7);
    CHECK(url->pAbsPath == url->pHost + url->HostLength / sizeof(HTTP_CHAR));
    CHECK(url->pQueryString == url->pAbsPath + 7);
    CHECK(url->pFullUrl[url->FullUrlLength / sizeof(HTTP_CHAR)] == 0);
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "x"));
    client_expect(&client, 200);
    client_request(&client, "GET", "/", "");
    CHECK_CODE(NO_ERROR, receive(server.queue, 0, &received));
    CHECK(url->pQueryString == NULL && url->QueryStringLength == 0);
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "x"));
    client_expect(&client, 200);
    client_close(&client);
    server_close(&server);
}

static void the_cooked_path_is_canonical(void)
{
    static const struct {
        const char *target, *path, *query;
    } table[] = {
        {"/a/./b/../c", "/a/c", NULL},  {"/%41%62c", "/Abc", NULL},
        {"/a/%2e%2E/b", "/b", NULL},    {"/a//b///c", "/a/b/c", NULL},
        {"/a%5Cb%2Fc", "/a/b/c", NULL}, {"/%c3%bc", "/\xc3\xbc", NULL},
        {"/%u00fc", "/\xc3\xbc", NULL}, {"/%252e", "/%2e", NULL},
        {"/a%20b", "/a b", NULL},       {"/x?q=%41/../b//c", "/x", "?q=%41/../b//c"},
        {"/x?a?b", "/x", "?a?b"},       {"/a/b/..", "/a/", NULL},
        {"/a/b/.", "/a/b/", NULL},
    };
    struct server server;
    struct received received;
    struct client client;
    server_start(&server);
    client_open(&client, server.port);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        client_request(&client, "GET", table[i].target, "");
        CHECK_CODE(NO_ERROR, receive(server.queue, 0, &received));
        const HTTP_COOKED_URL *url = &received.request.CookedUrl;
        CHECK_WIDE(table[i].path, url->pAbsPath, url->AbsPathLength);
        if (table[i].query != NULL) {
            CHECK_WIDE(table[i].query, url->pQueryString, url->QueryStringLength);
        }
        CHECK_TEXT(table[i].target, received.request.pRawUrl, received.request.RawUrlLength);
        CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "x"));
        client_expect(&client, 200);
    }
    client_close(&client);
    server_close(&server);
}

static void an_absolute_target_names_the_host(void)
{
    struct server server;
    struct received received;
    struct client client;
    char target[128], host[32];
    server_start(&server);
    snprintf(host, sizeof host, "localhost:%u", (unsigned)server.port);
    snprintf(target, sizeof target, "http://%s/absolute?q", host);
    client_open(&client, server.port);
    client_send(&client, "GET %s HTTP/1.1\r\nHost: ignored.test\r\n\r\n", target);
    expect(&server, "/absolute", &received);
    CHECK_TEXT(target, received.request.pRawUrl, received.request.RawUrlLength);
    CHECK_WIDE(host, received.request.CookedUrl.pHost, received.request.CookedUrl.HostLength);
    CHECK_WIDE(target, received.request.CookedUrl.pFullUrl,
               received.request.CookedUrl.FullUrlLength);
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "x"));
    client_expect(&client, 200);
    client_close(&client);
    server_close(&server);
}

static void every_verb(void)
{
    static const struct {
        const char *text;
        HTTP_VERB verb;
    } table[] = {
        {"OPTIONS", HttpVerbOPTIONS},
        {"GET", HttpVerbGET},
        {"DELETE", HttpVerbDELETE},
        {"TRACE", HttpVerbTRACE},
        {"TRACK", HttpVerbTRACK},
        {"MOVE", HttpVerbMOVE},
        {"COPY", HttpVerbCOPY},
        {"PROPFIND", HttpVerbPROPFIND},
        {"PROPPATCH", HttpVerbPROPPATCH},
        {"MKCOL", HttpVerbMKCOL},
        {"LOCK", HttpVerbLOCK},
        {"UNLOCK", HttpVerbUNLOCK},
        {"SEARCH", HttpVerbSEARCH},
        {"POST", HttpVerbPOST},
        {"PUT", HttpVerbPUT},
        {"PATCH", HttpVerbUnknown},
        {"xyzzy", HttpVerbUnknown},
        {"GETS", HttpVerbUnknown},
    };
    struct server server;
    struct received received;
    struct client client;
    server_start(&server);
    client_open(&client, server.port);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const bool body = table[i].verb == HttpVerbPOST || table[i].verb == HttpVerbPUT;
        client_request(&client, table[i].text, "/", body ? "Content-Length: 0\r\n" : "");
        CHECK_CODE(NO_ERROR, receive(server.queue, 0, &received));
        CHECK_UINT(table[i].verb, received.request.Verb);
        if (table[i].verb == HttpVerbUnknown) {
            CHECK_TEXT(table[i].text, received.request.pUnknownVerb,
                       received.request.UnknownVerbLength);
        } else {
            CHECK(received.request.pUnknownVerb == NULL);
        }
        CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "x"));
        client_expect(&client, 200);
    }
    client_close(&client);
    server_close(&server);
}

static void check_known(const HTTP_REQUEST *request, HTTP_HEADER_ID id, const char *value)
{
    const HTTP_KNOWN_HEADER *header = &request->Headers.KnownHeaders[id];
    CHECK_TEXT(value, header->pRawValue, header->RawValueLength);
}

static void headers_are_known_in_any_case_and_joined(void)
{
    struct server server;
    struct received received;
    struct client client;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "GET", "/",
                   "aCCept: a\r\nAccept:b \r\ncookie: x=1\r\nCookie: y=2\r\n"
                   "X-Twice: 1\r\nx-twice: 2\r\nCache-Control:\t no-cache \t\r\n"
                   "Accept-Language:\r\nTranslate: f\r\nTE: trailers\r\n");
    CHECK_CODE(NO_ERROR, receive(server.queue, 0, &received));
    const HTTP_REQUEST *request = &received.request;
    check_known(request, HttpHeaderAccept, "a, b");
    check_known(request, HttpHeaderCookie, "x=1; y=2");
    check_known(request, HttpHeaderCacheControl, "no-cache");
    check_known(request, HttpHeaderTranslate, "f");
    check_known(request, HttpHeaderTe, "trailers");
    CHECK_UINT(0, request->Headers.KnownHeaders[HttpHeaderAcceptLanguage].RawValueLength);
    CHECK_UINT(2, request->Headers.UnknownHeaderCount);
    const HTTP_UNKNOWN_HEADER *own = request->Headers.pUnknownHeaders;
    CHECK_TEXT("X-Twice", own[0].pName, own[0].NameLength);
    CHECK_TEXT("1", own[0].pRawValue, own[0].RawValueLength);
    CHECK_TEXT("2", own[1].pRawValue, own[1].RawValueLength);
    CHECK_CODE(NO_ERROR, answer(server.queue, request->RequestId, 200, "x"));
    client_expect(&client, 200);
    client_close(&client);
    server_close(&server);
}

static void bytes_received_counts_head_and_body(void)
{
    struct server server;
    struct received received;
    struct client client;
    char text[256];
    server_start(&server);
    const int length =
        snprintf(text, sizeof text,
                 "POST / HTTP/1.1\r\nHost: localhost:%u\r\nContent-Length: 5\r\n\r\nhello",
                 (unsigned)server.port);
    client_open(&client, server.port);
    client_send(&client, "%s", text);
    CHECK_CODE(NO_ERROR, receive(server.queue, HTTP_RECEIVE_REQUEST_FLAG_COPY_BODY, &received));
    CHECK_UINT(length, received.request.BytesReceived);
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "x"));
    client_expect(&client, 200);
    client_close(&client);
    server_close(&server);
}

/* What is lent has the same content as what is copied. */
static void a_borrowed_request_reads_the_same(void)
{
    struct server server;
    struct received received;
    struct client client;
    char host[32];
    server_start(&server);
    snprintf(host, sizeof host, "localhost:%u", (unsigned)server.port);
    client_open(&client, server.port);
    for (int round = 0; round < 3; round++) {
        client_request(&client, "GET", "/a%20b?c", "User-Agent: test\r\nX-Own: own\r\n");
        CHECK_CODE(NO_ERROR, receive(server.queue, HTTP_RECEIVE_REQUEST_FLAG_BORROW, &received));
        const HTTP_REQUEST *request = &received.request;
        CHECK_TEXT("/a%20b?c", request->pRawUrl, request->RawUrlLength);
        CHECK_WIDE("/a b", request->CookedUrl.pAbsPath, request->CookedUrl.AbsPathLength);
        CHECK_WIDE("?c", request->CookedUrl.pQueryString, request->CookedUrl.QueryStringLength);
        CHECK_WIDE(host, request->CookedUrl.pHost, request->CookedUrl.HostLength);
        check_known(request, HttpHeaderUserAgent, "test");
        CHECK_UINT(1, request->Headers.UnknownHeaderCount);
        CHECK_TEXT("X-Own", request->Headers.pUnknownHeaders[0].pName,
                   request->Headers.pUnknownHeaders[0].NameLength);
        CHECK_UINT(AF_INET, request->Address.pRemoteAddress->sa_family);
        CHECK_CODE(NO_ERROR, answer(server.queue, request->RequestId, 200, "x"));
        client_expect(&client, 200);
    }
    client_close(&client);
    server_close(&server);
}

static void the_body_does_not_move_what_is_borrowed(void)
{
    struct server server;
    struct received received;
    struct client client;
    char *body = malloc(200000), *back = malloc(200000);
    CHECK(body != NULL && back != NULL);
    memset(body, 'b', 200000);
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "POST", "/upload", "Content-Length: 200000\r\nX-Own: own\r\n");
    CHECK_CODE(NO_ERROR, receive(server.queue, HTTP_RECEIVE_REQUEST_FLAG_BORROW, &received));
    client_send_bytes(&client, body, 200000);
    const HTTP_REQUEST *request = &received.request;
    CHECK_UINT(200000, read_whole_body(server.queue, request->RequestId, back, 200000));
    CHECK(memcmp(body, back, 200000) == 0);
    CHECK_TEXT("/upload", request->pRawUrl, request->RawUrlLength);
    CHECK_WIDE("/upload", request->CookedUrl.pAbsPath, request->CookedUrl.AbsPathLength);
    CHECK_TEXT("own", request->Headers.pUnknownHeaders[0].pRawValue,
               request->Headers.pUnknownHeaders[0].RawValueLength);
    CHECK_CODE(NO_ERROR, answer(server.queue, request->RequestId, 200, "x"));
    client_expect(&client, 200);
    client_close(&client);
    free(body);
    free(back);
    server_close(&server);
}

/* A client that goes takes nothing of what was lent: it is given back by cancelling. */
static void what_is_borrowed_outlives_the_client(void)
{
    struct server server;
    struct received received, other;
    struct pending pending;
    struct client client;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "GET", "/lent?q", "X-Own: own\r\n");
    CHECK_CODE(NO_ERROR, receive(server.queue, HTTP_RECEIVE_REQUEST_FLAG_BORROW, &received));
    const HTTP_REQUEST *request = &received.request;
    pending_open(&pending);
    CHECK_CODE_OF(NO_ERROR, ERROR_IO_PENDING,
                  HttpWaitForDisconnect(server.queue, request->ConnectionId, &pending.overlapped));
    client_reset(&client);
    CHECK_UINT(NO_ERROR, pending_wait(&pending, server.queue, NULL));
    for (int i = 0; i < 10; i++) { /* others use the memory that is free */
        client_open(&client, server.port);
        client_request(&client, "GET", "/somebody-else", "X-Other: other\r\n");
        expect(&server, "/somebody-else", &other);
        CHECK_CODE(NO_ERROR, answer(server.queue, other.request.RequestId, 200, "x"));
        client_expect(&client, 200);
        client_close(&client);
    }
    CHECK_CODE(ERROR_CONNECTION_INVALID, answer(server.queue, request->RequestId, 200, "x"));
    CHECK_TEXT("/lent?q", request->pRawUrl, request->RawUrlLength);
    CHECK_WIDE("/lent", request->CookedUrl.pAbsPath, request->CookedUrl.AbsPathLength);
    CHECK_TEXT("own", request->Headers.pUnknownHeaders[0].pRawValue,
               request->Headers.pUnknownHeaders[0].RawValueLength);
    CHECK_CODE(NO_ERROR, HttpCancelHttpRequest(server.queue, request->RequestId, NULL));
    CHECK_CODE(ERROR_CONNECTION_INVALID,
               HttpCancelHttpRequest(server.queue, request->RequestId, NULL));
    pending_close(&pending);
    server_close(&server);
}

/* Nothing leaks when it is never given back. */
static void what_is_borrowed_goes_with_its_queue(void)
{
    struct server server;
    struct received received;
    struct client client;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "GET", "/lent", "");
    CHECK_CODE(NO_ERROR, receive(server.queue, HTTP_RECEIVE_REQUEST_FLAG_BORROW, &received));
    client_reset(&client);
    ULONG code = NO_ERROR;
    while (code == NO_ERROR) { /* until the loss is noticed */
        char byte = 0;
        code = read_body(server.queue, received.request.RequestId, 0, &byte, 1, NULL);
        code = code == ERROR_HANDLE_EOF ? NO_ERROR : code;
        shim_pause();
    }
    server_close(&server);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CASE(bad_handles),
        CASE_NOT_ON(PROVIDER_WINE, "arguments are looked at in part", bad_buffers),
        CASE(unknown_ids),
        CASE(more_data_binds_the_request_to_its_id),
        CASE(more_data_by_an_event),
        CASE(a_bound_request_may_be_answered_unread),
        CASE(receives_are_served_first_come_first_served),
        CASE_NOT_ON(PROVIDER_WINE, "several connections get stuck there",
                    requests_wait_for_a_receive_in_order),
        CASE(the_count_may_be_left_out),
        CASE_NOT_ON(PROVIDER_HTTPSYS, "newer systems attach request information",
                    every_field_of_a_plain_request),
        CASE(the_cooked_url_is_one_string),
        CASE_NOT_ON(PROVIDER_WINE, WINE_KEEPS_RAW, the_cooked_path_is_canonical),
        CASE(an_absolute_target_names_the_host),
        CASE(every_verb),
        CASE_NOT_ON(PROVIDER_WINE, "names are compared with their case there",
                    headers_are_known_in_any_case_and_joined),
        CASE(bytes_received_counts_head_and_body),
        CASE(a_borrowed_request_reads_the_same),
        CASE_NOT_ON(PROVIDER_WINE, "no streaming of bodies there",
                    the_body_does_not_move_what_is_borrowed),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "nothing is lent there",
                    what_is_borrowed_outlives_the_client),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "nothing is lent there",
                    what_is_borrowed_goes_with_its_queue),
    };
    return contract_main(cases, COUNT_OF(cases), argc, argv);
}
