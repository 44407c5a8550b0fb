#include "cli/ready.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonout.h"
#include "cli/lineout.h"
#include "cli/ready_internal.h"

enum { EVENT_BYTES_MAX = 8192 };

bool ready_check(const struct options *options, const char **why)
{
    if (options->ready_fd >= 0 && !ready_is_open(options->ready_fd)) {
        *why = "--ready-fd: this descriptor is not open";
        return false;
    }
    if (options->ready_file != NULL && strlen(options->ready_file) + 32 > READY_PATH_BYTES_MAX) {
        *why = "--ready-file: the path is too long";
        return false;
    }
    return true;
}

void ready_tell(const struct options *options, struct lineout *out, const struct host_event *event)
{
    struct buf text;
    long pid = ready_pid();
    buf_init(&text, EVENT_BYTES_MAX);
    if (options->ready_file != NULL) {
        (void)buf_printf(&text, "{\"generation\":%u", (unsigned)event->generation);
        jsonout_text(&text, "url", event->url);
        jsonout_number(&text, "port", event->port);
        jsonout_number(&text, "pid", pid);
        jsonout_close(&text);
        ready_write_file(options->ready_file, buf_slice(&text));
    }
    buf_clear(&text);
    if (options->json) {
        jsonout_open(&text, "event", "ready");
        jsonout_text(&text, "url", event->url);
        jsonout_number(&text, "port", event->port);
        jsonout_number(&text, "pid", pid);
        jsonout_number(&text, "gen", event->generation);
        jsonout_close(&text);
    } else if (event->url != NULL) {
        (void)buf_printf(&text, "ready %s pid=%ld gen=%u\n", event->url, pid,
                         (unsigned)event->generation);
    }
    if (out != NULL) {
        lineout_put(out, buf_slice(&text), false);
    } else if (text.len > 0) {
        (void)fwrite(text.p, 1, text.len, stdout); /* a closed stdout is the caller's wish */
        (void)fflush(stdout);
    }
    if (options->ready_fd >= 0) {
        ready_tell_fd(options->ready_fd);
    }
    ready_notify("READY=1");
    buf_deinit(&text);
}

void ready_tell_stopping(void)
{
    ready_notify("STOPPING=1");
}

void ready_clean(const struct options *options)
{
    if (options->ready_file != NULL) {
        (void)remove(options->ready_file); /* not there when we never became ready */
    }
}
