/* Our parser against the one built into Node, row by row of protocol/h1cases.h: the same requests
 * must be accepted, with the same method, target and body length, and the same ones refused.
 * Expected differences are listed by the name of the row with their reason. With the version of
 * node the list was made with, a listed row that does not differ fails, too; with other versions
 * only what we accept and node does not fails. Exit code 77 (skipped) without node.
 * ctest-timeout: 120 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "protocol/h1verdict.h"

#define LISTED_NODE_MAJOR 20
#define SKIPPED           77
#define WAIT_MS           20000
#define ANSWER_BYTES_MAX  65536
#define SEEN_BYTES_MAX    40000

struct difference {
    const char *name;
    const char *reason;
};

static const struct difference differences[] = {
#include "e2e/http1/node_differences.h"
};

#define DIFFERENCE_COUNT (sizeof(differences) / sizeof(differences[0]))

struct node {
    pid_t pid;
    int input; /* closing it ends node */
    uint16_t port;
    unsigned long major; /* of its version */
};

static struct node node;

/* What one side made of a row: a line for each accepted request, then whether it refused. */
struct view {
    char seen[SEEN_BYTES_MAX];
    size_t len;
    int requests;
    bool refused;
};

static bool node_is_there(void)
{
    const char *path = getenv("PATH");
    char file[4096];
    while (path != NULL && *path != '\0') {
        size_t len = strcspn(path, ":");
        int n = snprintf(file, sizeof(file), "%.*s/node", (int)len, path);
        if (n > 0 && (size_t)n < sizeof(file) && access(file, X_OK) == 0) {
            return true;
        }
        path += len + (path[len] == ':');
    }
    return false;
}

static int start_node(void **state)
{
    int in[2];
    int out[2];
    char line[32];
    (void)state; /* cmocka's signature */
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    node.pid = fork();
    assert_true(node.pid >= 0);
    if (node.pid == 0) {
        if (dup2(in[0], 0) == 0 && dup2(out[1], 1) == 1 && close(in[1]) == 0 &&
            close(out[0]) == 0) {
            execlp("node", "node", ML_TEST_ROOT "/tests/e2e/http1/node_diff.js", (char *)NULL);
        }
        _exit(127);
    }
    assert_int_equal(close(in[0]), 0);
    assert_int_equal(close(out[1]), 0);
    node.input = in[1];
    FILE *lines = fdopen(out[0], "r");
    assert_non_null(lines);
    assert_non_null(fgets(line, sizeof(line), lines));
    char *rest = line;
    node.port = (uint16_t)strtoul(line, &rest, 10);
    node.major = strtoul(rest, NULL, 10);
    assert_true(node.port > 0);
    assert_int_equal(fclose(lines), 0);
    return 0;
}

static int stop_node(void **state)
{
    int status = 0;
    (void)state; /* cmocka's signature */
    assert_int_equal(close(node.input), 0);
    assert_int_equal(waitpid(node.pid, &status, 0), node.pid);
    return 0;
}

static void add_seen(struct view *view, const char *text, size_t len)
{
    assert_true(view->len + len + 1 < sizeof(view->seen));
    memcpy(view->seen + view->len, text, len);
    view->seen[view->len + len] = '\n';
    view->len += len + 1;
    view->requests++;
}

/* --- our side ----------------------------------------------------------------------- */

static void note_request(void *context, const struct h1_feed *f)
{
    char line[SEEN_BYTES_MAX / 2];
    int n =
        snprintf(line, sizeof(line), "%.*s %.*s %llu", (int)f->head.method.len, f->head.method.p,
                 (int)f->head.target.len, f->head.target.p, (unsigned long long)f->body);
    assert_true(n > 0 && (size_t)n < sizeof(line));
    add_seen(context, line, (size_t)n);
}

static void view_ours(const struct h1_case *row, struct view *view)
{
    static struct h1_header headers[H1_HEADER_COUNT_MAX];
    struct h1_feed f;
    size_t len = 0;
    char *bytes = h1_case_bytes(row, &len);
    h1_feed_init(&f, headers);
    f.on_request = note_request;
    f.context = view;
    h1_feed(&f, bytes, len);
    view->refused = f.status != 0;
    free(bytes);
}

