#include "base/cells.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

struct cells_block {
    alignas(CELLS_STEP) struct cells_block *next;
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
        free(block);
    }
    while (c->adopted != NULL) {
        void *p = c->adopted;
        c->adopted = *adopted_link(p);
        free(p);
    }
    *c = (struct cells){.apart = c->apart};
}

/* What is left of a block becomes free cells of the size that it still has. */
static void use_up(struct cells *c)
{
    size_t left = (size_t)(c->end - c->next);
    if (left > 0) {
        assert(left % CELLS_STEP == 0 && left <= CELLS_BYTES_MAX);
        cells_give(c, c->next, left);
        c->next = c->end;
    }
}

void *cells_cut(struct cells *c, size_t bytes)
{
    assert(bytes > 0 && bytes <= CELLS_BYTES_MAX);
    size_t whole = (bytes + CELLS_STEP - 1) / CELLS_STEP * CELLS_STEP;
    if (c->apart) {
        return malloc(bytes);
    }
    if ((size_t)(c->end - c->next) < whole) {
        struct cells_block *block = malloc(CELLS_BLOCK_BYTES);
        if (block == NULL) {
            return NULL;
        }
        use_up(c);
        block->next = c->blocks;
        c->blocks = block;
        c->next = (char *)(block + 1);
        c->end = (char *)block + CELLS_BLOCK_BYTES;
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
