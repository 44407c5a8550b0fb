/* Canonical URLs, hosts and addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "protocol/guarded.h"
#include "protocol/url.h"

static char out[16384];

static enum url_result cook(const char *target, const struct url_rules *rules,
                            struct url_cooked *cooked)
{
    struct url_cook_in in = {slice_from_cstr(target), SLICE_LIT("h:1"), rules, false};
    return url_cook(&in, out, sizeof(out), cooked);
}

static void expect_path(const char *target, const char *path)
{
    struct url_cooked cooked = {0};
    enum url_result result = cook(target, NULL, &cooked);
    if (result != URL_OK) {
        fail_msg("%s: %s", target, url_result_text(result));
    }
    if (cooked.path_bytes != strlen(path) ||
        memcmp(out + cooked.path_at, path, strlen(path)) != 0) {
        fail_msg("%s: got %s", target, out);
    }
}

static void expect_refused(const char *target, enum url_result wanted)
{
    struct url_cooked cooked = {.full_bytes = 77};
    enum url_result result = cook(target, NULL, &cooked);
    if (result != wanted) {
        fail_msg("%s: %s instead of %s", target, url_result_text(result), url_result_text(wanted));
    }
    assert_int_equal(cooked.full_bytes, 77);
}

static void url_parts_point_into_one_string(void **state)
{
    struct url_cook_in in = {SLICE_LIT("/foobar?a=b"), SLICE_LIT("localhost:50000"), NULL, false};
    struct url_cooked cooked;
    (void)state; /* cmocka's signature */
    assert_int_equal(url_cook(&in, out, sizeof(out), &cooked), URL_OK);
    assert_string_equal(out, "http://localhost:50000/foobar?a=b");
    assert_int_equal(cooked.full_bytes, 33);
    assert_int_equal(cooked.host_at, 7);
    assert_int_equal(cooked.host_bytes, 15);
    assert_int_equal(cooked.path_at, 22);
    assert_int_equal(cooked.path_bytes, 7);
    assert_int_equal(cooked.query_at, 29);
    assert_int_equal(cooked.query_bytes, 4);
    in.https = true;
    in.target = SLICE_LIT("/");
    assert_int_equal(url_cook(&in, out, sizeof(out), &cooked), URL_OK);
    assert_string_equal(out, "https://localhost:50000/");
    assert_int_equal(cooked.query_bytes, 0);
}

static void url_other_forms_of_target(void **state)
{
    struct url_cooked cooked;
    (void)state; /* cmocka's signature */
    assert_int_equal(cook("HTTPS://B:2/x/../y?z", NULL, &cooked), URL_OK);
    assert_string_equal(out, "https://B:2/y?z");
    assert_int_equal(cook("http://b", NULL, &cooked), URL_OK);
    assert_string_equal(out, "http://b/");
    assert_int_equal(cook("http://b?q/..", NULL, &cooked), URL_OK);
    assert_string_equal(out, "http://b/?q/..");
    assert_int_equal(cook("*", NULL, &cooked), URL_OK);
    assert_string_equal(out, "http://h:1/*");
    assert_int_equal(cooked.path_bytes, 2);
    assert_int_equal(cook("b:443", NULL, &cooked), URL_OK);
    assert_string_equal(out, "http://b:443/");
    expect_refused("", URL_BAD_TARGET);
    expect_refused("a/b", URL_BAD_TARGET);
    expect_refused("a:b", URL_BAD_TARGET);
    expect_refused("b", URL_BAD_TARGET);
    expect_refused("ftp://b/", URL_BAD_HOST);
    expect_refused("http:///a", URL_BAD_HOST);
    expect_refused("http://u@b/", URL_BAD_HOST);
}

static void url_without_host_refused(void **state)
{
    struct url_cook_in in = {SLICE_LIT("/"), SLICE_LIT(""), NULL, false};
    struct url_cooked cooked;
    (void)state; /* cmocka's signature */
    assert_int_equal(url_cook(&in, out, sizeof(out), &cooked), URL_BAD_HOST);
}

