/* Opens COUNT keep-alive connections to 127.0.0.1:PORT, sends one request on each, reads its answer
 * and then only holds them, until its input ends. Prints `held N` when all N are idle; fewer than
 * COUNT where descriptors run out. Each PER_SOURCE connections come from the next address of
 * 127.0.0.2, 127.0.0.3, ..., as one address has not ports enough.
 *
 * idle PORT COUNT PATH */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX 4096
#define PER_SOURCE       10000

/* One connection, used once, from the source'th address. Returns the descriptor, or -1. */
static int open_used(uint16_t port, uint32_t source, const char *request, size_t request_len)
{
    char answer[ANSWER_BYTES_MAX];
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + source);
    if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
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
    unsigned long held = 0;
    while (held < count &&
           open_used(port, (uint32_t)(held / PER_SOURCE), request, (size_t)len) >= 0) {
        held++;
    }
    if (held < count && errno != EMFILE && errno != ENFILE) {
        perror("idle");
        return 1;
    }
    printf("held %lu\n", held);
    fflush(stdout);
    while (read(STDIN_FILENO, &ignored, 1) > 0) {
    }
    return 0;
}
