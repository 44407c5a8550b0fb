/* The ledger over the recording fake: generations, the exit, and threads. */
#include "binding/ledger_world.h"

#include <pthread.h>

/* --- generations --------------------------------------------------------------------------- */

static void ledger_reload_keeps_what_both_generations_have(void **state)
{
    struct context *c = *state;
    struct graph a = declare(c, 1, 0);
    commit(c, 1);
    size_t from = fake_record_count();
    struct graph b = declare(c, 2, 0);
    assert_memory_equal(&a, &b, sizeof a);
    uint64_t added = make_url(c, at(2, 0, true, 6), b.group, "/c/");
    commit(c, 2);
    ledger_retire(c->ledger, 1);
    char calls[512];
    assert_string_equal(calls_since(from, calls, sizeof calls),
                        "AddUrlToUrlGroup AddUrlToUrlGroup AddUrlToUrlGroup");
    assert_int_equal(ledger_count_generation(c->ledger, 1, NODE_URL), 0);
    assert_int_equal(ledger_count_generation(c->ledger, 2, NODE_URL), 3);
    (void)added;
}

static void ledger_retire_withdraws_what_the_new_generation_lacks(void **state)
{
    struct context *c = *state;
    declare(c, 1, 0);
    commit(c, 1);
    uint64_t queue = make_queue(c, at(2, 0, true, 1), "");
    uint64_t session = make_session(c, at(2, 0, true, 2), "");
    make_url(c, at(2, 0, true, 4), make_group(c, at(2, 0, true, 3), session, queue), "/b/");
    commit(c, 2);
    size_t from = fake_record_count();
    ledger_retire(c->ledger, 1);
    assert_int_equal(fake_record_count(), from + 1);
    assert_string_equal(fake_record_at(from)->call, "HttpRemoveUrlFromUrlGroup");
    assert_string_equal(fake_record_at(from)->object, "http://localhost:8080/a/");
}

static uint64_t session_with(struct context *c, uint32_t generation, uint32_t seconds)
{
    uint64_t id = 0;
    struct properties set = header_wait(seconds);
    struct ledger_origin origin = at(generation, 0, true, 1);
    assert_int_equal(ledger_make_session(c->ledger, &origin, unnamed, seconds == 0 ? NULL : &set,
                                         &id, &c->error),
                     NO_ERROR);
    return id;
}

static void ledger_properties_change_at_the_commit(void **state)
{
    struct context *c = *state;
    uint64_t id = session_with(c, 1, 5);
    commit(c, 1);
    assert_int_equal(fake_count_calls("HttpSetServerSessionProperty"), 1);
    assert_int_equal(session_with(c, 2, 7), id);
    assert_int_equal(fake_count_calls("HttpSetServerSessionProperty"), 1);
    assert_int_equal(header_wait_of(c, at(2, 0, true, 1), id), 7);
    assert_int_equal(header_wait_of(c, at(1, 0, false, 1), id), 5);
    commit(c, 2);
    assert_int_equal(fake_count_calls("HttpSetServerSessionProperty"), 2);
    assert_int_equal(header_wait_of(c, at(1, 0, false, 1), id), 7);
    /* What the third no longer sets goes back to the default; the same again costs nothing. */
    assert_int_equal(session_with(c, 3, 0), id);
    commit(c, 3);
    assert_int_equal(header_wait_of(c, at(3, 0, false, 1), id), 0);
    assert_int_equal(fake_count_calls("HttpSetServerSessionProperty"), 3);
    assert_int_equal(session_with(c, 4, 0), id);
    commit(c, 4);
    assert_int_equal(fake_count_calls("HttpSetServerSessionProperty"), 3);
}

static void ledger_discard_puts_properties_back(void **state)
{
    struct context *c = *state;
    uint64_t id = session_with(c, 1, 5);
    commit(c, 1);
    session_with(c, 2, 7);
    fake_refuse_url("8080", ERROR_SHARING_VIOLATION);
    make_url(c, at(2, 0, true, 3), make_group(c, at(2, 0, true, 2), id, 0), "/x");
    assert_int_equal(ledger_commit(c->ledger, 2, LEDGER_PHASE_OBJECTS, &c->error), NO_ERROR);
    assert_int_equal(header_wait_of(c, at(1, 0, false, 1), id), 7);
    assert_int_not_equal(ledger_commit(c->ledger, 2, LEDGER_PHASE_URLS, &c->error), NO_ERROR);
    ledger_discard(c->ledger, 2);
    assert_int_equal(header_wait_of(c, at(1, 0, false, 1), id), 5);
    assert_int_equal(fake_open_count(FAKE_GROUP), 0);
    assert_int_equal(fake_open_count(FAKE_SESSION), 1);
    /* Loading again begins at the first ordinal. */
    assert_int_equal(session_with(c, 3, 5), id);
}

static void ledger_refused_property_fails_the_object(void **state)
{
    struct context *c = *state;
    fake_fail_call("HttpSetServerSessionProperty", 1, ERROR_NOT_SUPPORTED);
    session_with(c, 1, 5);
    assert_int_equal(ledger_commit(c->ledger, 1, LEDGER_PHASE_OBJECTS, &c->error),
                     ERROR_NOT_SUPPORTED);
    assert_string_equal(c->error.hint, "leave out timeouts.header_wait");
    assert_int_equal(fake_open_count(FAKE_SESSION), 0); /* made, and closed again */
    ledger_discard(c->ledger, 1);
}

/* --- exit ---------------------------------------------------------------------------------- */

