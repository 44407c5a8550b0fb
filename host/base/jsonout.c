#include "base/jsonout.h"

#include <inttypes.h>

#include "base/slice.h"
#include "base/utf8.h"

/* A buffer at its maximum loses the rest: events are short by construction. */
static void append_text(struct buf *out, const char *value)
{
    struct slice text = slice_from_cstr(value);
    bool valid = utf8_is_valid(text);
    (void)buf_append(out, "\"", 1);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '"' || c == '\\') {
            (void)buf_printf(out, "\\%c", c);
        } else if (c == '\n') {
            (void)buf_append(out, "\\n", 2);
        } else if (c < 0x20 || c == 0x7F) {
            (void)buf_printf(out, "\\u%04x", c);
        } else if (c >= 0x80 && !valid) {
            (void)buf_append(out, "\\ufffd", 6);
        } else {
            (void)buf_append(out, &text.p[i], 1);
        }
    }
    (void)buf_append(out, "\"", 1);
}

static void append_name(struct buf *out, const char *name, const char *before)
{
    (void)buf_printf(out, "%s\"%s\":", before, name);
}

void jsonout_open(struct buf *out, const char *name, const char *value)
{
    append_name(out, name, "{");
    append_text(out, value);
}

void jsonout_text(struct buf *out, const char *name, const char *value)
{
    append_name(out, name, ",");
    if (value == NULL) {
        (void)buf_append(out, "null", 4);
    } else {
        append_text(out, value);
    }
}

void jsonout_number(struct buf *out, const char *name, int64_t value)
{
    append_name(out, name, ",");
    (void)buf_printf(out, "%" PRId64, value);
}

void jsonout_close(struct buf *out)
{
    (void)buf_append(out, "}\n", 2);
}
