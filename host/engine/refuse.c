/* See refuse.h. */
#include "engine/refuse.h"

#include <stdio.h>

#include "engine/queue.h"
#include "protocol/h1write.h"

enum { PAGE_MAX = 512, ANSWER_MAX = 1024 };

static int write_page(char *out, unsigned status, const char *reason, const char *phrase)
{
    return snprintf(out, PAGE_MAX,
                    "<!DOCTYPE html>\n<html><head><title>%s</title></head>\n<body><h2>%s</h2>\n"
                    "<p>HTTP Error %u. %s.</p>\n</body></html>\n",
                    reason, reason, status, phrase);
}

static void answer(struct conn *conn, unsigned status, const char *reason, const char *phrase)
{
    char page[PAGE_MAX];
    ULONG room = NO_ERROR;
    int page_bytes = write_page(page, status, reason, phrase);
    char *at = output_reserve(conn, ANSWER_MAX, &room);
    if (at == NULL) {
        conn_close(conn, true); /* the peer does not even read what it asked for before */
        return;
    }
    int n = snprintf(at, ANSWER_MAX,
                     "HTTP/1.1 %u %s\r\n"
                     "Content-Type: text/html; charset=us-ascii\r\n"
                     "Server: Moonlatch\r\n"
                     "Date: %.29s\r\n"
                     "Connection: close\r\n"
                     "Content-Length: %d\r\n\r\n%s",
                     status, reason, shard_date(conn->shard), page_bytes, page);
    output_commit(conn, (uint32_t)n);
    conn_linger(conn);
}

void refuse_conn(struct conn *conn, unsigned status, const char *phrase)
{
    answer(conn, status, status_reason((int)status).p, phrase);
}

void refuse_unavailable(struct conn *conn, const struct queue *queue, const char *phrase)
{
    uint32_t verbosity =
        queue == NULL ? (uint32_t)Http503ResponseVerbosityLimited : atomic_load(&queue->verbosity);
    if (verbosity == Http503ResponseVerbosityBasic) {
        conn_close(conn, true);
    } else if (verbosity == Http503ResponseVerbosityFull) {
        answer(conn, 503, phrase, phrase);
    } else {
        answer(conn, 503, "Service Unavailable", "The service is unavailable");
    }
}
