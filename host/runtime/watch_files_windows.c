/* Files are looked at by polling: the system's events are not asked for. Patterns know * and ?; in
 * watch_find only in the last part of the path. */
#include <stdio.h>
#include <string.h>

#include "runtime/watch_internal.h"

/* 100 ns steps from 1601 to 1970, and in a second. */
static const uint64_t unix_zero = UINT64_C(116444736000000000);
static const uint64_t steps_per_s = 10000000;

bool watch_stat(const char *path, struct watch_stamp *out)
{
    WIN32_FILE_ATTRIBUTE_DATA info;
    memset(out, 0, sizeof *out);
    if (!GetFileAttributesExA(path, GetFileExInfoStandard, &info)) {
        return false;
    }
    uint64_t written =
        (uint64_t)info.ftLastWriteTime.dwHighDateTime << 32 | info.ftLastWriteTime.dwLowDateTime;
    uint64_t since = written > unix_zero ? written - unix_zero : 0;
    out->bytes = (uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow;
    out->seconds = (int64_t)(since / steps_per_s);
    out->nanoseconds = (int64_t)(since % steps_per_s * 100);
    return true;
}

/* Goes back to the last star alone: each one before it has matched as little as it could. */
bool watch_matches(const char *pattern, const char *path)
{
    const char *star = NULL, *from = NULL;
    while (*path != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            from = path;
        } else if (*pattern == '?' || *pattern == *path) {
            pattern++;
            path++;
        } else if (star != NULL) {
            pattern = star + 1;
            path = ++from;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

void watch_find(const char *pattern, void (*found)(void *ctx, const char *path), void *ctx)
{
    WIN32_FIND_DATAA entry;
    char path[WATCH_PATH_BYTES_MAX];
    size_t folder = strlen(pattern);
    while (folder > 0 && pattern[folder - 1] != '/' && pattern[folder - 1] != '\\') {
        folder--;
    }
    HANDLE search = FindFirstFileA(pattern, &entry);
    BOOL more = search != INVALID_HANDLE_VALUE;
    for (; more; more = FindNextFileA(search, &entry)) {
        int len = snprintf(path, sizeof path, "%.*s%s", (int)folder, pattern, entry.cFileName);
        if (len > 0 && (size_t)len < sizeof path &&
            (entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0) {
            found(ctx, path);
        }
    }
    if (search != INVALID_HANDLE_VALUE) {
        (void)FindClose(search);
    }
}

ULONG watch_os_open(struct watch *watch, struct host *host, struct watch_os **out)
{
    (void)watch, (void)host;
    *out = NULL;
    return ERROR_NOT_SUPPORTED;
}

void watch_os_close(struct watch_os *os)
{
    (void)os; /* there is none */
}

void watch_os_follow(struct watch_os *os)
{
    (void)os;
}
