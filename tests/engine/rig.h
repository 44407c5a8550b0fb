/* A small world for the engine's tests: a server on a free port, clients on plain sockets, and
 * workers, threads that turn a loop and do what a test tells them to. Everything that waits for
 * something that must happen does so for RIG_WAIT_MS, then the test fails. */
#pragma once

#include "support/cmocka_all.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "api/httpapi.h"
#include "api/loop.h"
#include "base/list.h"
#include "engine/conn.h"
#include "engine/shard.h"
#include "net/sock.h"

enum { RIG_WAIT_MS = 20000, RIG_PAUSE_US = 500, CLIENT_BYTES = 256 * 1024, RIG_BUFFER = 8192 };

/* For threads other than the main one, where cmocka's asserts cannot be used. */
#define MUST(condition)                                                                            \
    ((condition) ? (void)0                                                                         \
                 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), abort()))

/* Before the first test; argv[1], when given, chooses tests (wildcards ? and *). What fails ends
 * the program: a jump out of a test would leave its threads behind, with parts of its stack. */
static inline void rig_start(int argc, char **argv)
{
    MUST(setenv("CMOCKA_TEST_ABORT", "1", 1) == 0);
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
}

static inline uint64_t rig_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Waits until the condition holds; it is looked at again and again. */
#define WAIT_UNTIL(condition)                                                                      \
    for (uint64_t wait_end = rig_now_ms() + RIG_WAIT_MS; !(condition);) {                          \
        MUST(rig_now_ms() < wait_end);                                                             \
        usleep(RIG_PAUSE_US);                                                                      \
    }

/* -------- the server side -------- */

struct server {
    HTTP_SERVER_SESSION_ID session;
    HTTP_URL_GROUP_ID group;
    HANDLE queue;
    uint16_t port; /* 0 until the first URL */
};

static const HTTPAPI_VERSION rig_version = {2, 0};

static inline ULONG bind_group(HTTP_URL_GROUP_ID group, HANDLE queue)
{
    HTTP_BINDING_INFO binding = {.Flags.Present = queue != NULL, .RequestQueueHandle = queue};
    return HttpSetUrlGroupProperty(group, HttpServerBindingProperty, &binding, sizeof binding);
}

static inline HANDLE open_queue(void)
{
    HANDLE queue = NULL;
    HTTP_503_RESPONSE_VERBOSITY verbosity = Http503ResponseVerbosityLimited;
    MUST(HttpCreateRequestQueue(rig_version, NULL, NULL, 0, &queue) == NO_ERROR);
    MUST(HttpSetRequestQueueProperty(queue, HttpServer503VerbosityProperty, &verbosity,
                                     sizeof verbosity, 0, NULL) == NO_ERROR);
    return queue;
}

/* Initialised, one session, one group bound to one queue, no URL. */
static inline void server_open(struct server *server)
{
    memset(server, 0, sizeof *server);
    MUST(HttpInitialize(rig_version, HTTP_INITIALIZE_SERVER, NULL) == NO_ERROR);
    MUST(HttpCreateServerSession(rig_version, &server->session, 0) == NO_ERROR);
    MUST(HttpCreateUrlGroup(server->session, &server->group, 0) == NO_ERROR);
    server->queue = open_queue();
    MUST(bind_group(server->group, server->queue) == NO_ERROR);
}

static inline ULONG try_add(const struct server *server, HTTP_URL_GROUP_ID group, const char *tail,
                            HTTP_URL_CONTEXT context)
{
    char url[256];
    (void)snprintf(url, sizeof url, "http://localhost:%u%s", (unsigned)server->port, tail);
    return HttpAddUrlToUrlGroup(group, url, context, 0);
}

/* "http://localhost:PORT" tail; the first one looks for a port, and for another when somebody
 * took it meanwhile: another program, or another thread of this one. */
static inline void server_add(struct server *server, const char *tail, HTTP_URL_CONTEXT context)
{
    ULONG status = NO_ERROR;
    bool first = server->port == 0;
    do {
        MUST(!first || loop_find_free_port(&server->port) == NO_ERROR);
        status = try_add(server, server->group, tail, context);
    } while (first && (status == ERROR_SHARING_VIOLATION || status == ERROR_ALREADY_EXISTS));
    MUST(status == NO_ERROR);
}

