/* Real sockets over loopback, IPv4 and, where the machine has it, IPv6. */
#include "support/cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/sock.h"
#include "support/tcp_pair.h"

static ULONG listen_on(struct sock_addr addr, bool share, int *fd)
{
    return sock_listen(&addr.sa, sock_addr_len(&addr), share, 16, fd);
}

static bool has_v6(void)
{
    int fd = -1;
    ULONG status = listen_on(sock_addr_loopback_v6(0), false, &fd);
    if (status == NO_ERROR) {
        sock_close(fd);
    } else {
        assert_int_equal(status, ERROR_NOT_FOUND);
    }
    return status == NO_ERROR;
}

static void open_pair(struct tcp_pair *pair)
{
    assert_true(tcp_pair_open(pair, false));
}

static void wait_for(int fd, short events)
{
    struct pollfd one = {.fd = fd, .events = events};
    assert_int_equal(poll(&one, 1, 10000), 1);
}

static int int_option(int fd, int level, int option)
{
    int value = -1;
    socklen_t len = sizeof value;
    assert_int_equal(getsockopt(fd, level, option, &value, &len), 0);
    return value;
}

/* --- listening -------------------------------------------------------------------------------- */

static void listen_port_held_by_another_is_a_sharing_violation(void **state)
{
    (void)state;
    int first = -1, second = -1;
    assert_int_equal(listen_on(sock_addr_loopback_v4(0), false, &first), NO_ERROR);
    struct sock_addr addr;
    assert_int_equal(sock_local_addr(first, &addr), NO_ERROR);
    assert_int_not_equal(sock_addr_port(&addr), 0);
    /* The first listener of another host. */
    assert_int_equal(listen_on(addr, false, &second), ERROR_SHARING_VIOLATION);
    assert_int_equal(second, -1);
    /* A further worker of this one. */
    assert_int_equal(listen_on(addr, true, &second), NO_ERROR);
    sock_close(second);
    sock_close(first);
    /* Free again at once. */
    assert_int_equal(listen_on(addr, false, &first), NO_ERROR);
    sock_close(first);
}

/* A server that closes first leaves its port in TIME_WAIT: the next one must get it anyway. */
static void listen_port_in_time_wait_is_free(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    struct sock_addr addr;
    assert_int_equal(sock_local_addr(pair.listener, &addr), NO_ERROR);
    char byte = 0;
    sock_close(pair.server);
    pair.server = -1;
    assert_int_equal(read(pair.client, &byte, 1), 0);
    tcp_pair_close(&pair);
    int fd = -1;
    assert_int_equal(listen_on(addr, false, &fd), NO_ERROR);
    sock_close(fd);
}

static void listen_port_of_a_plain_server_is_not_shared(void **state)
{
    (void)state;
    struct sock_addr addr = sock_addr_loopback_v4(0);
    int plain = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(plain >= 0);
    assert_int_equal(bind(plain, &addr.sa, sock_addr_len(&addr)), 0);
    assert_int_equal(listen(plain, 1), 0);
    assert_int_equal(sock_local_addr(plain, &addr), NO_ERROR);
    int fd = -1;
    assert_int_equal(listen_on(addr, false, &fd), ERROR_SHARING_VIOLATION);
    assert_int_equal(listen_on(addr, true, &fd), ERROR_SHARING_VIOLATION);
    close(plain);
}

static void listen_address_of_nobody_is_not_found(void **state)
{
    (void)state;
    struct sock_addr addr = sock_addr_loopback_v4(0);
    addr.v4.sin_addr.s_addr = htonl(0xC0000201); /* 192.0.2.1, RFC 5737: for documentation */
    int fd = -1;
    assert_int_equal(listen_on(addr, false, &fd), ERROR_NOT_FOUND);
    addr.sa.sa_family = AF_APPLETALK;
    assert_int_equal(listen_on(addr, false, &fd), ERROR_NOT_FOUND);
}

