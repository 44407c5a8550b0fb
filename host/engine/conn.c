/* See conn.h. */
#include "engine/conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "engine/call.h"
#include "engine/h1.h"
#include "engine/listener.h"
#include "engine/refuse.h"
#include "engine/request.h"
#include "engine/response.h"
#include "engine/body.h"
#include "engine/urlgroup.h"

static const uint64_t SECOND_NS = 1000000000;

static void on_event(struct loop_io *io, unsigned events);
static void on_timer(struct loop_timer *timer);

/* -------- state and clock -------- */

static bool is_between_requests(const struct conn *conn)
{
    return conn->state == CONN_FRESH || conn->state == CONN_HEAD || conn->state == CONN_IDLE;
}

void conn_set_state(struct conn *conn, enum conn_state state)
{
    static const uint8_t allowed[] = {
        [CONN_FRESH] = 1 << CONN_HEAD | 1 << CONN_REQUEST | 1 << CONN_LINGER | 1 << CONN_CLOSED,
        [CONN_HEAD] = 1 << CONN_REQUEST | 1 << CONN_LINGER | 1 << CONN_CLOSED,
        [CONN_REQUEST] = 1 << CONN_IDLE | 1 << CONN_DRAIN | 1 << CONN_LINGER | 1 << CONN_CLOSED,
        [CONN_DRAIN] = 1 << CONN_IDLE | 1 << CONN_LINGER | 1 << CONN_CLOSED,
        [CONN_IDLE] = 1 << CONN_HEAD | 1 << CONN_REQUEST | 1 << CONN_LINGER | 1 << CONN_CLOSED,
        [CONN_LINGER] = 1 << CONN_CLOSED,
        [CONN_CLOSED] = 0,
    };
    assert((allowed[conn->state] & 1 << state) != 0);
    (void)allowed; /* only asserted */
    conn->state = (uint8_t)state;
}

void conn_arm_timer(struct conn *conn)
{
    uint64_t when =
        conn->deadline_ns < conn->send_deadline_ns ? conn->deadline_ns : conn->send_deadline_ns;
    if (when == UINT64_MAX || (loop_timer_is_running(&conn->timer) && conn->timer_ns <= when)) {
        return; /* a timer that fires early looks again */
    }
    uint64_t now = loop_now_ns(conn->shard->loop);
    conn->timer_ns = when;
    loop_timer_start(conn->shard->loop, &conn->timer, when > now ? when - now : 0);
}

void conn_set_deadline(struct conn *conn, uint32_t seconds)
{
    if (seconds == 0) {
        conn->deadline_ns = UINT64_MAX;
        return;
    }
    conn->deadline_ns = loop_now_ns(conn->shard->loop) + seconds * SECOND_NS;
    conn_arm_timer(conn);
}

/* Whether bytes wait for the peer: in the block, or in a send that is not through. */
static bool owes_output(const struct conn *conn)
{
    return conn->out_end > conn->out_start ||
           (conn->request != NULL && conn->request->sender != NULL);
}

static void judge_send_rate(struct conn *conn)
{
    if (!owes_output(conn)) {
        conn->send_deadline_ns = UINT64_MAX; /* the peer has caught up: the slowness is ours */
        return;
    }
    uint32_t rate =
        conn->group == NULL
            ? (uint32_t)PROPERTY_MIN_SEND_RATE_DEFAULT
            : atomic_load_explicit(&conn->group->effective.min_send_rate, memory_order_relaxed);
    /* The kernel's buffer may be megabytes and takes nothing more until much of it is gone: what
     * counts is what the peer has acknowledged. */
    uint32_t taken = conn->judged_bytes - (uint32_t)sock_unacknowledged(conn->io.fd);
    if (rate != 0 && taken / CONN_SEND_CHECK_S < rate) {
        conn_close(conn, true);
        return;
    }
    conn_start_send_clock(conn);
}

void conn_start_send_clock(struct conn *conn)
{
    conn->judged_bytes = (uint32_t)sock_unacknowledged(conn->io.fd);
    conn->send_deadline_ns = loop_now_ns(conn->shard->loop) + CONN_SEND_CHECK_S * SECOND_NS;
}

static void on_deadline(struct conn *conn)
{
    conn->deadline_ns = UINT64_MAX;
    switch (conn->state) {
    case CONN_HEAD: refuse_conn(conn, 408, "Timer_HeaderWait"); break;
    case CONN_REQUEST: request_on_deadline(conn->request); break;
    case CONN_FRESH:
    case CONN_DRAIN:
    case CONN_IDLE:
    case CONN_LINGER: conn_close(conn, false); break;
    default: assert(false);
    }
}

