/* A table of pointers behind 64-bit ids, so that a stale id is answered "gone" and never means
 * another thing.
 *
 *   id = generation << 32 | index        generation counts 1, 2, 3 ... for each index
 *
 * An id is never 0 and never given twice: removing raises the generation of its place; a place
 * whose generation has been through all 2^32 - 1 values is retired. Free places are reused newest
 * first.
 *
 * Owner: the struct is the caller's; the items are not the table's. Thread: one at a time.
 * Cost: 16 bytes a place, doubling on demand; every call O(1), slots_next O(places). */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct slots_place {
    void *item;          /* NULL: free or retired */
    uint32_t generation; /* of the item here, or of the next one; 0: retired */
    uint32_t next_free;  /* index of the next free place */
};

struct slots {
    struct slots_place *places;
    uint32_t places_used; /* places that ever held an item */
    uint32_t places_cap;  /* places allocated */
    uint32_t first_free;  /* UINT32_MAX: none */
    uint32_t places_retired;
    uint32_t count;     /* items now */
    uint32_t count_max; /* items (and places in use) at most */
};

/* Empty, without memory. count_max: items held at once, at least 1, below UINT32_MAX. */
void slots_init(struct slots *s, size_t count_max);

/* Gives the memory back. The items are the caller's business. Harmless on a zeroed table. */
void slots_deinit(struct slots *s);

/* Returns the item's id, or 0: count_max items are held already, or no memory. item: not NULL. */
uint64_t slots_insert(struct slots *s, void *item);

/* Takes the item out; its id means nothing from now on. NULL: the id means nothing already. */
void *slots_remove(struct slots *s, uint64_t id);

/* Walks the items in order of place: set *cursor to 0, call until NULL. The item just returned may
 * be removed; items inserted while walking may or may not be seen. */
void *slots_next(const struct slots *s, size_t *cursor);

/* The item behind the id, or NULL for an id that was never given or whose item was removed. */
static inline void *slots_get(const struct slots *s, uint64_t id)
{
    uint32_t index = (uint32_t)id;
    uint32_t generation = (uint32_t)(id >> 32);
    if (index >= s->places_used || s->places[index].generation != generation) {
        return NULL;
    }
    return s->places[index].item; /* NULL in a retired place, which an id of generation 0 meets */
}

static inline size_t slots_count(const struct slots *s)
{
    return s->count;
}
