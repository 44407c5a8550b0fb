/* http.router(): verbs and paths to handlers, matched in C.
 *
 *   local app = http.router()
 *   app:get("/users/:id", f)   app:post(...) :put :patch :delete :head :options :any(path, f)
 *                              :route(method, path, f)
 *
 * Routes stand in a tree of path segments: at each level the literal children and at most one
 * `:name` child. A literal segment beats a named one; when the way behind it ends, the named
 * one is tried. Paths are compared byte by byte; a final slash counts. Paths are relative to the
 * URL the router is mounted on. A named segment is never empty.
 *
 * GET also answers HEAD unless there is a HEAD route. Where a path is known but not for this
 * method: 405 with Allow, and OPTIONS is answered with 204 and Allow. `any` takes methods that have
 * no route of their own.
 *
 * A router is called by dispatch without a Lua frame (router_match), and is callable from Lua:
 * app(request).
 *
 * Owner: the C tree is counted: the userdata holds it, and each struct router_match until it is
 * released, so parameter names stay valid when the script drops the router. Thread: the state's.
 * Memory: lua_Alloc's. Cost: each segment is compared or hashed once, however many routes there
 * are. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct lua_State;
struct router;

#define ROUTER_TYPE "http.router"

enum {
    ROUTER_ROUTES_MAX = 100000,
    ROUTER_SEGMENTS_MAX = 64,     /* of one route; a longer path of a peer is not found */
    ROUTER_PARAMS_MAX = 16,       /* of one route */
    ROUTER_PATH_BYTES_MAX = 4096, /* of one route */
    ROUTER_METHOD_BYTES_MAX = 32,
    ROUTER_ALLOW_BYTES_MAX = 256
};

enum router_result {
    ROUTER_FOUND,              /* the handler was pushed */
    ROUTER_NOT_FOUND,          /* 404 */
    ROUTER_METHOD_NOT_ALLOWED, /* 405, allow is filled in */
    ROUTER_OPTIONS             /* 204, allow is filled in */
};

struct router_param {
    struct slice name;  /* lives as long as the match */
    struct slice value; /* part of the path that was given */
};

struct router_match {
    struct router *router; /* counted; NULL: nothing to release */
    uint32_t param_count;
    bool bare; /* the handler takes no request (handlers.h) */
    struct router_param params[ROUTER_PARAMS_MAX];
    char allow[ROUTER_ALLOW_BYTES_MAX]; /* "GET, HEAD, OPTIONS", NUL-terminated; set for 405 and
                                           OPTIONS only */
};

/* Finds the handler for the path after `segments` leading segments are stripped, and pushes it on
 * L. method and path are the request's, the path decoded and without query. The router is the
 * userdata at index of L (the same state, any coroutine). match need not be initialised; call
 * router_match_release in the end when the result is ROUTER_FOUND. [-0,+(0|1),-] */
enum router_result router_match(struct lua_State *L, int index, struct slice method,
                                struct slice path, uint32_t segments, struct router_match *match);

/* Lets go of the router; harmless twice and on a zeroed match. */
void router_match_release(struct router_match *match);

/* Pushes a table { name = value } of the parameters. [-0,+1,m] */
void router_push_params(struct lua_State *L, const struct router_match *match);

/* Whether the value at index is a router. [-0,+0,-] */
bool router_is(struct lua_State *L, int index);
