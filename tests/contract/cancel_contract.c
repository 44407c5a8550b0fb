/* Ending what waits: CancelIoEx, HttpCancelHttpRequest, HttpWaitForDisconnect, and the two ways to
 * end a queue.
 * ctest-timeout: 180 */
#include <stdlib.h>
#include <string.h>

#include "contract/client.h"
#include "contract/contract.h"

#define WINE_LACKS_IT "the functions end the process there"

static void deliver(struct server *server, struct client *client, struct received *received)
{
    client_open(client, server->port);
    client_request(client, "GET", "/", "");
    expect(server, "/", received);
}

/* ----------------------------------------------------------------------------- CancelIoEx */

static void cancel_one_receive(void)
{
    struct server server;
    struct received one, two;
    struct pending first, second;
    struct client client;
    ULONG bytes = 77;
    server_start(&server);
    pending_open(&first);
    pending_open(&second);
    pending_receive(&first, server.queue, 0, &one);
    pending_receive(&second, server.queue, 0, &two);
    CHECK(CancelIoEx(server.queue, &first.overlapped));
    CHECK_UINT(ERROR_OPERATION_ABORTED, pending_wait(&first, server.queue, &bytes));
    CHECK_UINT(0, bytes);
    CHECK(!pending_done(&second, 0));
    client_open(&client, server.port);
    client_request(&client, "GET", "/", "");
    CHECK_UINT(NO_ERROR, pending_wait(&second, server.queue, NULL));
    CHECK_CODE(NO_ERROR, answer(server.queue, two.request.RequestId, 200, "x"));
    client_expect(&client, 200);
    client_close(&client);
    pending_close(&first);
    pending_close(&second);
    server_close(&server);
}

static void cancel_all_receives(void)
{
    struct server server;
    struct received received[3];
    struct pending pending[3];
    server_start(&server);
    for (int i = 0; i < 3; i++) {
        pending_open(&pending[i]);
        pending_receive(&pending[i], server.queue, 0, &received[i]);
    }
    CHECK(CancelIoEx(server.queue, NULL));
    for (int i = 0; i < 3; i++) {
        CHECK_UINT(ERROR_OPERATION_ABORTED, pending_wait(&pending[i], server.queue, NULL));
        pending_close(&pending[i]);
    }
    server_close(&server);
}

static void nothing_to_cancel(void)
{
    struct server server;
    struct pending pending;
    server_start(&server);
    pending_open(&pending);
    CHECK(!CancelIoEx(server.queue, NULL));
    CHECK_UINT(ERROR_NOT_FOUND, GetLastError());
    CHECK(!CancelIoEx(server.queue, &pending.overlapped));
    CHECK_UINT(ERROR_NOT_FOUND, GetLastError());
    CHECK(!CancelIoEx(NULL, NULL));
    CHECK_UINT(ERROR_INVALID_HANDLE, GetLastError());
    pending_close(&pending);
    server_close(&server);
}

struct blocked {
    HANDLE queue;
    struct received received;
    ULONG code;
};

static void receive_in_a_thread(void *context)
{
    struct blocked *blocked = context;
    blocked->code = receive(blocked->queue, 0, &blocked->received);
}

static void cancel_a_blocking_receive(void)
{
    struct server server;
    static struct blocked blocked;
    server_start(&server);
    blocked.queue = server.queue;
    struct shim_thread *thread = shim_thread_start(receive_in_a_thread, &blocked);
    while (!CancelIoEx(server.queue, NULL)) {
        shim_pause(); /* it has not come so far yet */
    }
    shim_thread_join(thread);
    CHECK_UINT(ERROR_OPERATION_ABORTED, blocked.code);
    server_close(&server);
}

static void cancel_a_body_read(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    struct client client;
    char buffer[16];
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "POST", "/", "Content-Length: 4\r\n");
    expect(&server, "/", &received);
    const HTTP_REQUEST_ID id = received.request.RequestId;
    pending_open(&pending);
    CHECK_CODE(ERROR_IO_PENDING,
               HttpReceiveRequestEntityBody(server.queue, id, 0, buffer, sizeof buffer, NULL,
                                            &pending.overlapped));
    CHECK(CancelIoEx(server.queue, &pending.overlapped));
    CHECK_UINT(ERROR_OPERATION_ABORTED, pending_wait(&pending, server.queue, NULL));
    client_send(&client, "body"); /* the request itself lives on */
    CHECK_UINT(4, read_whole_body(server.queue, id, buffer, sizeof buffer));
    CHECK_CODE(NO_ERROR, answer(server.queue, id, 200, "x"));
    client_expect(&client, 200);
    client_close(&client);
    pending_close(&pending);
    server_close(&server);
}

