/* Several threads with a loop each behind one queue, and threads without: requests travel by
 * lending receives, answers travel back, and everything may be closed while the others serve.
 * Also for ThreadSanitizer. ctest-timeout: 240 */
#include "engine/two_loops.h"

static void loops_a_request_travels_to_the_loop_that_receives(void **state)
{
    (void)state;
    static struct two two;
    two_open(&two);
    for (int i = 0; i < 20; i++) {
        HTTP_REQUEST_ID id = receive_far(&two, plain_get);
        assert_int_equal(two.received.request.UrlContext, 7);
        assert_int_equal(two.op.bytes > sizeof(HTTP_REQUEST), true);
        assert_int_equal(worker_answer(&two.far, two.server.queue, id, "from afar"), NO_ERROR);
        client_expect(&two.client, 200, "from afar");
    }
    two_close(&two);
}

static void loops_a_request_that_waits_is_found_by_a_later_receive(void **state)
{
    (void)state;
    static struct two two;
    two_open(&two);
    for (int i = 0; i < 20; i++) {
        assert_true(client_send(&two.client, plain_get));
        (void)worker_connections(&two.near); /* it has been read and waits */
        worker_receive(&two.far, two.server.queue, 0, &two.received, &two.op);
        assert_int_equal(op_wait(&two.op), NO_ERROR);
        HTTP_REQUEST_ID id = two.received.request.RequestId;
        assert_int_equal(worker_answer(&two.near, two.server.queue, id, "near"), NO_ERROR);
        client_expect(&two.client, 200, "near");
    }
    two_close(&two);
}

/* Two loops want receives, the third makes one at a time: each request gets one. */
static void loops_every_needy_loop_gets_its_turn(void **state)
{
    (void)state;
    static struct two two;
    static struct worker third;
    static struct client other;
    two_open(&two);
    worker_start(&third, two.server.queue);
    client_open_at(&other, two.server.port, &third);
    for (int i = 0; i < 20; i++) {
        assert_true(client_get(&two.client, "/near"));
        (void)worker_connections(&two.near);
        assert_true(client_get(&other, "/third"));
        (void)worker_connections(&third);
        for (int k = 0; k < 2; k++) {
            worker_receive(&two.far, two.server.queue, 0, &two.received, &two.op);
            assert_int_equal(op_wait(&two.op), NO_ERROR);
            HTTP_REQUEST_ID id = two.received.request.RequestId;
            assert_int_equal(worker_answer(&two.far, two.server.queue, id, "turn"), NO_ERROR);
        }
        client_expect(&two.client, 200, "turn");
        client_expect(&other, 200, "turn");
    }
    client_close(&other);
    worker_stop(&third);
    two_close(&two);
}

/* One loop wants many receives, another one: whichever it is, it is not passed over. */
static void loops_a_needy_loop_does_not_starve(void **state)
{
    (void)state;
    static struct two two;
    static struct worker third;
    static struct client many[4], one;
    two_open(&two);
    worker_start(&third, two.server.queue);
    for (int round = 0; round < 2; round++) {
        struct worker *busy = round == 0 ? &two.near : &third;
        struct worker *modest = round == 0 ? &third : &two.near;
        for (int i = 0; i < 4; i++) {
            client_open_at(&many[i], two.server.port, busy);
            assert_true(client_get(&many[i], "/many"));
            (void)worker_connections(busy);
        }
        client_open_at(&one, two.server.port, modest);
        assert_true(client_get(&one, "/one"));
        (void)worker_connections(modest);
        int turn_of_one = 0;
        for (int i = 1; i <= 5; i++) {
            worker_receive(&two.far, two.server.queue, 0, &two.received, &two.op);
            assert_int_equal(op_wait(&two.op), NO_ERROR);
            const HTTP_REQUEST *request = &two.received.request;
            turn_of_one = request->RawUrlLength == 4 ? i : turn_of_one;
            assert_int_equal(worker_answer(&two.far, two.server.queue, request->RequestId, "x"),
                             NO_ERROR);
        }
        assert_in_range(turn_of_one, 1, 2);
        for (int i = 0; i < 4; i++) {
            client_expect(&many[i], 200, "x");
            client_close(&many[i]);
        }
        client_expect(&one, 200, "x");
        client_close(&one);
    }
    worker_stop(&third);
    two_close(&two);
}

