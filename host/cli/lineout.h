/* The lines of --json: written to stdout by a thread of its own, so that nobody who serves ever
 * waits for whoever reads them.
 *
 * Lines wait in a ring of LINEOUT_BYTES. One that finds no room is dropped and counted, and the
 * next that gets in comes behind {"event":"dropped","count":N}. The last LINEOUT_RESERVE of the
 * ring are for lines that are not of single requests, and so is the first line of all.
 *
 * Owner: whoever opened it. Thread: lineout_put any; open and close one. Cost: a lock and a copy a
 * line; nothing without --json. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

enum {
    LINEOUT_BYTES = 256 * 1024,
    LINEOUT_RESERVE = 64 * 1024,
    LINEOUT_CLOSE_MS = 1000 /* how long the end of the process waits for the reader */
};

struct lineout;

/* NULL: no memory, or no thread. */
struct lineout *lineout_open(void);

/* Waits for what is in the ring, at most LINEOUT_CLOSE_MS: a reader that has stopped reading holds
 * up no exit. NULL is harmless. */
void lineout_close(struct lineout *out);

/* One line with its line feed, at most LINEOUT_RESERVE. spare: one of many, dropped early. */
void lineout_put(struct lineout *out, struct slice line, bool spare);
