/* What a peer or a program can make grow has an end: each named maximum is passed once.
 * ctest-timeout: 120 */
#include "engine/one_loop.h"

/* -------- what a request may hold -------- */

static void expect_refused(struct one *one, const char *request, unsigned status)
{
    assert_true(client_send(&one->client, request));
    client_expect(&one->client, status, NULL);
    client_expect_end(&one->client);
    client_close(&one->client);
    client_open(&one->client, one->server.port);
}

static char text[2 * SHARD_IN_BLOCK];

/* `count` fields, Host among them. */
static void make_fields(unsigned count)
{
    size_t at = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: localhost\r\n");
    for (unsigned i = 1; i < count; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "X-%u: %u\r\n", i, i);
    }
    (void)snprintf(text + at, sizeof text - at, "\r\n");
}

/* A head of exactly `bytes`, by a long field. */
static void make_head(char *out, const char *line, const char *fields, size_t bytes)
{
    size_t at = (size_t)snprintf(out, bytes, "%s\r\nHost: localhost\r\n%sX: ", line, fields);
    memset(out + at, 'v', bytes - 4 - at);
    memcpy(out + bytes - 4, "\r\n\r\n", 5);
}

static void limits_of_fields(void **state)
{
    (void)state;
    static struct one one;
    one_open(&one);
    make_fields(SHARD_HEADERS_MAX);
    assert_true(client_send(&one.client, text));
    serve_one(&one);
    make_fields(SHARD_HEADERS_MAX + 1);
    expect_refused(&one, text, 431);
    make_head(text, "GET / HTTP/1.1", "", H1_HEAD_BYTES_MAX);
    assert_true(client_send(&one.client, text));
    serve_one(&one);
    make_head(text, "GET / HTTP/1.1", "", H1_HEAD_BYTES_MAX + 1);
    expect_refused(&one, text, 431);
    /* Nobody waits for the end of a head that is too long already. */
    make_head(text, "GET / HTTP/1.1", "", SHARD_IN_BLOCK);
    text[SHARD_IN_BLOCK - 10] = 0;
    expect_refused(&one, text, 431);
    one_close(&one);
}

