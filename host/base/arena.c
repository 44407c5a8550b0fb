#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN_MAX = 64, BLOCK_BYTES_MIN = 64, OWN_BLOCK_SHARE = 4 };

struct arena_block {
    struct arena_block *next;
    size_t bytes; /* of bytes[] plus this header */
    char data[];
};

void arena_init(struct arena *a, size_t block_bytes, size_t bytes_max)
{
    assert(block_bytes >= BLOCK_BYTES_MIN);
    *a = (struct arena){.block_bytes = block_bytes, .bytes_max = bytes_max};
}

/* A block with at least data_bytes of room, counted in a->bytes but linked nowhere. */
static struct arena_block *make_block(struct arena *a, size_t data_bytes)
{
    size_t room = a->bytes_max - a->bytes;
    if (room < sizeof(struct arena_block) || data_bytes > room - sizeof(struct arena_block)) {
        return NULL;
    }
    size_t bytes = sizeof(struct arena_block) + data_bytes;
    struct arena_block *block = malloc(bytes);
    if (block == NULL) {
        return NULL;
    }
    block->next = NULL;
    block->bytes = bytes;
    a->bytes += bytes;
    return block;
}

static void enter_block(struct arena *a, struct arena_block *block)
{
    a->next = block->data;
    a->end = (char *)block + block->bytes;
}

static char *align_up(char *p, size_t align)
{
    return p + (-(uintptr_t)p & (align - 1));
}

void *arena_alloc_slow(struct arena *a, size_t n, size_t align)
{
    assert(a->bytes <= a->bytes_max && align <= ALIGN_MAX);
    size_t ordinary = a->block_bytes - sizeof(struct arena_block);
    if (n > SIZE_MAX - align) {
        return NULL;
    }
    if (n + align > ordinary / OWN_BLOCK_SHARE) {
        struct arena_block *own = make_block(a, n + align);
        if (own == NULL) {
            return NULL;
        }
        own->next = a->more;
        a->more = own;
        return align_up(own->data, align);
    }
    size_t room = a->bytes_max - a->bytes;
    size_t smaller = room > sizeof(struct arena_block) ? room - sizeof(struct arena_block) : 0;
    size_t wanted = ordinary > smaller ? smaller : ordinary;
    struct arena_block *block = wanted < n + align ? NULL : make_block(a, wanted);
    if (block == NULL) {
        return NULL;
    }
    if (a->first == NULL) {
        a->first = block;
    } else {
        block->next = a->more;
        a->more = block;
    }
    enter_block(a, block);
    char *p = align_up(a->next, align);
    a->next = p + n;
    return p;
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    char *p = s.len == SIZE_MAX ? NULL : arena_alloc(a, s.len + 1, 1);
    if (p == NULL) {
        return slice_make(NULL, 0);
    }
    if (s.len > 0) {
        memcpy(p, s.p, s.len);
    }
    p[s.len] = '\0';
    return slice_make(p, s.len);
}

static void free_more(struct arena *a)
{
    while (a->more != NULL) {
        struct arena_block *block = a->more;
        a->more = block->next;
        a->bytes -= block->bytes;
        free(block);
    }
}

void arena_reset(struct arena *a)
{
    free_more(a);
    if (a->first != NULL) {
        enter_block(a, a->first);
    }
}

void arena_deinit(struct arena *a)
{
    free_more(a);
    free(a->first);
    *a = (struct arena){0};
}
