/* Which globals a compiled chunk reads and sets, and which modules it requires, without running it.
 *
 * Reads what lua_dump writes. That format belongs to one Lua version; for any other than the one
 * known here (5.4, format 0) nothing is reported. Names behind constant 255 of a function, and what
 * goes through a local _ENV, are not seen: the list is for warnings.
 *
 * Thread: any. Cost: a walk over the chunk's bytes, no memory. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

enum globals_use {
    GLOBALS_READ,
    GLOBALS_SET,
    GLOBALS_REQUIRE /* require "name", name is a constant */
};

/* Calls fn for each use in the order of the code; the name is good during the call.
 * dump: what lua_dump wrote, with debug information. false: not the known format. */
bool globals_walk(struct slice dump,
                  void (*fn)(void *ctx, enum globals_use use, struct slice name, int line),
                  void *ctx);
