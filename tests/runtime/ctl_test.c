/* The control socket: who may ask, what is answered, and what a bad client can do. Real sockets;
 * the loop of the host turns on this thread. */
#include "support/cmocka_all.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/ctl.h"
#include "runtime/hostdata.h"

enum { TURNS_MAX = 2000, TURN_NS = 5000000 };

struct context {
    char folder[64];
    char path[96];
    struct host_config config;
    struct host host;
    struct ctl *ctl;
};

static int set_up(void **state)
{
    struct context *c = calloc(1, sizeof *c);
    const struct ledger_options options = {0};
    (void)snprintf(c->folder, sizeof c->folder, "/tmp/ctl_test.XXXXXX");
    if (mkdtemp(c->folder) == NULL) {
        return -1;
    }
    (void)snprintf(c->path, sizeof c->path, "%s/control", c->folder);
    host_config_init(&c->config);
    c->host.config = &c->config;
    list_init(&c->host.generations);
    reload_init(&c->host.reload);
    (void)pthread_mutex_init(&c->host.stop_lock, NULL);
    c->host.ledger = ledger_create(&options);
    *state = c;
    return c->host.ledger == NULL ? -1 : (int)loop_open(LOOP_BACKEND_DEFAULT, &c->host.loop);
}

static int tear_down(void **state)
{
    struct context *c = *state;
    char command[160];
    ctl_close(c->ctl, &(struct host_verdict){.reason = "over"});
    assert_int_not_equal(access(c->path, F_OK), 0);
    loop_close(c->host.loop);
    ledger_destroy(c->host.ledger);
    (void)pthread_mutex_destroy(&c->host.stop_lock);
    (void)snprintf(command, sizeof command, "rm -r %s", c->folder);
    assert_int_equal(system(command), 0);
    free(c);
    return 0;
}

static void open_ctl(struct context *c)
{
    assert_int_equal(ctl_open(&c->host, c->path, &c->ctl), NO_ERROR);
}

/* --- a client -------------------------------------------------------------------------------- */

static int join(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static bool is_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

/* Turns the loop until the client has something to read. */
static bool turn_until_readable(struct context *c, int fd)
{
    for (int i = 0; i < TURNS_MAX && !is_readable(fd); i++) {
        assert_int_equal(loop_run_once(c->host.loop, TURN_NS), NO_ERROR);
    }
    return is_readable(fd);
}

/* A few turns in which nothing is expected to come. */
static void turn(struct context *c)
{
    for (int i = 0; i < 10; i++) {
        assert_int_equal(loop_run_once(c->host.loop, TURN_NS), NO_ERROR);
    }
}

/* The whole answer, "" when the connection just ended. Closes. */
static const char *hear(struct context *c, int fd, char *out, size_t cap)
{
    size_t len = 0;
    ssize_t got = 1;
    while (got > 0) {
        assert_true(turn_until_readable(c, fd));
        got = recv(fd, out + len, cap - 1 - len, 0);
        len += got > 0 ? (size_t)got : 0;
    }
    out[len] = '\0';
    (void)close(fd);
    return out;
}

/* --- questions ------------------------------------------------------------------------------- */

static void ctl_answers_with_a_code_and_a_text(void **state)
{
    struct context *c = *state;
    char text[4096];
    open_ctl(c);
    int fd = join(c->path);
    say(fd, "status\n");
    assert_int_equal(strncmp(hear(c, fd, text, sizeof text), "0\npid ", 6), 0);
    assert_non_null(strstr(text, "reloads 0 done, 0 failed\n"));
    fd = join(c->path);
    say(fd, "gens\n");
    assert_string_equal(hear(c, fd, text, sizeof text), "0\n");
    fd = join(c->path);
    say(fd, "rollback\n");
    assert_string_equal(hear(c, fd, text, sizeof text),
                        "1\nerror: there is no generation before this one\n");
}

static void ctl_says_what_it_does_not_know(void **state)
{
    struct context *c = *state;
    static const char *const questions[] = {"\n",   "reloa\n",    "reload now\n", "RELOAD\n",
                                            "\r\n", "status\r\n", "\x01\xff\n"};
    char text[4096];
    open_ctl(c);
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        int fd = join(c->path);
        say(fd, questions[i]);
        assert_int_equal(strncmp(hear(c, fd, text, sizeof text), "2\nerror: unknown question", 25),
                         0);
    }
    assert_false(c->host.reload.wanted);
}

