/* See shard.h. Here: memory, ids, and the hooks that the loop calls in each turn. */
#include "engine/shard.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/call.h"
#include "engine/conn.h"
#include "engine/listener.h"
#include "engine/endpoint.h"
#include "engine/queue.h"
#include "engine/request.h"
#include "protocol/date.h"

enum { INDEX_SHIFT = SHARD_PLACE_BITS, SEQUENCE_SHIFT = SHARD_PLACE_BITS + SHARD_INDEX_BITS };

static void before_wait(void *owner);
static bool has_work(void *owner);
static void stop_listening(void *owner);
static void close_shard(void *owner);
static size_t connection_count(const void *owner);

static const struct loop_hooks hooks = {
    .before_wait = before_wait,
    .has_work = has_work,
    .on_stop_listening = stop_listening,
    .on_close = close_shard,
    .connection_count = connection_count,
};

struct shard *shard_current(void)
{
    struct loop *loop = loop_current();
    return loop == NULL ? NULL : loop_owner(loop);
}

struct shard *shard_of_id(struct engine *engine, HTTP_OPAQUE_ID id)
{
    uint32_t index = (uint32_t)(id >> INDEX_SHIFT) & (LIFETIME_SHARDS_MAX - 1);
    return id == HTTP_NULL_ID ? NULL : engine->shards[index];
}

/* -------- memory -------- */

static void *take_spare(struct spares *spares, size_t bytes)
{
    struct spare *spare = spares->first;
    if (spare == NULL) {
        return malloc(bytes);
    }
    spares->first = spare->next;
    spares->count--;
    return spare;
}

static void give_spare(struct spares *spares, unsigned keep_max, void *memory)
{
    struct spare *spare = memory;
    if (spares->count >= keep_max) {
        free(memory);
        return;
    }
    spare->next = spares->first;
    spares->first = spare;
    spares->count++;
}

static void free_spares(struct spares *spares)
{
    while (spares->first != NULL) {
        struct spare *spare = spares->first;
        spares->first = spare->next;
        free(spare);
    }
    spares->count = 0;
}

char *shard_take_in_block(struct shard *shard)
{
    return take_spare(&shard->in_blocks, SHARD_IN_BLOCK);
}

void shard_give_in_block(struct shard *shard, char *block)
{
    give_spare(&shard->in_blocks, SHARD_SPARE_BLOCKS, block);
}

char *shard_take_out_block(struct shard *shard)
{
    return take_spare(&shard->out_blocks, SHARD_OUT_BLOCK);
}

void shard_give_out_block(struct shard *shard, char *block)
{
    give_spare(&shard->out_blocks, SHARD_SPARE_BLOCKS, block);
}

struct call *shard_take_call(struct shard *shard)
{
    return take_spare(&shard->calls, sizeof(struct call));
}

void shard_give_call(struct shard *shard, struct call *call)
{
    assert(!list_is_linked(&call->link));
    give_spare(&shard->calls, SHARD_SPARE_CALLS, call);
}

struct request *shard_take_request(struct shard *shard)
{
    return take_spare(&shard->requests, sizeof(struct request));
}

void shard_give_request(struct shard *shard, struct request *request)
{
    give_spare(&shard->requests, SHARD_SPARE_REQUESTS, request);
}

/* -------- ids -------- */

static bool grow_places(struct places *places)
{
    uint32_t cap = places->cap == 0 ? 64 : places->cap * 2;
    if (cap > SHARD_PLACES_MAX) {
        return false;
    }
    void **items = realloc(places->items, cap * sizeof *items);
    if (items == NULL) {
        return false;
    }
    places->items = items;
    uint32_t *stack = realloc(places->free_stack, cap * sizeof *stack);
    if (stack == NULL) {
        return false;
    }
    places->free_stack = stack;
    places->cap = cap;
    return true;
}

static uint64_t add_place(struct shard *shard, struct places *places, void *item)
{
    uint32_t place = 0;
    if (places->free_count > 0) {
        place = places->free_stack[--places->free_count];
    } else {
        if (places->used == places->cap && !grow_places(places)) {
            return 0;
        }
        place = places->used++;
    }
    places->items[place] = item;
    shard->sequence++;
    return shard->sequence << SEQUENCE_SHIFT | (uint64_t)shard->index << INDEX_SHIFT | place;
}

