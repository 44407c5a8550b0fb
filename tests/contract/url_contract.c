/* Adding and removing URL prefixes: grammar, conflicts, ports, version 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/loop.h"
#include "contract/client.h"
#include "contract/contract.h"

#define WINE_ONE_URL "one URL a group there, and no validation"

static ULONG add(HTTP_URL_GROUP_ID group, const char *prefix, unsigned port, const char *tail)
{
    const struct url url = url_of("%s:%u%s", prefix, port, tail);
    return HttpAddUrlToUrlGroup(group, url.text, 0, 0);
}

static ULONG drop(HTTP_URL_GROUP_ID group, const char *prefix, unsigned port, const char *tail)
{
    const struct url url = url_of("%s:%u%s", prefix, port, tail);
    return HttpRemoveUrlFromUrlGroup(group, url.text, 0);
}

static HTTP_URL_GROUP_ID second_group(const struct server *server)
{
    HTTP_URL_GROUP_ID group = HTTP_NULL_ID;
    CHECK_CODE(NO_ERROR, HttpCreateUrlGroup(server->session, &group, 0));
    return group;
}

static void malformed_prefixes_are_refused(void)
{
    static const char *const prefixes[] = {
        "",
        "localhost:8091/",
        "://localhost:8091/",
        "http:/localhost:8091/",
        "http://localhost/",
        "http://localhost:/",
        "http://localhost:0/",
        "http://localhost:65536/",
        "http://localhost:99999/",
        "http://localhost:08091/",
        "http://localhost:80x1/",
        "http://localhost:-1/",
        "http://localhost:+/",
        "http://localhost:*/",
        "http://localhost:8091",
        "http://localhost:8091?",
        "http://localhost:8091/?a=b",
        "http://localhost:8091/a?b",
        "http://:8091/",
        "http://local host:8091/",
        "http://user@localhost:8091/",
        "http://[::1:8091/",
        "http://[::1]8091/",
        "http://[zz]:8091/",
        "http://::1:8091/",
        "http://256.1.1.1:8091/",
        "HTTP://localhost:8091/",
        "Http://localhost:8091/",
        "ftp://localhost:8091/",
        "ws://localhost:8091/",
    };
    struct server server;
    server_open(&server);
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        const struct url url = url_of("%s", prefixes[i]);
        const ULONG code = HttpAddUrlToUrlGroup(server.group, url.text, 0, 0);
        if (code != ERROR_INVALID_PARAMETER) {
            contract_fail(__FILE__, __LINE__, "\"%s\": expected 87, seen %u", prefixes[i],
                          (unsigned)code);
        }
    }
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpAddUrlToUrlGroup(server.group, NULL, 0, 0));
    server_close(&server);
}

static void other_arguments_are_checked(void)
{
    struct server server;
    server_open(&server);
    const struct url url = url_of("http://localhost:8091/");
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpAddUrlToUrlGroup(HTTP_NULL_ID, url.text, 0, 0));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpAddUrlToUrlGroup(0xDEAD, url.text, 0, 0));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpAddUrlToUrlGroup(server.group, url.text, 0, 1));
    server_close(&server);
}

static void the_final_slash_may_be_missing(void)
{
    struct server server;
    struct client client;
    server_open(&server);
    server_add(&server, "localhost", "/no-slash", 7);
    CHECK_CODE(ERROR_ALREADY_EXISTS,
               add(server.group, "http://localhost", server.port, "/no-slash/"));
    client_open(&client, server.port);
    client_request(&client, "GET", "/no-slash/below", "");
    serve_one(&server);
    client_expect_body(&client, 200, "7");
    client_close(&client);
    server_close(&server);
}

