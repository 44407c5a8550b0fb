/* The ledger over the recording fake: URLs that a reload moves to another group, and reloads for
 * which the contract has nothing to do. */
#include "binding/ledger_world.h"

#define OLD "http://localhost:8080/old/"
#define NEW "http://localhost:8080/new/"

/* Generation 1 has OLD and another URL in one group; generation 2 declares them in a group of its
 * own, and NEW. */
static void declare_move(struct context *c)
{
    uint64_t group = make_group(c, at(1, 0, true, 3), make_session(c, at(1, 0, true, 2), "one"),
                                make_queue(c, at(1, 0, true, 1), "q"));
    make_url(c, at(1, 0, true, 4), group, OLD);
    make_url(c, at(1, 0, true, 5), group, "http://localhost:8080/too/");
    commit(c, 1);
    group = make_group(c, at(2, 0, true, 3), make_session(c, at(2, 0, true, 2), "two"),
                       make_queue(c, at(2, 0, true, 1), "q"));
    make_url(c, at(2, 0, true, 4), group, OLD);
    make_url(c, at(2, 0, true, 5), group, "http://localhost:8080/too/");
    make_url(c, at(2, 0, true, 6), group, NEW);
    assert_int_equal(ledger_commit(c->ledger, 2, LEDGER_PHASE_OBJECTS, &c->error), NO_ERROR);
}

/* How often an URL was added with that result since record `from`. */
static int adds(size_t from, const char *url, ULONG result)
{
    int count = 0;
    for (size_t i = from; i < fake_record_count(); i++) {
        const struct fake_record *record = fake_record_at(i);
        count += strcmp(record->call, "HttpAddUrlToUrlGroup") == 0 &&
                         strcmp(record->object, url) == 0 && record->result == result
                     ? 1
                     : 0;
    }
    return count;
}

static int removes(size_t from)
{
    int count = 0;
    for (size_t i = from; i < fake_record_count(); i++) {
        count += strcmp(fake_record_at(i)->call, "HttpRemoveUrlFromUrlGroup") == 0 ? 1 : 0;
    }
    return count;
}

static void ledger_moves_urls_after_all_that_may_fail(void **state)
{
    struct context *c = *state;
    declare_move(c);
    size_t from = fake_record_count();
    assert_int_equal(ledger_commit(c->ledger, 2, LEDGER_PHASE_URLS, &c->error), NO_ERROR);
    size_t last = fake_record_count();
    assert_int_equal(last - from, 5); /* two asked for, NEW added, two moved */
    assert_string_equal(fake_record_at(from + 2)->object, NEW);
    assert_string_equal(fake_record_at(from + 3)->object, OLD);
    assert_int_equal(fake_record_at(from + 3)->result, NO_ERROR);
    assert_int_equal(removes(from), 0);
    ledger_withdraw(c->ledger, 1);
    ledger_retire(c->ledger, 1);
    assert_int_equal(removes(last), 0); /* they are not generation 1's to take away */
    assert_int_equal(fake_open_count(FAKE_URL), 3);
}

static void ledger_commit_that_fails_has_moved_nothing(void **state)
{
    struct context *c = *state;
    declare_move(c);
    size_t from = fake_record_count();
    fake_refuse_url("/new/", ERROR_SHARING_VIOLATION);
    assert_int_equal(ledger_commit(c->ledger, 2, LEDGER_PHASE_URLS, &c->error),
                     ERROR_SHARING_VIOLATION);
    fake_refuse_url(NULL, 0);
    assert_int_equal(c->error.site.line, 6);
    assert_int_equal(adds(from, OLD, NO_ERROR), 0); /* not away and back again either */
    assert_int_equal(removes(from), 0);
    ledger_discard(c->ledger, 2);
    assert_int_equal(removes(from), 0);
    assert_int_equal(fake_open_count(FAKE_URL), 2);
    /* Nothing of the promise is left: the same again succeeds. */
    uint64_t group = make_group(c, at(3, 0, true, 3), make_session(c, at(3, 0, true, 2), "two"),
                                make_queue(c, at(3, 0, true, 1), "q"));
    make_url(c, at(3, 0, true, 4), group, OLD);
    commit(c, 3);
    ledger_retire(c->ledger, 1);
    assert_int_equal(fake_open_count(FAKE_URL), 1);
}

