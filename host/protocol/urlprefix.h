/* URL prefixes as applications register them: scheme "://" host ":" port "/" [path "/"].
 * Checks, sorts into one of the four categories and makes the canonical spelling, so that two
 * spellings of one prefix are equal bytes: host and path in lower case (ASCII), IP addresses in
 * their usual text, path decoded and with a slash at its end. No state; any thread.
 * Source: HTTP Server API, UrlPrefix Strings. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define URLPREFIX_BYTES_MAX    2048 /* of a prefix as given */
/* Room for every canonical prefix: an address may grow, a slash and the NUL are added. */
#define URLPREFIX_BUFFER_BYTES (URLPREFIX_BYTES_MAX + 64)

/* In the order in which routing tries them. */
enum urlprefix_category {
    URLPREFIX_STRONG,   /* `+`: every host */
    URLPREFIX_EXPLICIT, /* a name */
    URLPREFIX_ADDRESS,  /* an IP literal: any host that arrived on this local address */
    URLPREFIX_WEAK,     /* `*`: what is left */
    URLPREFIX_CATEGORY_COUNT
};

enum urlprefix_error {
    URLPREFIX_OK,
    URLPREFIX_TOO_LONG,
    URLPREFIX_NO_SCHEME,
    URLPREFIX_SCHEME_CASE,
    URLPREFIX_BAD_SCHEME,
    URLPREFIX_NO_HOST,
    URLPREFIX_BAD_HOST,
    URLPREFIX_BAD_ADDRESS,
    URLPREFIX_SUBDOMAIN_WILDCARD,
    URLPREFIX_NO_PORT,
    URLPREFIX_BAD_PORT,
    URLPREFIX_NO_SLASH,
    URLPREFIX_QUERY,
    URLPREFIX_BAD_PATH,
    URLPREFIX_ERROR_COUNT
};

struct urlprefix {
    struct slice full;   /* the canonical prefix, NUL-terminated, in the caller's buffer */
    struct slice host;   /* inside full: "+", "*", a name, "127.0.0.1" or "[::1]" */
    struct slice path;   /* inside full: starts and ends with `/` */
    uint8_t address[16]; /* category URLPREFIX_ADDRESS: network order */
    uint16_t port;       /* 1..65535 */
    uint8_t category;    /* enum urlprefix_category */
    bool https;
    bool ipv6; /* address has 16 bytes, else 4 */
};

/* Parses `text`. buf: caller's, URLPREFIX_BUFFER_BYTES; the slices of `*out` point into it.
 * Accepts a missing final slash after a path, never after the port. `*out` is written on
 * URLPREFIX_OK only; every other value is ERROR_INVALID_PARAMETER in the contract. */
enum urlprefix_error urlprefix_parse(struct slice text, char *buf, struct urlprefix *out);

/* What is wrong and how to cure it, for people; static. */
const char *urlprefix_error_text(enum urlprefix_error error);
