/* See call.h. */
#include "engine/call.h"

#include <assert.h>
#include <stdlib.h>

#include "base/path.h"
#include "engine/body.h"
#include "engine/conn.h"
#include "engine/overlapped.h"
#include "engine/queue.h"
#include "engine/receive.h"
#include "engine/request.h"
#include "engine/response.h"

enum {
    CLOSE_WAIT_NS = 1000 * 1000 /* a closing shard looks this often whether its calls are home */
};

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
static APART void signal_waiter(struct call_waiter *waiter, ULONG status, ULONG bytes)
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

/* Sends a call back. Under the lock: a home that closes takes it once its calls are there, so its
 * loop lives as long as this needs it. */
static APART void post_home(struct call *call, void (*run)(struct loop_task *))
{
    struct engine *engine = call->home->engine;
    pthread_mutex_lock(&engine->lock);
    call->task.run = run;
    loop_post(call->home->loop, &call->task);
    pthread_mutex_unlock(&engine->lock);
}

static void leave_home(struct call *call)
{
    assert(!call->away);
    call->away = true;
    list_push_back(&call->home->calls_away, &call->link);
}

static void come_home(struct call *call)
{
    assert(call->away);
    call->away = false;
    list_remove(&call->link);
}

static void on_home(struct loop_task *task)
{
    struct call *call = LIST_ITEM(task, struct call, task);
    come_home(call);
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
        post_home(call, on_home);
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

static void on_lent(struct loop_task *task);

/* -------- running -------- */

static APART ULONG wait_for_disconnect(struct shard *shard, struct call *call)
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

/* Takes back a call that waits but must not: synchronous on the thread of a loop. A read that wants
 * more than there is gives what it has: it is taken off the connection already. */
static COLD ULONG withdraw(struct shard *shard, struct call *call, PULONG bytes_out)
{
    list_remove(&call->link);
    struct request *request = shard_find_request(shard, call->id);
    ULONG filled = 0;
    if (call->kind == CALL_READ_BODY) {
        filled = call->as.read.filled;
        request->reader = NULL;
        request->received_bytes += filled;
        request->conn->deadline_ns = UINT64_MAX; /* nobody waits for its body now */
    } else if (call->kind == CALL_WAIT_DISCONNECT) {
        shard_find_conn(shard, call->id)->disconnect_wait = NULL;
    } else if (call->kind == CALL_SEND) {
        conn_close(request->conn, true); /* a part is sent: it cannot be taken back */
        return ERROR_INVALID_PARAMETER;  /* that has completed the call */
    }
    free_call(shard, call);
    if (filled > 0 && bytes_out != NULL) {
        *bytes_out = filled;
    }
    return filled > 0 ? NO_ERROR : ERROR_INVALID_PARAMETER;
}

static ULONG start_overlapped(struct call *call)
{
    call->event_fd = -1;
    return call->overlapped == NULL ? NO_ERROR
                                    : overlapped_start(call->overlapped, &call->event_fd);
}

ULONG call_here(struct shard *shard, const struct call *prototype, PULONG bytes_out)
{
    struct call *call = shard_take_call(shard);
    if (call == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    *call = *prototype;
    OVERLAPPED *overlapped = call->overlapped;
    ULONG status = start_overlapped(call);
    if (status == NO_ERROR) {
        status = call_run(shard, call);
    }
    if (status == ERROR_IO_PENDING) {
        if (overlapped == NULL) {
            return withdraw(shard, call, bytes_out);
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

static bool is_first_only(const struct call_waiter *waiter)
{
    return waiter != NULL && !waiter->until_done;
}

static void on_arrival(struct loop_task *task)
{
    struct call *call = LIST_ITEM(task, struct call, task);
    struct shard *shard = call->target;
    if (shard->closing && call_move_on(shard, call)) {
        return;
    }
    struct call_waiter *waiter = call->waiter;
    bool first_only = is_first_only(waiter);
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

/* The call that goes to another thread. Under the lock. */
static ULONG make_travelling(const struct call *prototype, struct call **out)
{
    struct call *call = malloc(sizeof *call);
    if (call == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    *call = *prototype;
    ULONG status = start_overlapped(call);
    if (status != NO_ERROR) {
        free(call);
        return status;
    }
    if (call->queue != NULL) {
        queue_ref(call->queue);
        call->holds_queue = true;
    }
    *out = call;
    return NO_ERROR;
}

static void open_waiter(struct call_waiter *waiter, struct call *call)
{
    pthread_mutex_init(&waiter->mutex, NULL);
    pthread_cond_init(&waiter->signal, NULL);
    waiter->until_done = call->overlapped == NULL;
    waiter->ready = false;
    call->waiter = waiter;
}

/* Prepares who gets the result. A thread that has a shard never waits here, not even for the first
 * status: two that wait for each other would both stop. */
static void address_call(struct call *call, struct call_waiter *waiter)
{
    if (call->home != NULL) {
        leave_home(call);
    } else if (shard_current() == NULL) {
        open_waiter(waiter, call);
    }
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

/* Under the lock: the target is in the registry, so its loop lives. */
static void send_to(struct shard *target, struct call *call, void (*run)(struct loop_task *))
{
    call->target = target;
    call->task.run = run;
    loop_post(target->loop, &call->task);
}

ULONG call_there(struct engine *engine, struct shard *target, const struct call *prototype,
                 PULONG bytes_out)
{
    bool synchronous = prototype->overlapped == NULL;
    struct call_waiter waiter;
    struct call *call = NULL;
    bool may_not_wait = synchronous && shard_current() != NULL;
    /* A cancel has no result worth waiting for: it is sent on its way. */
    ULONG status = may_not_wait && prototype->kind != CALL_CANCEL
                       ? ERROR_INVALID_PARAMETER
                       : make_travelling(prototype, &call);
    if (status != NO_ERROR) {
        lifetime_leave(engine);
        return status;
    }
    address_call(call, &waiter);
    bool waits = call->waiter != NULL;
    send_to(target, call, on_arrival);
    lifetime_leave(engine);
    if (may_not_wait) {
        return NO_ERROR;
    }
    return waits ? wait_for(&waiter, synchronous, bytes_out) : ERROR_IO_PENDING;
}

ULONG call_orphan(struct engine *engine, const struct call *prototype, PULONG bytes_out)
{
    struct call_waiter waiter;
    struct call *call = NULL;
    bool synchronous = prototype->overlapped == NULL;
    assert(shard_current() == NULL); /* a thread with a shard would have run it there */
    ULONG status = make_travelling(prototype, &call);
    if (status != NO_ERROR) {
        lifetime_leave(engine);
        return status;
    }
    if (synchronous) {
        open_waiter(&waiter, call);
    }
    list_push_back(&engine->orphan_receives, &call->link);
    lifetime_leave(engine);
    return synchronous ? wait_for(&waiter, true, bytes_out) : ERROR_IO_PENDING;
}

void call_adopt_orphans(struct shard *shard)
{
    struct list_node *node = NULL;
    while ((node = list_pop_front(&shard->engine->orphan_receives)) != NULL) {
        send_to(shard, LIST_ITEM(node, struct call, link), on_lent);
    }
}

/* A receive that was accepted before goes on here. */
static void resume(struct shard *shard, struct call *call)
{
    if (shard->closing && call_move_on(shard, call)) {
        return;
    }
    ULONG status = shard->closing ? ERROR_OPERATION_ABORTED : call_run(shard, call);
    if (status == ERROR_INVALID_HANDLE) {
        status = ERROR_OPERATION_ABORTED; /* its queue was shut while it was on its way */
    }
    if (status != ERROR_IO_PENDING) {
        call_complete(shard, call, status, call->bytes);
    }
}

/* A lent receive that found nothing to do is at home again. */
static void on_returned(struct loop_task *task)
{
    struct call *call = LIST_ITEM(task, struct call, task);
    come_home(call);
    assert(call->home != NULL);
    if (call->cancelled) {
        call_complete(call->home, call, ERROR_OPERATION_ABORTED, 0);
    } else {
        resume(call->home, call);
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
        resume(shard, call);
    } else {
        post_home(call, on_returned);
    }
}

static void hold_queue(struct call *call)
{
    if (!call->holds_queue) {
        queue_ref(call->queue);
        call->holds_queue = true;
    }
}

bool call_lend(struct shard *shard, struct call *call, uint32_t index)
{
    struct engine *engine = shard->engine;
    pthread_mutex_lock(&engine->lock);
    struct shard *target = engine->shards[index];
    /* While a cancel goes round, nothing moves: it would pass by unseen. */
    bool lends = target != NULL && target != shard && call->queue->cancels == 0;
    if (lends) {
        hold_queue(call);
        if (call->home != NULL) {
            assert(call->home == shard);
            leave_home(call);
        }
        send_to(target, call, on_lent);
    }
    pthread_mutex_unlock(&engine->lock);
    return lends;
}

static struct shard *any_other(const struct engine *engine, const struct shard *shard)
{
    for (uint32_t i = 0; i < LIFETIME_SHARDS_MAX; i++) {
        if (engine->shards[i] != NULL && engine->shards[i] != shard) {
            return engine->shards[i];
        }
    }
    return NULL;
}

bool call_move_on(struct shard *shard, struct call *call)
{
    if (call->kind != CALL_RECEIVE || call->id != HTTP_NULL_ID || call->home != NULL) {
        return false;
    }
    struct engine *engine = shard->engine;
    struct call_waiter *told = NULL;
    pthread_mutex_lock(&engine->lock);
    bool open = atomic_load(&call->queue->phase) == QUEUE_OPEN;
    if (open) {
        struct shard *other = any_other(engine, shard);
        hold_queue(call);
        if (other != NULL) {
            send_to(other, call, is_first_only(call->waiter) ? on_arrival : on_lent);
        } else {
            told = is_first_only(call->waiter) ? call->waiter : NULL;
            call->waiter = told == NULL ? call->waiter : NULL;
            list_push_back(&engine->orphan_receives, &call->link);
        }
    }
    pthread_mutex_unlock(&engine->lock);
    if (told != NULL) {
        signal_waiter(told, ERROR_IO_PENDING, 0);
    }
    return open;
}

/* -------- cancelling across shards -------- */

struct errand_wait {
    pthread_mutex_t mutex;
    pthread_cond_t signal;
    unsigned left, found;
};

/* A cancel that goes to another shard. */
struct errand {
    struct loop_task task;
    struct shard *target;
    struct queue *queue;          /* one reference */
    const OVERLAPPED *overlapped; /* which call, NULL all */
    struct errand_wait *wait;     /* who waits for the outcome, or NULL */
};

/* Under the lock. */
static struct errand *make_errand(struct shard *target, struct queue *queue,
                                  void (*run)(struct loop_task *))
{
    struct errand *errand = calloc(1, sizeof *errand);
    if (errand != NULL) {
        errand->task.run = run;
        errand->target = target;
        errand->queue = queue;
        queue_ref(queue);
        queue->cancels++;
    }
    return errand;
}

/* The last of a cancel's errands lets receives be lent again. */
static void end_errand(struct errand *errand)
{
    struct engine *engine = errand->target->engine;
    struct queue *queue = errand->queue;
    pthread_mutex_lock(&engine->lock);
    if (--queue->cancels == 0 && atomic_load(&queue->needy) != 0) {
        queue_ask(engine, NULL);
    }
    queue_unref_locked(engine, queue);
    pthread_mutex_unlock(&engine->lock);
    free(errand);
}

static void on_cancel(struct loop_task *task)
{
    struct errand *errand = LIST_ITEM(task, struct errand, task);
    unsigned found = queue_cancel_calls(errand->target, errand->queue, errand->overlapped);
    struct errand_wait *wait = errand->wait;
    end_errand(errand);
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

bool call_completes_at(const struct shard *here, HANDLE handle, const OVERLAPPED *overlapped)
{
    const struct port *port = here == NULL ? NULL : queue_port_of_handle(here, handle);
    return port != NULL && port->attached && overlapped != NULL && overlapped->hEvent == NULL;
}

bool call_cancel(struct engine *engine, struct queue *queue, const OVERLAPPED *overlapped)
{
    struct shard *here = shard_current();
    HANDLE handle = (HANDLE)(uintptr_t)queue->id;
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
    return found > 0 || (sent > 0 && here != NULL && !call_completes_at(here, handle, overlapped));
}

/* -------- the end of a loop -------- */

/* Calls back what a closing shard has on another one. Owner: the closing shard, which waits. */
struct recall {
    struct loop_task task;
    struct shard *target, *home;
    _Atomic unsigned *left;
};

static void on_recall(struct loop_task *task)
{
    struct recall *recall = LIST_ITEM(task, struct recall, task);
    queue_recall(recall->target, recall->home);
    atomic_fetch_sub(recall->left, 1); /* from here on its memory is gone */
}

static void post_recalls(struct shard *home, struct recall *recalls, _Atomic unsigned *left)
{
    struct engine *engine = home->engine;
    pthread_mutex_lock(&engine->lock);
    for (uint32_t i = 0; i < LIFETIME_SHARDS_MAX; i++) {
        struct shard *other = engine->shards[i];
        if (other != NULL) {
            recalls[i] = (struct recall){{.run = on_recall}, other, home, left};
            atomic_fetch_add(left, 1);
            loop_post(other->loop, &recalls[i].task);
        }
    }
    pthread_mutex_unlock(&engine->lock);
}

void call_recall(struct shard *home)
{
    struct recall recalls[LIFETIME_SHARDS_MAX];
    _Atomic unsigned left = 0;
    assert(home->closing);
    do {
        /* What has come home with a request may have been answered since: once more, then. */
        if (atomic_load(&left) == 0 && !list_is_empty(&home->calls_away)) {
            post_recalls(home, recalls, &left);
        }
        /* What others have sent here ends in the same turns. */
        (void)loop_run_once(home->loop, list_is_empty(&home->calls_away) ? 0 : CLOSE_WAIT_NS);
    } while (atomic_load(&left) > 0 || !list_is_empty(&home->calls_away) ||
             home->loop->completed_first != NULL);
}
