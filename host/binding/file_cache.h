/* Files that are answered with, kept open by path: opening and closing one costs a quarter of a
 * small answer. One cache a Lua state.
 *
 * What a kept file may be trusted for. Each time it is asked for, its descriptor is examined: a
 * file that was written, cut, replaced by rename, removed or given other rights since is opened
 * anew, at once. What changes only the way to it (a symbolic link or folder on its path, the
 * working directory) is seen within FILE_CACHE_PATH_S. So the length that an answer announces and
 * the bytes behind it are of one file; who writes into a file in place, while it is being sent, is
 * seen doing it, here as everywhere: replace files by rename.
 *
 * Content. Files of at most FILE_CACHE_CONTENT_BYTES_MAX are kept with their bytes, once they have
 * not changed for FILE_SETTLED_S (file.h), as younger changes may hide behind one time stamp.
 *
 * Limits: FILE_CACHE_FILES_MAX, the one used longest ago gives way; what nobody asked for in
 * FILE_CACHE_IDLE_S is closed. Nothing is kept where an open file stands in the way of others
 * (file_may_stay_open), nor while a state loads.
 *
 * Owner: the state. An open_file is shared: the cache has a share, each http.file and each answer
 * under way; the last one closes it. Thread: the state's. Cost of a file that is kept: one fstat.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/loop.h"
#include "base/list.h"
#include "base/slice.h"
#include "binding/file.h"

enum {
    FILE_CACHE_FILES_MAX = 256,
    FILE_CACHE_BUCKETS = 256,
    FILE_CACHE_CONTENT_BYTES_MAX = 4096, /* from 6 KiB on the kernel's own copying is cheaper */
    FILE_CACHE_PATH_BYTES_MAX = 1024,    /* a longer path is opened each time */
    FILE_CACHE_PATH_S = 1,
    FILE_CACHE_IDLE_S = 10
};

struct open_file {
    HANDLE handle;
    struct file_stamp stamp; /* as of checked_ns */
    const char *content;     /* all of it, as the stamp says; NULL: not kept */
    char *kept;              /* what was read for content; malloc */
    struct slice type;       /* the caller's, static; empty at first */
    uint64_t checked_ns;     /* loop_now_ns */
    uint64_t path_ns;        /* when the path was last followed */
    unsigned shares;
    struct list_node bucket, use; /* while the cache has a share */
    uint64_t hash;
    size_t path_len;
    char path[]; /* with NUL */
};

struct file_cache {
    struct loop *loop;    /* NULL: nothing is kept */
    struct list *buckets; /* FILE_CACHE_BUCKETS, made with the first file */
    struct list by_use;   /* newest first */
    size_t count;
    struct loop_timer sweep; /* runs while there are files */
};

void file_cache_init(struct file_cache *cache);

/* From now on files are kept; loop: whose thread this is. */
void file_cache_start(struct file_cache *cache, struct loop *loop);

/* Gives up every share of the cache, on the loop's thread; nothing is kept from now on. Harmless
 * when it was not started. */
void file_cache_close(struct file_cache *cache);

/* The file at a path as it is now. *out: with a share for the caller.
 * Errors: as file_open. */
ULONG file_cache_open(struct file_cache *cache, struct slice path, struct open_file **out);

/* Brings stamp and content of this very file up to date, unless that was done in this turn of the
 * loop: for one that was opened long ago. Errors: as file_examine. */
ULONG file_cache_refresh(struct file_cache *cache, struct open_file *file);

/* Gives a share back; closes the file with the last one. */
void file_cache_release(struct open_file *file);
