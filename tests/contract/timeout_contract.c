/* The six timeouts, each set to its smallest value and waited for. No case looks at a clock: it
 * waits until the connection is closed, and only whether that happens is checked.
 * ctest-timeout: 180 */
#include <stdlib.h>
#include <string.h>

#include "contract/client.h"
#include "contract/contract.h"

#define WINE_HAS_NONE "no timeouts there"

static HTTP_TIMEOUT_LIMIT_INFO no_timeouts(void)
{
    HTTP_TIMEOUT_LIMIT_INFO info;
    memset(&info, 0, sizeof info);
    info.Flags.Present = 1;
    return info;
}

static void set_group(const struct server *server, HTTP_TIMEOUT_LIMIT_INFO info)
{
    CHECK_CODE(NO_ERROR, HttpSetUrlGroupProperty(server->group, HttpServerTimeoutsProperty, &info,
                                                 sizeof info));
}

static void set_session(const struct server *server, HTTP_TIMEOUT_LIMIT_INFO info)
{
    CHECK_CODE(NO_ERROR, HttpSetServerSessionProperty(server->session, HttpServerTimeoutsProperty,
                                                      &info, sizeof info));
}

/* Opens a connection and has one request served on it, so that the group is known. */
static void open_known(const struct server *server, struct client *client)
{
    client_open(client, server->port);
    client_request(client, "GET", "/", "");
    serve_one(server);
    client_expect(client, 200);
}

/* The connection ends; what may come before is an answer with this status. */
static void ends_silently_or_with(struct client *client, unsigned status)
{
    size_t length = 0;
    char *all = client_read_all(client, &length);
    if (length > 0) {
        CHECK(length > 12 && memcmp(all, "HTTP/1.1 ", 9) == 0);
        CHECK_UINT(status, strtoul(all + 9, NULL, 10));
    }
    free(all);
}

/* The rest of a body does not come: the read fails, and the connection ends. */
static void body_times_out(const struct server *server)
{
    struct received received;
    struct client client;
    char buffer[16];
    ULONG count = 0;
    client_open(&client, server->port);
    client_request(&client, "POST", "/", "Content-Length: 10\r\n");
    client_send(&client, "abc");
    expect(server, "/", &received);
    const HTTP_REQUEST_ID id = received.request.RequestId;
    CHECK_CODE(NO_ERROR, read_body(server->queue, id, 0, buffer, sizeof buffer, &count));
    CHECK_UINT(3, count);
    const ULONG code = read_body(server->queue, id, 0, buffer, sizeof buffer, &count);
    CHECK(code != NO_ERROR && code != ERROR_HANDLE_EOF);
    ends_silently_or_with(&client, 408);
    client_close(&client);
}

static void entity_body(void)
{
    struct server server;
    HTTP_TIMEOUT_LIMIT_INFO info = no_timeouts();
    info.EntityBody = 1;
    server_start(&server);
    set_group(&server, info);
    body_times_out(&server);
    server_close(&server);
}

static void a_session_gives_its_value_to_its_groups(void)
{
    struct server server;
    HTTP_TIMEOUT_LIMIT_INFO info = no_timeouts();
    server_start(&server);
    set_group(&server, info); /* all 0: not set here */
    info.EntityBody = 1;
    set_session(&server, info);
    body_times_out(&server);
    server_close(&server);
}

static void a_group_wins_over_its_session(void)
{
    struct server server;
    HTTP_TIMEOUT_LIMIT_INFO info = no_timeouts();
    server_start(&server);
    info.EntityBody = MAXUSHORT;
    set_session(&server, info);
    info.EntityBody = 1;
    set_group(&server, info);
    body_times_out(&server);
    server_close(&server);
}

static void drain_entity_body(void)
{
    struct server server;
    struct received received;
    struct client client;
    HTTP_TIMEOUT_LIMIT_INFO info = no_timeouts();
    info.DrainEntityBody = 1;
    server_start(&server);
    set_group(&server, info);
    client_open(&client, server.port);
    client_request(&client, "POST", "/", "Content-Length: 1000\r\n");
    client_send(&client, "only this");
    expect(&server, "/", &received);
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "early"));
    client_expect_body(&client, 200, "early");
    client_expect_end(&client);
    client_close(&client);
    server_close(&server);
}