static void a_running_call_is_incomplete(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    DWORD bytes = 0;
    server_start(&server);
    pending_open(&pending);
    pending_receive(&pending, server.queue, 0, &received);
    CHECK(!GetOverlappedResult(server.queue, &pending.overlapped, &bytes, FALSE));
    CHECK_UINT(ERROR_IO_INCOMPLETE, GetLastError());
    CHECK(CancelIoEx(server.queue, NULL));
    CHECK(!GetOverlappedResult(server.queue, &pending.overlapped, &bytes, TRUE));
    CHECK_UINT(ERROR_OPERATION_ABORTED, GetLastError());
    pending_close(&pending);
    server_close(&server);
}

/* ------------------------------------------------------------------ HttpCancelHttpRequest */

static void a_cancelled_request_loses_its_connection(void)
{
    struct server server;
    struct received received;
    struct client client;
    server_start(&server);
    deliver(&server, &client, &received);
    const HTTP_REQUEST_ID id = received.request.RequestId;
    CHECK_CODE(NO_ERROR, HttpCancelHttpRequest(server.queue, id, NULL));
    client_expect_end(&client);
    CHECK_CODE(ERROR_CONNECTION_INVALID, answer(server.queue, id, 200, "x"));
    CHECK_CODE(ERROR_CONNECTION_INVALID, HttpCancelHttpRequest(server.queue, id, NULL));
    CHECK_CODE(ERROR_CONNECTION_INVALID, HttpCancelHttpRequest(server.queue, 0xDEADDEAD, NULL));
    CHECK_CODE(ERROR_INVALID_HANDLE, HttpCancelHttpRequest(NULL, id, NULL));
    client_close(&client);
    server_close(&server);
}

static void cancelling_ends_a_pending_read(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    struct client client;
    char buffer[16];
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "POST", "/", "Content-Length: 4\r\n");
    expect(&server, "/", &received);
    const HTTP_REQUEST_ID id = received.request.RequestId;
    pending_open(&pending);
    CHECK_CODE(ERROR_IO_PENDING,
               HttpReceiveRequestEntityBody(server.queue, id, 0, buffer, sizeof buffer, NULL,
                                            &pending.overlapped));
    CHECK_CODE(NO_ERROR, HttpCancelHttpRequest(server.queue, id, NULL));
    CHECK_UINT(ERROR_OPERATION_ABORTED, pending_wait(&pending, server.queue, NULL));
    client_expect_end(&client);
    client_close(&client);
    pending_close(&pending);
    server_close(&server);
}

static void cancelling_cuts_a_stream(void)
{
    struct server server;
    struct received received;
    struct client client;
    HTTP_RESPONSE response;
    HTTP_DATA_CHUNK chunk;
    server_start(&server);
    deliver(&server, &client, &received);
    const HTTP_REQUEST_ID id = received.request.RequestId;
    make_response(&response, &chunk, 200, NULL);
    set_header(&response, HttpHeaderContentLength, "100");
    CHECK_CODE(NO_ERROR,
               send_response(server.queue, id, HTTP_SEND_RESPONSE_FLAG_MORE_DATA, &response, NULL));
    CHECK_CODE(NO_ERROR,
               send_body(server.queue, id, HTTP_SEND_RESPONSE_FLAG_MORE_DATA, "part", NULL));
    CHECK_CODE(NO_ERROR, HttpCancelHttpRequest(server.queue, id, NULL));
    CHECK_FAILS(send_body(server.queue, id, 0, "rest", NULL));
    size_t length = 0;
    char *all = client_read_all(&client, &length); /* what came is cut: the client can tell */
    CHECK(strstr(all, "rest") == NULL);
    free(all);
    client_close(&client);
    server_close(&server);
}

/* ------------------------------------------------------------------ HttpWaitForDisconnect */