static void url_path_normalised(void **state)
{
    static const char *const rows[][2] = {{"/", "/"},
                                          {"/a", "/a"},
                                          {"/a/", "/a/"},
                                          {"/a/b.c/d", "/a/b.c/d"},
                                          {"//", "/"},
                                          {"///a//b//", "/a/b/"},
                                          {"/./a", "/a"},
                                          {"/a/.", "/a/"},
                                          {"/a/./", "/a/"},
                                          {"/a/..", "/"},
                                          {"/a/../", "/"},
                                          {"/a/../b", "/b"},
                                          {"/a/b/../c", "/a/c"},
                                          {"/a/b/../../c", "/c"},
                                          {"/a//../b", "/b"},
                                          {"/...", "/..."},
                                          {"/.a", "/.a"},
                                          {"/a..", "/a.."},
                                          {"/..a", "/..a"},
                                          {"/.a/..b/c.", "/.a/..b/c."},
                                          {"/.", "/"},
                                          {"/a\\b", "/a/b"},
                                          {"/\\a", "/a"},
                                          {"/a%5cb", "/a/b"},
                                          {"/a%2fb", "/a/b"},
                                          {"/a%2F%2fb", "/a/b"},
                                          {"/a/%2e%2E/b", "/b"},
                                          {"/a/.%2e/b", "/b"},
                                          {"/%2e/b", "/b"},
                                          {"/a%20b", "/a b"},
                                          {"/%41%7a", "/Az"},
                                          {"/%3Fa%23", "/?a#"},
                                          {"/a+b", "/a+b"},
                                          {"/%252e%252e/a", "/%2e%2e/a"},
                                          {"/%2525", "/%25"},
                                          {"/%c3%a9", "/\xc3\xa9"},
                                          {"/\xc3\xa9", "/\xc3\xa9"},
                                          {"/\xc3%a9", "/\xc3\xa9"},
                                          {"/%E2%82%AC", "/\xe2\x82\xac"},
                                          {"/%F0%9F%8C%99", "/\xf0\x9f\x8c\x99"},
                                          {"/%F4%8F%BF%BF", "/\xf4\x8f\xbf\xbf"},
                                          {"/%c2%a0", "/\xc2\xa0"},
                                          {"/%u00e9", "/\xc3\xa9"},
                                          {"/%U20AC", "/\xe2\x82\xac"},
                                          {"/%uD83C%uDF19", "/\xf0\x9f\x8c\x99"},
                                          {"/%u002e%u002e", NULL},
                                          {"/a/%u002e%u002e", "/"},
                                          {"/%u0041", "/A"},
                                          {"/a?%zz/../..", "/a"},
                                          {"/a?b?c", "/a"},
                                          {"/a/..?x", "/"}};
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i][1] == NULL) {
            expect_refused(rows[i][0], URL_ABOVE_ROOT);
        } else {
            expect_path(rows[i][0], rows[i][1]);
        }
    }
}

static void url_bad_path_refused(void **state)
{
    static const struct {
        const char *target;
        enum url_result result;
    } rows[] = {{"/..", URL_ABOVE_ROOT},
                {"/../a", URL_ABOVE_ROOT},
                {"/a/../..", URL_ABOVE_ROOT},
                {"/./..", URL_ABOVE_ROOT},
                {"//..", URL_ABOVE_ROOT},
                {"/%2e.", URL_ABOVE_ROOT},
                {"/..%2f", URL_ABOVE_ROOT},
                {"/..%5c..", URL_ABOVE_ROOT},
                {"/..\\", URL_ABOVE_ROOT},
                {"/%", URL_BAD_ESCAPE},
                {"/%a", URL_BAD_ESCAPE},
                {"/%g0", URL_BAD_ESCAPE},
                {"/%0g", URL_BAD_ESCAPE},
                {"/% 1", URL_BAD_ESCAPE},
                {"/%u", URL_BAD_ESCAPE},
                {"/%u123", URL_BAD_ESCAPE},
                {"/%u12g4", URL_BAD_ESCAPE},
                {"/%uD83C%uZZZZ", URL_BAD_ESCAPE},
                {"/%a?b", URL_BAD_ESCAPE},
                {"/%00", URL_NUL},
                {"/a%00b", URL_NUL},
                {"/%u0000", URL_NUL},
                {"/%c0%80", URL_BAD_UTF8},
                {"/%c1%bf", URL_BAD_UTF8},
                {"/%e0%80%af", URL_BAD_UTF8},
                {"/%e0%9f%bf", URL_BAD_UTF8},
                {"/%f0%80%80%af", URL_BAD_UTF8},
                {"/%ed%a0%80", URL_BAD_UTF8},
                {"/%ed%bf%bf", URL_BAD_UTF8},
                {"/%f4%90%80%80", URL_BAD_UTF8},
                {"/%f5%80%80%80", URL_BAD_UTF8},
                {"/%ff", URL_BAD_UTF8},
                {"/%80", URL_BAD_UTF8},
                {"/%c3", URL_BAD_UTF8},
                {"/%c3/", URL_BAD_UTF8},
                {"/%c3%u00a9", URL_BAD_UTF8},
                {"/%e2%82", URL_BAD_UTF8},
                {"/%e2%82x", URL_BAD_UTF8},
                {"/\x80", URL_BAD_UTF8},
                {"/%uD83C", URL_BAD_UTF8},
                {"/%uDF19", URL_BAD_UTF8},
                {"/%uD83Cx", URL_BAD_UTF8},
                {"/%uD83C%u0041", URL_BAD_UTF8},
                {"/%01", URL_RESTRICTED},
                {"/%0d%0a", URL_RESTRICTED},
                {"/%1f", URL_RESTRICTED},
                {"/%7f", URL_RESTRICTED},
                {"/%c2%80", URL_RESTRICTED},
                {"/%c2%9f", URL_RESTRICTED},
                {"/%09", URL_RESTRICTED},
                {"/\x01", URL_RESTRICTED}};
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_refused(rows[i].target, rows[i].result);
    }
}

