/* Request methods: name -> number of HTTP_VERB in the contract, and back.
 * Case matters (RFC 9110 9.1); a known verb in another case is VERB_INVALID, which the contract
 * answers with 400, any other token is VERB_UNKNOWN and reaches the application by name. */
#pragma once

#include "base/slice.h"

enum verb {
    VERB_UNPARSED = 0,
    VERB_UNKNOWN = 1,
    VERB_INVALID = 2, /* a known verb, but not in capital letters */
    VERB_OPTIONS = 3,
    VERB_GET = 4,
    VERB_HEAD = 5,
    VERB_POST = 6,
    VERB_PUT = 7,
    VERB_DELETE = 8,
    VERB_TRACE = 9,
    VERB_CONNECT = 10,
    VERB_TRACK = 11,
    VERB_MOVE = 12,
    VERB_COPY = 13,
    VERB_PROPFIND = 14,
    VERB_PROPPATCH = 15,
    VERB_MKCOL = 16,
    VERB_LOCK = 17,
    VERB_UNLOCK = 18,
    VERB_SEARCH = 19,
    VERB_COUNT = 20
};

/* Never VERB_UNPARSED. `name` is taken to be a token; nothing else is checked here. */
int verb_id(struct slice name);

/* The spelling of VERB_OPTIONS..VERB_SEARCH, static storage, NUL-terminated;
 * an empty slice for the three numbers that have no name. */
struct slice verb_name(int verb);
