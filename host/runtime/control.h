/* http.run, http.stop and os.exit: how a script says that it waits, and that it wants to end.
 *
 *   http.run()                in a main chunk: waits until stopping has drained or the generation
 *                             retires, then returns. Raises in a handler, in a spawned task, and
 *                             where every queue is pulled (nothing would ever call a handler).
 *   http.stop([code])         asks the host to stop; returns at once. code: 0 to 255, the exit code
 *                             unless something worse happens (default 0).
 *   os.exit([code [, close]]) true or nothing: 0, false: 1. Never returns: ends the calling
 *                             coroutine, its <close> variables run; a request it served gets 503.
 *                             The process ends by the exit path; `close` makes no difference:
 *                             states are always closed.
 *
 * Thread: the state's. */
#pragma once

#include <lua.h>

#include "binding/module.h"

/* http.run, http.stop; replaces os.exit. */
extern const struct binding_part control_part;
