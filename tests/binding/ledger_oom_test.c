/* Every allocation of a life of the ledger fails once: nothing leaks, nothing is closed twice, and
 * the next try works.
 *
 * Behind it stands the engine, which runs out of memory in the same places. */
#include "support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/loop.h"
#include "binding/ledger.h"
#include "support/failmalloc.h"

static uint16_t port;

static struct ledger_origin at(uint16_t worker, bool loading, int line)
{
    return (struct ledger_origin){1, worker, loading, "app.lua", line};
}

/* What one state has got so far; 0: not made. */
struct graph {
    uint64_t queue, session, group, url, bare;
};

/* Declares as far as memory goes. */
static bool declare(struct ledger *ledger, uint16_t worker, bool loading, struct graph *g)
{
    struct ledger_error error;
    struct ledger_origin origin = at(worker, loading, 3);
    struct properties set = {.present = 1u << PROPERTY_LENGTH, .value[PROPERTY_LENGTH] = 10};
    struct ledger_group_spec spec = {.name = SLICE_INIT("group")};
    char url[64];
    snprintf(url, sizeof url, "http://localhost:%u/%s/", port, loading ? "a" : "later");
    struct slice name = loading ? (struct slice){NULL, 0} : SLICE_LIT("later");
    if (ledger_make_queue(ledger, &origin, name, &set, &g->queue, &error) != NO_ERROR ||
        ledger_make_session(ledger, &origin, name, NULL, &g->session, &error) != NO_ERROR) {
        assert_int_equal(error.code, ERROR_NOT_ENOUGH_MEMORY);
        return false;
    }
    spec.session = g->session;
    spec.queue = g->queue;
    if (ledger_make_group(ledger, &origin, &spec, &g->group, &error) != NO_ERROR ||
        ledger_make_url(ledger, &origin, g->group, slice_from_cstr(url), &g->url, &error) !=
            NO_ERROR ||
        ledger_make_url(ledger, &origin, g->group,
                        loading ? SLICE_LIT("/bare/") : SLICE_LIT("/bare/later/"), &g->bare,
                        &error) != NO_ERROR) {
        assert_int_equal(error.code, ERROR_NOT_ENOUGH_MEMORY);
        return false;
    }
    return true;
}

static void close_graph(struct ledger *ledger, uint16_t worker, struct graph *g)
{
    struct ledger_info info;
    struct ledger_origin origin = at(worker, false, 9);
    uint64_t ids[] = {g->group, g->session, g->queue, g->url, g->bare};
    for (size_t i = 0; i < 5; i++) {
        if (ids[i] != 0) {
            assert_int_equal(ledger_close(ledger, &origin, ids[i]), NO_ERROR);
        }
    }
    for (size_t i = 0; i < 5; i++) {
        if (ids[i] != 0) {
            assert_false(ledger_release(ledger, &origin, ids[i], true, &info));
            assert_false(ledger_info(ledger, &origin, ids[i], &info) && info.live);
        }
    }
    memset(g, 0, sizeof *g);
}

/* The life; false: an allocation failed on the way. */
static bool live(void)
{
    struct ledger_error error;
    struct ledger_options options = {0};
    struct graph graphs[2] = {{0}, {0}};
    struct graph later = {0};
    char base[64];
    snprintf(base, sizeof base, "http://localhost:%u", port);
    struct ledger_address address = {base, false};
    struct ledger *ledger = ledger_create(&options);
    if (ledger == NULL) {
        return false;
    }
    bool good = ledger_initialize(ledger, HTTP_INITIALIZE_SERVER, &error) == NO_ERROR &&
                ledger_set_addresses(ledger, &address, 1) == NO_ERROR;
    good = good && declare(ledger, 0, true, &graphs[0]) && declare(ledger, 1, true, &graphs[1]) &&
           ledger_check(ledger, 1, 2, &error) == NO_ERROR &&
           ledger_commit(ledger, 1, LEDGER_PHASE_OBJECTS, &error) == NO_ERROR &&
           ledger_commit(ledger, 1, LEDGER_PHASE_URLS, &error) == NO_ERROR;
    if (!good) {
        ledger_discard(ledger, 1);
        assert_int_equal(ledger_count(ledger, NODE_URL), 0);
        assert_int_equal(ledger_count(ledger, NODE_SESSION), 0);
    } else {
        struct ledger_origin origin = at(0, false, 8);
        good = declare(ledger, 0, false, &later) &&
               ledger_open(ledger, &origin, later.queue, &error) == NO_ERROR &&
               ledger_open(ledger, &origin, later.url, &error) == NO_ERROR &&
               ledger_open(ledger, &origin, later.bare, &error) == NO_ERROR;
        close_graph(ledger, 0, &later);
    }
    close_graph(ledger, 1, &graphs[1]);
    close_graph(ledger, 0, &graphs[0]);
    assert_int_equal(ledger_count(ledger, NODE_QUEUE), 0);
    assert_int_equal(ledger_close_all(ledger), 0);
    assert_int_equal(ledger_terminate(ledger), 0);
    ledger_destroy(ledger);
    return good;
}

static void ledger_each_allocation_failing_loses_nothing(void **state)
{
    (void)state;
    assert_int_equal(loop_find_free_port(&port), NO_ERROR);
    assert_true(live());
    size_t nth = 1;
    for (;; nth++) {
        failmalloc_arm(nth);
        bool good = live();
        if (!failmalloc_disarm()) {
            assert_true(good);
            break;
        }
    }
    assert_true(nth > 20);
    assert_true(live());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ledger_each_allocation_failing_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
