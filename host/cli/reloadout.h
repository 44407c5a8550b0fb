/* The lines of a reload on the terminal, and its events on stdout with --json.
 *
 *   12:00:07 reload  order.lua  gen 4 -> 5  1.8 ms  3 routes changed  12 in flight stay in gen 4
 *   12:00:07 closed  gen 4  12 urls, 1 group, 2 timers, 1 coroutine  0 left
 *   12:00:31 broken  order.lua:41: unexpected symbol near '='  gen 5 keeps serving
 *
 * Thread: main. */
#pragma once

#include "cli/options.h"
#include "cli/term.h"

struct lineout;

/* out: for --json.
 * HOST_EVENT_RELOAD, _BROKEN and _CLOSED; the last only when it is worth a line: with --verbose, in
 * dev, or when something was cut or left. */
void reloadout_tell(const struct options *options, const struct term *term, struct lineout *out,
                    const struct host_event *event);
