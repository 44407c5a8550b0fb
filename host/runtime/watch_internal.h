/* Between the two halves of the watcher: what is followed (watch.c) and how the system tells
 * of it (watch_linux.c, watch_files_windows.c). */
#pragma once

#include "runtime/watch.h"

struct watch_os;

/* By which a file is known to be the same without reading it. No padding: compared as bytes. */
struct watch_stamp {
    uint64_t device, inode, bytes;
    int64_t seconds, nanoseconds;
};

/* What differs between systems about files (watch_files_posix.c, watch_files_windows.c).
 * watch_stat: false when it is missing. watch_matches: a shell pattern against a path.
 * watch_find: calls found for each path that matches a pattern. */
bool watch_stat(const char *path, struct watch_stamp *out);
bool watch_matches(const char *pattern, const char *path);
void watch_find(const char *pattern, void (*found)(void *ctx, const char *path), void *ctx);

/* A folder on the way down a tree, on the stack of who walks it: a symbolic link to a folder above
 * leads nowhere new (loadpath.h; its limits hold here too). */
struct watch_level {
    const struct watch_level *above; /* NULL: the folder given */
    uint64_t device, inode;          /* both 0 where the system does not tell */
    unsigned *visited;               /* folders so far; of the walk */
    unsigned depth;
};

/* Fills level for the folder, which is below `above`. false: it is not to be entered. */
bool watch_enter(struct watch_level *level, const struct watch_level *above, const char *path,
                 unsigned *visited);

/* For events that concern no single item. */
#define WATCH_ALL SIZE_MAX

/* From the system's half: something happened to an item. at_once: it is complete as it is.
 * structure: folders or links have changed; watch_os_follow is due. Only takes note. */
void watch_note(struct watch *watch, size_t item, bool at_once, bool structure);
/* After a batch of notes: looks now, or after the quiet time. May call watch_os_follow. */
void watch_settle(struct watch *watch);

/* What is followed, for the system's half. is_tree: a folder with everything below it. */
size_t watch_item_count(const struct watch *watch);
const char *watch_item_path(const struct watch *watch, size_t item, bool *is_tree);

/* ERROR_NOT_SUPPORTED: the system does not tell. */
ULONG watch_os_open(struct watch *watch, struct host *host, struct watch_os **out);
void watch_os_close(struct watch_os *os);
/* Watches the folders of all items, and no others any more. */
void watch_os_follow(struct watch_os *os);
