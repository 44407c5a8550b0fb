/* The ledger over the recording fake: shares, keys, URLs, closing, the host's own objects. */
#include "binding/ledger_world.h"

/* --- shares and keys ----------------------------------------------------------------------- */

static void ledger_two_workers_share_each_object(void **state)
{
    struct context *c = *state;
    struct graph a = declare(c, 1, 0);
    struct graph b = declare(c, 1, 1);
    assert_int_equal(fake_record_count(), 1); /* HttpInitialize: declaring asks nothing */
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(ledger_check(c->ledger, 1, 2, &c->error), NO_ERROR);
    commit(c, 1);
    assert_int_equal(fake_open_count(FAKE_SESSION), 1);
    assert_int_equal(fake_open_count(FAKE_GROUP), 1);
    assert_int_equal(fake_open_count(FAKE_QUEUE), 1);
    assert_int_equal(fake_open_count(FAKE_URL), 4); /* /a/ and three addresses of /b/ */

    struct ledger_origin one = at(1, 0, false, 9);
    assert_int_equal(ledger_close(c->ledger, &one, a.session), NO_ERROR);
    assert_int_equal(fake_open_count(FAKE_URL), 4);
    assert_false(is_live(c, one, a.first));
    assert_int_equal(ledger_url_worker(c->ledger, 1, a.first), 1);
    assert_int_equal(ledger_url_worker(c->ledger, 2, a.first), LEDGER_WORKER_HOST);
    assert_true(is_live(c, at(1, 1, false, 0), b.first));

    struct ledger_origin two = at(1, 1, false, 9);
    size_t from = fake_record_count();
    char calls[512];
    assert_int_equal(ledger_close(c->ledger, &two, b.session), NO_ERROR);
    assert_string_equal(calls_since(from, calls, sizeof calls),
                        "RemoveUrlFromUrlGroup RemoveUrlFromUrlGroup RemoveUrlFromUrlGroup "
                        "RemoveUrlFromUrlGroup CloseUrlGroup CloseServerSession");
    assert_string_equal(fake_record_at(from + 3)->object, "http://localhost:8080/a/");
    assert_int_equal(fake_open_count(FAKE_QUEUE), 1); /* queues are below nobody */
}

static void ledger_workers_that_differ_are_refused_naming_both_lines(void **state)
{
    struct context *c = *state;
    uint64_t one = make_session(c, at(1, 0, true, 7), "");
    make_url(c, at(1, 0, true, 8), make_group(c, at(1, 0, true, 7), one, 0), "/a");
    uint64_t two = make_session(c, at(1, 1, true, 7), "");
    make_url(c, at(1, 1, true, 9), make_group(c, at(1, 1, true, 7), two, 0), "/b");
    assert_int_equal(ledger_check(c->ledger, 1, 2, &c->error), ERROR_INVALID_PARAMETER);
    assert_string_equal(c->error.object, "url of worker 0 at app.lua:8");
    assert_string_equal(
        c->error.hint,
        "worker 1 declared something else at app.lua:9, and all must declare the same");
}

static void ledger_worker_that_declared_nothing_is_refused(void **state)
{
    struct context *c = *state;
    make_session(c, at(1, 1, true, 7), "");
    assert_int_equal(ledger_check(c->ledger, 1, 2, &c->error), ERROR_INVALID_PARAMETER);
    assert_string_equal(c->error.hint, "worker 0 declared nothing, and all must declare the same");
}

static void ledger_ordinal_tells_apart_what_one_line_makes(void **state)
{
    struct context *c = *state;
    uint64_t a1 = make_session(c, at(1, 0, true, 7), "");
    uint64_t a2 = make_session(c, at(1, 0, true, 7), "");
    assert_int_not_equal(a1, a2);
    assert_int_equal(make_session(c, at(1, 1, true, 7), ""), a1);
    assert_int_equal(make_session(c, at(1, 1, true, 7), ""), a2);
}

