/* A Lua state of one generation on one worker: what the binding keeps beside lua_State.
 *
 *   phase            means                                                       next
 *   STATE_LOADING    main chunks run on the coordinator, on the loader's loop    LOADED, STOPPING
 *   STATE_LOADED     every main chunk has returned or waits in http.run / pull   SERVING, STOPPING
 *   STATE_SERVING    on its worker's loop, gets requests                         RETIRING, STOPPING
 *   STATE_RETIRING   a newer generation gets the requests; these finish          STOPPING
 *   STATE_STOPPING   tasks are cancelled, then killed                            CLOSED
 *   STATE_CLOSED     lua_close is done; the struct holds nothing                 -
 *
 * Owner: the caller has the memory; state_open fills it, state_close empties it. Thread: one at a
 * time (the coordinator while loading, then its worker). Cost: state_of is one load.
 *
 * Memory: every byte of the Lua state is counted. Past bytes_max an allocation fails, Lua collects
 * and tries again, then raises "not enough memory" in whatever runs. From that moment until the
 * task has ended a reserve is open, so that the error path itself has memory. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "api/httpapi.h"
#include "api/loop.h"
#include "base/cells.h"
#include "base/list.h"
#include "base/log.h"
#include "base/slots.h"
#include "binding/file_cache.h"
#include "binding/handlers.h"

struct devpage;
struct ledger;
struct request_pool;
struct state;
struct task;

enum {
    STATE_TASKS_MAX = 65536,          /* tasks alive in one state, requests included */
    STATE_TASKS_IDLE_MAX = 256,       /* finished coroutines kept for the next task */
    STATE_REQUESTS_MAX = 16384,       /* requests alive in one state */
    STATE_MEMORY_DEFAULT = 256 << 20, /* bytes_max when the caller says 0 */
    STATE_PULLED_MAX = 64,            /* queues that one state may pull */
    STATE_RESERVE_BYTES = 256 << 10   /* what the error path may use past bytes_max */
};

enum state_phase {
    STATE_LOADING,
    STATE_LOADED,
    STATE_SERVING,
    STATE_RETIRING,
    STATE_STOPPING,
    STATE_CLOSED
};

/* The worker ledger: what is counted per state. */
enum live_kind {
    LIVE_TASK,      /* coroutines run by the host: handlers, main chunks, http.spawn */
    LIVE_REQUEST,   /* delivered and not yet fully answered */
    LIVE_STREAM,    /* of those: head sent, body under way */
    LIVE_TIMER,     /* http.sleep and timeouts under way */
    LIVE_COROUTINE, /* coroutines made by the script, suspended and reachable */
    LIVE_COUNT
};

/* Bytes of one state. */
struct account {
    size_t bytes;        /* in use */
    size_t bytes_max;    /* cap, without the reserve */
    size_t reserve;      /* 0, or STATE_RESERVE_BYTES while an error path runs */
    uint64_t calls;      /* allocations that ask for more, so far */
    uint64_t fail_from;  /* tests: allocation number from which each one fails; 0: none */
    uint64_t refused;    /* allocations refused so far */
    size_t last_refused; /* bytes of the last refusal; the same again raises: opens the reserve */
    struct cells cells;  /* where its small pieces are */
};

/* What the watchdog of a worker looks at (runtime/guard.h). Written by the worker with relaxed
 * stores. */
struct state_watch {
    _Atomic uint64_t turn;        /* odd: inside a resume; grows by two a resume */
    _Atomic(lua_State *) running; /* the innermost coroutine that runs now; NULL outside */
    const _Atomic bool *parked;   /* true: the watchdog sleeps, on_guard_wake. NULL: no watchdog */
};

/* What the layer above wants to hear. Each may be NULL. Called on the state's thread. */
struct state_hooks {
    /* `task` waits in queue:receive or queue:requests for the first time: a main chunk that does
     * so counts as loaded, and the queue is pulled in this state from now on. Inside a resume:
     * only take note, or cancel receives. */
    void (*on_pull)(struct state *S, struct task *task, uint64_t queue_id);
    /* A resume begins while the watchdog sleeps. */
    void (*on_guard_wake)(struct state *S);
    /* The last live request has ended: the time to ask whether draining is over. Perhaps inside a
     * resume: only take note. */
    void (*on_drained)(struct state *S);
    /* HttpCancelHttpRequest was called for a request that had to be given up. */
    void (*on_trace)(struct state *S, const char *call, const char *object, ULONG result);
    /* A queue was opened after loading: attach it to the state's loop and post receives. A result
     * other than NO_ERROR closes the queue again. */
    ULONG (*on_queue)(struct state *S, uint64_t queue_id, HANDLE queue);
};

struct state_config {
    struct loop *loop;               /* where it waits at first (the loader's) */
    struct ledger *ledger;           /* the process ledger */
    const struct log *log;           /* NULL: silent */
    const struct state_hooks *hooks; /* NULL: none */
    void *host;                      /* for whoever set the hooks */
    uint32_t generation;
    uint16_t worker;
    const struct devpage *dev; /* what dev mode adds to answers; NULL: nothing */
    size_t bytes_max;          /* of the Lua state; 0: STATE_MEMORY_DEFAULT */
};

