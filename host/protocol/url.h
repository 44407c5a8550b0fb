/* Request URLs: raw target + host -> the canonical form that routing and scripts act on
 * (HTTP_COOKED_URL of the contract). Normalises exactly once; the raw target stays untouched.
 *
 *   full  = scheme "://" host path ["?" query]      UTF-8, NUL-terminated, one string
 *   host  as sent, with port; path decoded and normalised; query from its `?`, undecoded
 *
 * Path, in this order: %XX and %uNNNN are decoded (once: %252e gives %2e); the result must be
 * strict UTF-8 without NUL and, unless allowed, without U+0001..1F and U+007F..9F; `\` counts as
 * `/` and so do decoded %2F and %5C; `//` collapses; `.` and `..` segments are removed; `..` above
 * the root is refused. The result never has a dot segment or an empty one.
 * No allocation, no state; any thread. A target that is canonical costs one scan and a copy. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define URL_SEGMENT_CHARS_MAX 260 /* UTF-16 units of one path segment, as the contract counts */
#define URL_SEGMENT_COUNT_MAX 255
#define URL_HOST_BYTES_MAX    255 /* of a host without port */

enum url_result {
    URL_OK,
    URL_BAD_TARGET,   /* no path, URL, host:port or * */
    URL_BAD_HOST,     /* malformed host in the target or empty host */
    URL_BAD_ESCAPE,   /* % without two hexadecimal digits (or u and four) */
    URL_BAD_UTF8,     /* overlong, cut, surrogate or beyond U+10FFFF */
    URL_NUL,          /* U+0000 */
    URL_RESTRICTED,   /* U+0001..1F, U+007F..9F */
    URL_ABOVE_ROOT,   /* `..` leaves the root */
    URL_SEGMENT_LONG, /* a path segment is longer than allowed */
    URL_SEGMENT_MANY, /* more path segments than allowed */
    URL_NO_SPACE,     /* `out` is smaller than url_cook_bound() */
    URL_RESULT_COUNT
};

/* Configuration; all zero is not the default, URL_RULES_DEFAULT is. */
struct url_rules {
    uint16_t segment_chars_max; /* 0 = no limit */
    uint16_t segment_count_max; /* 0 = no limit */
    bool percent_u;             /* %uNNNN is decoded, else refused */
    bool allow_restricted;      /* control characters by escape are accepted, never NUL */
};

#define URL_RULES_DEFAULT                                                                          \
    ((struct url_rules){URL_SEGMENT_CHARS_MAX, URL_SEGMENT_COUNT_MAX, true, false})

struct url_cook_in {
    struct slice target;           /* request target of any form */
    struct slice host;             /* Host field, known to be well formed (url_parse_host); ignored
                                      where the target names a host */
    const struct url_rules *rules; /* NULL = defaults */
    bool https;                    /* scheme where the target has none */
};

/* Offsets and byte counts in `out`; the parts are not terminated, the whole is. */
struct url_cooked {
    uint32_t full_bytes; /* without the NUL */
    uint32_t host_at, host_bytes;
    uint32_t path_at, path_bytes;   /* at least "/"; "/" for CONNECT; a slash and the asterisk for
                                       OPTIONS *, which so reaches who registered the root */
    uint32_t query_at, query_bytes; /* with the `?`; 0 bytes when there is none */
};

/* Bytes of `out` that are enough for any result, the NUL included. */
size_t url_cook_bound(const struct url_cook_in *in);

/* Makes the canonical URL of `in` in out[0..out_cap). `*result` is written on URL_OK only; `out`
 * may be overwritten in any case. Every other result is answered with 400 but URL_NO_SPACE. */
enum url_result url_cook(const struct url_cook_in *in, char *out, size_t out_cap,
                         struct url_cooked *result);

/* What is wrong, for people ("`..` above the root"); static. */
const char *url_result_text(enum url_result result);

/* Cooks a path alone: `in` starts with `/`, has no query; `out` needs in.len bytes, gets the
 * canonical path, `*out_bytes` its length. Errors as url_cook. */
enum url_result url_cook_path(struct slice in, const struct url_rules *rules, char *out,
                              size_t *out_bytes);

enum url_host_kind { URL_HOST_NAME, URL_HOST_IPV4, URL_HOST_IPV6 };

struct url_host {
    struct slice host;   /* without port and without the brackets of IPv6; points into the input */
    uint8_t address[16]; /* network order; 4 bytes for IPv4, 16 for IPv6 */
    uint16_t port;       /* 0 unless has_port */
    uint8_t kind;        /* enum url_host_kind */
    bool has_port;
};

/* Splits and checks `host[:port]` (RFC 3986 3.2.2, narrowed): a name of letters, digits, `-._~`,
 * dotted quad or [IPv6] without zone; port 0..65535. An empty host, user info, escapes and anything
 * else are refused. An empty port (`host:`) counts as none, as the RFC has it.
 * Returns whether it is well formed; `*out` is written then only. */
bool url_parse_host(struct slice text, struct url_host *out);

/* Whether url_parse_host would succeed, for less: each request asks. */
bool url_is_host(struct slice text);

#define URL_IP_TEXT_MAX 46 /* longest text of an address and a NUL */

/* Writes the usual text of an address (IPv6: RFC 5952, no brackets), NUL-terminated, into
 * out[URL_IP_TEXT_MAX]. kind: URL_HOST_IPV4 or URL_HOST_IPV6. Returns its length. */
size_t url_format_ip(int kind, const uint8_t address[16], char *out);
