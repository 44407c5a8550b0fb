/* Sockets, listeners and watches on a real loop; once on each back end. */
#include "support/cmocka_all.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/loop.h"
#include "support/tcp_pair.h"

static struct loop *loop;

static int set_up(void **state)
{
    (void)state;
    return loop_open(LOOP_BACKEND_DEFAULT, &loop) == NO_ERROR ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    loop_close(loop);
    return 0;
}

/* A socket that remembers what it was told. */
struct io {
    struct loop_io base; /* first */
    int calls;
    unsigned events;   /* of the last call */
    struct io *victim; /* removed, closed and freed by the first call */
};

static void on_event(struct loop_io *base, unsigned events)
{
    struct io *io = (struct io *)base;
    io->calls++;
    io->events = events;
    if (io->victim != NULL) {
        struct io *victim = io->victim;
        io->victim = NULL;
        loop_io_remove(loop, &victim->base);
        close(victim->base.fd);
        free(victim);
    }
}

static void turn(void)
{
    assert_int_equal(loop_run_once(loop, 0), NO_ERROR);
}

/* Turns until the io was called again; an event that does not come is caught by the time limit of
 * the test. */
static unsigned next_events(struct io *io)
{
    int calls = io->calls;
    while (io->calls == calls) {
        assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    }
    assert_int_equal(io->calls, calls + 1);
    return io->events;
}

static void open_pair(struct tcp_pair *pair)
{
    assert_true(tcp_pair_open(pair, false));
}

static void wait_readable(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&one, 1, 10000), 1);
}

static void io_reports_each_change_once(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    struct io io = {.base = {.on_event = on_event, .fd = pair.server}};
    assert_int_equal(loop_io_add(loop, &io.base), NO_ERROR);
    assert_int_equal(next_events(&io), LOOP_WRITABLE);
    turn();
    assert_int_equal(io.calls, 1);
    assert_int_equal(write(pair.client, "one", 3), 3);
    assert_true((next_events(&io) & LOOP_READABLE) != 0);
    turn();
    assert_int_equal(io.calls, 2); /* unread, but reported */
    assert_int_equal(write(pair.client, "two", 3), 3);
    assert_true((next_events(&io) & LOOP_READABLE) != 0);
    loop_io_remove(loop, &io.base);
    assert_int_equal(write(pair.client, "three", 5), 5);
    wait_readable(pair.server);
    turn();
    assert_int_equal(io.calls, 3);
    tcp_pair_close(&pair);
}

static void io_full_socket_reports_room_again(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    struct io io = {.base = {.on_event = on_event, .fd = pair.server}};
    assert_int_equal(loop_io_add(loop, &io.base), NO_ERROR);
    assert_int_equal(next_events(&io), LOOP_WRITABLE);
    static char bytes[65536];
    const struct iovec part = {bytes, sizeof bytes};
    size_t n = 0;
    while (sock_write(pair.server, &part, 1, &n) == NO_ERROR) {
    }
    turn();
    int calls = io.calls;
    turn();
    assert_int_equal(io.calls, calls);
    while (io.calls == calls) {
        assert_true(read(pair.client, bytes, sizeof bytes) > 0);
        turn();
    }
    assert_true((io.events & LOOP_WRITABLE) != 0);
    loop_io_remove(loop, &io.base);
    tcp_pair_close(&pair);
}

