/* Files as the binding needs them: opened for an answer, written from a body. One file a platform.
 *
 * Thread: any. These calls block; pieces are small (body.h). Errors: ERROR_FILE_NOT_FOUND,
 * ERROR_PATH_NOT_FOUND, ERROR_ACCESS_DENIED, ERROR_NOT_SUPPORTED (a folder),
 * ERROR_HANDLE_DISK_FULL, ERROR_INVALID_FUNCTION for the rest. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "api/httpapi.h"

#ifndef ERROR_HANDLE_DISK_FULL
#define ERROR_HANDLE_DISK_FULL 39u
#endif

/* Opens a regular file for reading. *handle is what HTTP_DATA_CHUNK wants. */
ULONG file_open(const char *path, HANDLE *handle, uint64_t *bytes);

/* Makes or empties a file for writing. */
ULONG file_create(const char *path, HANDLE *handle);

/* Writes all of it. */
ULONG file_write(HANDLE handle, const void *p, size_t len);

/* Closes; reports what a late write error says. */
ULONG file_close(HANDLE handle);

/* Removes what file_create made, if it is a regular file. */
void file_discard(const char *path);
