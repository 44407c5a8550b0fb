/* What scripts see of tasks: http.sleep, http.spawn, and the functions of Lua that must know about
 * waiting.
 *
 *   http.sleep(seconds)          suspends the task; 0 lets others run
 *   http.spawn(f, ...)           -> http.task; runs f in a task of its own; while loading it starts
 *                                when the generation serves
 *   task:wait([seconds])         -> true, results | false, error value | nil, error "timeout"
 *   task:cancel()                raises `cancelled` in it
 *   task:is_running()            -> boolean
 *   <close>                      cancels it and waits for its end
 *
 * An error in a spawned task that nobody waits for is logged with its traceback.
 *
 * coroutine.create, wrap, resume, close, yield, isyieldable are replaced so that a wait inside a
 * coroutine of the script suspends the whole task, and so that a suspended coroutine that is
 * dropped, or left at the end, has its <close> variables run. pcall and xpcall are replaced so that
 * `cancelled` cannot be caught for good. Everything else about them is as in the manual.
 *
 * Thread: the state's. */
#pragma once

#include <lua.h>

#include "binding/module.h"

#define SCHED_SLEEP_MAX_S 1e9 /* longer sleeps are refused */

extern const struct binding_part
    sched_part; /* http.sleep, http.spawn, http.task; replaces the functions */
