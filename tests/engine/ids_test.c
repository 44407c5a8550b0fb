/* Ids: places are used again, ids never, and no kind is taken for another. */
#include "engine/rig.h"

#include "engine/request.h"

/* A shard with nothing but its tables. */
static int shard_open(void **state)
{
    struct shard *shard = calloc(1, sizeof *shard);
    assert_non_null(shard);
    shard->index = 5;
    *state = shard;
    return 0;
}

static int shard_close(void **state)
{
    struct shard *shard = *state;
    free(shard->conn_places.items);
    free(shard->conn_places.free_stack);
    free(shard->request_places.items);
    free(shard->request_places.free_stack);
    free(shard);
    return 0;
}

static uint32_t place_of(uint64_t id)
{
    return (uint32_t)id & (SHARD_PLACES_MAX - 1);
}

static void ids_a_stale_id_finds_nothing_after_its_place_is_used_again(void **state)
{
    struct shard *shard = *state;
    struct request first = {0}, second = {0};
    first.id = shard_add_request(shard, &first);
    uint64_t stale = first.id;
    assert_ptr_equal(shard_find_request(shard, stale), &first);
    shard_remove_request(shard, first.id);
    assert_null(shard_find_request(shard, stale));
    second.id = shard_add_request(shard, &second);
    assert_int_equal(place_of(second.id), place_of(stale));
    assert_int_not_equal(second.id, stale);
    assert_null(shard_find_request(shard, stale));
    assert_ptr_equal(shard_find_request(shard, second.id), &second);
}

static void ids_of_requests_and_connections_differ(void **state)
{
    struct shard *shard = *state;
    struct request request = {0};
    struct conn conn = {.shard = shard};
    request.id = shard_add_request(shard, &request);
    conn.id = shard_add_conn(shard, &conn);
    assert_int_not_equal(request.id, conn.id);
    assert_null(shard_find_request(shard, conn.id));
    assert_null(shard_find_conn(shard, request.id));
}

static void ids_name_their_shard(void **state)
{
    struct shard *shard = *state;
    static struct engine engine;
    struct request request = {0};
    request.id = shard_add_request(shard, &request);
    engine.shards[5] = shard;
    assert_ptr_equal(shard_of_id(&engine, request.id), shard);
    assert_null(shard_of_id(&engine, request.id + (1 << SHARD_PLACE_BITS)));
    assert_null(shard_of_id(&engine, HTTP_NULL_ID));
    static const uint64_t never_given[] = {0, 1, UINT64_MAX, UINT64_C(1) << 61, 0xDEADDEAD};
    for (size_t i = 0; i < sizeof never_given / sizeof never_given[0]; i++) {
        assert_null(shard_find_request(shard, never_given[i]));
        assert_null(shard_find_conn(shard, never_given[i]));
    }
}

/* All places of a shard, then one more. */
static void ids_a_full_shard_refuses_until_one_goes(void **state)
{
    struct shard *shard = *state;
    struct conn *conns = calloc(SHARD_PLACES_MAX, sizeof *conns);
    struct conn extra = {.shard = shard};
    assert_non_null(conns);
    for (uint32_t i = 0; i < SHARD_PLACES_MAX; i++) {
        conns[i].id = shard_add_conn(shard, &conns[i]);
        assert_int_not_equal(conns[i].id, 0);
    }
    assert_int_equal(shard_add_conn(shard, &extra), 0);
    shard_remove_conn(shard, conns[77].id);
    extra.id = shard_add_conn(shard, &extra);
    assert_int_not_equal(extra.id, 0);
    assert_null(shard_find_conn(shard, conns[77].id));
    assert_ptr_equal(shard_find_conn(shard, conns[78].id), &conns[78]);
    assert_int_equal(shard_add_conn(shard, &conns[77]), 0);
    free(conns);
}