/* Several requests wait when the other loop, that has receives, wakes up: it lends one for each. */
static void loops_receives_that_wait_are_lent_until_nothing_waits(void **state)
{
    (void)state;
    static struct two two;
    static struct client clients[3];
    static struct received received[3];
    struct op ops[3];
    struct gate gate;
    two_open(&two);
    for (int i = 0; i < 3; i++) {
        client_open_at(&clients[i], two.server.port, &two.near);
        worker_receive(&two.far, two.server.queue, 0, &received[i], &ops[i]);
    }
    gate_shut(&gate, &two.far, NULL);
    for (int i = 0; i < 3; i++) {
        assert_true(client_get(&clients[i], "/"));
        (void)worker_connections(&two.near);
    }
    gate_open(&gate);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(op_wait(&ops[i]), NO_ERROR);
        assert_int_equal(
            worker_answer(&two.far, two.server.queue, received[i].request.RequestId, "lent"),
            NO_ERROR);
    }
    for (int i = 0; i < 3; i++) {
        client_expect(&clients[i], 200, "lent");
        client_close(&clients[i]);
    }
    two_close(&two);
}

static void loops_a_body_is_read_from_another_loop(void **state)
{
    (void)state;
    static struct two two;
    char buffer[64], body[64];
    size_t length = 0;
    struct op op;
    two_open(&two);
    HTTP_REQUEST_ID id = receive_far(&two, "POST / HTTP/1.1\r\nHost: localhost\r\n"
                                           "Content-Length: 10\r\n\r\n");
    struct body_job job = {two.server.queue, id, buffer, sizeof buffer, 0, 0, {0}, &op};
    for (;;) {
        worker_run(&two.far, job_read, &job);
        assert_int_equal(job.status, ERROR_IO_PENDING); /* it always travels */
        assert_true(length > 5 || client_send(&two.client, length == 0 ? "01234" : "56789"));
        if (op_wait(&op) == ERROR_HANDLE_EOF) {
            break;
        }
        assert_int_equal(op.status, NO_ERROR);
        memcpy(body + length, buffer, op.bytes);
        length += op.bytes;
    }
    assert_int_equal(length, 10);
    assert_memory_equal(body, "0123456789", 10);
    assert_int_equal(worker_answer(&two.far, two.server.queue, id, "read"), NO_ERROR);
    client_expect(&two.client, 200, "read");
    two_close(&two);
}

/* Reads one answer on a thread of its own. */
struct reader {
    pthread_t thread;
    struct client *client;
    struct reply reply;
};

static void *read_reply(void *argument)
{
    struct reader *reader = argument;
    client_read(reader->client, &reader->reply);
    return NULL;
}

static void loops_an_answer_is_streamed_from_another_loop(void **state)
{
    (void)state;
    static struct two two;
    enum { PIECE = 100000, PIECES = 40 };
    static char piece[PIECE];
    struct answer head;
    struct op op;
    memset(piece, 'p', sizeof piece);
    two_open(&two);
    HTTP_REQUEST_ID id = receive_far(&two, plain_get);
    make_answer(&head, 200, "")->EntityChunkCount = 0;
    struct answer_job begin = {two.server.queue, id, &head, &op, HTTP_SEND_RESPONSE_FLAG_MORE_DATA,
                               NO_ERROR};
    worker_run(&two.far, job_answer, &begin);
    assert_int_equal(op_wait(&op), NO_ERROR);
    struct reader reader = {.client = &two.client};
    assert_int_equal(pthread_create(&reader.thread, NULL, read_reply, &reader), 0);
    struct body_job job = {two.server.queue, id, piece, PIECE, 0, 0, {0}, &op};
    for (int i = 0; i <= PIECES; i++) {
        job.flags = i < PIECES ? HTTP_SEND_RESPONSE_FLAG_MORE_DATA : 0;
        job.size = i < PIECES ? PIECE : 0;
        worker_run(&two.far, job_send_body, &job);
        assert_int_equal(job.status, ERROR_IO_PENDING);
        assert_int_equal(op_wait(&op), NO_ERROR);
    }
    assert_int_equal(pthread_join(reader.thread, NULL), 0);
    assert_int_equal(reader.reply.status, 200);
    assert_int_equal(reader.reply.body_length, (size_t)PIECE * PIECES);
    two_close(&two);
}