static void ledger_after_loading_named_shared_unnamed_new(void **state)
{
    struct context *c = *state;
    uint64_t a = make_session(c, at(1, 0, false, 7), "shop");
    uint64_t b = make_session(c, at(1, 1, false, 7), "shop");
    uint64_t x = make_session(c, at(1, 0, false, 7), "");
    uint64_t y = make_session(c, at(1, 1, false, 7), "");
    assert_int_equal(a, b);
    assert_int_not_equal(x, y);
    open_now(c, at(1, 0, false, 7), a);
    open_now(c, at(1, 1, false, 7), b);
    assert_int_equal(fake_open_count(FAKE_SESSION), 1);
    uint64_t g = make_group(c, at(1, 0, false, 7), x, 0);
    assert_int_not_equal(make_group(c, at(1, 0, false, 7), x, 0), g);
}

static void ledger_handles_of_one_state_are_counted(void **state)
{
    struct context *c = *state;
    struct ledger_origin origin = at(1, 0, false, 7);
    uint64_t a = make_session(c, origin, "shop");
    open_now(c, origin, a);
    assert_int_equal(make_session(c, origin, "shop"), a);
    assert_int_equal(ledger_close(c->ledger, &origin, a), NO_ERROR);
    assert_true(is_live(c, origin, a));
    assert_int_equal(ledger_close(c->ledger, &origin, a), NO_ERROR);
    assert_false(is_live(c, origin, a));
    assert_int_equal(fake_open_count(FAKE_SESSION), 0);
    assert_int_equal(ledger_close(c->ledger, &origin, a), NO_ERROR); /* silent */
}

static void ledger_share_dropped_and_made_again_counts_the_drop(void **state)
{
    struct context *c = *state;
    struct ledger_origin origin = at(1, 0, false, 7);
    struct ledger_origin other = at(1, 1, false, 7);
    struct ledger_info before, after;
    uint64_t a = make_session(c, origin, "shop");
    assert_int_equal(make_session(c, other, "shop"), a);
    assert_true(ledger_info(c->ledger, &origin, a, &before));
    assert_int_equal(ledger_close(c->ledger, &origin, a), NO_ERROR);
    assert_int_equal(make_session(c, origin, "shop"), a);
    assert_true(ledger_info(c->ledger, &origin, a, &after));
    assert_true(after.live);
    assert_int_equal(after.drops, before.drops + 1);
}

/* --- URLs ---------------------------------------------------------------------------------- */

static void ledger_url_twice_in_one_state_is_refused(void **state)
{
    struct context *c = *state;
    struct graph g = declare(c, 1, 0);
    uint64_t id = 0;
    assert_int_equal(try_url(c, at(1, 0, true, 6), g.group, "HTTP://localhost:8080/a", &id),
                     ERROR_INVALID_PARAMETER); /* the scheme must be lower case */
    assert_int_equal(try_url(c, at(1, 0, true, 6), g.group, "http://LOCALHOST:8080/A", &id),
                     ERROR_ALREADY_EXISTS);
    assert_string_equal(c->error.hint, "this URL was added at app.lua:4");
    assert_int_equal(c->error.site.line, 6);
    assert_int_equal(try_url(c, at(1, 0, true, 6), g.group, "/b", &id), ERROR_ALREADY_EXISTS);
}

static void ledger_url_of_another_group_is_refused(void **state)
{
    struct context *c = *state;
    struct graph g = declare(c, 1, 0);
    uint64_t id = 0;
    commit(c, 1);
    struct ledger_origin later = at(1, 1, false, 20);
    uint64_t group = make_group(c, later, make_session(c, later, "x"), 0);
    assert_int_equal(try_url(c, later, group, "/b/", &id), ERROR_ALREADY_EXISTS);
    assert_string_equal(c->error.hint, "this URL was added at app.lua:5, to another group");
    (void)g;
}

static void ledger_malformed_url_is_refused_at_the_call(void **state)
{
    static const char *const bad[] = {"",
                                      "localhost:8080/",
                                      "http://localhost/",
                                      "http://localhost:0/",
                                      "http://localhost:70000/",
                                      "http://localhost:08/",
                                      "http://localhost:8080",
                                      "http://:8080/",
                                      "/a?b",
                                      "/a b",
                                      "/a//b",
                                      "http://[]:80/",
                                      "ftp://h:80/",
                                      "/a#b"};
    struct context *c = *state;
    struct graph g = declare(c, 1, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t id = 0;
        assert_int_equal(try_url(c, at(1, 0, true, 6), g.group, bad[i], &id),
                         ERROR_INVALID_PARAMETER);
        assert_int_not_equal(c->error.hint[0], '\0');
    }
}