static void a_prefix_is_registered_once(void)
{
    struct server server;
    server_open(&server);
    server_add(&server, "localhost", "/Path/", 0);
    const HTTP_URL_GROUP_ID other = second_group(&server);
    CHECK_CODE(ERROR_ALREADY_EXISTS, add(server.group, "http://localhost", server.port, "/Path/"));
    CHECK_CODE(ERROR_ALREADY_EXISTS, add(other, "http://localhost", server.port, "/Path/"));
    CHECK_CODE(ERROR_ALREADY_EXISTS, add(other, "http://LOCALHOST", server.port, "/Path/"));
    CHECK_CODE(ERROR_ALREADY_EXISTS, add(other, "http://localhost", server.port, "/pATH/"));
    CHECK_CODE(ERROR_ALREADY_EXISTS, add(other, "http://localhost", server.port, "/path"));
    CHECK_CODE(NO_ERROR, add(other, "http://localhost", server.port, "/Path/deeper/"));
    CHECK_CODE(NO_ERROR, add(other, "http://localhost", server.port, "/"));
    HTTP_SERVER_SESSION_ID session = HTTP_NULL_ID;
    HTTP_URL_GROUP_ID foreign = HTTP_NULL_ID;
    CHECK_CODE(NO_ERROR, HttpCreateServerSession(HTTPAPI_VERSION_2, &session, 0));
    CHECK_CODE(NO_ERROR, HttpCreateUrlGroup(session, &foreign, 0));
    CHECK_CODE(ERROR_ALREADY_EXISTS, add(foreign, "http://localhost", server.port, "/Path/"));
    CHECK_CODE(NO_ERROR, HttpCloseServerSession(session));
    CHECK_CODE(NO_ERROR, HttpCloseUrlGroup(other));
    server_close(&server);
}

static void categories_do_not_conflict(void)
{
    struct server server;
    server_open(&server);
    server_add(&server, "localhost", "/", 0);
    CHECK_CODE(NO_ERROR, add(server.group, "http://+", server.port, "/"));
    CHECK_CODE(NO_ERROR, add(server.group, "http://127.0.0.1", server.port, "/"));
    CHECK_CODE(NO_ERROR, add(server.group, "http://*", server.port, "/"));
    CHECK_CODE(NO_ERROR, add(server.group, "http://example.test", server.port, "/"));
    CHECK_CODE(ERROR_ALREADY_EXISTS, add(server.group, "http://+", server.port, "/"));
    CHECK_CODE(ERROR_ALREADY_EXISTS, add(server.group, "http://*", server.port, "/"));
    CHECK_CODE(ERROR_ALREADY_EXISTS, add(server.group, "http://127.0.0.1", server.port, "/"));
    server_close(&server);
}

static void http_and_https_do_not_share_a_port(void)
{
    struct server server;
    server_start(&server);
    CHECK_FAILS(add(server.group, "https://localhost", server.port, "/"));
    CHECK_FAILS(add(server.group, "https://localhost", server.port, "/below/"));
    server_close(&server);
}

static void remove_needs_a_registered_url(void)
{
    struct server server;
    server_start(&server);
    const HTTP_URL_GROUP_ID other = second_group(&server);
    CHECK_CODE(NO_ERROR, add(other, "http://localhost", server.port, "/other/"));
    CHECK_CODE(ERROR_FILE_NOT_FOUND,
               drop(server.group, "http://localhost", server.port, "/nothing/"));
    CHECK_CODE(ERROR_FILE_NOT_FOUND,
               drop(server.group, "http://localhost", server.port, "/other/"));
    CHECK_CODE(NO_ERROR, drop(other, "http://localhost", server.port, "/other/"));
    CHECK_CODE(ERROR_FILE_NOT_FOUND, drop(other, "http://localhost", server.port, "/other/"));
    CHECK_CODE(ERROR_INVALID_PARAMETER, drop(0xDEAD, "http://localhost", server.port, "/"));
    CHECK_CODE(NO_ERROR, HttpCloseUrlGroup(other));
    server_close(&server);
}

static void remove_arguments(void)
{
    struct server server;
    server_start(&server);
    const struct url url = url_of("http://localhost:%u/", (unsigned)server.port);
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpRemoveUrlFromUrlGroup(server.group, url.text, 0x80));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpRemoveUrlFromUrlGroup(server.group, NULL, 0));
    CHECK_CODE(ERROR_INVALID_PARAMETER,
               HttpRemoveUrlFromUrlGroup(server.group, url.text, HTTP_URL_FLAG_REMOVE_ALL));
    CHECK_CODE(NO_ERROR, HttpRemoveUrlFromUrlGroup(server.group, url.text, 0));
    CHECK_CODE(NO_ERROR, HttpAddUrlToUrlGroup(server.group, url.text, 0, 0));
    server_close(&server);
}

