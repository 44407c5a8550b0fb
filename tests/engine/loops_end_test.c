/* The end of a loop while others go on: what waits there, what it has elsewhere, what others have
 * on it; intake that stops; bytes that are lent. Also for ThreadSanitizer. ctest-timeout: 180 */
#include "engine/two_loops.h"

/* -------- the end of a loop -------- */

static void loops_close_ends_what_waits_there(void **state)
{
    (void)state;
    static struct two two;
    static struct received received[5];
    struct op ops[5];
    two_open(&two);
    for (int i = 0; i < 5; i++) {
        worker_receive(&two.far, two.server.queue, 0, &received[i], &ops[i]);
    }
    worker_stop(&two.far);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(atomic_load(&ops[i].completions), 1);
        assert_int_equal(ops[i].status, ERROR_OPERATION_ABORTED);
    }
    worker_receive(&two.near, two.server.queue, 0, &two.received, &two.op);
    assert_true(client_send(&two.client, plain_get)); /* the other one lives on */
    assert_int_equal(op_wait(&two.op), NO_ERROR);
    HTTP_REQUEST_ID id = two.received.request.RequestId;
    assert_int_equal(worker_answer(&two.near, two.server.queue, id, "x"), NO_ERROR);
    client_expect(&two.client, 200, "x");
    worker_start(&two.far, two.server.queue);
    two_close(&two);
}

/* A body read, a wait for disconnect and a send against a client that does not read, on another
 * loop's connections: all come home, whatever the client does. */
static void loops_close_calls_back_what_is_on_other_loops(void **state)
{
    (void)state;
    static struct two two;
    static struct client reading;
    static char large[8 << 20];
    static struct received received;
    char buffer[16];
    struct op read_op, wait_op, send_op, receive_op;
    two_open(&two);
    HTTP_REQUEST_ID id = receive_far(&two, "POST / HTTP/1.1\r\nHost: localhost\r\n"
                                           "Content-Length: 10\r\n\r\n");
    struct body_job read = {two.server.queue, id, buffer, sizeof buffer, 0, 0, {0}, &read_op};
    worker_run(&two.far, job_read, &read);
    struct id_job wait = {two.server.queue, two.received.request.ConnectionId, 0, &wait_op};
    worker_run(&two.far, job_wait_disconnect, &wait);
    client_open_at(&reading, two.server.port, &two.near);
    worker_receive(&two.far, two.server.queue, 0, &received, &receive_op);
    assert_true(client_send(&reading, plain_get));
    assert_int_equal(op_wait(&receive_op), NO_ERROR);
    struct answer answer;
    make_answer(&answer, 200, "");
    answer.chunk.FromMemory.pBuffer = large;
    answer.chunk.FromMemory.BufferLength = sizeof large;
    struct answer_job send = {two.server.queue, received.request.RequestId, &answer, &send_op, 0,
                              NO_ERROR};
    worker_run(&two.far, job_answer, &send);
    worker_stop(&two.far);
    assert_int_equal(atomic_load(&read_op.completions), 1);
    assert_int_equal(read_op.status, ERROR_OPERATION_ABORTED);
    assert_int_equal(atomic_load(&wait_op.completions), 1);
    assert_int_equal(wait_op.status, ERROR_OPERATION_ABORTED);
    assert_int_equal(atomic_load(&send_op.completions), 1);
    assert_int_equal(send_op.status, ERROR_OPERATION_ABORTED);
    /* The first request is still with the application. */
    assert_int_equal(worker_answer(&two.near, two.server.queue, id, "still"), NO_ERROR);
    client_expect(&two.client, 200, "still");
    struct reply cut;
    client_read(&reading, &cut);
    assert_int_equal(cut.status, 0); /* what was sent in part ends in a reset */
    client_close(&reading);
    worker_start(&two.far, two.server.queue);
    two_close(&two);
}

static void loops_a_request_outlives_the_loop_that_received_it(void **state)
{
    (void)state;
    static struct two two;
    two_open(&two);
    HTTP_REQUEST_ID id = receive_far(&two, plain_get);
    worker_stop(&two.far);
    assert_int_equal(answer_text(two.server.queue, id, "plain"), NO_ERROR);
    client_expect(&two.client, 200, "plain");
    worker_start(&two.far, two.server.queue);
    two_close(&two);
}

static void loops_a_request_dies_with_the_loop_of_its_connection(void **state)
{
    (void)state;
    static struct two two;
    char buffer[16];
    struct op op;
    two_open(&two);
    HTTP_REQUEST_ID id = receive_far(&two, "POST / HTTP/1.1\r\nHost: localhost\r\n"
                                           "Content-Length: 10\r\n\r\n");
    struct body_job read = {two.server.queue, id, buffer, sizeof buffer, 0, 0, {0}, &op};
    worker_run(&two.far, job_read, &read);
    worker_stop(&two.near);
    assert_int_equal(op_wait(&op), ERROR_CONNECTION_INVALID);
    client_expect_end(&two.client);
    assert_int_equal(worker_answer(&two.far, two.server.queue, id, "x"), ERROR_CONNECTION_INVALID);
    worker_start(&two.near, two.server.queue);
    assert_int_equal(worker_answer(&two.far, two.server.queue, id, "x"), ERROR_CONNECTION_INVALID);
    two_close(&two);
}

