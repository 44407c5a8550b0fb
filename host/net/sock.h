/* TCP sockets that never block, and errno turned into the contract's codes.
 *
 * Every descriptor made here is non-blocking and close-on-exec. Owner: the caller, until
 * sock_close.
 * Thread: a socket belongs to the thread that uses it; there is no state here. Cost: one system
 * call each, unless said.
 *
 * Codes: ERROR_SHARING_VIOLATION EADDRINUSE · ERROR_ACCESS_DENIED EACCES, EPERM · ERROR_NOT_FOUND
 * EADDRNOTAVAIL, EAFNOSUPPORT (this machine has no such address, or no IPv6) ·
 * ERROR_TOO_MANY_OPEN_FILES EMFILE, ENFILE · ERROR_NOT_ENOUGH_MEMORY ENOMEM, ENOBUFS ·
 * ERROR_NETNAME_DELETED the connection is gone (reset, timed out, written to after its end, aborted
 * before it was accepted) · ERROR_INVALID_HANDLE EBADF, ENOTSOCK · ERROR_INVALID_PARAMETER EINVAL ·
 * ERROR_INVALID_FUNCTION everything else. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "api/httpapi.h"

/* Windows has this code, the contract has no use for it: it stays below the engine, which waits and
 * tries again. */
#define ERROR_TOO_MANY_OPEN_FILES 4u

/* An address of either family; sa.sa_family says which. */
struct sock_addr {
    union {
        struct sockaddr sa;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
};

/* Bytes of the address that count, by its family. */
socklen_t sock_addr_len(const struct sock_addr *addr);

/* 127.0.0.1 or [::1] with the port (host order; 0: any free). */
struct sock_addr sock_addr_loopback_v4(uint16_t port);
struct sock_addr sock_addr_loopback_v6(uint16_t port);

/* The port in host order; 0 for another family. */
uint16_t sock_addr_port(const struct sock_addr *addr);

/* The code for an errno, as listed above. */
ULONG sock_error_from_errno(int error);

/* Opens a listening socket with TCP_NODELAY set, which accepted sockets inherit, SO_REUSEADDR, and
 * for IPv6 IPV6_V6ONLY.
 * share: false for the first listener of an address in this process. It binds without SO_REUSEPORT,
 * so that an address held by somebody else is refused, and sets it before listening, so that this
 * process may open more; those pass true.
 * fd: receives the descriptor, -1 on error.
 * Errors: ERROR_SHARING_VIOLATION, ERROR_ACCESS_DENIED, ERROR_NOT_FOUND, ERROR_TOO_MANY_OPEN_FILES,
 * ERROR_NOT_ENOUGH_MEMORY, ERROR_INVALID_PARAMETER. Source: socket(7) SO_REUSEPORT;
 * HttpAddUrlToUrlGroup, return values. */
ULONG sock_listen(const struct sockaddr *addr, socklen_t addr_len, bool share, int backlog,
                  int *fd);

/* Takes the oldest connection off the listener. fd: receives it, -1 when there is none. peer: its
 * address; may be NULL.
 * Errors: ERROR_IO_PENDING the backlog is empty; ERROR_NETNAME_DELETED that connection died first,
 * try the next one; ERROR_TOO_MANY_OPEN_FILES, ERROR_NOT_ENOUGH_MEMORY: the connection stays in the
 * backlog. */
ULONG sock_accept(int listener, int *fd, struct sock_addr *peer);

/* Reads up to cap (> 0) bytes. *n: bytes read, > 0 with NO_ERROR, else 0.
 * Errors: ERROR_HANDLE_EOF the peer has ended its direction in order; ERROR_IO_PENDING nothing
 * there yet; ERROR_NETNAME_DELETED. */
ULONG sock_read(int fd, void *p, size_t cap, size_t *n);

/* Writes from count (1 to IOV_MAX) parts. *n: bytes taken, perhaps fewer than given, else 0. Raises
 * no SIGPIPE. One part is cheaper than two.
 * Errors: ERROR_IO_PENDING no room; ERROR_NETNAME_DELETED. */
ULONG sock_write(int fd, const struct iovec *parts, int count, size_t *n);

/* The same, but the caller writes more at once, or ends its direction: the kernel may wait for it
 * to fill a packet (not for ever, 200 ms at most). Saves the peer a wake-up for a head whose body
 * is a file, and a packet for the FIN behind a last answer. Source: tcp(7), send(2) MSG_MORE. */
ULONG sock_write_more(int fd, const struct iovec *parts, int count, size_t *n);

/* Writes up to count bytes of file_fd from *offset, in the kernel. *n: bytes taken; *offset moves
 * by as many. Raises no SIGPIPE (which costs two more system calls).
 * Errors: ERROR_IO_PENDING no room; ERROR_HANDLE_EOF the file ends at *offset;
 * ERROR_NETNAME_DELETED. */
ULONG sock_send_file(int fd, int file_fd, uint64_t *offset, size_t count, size_t *n);

/* Bytes written that the peer has not acknowledged yet; 0 when that cannot be told. */
size_t sock_unacknowledged(int fd);

/* The socket's own address and its peer's. */
ULONG sock_local_addr(int fd, struct sock_addr *addr);
ULONG sock_peer_addr(int fd, struct sock_addr *addr);

/* Ends our direction (FIN); reading goes on. A connection that is gone already is no error. */
void sock_shutdown_write(int fd);

/* Closes in order: what was written is still delivered, unless there is input nobody has read (the
 * kernel then resets the connection). */
void sock_close(int fd);

/* Closing it from now on is at once, with a reset; what was written may be lost. */
void sock_reset_on_close(int fd);
