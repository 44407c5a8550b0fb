/* What the parser of request heads makes of accepted heads; refusals are in h1cases_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "protocol/guarded.h"
#include "protocol/h1bytes.h"
#include "protocol/h1parse.h"
#include "protocol/header.h"
#include "protocol/verb.h"

static struct h1_header headers[H1_HEADER_COUNT_MAX];
static const struct h1_limits limits = {H1_HEAD_BYTES_MAX, H1_FIELD_BYTES_MAX, H1_TARGET_BYTES_MAX,
                                        H1_HEADER_COUNT_MAX};

static struct h1_head parse(const char *text)
{
    struct h1_head head = {.headers = headers};
    struct h1_refusal why = {.rule = H1_RULE_NONE, .text = ""};
    enum h1_result result = h1_parse_head(text, strlen(text), 0, &limits, &head, &why);
    if (result != H1_OK) {
        fail_msg("%s: %d %s", text, (int)result, why.text);
    }
    return head;
}

#define expect_slice(slice, text) assert_true(slice_equal(slice, SLICE_LIT(text)))

static void h1parse_request_every_part(void **state)
{
    (void)state; /* cmocka's signature */
    const char *text = "PATCH /a/b?c HTTP/1.1\r\nHost: h:1\r\nX-Y:  v w \t\r\nContent-Length: 7\r\n"
                       "\r\nbody...";
    struct h1_head head = parse(text);
    expect_slice(head.method, "PATCH");
    expect_slice(head.target, "/a/b?c");
    expect_slice(head.host, "h:1");
    expect_slice(head.host_field, "h:1");
    assert_int_equal(head.verb, VERB_UNKNOWN);
    assert_int_equal(head.minor, 1);
    assert_int_equal(head.header_count, 3);
    assert_ptr_equal(head.headers, headers);
    expect_slice(headers[1].name, "X-Y");
    expect_slice(headers[1].value, "v w");
    assert_int_equal(headers[0].id, H_HOST);
    assert_int_equal(headers[1].id, H_UNKNOWN);
    assert_int_equal(headers[2].id, H_CONTENT_LENGTH);
    assert_true(head.has_length && head.has_body && !head.chunked);
    assert_int_equal(head.content_length, 7);
    assert_int_equal(head.head_bytes, strlen(text) - 7);
    assert_true(head.known == (1ULL << H_HOST | 1ULL << H_CONTENT_LENGTH));
}

/* What was accepted before is not judged, and nothing else is taken for it. */
static void h1parse_known_host_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool known;
        enum h1_result result;
    } cases[] = {
        {"shop:80", true, H1_OK},       {"shop:81", false, H1_OK}, {"SHOP:80", false, H1_OK},
        {"shop:8/", false, H1_REFUSED}, {"", false, H1_REFUSED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        struct h1_head head = {.headers = headers, .host_known = SLICE_LIT("shop:80")};
        struct h1_refusal why;
        int n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", cases[i].host);
        enum h1_result result = h1_parse_head(text, (size_t)n, 0, &limits, &head, &why);
        assert_int_equal(result, cases[i].result);
        assert_int_equal(head.host_is_known, cases[i].known);
        expect_slice(head.host_known, "shop:80");
    }
}