static void *find_place(const struct places *places, uint64_t id)
{
    uint32_t place = (uint32_t)id & (SHARD_PLACES_MAX - 1);
    return place < places->used ? places->items[place] : NULL;
}

static void remove_place(struct places *places, uint64_t id)
{
    uint32_t place = (uint32_t)id & (SHARD_PLACES_MAX - 1);
    assert(place < places->used && places->items[place] != NULL);
    places->items[place] = NULL;
    places->free_stack[places->free_count++] = place;
}

uint64_t shard_add_conn(struct shard *shard, struct conn *conn)
{
    return add_place(shard, &shard->conn_places, conn);
}

void shard_remove_conn(struct shard *shard, uint64_t id)
{
    remove_place(&shard->conn_places, id);
}

struct conn *shard_find_conn(const struct shard *shard, uint64_t id)
{
    struct conn *conn = find_place(&shard->conn_places, id);
    return conn != NULL && conn->id == id ? conn : NULL;
}

uint64_t shard_add_request(struct shard *shard, struct request *request)
{
    return add_place(shard, &shard->request_places, request);
}

void shard_remove_request(struct shard *shard, uint64_t id)
{
    remove_place(&shard->request_places, id);
}

struct request *shard_find_request(const struct shard *shard, uint64_t id)
{
    struct request *request = find_place(&shard->request_places, id);
    return request != NULL && request->id == id ? request : NULL;
}

#define SERVER_LINE "Server: Moonlatch\r\n"
#define DATE_NAME   "Date: "

enum {
    SERVER_LINE_BYTES = sizeof SERVER_LINE - 1,
    DATE_AT = SERVER_LINE_BYTES + sizeof DATE_NAME - 1,
    LINES_BYTES = DATE_AT + DATE_BYTES + 2,
    DATE_CHECK_NS =
        10 * 1000 * 1000 /* the clock is asked this often, so a date is late by no more */
};

static void refresh_lines(struct shard *shard)
{
    struct timespec now;
    uint64_t turn_ns = loop_now_ns(shard->loop);
    if (shard->date_second >= 0 && turn_ns - shard->date_checked_ns < DATE_CHECK_NS) {
        return;
    }
    shard->date_checked_ns = turn_ns;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for a clock that exists */
    if (now.tv_sec != shard->date_second) {
        static_assert(LINES_BYTES <= sizeof shard->lines, "both lines fit");
        shard->date_second = now.tv_sec;
        memcpy(shard->lines, SERVER_LINE DATE_NAME, DATE_AT);
        date_format(now.tv_sec, shard->lines + DATE_AT);
        memcpy(shard->lines + DATE_AT + DATE_BYTES, "\r\n", 2);
    }
}

const char *shard_date(struct shard *shard)
{
    refresh_lines(shard);
    return shard->lines + DATE_AT;
}

struct slice shard_server_and_date(struct shard *shard, bool with_server)
{
    refresh_lines(shard);
    size_t skip = with_server ? 0 : SERVER_LINE_BYTES;
    return slice_make(shard->lines + skip, LINES_BYTES - skip);
}

/* -------- life -------- */

static uint32_t free_index(const struct engine *engine)
{
    for (uint32_t i = 0; i < LIFETIME_SHARDS_MAX; i++) {
        if (engine->shards[i] == NULL) {
            return i;
        }
    }
    return LIFETIME_SHARDS_MAX;
}

