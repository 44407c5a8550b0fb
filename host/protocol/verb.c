#include "protocol/verb.h"

#include <stdbool.h>

#define VERB_BYTES_MAX 9 /* PROPPATCH */

static const struct slice names[VERB_COUNT] = {
    [VERB_OPTIONS] = SLICE_INIT("OPTIONS"),
    [VERB_GET] = SLICE_INIT("GET"),
    [VERB_HEAD] = SLICE_INIT("HEAD"),
    [VERB_POST] = SLICE_INIT("POST"),
    [VERB_PUT] = SLICE_INIT("PUT"),
    [VERB_DELETE] = SLICE_INIT("DELETE"),
    [VERB_TRACE] = SLICE_INIT("TRACE"),
    [VERB_CONNECT] = SLICE_INIT("CONNECT"),
    [VERB_TRACK] = SLICE_INIT("TRACK"),
    [VERB_MOVE] = SLICE_INIT("MOVE"),
    [VERB_COPY] = SLICE_INIT("COPY"),
    [VERB_PROPFIND] = SLICE_INIT("PROPFIND"),
    [VERB_PROPPATCH] = SLICE_INIT("PROPPATCH"),
    [VERB_MKCOL] = SLICE_INIT("MKCOL"),
    [VERB_LOCK] = SLICE_INIT("LOCK"),
    [VERB_UNLOCK] = SLICE_INIT("UNLOCK"),
    [VERB_SEARCH] = SLICE_INIT("SEARCH"),
};

/* The only known verb that `name` can be: length and one letter decide. VERB_UNPARSED: none. */
static int candidate(struct slice name)
{
    switch (name.len) {
    case 3: return (name.p[0] | 0x20) == 'p' ? VERB_PUT : VERB_GET;
    case 4:
        switch (name.p[0] | 0x20) {
        case 'p': return VERB_POST;
        case 'h': return VERB_HEAD;
        case 'm': return VERB_MOVE;
        case 'c': return VERB_COPY;
        default: return VERB_LOCK;
        }
    case 5:
        if ((name.p[0] | 0x20) == 'm') {
            return VERB_MKCOL;
        }
        return (name.p[4] | 0x20) == 'k' ? VERB_TRACK : VERB_TRACE;
    case 6:
        switch (name.p[0] | 0x20) {
        case 'd': return VERB_DELETE;
        case 'u': return VERB_UNLOCK;
        default: return VERB_SEARCH;
        }
    case 7: return (name.p[0] | 0x20) == 'c' ? VERB_CONNECT : VERB_OPTIONS;
    case 8: return VERB_PROPFIND;
    case VERB_BYTES_MAX: return VERB_PROPPATCH;
    default: return VERB_UNPARSED;
    }
}

int verb_id(struct slice name)
{
    int verb = candidate(name);
    if (verb == VERB_UNPARSED) {
        return VERB_UNKNOWN;
    }
    if (slice_equal(name, names[verb])) {
        return verb;
    }
    return slice_equal_nocase(name, names[verb]) ? VERB_INVALID : VERB_UNKNOWN;
}

struct slice verb_name(int verb)
{
    if (verb < 0 || verb >= VERB_COUNT || names[verb].p == NULL) {
        return SLICE_LIT("");
    }
    return names[verb];
}
