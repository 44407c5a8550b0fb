/* Properties of sessions, groups and queues: what may be set where, what comes back, what it does.
 */
#include <string.h>

#include "contract/client.h"
#include "contract/contract.h"

#define WINE_HAS_NONE "properties are not implemented there, queries end the process"

static ULONG set_session(const struct server *server, HTTP_SERVER_PROPERTY property, void *info,
                         ULONG size)
{
    return HttpSetServerSessionProperty(server->session, property, info, size);
}

static ULONG set_group(const struct server *server, HTTP_SERVER_PROPERTY property, void *info,
                       ULONG size)
{
    return HttpSetUrlGroupProperty(server->group, property, info, size);
}

static ULONG set_queue(const struct server *server, HTTP_SERVER_PROPERTY property, ULONG value)
{
    return HttpSetRequestQueueProperty(server->queue, property, &value, sizeof value, 0, NULL);
}

static ULONG query_queue(const struct server *server, HTTP_SERVER_PROPERTY property)
{
    ULONG value = 0xA5A5A5A5u, size = 0;
    CHECK_CODE(NO_ERROR, HttpQueryRequestQueueProperty(server->queue, property, &value,
                                                       sizeof value, 0, &size, NULL));
    CHECK_UINT(sizeof value, size);
    return value;
}

static HTTP_STATE_INFO state_of(HTTP_ENABLED_STATE state)
{
    HTTP_STATE_INFO info;
    memset(&info, 0, sizeof info);
    info.Flags.Present = 1;
    info.State = state;
    return info;
}

static void serves(const struct server *server)
{
    struct client client;
    client_open(&client, server->port);
    client_request(&client, "GET", "/", "");
    serve_one(server);
    client_expect(&client, 200);
    client_close(&client);
}

static void refuses(const struct server *server)
{
    struct client client;
    client_open(&client, server->port);
    client_request(&client, "GET", "/", "");
    client_expect(&client, 503);
    client_expect_end(&client);
    client_close(&client);
}

static void a_property_belongs_to_its_kind_of_object(void)
{
    struct server server;
    union {
        HTTP_BINDING_INFO binding;
        HTTP_TIMEOUT_LIMIT_INFO timeouts;
        ULONG word;
    } info;
    memset(&info, 0, sizeof info);
    server_open(&server);
    const ULONG bad = ERROR_INVALID_PARAMETER;
    CHECK_CODE(bad, set_session(&server, HttpServerQueueLengthProperty, &info, sizeof info.word));
    CHECK_CODE(bad, set_session(&server, HttpServer503VerbosityProperty, &info, sizeof info.word));
    CHECK_CODE(bad, set_session(&server, HttpServerBindingProperty, &info, sizeof info.binding));
    CHECK_CODE(bad, set_group(&server, HttpServerQueueLengthProperty, &info, sizeof info.word));
    CHECK_CODE(bad, set_group(&server, HttpServer503VerbosityProperty, &info, sizeof info.word));
    CHECK_CODE(bad, set_queue(&server, HttpServerTimeoutsProperty, 1));
    CHECK_CODE(bad, set_queue(&server, HttpServerBindingProperty, 1));
    CHECK_CODE(bad, set_session(&server, (HTTP_SERVER_PROPERTY)77, &info, sizeof info));
    CHECK_CODE(bad, set_group(&server, (HTTP_SERVER_PROPERTY)77, &info, sizeof info));
    CHECK_CODE(bad, set_queue(&server, (HTTP_SERVER_PROPERTY)77, 1));
    server_close(&server);
}

