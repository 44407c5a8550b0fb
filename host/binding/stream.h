/* http.stream: an answer written piece by piece.
 *
 *   local s <close> = request:stream(200, { ["content-type"] = "text/plain" })
 *   s:write("a", 1, "b")    -> s | nil, error     suspends while the peer is slow
 *   s:flush()               -> s                  waits until what was written has left us; what
 *                                                 failed on the way the next call tells
 *   s:close()               -> true | nil, error  the last chunk; silent when closed
 *
 * A stream is its request: it has no memory of its own. A handler's stream ends with its handler:
 * well when the handler returns, by cutting the connection when it raises. A pulled request's
 * stream that is collected unclosed cuts the connection and logs where the request came from.
 *
 * Thread: the state's. */
#pragma once

#include <lua.h>

#include "binding/module.h"
#include "binding/request.h"

extern const struct binding_type stream_type; /* "http.stream" */

enum {
    STREAM_CHUNKS_MAX = 8,     /* pieces in one contract call; more are joined first */
    STREAM_SENDS_IDLE_MAX = 64 /* memory of sends that a worker keeps */
};

/* request:stream([status], [headers]) -> http.stream | nil, error [-n, +(1|2), e] */
int httpstream_open(lua_State *L);

/* Sends the head that is in r->response. NO_ERROR, ERROR_IO_PENDING (r->send is under way): the
 * request is STREAMING. Any other code: it has ended. */
ULONG httpstream_send_head(struct request *r);

/* Pushes the stream of a request that is STREAMING. [-0, +1, m] */
void httpstream_push(lua_State *L, const struct request *r);

/* Sends the last chunk without waiting; the request has ended afterwards. */
void httpstream_finish(struct request *r);

/* Sends the last chunk, waiting until it is taken; used as `return httpstream_finish_wait(...)`. k
 * runs then, or at once. */
int httpstream_finish_wait(lua_State *L, struct request *r, lua_KContext ctx, lua_KFunction k);

/* Frees the pool's idle send ops. */
void httpstream_pool_deinit(struct request_pool *pool);

/* For request.c: a send came back; wakes who waits for the last one. */
void httpstream_note_sent(struct request *r);
