/* Between the two halves of the watcher: what is followed (watch_posix.c) and how the system tells
 * of it (watch_linux.c, watch_none.c). */
#pragma once

#include "runtime/watch.h"

struct watch_os;

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
