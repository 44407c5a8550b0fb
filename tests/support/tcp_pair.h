/* Two ends of a TCP connection over loopback, made with the product's own sockets. */
#pragma once

#include <stdbool.h>

#include "net/sock.h"

struct tcp_pair {
    int listener;
    int client; /* blocking */
    int server; /* as sock_accept gives it */
};

/* Opens both ends, over [::1] with v6. false: not to be had here. */
bool tcp_pair_open(struct tcp_pair *pair, bool v6);

/* Closes what is open; an end that a test has closed itself is set to -1 by the test. */
void tcp_pair_close(struct tcp_pair *pair);