static void ledger_move_that_fails_gives_back_those_before(void **state)
{
    struct context *c = *state;
    declare_move(c);
    size_t from = fake_record_count();
    fake_fail_call("HttpAddUrlToUrlGroup", 5, ERROR_NOT_ENOUGH_MEMORY); /* the second move */
    assert_int_equal(ledger_commit(c->ledger, 2, LEDGER_PHASE_URLS, &c->error),
                     ERROR_NOT_ENOUGH_MEMORY);
    assert_true(fake_fault_fired());
    assert_int_equal(adds(from, OLD, NO_ERROR), 2); /* there and back */
    assert_int_equal(removes(from), 1);             /* NEW */
    ledger_discard(c->ledger, 2);
    assert_int_equal(fake_open_count(FAKE_URL), 2);
    ledger_retire(c->ledger, 1);
    assert_int_equal(fake_open_count(FAKE_URL), 0);
}

/* --- nothing to do ------------------------------------------------------------------------- */

static void ledger_commits_what_is_kept_without_a_call(void **state)
{
    struct context *c = *state;
    declare(c, 1, 0);
    declare(c, 1, 1);
    commit(c, 1);
    struct graph b = declare(c, 2, 0);
    declare(c, 2, 1);
    size_t from = fake_record_count();
    assert_true(ledger_commit_kept(c->ledger, 2));
    assert_true(ledger_withdraw_kept(c->ledger, 1));
    assert_int_equal(fake_record_count(), from);
    assert_int_equal(ledger_count_generation(c->ledger, 1, NODE_URL), 0);
    assert_int_equal(ledger_count_generation(c->ledger, 2, NODE_URL), 2);
    ledger_retire(c->ledger, 1);
    assert_int_equal(fake_record_count(), from);
    assert_true(is_live(c, at(2, 1, false, 0), b.second));
    /* And it is committed: what is set now happens now. */
    struct properties set = header_wait(9);
    struct ledger_origin origin = at(2, 0, false, 9);
    assert_int_equal(ledger_set(c->ledger, &origin, b.session, &set, &c->error), NO_ERROR);
    assert_int_equal(fake_record_count(), from + 1);
}

static void assert_not_kept(struct context *c, uint32_t generation)
{
    size_t from = fake_record_count();
    assert_false(ledger_commit_kept(c->ledger, generation));
    assert_int_equal(fake_record_count(), from);
    ledger_discard(c->ledger, generation);
}

static void ledger_commit_is_not_kept_when_anything_changes(void **state)
{
    struct context *c = *state;
    struct graph g = declare(c, 1, 0);
    commit(c, 1);
    g = declare(c, 2, 0); /* a URL more */
    make_url(c, at(2, 0, true, 6), g.group, NEW);
    assert_not_kept(c, 2);
    g = declare(c, 3, 0); /* a property */
    struct properties set = header_wait(3);
    struct ledger_origin origin = at(3, 0, true, 7);
    assert_int_equal(ledger_set(c->ledger, &origin, g.session, &set, &c->error), NO_ERROR);
    assert_not_kept(c, 3);
    g = declare(c, 4, 0); /* another binding */
    origin = at(4, 0, true, 8);
    assert_int_equal(ledger_bind(c->ledger, &origin, g.group, 0, &c->error), NO_ERROR);
    assert_not_kept(c, 4);
    declare(c, 5, 0); /* a queue that nothing is bound to */
    make_queue(c, at(5, 0, true, 9), "more");
    assert_not_kept(c, 5);
    declare(c, 6, 0);
    assert_true(ledger_commit_kept(c->ledger, 6)); /* none of them has left a trace */
    assert_int_equal(header_wait_of(c, at(6, 0, false, 0), g.session), 0);
}

static void ledger_withdraw_is_not_kept_when_a_url_goes(void **state)
{
    struct context *c = *state;
    declare(c, 1, 0);
    commit(c, 1);
    uint64_t group = make_group(c, at(2, 0, true, 3), make_session(c, at(2, 0, true, 2), ""),
                                make_queue(c, at(2, 0, true, 1), ""));
    make_url(c, at(2, 0, true, 4), group, "http://localhost:8080/a/");
    assert_true(ledger_commit_kept(c->ledger, 2));
    size_t from = fake_record_count();
    assert_false(ledger_withdraw_kept(c->ledger, 1)); /* "/b/" is its own */
    assert_int_equal(fake_record_count(), from);
    assert_int_equal(ledger_count_generation(c->ledger, 1, NODE_URL), 2);
    ledger_withdraw(c->ledger, 1);
    assert_int_equal(removes(from), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ledger_moves_urls_after_all_that_may_fail, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(ledger_commit_that_fails_has_moved_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(ledger_move_that_fails_gives_back_those_before, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(ledger_commits_what_is_kept_without_a_call, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(ledger_commit_is_not_kept_when_anything_changes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(ledger_withdraw_is_not_kept_when_a_url_goes, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("ledger_move", tests, NULL, NULL);
}
