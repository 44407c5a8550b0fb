/* A request: the memory it was received into, its place in the state, its way through the contract.
 * What Lua sees of it is in request_type.h.
 *
 * struct request is the receive, the request and the answer in one piece of pooled memory, so that
 * a hello request allocates nothing here. Lua has only an id (slot + generation): after its end a
 * kept userdata answers "closed http.request" and can never mean another request.
 *
 *   REQUEST_FREE       in the pool                                       RECEIVING
 *   REQUEST_RECEIVING  posted on a queue                                 DELIVERED, FREE
 *   REQUEST_DELIVERED  has arrived; nobody has it yet                    LIVE, ENDED
 *   REQUEST_LIVE       a handler or a puller has it                      STREAMING, ENDED
 *   REQUEST_STREAMING  the head is sent, the body goes on                ENDED
 *   REQUEST_ENDED      fully answered or cancelled; calls still to come back   FREE
 *
 * Who may answer: the first of respond, stream and the handler's return value; a second one
 * raises "closed http.request". The last send ends the request: its strings belong to the
 * connection and are gone then.
 *
 * Owner: the pool of the worker. Thread: the worker's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "api/httpapi.h"
#include "api/loop.h"
#include "base/list.h"
#include "base/slice.h"
#include "binding/headers.h"
#include "binding/op.h"
#include "binding/router.h"

struct reqlog;
struct state;
struct task;

enum {
    REQUEST_BUFFER_BYTES = 4096,        /* of the HTTP_REQUEST and what it points to */
    REQUEST_BUFFER_BYTES_MAX = 1 << 20, /* a request that needs more is refused */
    REQUEST_POOL_IDLE_MAX = 256,        /* kept free by a worker */
    REQUEST_SENDS_MAX = 32,             /* sends of one stream whose completion is still to come */
    REQUEST_QUERY_PAIRS_MAX = 1024      /* a longer query raises */
};

enum request_phase {
    REQUEST_FREE,
    REQUEST_RECEIVING,
    REQUEST_DELIVERED,
    REQUEST_LIVE,
    REQUEST_STREAMING,
    REQUEST_ENDED
};

/* A worker's free requests and body buffers. Owner: dispatch (or a test). Thread: the worker's. */
struct request_pool {
    struct list idle;
    size_t idle_count;
    size_t made;   /* requests that exist, idle ones included */
    void *buffers; /* body.c: idle read buffers, singly linked */
    size_t buffer_count;
    void *sends; /* stream.c: idle send ops, singly linked */
    size_t send_count;
    /* A request came back while `starved` was set. May be NULL. */
    void (*on_idle)(struct request_pool *pool);
    bool starved; /* somebody could not get a request */
};

struct open_file;

struct request {
    struct op receive;     /* first */
    struct list_node node; /* pool->idle, state->pulls, or state->requests */
    struct request_pool *pool;
    enum request_phase phase; /* changed by enter() in request.c alone */
    struct state *state;      /* from LIVE on */
    struct task *task;        /* the handler's, until it has ended; NULL: pulled */
    uint64_t id;              /* in state->request_ids; what userdata hold */
    HANDLE queue;
    HTTP_REQUEST *http; /* what was received: in buffer or in big */
    void *big;          /* a larger buffer, malloc */
    void *cooked;       /* cooked_windows.c; malloc */
    size_t big_bytes;
    /* Called when the receive is over. NO_ERROR: DELIVERED; else the request is FREE and is the
     * callee's to httpreq_release. NULL: the puller looks for itself. */
    void (*on_received)(struct request *r, ULONG status);
    void *receiver;           /* for on_received */
    struct loop_task passing; /* to another worker (dispatch.c) */
    bool pulled;              /* by queue:receive */
    bool passed;              /* by another worker */

