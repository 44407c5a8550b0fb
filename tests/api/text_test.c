#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/text.h"

static void text_round_trip_keeps_every_byte(void **state)
{
    (void)state;
    const char original[] = "http://host:80/gr\xc3\xbc\xc3\x9f/\xf0\x9f\x8c\x99?x";
    HTTP_CHAR text[64];
    char back[64];
    size_t units = 0, bytes = 0;
    assert_int_equal(text_from_utf8(original, strlen(original), text, 64, &units), NO_ERROR);
    assert_int_equal(text[units - 1], 0);
    assert_int_equal(text_to_utf8(text, units - 1, back, sizeof back, &bytes), NO_ERROR);
    assert_int_equal(bytes, sizeof original);
    assert_string_equal(back, original);
}

static void text_short_buffer_reports_the_need_and_writes_nothing(void **state)
{
    (void)state;
    HTTP_CHAR text[4] = {1, 1, 1, 1};
    size_t needed = 0;
    assert_int_equal(text_from_utf8("abcd", 4, text, 4, &needed), ERROR_INSUFFICIENT_BUFFER);
    assert_int_equal(needed, 5);
    assert_int_equal(text[0], 1);
    assert_int_equal(text_from_utf8("abcd", 4, NULL, 0, &needed), ERROR_INSUFFICIENT_BUFFER);
    assert_int_equal(text_from_utf8("abc", 3, text, 4, &needed), NO_ERROR);
}

static void text_empty_string_is_a_terminator(void **state)
{
    (void)state;
    HTTP_CHAR text[1] = {1};
    size_t needed = 0;
    assert_int_equal(text_from_utf8(NULL, 0, text, 1, &needed), NO_ERROR);
    assert_int_equal(text[0], 0);
    assert_int_equal(needed, 1);
}

static void text_lengths_count_bytes_of_units(void **state)
{
    (void)state;
    const HTTP_CHAR literal[] = HTTP_TEXT("http");
    assert_int_equal(text_bytes(5), sizeof literal);
    assert_int_equal(text_units(sizeof literal), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_round_trip_keeps_every_byte),
        cmocka_unit_test(text_short_buffer_reports_the_need_and_writes_nothing),
        cmocka_unit_test(text_empty_string_is_a_terminator),
        cmocka_unit_test(text_lengths_count_bytes_of_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
