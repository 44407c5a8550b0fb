/* Registration prefixes: categories, canonical spelling, and a reason for each refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/guarded.h"
#include "protocol/url.h"
#include "protocol/urlprefix.h"

static char buf[URLPREFIX_BUFFER_BYTES];

static void urlprefix_well_formed_canonical(void **state)
{
    static const struct {
        const char *text;
        const char *full;
        const char *host;
        const char *path;
        int category;
        int port;
    } rows[] = {
        {"http://+:80/", "http://+:80/", "+", "/", URLPREFIX_STRONG, 80},
        {"https://*:443/", "https://*:443/", "*", "/", URLPREFIX_WEAK, 443},
        {"http://localhost:8080/api/", "http://localhost:8080/api/", "localhost", "/api/",
         URLPREFIX_EXPLICIT, 8080},
        {"http://LocalHost:8080/Api/V1", "http://localhost:8080/api/v1/", "localhost", "/api/v1/",
         URLPREFIX_EXPLICIT, 8080},
        {"http://my_host.example.:1/", "http://my_host.example.:1/", "my_host.example.", "/",
         URLPREFIX_EXPLICIT, 1},
        {"http://127.0.0.1:65535/", "http://127.0.0.1:65535/", "127.0.0.1", "/", URLPREFIX_ADDRESS,
         65535},
        {"http://[0:0:0:0:0:0:0:1]:8080/A/", "http://[::1]:8080/a/", "[::1]", "/a/",
         URLPREFIX_ADDRESS, 8080},
        {"http://[2001:DB8::1]:80/", "http://[2001:db8::1]:80/", "[2001:db8::1]", "/",
         URLPREFIX_ADDRESS, 80},
        {"http://a:80/x%20y", "http://a:80/x y/", "a", "/x y/", URLPREFIX_EXPLICIT, 80},
        {"http://a:80/caf\xc3\x89/", "http://a:80/caf\xc3\x89/", "a", "/caf\xc3\x89/",
         URLPREFIX_EXPLICIT, 80},
        {"http://a:80/.well-known/", "http://a:80/.well-known/", "a", "/.well-known/",
         URLPREFIX_EXPLICIT, 80},
    };
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct urlprefix prefix;
        enum urlprefix_error error = urlprefix_parse(slice_from_cstr(rows[i].text), buf, &prefix);
        if (error != URLPREFIX_OK) {
            fail_msg("%s: %s", rows[i].text, urlprefix_error_text(error));
        }
        assert_string_equal(prefix.full.p, rows[i].full);
        assert_int_equal(prefix.full.len, strlen(rows[i].full));
        assert_true(slice_equal(prefix.host, slice_from_cstr(rows[i].host)));
        assert_true(slice_equal(prefix.path, slice_from_cstr(rows[i].path)));
        assert_int_equal(prefix.category, rows[i].category);
        assert_int_equal(prefix.port, rows[i].port);
        assert_int_equal(prefix.https, rows[i].text[4] == 's');
    }
}

static void urlprefix_address_bytes(void **state)
{
    static const uint8_t loopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    static const uint8_t dotted[4] = {127, 0, 0, 1};
    struct urlprefix prefix;
    (void)state; /* cmocka's signature */
    assert_int_equal(urlprefix_parse(SLICE_LIT("http://[::1]:80/"), buf, &prefix), URLPREFIX_OK);
    assert_true(prefix.ipv6);
    assert_memory_equal(prefix.address, loopback, 16);
    assert_int_equal(urlprefix_parse(SLICE_LIT("http://127.0.0.1:80/"), buf, &prefix),
                     URLPREFIX_OK);
    assert_false(prefix.ipv6);
    assert_memory_equal(prefix.address, dotted, 4);
}