static void the_wait_ends_with_the_client(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    struct client client;
    server_start(&server);
    deliver(&server, &client, &received);
    pending_open(&pending);
    CHECK_CODE(ERROR_IO_PENDING, HttpWaitForDisconnect(server.queue, received.request.ConnectionId,
                                                       &pending.overlapped));
    CHECK(!pending_done(&pending, 0));
    client_reset(&client);
    CHECK_UINT(NO_ERROR, pending_wait(&pending, server.queue, NULL));
    pending_close(&pending);
    server_close(&server);
}

static void the_wait_ends_when_the_server_closes(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    struct client client;
    HTTP_RESPONSE response;
    HTTP_DATA_CHUNK chunk;
    server_start(&server);
    deliver(&server, &client, &received);
    pending_open(&pending);
    CHECK_CODE(ERROR_IO_PENDING, HttpWaitForDisconnect(server.queue, received.request.ConnectionId,
                                                       &pending.overlapped));
    make_response(&response, &chunk, 200, "x");
    CHECK_CODE(NO_ERROR, send_response(server.queue, received.request.RequestId,
                                       HTTP_SEND_RESPONSE_FLAG_DISCONNECT, &response, NULL));
    client_expect(&client, 200);
    client_expect_end(&client);
    client_close(&client);
    CHECK_UINT(NO_ERROR, pending_wait(&pending, server.queue, NULL));
    pending_close(&pending);
    server_close(&server);
}

static void the_wait_outlives_the_request(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    struct client client;
    server_start(&server);
    deliver(&server, &client, &received);
    pending_open(&pending);
    CHECK_CODE(ERROR_IO_PENDING, HttpWaitForDisconnect(server.queue, received.request.ConnectionId,
                                                       &pending.overlapped));
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "x"));
    client_expect(&client, 200);
    CHECK(!pending_done(&pending, 50)); /* the connection is kept alive */
    client_close(&client);
    CHECK_UINT(NO_ERROR, pending_wait(&pending, server.queue, NULL));
    pending_close(&pending);
    server_close(&server);
}

/* The end of the client's sending side after a whole request is not the end of the connection. */
static void a_half_closed_connection_is_answered(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    struct client client;
    server_start(&server);
    deliver(&server, &client, &received);
    pending_open(&pending);
    CHECK_CODE(ERROR_IO_PENDING, HttpWaitForDisconnect(server.queue, received.request.ConnectionId,
                                                       &pending.overlapped));
    shim_shutdown_send(client.socket);
    CHECK(!pending_done(&pending, 100));
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "still heard"));
    client_expect_body(&client, 200, "still heard");
    client_expect_end(&client);
    client_close(&client);
    CHECK_UINT(NO_ERROR, pending_wait(&pending, server.queue, NULL));
    pending_close(&pending);
    server_close(&server);
}

static void a_wait_may_be_cancelled(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    struct client client;
    server_start(&server);
    deliver(&server, &client, &received);
    pending_open(&pending);
    CHECK_CODE(ERROR_IO_PENDING, HttpWaitForDisconnect(server.queue, received.request.ConnectionId,
                                                       &pending.overlapped));
    CHECK(CancelIoEx(server.queue, &pending.overlapped));
    CHECK_UINT(ERROR_OPERATION_ABORTED, pending_wait(&pending, server.queue, NULL));
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "x"));
    client_expect(&client, 200);
    client_close(&client);
    pending_close(&pending);
    server_close(&server);
}

static void a_wait_for_nobody(void)
{
    struct server server;
    server_start(&server);
    CHECK_CODE(ERROR_CONNECTION_INVALID, HttpWaitForDisconnect(server.queue, 0xDEADDEAD, NULL));
    CHECK_CODE(ERROR_CONNECTION_INVALID, HttpWaitForDisconnect(server.queue, HTTP_NULL_ID, NULL));
    CHECK_CODE(ERROR_INVALID_HANDLE, HttpWaitForDisconnect(NULL, 1, NULL));
    server_close(&server);
}

/* --------------------------------------------------------------- HttpShutdownRequestQueue */