static void arguments_are_checked(void)
{
    struct server server;
    HTTP_STATE_INFO info = state_of(HttpEnabledStateActive);
    ULONG word = 5, size = 0;
    server_open(&server);
    const ULONG bad = ERROR_INVALID_PARAMETER;
    CHECK_CODE(bad, set_session(&server, HttpServerStateProperty, NULL, sizeof info));
    CHECK_CODE(bad, set_session(&server, HttpServerStateProperty, &info, 0));
    CHECK_CODE(bad, set_group(&server, HttpServerStateProperty, NULL, sizeof info));
    CHECK_CODE(bad, set_group(&server, HttpServerStateProperty, &info, 0));
    CHECK_CODE(bad, set_group(&server, HttpServerStateProperty, &info, sizeof info - 1));
    CHECK_CODE(bad, set_group(&server, HttpServerTimeoutsProperty, &info, sizeof info));
    CHECK_CODE(bad, set_group(&server, HttpServerQosProperty, &info, sizeof info));
    CHECK_CODE(bad, set_group(&server, HttpServerBindingProperty, &info, sizeof info));
    CHECK_CODE(bad,
               HttpSetServerSessionProperty(0xDEAD, HttpServerStateProperty, &info, sizeof info));
    CHECK_CODE(bad, HttpSetUrlGroupProperty(0xDEAD, HttpServerStateProperty, &info, sizeof info));
    CHECK_CODE(bad, HttpSetRequestQueueProperty(server.queue, HttpServerQueueLengthProperty, NULL,
                                                sizeof word, 0, NULL));
    CHECK_CODE(bad, HttpSetRequestQueueProperty(server.queue, HttpServerQueueLengthProperty, &word,
                                                0, 0, NULL));
    CHECK_CODE(bad, HttpSetRequestQueueProperty(server.queue, HttpServerQueueLengthProperty, &word,
                                                sizeof word, 1, NULL));
    CHECK_CODE(bad, HttpSetRequestQueueProperty(server.queue, HttpServerQueueLengthProperty, &word,
                                                sizeof word, 0, &word));
    CHECK_CODE_OF(ERROR_INVALID_PARAMETER, ERROR_INVALID_HANDLE,
                  HttpSetRequestQueueProperty(NULL, HttpServerQueueLengthProperty, &word,
                                              sizeof word, 0, NULL));
    CHECK_CODE(bad, HttpQueryUrlGroupProperty(server.group, HttpServerLoggingProperty, &word,
                                              sizeof word, &size));
    CHECK_CODE(bad, HttpQueryServerSessionProperty(server.session, HttpServerQueueLengthProperty,
                                                   &word, sizeof word, &size));
    server_close(&server);
}

static void values_are_checked(void)
{
    struct server server;
    HTTP_STATE_INFO info = state_of((HTTP_ENABLED_STATE)7);
    server_open(&server);
    const ULONG bad = ERROR_INVALID_PARAMETER;
    CHECK_CODE(bad, set_group(&server, HttpServerStateProperty, &info, sizeof info));
    CHECK_CODE(bad, set_session(&server, HttpServerStateProperty, &info, sizeof info));
    CHECK_CODE(bad, set_queue(&server, HttpServerStateProperty, 7));
    CHECK_CODE(bad, set_queue(&server, HttpServer503VerbosityProperty, 3));
    CHECK_CODE(bad, set_queue(&server, HttpServerQueueLengthProperty, 0));
    CHECK_CODE(bad, set_queue(&server, HttpServerQueueLengthProperty, 0x80000000u));
    CHECK_CODE(NO_ERROR,
               set_queue(&server, HttpServerQueueLengthProperty, HTTP_MAX_SERVER_QUEUE_LENGTH));
    server_close(&server);
}

