/* What io_uring brings with it: rings that are full, completions that come late, files that its
 * requests hold, processes that fork, and kernels that refuse it. What both back ends have in
 * common is in loop_io_test.c and loop_test.c. */
#include "support/cmocka_all.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/loop.h"
#include "support/tcp_pair.h"

enum { MORE_THAN_THE_RINGS = 4500, EXIT_SKIPPED = 77 };

static struct loop *loop;

static int set_up(void **state)
{
    (void)state;
    return loop_open(LOOP_BACKEND_IO_URING, &loop) == NO_ERROR ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    if (loop != NULL) {
        loop_close(loop);
        loop = NULL;
    }
    return 0;
}

struct io {
    struct loop_io base; /* first */
    int calls;
    unsigned events;      /* of all calls */
    void (*then)(void *); /* once, in the first call */
    void *context;
};

static void on_event(struct loop_io *base, unsigned events)
{
    struct io *io = (struct io *)base;
    io->calls++;
    io->events |= events;
    if (io->then != NULL) {
        void (*then)(void *) = io->then;
        io->then = NULL;
        then(io->context);
    }
}

static void turn(void)
{
    assert_int_equal(loop_run_once(loop, 0), NO_ERROR);
}

static void open_pair(struct tcp_pair *pair)
{
    assert_true(tcp_pair_open(pair, false));
}

static void expect_end(int fd)
{
    char byte = 0;
    assert_int_equal(read(fd, &byte, 1), 0);
}

/* --- full rings ---------------------------------------------------------------------------- */

/* More registrations between two turns than there are places for requests, then more completions at
 * once than there are places for: every socket is told, each time. */
