/* http.store in Lua, and what one generation hands to the next: http.on_unload and http.carried.
 *
 *   local s = http.store("memory:")        the only back end; without an argument the same
 *   s:get(key)                             -> value | nil
 *   s:set(key, value [, ttl])              -> true | nil, error     ttl in seconds; nil removes
 *   s:update(key, function(old) ... end [, ttl])   -> new | nil, error: atomic: f is called again
 *                                          when another worker was faster; it must not wait
 *   s:incr(key [, by [, ttl]])             -> number | nil, error
 *   s:delete(key), s:keys([prefix]), s:pairs([prefix]), s:count()
 *
 *   http.on_unload(function() return data end)
 *       called when a newer generation takes over, newest first; a script that stops is not
 *       unloaded. What they return becomes http.carried of the newer generation on the same worker
 *       before its first request: the one that was registered first wins. While it loads,
 *       http.carried is nil: a load that fails must change nothing. A hook may wait, but what it
 *       returns then comes too late.
 *
 * Values are plain data (plain.h), at most STORE_VALUE_BYTES_MAX. Thread: the state's. */
#pragma once

#include "binding/module.h"

struct member;

extern const struct binding_part store_part;

/* On the worker, at publication: calls the hooks of the old state and gives the data to the new. */
void unload_run(struct member *old, struct member *next);
