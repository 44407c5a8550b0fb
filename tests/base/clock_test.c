#include "support/cmocka_all.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

static void clock_mono_never_goes_back(void **state)
{
    (void)state;
    uint64_t last = clock_mono_ns();
    assert_int_not_equal(last, 0);
    for (int i = 0; i < 100000; i++) {
        uint64_t now = clock_mono_ns();
        assert_true(now >= last);
        last = now;
    }
}

static void clock_coarse_lags_behind_mono(void **state)
{
    (void)state;
    uint64_t coarse = clock_coarse_ns();
    uint64_t exact = clock_mono_ns();
    assert_true(coarse <= exact);
    /* The same clock, not another one: both count from the same start. */
    while (clock_coarse_ns() < exact) {
    }
}

static void clock_wall_agrees_with_time(void **state)
{
    (void)state;
    time_t before = time(NULL);
    int64_t now = clock_wall_s();
    time_t after = time(NULL);
    assert_true(now >= (int64_t)before && now <= (int64_t)after);
}

static void clock_local_hms_is_eight_characters(void **state)
{
    (void)state;
    char text[9];
    memset(text, 'x', sizeof text);
    clock_local_hms(text);
    assert_int_equal(strlen(text), 8);
    for (int i = 0; i < 8; i++) {
        if (i % 3 == 2) {
            assert_int_equal(text[i], ':');
        } else {
            assert_in_range(text[i], '0', '9');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_mono_never_goes_back),
        cmocka_unit_test(clock_coarse_lags_behind_mono),
        cmocka_unit_test(clock_wall_agrees_with_time),
        cmocka_unit_test(clock_local_hms_is_eight_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