static void ctl_takes_a_line_in_pieces_and_no_endless_one(void **state)
{
    struct context *c = *state;
    char text[4096];
    char line[CTL_LINE_BYTES_MAX + 1];
    open_ctl(c);
    int fd = join(c->path);
    for (const char *at = "status"; *at != '\0'; at++) {
        say(fd, (char[]){*at, '\0'});
        turn(c);
        assert_false(is_readable(fd));
    }
    say(fd, "\nand more\n");
    assert_int_equal(strncmp(hear(c, fd, text, sizeof text), "0\npid ", 6), 0);
    fd = join(c->path);
    memset(line, 'x', CTL_LINE_BYTES_MAX);
    line[CTL_LINE_BYTES_MAX] = '\0';
    say(fd, line);
    assert_string_equal(hear(c, fd, text, sizeof text), ""); /* dropped */
    fd = join(c->path);
    (void)close(fd); /* came to say nothing */
    turn(c);
    fd = join(c->path);
    say(fd, "gens\n");
    assert_string_equal(hear(c, fd, text, sizeof text), "0\n");
}

static void ctl_serves_as_many_as_it_has_places_and_then_the_next(void **state)
{
    struct context *c = *state;
    char text[4096];
    int silent[CTL_CLIENTS_MAX];
    open_ctl(c);
    for (int i = 0; i < CTL_CLIENTS_MAX; i++) {
        silent[i] = join(c->path);
        turn(c);
    }
    int waiting = join(c->path); /* in the backlog */
    say(waiting, "gens\n");
    turn(c);
    assert_false(is_readable(waiting));
    (void)close(silent[3]);
    assert_string_equal(hear(c, waiting, text, sizeof text), "0\n");
    for (int i = 0; i < CTL_CLIENTS_MAX; i++) {
        if (i != 3) {
            say(silent[i], "gens\n");
            assert_string_equal(hear(c, silent[i], text, sizeof text), "0\n");
        }
    }
}

/* --- reloads and the end --------------------------------------------------------------------- */

/* What reload_turn does at its end. */
static void tell_waiters(struct context *c, const struct reload_result *result)
{
    struct list_node *node;
    while ((node = list_pop_front(&c->host.reload.waiters)) != NULL) {
        struct reload_waiter *waiter = LIST_ITEM(node, struct reload_waiter, node);
        waiter->done(waiter, result);
    }
    c->host.reload.wanted = false;
}

static void ctl_reload_is_answered_when_it_is_done(void **state)
{
    struct context *c = *state;
    char text[4096];
    static struct load_error error = {.text = "app.lua:3: \x1b[2Jno", .hint = "try again"};
    open_ctl(c);
    int first = join(c->path);
    int second = join(c->path);
    int gone = join(c->path);
    say(first, "reload\n");
    say(second, "reload\n");
    say(gone, "reload\n");
    turn(c);
    assert_true(c->host.reload.wanted);
    assert_false(is_readable(first));
    (void)close(gone); /* what it asked for goes on without it */
    turn(c);
    tell_waiters(c, &(struct reload_result){.ok = true, .before = 4, .after = 5});
    assert_string_equal(hear(c, first, text, sizeof text), "0\nreload  gen 4 -> 5  0.0 ms\n");
    assert_string_equal(hear(c, second, text, sizeof text), "0\nreload  gen 4 -> 5  0.0 ms\n");
    first = join(c->path);
    say(first, "reload\n");
    turn(c);
    tell_waiters(c, &(struct reload_result){.before = 5, .after = 6, .error = &error});
    assert_string_equal(
        hear(c, first, text, sizeof text),
        "3\nbroken  app.lua:3: \\x1b[2Jno\ngen 5 keeps serving\nhint:  try again\n");
}

