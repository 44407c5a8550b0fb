/* The query string as Lua values (application/x-www-form-urlencoded, WHATWG URL section 5.1):
 * "%20" and "+" are spaces, a broken escape stays as it is, of repeated keys the last wins.
 *
 * Both need four free places of the stack. Thread: the state's. Cost: made when a script asks. */
#pragma once

#include <lua.h>

#include "base/slice.h"

/* Pushes a table of all keys. query: without the "?". Raises past REQUEST_QUERY_PAIRS_MAX.
 * [-0, +1, v] */
void query_push_table(lua_State *L, struct slice query);

/* Pushes an array of the values of one key, empty when there is none. [-0, +1, m] */
void query_push_all(lua_State *L, struct slice query, struct slice key);
