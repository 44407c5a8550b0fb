/* shim.h over POSIX. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract/contract.h"
#include "contract/shim.h"

enum { ARGUMENTS_MAX = 8 };

void shim_start(void)
{
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
}

unsigned shim_provider(void)
{
    return PROVIDER_ENGINE;
}

/* Fills an address; returns its length, 0 when the text is none. */
static socklen_t make_address(const char *text, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof *v4;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        return sizeof *v6;
    }
    return 0;
}

bool shim_has_ipv6(void)
{
    const intptr_t listener = shim_listen("::1", 0);
    if (listener == SHIM_NO_SOCKET) {
        return false;
    }
    shim_close(listener);
    return true;
}

intptr_t shim_connect(const char *address, uint16_t port)
{
    struct sockaddr_storage to;
    const socklen_t length = make_address(address, port, &to);
    const int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return SHIM_NO_SOCKET;
    }
    if (connect(fd, (struct sockaddr *)&to, length) != 0) {
        close(fd);
        return SHIM_NO_SOCKET;
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

bool shim_send(intptr_t socket, const void *bytes, size_t length)
{
    const char *next = bytes;
    while (length > 0) {
        const ssize_t sent = send((int)socket, next, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        next += sent;
        length -= (size_t)sent;
    }
    return true;
}

enum shim_result shim_receive(intptr_t socket, void *buffer, size_t size, unsigned milliseconds,
                              size_t *count)
{
    struct pollfd wait = {.fd = (int)socket, .events = POLLIN};
    *count = 0;
    int ready = 0;
    do {
        ready = poll(&wait, 1, (int)milliseconds);
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) {
        return SHIM_TIMEOUT;
    }
    const ssize_t got = recv((int)socket, buffer, size, 0);
    if (got > 0) {
        *count = (size_t)got;
        return SHIM_BYTES;
    }
    return got == 0 ? SHIM_EOF : SHIM_RESET;
}

void shim_shutdown_send(intptr_t socket)
{
    CHECK(shutdown((int)socket, SHUT_WR) == 0);
}

void shim_close(intptr_t socket)
{
    close((int)socket);
}

void shim_reset(intptr_t socket)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt((int)socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close((int)socket);
}

intptr_t shim_listen(const char *address, uint16_t port)
{
    struct sockaddr_storage at;
    const socklen_t length = make_address(address, port, &at);
    const int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    if (fd < 0) {
        return SHIM_NO_SOCKET;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, length) != 0 || listen(fd, 8) != 0) {
        close(fd);
        return SHIM_NO_SOCKET;
    }
    return fd;
}

uint16_t shim_port_of(intptr_t socket)
{
    struct sockaddr_storage at;
    socklen_t length = sizeof at;
    CHECK(getsockname((int)socket, (struct sockaddr *)&at, &length) == 0);
    return ntohs(at.ss_family == AF_INET ? ((struct sockaddr_in *)&at)->sin_port
                                         : ((struct sockaddr_in6 *)&at)->sin6_port);
}

struct shim_thread {
    pthread_t thread;
    void (*run)(void *context);
    void *context;
};

static void *thread_main(void *argument)
{
    struct shim_thread *thread = argument;
    thread->run(thread->context);
    return NULL;
}

struct shim_thread *shim_thread_start(void (*run)(void *context), void *context)
{
    struct shim_thread *thread = malloc(sizeof *thread);
    CHECK(thread != NULL);
    thread->run = run;
    thread->context = context;
    CHECK(pthread_create(&thread->thread, NULL, thread_main, thread) == 0);
    return thread;
}

void shim_thread_join(struct shim_thread *thread)
{
    CHECK(pthread_join(thread->thread, NULL) == 0);
    free(thread);
}

void shim_pause(void)
{
    poll(NULL, 0, 1);
}

/* What the child of a fork does: the alarm outlives the exec and ends a case that hangs. */
static _Noreturn void become_self(const char *const *arguments, unsigned seconds)
{
    char *argv[ARGUMENTS_MAX] = {NULL};
    static char self[] = "/proc/self/exe";
    argv[0] = self;
    for (int i = 0; i + 2 < ARGUMENTS_MAX && arguments[i] != NULL; i++) {
        argv[i + 1] = (char *)(uintptr_t)arguments[i]; /* execv does not write to them */
    }
    alarm(seconds);
    execv(self, argv);
    _exit(127);
}

int shim_run_self(const char *const *arguments, unsigned seconds)
{
    fflush(stdout);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        become_self(arguments, seconds);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        CHECK(errno == EINTR);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

void shim_die(int code)
{
    _exit(code);
}

HANDLE shim_file(const void *bytes, size_t length)
{
    char path[] = "/tmp/contract-XXXXXX";
    const int fd = mkstemp(path);
    CHECK(fd > 0);
    CHECK(unlink(path) == 0);
    CHECK(write(fd, bytes, length) == (ssize_t)length);
    return http_handle_from_fd(fd);
}

void shim_file_close(HANDLE file)
{
    close(http_fd_from_handle(file));
}

HANDLE shim_bad_file(void)
{
    return http_handle_from_fd(1 << 20);
}
