/* http.tree(): what is open, as a table that prints itself.
 *
 *   { kind = "host",
 *     children = { { kind = "session", name =, state =, made = "app.lua:3", shares =,
 *                    children = { ... } } ... },
 *     worker = { number =, generation =, memory =, tasks =, requests =, streams =, timers =,
 *                coroutines = } }
 *
 * Thread: the state's. Cost: a copy of the ledger; for people, not for the request path. */
#pragma once

#include <lua.h>

/* Pushes the table. [-0,+1,m] */
void tree_push(lua_State *L);
