/* Sessions, groups and queues: creating, closing, codes, stale ids, and closing in every order. */
#include <string.h>

#include "contract/client.h"
#include "contract/contract.h"

#define WINE_CRASHES "a closed id ends the process there"

static const HTTP_OPAQUE_ID STRANGE_ID = 0x7F00FF00DEADBEEFull;

static void initialize(void)
{
    CHECK_CODE(NO_ERROR, HttpInitialize(HTTPAPI_VERSION_2, HTTP_INITIALIZE_SERVER, NULL));
}

static void terminate(void)
{
    CHECK_CODE(NO_ERROR, HttpTerminate(HTTP_INITIALIZE_SERVER, NULL));
}

static HTTP_SERVER_SESSION_ID new_session(void)
{
    HTTP_SERVER_SESSION_ID session = HTTP_NULL_ID;
    CHECK_CODE(NO_ERROR, HttpCreateServerSession(HTTPAPI_VERSION_2, &session, 0));
    CHECK(session != HTTP_NULL_ID);
    return session;
}

static HTTP_URL_GROUP_ID new_group(HTTP_SERVER_SESSION_ID session)
{
    HTTP_URL_GROUP_ID group = HTTP_NULL_ID;
    CHECK_CODE(NO_ERROR, HttpCreateUrlGroup(session, &group, 0));
    CHECK(group != HTTP_NULL_ID);
    return group;
}

static HANDLE new_queue(void)
{
    HANDLE queue = NULL;
    CHECK_CODE(NO_ERROR, HttpCreateRequestQueue(HTTPAPI_VERSION_2, NULL, NULL, 0, &queue));
    CHECK(queue != NULL && queue != INVALID_HANDLE_VALUE);
    return queue;
}

static void session_versions(void)
{
    const HTTPAPI_VERSION odd = {1, 1}, new = {3, 0};
    HTTP_SERVER_SESSION_ID session = STRANGE_ID;
    initialize();
    CHECK_CODE(ERROR_REVISION_MISMATCH, HttpCreateServerSession(odd, &session, 0));
    CHECK_CODE(ERROR_REVISION_MISMATCH, HttpCreateServerSession(new, &session, 0));
    CHECK_CODE(NO_ERROR, HttpCreateServerSession(HTTPAPI_VERSION_1, &session, 0));
    CHECK_CODE(NO_ERROR, HttpCloseServerSession(session));
    CHECK_CODE(NO_ERROR, HttpCreateServerSession(HTTPAPI_VERSION_2, &session, 0));
    CHECK_CODE(NO_ERROR, HttpCloseServerSession(session));
    terminate();
}

static void session_arguments(void)
{
    HTTP_SERVER_SESSION_ID session = STRANGE_ID;
    initialize();
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCreateServerSession(HTTPAPI_VERSION_2, NULL, 0));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCreateServerSession(HTTPAPI_VERSION_2, &session, 1));
    CHECK_UINT(STRANGE_ID, session);
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseServerSession(HTTP_NULL_ID));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseServerSession(STRANGE_ID));
    session = new_session();
    CHECK_CODE(NO_ERROR, HttpCloseServerSession(session));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseServerSession(session));
    terminate();
}

static void session_closes_its_groups(void)
{
    initialize();
    const HTTP_SERVER_SESSION_ID session = new_session();
    const HTTP_URL_GROUP_ID one = new_group(session), two = new_group(session);
    CHECK_CODE(NO_ERROR, HttpCloseServerSession(session));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseUrlGroup(one));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseUrlGroup(two));
    terminate();
}

static void group_arguments(void)
{
    HTTP_URL_GROUP_ID group = STRANGE_ID;
    initialize();
    const HTTP_SERVER_SESSION_ID session = new_session();
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCreateUrlGroup(HTTP_NULL_ID, &group, 0));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCreateUrlGroup(STRANGE_ID, &group, 0));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCreateUrlGroup(session, NULL, 0));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCreateUrlGroup(session, &group, 1));
    CHECK_UINT(STRANGE_ID, group);
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseUrlGroup(HTTP_NULL_ID));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseUrlGroup(STRANGE_ID));
    group = new_group(session);
    CHECK_CODE(NO_ERROR, HttpCloseUrlGroup(group));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseUrlGroup(group));
    CHECK_CODE(NO_ERROR, HttpCloseServerSession(session));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCreateUrlGroup(session, &group, 0));
    terminate();
}

