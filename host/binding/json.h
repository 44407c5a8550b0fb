/* Lua values to JSON (RFC 8259), for tables that handlers return.
 *
 *   Lua                                  JSON
 *   nil, light userdata NULL             null (in a table a nil is simply absent; cjson.null is
 *                                        such a light userdata)
 *   boolean, string                      true/false, string; the string must be UTF-8
 *   integer                              all 64 bits
 *   float                                shortest text that reads back the same; 3.0 is 3; NaN and
 *                                        infinities are refused
 *   table whose keys are exactly 1..n    array
 *   empty table                          {} ; [] when its metatable has __jsontype = "array"
 *   table with string keys only          object, in the order of `next`
 *   any other table                      refused: mixed keys, holes, keys that are not strings
 *   function, thread, userdata           refused
 *
 * Cycles, nesting deeper than JSON_DEPTH_MAX and texts above the limit are refused. A refusal says
 * where: "users[3].name: not UTF-8". Metamethods are not called.
 *
 * Thread: the state's. Memory: Lua's; a raised memory error leaks nothing. Cost: one pass, tables
 * with a sequence part two. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct lua_State;

enum {
    JSON_DEPTH_MAX = 100,
    JSON_PATH_BYTES_MAX = 200 /* of the place in a refusal; the rest is cut */
};

/* Most handlers answer with little; nobody should answer with more by accident. */
#define JSON_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* Where the text goes: the bytes are in `p` and live as long as the slot of the Lua stack that
 * holds them (`box`). */
struct json_text {
    char *p;
    size_t len;
    size_t cap;
    size_t max; /* bytes; JSON_BYTES_MAX is usual */
    int box;    /* stack index of the userdata that holds the bytes, 0 while they are in `first` */
    char first[1024]; /* small texts need no memory */
};

/* Encodes the value at index. true: the text is in out->p, out->len; one value was pushed, which
 * must stay on the stack while the bytes are used. false: a message string was pushed. Raises only
 * on lack of memory. [-0,+1,m] out: not initialised by the caller, except by max being given here.
 */
bool json_encode(struct lua_State *L, int index, struct json_text *out, size_t max);

/* The same as a Lua string. true: the string was pushed; false: the message was. [-0,+1,m] */
bool json_push(struct lua_State *L, int index, size_t max);
