#include "support/cmocka_all.h"

#include "base/slice.h"

static void slice_equal_compares_bytes_and_length(void **state)
{
    (void)state;
    assert_true(slice_equal(SLICE_LIT("abc"), SLICE_LIT("abc")));
    assert_false(slice_equal(SLICE_LIT("abc"), SLICE_LIT("abd")));
    assert_false(slice_equal(SLICE_LIT("abc"), SLICE_LIT("ab")));
    assert_false(slice_equal(SLICE_LIT("ab"), SLICE_LIT("abc")));
    assert_false(slice_equal(SLICE_LIT("abc"), SLICE_LIT("ABC")));
    assert_true(slice_equal(SLICE_LIT("a\0b"), SLICE_LIT("a\0b")));
    assert_false(slice_equal(SLICE_LIT("a\0b"), SLICE_LIT("a\0c")));
    assert_true(slice_equal(slice_from_cstr(NULL), SLICE_LIT("")));
}

static void slice_equal_nocase_folds_ascii_letters_only(void **state)
{
    (void)state;
    assert_true(slice_equal_nocase(SLICE_LIT("Content-Length"), SLICE_LIT("CONTENT-lENGTH")));
    assert_true(slice_equal_nocase(SLICE_LIT("AZaz"), SLICE_LIT("azAZ")));
    assert_false(slice_equal_nocase(SLICE_LIT("abc"), SLICE_LIT("abcd")));
    /* Bytes 32 apart that are no letters, and a letter's neighbours. */
    assert_false(slice_equal_nocase(SLICE_LIT("@"), SLICE_LIT("`")));
    assert_false(slice_equal_nocase(SLICE_LIT("["), SLICE_LIT("{")));
    assert_false(slice_equal_nocase(SLICE_LIT("\xC4"), SLICE_LIT("\xE4")));
}

static void slice_starts_with_prefix_only(void **state)
{
    (void)state;
    assert_true(slice_starts_with(SLICE_LIT("http://"), SLICE_LIT("http")));
    assert_true(slice_starts_with(SLICE_LIT("http"), SLICE_LIT("http")));
    assert_true(slice_starts_with(SLICE_LIT("http"), SLICE_LIT("")));
    assert_true(slice_starts_with(slice_make(NULL, 0), slice_make(NULL, 0)));
    assert_false(slice_starts_with(SLICE_LIT("htt"), SLICE_LIT("http")));
    assert_false(slice_starts_with(slice_make("http", 3), SLICE_LIT("http")));
    assert_false(slice_starts_with(SLICE_LIT("xhttp"), SLICE_LIT("http")));
}

static void slice_trim_takes_space_and_tab_only(void **state)
{
    (void)state;
    assert_true(slice_equal(slice_trim(SLICE_LIT(" \t a b\t ")), SLICE_LIT("a b")));
    assert_true(slice_equal(slice_trim(SLICE_LIT("\r\na\n")), SLICE_LIT("\r\na\n")));
    assert_int_equal(slice_trim(SLICE_LIT(" \t ")).len, 0);
    assert_int_equal(slice_trim(SLICE_LIT("")).len, 0);
}

static void slice_to_u64_takes_digits_only(void **state)
{
    (void)state;
    static const struct slice bad[] = {
        SLICE_INIT(""),
        SLICE_INIT("-1"),
        SLICE_INIT("+1"),
        SLICE_INIT(" 1"),
        SLICE_INIT("1 "),
        SLICE_INIT("0x1"),
        SLICE_INIT("1\0"),
        SLICE_INIT("1,2"),
        SLICE_INIT("18446744073709551616"),
        SLICE_INIT("18446744073709551620"),
        SLICE_INIT("99999999999999999999"),
        SLICE_INIT("1/"),
        SLICE_INIT("1:"),
        SLICE_INIT("100000000000000000000000"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t value = 77;
        assert_false(slice_to_u64(bad[i], &value));
        assert_int_equal(value, 77);
    }
}

static void slice_to_u64_reads_up_to_the_largest(void **state)
{
    (void)state;
    uint64_t value = 1;
    assert_true(slice_to_u64(SLICE_LIT("0"), &value));
    assert_int_equal(value, 0);
    assert_true(slice_to_u64(SLICE_LIT("0042"), &value));
    assert_int_equal(value, 42);
    assert_true(slice_to_u64(SLICE_LIT("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_true(slice_to_u64(SLICE_LIT("18446744073709551609"), &value));
    assert_true(value == UINT64_MAX - 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slice_equal_compares_bytes_and_length),
        cmocka_unit_test(slice_equal_nocase_folds_ascii_letters_only),
        cmocka_unit_test(slice_starts_with_prefix_only),
        cmocka_unit_test(slice_trim_takes_space_and_tab_only),
        cmocka_unit_test(slice_to_u64_takes_digits_only),
        cmocka_unit_test(slice_to_u64_reads_up_to_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
