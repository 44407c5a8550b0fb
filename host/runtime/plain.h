/* Plain data on its way out of a Lua state and into another: nil, booleans, numbers, strings, and
 * tables of these without metatables, cycles or a depth above PLAIN_DEPTH_MAX.
 *
 * The bytes are of this process alone: no version, native numbers. Thread: the state's. */
#pragma once

#include <lua.h>

#include "base/buf.h"
#include "base/slice.h"

enum { PLAIN_DEPTH_MAX = 64 };

/* Appends the value at index. NULL: done; else why not ("a function", "too large"): static text,
 * and the buf holds a part. Raises nothing but lack of memory in Lua. [-0, +0, m] */
const char *plain_write(lua_State *L, int index, struct buf *out);

/* Pushes what plain_write has written. [-0, +1, m] */
void plain_push(lua_State *L, struct slice bytes);
