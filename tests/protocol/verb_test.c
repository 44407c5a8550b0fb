/* Methods and their numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/verb.h"

static void verb_every_name_found(void **state)
{
    (void)state; /* cmocka's signature */
    for (int verb = VERB_OPTIONS; verb < VERB_COUNT; verb++) {
        assert_true(verb_name(verb).len > 0);
        assert_int_equal(verb_id(verb_name(verb)), verb);
    }
}

static void verb_numbers_are_the_contracts(void **state)
{
    (void)state; /* cmocka's signature */
    assert_int_equal(verb_id(SLICE_LIT("OPTIONS")), 3);
    assert_int_equal(verb_id(SLICE_LIT("GET")), 4);
    assert_int_equal(verb_id(SLICE_LIT("CONNECT")), 10);
    assert_int_equal(verb_id(SLICE_LIT("TRACK")), 11);
    assert_int_equal(verb_id(SLICE_LIT("SEARCH")), 19);
}

static void verb_other_case_invalid(void **state)
{
    (void)state; /* cmocka's signature */
    for (int verb = VERB_OPTIONS; verb < VERB_COUNT; verb++) {
        struct slice name = verb_name(verb);
        for (size_t i = 0; i < name.len; i++) {
            char text[16];
            memcpy(text, name.p, name.len);
            text[i] = (char)(text[i] | 0x20);
            assert_int_equal(verb_id(slice_make(text, name.len)), VERB_INVALID);
        }
    }
}

static void verb_other_tokens_unknown(void **state)
{
    static const char *const texts[] = {"",           "G",     "PATCH", "GETS", "GE",
                                        "XET",        "TRACD", "xyzzy", "POTS", "REPORT",
                                        "PROPPATCHX", "MKCOX", "get1"};
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(verb_id(slice_from_cstr(texts[i])), VERB_UNKNOWN);
    }
}

static void verb_numbers_without_name_empty(void **state)
{
    (void)state; /* cmocka's signature */
    assert_int_equal(verb_name(VERB_UNPARSED).len, 0);
    assert_int_equal(verb_name(VERB_INVALID).len, 0);
    assert_int_equal(verb_name(-1).len, 0);
    assert_int_equal(verb_name(VERB_COUNT).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verb_every_name_found),
        cmocka_unit_test(verb_numbers_are_the_contracts),
        cmocka_unit_test(verb_other_case_invalid),
        cmocka_unit_test(verb_other_tokens_unknown),
        cmocka_unit_test(verb_numbers_without_name_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