static void urlprefix_malformed_refused_with_reason(void **state)
{
    static const struct {
        const char *text;
        enum urlprefix_error error;
    } rows[] = {
        {"", URLPREFIX_NO_SCHEME},
        {"localhost:80/", URLPREFIX_NO_SCHEME},
        {"/api/", URLPREFIX_NO_SCHEME},
        {"://a:80/", URLPREFIX_NO_SCHEME},
        {"http:/a:80/", URLPREFIX_NO_SCHEME},
        {"http", URLPREFIX_NO_SCHEME},
        {"http:", URLPREFIX_NO_SCHEME},
        {"http:/", URLPREFIX_NO_SCHEME},
        {"HTTP://a:80/", URLPREFIX_SCHEME_CASE},
        {"Https://a:80/", URLPREFIX_SCHEME_CASE},
        {"ftp://a:80/", URLPREFIX_BAD_SCHEME},
        {"httpx://a:80/", URLPREFIX_BAD_SCHEME},
        {"http://", URLPREFIX_NO_HOST},
        {"http://:80/", URLPREFIX_NO_HOST},
        {"http:///", URLPREFIX_NO_HOST},
        {"http://a b:80/", URLPREFIX_BAD_HOST},
        {"http://u@a:80/", URLPREFIX_BAD_HOST},
        {"http://++:80/", URLPREFIX_BAD_HOST},
        {"http://a*:80/", URLPREFIX_BAD_HOST},
        {"http://caf\xc3\xa9:80/", URLPREFIX_BAD_HOST},
        {"http://a%41:80/", URLPREFIX_BAD_HOST},
        {"http://*.a.example:80/", URLPREFIX_SUBDOMAIN_WILDCARD},
        {"http://1.2.3:80/", URLPREFIX_BAD_ADDRESS},
        {"http://256.1.1.1:80/", URLPREFIX_BAD_ADDRESS},
        {"http://01.1.1.1:80/", URLPREFIX_BAD_ADDRESS},
        {"http://[::1:80/", URLPREFIX_BAD_ADDRESS},
        {"http://[::1%1]:80/", URLPREFIX_BAD_ADDRESS},
        {"http://[]:80/", URLPREFIX_BAD_ADDRESS},
        {"http://[a:80/", URLPREFIX_BAD_ADDRESS},
        {"http://[::1]x:80/", URLPREFIX_BAD_ADDRESS},
        {"http://localhost/", URLPREFIX_NO_PORT},
        {"http://localhost", URLPREFIX_NO_PORT},
        {"http://localhost:/", URLPREFIX_NO_PORT},
        {"http://localhost:", URLPREFIX_NO_PORT},
        {"http://localhost:0/", URLPREFIX_BAD_PORT},
        {"http://localhost:080/", URLPREFIX_BAD_PORT},
        {"http://localhost:65536/", URLPREFIX_BAD_PORT},
        {"http://localhost:4294967376/", URLPREFIX_BAD_PORT},
        {"http://localhost:8x/", URLPREFIX_BAD_PORT},
        {"http://localhost:*/", URLPREFIX_BAD_PORT},
        {"http://localhost:-1/", URLPREFIX_BAD_PORT},
        {"http://localhost:+80/", URLPREFIX_BAD_PORT},
        {"http://localhost:80", URLPREFIX_NO_SLASH},
        {"http://localhost:80?a", URLPREFIX_NO_SLASH},
        {"http://localhost:80/?a", URLPREFIX_QUERY},
        {"http://localhost:80/a?", URLPREFIX_QUERY},
        {"http://localhost:80/a#b", URLPREFIX_QUERY},
        {"http://localhost:80//", URLPREFIX_BAD_PATH},
        {"http://localhost:80/a//b/", URLPREFIX_BAD_PATH},
        {"http://localhost:80/a/../b", URLPREFIX_BAD_PATH},
        {"http://localhost:80/./", URLPREFIX_BAD_PATH},
        {"http://localhost:80/..", URLPREFIX_BAD_PATH},
        {"http://localhost:80/a\\b", URLPREFIX_BAD_PATH},
        {"http://localhost:80/%zz", URLPREFIX_BAD_PATH},
        {"http://localhost:80/%00", URLPREFIX_BAD_PATH},
        {"http://localhost:80/%c0%af", URLPREFIX_BAD_PATH},
        {"http://localhost:80/\xff", URLPREFIX_BAD_PATH},
        {"http://localhost:80/a b", URLPREFIX_BAD_PATH},
        {"http://localhost:80/\x01", URLPREFIX_BAD_PATH},
        {"http://localhost:80/a\x7f", URLPREFIX_BAD_PATH},
    };
    bool seen[URLPREFIX_ERROR_COUNT] = {[URLPREFIX_OK] = true, [URLPREFIX_TOO_LONG] = true};
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct urlprefix prefix = {.port = 7};
        enum urlprefix_error error = urlprefix_parse(slice_from_cstr(rows[i].text), buf, &prefix);
        if (error != rows[i].error) {
            fail_msg("%s: %s", rows[i].text, urlprefix_error_text(error));
        }
        assert_int_equal(prefix.port, 7);
        seen[error] = true;
    }
    for (int error = 0; error < URLPREFIX_ERROR_COUNT; error++) {
        assert_true(seen[error]);
        assert_non_null(urlprefix_error_text((enum urlprefix_error)error));
    }
}

