/* The contract with a loop: one thread that serves, completions delivered by loop_run_once, and
 * nothing from inside a contract call. The client lives on the same thread: it writes, the loop
 * turns until something has completed, it reads.
 * ctest-timeout: 180 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/loop.h"
#include "contract/client.h"
#include "contract/contract.h"

enum { TURN_MS = 20, TURNS_MAX = CONTRACT_WAIT_MS / TURN_MS };

/* An overlapped call of this thread and its outcome. */
struct op {
    struct loop_op op; /* first */
    unsigned completions;
    ULONG status, bytes;
};

struct looped {
    struct loop *loop;
    struct server server;
    struct client client;
    struct received received;
    struct op receive, send, other;
};

static void on_complete(struct loop_op *loop_op, ULONG status, ULONG bytes)
{
    struct op *op = (struct op *)loop_op;
    op->completions++;
    op->status = status;
    op->bytes = bytes;
}

static OVERLAPPED *fresh(struct op *op)
{
    memset(op, 0, sizeof *op);
    op->op.on_complete = on_complete;
    return &op->op.overlapped;
}

static void turn(struct loop *loop, unsigned milliseconds)
{
    CHECK_CODE(NO_ERROR, loop_run_once(loop, (uint64_t)milliseconds * 1000000));
}

static void run_until_done(struct looped *l, const struct op *op)
{
    for (int i = 0; i < TURNS_MAX && op->completions == 0; i++) {
        turn(l->loop, TURN_MS);
    }
    CHECK_UINT(1, op->completions);
}

/* A few turns, so that whatever could happen has happened. */
static void run_idle(struct looped *l)
{
    for (int i = 0; i < 5; i++) {
        turn(l->loop, TURN_MS);
    }
}

static void open_looped(struct looped *l)
{
    memset(l, 0, sizeof *l);
    CHECK_CODE(NO_ERROR, loop_open(LOOP_BACKEND_DEFAULT, &l->loop));
    server_open(&l->server);
    CHECK_CODE(NO_ERROR, loop_attach_queue(l->loop, l->server.queue));
    server_add(&l->server, "localhost", "/", 5);
    client_open(&l->client, l->server.port);
}

static void close_looped(struct looped *l)
{
    client_close(&l->client);
    server_close(&l->server);
    loop_close(l->loop);
}

static void post_receive(struct looped *l, ULONG flags)
{
    memset(&l->received, 0xA5, sizeof l->received);
    const ULONG code =
        HttpReceiveHttpRequest(l->server.queue, HTTP_NULL_ID, flags, &l->received.request,
                               sizeof l->received.bytes, NULL, fresh(&l->receive));
    CHECK_CODE_OF(ERROR_IO_PENDING, NO_ERROR, code);
    CHECK_UINT(0, l->receive.completions); /* never from inside the call */
}

static void post_answer(struct looped *l, const char *body, ULONG flags)
{
    HTTP_RESPONSE response;
    HTTP_DATA_CHUNK chunk;
    make_response(&response, &chunk, 200, body);
    const ULONG code = HttpSendHttpResponse(l->server.queue, l->received.request.RequestId, flags,
                                            &response, NULL, NULL, NULL, 0, fresh(&l->send), NULL);
    CHECK_CODE_OF(ERROR_IO_PENDING, NO_ERROR, code);
    CHECK_UINT(0, l->send.completions);
    run_until_done(l, &l->send); /* the response must stay alive until here */
}

static void serve(struct looped *l, const char *target)
{
    post_receive(l, 0);
    client_request(&l->client, "GET", target, "");
    run_until_done(l, &l->receive);
    CHECK_UINT(NO_ERROR, l->receive.status);
    CHECK_TEXT(target, l->received.request.pRawUrl, l->received.request.RawUrlLength);
    post_answer(l, target, 0);
    CHECK_UINT(NO_ERROR, l->send.status);
    run_idle(l);
    client_expect_body(&l->client, 200, target);
}