static void uring_full_rings_lose_nothing(void **state)
{
    (void)state;
    static struct io ios[MORE_THAN_THE_RINGS];
    struct rlimit before, more;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    more = before;
    more.rlim_cur = more.rlim_max;
    if (more.rlim_max < MORE_THAN_THE_RINGS + 100) {
        skip();
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &more), 0);
    for (int i = 0; i < MORE_THAN_THE_RINGS; i++) {
        ios[i].base =
            (struct loop_io){.on_event = on_event, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
        assert_true(ios[i].base.fd >= 0);
        assert_int_equal(loop_io_add(loop, &ios[i].base), NO_ERROR);
    }
    for (int round = 0; round < 3; round++) {
        const uint64_t one = 1;
        for (int i = 0; i < MORE_THAN_THE_RINGS && round > 0; i++) {
            assert_int_equal(write(ios[i].base.fd, &one, sizeof one), sizeof one);
        }
        for (int i = 0; i < MORE_THAN_THE_RINGS; i++) {
            unsigned wanted = round == 0 ? LOOP_WRITABLE : LOOP_READABLE;
            while ((ios[i].events & wanted) == 0) { /* what does not come hangs the test */
                assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
            }
            ios[i].events = 0;
        }
    }
    for (int i = 0; i < MORE_THAN_THE_RINGS; i++) {
        loop_io_remove(loop, &ios[i].base);
        close(ios[i].base.fd);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* --- late completions ---------------------------------------------------------------------- */

struct swap {
    struct io *old, *new; /* the new one takes the descriptor of the old one */
    int socket;
};

static void swap_descriptors(void *context)
{
    struct swap *swap = context;
    int fd = swap->old->base.fd;
    loop_io_remove(loop, &swap->old->base);
    free(swap->old);
    assert_int_equal(dup2(swap->socket, fd), fd);
    swap->new->base = (struct loop_io){.on_event = on_event, .fd = fd};
    assert_int_equal(loop_io_add(loop, &swap->new->base), NO_ERROR);
}

/* In one batch: the first one's event replaces the second by another socket on the same descriptor.
 * What the kernel had to say about the second must not reach the third. */
static void uring_late_completion_does_not_reach_who_has_the_descriptor_now(void **state)
{
    (void)state;
    struct tcp_pair pairs[3];
    struct io first = {.calls = 0}, third = {.calls = 0};
    struct io *second = calloc(1, sizeof *second);
    assert_non_null(second);
    for (int i = 0; i < 3; i++) {
        open_pair(&pairs[i]);
    }
    first.base = (struct loop_io){.on_event = on_event, .fd = pairs[0].server};
    second->base = (struct loop_io){.on_event = on_event, .fd = pairs[1].server};
    assert_int_equal(loop_io_add(loop, &first.base), NO_ERROR);
    assert_int_equal(loop_io_add(loop, &second->base), NO_ERROR);
    turn();
    struct swap swap = {second, &third, pairs[2].server};
    first.then = swap_descriptors;
    first.context = &swap;
    assert_int_equal(write(pairs[0].client, "x", 1), 1);
    assert_int_equal(write(pairs[1].client, "x", 1), 1);
    turn();
    assert_int_equal(third.events & LOOP_READABLE, 0);
    while (third.calls == 0) {
        assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    }
    assert_int_equal(third.events, LOOP_WRITABLE);
    loop_io_remove(loop, &first.base);
    loop_io_remove(loop, &third.base);
    for (int i = 0; i < 3; i++) {
        tcp_pair_close(&pairs[i]);
    }
}

static void uring_removed_socket_closes_at_once(void **state)
{
    (void)state;
    /* Before the kernel has seen the request, after that, and with an event under way. */
    for (int i = 0; i < 3; i++) {
        struct tcp_pair pair;
        struct io io = {.calls = 0};
        open_pair(&pair);
        io.base = (struct loop_io){.on_event = on_event, .fd = pair.server};
        assert_int_equal(loop_io_add(loop, &io.base), NO_ERROR);
        if (i > 0) {
            turn();
        }
        if (i > 1) {
            char byte = 0;
            assert_int_equal(write(pair.client, "x", 1), 1);
            struct pollfd one = {.fd = pair.server, .events = POLLIN};
            assert_int_equal(poll(&one, 1, 10000), 1);
            assert_int_equal(read(pair.server, &byte, 1), 1);
        }
        loop_io_remove(loop, &io.base);
        close(pair.server);
        pair.server = -1;
        expect_end(pair.client); /* no turn in between */
        turn();
        tcp_pair_close(&pair);
    }
}

static void uring_closed_loop_holds_no_port(void **state)
{
    (void)state;
    struct tcp_pair pair;
    struct sock_addr addr;
    open_pair(&pair);
    assert_int_equal(sock_local_addr(pair.listener, &addr), NO_ERROR);
    struct io io = {.base = {.on_event = on_event, .fd = pair.listener}};
    assert_int_equal(loop_io_add_listener(loop, &io.base), NO_ERROR);
    turn();
    loop_close(loop); /* with the listener still in it */
    loop = NULL;
    tcp_pair_close(&pair);
    int fd = -1;
    assert_int_equal(sock_listen(&addr.sa, sock_addr_len(&addr), false, 1, &fd), NO_ERROR);
    sock_close(fd);
}

/* --- sends ---------------------------------------------------------------------------------- */

static void run_until(const struct io *io, unsigned event)
{
    while ((io->events & event) == 0) { /* what does not come hangs the test */
        assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    }
}

/* Not at once where this process had to wait for the processor: that looks like a slow handler. */
static void start_send(struct loop_io *io, const char *p, size_t n)
{
    while (!loop_io_send(loop, io, p, n)) { /* what never comes hangs the test */
        turn();
    }
}

static void uring_sends_go_out_with_the_turn(void **state)
{
    (void)state;
    enum { COUNT = 600 }; /* more than there is room for at once */
    static struct io ios[COUNT];
    static int clients[COUNT];
    static char letters[COUNT];
    for (int i = 0; i < COUNT; i++) {
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        clients[i] = ends[1];
        letters[i] = (char)('a' + i % 26);
        ios[i].base = (struct loop_io){.on_event = on_event, .fd = ends[0]};
        assert_false(loop_io_send(loop, &ios[i].base, &letters[i], 1)); /* not registered */
        assert_int_equal(loop_io_add(loop, &ios[i].base), NO_ERROR);
    }
    turn();
    for (int i = 0; i < COUNT; i++) {
        start_send(&ios[i].base, &letters[i], 1);
    }
    for (int i = 0; i < COUNT; i++) {
        char got = 0;
        run_until(&ios[i], LOOP_SENT);
        assert_int_equal(ios[i].base.sent, 1);
        assert_int_equal(read(clients[i], &got, 1), 1);
        assert_int_equal(got, letters[i]);
        loop_io_close(loop, &ios[i].base);
        close(clients[i]);
    }
}

static void uring_send_to_a_full_socket_says_so(void **state)
{
    (void)state;
    struct tcp_pair pair;
    static char bytes[65536];
    const struct iovec part = {bytes, sizeof bytes};
    size_t n = 0;
    open_pair(&pair);
    struct io io = {.base = {.on_event = on_event, .fd = pair.server}};
    assert_int_equal(loop_io_add(loop, &io.base), NO_ERROR);
    run_until(&io, LOOP_WRITABLE);
    while (sock_write(pair.server, &part, 1, &n) == NO_ERROR) {
    }
    do { /* the peer's buffer may grow meanwhile */
        io.events = 0;
        start_send(&io.base, bytes, sizeof bytes);
        run_until(&io, LOOP_SENT);
    } while (io.base.sent > 0);
    assert_int_equal(io.base.sent, -EAGAIN);
    io.events = 0;
    while ((io.events & LOOP_WRITABLE) == 0) {
        assert_true(read(pair.client, bytes, sizeof bytes) > 0);
        turn();
    }
    loop_io_remove(loop, &io.base);
    tcp_pair_close(&pair);
}

static void uring_send_to_a_reset_connection_fails(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    struct io io = {.base = {.on_event = on_event, .fd = pair.server}};
    assert_int_equal(loop_io_add(loop, &io.base), NO_ERROR);
    sock_reset_on_close(pair.client);
    sock_close(pair.client);
    pair.client = -1;
    run_until(&io, LOOP_HANGUP);
    start_send(&io.base, "x", 1); /* raises no signal, which would end us */
    run_until(&io, LOOP_SENT);
    assert_true(io.base.sent == -EPIPE || io.base.sent == -ECONNRESET);
    loop_io_remove(loop, &io.base);
    tcp_pair_close(&pair);
}

/* Right after the close the bytes and the descriptor are somebody else's. */
static void uring_close_sends_what_was_started_first(void **state)
{
    (void)state;
    struct tcp_pair pair;
    char answer[] = "answer", got[16] = {0};
    open_pair(&pair);
    struct io *io = calloc(1, sizeof *io);
    assert_non_null(io);
    io->base = (struct loop_io){.on_event = on_event, .fd = pair.server};
    assert_int_equal(loop_io_add(loop, &io->base), NO_ERROR);
    turn();
    start_send(&io->base, answer, sizeof answer - 1);
    loop_io_close(loop, &io->base);
    pair.server = -1;
    free(io); /* LOOP_SENT would be seen by the sanitizer */
    memset(answer, '?', sizeof answer);
    turn();
    assert_int_equal(recv(pair.client, got, sizeof got, MSG_WAITALL), sizeof answer - 1);
    assert_string_equal(got, "answer");
    expect_end(pair.client);
    tcp_pair_close(&pair);
}

static void compute_for(uint64_t ns)
{
    for (uint64_t end_ns = clock_mono_ns() + ns; clock_mono_ns() < end_ns;) {
    }
}

/* What a slow handler delayed once is not started again behind the next one; later it is. */
static void uring_sends_are_calls_after_a_slow_turn(void **state)
{
    (void)state;
    const uint64_t slow_ns = 10000000;
    bool was_direct = false;
    struct tcp_pair pair;
    open_pair(&pair);
    struct io io = {.base = {.on_event = on_event, .fd = pair.server}};
    assert_int_equal(loop_io_add(loop, &io.base), NO_ERROR);
    turn();
    for (int tries = 0; tries < 50 && !was_direct; tries++) { /* this process may be held up, too */
        io.events = 0;
        start_send(&io.base, "x", 1);
        compute_for(slow_ns);
        run_until(&io, LOOP_SENT);
        was_direct = !loop_io_send(loop, &io.base, "x", 1);
        if (!was_direct) {
            io.events = 0;
            run_until(&io, LOOP_SENT);
        }
    }
    assert_true(was_direct);
    io.events = 0;
    start_send(&io.base, "x", 1);
    run_until(&io, LOOP_SENT);
    loop_io_remove(loop, &io.base);
    tcp_pair_close(&pair);
}

/* --- other processes ----------------------------------------------------------------------- */

/* Not one descriptor of the loop goes on to a program that is started. */
static void uring_descriptors_are_not_inherited(void **state)
{
    (void)state;
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry = NULL;
    int rings = 0;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char path[300], target[64] = {0};
        (void)snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        if (readlink(path, target, sizeof target - 1) > 0 &&
            (strstr(target, "io_uring") != NULL || strstr(target, "event") != NULL)) {
            int fd = (int)strtol(entry->d_name, NULL, 10);
            assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
            rings += strstr(target, "io_uring") != NULL;
        }
    }
    closedir(dir);
    assert_int_equal(rings, 1);
}

/* A child between fork and exec has everything open that the parent closes. */
static void uring_forked_child_disturbs_nothing(void **state)
{
    (void)state;
    struct tcp_pair pair;
    int gate[2];
    struct io *io = calloc(1, sizeof *io);
    assert_non_null(io);
    open_pair(&pair);
    io->base = (struct loop_io){.on_event = on_event, .fd = pair.server};
    assert_int_equal(loop_io_add(loop, &io->base), NO_ERROR);
    turn();
    assert_int_equal(io->calls, 1);
    assert_int_equal(pipe(gate), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte = 0;
        close(gate[1]);
        _exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
    }
    assert_true(child > 0);
    close(gate[0]);
    loop_io_remove(loop, &io->base);
    close(pair.server);
    pair.server = -1;
    free(io);
    assert_int_equal(write(pair.client, "x", 1), 1); /* the child has the other end */
    turn();                                          /* AddressSanitizer looks */
    close(gate[1]);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    tcp_pair_close(&pair);
    /* The child's end was not the ring's. */
    struct io after = {.calls = 0};
    open_pair(&pair);
    after.base = (struct loop_io){.on_event = on_event, .fd = pair.server};
    assert_int_equal(loop_io_add(loop, &after.base), NO_ERROR);
    while (after.calls == 0) {
        assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    }
    loop_io_remove(loop, &after.base);
    tcp_pair_close(&pair);
}

/* --- refusal ------------------------------------------------------------------------------- */

/* From here on io_uring_setup ends with this error: what container profiles do. */
static bool forbid_rings(int error)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof program / sizeof program[0], program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0 &&
           prctl(PR_SET_SECCOMP, (long)SECCOMP_MODE_FILTER, &filter) == 0;
}

