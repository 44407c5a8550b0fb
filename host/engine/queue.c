/* Delivery between requests and receives. See queue.h; the registry side is queue_config.c. */
#include "engine/queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "engine/call.h"
#include "engine/conn.h"
#include "engine/receive.h"
#include "engine/refuse.h"
#include "engine/request.h"
#include "engine/urlgroup.h"

/* -------- ports -------- */

static COLD bool grow_ports(struct shard *shard, uint32_t place)
{
    uint32_t cap = shard->port_cap == 0 ? 8 : shard->port_cap;
    while (cap <= place) {
        cap *= 2;
    }
    struct port **ports = realloc(shard->ports, cap * sizeof(struct port *));
    if (ports == NULL) {
        return false;
    }
    memset(ports + shard->port_cap, 0, (cap - shard->port_cap) * sizeof(struct port *));
    shard->ports = ports;
    shard->port_cap = cap;
    return true;
}

struct port *queue_port_of_handle(const struct shard *shard, HANDLE handle)
{
    uint64_t id = (uint64_t)(uintptr_t)handle;
    uint32_t place = (uint32_t)id;
    struct port *port = place < shard->port_cap ? shard->ports[place] : NULL;
    return port != NULL && port->queue->id == id ? port : NULL;
}

/* The place has no port, or that of a queue that was closed, whose end this shard has not yet
 * noticed. */
static APART struct port *make_port(struct shard *shard, struct queue *queue)
{
    uint32_t place = (uint32_t)queue->id;
    if (place >= shard->port_cap && !grow_ports(shard, place)) {
        return NULL;
    }
    if (shard->ports[place] != NULL) {
        queue_notice_phase(shard, &shard->ports[place]);
    }
    struct port *port = calloc(1, sizeof *port);
    if (port == NULL) {
        return NULL;
    }
    list_init(&port->receives);
    list_init(&port->undelivered);
    list_init(&port->delivered);
    port->queue = queue;
    queue_ref(queue);
    shard->ports[place] = port;
    return port;
}

struct port *queue_port(struct shard *shard, struct queue *queue)
{
    uint32_t place = (uint32_t)queue->id;
    struct port *port = place < shard->port_cap ? shard->ports[place] : NULL;
    return port != NULL && port->queue == queue ? port : make_port(shard, queue);
}

/* -------- delivery -------- */

/* Gives the request to the receive. The request may be gone afterwards. */
static void hand_over(struct shard *shard, struct port *port, struct request *request,
                      struct call *call)
{
    ULONG bytes = 0;
    ULONG status = receive_write(request, call, &bytes);
    list_push_back(&port->delivered, &request->port_link);
    call_complete(shard, call, status, bytes);
}

static uint64_t needy_bit(const struct shard *shard)
{
    return UINT64_C(1) << shard->index;
}

static void stop_needing(struct shard *shard, struct port *port)
{
    static_assert(LIFETIME_SHARDS_MAX <= 64, "queue->needy has a bit for each shard");
    port->asked = false;
    if ((atomic_load_explicit(&port->queue->needy, memory_order_relaxed) & needy_bit(shard)) != 0) {
        atomic_fetch_and(&port->queue->needy, ~needy_bit(shard));
    }
}

/* Takes the oldest request that waits. NULL: none. */
static struct request *take_undelivered(struct shard *shard, struct port *port)
{
    struct list_node *node = list_pop_front(&port->undelivered);
    if (node == NULL) {
        return NULL;
    }
    atomic_fetch_sub(&port->queue->waiting, 1);
    if (list_is_empty(&port->undelivered)) {
        stop_needing(shard, port);
    }
    return LIST_ITEM(node, struct request, port_link);
}

/* Tells the other shards that receives are wanted here. */
static APART void ask(struct shard *shard, struct port *port)
{
    if (port->asked) {
        return;
    }
    struct engine *engine = shard->engine;
    port->asked = true;
    atomic_fetch_or(&port->queue->needy, needy_bit(shard));
    pthread_mutex_lock(&engine->lock);
    queue_ask(engine, shard);
    pthread_mutex_unlock(&engine->lock);
}

void queue_ask(struct engine *engine, const struct shard *needy)
{
    for (uint32_t i = 0; i < LIFETIME_SHARDS_MAX; i++) {
        struct shard *other = engine->shards[i];
        if (other != NULL && other != needy) {
            atomic_store(&other->asked, true);
            loop_wake(other->loop);
        }
    }
}

int queue_pick_needy(const struct queue *queue, uint32_t *served, uint32_t self)
{
    uint64_t needy = atomic_load(&queue->needy);
    for (uint32_t i = 1; needy != 0 && i <= LIFETIME_SHARDS_MAX; i++) {
        uint32_t index = (*served + i) % LIFETIME_SHARDS_MAX;
        if (index != self && (needy >> index & 1) != 0) {
            *served = index;
            return (int)index;
        }
    }
    return -1;
}

