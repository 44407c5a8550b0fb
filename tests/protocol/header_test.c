/* Known header names and the checks of what applications send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/guarded.h"
#include "protocol/header.h"

static void spell(char *out, struct slice name, unsigned pattern)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        out[i] = letter && (pattern >> i & 1) != 0 ? (char)(c ^ 0x20) : c;
    }
}

static void header_every_name_any_case_found(void **state)
{
    static const unsigned patterns[] = {0, 0xffffffff, 0x55555555, 0x1, 0x80};
    (void)state; /* cmocka's signature */
    for (int id = 0; id < H_REQUEST_COUNT; id++) {
        char text[32];
        struct slice name = header_request_name(id);
        for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
            spell(text, name, patterns[i]);
            assert_int_equal(header_request_id(slice_make(text, name.len)), id);
        }
    }
    for (int id = 0; id < H_RESPONSE_COUNT; id++) {
        char text[32];
        struct slice name = header_response_name(id);
        for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
            spell(text, name, patterns[i]);
            assert_int_equal(header_response_id(slice_make(text, name.len)), id);
        }
    }
}

static void header_ids_are_the_contracts(void **state)
{
    (void)state; /* cmocka's signature */
    assert_int_equal(header_request_id(SLICE_LIT("Cache-Control")), 0);
    assert_int_equal(header_request_id(SLICE_LIT("Last-Modified")), 19);
    assert_int_equal(header_request_id(SLICE_LIT("Host")), 28);
    assert_int_equal(header_request_id(SLICE_LIT("User-Agent")), 40);
    assert_int_equal(header_response_id(SLICE_LIT("Accept-Ranges")), 20);
    assert_int_equal(header_response_id(SLICE_LIT("WWW-Authenticate")), 29);
}

static void header_one_sided_names_unknown_on_the_other(void **state)
{
    (void)state; /* cmocka's signature */
    assert_int_equal(header_response_id(SLICE_LIT("Host")), H_UNKNOWN);
    assert_int_equal(header_request_id(SLICE_LIT("Set-Cookie")), H_UNKNOWN);
    assert_int_equal(header_request_id(SLICE_LIT("ETag")), H_UNKNOWN);
}

/* Every name with one byte changed to any other value: only the case of letters may be forgiven. */
static void header_one_byte_changed_unknown(void **state)
{
    (void)state; /* cmocka's signature */
    for (int id = 0; id < H_REQUEST_COUNT; id++) {
        struct slice name = header_request_name(id);
        for (size_t at = 0; at < name.len; at++) {
            for (int c = 0; c < 256; c++) {
                char text[32];
                memcpy(text, name.p, name.len);
                text[at] = (char)c;
                struct slice changed = slice_make(text, name.len);
                int wanted = slice_equal_nocase(changed, name) ? id : H_UNKNOWN;
                int found = header_request_id(changed);
                if (found != wanted) {
                    assert_true(found >= 0);
                    assert_true(slice_equal_nocase(changed, header_request_name(found)));
                }
            }
        }
    }
}

static void header_reads_only_its_name(void **state)
{
    struct guarded g;
    (void)state; /* cmocka's signature */
    guarded_init(&g);
    for (int id = 0; id < H_REQUEST_COUNT; id++) {
        struct slice name = header_request_name(id);
        const char *copy = guarded_at_end(&g, name.p, name.len);
        assert_int_equal(header_request_id(slice_make(copy, name.len)), id);
        copy = guarded_at_start(&g, name.p, name.len);
        assert_int_equal(header_request_id(slice_make(copy, name.len)), id);
    }
    guarded_deinit(&g);
}

static void header_other_names_unknown(void **state)
{
    (void)state; /* cmocka's signature */
    assert_int_equal(header_request_id(SLICE_LIT("")), H_UNKNOWN);
    assert_int_equal(header_request_id(SLICE_LIT("X")), H_UNKNOWN);
    assert_int_equal(header_request_id(SLICE_LIT("Hos")), H_UNKNOWN);
    assert_int_equal(header_request_id(SLICE_LIT("Hosts")), H_UNKNOWN);
    assert_int_equal(header_request_id(SLICE_LIT("X-A-Very-Long-Header-Name-Indeed")), H_UNKNOWN);
}

static void header_token_by_its_bytes(void **state)
{
    (void)state; /* cmocka's signature */
    assert_true(header_is_token(SLICE_LIT("X-Foo_1!#$%&'*+.^`|~")));
    assert_false(header_is_token(SLICE_LIT("")));
    for (int c = 0; c < 256; c++) {
        char text[1] = {(char)c};
        bool token = (c > 0x20 && c < 0x7f) && strchr("\"(),/:;<=>?@[\\]{}", c) == NULL;
        assert_int_equal(header_is_token(slice_make(text, 1)), token);
    }
}

static void header_field_value_no_control_at_any_place(void **state)
{
    struct guarded g;
    (void)state; /* cmocka's signature */
    guarded_init(&g);
    assert_true(header_is_field_value(SLICE_LIT("")));
    for (size_t len = 1; len < 70; len++) {
        char text[70];
        memset(text, 'a', len);
        for (size_t at = 0; at < len; at++) {
            for (int c = 0; c < 256; c++) {
                text[at] = (char)c;
                bool legal = c == '\t' || (c >= 0x20 && c != 0x7f);
                const char *copy = guarded_at_end(&g, text, len);
                assert_int_equal(header_is_field_value(slice_make(copy, len)), legal);
            }
            text[at] = 'a';
        }
    }
    guarded_deinit(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_every_name_any_case_found),
        cmocka_unit_test(header_ids_are_the_contracts),
        cmocka_unit_test(header_one_sided_names_unknown_on_the_other),
        cmocka_unit_test(header_one_byte_changed_unknown),
        cmocka_unit_test(header_reads_only_its_name),
        cmocka_unit_test(header_other_names_unknown),
        cmocka_unit_test(header_token_by_its_bytes),
        cmocka_unit_test(header_field_value_no_control_at_any_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