static inline ULONG server_remove(const struct server *server, const char *tail)
{
    char url[256];
    (void)snprintf(url, sizeof url, "http://localhost:%u%s", (unsigned)server->port, tail);
    return HttpRemoveUrlFromUrlGroup(server->group, url, 0);
}

static inline void server_close(struct server *server)
{
    MUST(HttpCloseUrlGroup(server->group) == NO_ERROR);
    MUST(HttpCloseServerSession(server->session) == NO_ERROR);
    if (server->queue != NULL) {
        MUST(HttpCloseRequestQueue(server->queue) == NO_ERROR);
    }
    MUST(HttpTerminate(HTTP_INITIALIZE_SERVER, NULL) == NO_ERROR);
}

static inline void set_timeouts(const struct server *server, HTTP_TIMEOUT_LIMIT_INFO timeouts)
{
    timeouts.Flags.Present = 1;
    MUST(HttpSetUrlGroupProperty(server->group, HttpServerTimeoutsProperty, &timeouts,
                                 sizeof timeouts) == NO_ERROR);
}

/* Room for a received request. */
struct received {
    union {
        HTTP_REQUEST request;
        char bytes[RIG_BUFFER];
    };
};

/* A response with a text body, alive as long as the send. */
struct answer {
    HTTP_RESPONSE response;
    HTTP_DATA_CHUNK chunk;
    char text[64];
};

static inline HTTP_RESPONSE *make_answer(struct answer *answer, USHORT status, const char *text)
{
    memset(answer, 0, sizeof *answer);
    (void)snprintf(answer->text, sizeof answer->text, "%s", text);
    answer->chunk.DataChunkType = HttpDataChunkFromMemory;
    answer->chunk.FromMemory.pBuffer = answer->text;
    answer->chunk.FromMemory.BufferLength = (ULONG)strlen(answer->text);
    answer->response.StatusCode = status;
    answer->response.EntityChunkCount = 1;
    answer->response.pEntityChunks = &answer->chunk;
    return &answer->response;
}

static inline ULONG send_answer(HANDLE queue, HTTP_REQUEST_ID id, struct answer *answer,
                                ULONG flags, OVERLAPPED *overlapped)
{
    return HttpSendHttpResponse(queue, id, flags, &answer->response, NULL, NULL, NULL, 0,
                                overlapped, NULL);
}

/* Synchronous. */
static inline ULONG answer_text(HANDLE queue, HTTP_REQUEST_ID id, const char *text)
{
    struct answer answer;
    make_answer(&answer, 200, text);
    return send_answer(queue, id, &answer, 0, NULL);
}

static inline ULONG receive(HANDLE queue, struct received *received, ULONG flags,
                            OVERLAPPED *overlapped)
{
    return HttpReceiveHttpRequest(queue, HTTP_NULL_ID, flags, &received->request,
                                  sizeof received->bytes, NULL, overlapped);
}

/* -------- clients -------- */

struct client {
    int fd;
    size_t length;
    char bytes[CLIENT_BYTES]; /* received, not yet taken */
};

struct reply {
    unsigned status; /* 0: the connection ended without an answer */
    bool close;      /* it says Connection: close */
    size_t body_length;
    char body[256]; /* its beginning, terminated */
};

static inline bool client_try_open(struct client *client, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval limit = {.tv_sec = RIG_WAIT_MS / 1000};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->length = 0;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(client->fd >= 0);
    MUST(setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    MUST(setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
    int result = -1;
    do { /* a thread that has closed a ring is interrupted once (net/loop_uring.c) */
        result = connect(client->fd, (struct sockaddr *)&address, sizeof address);
    } while (result != 0 && errno == EINTR);
    if (result == 0) {
        return true;
    }
    close(client->fd);
    client->fd = -1;
    return false;
}

static inline void client_open(struct client *client, uint16_t port)
{
    MUST(client_try_open(client, port));
}

static inline void client_close(struct client *client)
{
    if (client->fd >= 0) {
        close(client->fd);
    }
    client->fd = -1;
}

static inline void client_reset(struct client *client)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    MUST(setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    client_close(client);
}

/* false: the peer has gone. */
static inline bool client_send(struct client *client, const char *text)
{
    size_t length = strlen(text);
    ssize_t n = -1;
    do {
        n = send(client->fd, text, length, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)length;
}

static inline bool client_get(struct client *client, const char *target)
{
    char text[512];
    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target);
    return client_send(client, text);
}

/* One more read. false: the end, of either kind. */
static inline bool client_fill(struct client *client)
{
    MUST(client->length < CLIENT_BYTES - 1);
    ssize_t n = -1;
    do {
        n = recv(client->fd, client->bytes + client->length, CLIENT_BYTES - 1 - client->length, 0);
    } while (n < 0 && errno == EINTR);
    MUST(n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK)); /* silence is a failure */
    client->length += n > 0 ? (size_t)n : 0;
    client->bytes[client->length] = 0;
    return n > 0;
}

static inline void client_take(struct client *client, size_t count)
{
    memmove(client->bytes, client->bytes + count, client->length - count + 1);
    client->length -= count;
}

static inline void keep_body(struct reply *reply, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++, reply->body_length++) {
        if (reply->body_length < sizeof reply->body - 1) {
            reply->body[reply->body_length] = p[i];
            reply->body[reply->body_length + 1] = 0;
        }
    }
}

