#include "support/cmocka_all.h"

#include <stdalign.h>

#include "base/arena.h"

enum { BLOCK = 1024 };

static void arena_alloc_is_aligned_and_apart(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, BLOCK, 1 << 20);
    unsigned char *taken[600];
    size_t sizes[600];
    for (unsigned i = 0; i < 600; i++) {
        size_t align = (size_t)1 << (i % 7);
        sizes[i] = i % 50 + (i % 97 == 0 ? 2000 : 0);
        taken[i] = arena_alloc(&a, sizes[i], align);
        assert_non_null(taken[i]);
        assert_int_equal((uintptr_t)taken[i] & (align - 1), 0);
        memset(taken[i], (int)(i & 0xFF), sizes[i]);
    }
    for (unsigned i = 0; i < 600; i++) {
        for (size_t k = 0; k < sizes[i]; k++) {
            assert_int_equal(taken[i][k], i & 0xFF);
        }
    }
    arena_deinit(&a);
}

static void arena_past_its_maximum_refuses(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, BLOCK, 4096);
    assert_null(arena_alloc(&a, SIZE_MAX - 2, 64));
    size_t total = 0;
    while (arena_alloc(&a, 100, 1) != NULL) {
        total += 100;
        assert_true(total <= 4096);
    }
    assert_true(total >= 3000);
    assert_true(a.bytes <= 4096);
    assert_null(arena_alloc(&a, 5000, 1));
    assert_null(arena_alloc(&a, SIZE_MAX, 8));
    assert_null(arena_alloc(&a, SIZE_MAX - 8, 8));
    arena_deinit(&a);
}

static void arena_reset_keeps_the_first_block_only(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, BLOCK, 1 << 20);
    char *first = arena_alloc(&a, 10, 1);
    for (int i = 0; i < 100; i++) {
        assert_non_null(arena_alloc(&a, 200, 1));
    }
    assert_non_null(arena_alloc(&a, 9000, 1));
    arena_reset(&a);
    assert_int_equal(a.bytes, BLOCK);
    assert_ptr_equal(arena_alloc(&a, 10, 1), first);
    arena_deinit(&a);
    arena_deinit(&a);
}

static void arena_large_request_leaves_the_current_block(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, BLOCK, 1 << 20);
    char *before = arena_alloc(&a, 8, 1);
    assert_non_null(arena_alloc(&a, 1001, 1));
    char *after = arena_alloc(&a, 8, 1);
    assert_ptr_equal(after, before + 8);
    arena_deinit(&a);
}

static void arena_reset_before_any_allocation_is_harmless(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, BLOCK, 1 << 20);
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 5000, 16));
    arena_reset(&a);
    assert_int_equal(a.bytes, 0);
    assert_non_null(arena_alloc(&a, 0, 1));
    arena_deinit(&a);
}

static void arena_copy_ends_in_nul(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, BLOCK, 1 << 12);
    struct slice copy = arena_copy(&a, SLICE_LIT("some\0text"));
    assert_true(slice_equal(copy, SLICE_LIT("some\0text")));
    assert_int_equal(copy.p[copy.len], 0);
    struct slice empty = arena_copy(&a, slice_make(NULL, 0));
    assert_non_null(empty.p);
    assert_int_equal(empty.len, 0);
    assert_int_equal(empty.p[0], 0);
    char big[5000] = {0};
    assert_null(arena_copy(&a, slice_make(big, sizeof big)).p);
    arena_deinit(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_alloc_is_aligned_and_apart),
        cmocka_unit_test(arena_past_its_maximum_refuses),
        cmocka_unit_test(arena_reset_keeps_the_first_block_only),
        cmocka_unit_test(arena_large_request_leaves_the_current_block),
        cmocka_unit_test(arena_reset_before_any_allocation_is_harmless),
        cmocka_unit_test(arena_copy_ends_in_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
