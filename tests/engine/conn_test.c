/* What a connection holds and how it ends, by the engine's own counters: idle, stuck, flooded,
 * slow, lingering, and without descriptors. ctest-timeout: 120 */
#include "engine/one_loop.h"

#include <sys/resource.h>

#include "engine/listener.h"

static char text[2 * SHARD_IN_BLOCK];

/* A head of exactly `bytes`, by a long field. */
static void make_head(char *out, const char *line, const char *fields, size_t bytes)
{
    size_t at = (size_t)snprintf(out, bytes, "%s\r\nHost: localhost\r\n%sX: ", line, fields);
    memset(out + at, 'v', bytes - 4 - at);
    memcpy(out + bytes - 4, "\r\n\r\n", 5);
}

/* -------- memory of connections -------- */

struct memory {
    size_t conns, requests; /* live */
    size_t with_in, with_out, waiting_bytes;
    unsigned spare_in, spare_out, spare_requests;
};

static void job_memory(struct worker *worker, void *context)
{
    struct memory *memory = context;
    const struct shard *shard = shard_current();
    struct list_node *node, *next;
    (void)worker;
    memset(memory, 0, sizeof *memory);
    LIST_FOREACH_SAFE(node, next, &shard->conns)
    {
        const struct conn *conn = LIST_ITEM(node, struct conn, link);
        memory->conns++;
        memory->requests += conn->request != NULL;
        memory->with_in += conn->in != NULL;
        memory->with_out += conn->out != NULL;
        memory->waiting_bytes += conn->out_end - conn->out_start;
    }
    memory->spare_in = shard->in_blocks.count;
    memory->spare_out = shard->out_blocks.count;
    memory->spare_requests = shard->requests.count;
}

static struct memory memory_of(struct worker *worker)
{
    struct memory memory;
    worker_run(worker, job_memory, &memory);
    return memory;
}

static void conn_an_idle_connection_owns_no_buffer(void **state)
{
    (void)state;
    static struct one one;
    enum { COUNT = 2 * SHARD_SPARE_BLOCKS };
    static struct client clients[COUNT];
    one_open(&one);
    for (int i = 0; i < COUNT; i++) {
        client_open(&clients[i], one.server.port);
        assert_true(client_get(&clients[i], "/"));
    }
    HTTP_REQUEST_ID ids[COUNT];
    for (int i = 0; i < COUNT; i++) {
        ids[i] = receive_one(&one);
    }
    struct memory memory = memory_of(&one.worker);
    assert_int_equal(memory.requests, COUNT);
    assert_int_equal(memory.with_in, COUNT); /* the heads are lent */
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(answer_text(one.server.queue, ids[i], "ok"), NO_ERROR);
    }
    for (int i = 0; i < COUNT; i++) {
        client_expect(&clients[i], 200, "ok");
    }
    memory = memory_of(&one.worker);
    assert_int_equal(memory.conns, COUNT + 1);
    assert_int_equal(memory.requests, 0);
    assert_int_equal(memory.with_in, 0);
    assert_int_equal(memory.with_out, 0);
    assert_int_equal(memory.spare_in, SHARD_SPARE_BLOCKS);
    assert_true(memory.spare_out <= SHARD_SPARE_BLOCKS);
    assert_true(sizeof(struct conn) <= 256);
    for (int i = 0; i < COUNT; i++) {
        client_close(&clients[i]);
    }
    one_close(&one);
}

/* What was only under way to the kernel (loop_io_send) is through then; what waits for the peer is
 * not. */
static ULONG after_two_turns(struct one *one, OVERLAPPED *overlapped)
{
    DWORD bytes = 0;
    (void)memory_of(&one->worker);
    (void)memory_of(&one->worker);
    bool is_through = GetOverlappedResult(one->server.queue, overlapped, &bytes, FALSE) != 0;
    return is_through ? NO_ERROR : ERROR_IO_PENDING;
}