static void io_fin_is_read_closed_and_reset_is_hangup(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    struct io io = {.base = {.on_event = on_event, .fd = pair.server}};
    assert_int_equal(loop_io_add(loop, &io.base), NO_ERROR);
    assert_int_equal(next_events(&io), LOOP_WRITABLE);
    assert_int_equal(write(pair.client, "last", 4), 4);
    sock_shutdown_write(pair.client);
    unsigned events = next_events(&io);
    if ((events & LOOP_READ_CLOSED) == 0) { /* data and FIN were seen apart */
        events = next_events(&io);
    }
    assert_int_equal(events, LOOP_READABLE | LOOP_WRITABLE | LOOP_READ_CLOSED);
    loop_io_remove(loop, &io.base);
    tcp_pair_close(&pair);

    open_pair(&pair);
    io = (struct io){.base = {.on_event = on_event, .fd = pair.server}};
    assert_int_equal(loop_io_add(loop, &io.base), NO_ERROR);
    assert_int_equal(next_events(&io), LOOP_WRITABLE);
    sock_reset_on_close(pair.client);
    sock_close(pair.client);
    pair.client = -1;
    events = next_events(&io);
    assert_int_equal(events & (LOOP_HANGUP | LOOP_READABLE | LOOP_WRITABLE),
                     LOOP_HANGUP | LOOP_READABLE | LOOP_WRITABLE);
    loop_io_remove(loop, &io.base);
    tcp_pair_close(&pair);
}

/* Two sockets have events in one batch; whoever is called first removes, closes and frees the
 * other. */
/* The second descriptor stands for that of a child between fork and exec: the kernel goes on
 * reporting, and nobody hears it. */
static void io_closed_is_not_called_while_another_holds_the_socket(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    struct io *io = calloc(1, sizeof *io);
    assert_non_null(io);
    io->base = (struct loop_io){.on_event = on_event, .fd = pair.server};
    int held = dup(pair.server);
    assert_true(held >= 0);
    assert_int_equal(loop_io_add(loop, &io->base), NO_ERROR);
    assert_int_equal(next_events(io), LOOP_WRITABLE);
    loop_io_close(loop, &io->base);
    assert_int_equal(io->base.fd, -1);
    assert_int_equal(fcntl(pair.server, F_GETFD), -1);
    free(io); /* a call would be seen by the sanitizer */
    pair.server = -1;
    assert_int_equal(write(pair.client, "late", 4), 4);
    wait_readable(held);
    turn();
    turn();
    close(held);
    tcp_pair_close(&pair);
}

static void io_sends_only_where_the_back_end_does(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    struct io io = {.base = {.on_event = on_event, .fd = pair.server}};
    assert_int_equal(loop_io_add(loop, &io.base), NO_ERROR);
    bool started = loop_io_send(loop, &io.base, "x", 1);
    assert_int_equal(started, strcmp(loop_backend_name(loop), "io_uring") == 0);
    loop_io_close(loop, &io.base);
    char byte = 0;
    assert_int_equal(read(pair.client, &byte, 1), started ? 1 : 0);
    pair.server = -1;
    tcp_pair_close(&pair);
}

static void io_never_registered_is_closed_too(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    struct io io = {.base = {.on_event = on_event, .fd = pair.server}};
    loop_io_close(loop, &io.base);
    assert_int_equal(fcntl(pair.server, F_GETFD), -1);
    pair.server = -1;
    tcp_pair_close(&pair);
}

static void io_removed_by_another_of_the_batch_is_not_called(void **state)
{
    (void)state;
    struct tcp_pair pairs[2];
    struct io *ios[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        open_pair(&pairs[i]);
        ios[i] = calloc(1, sizeof *ios[i]);
        assert_non_null(ios[i]);
        ios[i]->base = (struct loop_io){.on_event = on_event, .fd = pairs[i].server};
        assert_int_equal(loop_io_add(loop, &ios[i]->base), NO_ERROR);
    }
    /* epoll reports in the order of readiness: the first one added comes first. */
    ios[0]->victim = ios[1];
    pairs[1].server = -1;
    turn();
    assert_int_equal(ios[0]->calls, 1);
    turn();
    assert_int_equal(ios[0]->calls, 1);
    loop_io_remove(loop, &ios[0]->base);
    free(ios[0]);
    tcp_pair_close(&pairs[0]);
    tcp_pair_close(&pairs[1]);
}

