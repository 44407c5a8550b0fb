/* The stop signals that arrive as bytes on config->signal_fd, handed to config->on_signal on the
 * coordinator. One file a platform.
 *
 * Owner: host. Thread: coordinator. */
#pragma once

#include <stdbool.h>

struct host;

/* Begins to watch; config->signal_fd is an open descriptor. false: it cannot be watched. */
bool signal_watch_start(struct host *host);

/* Hands over what has arrived, without a turn of the loop: for the hook of a script that loads. */
void signal_watch_poll(struct host *host);

/* Afterwards on_signal is not called any more. Harmless when it was not started. */
void signal_watch_stop(struct host *host);
