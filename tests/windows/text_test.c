/* Text at the contract's edge where it is UTF-16: what api/text.h promises, on Windows. */
#include "support/cmocka_all.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "api/text.h"
#include "base/utf8.h"

enum { LONG_PATH_UNITS = 32767 }; /* the longest path that Windows takes */

static void text_is_utf16(void **state)
{
    (void)state;
    const char utf8[] = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8C\x99";
    const WCHAR expected[] = {'a', 0xE4, 0x20AC, 0xD83C, 0xDF19, 0};
    WCHAR text[8];
    size_t needed = 0;
    assert_int_equal(sizeof(HTTP_CHAR), 2);
    assert_int_equal(text_from_utf8(utf8, strlen(utf8), text, 8, &needed), NO_ERROR);
    assert_int_equal(needed, 6);
    assert_memory_equal(text, expected, sizeof expected);
}

static void text_every_code_point_goes_there_and_back(void **state)
{
    (void)state;
    for (uint32_t cp = 1; cp <= 0x10FFFF; cp++) {
        char utf8[4], back[8];
        WCHAR text[4];
        size_t units = 0, bytes = 0;
        size_t len = utf8_encode(cp, utf8);
        if (len == 0) {
            continue; /* a surrogate */
        }
        assert_int_equal(text_from_utf8(utf8, len, text, 4, &units), NO_ERROR);
        assert_int_equal(units, cp < 0x10000 ? 2 : 3);
        assert_int_equal(text_to_utf8(text, units - 1, back, sizeof back, &bytes), NO_ERROR);
        assert_int_equal(bytes, len + 1);
        assert_memory_equal(back, utf8, len);
    }
}

static void text_lone_surrogates_are_refused(void **state)
{
    (void)state;
    static const WCHAR bad[][3] = {{0xD83C},      {0xDF19},         {'a', 0xD83C},
                                   {0xD83C, 'a'}, {0xDF19, 0xD83C}, {0xD83C, 0xD83C}};
    static const size_t lengths[] = {1, 1, 2, 2, 2, 2};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char utf8[16];
        size_t needed = 0;
        assert_int_equal(text_to_utf8(bad[i], lengths[i], utf8, sizeof utf8, &needed),
                         ERROR_INVALID_PARAMETER);
    }
}

static void text_what_is_no_utf8_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80", "a\xC3", "\xC0\xAF", "\xE2\x82", "\xED\xA0\xBC", "\xF4\x90\x80\x80", "\xFF"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        WCHAR text[16];
        size_t needed = 0;
        assert_int_equal(text_from_utf8(bad[i], strlen(bad[i]), text, 16, &needed),
                         ERROR_INVALID_PARAMETER);
    }
}

static void text_embedded_nul_is_a_unit_like_others(void **state)
{
    (void)state;
    WCHAR text[4];
    char back[4];
    size_t needed = 0;
    assert_int_equal(text_from_utf8("a\0b", 3, text, 4, &needed), NO_ERROR);
    assert_int_equal(needed, 4);
    assert_memory_equal(text, L"a\0b", sizeof L"a\0b");
    assert_int_equal(text_to_utf8(text, 3, back, sizeof back, &needed), NO_ERROR);
    assert_int_equal(needed, 4);
    assert_memory_equal(back, "a\0b", 4);
}

static void text_too_little_room_tells_the_need_and_writes_nothing(void **state)
{
    (void)state;
    const char utf8[] = "\xF0\x9F\x8C\x99!";
    for (size_t capacity = 0; capacity < 4; capacity++) {
        WCHAR text[4] = {7, 7, 7, 7};
        size_t needed = 0;
        assert_int_equal(text_from_utf8(utf8, strlen(utf8), text, capacity, &needed),
                         ERROR_INSUFFICIENT_BUFFER);
        assert_int_equal(needed, 4);
        assert_int_equal(text[0], 7);
    }
    for (size_t capacity = 0; capacity < 4; capacity++) {
        char back[4] = {7, 7, 7, 7};
        size_t needed = 0;
        assert_int_equal(text_to_utf8(L"\x20AC", 1, back, capacity, &needed),
                         ERROR_INSUFFICIENT_BUFFER);
        assert_int_equal(needed, 4);
        assert_int_equal(back[0], 7);
    }
}

static void text_of_the_longest_path(void **state)
{
    (void)state;
    char *utf8 = malloc(LONG_PATH_UNITS * 3);
    char *back = malloc(LONG_PATH_UNITS * 3 + 1);
    WCHAR *text = malloc((LONG_PATH_UNITS + 1) * sizeof *text);
    size_t needed = 0;
    assert_true(utf8 != NULL && back != NULL && text != NULL);
    for (size_t i = 0; i < LONG_PATH_UNITS; i++) {
        memcpy(utf8 + i * 3, "\xE2\x82\xAC", 3);
    }
    assert_int_equal(text_from_utf8(utf8, LONG_PATH_UNITS * 3, text, LONG_PATH_UNITS + 1, &needed),
                     NO_ERROR);
    assert_int_equal(needed, LONG_PATH_UNITS + 1);
    assert_int_equal(text_to_utf8(text, LONG_PATH_UNITS, back, LONG_PATH_UNITS * 3 + 1, &needed),
                     NO_ERROR);
    assert_int_equal(needed, LONG_PATH_UNITS * 3 + 1);
    assert_memory_equal(back, utf8, LONG_PATH_UNITS * 3);
    free(utf8);
    free(back);
    free(text);
}

static void text_empty_is_a_terminator(void **state)
{
    (void)state;
    WCHAR text[1] = {7};
    char utf8[1] = {7};
    size_t needed = 0;
    assert_int_equal(text_from_utf8(NULL, 0, text, 1, &needed), NO_ERROR);
    assert_int_equal(needed, 1);
    assert_int_equal(text[0], 0);
    assert_int_equal(text_to_utf8(NULL, 0, utf8, 1, &needed), NO_ERROR);
    assert_int_equal(needed, 1);
    assert_int_equal(utf8[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_utf16),
        cmocka_unit_test(text_every_code_point_goes_there_and_back),
        cmocka_unit_test(text_lone_surrogates_are_refused),
        cmocka_unit_test(text_what_is_no_utf8_is_refused),
        cmocka_unit_test(text_embedded_nul_is_a_unit_like_others),
        cmocka_unit_test(text_too_little_room_tells_the_need_and_writes_nothing),
        cmocka_unit_test(text_of_the_longest_path),
        cmocka_unit_test(text_empty_is_a_terminator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
