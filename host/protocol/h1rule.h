/* Every reason for which HTTP/1.x bytes are refused: one rule, one status, one word for the log.
 *
 * The parsers (h1parse.c, chunked.c) ask H1_BREAKS(rule, condition) at the one place where a rule
 * is enforced. A build with H1_RULE_SWITCH defined can turn single rules off, which is how the
 * tests show that each rule has a case that depends on it; other builds compile the switch away.
 * The log words are those of the contract's error log. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* X(name, status, log word, what is wrong, source) */
#define H1_RULES(X)                                                                                \
    /* line structure */                                                                           \
    X(BARE_LF, 400, "Invalid_CR/LF", "LF without CR", "RFC 9112 2.2")                              \
    X(BARE_CR, 400, "Invalid_CR/LF", "CR without LF", "RFC 9112 2.2")                              \
    X(LEADING_LINES, 400, "BadRequest", "more than one empty line first", "RFC 9112 2.2")          \
    X(OBS_FOLD, 400, "Header", "folded header line", "RFC 9112 5.2")                               \
    X(SPACE_BEFORE_HEADERS, 400, "Header", "white space before the first header", "RFC 9112 2.2")  \
    /* request line */                                                                             \
    X(METHOD_BYTES, 400, "Verb", "method is not a token", "RFC 9112 3.1")                          \
    X(METHOD_EMPTY, 400, "Verb", "no method", "RFC 9112 3")                                        \
    X(METHOD_LENGTH, 501, "Verb", "method too long", "RFC 9112 3")                                 \
    X(METHOD_CASE, 400, "Verb", "known method not in capitals", "RFC 9110 9.1")                    \
    X(REQUEST_LINE_SPACES, 400, "BadRequest", "not exactly one space between parts", "RFC 9112 3") \
    X(REQUEST_LINE_PARTS, 400, "BadRequest", "request line without version", "RFC 9112 3")         \
    X(TARGET_BYTES, 400, "URL", "byte not allowed in a target", "RFC 9112 3.2")                    \
    X(TARGET_FRAGMENT, 400, "URL", "fragment in a target", "RFC 9112 3.2.1")                       \
    X(TARGET_LENGTH, 414, "URL_Length", "target too long", "RFC 9110 15.5.15")                     \
    X(TARGET_FORM, 400, "URL", "target is neither a path nor a URL", "RFC 9112 3.2")               \
    X(TARGET_SCHEME, 400, "URL", "target is not an http or https URL", "RFC 9112 3.2.2")           \
    X(TARGET_AUTHORITY, 400, "Hostname", "malformed host in the target", "RFC 9112 3.2.2")         \
    X(TARGET_ASTERISK, 400, "URL", "* is for OPTIONS only", "RFC 9112 3.2.4")                      \
    X(TARGET_CONNECT, 400, "URL", "CONNECT wants host:port", "RFC 9112 3.2.3")                     \
    X(VERSION_FORM, 400, "BadRequest", "malformed version", "RFC 9112 2.3")                        \
    X(VERSION_UNKNOWN, 505, "Version_N/S", "version is not 1.0 or 1.1", "RFC 9110 15.6.6")         \
    /* fields */                                                                                   \
    X(FIELD_NAME_EMPTY, 400, "Header", "empty field name", "RFC 9112 5")                           \
    X(FIELD_NAME_BYTES, 400, "Header", "field name is not a token", "RFC 9110 5.1")                \
    X(FIELD_NAME_SPACE, 400, "Header", "white space before the colon", "RFC 9112 5.1")             \
    X(FIELD_NO_COLON, 400, "Header", "header line without colon", "RFC 9112 5")                    \
    X(FIELD_VALUE_BYTES, 400, "Header", "control byte in a field value", "RFC 9110 5.5")           \
    X(FIELD_LENGTH, 431, "FieldLength", "one header too long", "RFC 6585 5")                       \
    X(HEADER_COUNT, 431, "RequestLength", "too many headers", "RFC 6585 5")                        \
    X(HEAD_LENGTH, 431, "RequestLength", "request line and headers too long", "RFC 6585 5")        \
    /* host */                                                                                     \
    X(HOST_MISSING, 400, "Hostname", "no Host in HTTP/1.1", "RFC 9112 3.2")                        \
    X(HOST_REPEATED, 400, "Hostname", "more than one Host", "RFC 9112 3.2")                        \
    X(HOST_MALFORMED, 400, "Hostname", "malformed Host", "RFC 9112 3.2")                           \
    /* framing */                                                                                  \
    X(LENGTH_REPEATED, 400, "Number", "more than one Content-Length", "RFC 9112 6.3")              \
    X(LENGTH_EMPTY, 400, "Number", "empty Content-Length", "RFC 9110 8.6")                         \
    X(LENGTH_DIGITS, 400, "Number", "Content-Length is not a number", "RFC 9110 8.6")              \
    X(LENGTH_OVERFLOW, 400, "Number", "Content-Length out of range", "RFC 9110 8.6")               \
    X(LENGTH_AND_CODING, 400, "BadRequest", "Content-Length and Transfer-Encoding",                \
      "RFC 9112 6.1")                                                                              \
    X(LENGTH_REQUIRED, 411, "LengthRequired", "POST or PUT without length", "RFC 9110 15.5.12")    \
    X(CODING_EMPTY, 400, "Header", "empty Transfer-Encoding", "RFC 9112 6.1")                      \
    X(CODING_UNKNOWN, 501, "N/I", "transfer coding other than chunked", "RFC 9112 6.1")            \
    X(CODING_REPEATED, 400, "Header", "chunked twice", "RFC 9112 6.1")                             \
    X(CODING_NOT_LAST, 400, "Header", "chunked is not the last coding", "RFC 9112 6.3")            \
    X(CODING_IN_10, 400, "Header", "Transfer-Encoding in HTTP/1.0", "RFC 9112 6.1")                \
    /* chunked body */                                                                             \
    X(CHUNK_SIZE_MISSING, 400, "Number", "chunk size without digits", "RFC 9112 7.1")              \
    X(CHUNK_SIZE_BYTES, 400, "Number", "chunk size is not hexadecimal", "RFC 9112 7.1")            \
    X(CHUNK_SIZE_LENGTH, 400, "Number", "chunk size has too many digits", "RFC 9112 7.1")          \
    X(CHUNK_SIZE_CR, 400, "Invalid_CR/LF", "chunk size line ends in CR only", "RFC 9112 7.1")      \
    X(CHUNK_SIZE_LF, 400, "Invalid_CR/LF", "chunk size line ends in LF only", "RFC 9112 7.1")      \
    X(CHUNK_EXT_BYTES, 400, "BadRequest", "control byte in a chunk extension", "RFC 9112 7.1.1")   \
    X(CHUNK_EXT_LENGTH, 400, "RequestLength", "chunk extension too long", "RFC 9112 7.1.1")        \
    X(CHUNK_END, 400, "Invalid_CR/LF", "no CR LF after chunk data", "RFC 9112 7.1")                \
    X(TRAILER_LENGTH, 431, "RequestLength", "trailers too long", "RFC 9112 7.1.2")                 \
    X(TRAILER_COUNT, 431, "RequestLength", "too many trailers", "RFC 9112 7.1.2")                  \
    X(TRAILER_NAME, 400, "Header", "field not allowed as a trailer", "RFC 9110 6.5.1")