static unsigned random_below(unsigned *seed, unsigned below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

enum { LIVE_MAX = 50, GONE_MAX = 2000, STEPS = 20000 };

/* Thousands of requests come and go; every id that ever was given means its request or nothing. */
static void ids_every_id_means_its_own_request_or_nothing(void **state)
{
    struct shard *shard = *state;
    static struct request requests[LIVE_MAX];
    static uint64_t gone[GONE_MAX];
    uint64_t largest = 0;
    unsigned gone_count = 0;
    unsigned seed = 7;
    for (int step = 0; step < STEPS; step++) {
        struct request *request = &requests[random_below(&seed, LIVE_MAX)];
        if (request->id == 0) {
            request->id = shard_add_request(shard, request);
            assert_true(request->id > largest); /* so none comes twice */
            largest = request->id;
        } else {
            gone[gone_count++ % GONE_MAX] = request->id;
            shard_remove_request(shard, request->id);
            request->id = 0;
        }
        uint64_t stale = gone[random_below(&seed, GONE_MAX)];
        assert_null(shard_find_request(shard, stale));
        struct request *some = &requests[random_below(&seed, LIVE_MAX)];
        assert_true(some->id == 0 || shard_find_request(shard, some->id) == some);
    }
    assert_true(shard->request_places.used <= LIVE_MAX);
}

/* -------- through the contract -------- */

static void ids_of_each_kind_mean_nothing_to_the_others(void **state)
{
    (void)state;
    static struct server server;
    server_open(&server);
    HTTP_URL_GROUP_ID group = 0;
    HTTP_STATE_INFO info = {.Flags.Present = 1, .State = HttpEnabledStateActive};
    ULONG length = 0;
    uint64_t queue_id = (uint64_t)(uintptr_t)server.queue;
    uint64_t ids[] = {server.session, server.group, queue_id,
                      queue_id | (server.session & ~(queue_id))};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        if (ids[i] != server.session) {
            assert_int_equal(HttpCreateUrlGroup(ids[i], &group, 0), ERROR_INVALID_PARAMETER);
            assert_int_equal(
                HttpSetServerSessionProperty(ids[i], HttpServerStateProperty, &info, sizeof info),
                ERROR_INVALID_PARAMETER);
            assert_int_equal(HttpCloseServerSession(ids[i]), ERROR_INVALID_PARAMETER);
        }
        if (ids[i] != server.group) {
            assert_int_equal(HttpAddUrlToUrlGroup(ids[i], "http://localhost:8080/", 0, 0),
                             ERROR_INVALID_PARAMETER);
            assert_int_equal(bind_group(ids[i], server.queue), ERROR_INVALID_PARAMETER);
            assert_int_equal(HttpCloseUrlGroup(ids[i]), ERROR_INVALID_PARAMETER);
        }
        if (ids[i] != queue_id) {
            HANDLE handle = (HANDLE)(uintptr_t)ids[i];
            assert_int_equal(HttpQueryRequestQueueProperty(handle, HttpServerQueueLengthProperty,
                                                           &info, sizeof info, 0, &length, NULL),
                             ERROR_INVALID_PARAMETER);
            assert_int_equal(HttpShutdownRequestQueue(handle), ERROR_INVALID_HANDLE);
            assert_int_equal(HttpCloseRequestQueue(handle), ERROR_INVALID_HANDLE);
        }
    }
    server_close(&server);
}

/* Groups and sessions in the places of closed ones: the old ids stay dead. */
static void ids_of_closed_objects_stay_dead(void **state)
{
    (void)state;
    static struct server server;
    enum { ROUNDS = 200 };
    static HTTP_SERVER_SESSION_ID sessions[ROUNDS];
    static HTTP_URL_GROUP_ID groups[ROUNDS];
    static HANDLE queues[ROUNDS];
    server_open(&server);
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(HttpCreateServerSession(rig_version, &sessions[i], 0), NO_ERROR);
        assert_int_equal(HttpCreateUrlGroup(sessions[i], &groups[i], 0), NO_ERROR);
        queues[i] = open_queue();
        assert_int_equal(bind_group(groups[i], queues[i]), NO_ERROR);
        for (int k = 0; k < i; k++) {
            HTTP_URL_GROUP_ID group = 0;
            assert_int_not_equal(sessions[k], sessions[i]);
            assert_int_not_equal(groups[k], groups[i]);
            assert_ptr_not_equal(queues[k], queues[i]);
            assert_int_equal(HttpCreateUrlGroup(sessions[k], &group, 0), ERROR_INVALID_PARAMETER);
            assert_int_equal(bind_group(groups[k], queues[i]), ERROR_INVALID_PARAMETER);
            assert_int_equal(bind_group(groups[i], queues[k]), ERROR_INVALID_PARAMETER);
        }
        assert_int_equal(HttpCloseServerSession(sessions[i]), NO_ERROR);
        assert_int_equal(HttpCloseRequestQueue(queues[i]), NO_ERROR);
    }
    server_close(&server);
}