static inline bool take_exactly(struct client *client, struct reply *reply, size_t count)
{
    while (count > 0) {
        if (client->length == 0 && !client_fill(client)) {
            return false;
        }
        size_t n = client->length < count ? client->length : count;
        keep_body(reply, client->bytes, n);
        client_take(client, n);
        count -= n;
    }
    return true;
}

static inline bool take_chunks(struct client *client, struct reply *reply)
{
    for (;;) {
        char *end = NULL;
        while ((end = strstr(client->bytes, "\r\n")) == NULL) {
            if (!client_fill(client)) {
                return false;
            }
        }
        size_t size = (size_t)strtoul(client->bytes, NULL, 16);
        client_take(client, (size_t)(end - client->bytes) + 2);
        struct reply line = {0};
        if (!take_exactly(client, reply, size) || !take_exactly(client, &line, 2)) {
            return false;
        }
        if (size == 0) {
            return true;
        }
    }
}

/* Reads one answer. status 0: none came, or not a whole one. */
static inline void client_read(struct client *client, struct reply *reply)
{
    char *end = NULL;
    memset(reply, 0, sizeof *reply);
    client->bytes[client->length] = 0;
    while ((end = strstr(client->bytes, "\r\n\r\n")) == NULL) {
        if (!client_fill(client)) {
            return;
        }
    }
    *end = 0;
    const char *length = strstr(client->bytes, "\r\nContent-Length: ");
    bool chunked = strstr(client->bytes, "\r\nTransfer-Encoding: chunked") != NULL;
    size_t body = length == NULL ? 0 : strtoul(length + strlen("\r\nContent-Length: "), NULL, 10);
    unsigned status = (unsigned)strtoul(client->bytes + strlen("HTTP/1.1 "), NULL, 10);
    reply->close = strstr(client->bytes, "\r\nConnection: close") != NULL;
    client_take(client, (size_t)(end - client->bytes) + 4);
    bool whole = chunked ? take_chunks(client, reply) : take_exactly(client, reply, body);
    reply->status = whole ? status : 0;
}

static inline void client_expect(struct client *client, unsigned status, const char *body)
{
    struct reply reply;
    client_read(client, &reply);
    if (reply.status != status || (body != NULL && strcmp(reply.body, body) != 0)) {
        fprintf(stderr, "expected %u \"%s\", seen %u \"%s\"\n", status, body == NULL ? "" : body,
                reply.status, reply.body);
        abort();
    }
}

/* The connection ends, by FIN or reset, with nothing more on it. */
static inline void client_expect_end(struct client *client)
{
    MUST(client->length == 0);
    MUST(!client_fill(client));
}

/* Nothing comes for a moment: for what must not happen, where an error would be seen mostly. */
static inline bool client_is_silent(struct client *client)
{
    struct pollfd waiting = {.fd = client->fd, .events = POLLIN};
    return client->length == 0 && poll(&waiting, 1, 50) == 0;
}

/* -------- workers -------- */

/* An overlapped call and its end. */
struct op {
    struct loop_op op; /* first */
    ULONG status, bytes;
    _Atomic unsigned completions;
};