static void queue_defaults_and_values_come_back(void)
{
    struct server server;
    HANDLE fresh = NULL;
    ULONG value = 77, size = 0;
    server_open(&server);
    CHECK_CODE(NO_ERROR, HttpCreateRequestQueue(HTTPAPI_VERSION_2, NULL, NULL, 0, &fresh));
    CHECK_CODE(NO_ERROR, HttpQueryRequestQueueProperty(fresh, HttpServer503VerbosityProperty,
                                                       &value, sizeof value, 0, &size, NULL));
    CHECK_UINT(Http503ResponseVerbosityBasic, value);
    CHECK_CODE(NO_ERROR, HttpCloseRequestQueue(fresh));
    CHECK_UINT(1000, query_queue(&server, HttpServerQueueLengthProperty));
    CHECK_UINT(HttpEnabledStateActive, query_queue(&server, HttpServerStateProperty));
    CHECK_UINT(Http503ResponseVerbosityLimited,
               query_queue(&server, HttpServer503VerbosityProperty));
    CHECK_CODE(NO_ERROR, set_queue(&server, HttpServerQueueLengthProperty, 17));
    CHECK_CODE(NO_ERROR,
               set_queue(&server, HttpServer503VerbosityProperty, Http503ResponseVerbosityFull));
    CHECK_CODE(NO_ERROR, set_queue(&server, HttpServerStateProperty, HttpEnabledStateInactive));
    CHECK_UINT(17, query_queue(&server, HttpServerQueueLengthProperty));
    CHECK_UINT(Http503ResponseVerbosityFull, query_queue(&server, HttpServer503VerbosityProperty));
    CHECK_UINT(HttpEnabledStateInactive, query_queue(&server, HttpServerStateProperty));
    server_close(&server);
}

static void group_and_session_values_come_back(void)
{
    struct server server;
    HTTP_TIMEOUT_LIMIT_INFO set, seen;
    HTTP_STATE_INFO state = state_of(HttpEnabledStateInactive), back;
    HTTP_BINDING_INFO binding;
    ULONG size = 0;
    server_open(&server);
    memset(&set, 0, sizeof set);
    set.Flags.Present = 1;
    set.EntityBody = 11;
    set.DrainEntityBody = 12;
    set.RequestQueue = 13;
    set.IdleConnection = 14;
    set.HeaderWait = 15;
    set.MinSendRate = 1600;
    CHECK_CODE(NO_ERROR, set_group(&server, HttpServerTimeoutsProperty, &set, sizeof set));
    memset(&seen, 0, sizeof seen);
    CHECK_CODE(NO_ERROR, HttpQueryUrlGroupProperty(server.group, HttpServerTimeoutsProperty, &seen,
                                                   sizeof seen, &size));
    CHECK_UINT(sizeof seen, size);
    CHECK(seen.Flags.Present == 1 && seen.EntityBody == 11 && seen.DrainEntityBody == 12 &&
          seen.RequestQueue == 13 && seen.IdleConnection == 14 && seen.HeaderWait == 15 &&
          seen.MinSendRate == 1600);
    set.EntityBody = 21;
    CHECK_CODE(NO_ERROR, set_session(&server, HttpServerTimeoutsProperty, &set, sizeof set));
    CHECK_CODE(NO_ERROR, HttpQueryServerSessionProperty(server.session, HttpServerTimeoutsProperty,
                                                        &seen, sizeof seen, &size));
    CHECK_UINT(21, seen.EntityBody);
    CHECK_CODE(NO_ERROR, set_group(&server, HttpServerStateProperty, &state, sizeof state));
    CHECK_CODE(NO_ERROR, HttpQueryUrlGroupProperty(server.group, HttpServerStateProperty, &back,
                                                   sizeof back, &size));
    CHECK_UINT(HttpEnabledStateInactive, back.State);
    CHECK_CODE(NO_ERROR, HttpQueryUrlGroupProperty(server.group, HttpServerBindingProperty,
                                                   &binding, sizeof binding, &size));
    CHECK(binding.Flags.Present == 1 && binding.RequestQueueHandle == server.queue);
    server_close(&server);
}

