/* Memory that is given back all at once: a pointer that moves up through a chain of blocks.
 *
 * Owner: the struct is the caller's; what it hands out lives until arena_reset or arena_deinit.
 * Thread: one at a time.
 * Cost: no memory until the first allocation, then an addition and a comparison each. A request
 * larger than a quarter of a block gets a block of its own, so the rest of the current block is not
 * wasted. */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct arena_block;

struct arena {
    char *next;                /* first free byte of the current block; NULL before the first one */
    char *end;                 /* end of the current block */
    struct arena_block *first; /* kept by arena_reset */
    struct arena_block *more;  /* every other block, newest first */
    size_t block_bytes;        /* size of an ordinary block */
    size_t bytes_max;          /* of all blocks together */
    size_t bytes;              /* of all blocks now */
};

/* block_bytes: what the arena asks malloc for at a time (at least 64). bytes_max: never more than
 * this in all. */
void arena_init(struct arena *a, size_t block_bytes, size_t bytes_max);

/* Forgets every allocation. Keeps the first ordinary block. */
void arena_reset(struct arena *a);

/* Gives all memory back. Harmless on a zeroed arena, and twice. */
void arena_deinit(struct arena *a);

/* The part of arena_alloc behind the fast path; call arena_alloc. */
void *arena_alloc_slow(struct arena *a, size_t n, size_t align);

/* n bytes, not cleared, at a multiple of align (a power of two, at most 64). n may be 0: the
 * address is then not to be used. NULL: the maximum would be passed, or no memory. */
static inline void *arena_alloc(struct arena *a, size_t n, size_t align)
{
    assert(align > 0 && align <= 64 && (align & (align - 1)) == 0);
    size_t skip = (size_t)(-(uintptr_t)a->next & (align - 1));
    size_t room = (size_t)((uintptr_t)a->end - (uintptr_t)a->next);
    if (a->next == NULL || skip > room || n > room - skip) {
        return arena_alloc_slow(a, n, align);
    }
    char *p = a->next + skip;
    a->next = p + n;
    return p;
}

/* A copy of s with a NUL behind it (not counted in len). p is NULL when there is no room, never
 * otherwise. */
struct slice arena_copy(struct arena *a, struct slice s);
