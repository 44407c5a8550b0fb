/* loop_find_free_port of api/loop.h: bind and see. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/loop.h"
#include "net/sock.h"

enum { TRIES_MAX = 64 };

/* Binds without SO_REUSEADDR, so that an address in any use is refused, and without listening, so
 * that nobody connects.
 * *fd: the bound socket, or -1 on error. */
static ULONG bind_to(const struct sock_addr *addr, int *fd)
{
    *fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd >= 0 && bind(*fd, &addr->sa, sock_addr_len(addr)) == 0) {
        return NO_ERROR;
    }
    ULONG status = sock_error_from_errno(errno);
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return status;
}

/* One port the system gives for 127.0.0.1, tried on [::1]. ERROR_SHARING_VIOLATION: try another. */
static ULONG try_port(uint16_t *port)
{
    int v4 = -1, v6 = -1;
    struct sock_addr addr = sock_addr_loopback_v4(0);
    ULONG status = bind_to(&addr, &v4);
    if (status != NO_ERROR) {
        goto out;
    }
    status = sock_local_addr(v4, &addr);
    if (status != NO_ERROR) {
        goto out;
    }
    uint16_t candidate = sock_addr_port(&addr);
    addr = sock_addr_loopback_v6(candidate);
    status = bind_to(&addr, &v6);
    if (status == NO_ERROR || status == ERROR_NOT_FOUND) { /* free there too, or no IPv6 */
        *port = candidate;
        status = NO_ERROR;
    }
out:
    if (v6 >= 0) {
        close(v6);
    }
    if (v4 >= 0) {
        close(v4);
    }
    return status;
}

ULONG loop_find_free_port(uint16_t *port)
{
    *port = 0;
    for (int i = 0; i < TRIES_MAX; i++) {
        ULONG status = try_port(port);
        if (status == ERROR_TOO_MANY_OPEN_FILES) {
            return ERROR_NOT_ENOUGH_MEMORY; /* the contract has one code for what is used up */
        }
        if (status != ERROR_SHARING_VIOLATION) {
            return status;
        }
    }
    return ERROR_SHARING_VIOLATION;
}
