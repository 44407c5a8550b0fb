/* HttpInitialize and HttpTerminate: one count a flag, and what happens outside of them. */
#include <string.h>

#include "contract/client.h"
#include "contract/contract.h"

enum {
    SERVER = HTTP_INITIALIZE_SERVER,
    CONFIG = HTTP_INITIALIZE_CONFIG,
    BOTH = HTTP_INITIALIZE_SERVER | HTTP_INITIALIZE_CONFIG
};

#define WINE_COUNTS_NOTHING "every initialize and terminate succeeds there"

static ULONG initialize(ULONG flags)
{
    return HttpInitialize(HTTPAPI_VERSION_2, flags, NULL);
}

static bool server_is_up(void)
{
    HTTP_SERVER_SESSION_ID session = HTTP_NULL_ID;
    const ULONG code = HttpCreateServerSession(HTTPAPI_VERSION_2, &session, 0);
    if (code == ERROR_DLL_INIT_FAILED) {
        return false;
    }
    CHECK_CODE(NO_ERROR, code);
    CHECK_CODE(NO_ERROR, HttpCloseServerSession(session));
    return true;
}

static void each_call_needs_its_own_terminate(void)
{
    CHECK_CODE(NO_ERROR, initialize(SERVER));
    CHECK_CODE(NO_ERROR, initialize(SERVER));
    CHECK_CODE(NO_ERROR, HttpTerminate(SERVER, NULL));
    CHECK(server_is_up());
    CHECK_CODE(NO_ERROR, HttpTerminate(SERVER, NULL));
    CHECK(!server_is_up());
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpTerminate(SERVER, NULL));
}

static void both_flags_are_undone_one_by_one(void)
{
    CHECK_CODE(NO_ERROR, initialize(BOTH));
    CHECK_CODE(NO_ERROR, HttpTerminate(SERVER, NULL));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpTerminate(SERVER, NULL));
    CHECK_CODE(NO_ERROR, HttpTerminate(CONFIG, NULL));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpTerminate(CONFIG, NULL));
}

static void two_flags_are_undone_by_one_call(void)
{
    CHECK_CODE(NO_ERROR, initialize(SERVER));
    CHECK_CODE(NO_ERROR, initialize(CONFIG));
    CHECK_CODE(NO_ERROR, HttpTerminate(BOTH, NULL));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpTerminate(SERVER, NULL));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpTerminate(CONFIG, NULL));
}

static void a_terminate_that_does_not_match_changes_nothing(void)
{
    CHECK_CODE(NO_ERROR, initialize(SERVER));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpTerminate(CONFIG, NULL));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpTerminate(BOTH, NULL));
    CHECK(server_is_up());
    CHECK_CODE(NO_ERROR, HttpTerminate(SERVER, NULL));
}

static void flags_and_reserved_are_checked(void)
{
    int something = 0;
    CHECK_CODE(ERROR_INVALID_PARAMETER, initialize(0));
    CHECK_CODE(ERROR_INVALID_PARAMETER, initialize(0x80));
    CHECK_CODE(ERROR_INVALID_PARAMETER, initialize(SERVER | 0x80));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpInitialize(HTTPAPI_VERSION_2, SERVER, &something));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpTerminate(0, NULL));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpTerminate(0x80, NULL));
    CHECK(!server_is_up());
    CHECK_CODE(NO_ERROR, initialize(SERVER));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpTerminate(SERVER, &something));
    CHECK_CODE(NO_ERROR, HttpTerminate(SERVER, NULL));
}

static void both_versions_are_known(void)
{
    const HTTPAPI_VERSION nine = {9, 0};
    CHECK_CODE(NO_ERROR, HttpInitialize(HTTPAPI_VERSION_1, SERVER, NULL));
    CHECK_CODE(NO_ERROR, HttpTerminate(SERVER, NULL));
    CHECK_FAILS(HttpInitialize(nine, SERVER, NULL));
    CHECK(!server_is_up());
}