    /* the answer */
    struct reqlog *log;     /* runtime/reqlog.h; NULL: nobody wants a note */
    struct op send;         /* of a whole answer and of a head */
    struct op watch;        /* HttpWaitForDisconnect, armed at the first suspension */
    HTTP_RESPONSE response; /* zeroed but for what the answer set */
    HTTP_DATA_CHUNK chunk;  /* of a whole answer */
    uint32_t known_set;     /* bits of response.Headers.KnownHeaders that are set */
    bool head_only;         /* HEAD, 204, 304: no body */
    bool cancelled;         /* HttpCancelHttpRequest was called */
    bool write_pending;     /* a stream's send was not taken at once: nobody else may write */
    unsigned stream_sends;  /* send ops of the stream under way */
    struct wait flush;      /* of the task that waits for them */
    char *text;             /* what the host itself has put into an answer; malloc */
    struct open_file *file; /* body of an answer; a share, NULL: none */
    char digits[24];        /* Content-Length of an answer to HEAD */
    char note[96];          /* body of an answer that names an error id */
    HTTP_UNKNOWN_HEADER unknown[HEADERS_UNKNOWN_INLINE + HEADERS_UNKNOWN_OWN];

    /* the body (body.c) */
    struct op read;
    void *read_buffer;    /* while a read is under way */
    uint32_t body_chunk;  /* next of http->pEntityChunks */
    size_t body_chunk_at; /* bytes of it handed out */
    bool body_ended;      /* every byte was read */
    bool body_failed;     /* a read failed: there is no more */

    struct router_match match; /* params; router NULL: none */
    char site[64];             /* pulled: where it was received, "app.lua:12" */

    _Alignas(16) char buffer[REQUEST_BUFFER_BYTES];
};

/* Empty, without memory. */
void httpreq_pool_init(struct request_pool *pool);
/* Frees the idle memory; every request must be back. */
void httpreq_pool_deinit(struct request_pool *pool);

/* A free request, or NULL. httpreq_release gives it back when no call of it is in flight. */
struct request *httpreq_acquire(struct request_pool *pool);
void httpreq_release(struct request *r);

/* DELIVERED: takes the memory out of its pool, to be put into the one of another worker, which owns
 * the request from then on. */
void httpreq_leave_pool(struct request *r);
void httpreq_join_pool(struct request *r, struct request_pool *pool);

/* Posts the receive. Errors: as HttpReceiveHttpRequest; then nothing is in flight. After NO_ERROR
 * r->receive.status tells whether a request was waiting (NO_ERROR) or is waited for. */
ULONG httpreq_receive(struct request *r, HANDLE queue);

/* DELIVERED -> LIVE in the state; task NULL: pulled. false: STATE_REQUESTS_MAX or no memory. */
bool httpreq_open(struct request *r, struct state *S, struct task *task);

/* The request of an id; NULL when it has ended. */
struct request *httpreq_find(struct state *S, uint64_t id);

/* LIVE: sends the response as it is filled in, with r->chunk as body unless it is empty or the
 * request wants no body; then the request has ended. The result is the call's; with
 * ERROR_IO_PENDING r->send is busy and the bytes of the body must stay. */
ULONG httpreq_send(struct request *r);

/* LIVE: answers with a status and a text that stays valid (static, or r->note), as text/plain; for
 * refusals that need no Lua. Does not wait. */
void httpreq_answer_plain(struct request *r, unsigned status, struct slice text);
/* The first half of that, for httpreq_send: status, type and body are filled in, and no field of
 * before is left. type: static, or of the answer's memory. */
void httpreq_fill_text(struct request *r, unsigned status, struct slice type, struct slice text);
/* DELIVERED: the same before a state has it (no handler, draining, no memory). Afterwards ENDED. */
void httpreq_refuse(struct request *r, unsigned status);
/* For another answer to a DELIVERED request than that, before httpreq_send. */
void httpreq_prepare_refusal(struct request *r);

/* The task has ended: the memory goes back when the last call has. */
void httpreq_forget_task(struct request *r);

/* After any call of it came back: gives the memory back if it was the last. May free r. */
void httpreq_settle(struct request *r);

/* LIVE -> STREAMING, when the head was taken. */
void httpreq_begin_stream(struct request *r);

/* Marks it fully answered: handles are closed, the memory goes back when the last call has. */
void httpreq_end(struct request *r);

/* HttpCancelHttpRequest, then httpreq_end: the connection is closed. Harmless when ended. */
void httpreq_cancel(struct request *r);

/* Watches for the client's disconnect from now on (first suspension of a handler). */
void httpreq_watch(struct request *r);

/* The method as text; the path of the cooked URL. Valid while the request is LIVE. */
struct slice httpreq_method(const struct request *r);
struct slice httpreq_path(const struct request *r);

/* For error messages and logs: "GET /path". Cut to fit. */
void httpreq_describe(const struct request *r, char *out, size_t out_bytes);