static void a_short_query_says_what_it_needs(void)
{
    struct server server;
    HTTP_TIMEOUT_LIMIT_INFO seen;
    ULONG size = 0, word = 0;
    server_open(&server);
    CHECK_CODE(ERROR_MORE_DATA, HttpQueryUrlGroupProperty(server.group, HttpServerTimeoutsProperty,
                                                          &seen, 8, &size));
    CHECK_UINT(sizeof seen, size);
    size = 0;
    CHECK_CODE(ERROR_MORE_DATA, HttpQueryServerSessionProperty(
                                    server.session, HttpServerTimeoutsProperty, &seen, 8, &size));
    CHECK_UINT(sizeof seen, size);
    size = 0;
    CHECK_CODE(ERROR_MORE_DATA,
               HttpQueryRequestQueueProperty(server.queue, HttpServerQueueLengthProperty, &word, 2,
                                             0, &size, NULL));
    CHECK_UINT(sizeof word, size);
    server_close(&server);
}

static void an_inactive_group_refuses(void)
{
    struct server server;
    HTTP_STATE_INFO off = state_of(HttpEnabledStateInactive);
    HTTP_STATE_INFO on = state_of(HttpEnabledStateActive);
    server_start(&server);
    serves(&server);
    CHECK_CODE(NO_ERROR, set_group(&server, HttpServerStateProperty, &off, sizeof off));
    refuses(&server);
    CHECK_CODE(NO_ERROR, set_group(&server, HttpServerStateProperty, &on, sizeof on));
    serves(&server);
    server_close(&server);
}

static void an_inactive_session_refuses_in_all_groups(void)
{
    struct server server;
    HTTP_STATE_INFO off = state_of(HttpEnabledStateInactive);
    HTTP_STATE_INFO on = state_of(HttpEnabledStateActive);
    server_start(&server);
    CHECK_CODE(NO_ERROR, set_session(&server, HttpServerStateProperty, &off, sizeof off));
    refuses(&server);
    CHECK_CODE(NO_ERROR, set_session(&server, HttpServerStateProperty, &on, sizeof on));
    serves(&server);
    server_close(&server);
}

static void an_inactive_queue_refuses(void)
{
    struct server server;
    server_start(&server);
    CHECK_CODE(NO_ERROR, set_queue(&server, HttpServerStateProperty, HttpEnabledStateInactive));
    refuses(&server);
    CHECK_CODE(NO_ERROR, set_queue(&server, HttpServerStateProperty, HttpEnabledStateActive));
    serves(&server);
    server_close(&server);
}

static void a_request_in_flight_outlives_the_state(void)
{
    struct server server;
    struct received received;
    struct client client;
    HTTP_STATE_INFO off = state_of(HttpEnabledStateInactive);
    server_start(&server);
    client_open(&client, server.port);
    client_request(&client, "GET", "/", "");
    expect(&server, "/", &received);
    CHECK_CODE(NO_ERROR, set_group(&server, HttpServerStateProperty, &off, sizeof off));
    CHECK_CODE(NO_ERROR, answer(server.queue, received.request.RequestId, 200, "served"));
    client_expect_body(&client, 200, "served");
    client_close(&client);
    server_close(&server);
}

static void a_full_queue_refuses(void)
{
    struct server server;
    struct client first, second;
    server_start(&server);
    CHECK_CODE(NO_ERROR, set_queue(&server, HttpServerQueueLengthProperty, 1));
    client_open(&first, server.port);
    client_request(&first, "GET", "/", "");
    client_open(&second, server.port);
    client_request(&second, "GET", "/", "");
    /* One of the two waits, the other is refused; which one is up to the network. */
    struct client *refused = client_is_silent(&first, 1000) ? &second : &first;
    struct client *waiting = refused == &first ? &second : &first;
    client_expect(refused, 503);
    client_expect_end(refused);
    serve_one(&server);
    client_expect(waiting, 200);
    client_close(&first);
    client_close(&second);
    server_close(&server);
}

