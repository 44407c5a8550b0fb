/* HTTP/1.0 and 1.1 request heads: bytes -> struct h1_head. Strict (RFC 9112; every refusal is a
 * rule of h1rule.h), incremental, without copies: all slices point into the caller's input.
 *
 * How to use it: keep the bytes of a connection in one buffer and call h1_parse_head with all bytes
 * from the start of the request; after H1_NEED_MORE read more, call again with the same start and
 * `scanned_before` = the previous `len` (0 the first time). Repeated calls only look at the new
 * bytes until the empty line is there, then everything is parsed once. No byte outside [p, p+len)
 * is read. Thread: any; no state, no allocation.
 *
 * When a refusal comes: the request line is judged once it is complete, bare LF and the limits
 * at once, the headers at the latest when the empty line has arrived (earlier if many bytes come in
 * one piece). The verdict on a complete head does not depend on how it was cut.
 *
 * Behaviour that is a choice:
 *  - one empty line before the request line is tolerated (RFC 9112 2.2), a second is refused;
 *  - any token is a method; known verbs in another case are refused (VERB_INVALID);
 *  - POST and PUT without Content-Length and Transfer-Encoding are 411, as in the contract,
 *    although RFC 9112 6.3 would give them an empty body; other methods then have no body;
 *  - Content-Length may stand once only, even if repeats are equal;
 *  - Transfer-Encoding may only be `chunked` (any case); another coding is 501;
 *  - HTTP/1.2 and above are 505 like 2.0: we answer what we know;
 *  - Host must be well formed (url_parse_host) also where the target names another one;
 *  - Expect other than 100-continue is left to the application. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "protocol/h1rule.h"

/* A method longer than this is refused (the error log of the contract cuts verbs here, too). */
#define H1_METHOD_BYTES_MAX 255

/* Defaults of struct h1_limits. */
#define H1_HEAD_BYTES_MAX   16384
#define H1_FIELD_BYTES_MAX  16384
#define H1_TARGET_BYTES_MAX 16384
#define H1_HEADER_COUNT_MAX 200

/* What a peer may send. All inclusive. */
struct h1_limits {
    uint32_t head_bytes_max;   /* request line, all headers and the empty line; else 431 */
    uint32_t field_bytes_max;  /* one header from its name to the end of its value; else 431 */
    uint32_t target_bytes_max; /* request target; else 414 */
    uint16_t header_count_max; /* also the capacity of h1_head.headers; else 431 */
};

#define H1_LIMITS_DEFAULT                                                                          \
    ((struct h1_limits){H1_HEAD_BYTES_MAX, H1_FIELD_BYTES_MAX, H1_TARGET_BYTES_MAX,                \
                        H1_HEADER_COUNT_MAX})

struct h1_header {
    struct slice name;  /* as sent */
    struct slice value; /* without surrounding white space */
    int16_t id;         /* enum h_id of requests, H_UNKNOWN (-1) for others */
};

enum h1_target { H1_TARGET_ORIGIN, H1_TARGET_ABSOLUTE, H1_TARGET_AUTHORITY, H1_TARGET_ASTERISK };

/* A request head. The caller sets `headers` (room for limits->header_count_max entries) before the
 * call and keeps it, and `host_known`; everything else is written by h1_parse_head and valid after
 * H1_OK only. */
struct h1_head {
    struct h1_header *headers; /* caller's array, in order of arrival */
    struct slice host_known;   /* a Host that was accepted before: the same is not judged again.
                                  May be empty */
    struct slice method;
    struct slice target;     /* exactly as sent */
    struct slice host;       /* of the target in absolute and authority form, else the Host
                                   field; with port; empty when HTTP/1.0 sends none */
    struct slice host_field; /* the Host field; empty when there is none */
    uint64_t content_length; /* 0 unless has_length */
    uint64_t known;          /* bit i: a header with id i was sent */
    uint32_t head_bytes;     /* consumed: the body starts here */
    uint16_t header_count;
    uint8_t verb;         /* enum verb, VERB_UNKNOWN for names of others */
    uint8_t minor;        /* 0 or 1: HTTP/1.minor */
    uint8_t target_form;  /* enum h1_target */
    bool target_https;    /* absolute form with https: */
    bool has_length;      /* Content-Length was sent */
    bool chunked;         /* body is chunked */
    bool has_body;        /* chunked or content_length > 0 */
    bool keep_alive;      /* what version and Connection say (RFC 9112 9.3) */
    bool expect_continue; /* HTTP/1.1, a body, and Expect: 100-continue */
    bool upgrade;         /* HTTP/1.1, Connection: upgrade, and an Upgrade field */
    bool host_is_known;   /* the Host field is host_known */
};

enum h1_result { H1_OK, H1_NEED_MORE, H1_REFUSED };

/* Parses a request head at p[0..len).
 * scanned_before: the `len` of the previous call for this request that gave H1_NEED_MORE, else 0.
 * H1_OK: `head` is complete; head->head_bytes were consumed. H1_NEED_MORE: `head` is undefined.
 * H1_REFUSED: `*why` says which rule; answer why->status, close. `why` is untouched otherwise. */
enum h1_result h1_parse_head(const char *p, size_t len, size_t scanned_before,
                             const struct h1_limits *limits, struct h1_head *head,
                             struct h1_refusal *why);

/* Parses a complete block of header lines without the empty line (trailers, header blocks of
 * others): each line `name: value CR LF`. Up to `max` entries are written to `out`.
 * Returns the number of lines, which may be 0, or -1 with `*rule` set when one is malformed or
 * there are more than `max` (H1_RULE_HEADER_COUNT). */
int h1_parse_fields(struct slice block, struct h1_header *out, uint16_t max, enum h1_rule *rule);

/* Whether the comma separated list `value` has the element `token` (case does not matter), as in
 * `Connection: keep-alive, Upgrade` (RFC 9110 5.6.1). */
bool h1_list_has(struct slice value, struct slice token);