static void ctl_half_closed_client_gets_its_answer(void **state)
{
    struct context *c = *state;
    char text[4096];
    int asking[CTL_CLIENTS_MAX];
    open_ctl(c);
    for (int i = 0; i < CTL_CLIENTS_MAX; i++) {
        asking[i] = join(c->path);
        say(asking[i], "reload\n");
        assert_int_equal(shutdown(asking[i], SHUT_WR), 0);
        turn(c);
        assert_false(is_readable(asking[i]));
    }
    (void)close(asking[0]); /* its place is free again at once */
    int next = join(c->path);
    say(next, "gens\n");
    assert_string_equal(hear(c, next, text, sizeof text), "0\n");
    tell_waiters(c, &(struct reload_result){.ok = true, .before = 4, .after = 5});
    for (int i = 1; i < CTL_CLIENTS_MAX; i++) {
        assert_string_equal(hear(c, asking[i], text, sizeof text),
                            "0\nreload  gen 4 -> 5  0.0 ms\n");
    }
    /* Nothing that stands at its end keeps the loop awake. */
    int last = join(c->path);
    say(last, "stop\n");
    assert_int_equal(shutdown(last, SHUT_WR), 0);
    turn(c);
    uint64_t before = clock_mono_ns();
    assert_int_equal(loop_run_once(c->host.loop, TURN_NS), NO_ERROR);
    assert_true(clock_mono_ns() - before >= TURN_NS / 2);
    ctl_close(c->ctl, &(struct host_verdict){.reason = "over"});
    c->ctl = NULL;
    assert_string_equal(hear(c, last, text, sizeof text), "0\nexit 0: over\n");
}

static void ctl_stop_is_answered_at_the_end(void **state)
{
    struct context *c = *state;
    char text[4096];
    open_ctl(c);
    int asking = join(c->path);
    int silent = join(c->path);
    say(asking, "stop\n");
    turn(c);
    assert_true(host_is_stopping(&c->host));
    assert_false(is_readable(asking));
    int late = join(c->path);
    say(late, "reload\n");
    assert_string_equal(hear(c, late, text, sizeof text), "1\nerror: the host stops\n");
    ctl_close(c->ctl, &(struct host_verdict){.code = 6, .reason = "2 cut"});
    c->ctl = NULL;
    assert_string_equal(hear(c, asking, text, sizeof text), "6\nexit 6: 2 cut\n");
    assert_string_equal(hear(c, silent, text, sizeof text), "");
}

/* --- the place ------------------------------------------------------------------------------- */

static void ctl_socket_is_for_its_user_alone(void **state)
{
    struct context *c = *state;
    struct stat info;
    mode_t before = umask(0);
    open_ctl(c);
    assert_int_equal(umask(before), 0); /* put back */
    assert_int_equal(stat(c->path, &info), 0);
    assert_true(S_ISSOCK(info.st_mode));
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void ctl_place_that_somebody_has_is_left_to_him(void **state)
{
    struct context *c = *state;
    struct ctl *other = NULL;
    char text[4096];
    open_ctl(c);
    assert_int_equal(ctl_open(&c->host, c->path, &other), ERROR_ALREADY_EXISTS);
    assert_null(other);
    int fd = join(c->path);
    say(fd, "gens\n");
    assert_string_equal(hear(c, fd, text, sizeof text), "0\n");
}

static void ctl_takes_over_what_a_dead_process_left(void **state)
{
    struct context *c = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char text[4096];
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", c->path);
    int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&address, sizeof address), 0);
    (void)close(dead); /* its name stays */
    assert_int_equal(access(c->path, F_OK), 0);
    open_ctl(c);
    int fd = join(c->path);
    say(fd, "gens\n");
    assert_string_equal(hear(c, fd, text, sizeof text), "0\n");
}