static void on_timer(struct loop_timer *timer)
{
    struct conn *conn = LIST_ITEM(timer, struct conn, timer);
    uint64_t now = loop_now_ns(conn->shard->loop);
    if (conn->send_deadline_ns <= now) {
        judge_send_rate(conn);
    }
    if (conn->state != CONN_CLOSED && conn->deadline_ns <= now) {
        on_deadline(conn);
    }
    if (conn->state != CONN_CLOSED) {
        conn_arm_timer(conn);
    }
}

/* -------- life -------- */

struct conn *conn_open(struct shard *shard, struct listener *listener, int fd,
                       const struct sock_addr *peer)
{
    static_assert(sizeof(struct conn) <= 256, "an idle connection stays small");
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        sock_close(fd);
        return NULL;
    }
    conn->io = (struct loop_io){.on_event = on_event, .fd = fd};
    conn->shard = shard;
    conn->peer = *peer;
    conn->writable = true;
    conn->timer.on_fire = on_timer;
    conn->deadline_ns = conn->send_deadline_ns = UINT64_MAX;
    conn->readable = true;
    conn->id = shard_add_conn(shard, conn);
    if (conn->id == 0) {
        sock_close(fd);
        free(conn);
        return NULL;
    }
    conn->listener = listener;
    listener->refs++;
    list_push_back(&shard->conns, &conn->link);
    shard->conn_count++;
    conn_mark_dirty(conn); /* there it is read, and registered when it has to be waited for */
    conn_set_deadline(conn, shard->draining ? CONN_FRESH_DRAIN_S : PROPERTY_TIMEOUT_DEFAULT_S);
    return conn;
}

static void leave_group(struct conn *conn)
{
    if (conn->group != NULL) {
        atomic_fetch_sub(&conn->group->connections, 1);
        urlgroup_unref(conn->shard->engine, conn->group);
        conn->group = NULL;
    }
}

static void complete_disconnect_wait(struct conn *conn)
{
    if (conn->disconnect_wait != NULL) {
        struct call *call = conn->disconnect_wait;
        conn->disconnect_wait = NULL;
        call_complete(conn->shard, call, NO_ERROR, 0);
    }
}

void conn_close(struct conn *conn, bool reset)
{
    if (conn->state == CONN_CLOSED) {
        return;
    }
    struct shard *shard = conn->shard;
    conn_set_state(conn, CONN_CLOSED);
    loop_timer_stop(shard->loop, &conn->timer);
    if (reset) {
        sock_reset_on_close(conn->io.fd);
    }
    loop_io_close(shard->loop, &conn->io);
    if (conn->request != NULL) {
        request_on_conn_lost(conn->request); /* may take conn->in over */
    }
    complete_disconnect_wait(conn);
    leave_group(conn);
    if (conn->in != NULL) {
        shard_give_in_block(shard, conn->in);
        conn->in = NULL;
    }
    if (conn->out != NULL) {
        shard_give_out_block(shard, conn->out);
        conn->out = NULL;
    }
    conn->out_start = conn->out_end = 0;
    conn->sending = false;
    shard_remove_conn(shard, conn->id);
    shard->conn_count--;
    list_remove(&conn->link);
    list_remove(&conn->dirty_link);
    list_push_back(&shard->dead, &conn->dirty_link);
}

void conn_free(struct conn *conn)
{
    assert(conn->state == CONN_CLOSED && conn->request == NULL);
    listener_unref(conn->listener);
    free(conn);
}

void conn_on_drain(struct conn *conn)
{
    if (conn->state == CONN_IDLE) {
        conn->readable = true; /* what has just come is served; when nothing has, it ends */
        conn_mark_dirty(conn);
    } else if (conn->state == CONN_FRESH) {
        conn_set_deadline(conn, CONN_FRESH_DRAIN_S);
    }
}

/* -------- input -------- */

void conn_compact(struct conn *conn, uint16_t base)
{
    if (conn->in_start > base) {
        memmove(conn->in + base, conn->in + conn->in_start, conn_in_len(conn));
        conn->in_end = (uint16_t)(base + conn_in_len(conn));
        conn->in_start = base;
    }
}

static ULONG note_read(struct conn *conn, ULONG status, size_t n, size_t cap)
{
    if (status == NO_ERROR && n < cap && !conn->read_closed) {
        conn->readable = false; /* a short read has emptied the socket: no need to see EAGAIN */
    } else if (status == ERROR_IO_PENDING) {
        conn->readable = false;
    } else if (status == ERROR_HANDLE_EOF) {
        conn->readable = false;
        conn->eof = true;
    }
    return status;
}

