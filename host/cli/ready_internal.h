/* What differs between systems in telling that the server serves (ready.c; ready_posix.c,
 * ready_windows.c). Failures are reported on stderr and change nothing else. Thread: main. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

enum { READY_PATH_BYTES_MAX = 4096 /* of the ready file, with the name it is written under */ };

bool ready_is_open(int fd);
long ready_pid(void);

/* Whole or not at all: readers wait for the name to appear. */
void ready_write_file(const char *path, struct slice text);

/* One line feed, then closes it. */
void ready_tell_fd(int fd);

/* state: "READY=1". Does nothing where there is no NOTIFY_SOCKET. */
void ready_notify(const char *state);
