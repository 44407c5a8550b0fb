#include <fnmatch.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/watch_internal.h"

bool watch_stat(const char *path, struct watch_stamp *out)
{
    struct stat info;
    memset(out, 0, sizeof *out);
    if (stat(path, &info) != 0) {
        return false;
    }
    out->device = (uint64_t)info.st_dev;
    out->inode = (uint64_t)info.st_ino;
    out->bytes = (uint64_t)info.st_size;
    out->seconds = (int64_t)info.st_mtim.tv_sec;
    out->nanoseconds = (int64_t)info.st_mtim.tv_nsec;
    return true;
}

bool watch_matches(const char *pattern, const char *path)
{
    return fnmatch(pattern, path, 0) == 0;
}

void watch_find(const char *pattern, void (*found)(void *ctx, const char *path), void *ctx)
{
    glob_t list;
    if (glob(pattern, 0, NULL, &list) == 0) {
        for (size_t i = 0; i < list.gl_pathc; i++) {
            found(ctx, list.gl_pathv[i]);
        }
        globfree(&list);
    }
}
