/* loop_find_free_port of api/loop.h: bind and see. Addresses are bound exclusively, so what another
 * program holds is refused. */
#include "api/loop.h"

enum { TRIES_MAX = 64 };

static SOCKET bind_to(const struct sockaddr *address, int length)
{
    BOOL on = TRUE;
    SOCKET s = socket(address->sa_family, SOCK_STREAM, 0);
    if (s == INVALID_SOCKET) {
        return s;
    }
    (void)setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on, sizeof on);
    if (bind(s, address, length) != 0) {
        (void)closesocket(s);
        return INVALID_SOCKET;
    }
    return s;
}

/* Free on [::1] too, or there is no IPv6 here. */
static bool is_free_v6(uint16_t port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    v6.sin6_addr.s6_addr[15] = 1;
    SOCKET s = bind_to((const struct sockaddr *)&v6, sizeof v6);
    if (s != INVALID_SOCKET) {
        (void)closesocket(s);
        return true;
    }
    int error = WSAGetLastError();
    return error != WSAEADDRINUSE && error != WSAEACCES;
}

ULONG loop_find_free_port(uint16_t *port)
{
    WSADATA data;
    ULONG status = ERROR_SHARING_VIOLATION;
    *port = 0;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    for (int i = 0; i < TRIES_MAX && status != NO_ERROR; i++) {
        struct sockaddr_in v4 = {.sin_family = AF_INET};
        int length = sizeof v4;
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        SOCKET s = bind_to((const struct sockaddr *)&v4, length);
        if (s == INVALID_SOCKET) {
            continue;
        }
        if (getsockname(s, (struct sockaddr *)&v4, &length) == 0 &&
            is_free_v6(ntohs(v4.sin_port))) {
            *port = ntohs(v4.sin_port);
            status = NO_ERROR;
        }
        (void)closesocket(s);
    }
    (void)WSACleanup();
    return status;
}
