#include "runtime/worker.h"

#include <assert.h>
#include <time.h>
#include <string.h>

#include "runtime/hostdata.h"
#include "runtime/retire.h"

static void on_ack(struct loop_task *task)
{
    struct worker_call *call = LIST_ITEM(task, struct worker_call, ack);
    assert(!call->done);
    call->done = true;
}

/* Over: tells the coordinator. The call is not ours any more afterwards. */
static void finish(struct worker *worker, struct worker_call *call)
{
    call->ack.run = on_ack;
    loop_post(worker->host->loop, &call->ack);
}

/* The coordinator has left us behind in the middle of a long C call. Everything we could touch may
 * be gone. */
static void stop_for_good(void)
{
    for (;;) {
        (void)nanosleep(&(struct timespec){.tv_sec = 3600, .tv_nsec = 0}, NULL);
    }
}

static void check_lasting(struct worker *worker)
{
    struct worker_call *call = worker->lasting;
    if (call != NULL && call->is_over(worker)) {
        worker->lasting = NULL;
        finish(worker, call);
    }
}

static void on_call(struct loop_task *task)
{
    struct worker_call *call = LIST_ITEM(task, struct worker_call, task);
    struct worker *worker = call->worker;
    if (atomic_load(&worker->abandoned)) {
        stop_for_good();
    }
    worker->lasting = NULL; /* the coordinator has gone on: nobody waits for the one before */
    atomic_store(&call->begun, true);
    call->run(call);
    if (call->is_over == NULL) {
        finish(worker, call);
    } else {
        worker->lasting = call;
    }
}

static struct dispatch *find_other(struct dispatch *d, uint16_t number)
{
    const struct host *host = LIST_ITEM(d, struct worker, dispatch)->host;
    return number < host->worker_count ? &host->workers[number].dispatch : NULL;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct host *host = worker->host;
    ULONG code = loop_open(host->config->backend, &worker->loop);
    if (code == NO_ERROR) {
        dispatch_init(&worker->dispatch, worker->loop, host->log);
        worker->dispatch.find_other = find_other;
        worker->dispatch.notes = host->config->on_request == NULL ? NULL : host->config;
        worker->phase = WORKER_SERVING;
    } else {
        worker->phase = WORKER_ENDED;
        worker->leave = true;
    }
    worker->calls[0].result = code;
    finish(worker, &worker->calls[0]);
    while (!worker->leave) {
        code = loop_run_once(worker->loop, UINT64_MAX);
        if (atomic_load(&worker->abandoned)) {
            stop_for_good();
        }
        if (code != NO_ERROR) {
            host_stop(host, HOST_CAUSE_INTERNAL, HOST_EXIT_INTERNAL,
                      "the event loop of a worker failed");
        }
        check_lasting(worker);
        if (worker->retiring > 0) {
            retire_turn(worker);
        }
    }
    if (worker->loop != NULL) {
        loop_close(worker->loop);
        dispatch_deinit(&worker->dispatch);
    }
    return NULL;
}

ULONG worker_open(struct worker *worker, struct host *host, unsigned number)
{
    pthread_attr_t attributes;
    memset(worker, 0, sizeof *worker);
    worker->host = host;
    worker->number = number;
    worker->phase = WORKER_STARTING;
    worker->calls[0].worker = worker;
    atomic_init(&worker->calls[0].begun, true);
    list_init(&worker->members);
    if (pthread_attr_init(&attributes) != 0) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    bool started = pthread_attr_setstacksize(&attributes, WORKER_STACK_BYTES) == 0 &&
                   pthread_create(&worker->thread, &attributes, work, worker) == 0;
    (void)pthread_attr_destroy(&attributes);
    worker->has_thread = started;
    return started ? NO_ERROR : ERROR_NOT_ENOUGH_MEMORY;
}

void worker_send(struct worker *worker, void (*run)(struct worker_call *call),
                 bool (*is_over)(const struct worker *worker), void *arg)
{
    assert(atomic_load(&worker_call(worker)->begun));
    worker->current = 1 - worker->current;
    struct worker_call *call = worker_call(worker);
    memset(call, 0, sizeof *call);
    call->worker = worker;
    call->task.run = on_call;
    call->run = run;
    call->is_over = is_over;
    call->arg = arg;
    loop_post(worker->loop, &call->task);
}

void worker_do_nothing(struct worker_call *call)
{
    (void)call;
}

ULONG worker_attach_queue(struct worker *worker, uint64_t queue_id, HANDLE queue)
{
    ULONG code = loop_attach_queue(worker->loop, queue);
    if (code != NO_ERROR && code != ERROR_ALREADY_EXISTS) {
        return code;
    }
    return dispatch_add_queue(&worker->dispatch, queue_id, queue);
}

void worker_leave(struct worker *worker)
{
    assert(worker->phase != WORKER_ENDED && list_is_empty(&worker->members));
    worker->phase = WORKER_ENDED;
    worker->leave = true;
}

void worker_join(struct worker *worker)
{
    assert(worker->has_thread && worker_call(worker)->done);
    (void)pthread_join(worker->thread, NULL); /* a thread of ours, joined once */
    worker->has_thread = false;
}
