/* URL prefixes: what is accepted, what is refused and why, and what counts as the same. */
#include "support/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "binding/prefix.h"

static ULONG parse(const char *text, struct prefix *out)
{
    const char *why = NULL;
    ULONG code = prefix_parse(slice_from_cstr(text), out, &why);
    assert_int_equal(code == NO_ERROR, why == NULL);
    return code;
}

static void prefix_full_is_taken_apart(void **state)
{
    struct prefix p;
    (void)state;
    assert_int_equal(parse("https://+:443/a/b/", &p), NO_ERROR);
    assert_false(p.bare);
    assert_int_equal(p.port, 443);
    assert_true(slice_equal(p.base, SLICE_LIT("https://+:443")));
    assert_true(slice_equal(p.path, SLICE_LIT("/a/b/")));
    assert_int_equal(p.segments, 2);
}

static void prefix_bare_is_a_path(void **state)
{
    struct prefix p;
    (void)state;
    assert_int_equal(parse("/", &p), NO_ERROR);
    assert_true(p.bare);
    assert_int_equal(p.segments, 0);
    assert_int_equal(parse("/a/b", &p), NO_ERROR);
    assert_int_equal(p.segments, 2);
    assert_int_equal(p.base.len, 0);
}

static void prefix_hosts_of_every_category(void **state)
{
    static const char *const good[] = {
        "http://+:1/",          "http://*:65535/",  "http://example.com:80/",
        "http://127.0.0.1:80/", "http://[::1]:80/", "http://gr\xc3\xbcn.de:80/x"};
    struct prefix p;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(parse(good[i], &p), NO_ERROR);
    }
}

static void prefix_malformed_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "a",
        "http:/a",
        "HTTP://h:1/",
        "http://:1/",
        "http://h/",
        "http://h:/",
        "http://h:0/",
        "http://h:01/",
        "http://h:65536/",
        "http://h:99999999999/",
        "http://h:1",
        "http://h:1x/",
        "http://h h:1/",
        "http://u@h:1/",
        "http://[]:1/",
        "http://[::1:1/",
        "/a?b",
        "/a#b",
        "/a\\b",
        "/a b",
        "/a\nb",
        "/a//",
        "//",
        "/./a",
        "/a/..",
        "http://h:1/..",
        "/\x7f",
    };
    struct prefix p;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(parse(bad[i], &p), ERROR_INVALID_PARAMETER);
    }
}

static void prefix_cut_at_every_byte_is_safe(void **state)
{
    static const char text[] = "https://[::1]:8080/a/b/";
    (void)state;
    for (size_t len = 0; len < sizeof text; len++) {
        char *copy = malloc(len + (len == 0)); /* exact size, so that reading on is seen */
        struct prefix p;
        const char *why = NULL;
        assert_non_null(copy);
        memcpy(copy, text, len);
        (void)prefix_parse(slice_make(copy, len), &p, &why); /* no reading past the end */
        free(copy);
    }
}

static void prefix_key_folds_case_and_final_slash(void **state)
{
    char a[64], b[64];
    (void)state;
    struct slice base = SLICE_LIT("http://LocalHost:80");
    size_t len = prefix_write_key(base, SLICE_LIT("/A/b"), a, sizeof a);
    assert_int_equal(len, strlen(a));
    assert_string_equal(a, "http://localhost:80/a/b/");
    assert_int_equal(prefix_write_key(base, SLICE_LIT("/a/B/"), b, sizeof b), len);
    assert_string_equal(a, b);
    assert_int_equal(prefix_write_key(base, SLICE_LIT("/a/B/"), b, len), 0);
    assert_int_equal(prefix_write_key(base, SLICE_LIT("/a/B/"), b, len + 1), len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefix_full_is_taken_apart),
        cmocka_unit_test(prefix_bare_is_a_path),
        cmocka_unit_test(prefix_hosts_of_every_category),
        cmocka_unit_test(prefix_malformed_is_refused),
        cmocka_unit_test(prefix_cut_at_every_byte_is_safe),
        cmocka_unit_test(prefix_key_folds_case_and_final_slash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
