#include "cli/ready.h"

#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/httpapi.h"
#include "base/jsonout.h"
#include "cli/lineout.h"

enum { EVENT_BYTES_MAX = 8192, PATH_BYTES_MAX = 4096 };

bool ready_check(const struct options *options, const char **why)
{
    if (options->ready_fd >= 0 && _get_osfhandle(options->ready_fd) == -1) {
        *why = "--ready-fd: this descriptor is not open";
        return false;
    }
    if (options->ready_file != NULL && strlen(options->ready_file) + 32 > PATH_BYTES_MAX) {
        *why = "--ready-file: the path is too long";
        return false;
    }
    return true;
}

/* Whole or not at all: readers wait for the name to appear. */
static void write_file(const char *path, struct slice text)
{
    char temporary[PATH_BYTES_MAX];
    (void)snprintf(temporary, sizeof temporary, "%s.%lu.tmp", path, GetCurrentProcessId());
    FILE *file = fopen(temporary, "wb");
    bool ok = file != NULL && fwrite(text.p, 1, text.len, file) == text.len;
    ok = (file == NULL || fclose(file) == 0) && ok;
    if (!ok || !MoveFileExA(temporary, path, MOVEFILE_REPLACE_EXISTING)) {
        (void)fprintf(stderr, "error: --ready-file %s: error %lu\n", path,
                      (unsigned long)GetLastError());
        (void)remove(temporary);
    }
}

static void tell_fd(int fd)
{
    if (_write(fd, "\n", 1) != 1) {
        (void)fprintf(stderr, "error: --ready-fd %d: it cannot be written to\n", fd);
    }
    (void)_close(fd);
}

void ready_tell(const struct options *options, struct lineout *out, const struct host_event *event)
{
    struct buf text;
    long pid = (long)GetCurrentProcessId();
    buf_init(&text, EVENT_BYTES_MAX);
    if (options->ready_file != NULL) {
        (void)buf_printf(&text, "{\"generation\":%u", (unsigned)event->generation);
        jsonout_text(&text, "url", event->url);
        jsonout_number(&text, "port", event->port);
        jsonout_number(&text, "pid", pid);
        jsonout_close(&text);
        write_file(options->ready_file, buf_slice(&text));
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
        tell_fd(options->ready_fd);
    }
    buf_deinit(&text);
}

/* systemd's protocol has no place here. */
void ready_tell_stopping(void)
{
}

void ready_clean(const struct options *options)
{
    if (options->ready_file != NULL) {
        (void)remove(options->ready_file); /* not there when we never became ready */
    }
}
