/* See call.h. */
#include "engine/call.h"

#include <assert.h>
#include <stdlib.h>

#include "engine/body.h"
#include "engine/conn.h"
#include "engine/overlapped.h"
#include "engine/queue.h"
#include "engine/receive.h"
#include "engine/request.h"
#include "engine/response.h"

/* -------- results -------- */

static void free_call(struct shard *shard, struct call *call)
{
    overlapped_drop(call->event_fd);
    if (call->holds_queue) {
        queue_unref(shard->engine, call->queue);
    }
    shard_give_call(shard, call);
}

/* Wakes the waiting thread; its stack may be gone right after the unlock. */
static void signal_waiter(struct call_waiter *waiter, ULONG status, ULONG bytes)
{
    pthread_mutex_lock(&waiter->mutex);
    waiter->status = status;
    waiter->bytes = bytes;
    waiter->ready = true;
    pthread_cond_signal(&waiter->signal);
    pthread_mutex_unlock(&waiter->mutex);
}

static void complete_at_home(struct call *call)
{
    struct shard *home = call->home;
    struct loop_op *op = LIST_ITEM(call->overlapped, struct loop_op, overlapped);
    loop_complete(home->loop, op, call->status, call->bytes);
    free_call(home, call);
}

static void on_home(struct loop_task *task)
{
    struct call *call = LIST_ITEM(task, struct call, task);
    assert(call->away);
    call->away = false;
    call->home->calls_away--;
    complete_at_home(call);
}

/* The result of a call that is not waited for goes where it belongs. The call is freed. */
static void send_result(struct shard *shard, struct call *call, ULONG status, ULONG bytes)
{
    call->status = status;
    call->bytes = bytes;
    if (call->home == NULL) {
        overlapped_finish(call->overlapped, status, bytes, call->event_fd);
        call->event_fd = -1;
        free_call(shard, call);
    } else if (call->away) {
        call->task.run = on_home;
        loop_post(call->home->loop, &call->task);
    } else {
        assert(call->home == shard);
        complete_at_home(call);
    }
}

void call_complete(struct shard *shard, struct call *call, ULONG status, ULONG bytes)
{
    if (call->waiter != NULL) {
        struct call_waiter *waiter = call->waiter;
        free_call(shard, call);
        signal_waiter(waiter, status, bytes);
    } else if (call->overlapped != NULL) {
        send_result(shard, call, status, bytes);
    } else {
        free_call(shard, call); /* synchronous on this thread: it was withdrawn */
    }
}

/* -------- running -------- */

static ULONG wait_for_disconnect(struct shard *shard, struct call *call)
{
    struct conn *conn = shard_find_conn(shard, call->id);
    if (conn == NULL || conn->state == CONN_CLOSED) {
        return ERROR_CONNECTION_INVALID;
    }
    if (conn->disconnect_wait != NULL) {
        return ERROR_BAD_COMMAND; /* one per connection */
    }
    conn->disconnect_wait = call;
    return ERROR_IO_PENDING;
}

ULONG call_run(struct shard *shard, struct call *call)
{
    switch (call->kind) {
    case CALL_RECEIVE:
        return call->as.receive.id == HTTP_NULL_ID ? queue_receive(shard, call->queue, call)
                                                   : receive_by_id(shard, call);
    case CALL_READ_BODY: return body_read(shard, call);
    case CALL_SEND: return response_send(shard, call);
    case CALL_CANCEL: return request_cancel(shard, call);
    case CALL_WAIT_DISCONNECT: return wait_for_disconnect(shard, call);
    default: assert(false); return ERROR_INVALID_FUNCTION;
    }
}

/* Takes back a call that waits but must not: synchronous on the thread of a loop. */
static void withdraw(struct shard *shard, struct call *call)
{
    list_remove(&call->link);
    struct request *request = shard_find_request(shard, call->id);
    if (call->kind == CALL_READ_BODY) {
        request->reader = NULL;
    } else if (call->kind == CALL_WAIT_DISCONNECT) {
        shard_find_conn(shard, call->id)->disconnect_wait = NULL;
    } else if (call->kind == CALL_SEND) {
        conn_close(request->conn, true); /* a part is sent: it cannot be taken back */
        return;                          /* that has completed the call */
    }
    free_call(shard, call);
}

