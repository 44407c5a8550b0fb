#include "support/cmocka_all.h"

#include <string.h>

#include "base/jsonout.h"

static void jsonout_values_are_escaped(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 1024);
    jsonout_open(&out, "a", "x\"\\\n\t\x01\x7f\xc3\xa4");
    jsonout_text(&out, "b", NULL);
    jsonout_text(&out, "c", "\xff");
    jsonout_number(&out, "d", -5);
    jsonout_close(&out);
    assert_true(buf_append(&out, "", 1));
    assert_string_equal(out.p, "{\"a\":\"x\\\"\\\\\\n\\u0009\\u0001\\u007f\xc3\xa4\",\"b\":null,"
                               "\"c\":\"\\ufffd\",\"d\":-5}\n");
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jsonout_values_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