static void listen_v6_leaves_v4_alone(void **state)
{
    (void)state;
    if (!has_v6()) {
        skip();
    }
    struct sock_addr any = sock_addr_loopback_v6(0);
    any.v6.sin6_addr = in6addr_any;
    int v6 = -1, v4 = -1;
    assert_int_equal(listen_on(any, false, &v6), NO_ERROR);
    assert_int_equal(int_option(v6, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    struct sock_addr addr;
    assert_int_equal(sock_local_addr(v6, &addr), NO_ERROR);
    struct sock_addr same_port = sock_addr_loopback_v4(sock_addr_port(&addr));
    ULONG status = listen_on(same_port, false, &v4);
    assert_true(status == NO_ERROR || status == ERROR_SHARING_VIOLATION); /* taken by chance */
    if (status == NO_ERROR) {
        sock_close(v4);
    }
    sock_close(v6);
}

/* --- accepting ----------------------------------------------------------------------------------
 * */

static void accept_hands_over_a_ready_socket(void **state)
{
    (void)state;
    for (int v6 = 0; v6 <= (has_v6() ? 1 : 0); v6++) {
        struct tcp_pair pair;
        assert_true(tcp_pair_open(&pair, v6 == 1));
        assert_true((fcntl(pair.server, F_GETFL) & O_NONBLOCK) != 0);
        assert_true((fcntl(pair.server, F_GETFD) & FD_CLOEXEC) != 0);
        assert_true((fcntl(pair.listener, F_GETFD) & FD_CLOEXEC) != 0);
        assert_int_not_equal(int_option(pair.server, IPPROTO_TCP, TCP_NODELAY), 0);
        struct sock_addr mine, theirs;
        assert_int_equal(sock_local_addr(pair.client, &mine), NO_ERROR);
        assert_int_equal(sock_peer_addr(pair.server, &theirs), NO_ERROR);
        assert_int_equal(mine.sa.sa_family, v6 == 1 ? AF_INET6 : AF_INET);
        assert_memory_equal(&mine, &theirs, sock_addr_len(&mine));
        tcp_pair_close(&pair);
    }
}

static void accept_reports_the_peer(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    struct sock_addr addr, mine, peer;
    assert_int_equal(sock_local_addr(pair.listener, &addr), NO_ERROR);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, &addr.sa, sock_addr_len(&addr)), 0);
    wait_for(pair.listener, POLLIN);
    int server = -1;
    assert_int_equal(sock_accept(pair.listener, &server, &peer), NO_ERROR);
    assert_int_equal(sock_local_addr(client, &mine), NO_ERROR);
    assert_memory_equal(&mine, &peer, sock_addr_len(&mine));
    close(client);
    sock_close(server);
    tcp_pair_close(&pair);
}

static void accept_without_a_connection_is_pending(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    int fd = 0;
    assert_int_equal(sock_accept(pair.listener, &fd, NULL), ERROR_IO_PENDING);
    assert_int_equal(fd, -1);
    tcp_pair_close(&pair);
    assert_int_equal(sock_accept(-1, &fd, NULL), ERROR_INVALID_HANDLE);
}

static void accept_without_descriptors_keeps_the_connection(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    struct sock_addr addr;
    assert_int_equal(sock_local_addr(pair.listener, &addr), NO_ERROR);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, &addr.sa, sock_addr_len(&addr)), 0);
    wait_for(pair.listener, POLLIN);
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int server = -1;
    ULONG status = sock_accept(pair.listener, &server, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, ERROR_TOO_MANY_OPEN_FILES);
    assert_int_equal(sock_accept(pair.listener, &server, NULL), NO_ERROR);
    sock_close(server);
    close(client);
    tcp_pair_close(&pair);
}

/* --- bytes ---------------------------------------------------------------------------------------
 * */

static void read_tells_nothing_bytes_and_end_apart(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    char bytes[16];
    size_t n = 99;
    assert_int_equal(sock_read(pair.server, bytes, sizeof bytes, &n), ERROR_IO_PENDING);
    assert_int_equal(n, 0);
    assert_int_equal(write(pair.client, "hello", 5), 5);
    wait_for(pair.server, POLLIN);
    assert_int_equal(sock_read(pair.server, bytes, 3, &n), NO_ERROR);
    assert_int_equal(n, 3);
    assert_int_equal(sock_read(pair.server, bytes + 3, 13, &n), NO_ERROR);
    assert_int_equal(n, 2);
    assert_memory_equal(bytes, "hello", 5);
    sock_shutdown_write(pair.client);
    wait_for(pair.server, POLLIN);
    assert_int_equal(sock_read(pair.server, bytes, sizeof bytes, &n), ERROR_HANDLE_EOF);
    assert_int_equal(n, 0);
    sock_shutdown_write(pair.client);
    tcp_pair_close(&pair);
}

