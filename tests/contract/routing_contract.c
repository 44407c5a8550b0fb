/* Which registration gets a request: categories, segments, case, hosts, addresses, bindings. Each
 * URL has a context of its own, and the answer is the context as text. */
#include <stdio.h>
#include <string.h>

#include "contract/client.h"
#include "contract/contract.h"

#define WINE_ROUTES_LESS "one URL a group, no answer without a match, no wildcard *"

static void add_url(const struct server *server, const char *host, const char *path,
                    HTTP_URL_CONTEXT context)
{
    const struct url url = url_of("http://%s:%u%s", host, (unsigned)server->port, path);
    CHECK_CODE(NO_ERROR, HttpAddUrlToUrlGroup(server->group, url.text, context, 0));
}

static void ask(const struct server *server, const char *address, const char *host,
                const char *target, struct client *client)
{
    CHECK(client_try_open(client, address, server->port));
    client_send(client, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, host);
}

/* The request must be routed to the URL with this context. */
static void routed_from(const struct server *server, const char *address, const char *host,
                        const char *target, HTTP_URL_CONTEXT context)
{
    struct client client;
    char text[24];
    ask(server, address, host, target, &client);
    serve_one(server);
    snprintf(text, sizeof text, "%llu", (unsigned long long)context);
    client_expect_body(&client, 200, text);
    client_close(&client);
}

static void routed(const struct server *server, const char *host, const char *target,
                   HTTP_URL_CONTEXT context)
{
    routed_from(server, "127.0.0.1", host, target, context);
}

/* The provider answers by itself with this status, and closes. */
static void refused(const struct server *server, const char *host, const char *target,
                    unsigned status)
{
    struct client client;
    ask(server, "127.0.0.1", host, target, &client);
    client_expect(&client, status);
    client_expect_end(&client);
    client_close(&client);
}

/* A Host header with the server's port. */
struct host {
    char text[64];
};
static struct host with_port(const struct server *server, const char *name)
{
    struct host host;
    snprintf(host.text, sizeof host.text, "%s:%u", name, (unsigned)server->port);
    return host;
}

static void the_longest_prefix_wins_by_segments(void)
{
    struct server server;
    server_open(&server);
    server_add(&server, "localhost", "/a/", 1);
    add_url(&server, "localhost", "/a/b/", 2);
    add_url(&server, "localhost", "/a/b/c/", 3);
    const struct host host = with_port(&server, "localhost");
    routed(&server, host.text, "/a/", 1);
    routed(&server, host.text, "/a/x", 1);
    routed(&server, host.text, "/a/bc", 1);
    routed(&server, host.text, "/a/b/", 2);
    routed(&server, host.text, "/a/b/cc/d", 2);
    routed(&server, host.text, "/a/b/c/d/e", 3);
    server_close(&server);
}

static void a_prefix_matches_without_its_slash(void)
{
    struct server server;
    server_open(&server);
    server_add(&server, "localhost", "/foobar/foo/", 5);
    const struct host host = with_port(&server, "localhost");
    routed(&server, host.text, "/foobar/foo", 5);
    routed(&server, host.text, "/foobar/foo?a=b", 5);
    routed(&server, host.text, "/foobar/foo/", 5);
    routed(&server, host.text, "/foobar/foo/below?x", 5);
    refused(&server, host.text, "/foobar/foox", 404);
    refused(&server, host.text, "/foobar/", 404);
    refused(&server, host.text, "/foobar/fo", 404);
    server_close(&server);
}

static void case_does_not_count(void)
{
    struct server server;
    server_open(&server);
    server_add(&server, "LocalHost", "/MixedCase/", 9);
    routed(&server, with_port(&server, "localhost").text, "/mixedcase/x", 9);
    routed(&server, with_port(&server, "LOCALHOST").text, "/MIXEDCASE/x", 9);
    server_close(&server);
}

static void strong_explicit_address_weak(void)
{
    struct server server;
    server_open(&server);
    server_add(&server, "+", "/strong/", 1);
    add_url(&server, "localhost", "/", 2);
    add_url(&server, "127.0.0.1", "/", 3);
    add_url(&server, "*", "/", 4);
    const struct host local = with_port(&server, "localhost");
    const struct host other = with_port(&server, "other.test");
    routed(&server, local.text, "/strong/x", 1);
    routed(&server, other.text, "/strong/x", 1);
    routed(&server, local.text, "/else", 2);
    routed(&server, other.text, "/else", 3);
    routed(&server, with_port(&server, "127.0.0.1").text, "/else", 3);
    if (shim_has_ipv6()) {
        routed_from(&server, "::1", local.text, "/else", 2);
        routed_from(&server, "::1", other.text, "/else", 4);
        routed_from(&server, "::1", other.text, "/strong/", 1);
    }
    server_close(&server);
}

