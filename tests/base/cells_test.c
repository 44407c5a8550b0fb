#include "support/cmocka_all.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cells.h"

enum { PIECES = 4000 };

static size_t size_of(unsigned i)
{
    return 1 + i * 37 % CELLS_BYTES_MAX;
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

/* A block's last bytes, too few for what was asked, are not lost. */
static void cells_rest_of_a_block_is_used(void **state)
{
    (void)state;
    struct cells c;
    cells_init(&c, false);
    assert_non_null(cells_take(&c, CELLS_BYTES_MAX));
    while (c.end - c.next >= CELLS_BYTES_MAX) {
        assert_non_null(cells_take(&c, CELLS_BYTES_MAX));
    }
    char *rest = c.next;
    size_t left = (size_t)(c.end - c.next);
    assert_true(left > 0);
    assert_non_null(cells_take(&c, CELLS_BYTES_MAX));
    assert_ptr_equal(cells_take(&c, left), rest);
    cells_deinit(&c);
}

static void cells_same_size_is_a_step(void **state)
{
    (void)state;
    struct cells c;
    cells_init(&c, false);
    assert_true(cells_is_same_size(&c, 1, CELLS_STEP));
    assert_false(cells_is_same_size(&c, CELLS_STEP, CELLS_STEP + 1));
    assert_true(cells_is_same_size(&c, CELLS_BYTES_MAX - CELLS_STEP + 1, CELLS_BYTES_MAX));
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
        cmocka_unit_test(cells_rest_of_a_block_is_used),
        cmocka_unit_test(cells_same_size_is_a_step),
        cmocka_unit_test(cells_adopted_piece_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
