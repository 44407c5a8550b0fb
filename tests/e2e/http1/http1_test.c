/* The rows of protocol/h1cases.h over real sockets: an engine of this process serves them through
 * the contract, a plain client sends the bytes and reads the answers until the end.
 *
 * A row that is refused or that asks to close must be closed by the server without being asked;
 * another row is half-closed by the client after its bytes, and everything accepted must still be
 * answered. Each row is sent whole and cut.
 * ctest-timeout: 300 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/httpapi.h"
#include "api/loop.h"
#include "protocol/h1verdict.h"

#define WAIT_MS          20000
#define ANSWER_BYTES_MAX 65536
#define STATUS_MAX       8
#define PORT_TRIES       20

/* Whole, byte by byte (long rows in pieces of 1000). */
enum cut { CUT_NOT, CUT_EVERYWHERE };

struct server {
    HTTP_SERVER_SESSION_ID session;
    HTTP_URL_GROUP_ID group;
    HANDLE queue;
    uint16_t port;
    pthread_t thread;
};

static struct server server;

/* --- the server --------------------------------------------------------------------- */

/* Reads the body to its end. false: there is nobody to answer any more. */
static bool swallow_body(HTTP_REQUEST_ID id)
{
    char piece[4096];
    for (;;) {
        ULONG count = 0;
        ULONG code =
            HttpReceiveRequestEntityBody(server.queue, id, 0, piece, sizeof(piece), &count, NULL);
        if (code != NO_ERROR) {
            return code == ERROR_HANDLE_EOF;
        }
    }
}

static void answer(HTTP_REQUEST_ID id)
{
    HTTP_RESPONSE response;
    memset(&response, 0, sizeof(response));
    response.StatusCode = 200;
    response.pReason = "OK";
    response.ReasonLength = 2;
    /* the client may have gone, as it does in rows that end inside a request */
    (void)HttpSendHttpResponse(server.queue, id, 0, &response, NULL, NULL, NULL, 0, NULL, NULL);
}

static void *serve(void *unused)
{
    const ULONG size = 65536;
    HTTP_REQUEST *request = malloc(size);
    (void)unused; /* the server is a global of this test */
    if (request == NULL) {
        abort();
    }
    for (;;) {
        ULONG count = 0;
        ULONG code =
            HttpReceiveHttpRequest(server.queue, HTTP_NULL_ID, 0, request, size, &count, NULL);
        if (code == ERROR_CONNECTION_INVALID) {
            continue;
        }
        if (code != NO_ERROR) {
            break;
        }
        if (swallow_body(request->RequestId)) {
            answer(request->RequestId);
        }
    }
    free(request);
    return NULL;
}

static ULONG add_url(void)
{
    ULONG code = ERROR_SHARING_VIOLATION;
    for (int i = 0; i < PORT_TRIES && code == ERROR_SHARING_VIOLATION; i++) {
        char url[64];
        code = loop_find_free_port(&server.port);
        if (code == NO_ERROR) {
            /* an address of its own takes any Host, and only from this machine */
            (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", (unsigned)server.port);
            code = HttpAddUrlToUrlGroup(server.group, url, 0, 0);
        }
    }
    return code;
}

static int start_server(void **state)
{
    HTTP_BINDING_INFO binding;
    (void)state; /* cmocka's signature */
    assert_int_equal(HttpInitialize(HTTPAPI_VERSION_2, HTTP_INITIALIZE_SERVER, NULL), NO_ERROR);
    assert_int_equal(HttpCreateServerSession(HTTPAPI_VERSION_2, &server.session, 0), NO_ERROR);
    assert_int_equal(HttpCreateUrlGroup(server.session, &server.group, 0), NO_ERROR);
    assert_int_equal(HttpCreateRequestQueue(HTTPAPI_VERSION_2, NULL, NULL, 0, &server.queue),
                     NO_ERROR);
    memset(&binding, 0, sizeof(binding));
    binding.Flags.Present = 1;
    binding.RequestQueueHandle = server.queue;
    assert_int_equal(
        HttpSetUrlGroupProperty(server.group, HttpServerBindingProperty, &binding, sizeof(binding)),
        NO_ERROR);
    assert_int_equal(add_url(), NO_ERROR);
    return pthread_create(&server.thread, NULL, serve, NULL);
}

static int stop_server(void **state)
{
    (void)state; /* cmocka's signature */
    assert_int_equal(HttpShutdownRequestQueue(server.queue), NO_ERROR);
    assert_int_equal(pthread_join(server.thread, NULL), 0);
    assert_int_equal(HttpRemoveUrlFromUrlGroup(server.group, NULL, HTTP_URL_FLAG_REMOVE_ALL),
                     NO_ERROR);
    assert_int_equal(HttpCloseUrlGroup(server.group), NO_ERROR);
    assert_int_equal(HttpCloseServerSession(server.session), NO_ERROR);
    assert_int_equal(HttpCloseRequestQueue(server.queue), NO_ERROR);
    assert_int_equal(HttpTerminate(HTTP_INITIALIZE_SERVER, NULL), NO_ERROR);
    return 0;
}

/* --- the client --------------------------------------------------------------------- */

struct outcome {
    int statuses[STATUS_MAX];
    int count;
    bool reset;          /* the connection ended in a reset */
    const char *trouble; /* NULL: the answers end where the connection does */
};

static int connect_client(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(server.port)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    return fd;
}

/* Stops without complaint where the server has closed already. */
static void send_pieces(int fd, const char *p, size_t len, size_t piece)
{
    while (len > 0) {
        size_t n = len < piece ? len : piece;
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent < 0) {
            assert_true(errno == EPIPE || errno == ECONNRESET);
            return;
        }
        p += sent;
        len -= (size_t)sent;
    }
}

