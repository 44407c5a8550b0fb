/* What the tests of the ledger share: one over the recording fake, and short names for its calls.
 *
 * Asserts of cmocka inside: main thread only. */
#pragma once

#include "support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/error.h"
#include "binding/ledger.h"
#include "support/fake.h"

struct context {
    struct ledger *ledger;
    struct ledger_error error;
    unsigned reports;
    char reported[LEDGER_OBJECT_BYTES_MAX];
    bool holder_known;
};

static inline bool find_holder(void *ctx, uint16_t port, char *out, size_t cap)
{
    const struct context *c = ctx;
    snprintf(out, cap, "nginx (pid %u)", port == 8080 ? 311u : 0u);
    return c->holder_known;
}

static inline void note_report(void *ctx, const struct ledger_info *info, ULONG result)
{
    struct context *c = ctx;
    assert_int_not_equal(result, NO_ERROR);
    c->reports++;
    snprintf(c->reported, sizeof c->reported, "%s %s:%d", ledger_kind_name(info->kind),
             info->made.file, info->made.line);
}

static inline int set_up(void **state)
{
    struct context *c = calloc(1, sizeof *c);
    assert_non_null(c);
    fake_reset();
    struct ledger_options options = {.port_holder = find_holder, .report = note_report, .ctx = c};
    c->ledger = ledger_create(&options);
    assert_non_null(c->ledger);
    assert_int_equal(ledger_initialize(c->ledger, HTTP_INITIALIZE_SERVER, &c->error), NO_ERROR);
    *state = c;
    return 0;
}

static inline int tear_down(void **state)
{
    struct context *c = *state;
    ledger_stop(c->ledger);
    (void)ledger_close_all(c->ledger); /* looked at by the tests that order a failure */
    (void)ledger_terminate(c->ledger);
    ledger_destroy(c->ledger);
    (void)fake_check_end(); /* counted below */
    for (size_t i = 0; i < fake_violation_count(); i++) {
        fprintf(stderr, "%s\n", fake_violation_at(i));
    }
    size_t violations = fake_violation_count();
    free(c);
    return violations == 0 ? 0 : -1;
}

/* Who asks, at app.lua:line. */
static inline struct ledger_origin at(uint32_t generation, uint16_t worker, bool loading, int line)
{
    return (struct ledger_origin){generation, worker, loading, "app.lua", line};
}

static const struct slice unnamed = {NULL, 0};

static inline uint64_t make_session(struct context *c, struct ledger_origin origin,
                                    const char *name)
{
    uint64_t id = 0;
    assert_int_equal(
        ledger_make_session(c->ledger, &origin, slice_from_cstr(name), NULL, &id, &c->error),
        NO_ERROR);
    return id;
}

static inline uint64_t make_queue(struct context *c, struct ledger_origin origin, const char *name)
{
    uint64_t id = 0;
    assert_int_equal(
        ledger_make_queue(c->ledger, &origin, slice_from_cstr(name), NULL, &id, &c->error),
        NO_ERROR);
    return id;
}

static inline uint64_t make_group(struct context *c, struct ledger_origin origin, uint64_t session,
                                  uint64_t queue)
{
    uint64_t id = 0;
    struct ledger_group_spec spec = {.session = session, .queue = queue};
    assert_int_equal(ledger_make_group(c->ledger, &origin, &spec, &id, &c->error), NO_ERROR);
    return id;
}

static inline ULONG try_url(struct context *c, struct ledger_origin origin, uint64_t group,
                            const char *url, uint64_t *id)
{
    *id = 0;
    return ledger_make_url(c->ledger, &origin, group, slice_from_cstr(url), id, &c->error);
}

static inline uint64_t make_url(struct context *c, struct ledger_origin origin, uint64_t group,
                                const char *url)
{
    uint64_t id = 0;
    assert_int_equal(try_url(c, origin, group, url, &id), NO_ERROR);
    return id;
}

static inline void open_now(struct context *c, struct ledger_origin origin, uint64_t id)
{
    assert_int_equal(ledger_open(c->ledger, &origin, id, &c->error), NO_ERROR);
}

static inline void commit(struct context *c, uint32_t generation)
{
    assert_int_equal(ledger_commit(c->ledger, generation, LEDGER_PHASE_OBJECTS, &c->error),
                     NO_ERROR);
    assert_int_equal(ledger_commit(c->ledger, generation, LEDGER_PHASE_URLS, &c->error), NO_ERROR);
}

static inline bool is_live(struct context *c, struct ledger_origin origin, uint64_t id)
{
    struct ledger_info info;
    return ledger_info(c->ledger, &origin, id, &info) && info.live;
}

static inline enum node_state state_of_node(struct context *c, uint64_t id)
{
    struct ledger_info info;
    struct ledger_origin origin = at(1, 0, false, 0);
    return ledger_info(c->ledger, &origin, id, &info) ? info.state : NODE_CLOSED;
}

/* The calls since record `from`, as "Close Remove ..." without Http, joined by spaces. */
static inline const char *calls_since(size_t from, char *out, size_t cap)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = from; i < fake_record_count(); i++) {
        int n = snprintf(out + len, cap - len, "%s%s", len == 0 ? "" : " ",
                         fake_record_at(i)->call + 4);
        len += n < 0 ? 0 : (size_t)n;
        assert_true(len < cap);
    }
    return out;
}

static inline struct properties header_wait(uint32_t seconds)
{
    struct properties set = {.present = 1u << PROPERTY_HEADER_WAIT};
    set.value[PROPERTY_HEADER_WAIT] = seconds;
    return set;
}

static inline uint32_t header_wait_of(struct context *c, struct ledger_origin origin, uint64_t id)
{
    struct properties set;
    assert_int_equal(ledger_get(c->ledger, &origin, id, &set), NO_ERROR);
    return (set.present >> PROPERTY_HEADER_WAIT & 1u) != 0 ? set.value[PROPERTY_HEADER_WAIT] : 0;
}

/* What one script declares: queue, session, group, two URLs. */
struct graph {
    uint64_t queue, session, group, first, second;
};

static inline struct graph declare(struct context *c, uint32_t generation, uint16_t worker)
{
    struct graph g;
    g.queue = make_queue(c, at(generation, worker, true, 1), "");
    g.session = make_session(c, at(generation, worker, true, 2), "");
    g.group = make_group(c, at(generation, worker, true, 3), g.session, g.queue);
    g.first = make_url(c, at(generation, worker, true, 4), g.group, "http://localhost:8080/a/");
    g.second = make_url(c, at(generation, worker, true, 5), g.group, "/b/");
    return g;
}

static inline void release_graph(struct context *c, uint32_t generation, uint16_t worker,
                                 struct graph g)
{
    struct ledger_info info;
    struct ledger_origin origin = at(generation, worker, false, 0);
    uint64_t ids[] = {g.second, g.first, g.group, g.session, g.queue};
    for (size_t i = 0; i < 5; i++) {
        (void)ledger_release(c->ledger, &origin, ids[i], true, &info); /* closed before */
    }
}