ULONG conn_fill(struct conn *conn, uint16_t base)
{
    if (conn->in == NULL) {
        conn->in = shard_take_in_block(conn->shard);
        if (conn->in == NULL) {
            return ERROR_NOT_ENOUGH_MEMORY;
        }
        conn->in_start = conn->in_end = base;
    }
    if (conn->in_start == conn->in_end || conn->in_end == SHARD_IN_BLOCK) {
        conn_compact(conn, base);
    }
    size_t cap = SHARD_IN_BLOCK - conn->in_end;
    if (cap == 0) {
        return ERROR_INSUFFICIENT_BUFFER;
    }
    size_t n = 0;
    ULONG status = sock_read(conn->io.fd, conn->in + conn->in_end, cap, &n);
    conn->in_end = (uint16_t)(conn->in_end + n);
    return note_read(conn, status, n, cap);
}

ULONG conn_read_through(struct conn *conn, char *p, size_t cap, size_t *n)
{
    assert(conn_in_len(conn) == 0);
    ULONG status = sock_read(conn->io.fd, p, cap, n);
    return note_read(conn, status, *n, cap);
}

static void release_input(struct conn *conn)
{
    if (conn->in != NULL && conn_in_len(conn) == 0) {
        shard_give_in_block(conn->shard, conn->in);
        conn->in = NULL;
        conn->in_start = conn->in_end = 0;
    }
}

/* Reads for the next head or the rest of an unread body. true: there is something new to look at.
 */
static bool read_more(struct conn *conn)
{
    if (!conn->readable) {
        return false;
    }
    uint16_t base = conn->request == NULL ? 0 : request_body_base(conn->request);
    switch (conn_fill(conn, base)) {
    case NO_ERROR: return true;
    case ERROR_IO_PENDING: return false;
    case ERROR_HANDLE_EOF:
        if (conn->out_end > conn->out_start) {
            conn_linger(conn); /* answers are still on their way out */
        } else {
            conn_close(conn, false);
        }
        return false;
    default: conn_close(conn, true); return false;
    }
}

/* Leaves DRAIN when the unread body is through. true: it is. */
static APART bool drain_body(struct conn *conn)
{
    switch (body_discard(conn->request)) {
    case BODY_AT_END:
        request_close(conn->request, NO_ERROR);
        conn_set_state(conn, CONN_IDLE);
        return true;
    case BODY_WANTS_MORE: return false;
    default:
        conn_linger(conn); /* malformed, or longer than it is worth */
        return false;
    }
}

/* What is left to do when no complete request is in the input. */
static void settle(struct conn *conn)
{
    if (conn->state == CONN_FRESH) {
        release_input(conn);
    } else if (conn->state == CONN_IDLE && conn_in_len(conn) == 0) {
        release_input(conn);
        if (conn->shard->draining) {
            conn_linger(conn);
            return;
        }
        conn_set_deadline(conn, CONN_TIMEOUT_S(conn, idle_connection_s));
    }
    ULONG status = output_flush(conn);
    if (status != NO_ERROR && status != ERROR_IO_PENDING) {
        conn_close(conn, true);
    }
}

void conn_advance(struct conn *conn)
{
    for (;;) {
        bool progress = false;
        if (conn->state == CONN_DRAIN) {
            progress = drain_body(conn);
        } else if (is_between_requests(conn) && conn_in_len(conn) > 0) {
            (void)h1_take_request(conn); /* the state says what came of it */
        }
        if (conn->state == CONN_CLOSED || conn->state == CONN_LINGER) {
            return;
        }
        if (conn->state == CONN_REQUEST) {
            if (conn_wants_flush(conn)) {
                conn_mark_dirty(conn); /* a pipelined one: its answer may go out together */
            }
            return;
        }
        if (!progress && !read_more(conn)) {
            break;
        }
    }
    if (conn->state != CONN_CLOSED && conn->state != CONN_LINGER) {
        settle(conn);
    }
}

/* -------- events -------- */

/* Throws input away, CONN_SWALLOW_STEP bytes at most. */
static ULONG swallow(struct conn *conn)
{
    char waste[4096];
    ULONG status = NO_ERROR;
    for (size_t seen = 0; seen < CONN_SWALLOW_STEP && conn->readable && !conn->eof;) {
        size_t n = 0;
        status = sock_read(conn->io.fd, waste, sizeof waste, &n);
        status = note_read(conn, status, n, sizeof waste);
        if (status != NO_ERROR && status != ERROR_IO_PENDING) {
            break;
        }
        seen += n;
    }
    return status;
}

/* Whether the client has promised to send nothing more (RFC 9112 section 9.6, "close"), and what it
 * has sent is read: then a close resets nothing, and need not wait for the client's. */
static bool is_last_of_client(const struct conn *conn)
{
    return !conn->request->keep_alive && conn->request->body_ended && conn_in_len(conn) == 0 &&
           !conn->readable;
}

