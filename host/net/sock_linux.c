/* The part of sock.h that is Linux's own: a file to a socket in the kernel, and how much of what
 * was written is still there. */
#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <time.h>

#include "net/sock.h"

static bool is_sigpipe_pending(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

/* sendfile cannot be told MSG_NOSIGNAL, and a library must not change what the program does with
 * SIGPIPE: so it is blocked for the one call, and the one that the call may have raised is taken
 * out again. */
static ssize_t send_file_quietly(int fd, int file_fd, off_t *offset, size_t count)
{
    sigset_t pipe_only, before;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    if (pthread_sigmask(SIG_BLOCK, &pipe_only, &before) != 0) {
        errno = EINVAL;
        return -1;
    }
    bool was_pending = sigismember(&before, SIGPIPE) == 1 && is_sigpipe_pending();
    ssize_t put = 0;
    do {
        put = sendfile(fd, file_fd, offset, count);
    } while (put < 0 && errno == EINTR);
    int error = errno;
    if (put < 0 && error == EPIPE && !was_pending) {
        const struct timespec at_once = {0, 0};
        (void)sigtimedwait(&pipe_only, NULL, &at_once); /* there may be none: it is ignored */
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* a mask that was in force is good */
    errno = error;
    return put;
}

size_t sock_unacknowledged(int fd)
{
    int bytes = 0;
    return ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? (size_t)bytes : 0;
}

ULONG sock_send_file(int fd, int file_fd, uint64_t *offset, size_t count, size_t *n)
{
    assert(count > 0 && *offset <= INT64_MAX);
    *n = 0;
    off_t at = (off_t)*offset;
    ssize_t put = send_file_quietly(fd, file_fd, &at, count);
    if (put < 0) {
        return sock_error_from_errno(errno);
    }
    if (put == 0) {
        return ERROR_HANDLE_EOF;
    }
    *n = (size_t)put;
    *offset += (uint64_t)put;
    return NO_ERROR;
}
