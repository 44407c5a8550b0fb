#include "cli/wrap.h"

void wrap_put(FILE *out, struct slice text, size_t at, size_t indent)
{
    size_t column = at;
    bool first = true;
    while (text.len > 0) {
        size_t length = 0;
        while (length < text.len && text.p[length] != ' ') {
            length++;
        }
        if (!first && column + 1 + length > WRAP_COLUMNS) {
            (void)fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
            first = true;
        }
        (void)fprintf(out, "%s%.*s", first ? "" : " ", (int)length, text.p);
        column += length + (first ? 0 : 1);
        first = false;
        text = slice_make(text.p + length, text.len - length);
        while (text.len > 0 && text.p[0] == ' ') {
            text = slice_make(text.p + 1, text.len - 1);
        }
    }
    (void)putc('\n', out);
}
