/* A server with one worker, and a client at it. The test's own thread receives and answers. */
#pragma once

#include "engine/rig.h"

struct one {
    struct server server;
    struct worker worker;
    struct client client;
    struct received received;
};

static inline void one_open(struct one *one)
{
    memset(one, 0, sizeof *one);
    server_open(&one->server);
    worker_start(&one->worker, one->server.queue);
    server_add(&one->server, "/", 0);
    client_open(&one->client, one->server.port);
}

static inline void one_close(struct one *one)
{
    client_close(&one->client);
    worker_stop(&one->worker);
    server_close(&one->server);
}

/* Receives any request on this thread, its strings lent, so that a small buffer is enough. */
static inline HTTP_REQUEST_ID receive_one(struct one *one)
{
    MUST(receive(one->server.queue, &one->received, HTTP_RECEIVE_REQUEST_FLAG_BORROW, NULL) ==
         NO_ERROR);
    return one->received.request.RequestId;
}

static inline void serve_one(struct one *one)
{
    HTTP_REQUEST_ID id = receive_one(one);
    MUST(answer_text(one->server.queue, id, "ok") == NO_ERROR);
    client_expect(&one->client, 200, "ok");
}