static void ledger_bare_path_skips_addresses_the_machine_lacks(void **state)
{
    struct context *c = *state;
    char prefix[128];
    fake_refuse_url("[::1]", ERROR_NOT_FOUND);
    struct graph g = declare(c, 1, 0);
    commit(c, 1);
    assert_true(ledger_url_prefix(c->ledger, g.second, 0, prefix, sizeof prefix));
    assert_string_equal(prefix, "http://localhost:8080/b/");
    assert_true(ledger_url_prefix(c->ledger, g.second, 1, prefix, sizeof prefix));
    assert_string_equal(prefix, "http://127.0.0.1:8080/b/");
    assert_false(ledger_url_prefix(c->ledger, g.second, 2, prefix, sizeof prefix));
}

static void ledger_bare_path_needs_localhost(void **state)
{
    struct context *c = *state;
    fake_refuse_url("localhost", ERROR_NOT_FOUND);
    declare(c, 1, 0);
    assert_int_equal(ledger_commit(c->ledger, 1, LEDGER_PHASE_OBJECTS, &c->error), NO_ERROR);
    assert_int_equal(ledger_commit(c->ledger, 1, LEDGER_PHASE_URLS, &c->error), ERROR_NOT_FOUND);
}

static void ledger_held_port_rolls_back_and_names_the_holder(void **state)
{
    struct context *c = *state;
    c->holder_known = true;
    fake_refuse_url("127.0.0.1:8080", ERROR_SHARING_VIOLATION);
    struct graph g = declare(c, 1, 0);
    assert_int_equal(ledger_commit(c->ledger, 1, LEDGER_PHASE_OBJECTS, &c->error), NO_ERROR);
    assert_int_equal(ledger_commit(c->ledger, 1, LEDGER_PHASE_URLS, &c->error),
                     ERROR_SHARING_VIOLATION);
    assert_string_equal(c->error.call, "HttpAddUrlToUrlGroup");
    assert_string_equal(c->error.object, "http://127.0.0.1:8080/b/");
    assert_string_equal(c->error.hint,
                        "port 8080 is held by nginx (pid 311); -p 0 takes a free one");
    assert_int_equal(c->error.site.line, 5);
    assert_int_equal(fake_open_count(FAKE_URL), 0);
    assert_int_equal(state_of_node(c, g.first), NODE_DECLARED);

    /* Another port, and the phase is tried again. */
    static const struct ledger_address other = {"http://localhost:9090", false};
    assert_int_equal(ledger_set_addresses(c->ledger, &other, 1), NO_ERROR);
    assert_int_equal(ledger_commit(c->ledger, 1, LEDGER_PHASE_URLS, &c->error), NO_ERROR);
    assert_int_equal(fake_open_count(FAKE_URL), 2);
}

static void ledger_url_that_another_line_has_is_named(void **state)
{
    struct context *c = *state;
    struct graph g = declare(c, 1, 0);
    make_url(c, at(1, 0, true, 6), g.group, "http://LOCALHOST:8080/B");
    assert_int_equal(ledger_commit(c->ledger, 1, LEDGER_PHASE_OBJECTS, &c->error), NO_ERROR);
    fake_fail_call("HttpAddUrlToUrlGroup", 5, ERROR_ALREADY_EXISTS);
    assert_int_equal(ledger_commit(c->ledger, 1, LEDGER_PHASE_URLS, &c->error),
                     ERROR_ALREADY_EXISTS);
    assert_string_equal(c->error.hint, "/b/ has it, added at app.lua:5");
    assert_int_equal(c->error.site.line, 6);
}

static void ledger_failed_change_is_put_back(void **state)
{
    struct context *c = *state;
    struct ledger_origin origin = at(1, 0, false, 9);
    uint64_t id = make_session(c, origin, "");
    struct properties change = header_wait(9);
    open_now(c, origin, id);
    change.present |= 1u << PROPERTY_BANDWIDTH;
    change.value[PROPERTY_BANDWIDTH] = 5000;
    size_t from = fake_record_count();
    fake_fail_nth(2, ERROR_NOT_SUPPORTED);
    assert_int_equal(ledger_set(c->ledger, &origin, id, &change, &c->error), ERROR_NOT_SUPPORTED);
    assert_string_equal(c->error.hint, "leave out bandwidth");
    assert_int_equal(fake_record_count(), from + 3); /* set, refused, put back */
    assert_int_equal(header_wait_of(c, origin, id), 0);
}

