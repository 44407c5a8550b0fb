/* Opens COUNT keep-alive connections to 127.0.0.1:PORT, sends one request on each, reads its answer
 * and then only holds them, until its input ends. Prints `held N` when all N are idle.
 *
 * idle PORT COUNT PATH */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX 4096

/* One connection, used once. Returns the descriptor, or -1. */
static int open_used(uint16_t port, const char *request, size_t request_len)
{
    char answer[ANSWER_BYTES_MAX];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        send(fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len ||
        recv(fd, answer, sizeof answer, 0) <= 0) {
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

int main(int argc, char **argv)
{
    char request[512];
    char ignored;

    if (argc != 4) {
        fprintf(stderr, "usage: idle PORT COUNT PATH\n");
        return 2;
    }
    uint16_t port = (uint16_t)strtoul(argv[1], NULL, 10);
    unsigned long count = strtoul(argv[2], NULL, 10);
    int len = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost:%u\r\n\r\n",
                       argv[3], port);
    if (len < 0 || (size_t)len >= sizeof request) {
        return 2;
    }
    for (unsigned long i = 0; i < count; i++) {
        if (open_used(port, request, (size_t)len) < 0) {
            perror("idle");
            return 1;
        }
    }
    printf("held %lu\n", count);
    fflush(stdout);
    while (read(STDIN_FILENO, &ignored, 1) > 0) {
    }
    return 0;
}
