/* Output of a connection: one block, sent when it must or when the turn ends. See conn.h.
 *
 * Step before: response.c and send.c write here. Step after: net/sock.c. */
#include <assert.h>
#include <string.h>

#include "engine/conn.h"

uint32_t output_room(const struct conn *conn)
{
    return conn->out == NULL ? SHARD_OUT_BLOCK : SHARD_OUT_BLOCK - conn->out_end;
}

static void release_block(struct conn *conn)
{
    conn->out_start = conn->out_end = 0;
    if (conn->out != NULL) {
        shard_give_out_block(conn->shard, conn->out);
        conn->out = NULL;
    }
}

/* Starts the send clock when bytes are left over, stops it when none are. */
static void watch_rate(struct conn *conn)
{
    bool left = conn->out_end > conn->out_start || !conn->writable;
    if (conn->sending) {
        return; /* it says soon whether any is left */
    }
    if (!left) {
        conn->send_deadline_ns = UINT64_MAX;
    } else if (conn->send_deadline_ns == UINT64_MAX) {
        conn_start_send_clock(conn);
        conn_arm_timer(conn);
    }
}

/* Accounts for `n` sent bytes: first those of the block, the rest is the caller's. */
static size_t consume(struct conn *conn, size_t n)
{
    size_t block = conn->out_end - conn->out_start;
    size_t from_block = n < block ? n : block;
    conn->judged_bytes += (uint32_t)n;
    conn->out_start += (uint32_t)from_block;
    if (conn->out_start == conn->out_end) {
        release_block(conn);
    }
    return n - from_block;
}

/* Sends the block, as far as the peer takes it. more: a file or our FIN follows at once. */
static ULONG send_block(struct conn *conn, bool more)
{
    if (conn->state == CONN_CLOSED && conn->out_end > conn->out_start) {
        return ERROR_NETNAME_DELETED;
    }
    while (conn->out_end > conn->out_start && conn->writable) {
        const struct iovec block = {conn->out + conn->out_start, conn->out_end - conn->out_start};
        size_t sent = 0;
        ULONG status = more ? sock_write_more(conn->io.fd, &block, 1, &sent)
                            : sock_write(conn->io.fd, &block, 1, &sent);
        if (status != NO_ERROR && status != ERROR_IO_PENDING) {
            return status;
        }
        conn->writable = status == NO_ERROR;
        (void)consume(conn, sent); /* it was all the block's */
    }
    watch_rate(conn); /* also without a block: a file may have started the clock */
    return conn->out_end > conn->out_start ? ERROR_IO_PENDING : NO_ERROR;
}

/* Leaves the block to the loop, where that sends. Not the last one, which the FIN follows. */
static bool start_sending(struct conn *conn)
{
    uint32_t bytes = conn->out_end - conn->out_start;
    if (!conn->writable || conn->state == CONN_LINGER ||
        !loop_io_send(conn->shard->loop, &conn->io, conn->out + conn->out_start, bytes)) {
        return false;
    }
    conn->sending = true;
    conn->writable = false; /* nothing may overtake it */
    return true;
}

ULONG output_on_sent(struct conn *conn)
{
    ULONG status = sock_error_from_errno(conn->io.sent < 0 ? -conn->io.sent : 0);
    assert(conn->sending);
    conn->sending = false;
    conn->writable = status == NO_ERROR;
    if (status == NO_ERROR) {
        (void)consume(conn, (size_t)conn->io.sent); /* it was all the block's */
    }
    watch_rate(conn);
    return status;
}

ULONG output_flush(struct conn *conn)
{
    if (conn->out_end > conn->out_start && start_sending(conn)) {
        return ERROR_IO_PENDING;
    }
    return send_block(conn, conn->state == CONN_LINGER);
}

ULONG output_write_through(struct conn *conn, const char *p, size_t n, size_t *taken)
{
    *taken = 0;
    if (conn->state == CONN_CLOSED) {
        return ERROR_NETNAME_DELETED;
    }
    for (;;) {
        struct iovec parts[2];
        int count = 0;
        size_t block = conn->out_end - conn->out_start;
        if (block > 0) {
            parts[count++] = (struct iovec){conn->out + conn->out_start, block};
        }
        if (n > *taken) {
            /* writev only reads; the cast is the interface's */
            parts[count++] = (struct iovec){(void *)(uintptr_t)(p + *taken), n - *taken};
        }
        if (count == 0) {
            watch_rate(conn);
            return NO_ERROR;
        }
        if (!conn->writable) {
            watch_rate(conn);
            return ERROR_IO_PENDING;
        }
        size_t sent = 0;
        ULONG status = sock_write(conn->io.fd, parts, count, &sent);
        if (status == ERROR_IO_PENDING) {
            conn->writable = false;
            continue;
        }
        if (status != NO_ERROR) {
            return status;
        }
        *taken += consume(conn, sent);
    }
}

ULONG output_write_file(struct conn *conn, int fd, uint64_t *offset, size_t n, size_t *taken)
{
    *taken = 0;
    ULONG status = send_block(conn, true);
    if (status != NO_ERROR) {
        return status;
    }
    if (!conn->writable) {
        watch_rate(conn);
        return ERROR_IO_PENDING;
    }
    status = sock_send_file(conn->io.fd, fd, offset, n, taken);
    if (status == ERROR_IO_PENDING) {
        conn->writable = false;
        watch_rate(conn);
    } else if (status == NO_ERROR) {
        conn->judged_bytes += (uint32_t)*taken;
    }
    return status;
}

char *output_make_room(struct conn *conn, uint32_t n, ULONG *status)
{
    assert(n <= SHARD_OUT_BLOCK);
    *status = NO_ERROR;
    if (output_room(conn) < n) {
        *status = send_block(conn, false); /* at once: the room is wanted now */
        if (*status != NO_ERROR && *status != ERROR_IO_PENDING) {
            return NULL;
        }
        if (conn->out != NULL && conn->out_start > 0 && !conn->sending) {
            memmove(conn->out, conn->out + conn->out_start, conn->out_end - conn->out_start);
            conn->out_end -= conn->out_start;
            conn->out_start = 0;
        }
        if (output_room(conn) < n) {
            *status = ERROR_IO_PENDING;
            return NULL;
        }
    }
    if (conn->out == NULL) {
        conn->out = shard_take_out_block(conn->shard);
        if (conn->out == NULL) {
            *status = ERROR_NOT_ENOUGH_MEMORY;
            return NULL;
        }
    }
    *status = NO_ERROR;
    return conn->out + conn->out_end;
}

void output_commit(struct conn *conn, uint32_t n)
{
    assert(conn->out != NULL && conn->out_end + n <= SHARD_OUT_BLOCK);
    conn->out_end += n;
}
