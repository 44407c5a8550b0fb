/* http.queue: a request queue of the contract. */
#pragma once

#include <lua.h>

struct caller;

/* Makes a queue of the options at index (nil: none). Pushes the queue and returns 1, or nil and the
 * error and returns 2. [-0,+(1|2),v] */
int queue_object_create(lua_State *L, int options, const struct caller *caller);
