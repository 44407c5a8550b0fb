/* A shard: the engine's part of one loop. It owns connections and the requests on them; everything
 * in it is its thread's alone, but for the members marked "any thread".
 *
 * A shard is made when a loop is attached to its first queue, or as the engine's own thread
 * (ownthread.h) when a URL is registered and no loop is attached. It lives until its loop is
 * closed.
 *
 * Ids. Requests and connections carry 64-bit ids: sequence (40 bits) | shard (6) | place (18). A
 * place is reused, an id never is: a stale id finds another sequence there and means "gone".
 *
 * Turns. Before the loop waits, the shard flushes its connections, frees what was closed, and, when
 * engine->version has moved, notices closed queues and tells that it sees nothing older
 * (lifetime.h).
 *
 * Cost at rest: about 60 KiB; buffers come and go with active connections. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "engine/lifetime.h"
#include "engine/urltree.h"
#include "net/loop.h"
#include "net/sock.h"
#include "protocol/h1parse.h"
#include "protocol/url.h"

struct call;
struct conn;
struct endpoint;
struct port;
struct queue;
struct request;

enum {
    SHARD_PLACE_BITS = 18,
    SHARD_INDEX_BITS = 6,
    SHARD_PLACES_MAX = 1 << SHARD_PLACE_BITS, /* connections, and requests, of one shard */
    SHARD_IN_BLOCK = 32 * 1024,  /* input of an active connection: the largest head, and body */
    SHARD_OUT_BLOCK = 64 * 1024, /* output of a connection that has something to send */
    SHARD_SPARE_BLOCKS = 64,     /* of each size kept for reuse, newest first */
    SHARD_SPARE_CALLS = 1024,
    SHARD_SPARE_REQUESTS = 1024,
    SHARD_HEADERS_MAX = H1_HEADER_COUNT_MAX,
    SHARD_HOST_MAX = 64, /* a longer Host is judged each time */
    SHARD_MEMO_MAX = 160,
    SHARD_COOKED_MAX = 3 * H1_TARGET_BYTES_MAX + 512, /* a cooked URL is at most this long */
    SHARD_ACCEPTS_PER_EVENT = 64
};

/* A table of objects behind ids. Places are filled from the front and reused newest first. */
struct places {
    void **items;         /* by place; NULL = never used or empty */
    uint32_t *free_stack; /* places to use again */
    uint32_t used, cap, free_count;
};

/* Freed memory kept for reuse; the link lies in the memory itself. */
struct spare {
    struct spare *next;
};
struct spares {
    struct spare *first;
    unsigned count;
};

/* How the last answer that had no header but Content-Type began: handlers give the same again and
 * again, and what was checked and written once is copied (head.c). */
struct head_memo {
    uint16_t status, reason_bytes, type_bytes;
    uint16_t bytes; /* of text: status line and Content-Type line; 0 = none yet */
    char text[SHARD_MEMO_MAX];
};

struct shard {
    struct engine *engine;
    struct loop *loop;
    uint32_t index;                /* place in engine->shards */
    _Atomic uint64_t seen_version; /* any thread: nothing older than this is looked at */
    uint64_t
        noticed_version; /* a newer version, to be acted upon once what was posted before is done */
    bool draining;       /* intake has stopped */
    bool closing;        /* the loop is being closed: nothing new */
    struct list listeners; /* struct listener.link */
    struct list conns;     /* struct conn.link: all that are open */
    struct list dirty;     /* struct conn.dirty_link: look at them before waiting */
    struct list dead;      /* struct conn.dirty_link: closed, freed before waiting */
    size_t conn_count;
    struct list calls_away; /* struct call.link: calls of this thread that run on other shards */
    _Atomic bool asked;     /* any thread: some shard wants a receive lent (queue.h) */
    uint64_t sequence;      /* last one given to a request or connection */
    struct places conn_places, request_places;
    struct port **ports; /* by queue place (the low 32 bits of its id) */
    uint32_t port_cap;
    struct spares in_blocks, out_blocks, calls, requests;
    uint64_t date_checked_ns; /* when the clock was last asked for it */
    time_t date_second;       /* the second that `date` names */
    struct head_memo memo;
    struct urltree_memo url_memo;
    char lines[80]; /* the Server and Date lines of an answer, 29 bytes of date in them */

    /* The request parsed last: head and cooked URL, so that a receive that is waiting already needs
     * no second parse. */
    struct request *scratch_of; /* NULL = scratch holds nothing */
    struct h1_head head;
    char host[SHARD_HOST_MAX]; /* the Host accepted last: head.host_known */
    struct h1_header headers[SHARD_HEADERS_MAX];
    struct url_cooked cooked_at;
    char cooked[SHARD_COOKED_MAX];
};

/* The calling thread's shard, or NULL. */
struct shard *shard_current(void);

/* The shard that a request or connection id names, or NULL. Thread: under the lock. */
struct shard *shard_of_id(struct engine *engine, HTTP_OPAQUE_ID id);

/* Makes the shard of `loop`, opens its listeners on all endpoints, takes over orphan receives.
 * Thread: the loop's, under the lock.
 * Errors: ERROR_NOT_ENOUGH_MEMORY, also when LIFETIME_SHARDS_MAX exist. */
ULONG shard_create(struct engine *engine, struct loop *loop, struct shard **out);

/* Buffers of SHARD_IN_BLOCK and SHARD_OUT_BLOCK bytes. NULL: no memory. */
char *shard_take_in_block(struct shard *shard);
void shard_give_in_block(struct shard *shard, char *block);
char *shard_take_out_block(struct shard *shard);
void shard_give_out_block(struct shard *shard, char *block);

/* Calls, not cleared. NULL: no memory. A call may be given back to another shard than it was taken
 * from. */
struct call *shard_take_call(struct shard *shard);
void shard_give_call(struct shard *shard, struct call *call);

/* Requests, not cleared. NULL: no memory. */
struct request *shard_take_request(struct shard *shard);
void shard_give_request(struct shard *shard, struct request *request);

/* Ids. add: stores the object under a new id, 0 = full or no memory. find: NULL when stale. */
uint64_t shard_add_conn(struct shard *shard, struct conn *conn);
void shard_remove_conn(struct shard *shard, uint64_t id);
struct conn *shard_find_conn(const struct shard *shard, uint64_t id);
uint64_t shard_add_request(struct shard *shard, struct request *request);
void shard_remove_request(struct shard *shard, uint64_t id);
struct request *shard_find_request(const struct shard *shard, uint64_t id);

/* The Date field value of this second: 29 bytes. */
const char *shard_date(struct shard *shard);
/* "Server: ..." and "Date: ..." as lines of a head, or the latter alone. Valid until the next call.
 */
struct slice shard_server_and_date(struct shard *shard, bool with_server);
