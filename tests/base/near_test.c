#include "support/cmocka_all.h"

#include <string.h>

#include "base/near.h"

static const char *nearest(const char *typed)
{
    static const char *const names[] = {"port", "workers", "drain", "-e", "header_wait", NULL};
    struct near near;
    near_init(&near, typed, strlen(typed));
    for (size_t i = 0; names[i] != NULL; i++) {
        near_try(&near, names[i]);
    }
    return near.best;
}

static void near_one_slip_is_found(void **state)
{
    (void)state;
    assert_string_equal(nearest("prot"), "port");
    assert_string_equal(nearest("por"), "port");
    assert_string_equal(nearest("portt"), "port");
    assert_string_equal(nearest("pert"), "port");
    assert_string_equal(nearest("wokrers"), "workers");
    assert_string_equal(nearest("header_wiat"), "header_wait");
    assert_string_equal(nearest("heade_wiat"), "header_wait");
}

static void near_what_is_far_is_not(void **state)
{
    (void)state;
    assert_null(nearest(""));
    assert_null(nearest("x"));
    assert_null(nearest("files"));
    assert_null(nearest("pxxt"));
    assert_null(nearest("a name of more than forty bytes is no slip of any"));
}

static void near_the_nearer_wins(void **state)
{
    (void)state;
    struct near near;
    near_init(&near, "watch-alzo", 10);
    near_try(&near, "watch");
    near_try(&near, "watch-all");
    near_try(&near, "watch-also");
    near_try(&near, "watch-alto");
    assert_string_equal(near.best, "watch-also");
    assert_int_equal(near.steps, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_one_slip_is_found),
        cmocka_unit_test(near_what_is_far_is_not),
        cmocka_unit_test(near_the_nearer_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