/* A thread that waits synchronously is served by whichever loop is left. */
static void loops_a_waiting_thread_moves_on_when_a_loop_closes(void **state)
{
    (void)state;
    static struct two two;
    struct sync_thread thread = {0};
    two_open(&two);
    thread.queue = two.server.queue;
    assert_int_equal(pthread_create(&thread.thread, NULL, serve_synchronously, &thread), 0);
    for (int i = 0; i < 10; i++) {
        struct worker *worker = i % 2 == 0 ? &two.near : &two.far;
        client_close(&two.client);
        worker_stop(worker);
        client_open(&two.client, two.server.port);
        assert_true(client_get(&two.client, "/"));
        client_expect(&two.client, 200, "sync");
        client_close(&two.client);
        worker_start(worker, two.server.queue);
    }
    /* No loop at all for a while: it waits for the next one. */
    worker_stop(&two.near);
    worker_stop(&two.far);
    worker_start(&two.near, two.server.queue);
    worker_start(&two.far, two.server.queue);
    client_open(&two.client, two.server.port);
    assert_true(client_get(&two.client, "/"));
    client_expect(&two.client, 200, "sync");
    assert_int_equal(HttpShutdownRequestQueue(two.server.queue), NO_ERROR);
    assert_int_equal(pthread_join(thread.thread, NULL), 0);
    two_close(&two);
}

/* Nothing may be added to a loop that is closing: not from its own completions either. */
struct stubborn {
    struct loop_op op; /* first */
    HANDLE queue;
    struct received received;
    ULONG last;
    unsigned rounds;
};

static void insist(struct loop_op *op, ULONG status, ULONG bytes)
{
    struct stubborn *self = (struct stubborn *)op;
    (void)bytes;
    MUST(status == ERROR_OPERATION_ABORTED);
    self->rounds++;
    memset(&self->op.overlapped, 0, sizeof self->op.overlapped);
    self->last = receive(self->queue, &self->received, 0, &self->op.overlapped);
}

static void job_insist(struct worker *worker, void *context)
{
    struct stubborn *self = context;
    (void)worker;
    self->last = receive(self->queue, &self->received, 0, &self->op.overlapped);
}

static void loops_a_closing_loop_takes_no_new_calls(void **state)
{
    (void)state;
    static struct two two;
    static struct stubborn self;
    two_open(&two);
    for (int alone = 0; alone < 2; alone++) {
        if (alone == 1) {
            worker_stop(&two.near); /* now no other loop is left */
        }
        memset(&self, 0, sizeof self);
        self.op.on_complete = insist;
        self.queue = two.server.queue;
        worker_run(&two.far, job_insist, &self);
        assert_int_equal(self.last, ERROR_IO_PENDING);
        worker_stop(&two.far);
        assert_int_equal(self.rounds, 1);
        assert_int_equal(self.last, ERROR_OPERATION_ABORTED);
        worker_start(&two.far, two.server.queue);
    }
    worker_start(&two.near, two.server.queue);
    two_close(&two);
}

static void loops_shutdown_ends_a_receive_that_no_loop_has_seen(void **state)
{
    (void)state;
    static struct server server;
    static struct received received;
    server_open(&server);
    OVERLAPPED overlapped = {.hEvent = CreateEvent(NULL, TRUE, FALSE, NULL)};
    assert_int_equal(receive(server.queue, &received, 0, &overlapped), ERROR_IO_PENDING);
    assert_int_equal(HttpShutdownRequestQueue(server.queue), NO_ERROR);
    assert_int_equal(WaitForSingleObject(overlapped.hEvent, RIG_WAIT_MS), WAIT_OBJECT_0);
    DWORD bytes = 0;
    assert_false(GetOverlappedResult(server.queue, &overlapped, &bytes, FALSE));
    assert_int_equal(GetLastError(), ERROR_OPERATION_ABORTED);
    assert_true(CloseHandle(overlapped.hEvent));
    server_close(&server);
}

/* -------- intake stops -------- */

static void job_stop_listening(struct worker *worker, void *context)
{
    (void)context;
    loop_stop_listening(worker->loop);
}

static void job_peer_count(struct worker *worker, void *context)
{
    (void)worker;
    *(bool *)context = list_is_empty(&shard_current()->listeners);
}

