/* A task: a coroutine that the host runs, and all that waiting means.
 *
 * A finished coroutine goes back to the pool and is resumed again for the next task (17 ns; after
 * an error it is reset first). One task runs at a time in a state; whoever wakes another one only
 * queues it, so there is no recursion.
 *
 *   TASK_IDLE      in the pool                                      READY, RUNNING
 *   TASK_DEFERRED  spawned while loading                            READY, IDLE
 *   TASK_READY     will be resumed after the running one            RUNNING, IDLE
 *   TASK_RUNNING   inside lua_resume                                WAITING, READY, IDLE
 *   TASK_WAITING   suspended, `wait` says for what                  READY, RUNNING, IDLE
 *
 * Waiting: a C function calls `return task_wait(L, &wait, k, ctx)`. It suspends the whole task,
 * through coroutines of the script too (runtime/sched_lua.h). Whoever completes the wait calls
 * task_wake; k then runs as the continuation of the C function and returns its results.
 *
 * Cancelling: `cancelled` is raised where the task waits. While it unwinds, <close> variables may
 * wait again; once a pcall has caught it, each further wait raises it again. TASK_CANCEL_RAISES_MAX
 * raises later, or after task_kill, the coroutine is stopped hard: <close> variables run, but a
 * wait in them raises.
 *
 * Thread: the state's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include "api/httpapi.h"
#include "api/loop.h"
#include "base/list.h"

struct state;
struct task;

enum {
    TASK_CANCEL_RAISES_MAX = 16, /* raises of `cancelled` that a script may catch */
    TASK_CANCEL_GRACE_MS = 1000, /* how long <close> variables may wait after `cancelled` */
    TASK_CHAIN_MAX = 200,        /* nested script coroutines in a wait (Lua's own C call limit) */
    TASK_READY_BATCH = 64        /* woken tasks run in one go before the loop gets its turn */
};

enum task_phase { TASK_IDLE, TASK_DEFERRED, TASK_READY, TASK_RUNNING, TASK_WAITING };

/* How a task ended, and what lies on top of task->co then. */
enum task_end {
    TASK_RETURNED,  /* its results */
    TASK_FAILED,    /* error value, traceback (a string) */
    TASK_CANCELLED, /* the error value `cancelled` (uncaught) */
    TASK_EXITED,    /* nothing: task_exit (os.exit) */
    TASK_KILLED     /* a string that says why: hard stop, or never started */
};

/* What a task waits for. Owner: whoever waits; never on the C stack, because it outlives the C
 * function. A zeroed one is ready for use. */
struct wait {
    struct task *task; /* who waits; NULL: nobody. Set by task_wait */
    /* Must lead to task_wake, at once or when an overlapped call comes back. NULL: at once. Not
     * NULL also means that something is in flight: its starter has asked task_check_wait before. */
    void (*cancel)(struct wait *wait);
    /* k will not run, because `cancelled` is raised or the task is killed: gives back what k would
     * have taken. After the wait is over. May be NULL. */
    void (*drop)(struct state *S, lua_KContext ctx);
};

/* What is known about one run of a task; cleared for each. */
struct task_run {
    uint64_t told;         /* last round of state_cancel_tasks that reached it */
    uint64_t grace_end_ns; /* past it a wait after `cancelled` raises again */
    uint64_t guard_ns;     /* runtime/guard.c: time spent in resumes that were interrupted */
    const char *doomed;    /* task_kill: why; NULL: not */
    unsigned raises;       /* of `cancelled` */
    bool cancelled;        /* task_cancel was called */
    bool caught;           /* a pcall has caught `cancelled`, or the grace is over */
    bool preempted;        /* goes to the end of the line */
    bool exiting;          /* task_exit */
    bool timed_out;        /* the last wait ended by its timeout */
    bool grace_timer;      /* the timer is the grace, not the timeout */
    bool suspended_once;   /* it has waited at least once */
};

struct task {
    struct list_node node; /* in one of the state's lists */
    lua_State *co;         /* its coroutine, anchored in the registry */
    struct state *state;
    enum task_phase phase; /* changed by enter() in task.c alone */
    int ref;               /* registry reference of co */
    int nargs;             /* on co, for the next resume */
    uint64_t id;           /* in state->task_ids; 0 until asked for */
    struct task_run run;

    struct wait *wait; /* TASK_WAITING: for what; NULL while its end is being told */
    lua_KFunction k;   /* of the wait: what goes on, with which argument, */
    lua_KContext ctx;
    void (*drop)(struct state *S, lua_KContext ctx); /* and what happens instead */
    struct wait own_wait;                            /* for waits without memory of their own */
    struct list_node wait_node;                      /* for lists of waiting tasks */
    struct loop_timer timer; /* sleep, timeout, end of the grace after `cancelled` */
    lua_State **chain;       /* script coroutines that the wait went through, innermost first */
    unsigned chain_len, chain_cap;
    ULONG op_status; /* of the overlapped call that woke it (op.h) */
    ULONG op_bytes;

