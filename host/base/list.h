/* Doubly linked list whose links live inside the items: no allocation, O(1) everywhere.
 *
 * Owner: the items belong to somebody else and must stay alive while linked. Thread: one at a time.
 * A node is in at most one list. It is zeroed before its first use; removing zeroes it again. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *prev, *next; /* both NULL while in no list */
};

struct list {
    struct list_node head; /* head.next is the first node, head.prev the last; a ring */
};

/* The item that holds the node: LIST_ITEM(node, struct conn, idle_node). */
#define LIST_ITEM(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Walks the nodes. The current node may be removed (and its item freed) in the body; no other node
 * may. struct list_node *node, *next; LIST_FOREACH_SAFE(node, next, &list) { ... } */
#define LIST_FOREACH_SAFE(node, next_node, list)                                                   \
    for ((node) = (list)->head.next, (next_node) = (node)->next; (node) != &(list)->head;          \
         (node) = (next_node), (next_node) = (node)->next)

static inline void list_init(struct list *l)
{
    l->head.prev = l->head.next = &l->head;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->head.next == &l->head;
}

static inline bool list_is_linked(const struct list_node *node)
{
    return node->next != NULL;
}

/* NULL when the list is empty. */
static inline struct list_node *list_first(const struct list *l)
{
    return list_is_empty(l) ? NULL : l->head.next;
}

static inline void list_insert_between(struct list_node *node, struct list_node *prev,
                                       struct list_node *next)
{
    assert(node->prev == NULL && node->next == NULL);
    node->prev = prev;
    node->next = next;
    prev->next = node;
    next->prev = node;
}

static inline void list_push_back(struct list *l, struct list_node *node)
{
    list_insert_between(node, l->head.prev, &l->head);
}

static inline void list_push_front(struct list *l, struct list_node *node)
{
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cannot see that what was freed left its list */
    list_insert_between(node, &l->head, l->head.next);
}

/* Harmless on a node that is in no list. */
static inline void list_remove(struct list_node *node)
{
    if (node->next != NULL) {
        node->prev->next = node->next;
        node->next->prev = node->prev;
        node->prev = node->next = NULL;
    }
}

/* NULL when the list is empty. */
static inline struct list_node *list_pop_front(struct list *l)
{
    struct list_node *node = l->head.next;
    if (list_is_empty(l)) {
        return NULL;
    }
    /* Not list_remove: an analyser sees here that the list no longer holds the node. */
    l->head.next = node->next;
    node->next->prev = &l->head;
    node->prev = node->next = NULL;
    return node;
}