static void a_session_id_is_no_group_id(void)
{
    initialize();
    const HTTP_SERVER_SESSION_ID session = new_session();
    const HTTP_URL_GROUP_ID group = new_group(session);
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseUrlGroup(session));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseServerSession(group));
    CHECK_CODE(NO_ERROR, HttpCloseUrlGroup(group));
    CHECK_CODE(NO_ERROR, HttpCloseServerSession(session));
    terminate();
}

static void closed_ids_are_not_given_out_again(void)
{
    initialize();
    const HTTP_SERVER_SESSION_ID first = new_session();
    const HTTP_URL_GROUP_ID group = new_group(first);
    const HANDLE queue = new_queue();
    CHECK_CODE(NO_ERROR, HttpCloseServerSession(first));
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(queue));
    for (int i = 0; i < 100; i++) {
        const HTTP_SERVER_SESSION_ID session = new_session();
        const HTTP_URL_GROUP_ID other = new_group(session);
        const HANDLE other_queue = new_queue();
        CHECK(session != first && other != group && other_queue != queue);
        CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseUrlGroup(group));
        CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseServerSession(first));
        CHECK_CODE(ERROR_INVALID_HANDLE, HttpCloseRequestQueue(queue));
        CHECK_CODE(NO_ERROR, HttpCloseServerSession(session));
        CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(other_queue));
    }
    terminate();
}

static void queue_arguments(void)
{
    HANDLE queue = NULL;
    struct url long_name;
    initialize();
    for (int i = 0; i < CONTRACT_URL_UNITS; i++) {
        long_name.text[i] = 'q';
    }
    long_name.text[MAX_PATH + 8] = 0;
    CHECK_CODE(ERROR_REVISION_MISMATCH,
               HttpCreateRequestQueue(HTTPAPI_VERSION_1, NULL, NULL, 0, &queue));
    CHECK_CODE(ERROR_INVALID_PARAMETER,
               HttpCreateRequestQueue(HTTPAPI_VERSION_2, NULL, NULL, 0, NULL));
    CHECK_CODE(ERROR_INVALID_PARAMETER,
               HttpCreateRequestQueue(HTTPAPI_VERSION_2, NULL, NULL, 0x40000000u, &queue));
    CHECK_CODE(ERROR_INVALID_PARAMETER,
               HttpCreateRequestQueue(HTTPAPI_VERSION_2, long_name.text, NULL, 0, &queue));
    CHECK_CODE(ERROR_INVALID_PARAMETER,
               HttpCreateRequestQueue(HTTPAPI_VERSION_2, NULL, NULL,
                                      HTTP_CREATE_REQUEST_QUEUE_FLAG_OPEN_EXISTING, &queue));
    CHECK_CODE(ERROR_INVALID_PARAMETER,
               HttpCreateRequestQueue(HTTPAPI_VERSION_2, HTTP_TEXT("nobody"), NULL,
                                      HTTP_CREATE_REQUEST_QUEUE_FLAG_OPEN_EXISTING |
                                          HTTP_CREATE_REQUEST_QUEUE_FLAG_CONTROLLER,
                                      &queue));
    CHECK(queue == NULL);
    terminate();
}

static void queue_names_are_unique(void)
{
    HANDLE one = NULL, two = NULL;
    initialize();
    CHECK_CODE(NO_ERROR, HttpCreateRequestQueue(HTTPAPI_VERSION_2, HTTP_TEXT("contract test"), NULL,
                                                0, &one));
    CHECK_CODE(
        ERROR_ALREADY_EXISTS,
        HttpCreateRequestQueue(HTTPAPI_VERSION_2, HTTP_TEXT("contract test"), NULL, 0, &two));
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(one));
    CHECK_CODE(NO_ERROR, HttpCreateRequestQueue(HTTPAPI_VERSION_2, HTTP_TEXT("contract test"), NULL,
                                                0, &two));
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(two));
    terminate();
}

static void queue_closed_twice(void)
{
    initialize();
    const HANDLE queue = new_queue();
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(queue));
    CHECK_CODE(ERROR_INVALID_HANDLE, HttpCloseRequestQueue(queue));
    CHECK_CODE(ERROR_INVALID_HANDLE, HttpCloseRequestQueue(NULL));
    CHECK_FAILS(HttpShutdownRequestQueue(queue));
    CHECK_FAILS(HttpShutdownRequestQueue(NULL));
    terminate();
}

