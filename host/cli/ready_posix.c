#include "cli/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/jsonout.h"
#include "cli/lineout.h"

enum { EVENT_BYTES_MAX = 8192, PATH_BYTES_MAX = 4096 };

bool ready_check(const struct options *options, const char **why)
{
    if (options->ready_fd >= 0 && fcntl(options->ready_fd, F_GETFD) == -1) {
        *why = "--ready-fd: this descriptor is not open";
        return false;
    }
    if (options->ready_file != NULL && strlen(options->ready_file) + 32 > PATH_BYTES_MAX) {
        *why = "--ready-file: the path is too long";
        return false;
    }
    return true;
}

/* sd_notify(3): one datagram to the socket that the environment names; '@' stands for the NUL of an
 * abstract name. */
static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    if (path == NULL || (path[0] != '/' && path[0] != '@') ||
        strlen(path) >= sizeof address.sun_path) {
        return;
    }
    size_t length = strlen(path);
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, size) <
        0) {
        (void)fprintf(stderr, "warn: NOTIFY_SOCKET: %s\n", strerror(errno));
    }
    (void)close(fd);
}

/* Whole or not at all: readers wait for the name to appear. */
static void write_file(const char *path, struct slice text)
{
    char temporary[PATH_BYTES_MAX];
    (void)snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
    FILE *file = fopen(temporary, "we");
    bool ok = file != NULL && fwrite(text.p, 1, text.len, file) == text.len;
    ok = (file == NULL || fclose(file) == 0) && ok;
    if (!ok || rename(temporary, path) != 0) {
        (void)fprintf(stderr, "error: --ready-file %s: %s\n", path, strerror(errno));
        (void)unlink(temporary);
    }
}

static void tell_fd(int fd)
{
    if (write(fd, "\n", 1) != 1) {
        (void)fprintf(stderr, "error: --ready-fd %d: %s\n", fd, strerror(errno));
    }
    (void)close(fd);
}

void ready_tell(const struct options *options, struct lineout *out, const struct host_event *event)
{
    struct buf text;
    long pid = (long)getpid();
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
    notify("READY=1");
    buf_deinit(&text);
}

void ready_tell_stopping(void)
{
    notify("STOPPING=1");
}

void ready_clean(const struct options *options)
{
    if (options->ready_file != NULL) {
        (void)unlink(options->ready_file); /* not there when we never became ready */
    }
}
