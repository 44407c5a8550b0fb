/* The Lua type http.request.
 *
 *   request.method .path .target .raw_path .query .headers .params .remote .local .version .scheme
 *          .host .url .id
 *   request:query_all(name)  request:read chunks body save (body.h)
 *   request:respond (answer.h)  request:stream (stream.h)  request:cancel()
 *
 * A userdata holds the id alone. A handler's requests have no __gc: the handler's end answers them.
 * Pulled ones do: dropped unanswered they are answered 500, with a line in the log. Both metatables
 * carry the name "http.request".
 *
 * Thread: the state's. Cost: a new userdata a request; fields are made when asked for. */
#pragma once

#include <lua.h>

#include "binding/module.h"
#include "binding/request.h"

/* http.file; types http.request, http.headers, http.stream, http.file. Its open function makes the
 * second metatable and tells the state where both are. */
extern const struct binding_part request_part;

/* Pushes a new userdata of the request. [-0, +1, m] */
void request_type_push(lua_State *L, const struct request *r);

/* The request of the userdata at arg; raises "closed http.request", or a type error. [-0, +0, v] */
struct request *request_type_check(lua_State *L, int arg);