static void a_controller_does_no_work(void)
{
    HANDLE queue = NULL;
    struct received received;
    initialize();
    const ULONG code =
        HttpCreateRequestQueue(HTTPAPI_VERSION_2, HTTP_TEXT("contract controller"), NULL,
                               HTTP_CREATE_REQUEST_QUEUE_FLAG_CONTROLLER, &queue);
    if (code == ERROR_NOT_SUPPORTED) {
        contract_skip("this provider has no controllers");
    }
    CHECK_CODE(NO_ERROR, code);
    CHECK_FAILS(receive(queue, 0, &received));
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(queue));
    terminate();
}

/* ---------------------------------------------------------------- wrong orders of closing */

static void the_right_order(void)
{
    struct server server;
    server_start(&server);
    server_close(&server);
}

static void everything_twice(void)
{
    struct server server;
    server_start(&server);
    const struct url url = url_of("http://localhost:%u/", (unsigned)server.port);
    CHECK_CODE(NO_ERROR, HttpRemoveUrlFromUrlGroup(server.group, url.text, 0));
    CHECK_CODE(ERROR_FILE_NOT_FOUND, HttpRemoveUrlFromUrlGroup(server.group, url.text, 0));
    CHECK_CODE(NO_ERROR, HttpCloseUrlGroup(server.group));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseUrlGroup(server.group));
    CHECK_CODE(NO_ERROR, HttpCloseServerSession(server.session));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseServerSession(server.session));
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(server.queue));
    CHECK_CODE(ERROR_INVALID_HANDLE, HttpCloseRequestQueue(server.queue));
    terminate();
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpTerminate(HTTP_INITIALIZE_SERVER, NULL));
}

static void the_session_first(void)
{
    struct server server;
    struct client client;
    server_start(&server);
    const struct url url = url_of("http://localhost:%u/", (unsigned)server.port);
    CHECK_CODE(NO_ERROR, HttpCloseServerSession(server.session));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpRemoveUrlFromUrlGroup(server.group, url.text, 0));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseUrlGroup(server.group));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseServerSession(server.session));
    CHECK(!client_try_open(&client, "127.0.0.1", server.port)); /* its URL went with it */
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(server.queue));
    terminate();
}

static void the_group_first(void)
{
    struct server server;
    server_start(&server);
    const struct url url = url_of("http://localhost:%u/", (unsigned)server.port);
    HTTP_STATE_INFO state;
    ULONG size = 0;
    CHECK_CODE(NO_ERROR, HttpCloseUrlGroup(server.group));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpRemoveUrlFromUrlGroup(server.group, url.text, 0));
    CHECK_CODE(ERROR_INVALID_PARAMETER,
               HttpRemoveUrlFromUrlGroup(server.group, NULL, HTTP_URL_FLAG_REMOVE_ALL));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpAddUrlToUrlGroup(server.group, url.text, 0, 0));
    CHECK_CODE(ERROR_INVALID_PARAMETER, bind_group(server.group, server.queue));
    CHECK_CODE(ERROR_INVALID_PARAMETER,
               HttpQueryUrlGroupProperty(server.group, HttpServerStateProperty, &state,
                                         sizeof state, &size));
    const HTTP_URL_GROUP_ID other = new_group(server.session);
    CHECK_CODE(NO_ERROR, HttpAddUrlToUrlGroup(other, url.text, 0, 0));
    CHECK_CODE(NO_ERROR, HttpCloseUrlGroup(other));
    CHECK_CODE(NO_ERROR, HttpCloseServerSession(server.session));
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(server.queue));
    terminate();
}

static void the_queue_first(void)
{
    struct server server;
    struct client client;
    server_start(&server);
    const struct url url = url_of("http://localhost:%u/", (unsigned)server.port);
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(server.queue));
    client_open(&client, server.port); /* the group is unbound now */
    client_request(&client, "GET", "/", "");
    client_expect(&client, 503);
    client_close(&client);
    CHECK_CODE(NO_ERROR, HttpRemoveUrlFromUrlGroup(server.group, url.text, 0));
    CHECK_CODE(NO_ERROR, HttpCloseUrlGroup(server.group));
    CHECK_CODE(NO_ERROR, HttpCloseServerSession(server.session));
    CHECK_CODE(ERROR_INVALID_HANDLE, HttpCloseRequestQueue(server.queue));
    terminate();
}