static void h1parse_leading_line_counted(void **state)
{
    (void)state; /* cmocka's signature */
    struct h1_head head = parse("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(head.head_bytes, 29);
    assert_int_equal(head.verb, VERB_GET);
}

static void h1parse_absolute_target_names_the_host(void **state)
{
    (void)state; /* cmocka's signature */
    struct h1_head head = parse("GET HTTPS://b:2/x HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_slice(head.host, "b:2");
    expect_slice(head.host_field, "a");
    assert_int_equal(head.target_form, H1_TARGET_ABSOLUTE);
    assert_true(head.target_https);
    head = parse("GET http://b?x HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_slice(head.host, "b");
    assert_false(head.target_https);
}

static void h1parse_other_target_forms(void **state)
{
    (void)state; /* cmocka's signature */
    struct h1_head head = parse("CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(head.target_form, H1_TARGET_AUTHORITY);
    expect_slice(head.host, "b:443");
    head = parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(head.target_form, H1_TARGET_ASTERISK);
    expect_slice(head.host, "a");
    head = parse("GET / HTTP/1.0\r\n\r\n");
    assert_int_equal(head.target_form, H1_TARGET_ORIGIN);
    assert_int_equal(head.host.len, 0);
    assert_int_equal(head.minor, 0);
}

static void h1parse_keep_alive_by_version_and_connection(void **state)
{
    (void)state; /* cmocka's signature */
    assert_true(parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n").keep_alive);
    assert_false(parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").keep_alive);
    assert_false(parse("GET / HTTP/1.0\r\n\r\n").keep_alive);
    assert_true(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
}

static void h1parse_expect_continue_needs_body_and_1_1(void **state)
{
    (void)state; /* cmocka's signature */
    assert_true(parse("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n"
                      "Content-Length: 1\r\n\r\n")
                    .expect_continue);
    assert_true(parse("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n")
                    .expect_continue);
    assert_false(parse("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                       "Content-Length: 0\r\n\r\n")
                     .expect_continue);
    assert_false(parse("PUT / HTTP/1.0\r\nExpect: 100-continue\r\n"
                       "Content-Length: 1\r\n\r\n")
                     .expect_continue);
}

static void h1parse_upgrade_needs_both_fields(void **state)
{
    (void)state; /* cmocka's signature */
    assert_true(parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
                      "Upgrade: websocket\r\n\r\n")
                    .upgrade);
    assert_false(parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\n").upgrade);
    assert_false(parse("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n").upgrade);
    assert_false(
        parse("GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").upgrade);
}

static void h1parse_list_elements_by_whole_word(void **state)
{
    (void)state; /* cmocka's signature */
    assert_true(h1_list_has(SLICE_LIT("a, B ,c"), SLICE_LIT("b")));
    assert_true(h1_list_has(SLICE_LIT("b"), SLICE_LIT("b")));
    assert_false(h1_list_has(SLICE_LIT("ab, bc"), SLICE_LIT("b")));
    assert_false(h1_list_has(SLICE_LIT(""), SLICE_LIT("b")));
    assert_false(h1_list_has(SLICE_LIT("b;q=1"), SLICE_LIT("b")));
}

/* One byte more than each limit is refused, the limit itself is not. */
static void h1parse_each_limit_inclusive(void **state)
{
    static const char text[] = "GET /0123456 HTTP/1.1\r\nHost: a\r\nX-Name: 0123456789\r\n\r\n";
    static const struct {
        struct h1_limits limits;
        enum h1_rule rule;
    } rows[] = {
        {{sizeof(text) - 1, 18, 8, 2}, H1_RULE_NONE},
        {{sizeof(text) - 2, 18, 8, 2}, H1_RULE_HEAD_LENGTH},
        {{sizeof(text) - 1, 17, 8, 2}, H1_RULE_FIELD_LENGTH},
        {{sizeof(text) - 1, 18, 7, 2}, H1_RULE_TARGET_LENGTH},
        {{sizeof(text) - 1, 18, 8, 1}, H1_RULE_HEADER_COUNT},
        {{8, 18, 8, 2}, H1_RULE_TARGET_LENGTH},
    };
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct h1_head head = {.headers = headers};
        struct h1_refusal why = {.rule = H1_RULE_NONE};
        enum h1_result result =
            h1_parse_head(text, sizeof(text) - 1, 0, &rows[i].limits, &head, &why);
        assert_int_equal(result, rows[i].rule == H1_RULE_NONE ? H1_OK : H1_REFUSED);
        assert_int_equal(why.rule, rows[i].rule);
    }
}

static void h1parse_refusal_says_why(void **state)
{
    static const char text[] = "GET / HTTP/1.1\n";
    struct h1_head head = {.headers = headers};
    struct h1_refusal why = {.rule = H1_RULE_NONE};
    (void)state; /* cmocka's signature */
    assert_int_equal(h1_parse_head(text, sizeof(text) - 1, 0, &limits, &head, &why), H1_REFUSED);
    assert_int_equal(why.status, 400);
    assert_string_equal(why.phrase, "Invalid_CR/LF");
    assert_string_equal(why.text, "LF without CR");
    for (int rule = 1; rule < H1_RULE_COUNT; rule++) {
        struct h1_refusal each = h1_rule_refusal((enum h1_rule)rule);
        assert_in_range(each.status, 400, 505);
        assert_true(strlen(each.phrase) > 0 && strlen(each.text) > 0);
        assert_int_equal(strncmp(h1_rule_source((enum h1_rule)rule), "RFC ", 4), 0);
    }
}

static void h1parse_fields_of_a_block(void **state)
{
    struct h1_header out[3];
    enum h1_rule rule = H1_RULE_NONE;
    (void)state; /* cmocka's signature */
    assert_int_equal(h1_parse_fields(SLICE_LIT(""), out, 3, &rule), 0);
    assert_int_equal(h1_parse_fields(SLICE_LIT("A: 1\r\nHost: 2\r\n"), out, 3, &rule), 2);
    expect_slice(out[0].name, "A");
    assert_int_equal(out[1].id, H_HOST);
    assert_int_equal(h1_parse_fields(SLICE_LIT("A: 1\r\nB: 2\r\n"), out, 1, &rule), -1);
    assert_int_equal(rule, H1_RULE_HEADER_COUNT);
    assert_int_equal(h1_parse_fields(SLICE_LIT("A: 1\r\n B\r\n"), out, 3, &rule), -1);
    assert_int_equal(rule, H1_RULE_OBS_FOLD);
    assert_int_equal(h1_parse_fields(SLICE_LIT("A: 1"), out, 3, &rule), -1);
    assert_int_equal(h1_parse_fields(SLICE_LIT("A : 1\r\n"), out, 3, &rule), -1);
    assert_int_equal(rule, H1_RULE_FIELD_NAME_SPACE);
}

/* The searches against one byte after the other, at every length and place, before both guards. */
static void h1parse_searches_find_the_first(void **state)
{
    static const char token_bytes[] = "!#$%&'*+-.^_`|~0123456789"
                                      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    struct guarded g;
    (void)state; /* cmocka's signature */
    guarded_init(&g);
    for (size_t len = 0; len <= 50; len++) {
        for (size_t at = 0; at <= len; at++) {
            for (int c = 0; c < 256; c++) {
                char text[52];
                memset(text, 'a', sizeof(text));
                text[at] = (char)c;
                const char *p =
                    c % 2 == 0 ? guarded_at_end(&g, text, len) : guarded_at_start(&g, text, len);
                bool control = (c < 0x20 && c != '\t') || c == 0x7f;
                bool target_end = c < 0x21 || c > 0x7e || c == '#';
                bool token = c != 0 && strchr(token_bytes, c) != NULL; /* RFC 9110 section 5.6.2 */
                assert_ptr_equal(h1_find_token_end(p, p + len), p + (token ? len : at));
                assert_ptr_equal(h1_find_control(p, p + len), p + (control ? at : len));
                assert_ptr_equal(h1_find_target_end(p, p + len), p + (target_end ? at : len));
            }
        }
    }
    guarded_deinit(&g);
}

/* A change of any byte to any value must not make the parser read outside or loop. */
static void h1parse_every_byte_changed_survives(void **state)
{
    static const char text[] =
        "\r\nPOST http://a:1/b?c HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n"
        "Content-Length: 10\r\nX: y \r\n\r\n";
    struct guarded g;
    (void)state; /* cmocka's signature */
    guarded_init(&g);
    for (size_t at = 0; at < sizeof(text) - 1; at++) {
        for (int c = 0; c < 256; c++) {
            struct h1_head head = {.headers = headers};
            struct h1_refusal why;
            char *copy = guarded_at_end(&g, text, sizeof(text) - 1);
            copy[at] = (char)c;
            enum h1_result result = h1_parse_head(copy, sizeof(text) - 1, 0, &limits, &head, &why);
            assert_true(result == H1_OK || result == H1_NEED_MORE || result == H1_REFUSED);
        }
    }
    guarded_deinit(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h1parse_request_every_part),
        cmocka_unit_test(h1parse_known_host_is_told),
        cmocka_unit_test(h1parse_leading_line_counted),
        cmocka_unit_test(h1parse_absolute_target_names_the_host),
        cmocka_unit_test(h1parse_other_target_forms),
        cmocka_unit_test(h1parse_keep_alive_by_version_and_connection),
        cmocka_unit_test(h1parse_expect_continue_needs_body_and_1_1),
        cmocka_unit_test(h1parse_upgrade_needs_both_fields),
        cmocka_unit_test(h1parse_list_elements_by_whole_word),
        cmocka_unit_test(h1parse_each_limit_inclusive),
        cmocka_unit_test(h1parse_refusal_says_why),
        cmocka_unit_test(h1parse_fields_of_a_block),
        cmocka_unit_test(h1parse_searches_find_the_first),
        cmocka_unit_test(h1parse_every_byte_changed_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
