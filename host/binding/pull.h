/* queue:receive and queue:requests: requests that a script takes by itself instead of being called.
 *
 * Each waiting call posts one receive on the queue, on the state's loop. The request it gets is not
 * tied to a task: it lives until it is answered, and a request that is dropped unanswered is
 * answered 500 by its __gc or __close, with a line in the log.
 *
 * From the first of these calls in a state its queue is pulled there: state_hooks.on_pull.
 * Thread: the state's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

struct state;

/* Methods of http.queue. */
/* queue:receive([timeout]) -> http.request | nil when the state retires or stops | nil, error
 * "timeout" [-(1|2), +(1|2), e]; timeout in seconds */
int pull_receive(lua_State *L);
/* queue:requests() -> iterator for `for request in queue:requests() do`; ends when the state
 * retires or stops; raises on errors [-1, +4, e] */
int pull_requests(lua_State *L);

/* Whether this state has pulled from the queue: dispatch arms no receives for it. */
bool pull_is_pulled(const struct state *S, uint64_t queue_id);

/* On the worker, after the state's queues are attached: posts what began to wait while loading. */
void pull_start(struct state *S);

/* See state_end_pulls. */
void pull_end(struct state *S);