static void remove_all_leaves_none(void)
{
    struct server server;
    struct client client;
    server_start(&server);
    CHECK_CODE(NO_ERROR, add(server.group, "http://localhost", server.port, "/one/"));
    CHECK_CODE(NO_ERROR, add(server.group, "http://localhost", server.port, "/two/"));
    CHECK_CODE(NO_ERROR, HttpRemoveUrlFromUrlGroup(server.group, NULL, HTTP_URL_FLAG_REMOVE_ALL));
    CHECK_CODE(ERROR_FILE_NOT_FOUND, drop(server.group, "http://localhost", server.port, "/one/"));
    CHECK(!client_try_open(&client, "127.0.0.1", server.port));
    CHECK_CODE(NO_ERROR, add(server.group, "http://localhost", server.port, "/two/"));
    server_close(&server);
}

static void the_last_url_releases_the_port(void)
{
    struct server server;
    struct client client;
    server_start(&server);
    CHECK_CODE(NO_ERROR, add(server.group, "http://localhost", server.port, "/more/"));
    CHECK_CODE(NO_ERROR, drop(server.group, "http://localhost", server.port, "/"));
    CHECK(client_try_open(&client, "127.0.0.1", server.port));
    client_close(&client);
    CHECK_CODE(NO_ERROR, drop(server.group, "http://localhost", server.port, "/more/"));
    CHECK(!client_try_open(&client, "127.0.0.1", server.port));
    const intptr_t listener = shim_listen("127.0.0.1", server.port);
    CHECK(listener != SHIM_NO_SOCKET);
    shim_close(listener);
    server.port = 0;
    server_close(&server);
}

static void a_removed_url_no_longer_matches(void)
{
    struct server server;
    struct client client;
    server_open(&server);
    server_add(&server, "localhost", "/stays/", 0);
    CHECK_CODE(NO_ERROR, add(server.group, "http://localhost", server.port, "/goes/"));
    client_open(&client, server.port);
    client_request(&client, "GET", "/goes/x", "");
    serve_one(&server);
    client_expect(&client, 200);
    CHECK_CODE(NO_ERROR, drop(server.group, "http://localhost", server.port, "/goes/"));
    client_request(&client, "GET", "/goes/x", "");
    client_expect(&client, 404);
    client_close(&client);
    server_close(&server);
}

/* A failed add leaves nothing behind: not in the group, not on the port. */
static void a_port_of_another_program_is_refused(void)
{
    struct server server;
    HANDLE other = NULL;
    struct client client;
    server_open(&server);
    const intptr_t listener = shim_listen("127.0.0.1", 0);
    CHECK(listener != SHIM_NO_SOCKET);
    const unsigned port = shim_port_of(listener);
    CHECK_CODE(ERROR_SHARING_VIOLATION, add(server.group, "http://localhost", port, "/"));
    CHECK_CODE(ERROR_SHARING_VIOLATION, add(server.group, "http://+", port, "/"));
    CHECK_CODE(ERROR_SHARING_VIOLATION, add(server.group, "http://127.0.0.1", port, "/"));
    CHECK_CODE(ERROR_FILE_NOT_FOUND, drop(server.group, "http://localhost", port, "/"));
    CHECK_CODE(NO_ERROR, HttpCreateRequestQueue(HTTPAPI_VERSION_2, NULL, NULL, 0, &other));
    CHECK_CODE(NO_ERROR, bind_group(server.group, other));
    shim_close(listener);
    CHECK(!client_try_open(&client, "127.0.0.1", (uint16_t)port));
    const ULONG code = add(server.group, "http://localhost", port, "/");
    CHECK_CODE(NO_ERROR, code);
    CHECK(client_try_open(&client, "127.0.0.1", (uint16_t)port));
    client_close(&client);
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(other));
    server.port = (uint16_t)port;
    server_close(&server);
}

static void our_port_is_refused_to_another_program(void)
{
    struct server server;
    server_start(&server);
    CHECK(shim_listen("127.0.0.1", server.port) == SHIM_NO_SOCKET);
    server_close(&server);
}