static void a_closed_queue_cannot_be_bound(void)
{
    struct server server;
    server_start(&server);
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(server.queue));
    CHECK_CODE_OF(ERROR_INVALID_PARAMETER, ERROR_INVALID_HANDLE,
                  bind_group(server.group, server.queue));
    const HANDLE event = CreateEvent(NULL, TRUE, FALSE, NULL);
    CHECK_CODE_OF(ERROR_INVALID_PARAMETER, ERROR_INVALID_HANDLE, bind_group(server.group, event));
    CHECK(CloseHandle(event));
    CHECK_CODE(NO_ERROR, HttpCloseServerSession(server.session));
    terminate();
}

static void a_new_queue_takes_over(void)
{
    struct server server;
    struct client client;
    server_start(&server);
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(server.queue));
    server.queue = new_queue();
    CHECK_CODE(NO_ERROR, bind_group(server.group, server.queue));
    client_open(&client, server.port);
    client_request(&client, "GET", "/", "");
    serve_one(&server);
    client_expect_body(&client, 200, "0");
    client_close(&client);
    server_close(&server);
}

static void terminate_first(void)
{
    struct server server;
    server_start(&server);
    terminate();
    CHECK_CODE(ERROR_DLL_INIT_FAILED, HttpCloseUrlGroup(server.group));
    CHECK_CODE(ERROR_DLL_INIT_FAILED, HttpCloseServerSession(server.session));
    CHECK_CODE(ERROR_DLL_INIT_FAILED, HttpCloseRequestQueue(server.queue));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpTerminate(HTTP_INITIALIZE_SERVER, NULL));
}

static void a_url_removed_with_a_request_in_flight(void)
{
    struct server server;
    struct client client;
    struct received received;
    server_start(&server);
    const struct url url = url_of("http://localhost:%u/", (unsigned)server.port);
    client_open(&client, server.port);
    client_request(&client, "GET", "/in-flight", "");
    expect(&server, "/in-flight", &received);
    CHECK_CODE(NO_ERROR, HttpRemoveUrlFromUrlGroup(server.group, url.text, 0));
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "still there"));
    client_expect_body(&client, 200, "still there");
    client_close(&client);
    server_close(&server);
}

static void a_session_closed_with_a_request_in_flight(void)
{
    struct server server;
    struct client client;
    struct received received;
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "GET", "/in-flight", "");
    expect(&server, "/in-flight", &received);
    CHECK_CODE(NO_ERROR, HttpCloseServerSession(server.session));
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "still there"));
    client_expect_body(&client, 200, "still there");
    client_close(&client);
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(server.queue));
    terminate();
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CASE(session_versions),
        CASE_NOT_ON(PROVIDER_WINE, "arguments are looked at in part", session_arguments),
        CASE(session_closes_its_groups),
        CASE_NOT_ON(PROVIDER_WINE, "arguments are looked at in part", group_arguments),
        CASE(a_session_id_is_no_group_id),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "ids may be reused there",
                    closed_ids_are_not_given_out_again),
        CASE_NOT_ON(PROVIDER_WINE, "names and flags are ignored there", queue_arguments),
        CASE_NOT_ON(PROVIDER_WINE, "names and flags are ignored there", queue_names_are_unique),
        CASE(queue_closed_twice),
        CASE_NOT_ON(PROVIDER_WINE, "names and flags are ignored there", a_controller_does_no_work),
        CASE(the_right_order),
        CASE_NOT_ON(PROVIDER_WINE, "terminates are not counted there", everything_twice),
        CASE_NOT_ON(PROVIDER_WINE, WINE_CRASHES, the_session_first),
        CASE_NOT_ON(PROVIDER_WINE, WINE_CRASHES, the_group_first),
        CASE_NOT_ON(PROVIDER_WINE, "no 503 there", the_queue_first),
        CASE_NOT_ON(PROVIDER_WINE, "any handle is taken there", a_closed_queue_cannot_be_bound),
        CASE(a_new_queue_takes_over),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "undocumented", terminate_first),
        CASE(a_url_removed_with_a_request_in_flight),
        CASE(a_session_closed_with_a_request_in_flight),
    };
    return contract_main(cases, COUNT_OF(cases), argc, argv);
}