static void shutdown_cancels_what_waits(void)
{
    struct server server;
    struct received received, unused;
    struct pending receiving, waiting;
    struct client client;
    server_start(&server);
    deliver(&server, &client, &received);
    pending_open(&receiving);
    pending_open(&waiting);
    pending_receive(&receiving, server.queue, 0, &unused);
    CHECK_CODE(ERROR_IO_PENDING, HttpWaitForDisconnect(server.queue, received.request.ConnectionId,
                                                       &waiting.overlapped));
    CHECK_CODE(NO_ERROR, HttpShutdownRequestQueue(server.queue));
    CHECK_UINT(ERROR_OPERATION_ABORTED, pending_wait(&receiving, server.queue, NULL));
    const ULONG code = pending_wait(&waiting, server.queue, NULL);
    CHECK(code == ERROR_OPERATION_ABORTED || code == NO_ERROR); /* its connection went as well */
    CHECK_FAILS(answer(server.queue, received.request.RequestId, 200, "cancelled"));
    client_expect_end(&client); /* delivered and unanswered */
    client_close(&client);
    CHECK_FAILS(receive(server.queue, 0, &unused));
    pending_close(&receiving);
    pending_close(&waiting);
    server_close(&server); /* the handle must still be closed */
}

static void shutdown_ends_a_blocking_receive(void)
{
    struct server server;
    static struct blocked blocked;
    struct pending probe;
    static struct received unused;
    server_start(&server);
    blocked.queue = server.queue;
    struct shim_thread *thread = shim_thread_start(receive_in_a_thread, &blocked);
    /* Requests go to the oldest receive: when ours is cancelled the thread is either in its call
     * or will find the queue shut down. Both must end. */
    pending_open(&probe);
    pending_receive(&probe, server.queue, 0, &unused);
    CHECK_CODE(NO_ERROR, HttpShutdownRequestQueue(server.queue));
    CHECK_UINT(ERROR_OPERATION_ABORTED, pending_wait(&probe, server.queue, NULL));
    shim_thread_join(thread);
    CHECK(blocked.code != NO_ERROR);
    pending_close(&probe);
    server_close(&server);
}

struct reader {
    struct client *client;
    struct reply reply;
};

static void read_in_a_thread(void *context)
{
    struct reader *reader = context;
    client_read(reader->client, &reader->reply, false);
}

static void shutdown_lets_a_running_send_finish(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    struct client client;
    HTTP_RESPONSE response;
    HTTP_DATA_CHUNK chunk;
    struct reader reader;
    const size_t size = 16 << 20;
    char *bytes = malloc(size);
    CHECK(bytes != NULL);
    memset(bytes, 's', size);
    memset(&reader, 0, sizeof reader);
    reader.client = &client;
    server_start(&server);
    deliver(&server, &client, &received);
    make_response(&response, &chunk, 200, NULL);
    make_memory_chunk(&chunk, bytes, size);
    response.EntityChunkCount = 1;
    response.pEntityChunks = &chunk;
    pending_open(&pending);
    CHECK_CODE(ERROR_IO_PENDING, /* nobody reads yet, and no socket holds so much */
               HttpSendHttpResponse(server.queue, received.request.RequestId, 0, &response, NULL,
                                    NULL, NULL, 0, &pending.overlapped, NULL));
    struct shim_thread *thread = shim_thread_start(read_in_a_thread, &reader);
    CHECK_CODE(NO_ERROR, HttpShutdownRequestQueue(server.queue));
    CHECK_UINT(NO_ERROR, pending_wait(&pending, server.queue, NULL));
    shim_thread_join(thread);
    CHECK_UINT(size, reader.reply.body_length);
    CHECK(memcmp(bytes, reader.reply.body, size) == 0);
    reply_free(&reader.reply);
    client_close(&client);
    pending_close(&pending);
    free(bytes);
    server_close(&server);
}

static void another_queue_does_not_notice(void)
{
    struct server server;
    struct received received;
    struct client client;
    HANDLE other = NULL;
    server_start(&server);
    CHECK_CODE(NO_ERROR, HttpCreateRequestQueue(HTTPAPI_VERSION_2, NULL, NULL, 0, &other));
    deliver(&server, &client, &received);
    CHECK_CODE(NO_ERROR, HttpShutdownRequestQueue(other));
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(other));
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "undisturbed"));
    client_expect_body(&client, 200, "undisturbed");
    client_close(&client);
    server_close(&server);
}

/* ------------------------------------------------------------------ HttpCloseRequestQueue */

static void close_without_server(struct server *server)
{
    CHECK_CODE(NO_ERROR, HttpCloseServerSession(server->session));
    CHECK_CODE(NO_ERROR, HttpTerminate(HTTP_INITIALIZE_SERVER, NULL));
}

