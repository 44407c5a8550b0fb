/* Files as the binding needs them: opened for an answer, written from a body. One file a platform.
 *
 * Thread: any. These calls block; pieces are small (body.h). Errors: ERROR_FILE_NOT_FOUND,
 * ERROR_PATH_NOT_FOUND, ERROR_ACCESS_DENIED, ERROR_NOT_SUPPORTED (a folder),
 * ERROR_HANDLE_DISK_FULL, ERROR_INVALID_FUNCTION for the rest. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/httpapi.h"

#ifndef ERROR_HANDLE_DISK_FULL
#define ERROR_HANDLE_DISK_FULL 39u
#endif

/* What tells one state of a file from another. Two that are equal are of one file whose bytes,
 * name and rights have not changed in between, but for changes that follow each other faster than
 * the file system's clock ticks (file_is_settled). */
struct file_stamp {
    uint64_t volume, id;
    uint64_t bytes; /* its length */
    int64_t written_ns, changed_ns;
};

enum { FILE_SETTLED_S = 2 /* the coarsest clock of a file system in use */ };

static inline bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->id == b->id && a->changed_ns == b->changed_ns && a->written_ns == b->written_ns &&
           a->bytes == b->bytes && a->volume == b->volume;
}

/* Whether the last change is so long ago that a later one will have another stamp. */
bool file_is_settled(const struct file_stamp *stamp);

/* Whether a file that stays open hinders nobody to write, replace or remove it. */
bool file_may_stay_open(void);

/* Opens a regular file for reading. *handle is what HTTP_DATA_CHUNK wants. */
ULONG file_open(const char *path, HANDLE *handle, struct file_stamp *stamp);

/* Stamps an open file, and what a path leads to now. One system call each. */
ULONG file_examine(HANDLE handle, struct file_stamp *stamp);
ULONG file_examine_path(const char *path, struct file_stamp *stamp);

/* Reads the first len (> 0) bytes. ERROR_HANDLE_EOF: there are fewer. */
ULONG file_read(HANDLE handle, char *p, size_t len);

/* Makes or empties a file for writing. */
ULONG file_create(const char *path, HANDLE *handle);

/* Writes all of it. */
ULONG file_write(HANDLE handle, const void *p, size_t len);

/* Closes; reports what a late write error says. */
ULONG file_close(HANDLE handle);

/* Removes what file_create made, if it is a regular file. */
void file_discard(const char *path);