static void ctl_leaves_a_file_that_is_no_socket(void **state)
{
    struct context *c = *state;
    FILE *file = fopen(c->path, "w");
    assert_non_null(file);
    (void)fputs("mine", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(ctl_open(&c->host, c->path, &c->ctl), ERROR_ALREADY_EXISTS);
    assert_null(c->ctl);
    struct stat info;
    assert_int_equal(stat(c->path, &info), 0);
    assert_int_equal(info.st_size, 4);
    assert_int_equal(unlink(c->path), 0);
}

static void ctl_refuses_places_it_cannot_have(void **state)
{
    struct context *c = *state;
    char path[CTL_PATH_BYTES_MAX + 64];
    struct stat info;
    memset(path, 'p', sizeof path);
    memcpy(path, "/tmp/", 5);
    path[CTL_PATH_BYTES_MAX] = '\0'; /* one byte too long */
    assert_int_equal(ctl_open(&c->host, path, &c->ctl), ERROR_INVALID_PARAMETER);
    (void)snprintf(path, sizeof path, "%s/missing/control", c->folder);
    assert_int_equal(ctl_open(&c->host, path, &c->ctl), ERROR_ACCESS_DENIED);
    assert_null(c->ctl);
    /* The usual place: its folder is made for this user alone, or is refused. */
    assert_int_equal(setenv("XDG_RUNTIME_DIR", c->folder, 1), 0);
    assert_int_equal(ctl_open(&c->host, NULL, &c->ctl), NO_ERROR);
    ctl_close(c->ctl, &(struct host_verdict){0});
    c->ctl = NULL;
    (void)snprintf(path, sizeof path, "%s/moonlatch", c->folder);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(chmod(path, 0755), 0);
    assert_int_equal(ctl_open(&c->host, NULL, &c->ctl), ERROR_ACCESS_DENIED);
    assert_null(c->ctl);
    assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
}

/* --- the command ----------------------------------------------------------------------------- */

struct asking {
    const char *path, *question;
    char *said, *complained;
    int code;
    _Atomic bool done;
};

static void *ask(void *arg)
{
    struct asking *asking = arg;
    size_t said_len = 0;
    size_t complained_len = 0;
    FILE *said = open_memstream(&asking->said, &said_len);
    FILE *complained = open_memstream(&asking->complained, &complained_len);
    asking->code = ctl_ask(asking->path, 0, asking->question, said, complained);
    (void)fclose(said);
    (void)fclose(complained);
    atomic_store(&asking->done, true);
    return NULL;
}

static struct asking ask_while_turning(struct context *c, const char *path, const char *question)
{
    struct asking asking = {.path = path, .question = question};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask, &asking), 0);
    for (int i = 0; i < TURNS_MAX && !atomic_load(&asking.done); i++) {
        assert_int_equal(loop_run_once(c->host.loop, TURN_NS), NO_ERROR);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    return asking;
}

static void ctl_command_prints_the_answer_and_returns_the_code(void **state)
{
    struct context *c = *state;
    char path[CTL_PATH_BYTES_MAX + 64];
    open_ctl(c);
    struct asking asked = ask_while_turning(c, c->path, "rollback");
    assert_int_equal(asked.code, 1);
    assert_string_equal(asked.said, "error: there is no generation before this one\n");
    assert_string_equal(asked.complained, "");
    free(asked.said);
    free(asked.complained);
    (void)snprintf(path, sizeof path, "%s/nobody", c->folder);
    asked = ask_while_turning(c, path, "status");
    assert_int_equal(asked.code, 1);
    assert_non_null(strstr(asked.complained, "nobody listens at"));
    free(asked.said);
    free(asked.complained);
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    asked = ask_while_turning(c, path, "status");
    assert_int_equal(asked.code, 1);
    assert_non_null(strstr(asked.complained, "too long"));
    free(asked.said);
    free(asked.complained);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ctl_answers_with_a_code_and_a_text),
        TEST(ctl_says_what_it_does_not_know),
        TEST(ctl_takes_a_line_in_pieces_and_no_endless_one),
        TEST(ctl_serves_as_many_as_it_has_places_and_then_the_next),
        TEST(ctl_reload_is_answered_when_it_is_done),
        TEST(ctl_half_closed_client_gets_its_answer),
        TEST(ctl_stop_is_answered_at_the_end),
        TEST(ctl_socket_is_for_its_user_alone),
        TEST(ctl_place_that_somebody_has_is_left_to_him),
        TEST(ctl_takes_over_what_a_dead_process_left),
        TEST(ctl_leaves_a_file_that_is_no_socket),
        TEST(ctl_refuses_places_it_cannot_have),
        TEST(ctl_command_prints_the_answer_and_returns_the_code),
    };
    return cmocka_run_group_tests_name("ctl", tests, NULL, NULL);
}