static void closing_a_queue_ends_its_receives(void)
{
    struct server server;
    static struct blocked blocked;
    struct received unused;
    struct pending pending;
    server_start(&server);
    blocked.queue = server.queue;
    struct shim_thread *thread = shim_thread_start(receive_in_a_thread, &blocked);
    pending_open(&pending);
    pending_receive(&pending, server.queue, 0, &unused);
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(server.queue));
    CHECK(pending_done(&pending, CONTRACT_WAIT_MS));
    shim_thread_join(thread);
    CHECK(blocked.code == ERROR_OPERATION_ABORTED || blocked.code == ERROR_INVALID_HANDLE);
    pending_close(&pending);
    close_without_server(&server);
}

static void closing_a_queue_drops_delivered_requests(void)
{
    struct server server;
    struct received received;
    struct client client;
    server_start(&server);
    deliver(&server, &client, &received);
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(server.queue));
    client_expect_end(&client);
    client_close(&client);
    CHECK_CODE(ERROR_INVALID_HANDLE,
               answer(server.queue, received.request.RequestId, 200, "nobody"));
    close_without_server(&server);
}

static void closing_a_queue_ends_waiting_requests(void)
{
    struct server server;
    struct received received;
    struct client client, other;
    server_start(&server);
    client_open(&other, server.port);
    client_request(&other, "GET", "/never-received", "");
    client_open(&client, server.port);
    client_request(&client, "GET", "/never-received", "");
    CHECK_CODE(NO_ERROR, receive(server.queue, 0, &received)); /* one of the two */
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(server.queue));
    size_t length = 0;
    for (int i = 0; i < 2; i++) { /* dropped, or 503 for the one that waited */
        char *all = client_read_all(i == 0 ? &client : &other, &length);
        CHECK(length == 0 || memcmp(all, "HTTP/1.1 503", 12) == 0);
        free(all);
    }
    client_close(&client);
    client_close(&other);
    close_without_server(&server);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CASE(cancel_one_receive),
        CASE(cancel_all_receives),
        CASE(nothing_to_cancel),
        CASE(cancel_a_blocking_receive),
        CASE_NOT_ON(PROVIDER_WINE, "bodies do not stream there", cancel_a_body_read),
        CASE(a_running_call_is_incomplete),
        CASE_NOT_ON(PROVIDER_WINE, WINE_LACKS_IT, a_cancelled_request_loses_its_connection),
        CASE_NOT_ON(PROVIDER_WINE, WINE_LACKS_IT, cancelling_ends_a_pending_read),
        CASE_NOT_ON(PROVIDER_WINE, WINE_LACKS_IT, cancelling_cuts_a_stream),
        CASE_NOT_ON(PROVIDER_WINE, WINE_LACKS_IT, the_wait_ends_with_the_client),
        CASE_NOT_ON(PROVIDER_WINE, WINE_LACKS_IT, the_wait_ends_when_the_server_closes),
        CASE_NOT_ON(PROVIDER_WINE, WINE_LACKS_IT, the_wait_outlives_the_request),
        CASE_NOT_ON(PROVIDER_WINE, WINE_LACKS_IT, a_half_closed_connection_is_answered),
        CASE_NOT_ON(PROVIDER_WINE, WINE_LACKS_IT, a_wait_may_be_cancelled),
        CASE_NOT_ON(PROVIDER_WINE, WINE_LACKS_IT, a_wait_for_nobody),
        CASE_NOT_ON(PROVIDER_WINE, WINE_LACKS_IT, shutdown_cancels_what_waits),
        CASE_NOT_ON(PROVIDER_WINE, WINE_LACKS_IT, shutdown_ends_a_blocking_receive),
        CASE_NOT_ON(PROVIDER_WINE, WINE_LACKS_IT, shutdown_lets_a_running_send_finish),
        CASE(another_queue_does_not_notice),
        CASE(closing_a_queue_ends_its_receives),
        CASE_NOT_ON(PROVIDER_WINE, "the connection stays open there",
                    closing_a_queue_drops_delivered_requests),
        CASE_NOT_ON(PROVIDER_WINE, "the connection stays open there",
                    closing_a_queue_ends_waiting_requests),
    };
    return contract_main(cases, COUNT_OF(cases), argc, argv);
}