static void requests_complete_into_the_loop(void)
{
    struct looped l;
    open_looped(&l);
    for (int i = 0; i < 10; i++) {
        char target[16];
        snprintf(target, sizeof target, "/%d", i);
        serve(&l, target);
    }
    CHECK_UINT(5, l.received.request.UrlContext);
    close_looped(&l);
}

static void a_request_that_waits_completes_later_too(void)
{
    struct looped l;
    open_looped(&l);
    client_request(&l.client, "GET", "/waits", "");
    run_idle(&l);
    post_receive(&l, 0);
    run_until_done(&l, &l.receive);
    CHECK_UINT(NO_ERROR, l.receive.status);
    CHECK_TEXT("/waits", l.received.request.pRawUrl, l.received.request.RawUrlLength);
    CHECK(l.receive.bytes > sizeof(HTTP_REQUEST));
    post_answer(&l, "x", 0);
    run_idle(&l);
    client_expect(&l.client, 200);
    close_looped(&l);
}

/* A receive that is posted again from inside its own completion. */
struct again {
    struct op op; /* first */
    struct looped *l;
    unsigned served, depth, deepest;
};

static void serve_and_go_on(struct loop_op *loop_op, ULONG status, ULONG bytes)
{
    struct again *again = (struct again *)loop_op;
    struct looped *l = again->l;
    HTTP_RESPONSE response;
    HTTP_DATA_CHUNK chunk;
    (void)bytes; /* the size of the request is no matter here */
    if (status == ERROR_OPERATION_ABORTED) {
        again->op.completions++;
        return;
    }
    CHECK_UINT(NO_ERROR, status);
    again->depth++;
    again->deepest = again->depth > again->deepest ? again->depth : again->deepest;
    again->served++;
    make_response(&response, &chunk, 200, "ok");
    CHECK_CODE(NO_ERROR,
               send_response(l->server.queue, l->received.request.RequestId, 0, &response, NULL));
    memset(&again->op.op.overlapped, 0, sizeof again->op.op.overlapped);
    const ULONG code =
        HttpReceiveHttpRequest(l->server.queue, HTTP_NULL_ID, 0, &l->received.request,
                               sizeof l->received.bytes, NULL, &again->op.op.overlapped);
    CHECK_CODE_OF(ERROR_IO_PENDING, NO_ERROR, code);
    again->depth--;
}

enum { PIPELINED = 300 };

static void a_pipeline_does_not_recurse(void)
{
    struct looped l;
    struct again again;
    open_looped(&l);
    memset(&again, 0, sizeof again);
    again.l = &l;
    again.op.op.on_complete = serve_and_go_on;
    for (int i = 0; i < PIPELINED; i++) {
        client_request(&l.client, "GET", "/", "");
    }
    CHECK_CODE_OF(ERROR_IO_PENDING, NO_ERROR,
                  HttpReceiveHttpRequest(l.server.queue, HTTP_NULL_ID, 0, &l.received.request,
                                         sizeof l.received.bytes, NULL, &again.op.op.overlapped));
    for (int i = 0; i < TURNS_MAX && again.served < PIPELINED; i++) {
        turn(l.loop, TURN_MS);
    }
    run_idle(&l);
    CHECK_UINT(PIPELINED, again.served);
    CHECK_UINT(1, again.deepest);
    for (int i = 0; i < PIPELINED; i++) {
        client_expect_body(&l.client, 200, "ok");
    }
    CHECK(CancelIoEx(l.server.queue, &again.op.op.overlapped));
    CHECK_UINT(0, again.op.completions);
    run_until_done(&l, &again.op);
    close_looped(&l);
}