static inline void on_op(struct loop_op *loop_op, ULONG status, ULONG bytes)
{
    struct op *op = (struct op *)loop_op;
    op->status = status;
    op->bytes = bytes;
    atomic_fetch_add(&op->completions, 1);
}

static inline OVERLAPPED *fresh(struct op *op)
{
    memset(op, 0, sizeof *op);
    op->op.on_complete = on_op;
    return &op->op.overlapped;
}

static inline ULONG op_wait(struct op *op)
{
    WAIT_UNTIL(atomic_load(&op->completions) > 0);
    MUST(atomic_load(&op->completions) == 1);
    return op->status;
}

struct worker {
    pthread_t thread;
    HANDLE queue; /* attached when it starts; NULL: none */
    struct loop *loop;
    bool stop; /* its own thread's */
    pthread_mutex_t mutex;
    pthread_cond_t done;
};

struct job {
    struct loop_task task;
    struct worker *worker;
    void (*run)(struct worker *worker, void *context);
    void *context;
    bool done; /* under the worker's mutex */
};

static inline void end_job(struct job *job)
{
    pthread_mutex_lock(&job->worker->mutex);
    job->done = true;
    pthread_cond_broadcast(&job->worker->done);
    pthread_mutex_unlock(&job->worker->mutex);
}

static inline void run_job(struct loop_task *task)
{
    struct job *job = LIST_ITEM(task, struct job, task);
    job->run(job->worker, job->context);
    end_job(job);
}

/* Runs a function on the worker's thread, between turns, and waits for its end. */
static inline void worker_run(struct worker *worker, void (*run)(struct worker *, void *),
                              void *context)
{
    struct job job = {.task.run = run_job, .worker = worker, .run = run, .context = context};
    pthread_mutex_lock(&worker->mutex); /* held until the post is over: the loop outlives it */
    loop_post(worker->loop, &job.task);
    while (!job.done) {
        pthread_cond_wait(&worker->done, &worker->mutex);
    }
    pthread_mutex_unlock(&worker->mutex);
}

static inline void *work(void *argument)
{
    struct worker *worker = argument;
    struct loop *loop = NULL;
    MUST(loop_open(LOOP_BACKEND_DEFAULT, &loop) == NO_ERROR);
    MUST(worker->queue == NULL || loop_attach_queue(loop, worker->queue) == NO_ERROR);
    pthread_mutex_lock(&worker->mutex);
    worker->loop = loop;
    pthread_cond_broadcast(&worker->done);
    pthread_mutex_unlock(&worker->mutex);
    while (!worker->stop) {
        MUST(loop_run_once(loop, UINT64_MAX) == NO_ERROR);
    }
    loop_close(loop);
    return NULL;
}

static inline void worker_start(struct worker *worker, HANDLE queue)
{
    memset(worker, 0, sizeof *worker);
    pthread_mutex_init(&worker->mutex, NULL);
    pthread_cond_init(&worker->done, NULL);
    worker->queue = queue;
    MUST(pthread_create(&worker->thread, NULL, work, worker) == 0);
    pthread_mutex_lock(&worker->mutex);
    while (worker->loop == NULL) {
        pthread_cond_wait(&worker->done, &worker->mutex);
    }
    pthread_mutex_unlock(&worker->mutex);
}

static inline void job_stop(struct worker *worker, void *context)
{
    (void)context;
    worker->stop = true;
}

/* Its loop is closed when this returns. */
static inline void worker_stop(struct worker *worker)
{
    worker_run(worker, job_stop, NULL);
    MUST(pthread_join(worker->thread, NULL) == 0);
    pthread_cond_destroy(&worker->done);
    pthread_mutex_destroy(&worker->mutex);
}

static inline void job_count(struct worker *worker, void *context)
{
    *(size_t *)context = loop_connection_count(worker->loop);
}

static inline size_t worker_connections(struct worker *worker)
{
    size_t count = 0;
    worker_run(worker, job_count, &count);
    return count;
}

/* The worker's end of a client's connection; only its thread may look into it. */
struct end_of {
    uint16_t client_port;
    struct conn *conn; /* NULL: it is not this worker's */
};

static inline void job_find(struct worker *worker, void *context)
{
    struct end_of *end = context;
    struct list_node *node, *next;
    (void)worker;
    end->conn = NULL;
    LIST_FOREACH_SAFE(node, next, &shard_current()->conns)
    {
        struct conn *conn = LIST_ITEM(node, struct conn, link);
        if (sock_addr_port(&conn->peer) == end->client_port) {
            end->conn = conn;
        }
    }
}

