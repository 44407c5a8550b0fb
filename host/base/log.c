#include "base/log.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"

enum {
    TEXT_BYTES_MAX = LOG_LINE_BYTES_MAX,
    ESCAPE_BYTES = 4,   /* \x1b */
    CUT_MARK_BYTES = 3, /* ... */
    LINE_FEED_BYTES = 1
};

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    assert((size_t)level < sizeof names / sizeof names[0]);
    return names[level];
}

/* C0 and DEL; also the C1 controls, which in UTF-8 are C2 80 to C2 9F: some terminals obey them. */
static bool is_control_at(struct slice text, size_t i)
{
    unsigned char c = (unsigned char)text.p[i];
    unsigned char prev = i > 0 ? (unsigned char)text.p[i - 1] : 0;
    unsigned char next = i + 1 < text.len ? (unsigned char)text.p[i + 1] : 0;
    return c < 0x20 || c == 0x7F || (c == 0xC2 && next >= 0x80 && next <= 0x9F) ||
           (prev == 0xC2 && c >= 0x80 && c <= 0x9F);
}

/* Adds text to the line with control bytes escaped, as far as it fits. Returns the new length. */
static size_t append_escaped(char line[LOG_LINE_BYTES_MAX], size_t len, struct slice text)
{
    static const char hex[] = "0123456789abcdef";
    const size_t room = LOG_LINE_BYTES_MAX - CUT_MARK_BYTES;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool is_control = is_control_at(text, i);
        if (len + (is_control ? ESCAPE_BYTES : 1) > room) {
            memcpy(line + len, "...", CUT_MARK_BYTES);
            return len + CUT_MARK_BYTES;
        }
        if (is_control) {
            line[len++] = '\\';
            line[len++] = 'x';
            line[len++] = hex[c >> 4];
            line[len++] = hex[c & 15];
        } else {
            line[len++] = (char)c;
        }
    }
    return len;
}

void log_write(const struct log *log, enum log_level level, const char *format, ...)
{
    if (!LOG_IS_ON(log, level)) {
        return;
    }
    char text[TEXT_BYTES_MAX + 1];
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t text_len = wanted < 0 ? 0 : (size_t)wanted;
    text_len = text_len > TEXT_BYTES_MAX ? TEXT_BYTES_MAX : text_len;

    char time_of_day[9];
    clock_local_hms(time_of_day);
    char line[LOG_LINE_BYTES_MAX + LINE_FEED_BYTES];
    int head = snprintf(line, sizeof line, "%s %-5s ", time_of_day, log_level_name(level));
    assert(head > 0 && head < 32);
    size_t len = append_escaped(line, (size_t)head, slice_make(text, text_len));

    if (log->write != NULL) {
        log->write(log->ctx, level, slice_make(line, len));
        return;
    }
    line[len] = '\n';
    (void)fwrite(line, 1, len + LINE_FEED_BYTES, stderr); /* there is nobody left to tell */
}