/* Everything up to the end of the connection. */
static size_t read_all(int fd, char *out, struct outcome *outcome)
{
    size_t len = 0;
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        if (poll(&poll_fd, 1, WAIT_MS) <= 0) {
            outcome->trouble = "the server did not close the connection";
            return len;
        }
        ssize_t got = recv(fd, out + len, ANSWER_BYTES_MAX - len, 0);
        if (got < 0) {
            outcome->reset = true;
            return len;
        }
        if (got == 0) {
            return len;
        }
        len += (size_t)got;
        assert_true(len < ANSWER_BYTES_MAX);
    }
}

static size_t body_length(const char *head, size_t len)
{
    static const char name[] = "\r\nContent-Length: ";
    const char *at = memmem(head, len, name, sizeof(name) - 1);
    return at == NULL ? 0 : (size_t)strtoul(at + sizeof(name) - 1, NULL, 10);
}

/* Splits what came into answers. */
static void split(const char *p, size_t len, struct outcome *outcome)
{
    while (len > 0) {
        const char *end = memmem(p, len, "\r\n\r\n", 4);
        if (end == NULL || strncmp(p, "HTTP/1.1 ", 9) != 0 || outcome->count == STATUS_MAX) {
            outcome->trouble = "the answer is malformed";
            return;
        }
        size_t head = (size_t)(end - p) + 4;
        size_t whole = head + body_length(p, head);
        if (whole > len) {
            outcome->trouble = "the answer is cut";
            return;
        }
        outcome->statuses[outcome->count++] = (int)strtol(p + 9, NULL, 10);
        p += whole;
        len -= whole;
    }
}

static bool closed_by_server(const struct h1_case *row)
{
    return row->rule != H1_RULE_NONE || row->url != URL_OK || row->close;
}

static struct outcome exchange(const struct h1_case *row, enum cut cut)
{
    struct outcome outcome = {.count = 0};
    size_t len = 0;
    char *bytes = h1_case_bytes(row, &len);
    char *answers = malloc(ANSWER_BYTES_MAX + 1);
    assert_non_null(answers);
    size_t piece = cut == CUT_NOT ? len : len > 1000 ? 1000 : 1;
    int fd = connect_client();
    send_pieces(fd, bytes, len, piece);
    if (!closed_by_server(row)) {
        (void)shutdown(fd, SHUT_WR); /* fails where the server was faster; then reading tells */
    }
    size_t got = read_all(fd, answers, &outcome);
    answers[got] = '\0';
    if (outcome.trouble == NULL) {
        split(answers, got, &outcome);
    }
    assert_int_equal(close(fd), 0);
    free(answers);
    free(bytes);
    return outcome;
}

/* A reset may swallow an answer, so it is allowed only where the client broke off inside a body. */
static bool as_expected(const struct h1_case *row, const struct outcome *outcome)
{
    if (outcome->reset && !row->pending) {
        return false;
    }
    unsigned refusal = row->url != URL_OK ? 400U : h1_rule_refusal(row->rule).status;
    int expected = row->requests + (refusal != 0);
    if (outcome->trouble != NULL || outcome->count != expected) {
        return false;
    }
    for (int i = 0; i < row->requests; i++) {
        if (outcome->statuses[i] != 200) {
            return false;
        }
    }
    return refusal == 0 || outcome->statuses[row->requests] == (int)refusal;
}

static int run_rows(enum cut cut)
{
    int failed = 0;
    for (size_t i = 0; i < H1_CASE_COUNT; i++) {
        const struct h1_case *row = &h1_cases[i];
        if (row->parser_only) {
            continue;
        }
        struct outcome outcome = exchange(row, cut);
        if (!as_expected(row, &outcome)) {
            print_error("%s (%s): %d requests and rule %s, but", row->name, row->section,
                        row->requests, h1_rule_name(row->rule));
            for (int k = 0; k < outcome.count; k++) {
                print_error(" %d", outcome.statuses[k]);
            }
            print_error(" %s%s\n", outcome.reset ? "reset" : "",
                        outcome.trouble == NULL ? "" : outcome.trouble);
            failed++;
        }
    }
    return failed;
}

static void http1_rows_whole_answered_as_expected(void **state)
{
    (void)state; /* cmocka's signature */
    assert_int_equal(run_rows(CUT_NOT), 0);
}

static void http1_rows_cut_answered_as_expected(void **state)
{
    (void)state; /* cmocka's signature */
    assert_int_equal(run_rows(CUT_EVERYWHERE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http1_rows_whole_answered_as_expected),
        cmocka_unit_test(http1_rows_cut_answered_as_expected),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
