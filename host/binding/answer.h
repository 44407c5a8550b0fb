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

/* Answers with the values from index first up to the top, as the last thing the handler's task
 * does: `return answer_return(...)`. No results; the request has ended then. Raises on wrong
 * values. */
int answer_return(lua_State *L, struct request *r, int first);

/* Fills in status and headers of r's response; headers: stack index, 0 for none. What headers_fill
 * leaves on the stack must stay. [-0, +n, v] */
void answer_begin(lua_State *L, struct request *r, unsigned status, int headers,
                  struct headers_seen *seen);

/* request:respond([status], [headers], [body]) -> true | nil, error. The same forms as a return
 * value. [-n, +(1|2), e] */
int answer_respond(lua_State *L);

/* A handler failed: logs what happened under an id and answers 500 (or the error value's status),
 * naming the id; a stream that is under way is cut. The error value is at index of L, which is not
 * the handler's coroutine. traceback may be NULL. Raises nothing, does not wait; the request has
 * ended. [-0, +0, -] */
void answer_failure(lua_State *L, struct request *r, int index, const char *traceback);

/* http.file(path [, { type = }]) -> http.file | nil, error (status 404 or 403) [-(1|2), +(1|2), e]
 */
int answer_new_file(lua_State *L);

/* "Not Found"; "" for a number without a name. */
struct slice answer_reason(unsigned status);