static void the_first_category_with_a_match_ends_the_search(void)
{
    struct server server;
    server_open(&server);
    server_add(&server, "+", "/", 1);
    add_url(&server, "localhost", "/long/path/", 2);
    add_url(&server, "*", "/long/", 3);
    routed(&server, with_port(&server, "localhost").text, "/long/path/x", 1);
    server_close(&server);
}

static void the_documented_example(void)
{
    struct server server;
    server_open(&server);
    server_add(&server, "+", "/vroot/", 1);
    add_url(&server, "adatum.test", "/", 2);
    const struct host host = with_port(&server, "adatum.test");
    routed(&server, host.text, "/vroot/x", 1);
    routed(&server, host.text, "/", 2);
    routed(&server, host.text, "/vrootx/", 2);
    server_close(&server);
}

static void no_match_is_400_for_the_host_and_404_for_the_path(void)
{
    struct server server;
    server_open(&server);
    server_add(&server, "localhost", "/only/", 1);
    refused(&server, with_port(&server, "localhost").text, "/nothing", 404);
    refused(&server, with_port(&server, "nobody.test").text, "/only/", 400);
    server_close(&server);
}

static void a_host_without_port_means_the_one_it_came_to(void)
{
    struct server server;
    server_open(&server);
    server_add(&server, "+", "/", 1);
    routed(&server, "anything.test", "/", 1);
    server_close(&server);
}

static void every_host_reaches_a_wildcard(void)
{
    struct server server;
    server_open(&server);
    server_add(&server, "*", "/", 4);
    routed(&server, with_port(&server, "a.test").text, "/", 4);
    routed(&server, with_port(&server, "[::1]").text, "/", 4);
    routed(&server, with_port(&server, "10.1.2.3").text, "/", 4);
    server_close(&server);
}

static void the_decoded_path_is_routed(void)
{
    struct server server;
    server_open(&server);
    server_add(&server, "localhost", "/", 1);
    add_url(&server, "localhost", "/secret/", 2);
    const struct host host = with_port(&server, "localhost");
    routed(&server, host.text, "/%73ecret/x", 2);
    routed(&server, host.text, "/open/../secret/x", 2);
    routed(&server, host.text, "/./secret", 2);
    routed(&server, host.text, "//secret//x", 2);
    routed(&server, host.text, "/secret/../x", 1);
    routed(&server, host.text, "/?/secret/", 1);
    server_close(&server);
}

static void a_sub_tree_may_belong_to_another_queue(void)
{
    struct server server;
    struct received received;
    struct client client;
    HTTP_URL_GROUP_ID group = HTTP_NULL_ID;
    HANDLE queue = NULL;
    server_start(&server);
    CHECK_CODE(NO_ERROR, HttpCreateUrlGroup(server.session, &group, 0));
    CHECK_CODE(NO_ERROR, HttpCreateRequestQueue(HTTPAPI_VERSION_2, NULL, NULL, 0, &queue));
    CHECK_CODE(NO_ERROR, bind_group(group, queue));
    const struct url url = url_of("http://localhost:%u/sub/", (unsigned)server.port);
    CHECK_CODE(NO_ERROR, HttpAddUrlToUrlGroup(group, url.text, 8, 0));
    client_open(&client, server.port);
    client_request(&client, "GET", "/sub/x", "");
    CHECK_CODE(NO_ERROR, receive(queue, 0, &received));
    CHECK_UINT(8, received.request.UrlContext);
    CHECK_CODE(NO_ERROR, answer(queue, received.request.RequestId, 200, "sub"));
    client_expect_body(&client, 200, "sub");
    client_request(&client, "GET", "/subx", ""); /* the same connection, the other queue */
    serve_one(&server);
    client_expect_body(&client, 200, "0");
    CHECK_CODE(NO_ERROR, HttpCloseUrlGroup(group));
    client_request(&client, "GET", "/sub/x", "");
    serve_one(&server);
    client_expect_body(&client, 200, "0");
    client_close(&client);
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(queue));
    server_close(&server);
}

static void an_unbound_group_answers_503(void)
{
    struct server server;
    server_start(&server);
    const struct host host = with_port(&server, "localhost");
    routed(&server, host.text, "/", 0);
    CHECK_CODE(NO_ERROR, bind_group(server.group, NULL));
    refused(&server, host.text, "/", 503);
    CHECK_CODE(NO_ERROR, bind_group(server.group, server.queue));
    routed(&server, host.text, "/", 0);
    server_close(&server);
}

static void a_url_may_come_before_the_binding(void)
{
    struct server server;
    server_open(&server);
    CHECK_CODE(NO_ERROR, bind_group(server.group, NULL));
    server_add(&server, "localhost", "/early/", 3);
    const struct host host = with_port(&server, "localhost");
    refused(&server, host.text, "/early/", 503);
    CHECK_CODE(NO_ERROR, bind_group(server.group, server.queue));
    routed(&server, host.text, "/early/", 3);
    server_close(&server);
}