static void request_queue(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    struct client client;
    HTTP_TIMEOUT_LIMIT_INFO info = no_timeouts();
    info.RequestQueue = 1;
    server_start(&server);
    set_group(&server, info);
    client_open(&client, server.port);
    client_request(&client, "GET", "/never-received", "");
    ends_silently_or_with(&client, 503);
    client_close(&client);
    pending_open(&pending); /* it is gone from the queue, too */
    pending_receive(&pending, server.queue, 0, &received);
    client_open(&client, server.port);
    client_request(&client, "GET", "/next", "");
    CHECK_UINT(NO_ERROR, pending_wait(&pending, server.queue, NULL));
    CHECK_TEXT("/next", received.request.pRawUrl, received.request.RawUrlLength);
    pending_close(&pending);
    client_close(&client);
    server_close(&server);
}

static void idle_connection(void)
{
    struct server server;
    struct client client;
    HTTP_TIMEOUT_LIMIT_INFO info = no_timeouts();
    info.IdleConnection = 1;
    server_start(&server);
    set_group(&server, info);
    open_known(&server, &client);
    client_expect_end(&client); /* without a word */
    client_close(&client);
    server_close(&server);
}

static void header_wait(void)
{
    struct server server;
    struct client client;
    HTTP_TIMEOUT_LIMIT_INFO info = no_timeouts();
    info.HeaderWait = 1;
    server_start(&server);
    set_group(&server, info);
    open_known(&server, &client);
    client_send(&client, "GET /half HTTP/1.1\r\nHost: local");
    ends_silently_or_with(&client, 408);
    client_close(&client);
    server_close(&server);
}

static void min_send_rate(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    struct client client;
    HTTP_RESPONSE response;
    HTTP_DATA_CHUNK chunk;
    const size_t size = 16 << 20;
    char *bytes = calloc(1, size);
    HTTP_TIMEOUT_LIMIT_INFO info = no_timeouts();
    CHECK(bytes != NULL);
    info.MinSendRate = 100 * 1000 * 1000;
    server_start(&server);
    set_group(&server, info);
    client_open(&client, server.port);
    client_request(&client, "GET", "/", "");
    expect(&server, "/", &received);
    make_response(&response, &chunk, 200, NULL);
    make_memory_chunk(&chunk, bytes, size);
    response.EntityChunkCount = 1;
    response.pEntityChunks = &chunk;
    pending_open(&pending);
    CHECK_CODE(ERROR_IO_PENDING,
               HttpSendHttpResponse(server.queue, received.request.RequestId, 0, &response, NULL,
                                    NULL, NULL, 0, &pending.overlapped, NULL));
    CHECK(pending_done(&pending, 2 * CONTRACT_WAIT_MS)); /* nobody reads */
    CHECK_FAILS(pending_wait(&pending, server.queue, NULL));
    pending_close(&pending);
    client_close(&client);
    free(bytes);
    server_close(&server);
}

static void the_application_may_take_its_time(void)
{
    struct server server;
    struct received received;
    struct client client;
    HTTP_TIMEOUT_LIMIT_INFO info = no_timeouts();
    info.EntityBody = info.DrainEntityBody = info.RequestQueue = 1;
    info.IdleConnection = info.HeaderWait = 1;
    server_start(&server);
    set_group(&server, info);
    client_open(&client, server.port);
    client_request(&client, "GET", "/", "");
    expect(&server, "/", &received);
    CHECK(client_is_silent(&client, 2500)); /* longer than all of them */
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "slow"));
    client_expect_body(&client, 200, "slow");
    client_close(&client);
    server_close(&server);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, entity_body),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, a_session_gives_its_value_to_its_groups),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, a_group_wins_over_its_session),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, drain_entity_body),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, request_queue),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, idle_connection),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, header_wait),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, min_send_rate),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, the_application_may_take_its_time),
    };
    return contract_main(cases, COUNT_OF(cases), argc, argv);
}
