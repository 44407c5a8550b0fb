#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "binding/file.h"

static ULONG from_errno(int error)
{
    switch (error) {
    case ENOENT: return ERROR_FILE_NOT_FOUND;
    case ENOTDIR:
    case ENAMETOOLONG: return ERROR_PATH_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS: return ERROR_ACCESS_DENIED;
    case EISDIR: return ERROR_NOT_SUPPORTED;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return ERROR_HANDLE_DISK_FULL;
    case ENOMEM: return ERROR_NOT_ENOUGH_MEMORY;
    default: return ERROR_INVALID_FUNCTION;
    }
}

/* Descriptor 0 looks like a NULL handle and cannot be used. */
static int open_above_zero(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0666);
    if (fd != 0) {
        return fd;
    }
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int error = errno;
    close(fd);
    errno = error;
    return higher;
}

static struct file_stamp stamp_of(const struct stat *info)
{
    const int64_t ns = 1000000000;
    return (struct file_stamp){
        .volume = (uint64_t)info->st_dev,
        .id = (uint64_t)info->st_ino,
        .bytes = (uint64_t)info->st_size,
        .written_ns = (int64_t)info->st_mtim.tv_sec * ns + info->st_mtim.tv_nsec,
        .changed_ns = (int64_t)info->st_ctim.tv_sec * ns + info->st_ctim.tv_nsec,
    };
}

bool file_is_settled(const struct file_stamp *stamp)
{
    const int64_t ns = 1000000000;
    int64_t latest = stamp->written_ns > stamp->changed_ns ? stamp->written_ns : stamp->changed_ns;
    return clock_wall_s() - latest / ns > FILE_SETTLED_S;
}

bool file_may_stay_open(void)
{
    return true;
}

ULONG file_examine(HANDLE handle, struct file_stamp *stamp)
{
    struct stat info;
    if (fstat(http_fd_from_handle(handle), &info) != 0) {
        return from_errno(errno);
    }
    *stamp = stamp_of(&info);
    return NO_ERROR;
}

ULONG file_examine_path(const char *path, struct file_stamp *stamp)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return from_errno(errno);
    }
    *stamp = stamp_of(&info);
    return NO_ERROR;
}

ULONG file_read(HANDLE handle, char *p, size_t len)
{
    size_t at = 0;
    while (at < len) {
        ssize_t n = pread(http_fd_from_handle(handle), p + at, len - at, (off_t)at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? from_errno(errno) : ERROR_HANDLE_EOF;
        }
        at += (size_t)n;
    }
    return NO_ERROR;
}

ULONG file_open(const char *path, HANDLE *handle, struct file_stamp *stamp)
{
    struct stat info;
    int fd = open_above_zero(path, O_RDONLY | O_NONBLOCK | O_NOCTTY); /* a FIFO must not hang us */
    if (fd < 0) {
        return from_errno(errno);
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return ERROR_NOT_SUPPORTED;
    }
    *handle = http_handle_from_fd(fd);
    *stamp = stamp_of(&info);
    return NO_ERROR;
}

ULONG file_create(const char *path, HANDLE *handle)
{
    int fd = open_above_zero(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY);
    if (fd < 0) {
        return from_errno(errno);
    }
    *handle = http_handle_from_fd(fd);
    return NO_ERROR;
}

ULONG file_write(HANDLE handle, const void *p, size_t len)
{
    const char *at = p;
    while (len > 0) {
        ssize_t n = write(http_fd_from_handle(handle), at, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? from_errno(errno) : ERROR_HANDLE_DISK_FULL;
        }
        at += n;
        len -= (size_t)n;
    }
    return NO_ERROR;
}

ULONG file_close(HANDLE handle)
{
    return close(http_fd_from_handle(handle)) == 0 ? NO_ERROR : from_errno(errno);
}

void file_discard(const char *path)
{
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISREG(info.st_mode)) {
        (void)unlink(path); /* it was a failure already */
    }
}
