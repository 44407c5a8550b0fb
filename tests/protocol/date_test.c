/* Dates, against the C library's calendar in UTC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdlib.h>
#include <time.h>

#include "protocol/date.h"

static const int64_t today = 1760000000; /* 2025-10-09 */

static void expect_as_libc(int64_t seconds)
{
    char ours[DATE_BYTES + 1] = {0};
    char theirs[64];
    time_t time = (time_t)seconds;
    struct tm tm;
    int64_t back = -1;
    assert_non_null(gmtime_r(&time, &tm));
    assert_int_equal(strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", &tm),
                     DATE_BYTES);
    date_format(seconds, ours);
    assert_string_equal(ours, theirs);
    assert_true(date_parse(slice_make(ours, DATE_BYTES), today, &back));
    assert_int_equal(back, seconds);
}

static void date_format_as_libc_over_centuries(void **state)
{
    (void)state; /* cmocka's signature */
    for (int64_t day = -354000; day < 800000; day += 7) {
        expect_as_libc(day * 86400 + (day * 7919 % 86400 + 86400) % 86400);
    }
    expect_as_libc(0);
    expect_as_libc(-1);
    expect_as_libc(951782399); /* around 29 February 2000 */
    expect_as_libc(951868800);
    expect_as_libc(2147483648);
    expect_as_libc(253402300799); /* the last second of 9999 */
}

static void expect_date(const char *text, int64_t wanted)
{
    int64_t seconds = -1;
    assert_true(date_parse(slice_from_cstr(text), today, &seconds));
    assert_int_equal(seconds, wanted);
}

static void expect_none(const char *text)
{
    int64_t seconds = -77;
    if (date_parse(slice_from_cstr(text), today, &seconds)) {
        fail_msg("taken for a date: %s", text);
    }
    assert_int_equal(seconds, -77);
}

static void date_parse_three_forms_same_time(void **state)
{
    (void)state; /* cmocka's signature */
    expect_date("Sun, 06 Nov 1994 08:49:37 GMT", 784111777);
    expect_date("Sunday, 06-Nov-94 08:49:37 GMT", 784111777);
    expect_date("Sun Nov  6 08:49:37 1994", 784111777);
    expect_date("Wed Nov 16 08:49:37 1994", 784975777);
}

static void date_parse_two_digit_year_within_50_years(void **state)
{
    (void)state;                                                /* cmocka's signature */
    expect_date("Tuesday, 01-Jan-75 00:00:00 GMT", 3313526400); /* 2075 */
    expect_date("Thursday, 01-Jan-76 00:00:00 GMT", 189302400); /* 1976 */
}

static void date_parse_leap_second_is_the_one_before(void **state)
{
    (void)state; /* cmocka's signature */
    expect_date("Sat, 31 Dec 2016 23:59:60 GMT", 1483228799);
}

static void date_parse_malformed_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "x",
                                        "Sun, 06 Nov 1994 08:49:37",
                                        "Sun, 06 Nov 1994 08:49:37 UTC",
                                        "sun, 06 Nov 1994 08:49:37 GMT",
                                        "Sun, 6 Nov 1994 08:49:37 GMT ",
                                        "Sun, 06 nov 1994 08:49:37 GMT",
                                        "Sun, 31 Feb 1994 08:49:37 GMT",
                                        "Sun, 29 Feb 1900 08:49:37 GMT",
                                        "Sun, 00 Nov 1994 08:49:37 GMT",
                                        "Sun, 06 Nov 1994 24:49:37 GMT",
                                        "Sun, 06 Nov 1994 08:60:37 GMT",
                                        "Sun, 06 Nov 1994 08:49:61 GMT",
                                        "Sun, 06 Nov 1994 08:49:37 GMT+1",
                                        "Sun, 06 Nov 94 08:49:37 GMT",
                                        "Sun, -6 Nov 1994 08:49:37 GMT",
                                        "Someday, 06-Nov-94 08:49:37 GMT",
                                        "Sunday, 06-Nov-1994 08:49:37 GMT",
                                        "Sun Nov 06 08:49:37 94  ",
                                        "Sun Nov    08:49:37 1994",
                                        "Sun, 06 Nov 1994  8:49:37 GMT"};
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        expect_none(texts[i]);
    }
}

static void date_parse_cut_anywhere_refused(void **state)
{
    static const char *const texts[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                        "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < 3; i++) {
        for (size_t len = 0; len < strlen(texts[i]); len++) {
            char *copy = malloc(len + 1); /* exact size: the sanitizer sees a byte too far */
            int64_t seconds = 0;
            assert_non_null(copy);
            memcpy(copy, texts[i], len);
            char *exact = realloc(copy, len == 0 ? 1 : len);
            assert_non_null(exact);
            assert_false(date_parse(slice_make(exact, len), today, &seconds));
            free(exact);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(date_format_as_libc_over_centuries),
        cmocka_unit_test(date_parse_three_forms_same_time),
        cmocka_unit_test(date_parse_two_digit_year_within_50_years),
        cmocka_unit_test(date_parse_leap_second_is_the_one_before),
        cmocka_unit_test(date_parse_malformed_refused),
        cmocka_unit_test(date_parse_cut_anywhere_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