/* --- node's side -------------------------------------------------------------------- */

static size_t talk_to_node(const char *bytes, size_t len, char *out)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(node.port)};
    size_t got = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    if (len > 0) {
        assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
    }
    (void)shutdown(fd, SHUT_WR); /* fails where node was faster; then reading tells */
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
        ssize_t n = recv(fd, out + got, ANSWER_BYTES_MAX - got, 0);
        if (n <= 0) { /* a reset ends what node had to say, like a close */
            break;
        }
        got += (size_t)n;
    }
    assert_int_equal(close(fd), 0);
    return got;
}

static void view_node(const struct h1_case *row, struct view *view)
{
    static const char ok[] = "HTTP/1.1 200 ";
    static const char seen[] = "\r\nX-Seen: ";
    size_t len = 0;
    char *bytes = h1_case_bytes(row, &len);
    char *answers = malloc(ANSWER_BYTES_MAX);
    assert_non_null(answers);
    size_t left = talk_to_node(bytes, len, answers);
    const char *p = answers;
    while (left >= sizeof(ok) - 1 && memcmp(p, ok, sizeof(ok) - 1) == 0) {
        const char *end = memmem(p, left, "\r\n\r\n", 4);
        const char *name = memmem(p, left, seen, sizeof(seen) - 1);
        assert_true(end != NULL && name != NULL && name < end);
        name += sizeof(seen) - 1;
        const char *stop = memmem(name, left - (size_t)(name - p), "\r\n", 2);
        assert_non_null(stop);
        add_seen(view, name, (size_t)(stop - name));
        left -= (size_t)(end + 4 - p);
        p = end + 4;
    }
    view->refused = left > 0;
    free(answers);
    free(bytes);
}

/* --- the comparison ----------------------------------------------------------------- */

static const char *reason_of(const char *name)
{
    for (size_t i = 0; i < DIFFERENCE_COUNT; i++) {
        if (strcmp(differences[i].name, name) == 0) {
            return differences[i].reason;
        }
    }
    return NULL;
}

/* A stream that ends inside a request is refused by node and waited for by us: not compared. */
static bool same(const struct h1_case *row, const struct view *ours, const struct view *theirs)
{
    return ours->requests == theirs->requests && ours->len == theirs->len &&
           memcmp(ours->seen, theirs->seen, ours->len) == 0 &&
           (row->pending || ours->refused == theirs->refused);
}

/* Whether this row speaks for node's version, too. */
static bool counts(const struct view *ours, const struct view *theirs)
{
    return node.major == LISTED_NODE_MAJOR || ours->requests > theirs->requests;
}

static void node_diff_only_listed_rows_differ(void **state)
{
    int wrong = 0;
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < H1_CASE_COUNT; i++) {
        const struct h1_case *row = &h1_cases[i];
        static struct view ours;
        static struct view theirs;
        const char *reason = reason_of(row->name);
        if (row->parser_only || row->fill > 0) {
            continue; /* limits and routing are each server's own */
        }
        memset(&ours, 0, sizeof(ours));
        memset(&theirs, 0, sizeof(theirs));
        view_ours(row, &ours);
        view_node(row, &theirs);
        if (same(row, &ours, &theirs) == (reason != NULL) && counts(&ours, &theirs)) {
            print_error("%s (%s): %s; we accept %d%s, node %d%s\n", row->name, row->section,
                        reason == NULL ? "differs" : "is listed but does not differ", ours.requests,
                        ours.refused ? " and refuse" : "", theirs.requests,
                        theirs.refused ? " and refuses" : "");
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void node_diff_list_names_rows(void **state)
{
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < DIFFERENCE_COUNT; i++) {
        bool found = false;
        for (size_t k = 0; k < H1_CASE_COUNT && !found; k++) {
            found = strcmp(differences[i].name, h1_cases[k].name) == 0;
        }
        if (!found) {
            fail_msg("no row is called %s", differences[i].name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node_diff_only_listed_rows_differ),
        cmocka_unit_test(node_diff_list_names_rows),
    };
    if (!node_is_there()) {
        fprintf(stderr, "skipped: node is not installed\n");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, start_node, stop_node);
}