struct state {
    lua_State *L;                    /* main thread of the Lua state; runs no script code */
    struct loop *loop;               /* changes once, at commit (state_move) */
    struct ledger *ledger;           /* not ours */
    const struct log *log;           /* not ours */
    const struct state_hooks *hooks; /* not ours */
    void *host;                      /* the hooks' */
    uint32_t generation;
    uint16_t worker;
    enum state_phase phase;    /* changed by state_enter alone */
    const struct devpage *dev; /* not ours */
    bool pull_ended;           /* queue:receive returns nil from now on */
    struct account account;
    struct state_watch watch;
    size_t live[LIVE_COUNT];

    /* tasks (task.c) */
    struct task *current;       /* inside its resume; NULL outside */
    struct resume_frame *frame; /* innermost resume under way */
    struct list tasks;          /* alive */
    struct list idle;           /* finished, coroutine kept */
    struct list ready;          /* woken, not yet resumed */
    struct list later;          /* gave way: resumed when the loop has had its turn */
    struct list deferred;       /* spawned while loading, start at state_start_deferred */
    struct slots task_ids;      /* id -> struct task, for handles */
    size_t idle_count;
    bool scheduling;              /* a task runs, or its end is being told */
    bool turn_over;               /* the loop gets its turn before the next task */
    struct loop_task drain_ready; /* runs what is left of ready and later in the next turn */
    bool drain_posted;
    bool later_due; /* in the next drain: the requests that came first have been served */

    /* requests (request.c) */
    struct slots request_ids;          /* id -> struct request */
    struct request_pool *pool;         /* the worker's, shared by its generations; not ours */
    struct list requests;              /* alive, oldest first */
    uint64_t pulled[STATE_PULLED_MAX]; /* queues that queue:receive was called on */
    size_t pulled_count;
    struct list pull_starts; /* queue:receive called while loading (pull.c) */
    struct list pulls;       /* queue:receive under way (pull.c) */
    uint64_t round;          /* of state_cancel_tasks and state_kill_tasks */
    size_t warning_len;      /* pieces of a Lua warning so far */
    char warning[512];
    uint64_t error_count; /* ids of 500 answers */

    struct handlers handlers; /* which value answers a URL */
    struct file_cache files;  /* http.file: what was opened by path */

    /* registry references, made once: by state_open, the first four by request_part */
    int ref_request, ref_pulled; /* metatables of http.request, */
    int ref_headers, ref_file;   /* of http.headers and http.file */
    int ref_cancelled;           /* the error value `cancelled` */
    int ref_tracebacks;          /* traceback under way, by coroutine (weak keys) */
    int ref_coroutines;          /* suspended script coroutines (weak keys) */
};

/* Makes the Lua state: no libraries yet (the caller opens them, then module_open), but everything
 * that tasks need.
 * Errors: ERROR_NOT_ENOUGH_MEMORY, and nothing is left. */
ULONG state_open(struct state *S, const struct state_config *config);

/* lua_close: runs the finalizers. Before: state_kill_tasks, requests cancelled, and the loop turned
 * until state_is_quiet. Harmless when closed. */
void state_close(struct state *S);

/* The state of any coroutine of it. */
static inline struct state *state_of(lua_State *L)
{
    return *(struct state **)lua_getextraspace(L);
}

/* Changes the phase; asserts that the table above allows it. */
void state_enter(struct state *S, enum state_phase phase);

/* At commit, on the worker: from now on it waits on this loop and takes request memory from this
 * pool. Nothing of the state may wait for a timer of the old loop. */
void state_move(struct state *S, struct loop *loop, struct request_pool *pool);

/* At publication, on the worker: starts what http.spawn collected while loading. */
void state_start_deferred(struct state *S);

/* How many of a kind there are now. */
size_t state_count_live(const struct state *S, enum live_kind kind);

/* Nothing is in flight: no task, no request, no receive of a pull, no overlapped call. */
bool state_is_quiet(const struct state *S);

/* Raises `cancelled` in every waiting task but `except` (may be NULL); see task_cancel. */
void state_cancel_tasks(struct state *S, struct task *except);

/* The same for the tasks that serve no request: spawned while loading, by a main chunk or by one of
 * themselves. Main chunks go on. */
void state_cancel_background(struct state *S);

/* Whether a request's handler, or a task that one has spawned, has not ended. */
bool state_serves_requests(const struct state *S);

/* Hard stop of every task; what waits for an overlapped call ends when that call has come back, so
 * turn the loop until state_is_quiet. Coroutines of the script are closed too. */
void state_kill_tasks(struct state *S, const char *why);

/* HttpCancelHttpRequest for each request that is left. */
void state_cancel_requests(struct state *S);

/* Ends each open stream with its last chunk (stage 3). */
void state_end_streams(struct state *S);

/* queue:receive and queue:requests end: those that wait now return nil, later ones at once. */
void state_end_pulls(struct state *S);

/* Opens or closes the reserve of the error path. */
void state_open_reserve(struct state *S);
void state_close_reserve(struct state *S);

/* The lua_Alloc of a state; ud is struct account. */
void *state_allocate(void *ud, void *block, size_t old_bytes, size_t new_bytes);

/* Where the running Lua code stands, as "app.lua:12", or "" in C. level: 1 is the caller of the C
 * function. out is cut to fit. [-0, +0, -] */
void state_where(lua_State *L, int level, char *out, size_t out_bytes);
