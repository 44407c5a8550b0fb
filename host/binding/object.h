/* The userdata of http.session, http.group, http.queue and http.url: a node id and nothing else of
 * value.
 *
 * Order of construction: arguments are checked, the userdata is made closed, with its metatable,
 * and its owner goes into user value 1; only then the ledger is asked and the userdata marked open.
 * So a Lua error at any point leaks nothing. `close`, `__close` and `__gc` end in object_close and
 * ledger_release.
 *
 * Thread: the state's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include "binding/ledger.h"

struct state;

enum {
    OBJECT_USER_VALUES =
        2, /* 1: the owner (group of a url, session of a group); 2: the queue of a group */
    OBJECT_SITE_BYTES_MAX = LEDGER_SITE_BYTES_MAX
};

/* The userdata. */
struct object {
    uint64_t id;   /* node; 0: nothing was made yet */
    uint8_t kind;  /* enum node_kind */
    bool closed;   /* this handle was closed by the script */
    bool unopened; /* declared by a state that has loaded, contract calls not made yet */
    struct ledger_site closed_at; /* when closed */
};

#define SESSION_TYPE "http.session"
#define GROUP_TYPE   "http.group"
#define QUEUE_TYPE   "http.queue"
#define URL_TYPE     "http.url"

/* The type name of a kind. */
const char *object_type(enum node_kind kind);

/* Who asks: generation and worker of the state, file and line of the innermost Lua function. The
 * file is valid until the function that called returns to Lua. [-0,+0,m] */
struct ledger_origin object_origin(lua_State *L, struct lua_Debug *where);

/* A new closed object. [-0,+1,m] */
struct object *object_new(lua_State *L, enum node_kind kind);

/* The object at arg if it is of that kind and open for this state; raises "closed http.group
 * (closed at app.lua:12)" otherwise. [-0,+0,v] */
struct object *object_check(lua_State *L, int arg, enum node_kind kind);

/* The object at arg if it is of that kind, open or closed; NULL otherwise. [-0,+0,-] */
struct object *object_test(lua_State *L, int arg, enum node_kind kind);

/* Ends a creation call with the object on top of the stack: in a state that has loaded, opens it;
 * nil and the error when that fails. Returns the count of results. [-0,+(0|2),m] */
int object_finish(lua_State *L, struct object *object, const struct ledger_origin *origin);
/* What a creation call does with a failure of ledger_make_*: raises what the call can judge, else
 * returns nil, error. */
int object_fail(lua_State *L, const struct ledger_origin *origin, const struct ledger_error *error);

/* Metamethods and methods that all four types share. */
int object_close(lua_State *L); /* object:close() [-0,+0,m]; silent when closed */
int object_gc(
    lua_State *L); /* __gc: closes what is not anchored and logs where it was made [-0,+0,-] */
int object_tostring(lua_State *L); /* http.group (app.lua:3) | http.group (closed) [-0,+1,m] */
int object_index(lua_State *L);    /* methods (upvalue 1), then fields and properties [-0,+1,e] */
int object_newindex(lua_State *L); /* properties; raises when it fails [-0,+0,e] */
int object_set(lua_State *L); /* object:set{ name = value ... } -> object | nil, error [-0,+1,e] */

/* Reads option `name` of the table at index: all options must be taken, so that misspelt ones
 * raise. */
void object_read_options(lua_State *L, int index, uint32_t on, const char *const *others,
                         struct properties *set);
