#include "cli/ready_internal.h"

#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/httpapi.h"

bool ready_is_open(int fd)
{
    return _get_osfhandle(fd) != -1;
}

long ready_pid(void)
{
    return (long)GetCurrentProcessId();
}

/* Whole or not at all: readers wait for the name to appear. */
void ready_write_file(const char *path, struct slice text)
{
    char temporary[READY_PATH_BYTES_MAX];
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

void ready_tell_fd(int fd)
{
    if (_write(fd, "\n", 1) != 1) {
        (void)fprintf(stderr, "error: --ready-fd %d: it cannot be written to\n", fd);
    }
    (void)_close(fd);
}

/* systemd's protocol has no place here. */
void ready_notify(const char *state)
{
    (void)state;
}