#define H1_RULE_ENUM_(name, status, word, text, source) H1_RULE_##name,
enum h1_rule { H1_RULE_NONE, H1_RULES(H1_RULE_ENUM_) H1_RULE_COUNT };
#undef H1_RULE_ENUM_

/* Filled when bytes are refused; the strings are static and NUL-terminated. */
struct h1_refusal {
    enum h1_rule rule;
    uint16_t status;    /* of the answer, after which the connection is closed */
    const char *phrase; /* word for the error log */
    const char *text;   /* what is wrong, for people */
};

/* What the rule says; for H1_RULE_NONE status 0 and empty strings. */
struct h1_refusal h1_rule_refusal(enum h1_rule rule);

/* "BARE_LF", for tests and documentation. */
const char *h1_rule_name(enum h1_rule rule);

/* "RFC 9112 2.2", likewise. */
const char *h1_rule_source(enum h1_rule rule);

/* Whether `condition` holds and breaks `rule`: the caller then refuses. */
#ifdef H1_RULE_SWITCH
/* Supplied by the test. */
bool h1_rule_is_on(enum h1_rule rule);
#define H1_BREAKS(rule, condition) ((condition) && h1_rule_is_on(rule))
#else
#define H1_BREAKS(rule, condition) __builtin_expect((condition), 0)
#endif
