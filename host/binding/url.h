/* http.url: one registered URL, and the functions that add and remove it. */
#pragma once

#include <lua.h>

/* group:add_url(url[, handler]); http.add_url([group,] url[, handler]) -> http.url | nil, error
 * [-0,+(1|2),v] */
int url_object_add(lua_State *L);

/* group:remove_url(url); http.remove_url([group,] url) -> true | nil, error [-0,+(1|2),v] */
int url_object_remove(lua_State *L);