static void loops_a_request_is_cancelled_from_another_loop(void **state)
{
    (void)state;
    static struct two two;
    char buffer[16];
    struct op read_op, wait_op, cancel_op;
    two_open(&two);
    HTTP_REQUEST_ID id = receive_far(&two, "POST / HTTP/1.1\r\nHost: localhost\r\n"
                                           "Content-Length: 10\r\n\r\n");
    struct body_job read = {two.server.queue, id, buffer, sizeof buffer, 0, 0, {0}, &read_op};
    worker_run(&two.far, job_read, &read);
    struct id_job wait = {two.server.queue, two.received.request.ConnectionId, 0, &wait_op};
    worker_run(&two.far, job_wait_disconnect, &wait);
    struct id_job cancel = {two.server.queue, id, 0, &cancel_op};
    worker_run(&two.far, job_cancel_request, &cancel);
    assert_int_equal(cancel.status, ERROR_IO_PENDING);
    assert_int_equal(op_wait(&cancel_op), NO_ERROR);
    assert_int_equal(op_wait(&read_op), ERROR_OPERATION_ABORTED);
    assert_int_equal(op_wait(&wait_op), NO_ERROR);
    client_expect_end(&two.client);
    assert_int_equal(worker_answer(&two.far, two.server.queue, id, "late"),
                     ERROR_CONNECTION_INVALID);
    two_close(&two);
}

static void loops_a_reset_is_told_to_another_loop(void **state)
{
    (void)state;
    static struct two two;
    struct op op;
    two_open(&two);
    HTTP_REQUEST_ID id = receive_far(&two, plain_get);
    struct id_job wait = {two.server.queue, two.received.request.ConnectionId, 0, &op};
    worker_run(&two.far, job_wait_disconnect, &wait);
    (void)worker_connections(&two.near); /* the wait is there */
    client_reset(&two.client);
    assert_int_equal(op_wait(&op), NO_ERROR);
    assert_int_equal(worker_answer(&two.far, two.server.queue, id, "late"),
                     ERROR_CONNECTION_INVALID);
    two_close(&two);
}

/* -------- cancelling -------- */

struct cancel_job {
    HANDLE queue;
    OVERLAPPED *overlapped;
    BOOL found;
};

static void job_cancel_io(struct worker *worker, void *context)
{
    struct cancel_job *job = context;
    (void)worker;
    job->found = CancelIoEx(job->queue, job->overlapped);
}

static void loops_cancel_knows_what_its_own_loop_waits_for(void **state)
{
    (void)state;
    static struct two two;
    two_open(&two);
    worker_receive(&two.far, two.server.queue, 0, &two.received, &two.op);
    struct cancel_job job = {two.server.queue, &two.op.op.overlapped, FALSE};
    worker_run(&two.far, job_cancel_io, &job);
    assert_true(job.found);
    assert_int_equal(op_wait(&two.op), ERROR_OPERATION_ABORTED);
    worker_run(&two.far, job_cancel_io, &job);
    assert_false(job.found);
    two_close(&two);
}

/* The receive has been lent to a loop that is busy, and is cancelled meanwhile; when that loop
 * looks at it, it has no use for it. */
static void loops_a_lent_receive_that_is_cancelled_ends_when_it_is_home(void **state)
{
    (void)state;
    static struct two two;
    struct gate gate;
    two_open(&two);
    for (int i = 0; i < 10; i++) {
        client_close(&two.client);
        client_open_at(&two.client, two.server.port, &two.near);
        assert_true(client_get(&two.client, "/gone"));
        (void)worker_connections(&two.near);
        gate_shut(&gate, &two.near, NULL);
        worker_receive(&two.far, two.server.queue, 0, &two.received, &two.op);
        client_reset(&two.client);
        struct cancel_job job = {two.server.queue, &two.op.op.overlapped, FALSE};
        worker_run(&two.far, job_cancel_io, &job);
        assert_true(job.found);
        assert_int_equal(atomic_load(&two.op.completions), 0);
        gate_open(&gate);
        assert_int_equal(op_wait(&two.op), ERROR_OPERATION_ABORTED);
    }
    two_close(&two);
}

/* The near loop is needy all the time and has nothing: receives are always on their way to it or
 * back. Each that is cancelled ends. */
struct flapper {
    pthread_t thread;
    HANDLE queue;
    uint16_t port;
    _Atomic bool stop;
};

