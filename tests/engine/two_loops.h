/* Two workers behind one queue: the near one has the connections, the far one makes the receives;
 * and the calls that tests make on their threads. */
#pragma once

#include "engine/rig.h"

/* A server with two workers: connections are opened at the one, receives are made at the other. */
struct two {
    struct server server;
    struct worker near, far; /* near has the connection, far the receive */
    struct client client;
    struct received received;
    struct op op;
};

static inline void two_open(struct two *two)
{
    memset(two, 0, sizeof *two);
    two->client.fd = -1;
    server_open(&two->server);
    worker_start(&two->near, two->server.queue);
    worker_start(&two->far, two->server.queue);
    server_add(&two->server, "/", 7);
    client_open_at(&two->client, two->server.port, &two->near);
}

static inline void two_close(struct two *two)
{
    client_close(&two->client);
    worker_stop(&two->far);
    worker_stop(&two->near);
    server_close(&two->server);
}

static inline HTTP_REQUEST_ID receive_far(struct two *two, const char *request)
{
    worker_receive(&two->far, two->server.queue, 0, &two->received, &two->op);
    MUST(client_send(&two->client, request));
    MUST(op_wait(&two->op) == NO_ERROR);
    return two->received.request.RequestId;
}

static const char plain_get[] = "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";

/* A call of the far worker on the request, and how it ended. */
struct body_job {
    HANDLE queue;
    HTTP_REQUEST_ID id;
    char *buffer;
    ULONG size, flags, status;
    HTTP_DATA_CHUNK chunk;
    struct op *op;
};

static inline void job_read(struct worker *worker, void *context)
{
    struct body_job *job = context;
    (void)worker;
    job->status = HttpReceiveRequestEntityBody(job->queue, job->id, job->flags, job->buffer,
                                               job->size, NULL, fresh(job->op));
}

static inline void job_send_body(struct worker *worker, void *context)
{
    struct body_job *job = context;
    (void)worker;
    job->chunk.DataChunkType = HttpDataChunkFromMemory;
    job->chunk.FromMemory.pBuffer = job->buffer;
    job->chunk.FromMemory.BufferLength = job->size;
    job->status = HttpSendResponseEntityBody(job->queue, job->id, job->flags, job->size > 0,
                                             &job->chunk, NULL, NULL, 0, fresh(job->op), NULL);
}

struct id_job {
    HANDLE queue;
    HTTP_OPAQUE_ID id;
    ULONG status;
    struct op *op;
};

static inline void job_cancel_request(struct worker *worker, void *context)
{
    struct id_job *job = context;
    (void)worker;
    job->status = HttpCancelHttpRequest(job->queue, job->id, fresh(job->op));
}

static inline void job_wait_disconnect(struct worker *worker, void *context)
{
    struct id_job *job = context;
    (void)worker;
    job->status = HttpWaitForDisconnect(job->queue, job->id, fresh(job->op));
}

/* A thread without a loop that serves until its receive fails. */
struct sync_thread {
    pthread_t thread;
    HANDLE queue;
    unsigned served;
    ULONG status; /* that ended it */
};

static inline void *serve_synchronously(void *argument)
{
    struct sync_thread *self = argument;
    struct received *received = malloc(sizeof *received);
    MUST(received != NULL);
    while ((self->status = receive(self->queue, received, 0, NULL)) == NO_ERROR) {
        ULONG status = answer_text(self->queue, received->request.RequestId, "sync");
        MUST(status == NO_ERROR || status == ERROR_CONNECTION_INVALID);
        self->served++;
    }
    free(received);
    return NULL;
}
