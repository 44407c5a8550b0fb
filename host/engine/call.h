/* A contract call in flight: who made it, where its result goes, and what it waits for.
 *
 * Every request-level call (receive, body read, send, cancel, wait for disconnect) runs on the
 * thread of the shard that owns the request. Made there, it runs at once and takes no lock. Made
 * elsewhere it travels to that shard as a posted task:
 *
 *   caller                                what it gets
 *   the shard's own thread, overlapped    a completion in its loop
 *   another loop's thread, overlapped     ERROR_IO_PENDING, then a completion in its own loop
 *   another loop's thread, event          ERROR_IO_PENDING, then hEvent
 *   a thread without a loop, overlapped   the first status (it waits for that), then hEvent
 *   a thread without a loop, synchronous  the end (it waits for that)
 *   a loop's thread, synchronous          works while nothing has to be waited for; else
 *                                         ERROR_INVALID_PARAMETER: waiting would stop that loop.
 *                                         A read with FILL_BUFFER gives the bytes that are there
 *
 * A status other than NO_ERROR and ERROR_IO_PENDING that the function returns has no completion. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "api/loop.h"
#include "base/list.h"
#include "engine/lifetime.h"

struct queue;
struct shard;

enum call_kind { CALL_RECEIVE, CALL_READ_BODY, CALL_SEND, CALL_CANCEL, CALL_WAIT_DISCONNECT };

/* A thread that waits for a call; on its stack. The shard signals under the mutex. */
struct call_waiter {
    pthread_mutex_t mutex;
    pthread_cond_t signal;
    bool until_done; /* false: waits only for the first status */
    bool ready;      /* status and bytes are there */
    ULONG status, bytes;
};

struct call_receive {
    HTTP_REQUEST *buffer; /* caller's */
    ULONG buffer_bytes, flags;
    HTTP_REQUEST_ID id; /* HTTP_NULL_ID = any */
};

struct call_read {
    char *buffer; /* caller's */
    ULONG buffer_bytes, filled;
    bool fill; /* FILL_BUFFER */
};

/* A send and how far it has come; response and chunks stay the caller's until completion. */
struct call_send {
    const HTTP_RESPONSE *response; /* NULL: entity body */
    const HTTP_DATA_CHUNK *chunks;
    uint32_t chunk_count, chunk_index;
    uint64_t chunk_offset, chunk_bytes; /* of the present chunk: taken, and all */
    uint64_t body_bytes;                /* of all chunks of this call */
    uint64_t wire_bytes;                /* head and body handed over, for BytesSent */
    ULONG flags;
    bool chunk_begun, started; /* its size line, the head: is in the output */
};

struct call {
    struct list_node link; /* in port->receives, engine->orphan_receives or home->calls_away */
    struct loop_task task; /* to travel to a shard, and home */
    enum call_kind kind;
    bool holds_queue;           /* `queue` is a reference */
    bool away;                  /* in home->calls_away: it runs on another shard */
    bool cancelled;             /* of a lent receive: it ends when it is home; home's thread */
    HTTP_OPAQUE_ID id;          /* request or connection it is about */
    struct queue *queue;        /* receives only */
    struct shard *target;       /* shard it travels to */
    struct shard *home;         /* whose loop gets the completion; NULL: waiter or event */
    struct call_waiter *waiter; /* NULL: completion or event */
    OVERLAPPED *overlapped;     /* NULL: synchronous */
    int event_fd;               /* our descriptor of its event, -1 = none (overlapped.h) */
    ULONG status, bytes;        /* result, on its way home and after call_run */
    union {
        struct call_receive receive;
        struct call_read read;
        struct call_send send;
    } as;
};

/* Makes the call on `shard`, which is the calling thread's. prototype: kind, id, queue, overlapped,
 * as. bytes_out: may be NULL; written for synchronous calls. */
ULONG call_here(struct shard *shard, const struct call *prototype, PULONG bytes_out);
/* Sends the call to another thread's shard. The lock is held on entry and left here. */
ULONG call_there(struct engine *engine, struct shard *target, const struct call *prototype,
                 PULONG bytes_out);
/* A receive while there is no shard at all: it waits in engine->orphan_receives. Lock as
 * call_there. */
ULONG call_orphan(struct engine *engine, const struct call *prototype, PULONG bytes_out);

/* Runs the call by its kind; ERROR_IO_PENDING: it was put somewhere to wait. The target's thread.
 */
ULONG call_run(struct shard *shard, struct call *call);
/* Ends a call that waited: its result goes home, the call is freed. The thread of `shard`. */
void call_complete(struct shard *shard, struct call *call, ULONG status, ULONG bytes);

/* Ends the receives of the queue that no shard has seen. Under the lock. Returns how many. */
unsigned call_abort_orphans(struct engine *engine, const struct queue *queue);

/* Travel of receives. */
void call_adopt_orphans(struct shard *shard); /* new shard; under the lock */
/* Sends a receive (in no list) to the shard with that index. false: it is gone, or a cancel is
 * going round; the call is still the caller's. */
bool call_lend(struct shard *shard, struct call *call, uint32_t index);
/* The shard closes: finds another place for a receive that is nobody's loop's own. false: the call
 * is of another kind, or its queue is not open; it is still the caller's. */
bool call_move_on(struct shard *shard, struct call *call);

/* Whether the calling thread's loop gets the completion: the queue is attached to it and there is
 * no event. here: the calling thread's shard, or NULL. */
bool call_completes_at(const struct shard *here, HANDLE handle, const OVERLAPPED *overlapped);
/* The shard closes: what its thread has on other shards is ended there and comes home; turns the
 * loop until it has. */
void call_recall(struct shard *home);

/* CancelIoEx for receives, body reads and waits for disconnect. Returns whether anything was
 * cancelled (for other loops: is being cancelled). The lock is held on entry and left here. */
bool call_cancel(struct engine *engine, struct queue *queue, const OVERLAPPED *overlapped);