static void *ask_and_leave(void *argument)
{
    static struct client client;
    struct flapper *flapper = argument;
    while (!atomic_load(&flapper->stop)) {
        client_open(&client, flapper->port);
        MUST(client_get(&client, "/gone"));
        client_reset(&client);
    }
    return NULL;
}

static void loops_a_receive_on_its_way_can_be_cancelled(void **state)
{
    (void)state;
    static struct two two;
    two_open(&two);
    struct flapper flapper = {.queue = two.server.queue, .port = two.server.port};
    assert_int_equal(pthread_create(&flapper.thread, NULL, ask_and_leave, &flapper), 0);
    unsigned cancelled = 0;
    for (int i = 0; i < 300; i++) {
        worker_receive(&two.far, two.server.queue, 0, &two.received, &two.op);
        if (i % 3 == 0) {
            usleep(100);
        }
        struct cancel_job job = {two.server.queue, &two.op.op.overlapped, FALSE};
        if (i % 2 == 0) {
            worker_run(&two.far, job_cancel_io, &job);
        } else {
            job.found = CancelIoEx(job.queue, job.overlapped);
        }
        ULONG status = op_wait(&two.op);
        assert_true(status == NO_ERROR || (status == ERROR_OPERATION_ABORTED && job.found));
        cancelled += status == ERROR_OPERATION_ABORTED;
    }
    atomic_store(&flapper.stop, true);
    assert_int_equal(pthread_join(flapper.thread, NULL), 0);
    print_message("%u of 300 were cancelled\n", cancelled);
    two_close(&two);
}

/* -------- threads without a loop beside loops -------- */

static void job_nothing(struct worker *worker, void *context)
{
    (void)worker;
    (void)context;
}

static void loops_plain_threads_receive_and_answer_beside_them(void **state)
{
    (void)state;
    static struct two two;
    static struct received received;
    two_open(&two);
    for (int i = 0; i < 10; i++) {
        /* synchronous, the request first and the receive first */
        assert_true(client_get(&two.client, "/plain"));
        assert_int_equal(receive(two.server.queue, &received, 0, NULL), NO_ERROR);
        assert_int_equal(answer_text(two.server.queue, received.request.RequestId, "plain"),
                         NO_ERROR);
        client_expect(&two.client, 200, "plain");
        /* with an event */
        OVERLAPPED overlapped = {.hEvent = CreateEvent(NULL, TRUE, FALSE, NULL)};
        assert_int_equal(receive(two.server.queue, &received, 0, &overlapped), ERROR_IO_PENDING);
        assert_true(client_get(&two.client, "/event"));
        DWORD bytes = 0;
        assert_true(GetOverlappedResult(two.server.queue, &overlapped, &bytes, TRUE));
        assert_int_equal(answer_text(two.server.queue, received.request.RequestId, "event"),
                         NO_ERROR);
        client_expect(&two.client, 200, "event");
        assert_true(CloseHandle(overlapped.hEvent));
        /* without an event it is polled for */
        overlapped = (OVERLAPPED){0};
        assert_int_equal(receive(two.server.queue, &received, 0, &overlapped), ERROR_IO_PENDING);
        assert_true(client_get(&two.client, "/poll"));
        assert_true(GetOverlappedResult(two.server.queue, &overlapped, &bytes, TRUE));
        assert_int_equal(answer_text(two.server.queue, received.request.RequestId, "poll"),
                         NO_ERROR);
        client_expect(&two.client, 200, "poll");
    }
    worker_run(&two.far, job_nothing, NULL);
    two_close(&two);
}

static void loops_a_pool_of_plain_threads_serves_what_they_accept(void **state)
{
    (void)state;
    static struct two two;
    struct sync_thread pool[3];
    memset(pool, 0, sizeof pool);
    two_open(&two);
    for (int i = 0; i < 3; i++) {
        pool[i].queue = two.server.queue;
        assert_int_equal(pthread_create(&pool[i].thread, NULL, serve_synchronously, &pool[i]), 0);
    }
    static struct client clients[8];
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 8; i++) {
            client_open(&clients[i], two.server.port);
            assert_true(client_get(&clients[i], "/"));
        }
        for (int i = 0; i < 8; i++) {
            client_expect(&clients[i], 200, "sync");
            client_close(&clients[i]);
        }
    }
    assert_int_equal(HttpShutdownRequestQueue(two.server.queue), NO_ERROR);
    unsigned served = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(pool[i].thread, NULL), 0);
        assert_true(pool[i].status == ERROR_OPERATION_ABORTED ||
                    pool[i].status == ERROR_INVALID_HANDLE);
        served += pool[i].served;
    }
    assert_int_equal(served, 80);
    two_close(&two);
}