/* Sends the receive to a needy shard. false: there is none, or it must stay. */
static bool lend(struct shard *shard, struct port *port, struct call *call)
{
    bool stays = call->waiter == NULL && call->overlapped == NULL; /* it must not wait at all */
    int index = stays ? -1 : queue_pick_needy(port->queue, &port->needy_served, shard->index);
    return index >= 0 && call_lend(shard, call, (uint32_t)index);
}

static void lend_of_port(struct shard *shard, struct port *port)
{
    uint64_t needy = atomic_load(&port->queue->needy) & ~needy_bit(shard);
    for (; needy != 0 && !list_is_empty(&port->receives); needy &= needy - 1) {
        struct call *call = LIST_ITEM(list_pop_front(&port->receives), struct call, link);
        if (!lend(shard, port, call)) {
            list_push_front(&port->receives, &call->link);
            return;
        }
    }
}

void queue_lend(struct shard *shard)
{
    for (uint32_t i = 0; i < shard->port_cap; i++) {
        if (shard->ports[i] != NULL) {
            lend_of_port(shard, shard->ports[i]);
        }
    }
}

void queue_deliver(struct shard *shard, struct queue *queue, struct request *request)
{
    struct port *port = queue_port(shard, queue);
    if (port == NULL || atomic_load(&queue->phase) == QUEUE_CLOSED) {
        refuse_unavailable(request->conn, queue, "N/A");
        return;
    }
    if (atomic_load_explicit(&queue->active, memory_order_relaxed) == 0) {
        refuse_unavailable(request->conn, queue, "AppOffline");
        return;
    }
    request->port = port;
    struct list_node *node = list_pop_front(&port->receives);
    if (node != NULL) {
        hand_over(shard, port, request, LIST_ITEM(node, struct call, link));
        return;
    }
    if (atomic_fetch_add(&queue->waiting, 1) >= atomic_load(&queue->length_max)) {
        atomic_fetch_sub(&queue->waiting, 1);
        refuse_unavailable(request->conn, queue, "QueueFull");
        return;
    }
    list_push_back(&port->undelivered, &request->port_link);
    conn_set_deadline(request->conn, CONN_TIMEOUT_S(request->conn, request_queue_s));
    ask(shard, port);
}

ULONG queue_receive(struct shard *shard, struct queue *queue, struct call *call)
{
    struct port *port = queue_port(shard, queue);
    if (port == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    if (shard->closing) {
        return ERROR_OPERATION_ABORTED;
    }
    if (atomic_load(&queue->phase) != QUEUE_OPEN || queue->controller) {
        return queue->controller ? ERROR_INVALID_PARAMETER : ERROR_INVALID_HANDLE;
    }
    struct request *request = take_undelivered(shard, port);
    if (request != NULL) {
        ULONG status = receive_write(request, call, &call->bytes);
        list_push_back(&port->delivered, &request->port_link);
        if (!list_is_empty(&port->undelivered)) {
            ask(shard, port);
        }
        return status;
    }
    assert(!call->away); /* a lent one comes only when it is wanted */
    call->queue = queue;
    if (!lend(shard, port, call)) {
        list_push_back(&port->receives, &call->link);
    }
    return ERROR_IO_PENDING;
}

void queue_forget(struct request *request)
{
    if (!list_is_linked(&request->port_link)) {
        return;
    }
    bool waited = request->stage == REQUEST_QUEUED;
    list_remove(&request->port_link);
    if (waited) {
        atomic_fetch_sub(&request->port->queue->waiting, 1);
        if (list_is_empty(&request->port->undelivered)) {
            stop_needing(request->shard, request->port);
        }
    }
}

/* -------- ends -------- */

static bool is_meant(const struct call *call, const OVERLAPPED *overlapped)
{
    return call != NULL && (overlapped == NULL || call->overlapped == overlapped);
}

static unsigned cancel_receives(struct shard *shard, struct port *port,
                                const OVERLAPPED *overlapped)
{
    unsigned count = 0;
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &port->receives)
    {
        struct call *call = LIST_ITEM(node, struct call, link);
        if (is_meant(call, overlapped)) {
            list_remove(node);
            call_complete(shard, call, ERROR_OPERATION_ABORTED, 0);
            count++;
        }
    }
    return count;
}

static unsigned cancel_disconnect_wait(struct conn *conn, const OVERLAPPED *overlapped)
{
    struct call *call = conn->disconnect_wait;
    if (!is_meant(call, overlapped)) {
        return 0;
    }
    conn->disconnect_wait = NULL;
    call_complete(conn->shard, call, ERROR_OPERATION_ABORTED, 0);
    return 1;
}

static unsigned cancel_reads(struct shard *shard, struct port *port, const OVERLAPPED *overlapped)
{
    unsigned count = 0;
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &port->delivered)
    {
        struct request *request = LIST_ITEM(node, struct request, port_link);
        struct call *reader = request->reader;
        if (is_meant(reader, overlapped)) {
            request->reader = NULL;
            request->conn->deadline_ns = UINT64_MAX; /* nobody waits for its body now */
            call_complete(shard, reader, ERROR_OPERATION_ABORTED, 0);
            count++;
        }
        if (request->conn != NULL) {
            count += cancel_disconnect_wait(request->conn, overlapped);
        }
    }
    return count;
}