static void read_after_a_reset_is_netname_deleted(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    sock_reset_on_close(pair.client);
    sock_close(pair.client);
    pair.client = -1;
    wait_for(pair.server, POLLIN);
    char byte = 0;
    size_t n = 99;
    assert_int_equal(sock_read(pair.server, &byte, 1, &n), ERROR_NETNAME_DELETED);
    assert_int_equal(n, 0);
    tcp_pair_close(&pair);
}

/* Whether the bytes come before the FIN or with it is the kernel's business; that they come is not.
 */
static void write_more_ends_with_the_fin(void **state)
{
    (void)state;
    for (int by_close = 0; by_close < 2; by_close++) {
        struct tcp_pair pair;
        char got[8];
        size_t n = 0;
        const struct iovec last = {"last", 4};
        open_pair(&pair);
        assert_int_equal(sock_write_more(pair.server, &last, 1, &n), NO_ERROR);
        assert_int_equal(n, 4);
        if (by_close == 1) {
            sock_close(pair.server);
            pair.server = -1;
        } else {
            sock_shutdown_write(pair.server);
        }
        assert_int_equal(recv(pair.client, got, sizeof got, MSG_WAITALL), 4);
        assert_memory_equal(got, "last", 4);
        tcp_pair_close(&pair);
    }
}

static void write_more_to_a_reset_connection_says_so(void **state)
{
    (void)state;
    struct tcp_pair pair;
    size_t n = 0;
    const struct iovec last = {"last", 4};
    open_pair(&pair);
    sock_reset_on_close(pair.client);
    sock_close(pair.client);
    pair.client = -1;
    wait_for(pair.server, POLLIN);
    assert_int_equal(sock_write_more(pair.server, &last, 1, &n), ERROR_NETNAME_DELETED);
    assert_int_equal(n, 0);
    tcp_pair_close(&pair);
}

/* Writes until the connection is known to be gone. SIGPIPE has its default here: raising it would
 * end the test. */
static void write_to_a_reset_connection_raises_no_signal(void **state)
{
    (void)state;
    for (int count = 1; count <= 2; count++) {
        struct tcp_pair pair;
        open_pair(&pair);
        sock_reset_on_close(pair.client);
        sock_close(pair.client);
        pair.client = -1;
        wait_for(pair.server, POLLIN);
        const struct iovec parts[2] = {{"ab", 2}, {"cd", 2}};
        size_t n = 0;
        assert_int_equal(sock_write(pair.server, parts, count, &n), ERROR_NETNAME_DELETED);
        assert_int_equal(sock_write(pair.server, parts, count, &n), ERROR_NETNAME_DELETED);
        assert_int_equal(n, 0);
        tcp_pair_close(&pair);
    }
}

static void write_sends_all_parts_and_reports_no_room(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    const struct iovec parts[3] = {{"ab", 2}, {"", 0}, {"cde", 3}};
    size_t n = 0;
    assert_int_equal(sock_write(pair.server, parts, 3, &n), NO_ERROR);
    assert_int_equal(n, 5);
    assert_int_equal(sock_write(pair.server, parts, 1, &n), NO_ERROR);
    assert_int_equal(n, 2);
    char got[8] = {0};
    assert_int_equal(recv(pair.client, got, 7, MSG_WAITALL), 7);
    assert_string_equal(got, "abcdeab");
    static char bytes[65536];
    const struct iovec big = {bytes, sizeof bytes};
    ULONG status = NO_ERROR;
    size_t total = 0;
    while (status == NO_ERROR) {
        status = sock_write(pair.server, &big, 1, &n);
        total += n;
    }
    assert_int_equal(status, ERROR_IO_PENDING);
    assert_int_equal(n, 0);
    sock_close(pair.server); /* what was taken still arrives */
    pair.server = -1;
    size_t seen = 0;
    for (ssize_t k = 0; (k = read(pair.client, bytes, sizeof bytes)) > 0;) {
        seen += (size_t)k;
    }
    assert_int_equal(seen, total);
    tcp_pair_close(&pair);
}

