#include "support/tcp_pair.h"

#include <poll.h>
#include <unistd.h>

bool tcp_pair_open(struct tcp_pair *pair, bool v6)
{
    *pair = (struct tcp_pair){.listener = -1, .client = -1, .server = -1};
    struct sock_addr addr = v6 ? sock_addr_loopback_v6(0) : sock_addr_loopback_v4(0);
    if (sock_listen(&addr.sa, sock_addr_len(&addr), false, 16, &pair->listener) != NO_ERROR ||
        sock_local_addr(pair->listener, &addr) != NO_ERROR) {
        goto failed;
    }
    pair->client = socket(addr.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (pair->client < 0 || connect(pair->client, &addr.sa, sock_addr_len(&addr)) != 0) {
        goto failed;
    }
    struct pollfd waiting = {.fd = pair->listener, .events = POLLIN};
    if (poll(&waiting, 1, 10000) != 1 ||
        sock_accept(pair->listener, &pair->server, NULL) != NO_ERROR) {
        goto failed;
    }
    return true;
failed:
    tcp_pair_close(pair);
    return false;
}

void tcp_pair_close(struct tcp_pair *pair)
{
    int *const ends[] = {&pair->client, &pair->server, &pair->listener};
    for (int i = 0; i < 3; i++) {
        if (*ends[i] >= 0) {
            close(*ends[i]);
            *ends[i] = -1;
        }
    }
}