static void limits_of_the_request_line(void **state)
{
    (void)state;
    static struct one one;
    one_open(&one);
    memset(text, 'M', H1_METHOD_BYTES_MAX);
    (void)snprintf(text + H1_METHOD_BYTES_MAX, 64, " / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_true(client_send(&one.client, text));
    serve_one(&one);
    memset(text, 'M', H1_METHOD_BYTES_MAX + 1);
    (void)snprintf(text + H1_METHOD_BYTES_MAX + 1, 64, " / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect_refused(&one, text, 501);
    size_t at = (size_t)snprintf(text, sizeof text, "GET /?");
    memset(text + at, 'q', H1_TARGET_BYTES_MAX);
    (void)snprintf(text + at + H1_TARGET_BYTES_MAX, 64, " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect_refused(&one, text, 414);
    one_close(&one);
}

/* -------- queues and calls -------- */

static void limits_of_the_queue_count_for_all_loops(void **state)
{
    (void)state;
    static struct one one;
    static struct worker second;
    static struct client other;
    ULONG length = 1;
    one_open(&one);
    client_close(&one.client);
    worker_start(&second, one.server.queue);
    assert_int_equal(HttpSetRequestQueueProperty(one.server.queue, HttpServerQueueLengthProperty,
                                                 &length, sizeof length, 0, NULL),
                     NO_ERROR);
    client_open_at(&one.client, one.server.port, &one.worker);
    client_open_at(&other, one.server.port, &second);
    assert_true(client_get(&one.client, "/waits"));
    (void)worker_connections(&one.worker);
    assert_true(client_get(&other, "/too-many"));
    client_expect(&other, 503, NULL);
    client_expect_end(&other);
    client_close(&other);
    serve_one(&one);
    assert_true(client_get(&one.client, "/again"));
    serve_one(&one);
    worker_stop(&second);
    one_close(&one);
}

static void limits_of_chunks_in_a_call(void **state)
{
    (void)state;
    static struct one one;
    static HTTP_DATA_CHUNK chunks[HTTP_MAX_ENTITY_CHUNKS + 1];
    struct answer answer;
    one_open(&one);
    for (unsigned i = 0; i <= HTTP_MAX_ENTITY_CHUNKS; i++) {
        chunks[i].DataChunkType = HttpDataChunkFromMemory;
        chunks[i].FromMemory.pBuffer = &"0123456789"[i % 10];
        chunks[i].FromMemory.BufferLength = 1;
    }
    assert_true(client_get(&one.client, "/"));
    HTTP_REQUEST_ID id = receive_one(&one);
    make_answer(&answer, 200, "");
    answer.response.pEntityChunks = chunks;
    answer.response.EntityChunkCount = HTTP_MAX_ENTITY_CHUNKS + 1;
    assert_int_equal(send_answer(one.server.queue, id, &answer, 0, NULL), ERROR_INVALID_PARAMETER);
    answer.response.EntityChunkCount = HTTP_MAX_ENTITY_CHUNKS;
    assert_int_equal(send_answer(one.server.queue, id, &answer, 0, NULL), NO_ERROR);
    struct reply reply;
    client_read(&one.client, &reply);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body_length, HTTP_MAX_ENTITY_CHUNKS);
    one_close(&one);
}

static void limits_of_an_answers_head(void **state)
{
    (void)state;
    static struct one one;
    static char value[UINT16_MAX];
    HTTP_UNKNOWN_HEADER header = {1, sizeof value, "X", value};
    struct answer answer;
    memset(value, 'v', sizeof value);
    one_open(&one);
    assert_true(client_get(&one.client, "/"));
    HTTP_REQUEST_ID id = receive_one(&one);
    make_answer(&answer, 200, "ok");
    answer.response.Headers.UnknownHeaderCount = 1;
    answer.response.Headers.pUnknownHeaders = &header;
    assert_int_equal(send_answer(one.server.queue, id, &answer, 0, NULL), ERROR_INVALID_PARAMETER);
    header.RawValueLength = SHARD_OUT_BLOCK / 2;
    assert_int_equal(send_answer(one.server.queue, id, &answer, 0, NULL), NO_ERROR);
    client_expect(&one.client, 200, "ok");
    one_close(&one);
}

/* One call of each kind at a time. */
static void limits_of_calls_on_a_request(void **state)
{
    (void)state;
    static struct one one;
    char buffer[16];
    OVERLAPPED read = {0}, wait = {0};
    one_open(&one);
    assert_true(client_send(&one.client, "POST / HTTP/1.1\r\nHost: localhost\r\n"
                                         "Content-Length: 5\r\n\r\n"));
    HTTP_REQUEST_ID id = receive_one(&one);
    HTTP_CONNECTION_ID connection = one.received.request.ConnectionId;
    HANDLE queue = one.server.queue;
    assert_int_equal(HttpReceiveRequestEntityBody(queue, id, 0, buffer, 16, NULL, &read),
                     ERROR_IO_PENDING);
    assert_int_equal(HttpReceiveRequestEntityBody(queue, id, 0, buffer, 16, NULL, NULL),
                     ERROR_BAD_COMMAND);
    assert_int_equal(HttpWaitForDisconnect(queue, connection, &wait), ERROR_IO_PENDING);
    assert_int_equal(HttpWaitForDisconnect(queue, connection, NULL), ERROR_BAD_COMMAND);
    assert_int_equal(HttpCancelHttpRequest(queue, id, NULL), NO_ERROR);
    DWORD bytes = 0;
    assert_false(GetOverlappedResult(queue, &read, &bytes, TRUE));
    assert_true(GetOverlappedResult(queue, &wait, &bytes, TRUE));
    one_close(&one);
}

static void job_attach(struct worker *worker, void *context)
{
    struct receive_job *job = context;
    job->status = loop_attach_queue(worker->loop, job->queue);
}

static void limits_of_loops(void **state)
{
    (void)state;
    static struct server server;
    static struct worker workers[LIFETIME_SHARDS_MAX + 1];
    server_open(&server);
    for (unsigned i = 0; i <= LIFETIME_SHARDS_MAX; i++) {
        struct receive_job job = {.queue = server.queue};
        worker_start(&workers[i], NULL);
        worker_run(&workers[i], job_attach, &job);
        assert_int_equal(job.status, i < LIFETIME_SHARDS_MAX ? NO_ERROR : ERROR_NOT_ENOUGH_MEMORY);
    }
    worker_stop(&workers[7]);
    struct receive_job again = {.queue = server.queue};
    worker_run(&workers[LIFETIME_SHARDS_MAX], job_attach, &again);
    assert_int_equal(again.status, NO_ERROR);
    for (unsigned i = 0; i <= LIFETIME_SHARDS_MAX; i++) {
        if (i != 7) {
            worker_stop(&workers[i]);
        }
    }
    server_close(&server);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_of_fields),
        cmocka_unit_test(limits_of_the_request_line),
        cmocka_unit_test(limits_of_the_queue_count_for_all_loops),
        cmocka_unit_test(limits_of_chunks_in_a_call),
        cmocka_unit_test(limits_of_an_answers_head),
        cmocka_unit_test(limits_of_calls_on_a_request),
        cmocka_unit_test(limits_of_loops),
    };
    rig_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
