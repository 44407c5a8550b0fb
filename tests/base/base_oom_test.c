/* Each allocation of buf, arena and slots fails once: the caller is told, and nothing has changed.
 */
#include "support/cmocka_all.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/slots.h"
#include "support/failmalloc.h"

/* Appends until done or refused; the bytes before a refusal are whole. */
static bool fill_buf(struct buf *b)
{
    for (int i = 0; i < 2000; i++) {
        size_t before = b->len;
        bool done = i % 10 == 0 ? buf_printf(b, "%0300d", i) : buf_append(b, "0123456789", 10);
        if (!done) {
            assert_int_equal(b->len, before);
            return false;
        }
    }
    return true;
}

static void buf_without_memory_is_unchanged(void **state)
{
    (void)state;
    for (size_t nth = 1;; nth++) {
        struct buf b;
        buf_init(&b, 1 << 20);
        failmalloc_arm(nth);
        bool done = fill_buf(&b);
        bool failed = failmalloc_disarm();
        assert_int_equal(done, !failed);
        assert_true(buf_append(&b, "more", 4));
        assert_memory_equal(b.p + b.len - 4, "more", 4);
        buf_deinit(&b);
        if (!failed) {
            assert_true(nth > 5);
            break;
        }
    }
}

static bool fill_arena(struct arena *a)
{
    for (size_t i = 1; i < 200; i++) {
        void *p = i % 20 == 0 ? arena_copy(a, SLICE_LIT("text")).p == NULL ? NULL : a
                              : arena_alloc(a, i * 7, 16);
        if (p == NULL) {
            return false;
        }
    }
    return true;
}

static void arena_without_memory_can_go_on(void **state)
{
    (void)state;
    for (size_t nth = 1;; nth++) {
        struct arena a;
        arena_init(&a, 512, 1 << 20);
        failmalloc_arm(nth);
        bool done = fill_arena(&a);
        bool failed = failmalloc_disarm();
        assert_int_equal(done, !failed);
        assert_true(fill_arena(&a));
        arena_reset(&a);
        assert_true(a.bytes <= 512);
        arena_deinit(&a);
        if (!failed) {
            assert_true(nth > 5);
            break;
        }
    }
}

static void slots_without_memory_keep_their_items(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    static int items[COUNT];
    for (size_t nth = 1;; nth++) {
        struct slots s;
        slots_init(&s, COUNT);
        uint64_t ids[COUNT] = {0};
        size_t refused = 0;
        failmalloc_arm(nth);
        for (size_t i = 0; i < COUNT; i++) {
            ids[i] = slots_insert(&s, &items[i]);
            refused += ids[i] == 0;
        }
        bool failed = failmalloc_disarm();
        assert_int_equal(refused, failed ? 1 : 0);
        assert_int_equal(slots_count(&s), COUNT - refused);
        for (size_t i = 0; i < COUNT; i++) {
            assert_ptr_equal(slots_get(&s, ids[i]), ids[i] == 0 ? NULL : &items[i]);
        }
        slots_deinit(&s);
        if (!failed) {
            assert_true(nth > 5);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_without_memory_is_unchanged),
        cmocka_unit_test(arena_without_memory_can_go_on),
        cmocka_unit_test(slots_without_memory_keep_their_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