static void ledger_stop_keeps_contract_calls_for_the_last_stage(void **state)
{
    struct context *c = *state;
    struct graph g = declare(c, 1, 0);
    uint64_t id = 0;
    commit(c, 1);
    ledger_stop(c->ledger);
    struct ledger_origin origin = at(1, 0, false, 12);
    size_t from = fake_record_count();
    assert_int_equal(ledger_close(c->ledger, &origin, g.session), NO_ERROR);
    assert_int_equal(ledger_close(c->ledger, &origin, g.queue), NO_ERROR);
    assert_int_equal(fake_record_count(), from);
    assert_false(is_live(c, origin, g.first));
    assert_int_equal(state_of_node(c, g.first), NODE_CLOSING);
    assert_int_equal(ledger_make_session(c->ledger, &origin, unnamed, NULL, &id, &c->error),
                     ERROR_OPERATION_ABORTED);
    assert_string_equal(c->error.hint, "stopping");
    assert_int_equal(ledger_shutdown_queues(c->ledger), 0);
    size_t stage = fake_record_count();
    assert_int_equal(ledger_close_all(c->ledger), 0);
    char calls[512];
    assert_string_equal(calls_since(stage, calls, sizeof calls),
                        "RemoveUrlFromUrlGroup RemoveUrlFromUrlGroup RemoveUrlFromUrlGroup "
                        "RemoveUrlFromUrlGroup CloseUrlGroup CloseServerSession "
                        "CloseRequestQueue");
    assert_int_equal(ledger_terminate(c->ledger), 0);
    assert_int_equal(fake_check_kind_order(stage), 0);
}

static void ledger_close_all_goes_on_past_an_error(void **state)
{
    struct context *c = *state;
    declare(c, 1, 0);
    commit(c, 1);
    fake_fail_call("HttpRemoveUrlFromUrlGroup", 4, ERROR_FILE_NOT_FOUND);
    assert_int_equal(ledger_close_all(c->ledger), 1);
    assert_int_equal(c->reports, 1);
    assert_string_equal(c->reported, "url app.lua:4");
    assert_int_equal(fake_open_count(FAKE_SESSION), 0);
}

static void ledger_terminates_once_for_each_initialize(void **state)
{
    struct context *c = *state;
    assert_int_equal(ledger_initialize(c->ledger, HTTP_INITIALIZE_CONFIG, &c->error), NO_ERROR);
    assert_int_equal(ledger_initialize(c->ledger, HTTP_INITIALIZE_SERVER, &c->error), NO_ERROR);
    fake_fail_call("HttpInitialize", 1, ERROR_NOT_ENOUGH_MEMORY);
    assert_int_not_equal(ledger_initialize(c->ledger, HTTP_INITIALIZE_SERVER, &c->error), NO_ERROR);
    assert_int_equal(ledger_close_all(c->ledger), 0);
    assert_int_equal(ledger_terminate(c->ledger), 0);
    assert_int_equal(fake_count_calls("HttpTerminate"), 3);
    assert_int_equal(fake_initialize_count(HTTP_INITIALIZE_SERVER), 0);
    assert_int_equal(fake_initialize_count(HTTP_INITIALIZE_CONFIG), 0);
}

/* --- threads ------------------------------------------------------------------------------- */

/* One worker that has loaded: makes and closes named and unnamed objects beside the others. */
struct worker {
    struct context *context;
    pthread_t thread;
    uint16_t number;
    unsigned failures; /* cmocka's asserts belong to the main thread */
};

static void *work(void *arg)
{
    struct worker *w = arg;
    struct ledger *ledger = w->context->ledger;
    struct ledger_origin origin = {1, w->number, false, "app.lua", w->number};
    struct ledger_error error;
    struct ledger_info info;
    for (int i = 0; i < 200; i++) {
        uint64_t session = 0, group = 0, url = 0;
        struct ledger_group_spec spec = {.name = SLICE_INIT("api")};
        bool good = ledger_make_session(ledger, &origin, SLICE_LIT("shop"), NULL, &session,
                                        &error) == NO_ERROR;
        spec.session = session;
        good = good && ledger_make_group(ledger, &origin, &spec, &group, &error) == NO_ERROR &&
               ledger_make_url(ledger, &origin, group, SLICE_LIT("http://localhost:8080/x/"), &url,
                               &error) == NO_ERROR &&
               ledger_open(ledger, &origin, url, &error) == NO_ERROR;
        good = good && ledger_close(ledger, &origin, session) == NO_ERROR;
        uint64_t ids[] = {url, group, session};
        for (size_t k = 0; k < 3; k++) {
            good = good && !ledger_release(ledger, &origin, ids[k], k == 2, &info);
        }
        w->failures += !good;
    }
    return NULL;
}

static void ledger_workers_at_the_same_time(void **state)
{
    struct worker workers[4];
    for (uint16_t i = 0; i < 4; i++) {
        workers[i] = (struct worker){.context = *state, .number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].failures, 0);
    }
    assert_int_equal(fake_open_count(FAKE_SESSION), 0);
    assert_int_equal(fake_count_calls("HttpCreateServerSession"),
                     fake_count_calls("HttpCloseServerSession"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ledger_reload_keeps_what_both_generations_have),
        TEST(ledger_retire_withdraws_what_the_new_generation_lacks),
        TEST(ledger_properties_change_at_the_commit),
        TEST(ledger_discard_puts_properties_back),
        TEST(ledger_refused_property_fails_the_object),
        TEST(ledger_stop_keeps_contract_calls_for_the_last_stage),
        TEST(ledger_close_all_goes_on_past_an_error),
        TEST(ledger_terminates_once_for_each_initialize),
        TEST(ledger_workers_at_the_same_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
