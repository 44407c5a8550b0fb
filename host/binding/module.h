/* The Lua module `http`, put together from parts, each with its documentation.
 *
 * A part is a table of functions and a table of types; each entry has its Lua signature and one
 * line of text. The same tables register the functions and are printed as LuaCATS types, so the two
 * cannot differ. The binding lists its own parts; the runtime hands in its own (http.run,
 * http.stop, http.sleep ...).
 *
 * Thread: the state's. */
#pragma once

#include <stddef.h>

#include <lauxlib.h>
#include <lua.h>

/* One function, method or field. */
struct binding_entry {
    const char *name;       /* NULL ends a table */
    lua_CFunction function; /* NULL: a field, documented only */
    const char *signature;  /* LuaCATS: "fun(session: http.session, options?: table): http.group?,
                               http.error?"; a field: its type */
    const char *doc;        /* one line */
};

/* One userdata type. */
struct binding_type {
    const char *name; /* "http.group": metatable name and LuaCATS class */
    const char *doc;
    const struct binding_entry *methods; /* go into the method table; may be NULL */
    const struct binding_entry *fields;  /* documented only; may be NULL */
    const struct luaL_Reg *metamethods;  /* NULL-terminated; may be NULL */
    /* Given the method table as upvalue 1, becomes __index. NULL: __index is the method table
     * itself. */
    lua_CFunction index;
};

/* One part of the module. */
struct binding_part {
    const struct binding_entry *functions; /* become http.<name>; may be NULL */
    const struct binding_type *const
        *types; /* NULL-terminated; metatables are made for them; may be NULL */
    /* Anything else, with the module table on top of the stack; may be NULL. [-0,+0,e] */
    void (*open)(lua_State *L);
    const struct binding_entry *aliases; /* names of types that signatures use; may be NULL */
};

/* Makes the module table, the metatables, the global `http` and package.loaded.http. parts:
 * NULL-terminated, after the binding's own; may be NULL. The libraries must be open and state_of(L)
 * must be set. [-0,+0,e] */
void module_open(lua_State *L, const struct binding_part *const *parts);

/* Makes the metatable of one type: name, metamethods, __index, and __name. [-0,+0,m] */
void module_make_type(lua_State *L, const struct binding_type *type);

/* The binding's own parts, NULL-terminated: what a generator of LuaCATS types prints, together with
 * the runtime's. */
const struct binding_part *const *binding_docs(void);

/* Parts of this folder, one for each file. */
extern const struct binding_part session_part, group_part, queue_part, url_part, router_part,
    tree_part;
