#include "base/log.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/visible.h"

enum { TEXT_BYTES_MAX = LOG_LINE_BYTES_MAX, LINE_FEED_BYTES = 1 };

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    assert((size_t)level < sizeof names / sizeof names[0]);
    return names[level];
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
    size_t len = (size_t)head;
    len += visible_write(line + len, LOG_LINE_BYTES_MAX - len, slice_make(text, text_len), "");

    if (log->write != NULL) {
        log->write(log->ctx, level, slice_make(line, len));
        return;
    }
    line[len] = '\n';
    (void)fwrite(line, 1, len + LINE_FEED_BYTES, stderr); /* there is nobody left to tell */
}