static void loops_stop_listening_takes_the_backlog_first(void **state)
{
    (void)state;
    static struct two two;
    static struct client clients[10];
    struct sync_thread thread = {0};
    two_open(&two);
    client_close(&two.client);
    worker_stop(&two.far); /* one listener, so that all connections are in its backlog */
    thread.queue = two.server.queue;
    assert_int_equal(pthread_create(&thread.thread, NULL, serve_synchronously, &thread), 0);
    struct gate gate;
    gate_shut(&gate, &two.near, job_stop_listening);
    for (int i = 0; i < 10; i++) {
        client_open(&clients[i], two.server.port);
        assert_true(i % 2 == 0 || client_get(&clients[i], "/early"));
    }
    gate_open(&gate); /* before it looks at its sockets again, intake stops */
    for (int i = 0; i < 10; i++) {
        struct reply reply;
        assert_true(i % 2 == 1 || client_get(&clients[i], "/fresh")); /* there is a second for it */
        client_read(&clients[i], &reply);
        assert_int_equal(reply.status, 200);
        assert_true(reply.close);
        client_expect_end(&clients[i]);
        client_close(&clients[i]);
    }
    assert_false(client_try_open(&two.client, two.server.port));
    assert_int_equal(HttpShutdownRequestQueue(two.server.queue), NO_ERROR);
    assert_int_equal(pthread_join(thread.thread, NULL), 0);
    worker_start(&two.far, two.server.queue);
    two_close(&two);
}

/* What was sent to an idle connection before intake stopped is answered. */
static void loops_stop_listening_serves_what_is_in_the_sockets(void **state)
{
    (void)state;
    static struct two two;
    static struct client idle;
    struct sync_thread thread = {0};
    two_open(&two);
    worker_stop(&two.far);
    thread.queue = two.server.queue;
    assert_int_equal(pthread_create(&thread.thread, NULL, serve_synchronously, &thread), 0);
    client_open(&idle, two.server.port);
    struct client *both[2] = {&two.client, &idle};
    for (int i = 0; i < 2; i++) {
        assert_true(client_get(both[i], "/"));
        client_expect(both[i], 200, "sync");
    }
    struct gate gate;
    gate_shut(&gate, &two.near, job_stop_listening);
    assert_true(client_get(&two.client, "/just-in-time"));
    gate_open(&gate); /* before it looks at its sockets again, intake stops */
    struct reply reply;
    client_read(&two.client, &reply);
    assert_int_equal(reply.status, 200);
    assert_true(reply.close);
    client_expect_end(&two.client);
    client_expect_end(&idle); /* at once */
    client_close(&idle);
    assert_int_equal(HttpShutdownRequestQueue(two.server.queue), NO_ERROR);
    assert_int_equal(pthread_join(thread.thread, NULL), 0);
    worker_start(&two.far, two.server.queue);
    two_close(&two);
}

static void loops_stop_listening_gives_a_fresh_connection_a_second(void **state)
{
    (void)state;
    static struct two two;
    two_open(&two);
    uint64_t start = rig_now_ms();
    worker_run(&two.near, job_stop_listening, NULL);
    bool none = false;
    worker_run(&two.near, job_peer_count, &none);
    assert_true(none);
    client_expect_end(&two.client);
    uint64_t took = rig_now_ms() - start;
    assert_true(took >= 900); /* timers never fire early; how late is the machine's affair */
    /* The other loop still listens. */
    static struct client later;
    client_open_at(&later, two.server.port, &two.far);
    client_close(&later);
    two_close(&two);
}

/* -------- what is lent outlives the client -------- */

static void loops_borrowed_bytes_live_until_the_request_is_cancelled(void **state)
{
    (void)state;
    static struct two two;
    static struct client again;
    struct op op, wait_op;
    two_open(&two);
    worker_receive(&two.far, two.server.queue, HTTP_RECEIVE_REQUEST_FLAG_BORROW, &two.received,
                   &two.op);
    assert_true(client_send(&two.client, "GET /borrowed HTTP/1.1\r\nHost: localhost\r\n"
                                         "X-Long: abcdefghij\r\n\r\n"));
    assert_int_equal(op_wait(&two.op), NO_ERROR);
    const HTTP_REQUEST *request = &two.received.request;
    struct id_job wait = {two.server.queue, request->ConnectionId, 0, &wait_op};
    worker_run(&two.far, job_wait_disconnect, &wait);
    (void)worker_connections(&two.near);
    client_reset(&two.client);
    assert_int_equal(op_wait(&wait_op), NO_ERROR);
    assert_int_equal(worker_answer(&two.far, two.server.queue, request->RequestId, "x"),
                     ERROR_CONNECTION_INVALID);
    /* Others use the loop's buffers meanwhile. */
    for (int i = 0; i < 10; i++) {
        static struct received received;
        client_open_at(&again, two.server.port, &two.near);
        assert_true(client_get(&again, "/overwrites/what/was/given/back"));
        assert_int_equal(receive(two.server.queue, &received, 0, NULL), NO_ERROR);
        assert_int_equal(answer_text(two.server.queue, received.request.RequestId, "x"), NO_ERROR);
        client_expect(&again, 200, "x");
        client_close(&again);
    }
    assert_int_equal(request->RawUrlLength, 9);
    assert_memory_equal(request->pRawUrl, "/borrowed", 9);
    assert_int_equal(request->Headers.UnknownHeaderCount, 1);
    assert_memory_equal(request->Headers.pUnknownHeaders[0].pRawValue, "abcdefghij", 10);
    struct id_job cancel = {two.server.queue, request->RequestId, 0, &op};
    worker_run(&two.far, job_cancel_request, &cancel);
    assert_int_equal(op_wait(&op), NO_ERROR);
    worker_run(&two.far, job_cancel_request, &cancel);
    assert_int_equal(op_wait(&op), ERROR_CONNECTION_INVALID);
    two_close(&two);
}

