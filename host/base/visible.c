#include "base/visible.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum { ESCAPE_BYTES = 4 /* \x1b */ };

static bool is_control_at(struct slice text, size_t i)
{
    unsigned char c = (unsigned char)text.p[i];
    unsigned char prev = i > 0 ? (unsigned char)text.p[i - 1] : 0;
    unsigned char next = i + 1 < text.len ? (unsigned char)text.p[i + 1] : 0;
    return c < 0x20 || c == 0x7F || (c == 0xC2 && next >= 0x80 && next <= 0x9F) ||
           (prev == 0xC2 && c >= 0x80 && c <= 0x9F);
}

size_t visible_write(char *out, size_t cap, struct slice text, const char *keep)
{
    static const char hex[] = "0123456789abcdef";
    assert(cap >= VISIBLE_CUT_BYTES);
    const size_t room = cap - VISIBLE_CUT_BYTES;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool escaped = is_control_at(text, i) && (c == 0 || strchr(keep, c) == NULL);
        if (len + (escaped ? ESCAPE_BYTES : 1) > room) {
            memcpy(out + len, "...", VISIBLE_CUT_BYTES);
            return len + VISIBLE_CUT_BYTES;
        }
        if (escaped) {
            out[len++] = '\\';
            out[len++] = 'x';
            out[len++] = hex[c >> 4];
            out[len++] = hex[c & 15];
        } else {
            out[len++] = (char)c;
        }
    }
    return len;
}

const char *visible_text(char *out, size_t cap, const char *text, const char *keep)
{
    out[visible_write(out, cap - 1, slice_make(text, strlen(text)), keep)] = '\0';
    return out;
}
