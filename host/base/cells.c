#include "base/cells.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/pages.h"

static_assert(CELLS_BLOCK_BYTES % PAGES_UNIT_BYTES == 0, "blocks are made of pages");

struct cells_block {
    alignas(CELLS_STEP) struct cells_block *next;
    size_t bytes;
};

void cells_init(struct cells *c, bool apart)
{
    *c = (struct cells){.apart = apart};
}

static void **adopted_link(void *p)
{
    return (void **)(void *)((char *)p + CELLS_BYTES_MAX);
}

void cells_deinit(struct cells *c)
{
    while (c->blocks != NULL) {
        struct cells_block *block = c->blocks;
        c->blocks = block->next;
        pages_give(block, block->bytes);
    }
    while (c->adopted != NULL) {
        void *p = c->adopted;
        c->adopted = *adopted_link(p);
        free(p);
    }
    *c = (struct cells){.apart = c->apart};
}

/* What the sizes above CELLS_FINE_BYTES are multiples of, for one between this power of two and the
 * next. */
static size_t coarse_step(unsigned power)
{
    return (size_t)1 << (power - 2);
}

/* How long a cell for that many bytes is. */
static size_t round_up(size_t bytes)
{
    size_t step = CELLS_STEP;
    if (bytes > CELLS_FINE_BYTES) {
        step = coarse_step(31 - (unsigned)__builtin_clz((unsigned)bytes - 1));
    }
    return (bytes + step - 1) / step * step;
}

/* The longest size that fits into that many bytes. */
static size_t round_down(size_t bytes)
{
    size_t step = CELLS_STEP;
    if (bytes > CELLS_FINE_BYTES) {
        step = coarse_step(31 - (unsigned)__builtin_clz((unsigned)bytes));
    }
    return bytes / step * step;
}

/* What is left of a block becomes free cells. */
static void use_up(struct cells *c)
{
    while (c->next < c->end) {
        size_t bytes = round_down((size_t)(c->end - c->next));
        cells_give(c, c->next, bytes);
        c->next += bytes;
    }
}

static bool add_block(struct cells *c)
{
    size_t bytes = c->block_bytes < CELLS_BLOCK_BYTES ? CELLS_BLOCK_BYTES : c->block_bytes;
    bytes = bytes < CELLS_BLOCK_BYTES_MAX ? bytes : CELLS_BLOCK_BYTES_MAX;
    struct cells_block *block = pages_take(bytes);
    if (block == NULL) {
        return false;
    }
    use_up(c);
    block->next = c->blocks;
    block->bytes = bytes;
    c->blocks = block;
    c->block_bytes += bytes;
    c->next = (char *)(block + 1);
    c->end = (char *)block + bytes;
    return true;
}

void *cells_cut(struct cells *c, size_t bytes)
{
    assert(bytes > 0 && bytes <= CELLS_BYTES_MAX);
    if (c->apart) {
        return malloc(bytes);
    }
    size_t whole = round_up(bytes);
    if ((size_t)(c->end - c->next) < whole && !add_block(c)) {
        return NULL;
    }
    char *p = c->next;
    c->next += whole;
    return p;
}

void cells_adopt(struct cells *c, void *p)
{
    if (!c->apart) {
        *adopted_link(p) = c->adopted;
        c->adopted = p;
    }
}
