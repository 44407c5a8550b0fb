/* Every row of h1cases.h against the parsers alone: whole, cut in two at every byte, byte by byte
 * against an unmapped page, and with each rule switched off in turn.
 * ctest-timeout: 300 */
#define H1_RULE_SWITCH
#include "../../host/protocol/h1parse.c"
#include "../../host/protocol/chunked.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "protocol/guarded.h"
#include "protocol/h1verdict.h"

/* The rule that is off in this run; part of the test, not of the product. */
static enum h1_rule rule_off = H1_RULE_NONE;

bool h1_rule_is_on(enum h1_rule rule)
{
    return rule != rule_off;
}

/* Larger than the limit, for the run in which that is off. */
static struct h1_header headers[20 * H1_HEADER_COUNT_MAX];

static void start(struct h1_feed *f, const struct h1_case *row)
{
    h1_feed_init(f, headers);
    if (row->field_max != 0) {
        f->limits.field_bytes_max = row->field_max;
    }
}

static bool as_expected(const struct h1_case *row, const struct h1_feed *f)
{
    return f->requests == row->requests && f->rule == row->rule && f->url == row->url &&
           h1_feed_pending(f) == row->pending && f->closed == row->close;
}

static void explain(const struct h1_case *row, const struct h1_feed *f, size_t cut)
{
    if (!as_expected(row, f)) {
        fail_msg("%s (RFC 9112 %s, cut at %zu): %d requests, rule %s, url %s%s%s", row->name,
                 row->section, cut, f->requests, h1_rule_name(f->rule), url_result_text(f->url),
                 h1_feed_pending(f) ? ", pending" : "", f->closed ? ", closed" : "");
    }
}

static void h1cases_whole_as_expected(void **state)
{
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < H1_CASE_COUNT; i++) {
        struct h1_feed f;
        size_t len = 0;
        char *bytes = h1_case_bytes(&h1_cases[i], &len);
        start(&f, &h1_cases[i]);
        h1_feed(&f, bytes, len);
        explain(&h1_cases[i], &f, len);
        free(bytes);
    }
    assert_true(H1_CASE_COUNT >= 200);
}

static void h1cases_names_are_unique(void **state)
{
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < H1_CASE_COUNT; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(h1_cases[i].name, h1_cases[k].name) == 0) {
                fail_msg("two rows are called %s", h1_cases[i].name);
            }
        }
    }
}

/* Long rows are cut at every 61st byte: a prime, so that all places in their repeats are met. */
static size_t stride(size_t len)
{
    return len > 1000 ? 61 : 1;
}

/* The input stands once against the upper guard and once against the lower. */
static void h1cases_cut_in_two_same_verdict(void **state)
{
    struct guarded g;
    (void)state; /* cmocka's signature */
    guarded_init(&g);
    for (size_t i = 0; i < H1_CASE_COUNT; i++) {
        size_t len = 0;
        char *bytes = h1_case_bytes(&h1_cases[i], &len);
        assert_true(len <= g.size);
        for (size_t cut = 0; cut <= len; cut += stride(len)) {
            struct h1_feed f;
            char *first = g.start + g.size - cut;
            start(&f, &h1_cases[i]);
            memcpy(first, bytes, cut);
            h1_feed(&f, first, cut);
            memcpy(g.start, bytes, len);
            h1_feed(&f, g.start, len);
            explain(&h1_cases[i], &f, cut);
        }
        free(bytes);
    }
    guarded_deinit(&g);
}

static void h1cases_byte_by_byte_same_verdict(void **state)
{
    struct guarded g;
    (void)state; /* cmocka's signature */
    guarded_init(&g);
    for (size_t i = 0; i < H1_CASE_COUNT; i++) {
        struct h1_feed f;
        size_t len = 0;
        char *bytes = h1_case_bytes(&h1_cases[i], &len);
        assert_true(len <= g.size);
        start(&f, &h1_cases[i]);
        for (size_t n = 1; n <= len;
             n += len - n < stride(len) && n < len ? len - n : stride(len)) {
            char *prefix = g.start + g.size - n;
            memcpy(prefix, bytes, n);
            h1_feed(&f, prefix, n);
        }
        explain(&h1_cases[i], &f, 1);
        free(bytes);
    }
    guarded_deinit(&g);
}

/* What a client sees of the verdict, and whether the parser or the canonicaliser of URLs refused.
 * A rule that is off must change that for a row, or the rule is not needed or not tested; that
 * another rule refuses with the same status does not count. */
static bool looks_as_expected(const struct h1_case *row, const struct h1_feed *f)
{
    unsigned status = row->url != URL_OK ? 400 : h1_rule_refusal(row->rule).status;
    return f->requests == row->requests && f->status == status && f->url == row->url &&
           h1_feed_pending(f) == row->pending && f->closed == row->close;
}

static void h1cases_each_rule_off_fails_a_case(void **state)
{
    (void)state; /* cmocka's signature */
    int unneeded = 0;
    for (int rule = H1_RULE_NONE + 1; rule < H1_RULE_COUNT; rule++) {
        int changed = 0;
        rule_off = (enum h1_rule)rule;
        for (size_t i = 0; i < H1_CASE_COUNT; i++) {
            struct h1_feed f;
            size_t len = 0;
            char *bytes = h1_case_bytes(&h1_cases[i], &len);
            start(&f, &h1_cases[i]);
            h1_feed(&f, bytes, len);
            changed += !looks_as_expected(&h1_cases[i], &f);
            free(bytes);
        }
        if (changed == 0) {
            print_error("no case depends on rule %s\n", h1_rule_name(rule_off));
            unneeded++;
        }
    }
    rule_off = H1_RULE_NONE;
    assert_int_equal(unneeded, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h1cases_whole_as_expected),
        cmocka_unit_test(h1cases_names_are_unique),
        cmocka_unit_test(h1cases_cut_in_two_same_verdict),
        cmocka_unit_test(h1cases_byte_by_byte_same_verdict),
        cmocka_unit_test(h1cases_each_rule_off_fails_a_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