/* Every server function, with arguments that would do otherwise. */
static void check_all_refused(void)
{
    struct received received;
    HTTP_SERVER_SESSION_ID id = HTTP_NULL_ID;
    HANDLE queue = NULL;
    HANDLE other = (HANDLE)(uintptr_t)64;
    HTTP_STATE_INFO state;
    HTTP_RESPONSE response;
    HTTP_DATA_CHUNK chunk;
    char byte = 0;
    ULONG count = 0;
    const struct url url = url_of("http://localhost:8099/");
    memset(&state, 0, sizeof state);
    make_response(&response, &chunk, 200, "x");
    const ULONG none = ERROR_DLL_INIT_FAILED;
    CHECK_CODE(none, HttpCreateServerSession(HTTPAPI_VERSION_2, &id, 0));
    CHECK_CODE(none, HttpCloseServerSession(1));
    CHECK_CODE(none, HttpCreateUrlGroup(1, &id, 0));
    CHECK_CODE(none, HttpCloseUrlGroup(1));
    CHECK_CODE(none, HttpAddUrlToUrlGroup(1, url.text, 0, 0));
    CHECK_CODE(none, HttpRemoveUrlFromUrlGroup(1, url.text, 0));
    CHECK_CODE(none, HttpSetUrlGroupProperty(1, HttpServerStateProperty, &state, sizeof state));
    CHECK_CODE(none,
               HttpSetServerSessionProperty(1, HttpServerStateProperty, &state, sizeof state));
    CHECK_CODE(none, HttpCreateRequestQueue(HTTPAPI_VERSION_2, NULL, NULL, 0, &queue));
    CHECK_CODE(none, HttpCloseRequestQueue(other));
    CHECK_CODE(none, HttpShutdownRequestQueue(other));
    CHECK_CODE(none, HttpCreateHttpHandle(&queue, 0));
    CHECK_CODE(none, HttpAddUrl(other, url.text, NULL));
    CHECK_CODE(none, receive(other, 0, &received));
    CHECK_CODE(none, read_body(other, 1, 0, &byte, 1, &count));
    CHECK_CODE(none, send_response(other, 1, 0, &response, NULL));
    CHECK_CODE(none, send_body(other, 1, 0, "x", NULL));
    CHECK_CODE(none, HttpCancelHttpRequest(other, 1, NULL));
    CHECK_CODE(none, HttpWaitForDisconnect(other, 1, NULL));
}

static void nothing_works_before_initialize(void)
{
    check_all_refused();
}

static void nothing_works_with_config_alone(void)
{
    CHECK_CODE(NO_ERROR, initialize(CONFIG));
    check_all_refused();
    CHECK_CODE(NO_ERROR, HttpTerminate(CONFIG, NULL));
}

static void nothing_works_after_the_last_terminate(void)
{
    CHECK_CODE(NO_ERROR, initialize(SERVER));
    CHECK_CODE(NO_ERROR, HttpTerminate(SERVER, NULL));
    check_all_refused();
}

static void terminate_closes_what_is_left(void)
{
    struct server server;
    struct received received;
    struct pending pending;
    struct client client;
    server_start(&server);
    const struct url url = url_of("http://localhost:%u/", (unsigned)server.port);
    client_open(&client, server.port);
    client_request(&client, "GET", "/delivered", "");
    expect(&server, "/delivered", &received);
    pending_open(&pending);
    pending_receive(&pending, server.queue, 0, &received);
    CHECK_CODE(NO_ERROR, HttpTerminate(SERVER, NULL));

    CHECK(pending_done(&pending, CONTRACT_WAIT_MS));
    CHECK_UINT(ERROR_OPERATION_ABORTED, pending_wait(&pending, server.queue, NULL));
    client_expect_end(&client);
    client_close(&client);

    CHECK_CODE(NO_ERROR, initialize(SERVER));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseUrlGroup(server.group));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCloseServerSession(server.session));
    CHECK_CODE(ERROR_INVALID_HANDLE, HttpCloseRequestQueue(server.queue));
    HTTP_SERVER_SESSION_ID session = HTTP_NULL_ID;
    HTTP_URL_GROUP_ID group = HTTP_NULL_ID;
    CHECK_CODE(NO_ERROR, HttpCreateServerSession(HTTPAPI_VERSION_2, &session, 0));
    CHECK_CODE(NO_ERROR, HttpCreateUrlGroup(session, &group, 0));
    CHECK_CODE(NO_ERROR, HttpAddUrlToUrlGroup(group, url.text, 0, 0));
    CHECK(session != server.session && group != server.group);
    CHECK_CODE(NO_ERROR, HttpTerminate(SERVER, NULL));
    pending_close(&pending);
}

