#include "cli/ready_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool ready_is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
}

long ready_pid(void)
{
    return (long)getpid();
}

/* sd_notify(3): one datagram to the socket that the environment names; '@' stands for the NUL of an
 * abstract name. */
void ready_notify(const char *state)
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
void ready_write_file(const char *path, struct slice text)
{
    char temporary[READY_PATH_BYTES_MAX];
    (void)snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
    FILE *file = fopen(temporary, "we");
    bool ok = file != NULL && fwrite(text.p, 1, text.len, file) == text.len;
    ok = (file == NULL || fclose(file) == 0) && ok;
    if (!ok || rename(temporary, path) != 0) {
        (void)fprintf(stderr, "error: --ready-file %s: %s\n", path, strerror(errno));
        (void)unlink(temporary);
    }
}

void ready_tell_fd(int fd)
{
    if (write(fd, "\n", 1) != 1) {
        (void)fprintf(stderr, "error: --ready-fd %d: %s\n", fd, strerror(errno));
    }
    (void)close(fd);
}
