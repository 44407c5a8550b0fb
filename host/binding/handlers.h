/* Which Lua value answers a URL, found from the UrlContext of a request in O(1).
 *
 * A URL's id is its UrlContext; its low 32 bits are a small index (base/slots.h) into an array with
 * what dispatch needs before it touches Lua: the whole id, so that a stale one finds nothing, and
 * where in the registry the value stands. A URL without a handler is pulled: its requests wait for
 * queue:receive.
 *
 * Owner: struct handlers is a member of struct state; all memory is Lua's, so nothing can leak.
 * Thread: the state's. Cost: two array reads and one raw table read a request. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lua_State;
struct state;

enum handler_kind {
    HANDLER_NONE,     /* a free entry */
    HANDLER_FUNCTION, /* a function or a callable: handler(request) */
    HANDLER_ROUTER    /* http.router userdata: router_match, see router.h */
};

struct handler_entry {
    uint64_t id;       /* UrlContext; 0: free */
    uint32_t segments; /* of the URL's path: what a router strips */
    uint8_t kind;      /* enum handler_kind */
    bool bare;         /* see handlers_is_bare */
    int ref;           /* registry reference of the value */
};

struct handlers {
    struct handler_entry *entries; /* by index; a userdata */
    uint32_t cap;                  /* entries allocated */
    uint32_t count;                /* entries in use */
    int ref;                       /* registry reference of the userdata */
};

/* Whether the value at index is a Lua function without parameters: nothing that it is called with
 * can reach it, so no request object is made for it. [-0,+0,-] */
bool handlers_is_bare(struct lua_State *L, int index);

/* In the state's L, before any script runs. Raises on lack of memory. [-0,+0,m] */
void handlers_init(struct handlers *h, struct lua_State *L);
/* Before lua_close. Harmless on a zeroed struct. */
void handlers_deinit(struct handlers *h, struct lua_State *L);

/* Keeps the value at index of L as the handler of the URL, in place of an earlier one. Raises on
 * lack of memory, with nothing changed. index: a function, a callable, or a router. segments: see
 * struct handler_entry. [-0,+0,m] */
void state_set_handler(struct state *S, uint64_t url, struct lua_State *L, int index,
                       uint32_t segments);

/* Drops the handler of the URL, if there is one. Never raises. [-0,+0,-] */
void state_forget_handler(struct state *S, uint64_t url);

/* Drops the handlers of URLs that this state no longer has: after a group or session was closed.
 * Cost: asks the ledger for each handler. [-0,+0,-] */
void state_sweep_handlers(struct state *S);

/* Whether this state has a handler for the URL. [-0,+0,-] */
bool state_has_handler(const struct state *S, uint64_t url);

/* Pushes the handler on co and returns its entry, which stays until the next state_set_handler;
 * NULL: there is none, and nothing is pushed. [-0,+(0|1),-] */
const struct handler_entry *state_push_handler(struct state *S, struct lua_State *co,
                                               uint64_t url_context);