ULONG shard_create(struct engine *engine, struct loop *loop, struct shard **out)
{
    static_assert(LIFETIME_SHARDS_MAX == 1 << SHARD_INDEX_BITS, "an id names every shard");
    uint32_t index = free_index(engine);
    struct shard *shard = index < LIFETIME_SHARDS_MAX ? calloc(1, sizeof *shard) : NULL;
    if (shard == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    shard->engine = engine;
    shard->loop = loop;
    shard->index = index;
    shard->date_second = -1;
    /* A place taken over from a closed shard must not give its ids again. */
    shard->sequence = engine->shard_sequences[index];
    atomic_store(&shard->seen_version, atomic_load(&engine->version));
    list_init(&shard->listeners);
    list_init(&shard->conns);
    list_init(&shard->dirty);
    list_init(&shard->dead);
    list_init(&shard->calls_away);
    engine->shards[index] = shard;
    loop_set_owner(loop, shard, &hooks);
    ULONG status = endpoint_open_for_shard(engine, shard);
    if (status != NO_ERROR) {
        listener_close_all(shard);
        loop_set_owner(loop, NULL, NULL);
        engine->shards[index] = NULL;
        free(shard);
        return status;
    }
    call_adopt_orphans(shard);
    *out = shard;
    return NO_ERROR;
}

static void free_dead(struct shard *shard)
{
    struct list_node *node = NULL;
    while ((node = list_pop_front(&shard->dead)) != NULL) {
        conn_free(LIST_ITEM(node, struct conn, dirty_link));
    }
}

/* What changed in the registry since the last turn: queues that were shut or closed. Then nothing
 * old is in use here any more. */
static void notice_version(struct shard *shard, uint64_t version)
{
    for (uint32_t i = 0; i < shard->port_cap; i++) {
        if (shard->ports[i] != NULL) {
            queue_notice_phase(shard, &shard->ports[i]);
        }
    }
    struct engine *engine = shard->engine;
    pthread_mutex_lock(&engine->lock);
    listener_close_gone(shard);
    atomic_store(&shard->seen_version, version);
    lifetime_reclaim(engine);
    pthread_cond_broadcast(&engine->seen);
    pthread_mutex_unlock(&engine->lock);
}

static void before_wait(void *owner)
{
    struct shard *shard = owner;
    conn_run_dirty(shard);
    free_dead(shard);
    if (atomic_load_explicit(&shard->asked, memory_order_relaxed)) {
        atomic_store(&shard->asked, false);
        queue_lend(shard);
    }
    uint64_t version = atomic_load(&shard->engine->version);
    if (version == atomic_load_explicit(&shard->seen_version, memory_order_relaxed)) {
        return;
    }
    if (version != shard->noticed_version) {
        shard->noticed_version = version; /* one turn later: tasks posted before it come first */
        return;
    }
    notice_version(shard, version);
    conn_run_dirty(shard);
    free_dead(shard);
}

static bool has_work(void *owner)
{
    const struct shard *shard = owner;
    return !list_is_empty(&shard->dirty) ||
           shard->noticed_version >
               atomic_load_explicit(&shard->seen_version, memory_order_relaxed);
}

static size_t connection_count(const void *owner)
{
    return ((const struct shard *)owner)->conn_count;
}

static void stop_listening(void *owner)
{
    struct shard *shard = owner;
    listener_drain(shard);
    shard->draining = true;
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &shard->conns)
    {
        conn_on_drain(LIST_ITEM(node, struct conn, link));
    }
}

static void end_receives(struct shard *shard)
{
    for (uint32_t i = 0; i < shard->port_cap; i++) {
        if (shard->ports[i] != NULL) {
            queue_end_receives(shard, shard->ports[i]);
        }
    }
}

static void free_ports(struct shard *shard)
{
    for (uint32_t i = 0; i < shard->port_cap; i++) {
        if (shard->ports[i] != NULL) {
            queue_free_port(shard, &shard->ports[i]);
        }
    }
    free(shard->ports);
}

/* The loop is closing: everything of this shard ends here. Out of the registry first, so that
 * nothing new arrives. */
static void close_shard(void *owner)
{
    struct shard *shard = owner;
    struct engine *engine = shard->engine;
    shard->closing = true;
    pthread_mutex_lock(&engine->lock);
    engine->shards[shard->index] = NULL;
    engine->shard_sequences[shard->index] = shard->sequence;
    pthread_mutex_unlock(&engine->lock);
    listener_close_all(shard);
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &shard->conns)
    {
        conn_close(LIST_ITEM(node, struct conn, link), true);
    }
    end_receives(shard);
    free_dead(shard);
    call_recall(shard);
    free_ports(shard);
    request_free_all(shard);
    pthread_mutex_lock(&engine->lock);
    lifetime_reclaim(engine);
    pthread_cond_broadcast(&engine->seen);
    pthread_mutex_unlock(&engine->lock);
    loop_set_owner(shard->loop, NULL, NULL);
    free_spares(&shard->in_blocks);
    free_spares(&shard->out_blocks);
    free_spares(&shard->calls);
    free_spares(&shard->requests);
    free(shard->conn_places.items);
    free(shard->conn_places.free_stack);
    free(shard->request_places.items);
    free(shard->request_places.free_stack);
    free(shard);
}
