#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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

ULONG file_open(const char *path, HANDLE *handle, uint64_t *bytes)
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
    *bytes = (uint64_t)info.st_size;
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
