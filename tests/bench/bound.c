/* The lower bound that every figure is compared with: one thread, epoll, and no understanding. It
 * looks for blank lines and answers each with the same bytes; all answers to one read are one send.
 *
 * bound [-p PORT] [-c] [-s BODY_BYTES] [-n ANSWER_BYTES] [TEXT]
 *   -p  port on 127.0.0.1; 0, the default, takes a free one
 *   -c  close the connection after each answer, and say so in it
 *   -s  bytes of body that follow each blank line of a request
 *   -n  answer with that many bytes instead of TEXT
 *   -f  print a port that is free now, and end
 * Prints `ready http://127.0.0.1:PORT` and serves until a signal ends it. Connections that fail are
 * dropped without a word: it measures, it does not serve. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX       256
#define INPUT_BYTES      16384
#define OUTPUT_BYTES     65536
#define ANSWER_BYTES_MAX (16 << 20)
#define HEAD_BYTES_MAX   512
#define KERNEL_TAKES     65536 /* a longer answer may not be taken in one go */
#define CONNECTIONS_MAX  65536

/* What is left of a request that came in parts, by descriptor. */
struct connection {
    size_t unsent;   /* bytes of its answers still to go */
    size_t held;     /* bytes at the start of input */
    size_t to_skip;  /* bytes of body still to come */
    char tail[2048]; /* an unfinished head */
};

struct bound {
    int epoll;
    int listener;
    bool closes;       /* one answer a connection */
    size_t body_bytes; /* after each blank line */
    size_t answer_len;
    size_t output_len; /* whole answers */
    char input[INPUT_BYTES];
    char *output;                   /* the answer, again and again */
    struct connection *connections; /* CONNECTIONS_MAX places */
};

