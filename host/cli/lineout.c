#include "cli/lineout.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DROPPED_BYTES_MAX = 64 };

struct lineout {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* by either side */
    size_t start, len;      /* of the ring */
    uint64_t dropped;       /* and not told yet */
    bool begun;             /* the first line is in */
    bool closing;           /* no more lines: the thread ends with the ring */
    bool ended;             /* the thread has */
    char ring[LINEOUT_BYTES];
};

/* false: nobody reads any more. */
static bool write_all(const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, p, (unsigned)len);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        p += n < 0 ? 0 : n;
        len -= n < 0 ? 0 : (size_t)n;
    }
    return true;
}

static void *work(void *arg)
{
    struct lineout *out = arg;
    bool open = true;
    (void)pthread_mutex_lock(&out->mutex);
    for (;;) {
        while (out->len == 0 && !out->closing) {
            (void)pthread_cond_wait(&out->changed, &out->mutex);
        }
        if (out->len == 0) {
            break;
        }
        size_t piece = LINEOUT_BYTES - out->start;
        piece = piece < out->len ? piece : out->len;
        const char *p = out->ring + out->start;
        (void)pthread_mutex_unlock(&out->mutex); /* nobody writes where these bytes are */
        open = open && write_all(p, piece);
        (void)pthread_mutex_lock(&out->mutex);
        out->start = (out->start + piece) % LINEOUT_BYTES;
        out->len -= piece;
    }
    out->ended = true;
    (void)pthread_cond_broadcast(&out->changed);
    (void)pthread_mutex_unlock(&out->mutex);
    return NULL;
}

struct lineout *lineout_open(void)
{
    struct lineout *out = malloc(sizeof *out);
    if (out == NULL) {
        return NULL;
    }
    memset(out, 0, offsetof(struct lineout, ring));
    (void)pthread_mutex_init(&out->mutex, NULL); /* neither can fail with default attributes */
    (void)pthread_cond_init(&out->changed, NULL);
    if (pthread_create(&out->thread, NULL, work, out) != 0) {
        (void)pthread_cond_destroy(&out->changed);
        (void)pthread_mutex_destroy(&out->mutex);
        free(out);
        return NULL;
    }
    return out;
}

void lineout_close(struct lineout *out)
{
    struct timespec until;
    if (out == NULL) {
        return;
    }
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LINEOUT_CLOSE_MS / 1000;
    (void)pthread_mutex_lock(&out->mutex);
    out->closing = true;
    (void)pthread_cond_broadcast(&out->changed);
    int late = 0;
    while (!out->ended && late == 0) {
        late = pthread_cond_timedwait(&out->changed, &out->mutex, &until);
    }
    bool ended = out->ended;
    (void)pthread_mutex_unlock(&out->mutex);
    if (!ended) { /* in a write that does not end: it keeps its memory until the process does */
        (void)pthread_detach(out->thread);
        return;
    }
    (void)pthread_join(out->thread, NULL);
    (void)pthread_cond_destroy(&out->changed);
    (void)pthread_mutex_destroy(&out->mutex);
    free(out);
}

static void copy_in(struct lineout *out, const char *p, size_t len)
{
    size_t at = (out->start + out->len) % LINEOUT_BYTES;
    size_t piece = LINEOUT_BYTES - at < len ? LINEOUT_BYTES - at : len;
    memcpy(out->ring + at, p, piece);
    memcpy(out->ring, p + piece, len - piece);
    out->len += len;
}

void lineout_put(struct lineout *out, struct slice line, bool spare)
{
    char text[DROPPED_BYTES_MAX];
    size_t max = spare ? LINEOUT_BYTES - LINEOUT_RESERVE : LINEOUT_BYTES;
    (void)pthread_mutex_lock(&out->mutex);
    assert(!out->closing);
    if ((spare && !out->begun) || line.len + sizeof text > max ||
        out->len > max - line.len - sizeof text) {
        out->dropped++;
    } else {
        if (!out->begun) {
            out->begun = true;
            out->dropped = 0; /* nobody was told yet that anything serves */
        }
        if (out->dropped > 0) {
            int n = snprintf(text, sizeof text, "{\"event\":\"dropped\",\"count\":%" PRIu64 "}\n",
                             out->dropped);
            copy_in(out, text, (size_t)n);
            out->dropped = 0;
        }
        copy_in(out, line.p, line.len);
        (void)pthread_cond_signal(&out->changed);
    }
    (void)pthread_mutex_unlock(&out->mutex);
}
