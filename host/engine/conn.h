/* A connection: one socket, at most one request at a time, and the clock that watches it.
 *
 * Step before: listener.c accepts it, net/loop_*.c reports it. Step after: h1.c turns its bytes
 * into a request.
 *
 * States (changed by conn_set_state alone):
 *
 *   state         meaning                                        clock
 *                 -> leaves to
 *   CONN_FRESH    accepted, no byte yet                          header wait
 *                 -> HEAD REQUEST LINGER CLOSED
 *   CONN_HEAD     part of a head is here                         header wait -> 408
 *                 -> REQUEST LINGER CLOSED
 *   CONN_REQUEST  a request is queued or with the application    queue, body
 *                 -> IDLE DRAIN LINGER CLOSED
 *   CONN_DRAIN    answered; the rest of its body is to come      drain entity body
 *                 -> IDLE LINGER CLOSED
 *   CONN_IDLE     answered, nothing more here: owns no buffer    idle connection
 *                 -> HEAD REQUEST LINGER CLOSED
 *   CONN_LINGER   last answer going out; input is thrown away    CONN_LINGER_S
 *                 -> CLOSED
 *   CONN_CLOSED   socket gone; freed before the loop waits       -
 *
 * Beside the clock of the state, output that the peer does not take is judged by the send rate.
 *
 * Freeing. conn_close may be called from anywhere in the engine; the struct stays until the end of
 * the turn, so a caller looks at conn->state after any call that may have closed it.
 *
 * Owner and thread: its shard. An idle connection is this struct and the socket: under 256 bytes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/shard.h"
#include "engine/urlgroup.h"

struct call;
struct listener;
struct request;

enum conn_state {
    CONN_FRESH,
    CONN_HEAD,
    CONN_REQUEST,
    CONN_DRAIN,
    CONN_IDLE,
    CONN_LINGER,
    CONN_CLOSED
};

enum {
    CONN_LINGER_S = 2,             /* input is swallowed this long, so that the client can read */
    CONN_SEND_CHECK_S = 5,         /* the send rate is judged over this many seconds */
    CONN_FRESH_DRAIN_S = 1,        /* intake stopped: a connection that never asked has this long */
    CONN_SWALLOW_STEP = 64 * 1024, /* input thrown away in one go while lingering */
    CONN_BODY_ROOM = 4 * 1024,     /* of the input block at least this much is free behind a head */
    CONN_DRAIN_BYTES_MAX = 1 << 20 /* a longer rest of an unread body is not read: it is closed */
};

struct conn {
    struct loop_io io;           /* the socket; fd -1 once closed */
    struct list_node link;       /* shard->conns */
    struct list_node dirty_link; /* shard->dirty; shard->dead once closed */
    struct loop_timer timer;     /* fires at or before the nearer of the two deadlines */
    uint64_t deadline_ns;        /* the clock of the state; UINT64_MAX = none */
    uint64_t send_deadline_ns;   /* when the send rate is judged next; UINT64_MAX = all is sent */
    uint64_t timer_ns;           /* when the running timer fires */
    struct shard *shard;
    struct listener *listener;    /* where it came in; one reference */
    struct urlgroup *group;       /* group it is counted in; one reference; NULL before routing */
    struct request *request;      /* in REQUEST and DRAIN */
    struct call *disconnect_wait; /* HttpWaitForDisconnect, or NULL */
    char *in, *out;               /* blocks; NULL when nothing is in them */
    uint64_t id;                  /* HTTP_CONNECTION_ID */
    uint16_t in_start, in_end;    /* input not yet consumed; a live request's head lies before it */
    uint16_t in_scanned;         /* of it, bytes that the search for the end of the head has seen */
    uint32_t out_start, out_end; /* output not yet sent */
    uint32_t judged_bytes; /* in the kernel when the send rate was last judged, and sent since */
    struct sock_addr peer, local; /* local is asked for when needed; family 0 = not yet */
    uint8_t state;                /* enum conn_state */
    bool readable : 1;            /* the kernel may have more for us */
    bool writable : 1;            /* the kernel may take more */
    bool read_closed : 1;         /* the peer's FIN was announced: read on to the end */
    bool eof : 1;                 /* the peer's FIN was read */
    bool fin_sent : 1;            /* in LINGER: everything is sent, and our FIN */
    bool reset : 1;               /* the peer has reset it */
    bool asked_last : 1;          /* in LINGER: the client has said that it sends no more */
    bool sending : 1;             /* loop_io_send has output, from out_start on; not writable */
};

/* Takes an accepted socket. NULL: no memory or no place (the socket is then closed). */
struct conn *conn_open(struct shard *shard, struct listener *listener, int fd,
                       const struct sock_addr *peer);

