#include "support/cmocka_all.h"

#include "base/visible.h"

static void visible_controls_are_shown_and_do_nothing(void **state)
{
    char out[128];
    (void)state;
    assert_string_equal(visible_text(out, sizeof out, "a\x1b[31m\x07 \x7f\r\n\t", ""),
                        "a\\x1b[31m\\x07 \\x7f\\x0d\\x0a\\x09");
    assert_string_equal(visible_text(out, sizeof out, "a\x1b]0;x\r\n\tb", "\n\t"),
                        "a\\x1b]0;x\\x0d\n\tb");
    assert_int_equal(visible_write(out, sizeof out, SLICE_LIT("a\0b"), "\n"), 6);
    assert_memory_equal(out, "a\\x00b", 6);
}

static void visible_c1_of_utf8_is_one_and_letters_are_not(void **state)
{
    char out[64];
    (void)state;
    assert_string_equal(visible_text(out, sizeof out, "\xc3\xa4 \xc2\xa0 \xc2\x9b", ""),
                        "\xc3\xa4 \xc2\xa0 \\xc2\\x9b");
}

static void visible_text_that_does_not_fit_says_so(void **state)
{
    char out[8 + 1];
    (void)state;
    out[8] = '#';
    assert_int_equal(visible_write(out, 8, SLICE_LIT("12345"), ""), 5);
    assert_int_equal(visible_write(out, 8, SLICE_LIT("123456"), ""), 8);
    assert_memory_equal(out, "12345...#", 9);
    assert_int_equal(visible_write(out, 8, SLICE_LIT("12\x1b"), ""), 5); /* no half escape */
    assert_memory_equal(out, "12...", 5);
    assert_string_equal(visible_text(out, 8, "123456", ""), "1234...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(visible_controls_are_shown_and_do_nothing),
        cmocka_unit_test(visible_c1_of_utf8_is_one_and_letters_are_not),
        cmocka_unit_test(visible_text_that_does_not_fit_says_so),
    };
    return cmocka_run_group_tests_name("visible", tests, NULL, NULL);
}
