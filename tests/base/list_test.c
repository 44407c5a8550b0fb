#include "support/cmocka_all.h"

#include "base/list.h"

struct thing {
    int number;
    struct list_node node;
};

static void check_order(const struct list *l, const int *expected, size_t count)
{
    size_t i = 0;
    for (const struct list_node *node = l->head.next; node != &l->head; node = node->next) {
        assert_true(i < count);
        assert_int_equal(LIST_ITEM(node, struct thing, node)->number, expected[i++]);
        assert_ptr_equal(node->next->prev, node);
    }
    assert_int_equal(i, count);
}

static void list_push_and_pop_keep_order(void **state)
{
    (void)state;
    struct list l;
    list_init(&l);
    assert_true(list_is_empty(&l));
    assert_null(list_pop_front(&l));
    struct thing things[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    assert_false(list_is_linked(&things[0].node));
    list_push_back(&l, &things[1].node);
    list_push_back(&l, &things[2].node);
    list_push_front(&l, &things[0].node);
    list_push_back(&l, &things[3].node);
    check_order(&l, (const int[]){0, 1, 2, 3}, 4);
    assert_true(list_is_linked(&things[0].node));
    assert_ptr_equal(list_first(&l), &things[0].node);
    assert_ptr_equal(list_pop_front(&l), &things[0].node);
    assert_false(list_is_linked(&things[0].node));
    check_order(&l, (const int[]){1, 2, 3}, 3);
}

static void list_remove_from_anywhere_and_twice(void **state)
{
    (void)state;
    struct list l;
    list_init(&l);
    struct thing things[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    for (int i = 0; i < 3; i++) {
        list_push_back(&l, &things[i].node);
    }
    list_remove(&things[1].node);
    list_remove(&things[1].node);
    check_order(&l, (const int[]){0, 2}, 2);
    list_remove(&things[2].node);
    list_remove(&things[0].node);
    assert_true(list_is_empty(&l));
    list_push_back(&l, &things[1].node);
    check_order(&l, (const int[]){1}, 1);
}

static void list_foreach_survives_removal_of_the_current(void **state)
{
    (void)state;
    struct list l;
    list_init(&l);
    struct thing things[6] = {{.number = 0}, {.number = 1}, {.number = 2},
                              {.number = 3}, {.number = 4}, {.number = 5}};
    for (int i = 0; i < 6; i++) {
        list_push_back(&l, &things[i].node);
    }
    int visits = 0;
    struct list_node *node = NULL, *next = NULL;
    LIST_FOREACH_SAFE(node, next, &l)
    {
        visits++;
        if (LIST_ITEM(node, struct thing, node)->number % 2 == 0) {
            list_remove(node);
        }
    }
    assert_int_equal(visits, 6);
    check_order(&l, (const int[]){1, 3, 5}, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_push_and_pop_keep_order),
        cmocka_unit_test(list_remove_from_anywhere_and_twice),
        cmocka_unit_test(list_foreach_survives_removal_of_the_current),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