/* Ends the connection now. Its request ends with ERROR_CONNECTION_INVALID for whoever waits on it;
 * a wait for disconnect completes with NO_ERROR. reset: RST instead of FIN. Harmless when closed.
 */
void conn_close(struct conn *conn, bool reset);
/* Gives a closed connection's memory back. The shard, at the end of the turn. */
void conn_free(struct conn *conn);
/* The last answer is in the output: sends it, then FIN, swallows input for a while, closes. A
 * client that has said "close" and sent nothing more is not waited for. */
void conn_linger(struct conn *conn);
/* Intake has stopped (loop_stop_listening): idle ones go, fresh ones get CONN_FRESH_DRAIN_S. */
void conn_on_drain(struct conn *conn);

void conn_set_state(struct conn *conn, enum conn_state state);
/* Sets the clock of the state, seconds from now; 0 switches it off. Costs a store, unless it comes
 * earlier than the running timer. */
void conn_set_deadline(struct conn *conn, uint32_t seconds);
/* Starts judging the send rate, from now on for CONN_SEND_CHECK_S. */
void conn_start_send_clock(struct conn *conn);
/* Starts the timer when a deadline is nearer than it. After changing send_deadline_ns. */
void conn_arm_timer(struct conn *conn);
/* The group's timeout, or the API's default before a group is known: the member of `effective`. */
#define CONN_TIMEOUT_S(conn, member)                                                               \
    ((conn)->group == NULL                                                                         \
         ? (uint32_t)PROPERTY_TIMEOUT_DEFAULT_S                                                    \
         : atomic_load_explicit(&(conn)->group->effective.member, memory_order_relaxed))

/* Reads once behind in_end. base: where a compacted block begins (after a live request's head).
 * NO_ERROR: bytes came. ERROR_IO_PENDING, ERROR_HANDLE_EOF, ERROR_NETNAME_DELETED,
 * ERROR_INSUFFICIENT_BUFFER the block is full, ERROR_NOT_ENOUGH_MEMORY. */
ULONG conn_fill(struct conn *conn, uint16_t base);
/* Reads straight into the caller's memory, past the block. Codes of sock_read. */
ULONG conn_read_through(struct conn *conn, char *p, size_t cap, size_t *n);

/* Moves the input to `base` in the block. What lies between base and in_start is lost. */
void conn_compact(struct conn *conn, uint16_t base);

/* Goes on with the input: parses and delivers the next request when there is one, else tidies up
 * and sends the output. Entry after input, after an answer, and in the dirty pass. */
void conn_advance(struct conn *conn);
/* Looks at the connection again before the loop waits. */
void conn_mark_dirty(struct conn *conn);
void conn_run_dirty(struct shard *shard);

/* The address it arrived on. */
const struct sockaddr *conn_local(struct conn *conn);

static inline uint32_t conn_in_len(const struct conn *conn)
{
    return (uint32_t)(conn->in_end - conn->in_start);
}

/* -------- output (output.c) -------- */

/* Whether bytes are to be sent, or the send clock is to be looked at. */
static inline bool conn_wants_flush(const struct conn *conn)
{
    return conn->out_end > conn->out_start || conn->send_deadline_ns != UINT64_MAX;
}

/* LOOP_SENT has come: what was sent is gone from the block. Codes as output_flush. */
ULONG output_on_sent(struct conn *conn);
/* What output_reserve does when the block is not there, or has no room. */
char *output_make_room(struct conn *conn, uint32_t n, ULONG *status);
/* Room for n contiguous bytes (n <= SHARD_OUT_BLOCK), sending what is there if need be. Write, then
 * output_commit. NULL: *status says ERROR_IO_PENDING the peer takes no more now,
 * ERROR_NOT_ENOUGH_MEMORY, ERROR_NETNAME_DELETED. */
static inline char *output_reserve(struct conn *conn, uint32_t n, ULONG *status)
{
    if (conn->out == NULL || SHARD_OUT_BLOCK - conn->out_end < n) {
        return output_make_room(conn, n, status);
    }
    *status = NO_ERROR;
    return conn->out + conn->out_end;
}
void output_commit(struct conn *conn, uint32_t n);
/* Bytes that fit without sending. */
uint32_t output_room(const struct conn *conn);
/* Sends the block. NO_ERROR all gone; ERROR_IO_PENDING the peer is slow; else dead, not yet closed.
 */
ULONG output_flush(struct conn *conn);
/* Sends the block and n bytes of p behind it without copying. *taken: how many of p went. */
ULONG output_write_through(struct conn *conn, const char *p, size_t n, size_t *taken);
/* Sends the block, then up to n bytes of a file from *offset. ERROR_HANDLE_EOF: the file ends. */
ULONG output_write_file(struct conn *conn, int fd, uint64_t *offset, size_t n, size_t *taken);
