/* The userdata of http.session, http.group, http.queue and http.url: a node id and little else.
 *
 * Order of construction: arguments are checked, the userdata is made without an id, with its
 * metatable, and its owner goes into user value 1; only then the ledger is asked. A state that has
 * loaded then opens the node, as the last step. So a Lua error at any point leaks nothing: what is
 * collected before it was opened is closed. `close`, `__close` and `__gc` end in the ledger.
 *
 * Thread: the state's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>

#include "binding/ledger.h"
#include "binding/property.h"

struct state;

enum {
    OBJECT_OWNER = 1, /* user value: session of a group, group of a url */
    OBJECT_QUEUE = 2, /* user value: queue of a group */
    OBJECT_USER_VALUES = 2
};

/* The userdata. */
struct object {
    uint64_t id;    /* node; 0: none was made yet */
    uint32_t drops; /* of the state's share when the handle was made; more now: closed since */
    uint8_t kind;   /* enum node_kind */
    bool closed;    /* this handle was closed */
    bool unopened;  /* of a state that has loaded: declared, the contract was not asked yet */
    struct ledger_site closed_at; /* when closed */
};

#define SESSION_TYPE "http.session"
#define GROUP_TYPE   "http.group"
#define QUEUE_TYPE   "http.queue"
#define URL_TYPE     "http.url"

/* What a creation call and a close know about their caller. file points into `debug`. */
struct caller {
    struct ledger_origin origin;
    lua_Debug debug;
};

/* Fills in generation and worker of the state, file and line of the innermost Lua function.
 * [-0,+0,-] */
void object_caller(lua_State *L, struct caller *caller);

/* Pushes a new object without a node. [-0,+1,m] */
struct object *object_new(lua_State *L, enum node_kind kind);

/* Gives it the node that ledger_make_* has just returned. */
void object_own(lua_State *L, struct object *object, const struct caller *caller, uint64_t id);

/* The object at arg if it is of that kind and open for this state; raises
 * "closed http.group (closed at app.lua:12)" otherwise. [-0,+0,v] */
struct object *object_check(lua_State *L, int arg, enum node_kind kind);

/* The object at arg if it is of that kind, open or closed; else NULL. [-0,+0,-] */
struct object *object_test(lua_State *L, int arg, enum node_kind kind);

/* The open queue at arg: its node, and its handle (NULL before the commit). Raises as above.
 * [-0,+0,v] */
struct ledger_queue object_check_queue(lua_State *L, int arg);

/* Ends a creation call whose object is on top of the stack: a state that has loaded opens it.
 * Returns the count of results: the object, or nil and the error. [-0,+(0|2),m] */
int object_finish(lua_State *L, struct object *object, const struct caller *caller);

/* What a creation call does with a failure of the ledger: misuse, and everything while loading, is
 * raised, and so is `stopping`; else nil and the error are returned. [-0,+2,v] */
int object_fail(lua_State *L, const struct caller *caller, const struct ledger_error *error);

/* Opens the queue's way to this state's loop: the hook on_queue. [-0,+0,-] */
ULONG object_attach_queue(struct state *S, uint64_t queue);

/* Reads the options at index (nil or none: no options): `name`, properties of `on`; keys in
 * `others` (NULL-terminated, may be NULL) are left to the caller, any other key raises. The name is
 * valid while the table is. [-0,+0,v] */
void object_read_options(lua_State *L, int index, uint32_t on, const char *const *others,
                         struct slice *name, struct properties *set);

/* Closes the handle: what object:close() does. Silent when closed. [-0,+0,-] */
void object_end(lua_State *L, struct object *object, const struct caller *caller);

/* Methods and metamethods that the types share. */
int object_close(lua_State *L);    /* object:close() [-0,+0,-] */
int object_gc(lua_State *L);       /* __gc(object) [-0,+0,-] */
int object_tostring(lua_State *L); /* tostring(object) [-0,+1,m] */
int object_index(lua_State *L); /* object.key: methods (upvalue 1), fields, properties [-0,+1,e] */
int object_newindex(lua_State *L); /* object.key = value: a property [-0,+0,v] */
int object_set(lua_State *L); /* object:set{ key = value } -> object | nil, error [-0,+(1|2),v] */

/* { __gc, __close, __tostring, __newindex }, NULL-terminated: metamethods of the four types. */
extern const luaL_Reg object_metamethods[];
