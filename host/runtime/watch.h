/* The watcher: a saved file becomes a reload.
 *
 * It follows every file that the loader opened (sources.h), those that a failed load opened or
 * looked for, the folders of route scripts, and what --watch-also names. Where the system tells of
 * changes (inotify) it watches the folders in which a change can happen: those of the files, of
 * each symbolic link on the way, and all above them, so that renames, switched links and folders
 * that are removed and made again are seen. Elsewhere, or with --watch=poll:MS, it looks every MS
 * milliseconds.
 *
 * An event is only a reason to look: a reload is asked for when a file's bytes have another hash
 * than those that were loaded. So a touch is no reload, and an editor may save as it likes.
 *
 *   written and closed, renamed to       looked at at once
 *   modified, created, deleted           after WATCH_QUIET_MS without another event, at most
 *                                        WATCH_QUIET_MAX_MS; so does everything after a failed load
 *
 * A change that no event has called complete, as when polling, counts once the file was the same
 * for WATCH_QUIET_MS, at most WATCH_QUIET_MAX_MS: who looked in the middle of a save would load
 * half of it.
 *
 * A file that changes while it is being loaded WATCH_SELF_MAX times in a row is written by the
 * script itself: it is not followed any more, and the log says so. More than WATCH_RAPID_MAX
 * reloads within a second are slowed to ten a second.
 *
 * Owner: struct host. Thread: coordinator. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/httpapi.h"

struct host;
struct sources;
struct watch;

enum {
    WATCH_QUIET_MS = 5,
    WATCH_QUIET_MAX_MS = 50,
    WATCH_EMPTY_MS = 2000, /* the quiet time of a file cut to nothing, unless it is closed before */
    WATCH_SELF_MAX = 8,
    WATCH_RAPID_MAX = 200,
    WATCH_POLL_MIN_MS = 10,
    WATCH_PATH_BYTES_MAX = 4096
};

/* Follows nothing yet. poll_ms 0: the system's events, or polling every 200 ms where there are
 * none. Errors: ERROR_NOT_SUPPORTED; ERROR_NOT_ENOUGH_MEMORY. */
ULONG watch_open(struct host *host, unsigned poll_ms, struct watch **out);
/* NULL is harmless. */
void watch_close(struct watch *watch);

/* After a load, also a failed one: these are the files, with the hashes that were loaded. With
 * `more` set those of before stay too (the load failed and may not have opened all). */
void watch_follow(struct watch *watch, struct sources *sources, bool more);

/* A file that was loaded after the generation began to serve is followed too. Cheap when there is
 * none. */
void watch_refresh(struct watch *watch, struct sources *sources);

/* Looks now: whether a file differs from what was loaded. */
bool watch_differs(struct watch *watch);

/* How many files are followed. */
size_t watch_count(const struct watch *watch);

/* "inotify", "poll". */
const char *watch_way(const struct watch *watch);