static void loops_a_cancelled_request_gives_its_bytes_back(void **state)
{
    (void)state;
    static struct two two;
    struct op op;
    two_open(&two);
    worker_receive(&two.near, two.server.queue, HTTP_RECEIVE_REQUEST_FLAG_BORROW, &two.received,
                   &two.op);
    assert_true(client_send(&two.client, plain_get));
    assert_int_equal(op_wait(&two.op), NO_ERROR);
    struct id_job cancel = {two.server.queue, two.received.request.RequestId, 0, &op};
    worker_run(&two.near, job_cancel_request, &cancel);
    assert_int_equal(op_wait(&op), NO_ERROR);
    worker_run(&two.near, job_cancel_request, &cancel);
    assert_int_equal(cancel.status, ERROR_CONNECTION_INVALID);
    client_expect_end(&two.client);
    two_close(&two);
}

/* A broken body is refused with 400 by the engine; the application still reads the head. */
static void loops_borrowed_bytes_outlive_a_refused_body(void **state)
{
    (void)state;
    static struct two two;
    static struct client again;
    char buffer[16];
    struct op op;
    two_open(&two);
    worker_receive(&two.near, two.server.queue, HTTP_RECEIVE_REQUEST_FLAG_BORROW, &two.received,
                   &two.op);
    assert_true(client_send(&two.client, "POST /refused HTTP/1.1\r\nHost: localhost\r\n"
                                         "Transfer-Encoding: chunked\r\n\r\nzz\r\n"));
    assert_int_equal(op_wait(&two.op), NO_ERROR);
    const HTTP_REQUEST *request = &two.received.request;
    struct body_job read = {
        two.server.queue, request->RequestId, buffer, sizeof buffer, 0, 0, {0}, &op};
    worker_run(&two.near, job_read, &read);
    assert_true(read.status == ERROR_CONNECTION_INVALID ||
                (read.status == ERROR_IO_PENDING && op_wait(&op) == ERROR_CONNECTION_INVALID));
    client_expect(&two.client, 400, NULL);
    client_close(&two.client);
    client_open_at(&again, two.server.port, &two.near);
    assert_true(client_get(&again, "/overwrites/what/was/given/back"));
    (void)worker_connections(&two.near);
    assert_memory_equal(request->pRawUrl, "/refused", 8);
    struct id_job cancel = {two.server.queue, request->RequestId, 0, &op};
    worker_run(&two.near, job_cancel_request, &cancel);
    assert_int_equal(cancel.status, NO_ERROR);
    assert_int_equal(op_wait(&op), NO_ERROR);
    client_close(&again);
    two_close(&two);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_close_ends_what_waits_there),
        cmocka_unit_test(loops_close_calls_back_what_is_on_other_loops),
        cmocka_unit_test(loops_a_request_outlives_the_loop_that_received_it),
        cmocka_unit_test(loops_a_request_dies_with_the_loop_of_its_connection),
        cmocka_unit_test(loops_a_waiting_thread_moves_on_when_a_loop_closes),
        cmocka_unit_test(loops_a_closing_loop_takes_no_new_calls),
        cmocka_unit_test(loops_shutdown_ends_a_receive_that_no_loop_has_seen),
        cmocka_unit_test(loops_stop_listening_takes_the_backlog_first),
        cmocka_unit_test(loops_stop_listening_serves_what_is_in_the_sockets),
        cmocka_unit_test(loops_stop_listening_gives_a_fresh_connection_a_second),
        cmocka_unit_test(loops_borrowed_bytes_live_until_the_request_is_cancelled),
        cmocka_unit_test(loops_a_cancelled_request_gives_its_bytes_back),
        cmocka_unit_test(loops_borrowed_bytes_outlive_a_refused_body),
    };
    rig_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
