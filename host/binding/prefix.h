/* URL prefixes as scripts write them: judged at the call, compared by a canonical form.
 *
 *   full   http://localhost:8080/api/    as the contract wants it (scheme, host, port, path)
 *   bare   /api/                         means the addresses of the command line
 *
 * Only what can be judged without the provider is judged here; the provider has the last word. The
 * canonical form is lower case (ASCII) with a final slash: two prefixes with the same one conflict.
 * Source: HTTP Server API, "UrlPrefix Strings".
 *
 * Owner: slices point into the text given. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/httpapi.h"
#include "base/slice.h"

struct prefix {
    bool bare;         /* no scheme, host and port */
    uint16_t port;     /* 0 when bare */
    struct slice base; /* "http://localhost:8080", empty when bare */
    struct slice path; /* from the first slash on */
    uint32_t segments; /* of the path: "/a/b/" and "/a/b" have 2, "/" has 0 */
};

/* Errors: ERROR_INVALID_PARAMETER, *why says what is wrong in a few words. */
ULONG prefix_parse(struct slice text, struct prefix *out, const char **why);

/* Writes base + path in canonical form with a NUL; base and path as above. Returns its length, or 0
 * when cap is too small. */
size_t prefix_write_key(struct slice base, struct slice path, char *out, size_t cap);