/* Receives of this thread that are between shards end when they are home again. */
static unsigned cancel_lent(struct shard *shard, const struct queue *queue,
                            const OVERLAPPED *overlapped)
{
    unsigned count = 0;
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &shard->calls_away)
    {
        struct call *call = LIST_ITEM(node, struct call, link);
        if (call->kind == CALL_RECEIVE && call->queue == queue && is_meant(call, overlapped)) {
            call->cancelled = true;
            count++;
        }
    }
    return count;
}

unsigned queue_cancel_calls(struct shard *shard, struct queue *queue, const OVERLAPPED *overlapped)
{
    struct port *port = queue_port_of_handle(shard, (HANDLE)(uintptr_t)queue->id);
    if (port == NULL) {
        return 0;
    }
    unsigned count = cancel_receives(shard, port, overlapped);
    count += cancel_lent(shard, queue, overlapped);
    count += cancel_reads(shard, port, overlapped);
    /* A wait for disconnect outlives its request: it is found by its OVERLAPPED only. */
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &shard->conns)
    {
        if (overlapped == NULL || count > 0) {
            break;
        }
        count += cancel_disconnect_wait(LIST_ITEM(node, struct conn, link), overlapped);
    }
    return count;
}

static bool is_of(const struct call *call, const struct shard *home)
{
    return call != NULL && call->home == home;
}

static void recall_request(struct request *request, const struct shard *home)
{
    struct call *reader = request->reader;
    struct call *sender = request->sender;
    if (is_of(reader, home)) {
        request->reader = NULL;
        request->conn->deadline_ns = UINT64_MAX;
        call_complete(request->shard, reader, ERROR_OPERATION_ABORTED, 0);
    }
    if (is_of(sender, home)) {
        request->sender = NULL;
        call_complete(request->shard, sender, ERROR_OPERATION_ABORTED, 0);
        conn_close(request->conn, true);
    }
}

void queue_recall(struct shard *shard, const struct shard *home)
{
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &shard->conns)
    {
        struct conn *conn = LIST_ITEM(node, struct conn, link);
        if (is_of(conn->disconnect_wait, home)) {
            (void)cancel_disconnect_wait(conn, NULL);
        }
        if (conn->request != NULL) {
            recall_request(conn->request, home);
        }
    }
}

/* A last send that is on its way is let through; everything else that the application has is
 * cancelled. */
static bool is_being_sent(const struct request *request)
{
    return request->sender != NULL &&
           (request->sender->as.send.flags & HTTP_SEND_RESPONSE_FLAG_MORE_DATA) == 0;
}

static void cancel_delivered(struct port *port, bool all)
{
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &port->delivered)
    {
        struct request *request = LIST_ITEM(node, struct request, port_link);
        if (!all && is_being_sent(request)) {
            continue;
        }
        struct conn *conn = request->conn;
        if (conn == NULL) {
            if (all) {
                request_close(request, ERROR_OPERATION_ABORTED);
            }
            continue; /* else its bytes are still lent */
        }
        (void)cancel_disconnect_wait(conn, NULL);
        request->borrowed = request->borrowed && !all;
        conn_close(conn, true);
    }
}

static void drop_undelivered(struct port *port)
{
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &port->undelivered)
    {
        conn_close(LIST_ITEM(node, struct request, port_link)->conn, true);
    }
}

void queue_free_port(struct shard *shard, struct port **place)
{
    struct port *port = *place;
    cancel_delivered(port, true); /* LOST ones that were left by a shutdown */
    assert(list_is_empty(&port->receives) && list_is_empty(&port->undelivered));
    assert(list_is_empty(&port->delivered));
    stop_needing(shard, port);
    *place = NULL;
    queue_unref(shard->engine, port->queue);
    free(port);
}

void queue_notice_phase(struct shard *shard, struct port **place)
{
    struct port *port = *place;
    uint32_t phase = atomic_load(&port->queue->phase);
    if (phase == port->phase_seen) {
        return;
    }
    port->phase_seen = phase;
    (void)cancel_receives(shard, port, NULL);
    cancel_delivered(port, phase == QUEUE_CLOSED);
    if (phase == QUEUE_CLOSED) {
        drop_undelivered(port);
        queue_free_port(shard, place);
    }
}

void queue_end_receives(struct shard *shard, struct port *port)
{
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &port->receives)
    {
        struct call *call = LIST_ITEM(node, struct call, link);
        list_remove(node);
        assert(call->home == NULL || call->home == shard);
        if (!call_move_on(shard, call)) {
            call_complete(shard, call, ERROR_OPERATION_ABORTED, 0);
        }
    }
}
