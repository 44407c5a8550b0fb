/* See ownthread.h. */
#include "engine/ownthread.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>

#include "engine/shard.h"
#include "net/loop.h"

struct own_thread {
    pthread_t thread;
    struct engine *engine;
    struct loop *loop; /* NULL until the thread has opened it, and when that failed */
    ULONG status;      /* of starting */
    bool started;      /* status is final; under the lock */
    _Atomic bool stop;
};

static void *run(void *argument)
{
    struct own_thread *own = argument;
    struct engine *engine = own->engine;
    struct shard *shard = NULL;
    struct loop *loop = NULL;
    ULONG status = loop_open(LOOP_BACKEND_DEFAULT, &loop);
    pthread_mutex_lock(&engine->lock);
    if (status == NO_ERROR) {
        status = shard_create(engine, loop, &shard);
    }
    own->loop = loop;
    own->status = status;
    own->started = true;
    pthread_cond_broadcast(&engine->seen);
    pthread_mutex_unlock(&engine->lock);
    while (status == NO_ERROR && !atomic_load(&own->stop)) {
        status = loop_run_once(loop, UINT64_MAX);
    }
    pthread_mutex_lock(&engine->lock); /* whoever asked to stop is done with waking the loop */
    pthread_mutex_unlock(&engine->lock);
    if (loop != NULL) {
        loop_close(loop);
    }
    return NULL;
}

/* Signals are the program's: this thread takes none. */
static int create_thread(struct own_thread *own)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&own->thread, NULL, run, own);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

ULONG ownthread_start(struct engine *engine)
{
    while (engine->own_thread != NULL) {
        if (engine->own_thread->started) {
            return engine->own_thread->status;
        }
        pthread_cond_wait(&engine->seen, &engine->lock); /* another thread is starting it */
    }
    struct own_thread *own = calloc(1, sizeof *own);
    if (own == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    own->engine = engine;
    if (create_thread(own) != 0) {
        free(own);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    engine->own_thread = own;
    while (!own->started) {
        pthread_cond_wait(&engine->seen, &engine->lock);
    }
    ULONG status = own->status;
    if (status != NO_ERROR) {
        ownthread_stop(engine);
    }
    return status;
}

void ownthread_stop(struct engine *engine)
{
    struct own_thread *own = engine->own_thread;
    if (own == NULL) {
        return;
    }
    engine->own_thread = NULL;
    assert(own->started);
    atomic_store(&own->stop, true);
    if (own->status == NO_ERROR) {
        loop_wake(own->loop);
    }
    pthread_mutex_unlock(&engine->lock);
    pthread_join(own->thread, NULL);
    pthread_mutex_lock(&engine->lock);
    free(own);
}