ULONG call_here(struct shard *shard, const struct call *prototype, PULONG bytes_out)
{
    struct call *call = shard_take_call(shard);
    if (call == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    *call = *prototype;
    call->event_fd = -1;
    OVERLAPPED *overlapped = call->overlapped;
    if (overlapped != NULL) {
        call->event_fd = overlapped_start(overlapped);
        call->home = overlapped->hEvent == NULL ? shard : NULL;
    }
    ULONG status = call_run(shard, call);
    if (status == ERROR_IO_PENDING) {
        if (overlapped == NULL) {
            withdraw(shard, call);
            return ERROR_INVALID_PARAMETER;
        }
        return status;
    }
    if (overlapped != NULL && status == NO_ERROR) {
        send_result(shard, call, status, call->bytes);
        return status;
    }
    if (overlapped == NULL && bytes_out != NULL) {
        *bytes_out = call->bytes;
    }
    free_call(shard, call);
    return status;
}

/* -------- travel -------- */

static void on_arrival(struct loop_task *task)
{
    struct call *call = LIST_ITEM(task, struct call, task);
    struct shard *shard = call->target;
    struct call_waiter *waiter = call->waiter;
    bool first_only = waiter != NULL && !waiter->until_done;
    if (first_only) {
        call->waiter = NULL; /* from here on its event tells */
    }
    ULONG status = shard->closing ? ERROR_OPERATION_ABORTED : call_run(shard, call);
    ULONG bytes = status == ERROR_IO_PENDING ? 0 : call->bytes;
    if (status == ERROR_IO_PENDING) {
        if (first_only) {
            signal_waiter(waiter, status, 0);
        }
        return;
    }
    if (!first_only) {
        call_complete(shard, call, status, bytes);
        return;
    }
    if (status == NO_ERROR) {
        send_result(shard, call, status, bytes);
    } else {
        free_call(shard, call);
    }
    signal_waiter(waiter, status, bytes);
}

static struct call *make_travelling(const struct call *prototype)
{
    struct call *call = malloc(sizeof *call);
    if (call == NULL) {
        return NULL;
    }
    *call = *prototype;
    call->event_fd = -1;
    if (call->queue != NULL) {
        queue_ref(call->queue);
        call->holds_queue = true;
    }
    return call;
}

/* Prepares who gets the result: a completion at home, or a waiter (and then the event). */
static void address_call(struct call *call, struct call_waiter *waiter)
{
    struct shard *here = shard_current();
    bool to_loop = call->overlapped != NULL && call->overlapped->hEvent == NULL && here != NULL;
    if (call->overlapped != NULL) {
        call->event_fd = overlapped_start(call->overlapped);
    }
    if (to_loop) {
        call->home = here;
        call->away = true;
        here->calls_away++;
        return;
    }
    pthread_mutex_init(&waiter->mutex, NULL);
    pthread_cond_init(&waiter->signal, NULL);
    waiter->until_done = call->overlapped == NULL;
    waiter->ready = false;
    call->waiter = waiter;
}

static ULONG wait_for(struct call_waiter *waiter, bool synchronous, PULONG bytes_out)
{
    pthread_mutex_lock(&waiter->mutex);
    while (!waiter->ready) {
        pthread_cond_wait(&waiter->signal, &waiter->mutex);
    }
    pthread_mutex_unlock(&waiter->mutex);
    pthread_cond_destroy(&waiter->signal);
    pthread_mutex_destroy(&waiter->mutex);
    if (synchronous && bytes_out != NULL) {
        *bytes_out = waiter->bytes;
    }
    return waiter->status;
}

ULONG call_there(struct engine *engine, struct shard *target, const struct call *prototype,
                 PULONG bytes_out)
{
    bool synchronous = prototype->overlapped == NULL;
    struct call_waiter waiter;
    struct call *call = make_travelling(prototype);
    if (call == NULL || (synchronous && shard_current() != NULL)) {
        lifetime_leave(engine);
        if (call != NULL && call->holds_queue) {
            queue_unref(engine, call->queue);
        }
        free(call);
        return call == NULL ? ERROR_NOT_ENOUGH_MEMORY : ERROR_INVALID_PARAMETER;
    }
    address_call(call, &waiter);
    bool waits = call->waiter != NULL;
    call->target = target;
    call->task.run = on_arrival;
    loop_post(target->loop, &call->task);
    lifetime_leave(engine);
    return waits ? wait_for(&waiter, synchronous, bytes_out) : ERROR_IO_PENDING;
}

ULONG call_orphan(struct engine *engine, const struct call *prototype, PULONG bytes_out)
{
    struct call_waiter waiter;
    bool synchronous = prototype->overlapped == NULL;
    struct call *call = make_travelling(prototype);
    if (call == NULL) {
        lifetime_leave(engine);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    address_call(call, &waiter);
    assert(call->home == NULL); /* a thread with a shard would have run it there */
    if (!synchronous) {
        call->waiter = NULL; /* waiting is its first status */
        pthread_cond_destroy(&waiter.signal);
        pthread_mutex_destroy(&waiter.mutex);
    }
    list_push_back(&engine->orphan_receives, &call->link);
    lifetime_leave(engine);
    return synchronous ? wait_for(&waiter, true, bytes_out) : ERROR_IO_PENDING;
}

void call_adopt_orphans(struct shard *shard)
{
    struct list_node *node = NULL;
    while ((node = list_pop_front(&shard->engine->orphan_receives)) != NULL) {
        struct call *call = LIST_ITEM(node, struct call, link);
        call->target = shard;
        call->task.run = on_arrival;
        loop_post(shard->loop, &call->task);
    }
}

static bool post_to_index(struct engine *engine, struct call *call, uint32_t index)
{
    pthread_mutex_lock(&engine->lock);
    struct shard *target = engine->shards[index];
    if (target != NULL) {
        call->target = target;
        loop_post(target->loop, &call->task);
    }
    pthread_mutex_unlock(&engine->lock);
    return target != NULL;
}

/* A lent receive that found nothing to do is at home again. */
static void on_returned(struct loop_task *task)
{
    struct call *call = LIST_ITEM(task, struct call, task);
    struct shard *home = call->home;
    call->away = false;
    home->calls_away--;
    ULONG status = home->closing ? ERROR_OPERATION_ABORTED : call_run(home, call);
    if (status != ERROR_IO_PENDING) {
        call_complete(home, call, status, call->bytes);
    }
}

static void on_lent(struct loop_task *task)
{
    struct call *call = LIST_ITEM(task, struct call, task);
    struct shard *shard = call->target;
    struct port *port = queue_port_of_handle(shard, (HANDLE)(uintptr_t)call->queue->id);
    bool wanted = !shard->closing && port != NULL && !list_is_empty(&port->undelivered);
    if (port != NULL) {
        port->asked = false; /* an answer to the question has come: it may be asked again */
    }
    if (wanted || call->home == NULL) {
        on_arrival(task);
        return;
    }
    call->task.run = on_returned;
    loop_post(call->home->loop, &call->task);
}

bool call_lend(struct shard *shard, struct queue *queue, struct call *call, uint32_t index)
{
    call->task.run = on_lent;
    if (!call->holds_queue) {
        queue_ref(queue);
        call->queue = queue;
        call->holds_queue = true;
    }
    if (call->home == shard) {
        call->away = true;
        shard->calls_away++;
    }
    if (post_to_index(shard->engine, call, index)) {
        return true;
    }
    if (call->home == shard) {
        call->away = false;
        shard->calls_away--;
    }
    return false;
}

bool call_move_on(struct shard *shard, struct call *call)
{
    struct engine *engine = shard->engine;
    assert(call->home == NULL);
    call->task.run = on_arrival;
    if (!call->holds_queue) {
        queue_ref(call->queue);
        call->holds_queue = true;
    }
    for (uint32_t i = 0; i < LIFETIME_SHARDS_MAX; i++) {
        if (i != shard->index && post_to_index(engine, call, i)) {
            return true;
        }
    }
    pthread_mutex_lock(&engine->lock);
    list_push_back(&engine->orphan_receives, &call->link);
    pthread_mutex_unlock(&engine->lock);
    return true;
}

/* -------- asking and cancelling across shards -------- */

struct errand_wait {
    pthread_mutex_t mutex;
    pthread_cond_t signal;
    unsigned left, found;
};

/* Something to do on another shard for a queue. */
struct errand {
    struct loop_task task;
    struct shard *target;
    struct queue *queue;          /* one reference */
    uint32_t needy;               /* lend: index of the shard that asks */
    const OVERLAPPED *overlapped; /* cancel: which, NULL all */
    struct errand_wait *wait;     /* cancel: who waits for the outcome, or NULL */
};

static struct errand *make_errand(struct shard *target, struct queue *queue,
                                  void (*run)(struct loop_task *))
{
    struct errand *errand = calloc(1, sizeof *errand);
    if (errand != NULL) {
        errand->task.run = run;
        errand->target = target;
        errand->queue = queue;
        queue_ref(queue);
    }
    return errand;
}

static void on_asked(struct loop_task *task)
{
    struct errand *errand = LIST_ITEM(task, struct errand, task);
    struct shard *shard = errand->target;
    struct port *port = queue_port_of_handle(shard, (HANDLE)(uintptr_t)errand->queue->id);
    struct list_node *node =
        port == NULL || shard->closing ? NULL : list_pop_front(&port->receives);
    if (node != NULL) {
        struct call *call = LIST_ITEM(node, struct call, link);
        if (!call_lend(shard, errand->queue, call, errand->needy)) {
            list_push_front(&port->receives, &call->link);
        }
    }
    queue_unref(errand->target->engine, errand->queue);
    free(errand);
}

void call_ask_to_lend(struct shard *shard, struct queue *queue)
{
    struct engine *engine = shard->engine;
    pthread_mutex_lock(&engine->lock);
    for (uint32_t i = 0; i < LIFETIME_SHARDS_MAX; i++) {
        struct shard *other = engine->shards[i];
        struct errand *errand =
            other == NULL || other == shard ? NULL : make_errand(other, queue, on_asked);
        if (errand != NULL) {
            errand->needy = shard->index;
            loop_post(other->loop, &errand->task);
        }
    }
    pthread_mutex_unlock(&engine->lock);
}

static void on_cancel(struct loop_task *task)
{
    struct errand *errand = LIST_ITEM(task, struct errand, task);
    unsigned found = queue_cancel_calls(errand->target, errand->queue, errand->overlapped);
    struct errand_wait *wait = errand->wait;
    queue_unref(errand->target->engine, errand->queue);
    free(errand);
    if (wait != NULL) {
        pthread_mutex_lock(&wait->mutex);
        wait->found += found;
        wait->left--;
        pthread_cond_signal(&wait->signal);
        pthread_mutex_unlock(&wait->mutex);
    }
}

/* Takes matching receives out of the orphans. Under the lock; they are completed after it. */
static void take_orphans(struct engine *engine, const struct queue *queue,
                         const OVERLAPPED *overlapped, struct list *out)
{
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &engine->orphan_receives)
    {
        struct call *call = LIST_ITEM(node, struct call, link);
        if (call->queue == queue && (overlapped == NULL || call->overlapped == overlapped)) {
            list_remove(node);
            list_push_back(out, node);
        }
    }
}

/* Ends receives that no shard has seen. Under the lock; a waiter's mutex is the only one taken
 * below it. */
static unsigned abort_orphans(struct engine *engine, struct list *orphans)
{
    unsigned count = 0;
    struct list_node *node = NULL;
    while ((node = list_pop_front(orphans)) != NULL) {
        struct call *call = LIST_ITEM(node, struct call, link);
        queue_unref_locked(engine, call->queue);
        if (call->waiter != NULL) {
            signal_waiter(call->waiter, ERROR_OPERATION_ABORTED, 0);
        } else {
            overlapped_finish(call->overlapped, ERROR_OPERATION_ABORTED, 0, call->event_fd);
        }
        free(call);
        count++;
    }
    return count;
}

unsigned call_abort_orphans(struct engine *engine, const struct queue *queue)
{
    struct list orphans;
    list_init(&orphans);
    take_orphans(engine, queue, NULL, &orphans);
    return abort_orphans(engine, &orphans);
}

/* Sends the errand to every shard but `here`. Returns how many were sent. Under the lock. */
static unsigned send_cancels(struct engine *engine, const struct shard *here, struct queue *queue,
                             const OVERLAPPED *overlapped, struct errand_wait *wait)
{
    unsigned sent = 0;
    for (uint32_t i = 0; i < LIFETIME_SHARDS_MAX; i++) {
        struct shard *other = engine->shards[i];
        struct errand *errand =
            other == NULL || other == here ? NULL : make_errand(other, queue, on_cancel);
        if (errand != NULL) {
            errand->overlapped = overlapped;
            errand->wait = wait;
            sent++;
            loop_post(other->loop, &errand->task);
        }
    }
    return sent;
}

bool call_cancel(struct engine *engine, struct queue *queue, const OVERLAPPED *overlapped)
{
    struct shard *here = shard_current();
    struct errand_wait wait = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
    struct list orphans;
    list_init(&orphans);
    take_orphans(engine, queue, overlapped, &orphans);
    unsigned found = abort_orphans(engine, &orphans);
    pthread_mutex_lock(&wait.mutex);
    unsigned sent = send_cancels(engine, here, queue, overlapped, here == NULL ? &wait : NULL);
    wait.left = sent;
    queue_ref(queue);
    lifetime_leave(engine);
    while (here == NULL && wait.left > 0) {
        pthread_cond_wait(&wait.signal, &wait.mutex);
    }
    found += wait.found;
    pthread_mutex_unlock(&wait.mutex);
    if (here != NULL) {
        found += queue_cancel_calls(here, queue, overlapped);
    }
    queue_unref(engine, queue);
    return found > 0 || (here != NULL && sent > 0);
}
