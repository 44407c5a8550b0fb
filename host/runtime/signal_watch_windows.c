/* A pipe cannot be watched by a completion port, so a thread reads it and posts what it reads. The
 * read has no end but the writer's close (signals_close), which comes after the host is gone:
 * stopping only cuts the reader off from it, and the reader frees itself. */
#include "runtime/signal_watch.h"

#include <io.h>
#include <pthread.h>
#include <stdlib.h>

#include "runtime/hostdata.h"

struct reader {
    struct loop_task task; /* posted while `posted` */
    pthread_mutex_t lock;
    struct host *host;  /* NULL: cut off */
    int fd;             /* config->signal_fd */
    bool posted;        /* number waits for the coordinator */
    bool ended;         /* the thread has left its loop */
    unsigned char next; /* what was read */
};

static void destroy(struct reader *reader)
{
    (void)pthread_mutex_destroy(&reader->lock);
    free(reader);
}

static void deliver(struct loop_task *task)
{
    struct reader *reader = LIST_ITEM(task, struct reader, task);
    (void)pthread_mutex_lock(&reader->lock);
    struct host *host = reader->host;
    unsigned char number = reader->next;
    reader->posted = false;
    bool last = reader->ended && host == NULL;
    (void)pthread_mutex_unlock(&reader->lock);
    if (host != NULL) {
        host->config->on_signal(host->config->ctx, host, number);
    } else if (last) {
        destroy(reader);
    }
}

/* false: cut off. A signal that comes while one waits is the same to the host unless it is a
 * second one, so it waits for the first. */
static bool pass_on(struct reader *reader, unsigned char number)
{
    for (;;) {
        (void)pthread_mutex_lock(&reader->lock);
        struct host *host = reader->host;
        bool free_now = !reader->posted;
        if (host != NULL && free_now) {
            reader->posted = true;
            reader->next = number;
            reader->task.run = deliver;
            loop_post(host->loop, &reader->task);
        }
        (void)pthread_mutex_unlock(&reader->lock);
        if (host == NULL || free_now) {
            return host != NULL;
        }
        Sleep(1);
    }
}

static void *read_all(void *arg)
{
    struct reader *reader = arg;
    unsigned char number = 0;
    while (_read(reader->fd, &number, 1) == 1 && pass_on(reader, number)) {
    }
    (void)pthread_mutex_lock(&reader->lock);
    reader->ended = true;
    bool last = reader->host == NULL && !reader->posted;
    (void)pthread_mutex_unlock(&reader->lock);
    if (last) {
        destroy(reader);
    }
    return NULL;
}

bool signal_watch_start(struct host *host)
{
    pthread_t thread;
    struct reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        return false;
    }
    reader->host = host;
    reader->fd = host->config->signal_fd;
    (void)pthread_mutex_init(&reader->lock, NULL); /* cannot fail with default attributes */
    if (pthread_create(&thread, NULL, read_all, reader) != 0) {
        destroy(reader);
        return false;
    }
    (void)pthread_detach(thread);
    host->signal_reader = reader;
    return true;
}

/* What was read is in the loop's hands; the load limit bounds how long it stays there. */
void signal_watch_poll(struct host *host)
{
    (void)host;
}

void signal_watch_stop(struct host *host)
{
    struct reader *reader = host->signal_reader;
    if (reader == NULL) {
        return;
    }
    host->signal_reader = NULL;
    (void)pthread_mutex_lock(&reader->lock);
    reader->host = NULL;
    bool last = reader->ended && !reader->posted;
    (void)pthread_mutex_unlock(&reader->lock);
    if (last) {
        destroy(reader);
    }
}
