/* Growable bytes that are given their maximum at birth.
 *
 * Owner: the struct is the caller's, the bytes are the buf's. Thread: one at a time.
 * Cost: no memory until the first byte; then capacity doubles. Consuming moves the rest to the
 * front. Every function that returns bool: false = the maximum would be passed or there is no
 * memory, and nothing has changed. */
#pragma once

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct buf {
    char *p;    /* the bytes; NULL while cap is 0 */
    size_t len; /* bytes in use */
    size_t cap; /* bytes allocated */
    size_t max; /* len never passes this */
};

/* Empty, without memory. max: bytes. */
void buf_init(struct buf *b, size_t max);

/* Gives the memory back. The buf may be initialised again. Harmless on a zeroed one. */
void buf_deinit(struct buf *b);

/* Gives the memory back and keeps the maximum: an empty buf, ready for use. */
void buf_release(struct buf *b);

/* Room for n more bytes at p + len. Those bytes count only once the caller raises len
 * (buf_grow_len). */
bool buf_reserve(struct buf *b, size_t n);

/* p may be NULL when n is 0. p must not point into the buf. */
bool buf_append(struct buf *b, const void *p, size_t n);

/* Formats at the end; for cold paths. The terminating NUL is not part of len. */
bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buf_vprintf(struct buf *b, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Drops the first n bytes (n <= len) and moves the rest to the front. */
void buf_consume(struct buf *b, size_t n);

static inline bool buf_append_slice(struct buf *b, struct slice s)
{
    return buf_append(b, s.p, s.len);
}

/* Counts n bytes that the caller has written behind buf_reserve. */
static inline void buf_grow_len(struct buf *b, size_t n)
{
    assert(n <= b->cap - b->len);
    b->len += n;
}

/* Forgets the bytes, keeps the memory. */
static inline void buf_clear(struct buf *b)
{
    b->len = 0;
}

/* The bytes in use; good until the next call that changes the buf. */
static inline struct slice buf_slice(const struct buf *b)
{
    return slice_make(b->p, b->len);
}