/* Opens a listener on 127.0.0.1. Returns the descriptor or -1; *port is the one it got. */
static int open_listener(uint16_t *port)
{
    const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t address_len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &address_len) != 0) {
        perror("bound: listen");
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

/* Fills the output with the one answer, as often as it fits. Returns false when it cannot. */
static bool make_answers(struct bound *b, const char *text, size_t text_len)
{
    char head[HEAD_BYTES_MAX];
    int head_len = snprintf(head, sizeof head,
                            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nServer: bound\r\n"
                            "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n%sContent-Length: %zu\r\n\r\n",
                            b->closes ? "Connection: close\r\n" : "", text_len);

    if (head_len < 0 || (size_t)head_len >= sizeof head || text_len > ANSWER_BYTES_MAX) {
        return false;
    }
    b->answer_len = (size_t)head_len + text_len;
    size_t answers = b->answer_len < OUTPUT_BYTES ? OUTPUT_BYTES / b->answer_len : 1;
    b->output_len = answers * b->answer_len;
    b->output = malloc(b->output_len);
    if (b->output == NULL) {
        return false;
    }
    memcpy(b->output, head, (size_t)head_len);
    if (text == NULL) {
        memset(b->output + head_len, 'x', text_len);
    } else {
        memcpy(b->output + head_len, text, text_len);
    }
    for (size_t i = 1; i < answers; i++) {
        memcpy(b->output + i * b->answer_len, b->output, b->answer_len);
    }
    return true;
}

static void drop(struct bound *b, int fd)
{
    memset(&b->connections[fd], 0, offsetof(struct connection, tail));
    close(fd);
}

static void accept_all(struct bound *b)
{
    const int on = 1;

    for (;;) {
        int fd = accept4(b->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        bool long_answers = b->answer_len > KERNEL_TAKES;
        struct epoll_event event = {.events = EPOLLIN | (long_answers ? EPOLLOUT | EPOLLET : 0u),
                                    .data.fd = fd};
        if (fd >= CONNECTIONS_MAX || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) ||
            epoll_ctl(b->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            close(fd);
        }
    }
}

/* Counts the whole requests of input[0..len) and keeps the rest for the next read. */
static size_t count_requests(struct bound *b, struct connection *c, size_t len)
{
    const char *at = b->input;
    const char *end = b->input + len;
    size_t count = 0;

    for (;;) {
        size_t skipped = c->to_skip < (size_t)(end - at) ? c->to_skip : (size_t)(end - at);
        bool in_body = c->to_skip > 0;
        at += skipped;
        c->to_skip -= skipped;
        if (c->to_skip > 0) {
            break;
        }
        count += in_body;
        const char *blank = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
        if (blank == NULL) {
            break;
        }
        at = blank + 4;
        c->to_skip = b->body_bytes;
        count += b->body_bytes == 0;
    }
    c->held = (size_t)(end - at) <= sizeof c->tail ? (size_t)(end - at) : 0;
    memcpy(c->tail, at, c->held);
    return count;
}

/* Sends what is owed. Returns false when the connection is over. */
static bool send_unsent(struct bound *b, int fd)
{
    struct connection *c = &b->connections[fd];

    while (c->unsent > 0) {
        size_t at = (b->answer_len - c->unsent % b->answer_len) % b->answer_len;
        size_t room = b->output_len - at;
        ssize_t sent = send(fd, b->output + at, c->unsent < room ? c->unsent : room, MSG_NOSIGNAL);
        if (sent < 0) {
            /* Short answers come with no EPOLLOUT: who does not read them is no part of it. */
            return errno == EAGAIN && b->answer_len > KERNEL_TAKES;
        }
        c->unsent -= (size_t)sent;
    }
    return !b->closes;
}

/* Answers everything that one read brought. Returns false when the connection is over. */
static bool serve(struct bound *b, int fd)
{
    struct connection *c = &b->connections[fd];

    if (c->held > 0) {
        memcpy(b->input, c->tail, c->held);
    }
    ssize_t got = recv(fd, b->input + c->held, sizeof b->input - c->held, 0);
    if (got <= 0) {
        return got < 0 && errno == EAGAIN;
    }
    size_t count = count_requests(b, c, c->held + (size_t)got);
    c->unsent += count * b->answer_len;
    return count == 0 || send_unsent(b, fd);
}

static bool on_event(struct bound *b, const struct epoll_event *event)
{
    int fd = event->data.fd;
    bool open = b->connections[fd].unsent == 0 || send_unsent(b, fd);
    return open && ((event->events & ~(uint32_t)EPOLLOUT) == 0 || serve(b, fd));
}

static int run(struct bound *b)
{
    struct epoll_event events[EVENTS_MAX];
    struct epoll_event listening = {.events = EPOLLIN, .data.fd = b->listener};

    b->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (b->epoll < 0 || epoll_ctl(b->epoll, EPOLL_CTL_ADD, b->listener, &listening) != 0) {
        perror("bound: epoll");
        return 1;
    }
    for (;;) {
        int count = epoll_wait(b->epoll, events, EVENTS_MAX, -1);
        if (count < 0 && errno != EINTR) {
            return 1;
        }
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == b->listener) {
                accept_all(b);
            } else if (!on_event(b, &events[i])) {
                drop(b, events[i].data.fd);
            }
        }
    }
}

int main(int argc, char **argv)
{
    uint16_t port = 0;
    size_t text_len = 0;
    bool only_port = false;
    const char *text = "hello, world\n";
    struct bound *b = calloc(1, sizeof *b);

    if (b == NULL || (b->connections = calloc(CONNECTIONS_MAX, sizeof *b->connections)) == NULL) {
        return 1;
    }
    for (int option = getopt(argc, argv, "p:cs:n:f"); option != -1;
         option = getopt(argc, argv, "p:cs:n:f")) {
        switch (option) {
        case 'p': port = (uint16_t)strtoul(optarg, NULL, 10); break;
        case 'c': b->closes = true; break;
        case 's': b->body_bytes = strtoul(optarg, NULL, 10); break;
        case 'n': text_len = strtoul(optarg, NULL, 10); break;
        case 'f': only_port = true; break;
        default: return 2;
        }
    }
    if (optind < argc) {
        text = argv[optind];
    }
    if (!make_answers(b, text_len ? NULL : text, text_len ? text_len : strlen(text))) {
        fprintf(stderr, "bound: no answer of more than %d bytes\n", ANSWER_BYTES_MAX);
        return 2;
    }
    b->listener = open_listener(&port);
    if (b->listener < 0) {
        return 1;
    }
    if (only_port) {
        printf("%u\n", port);
        return 0;
    }
    printf("ready http://127.0.0.1:%u\n", port);
    fflush(stdout);
    return run(b);
}