static void urlprefix_longest_fits_its_buffer(void **state)
{
    static char text[URLPREFIX_BYTES_MAX + 2] = "http://[1:2:3:4:5:6:7:8]:65535/a";
    struct urlprefix prefix;
    struct guarded g;
    (void)state; /* cmocka's signature */
    guarded_init(&g);
    for (size_t i = strlen(text); i < URLPREFIX_BYTES_MAX + 1; i++) {
        text[i] = i % 200 == 0 ? '/' : 'a';
    }
    char *at_end = g.start + g.size - URLPREFIX_BUFFER_BYTES;
    assert_int_equal(urlprefix_parse(slice_make(text, URLPREFIX_BYTES_MAX), at_end, &prefix),
                     URLPREFIX_OK);
    assert_int_equal(prefix.full.len, URLPREFIX_BYTES_MAX + 1);
    assert_int_equal(urlprefix_parse(slice_make(text, URLPREFIX_BYTES_MAX + 1), at_end, &prefix),
                     URLPREFIX_TOO_LONG);
    guarded_deinit(&g);
}

/* Canonical text is its own canonical text. */
static void urlprefix_canonical_is_a_fixed_point(void **state)
{
    static const char *const texts[] = {"http://LOCALHOST:80/A/b", "http://[0::0:1]:80/",
                                        "https://+:443/X", "http://[::ffff:1.2.3.4]:1/"};
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct urlprefix once;
        struct urlprefix twice;
        char again[URLPREFIX_BUFFER_BYTES];
        assert_int_equal(urlprefix_parse(slice_from_cstr(texts[i]), buf, &once), URLPREFIX_OK);
        assert_int_equal(urlprefix_parse(once.full, again, &twice), URLPREFIX_OK);
        assert_true(slice_equal(once.full, twice.full));
    }
}

static void urlprefix_reads_only_its_input(void **state)
{
    static const char text[] = "http://[2001:db8::1]:8080/a%20b/";
    struct guarded g;
    (void)state; /* cmocka's signature */
    guarded_init(&g);
    for (size_t len = 0; len < sizeof(text); len++) {
        struct urlprefix prefix;
        enum urlprefix_error error =
            urlprefix_parse(slice_make(guarded_at_end(&g, text, len), len), buf, &prefix);
        assert_true(error < URLPREFIX_ERROR_COUNT);
    }
    guarded_deinit(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urlprefix_well_formed_canonical),
        cmocka_unit_test(urlprefix_address_bytes),
        cmocka_unit_test(urlprefix_malformed_refused_with_reason),
        cmocka_unit_test(urlprefix_longest_fits_its_buffer),
        cmocka_unit_test(urlprefix_canonical_is_a_fixed_point),
        cmocka_unit_test(urlprefix_reads_only_its_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