static void url_rules_may_be_changed(void **state)
{
    struct url_rules rules = URL_RULES_DEFAULT;
    struct url_cooked cooked;
    (void)state; /* cmocka's signature */
    rules.allow_restricted = true;
    assert_int_equal(cook("/%01%0a", &rules, &cooked), URL_OK);
    assert_int_equal(cook("/%00", &rules, &cooked), URL_NUL);
    rules.percent_u = false;
    assert_int_equal(cook("/%u0041", &rules, &cooked), URL_BAD_ESCAPE);
}

static void fill(char *text, char byte, size_t count)
{
    memset(text, byte, count);
    text[count] = '\0';
}

/* Both the path that is plain and the one that must be decoded are counted. */
static void url_segment_limits_inclusive(void **state)
{
    char target[2048];
    struct url_cooked cooked;
    struct url_rules unlimited = {0, 0, true, false};
    (void)state; /* cmocka's signature */
    target[0] = '/';
    fill(target + 1, 'a', URL_SEGMENT_CHARS_MAX);
    assert_int_equal(cook(target, NULL, &cooked), URL_OK);
    fill(target + 1, 'a', URL_SEGMENT_CHARS_MAX + 1);
    assert_int_equal(cook(target, NULL, &cooked), URL_SEGMENT_LONG);
    assert_int_equal(cook(target, &unlimited, &cooked), URL_OK);
    target[1] = '\0';
    for (int i = 0; i < URL_SEGMENT_COUNT_MAX; i++) {
        strncat(target, "a/", 3);
    }
    assert_int_equal(cook(target, NULL, &cooked), URL_OK);
    strncat(target, "b", 2);
    assert_int_equal(cook(target, NULL, &cooked), URL_SEGMENT_MANY);
    assert_int_equal(cook(target, &unlimited, &cooked), URL_OK);
}

/* A segment is counted as the contract counts, in UTF-16. */
static void url_segment_counted_in_utf16(void **state)
{
    struct url_rules two = {2, 0, true, false};
    struct url_cooked cooked;
    (void)state; /* cmocka's signature */
    assert_int_equal(cook("/%e2%82%ac%c3%a9", &two, &cooked), URL_OK);
    assert_int_equal(cook("/%F0%9F%8C%99", &two, &cooked), URL_OK);
    assert_int_equal(cook("/%F0%9F%8C%99a", &two, &cooked), URL_SEGMENT_LONG);
    assert_int_equal(cook("/abc/../ab", &two, &cooked), URL_SEGMENT_LONG);
}

static void url_bound_is_enough_and_checked(void **state)
{
    static const char *const targets[] = {"/a/b?c", "/",       "http://b", "https://b?x",
                                          "*",      "/%41/..", "b:1",      "/%uD83C%uDF19"};
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct url_cook_in in = {slice_from_cstr(targets[i]), SLICE_LIT("h"), NULL, true};
        struct url_cooked cooked;
        size_t bound = url_cook_bound(&in);
        char *exact = malloc(bound);
        assert_non_null(exact);
        assert_int_equal(url_cook(&in, exact, bound, &cooked), URL_OK);
        assert_int_equal(exact[cooked.full_bytes], '\0');
        assert_int_equal(url_cook(&in, exact, bound - 1, &cooked), URL_NO_SPACE);
        free(exact);
    }
}

