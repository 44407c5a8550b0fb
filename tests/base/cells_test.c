#include "support/cmocka_all.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cells.h"

enum { PIECES = 4000 };

static size_t size_of(unsigned i)
{
    return 1 + i * 37 % (i % 8 == 0 ? CELLS_BYTES_MAX : CELLS_FINE_BYTES);
}

static void check_apart_and_aligned(bool apart)
{
    struct cells c;
    unsigned char *taken[PIECES];
    cells_init(&c, apart);
    for (unsigned i = 0; i < PIECES; i++) {
        taken[i] = cells_take(&c, size_of(i));
        assert_non_null(taken[i]);
        assert_int_equal((uintptr_t)taken[i] % CELLS_STEP, 0);
        memset(taken[i], (int)(i & 0xFF), size_of(i));
    }
    for (unsigned i = 0; i < PIECES; i++) {
        for (size_t k = 0; k < size_of(i); k++) {
            assert_int_equal(taken[i][k], i & 0xFF);
        }
        cells_give(&c, taken[i], size_of(i));
    }
    cells_deinit(&c);
}

static void cells_taken_are_apart_and_aligned(void **state)
{
    (void)state;
    check_apart_and_aligned(false);
    check_apart_and_aligned(true);
}

static void cells_given_back_serve_again(void **state)
{
    (void)state;
    struct cells c;
    cells_init(&c, false);
    for (size_t bytes = 1; bytes <= CELLS_BYTES_MAX; bytes++) {
        void *first = cells_take(&c, bytes);
        cells_give(&c, first, bytes);
        assert_ptr_equal(cells_take(&c, bytes), first);
        cells_give(&c, first, bytes);
    }
    cells_deinit(&c);
    assert_null(c.blocks);
}

/* Whether no longer piece has the same size. */
static bool cells_is_longest(size_t bytes)
{
    return bytes == CELLS_BYTES_MAX || cells_size(bytes) != cells_size(bytes + 1);
}

static void cells_sizes_are_in_order(void **state)
{
    (void)state;
    unsigned at = 0;
    for (size_t bytes = 1; bytes <= CELLS_BYTES_MAX; bytes++) {
        assert_int_equal(cells_size(bytes), at);
        at += cells_is_longest(bytes) ? 1 : 0;
    }
    assert_int_equal(at, CELLS_SIZE_COUNT);
    assert_int_equal(cells_size(CELLS_FINE_BYTES), CELLS_FINE_BYTES / CELLS_STEP - 1);
    assert_int_equal(cells_size(320), cells_size(257));
    assert_int_equal(cells_size(321), cells_size(320) + 1);
}

/* However much there is, in blocks that grow; and all of it goes back. */
static void cells_blocks_grow_up_to_a_bound(void **state)
{
    (void)state;
    struct cells c;
    cells_init(&c, false);
    for (size_t bytes = 0; bytes < (size_t)8 * CELLS_BLOCK_BYTES_MAX; bytes += CELLS_BYTES_MAX) {
        char *p = cells_take(&c, CELLS_BYTES_MAX);
        assert_non_null(p);
        p[0] = p[CELLS_BYTES_MAX - 1] = 'x';
    }
    assert_in_range(c.block_bytes, 8 * CELLS_BLOCK_BYTES_MAX, 10 * CELLS_BLOCK_BYTES_MAX);
    cells_deinit(&c);
    assert_null(c.blocks);
    assert_int_equal(c.block_bytes, 0);
}

/* A block's last bytes, too few for what was asked, are not lost. */
static void cells_rest_of_a_block_is_used(void **state)
{
    (void)state;
    struct cells c;
    cells_init(&c, false);
    assert_non_null(cells_take(&c, 1));
    while (c.end - c.next >= CELLS_BYTES_MAX) {
        assert_non_null(cells_take(&c, CELLS_BYTES_MAX));
    }
    char *rest = c.next;
    size_t left = (size_t)(c.end - c.next), found = 0;
    assert_true(left > CELLS_FINE_BYTES);
    assert_non_null(cells_take(&c, CELLS_BYTES_MAX));
    for (size_t bytes = CELLS_BYTES_MAX; bytes >= CELLS_STEP; bytes -= CELLS_STEP) {
        char *cell = cells_is_longest(bytes) ? cells_reuse(&c, bytes) : NULL;
        if (cell != NULL) {
            assert_true(cell >= rest && cell + bytes <= rest + left);
            memset(cell, 0xAA, bytes);
            found += bytes;
        }
    }
    assert_int_equal(found, left);
    cells_deinit(&c);
}

static void cells_same_size_is_a_step(void **state)
{
    (void)state;
    struct cells c;
    cells_init(&c, false);
    assert_true(cells_is_same_size(&c, 1, CELLS_STEP));
    assert_false(cells_is_same_size(&c, CELLS_STEP, CELLS_STEP + 1));
    assert_true(cells_is_same_size(&c, CELLS_BYTES_MAX * 7 / 8 + 1, CELLS_BYTES_MAX));
    assert_false(cells_is_same_size(&c, CELLS_BYTES_MAX * 7 / 8, CELLS_BYTES_MAX));
    cells_init(&c, true);
    assert_false(cells_is_same_size(&c, 1, CELLS_STEP));
}

static void cells_adopted_piece_is_freed(void **state)
{
    (void)state;
    struct cells c;
    cells_init(&c, false);
    void *p = malloc(CELLS_ADOPT_BYTES_MIN);
    assert_non_null(p);
    cells_adopt(&c, p);
    cells_give(&c, p, 40);
    assert_ptr_equal(cells_take(&c, 33), p);
    cells_deinit(&c); /* AddressSanitizer would tell */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_taken_are_apart_and_aligned),
        cmocka_unit_test(cells_given_back_serve_again),
        cmocka_unit_test(cells_sizes_are_in_order),
        cmocka_unit_test(cells_blocks_grow_up_to_a_bound),
        cmocka_unit_test(cells_rest_of_a_block_is_used),
        cmocka_unit_test(cells_same_size_is_a_step),
        cmocka_unit_test(cells_adopted_piece_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