static void more_data_completes_with_the_size(void)
{
    struct looped l;
    char line[2048];
    open_looped(&l);
    memset(line, 'v', sizeof line);
    memcpy(line, "X: ", 3);
    memcpy(line + 2000, "\r\n", 3);
    CHECK_CODE(ERROR_IO_PENDING,
               HttpReceiveHttpRequest(l.server.queue, HTTP_NULL_ID, 0, &l.received.request,
                                      sizeof(HTTP_REQUEST) + 64, NULL, fresh(&l.receive)));
    client_request(&l.client, "GET", "/big", line);
    run_until_done(&l, &l.receive);
    CHECK_UINT(ERROR_MORE_DATA, l.receive.status);
    const ULONG needed = l.receive.bytes;
    const HTTP_REQUEST_ID id = l.received.request.RequestId;
    const ULONG code = HttpReceiveHttpRequest(l.server.queue, id, 0, &l.received.request, needed,
                                              NULL, fresh(&l.receive));
    CHECK_CODE_OF(ERROR_IO_PENDING, NO_ERROR, code);
    run_until_done(&l, &l.receive);
    CHECK_UINT(NO_ERROR, l.receive.status);
    CHECK_UINT(needed, l.receive.bytes);
    post_answer(&l, "x", 0);
    run_idle(&l);
    client_expect(&l.client, 200);
    close_looped(&l);
}

static void a_final_code_has_no_completion(void)
{
    struct looped l;
    HTTP_RESPONSE response;
    HTTP_DATA_CHUNK chunk;
    open_looped(&l);
    make_response(&response, &chunk, 200, "x");
    CHECK_CODE(ERROR_CONNECTION_INVALID,
               HttpSendHttpResponse(l.server.queue, 0xDEADDEAD, 0, &response, NULL, NULL, NULL, 0,
                                    fresh(&l.send), NULL));
    CHECK_CODE(ERROR_INSUFFICIENT_BUFFER,
               HttpReceiveHttpRequest(l.server.queue, HTTP_NULL_ID, 0, &l.received.request, 16,
                                      NULL, fresh(&l.receive)));
    CHECK_CODE(ERROR_CONNECTION_INVALID,
               HttpReceiveHttpRequest(l.server.queue, 0xDEADDEAD, 0, &l.received.request,
                                      sizeof l.received.bytes, NULL, fresh(&l.other)));
    run_idle(&l);
    CHECK_UINT(0, l.send.completions + l.receive.completions + l.other.completions);
    close_looped(&l);
}

static void bodies_are_read_through_the_loop(void)
{
    struct looped l;
    char buffer[64];
    char body[64];
    size_t length = 0;
    open_looped(&l);
    post_receive(&l, 0);
    client_request(&l.client, "POST", "/", "Content-Length: 10\r\n");
    run_until_done(&l, &l.receive);
    const HTTP_REQUEST_ID id = l.received.request.RequestId;
    for (;;) {
        const ULONG code = HttpReceiveRequestEntityBody(l.server.queue, id, 0, buffer,
                                                        sizeof buffer, NULL, fresh(&l.other));
        if (code == ERROR_HANDLE_EOF) {
            break; /* told at once: no completion */
        }
        CHECK_CODE_OF(ERROR_IO_PENDING, NO_ERROR, code);
        if (length == 0) {
            client_send(&l.client, "01234");
        } else if (length == 5) {
            client_send(&l.client, "56789");
        }
        run_until_done(&l, &l.other);
        if (l.other.status == ERROR_HANDLE_EOF) {
            break;
        }
        CHECK_UINT(NO_ERROR, l.other.status);
        memcpy(body + length, buffer, l.other.bytes);
        length += l.other.bytes;
    }
    CHECK_TEXT("0123456789", body, length);
    post_answer(&l, "x", 0);
    run_idle(&l);
    client_expect(&l.client, 200);
    close_looped(&l);
}

