#include "binding/module.h"

#include <assert.h>

#include "binding/error.h"
#include "binding/request_type.h"

static const struct binding_part *const own_parts[] = {&session_part, &group_part,  &queue_part,
                                                       &url_part,     &router_part, &request_part,
                                                       &tree_part,    NULL};

const struct binding_part *const *binding_docs(void)
{
    return own_parts;
}

/* Sets the functions of a list in the table on top. [-0,+0,m] */
static void set_functions(lua_State *L, const struct binding_entry *entries)
{
    for (; entries != NULL && entries->name != NULL; entries++) {
        if (entries->function != NULL) {
            lua_pushcfunction(L, entries->function);
            lua_setfield(L, -2, entries->name);
        }
    }
}

void module_make_type(lua_State *L, const struct binding_type *type)
{
    if (!luaL_newmetatable(L, type->name)) {
        lua_pop(L, 1); /* made before */
        return;
    }
    if (type->metamethods != NULL) {
        luaL_setfuncs(L, type->metamethods, 0);
    }
    if (type->methods != NULL || type->index != NULL) {
        lua_newtable(L);
        set_functions(L, type->methods);
        if (type->index != NULL) {
            lua_pushcclosure(L, type->index, 1);
        }
        lua_setfield(L, -2, "__index");
    }
    /* A script must not take the metatable apart. */
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

/* The module table is on top. */
static void open_part(lua_State *L, const struct binding_part *part)
{
    for (size_t i = 0; part->types != NULL && part->types[i] != NULL; i++) {
        module_make_type(L, part->types[i]);
    }
    set_functions(L, part->functions);
    if (part->open != NULL) {
        int top = lua_gettop(L);
        part->open(L);
        assert(lua_gettop(L) == top);
        (void)top; /* used by the assertion alone */
    }
}

void module_open(lua_State *L, const struct binding_part *const *parts)
{
    luaL_checkstack(L, 10, NULL);
    error_register(L);
    lua_createtable(L, 0, 32);
    for (size_t i = 0; own_parts[i] != NULL; i++) {
        open_part(L, own_parts[i]);
    }
    for (size_t i = 0; parts != NULL && parts[i] != NULL; i++) {
        open_part(L, parts[i]);
    }
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "http");
    lua_pop(L, 1);
    lua_setglobal(L, "http");
}