static APART void linger_step(struct conn *conn)
{
    ULONG status = output_flush(conn);
    if (status == ERROR_IO_PENDING) {
        return;
    }
    if (status != NO_ERROR) {
        conn_close(conn, true);
        return;
    }
    if (conn->eof || conn->asked_last) {
        conn_close(conn, false);
        return;
    }
    if (!conn->fin_sent) {
        conn->fin_sent = true;
        sock_shutdown_write(conn->io.fd);
        conn_set_deadline(conn, CONN_LINGER_S);
    }
    status = swallow(conn);
    if (conn->eof || (status != NO_ERROR && status != ERROR_IO_PENDING)) {
        conn_close(conn, false);
    } else if (conn->readable) {
        conn_mark_dirty(conn); /* it sends faster than we read: the others get their turn first */
    }
}

void conn_linger(struct conn *conn)
{
    conn_set_state(conn, CONN_LINGER);
    conn->deadline_ns = UINT64_MAX; /* until all is sent the send rate decides */
    if (conn->request != NULL) {
        conn->asked_last = is_last_of_client(conn);
        request_on_conn_lost(conn->request); /* may take conn->in over */
    }
    if (conn->in != NULL) {
        shard_give_in_block(conn->shard, conn->in);
        conn->in = NULL;
        conn->in_start = conn->in_end = 0;
    }
    linger_step(conn);
}

static APART void on_request_event(struct conn *conn)
{
    if (conn->reset) {
        conn_close(conn, true);
        return;
    }
    if (conn->writable && conn->out_end > conn->out_start) {
        ULONG status = output_flush(conn);
        if (status != NO_ERROR && status != ERROR_IO_PENDING) {
            conn_close(conn, true);
            return;
        }
    }
    if (conn->writable && conn->request->sender != NULL) {
        response_on_writable(conn->request);
    }
    if (conn->state == CONN_REQUEST && conn->readable && conn->request->reader != NULL) {
        body_on_input(conn->request);
    }
}

static void on_event(struct loop_io *io, unsigned events)
{
    struct conn *conn = LIST_ITEM(io, struct conn, io);
    assert(conn->state != CONN_CLOSED);
    conn->readable |= (events & LOOP_READABLE) != 0;
    conn->writable |= (events & LOOP_WRITABLE) != 0 && !conn->sending;
    conn->read_closed |= (events & LOOP_READ_CLOSED) != 0;
    conn->reset |= (events & LOOP_HANGUP) != 0;
    if ((events & LOOP_SENT) != 0) {
        ULONG status = output_on_sent(conn);
        if (status != NO_ERROR && status != ERROR_IO_PENDING) {
            conn_close(conn, true);
            return;
        }
    }
    switch (conn->state) {
    case CONN_REQUEST: on_request_event(conn); break;
    case CONN_LINGER: linger_step(conn); break;
    default:
        if (conn->readable || conn->out_end > conn->out_start) {
            conn_advance(conn);
        }
    }
}

void conn_mark_dirty(struct conn *conn)
{
    if (!list_is_linked(&conn->dirty_link)) {
        list_push_back(&conn->shard->dirty, &conn->dirty_link);
    }
}

/* A new connection is registered no earlier than it must be waited for: one whose request is here
 * already, and whose answer ends it, never is. */
static APART void look_at_new(struct conn *conn)
{
    if (conn->state == CONN_FRESH && conn->readable) {
        conn_advance(conn);
        if (conn->state == CONN_REQUEST) {
            conn_mark_dirty(conn); /* it may be answered in this turn */
            return;
        }
    }
    if (conn->state != CONN_CLOSED && loop_io_add(conn->shard->loop, &conn->io) != NO_ERROR) {
        conn_close(conn, true);
    }
}

void conn_run_dirty(struct shard *shard)
{
    struct list_node last = {NULL, NULL}; /* what is marked from here on has its turn later */
    struct list_node *node = NULL;
    list_push_back(&shard->dirty, &last);
    while ((node = list_pop_front(&shard->dirty)) != &last) {
        struct conn *conn = LIST_ITEM(node, struct conn, dirty_link);
        if (conn->io.id == 0) {
            look_at_new(conn);
            continue;
        }
        if (conn->state == CONN_LINGER) {
            linger_step(conn);
            continue;
        }
        if (conn->state == CONN_IDLE && shard->draining) {
            conn_advance(conn);
            continue;
        }
        ULONG status = output_flush(conn);
        if (status != NO_ERROR && status != ERROR_IO_PENDING) {
            conn_close(conn, true);
        }
    }
}

const struct sockaddr *conn_local(struct conn *conn)
{
    if (!conn->listener->wildcard) {
        return &conn->listener->address.sa;
    }
    if (conn->local.sa.sa_family == 0 && sock_local_addr(conn->io.fd, &conn->local) != NO_ERROR) {
        return &conn->listener->address.sa; /* the connection has just died */
    }
    return &conn->local.sa;
}