static void io_may_end_itself_inside_its_event(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    struct io *io = calloc(1, sizeof *io);
    assert_non_null(io);
    io->base = (struct loop_io){.on_event = on_event, .fd = pair.server};
    io->victim = io;
    pair.server = -1;
    assert_int_equal(loop_io_add(loop, &io->base), NO_ERROR);
    turn(); /* AddressSanitizer looks */
    char byte = 0;
    assert_int_equal(read(pair.client, &byte, 1), 0);
    tcp_pair_close(&pair);
}

static void io_bad_descriptors_are_told(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    struct io io = {.base = {.on_event = on_event, .fd = pair.server}};
    struct io twin = io;
    struct io closed = {.base = {.on_event = on_event, .fd = pair.client}};
    close(pair.client);
    pair.client = -1;
    if (strcmp(loop_backend_name(loop), "epoll") == 0) {
        assert_int_equal(loop_io_add(loop, &io.base), NO_ERROR);
        assert_int_equal(loop_io_add(loop, &twin.base), ERROR_ALREADY_EXISTS);
        loop_io_remove(loop, &io.base);
        assert_int_equal(loop_io_add(loop, &closed.base), ERROR_INVALID_HANDLE);
    } else {
        assert_int_equal(loop_io_add(loop, &closed.base), NO_ERROR);
        assert_true((next_events(&closed) & LOOP_HANGUP) != 0);
        loop_io_remove(loop, &closed.base);
    }
    tcp_pair_close(&pair);
}

static void listener_is_reported_until_its_backlog_is_empty(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    struct sock_addr addr;
    assert_int_equal(sock_local_addr(pair.listener, &addr), NO_ERROR);
    struct io io = {.base = {.on_event = on_event, .fd = pair.listener}};
    assert_int_equal(loop_io_add_listener(loop, &io.base), NO_ERROR);
    turn();
    assert_int_equal(io.calls, 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, &addr.sa, sock_addr_len(&addr)), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(next_events(&io), LOOP_READABLE);
    }
    int server = -1;
    assert_int_equal(sock_accept(pair.listener, &server, NULL), NO_ERROR);
    turn();
    assert_int_equal(io.calls, 3);
    loop_io_remove(loop, &io.base);
    close(client);
    close(server);
    tcp_pair_close(&pair);
}

/* --- watches -------------------------------------------------------------------------------- */

struct watch {
    struct loop_watch base; /* first */
    int calls;
    unsigned events;
    struct watch *victim; /* stopped and freed by the first call */
};

static void on_ready(struct loop_watch *base, unsigned events)
{
    struct watch *watch = (struct watch *)base;
    watch->calls++;
    watch->events = events;
    if (watch->victim != NULL) {
        struct watch *victim = watch->victim;
        watch->victim = NULL;
        loop_watch_stop(loop, &victim->base);
        free(victim);
    }
}