static void rebinding_moves_later_requests(void)
{
    struct server server;
    struct received received;
    struct client first, second;
    HANDLE other = NULL;
    server_open(&server);
    server_add(&server, "localhost", "/", 77);
    CHECK_CODE(NO_ERROR, HttpCreateRequestQueue(HTTPAPI_VERSION_2, NULL, NULL, 0, &other));
    client_open(&first, server.port);
    client_request(&first, "GET", "/first", "");
    expect(&server, "/first", &received);
    const HTTP_REQUEST_ID id = received.request.RequestId;
    CHECK_CODE(NO_ERROR, bind_group(server.group, other));
    client_open(&second, server.port);
    client_request(&second, "GET", "/second", "");
    CHECK_CODE(NO_ERROR, receive(other, 0, &received));
    CHECK_UINT(77, received.request.UrlContext); /* survives rebinding */
    CHECK_CODE(NO_ERROR, answer(other, received.request.RequestId, 200, "other"));
    CHECK_CODE(NO_ERROR, answer(server.queue, id, 200, "first"));
    client_expect_body(&first, 200, "first");
    client_expect_body(&second, 200, "other");
    client_close(&first);
    client_close(&second);
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(other));
    server_close(&server);
}

static void two_groups_share_a_queue(void)
{
    struct server server;
    HTTP_URL_GROUP_ID group = HTTP_NULL_ID;
    server_open(&server);
    server_add(&server, "localhost", "/one/", 1);
    CHECK_CODE(NO_ERROR, HttpCreateUrlGroup(server.session, &group, 0));
    CHECK_CODE(NO_ERROR, bind_group(group, server.queue));
    const struct url url = url_of("http://localhost:%u/two/", (unsigned)server.port);
    CHECK_CODE(NO_ERROR, HttpAddUrlToUrlGroup(group, url.text, 2, 0));
    const struct host host = with_port(&server, "localhost");
    routed(&server, host.text, "/one/", 1);
    routed(&server, host.text, "/two/", 2);
    CHECK_CODE(NO_ERROR, HttpCloseUrlGroup(group));
    server_close(&server);
}

static void both_address_families_are_served(void)
{
    struct server server;
    struct received received;
    struct client client;
    if (!shim_has_ipv6()) {
        contract_skip("no IPv6 here");
    }
    server_start(&server);
    CHECK(client_try_open(&client, "::1", server.port));
    client_request(&client, "GET", "/six", "");
    expect(&server, "/six", &received);
    CHECK_UINT(AF_INET6, received.request.Address.pRemoteAddress->sa_family);
    CHECK_UINT(AF_INET6, received.request.Address.pLocalAddress->sa_family);
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "6"));
    client_expect_body(&client, 200, "6");
    client_close(&client);
    client_open(&client, server.port);
    client_request(&client, "GET", "/four", "");
    expect(&server, "/four", &received);
    CHECK_UINT(AF_INET, received.request.Address.pRemoteAddress->sa_family);
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "4"));
    client_expect_body(&client, 200, "4");
    client_close(&client);
    server_close(&server);
}

static void an_ipv6_literal_is_a_prefix(void)
{
    struct server server;
    struct client client;
    if (!shim_has_ipv6()) {
        contract_skip("no IPv6 here");
    }
    server_open(&server);
    server_add(&server, "[::1]", "/", 6);
    routed_from(&server, "::1", with_port(&server, "[::1]").text, "/x", 6);
    routed_from(&server, "::1", with_port(&server, "any.test").text, "/x", 6);
    CHECK(!client_try_open(&client, "127.0.0.1", server.port)); /* nothing listens there */
    server_close(&server);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CASE(the_longest_prefix_wins_by_segments),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ROUTES_LESS, a_prefix_matches_without_its_slash),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ROUTES_LESS, case_does_not_count),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ROUTES_LESS, strong_explicit_address_weak),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ROUTES_LESS,
                    the_first_category_with_a_match_ends_the_search),
        CASE(the_documented_example),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ROUTES_LESS,
                    no_match_is_400_for_the_host_and_404_for_the_path),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ROUTES_LESS, a_host_without_port_means_the_one_it_came_to),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ROUTES_LESS, every_host_reaches_a_wildcard),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ROUTES_LESS, the_decoded_path_is_routed),
        CASE(a_sub_tree_may_belong_to_another_queue),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ROUTES_LESS, an_unbound_group_answers_503),
        CASE_NOT_ON(PROVIDER_WINE, WINE_ROUTES_LESS, a_url_may_come_before_the_binding),
        CASE_NOT_ON(PROVIDER_WINE, "the old queue keeps the URL there",
                    rebinding_moves_later_requests),
        CASE(two_groups_share_a_queue),
        CASE_NOT_ON(PROVIDER_WINE, "no IPv6 there", both_address_families_are_served),
        CASE_NOT_ON(PROVIDER_WINE, "no IPv6 there", an_ipv6_literal_is_a_prefix),
    };
    return contract_main(cases, COUNT_OF(cases), argc, argv);
}