/* Helper: asks for the URL; its exit code is the contract's code. */
static void helper_claims_the_port(void)
{
    struct server server;
    server_open(&server);
    const unsigned port = (unsigned)strtoul(contract_argument(0), NULL, 10);
    const ULONG code = add(server.group, "http://localhost", port, "/helper/");
    CHECK(code < 100);
    contract_set_result((int)code);
    server_close(&server);
}

static void a_second_process_is_refused(void)
{
    struct server server;
    struct client client;
    server_start(&server);
    CHECK_UINT(ERROR_SHARING_VIOLATION,
               contract_run_helper_number("helper_claims_the_port", server.port));
    client_open(&client, server.port);
    client_request(&client, "GET", "/helper/", "");
    serve_one(&server);
    client_expect_body(&client, 200, "0");
    client_close(&client);
    server_close(&server);
}

static void a_closed_port_is_free_for_a_second_process(void)
{
    struct server server;
    server_start(&server);
    const unsigned port = server.port;
    server_close(&server);
    CHECK_UINT(NO_ERROR, contract_run_helper_number("helper_claims_the_port", port));
}

/* Helper: takes the URL and dies with it. */
static void helper_dies_with_the_port(void)
{
    struct server server;
    server_open(&server);
    const unsigned port = (unsigned)strtoul(contract_argument(0), NULL, 10);
    const ULONG code = add(server.group, "http://localhost", port, "/");
    CHECK(code < 100);
    shim_die((int)code);
}

static void a_dead_process_holds_no_port(void)
{
    struct server server;
    uint16_t port = 0;
    server_open(&server);
    CHECK_CODE(NO_ERROR, loop_find_free_port(&port));
    CHECK_UINT(NO_ERROR, contract_run_helper_number("helper_dies_with_the_port", port));
    CHECK_CODE(NO_ERROR, add(server.group, "http://localhost", port, "/"));
    server.port = port;
    server_close(&server);
}

/* ------------------------------------------------------------------------------ version 1 */

static void skip_without_version_1(void)
{
    HANDLE queue = NULL;
    CHECK_CODE(NO_ERROR, HttpInitialize(HTTPAPI_VERSION_1, HTTP_INITIALIZE_SERVER, NULL));
    if (HttpCreateHttpHandle(&queue, 0) == ERROR_NOT_SUPPORTED) {
        contract_skip("this provider has no version 1");
    }
    CHECK(CloseHandle(queue));
    CHECK_CODE(NO_ERROR, HttpTerminate(HTTP_INITIALIZE_SERVER, NULL));
}

static void version_1_serves(void)
{
    struct received received;
    struct client client;
    HANDLE queue = NULL;
    uint16_t port = 0;
    skip_without_version_1();
    CHECK_CODE(NO_ERROR, HttpInitialize(HTTPAPI_VERSION_1, HTTP_INITIALIZE_SERVER, NULL));
    CHECK_CODE(NO_ERROR, HttpCreateHttpHandle(&queue, 0));
    CHECK_CODE(NO_ERROR, loop_find_free_port(&port));
    const struct url url = url_of("http://localhost:%u/v1/", (unsigned)port);
    CHECK_CODE(NO_ERROR, HttpAddUrl(queue, url.text, NULL));
    client_open(&client, port);
    client_request(&client, "GET", "/v1/x", "");
    CHECK_CODE(NO_ERROR, receive(queue, 0, &received));
    CHECK_UINT(0, received.request.UrlContext);
    CHECK_CODE(NO_ERROR, answer(queue, received.request.RequestId, 200, "one"));
    client_expect_body(&client, 200, "one");
    client_close(&client);
    CHECK_CODE(NO_ERROR, HttpRemoveUrl(queue, url.text));
    CHECK_CODE(ERROR_FILE_NOT_FOUND, HttpRemoveUrl(queue, url.text));
    CHECK(CloseHandle(queue));
    CHECK_CODE(NO_ERROR, HttpTerminate(HTTP_INITIALIZE_SERVER, NULL));
}