/* Cooking the cooked path of a target without escapes changes nothing. */
static void url_cooked_path_is_a_fixed_point(void **state)
{
    static const char *const targets[] = {"/a//b/../c/.", "/x/./y//", "/\\a\\..\\b",
                                          "/a/b/c/../../d"};
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        char once[256];
        char twice[256];
        size_t once_len = 0;
        size_t twice_len = 0;
        assert_int_equal(url_cook_path(slice_from_cstr(targets[i]), NULL, once, &once_len), URL_OK);
        assert_int_equal(url_cook_path(slice_make(once, once_len), NULL, twice, &twice_len),
                         URL_OK);
        assert_int_equal(once_len, twice_len);
        assert_memory_equal(once, twice, once_len);
    }
}

static void url_reads_only_its_input(void **state)
{
    static const char text[] = "/a/%2e%2e/%u00e9/%c3%a9?q";
    struct guarded g;
    (void)state; /* cmocka's signature */
    guarded_init(&g);
    for (size_t len = 1; len < sizeof(text); len++) {
        struct url_cooked cooked;
        struct url_cook_in in = {slice_make(guarded_at_end(&g, text, len), len), SLICE_LIT("h"),
                                 NULL, false};
        (void)url_cook(&in, out, sizeof(out), &cooked); /* any result; the guard is the test */
    }
    guarded_deinit(&g);
}

static void url_host_forms(void **state)
{
    static const struct {
        const char *text;
        const char *host; /* NULL: malformed */
        int kind;
        int port; /* -1: none */
    } rows[] = {{"a", "a", URL_HOST_NAME, -1},
                {"a.b-c_d~", "a.b-c_d~", URL_HOST_NAME, -1},
                {"a:", "a", URL_HOST_NAME, -1},
                {"a:0", "a", URL_HOST_NAME, 0},
                {"a:65535", "a", URL_HOST_NAME, 65535},
                {"a:00080", "a", URL_HOST_NAME, 80},
                {"1.2.3.4", "1.2.3.4", URL_HOST_IPV4, -1},
                {"1.2.3.4:5", "1.2.3.4", URL_HOST_IPV4, 5},
                {"255.255.255.255", "255.255.255.255", URL_HOST_IPV4, -1},
                {"256.1.1.1", "256.1.1.1", URL_HOST_NAME, -1},
                {"1.2.3", "1.2.3", URL_HOST_NAME, -1},
                {"01.2.3.4", "01.2.3.4", URL_HOST_NAME, -1},
                {"1.2.3.4.5", "1.2.3.4.5", URL_HOST_NAME, -1},
                {"[::]", "::", URL_HOST_IPV6, -1},
                {"[::1]:8", "::1", URL_HOST_IPV6, 8},
                {"[1:2:3:4:5:6:7:8]", "1:2:3:4:5:6:7:8", URL_HOST_IPV6, -1},
                {"[1::8]", "1::8", URL_HOST_IPV6, -1},
                {"[1:2:3:4:5:6:7::]", "1:2:3:4:5:6:7::", URL_HOST_IPV6, -1},
                {"[::1.2.3.4]", "::1.2.3.4", URL_HOST_IPV6, -1},
                {"[1:2:3:4:5:6:1.2.3.4]", "1:2:3:4:5:6:1.2.3.4", URL_HOST_IPV6, -1},
                {"[ABCD::]", "ABCD::", URL_HOST_IPV6, -1},
                {"", NULL, 0, 0},
                {":80", NULL, 0, 0},
                {"a:65536", NULL, 0, 0},
                {"a:999999", NULL, 0, 0},
                {"a:1x", NULL, 0, 0},
                {"a:+1", NULL, 0, 0},
                {"a b", NULL, 0, 0},
                {"a/b", NULL, 0, 0},
                {"a@b", NULL, 0, 0},
                {"a%41", NULL, 0, 0},
                {"a,b", NULL, 0, 0},
                {"a:1:2", NULL, 0, 0},
                {"[]", NULL, 0, 0},
                {"[", NULL, 0, 0},
                {"[::1", NULL, 0, 0},
                {"[::1]x", NULL, 0, 0},
                {"[:::]", NULL, 0, 0},
                {"[1]", NULL, 0, 0},
                {"[1:2:3:4:5:6:7]", NULL, 0, 0},
                {"[1:2:3:4:5:6:7:8:9]", NULL, 0, 0},
                {"[1:2:3:4:5:6:7:8::]", NULL, 0, 0},
                {"[1::2::3]", NULL, 0, 0},
                {"[12345::]", NULL, 0, 0},
                {"[g::]", NULL, 0, 0},
                {"[1:2:3:4:5:6:7:1.2.3.4]", NULL, 0, 0},
                {"[::1.2.3]", NULL, 0, 0},
                {"[1.2.3.4]", NULL, 0, 0},
                {"[::1.2.3.4:1]", NULL, 0, 0},
                {"[:1]", NULL, 0, 0},
                {"[1:]", NULL, 0, 0},
                {"[fe80::1%1]", NULL, 0, 0},
                {"[v1.a]", NULL, 0, 0},
                {"+", NULL, 0, 0},
                {"*", NULL, 0, 0}};
    struct guarded g;
    (void)state; /* cmocka's signature */
    guarded_init(&g);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct url_host host = {.port = 7777};
        size_t len = strlen(rows[i].text);
        bool ok = url_parse_host(slice_make(guarded_at_end(&g, rows[i].text, len), len), &host);
        if (ok != (rows[i].host != NULL)) {
            fail_msg("%s", rows[i].text);
        }
        if (!ok) {
            assert_int_equal(host.port, 7777);
            continue;
        }
        assert_true(slice_equal(host.host, slice_from_cstr(rows[i].host)));
        assert_int_equal(host.kind, rows[i].kind);
        assert_int_equal(host.has_port ? host.port : -1, rows[i].port);
    }
    guarded_deinit(&g);
}