static void ledger_error_reads_as_one_line(void **state)
{
    struct context *c = *state;
    char line[512];
    fake_refuse_url("8080", ERROR_SHARING_VIOLATION);
    declare(c, 1, 0);
    assert_int_equal(ledger_commit(c->ledger, 1, LEDGER_PHASE_OBJECTS, &c->error), NO_ERROR);
    assert_int_not_equal(ledger_commit(c->ledger, 1, LEDGER_PHASE_URLS, &c->error), NO_ERROR);
    assert_string_equal(
        error_format(&c->error, line, sizeof line),
        "HttpAddUrlToUrlGroup http://localhost:8080/a/: ERROR_SHARING_VIOLATION (32), the port is "
        "held by another program; port 8080 is held by another program; -p 0 takes a free one "
        "(app.lua:4)");
}

static void ledger_addresses_are_judged(void **state)
{
    struct context *c = *state;
    static const struct ledger_address bad[] = {
        {"localhost:1", false}, {"http://localhost", false}, {"http://localhost:80/x", false}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ledger_set_addresses(c->ledger, &bad[i], 1), ERROR_INVALID_PARAMETER);
    }
    assert_int_equal(ledger_set_addresses(c->ledger, NULL, 0), ERROR_INVALID_PARAMETER);
}

/* --- closing ------------------------------------------------------------------------------- */

static void ledger_closing_a_queue_unbinds_its_groups_first(void **state)
{
    struct context *c = *state;
    struct graph g = declare(c, 1, 0);
    char calls[256];
    commit(c, 1);
    struct ledger_origin origin = at(1, 0, false, 9);
    size_t from = fake_record_count();
    assert_int_equal(ledger_close(c->ledger, &origin, g.queue), NO_ERROR);
    assert_string_equal(calls_since(from, calls, sizeof calls),
                        "SetUrlGroupProperty CloseRequestQueue");
    assert_true(is_live(c, origin, g.first));
}

static void ledger_unregistered_group_is_closed_by_the_collector(void **state)
{
    struct context *c = *state;
    struct ledger_origin origin = at(1, 0, false, 7);
    struct ledger_info info;
    uint64_t session = make_session(c, origin, "");
    uint64_t group = make_group(c, at(1, 0, false, 8), session, 0);
    open_now(c, origin, group);
    assert_true(ledger_release(c->ledger, &origin, group, false, &info));
    assert_int_equal(info.made.line, 8);
    assert_int_equal(fake_open_count(FAKE_GROUP), 0);
    assert_int_equal(fake_open_count(FAKE_SESSION), 1);
    assert_true(ledger_release(c->ledger, &origin, session, false, &info));
    assert_int_equal(fake_open_count(FAKE_SESSION), 0);
    assert_false(ledger_info(c->ledger, &origin, group, &info)); /* forgotten altogether */
}

static void ledger_registered_group_outlives_its_handle_not_its_url(void **state)
{
    struct context *c = *state;
    struct ledger_info info;
    struct ledger_origin origin = at(1, 0, false, 9);
    struct graph g = declare(c, 1, 0);
    commit(c, 1);
    assert_false(ledger_release(c->ledger, &origin, g.queue, false, &info));
    assert_false(ledger_release(c->ledger, &origin, g.session, false, &info));
    assert_false(ledger_release(c->ledger, &origin, g.group, false, &info));
    assert_false(ledger_release(c->ledger, &origin, g.first, false, &info));
    assert_int_equal(fake_open_count(FAKE_URL), 4);
    assert_int_equal(ledger_close_share(c->ledger, &origin, g.first), NO_ERROR);
    assert_int_equal(fake_open_count(FAKE_GROUP), 1);
    size_t from = fake_record_count();
    char calls[512];
    assert_int_equal(ledger_close(c->ledger, &origin, g.second), NO_ERROR);
    assert_string_equal(calls_since(from, calls, sizeof calls),
                        "RemoveUrlFromUrlGroup RemoveUrlFromUrlGroup RemoveUrlFromUrlGroup "
                        "CloseUrlGroup CloseServerSession CloseRequestQueue");
}

