/* Signals of the process, as bytes on a descriptor that the coordinator's loop watches.
 *
 *   SIGINT, SIGTERM   written; the third of them leaves by _exit(128 + n) at once: something hangs
 * that nothing else could end SIGHUP, SIGCHLD   written SIGPIPE           caught by a handler that
 * does nothing, so that a child process finds the default again (an ignored signal would be
 * inherited)
 *
 * No signal is blocked, because children of the script (io.popen) would inherit that too. The one
 * record of the process that the handler needs is in signals_posix.c. Thread: main. */
#pragma once

#include <stdbool.h>

/* Installs the handlers; *fd becomes the reading end. false: no descriptors left. */
bool signals_open(int *fd);

/* Default handlers again; closes both ends. */
void signals_close(void);
