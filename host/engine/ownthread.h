/* The engine's own thread, for programs that attach no loop: from the first registered URL to the
 * last terminate of SERVER it turns a loop with a shard on it. Thread: under the engine's lock. */
#pragma once

#include "engine/lifetime.h"

/* Starts it and waits until its shard exists. The lock is given up while waiting.
 * Errors: ERROR_NOT_ENOUGH_MEMORY. */
ULONG ownthread_start(struct engine *engine);
/* Ends it, with all its connections, and waits for that. The lock is given up while waiting.
 * Harmless when there is none. */
void ownthread_stop(struct engine *engine);