/* -------- rules of threads and loops -------- */

static void loops_an_unattached_queue_does_not_complete_into_the_loop(void **state)
{
    (void)state;
    static struct server server;
    static struct worker worker;
    static struct client client;
    static struct received received;
    server_open(&server);
    HANDLE other = open_queue();
    worker_start(&worker, other);
    server_add(&server, "/", 0);
    client_open(&client, server.port);
    /* Twice: before this loop has met the queue, and after. */
    for (int i = 0; i < 2; i++) {
        struct op op;
        struct receive_job job = {server.queue, &received, &op, 0, NO_ERROR};
        worker_run(&worker, job_receive, &job);
        assert_int_equal(job.status, ERROR_IO_PENDING);
        assert_true(client_get(&client, "/"));
        DWORD bytes = 0;
        assert_true(GetOverlappedResult(server.queue, &op.op.overlapped, &bytes, TRUE));
        assert_true(bytes >= sizeof(HTTP_REQUEST));
        assert_int_equal(answer_text(server.queue, received.request.RequestId, "x"), NO_ERROR);
        client_expect(&client, 200, "x");
        assert_int_equal(atomic_load(&op.completions), 0);
    }
    client_close(&client);
    worker_stop(&worker);
    assert_int_equal(HttpCloseRequestQueue(other), NO_ERROR);
    server_close(&server);
}

/* Each of two loops makes calls with an event on requests of the other, at the same time. */
struct cross {
    struct two *two;
    struct worker *worker;
    HTTP_REQUEST_ID id;
    struct answer answer;
    OVERLAPPED overlapped;
    ULONG status;
    pthread_t thread;
};

static void job_cross(struct worker *worker, void *context)
{
    struct cross *cross = context;
    (void)worker;
    cross->status =
        send_answer(cross->two->server.queue, cross->id, &cross->answer, 0, &cross->overlapped);
}

static void *run_cross(void *argument)
{
    struct cross *cross = argument;
    worker_run(cross->worker, job_cross, cross);
    return NULL;
}

static void loops_two_that_call_each_other_with_events_do_not_stop(void **state)
{
    (void)state;
    static struct two two;
    static struct client clients[2];
    static struct cross crosses[2];
    static struct received received;
    two_open(&two);
    client_open_at(&clients[0], two.server.port, &two.near);
    client_open_at(&clients[1], two.server.port, &two.far);
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 2; i++) {
            struct cross *cross = &crosses[i];
            assert_true(client_get(&clients[i], "/"));
            assert_int_equal(receive(two.server.queue, &received, 0, NULL), NO_ERROR);
            memset(cross, 0, sizeof *cross);
            cross->two = &two;
            cross->worker = i == 0 ? &two.far : &two.near;
            cross->id = received.request.RequestId;
            make_answer(&cross->answer, 200, "crossed");
            cross->overlapped.hEvent = CreateEvent(NULL, TRUE, FALSE, NULL);
        }
        for (int i = 0; i < 2; i++) {
            assert_int_equal(pthread_create(&crosses[i].thread, NULL, run_cross, &crosses[i]), 0);
        }
        for (int i = 0; i < 2; i++) {
            DWORD bytes = 0;
            assert_int_equal(pthread_join(crosses[i].thread, NULL), 0);
            assert_int_equal(crosses[i].status, ERROR_IO_PENDING);
            assert_int_equal(WaitForSingleObject(crosses[i].overlapped.hEvent, RIG_WAIT_MS),
                             WAIT_OBJECT_0);
            assert_true(GetOverlappedResult(two.server.queue, &crosses[i].overlapped, &bytes, 0));
            client_expect(&clients[i], 200, "crossed");
            assert_true(CloseHandle(crosses[i].overlapped.hEvent));
        }
    }
    client_close(&clients[0]);
    client_close(&clients[1]);
    two_close(&two);
}

static void job_receive_now(struct worker *worker, void *context)
{
    struct receive_job *job = context;
    (void)worker;
    job->status = receive(job->queue, job->received, 0, NULL);
}