static void url_host_length_limited(void **state)
{
    char text[URL_HOST_BYTES_MAX + 8];
    struct url_host host;
    (void)state; /* cmocka's signature */
    fill(text, 'a', URL_HOST_BYTES_MAX);
    assert_true(url_parse_host(slice_from_cstr(text), &host));
    fill(text, 'a', URL_HOST_BYTES_MAX + 1);
    assert_false(url_parse_host(slice_from_cstr(text), &host));
}

/* RFC 5952: the same address, one text. */
static void url_ip_text_canonical(void **state)
{
    static const char *const rows[][2] = {
        {"1.2.3.4", "1.2.3.4"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"[0:0:0:0:0:0:0:0]", "::"},
        {"[0:0:0:0:0:0:0:1]", "::1"},
        {"[1:0:0:0:0:0:0:0]", "1::"},
        {"[2001:DB8:0:0:8:800:200C:417A]", "2001:db8::8:800:200c:417a"},
        {"[2001:db8:0:1:1:1:1:1]", "2001:db8:0:1:1:1:1:1"},
        {"[2001:0:0:1:0:0:0:1]", "2001:0:0:1::1"},
        {"[2001:db8:0:0:1:0:0:1]", "2001:db8::1:0:0:1"},
        {"[00ab::]", "ab::"},
        {"[::ffff:1.2.3.4]", "::ffff:1.2.3.4"},
        {"[::ffff:0102:0304]", "::ffff:1.2.3.4"},
        {"[1:2:3:4:5:6:7:0]", "1:2:3:4:5:6:7:0"},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}};
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct url_host host;
        char text[URL_IP_TEXT_MAX];
        assert_true(url_parse_host(slice_from_cstr(rows[i][0]), &host));
        assert_int_equal(url_format_ip(host.kind, host.address, text), strlen(rows[i][1]));
        assert_string_equal(text, rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_parts_point_into_one_string),
        cmocka_unit_test(url_other_forms_of_target),
        cmocka_unit_test(url_without_host_refused),
        cmocka_unit_test(url_path_normalised),
        cmocka_unit_test(url_bad_path_refused),
        cmocka_unit_test(url_rules_may_be_changed),
        cmocka_unit_test(url_segment_limits_inclusive),
        cmocka_unit_test(url_segment_counted_in_utf16),
        cmocka_unit_test(url_bound_is_enough_and_checked),
        cmocka_unit_test(url_cooked_path_is_a_fixed_point),
        cmocka_unit_test(url_reads_only_its_input),
        cmocka_unit_test(url_host_forms),
        cmocka_unit_test(url_host_length_limited),
        cmocka_unit_test(url_ip_text_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
