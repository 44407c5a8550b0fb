/* Signals of the process, as bytes on a descriptor that the coordinator's loop watches.
 *
 *   SIGINT, SIGTERM   written; the third of them leaves by _exit(128 + n) at once: something hangs
 *                     that nothing else could end
 *                     (the same signal again within 20 ms is an echo of the first and not counted)
 *   SIGHUP, SIGCHLD   written
 *   SIGPIPE           caught by a handler that does nothing, so that a child process finds the
 *                     default again (an ignored signal would be inherited)
 *
 * No signal is blocked, because children of the script (io.popen) would inherit that too. The one
 * record of the process that the handler needs is in signals_posix.c. Thread: main. */
#pragma once

#include <stdbool.h>

/* What the bytes mean beside SIGINT and SIGTERM, the same everywhere. */
enum { SIGNALS_HANGUP = 1, SIGNALS_CHILD = 17 };

/* Installs the handlers; *fd becomes the reading end. false: no descriptors left. */
bool signals_open(int *fd);

/* Default handlers again, but for SIGPIPE: until the process has ended somebody may still write to
 * a reader that has gone, the C library's last flush at the latest. Closes both ends. */
void signals_close(void);

/* Windows only, any thread: the child has ended. */
void signals_tell_child(void);