/* What the peer does not read stays unacknowledged once its buffer is full; what it reads does
 * not. */
static void unacknowledged_is_what_the_peer_has_not_taken(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    static char bytes[65536];
    const struct iovec part = {bytes, sizeof bytes};
    size_t n = 0, written = 0, taken = 0;
    assert_int_equal(sock_unacknowledged(pair.server), 0);
    while (sock_write(pair.server, &part, 1, &n) == NO_ERROR) {
        written += n;
    }
    size_t left = sock_unacknowledged(pair.server);
    assert_in_range(left, 1, written);
    while (taken < written) {
        ssize_t got = read(pair.client, bytes, sizeof bytes);
        assert_true(got > 0);
        taken += (size_t)got;
    }
    while (sock_unacknowledged(pair.server) > 0) { /* the last one may be on its way back */
        assert_int_equal(poll(NULL, 0, 1), 0);
    }
    assert_int_equal(sock_unacknowledged(-1), 0); /* cannot be told */
    tcp_pair_close(&pair);
}

/* --- files ---------------------------------------------------------------------------------------
 * */

static int make_file(size_t size)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    for (size_t i = 0; i < size; i++) {
        assert_int_not_equal(fputc((int)(i * 31 % 251), file), EOF);
    }
    assert_int_equal(fflush(file), 0);
    int fd = dup(fileno(file));
    assert_true(fd >= 0);
    fclose(file);
    return fd;
}

static void send_file_moves_the_offset_up_to_the_end(void **state)
{
    (void)state;
    enum { SIZE = 200000, FROM = 1234 };
    struct tcp_pair pair;
    open_pair(&pair);
    int file = make_file(SIZE);
    uint64_t offset = FROM;
    size_t seen = FROM, n = 0;
    char bytes[8192];
    for (ULONG status = NO_ERROR; status != ERROR_HANDLE_EOF;) {
        uint64_t before = offset;
        status = sock_send_file(pair.server, file, &offset, 50000, &n);
        assert_true(status == NO_ERROR || status == ERROR_IO_PENDING || status == ERROR_HANDLE_EOF);
        assert_int_equal(offset, before + n);
        while (seen < offset) {
            ssize_t k = read(pair.client, bytes, sizeof bytes);
            assert_true(k > 0);
            for (ssize_t i = 0; i < k; i++, seen++) {
                assert_int_equal((unsigned char)bytes[i], seen * 31 % 251);
            }
        }
    }
    assert_int_equal(offset, SIZE);
    assert_int_equal(seen, SIZE);
    close(file);
    tcp_pair_close(&pair);
}

static bool is_sigpipe(int how)
{
    sigset_t set;
    sigemptyset(&set);
    assert_int_equal(how == 0 ? sigpending(&set) : pthread_sigmask(SIG_SETMASK, NULL, &set), 0);
    return sigismember(&set, SIGPIPE) == 1;
}

static void send_file_to_a_reset_connection_raises_no_signal(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    int file = make_file(100);
    sock_reset_on_close(pair.client);
    sock_close(pair.client);
    pair.client = -1;
    wait_for(pair.server, POLLIN);
    for (int i = 0; i < 3; i++) {
        uint64_t offset = 0;
        size_t n = 99;
        assert_int_equal(sock_send_file(pair.server, file, &offset, 100, &n),
                         ERROR_NETNAME_DELETED);
        assert_int_equal(n, 0);
        assert_int_equal(offset, 0);
    }
    assert_false(is_sigpipe(0)); /* nothing left pending */
    assert_false(is_sigpipe(1)); /* nor blocked */
    close(file);
    tcp_pair_close(&pair);
}