static void terminate_releases_the_port(void)
{
    struct server server;
    server_start(&server);
    CHECK_CODE(NO_ERROR, HttpTerminate(SERVER, NULL));
    const intptr_t listener = shim_listen("127.0.0.1", server.port);
    CHECK(listener != SHIM_NO_SOCKET);
    shim_close(listener);
}

static void the_last_of_two_terminates_closes(void)
{
    struct server server;
    struct client client;
    server_start(&server);
    CHECK_CODE(NO_ERROR, initialize(SERVER));
    CHECK_CODE(NO_ERROR, HttpTerminate(SERVER, NULL));
    client_open(&client, server.port);
    client_request(&client, "GET", "/", "");
    serve_one(&server);
    client_expect_body(&client, 200, "0");
    client_close(&client);
    server_close(&server);
    CHECK(!server_is_up());
}

static void initialize_again_starts_afresh(void)
{
    struct server server;
    struct client client;
    for (int round = 0; round < 3; round++) {
        server_start(&server);
        client_open(&client, server.port);
        client_request(&client, "GET", "/", "");
        serve_one(&server);
        client_expect_body(&client, 200, "0");
        client_close(&client);
        server_close(&server);
    }
}

static void features_need_no_initialize(void)
{
    CHECK(!HttpIsFeatureSupported(HttpFeatureUnknown));
    CHECK(!HttpIsFeatureSupported((HTTP_FEATURE_ID)1000));
    CHECK(!HttpIsFeatureSupported(HttpFeatureHttp3));
    CHECK(HttpIsFeatureSupported(HttpFeatureAutomaticChunkedEncoding));
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CASE_NOT_ON(PROVIDER_WINE, WINE_COUNTS_NOTHING, each_call_needs_its_own_terminate),
        CASE_NOT_ON(PROVIDER_WINE, WINE_COUNTS_NOTHING, both_flags_are_undone_one_by_one),
        CASE_NOT_ON(PROVIDER_WINE, WINE_COUNTS_NOTHING, two_flags_are_undone_by_one_call),
        CASE_NOT_ON(PROVIDER_WINE, WINE_COUNTS_NOTHING,
                    a_terminate_that_does_not_match_changes_nothing),
        CASE_NOT_ON(PROVIDER_WINE, WINE_COUNTS_NOTHING, flags_and_reserved_are_checked),
        CASE_NOT_ON(PROVIDER_WINE, WINE_COUNTS_NOTHING, both_versions_are_known),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "documented for a few functions only",
                    nothing_works_before_initialize),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "documented for a few functions only",
                    nothing_works_with_config_alone),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "documented for a few functions only",
                    nothing_works_after_the_last_terminate),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "undocumented",
                    terminate_closes_what_is_left),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "undocumented", terminate_releases_the_port),
        CASE_NOT_ON(PROVIDER_WINE, WINE_COUNTS_NOTHING, the_last_of_two_terminates_closes),
        CASE(initialize_again_starts_afresh),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "newer than the import library",
                    features_need_no_initialize),
    };
    return contract_main(cases, COUNT_OF(cases), argc, argv);
}
