/* What a handler returns becomes one HttpSendHttpResponse.
 *
 *   "text"                      200, text/plain; charset=utf-8
 *   { ... }                     200, application/json
 *   function(stream) ... end    200, streamed: stream:write
 *   http.file(path)             200, from the file, type by extension
 *   nothing, nil                204
 *   404                         that status without a body
 *   201, body                   body: any of the above
 *   200, headers, body          headers: a table or nil
 *   nil, error                  error.status or 500, logged
 *
 * Anything else is a 500 and a log line that names what was returned and what is allowed. HEAD, 204
 * and 304 send no body (RFC 9110 sections 9.3.2, 15.3.5, 15.4.5). A string is sent as one chunk,
 * uncopied; where the peer is slow the task waits with it on its stack.
 *
 * Thread: the state's. */
#pragma once

#include <stdint.h>

#include <lua.h>

#include "binding/module.h"
#include "binding/request.h"

extern const struct binding_type file_type; /* "http.file" */

enum { ANSWER_STATUS_MIN = 200, ANSWER_STATUS_MAX = 999 };

/* Answers with the values from index first up to the top, inside the handler's task. Returns with
 * `return`: may suspend; k(L, status, ctx) runs then, or at once, and the request has ended.
 * Raises on wrong values. */
int answer_return(lua_State *L, struct request *r, int first, lua_KContext ctx, lua_KFunction k);

/* request:respond([status], [headers], [body]) -> true | nil, error. The same forms as a return
 * value. [-n, +(1|2), e] */
int answer_respond(lua_State *L);

/* Answers 500 (or the error value's status) to a handler that failed, without waiting; the error
 * value is at index. What is streaming already is cancelled. id: shown to the client.
 * traceback may be NULL. Raises nothing. */
void answer_failure(lua_State *L, struct request *r, int index, const char *traceback);

/* http.file(path [, { type = }]) -> http.file | nil, error (status 404 or 403) [-(1|2), +(1|2), e]
 */
int answer_new_file(lua_State *L);

/* Lets go of the file of an answer that was sent. */
void answer_drop_file(struct request *r);

/* "Not Found"; "" for a number without a name. */
struct slice answer_reason(unsigned status);