static void a_large_send_completes_when_it_is_read(void)
{
    struct looped l;
    HTTP_RESPONSE response;
    HTTP_DATA_CHUNK chunk;
    const size_t size = 16 << 20;
    size_t seen = 0;
    char *bytes = malloc(size);
    char *back = malloc(size + 4096);
    CHECK(bytes != NULL && back != NULL);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(i * 11 + i / 5000);
    }
    open_looped(&l);
    post_receive(&l, 0);
    client_request(&l.client, "GET", "/", "");
    run_until_done(&l, &l.receive);
    make_response(&response, &chunk, 200, NULL);
    make_memory_chunk(&chunk, bytes, size);
    response.EntityChunkCount = 1;
    response.pEntityChunks = &chunk;
    CHECK_CODE(ERROR_IO_PENDING,
               HttpSendHttpResponse(l.server.queue, l.received.request.RequestId, 0, &response,
                                    NULL, NULL, NULL, 0, fresh(&l.send), NULL));
    run_idle(&l);
    CHECK_UINT(0, l.send.completions); /* nobody reads */
    size_t head = 0;
    for (int turns = 0; turns < 100000 && (head == 0 || seen < head + size); turns++) {
        size_t count = 0;
        turn(l.loop, 0);
        if (shim_receive(l.client.socket, back + seen, size + 4095 - seen, 1, &count) ==
            SHIM_BYTES) {
            seen += count;
            back[seen] = 0;
        }
        if (head == 0 && seen > 0) {
            const char *end = strstr(back, "\r\n\r\n");
            head = end == NULL ? 0 : (size_t)(end + 4 - back);
        }
    }
    CHECK_UINT(head + size, seen);
    CHECK(memcmp(back + head, bytes, size) == 0);
    run_until_done(&l, &l.send);
    CHECK_UINT(NO_ERROR, l.send.status);
    CHECK_UINT(seen, l.send.bytes);
    free(bytes);
    free(back);
    close_looped(&l);
}

static void cancelled_calls_complete_later(void)
{
    struct looped l;
    open_looped(&l);
    post_receive(&l, 0);
    CHECK(CancelIoEx(l.server.queue, &l.receive.op.overlapped));
    CHECK_UINT(0, l.receive.completions);
    run_until_done(&l, &l.receive);
    CHECK_UINT(ERROR_OPERATION_ABORTED, l.receive.status);
    CHECK_UINT(0, l.receive.bytes);
    CHECK(!CancelIoEx(l.server.queue, NULL));
    serve(&l, "/after"); /* the same op again */
    close_looped(&l);
}

static void a_disconnect_completes_into_the_loop(void)
{
    struct looped l;
    open_looped(&l);
    post_receive(&l, 0);
    client_request(&l.client, "GET", "/", "");
    run_until_done(&l, &l.receive);
    CHECK_CODE(
        ERROR_IO_PENDING,
        HttpWaitForDisconnect(l.server.queue, l.received.request.ConnectionId, fresh(&l.other)));
    run_idle(&l);
    CHECK_UINT(0, l.other.completions);
    client_reset(&l.client);
    run_until_done(&l, &l.other);
    CHECK_UINT(NO_ERROR, l.other.status);
    client_open(&l.client, l.server.port);
    serve(&l, "/next");
    close_looped(&l);
}

static void an_event_still_works_beside_a_loop(void)
{
    struct looped l;
    struct pending pending;
    open_looped(&l);
    pending_open(&pending);
    pending_receive(&pending, l.server.queue, 0, &l.received);
    client_request(&l.client, "GET", "/event", "");
    for (int i = 0; i < TURNS_MAX && !pending_done(&pending, 0); i++) {
        turn(l.loop, TURN_MS);
    }
    CHECK_UINT(NO_ERROR, pending_wait(&pending, l.server.queue, NULL));
    CHECK_TEXT("/event", l.received.request.pRawUrl, l.received.request.RawUrlLength);
    post_answer(&l, "x", 0);
    run_idle(&l);
    client_expect(&l.client, 200);
    pending_close(&pending);
    close_looped(&l);
}

static void shutdown_completes_what_is_pending(void)
{
    struct looped l;
    open_looped(&l);
    post_receive(&l, 0);
    CHECK_CODE(NO_ERROR, HttpShutdownRequestQueue(l.server.queue));
    CHECK_UINT(0, l.receive.completions);
    run_until_done(&l, &l.receive);
    CHECK_UINT(ERROR_OPERATION_ABORTED, l.receive.status);
    close_looped(&l);
}

static void closing_the_loop_completes_what_is_pending(void)
{
    struct looped l;
    open_looped(&l);
    post_receive(&l, 0);
    loop_close(l.loop);
    CHECK_UINT(1, l.receive.completions);
    CHECK_UINT(ERROR_OPERATION_ABORTED, l.receive.status);
    client_expect_end(&l.client);
    client_close(&l.client);
    server_close(&l.server);
    CHECK(loop_current() == NULL);
}

