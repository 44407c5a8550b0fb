#include "binding/state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/path.h"
#include "binding/chain.h"
#include "binding/error.h"
#include "binding/pull.h"
#include "binding/request.h"
#include "binding/stream.h"
#include "binding/task.h"

_Static_assert(LUA_EXTRASPACE >= sizeof(struct state *), "state_of needs the extra space");

/* --- memory
 * --------------------------------------------------------------------------------- */

void state_open_reserve(struct state *S)
{
    S->account.reserve = STATE_RESERVE_BYTES;
}

void state_close_reserve(struct state *S)
{
    S->account.reserve = 0;
    S->account.last_refused = 0;
}

/* Lua answers a refusal with a full collection and asks once more for the same: only when that is
 * refused too it raises, and whatever runs then needs memory to say so. */
static COLD void *refuse(struct account *a, size_t bytes)
{
    a->refused++;
    if (a->last_refused == bytes) {
        a->reserve = STATE_RESERVE_BYTES;
        a->last_refused = 0;
    } else {
        a->last_refused = bytes;
    }
    return NULL;
}

static void release(struct account *a, void *block, size_t bytes)
{
    if (bytes <= CELLS_BYTES_MAX) {
        cells_give(&a->cells, block, bytes);
    } else {
        free(block);
    }
}

static void *obtain(struct account *a, size_t bytes)
{
    if (bytes <= CELLS_BYTES_MAX) {
        return cells_take(&a->cells, bytes);
    }
    return malloc(bytes < CELLS_ADOPT_BYTES_MIN ? CELLS_ADOPT_BYTES_MIN : bytes);
}

/* NULL: no memory, and the block is as it was. */
static void *resize(struct account *a, void *block, size_t old, size_t bytes)
{
    bool was_cell = old <= CELLS_BYTES_MAX, is_cell = bytes <= CELLS_BYTES_MAX;
    if (was_cell && is_cell && cells_is_same_size(&a->cells, old, bytes)) {
        return block;
    }
    if (!was_cell && !is_cell) {
        return realloc(block, bytes < CELLS_ADOPT_BYTES_MIN ? CELLS_ADOPT_BYTES_MIN : bytes);
    }
    void *p = obtain(a, bytes);
    if (p != NULL) {
        memcpy(p, block, old < bytes ? old : bytes);
        release(a, block, old);
    } else if (bytes < old) {
        p = block; /* Lua takes it for the smaller one all the same */
        if (!was_cell) {
            cells_adopt(&a->cells, p);
        }
    }
    return p;
}

/* Counts an allocation and says whether the state may have that many bytes more. */
static inline bool may_grow(struct account *a, size_t bytes)
{
    a->calls++;
    size_t limit = a->bytes_max + a->reserve;
    bool fails = a->fail_from != 0 && a->calls >= a->fail_from;
    return !fails && a->bytes <= limit && bytes <= limit - a->bytes;
}

static inline void note_success(struct account *a)
{
    if (a->reserve == 0) {
        a->last_refused = 0;
    }
}

/* A block with contents gets another size. */
static APART void *reallocate(struct account *a, void *block, size_t old, size_t bytes)
{
    bool grows = bytes > old;
    if (grows && !may_grow(a, bytes - old)) {
        return refuse(a, bytes);
    }
    void *p = resize(a, block, old, bytes);
    if (p == NULL) {
        if (grows) {
            return refuse(a, bytes);
        }
        p = block; /* as in resize */
    }
    a->bytes = a->bytes - old + bytes;
    note_success(a);
    return p;
}

/* What no free cell can serve. */
static APART void *allocate_new(struct account *a, size_t bytes)
{
    void *p = obtain(a, bytes);
    if (p == NULL) {
        return refuse(a, bytes);
    }
    a->bytes += bytes;
    note_success(a);
    return p;
}

/* Lua asks twenty times a request, nearly always for a cell or to take one back: these ways make no
 * call and need no stack. */
void *state_allocate(void *ud, void *block, size_t old_bytes, size_t new_bytes)
{
    struct account *a = ud;
    if (block == NULL) { /* old_bytes is a type tag */
        if (new_bytes == 0) {
            return NULL;
        }
        if (!may_grow(a, new_bytes)) {
            return refuse(a, new_bytes);
        }
        void *p = new_bytes <= CELLS_BYTES_MAX ? cells_reuse(&a->cells, new_bytes) : NULL;
        if (p == NULL) {
            return allocate_new(a, new_bytes);
        }
        a->bytes += new_bytes;
        note_success(a);
        return p;
    }
    if (new_bytes > 0) {
        return reallocate(a, block, old_bytes, new_bytes);
    }
    assert(old_bytes > 0 && a->bytes >= old_bytes);
    a->bytes -= old_bytes;
    release(a, block, old_bytes);
    return NULL;
}