static int try_without(int error)
{
    struct loop *refused = NULL, *other = NULL;
    if (!forbid_rings(error)) {
        return 10;
    }
    if (loop_open(LOOP_BACKEND_IO_URING, &refused) != ERROR_NOT_SUPPORTED || refused != NULL) {
        return 11;
    }
    if (loop_open(LOOP_BACKEND_EPOLL, &other) != NO_ERROR) {
        return 12;
    }
    loop_close(other);
    const struct loop_backend_ops *first = loop_backend_choose(LOOP_BACKEND_DEFAULT, NULL);
    if (loop_open(LOOP_BACKEND_DEFAULT, &other) != NO_ERROR ||
        strcmp(loop_backend_name(other), "epoll") != 0) {
        return 13;
    }
    loop_close(other);
    return first == &loop_backend_uring ? 0 : 14;
}

static void uring_refused_by_the_kernel_is_not_supported(void **state)
{
    (void)state;
    static const int errors[] = {EPERM, ENOSYS};
    loop_close(loop); /* one a thread */
    loop = NULL;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        pid_t child = fork();
        if (child == 0) {
            _exit(try_without(errors[i]));
        }
        int status = -1;
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(uring_full_rings_lose_nothing),
        LOOP_TEST(uring_late_completion_does_not_reach_who_has_the_descriptor_now),
        LOOP_TEST(uring_removed_socket_closes_at_once),
        LOOP_TEST(uring_closed_loop_holds_no_port),
        LOOP_TEST(uring_sends_go_out_with_the_turn),
        LOOP_TEST(uring_send_to_a_full_socket_says_so),
        LOOP_TEST(uring_send_to_a_reset_connection_fails),
        LOOP_TEST(uring_close_sends_what_was_started_first),
        LOOP_TEST(uring_sends_are_calls_after_a_slow_turn),
        LOOP_TEST(uring_descriptors_are_not_inherited),
        LOOP_TEST(uring_forked_child_disturbs_nothing),
        LOOP_TEST(uring_refused_by_the_kernel_is_not_supported),
    };
    struct loop *probe = NULL;
    if (loop_open(LOOP_BACKEND_IO_URING, &probe) != NO_ERROR) {
        (void)fputs("skipped: this kernel has no io_uring for us, or liburing was not there to "
                    "build with\n",
                    stderr);
        return EXIT_SKIPPED;
    }
    loop_close(probe);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
