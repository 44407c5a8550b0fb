/* A request: from the end of its head to the end of its answer.
 *
 * Step before: h1.c has parsed and routed it. Step after: queue.c hands it to a receive (receive.c
 * writes the HTTP_REQUEST), body.c reads its entity body, response.c answers it.
 *
 * The head stays in the connection's input block while the request lives. receive.c parses it again
 * when it was not delivered at once, which is rarer and cheaper than keeping a parsed copy.
 *
 * Borrowed. A request received with HTTP_RECEIVE_REQUEST_FLAG_BORROW has shown its head's bytes to
 * the application. If its connection is lost, the request stays as LOST and keeps the block until
 * the application cancels it; every other call on it answers ERROR_CONNECTION_INVALID.
 *
 * Owner and thread: the shard of its connection. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "engine/conn.h"
#include "protocol/chunked.h"

struct call;
struct port;

/* Who has the request; changed by request_set_stage alone.
 *
 *   REQUEST_QUEUED     waits in its port                                -> BOUND DELIVERED
 *   REQUEST_BOUND      a receive was too small: only its id gets it     -> DELIVERED
 *   REQUEST_DELIVERED  with the application                             -> STREAMING ANSWERED LOST
 *   REQUEST_STREAMING  head handed over, more body to come              -> ANSWERED LOST
 *   REQUEST_ANSWERED   all handed over; its id is dead, its body drains -> (closed)
 *   REQUEST_LOST       its connection is gone, its bytes are lent       -> (closed)
 * Every stage may be closed (request_close). */
enum request_stage {
    REQUEST_QUEUED,
    REQUEST_BOUND,
    REQUEST_DELIVERED,
    REQUEST_STREAMING,
    REQUEST_ANSWERED,
    REQUEST_LOST
};

enum request_body { BODY_NONE, BODY_LENGTH, BODY_CHUNKED };

/* How the end of the answer's body is told. */
enum response_framing {
    FRAMING_LENGTH,  /* Content-Length */
    FRAMING_CHUNKED, /* we frame */
    FRAMING_CLOSE,   /* by closing: HTTP/1.0 without a length */
    FRAMING_CALLER,  /* the caller sends Transfer-Encoding and frames */
    FRAMING_NO_BODY  /* HEAD, 1xx, 204, 304: body bytes are taken and not sent */
};

struct request {
    uint64_t id;       /* HTTP_REQUEST_ID; 0 while it is in the spare list */
    struct conn *conn; /* NULL when LOST */
    struct shard *shard;
    struct port *port;
    struct list_node port_link; /* port->undelivered or ->delivered */
    HTTP_URL_CONTEXT url_context;
    char *lent_block;    /* LOST: the input block that the application may still read */
    uint16_t head_start; /* in conn->in */
    uint16_t head_bytes;
    uint8_t stage, body, framing; /* the enums above */
    uint8_t verb;                 /* enum verb */
    uint64_t received_bytes;      /* head and body bytes seen */
    uint64_t body_left;           /* BODY_LENGTH: bytes not yet given out or discarded */
    struct chunked chunked;       /* BODY_CHUNKED: decoder */
    struct slice decoded;         /* BODY_CHUNKED: decoded, in the block, not yet given out */
    uint64_t discarded;           /* bytes thrown away while draining */
    struct call *reader;          /* entity body read that waits, or NULL */
    struct call *sender;          /* send that waits, or NULL */
    uint64_t length_left;         /* FRAMING_LENGTH: body bytes still owed */
    bool body_ended : 1;          /* all of the body has been given out or discarded */
    bool http10 : 1;
    bool keep_alive : 1;      /* the client wants the connection kept */
    bool close_after : 1;     /* the answer says Connection: close, or ends by closing */
    bool expect_continue : 1; /* 100 wanted and not yet sent */
    bool by_address : 1;      /* routed by an IP-bound prefix */
    bool borrowed : 1;        /* the application holds slices of the head */
};

/* Takes a request for the head in the shard's scratch; conn->request is set. NULL: no memory. */
struct request *request_open(struct conn *conn);
/* Ends it: out of its port, waiting calls complete with `status`, its id is dead. */
void request_close(struct request *request, ULONG status);
/* Its connection has gone: closed, or LOST when the application holds its bytes. */
void request_on_conn_lost(struct request *request);
/* The connection's clock ran out in state REQUEST. */
void request_on_deadline(struct request *request);
void request_set_stage(struct request *request, enum request_stage stage);
/* Whether the application has it and it can still be answered. NULL: no. */
static inline bool request_is_held(const struct request *request)
{
    return request != NULL &&
           (request->stage == REQUEST_DELIVERED || request->stage == REQUEST_STREAMING);
}
/* Where body bytes begin in the input block. */
static inline uint16_t request_body_base(const struct request *request)
{
    return (uint16_t)(request->head_start + request->head_bytes);
}
/* Frees what the shard keeps for reuse; all requests are closed. */
void request_free_all(struct shard *shard);

/* HttpCancelHttpRequest. */
ULONG request_cancel(struct shard *shard, struct call *call);
