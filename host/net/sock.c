#include "net/sock.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* --- addresses ---------------------------------------------------------------------------- */

socklen_t sock_addr_len(const struct sock_addr *addr)
{
    return addr->sa.sa_family == AF_INET6 ? sizeof addr->v6 : sizeof addr->v4;
}

struct sock_addr sock_addr_loopback_v4(uint16_t port)
{
    struct sock_addr addr = {.v6 = {0}};
    addr.v4.sin_family = AF_INET;
    addr.v4.sin_port = htons(port);
    addr.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return addr;
}

struct sock_addr sock_addr_loopback_v6(uint16_t port)
{
    struct sock_addr addr = {.v6 = {0}};
    addr.v6.sin6_family = AF_INET6;
    addr.v6.sin6_port = htons(port);
    addr.v6.sin6_addr = in6addr_loopback;
    return addr;
}

uint16_t sock_addr_port(const struct sock_addr *addr)
{
    switch (addr->sa.sa_family) {
    case AF_INET: return ntohs(addr->v4.sin_port);
    case AF_INET6: return ntohs(addr->v6.sin6_port);
    default: return 0;
    }
}

static ULONG get_addr(int fd, struct sock_addr *addr,
                      int (*get)(int, struct sockaddr *, socklen_t *))
{
    *addr = (struct sock_addr){.v6 = {0}};
    socklen_t len = sizeof *addr;
    return get(fd, &addr->sa, &len) == 0 ? NO_ERROR : sock_error_from_errno(errno);
}

ULONG sock_local_addr(int fd, struct sock_addr *addr)
{
    return get_addr(fd, addr, getsockname);
}

ULONG sock_peer_addr(int fd, struct sock_addr *addr)
{
    return get_addr(fd, addr, getpeername);
}

/* --- errors ------------------------------------------------------------------------------- */

ULONG sock_error_from_errno(int error)
{
    switch (error) {
    case 0: return NO_ERROR;
    case EAGAIN: return ERROR_IO_PENDING;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENOTCONN:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case ENETRESET: return ERROR_NETNAME_DELETED;
    case EADDRINUSE: return ERROR_SHARING_VIOLATION;
    case EACCES:
    case EPERM: return ERROR_ACCESS_DENIED;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT: return ERROR_NOT_FOUND;
    case EMFILE:
    case ENFILE: return ERROR_TOO_MANY_OPEN_FILES;
    case ENOMEM:
    case ENOBUFS: return ERROR_NOT_ENOUGH_MEMORY;
    case EBADF:
    case ENOTSOCK: return ERROR_INVALID_HANDLE;
    case EINVAL: return ERROR_INVALID_PARAMETER;
    default: return ERROR_INVALID_FUNCTION;
    }
}

/* --- listening ---------------------------------------------------------------------------- */

static bool turn_on(int fd, int level, int option)
{
    const int on = 1;
    return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

/* The order is the point: see sock_listen about SO_REUSEPORT. */
static bool bind_and_listen(int fd, const struct sockaddr *addr, socklen_t addr_len, bool share,
                            int backlog)
{
    return turn_on(fd, SOL_SOCKET, SO_REUSEADDR) &&
           (addr->sa_family != AF_INET6 || turn_on(fd, IPPROTO_IPV6, IPV6_V6ONLY)) &&
           turn_on(fd, IPPROTO_TCP, TCP_NODELAY) &&
           (!share || turn_on(fd, SOL_SOCKET, SO_REUSEPORT)) && bind(fd, addr, addr_len) == 0 &&
           (share || turn_on(fd, SOL_SOCKET, SO_REUSEPORT)) && listen(fd, backlog) == 0;
}

ULONG sock_listen(const struct sockaddr *addr, socklen_t addr_len, bool share, int backlog, int *fd)
{
    assert(backlog > 0);
    *fd = -1;
    int made = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made < 0) {
        return sock_error_from_errno(errno);
    }
    if (!bind_and_listen(made, addr, addr_len, share, backlog)) {
        ULONG status = sock_error_from_errno(errno);
        close(made);
        return status;
    }
    *fd = made;
    return NO_ERROR;
}

/* accept hands over errors that the new connection had while it waited; accept(2) lists them. */
static ULONG accept_error(int error)
{
    switch (error) {
    case EPROTO:
    case ENOPROTOOPT:
    case ENONET:
    case EOPNOTSUPP:
    case EPERM: /* forbidden by a packet filter */ return ERROR_NETNAME_DELETED;
    default: return sock_error_from_errno(error);
    }
}

ULONG sock_accept(int listener, int *fd, struct sock_addr *peer)
{
    struct sock_addr from = {.v6 = {0}};
    socklen_t len = sizeof from;
    do {
        *fd = accept4(listener, &from.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (*fd < 0 && errno == EINTR);
    if (*fd < 0) {
        return accept_error(errno);
    }
    if (peer != NULL) {
        *peer = from;
    }
    return NO_ERROR;
}

/* --- bytes -------------------------------------------------------------------------------- */

ULONG sock_read(int fd, void *p, size_t cap, size_t *n)
{
    assert(cap > 0);
    *n = 0;
    ssize_t got = 0;
    do {
        got = recv(fd, p, cap, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return sock_error_from_errno(errno);
    }
    *n = (size_t)got;
    return got == 0 ? ERROR_HANDLE_EOF : NO_ERROR;
}

static ULONG write_parts(int fd, const struct iovec *parts, int count, int flags, size_t *n)
{
    assert(count > 0);
    *n = 0;
    ssize_t put = 0;
    do {
        if (count == 1) {
            put = send(fd, parts->iov_base, parts->iov_len, flags);
        } else {
            struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts,
                                     .msg_iovlen = (size_t)count};
            put = sendmsg(fd, &message, flags);
        }
    } while (put < 0 && errno == EINTR);
    if (put < 0) {
        return sock_error_from_errno(errno);
    }
    *n = (size_t)put;
    return NO_ERROR;
}

ULONG sock_write(int fd, const struct iovec *parts, int count, size_t *n)
{
    return write_parts(fd, parts, count, MSG_NOSIGNAL, n);
}

ULONG sock_write_more(int fd, const struct iovec *parts, int count, size_t *n)
{
    return write_parts(fd, parts, count, MSG_NOSIGNAL | MSG_MORE, n);
}

/* --- end ---------------------------------------------------------------------------------- */

void sock_shutdown_write(int fd)
{
    (void)shutdown(fd, SHUT_WR); /* fails only when the connection is gone */
}

void sock_close(int fd)
{
    assert(fd >= 0);
    (void)close(fd); /* the descriptor is free whatever the result (close(2), Linux) */
}

void sock_reset_on_close(int fd)
{
    assert(fd >= 0);
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now); /* else an orderly close */
}