static void version_1_codes(void)
{
    HANDLE one = NULL, two = NULL;
    uint16_t port = 0;
    skip_without_version_1();
    CHECK_CODE(NO_ERROR, HttpInitialize(HTTPAPI_VERSION_1, HTTP_INITIALIZE_SERVER, NULL));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpCreateHttpHandle(NULL, 0));
    CHECK_CODE(NO_ERROR, HttpCreateHttpHandle(&one, 0));
    CHECK_CODE(NO_ERROR, HttpCreateHttpHandle(&two, 0));
    CHECK_CODE(NO_ERROR, loop_find_free_port(&port));
    const struct url url = url_of("http://localhost:%u/v1/", (unsigned)port);
    const struct url bare = url_of("http://localhost:%u/v1", (unsigned)port);
    const struct url query = url_of("http://localhost:%u/v1/?a", (unsigned)port);
    CHECK_CODE(ERROR_INVALID_HANDLE, HttpAddUrl(NULL, url.text, NULL));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpAddUrl(one, query.text, NULL));
    CHECK_CODE(NO_ERROR, HttpAddUrl(one, url.text, NULL));
    CHECK_CODE(ERROR_ALREADY_EXISTS, HttpAddUrl(one, url.text, NULL));
    CHECK_CODE(ERROR_ALREADY_EXISTS, HttpAddUrl(one, bare.text, NULL));
    CHECK_CODE(ERROR_ALREADY_EXISTS, HttpAddUrl(two, url.text, NULL));
    CHECK_CODE(ERROR_INVALID_PARAMETER, HttpRemoveUrl(NULL, url.text));
    CHECK_CODE(ERROR_FILE_NOT_FOUND, HttpRemoveUrl(two, url.text));
    CHECK(CloseHandle(one));
    CHECK_CODE(ERROR_INVALID_HANDLE, HttpAddUrl(one, url.text, NULL));
    CHECK_CODE(NO_ERROR, HttpAddUrl(two, url.text, NULL)); /* it went with its queue */
    CHECK(CloseHandle(two));
    CHECK_CODE(NO_ERROR, HttpTerminate(HTTP_INITIALIZE_SERVER, NULL));
}

static void version_1_and_2_do_not_mix(void)
{
    struct server server;
    HANDLE old = NULL;
    ULONG length = 10;
    skip_without_version_1();
    server_start(&server);
    const struct url url = url_of("http://localhost:%u/v1/", (unsigned)server.port);
    CHECK_CODE(NO_ERROR, HttpCreateHttpHandle(&old, 0));
    CHECK_FAILS(HttpAddUrl(server.queue, url.text, NULL));
    CHECK_FAILS(bind_group(server.group, old));
    CHECK_CODE(ERROR_NOT_SUPPORTED, HttpSetRequestQueueProperty(old, HttpServerQueueLengthProperty,
                                                                &length, sizeof length, 0, NULL));
    CHECK(CloseHandle(old));
    server_close(&server);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CASE_NOT_ON(PROVIDER_WINE, WINE_ONE_URL, malformed_prefixes_are_refused),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ONE_URL, other_arguments_are_checked),
        CASE(the_final_slash_may_be_missing),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ONE_URL, a_prefix_is_registered_once),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ONE_URL, categories_do_not_conflict),
        CASE(http_and_https_do_not_share_a_port),
        CASE(remove_needs_a_registered_url),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ONE_URL, remove_arguments),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ONE_URL, remove_all_leaves_none),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ONE_URL, the_last_url_releases_the_port),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ONE_URL, a_removed_url_no_longer_matches),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ONE_URL, a_port_of_another_program_is_refused),
        CASE(our_port_is_refused_to_another_program),
        HELPER(helper_claims_the_port),
        HELPER(helper_dies_with_the_port),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "processes share ports there",
                    a_second_process_is_refused),
        CASE(a_closed_port_is_free_for_a_second_process),
        CASE(a_dead_process_holds_no_port),
        CASE(version_1_serves),
        CASE(version_1_codes),
        CASE_NOT_ON(PROVIDER_WINE, "no validation there", version_1_and_2_do_not_mix),
    };
    return contract_main(cases, COUNT_OF(cases), argc, argv);
}