static inline uint16_t client_port(const struct client *client)
{
    struct sock_addr address;
    MUST(sock_local_addr(client->fd, &address) == NO_ERROR);
    return sock_addr_port(&address);
}

/* Opens a connection that this worker accepts, however many the kernel gives to others. */
static inline void client_open_at(struct client *client, uint16_t port, struct worker *worker)
{
    for (int i = 0; i < 1000; i++) {
        client_open(client, port);
        struct end_of end = {client_port(client), NULL};
        for (int k = 0; k < 3 && end.conn == NULL; k++) {
            worker_run(worker, job_find, &end); /* sockets come before jobs in a turn */
        }
        if (end.conn != NULL) {
            worker_run(worker, job_find, &end); /* its first read ends with the turn of before */
            return;
        }
        client_close(client);
    }
    MUST(false);
}

/* A receive of a worker, made by a job. */
struct receive_job {
    HANDLE queue;
    struct received *received;
    struct op *op;
    ULONG flags, status;
};

static inline void job_receive(struct worker *worker, void *context)
{
    struct receive_job *job = context;
    (void)worker;
    job->status = receive(job->queue, job->received, job->flags, fresh(job->op));
}

/* Starts a receive on the worker's loop; it must be accepted. */
static inline void worker_receive(struct worker *worker, HANDLE queue, ULONG flags,
                                  struct received *received, struct op *op)
{
    struct receive_job job = {queue, received, op, flags, NO_ERROR};
    worker_run(worker, job_receive, &job);
    MUST(job.status == ERROR_IO_PENDING || job.status == NO_ERROR);
}

struct answer_job {
    HANDLE queue;
    HTTP_REQUEST_ID id;
    struct answer *answer;
    struct op *op;
    ULONG flags, status;
};

static inline void job_answer(struct worker *worker, void *context)
{
    struct answer_job *job = context;
    (void)worker;
    job->status = send_answer(job->queue, job->id, job->answer, job->flags, fresh(job->op));
}

/* Answers from the worker's thread and waits for the end of the send. */
static inline ULONG worker_answer(struct worker *worker, HANDLE queue, HTTP_REQUEST_ID id,
                                  const char *text)
{
    struct answer answer;
    struct op op;
    make_answer(&answer, 200, text);
    struct answer_job job = {queue, id, &answer, &op, 0, NO_ERROR};
    worker_run(worker, job_answer, &job);
    bool completes = job.status == ERROR_IO_PENDING || job.status == NO_ERROR;
    return completes ? op_wait(&op) : job.status;
}

/* -------- a worker that is kept busy -------- */

struct gate {
    pthread_t thread;
    struct worker *worker;
    void (*then)(struct worker *worker, void *context); /* may be NULL */
    pthread_barrier_t inside, open;
};

static inline void job_gate(struct worker *worker, void *context)
{
    struct gate *gate = context;
    (void)pthread_barrier_wait(&gate->inside);
    (void)pthread_barrier_wait(&gate->open);
    if (gate->then != NULL) {
        gate->then(worker, NULL);
    }
}

static inline void *run_gate(void *argument)
{
    struct gate *gate = argument;
    worker_run(gate->worker, job_gate, gate);
    return NULL;
}

/* The worker does nothing until gate_open: what is sent meanwhile it reads in one go. `then` is
 * what it does first. */
static inline void gate_shut(struct gate *gate, struct worker *worker,
                             void (*then)(struct worker *, void *))
{
    gate->worker = worker;
    gate->then = then;
    MUST(pthread_barrier_init(&gate->inside, NULL, 2) == 0);
    MUST(pthread_barrier_init(&gate->open, NULL, 2) == 0);
    MUST(pthread_create(&gate->thread, NULL, run_gate, gate) == 0);
    (void)pthread_barrier_wait(&gate->inside);
}

static inline void gate_open(struct gate *gate)
{
    (void)pthread_barrier_wait(&gate->open);
    MUST(pthread_join(gate->thread, NULL) == 0);
    MUST(pthread_barrier_destroy(&gate->inside) == 0);
    MUST(pthread_barrier_destroy(&gate->open) == 0);
}
