/* The fairness guard: a runaway script cannot stop a worker, and nothing is paid until one runs
 * away.
 *
 * An armed count hook costs 1.2 to 2.4 times on every instruction, so none is armed while serving.
 * A watchdog thread looks every 10 ms. A worker that is still inside the same resume as at the look
 * before gets a realtime signal on its thread, whose handler calls lua_sethook on the coroutine
 * that runs (as lua.c does for Ctrl-C). The hook then runs at the next Lua instruction, on the
 * worker, in plain Lua context:
 *
 *   over a limit (time of this resume where it cannot yield, processor time of this task)
 *                     -> ends the task: yields it for good, else raises
 *   lua_isyieldable   -> yields: the task goes to the end of the line
 *   else              -> lets it run on; the next look comes in 10 ms
 *
 * Ending a task that cannot be yielded: an error is raised, and raised again at each further
 * instruction, so that no pcall can catch it for long.
 *
 * The watchdog sleeps without a timeout while all workers are idle for one whole look; the next
 * resume wakes it. The hot path pays one store at each end of a resume and one relaxed load.
 * Because store and load may pass each other, the watchdog issues a process-wide barrier
 * (membarrier) before it believes that everybody is idle; where that call is missing it looks once
 * a second instead.
 *
 * What no hook can interrupt: C functions that do not return (a blocking driver, a pattern with
 * catastrophic backtracking) and finalizers (Lua switches hooks off inside __gc). The exit path
 * gives up on such a worker after EXIT_STUCK_NS and says so.
 *
 * While a state loads (generation.h) the hook is armed all the time with GUARD_LOAD_COUNT: loading
 * is on the coordinator and nobody waits for speed.
 *
 * Owner: host. Thread: stated at each function. Windows has no such signal: there the count hook
 * stays armed (guard_windows.c). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "api/httpapi.h"

struct guard;
struct guard_slot;
struct host_limits;
struct state;

enum {
    GUARD_LOOK_MS = 10, /* the watchdog's look; a resume is interrupted after one to two of them */
    GUARD_IDLE_LOOKS = 2,    /* looks without any resume, then the watchdog sleeps */
    GUARD_LOAD_COUNT = 10000 /* instructions between two checks while loading */
};

/* Makes the watchdog; its thread starts with the first slot. slots: states that can be served at
 * the same time. limits: copied. Errors: ERROR_NOT_ENOUGH_MEMORY; ERROR_NOT_SUPPORTED no realtime
 * signal is free. Coordinator. */
ULONG guard_create(size_t slots, const struct host_limits *limits, struct guard **out);

/* Ends the thread and frees. No state may be attached. NULL is harmless. Coordinator. */
void guard_destroy(struct guard *guard);

/* The state is served by the calling thread from now on, until guard_detach. NULL: no slot is free
 * or no thread can be started; the state is then served without a guard. The caller keeps the slot
 * where guard_slot_of finds it (struct member). Worker. */
struct guard_slot *guard_attach(struct guard *guard, struct state *S);
void guard_detach(struct guard_slot *slot);

/* For state_hooks.on_guard_wake. Worker. */
void guard_wake(struct guard_slot *slot);

/* While loading: arms the count hook on the state's main thread, from which every new coroutine
 * inherits it; and takes it off again. A coroutine that still has it when the state has loaded
 * loses it at the hook's next run. The deadline is struct member's. Coordinator. */
void guard_arm_loading(struct state *S);
void guard_disarm_loading(struct state *S);

/* --- between guard.c and guard_posix.c
 * --------------------------------------------------------------------------------- */

/* The limits of the watchdog a slot belongs to. */
const struct host_limits *guard_limits(const struct guard_slot *slot);

/* clock_mono_ns when the present resume was first seen; 0: not seen yet. Worker. */
uint64_t guard_seen_ns(const struct guard_slot *slot);

/* What the present resume has used since then: processor time, so that a handler is not ended
 * because the machine was busy with others; on Windows time. 0: not seen yet. Worker. */
uint64_t guard_used_ns(const struct guard_slot *slot);

/* The hook has run. Worker. */
void guard_answer(struct guard_slot *slot);

/* The hook that the signal handler arms. */
void guard_hook(lua_State *L, lua_Debug *ar);

/* Gives a coroutine what it has while nobody suspects it: no hook; on Windows the counting one. */
void guard_rest(lua_State *L);