static void watch_reports_as_long_as_it_is_ready(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct watch watch = {.base = {on_ready, ends[0], LOOP_READABLE}};
    assert_int_equal(loop_watch_start(loop, &watch.base), NO_ERROR);
    turn();
    assert_int_equal(watch.calls, 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    turn();
    turn();
    assert_int_equal(watch.calls, 2);
    assert_int_equal(watch.events, LOOP_READABLE);
    loop_watch_stop(loop, &watch.base);
    loop_watch_stop(loop, &watch.base);
    turn();
    assert_int_equal(watch.calls, 2);
    assert_int_equal(loop_watch_start(loop, &watch.base), NO_ERROR);
    close(ends[1]);
    turn();
    assert_int_equal(watch.calls, 3);
    assert_int_equal(watch.events, LOOP_READABLE | LOOP_HANGUP);
    loop_watch_stop(loop, &watch.base);
    close(ends[0]);
}

static void watch_started_again_changes_its_events(void **state)
{
    (void)state;
    struct tcp_pair pair;
    open_pair(&pair);
    struct watch watch = {.base = {on_ready, pair.server, LOOP_READABLE}};
    assert_int_equal(loop_watch_start(loop, &watch.base), NO_ERROR);
    turn();
    assert_int_equal(watch.calls, 0);
    watch.base.events = LOOP_READABLE | LOOP_WRITABLE;
    assert_int_equal(loop_watch_start(loop, &watch.base), NO_ERROR);
    turn();
    assert_int_equal(watch.calls, 1);
    assert_int_equal(watch.events, LOOP_WRITABLE);
    watch.base.events = 0;
    assert_int_equal(loop_watch_start(loop, &watch.base), NO_ERROR);
    turn();
    assert_int_equal(watch.calls, 1);
    loop_watch_stop(loop, &watch.base);
    tcp_pair_close(&pair);
}

static void watch_stopped_by_another_of_the_batch_is_not_called(void **state)
{
    (void)state;
    int ends[2][2];
    struct watch *watches[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(ends[i]), 0);
        assert_int_equal(write(ends[i][1], "x", 1), 1);
        watches[i] = calloc(1, sizeof *watches[i]);
        assert_non_null(watches[i]);
        watches[i]->base = (struct loop_watch){on_ready, ends[i][0], LOOP_READABLE};
        assert_int_equal(loop_watch_start(loop, &watches[i]->base), NO_ERROR);
    }
    watches[0]->victim = watches[1];
    turn();
    assert_int_equal(watches[0]->calls, 1);
    loop_watch_stop(loop, &watches[0]->base);
    free(watches[0]);
    for (int i = 0; i < 4; i++) {
        close(ends[i / 2][i % 2]);
    }
}

static void watch_of_a_file_is_not_supported(void **state)
{
    (void)state;
    int fd = open(__FILE__, O_RDONLY);
    if (fd < 0) {
        fd = open("/proc/self/exe", O_RDONLY);
    }
    assert_true(fd >= 0);
    struct watch watch = {.base = {on_ready, fd, LOOP_READABLE}};
    assert_int_equal(loop_watch_start(loop, &watch.base), ERROR_NOT_SUPPORTED);
    close(fd);
    assert_int_equal(loop_watch_start(loop, &watch.base), ERROR_INVALID_HANDLE);
}

static void watch_more_than_a_batch_all_get_their_turn(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    struct rlimit files;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_cur < 2 * COUNT + 50) {
        skip();
    }
    static struct watch watches[COUNT];
    int ends[COUNT][2];
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(pipe(ends[i]), 0);
        assert_int_equal(write(ends[i][1], "x", 1), 1);
        watches[i].base = (struct loop_watch){on_ready, ends[i][0], LOOP_READABLE};
        assert_int_equal(loop_watch_start(loop, &watches[i].base), NO_ERROR);
    }
    turn();
    turn();
    for (int i = 0; i < COUNT; i++) {
        assert_in_range(watches[i].calls, 1, 2);
        loop_watch_stop(loop, &watches[i].base);
        close(ends[i][0]);
        close(ends[i][1]);
    }
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(io_reports_each_change_once),
        LOOP_TEST(io_full_socket_reports_room_again),
        LOOP_TEST(io_fin_is_read_closed_and_reset_is_hangup),
        LOOP_TEST(io_closed_is_not_called_while_another_holds_the_socket),
        LOOP_TEST(io_sends_only_where_the_back_end_does),
        LOOP_TEST(io_never_registered_is_closed_too),
        LOOP_TEST(io_removed_by_another_of_the_batch_is_not_called),
        LOOP_TEST(io_may_end_itself_inside_its_event),
        LOOP_TEST(io_bad_descriptors_are_told),
        LOOP_TEST(listener_is_reported_until_its_backlog_is_empty),
        LOOP_TEST(watch_reports_as_long_as_it_is_ready),
        LOOP_TEST(watch_started_again_changes_its_events),
        LOOP_TEST(watch_stopped_by_another_of_the_batch_is_not_called),
        LOOP_TEST(watch_of_a_file_is_not_supported),
        LOOP_TEST(watch_more_than_a_batch_all_get_their_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