/* --- life
 * ----------------------------------------------------------------------------------- */

/* Lua reports errors of __gc, and of __close where nobody can catch them, as warnings in pieces. */
static void warn(void *ud, const char *piece, int to_be_continued)
{
    struct state *S = ud;
    size_t room = sizeof S->warning - S->warning_len - 1;
    size_t len = strlen(piece);
    if (S->warning_len == 0 && !to_be_continued && piece[0] == '@') {
        return; /* "@on", "@off": control messages */
    }
    len = len < room ? len : room;
    memcpy(S->warning + S->warning_len, piece, len);
    S->warning_len += len;
    if (!to_be_continued) {
        S->warning[S->warning_len] = 0;
        S->warning_len = 0;
        log_write(S->log, LOG_LEVEL_WARN, "%s", S->warning);
    }
}

static int panic(lua_State *L)
{
    const char *text = lua_tostring(L, -1);
    log_write(state_of(L)->log, LOG_LEVEL_ERROR, "unprotected error in a Lua state: %s",
              text == NULL ? "(no text)" : text);
    return 0; /* Lua aborts */
}

static int new_weak_table(lua_State *L)
{
    lua_createtable(L, 0, 0);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* What must exist before the first task; in protected mode. */
static int fill(lua_State *L)
{
    struct state *S = state_of(L);
    error_register(L);
    handlers_init(&S->handlers, L);
    error_push_word(L, "cancelled", "the client has gone or the server stops");
    S->ref_cancelled = luaL_ref(L, LUA_REGISTRYINDEX);
    S->ref_tracebacks = new_weak_table(L);
    S->ref_coroutines = new_weak_table(L);
    return 0;
}

ULONG state_open(struct state *S, const struct state_config *config)
{
    memset(S, 0, sizeof *S);
    S->loop = config->loop;
    S->ledger = config->ledger;
    S->log = config->log;
    S->hooks = config->hooks;
    S->host = config->host;
    S->generation = config->generation;
    S->worker = config->worker;
    S->dev = config->dev;
    S->account.bytes_max = config->bytes_max != 0 ? config->bytes_max : STATE_MEMORY_DEFAULT;
    S->phase = STATE_LOADING;
    S->ref_request = S->ref_pulled = S->ref_headers = S->ref_file = S->ref_cancelled = LUA_NOREF;
    S->ref_tracebacks = S->ref_coroutines = LUA_NOREF;
    list_init(&S->tasks);
    list_init(&S->idle);
    list_init(&S->ready);
    list_init(&S->later);
    list_init(&S->deferred);
    list_init(&S->requests);
    list_init(&S->pulls);
    list_init(&S->pull_starts);
    slots_init(&S->task_ids, STATE_TASKS_MAX);
    slots_init(&S->request_ids, STATE_REQUESTS_MAX);
    file_cache_init(&S->files);

    cells_init(&S->account.cells, CELLS_APART);
    S->L = lua_newstate(state_allocate, &S->account);
    if (S->L == NULL) {
        cells_deinit(&S->account.cells);
        S->phase = STATE_CLOSED;
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    *(struct state **)lua_getextraspace(S->L) = S;
    lua_atpanic(S->L, panic);
    lua_setwarnf(S->L, warn, S);
    lua_gc(S->L, LUA_GCGEN, 0, 0);
    lua_pushcfunction(S->L, fill);
    if (lua_pcall(S->L, 0, 0, 0) != LUA_OK) {
        lua_pop(S->L, 1);
        state_enter(S, STATE_STOPPING);
        state_close(S);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    state_close_reserve(S);
    return NO_ERROR;
}

void state_close(struct state *S)
{
    if (S->L == NULL) {
        return;
    }
    assert(state_is_quiet(S));
    assert(S->phase == STATE_STOPPING);
    state_open_reserve(S); /* finalizers must get through */
    chain_close_all(S);
    file_cache_close(&S->files);
    lua_State *L = S->L;
    handlers_deinit(&S->handlers, L);
    task_free_pool(S);
    lua_close(L);
    S->L = NULL;
    state_enter(S, STATE_CLOSED);
    assert(S->account.bytes == 0);
    cells_deinit(&S->account.cells);
    slots_deinit(&S->task_ids);
    slots_deinit(&S->request_ids);
}

void state_enter(struct state *S, enum state_phase phase)
{
    static const uint8_t allowed[] = {
        [STATE_LOADING] = 1 << STATE_LOADED | 1 << STATE_STOPPING,
        [STATE_LOADED] = 1 << STATE_SERVING | 1 << STATE_STOPPING,
        [STATE_SERVING] = 1 << STATE_RETIRING | 1 << STATE_STOPPING,
        [STATE_RETIRING] = 1 << STATE_STOPPING,
        [STATE_STOPPING] = 1 << STATE_CLOSED,
        [STATE_CLOSED] = 0,
    };
    assert((allowed[S->phase] >> phase & 1) != 0);
    (void)allowed; /* used by the assert alone */
    S->phase = phase;
    if (phase == STATE_SERVING) {
        file_cache_start(&S->files, S->loop);
    }
}

void state_move(struct state *S, struct loop *loop, struct request_pool *pool)
{
    assert(S->live[LIVE_TIMER] == 0);
    assert(!S->drain_posted && S->current == NULL);
    S->loop = loop;
    S->pool = pool;
}

/* --- everything at once
 * ---------------------------------------------------------------------- */

void state_start_deferred(struct state *S)
{
    struct list_node *node;
    while ((node = list_first(&S->deferred)) != NULL) {
        task_start_deferred(LIST_ITEM(node, struct task, node));
    }
}

size_t state_count_live(const struct state *S, enum live_kind kind)
{
    assert(kind < LIVE_COUNT);
    return S->live[kind];
}

bool state_is_quiet(const struct state *S)
{
    return S->live[LIVE_TASK] == 0 && S->live[LIVE_REQUEST] == 0 && S->live[LIVE_TIMER] == 0 &&
           list_is_empty(&S->pulls) && !S->drain_posted;
}

/* A task may end, and others with it, while one of them is told: collect ids first would cost
 * memory, so each pass starts again until nobody untold is left. */
static struct task *next_untold(struct state *S, bool (*spared)(const struct task *t), bool kill)
{
    struct list *lists[] = {&S->tasks, &S->ready, &S->later, &S->deferred};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct list_node *node, *next;
        LIST_FOREACH_SAFE(node, next, lists[i])
        {
            struct task *t = LIST_ITEM(node, struct task, node);
            if (t->run.told != S->round && (!kill || t->run.doomed == NULL) &&
                (spared == NULL || !spared(t))) {
                return t;
            }
        }
    }
    return NULL;
}

static void cancel_all(struct state *S, bool (*spared)(const struct task *t))
{
    struct task *t;
    while ((t = next_untold(S, spared, false)) != NULL) {
        t->run.told = S->round;
        task_cancel(t);
    }
}

void state_cancel_tasks(struct state *S, struct task *except)
{
    S->round++;
    if (except != NULL) {
        except->run.told = S->round;
    }
    cancel_all(S, NULL);
}

static bool is_no_background(const struct task *t)
{
    return t->for_request || t->name == NULL || strcmp(t->name, "spawn") != 0;
}

void state_cancel_background(struct state *S)
{
    S->round++;
    cancel_all(S, is_no_background);
}

bool state_serves_requests(const struct state *S)
{
    const struct list *lists[] = {&S->tasks, &S->ready, &S->later};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const struct list_node *node = lists[i]->head.next;
        for (; node != &lists[i]->head; node = node->next) {
            if (LIST_ITEM(node, struct task, node)->for_request) {
                return true;
            }
        }
    }
    return S->live[LIVE_REQUEST] > 0;
}

void state_kill_tasks(struct state *S, const char *why)
{
    struct task *t;
    S->round++;
    while ((t = next_untold(S, NULL, true)) != NULL) {
        t->run.told = S->round;
        task_kill(t, why);
    }
    chain_close_all(S);
}

void state_cancel_requests(struct state *S)
{
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &S->requests)
    {
        httpreq_cancel(LIST_ITEM(node, struct request, node));
    }
}

void state_end_streams(struct state *S)
{
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &S->requests)
    {
        struct request *r = LIST_ITEM(node, struct request, node);
        if (r->phase == REQUEST_STREAMING && !r->write_pending) {
            struct task *t = r->task;
            httpstream_finish(r);
            if (t != NULL) {
                task_cancel(t); /* there is nothing left to write to */
            }
        }
    }
}

void state_end_pulls(struct state *S)
{
    S->pull_ended = true;
    pull_end(S);
}

void state_where(lua_State *L, int level, char *out, size_t out_bytes)
{
    lua_Debug ar;
    out[0] = 0;
    for (; lua_getstack(L, level, &ar) != 0; level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0) {
            (void)snprintf(out, out_bytes, "%s:%d", ar.short_src, ar.currentline); /* cut to fit */
            return;
        }
    }
}
