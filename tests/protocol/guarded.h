/* Memory between two pages that nobody may touch: a parser that reads one byte too far, in either
 * direction, ends the test. Include after cmocka.h. */
#pragma once

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guarded {
    char *start;
    size_t size;
};

static inline void guarded_init(struct guarded *g)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    g->size = 16 * page;
    char *all = mmap(NULL, g->size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(all != MAP_FAILED);
    g->start = all + page;
    assert_int_equal(mprotect(g->start, g->size, PROT_READ | PROT_WRITE), 0);
}

static inline void guarded_deinit(struct guarded *g)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    assert_int_equal(munmap(g->start - page, g->size + 2 * page), 0);
}

/* A copy whose last byte is the last that may be read. */
static inline char *guarded_at_end(struct guarded *g, const char *p, size_t len)
{
    char *copy = g->start + g->size - len;
    assert_true(len <= g->size);
    if (len > 0) {
        memcpy(copy, p, len);
    }
    return copy;
}

/* A copy whose first byte is the first that may be read. */
static inline char *guarded_at_start(struct guarded *g, const char *p, size_t len)
{
    assert_true(len <= g->size);
    if (len > 0) {
        memcpy(g->start, p, len);
    }
    return g->start;
}
