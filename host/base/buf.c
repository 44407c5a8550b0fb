#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAP_MIN = 64 };

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_deinit(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}

void buf_release(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

bool buf_reserve(struct buf *b, size_t n)
{
    assert(b->len <= b->cap && b->len <= b->max);
    if (n <= b->cap - b->len) {
        return true;
    }
    if (n > b->max - b->len) {
        return false;
    }
    size_t need = b->len + n;
    size_t cap = b->cap < CAP_MIN ? CAP_MIN : b->cap;
    while (cap < need) {
        cap = cap > b->max / 2 ? b->max : cap * 2;
    }
    cap = cap > b->max ? b->max : cap;
    char *p = realloc(b->p, cap);
    if (p == NULL) {
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

bool buf_append(struct buf *b, const void *p, size_t n)
{
    if (!buf_reserve(b, n)) {
        return false;
    }
    if (n > 0) {
        memcpy(b->p + b->len, p, n);
        b->len += n;
    }
    return true;
}

bool buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int wanted = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (wanted < 0 || (size_t)wanted > b->max - b->len) {
        return false;
    }
    /* vsnprintf insists on a NUL, for which the maximum may have no room: format beside the buf. */
    size_t len = (size_t)wanted;
    char on_stack[256];
    char *text = len < sizeof on_stack ? on_stack : malloc(len + 1);
    if (text == NULL) {
        return false;
    }
    bool done = vsnprintf(text, len + 1, format, args) == wanted && buf_append(b, text, len);
    if (text != on_stack) {
        free(text);
    }
    return done;
}

bool buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool done = buf_vprintf(b, format, args);
    va_end(args);
    return done;
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (n == 0) {
        return;
    }
    b->len -= n;
    if (b->len > 0) {
        memmove(b->p, b->p + n, b->len);
    }
}
