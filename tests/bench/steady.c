/* A load without chance: COUNT requests over CONNECTIONS keep-alive connections to 127.0.0.1:PORT,
 * DEPTH of them in one write, and nothing more on a connection before all DEPTH answers are here.
 * Under callgrind the same load gives the same instructions, to a few parts in ten thousand.
 *
 * steady PORT COUNT CONNECTIONS DEPTH hello|user|echo|/TARGET
 *
 * The first answer tells how long each one is: every other must have as many bytes and begin alike.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 256,
    DEPTH_MAX = 64,
    REQUEST_BYTES_MAX = 2048,
    ANSWER_BYTES_MAX = 4096,
    ECHO_BYTES = 1024,
    ANSWER_TIMEOUT_S = 60
};

/* What wrk sends: a request line and Host. */
static size_t make_request(char *out, const char *kind, unsigned port)
{
    int n = -1;
    if (strcmp(kind, "hello") == 0) {
        n = snprintf(out, REQUEST_BYTES_MAX, "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", port);
    } else if (strcmp(kind, "user") == 0) {
        n = snprintf(out, REQUEST_BYTES_MAX,
                     "GET /user/42?x=seven HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", port);
    } else if (kind[0] == '/') {
        n = snprintf(out, REQUEST_BYTES_MAX, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", kind,
                     port);
    } else if (strcmp(kind, "echo") == 0) {
        n = snprintf(out, REQUEST_BYTES_MAX,
                     "POST / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: %d\r\n\r\n", port,
                     ECHO_BYTES);
        memset(out + n, 'x', ECHO_BYTES);
        n += ECHO_BYTES;
    }
    return n < 0 || n > REQUEST_BYTES_MAX ? 0 : (size_t)n;
}

static int open_connection(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval limit = {.tv_sec = ANSWER_TIMEOUT_S};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* The bytes of one whole answer: its head and what Content-Length says. 0: it has not come. */
static size_t read_first(int fd, const char *request, size_t request_bytes)
{
    char answer[ANSWER_BYTES_MAX + 1];
    size_t have = 0;
    if (!send_all(fd, request, request_bytes)) {
        return 0;
    }
    for (;;) {
        ssize_t n = recv(fd, answer + have, ANSWER_BYTES_MAX - have, 0);
        if (n <= 0) {
            return 0;
        }
        have += (size_t)n;
        answer[have] = '\0';
        const char *end = strstr(answer, "\r\n\r\n");
        const char *length = strstr(answer, "Content-Length: ");
        if (end == NULL) {
            continue;
        }
        if (length == NULL || strncmp(answer, "HTTP/1.1 200 ", 13) != 0) {
            return 0;
        }
        size_t all = (size_t)(end + 4 - answer) + strtoul(length + 16, NULL, 10);
        if (have >= all) {
            return have == all ? all : 0;
        }
    }
}

/* Reads `count` answers of `bytes` each; each must be a 200. */
static bool read_answers(int fd, size_t bytes, unsigned count)
{
    static char answers[DEPTH_MAX * ANSWER_BYTES_MAX];
    size_t all = bytes * count, have = 0;
    while (have < all) {
        ssize_t n = recv(fd, answers + have, all - have, 0);
        if (n <= 0) {
            return false;
        }
        have += (size_t)n;
    }
    for (unsigned i = 0; i < count; i++) {
        if (memcmp(answers + i * bytes, "HTTP/1.1 200 ", 13) != 0) {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    static char batch[DEPTH_MAX * REQUEST_BYTES_MAX];
    char request[REQUEST_BYTES_MAX];
    int fds[CONNECTIONS_MAX];
    if (argc != 6) {
        fprintf(stderr, "usage: steady PORT COUNT CONNECTIONS DEPTH hello|user|echo|/TARGET\n");
        return 2;
    }
    uint16_t port = (uint16_t)strtoul(argv[1], NULL, 10);
    unsigned long left = strtoul(argv[2], NULL, 10);
    unsigned connections = (unsigned)strtoul(argv[3], NULL, 10);
    unsigned depth = (unsigned)strtoul(argv[4], NULL, 10);
    size_t request_bytes = make_request(request, argv[5], port);
    if (left == 0 || connections - 1 >= CONNECTIONS_MAX || depth - 1 >= DEPTH_MAX ||
        request_bytes == 0) {
        return 2;
    }
    for (unsigned i = 0; i < depth; i++) {
        memcpy(batch + i * request_bytes, request, request_bytes);
    }
    size_t answer_bytes = 0;
    for (unsigned i = 0; i < connections; i++) {
        fds[i] = open_connection(port);
        size_t bytes = fds[i] < 0 ? 0 : read_first(fds[i], request, request_bytes);
        if (bytes == 0 || (answer_bytes != 0 && bytes != answer_bytes)) {
            fprintf(stderr, "steady: no answer on connection %u\n", i);
            return 1;
        }
        answer_bytes = bytes;
    }
    while (left > 0) {
        unsigned sent = 0;
        for (; sent < connections && left >= depth; sent++, left -= depth) {
            if (!send_all(fds[sent], batch, request_bytes * depth)) {
                perror("steady: send");
                return 1;
            }
        }
        for (unsigned i = 0; i < sent; i++) {
            if (!read_answers(fds[i], answer_bytes, depth)) {
                fprintf(stderr, "steady: wrong or missing answers on connection %u\n", i);
                return 1;
            }
        }
        if (sent == 0) {
            break; /* COUNT is no multiple of DEPTH: the rest is not sent */
        }
    }
    return 0;
}