    /* The owner's. on_end is called outside of any resume; its results are popped afterwards.
     * on_first_wait: before the first suspension (arms the disconnect watch of a request). */
    void (*on_end)(struct task *task, enum task_end end, int nresults);
    void (*on_first_wait)(struct task *task);
    void *owner;
    const char *name; /* "request", "main", "spawn": for messages */
    bool for_request; /* a request, or spawned by one: ends with the requests of a generation */
};

/* A task with an empty stack, TASK_IDLE but not in the pool any more. Set on_end and owner, push a
 * function and its arguments on task->co, then task_resume. The hot path pushes a C function as the
 * whole body instead and calls task_start.
 * NULL: STATE_TASKS_MAX, or no memory. */
struct task *task_acquire(struct state *S);

/* Gives back a task that was never resumed. */
void task_release(struct task *task);

/* Starts function + nargs (on task->co) under a message handler, now, or, called from inside a
 * resume, after it. */
void task_resume(struct task *task, int nargs);

/* The same for a C function + nargs that does its own lua_pcallk with task_push_handler. */
void task_start(struct task *task, int nargs);

/* Pushes the message handler that keeps the traceback for on_end. [-0, +1, -] */
void task_push_handler(lua_State *L);

/* Keeps it for the start of the generation (http.spawn while loading). function + nargs on co. */
void task_defer(struct task *task, int nargs);

/* The task that runs now, NULL outside of any. */
struct task *task_current(lua_State *L);

/* A task's id for handles, made on first use; 0 when there is no memory. task_find: NULL when it
 * has ended. */
uint64_t task_id(struct task *task);
struct task *task_find(struct state *S, uint64_t id);

/* Suspends the current task; used as `return task_wait(...)`. k gets LUA_YIELD as status. The
 * memory that ctx stands for may be gone by then: pass ids, or set wait->drop. Raises: `cancelled`;
 * "cannot wait inside string.gsub" where Lua cannot yield; outside of a task.
 */
int task_wait(lua_State *L, struct wait *wait, lua_KContext ctx, lua_KFunction k);

/* The same with a time limit: wait->cancel is called when it has passed, and task->run.timed_out
 * is then true in k. timeout_ns UINT64_MAX: none. */
int task_wait_for(lua_State *L, struct wait *wait, uint64_t timeout_ns, lua_KContext ctx,
                  lua_KFunction k);

/* Raises what task_wait would raise if it cannot wait here and now; for functions that must not
 * begin something which they could not wait for. [-0, +0, v] */
void task_check_wait(lua_State *L);

/* The wait is over. From callbacks of the loop: resumes the task before it returns, unless another
 * task runs; then after that. Harmless when nobody waits. */
void task_wake(struct wait *wait);

/* Raises `cancelled` in the task where it waits, or at its next wait. Harmless when ended. */
void task_cancel(struct task *task);

/* Hard stop. A waiting task ends when its wait has come back; a running one when it next suspends.
 * why: static text. */
void task_kill(struct task *task, const char *why);

/* os.exit: ends the calling task by an error that pcall passes on; its <close> variables run. Used
 * as `return task_exit(L)`. Outside of a task it raises a plain error. */
int task_exit(lua_State *L);

/* The task gives way to the loop for one turn: http.sleep(0). Used as `return task_yield_turn(L)`.
 */
int task_yield_turn(lua_State *L);

/* For the guard's hook: whether the running coroutine, and every one around it, can be suspended.
 */
bool task_is_yieldable(lua_State *L);
/* For the guard's hook, last call in it: the running task goes to the end of the line. */
void task_preempt(lua_State *L);
/* For the guard's hook, last call in it: stops the running task hard. Needs task_is_yieldable. */
void task_preempt_kill(lua_State *L, const char *why);

/* Pushes the error value `cancelled`; tells whether the value at index is it. */
void task_push_cancelled(lua_State *L);
bool task_is_cancelled_error(lua_State *L, int index);

/* For replacements of pcall and coroutine.resume: an error value was caught. true: it is
 * task_exit's and must be raised again. */
bool task_note_caught(lua_State *L, int index);

/* After a lua_resume of a script's coroutine returned LUA_YIELD: the host suspends the task (pass
 * it on, chain.h), not the script. */
bool task_is_suspending(const struct state *S);

/* For op.c: takes the waiting task off its wait, and lets it go on. NULL is harmless. */
struct task *task_detach(struct wait *wait);
void task_attach(struct task *task, struct wait *wait);
void task_wake_detached(struct task *task);

/* For state.c: starts a task of the deferred list; frees the idle tasks. */
void task_start_deferred(struct task *task);
void task_free_pool(struct state *S);