/* A synchronous receive on a loop's thread takes what is here or nothing; it is never lent. */
static void loops_a_synchronous_receive_stays_on_its_loop(void **state)
{
    (void)state;
    static struct two two;
    two_open(&two);
    assert_true(client_get(&two.client, "/waits")); /* the near loop is needy */
    (void)worker_connections(&two.near);
    struct receive_job job = {two.server.queue, &two.received, NULL, 0, NO_ERROR};
    worker_run(&two.far, job_receive_now, &job);
    assert_int_equal(job.status, ERROR_INVALID_PARAMETER);
    worker_run(&two.near, job_receive_now, &job);
    assert_int_equal(job.status, NO_ERROR);
    HTTP_REQUEST_ID id = two.received.request.RequestId;
    assert_int_equal(worker_answer(&two.near, two.server.queue, id, "here"), NO_ERROR);
    client_expect(&two.client, 200, "here");
    two_close(&two);
}

static void job_read_now(struct worker *worker, void *context)
{
    struct body_job *job = context;
    (void)worker;
    job->status = HttpReceiveRequestEntityBody(job->queue, job->id,
                                               HTTP_RECEIVE_REQUEST_ENTITY_BODY_FLAG_FILL_BUFFER,
                                               job->buffer, job->size, &job->flags, NULL);
}

/* A synchronous read with FILL_BUFFER on a loop's thread loses nothing of what is there. */
static void loops_a_synchronous_read_gives_what_there_is(void **state)
{
    (void)state;
    static struct two two;
    char buffer[16];
    two_open(&two);
    worker_receive(&two.near, two.server.queue, 0, &two.received, &two.op);
    assert_true(client_send(&two.client, "POST / HTTP/1.1\r\nHost: localhost\r\n"
                                         "Content-Length: 10\r\n\r\n01234"));
    assert_int_equal(op_wait(&two.op), NO_ERROR);
    HTTP_REQUEST_ID id = two.received.request.RequestId;
    struct body_job job = {two.server.queue, id, buffer, 10, 0, 0, {0}, NULL};
    worker_run(&two.near, job_read_now, &job);
    assert_int_equal(job.status, NO_ERROR);
    assert_int_equal(job.flags, 5);
    assert_memory_equal(buffer, "01234", 5);
    worker_run(&two.near, job_read_now, &job);
    assert_int_equal(job.status, ERROR_INVALID_PARAMETER);
    assert_true(client_send(&two.client, "56789"));
    WAIT_UNTIL((worker_run(&two.near, job_read_now, &job), job.status == NO_ERROR));
    assert_int_equal(job.flags, 5);
    assert_memory_equal(buffer, "56789", 5);
    worker_run(&two.near, job_read_now, &job);
    assert_int_equal(job.status, ERROR_HANDLE_EOF);
    assert_int_equal(worker_answer(&two.near, two.server.queue, id, "x"), NO_ERROR);
    client_expect(&two.client, 200, "x");
    two_close(&two);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_a_request_travels_to_the_loop_that_receives),
        cmocka_unit_test(loops_a_request_that_waits_is_found_by_a_later_receive),
        cmocka_unit_test(loops_every_needy_loop_gets_its_turn),
        cmocka_unit_test(loops_a_needy_loop_does_not_starve),
        cmocka_unit_test(loops_receives_that_wait_are_lent_until_nothing_waits),
        cmocka_unit_test(loops_a_body_is_read_from_another_loop),
        cmocka_unit_test(loops_an_answer_is_streamed_from_another_loop),
        cmocka_unit_test(loops_a_request_is_cancelled_from_another_loop),
        cmocka_unit_test(loops_a_reset_is_told_to_another_loop),
        cmocka_unit_test(loops_cancel_knows_what_its_own_loop_waits_for),
        cmocka_unit_test(loops_a_lent_receive_that_is_cancelled_ends_when_it_is_home),
        cmocka_unit_test(loops_a_receive_on_its_way_can_be_cancelled),
        cmocka_unit_test(loops_plain_threads_receive_and_answer_beside_them),
        cmocka_unit_test(loops_a_pool_of_plain_threads_serves_what_they_accept),
        cmocka_unit_test(loops_an_unattached_queue_does_not_complete_into_the_loop),
        cmocka_unit_test(loops_two_that_call_each_other_with_events_do_not_stop),
        cmocka_unit_test(loops_a_synchronous_receive_stays_on_its_loop),
        cmocka_unit_test(loops_a_synchronous_read_gives_what_there_is),
    };
    rig_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