static void send_file_leaves_a_pending_signal_of_the_program(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    int file = make_file(100);
    sigset_t pipe_only;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &pipe_only, NULL), 0);
    assert_int_equal(raise(SIGPIPE), 0);
    sock_reset_on_close(pair.client);
    sock_close(pair.client);
    pair.client = -1;
    wait_for(pair.server, POLLIN);
    for (int i = 0; i < 2; i++) {
        uint64_t offset = 0;
        size_t n = 0;
        assert_int_equal(sock_send_file(pair.server, file, &offset, 100, &n),
                         ERROR_NETNAME_DELETED);
    }
    assert_true(is_sigpipe(0));
    assert_true(is_sigpipe(1));
    assert_int_equal(sigtimedwait(&pipe_only, NULL, &(struct timespec){0}), SIGPIPE);
    assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &pipe_only, NULL), 0);
    close(file);
    tcp_pair_close(&pair);
}

/* --- end
 * ------------------------------------------------------------------------------------------ */

static void close_reset_is_seen_as_a_reset(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    sock_reset_on_close(pair.server);
    sock_close(pair.server);
    pair.server = -1;
    char byte = 0;
    assert_int_equal(read(pair.client, &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    tcp_pair_close(&pair);
}

static void error_codes_are_as_listed(void **state)
{
    (void)state;
    static const struct {
        int error;
        ULONG code;
    } rows[] = {
        {0, NO_ERROR},
        {EAGAIN, ERROR_IO_PENDING},
        {EADDRINUSE, ERROR_SHARING_VIOLATION},
        {EACCES, ERROR_ACCESS_DENIED},
        {EPERM, ERROR_ACCESS_DENIED},
        {EADDRNOTAVAIL, ERROR_NOT_FOUND},
        {EAFNOSUPPORT, ERROR_NOT_FOUND},
        {EMFILE, ERROR_TOO_MANY_OPEN_FILES},
        {ENFILE, ERROR_TOO_MANY_OPEN_FILES},
        {ENOMEM, ERROR_NOT_ENOUGH_MEMORY},
        {ENOBUFS, ERROR_NOT_ENOUGH_MEMORY},
        {ECONNRESET, ERROR_NETNAME_DELETED},
        {EPIPE, ERROR_NETNAME_DELETED},
        {ETIMEDOUT, ERROR_NETNAME_DELETED},
        {ECONNABORTED, ERROR_NETNAME_DELETED},
        {EHOSTUNREACH, ERROR_NETNAME_DELETED},
        {EBADF, ERROR_INVALID_HANDLE},
        {EINVAL, ERROR_INVALID_PARAMETER},
        {EISDIR, ERROR_INVALID_FUNCTION},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(sock_error_from_errno(rows[i].error), rows[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listen_port_held_by_another_is_a_sharing_violation),
        cmocka_unit_test(listen_port_in_time_wait_is_free),
        cmocka_unit_test(listen_port_of_a_plain_server_is_not_shared),
        cmocka_unit_test(listen_address_of_nobody_is_not_found),
        cmocka_unit_test(listen_v6_leaves_v4_alone),
        cmocka_unit_test(accept_hands_over_a_ready_socket),
        cmocka_unit_test(accept_reports_the_peer),
        cmocka_unit_test(accept_without_a_connection_is_pending),
        cmocka_unit_test(accept_without_descriptors_keeps_the_connection),
        cmocka_unit_test(read_tells_nothing_bytes_and_end_apart),
        cmocka_unit_test(read_after_a_reset_is_netname_deleted),
        cmocka_unit_test(write_more_ends_with_the_fin),
        cmocka_unit_test(write_more_to_a_reset_connection_says_so),
        cmocka_unit_test(write_to_a_reset_connection_raises_no_signal),
        cmocka_unit_test(write_sends_all_parts_and_reports_no_room),
        cmocka_unit_test(unacknowledged_is_what_the_peer_has_not_taken),
        cmocka_unit_test(send_file_moves_the_offset_up_to_the_end),
        cmocka_unit_test(send_file_to_a_reset_connection_raises_no_signal),
        cmocka_unit_test(send_file_leaves_a_pending_signal_of_the_program),
        cmocka_unit_test(close_reset_is_seen_as_a_reset),
        cmocka_unit_test(error_codes_are_as_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
