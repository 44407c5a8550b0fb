/* One line a message, to stderr unless somebody takes it.
 *
 *   12:00:07 warn  the text, with control bytes shown as \x1b
 *
 * Owner: whoever made the struct; it is handed down by pointer, there is no global one. A NULL log
 * is silent.
 * Thread: log_write from any thread as far as `write` allows it; the default writes each line with
 * one call.
 * Cost: ask LOG_IS_ON first where the arguments cost something; a line that is off is never
 * formatted. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum {
    LOG_LINE_BYTES_MAX = 2048 /* a longer line is cut and ends in "..." */
};

struct log {
    enum log_level level; /* lines above this are dropped */
    /* Takes a finished line, time and level included, without line feed. NULL: stderr. The line is
     * gone after the call. */
    void (*write)(void *ctx, enum log_level level, struct slice line);
    void *ctx; /* for write */
};

#define LOG_IS_ON(log, wanted) ((log) != NULL && (wanted) <= (log)->level)

/* format: as printf. Never fails: a line that cannot be written is lost. */
void log_write(const struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "error", "warn", "info", "debug". */
const char *log_level_name(enum log_level level);