/* The engine's maxima of live objects; what is over them is refused and breaks nothing. */
static void ids_maxima_of_sessions_groups_and_queues_hold(void **state)
{
    (void)state;
    static struct server server;
    server_open(&server);
    HTTP_SERVER_SESSION_ID session = 0, last_session = 0;
    HTTP_URL_GROUP_ID group = 0;
    HANDLE queue = NULL;
    unsigned count = 1; /* server_open made one of each */
    while (HttpCreateServerSession(rig_version, &session, 0) == NO_ERROR) {
        last_session = session;
        count++;
    }
    assert_int_equal(count, LIFETIME_SESSIONS_MAX);
    assert_int_equal(HttpCreateServerSession(rig_version, &session, 0), ERROR_NOT_ENOUGH_MEMORY);
    assert_int_equal(HttpCloseServerSession(last_session), NO_ERROR);
    assert_int_equal(HttpCreateServerSession(rig_version, &session, 0), NO_ERROR);
    for (count = 1; HttpCreateUrlGroup(server.session, &group, 0) == NO_ERROR;) {
        count++;
    }
    assert_int_equal(count, LIFETIME_GROUPS_MAX);
    for (count = 1; HttpCreateRequestQueue(rig_version, NULL, NULL, 0, &queue) == NO_ERROR;) {
        count++;
    }
    assert_int_equal(count, LIFETIME_QUEUES_MAX);
    assert_int_equal(HttpCreateRequestQueue(rig_version, NULL, NULL, 0, &queue),
                     ERROR_NOT_ENOUGH_MEMORY);
    /* The terminate closes them all. */
    assert_int_equal(HttpTerminate(HTTP_INITIALIZE_SERVER, NULL), NO_ERROR);
}

static void ids_of_requests_are_not_given_again_by_a_later_loop(void **state)
{
    (void)state;
    static struct server server;
    static struct worker worker;
    static struct client client;
    static struct received received;
    uint64_t requests[10], connections[10];
    server_open(&server);
    worker_start(&worker, server.queue);
    server_add(&server, "/", 0);
    for (int i = 0; i < 10; i++) {
        client_open(&client, server.port);
        assert_true(client_get(&client, "/"));
        assert_int_equal(receive(server.queue, &received, 0, NULL), NO_ERROR);
        requests[i] = received.request.RequestId;
        connections[i] = received.request.ConnectionId;
        for (int k = 0; k < i; k++) {
            assert_int_not_equal(requests[k], requests[i]);
            assert_int_not_equal(connections[k], connections[i]);
            assert_int_equal(answer_text(server.queue, requests[k], "not yours"),
                             ERROR_CONNECTION_INVALID);
            assert_int_equal(HttpCancelHttpRequest(server.queue, requests[k], NULL),
                             ERROR_CONNECTION_INVALID);
            assert_int_equal(HttpWaitForDisconnect(server.queue, connections[k], NULL),
                             ERROR_CONNECTION_INVALID);
        }
        assert_int_equal(answer_text(server.queue, requests[i], "yours"), NO_ERROR);
        client_expect(&client, 200, "yours");
        client_close(&client);
        worker_stop(&worker); /* the next loop gets its place */
        worker_start(&worker, server.queue);
    }
    worker_stop(&worker);
    server_close(&server);
}

/* A handle that belonged to a closed queue does not reach the queue that has its place. */
static void ids_a_stale_queue_handle_does_not_reach_the_new_queue(void **state)
{
    (void)state;
    static struct server server;
    static struct client client;
    static struct received received;
    server_open(&server);
    server_add(&server, "/", 0);
    HANDLE stale = server.queue;
    assert_int_equal(HttpCloseRequestQueue(stale), NO_ERROR);
    server.queue = open_queue();
    assert_int_equal((uint32_t)(uintptr_t)server.queue, (uint32_t)(uintptr_t)stale);
    assert_int_equal(bind_group(server.group, server.queue), NO_ERROR);
    client_open(&client, server.port);
    assert_true(client_get(&client, "/"));
    assert_int_equal(receive(stale, &received, 0, NULL), ERROR_INVALID_HANDLE);
    assert_int_equal(receive(server.queue, &received, 0, NULL), NO_ERROR);
    assert_int_equal(answer_text(stale, received.request.RequestId, "x"), ERROR_INVALID_HANDLE);
    assert_int_equal(answer_text(server.queue, received.request.RequestId, "x"), NO_ERROR);
    client_expect(&client, 200, "x");
    client_close(&client);
    server_close(&server);
}

int main(int argc, char **argv)
{
#define WITH_SHARD(function) cmocka_unit_test_setup_teardown(function, shard_open, shard_close)
    const struct CMUnitTest tests[] = {
        WITH_SHARD(ids_a_stale_id_finds_nothing_after_its_place_is_used_again),
        WITH_SHARD(ids_of_requests_and_connections_differ),
        WITH_SHARD(ids_name_their_shard),
        WITH_SHARD(ids_a_full_shard_refuses_until_one_goes),
        WITH_SHARD(ids_every_id_means_its_own_request_or_nothing),
        cmocka_unit_test(ids_of_each_kind_mean_nothing_to_the_others),
        cmocka_unit_test(ids_of_closed_objects_stay_dead),
        cmocka_unit_test(ids_maxima_of_sessions_groups_and_queues_hold),
        cmocka_unit_test(ids_of_requests_are_not_given_again_by_a_later_loop),
        cmocka_unit_test(ids_a_stale_queue_handle_does_not_reach_the_new_queue),
    };
    rig_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
