/* What a script finds when it starts: the standard libraries, `http`, `lfs`, and the few standard
 * functions that a server must replace.
 *
 *   print             to stderr: stdout carries the ready line or NDJSON and nothing else.
 *                     io.stdout stays what it is.
 *   os.exit           never returns and never ends the process by itself: it asks the host to stop
 *                     with that code (true 0, false 1), and ends only the coroutine that called it,
 *                     running its <close> variables; a request of that coroutine is answered 503.
 *   http.run, http.stop  see control.h
 *   warn              to the log, together with what Lua warns of (an error in __gc); always on
 *   http.arg          [1].. what followed the script on the command line, [0] the script, and
 *                     --set K=V by name
 *   require           beside the script, then the modules of lua/ in the binary (or in
 *                     config.lua_dir), then Lua's own path and cpath
 *
 * Thread: the one that has the state (coordinator while loading, then its worker). */
#pragma once

#include <lua.h>

#include "api/httpapi.h"
#include "binding/module.h"

struct host_config;

/* The parts of `http` that are the runtime's, NULL-terminated: the tables that luaenv_open
 * registers. Those of the binding are binding_docs. */
const struct binding_part *const *luaenv_docs(void);

/* Opens everything above in a fresh state. Raises nothing; [-0, +(0|1)]
 * Errors: ERROR_NOT_ENOUGH_MEMORY; ERROR_INVALID_FUNCTION a module of ours failed: *text says
 * which, good until the next Lua call. */
ULONG luaenv_open(lua_State *L, const struct host_config *config, const char **text);

/* Makes `require` look in `directory` first (?.lua and ?/init.lua). [-0, +0]. Errors:
 * ERROR_NOT_ENOUGH_MEMORY. */
ULONG luaenv_add_path(lua_State *L, const char *directory);