static void basic_verbosity_sends_nothing(void)
{
    struct server server;
    struct client client;
    server_start(&server);
    set_verbosity(server.queue, Http503ResponseVerbosityBasic);
    CHECK_CODE(NO_ERROR, set_queue(&server, HttpServerStateProperty, HttpEnabledStateInactive));
    client_open(&client, server.port);
    client_request(&client, "GET", "/", "");
    CHECK_UINT(SHIM_RESET, client_end(&client));
    client_close(&client);
    server_close(&server);
}

static void limited_and_full_verbosity_answer(void)
{
    struct server server;
    struct client client;
    struct reply reply;
    server_start(&server);
    CHECK_CODE(NO_ERROR, set_queue(&server, HttpServerStateProperty, HttpEnabledStateInactive));
    client_open(&client, server.port);
    client_request(&client, "GET", "/", "");
    client_read(&client, &reply, false);
    CHECK_UINT(503, reply.status);
    CHECK_TEXT("Service Unavailable", reply.reason, strlen(reply.reason));
    reply_free(&reply);
    client_expect_end(&client);
    client_close(&client);
    set_verbosity(server.queue, Http503ResponseVerbosityFull);
    client_open(&client, server.port);
    client_request(&client, "GET", "/", "");
    client_read(&client, &reply, false);
    CHECK_UINT(503, reply.status);
    CHECK(strlen(reply.reason) > 0);
    reply_free(&reply);
    client_expect_end(&client);
    client_close(&client);
    server_close(&server);
}

static void set_connection_limit(const struct server *server, ULONG limit)
{
    HTTP_CONNECTION_LIMIT_INFO connections;
    HTTP_QOS_SETTING_INFO qos;
    memset(&connections, 0, sizeof connections);
    memset(&qos, 0, sizeof qos);
    connections.Flags.Present = 1;
    connections.MaxConnections = limit;
    qos.QosType = HttpQosSettingTypeConnectionLimit;
    qos.QosSetting = &connections;
    CHECK_CODE(NO_ERROR, set_group(server, HttpServerQosProperty, &qos, sizeof qos));
}

static void connections_over_the_limit_are_refused(void)
{
    struct server server;
    struct client first;
    server_start(&server);
    set_connection_limit(&server, 1);
    client_open(&first, server.port);
    client_request(&first, "GET", "/", "");
    serve_one(&server);
    client_expect(&first, 200);
    refuses(&server);
    client_request(&first, "GET", "/", ""); /* the counted one goes on */
    serve_one(&server);
    client_expect(&first, 200);
    set_connection_limit(&server, HTTP_LIMIT_INFINITE);
    serves(&server);
    client_close(&first);
    server_close(&server);
}

static void a_closed_connection_makes_room(void)
{
    struct server server;
    struct client client;
    struct reply reply;
    server_start(&server);
    set_connection_limit(&server, 1);
    for (int i = 0; i < 5; i++) {
        client_open(&client, server.port);
        client_request(&client, "GET", "/", "Connection: close\r\n");
        serve_one(&server);
        client_read(&client, &reply, false);
        CHECK_UINT(200, reply.status);
        reply_free(&reply);
        client_expect_end(&client);
        client_close(&client);
    }
    server_close(&server);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, a_property_belongs_to_its_kind_of_object),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, arguments_are_checked),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, values_are_checked),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, queue_defaults_and_values_come_back),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, group_and_session_values_come_back),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, a_short_query_says_what_it_needs),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, an_inactive_group_refuses),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, an_inactive_session_refuses_in_all_groups),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, an_inactive_queue_refuses),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, a_request_in_flight_outlives_the_state),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, a_full_queue_refuses),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, basic_verbosity_sends_nothing),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, limited_and_full_verbosity_answer),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, connections_over_the_limit_are_refused),
        CASE_NOT_ON(PROVIDER_WINE, WINE_HAS_NONE, a_closed_connection_makes_room),
    };
    return contract_main(cases, COUNT_OF(cases), argc, argv);
}