static void intake_can_be_stopped(void)
{
    struct looped l;
    struct client late;
    struct reply reply;
    char value[64];
    open_looped(&l);
    serve(&l, "/first");
    client_request(&l.client, "GET", "/in-flight", "");
    post_receive(&l, 0);
    run_until_done(&l, &l.receive);
    loop_stop_listening(l.loop);
    run_idle(&l);
    CHECK(!client_try_open(&late, "127.0.0.1", l.server.port));
    post_answer(&l, "in flight", 0);
    run_idle(&l);
    client_read(&l.client, &reply, false);
    CHECK_TEXT("in flight", reply.body, reply.body_length);
    CHECK(reply_header(&reply, "Connection", value, sizeof value));
    CHECK_TEXT("close", value, strlen(value));
    reply_free(&reply);
    run_idle(&l);
    client_expect_end(&l.client);
    close_looped(&l);
}

static void idle_connections_go_with_intake(void)
{
    struct looped l;
    open_looped(&l);
    serve(&l, "/first");
    loop_stop_listening(l.loop);
    run_idle(&l);
    client_expect_end(&l.client);
    close_looped(&l);
}

static void connections_are_counted(void)
{
    struct looped l;
    open_looped(&l);
    serve(&l, "/");
    CHECK_UINT(1, loop_connection_count(l.loop));
    client_close(&l.client);
    for (int i = 0; i < TURNS_MAX && loop_connection_count(l.loop) > 0; i++) {
        turn(l.loop, TURN_MS);
    }
    CHECK_UINT(0, loop_connection_count(l.loop));
    client_open(&l.client, l.server.port);
    close_looped(&l);
}

static void a_loop_and_its_queue_once_each(void)
{
    struct loop *loop = NULL, *second = NULL;
    struct server server;
    CHECK(loop_current() == NULL);
    CHECK_CODE(NO_ERROR, loop_open(LOOP_BACKEND_DEFAULT, &loop));
    CHECK(loop_current() == loop);
    CHECK_CODE(ERROR_ALREADY_EXISTS, loop_open(LOOP_BACKEND_DEFAULT, &second));
    server_open(&server);
    CHECK_CODE(NO_ERROR, loop_attach_queue(loop, server.queue));
    CHECK_CODE(ERROR_ALREADY_EXISTS, loop_attach_queue(loop, server.queue));
    CHECK_CODE(ERROR_INVALID_HANDLE, loop_attach_queue(loop, NULL));
    server_close(&server);
    CHECK_CODE_OF(ERROR_INVALID_HANDLE, ERROR_DLL_INIT_FAILED,
                  loop_attach_queue(loop, server.queue));
    loop_close(loop);
    CHECK(loop_current() == NULL);
}

static void free_ports_are_free(void)
{
    for (int i = 0; i < 10; i++) {
        uint16_t port = 0;
        CHECK_CODE(NO_ERROR, loop_find_free_port(&port));
        CHECK(port >= 1024);
        const intptr_t listener = shim_listen("127.0.0.1", port);
        CHECK(listener != SHIM_NO_SOCKET);
        shim_close(listener);
    }
}

/* Two loops on two threads and one queue: a request is answered wherever it came in. */
struct worker {
    HANDLE queue;
    struct loop *loop; /* set by the worker before it is ready */
    HANDLE ready;      /* event */
    bool stop;         /* set on the worker's own thread */
    struct loop_task stop_task;
    struct received received;
    struct op receive;
    unsigned served;
};

static void stop_worker(struct loop_task *task)
{
    struct worker *worker =
        (struct worker *)(void *)((char *)task - offsetof(struct worker, stop_task));
    worker->stop = true;
}

