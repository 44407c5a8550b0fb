/* Every allocation of the engine fails once: nothing leaks, nothing crashes, nobody waits for ever,
 * and the next try works. ctest-timeout: 180 */
#include "engine/rig.h"

#include <dirent.h>

#include "support/failmalloc.h"

static int open_descriptors(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

/* -------- from initialise to terminate -------- */

static bool is_fine(ULONG status)
{
    assert_true(status == NO_ERROR || status == ERROR_NOT_ENOUGH_MEMORY);
    return status == NO_ERROR;
}

/* One life, as far as memory goes. with_loop: on this thread's loop, else by the engine's own
 * thread. Returns whether all of it was done. */
static bool live(bool with_loop, uint16_t port)
{
    struct server server = {.port = port};
    struct loop *loop = NULL;
    HTTP_STATE_INFO active = {.Flags.Present = 1, .State = HttpEnabledStateActive};
    if ((with_loop && !is_fine(loop_open(LOOP_BACKEND_DEFAULT, &loop))) ||
        !is_fine(HttpInitialize(rig_version, HTTP_INITIALIZE_SERVER, NULL))) {
        if (loop != NULL) {
            loop_close(loop);
        }
        return false;
    }
    bool done = is_fine(HttpCreateServerSession(rig_version, &server.session, 0)) &&
                is_fine(HttpCreateUrlGroup(server.session, &server.group, 0)) &&
                is_fine(HttpCreateRequestQueue(rig_version, NULL, NULL, 0, &server.queue)) &&
                is_fine(bind_group(server.group, server.queue)) &&
                is_fine(HttpSetServerSessionProperty(server.session, HttpServerStateProperty,
                                                     &active, sizeof active)) &&
                (!with_loop || is_fine(loop_attach_queue(loop, server.queue))) &&
                is_fine(try_add(&server, server.group, "/", 0)) &&
                is_fine(try_add(&server, server.group, "/a/", 0)) &&
                server_remove(&server, "/") == NO_ERROR;
    HTTP_URL_GROUP_ID second = 0;
    char url[64];
    (void)snprintf(url, sizeof url, "http://localhost:%u/a/", (unsigned)port);
    done = done && is_fine(HttpCreateUrlGroup(server.session, &second, 0)) &&
           is_fine(HttpAddUrlToUrlGroup(second, url, 0, HTTP_URL_FLAG_MOVE));
    for (char tail[] = "/b/"; done && tail[1] <= 'z'; tail[1]++) { /* the tables grow */
        done = is_fine(try_add(&server, server.group, tail, 0));
    }
    assert_int_equal(HttpTerminate(HTTP_INITIALIZE_SERVER, NULL), NO_ERROR);
    if (loop != NULL) {
        assert_int_equal(loop_run_once(loop, 0), NO_ERROR);
        loop_close(loop);
    }
    return done;
}

static void live_without_memory(bool with_loop)
{
    uint16_t port = 0;
    int before = open_descriptors();
    assert_int_equal(loop_find_free_port(&port), NO_ERROR);
    for (size_t nth = 1;; nth++) {
        failmalloc_arm(nth);
        bool done = live(with_loop, port);
        if (!failmalloc_disarm()) {
            assert_true(done);
            assert_true(nth > 10);
            print_message("%zu allocations\n", nth - 1);
            break;
        }
        assert_false(done);
        assert_int_equal(open_descriptors(), before);
        assert_true(live(with_loop, port)); /* nothing is left of it, the port neither */
    }
    assert_int_equal(open_descriptors(), before);
}

static void oom_a_life_with_a_loop(void **state)
{
    (void)state;
    live_without_memory(true);
}

static void oom_a_life_with_the_engines_own_thread(void **state)
{
    (void)state;
    live_without_memory(false);
}

/* -------- a request on one thread -------- */

/* A server on this thread's loop and a client. */
struct alone {
    struct server server;
    struct loop *loop;
    struct client client;
    struct received received;
    struct answer answer;
    struct op receive, send;
};

static void alone_open(struct alone *alone)
{
    memset(alone, 0, offsetof(struct alone, client));
    server_open(&alone->server);
    MUST(loop_open(LOOP_BACKEND_DEFAULT, &alone->loop) == NO_ERROR);
    MUST(loop_attach_queue(alone->loop, alone->server.queue) == NO_ERROR);
    server_add(&alone->server, "/", 0);
}

static void alone_close(struct alone *alone)
{
    client_close(&alone->client);
    loop_close(alone->loop);
    server_close(&alone->server);
}

static void turn(struct alone *alone)
{
    MUST(loop_run_once(alone->loop, 1000000) == NO_ERROR);
}

/* Whether there is something to read for the client, an answer or the end. */
static bool client_has_news(struct alone *alone)
{
    struct pollfd in = {.fd = alone->client.fd, .events = POLLIN};
    return poll(&in, 1, 0) == 1;
}

static bool is_started(ULONG status)
{
    assert_true(status == NO_ERROR || status == ERROR_IO_PENDING ||
                status == ERROR_NOT_ENOUGH_MEMORY);
    return status != ERROR_NOT_ENOUGH_MEMORY;
}

/* Receives until memory allows it. false: the client was told something else meanwhile. */
static bool receive_alone(struct alone *alone, bool *pending)
{
    while (!*pending) {
        *pending =
            is_started(receive(alone->server.queue, &alone->received, 0, fresh(&alone->receive)));
    }
    while (atomic_load(&alone->receive.completions) == 0) {
        if (client_has_news(alone)) {
            return false;
        }
        turn(alone);
    }
    MUST(alone->receive.status == NO_ERROR);
    *pending = false;
    return true;
}

/* One request. request_first: it waits for the receive, else the receive for it. Returns the
 * status that the client sees, 0: the connection has ended. */
static unsigned ask_alone(struct alone *alone, bool request_first, const char *request)
{
    bool pending = false;
    struct reply reply = {0};
    client_open(&alone->client, alone->server.port);
    if (!request_first) {
        pending =
            is_started(receive(alone->server.queue, &alone->received, 0, fresh(&alone->receive)));
    }
    MUST(client_send(&alone->client, request));
    for (int i = 0; request_first && i < 3; i++) {
        turn(alone);
    }
    if (receive_alone(alone, &pending)) {
        HTTP_REQUEST_ID id = alone->received.request.RequestId;
        make_answer(&alone->answer, 200, "remembered");
        ULONG status = ERROR_NOT_ENOUGH_MEMORY;
        while (status == ERROR_NOT_ENOUGH_MEMORY) { /* the request can still be answered */
            status = send_answer(alone->server.queue, id, &alone->answer, 0, fresh(&alone->send));
        }
        MUST(status == NO_ERROR || status == ERROR_IO_PENDING ||
             status == ERROR_CONNECTION_INVALID);
        while (!client_has_news(alone)) {
            turn(alone);
        }
    }
    client_read(&alone->client, &reply);
    MUST(reply.status != 200 || strcmp(reply.body, "remembered") == 0);
    if (pending) { /* it lives on: for the next request */
        MUST(CancelIoEx(alone->server.queue, &alone->receive.op.overlapped));
        while (atomic_load(&alone->receive.completions) == 0) {
            turn(alone);
        }
    }
    client_close(&alone->client);
    for (int i = 0; i < 3; i++) {
        turn(alone);
    }
    return reply.status;
}

static void ask_without_memory(bool request_first, const char *request)
{
    static struct alone alone;
    unsigned seen[6] = {0};
    for (size_t nth = 1;; nth++) {
        alone_open(&alone); /* anew, so that nothing is kept from before */
        failmalloc_arm(nth);
        unsigned status = ask_alone(&alone, request_first, request);
        bool failed = failmalloc_disarm();
        assert_true(status == 200 || (failed && (status == 0 || status == 503)));
        seen[status / 100]++;
        assert_int_equal(ask_alone(&alone, request_first, request), 200); /* nothing is broken */
        assert_int_equal(loop_connection_count(alone.loop), 0);
        alone_close(&alone);
        if (!failed) {
            assert_true(nth > 5);
            break;
        }
    }
    print_message("answered %u, refused %u, ended %u\n", seen[2], seen[5], seen[0]);
}

static const char get_request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const char post_request[] = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"
                                   "hello";

static void oom_a_request_that_finds_a_receive(void **state)
{
    (void)state;
    ask_without_memory(false, get_request);
}

static void oom_a_request_that_waits(void **state)
{
    (void)state;
    ask_without_memory(true, get_request);
}

static void oom_a_request_with_an_unread_body(void **state)
{
    (void)state;
    ask_without_memory(true, post_request);
}

/* What the engine answers itself. */
static void oom_a_refusal(void **state)
{
    (void)state;
    static struct alone alone;
    for (size_t nth = 1;; nth++) {
        struct reply reply;
        alone_open(&alone);
        failmalloc_arm(nth);
        client_open(&alone.client, alone.server.port);
        MUST(client_send(&alone.client, "BAD\r\n\r\n"));
        while (!client_has_news(&alone)) {
            turn(&alone);
        }
        client_read(&alone.client, &reply);
        bool failed = failmalloc_disarm();
        assert_true(reply.status == 400 || (failed && reply.status == 0));
        alone_close(&alone);
        if (!failed) {
            assert_int_equal(reply.status, 400);
            break;
        }
    }
}

/* Once a connection has been served, the next requests need no memory at all. */
static void oom_a_warm_loop_allocates_nothing(void **state)
{
    (void)state;
    static struct alone alone;
    alone_open(&alone);
    assert_int_equal(ask_alone(&alone, false, get_request), 200);
    assert_int_equal(ask_alone(&alone, true, post_request), 200);
    client_open(&alone.client, alone.server.port);
    while (loop_connection_count(alone.loop) == 0) {
        turn(&alone);
    }
    failmalloc_arm(1);
    for (int i = 0; i < 10; i++) {
        bool pending = false;
        MUST(client_send(&alone.client, get_request));
        MUST(receive_alone(&alone, &pending));
        make_answer(&alone.answer, 200, "warm");
        MUST(send_answer(alone.server.queue, alone.received.request.RequestId, &alone.answer, 0,
                         fresh(&alone.send)) == NO_ERROR);
        turn(&alone);
        client_expect(&alone.client, 200, "warm");
    }
    size_t asked = failmalloc_count();
    bool failed = failmalloc_disarm();
    assert_int_equal(asked, 0);
    assert_false(failed);
    alone_close(&alone);
}

/* -------- two loops, and a thread without one -------- */

struct two {
    struct server server;
    struct worker near, far;
    struct client client;
    struct received received;
    struct op op;
};

static void two_open(struct two *two)
{
    memset(two, 0, offsetof(struct two, client));
    server_open(&two->server);
    worker_start(&two->near, two->server.queue);
    worker_start(&two->far, two->server.queue);
    server_add(&two->server, "/", 0);
}

static void two_close(struct two *two)
{
    client_close(&two->client);
    worker_stop(&two->far);
    worker_stop(&two->near);
    server_close(&two->server);
}

/* Receives at the far loop, asks at the near one, answers from afar, as far as memory goes. */
static unsigned ask_two(struct two *two)
{
    struct receive_job receive = {two->server.queue, &two->received, &two->op, 0, NO_ERROR};
    struct reply reply = {0};
    MUST(client_get(&two->client, "/"));
    do {
        worker_run(&two->far, job_receive, &receive);
    } while (!is_started(receive.status));
    struct pollfd in = {.fd = two->client.fd, .events = POLLIN};
    while (atomic_load(&two->op.completions) == 0 && poll(&in, 1, 1) == 0) {
    }
    if (atomic_load(&two->op.completions) > 0) {
        MUST(two->op.status == NO_ERROR);
        ULONG status = NO_ERROR;
        do {
            status =
                worker_answer(&two->far, two->server.queue, two->received.request.RequestId, "far");
        } while (status == ERROR_NOT_ENOUGH_MEMORY);
        MUST(status == NO_ERROR || status == ERROR_CONNECTION_INVALID);
    } else {
        /* It is cancelled, or it has just been given a request that is gone. */
        (void)CancelIoEx(two->server.queue, &two->op.op.overlapped);
        (void)op_wait(&two->op);
    }
    client_read(&two->client, &reply);
    client_close(&two->client);
    return reply.status;
}

static void oom_a_request_between_two_loops(void **state)
{
    (void)state;
    static struct two two;
    for (size_t nth = 1;; nth++) {
        two_open(&two);
        client_open_at(&two.client, two.server.port, &two.near);
        failmalloc_arm(nth);
        unsigned status = ask_two(&two);
        bool failed = failmalloc_disarm();
        assert_true(status == 200 || (failed && (status == 0 || status == 503)));
        client_open_at(&two.client, two.server.port, &two.near);
        assert_int_equal(ask_two(&two), 200);
        two_close(&two);
        if (!failed) {
            assert_true(nth > 3);
            break;
        }
    }
}

/* The call may end on the worker's thread meanwhile. */
static bool is_pending(const OVERLAPPED *overlapped)
{
    return __atomic_load_n(&overlapped->Internal, __ATOMIC_ACQUIRE) == ERROR_IO_PENDING;
}

/* Synchronous and event calls of this thread on requests of a worker. */
static unsigned ask_plainly(struct two *two, OVERLAPPED *overlapped)
{
    struct reply reply = {0};
    ULONG status = ERROR_NOT_ENOUGH_MEMORY;
    MUST(client_get(&two->client, "/"));
    struct pollfd in = {.fd = two->client.fd, .events = POLLIN};
    while (status == ERROR_NOT_ENOUGH_MEMORY) {
        status = receive(two->server.queue, &two->received, 0, overlapped);
    }
    MUST(status == NO_ERROR || status == ERROR_IO_PENDING);
    while (is_pending(overlapped) && poll(&in, 1, 1) == 0) {
        DWORD bytes = 0;
        (void)GetOverlappedResult(two->server.queue, overlapped, &bytes, FALSE);
    }
    DWORD bytes = 0;
    if (GetOverlappedResult(two->server.queue, overlapped, &bytes, FALSE)) {
        do {
            status = answer_text(two->server.queue, two->received.request.RequestId, "plain");
        } while (status == ERROR_NOT_ENOUGH_MEMORY);
        MUST(status == NO_ERROR || status == ERROR_CONNECTION_INVALID);
    } else {
        (void)CancelIoEx(two->server.queue, NULL);
        (void)GetOverlappedResult(two->server.queue, overlapped, &bytes, TRUE);
    }
    client_read(&two->client, &reply);
    client_close(&two->client);
    return reply.status;
}

static void oom_calls_of_a_thread_without_a_loop(void **state)
{
    (void)state;
    static struct two two;
    for (size_t nth = 1;; nth++) {
        OVERLAPPED overlapped = {.hEvent = CreateEvent(NULL, TRUE, FALSE, NULL)};
        two_open(&two);
        client_open_at(&two.client, two.server.port, &two.near);
        failmalloc_arm(nth);
        unsigned status = ask_plainly(&two, &overlapped);
        bool failed = failmalloc_disarm();
        assert_true(status == 200 || (failed && (status == 0 || status == 503)));
        client_open_at(&two.client, two.server.port, &two.near);
        assert_int_equal(ask_plainly(&two, &overlapped), 200);
        two_close(&two);
        assert_true(CloseHandle(overlapped.hEvent));
        if (!failed) {
            assert_true(nth > 3);
            break;
        }
    }
}

/* A loop joins while memory is short: it gets all listeners or none. */
static void job_attach_checked(struct worker *worker, void *context)
{
    struct receive_job *job = context;
    job->status = loop_attach_queue(worker->loop, job->queue);
}

static void oom_a_loop_that_joins(void **state)
{
    (void)state;
    static struct two two;
    static struct worker third;
    for (size_t nth = 1;; nth++) {
        struct receive_job job = {.queue = NULL};
        two_open(&two);
        job.queue = two.server.queue;
        worker_start(&third, NULL);
        failmalloc_arm(nth);
        worker_run(&third, job_attach_checked, &job);
        bool failed = failmalloc_disarm();
        assert_true(job.status == NO_ERROR || (failed && job.status == ERROR_NOT_ENOUGH_MEMORY));
        if (job.status != NO_ERROR) {
            worker_run(&third, job_attach_checked, &job);
            assert_int_equal(job.status, NO_ERROR);
        }
        client_open_at(&two.client, two.server.port, &third);
        assert_int_equal(ask_two(&two), 200);
        worker_stop(&third);
        two_close(&two);
        if (!failed) {
            assert_true(nth > 1);
            break;
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oom_a_life_with_a_loop),
        cmocka_unit_test(oom_a_life_with_the_engines_own_thread),
        cmocka_unit_test(oom_a_request_that_finds_a_receive),
        cmocka_unit_test(oom_a_request_that_waits),
        cmocka_unit_test(oom_a_request_with_an_unread_body),
        cmocka_unit_test(oom_a_refusal),
        cmocka_unit_test(oom_a_warm_loop_allocates_nothing),
        cmocka_unit_test(oom_a_request_between_two_loops),
        cmocka_unit_test(oom_calls_of_a_thread_without_a_loop),
        cmocka_unit_test(oom_a_loop_that_joins),
    };
    rig_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
