#include "support/cmocka_all.h"

#include "base/buf.h"

static void buf_fresh_has_no_memory(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    assert_null(b.p);
    assert_int_equal(b.cap, 0);
    assert_true(buf_append(&b, NULL, 0));
    assert_null(b.p);
    buf_deinit(&b);
}

static void buf_append_keeps_every_byte(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100000);
    for (unsigned i = 0; i < 50000; i++) {
        char c = (char)(unsigned char)(i * 7);
        assert_true(buf_append(&b, &c, 1));
    }
    assert_int_equal(b.len, 50000);
    for (unsigned i = 0; i < 50000; i++) {
        assert_int_equal((unsigned char)b.p[i], (unsigned char)(i * 7));
    }
    buf_deinit(&b);
}

static void buf_at_maximum_refuses_and_keeps(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    char bytes[101];
    memset(bytes, 'x', sizeof bytes);
    assert_false(buf_append(&b, bytes, 101));
    assert_int_equal(b.len, 0);
    assert_true(buf_append(&b, bytes, 100));
    assert_true(b.cap <= 100);
    assert_false(buf_append(&b, bytes, 1));
    assert_false(buf_reserve(&b, SIZE_MAX));
    assert_false(buf_printf(&b, "%d", 1));
    assert_int_equal(b.len, 100);
    assert_memory_equal(b.p, bytes, 100);
    buf_deinit(&b);
}

static void buf_consume_moves_the_rest_to_the_front(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_true(buf_append_slice(&b, SLICE_LIT("hello, world")));
    buf_consume(&b, 7);
    assert_true(slice_equal(buf_slice(&b), SLICE_LIT("world")));
    buf_consume(&b, 0);
    assert_int_equal(b.len, 5);
    buf_consume(&b, 5);
    assert_int_equal(b.len, 0);
    assert_true(buf_append_slice(&b, SLICE_LIT("again")));
    assert_true(slice_equal(buf_slice(&b), SLICE_LIT("again")));
    buf_deinit(&b);
}

static void buf_reserve_makes_room_that_grow_len_counts(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    assert_true(buf_reserve(&b, 600));
    assert_true(b.cap - b.len >= 600);
    memset(b.p, 'y', 600);
    buf_grow_len(&b, 600);
    assert_int_equal(b.len, 600);
    assert_false(buf_reserve(&b, 401));
    assert_true(buf_reserve(&b, 400));
    buf_deinit(&b);
}

static void buf_printf_fills_exactly_to_the_maximum(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 5);
    assert_true(buf_printf(&b, "%s", "12345"));
    assert_true(slice_equal(buf_slice(&b), SLICE_LIT("12345")));
    assert_int_equal(b.cap, 5);
    buf_deinit(&b);
    buf_init(&b, 2000);
    char long_text[1001];
    memset(long_text, 'z', 1000);
    long_text[1000] = '\0';
    assert_true(buf_printf(&b, "%s-%d", long_text, 42));
    assert_int_equal(b.len, 1003);
    assert_memory_equal(b.p + 1000, "-42", 3);
    buf_deinit(&b);
}

static void buf_release_keeps_the_maximum(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    assert_true(buf_append(&b, "123", 3));
    buf_release(&b);
    assert_null(b.p);
    assert_int_equal(b.len, 0);
    assert_false(buf_append(&b, "12345678901", 11));
    assert_true(buf_append(&b, "1234567890", 10));
    buf_deinit(&b);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_fresh_has_no_memory),
        cmocka_unit_test(buf_append_keeps_every_byte),
        cmocka_unit_test(buf_at_maximum_refuses_and_keeps),
        cmocka_unit_test(buf_consume_moves_the_rest_to_the_front),
        cmocka_unit_test(buf_reserve_makes_room_that_grow_len_counts),
        cmocka_unit_test(buf_printf_fills_exactly_to_the_maximum),
        cmocka_unit_test(buf_release_keeps_the_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
