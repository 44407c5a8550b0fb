#include "support/cmocka_all.h"

#include "base/slots.h"

static int items[2000];

static void slots_unknown_id_is_nobody(void **state)
{
    (void)state;
    struct slots s;
    slots_init(&s, 10);
    assert_null(slots_get(&s, 0));
    assert_null(slots_get(&s, 1));
    assert_null(slots_get(&s, UINT64_MAX));
    assert_null(slots_remove(&s, UINT64_C(1) << 32));
    uint64_t id = slots_insert(&s, &items[0]);
    assert_int_not_equal(id, 0);
    assert_null(slots_get(&s, 0));
    assert_null(slots_get(&s, id + 1));
    assert_null(slots_get(&s, id + (UINT64_C(1) << 32)));
    slots_deinit(&s);
}

static void slots_removed_id_stays_dead_when_its_place_is_reused(void **state)
{
    (void)state;
    struct slots s;
    slots_init(&s, 10);
    uint64_t old = slots_insert(&s, &items[0]);
    assert_ptr_equal(slots_remove(&s, old), &items[0]);
    assert_null(slots_remove(&s, old));
    uint64_t new = slots_insert(&s, &items[1]);
    assert_int_equal((uint32_t)old, (uint32_t) new);
    assert_int_not_equal(old, new);
    assert_null(slots_get(&s, old));
    assert_ptr_equal(slots_get(&s, new), &items[1]);
    slots_deinit(&s);
}

static void slots_full_refuses_until_one_goes(void **state)
{
    (void)state;
    struct slots s;
    slots_init(&s, 100);
    uint64_t ids[100];
    for (int i = 0; i < 100; i++) {
        ids[i] = slots_insert(&s, &items[i]);
        assert_int_not_equal(ids[i], 0);
    }
    assert_int_equal(slots_insert(&s, &items[100]), 0);
    assert_int_equal(slots_count(&s), 100);
    assert_ptr_equal(slots_remove(&s, ids[50]), &items[50]);
    assert_int_not_equal(slots_insert(&s, &items[100]), 0);
    assert_int_equal(slots_insert(&s, &items[101]), 0);
    for (int i = 0; i < 100; i++) {
        assert_ptr_equal(slots_get(&s, ids[i]), i == 50 ? NULL : &items[i]);
    }
    slots_deinit(&s);
}

/* Random inserting and removing against a plain list of all ids ever given. */
static void slots_random_use_never_repeats_an_id(void **state)
{
    (void)state;
    enum { STEPS = 4000 };
    struct slots s;
    slots_init(&s, 50);
    uint64_t ids[STEPS];
    int held[STEPS];
    int given = 0, count = 0;
    uint32_t random = 1;
    for (int step = 0; step < STEPS; step++) {
        random = random * 1664525u + 1013904223u;
        if ((random >> 16) % 2 == 0 || given == 0) {
            uint64_t id = slots_insert(&s, &items[step % 2000]);
            assert_int_equal(id == 0, count == 50);
            if (id != 0) {
                for (int i = 0; i < given; i++) {
                    assert_true(ids[i] != id);
                }
                ids[given] = id;
                held[given++] = 1;
                count++;
            }
        } else {
            int i = (int)((random >> 8) % (unsigned)given);
            assert_int_equal(slots_remove(&s, ids[i]) != NULL, held[i]);
            count -= held[i];
            held[i] = 0;
        }
        assert_int_equal(slots_count(&s), count);
    }
    slots_deinit(&s);
}

static void slots_worn_out_place_is_retired(void **state)
{
    (void)state;
    struct slots s;
    slots_init(&s, 1);
    uint64_t first = slots_insert(&s, &items[0]);
    assert_non_null(slots_remove(&s, first));
    s.places[0].generation = UINT32_MAX; /* as after 2^32 - 2 more rounds */
    uint64_t last = slots_insert(&s, &items[1]);
    assert_ptr_equal(slots_get(&s, last), &items[1]);
    assert_int_equal(slots_insert(&s, &items[2]), 0);
    assert_non_null(slots_remove(&s, last));
    /* Generation 0 must not answer, and the place is not given again. */
    assert_null(slots_get(&s, 0));
    uint64_t other = slots_insert(&s, &items[2]);
    assert_int_not_equal(other, 0);
    assert_int_not_equal((uint32_t)other, (uint32_t)last);
    assert_ptr_equal(slots_get(&s, other), &items[2]);
    assert_null(slots_get(&s, last));
    slots_deinit(&s);
}

static void slots_next_sees_each_once_and_allows_removal(void **state)
{
    (void)state;
    struct slots s;
    slots_init(&s, 100);
    uint64_t ids[40];
    for (int i = 0; i < 40; i++) {
        items[i] = i;
        ids[i] = slots_insert(&s, &items[i]);
    }
    for (int i = 0; i < 40; i += 3) {
        assert_non_null(slots_remove(&s, ids[i]));
    }
    int seen[40] = {0};
    size_t cursor = 0;
    for (int *item = NULL; (item = slots_next(&s, &cursor)) != NULL;) {
        seen[*item]++;
        assert_ptr_equal(slots_remove(&s, ids[*item]), item);
    }
    for (int i = 0; i < 40; i++) {
        assert_int_equal(seen[i], i % 3 == 0 ? 0 : 1);
    }
    assert_int_equal(slots_count(&s), 0);
    slots_deinit(&s);
    slots_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_unknown_id_is_nobody),
        cmocka_unit_test(slots_removed_id_stays_dead_when_its_place_is_reused),
        cmocka_unit_test(slots_full_refuses_until_one_goes),
        cmocka_unit_test(slots_random_use_never_repeats_an_id),
        cmocka_unit_test(slots_worn_out_place_is_retired),
        cmocka_unit_test(slots_next_sees_each_once_and_allows_removal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