static void work(void *context)
{
    struct worker *worker = context;
    CHECK_CODE(NO_ERROR, loop_open(LOOP_BACKEND_DEFAULT, &worker->loop));
    CHECK_CODE(NO_ERROR, loop_attach_queue(worker->loop, worker->queue));
    CHECK(SetEvent(worker->ready));
    bool posted = false;
    while (!worker->stop) {
        if (!posted) {
            CHECK_CODE_OF(ERROR_IO_PENDING, NO_ERROR,
                          HttpReceiveHttpRequest(
                              worker->queue, HTTP_NULL_ID, 0, &worker->received.request,
                              sizeof worker->received.bytes, NULL, fresh(&worker->receive)));
            posted = true;
        }
        turn(worker->loop, TURN_MS);
        if (worker->receive.completions > 0) {
            CHECK_UINT(NO_ERROR, worker->receive.status);
            const HTTP_REQUEST_ID id = worker->received.request.RequestId;
            CHECK_CODE(NO_ERROR, answer(worker->queue, id, 200, "worked"));
            worker->served++;
            posted = false;
        }
    }
    loop_close(worker->loop);
}

static void start_worker(struct worker *worker, HANDLE queue, struct shim_thread **thread)
{
    memset(worker, 0, sizeof *worker);
    worker->queue = queue;
    worker->stop_task.run = stop_worker;
    worker->ready = CreateEvent(NULL, TRUE, FALSE, NULL);
    *thread = shim_thread_start(work, worker);
    CHECK_UINT(WAIT_OBJECT_0, WaitForSingleObject(worker->ready, CONTRACT_WAIT_MS));
}

static void two_loops_share_a_queue(void)
{
    static struct worker workers[2];
    struct shim_thread *threads[2];
    struct server server;
    struct client client;
    server_open(&server);
    for (int i = 0; i < 2; i++) {
        start_worker(&workers[i], server.queue, &threads[i]);
    }
    server_add(&server, "localhost", "/", 0);
    for (int i = 0; i < 40; i++) {
        client_open(&client, server.port);
        client_request(&client, "GET", "/", "");
        client_expect_body(&client, 200, "worked");
        client_request(&client, "GET", "/again", "");
        client_expect_body(&client, 200, "worked");
        client_close(&client);
    }
    for (int i = 0; i < 2; i++) {
        loop_post(workers[i].loop, &workers[i].stop_task);
    }
    for (int i = 0; i < 2; i++) {
        shim_thread_join(threads[i]);
        CHECK(CloseHandle(workers[i].ready));
    }
    CHECK_UINT(80, workers[0].served + workers[1].served);
    server_close(&server);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CASE(requests_complete_into_the_loop),
        CASE(a_request_that_waits_completes_later_too),
        CASE_NOT_ON(PROVIDER_WINE, "a long pipeline gets stuck there", a_pipeline_does_not_recurse),
        CASE(more_data_completes_with_the_size),
        CASE(a_final_code_has_no_completion),
        CASE_NOT_ON(PROVIDER_WINE, "bodies do not stream there", bodies_are_read_through_the_loop),
        CASE_NOT_ON(PROVIDER_WINE, "cut there", a_large_send_completes_when_it_is_read),
        CASE(cancelled_calls_complete_later),
        CASE_NOT_ON(PROVIDER_WINE, "the function ends the process there",
                    a_disconnect_completes_into_the_loop),
        CASE_NOT_ON(PROVIDER_HTTPSYS, "the completion port wins there",
                    an_event_still_works_beside_a_loop),
        CASE(shutdown_completes_what_is_pending),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "connections belong to the system there",
                    closing_the_loop_completes_what_is_pending),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "connections belong to the system there",
                    intake_can_be_stopped),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "connections belong to the system there",
                    idle_connections_go_with_intake),
        CASE_NOT_ON(PROVIDER_WINE | PROVIDER_HTTPSYS, "connections belong to the system there",
                    connections_are_counted),
        CASE(a_loop_and_its_queue_once_each),
        CASE(free_ports_are_free),
        CASE_NOT_ON(PROVIDER_WINE, "a new connection is missed now and then there",
                    two_loops_share_a_queue),
    };
    return contract_main(cases, COUNT_OF(cases), argc, argv);
}