static void conn_a_client_that_never_reads_holds_one_block(void **state)
{
    (void)state;
    static struct one one;
    static char piece[10000];
    one_open(&one);
    int small = 32768;
    assert_int_equal(setsockopt(one.client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_true(client_get(&one.client, "/"));
    HTTP_REQUEST_ID id = receive_one(&one);
    struct answer head;
    make_answer(&head, 200, "");
    head.response.EntityChunkCount = 0;
    const ULONG more = HTTP_SEND_RESPONSE_FLAG_MORE_DATA;
    assert_int_equal(send_answer(one.server.queue, id, &head, more, NULL), NO_ERROR);
    HTTP_DATA_CHUNK chunk = {.DataChunkType = HttpDataChunkFromMemory};
    chunk.FromMemory.pBuffer = piece;
    chunk.FromMemory.BufferLength = sizeof piece;
    OVERLAPPED overlapped;
    ULONG status = NO_ERROR;
    for (int i = 0; i < 100000 && status == NO_ERROR; i++) {
        memset(&overlapped, 0, sizeof overlapped);
        status = HttpSendResponseEntityBody(one.server.queue, id, more, 1, &chunk, NULL, NULL, 0,
                                            &overlapped, NULL);
        status = status == ERROR_IO_PENDING ? after_two_turns(&one, &overlapped) : status;
    }
    assert_int_equal(status, ERROR_IO_PENDING); /* at some time it has to wait */
    assert_int_equal(HttpSendResponseEntityBody(one.server.queue, id, more, 1, &chunk, NULL, NULL,
                                                0, NULL, NULL),
                     ERROR_BAD_COMMAND);
    struct memory memory = memory_of(&one.worker);
    assert_int_equal(memory.with_out, 1);
    assert_true(memory.waiting_bytes <= SHARD_OUT_BLOCK);
    assert_int_equal(HttpCancelHttpRequest(one.server.queue, id, NULL), NO_ERROR);
    DWORD bytes = 0;
    assert_false(GetOverlappedResult(one.server.queue, &overlapped, &bytes, TRUE));
    assert_int_equal(GetLastError(), ERROR_OPERATION_ABORTED);
    one_close(&one);
}

/* Answers what it can until the queue is shut. */
static void *serve_all(void *argument)
{
    struct one *one = argument;
    struct received *received = malloc(sizeof *received);
    MUST(received != NULL);
    while (receive(one->server.queue, received, 0, NULL) == NO_ERROR) {
        ULONG status = answer_text(one->server.queue, received->request.RequestId, "ok");
        MUST(status == NO_ERROR || status == ERROR_CONNECTION_INVALID ||
             status == ERROR_OPERATION_ABORTED);
    }
    free(received);
    return NULL;
}

static void conn_a_flood_of_requests_holds_two_blocks(void **state)
{
    (void)state;
    static struct one one;
    pthread_t thread;
    one_open(&one);
    assert_int_equal(pthread_create(&thread, NULL, serve_all, &one), 0);
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    size_t at = 0;
    while (at + sizeof request < sizeof text) {
        memcpy(text + at, request, sizeof request - 1);
        at += sizeof request - 1;
    }
    /* Until the sockets and the blocks are full: the server has stopped reading. */
    struct pollfd out = {.fd = one.client.fd, .events = POLLOUT};
    for (size_t from = 0; poll(&out, 1, 300) == 1;) {
        ssize_t n = send(one.client.fd, text + from, at - from, MSG_NOSIGNAL | MSG_DONTWAIT);
        assert_true(n > 0);
        from = (from + (size_t)n) % at;
    }
    assert_int_equal(poll(&out, 1, 0), 0);
    struct memory memory = memory_of(&one.worker);
    assert_int_equal(memory.conns, 1);
    assert_true(memory.requests <= 1);
    assert_true(memory.waiting_bytes <= SHARD_OUT_BLOCK);
    assert_true(memory.spare_requests <= 2);
    client_reset(&one.client);
    assert_int_equal(HttpShutdownRequestQueue(one.server.queue), NO_ERROR);
    assert_int_equal(pthread_join(thread, NULL), 0);
    one_close(&one);
}

/* -------- a full input block -------- */

/* Two heads of the largest size fill the block; the body of the second one still has room. */
static void conn_a_body_behind_a_full_block_is_read(void **state)
{
    (void)state;
    static struct one one;
    struct gate gate;
    char body[16];
    ULONG count = 0;
    one_open(&one);
    make_head(text, "GET /1 HTTP/1.1", "", H1_HEAD_BYTES_MAX);
    make_head(text + H1_HEAD_BYTES_MAX, "POST /2 HTTP/1.1", "Transfer-Encoding: chunked\r\n",
              SHARD_IN_BLOCK - H1_HEAD_BYTES_MAX);
    gate_shut(&gate, &one.worker, NULL);
    assert_true(client_send(&one.client, text));
    gate_open(&gate);
    serve_one(&one);
    HTTP_REQUEST_ID id = receive_one(&one);
    assert_int_equal(one.received.request.Verb, HttpVerbPOST);
    assert_true(client_send(&one.client, "5\r\nhello\r\n0\r\n\r\n"));
    assert_int_equal(
        HttpReceiveRequestEntityBody(one.server.queue, id, 0, body, sizeof body, &count, NULL),
        NO_ERROR);
    assert_int_equal(count, 5);
    assert_memory_equal(body, "hello", 5);
    assert_int_equal(answer_text(one.server.queue, id, "ok"), NO_ERROR);
    client_expect(&one.client, 200, "ok");
    one_close(&one);
}

/* -------- the end of a connection -------- */

struct ending {
    uint16_t client_port;
    bool is_there, is_lingering, has_deadline, send_clock_runs;
    bool is_idle, is_readable;
};

static void job_ending(struct worker *worker, void *context)
{
    struct ending *ending = context;
    struct end_of end = {ending->client_port, NULL};
    job_find(worker, &end);
    ending->is_there = end.conn != NULL;
    if (end.conn != NULL) {
        ending->is_lingering = end.conn->state == CONN_LINGER;
        ending->is_idle = end.conn->state == CONN_IDLE;
        ending->is_readable = end.conn->readable;
        ending->has_deadline = end.conn->deadline_ns != UINT64_MAX;
        ending->send_clock_runs = end.conn->send_deadline_ns != UINT64_MAX;
    }
}

static struct ending look_at(struct one *one)
{
    struct ending ending = {.client_port = client_port(&one->client)};
    worker_run(&one->worker, job_ending, &ending);
    return ending;
}

/* A last answer that the client takes slowly: no clock but that of the send rate until it is out,
 * then CONN_LINGER_S for the client's own end. */
static void conn_a_slow_reader_gets_the_last_answer_whole(void **state)
{
    (void)state;
    static struct one one;
    static char large[4 << 20];
    struct answer answer;
    OVERLAPPED overlapped = {0};
    one_open(&one);
    int small = 32768;
    assert_int_equal(setsockopt(one.client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_true(client_get(&one.client, "/"));
    HTTP_REQUEST_ID id = receive_one(&one);
    make_answer(&answer, 200, "");
    answer.chunk.FromMemory.pBuffer = large;
    answer.chunk.FromMemory.BufferLength = sizeof large;
    assert_int_equal(
        send_answer(one.server.queue, id, &answer, HTTP_SEND_RESPONSE_FLAG_DISCONNECT, &overlapped),
        ERROR_IO_PENDING);
    struct ending ending = look_at(&one);
    assert_false(ending.is_lingering);
    assert_true(ending.send_clock_runs);
    struct reply reply;
    client_read(&one.client, &reply);
    assert_int_equal(reply.status, 200);
    assert_true(reply.close);
    assert_int_equal(reply.body_length, sizeof large);
    DWORD bytes = 0;
    assert_true(GetOverlappedResult(one.server.queue, &overlapped, &bytes, TRUE));
    WAIT_UNTIL((ending = look_at(&one)).is_lingering);
    assert_true(ending.has_deadline);
    assert_false(ending.send_clock_runs);
    client_expect_end(&one.client);
    assert_true(look_at(&one).is_there); /* it waits for the client's FIN */
    uint16_t port = client_port(&one.client);
    client_close(&one.client);
    ending.client_port = port;
    WAIT_UNTIL((worker_run(&one.worker, job_ending, &ending), !ending.is_there));
    one_close(&one);
}

struct slow {
    pthread_t thread;
    struct client *client;
    size_t seen;
};

/* Fifty kilobytes a second for longer than the send rate is judged over, then the rest. */
static void *read_slowly(void *argument)
{
    struct slow *slow = argument;
    char piece[5000];
    for (int i = 0; i < 130; i++) {
        ssize_t n = recv(slow->client->fd, piece, sizeof piece, MSG_WAITALL);
        if (n <= 0) {
            return NULL;
        }
        slow->seen += (size_t)n;
        usleep(50000);
    }
    for (ssize_t n = 1; n > 0; slow->seen += n > 0 ? (size_t)n : 0) {
        n = recv(slow->client->fd, piece, sizeof piece, 0);
    }
    return NULL;
}

/* Far above the minimal rate, but far too slow for the kernel's buffer to make room in between. */
static void conn_the_send_rate_is_that_of_the_client(void **state)
{
    (void)state;
    static struct one one;
    static char large[16 << 20];
    struct answer answer;
    one_open(&one);
    int small = 32768;
    assert_int_equal(setsockopt(one.client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_true(client_get(&one.client, "/"));
    HTTP_REQUEST_ID id = receive_one(&one);
    make_answer(&answer, 200, "");
    answer.chunk.FromMemory.pBuffer = large;
    answer.chunk.FromMemory.BufferLength = sizeof large;
    struct slow slow = {.client = &one.client};
    assert_int_equal(pthread_create(&slow.thread, NULL, read_slowly, &slow), 0);
    assert_int_equal(
        send_answer(one.server.queue, id, &answer, HTTP_SEND_RESPONSE_FLAG_DISCONNECT, NULL),
        NO_ERROR);
    assert_int_equal(pthread_join(slow.thread, NULL), 0);
    assert_true(slow.seen > sizeof large);
    one_close(&one);
}

/* A client that has said "close" sends no more: there is nothing to wait for. */
static void conn_that_the_client_ends_goes_with_its_answer(void **state)
{
    (void)state;
    static struct one one;
    one_open(&one);
    const char *requests[] = {"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                              "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"};
    for (int i = 0; i < 2; i++) {
        assert_true(client_send(&one.client, requests[i]));
        HTTP_REQUEST_ID id = receive_one(&one);
        assert_int_equal(answer_text(one.server.queue, id, "ok"), NO_ERROR);
        assert_false(look_at(&one).is_there);
        client_expect(&one.client, 200, "ok");
        client_expect_end(&one.client);
        client_close(&one.client);
        client_open(&one.client, one.server.port);
    }
    one_close(&one);
}

/* Unless there is something that it has sent already: a close would reset the answer away. */
static void conn_with_unread_input_lingers_whatever_the_client_said(void **state)
{
    (void)state;
    static struct one one;
    const char *requests[] = {
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\nGET /more HTTP/1.1\r\n",
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 9\r\n\r\nhalf"};
    one_open(&one);
    for (int i = 0; i < 2; i++) {
        assert_true(client_send(&one.client, requests[i]));
        HTTP_REQUEST_ID id = receive_one(&one);
        assert_int_equal(answer_text(one.server.queue, id, "ok"), NO_ERROR);
        assert_true(look_at(&one).is_lingering);
        client_expect(&one.client, 200, "ok");
        client_expect_end(&one.client);
        client_close(&one.client);
        client_open(&one.client, one.server.port);
    }
    one_close(&one);
}

/* Input that arrives while the application works is seen before the close. */
static void conn_with_late_input_lingers_whatever_the_client_said(void **state)
{
    (void)state;
    static struct one one;
    one_open(&one);
    assert_true(
        client_send(&one.client, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    HTTP_REQUEST_ID id = receive_one(&one);
    assert_true(client_send(&one.client, "unasked for"));
    struct ending ending;
    WAIT_UNTIL((ending = look_at(&one)).is_readable);
    assert_int_equal(answer_text(one.server.queue, id, "ok"), NO_ERROR);
    assert_true(look_at(&one).is_lingering);
    client_expect(&one.client, 200, "ok");
    client_expect_end(&one.client);
    one_close(&one);
}

/* While the output block is not through, lingering has no deadline of its own. */
static void conn_a_lingering_block_waits_for_the_send_rate_only(void **state)
{
    (void)state;
    static struct one one;
    static char piece[60000];
    one_open(&one);
    int small = 32768;
    assert_int_equal(setsockopt(one.client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    struct answer answer;
    ULONG sent = 0;
    size_t whole = 0;
    /* Answers of several requests, until the sockets are full and the block is not empty. */
    for (int i = 0; i < 1000 && look_at(&one).send_clock_runs == false; i++) {
        assert_true(client_get(&one.client, "/"));
        HTTP_REQUEST_ID id = receive_one(&one);
        make_answer(&answer, 200, "");
        answer.chunk.FromMemory.pBuffer = piece;
        answer.chunk.FromMemory.BufferLength = 16000;
        OVERLAPPED overlapped = {0};
        ULONG status = send_answer(one.server.queue, id, &answer, 0, &overlapped);
        assert_int_equal(status, NO_ERROR);
        whole++;
    }
    assert_true(look_at(&one).send_clock_runs);
    assert_true(client_send(&one.client, "BAD\r\n\r\n"));
    struct ending ending;
    WAIT_UNTIL((ending = look_at(&one)).is_lingering);
    assert_false(ending.has_deadline);
    for (size_t i = 0; i < whole; i++) {
        struct reply reply;
        client_read(&one.client, &reply);
        assert_int_equal(reply.status, 200);
        assert_int_equal(reply.body_length, 16000);
        sent++;
    }
    client_expect(&one.client, 400, NULL);
    client_expect_end(&one.client);
    one_close(&one);
}

struct flood {
    pthread_t thread;
    struct client *client;
};

static void *flood(void *argument)
{
    struct flood *self = argument;
    static const char waste[65536];
    while (send(self->client->fd, waste, sizeof waste, MSG_NOSIGNAL) > 0) {
    }
    return NULL;
}

/* Whoever goes on sending after a refusal holds up nobody else, and is cut off. */
static void conn_a_flood_after_a_refusal_does_not_hold_the_loop(void **state)
{
    (void)state;
    static struct one one;
    static struct client flooder;
    pthread_t thread;
    one_open(&one);
    assert_int_equal(pthread_create(&thread, NULL, serve_all, &one), 0);
    client_open(&flooder, one.server.port);
    assert_true(client_send(&flooder, "BAD\r\n\r\n"));
    struct flood self = {.client = &flooder};
    assert_int_equal(pthread_create(&self.thread, NULL, flood, &self), 0);
    for (int i = 0; i < 50; i++) {
        assert_true(client_get(&one.client, "/"));
        client_expect(&one.client, 200, "ok");
    }
    assert_int_equal(pthread_join(self.thread, NULL), 0);
    client_close(&flooder);
    assert_int_equal(HttpShutdownRequestQueue(one.server.queue), NO_ERROR);
    assert_int_equal(pthread_join(thread, NULL), 0);
    one_close(&one);
}

/* A file that had to wait leaves no send clock on a connection that then is idle. */
static void conn_the_send_clock_stops_with_the_last_byte_of_a_file(void **state)
{
    (void)state;
    static struct one one;
    enum { FILE_BYTES = 6 << 20 };
    one_open(&one);
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), FILE_BYTES), 0);
    int small = 32768;
    assert_int_equal(setsockopt(one.client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_true(client_get(&one.client, "/"));
    HTTP_REQUEST_ID id = receive_one(&one);
    struct answer answer;
    make_answer(&answer, 200, "");
    answer.chunk.DataChunkType = HttpDataChunkFromFileHandle;
    answer.chunk.FromFileHandle.ByteRange.StartingOffset.QuadPart = 0;
    answer.chunk.FromFileHandle.ByteRange.Length.QuadPart = FILE_BYTES;
    answer.chunk.FromFileHandle.FileHandle = http_handle_from_fd(fileno(file));
    OVERLAPPED overlapped = {0};
    assert_int_equal(send_answer(one.server.queue, id, &answer, 0, &overlapped), ERROR_IO_PENDING);
    assert_true(look_at(&one).send_clock_runs);
    struct reply reply;
    client_read(&one.client, &reply);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body_length, FILE_BYTES);
    DWORD bytes = 0;
    assert_true(GetOverlappedResult(one.server.queue, &overlapped, &bytes, TRUE));
    struct ending ending = look_at(&one);
    assert_true(ending.is_idle);
    assert_false(ending.send_clock_runs);
    (void)fclose(file);
    one_close(&one);
}

/* -------- no descriptors -------- */

struct pauses {
    unsigned listeners, paused;
};

static void job_pauses(struct worker *worker, void *context)
{
    struct pauses *pauses = context;
    struct list_node *node, *next;
    (void)worker;
    memset(pauses, 0, sizeof *pauses);
    LIST_FOREACH_SAFE(node, next, &shard_current()->listeners)
    {
        pauses->listeners++;
        pauses->paused += loop_timer_is_running(&LIST_ITEM(node, struct listener, link)->pause);
    }
}

static void conn_without_descriptors_a_listener_pauses(void **state)
{
    (void)state;
    static struct one one;
    static struct client waiting;
    struct rlimit limit, lower;
    one_open(&one);
    assert_true(client_get(&one.client, "/"));
    serve_one(&one);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    waiting.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int free_fd = dup(0);
    assert_true(waiting.fd >= 0 && free_fd >= 0);
    close(free_fd);
    lower = limit;
    lower.rlim_cur = (rlim_t)free_fd;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lower), 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(one.server.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(waiting.fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_true(client_get(&waiting, "/"));
    struct pauses pauses = {0, 0};
    WAIT_UNTIL((worker_run(&one.worker, job_pauses, &pauses), pauses.paused > 0));
    assert_true(pauses.listeners >= pauses.paused);
    assert_true(client_get(&one.client, "/")); /* connections that are open are served */
    serve_one(&one);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(answer_text(one.server.queue, receive_one(&one), "late"), NO_ERROR);
    client_expect(&waiting, 200, "late");
    client_close(&waiting);
    /* A paused listener can be closed. */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lower), 0);
    int again = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (again >= 0 && connect(again, (struct sockaddr *)&address, sizeof address) == 0) {
        worker_run(&one.worker, job_pauses, &pauses);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(server_remove(&one.server, "/"), NO_ERROR);
    worker_run(&one.worker, job_pauses, &pauses);
    assert_int_equal(pauses.listeners, 0);
    if (again >= 0) {
        close(again);
    }
    one_close(&one);
}

static void conn_a_url_without_descriptors_is_refused(void **state)
{
    (void)state;
    static struct one one;
    struct rlimit limit, lower;
    uint16_t first = 0;
    one_open(&one);
    first = one.server.port;
    assert_int_equal(loop_find_free_port(&one.server.port), NO_ERROR);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int free_fd = dup(0);
    close(free_fd);
    for (int spare = 0; spare < 2; spare++) { /* none; one, where two are needed */
        lower = limit;
        lower.rlim_cur = (rlim_t)(free_fd + spare);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &lower), 0);
        ULONG status = try_add(&one.server, one.server.group, "/", 0);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(status, ERROR_NOT_ENOUGH_MEMORY);
    }
    assert_int_equal(try_add(&one.server, one.server.group, "/", 0), NO_ERROR);
    one.server.port = first;
    assert_true(client_get(&one.client, "/"));
    serve_one(&one);
    one_close(&one);
}

/* An event call needs a descriptor of the engine's own: without one it does not begin. */
static void conn_an_event_call_without_descriptors_is_refused(void **state)
{
    (void)state;
    static struct one one;
    struct rlimit limit, lower;
    one_open(&one);
    OVERLAPPED overlapped = {.hEvent = CreateEvent(NULL, TRUE, FALSE, NULL)};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int free_fd = dup(0);
    close(free_fd);
    lower = limit;
    lower.rlim_cur = (rlim_t)free_fd;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lower), 0);
    ULONG status = receive(one.server.queue, &one.received, 0, &overlapped);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(status, ERROR_NOT_ENOUGH_MEMORY);
    assert_true(client_get(&one.client, "/"));
    serve_one(&one);
    assert_true(CloseHandle(overlapped.hEvent));
    one_close(&one);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conn_an_idle_connection_owns_no_buffer),
        cmocka_unit_test(conn_a_client_that_never_reads_holds_one_block),
        cmocka_unit_test(conn_a_flood_of_requests_holds_two_blocks),
        cmocka_unit_test(conn_a_body_behind_a_full_block_is_read),
        cmocka_unit_test(conn_a_slow_reader_gets_the_last_answer_whole),
        cmocka_unit_test(conn_the_send_rate_is_that_of_the_client),
        cmocka_unit_test(conn_that_the_client_ends_goes_with_its_answer),
        cmocka_unit_test(conn_with_unread_input_lingers_whatever_the_client_said),
        cmocka_unit_test(conn_with_late_input_lingers_whatever_the_client_said),
        cmocka_unit_test(conn_a_lingering_block_waits_for_the_send_rate_only),
        cmocka_unit_test(conn_a_flood_after_a_refusal_does_not_hold_the_loop),
        cmocka_unit_test(conn_the_send_clock_stops_with_the_last_byte_of_a_file),
        cmocka_unit_test(conn_without_descriptors_a_listener_pauses),
        cmocka_unit_test(conn_a_url_without_descriptors_is_refused),
        cmocka_unit_test(conn_an_event_call_without_descriptors_is_refused),
    };
    rig_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
