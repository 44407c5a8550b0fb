#include "cli/reloadout.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/jsonout.h"
#include "base/visible.h"
#include "binding/excerpt.h"
#include "cli/lineout.h"

enum { LINE_BYTES_MAX = 8192, FILE_BYTES_MAX = 1024 };

static void add(char *line, size_t cap, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add(char *line, size_t cap, const char *format, ...)
{
    size_t used = strlen(line);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line + used, cap - used, format, args); /* cut to fit */
    va_end(args);
}

/* "12 urls, 1 group": one more of a list, when there are any. */
static void add_count(char *line, size_t cap, unsigned count, const char *name)
{
    if (count > 0) {
        size_t used = strlen(line);
        bool first = used < 2 || line[used - 1] == ' ';
        add(line, cap, "%s%u %s%s", first ? "" : ", ", count, name, count == 1 ? "" : "s");
    }
}

static void put(const struct term *term, bool bad, const char *word, const char *text)
{
    char clock[9], shown[LINE_BYTES_MAX];
    const char *color = !term->color ? "" : bad ? "\x1b[31m" : "\x1b[1m";
    clock_local_hms(clock);
    (void)fprintf(stderr, "%s %s%s%s  %s\n", clock, color, word, term->color ? "\x1b[0m" : "",
                  visible_text(shown, sizeof shown, text, "\n\t"));
}

static void put_reload(const struct term *term, const struct host_event *event)
{
    char line[LINE_BYTES_MAX] = "";
    if (event->before == 0) {
        add(line, sizeof line, "%s  gen %u", event->text, event->generation);
    } else {
        add(line, sizeof line, "%s  gen %u -> %u", event->text, event->before, event->generation);
    }
    add(line, sizeof line, "  %.1f ms", (double)event->took_ns / 1e6);
    if (event->changed > 0) {
        add(line, sizeof line, "  %u route%s changed", event->changed,
            event->changed == 1 ? "" : "s");
    }
    if (event->in_flight > 0) {
        add(line, sizeof line, "  %u in flight stay%s in gen %u", event->in_flight,
            event->in_flight == 1 ? "s" : "", event->before);
    }
    if (event->broken_ns > 0) {
        add(line, sizeof line, "  mended after %.1f s", (double)event->broken_ns / 1e9);
    }
    put(term, false, "reload", line);
}

/* "./m.lua:2: unexpected symbol" */
static bool names_line(const char *text)
{
    size_t len = strcspn(text, "\n");
    for (size_t i = 1; i + 1 < len; i++) {
        if (text[i] == ':' && text[i + 1] >= '0' && text[i + 1] <= '9') {
            return true;
        }
    }
    return false;
}

/* The first line with the end of the story, the rest (a traceback) below it. */
static void put_broken(const struct term *term, const struct host_event *event)
{
    char line[LINE_BYTES_MAX] = "";
    size_t first = strcspn(event->text, "\n");
    const char *rest = event->text + first;
    size_t second = strspn(rest, "\n\t ");
    if (first > 0 && event->text[first - 1] == ':' &&
        names_line(rest + second)) { /* "error loading module ...:" */
        size_t len = strcspn(rest + second, "\n");
        add(line, sizeof line, "%.*s  ", (int)len, rest + second);
        rest += second + len;
        first--;
    }
    add(line, sizeof line, "%.*s  ", (int)first, event->text);
    if (event->outage) {
        add(line, sizeof line, "%s%sanswers 503 until it is mended%s",
            event->url == NULL ? "" : event->url, event->url == NULL ? "" : " ", rest);
    } else {
        add(line, sizeof line, "gen %u keeps serving%s", event->generation, rest);
    }
    put(term, true, "broken", line);
    if (event->hint != NULL) {
        term_hint(term, event->hint);
    }
}

static void put_closed(const struct options *options, const struct term *term,
                       const struct host_event *event)
{
    char line[LINE_BYTES_MAX] = "";
    const struct host_closed *closed = event->closed;
    if (closed->left == 0 && closed->cut == 0 && options->log_level < LOG_LEVEL_DEBUG &&
        options->command != COMMAND_DEV) {
        return;
    }
    add(line, sizeof line, "gen %u  ", event->generation);
    add_count(line, sizeof line, closed->urls, "url");
    add_count(line, sizeof line, closed->groups, "group");
    add_count(line, sizeof line, closed->sessions, "session");
    add_count(line, sizeof line, closed->queues, "queue");
    add_count(line, sizeof line, closed->tasks, "task");
    add_count(line, sizeof line, closed->timers, "timer");
    add_count(line, sizeof line, closed->coroutines, "coroutine");
    add_count(line, sizeof line, closed->cut, "cut request");
    add(line, sizeof line, "%s%u left", line[strlen(line) - 1] == ' ' ? "" : "  ", closed->left);
    put(term, closed->left > 0, "closed", line);
}

/* Of a failed load; that of a start that fails has neither place nor gen (serve.c). */
static void put_json_error(struct buf *text, const struct host_event *event)
{
    const char *rest = event->text;
    struct excerpt_place place;
    char file[FILE_BYTES_MAX] = "";
    jsonout_open(text, "event", "error");
    jsonout_text(text, "message", event->text);
    if (excerpt_next_place(&rest, &place)) {
        (void)snprintf(file, sizeof file, "%.*s", (int)place.file.len, place.file.p);
        jsonout_text(text, "file", file);
        jsonout_number(text, "line", place.line);
    }
    jsonout_text(text, "hint", event->hint);
    jsonout_number(text, "gen", event->generation);
    if (event->outage) {
        jsonout_number(text, "status", 503);
    }
}

static void put_json(struct lineout *out, const struct host_event *event)
{
    struct buf text;
    buf_init(&text, LINE_BYTES_MAX * 2);
    switch (event->kind) {
    case HOST_EVENT_RELOAD:
        jsonout_open(&text, "event", "reload");
        jsonout_text(&text, "cause", event->text);
        jsonout_number(&text, "gen", event->generation);
        jsonout_number(&text, "before", event->before);
        jsonout_number(&text, "took_us", (int64_t)(event->took_ns / 1000));
        jsonout_number(&text, "routes_changed", event->changed);
        jsonout_number(&text, "in_flight", event->in_flight);
        jsonout_number(&text, "broken_ms", (int64_t)(event->broken_ns / 1000000));
        break;
    case HOST_EVENT_BROKEN: put_json_error(&text, event); break;
    default:
        jsonout_open(&text, "event", "closed");
        jsonout_number(&text, "gen", event->generation);
        jsonout_number(&text, "urls", event->closed->urls);
        jsonout_number(&text, "groups", event->closed->groups);
        jsonout_number(&text, "tasks", event->closed->tasks);
        jsonout_number(&text, "cut", event->closed->cut);
        jsonout_number(&text, "left", event->closed->left);
        break;
    }
    jsonout_close(&text);
    lineout_put(out, buf_slice(&text), false);
    buf_deinit(&text);
}

void reloadout_tell(const struct options *options, const struct term *term, struct lineout *out,
                    const struct host_event *event)
{
    if (options->json) {
        put_json(out, event);
    }
    if (event->kind == HOST_EVENT_BROKEN) {
        put_broken(term, event);
    } else if (!term->quiet && event->kind == HOST_EVENT_RELOAD) {
        put_reload(term, event);
    } else if (!term->quiet) {
        put_closed(options, term, event);
    }
}
