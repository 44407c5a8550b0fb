/* The tree of routes behind http.router: no Lua but its allocator.
 *
 * Each branch is one segment. Few literal children are looked at one by one, many are found by
 * hash; at most one child is named. A route hangs at the branch where its path ends and remembers
 * the number of its handler. Branches that are reached without a named segment are also found by
 * the whole path, in one look.
 *
 * Owner: counted; the userdata has one count, each struct router_match another. Thread: the
 * state's. Cost: a segment is found in the same time among ten children and among 100,000. */
#pragma once

#include <stdint.h>

#include <lua.h>

#include "api/httpapi.h"
#include "base/slice.h"
#include "binding/router.h"

/* An empty tree with one count. NULL: no memory. */
struct router *router_tree_create(lua_Alloc allocate, void *ud);

/* Drops a count; the last one frees. */
void router_tree_unref(struct router *r);

uint32_t router_tree_count(const struct router *r);

/* What is wrong with the path of a route, or NULL. */
const char *router_tree_judge(struct slice path, uint32_t *param_count);

/* A route to be added; everything is copied. */
struct router_route {
    struct slice method; /* "" for any */
    struct slice path;
    const char *site; /* where; cut to fit */
    bool bare;        /* its handler takes no request (handlers.h) */
};

/* Adds a route, whose handler is number router_tree_count() then.
 * Errors: ERROR_INVALID_PARAMETER the path; ERROR_NOT_ENOUGH_MEMORY; ERROR_ALREADY_EXISTS, *other
 * says where it was added before. On failure nothing that can be found has changed. */
ULONG router_tree_add(struct router *r, const struct router_route *added, const char **other);

/* Finds the route; see router_match. *handler: its number. */
enum router_result router_tree_find(struct router *r, struct slice method, struct slice path,
                                    uint32_t segments, struct router_match *match,
                                    uint32_t *handler);
