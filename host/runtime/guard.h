/* The fairness guard: a runaway script cannot stop a worker, and nothing is paid until one runs away.
 *
 * An armed count hook costs 1.2 to 2.4 times on every instruction, so none is armed while serving. A watchdog thread looks every 10 ms. A worker
 * that is still inside the same resume as at the look before gets a realtime signal on its thread, whose handler calls lua_sethook
 * on the coroutine that runs (as lua.c does for Ctrl-C). The hook then runs at the next Lua instruction, on the worker, in plain Lua context:
 *
 *   over a limit (time of this resume where it cannot yield, time of this task)  -> ends the task: yields it for good, else raises
 *   lua_isyieldable                                                              -> yields: the task goes to the end of the line
 *   else                                                                         -> lets it run on; the next look comes in 10 ms
 *
 * Ending a task that cannot be yielded: an error is raised, and raised again at each further instruction, so that no pcall can catch it for long.
 *
 * The watchdog sleeps without a timeout while all workers are idle for one whole look; the next resume wakes it. The hot path pays one store at each
 * end of a resume and one relaxed load. Because store and load may pass each other, the watchdog issues a process-wide barrier (membarrier)
 * before it believes that everybody is idle; where that call is missing it looks once a second instead.
 *
 * What no hook can interrupt: C functions that do not return (a blocking driver, a pattern with catastrophic backtracking) and finalizers
 * (Lua switches hooks off inside __gc). The exit path gives up on such a worker after EXIT_STUCK_NS and says so.
 *
 * While a state loads (generation.h) the hook is armed all the time with GUARD_LOAD_COUNT: loading is on the coordinator and nobody waits for speed.
 *
 * Owner: host. Thread: stated at each function. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include "api/httpapi.h"

struct state;
struct guard;

enum {
    GUARD_LOOK_MS = 10,          /* the watchdog's look; a resume is interrupted after one to two of them */
    GUARD_LOAD_COUNT = 10000,    /* instructions between two checks while loading */
    GUARD_SLOTS_MAX = 256,       /* workers */
};

/* Starts the watchdog thread (parked). Errors: ERROR_NOT_ENOUGH_MEMORY, ERROR_NOT_SUPPORTED no realtime signal free. Coordinator. */
ULONG guard_create(struct guard **out);

/* Ends the thread and frees. No worker may be attached. NULL is harmless. Coordinator. */
void guard_destroy(struct guard *guard);

/* The calling worker thread takes part from now on / no longer. slot: the worker's number. Worker. */
void guard_attach(struct guard *guard, unsigned slot);
void guard_detach(struct guard *guard, unsigned slot);
