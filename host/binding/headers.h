/* Header fields between Lua and the contract.
 *
 * Request side: request.headers is an object that looks fields up in the received request when
 * asked; names are compared without case, repeated fields are joined with ", " (Cookie: "; ").
 * Nothing is copied or built before that.
 *
 * Response side: a Lua table { ["content-type"] = "text/html", ["set-cookie"] = { "a=1", "b=2" } }
 * becomes HTTP_RESPONSE_HEADERS. Values are strings, numbers, or arrays of them. CR, LF and NUL in
 * names or values, and names that are no token (RFC 9110 section 5.6.2) raise. So does
 * Transfer-Encoding, which belongs to the host (RFC 9112 section 6.1).
 *
 * Thread: the state's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include "api/httpapi.h"
#include "base/slice.h"
#include "binding/module.h"

struct request;

enum {
    HEADERS_RESPONSE_MAX = 128,      /* header lines a script may set on one answer */
    HEADERS_UNKNOWN_INLINE = 8,      /* unknown ones that need no memory */
    HEADERS_UNKNOWN_OWN = 1,         /* behind them, for headers_add */
    HEADERS_VALUE_BYTES_MAX = 65535, /* the contract counts in a USHORT */
    HEADERS_NAME_MAX = 19            /* longest name that has an id */
};

extern const struct binding_type headers_type; /* "http.headers" */

/* Id of a response (request) header name, -1 when it is not a known one. */
int headers_response_id(struct slice name);
int headers_request_id(struct slice name);
/* The canonical spelling of a known id; empty when out of range. */
struct slice headers_response_name(unsigned id);
struct slice headers_request_name(unsigned id);

/* Looks up one field of the request: pushes a string (joined when repeated) or nil. Needs four free
 * places of the stack. [-0, +1, m] */
void headers_push_field(lua_State *L, const HTTP_REQUEST *http, struct slice name);

/* Pushes the http.headers object of a request handle. [-0, +1, m] */
void headers_push(lua_State *L, uint64_t request_id);

/* What the table at index said about things that the answer must know. */
struct headers_seen {
    bool content_type;
    bool content_length;
    uint64_t length; /* value of Content-Length */
};

/* Fills in r's response headers from the table at index (nil: nothing). Values made here and memory
 * for many fields are left on the stack: they must stay there until the answer has been sent.
 * Raises with a message that names the field. [-0, +n, v] */
void headers_fill(lua_State *L, int index, struct request *r, struct headers_seen *seen);

/* Takes back what headers_fill and the answer set. */
void headers_reset(struct request *r);

/* Adds a field that the contract does not know, of the host's own: one after headers_fill, some
 * after headers_reset. The bytes must stay valid until the answer has been sent. */
void headers_add(struct request *r, struct slice name, struct slice value);

/* Sets one known header; the bytes must stay valid until the answer has been sent. */
void headers_set(struct request *r, unsigned id, struct slice value);
