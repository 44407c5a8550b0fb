/* Pieces of memory of up to a page in thirty-two sizes, each with a list of free ones: what a Lua
 * state asks for and drops thousands of times a second. Taking and giving back is a pop and a push,
 * where malloc and free cost ten times as much.
 *
 * The size is told when a cell is given back, as lua_Alloc does, so a cell has no header. Free
 * cells are reused and never given to the system before cells_deinit: what is kept is the most
 * there ever was of each size. They lie in pages of their own (base/pages.h), so cells_deinit
 * leaves nothing behind between the pieces of others: states come and go with each reload.
 *
 * `apart` makes every cell a malloc of its own: for AddressSanitizer, which then finds what is used
 * after it was given back.
 *
 * Owner: the struct is the caller's; its memory is all given back by cells_deinit. Thread: one at a
 * time. Cost: no memory until the first cell, then blocks of CELLS_BLOCK_BYTES and more, of which
 * only the pages that were cut take memory. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

/* What to pass as `apart`. */
#if defined(__SANITIZE_ADDRESS__)
#define CELLS_APART true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CELLS_APART true
#endif
#endif
#ifndef CELLS_APART
#define CELLS_APART false
#endif

enum {
    CELLS_STEP = 16,        /* sizes are multiples of it, and cells lie at multiples of it */
    CELLS_FINE_BYTES = 256, /* up to here each multiple is a size, */
    CELLS_BYTES_MAX = 4096, /* then there are four to a doubling; a longer piece is not a cell */
    CELLS_SIZE_COUNT = CELLS_FINE_BYTES / CELLS_STEP + 4 * 4,
    CELLS_BLOCK_BYTES = 64 * 1024, /* the first block; the next ones as much as there is already, */
    CELLS_BLOCK_BYTES_MAX = 1024 * 1024, /* or this */
    /* A piece from malloc that may come to be a cell (cells_adopt) has at least this many bytes. */
    CELLS_ADOPT_BYTES_MIN = CELLS_BYTES_MAX + (int)sizeof(void *)
};

/* A free cell. */
struct cell {
    struct cell *next;
};

struct cells_block;

struct cells {
    struct cell *free[CELLS_SIZE_COUNT]; /* by size, newest first */
    char *next, *end;                    /* what has not been cut yet of the newest block */
    struct cells_block *blocks;          /* newest first */
    size_t block_bytes;                  /* of all of them */
    void *adopted;                       /* newest first; linked behind CELLS_BYTES_MAX bytes */
    bool apart;                          /* each cell is a malloc of its own */
};

/* Empty, without memory. */
void cells_init(struct cells *c, bool apart);

/* Gives the memory back. Every cell must be back. */
void cells_deinit(struct cells *c);

/* Which of the sizes holds that many bytes. */
static inline unsigned cells_size(size_t bytes)
{
    assert(bytes > 0 && bytes <= CELLS_BYTES_MAX);
    if (bytes <= CELLS_FINE_BYTES) {
        return (unsigned)((bytes - 1) / CELLS_STEP);
    }
    unsigned power = 31 - (unsigned)__builtin_clz((unsigned)bytes - 1); /* of 2: 8 to 11 */
    unsigned quarter = (unsigned)(bytes - 1) >> (power - 2);            /* 4 to 7 */
    return CELLS_FINE_BYTES / CELLS_STEP + (power - 8) * 4 + quarter - 4;
}

/* A cell that was given back; NULL: none of that size is free. bytes: 1 to CELLS_BYTES_MAX. Not
 * cleared. */
static inline void *cells_reuse(struct cells *c, size_t bytes)
{
    struct cell **first = &c->free[cells_size(bytes)];
    struct cell *cell = *first;
    if (cell != NULL) {
        *first = cell->next;
    }
    return cell;
}

/* A cell that nobody has had yet. bytes as above. Not cleared. NULL: no memory. */
void *cells_cut(struct cells *c, size_t bytes);

/* Either of them. NULL: no memory. */
static inline void *cells_take(struct cells *c, size_t bytes)
{
    void *p = cells_reuse(c, bytes);
    return p != NULL ? p : cells_cut(c, bytes);
}

/* A cell that was taken for that many bytes, or for others of the same size
 * (cells_is_same_size). */
static inline void cells_give(struct cells *c, void *p, size_t bytes)
{
    assert(p != NULL && bytes > 0 && bytes <= CELLS_BYTES_MAX);
    if (c->apart) {
        free(p);
        return;
    }
    struct cell *cell = p;
    struct cell **first = &c->free[cells_size(bytes)];
    cell->next = *first;
    *first = cell;
}

/* Makes a piece from malloc, of CELLS_ADOPT_BYTES_MIN or more, a cell: for one that must shrink
 * when there is no memory to move it to. */
void cells_adopt(struct cells *c, void *p);

/* Whether a cell of `a` bytes can serve for `b` as it is. Both 1 to CELLS_BYTES_MAX. */
static inline bool cells_is_same_size(const struct cells *c, size_t a, size_t b)
{
    return !c->apart && cells_size(a) == cells_size(b);
}
