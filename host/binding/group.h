/* http.group: a URL group of the contract, made by http.group and by session:group. */
#pragma once

#include <lua.h>

/* http.group(session[, options]); session:group([options]) -> http.group | nil, error
 * [-0,+(1|2),v] */
int group_object_new(lua_State *L);