static void ledger_closed_node_tells_where_until_its_handle_goes(void **state)
{
    struct context *c = *state;
    struct ledger_info info;
    struct graph g = declare(c, 1, 0);
    commit(c, 1);
    struct ledger_origin origin = at(1, 0, false, 12);
    assert_int_equal(ledger_close(c->ledger, &origin, g.session), NO_ERROR);
    assert_true(ledger_info(c->ledger, &origin, g.group, &info));
    assert_false(info.live);
    assert_int_equal(info.state, NODE_CLOSED);
    assert_string_equal(info.closed.file, "app.lua");
    assert_int_equal(info.closed.line, 12);
    release_graph(c, 1, 0, g);
    assert_false(ledger_info(c->ledger, &origin, g.group, &info));
}

static void ledger_failed_close_counts_as_closed(void **state)
{
    struct context *c = *state;
    struct graph g = declare(c, 1, 0);
    commit(c, 1);
    struct ledger_origin origin = at(1, 0, false, 12);
    fake_fail_call("HttpCloseUrlGroup", 1, ERROR_INVALID_PARAMETER);
    assert_int_equal(ledger_close(c->ledger, &origin, g.session), ERROR_INVALID_PARAMETER);
    assert_int_equal(ledger_count(c->ledger, NODE_SESSION), 0);
    assert_int_equal(ledger_close(c->ledger, &origin, g.group), NO_ERROR);
    assert_int_equal(fake_count_calls("HttpCloseUrlGroup"), 1);
}

/* --- the host's own ------------------------------------------------------------------------ */

static void ledger_host_nodes_live_until_the_exit(void **state)
{
    struct context *c = *state;
    uint64_t group = 0, again = 0;
    struct ledger_origin origin = at(1, 0, true, 3);
    assert_int_equal(ledger_host_queue(c->ledger), 0);
    assert_int_equal(ledger_host_group(c->ledger, &group, &c->error), NO_ERROR);
    assert_int_equal(ledger_host_group(c->ledger, &again, &c->error), NO_ERROR);
    assert_int_equal(group, again);
    uint64_t url = make_url(c, origin, group, "/hello/");
    commit(c, 1);
    struct ledger_queue queue;
    assert_int_equal(ledger_queues(c->ledger, 1, &queue, 1), 1);
    assert_non_null(queue.handle);
    assert_int_equal(queue.id, ledger_host_queue(c->ledger));
    origin.loading = false;
    assert_int_equal(ledger_close(c->ledger, &origin, url), NO_ERROR);
    assert_int_equal(fake_open_count(FAKE_URL), 0);
    assert_int_equal(fake_open_count(FAKE_GROUP), 1);
    assert_int_equal(ledger_count(c->ledger, NODE_GROUP), 0); /* of scripts there is none */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ledger_two_workers_share_each_object),
        TEST(ledger_workers_that_differ_are_refused_naming_both_lines),
        TEST(ledger_worker_that_declared_nothing_is_refused),
        TEST(ledger_ordinal_tells_apart_what_one_line_makes),
        TEST(ledger_after_loading_named_shared_unnamed_new),
        TEST(ledger_handles_of_one_state_are_counted),
        TEST(ledger_share_dropped_and_made_again_counts_the_drop),
        TEST(ledger_url_twice_in_one_state_is_refused),
        TEST(ledger_url_of_another_group_is_refused),
        TEST(ledger_malformed_url_is_refused_at_the_call),
        TEST(ledger_bare_path_skips_addresses_the_machine_lacks),
        TEST(ledger_bare_path_needs_localhost),
        TEST(ledger_held_port_rolls_back_and_names_the_holder),
        TEST(ledger_url_that_another_line_has_is_named),
        TEST(ledger_failed_change_is_put_back),
        TEST(ledger_error_reads_as_one_line),
        TEST(ledger_addresses_are_judged),
        TEST(ledger_closing_a_queue_unbinds_its_groups_first),
        TEST(ledger_unregistered_group_is_closed_by_the_collector),
        TEST(ledger_registered_group_outlives_its_handle_not_its_url),
        TEST(ledger_closed_node_tells_where_until_its_handle_goes),
        TEST(ledger_failed_close_counts_as_closed),
        TEST(ledger_host_nodes_live_until_the_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
