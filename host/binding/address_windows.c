#include "binding/address.h"

#include <stdio.h>

size_t address_format(const SOCKADDR *address, char out[ADDRESS_BYTES_MAX])
{
    char host[INET6_ADDRSTRLEN];
    int len = 0;
    out[0] = 0;
    if (address == NULL) {
        return 0;
    }
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in = *(const struct sockaddr_in *)(const void *)address;
        if (InetNtopA(AF_INET, &in.sin_addr, host, sizeof host) != NULL) {
            len = snprintf(out, ADDRESS_BYTES_MAX, "%s:%u", host, (unsigned)ntohs(in.sin_port));
        }
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in = *(const struct sockaddr_in6 *)(const void *)address;
        if (InetNtopA(AF_INET6, &in.sin6_addr, host, sizeof host) != NULL) {
            len = snprintf(out, ADDRESS_BYTES_MAX, "[%s]:%u", host, (unsigned)ntohs(in.sin6_port));
        }
    }
    return len > 0 ? (size_t)len : 0;
}
