/* HTTP/1.1 byte streams and what a strict server makes of them: one row, one rule, one section.
 *
 * A row is what a client sends on a fresh connection. `requests` are accepted and answered; then
 * either the stream ends, or `rule` or `url` refuses what follows and the connection is closed. The
 * same rows are run against the parser alone (h1cases_test.c), whole and cut at every byte, and
 * against the engine over a socket (e2e/http1). Limits are the defaults of h1parse.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/h1rule.h"
#include "protocol/url.h"

struct h1_case {
    const char *name;
    const char *section; /* of RFC 9112 unless it says otherwise */
    const char *bytes;   /* a byte 0xFF stands for `fill` repeats of `fill_text` */
    size_t len;
    int requests;        /* accepted before the end or the refusal */
    enum h1_rule rule;   /* why the next one is refused */
    enum url_result url; /* or its URL */
    bool pending;        /* the bytes end inside a request */
    bool close;       /* the last accepted request ends the connection; what follows is not read */
    bool parser_only; /* not for the socket: depends on a limit or on routing */
    uint32_t fill;
    const char *fill_text;
    uint32_t field_max; /* another field_bytes_max */
};

#define BYTES(literal) literal, sizeof(literal) - 1
/* n requests are accepted; _WITH: and more members */
#define OK(name, section, n, literal)                                                              \
    {                                                                                              \
        name, section, BYTES(literal), .requests = n                                               \
    }
#define OK_WITH(name, section, n, literal, ...)                                                    \
    {                                                                                              \
        name, section, BYTES(literal), .requests = n, __VA_ARGS__                                  \
    }
/* the first request is refused */
#define NO(name, section, rule_name, literal)                                                      \
    {                                                                                              \
        name, section, BYTES(literal), .rule = H1_RULE_##rule_name                                 \
    }
#define NO_WITH(name, section, rule_name, literal, ...)                                            \
    {                                                                                              \
        name, section, BYTES(literal), .rule = H1_RULE_##rule_name, __VA_ARGS__                    \
    }
/* n are accepted, the next is refused */
#define OK_NO(name, section, n, rule_name, literal)                                                \
    {                                                                                              \
        name, section, BYTES(literal), .requests = n, .rule = H1_RULE_##rule_name                  \
    }
/* the parser accepts the head, the canonicaliser refuses the URL */
#define BAD_URL(name, section, result, literal)                                                    \
    {                                                                                              \
        name, section, BYTES(literal), .url = URL_##result                                         \
    }
#define FILL(count, text) .fill = count, .fill_text = text

#define E       "\r\n"
#define G       "GET / HTTP/1.1\r\n"
#define P       "POST / HTTP/1.1\r\n"
#define HOST    "Host: a.example\r\n"
#define GH      G HOST
#define PH      P HOST
#define CHUNKED PH "Transfer-Encoding: chunked\r\n\r\n"
#define NEXT    GH E

static const struct h1_case h1_cases[] = {
    /* --- request line --------------------------------------------------------------- */
    OK("plain-get", "3", 1, GH E),
    OK("two-pipelined", "9.3.2", 2, GH E GH E),
    OK("five-pipelined", "9.3.2", 5, GH E GH E GH E GH E GH E),
    OK("one-leading-empty-line", "2.2", 1, E GH E),
    OK("leading-empty-line-after-body", "2.2", 2, PH "Content-Length: 2\r\n\r\nab\r\n" NEXT),
    NO("two-leading-empty-lines", "2.2", LEADING_LINES, E E GH E),
    NO("leading-bare-lf", "2.2", BARE_LF, "\n" GH E),
    NO("leading-bare-cr", "2.2", BARE_CR, "\r" GH E),
    NO("leading-space", "3", METHOD_EMPTY, " GET / HTTP/1.1\r\n" HOST E),
    NO("method-missing", "3", METHOD_EMPTY, " / HTTP/1.1\r\n" HOST E),
    NO("leading-tab", "3.1", METHOD_BYTES, "\tGET / HTTP/1.1\r\n" HOST E),
    NO("leading-nul", "3.1", METHOD_BYTES, "\0GET / HTTP/1.1\r\n" HOST E),
    NO("request-line-bare-lf", "2.2", BARE_LF, "GET / HTTP/1.1\n" HOST E),
    NO("request-line-bare-lf-alone", "2.2", BARE_LF, "GET / HTTP/1.1\n"),
    NO("request-line-bare-cr", "2.2", BARE_CR, "GET / HTTP/1.1\rHost: a.example\r\n\r\n"),
    NO("request-line-cr-cr-lf", "2.2", BARE_CR, "GET / HTTP/1.1\r\r\n" HOST E),
    NO("method-alone", "3", REQUEST_LINE_PARTS, "GET\r\n\r\n"),
    NO("method-and-space", "3", REQUEST_LINE_PARTS, "GET \r\n\r\n"),
    NO("http-0.9", "3", REQUEST_LINE_PARTS, "GET /\r\n\r\n"),
    NO("http-0.9-without-more", "3", REQUEST_LINE_PARTS, "GET /\r\n"),
    NO("target-and-space", "3", REQUEST_LINE_PARTS, "GET / \r\n" HOST E),
    NO("http-0.9-bare-lf", "2.2", BARE_LF, "GET /\n"),
    NO("two-spaces-before-target", "3", REQUEST_LINE_SPACES, "GET  / HTTP/1.1\r\n" HOST E),
    NO("two-spaces-before-version", "3", REQUEST_LINE_SPACES, "GET /  HTTP/1.1\r\n" HOST E),
    NO("space-after-version", "3", REQUEST_LINE_SPACES, "GET / HTTP/1.1 \r\n" HOST E),
    NO("word-after-version", "3", REQUEST_LINE_SPACES, "GET / HTTP/1.1 x\r\n" HOST E),
    NO("tab-before-target", "3", METHOD_BYTES, "GET\t/ HTTP/1.1\r\n" HOST E),
    NO("tab-before-version", "3.2", TARGET_BYTES, "GET /\tHTTP/1.1\r\n" HOST E),
    NO("tab-after-version", "2.3", VERSION_FORM, "GET / HTTP/1.1\t\r\n" HOST E),
    NO("space-in-target", "3.2", VERSION_FORM, "GET /a b HTTP/1.1\r\n" HOST E),
    NO("response-instead-of-request", "2.1", METHOD_BYTES, "HTTP/1.1 200 OK\r\n\r\n"),
    NO("tls-client-hello", "3.1", METHOD_BYTES, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    NO("http2-preface", "RFC 9113 3.4", VERSION_UNKNOWN, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    NO("ssh-banner", "3", REQUEST_LINE_PARTS, "SSH-2.0-OpenSSH_9.2\r\n"),

    /* --- method --------------------------------------------------------------------- */
    OK("options", "RFC 9110 9.3.7", 1, "OPTIONS / HTTP/1.1\r\n" HOST E),
    OK("head", "RFC 9110 9.3.2", 1, "HEAD / HTTP/1.1\r\n" HOST E),
    OK("delete", "RFC 9110 9.3.5", 1, "DELETE / HTTP/1.1\r\n" HOST E),
    OK("trace", "RFC 9110 9.3.8", 1, "TRACE / HTTP/1.1\r\n" HOST E),
    OK("propfind", "RFC 9110 9.1", 1, "PROPFIND / HTTP/1.1\r\n" HOST E),
    OK("patch-is-delivered", "RFC 9110 9.1", 1,
       "PATCH / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"),
    OK("unknown-method-is-delivered", "RFC 9110 9.1", 1, "xyzzy / HTTP/1.1\r\n" HOST E),
    OK("method-of-all-token-bytes", "RFC 9110 5.6.2", 1,
       "!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\n" HOST E),
    OK("unknown-method-with-body", "6", 2,
       "X / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc" NEXT),
    NO("get-in-small-letters", "RFC 9110 9.1", METHOD_CASE, "get / HTTP/1.1\r\n" HOST E),
    NO("post-in-mixed-case", "RFC 9110 9.1", METHOD_CASE, "Post / HTTP/1.1\r\n" HOST E),
    NO("propfind-in-small-letters", "RFC 9110 9.1", METHOD_CASE, "propfind / HTTP/1.1\r\n" HOST E),
    NO("method-with-slash", "3.1", METHOD_BYTES, "GE/T / HTTP/1.1\r\n" HOST E),
    NO("method-with-colon", "3.1", METHOD_BYTES, "GET: / HTTP/1.1\r\n" HOST E),
    NO("method-with-high-byte", "3.1", METHOD_BYTES, "G\xc3\x89T / HTTP/1.1\r\n" HOST E),
    NO("method-with-del", "3.1", METHOD_BYTES, "GE\x7fT / HTTP/1.1\r\n" HOST E),
    NO("method-with-brackets", "3.1", METHOD_BYTES, "[GET] / HTTP/1.1\r\n" HOST E),
    NO_WITH("method-too-long", "3", METHOD_LENGTH, "\xff / HTTP/1.1\r\n" HOST E, FILL(256, "A")),
    OK_WITH("method-as-long-as-allowed", "3", 1, "\xff / HTTP/1.1\r\n" HOST E, FILL(255, "A")),

    /* --- target --------------------------------------------------------------------- */
    OK("target-with-query", "3.2.1", 1, "GET /a?b=c&d=%20+ HTTP/1.1\r\n" HOST E),
    OK("target-with-second-question-mark", "3.2.1", 1, "GET /a?b?c HTTP/1.1\r\n" HOST E),
    OK("target-with-odd-but-visible-bytes", "3.2", 1, "GET /{a}|\"<b>^`;@,'() HTTP/1.1\r\n" HOST E),
    OK("target-absolute", "3.2.2", 1, "GET http://a.example/b HTTP/1.1\r\n" HOST E),
    OK("target-absolute-with-port", "3.2.2", 1,
       "GET http://a.example:8080/b?c HTTP/1.1\r\n" HOST E),
    OK("target-absolute-without-path", "3.2.2", 1, "GET http://a.example HTTP/1.1\r\n" HOST E),
    OK("target-absolute-query-without-path", "3.2.2", 1,
       "GET http://a.example?x HTTP/1.1\r\n" HOST E),
    OK("target-absolute-scheme-case", "RFC 3986 3.1", 1,
       "GET HTTP://a.example/ HTTP/1.1\r\n" HOST E),
    OK("target-absolute-differs-from-host", "3.2.2", 1,
       "GET http://b.example/ HTTP/1.1\r\n" HOST E),
    OK("target-absolute-ipv6", "3.2.2", 1, "GET http://[::1]:80/ HTTP/1.1\r\n" HOST E),
    OK_WITH("target-absolute-https", "3.2.2", 1, "GET https://a.example/ HTTP/1.1\r\n" HOST E,
            .parser_only = true),
    OK("target-asterisk", "3.2.4", 1, "OPTIONS * HTTP/1.1\r\n" HOST E),
    OK_WITH("target-authority", "3.2.3", 1, "CONNECT a.example:443 HTTP/1.1\r\n" HOST E,
            .parser_only = true),
    NO("target-relative", "3.2", TARGET_FORM, "GET index.html HTTP/1.1\r\n" HOST E),
    NO("target-query-only", "3.2", TARGET_FORM, "GET ?a HTTP/1.1\r\n" HOST E),
    NO("target-backslash", "3.2", TARGET_FORM, "GET \\ HTTP/1.1\r\n" HOST E),
    NO("target-authority-for-get", "3.2.3", TARGET_FORM, "GET a.example:443 HTTP/1.1\r\n" HOST E),
    NO("target-scheme-one-slash", "3.2.2", TARGET_FORM, "GET http:/a HTTP/1.1\r\n" HOST E),
    NO("target-ftp", "3.2.2", TARGET_SCHEME, "GET ftp://a.example/ HTTP/1.1\r\n" HOST E),
    NO("target-empty-scheme", "3.2.2", TARGET_SCHEME, "GET ://a.example/ HTTP/1.1\r\n" HOST E),
    NO("target-file", "3.2.2", TARGET_SCHEME, "GET file:///etc/passwd HTTP/1.1\r\n" HOST E),
    NO("target-user-info", "RFC 9110 4.2.4", TARGET_AUTHORITY,
       "GET http://u:p@a.example/ HTTP/1.1\r\n" HOST E),
    NO("target-empty-authority", "RFC 9110 4.2.1", TARGET_AUTHORITY,
       "GET http:///a HTTP/1.1\r\n" HOST E),
    NO("target-authority-port-only", "RFC 9110 4.2.1", TARGET_AUTHORITY,
       "GET http://:80/ HTTP/1.1\r\n" HOST E),
    NO("target-authority-port-letters", "RFC 3986 3.2.3", TARGET_AUTHORITY,
       "GET http://a.example:8o/ HTTP/1.1\r\n" HOST E),
    NO("target-authority-port-range", "RFC 3986 3.2.3", TARGET_AUTHORITY,
       "GET http://a.example:65536/ HTTP/1.1\r\n" HOST E),
    NO("target-authority-escape", "RFC 3986 3.2.2", TARGET_AUTHORITY,
       "GET http://a%2eexample/ HTTP/1.1\r\n" HOST E),
    NO("target-asterisk-for-get", "3.2.4", TARGET_ASTERISK, "GET * HTTP/1.1\r\n" HOST E),
    NO("target-asterisk-for-post", "3.2.4", TARGET_ASTERISK,
       "POST * HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"),
    NO("connect-path", "3.2.3", TARGET_CONNECT, "CONNECT / HTTP/1.1\r\n" HOST E),
    NO("connect-without-port", "3.2.3", TARGET_CONNECT, "CONNECT a.example HTTP/1.1\r\n" HOST E),
    NO("connect-absolute", "3.2.3", TARGET_CONNECT,
       "CONNECT http://a.example:80/ HTTP/1.1\r\n" HOST E),
    NO("connect-asterisk", "3.2.3", TARGET_CONNECT, "CONNECT * HTTP/1.1\r\n" HOST E),
    NO("target-fragment", "3.2.1", TARGET_FRAGMENT, "GET /a#b HTTP/1.1\r\n" HOST E),
    NO("target-fragment-in-query", "3.2.1", TARGET_FRAGMENT, "GET /a?b#c HTTP/1.1\r\n" HOST E),
    NO("target-nul", "3.2", TARGET_BYTES, "GET /a\0b HTTP/1.1\r\n" HOST E),
    NO("target-control", "3.2", TARGET_BYTES,
       "GET /a\x01"
       "b HTTP/1.1\r\n" HOST E),
    NO("target-del", "3.2", TARGET_BYTES, "GET /a\x7f HTTP/1.1\r\n" HOST E),
    NO("target-utf8", "3.2", TARGET_BYTES, "GET /\xc3\xa9 HTTP/1.1\r\n" HOST E),
    NO("target-high-byte", "3.2", TARGET_BYTES, "GET /\x80 HTTP/1.1\r\n" HOST E),
    NO("target-bare-cr", "2.2", BARE_CR, "GET /a\rb HTTP/1.1\r\n" HOST E),
    NO_WITH("target-too-long", "RFC 9110 15.5.15", TARGET_LENGTH, "GET /\xff HTTP/1.1\r\n" HOST E,
            FILL(17000, "a")),
    NO_WITH("target-too-long-endless", "RFC 9110 15.5.15", TARGET_LENGTH, "GET /\xff",
            FILL(17000, "a")),
    OK_WITH("target-long", "3", 1, "GET /?\xff HTTP/1.1\r\n" HOST E, FILL(8000, "a")),
    OK("target-many-slashes", "RFC 3986 6.2.2", 1, "GET ////a//b HTTP/1.1\r\n" HOST E),
    OK("target-escapes", "RFC 3986 2.1", 1, "GET /a%20b/%C3%a9 HTTP/1.1\r\n" HOST E),
    OK("target-dots-inside-root", "RFC 3986 5.2.4", 1, "GET /a/../b/./c HTTP/1.1\r\n" HOST E),
    BAD_URL("url-escape-cut", "RFC 3986 2.1", BAD_ESCAPE, "GET /a% HTTP/1.1\r\n" HOST E),
    BAD_URL("url-escape-one-digit", "RFC 3986 2.1", BAD_ESCAPE, "GET /a%2 HTTP/1.1\r\n" HOST E),
    BAD_URL("url-escape-letters", "RFC 3986 2.1", BAD_ESCAPE, "GET /a%zz HTTP/1.1\r\n" HOST E),
    BAD_URL("url-escape-u-cut", "RFC 3986 2.1", BAD_ESCAPE, "GET /a%u12 HTTP/1.1\r\n" HOST E),
    BAD_URL("url-nul", "RFC 3986 7.3", NUL, "GET /a%00 HTTP/1.1\r\n" HOST E),
    BAD_URL("url-control", "RFC 3986 7.3", RESTRICTED, "GET /a%0d%0ab HTTP/1.1\r\n" HOST E),
    BAD_URL("url-del", "RFC 3986 7.3", RESTRICTED, "GET /a%7f HTTP/1.1\r\n" HOST E),
    BAD_URL("url-overlong", "RFC 3629 3", BAD_UTF8, "GET /%c0%af HTTP/1.1\r\n" HOST E),
    BAD_URL("url-surrogate", "RFC 3629 3", BAD_UTF8, "GET /%ed%a0%80 HTTP/1.1\r\n" HOST E),
    BAD_URL("url-lone-continuation", "RFC 3629 3", BAD_UTF8, "GET /%80 HTTP/1.1\r\n" HOST E),
    BAD_URL("url-cut-sequence", "RFC 3629 3", BAD_UTF8, "GET /%e2%82 HTTP/1.1\r\n" HOST E),
    BAD_URL("url-above-root", "RFC 3986 5.2.4", ABOVE_ROOT, "GET /.. HTTP/1.1\r\n" HOST E),
    BAD_URL("url-above-root-later", "RFC 3986 5.2.4", ABOVE_ROOT,
            "GET /a/../../etc HTTP/1.1\r\n" HOST E),
    BAD_URL("url-above-root-escaped", "RFC 3986 5.2.4", ABOVE_ROOT,
            "GET /%2e%2e%2fetc HTTP/1.1\r\n" HOST E),
    BAD_URL("url-above-root-backslash", "RFC 3986 5.2.4", ABOVE_ROOT,
            "GET /..\\etc HTTP/1.1\r\n" HOST E),

    /* --- version -------------------------------------------------------------------- */
    OK_WITH("http-1.0", "2.3", 1, "GET / HTTP/1.0\r\n\r\n", .close = true),
    OK_WITH("http-1.0-with-host", "2.3", 1, "GET / HTTP/1.0\r\n" HOST E, .close = true),
    NO("version-0.9", "2.3", VERSION_UNKNOWN, "GET / HTTP/0.9\r\n" HOST E),
    NO("version-1.2", "2.3", VERSION_UNKNOWN, "GET / HTTP/1.2\r\n" HOST E),
    NO("version-1.9", "2.3", VERSION_UNKNOWN, "GET / HTTP/1.9\r\n" HOST E),
    NO("version-2.0", "2.3", VERSION_UNKNOWN, "GET / HTTP/2.0\r\n" HOST E),
    NO("version-3.0", "2.3", VERSION_UNKNOWN, "GET / HTTP/3.0\r\n" HOST E),
    NO("version-small-letters", "2.3", VERSION_FORM, "GET / http/1.1\r\n" HOST E),
    NO("version-one-digit", "2.3", VERSION_FORM, "GET / HTTP/1\r\n" HOST E),
    NO("version-no-minor", "2.3", VERSION_FORM, "GET / HTTP/1.\r\n" HOST E),
    NO("version-two-digits", "2.3", VERSION_FORM, "GET / HTTP/1.10\r\n" HOST E),
    NO("version-two-major-digits", "2.3", VERSION_FORM, "GET / HTTP/11.1\r\n" HOST E),
    NO("version-comma", "2.3", VERSION_FORM, "GET / HTTP/1,1\r\n" HOST E),
    NO("version-letter", "2.3", VERSION_FORM, "GET / HTTP/1.x\r\n" HOST E),
    NO("version-space-inside", "2.3", REQUEST_LINE_SPACES, "GET / HTTP/ 1.1\r\n" HOST E),
    NO("version-of-another", "2.3", VERSION_FORM, "GET / ICAP/1.0\r\n" HOST E),
    NO("version-nul", "2.3", VERSION_FORM, "GET / HTTP/1.1\0\r\n" HOST E),
    NO("version-word", "2.3", VERSION_FORM, "GET / x\r\n" HOST E),

    /* --- header lines --------------------------------------------------------------- */
    OK("header-no-space-after-colon", "5", 1, G "Host:a\r\n\r\n"),
    OK("header-many-spaces", "5.1", 1, G "Host:  \t a \t \r\n\r\n"),
    OK("header-name-case", "RFC 9110 5.1", 1, G "hOST: a\r\n\r\n"),
    OK("header-empty-value", "RFC 9110 5.5", 1, GH "X:\r\n\r\n"),
    OK("header-blank-value", "RFC 9110 5.5", 1, GH "X: \t \r\n\r\n"),
    OK("header-tab-in-value", "RFC 9110 5.5", 1, GH "X: a\tb\r\n\r\n"),
    OK("header-obs-text", "RFC 9110 5.5", 1, GH "X: caf\xc3\xa9 \x80\xfe\r\n\r\n"),
    OK("header-name-of-all-token-bytes", "RFC 9110 5.6.2", 1,
       GH "!#$%&'*+-.^_`|~09azAZ: a\r\n\r\n"),
    OK("header-colon-in-value", "5", 1, GH "X: a: b\r\n\r\n"),
    OK("header-repeated-unknown", "RFC 9110 5.3", 1, GH "X: a\r\nX: b\r\n\r\n"),
    OK_WITH("header-200", "RFC 9110 5.4", 1, GH "\xff\r\n", FILL(199, "X: y\r\n")),
    NO_WITH("header-201", "RFC 6585 5", HEADER_COUNT, GH "\xff\r\n", FILL(200, "X: y\r\n")),
    OK_WITH("header-long", "RFC 9110 5.4", 1, GH "X: \xff\r\n\r\n", FILL(8000, "x")),
    NO_WITH("header-too-long", "RFC 6585 5", FIELD_LENGTH, GH "X: \xff\r\n\r\n", FILL(300, "x"),
            .field_max = 256, .parser_only = true),
    NO_WITH("head-too-long", "RFC 6585 5", HEAD_LENGTH, GH "X: \xff\r\n\r\n", FILL(17000, "x")),
    NO_WITH("head-too-long-endless", "RFC 6585 5", HEAD_LENGTH, GH "X: \xff", FILL(17000, "x")),
    NO_WITH(
        "head-too-long-in-small-pieces", "RFC 6585 5", HEAD_LENGTH, GH "\xff\r\n",
        FILL(120,
             "X-Long: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
             "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n")),
    NO("header-bare-lf", "2.2", BARE_LF, G "Host: a\nX: b\r\n\r\n"),
    NO("header-bare-lf-only", "2.2", BARE_LF, "GET / HTTP/1.1\r\nHost: a\n\n"),
    NO("header-bare-cr", "2.2", BARE_CR, GH "X: a\rY: b\r\n\r\n"),
    NO("header-cr-cr-lf", "2.2", BARE_CR, GH "X: a\r\r\n\r\n"),
    NO("empty-line-bare-lf", "2.2", BARE_LF, GH "\n"),
    NO("empty-line-bare-cr", "2.2", BARE_CR, GH "\rX: a\r\n\r\n"),
    NO("header-folded", "5.2", OBS_FOLD, GH "X: a\r\n b\r\n\r\n"),
    NO("header-folded-tab", "5.2", OBS_FOLD, GH "X: a\r\n\tb\r\n\r\n"),
    NO("header-folded-blank", "5.2", OBS_FOLD, GH "X: a\r\n \r\n\r\n"),
    NO("header-folded-length", "5.2", LENGTH_EMPTY, GH "Content-Length:\r\n 5\r\n\r\nhello"),
    NO("space-before-first-header", "2.2", SPACE_BEFORE_HEADERS, G " Host: a\r\n\r\n"),
    NO("tab-before-first-header", "2.2", SPACE_BEFORE_HEADERS, G "\tX: y\r\n" HOST E),
    NO("blank-line-before-headers", "2.2", SPACE_BEFORE_HEADERS, G " \r\n" HOST E),
    NO("header-space-before-colon", "5.1", FIELD_NAME_SPACE, G "Host : a\r\n" HOST E),
    NO("header-tab-before-colon", "5.1", FIELD_NAME_SPACE, GH "X\t: a\r\n\r\n"),
    NO("length-space-before-colon", "5.1", FIELD_NAME_SPACE, PH "Content-Length : 5\r\n\r\nhello"),
    NO("header-space-in-name", "5.1", FIELD_NAME_BYTES, GH "X Y: a\r\n\r\n"),
    NO("header-empty-name", "5", FIELD_NAME_EMPTY, GH ": a\r\n\r\n"),
    NO("header-colon-only", "5", FIELD_NAME_EMPTY, GH ":\r\n\r\n"),
    NO("header-no-colon", "5", FIELD_NO_COLON, GH "nonsense\r\n\r\n"),
    NO("header-no-colon-first", "5", FIELD_NO_COLON, G "Host\r\n" HOST E),
    NO("header-name-parenthesis", "RFC 9110 5.6.2", FIELD_NAME_BYTES, GH "X(a): b\r\n\r\n"),
    NO("header-name-slash", "RFC 9110 5.6.2", FIELD_NAME_BYTES, GH "X/Y: b\r\n\r\n"),
    NO("header-name-quote", "RFC 9110 5.6.2", FIELD_NAME_BYTES, GH "\"X\": b\r\n\r\n"),
    NO("header-name-nul", "RFC 9110 5.6.2", FIELD_NAME_BYTES, GH "X\0: b\r\n\r\n"),
    NO("header-name-high-byte", "RFC 9110 5.6.2", FIELD_NAME_BYTES, GH "X\xe9: b\r\n\r\n"),
    NO("header-name-control", "RFC 9110 5.6.2", FIELD_NAME_BYTES, GH "X\x0b: b\r\n\r\n"),
    NO("header-name-at", "RFC 9110 5.6.2", FIELD_NAME_BYTES, GH "a@b: c\r\n\r\n"),
    NO("header-name-brace", "RFC 9110 5.6.2", FIELD_NAME_BYTES, GH "{a}: c\r\n\r\n"),
    NO("header-name-comma", "RFC 9110 5.6.2", FIELD_NAME_BYTES, GH "a,b: c\r\n\r\n"),
    NO("header-name-equals", "RFC 9110 5.6.2", FIELD_NAME_BYTES, GH "a=b: c\r\n\r\n"),
    NO("header-name-semicolon", "RFC 9110 5.6.2", FIELD_NAME_BYTES, GH "a;b: c\r\n\r\n"),
    NO("header-value-nul", "RFC 9110 5.5", FIELD_VALUE_BYTES, GH "X: a\0b\r\n\r\n"),
    NO("header-value-control", "RFC 9110 5.5", FIELD_VALUE_BYTES,
       GH "X: a\x01"
          "b\r\n\r\n"),
    NO("header-value-escape", "RFC 9110 5.5", FIELD_VALUE_BYTES, GH "X: \x1b[31m\r\n\r\n"),
    NO("header-value-del", "RFC 9110 5.5", FIELD_VALUE_BYTES, GH "X: a\x7f\r\n\r\n"),
    NO("header-value-vertical-tab", "RFC 9110 5.5", FIELD_VALUE_BYTES, GH "X: a\x0b\r\n\r\n"),
    NO("header-value-form-feed", "RFC 9110 5.5", FIELD_VALUE_BYTES,
       GH "X: \x0c"
          "a\r\n\r\n"),
    NO("header-value-control-far", "RFC 9110 5.5", FIELD_VALUE_BYTES,
       GH "X: 0123456789abcdef0123456789abcdef0123\x02\r\n\r\n"),

    /* --- Host ----------------------------------------------------------------------- */
    OK("host-with-port", "3.2", 1, G "Host: a:8080\r\n\r\n"),
    OK("host-port-zero", "RFC 3986 3.2.3", 1, G "Host: a:0\r\n\r\n"),
    OK("host-port-largest", "RFC 3986 3.2.3", 1, G "Host: a:65535\r\n\r\n"),
    OK("host-empty-port", "RFC 3986 3.2.3", 1, G "Host: a:\r\n\r\n"),
    OK("host-ipv4", "RFC 3986 3.2.2", 1, G "Host: 127.0.0.1:80\r\n\r\n"),
    OK("host-ipv6", "RFC 3986 3.2.2", 1, G "Host: [2001:db8::1]:80\r\n\r\n"),
    OK("host-ipv6-no-port", "RFC 3986 3.2.2", 1, G "Host: [::]\r\n\r\n"),
    OK("host-ipv6-embedded-ipv4", "RFC 4291 2.2", 1, G "Host: [::ffff:1.2.3.4]\r\n\r\n"),
    OK("host-trailing-dot", "RFC 3986 3.2.2", 1, G "Host: a.example.\r\n\r\n"),
    OK("host-underscore", "RFC 3986 3.2.2", 1, G "Host: my_host-1~\r\n\r\n"),
    OK("host-last", "3.2", 1, G "X: y\r\nHost: a\r\n\r\n"),
    NO("host-missing", "3.2", HOST_MISSING, G "X: y\r\n\r\n"),
    NO("host-missing-no-headers", "3.2", HOST_MISSING, G E),
    NO("host-missing-absolute-target", "3.2", HOST_MISSING,
       "GET http://a.example/ HTTP/1.1\r\n\r\n"),
    NO("host-twice", "3.2", HOST_REPEATED, GH HOST E),
    NO("host-twice-different", "3.2", HOST_REPEATED, GH "Host: b.example\r\n\r\n"),
    NO("host-twice-in-1.0", "3.2", HOST_REPEATED, "GET / HTTP/1.0\r\n" HOST HOST E),
    NO("host-empty", "3.2", HOST_MALFORMED, G "Host:\r\n\r\n"),
    NO("host-blank", "3.2", HOST_MALFORMED, G "Host: \t\r\n\r\n"),
    NO("host-space-inside", "3.2", HOST_MALFORMED, G "Host: a b\r\n\r\n"),
    NO("host-comma", "3.2", HOST_MALFORMED, G "Host: a,b\r\n\r\n"),
    NO("host-slash", "3.2", HOST_MALFORMED, G "Host: a/b\r\n\r\n"),
    NO("host-at", "3.2", HOST_MALFORMED, G "Host: u@a\r\n\r\n"),
    NO("host-escape", "3.2", HOST_MALFORMED, G "Host: a%00\r\n\r\n"),
    NO("host-scheme", "3.2", HOST_MALFORMED, G "Host: http://a\r\n\r\n"),
    NO("host-port-only", "3.2", HOST_MALFORMED, G "Host: :80\r\n\r\n"),
    NO("host-port-letters", "3.2", HOST_MALFORMED, G "Host: a:b\r\n\r\n"),
    NO("host-port-too-large", "3.2", HOST_MALFORMED, G "Host: a:65536\r\n\r\n"),
    NO("host-port-negative", "3.2", HOST_MALFORMED, G "Host: a:-1\r\n\r\n"),
    NO("host-two-ports", "3.2", HOST_MALFORMED, G "Host: a:1:2\r\n\r\n"),
    NO("host-ipv6-bare", "3.2", HOST_MALFORMED, G "Host: ::1\r\n\r\n"),
    NO("host-ipv6-open", "3.2", HOST_MALFORMED, G "Host: [::1\r\n\r\n"),
    NO("host-ipv6-zone", "3.2", HOST_MALFORMED, G "Host: [fe80::1%25lo]\r\n\r\n"),
    NO("host-ipv6-two-gaps", "3.2", HOST_MALFORMED, G "Host: [1::2::3]\r\n\r\n"),
    NO("host-ipv6-nine-groups", "3.2", HOST_MALFORMED, G "Host: [1:2:3:4:5:6:7:8:9]\r\n\r\n"),
    NO("host-utf8", "3.2", HOST_MALFORMED, G "Host: caf\xc3\xa9\r\n\r\n"),
    NO_WITH("host-too-long", "3.2", HOST_MALFORMED, G "Host: \xff\r\n\r\n", FILL(256, "a")),
    NO("host-malformed-absolute-target", "3.2", HOST_MALFORMED,
       "GET http://a.example/ HTTP/1.1\r\nHost: a b\r\n\r\n"),
    NO("host-malformed-in-1.0", "3.2", HOST_MALFORMED, "GET / HTTP/1.0\r\nHost: a b\r\n\r\n"),

    /* --- Content-Length ------------------------------------------------------------- */
    OK("length", "6.2", 2, PH "Content-Length: 5\r\n\r\nhello" NEXT),
    OK("length-zero", "6.2", 2, PH "Content-Length: 0\r\n\r\n" NEXT),
    OK("length-leading-zeros", "RFC 9110 8.6", 2, PH "Content-Length: 005\r\n\r\nhello" NEXT),
    OK("length-put", "6.2", 2, "PUT / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx" NEXT),
    OK("length-get", "6.3", 2, GH "Content-Length: 3\r\n\r\nabc" NEXT),
    OK("length-head", "6.3", 2, "HEAD / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc" NEXT),
    OK("length-delete", "6.3", 2, "DELETE / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc" NEXT),
    OK("length-body-looks-like-request", "6.3", 2,
       PH "Content-Length: 18\r\n\r\nGET /x HTTP/1.1\r\n\r" NEXT),
    OK_WITH("length-in-1.0", "6.2", 1, "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab",
            .close = true),
    OK_WITH("length-body-incomplete", "6.3", 0, PH "Content-Length: 5\r\n\r\nhell",
            .pending = true),
    OK_WITH("length-huge-incomplete", "6.2", 0, PH "Content-Length: 18446744073709551615\r\n\r\nx",
            .pending = true, .parser_only = true),
    NO("length-twice-equal", "6.3", LENGTH_REPEATED,
       PH "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    NO("length-twice-different", "6.3", LENGTH_REPEATED,
       PH "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    NO("length-twice-other-case", "6.3", LENGTH_REPEATED,
       PH "Content-Length: 5\r\ncontent-length: 5\r\n\r\nhello"),
    NO("length-list-equal", "6.3", LENGTH_DIGITS, PH "Content-Length: 5, 5\r\n\r\nhello"),
    NO("length-list-different", "6.3", LENGTH_DIGITS, PH "Content-Length: 5,6\r\n\r\nhello"),
    NO("length-empty", "RFC 9110 8.6", LENGTH_EMPTY, PH "Content-Length:\r\n\r\n"),
    NO("length-blank", "RFC 9110 8.6", LENGTH_EMPTY, PH "Content-Length:  \r\n\r\n"),
    NO("length-plus", "RFC 9110 8.6", LENGTH_DIGITS, PH "Content-Length: +5\r\n\r\nhello"),
    NO("length-minus", "RFC 9110 8.6", LENGTH_DIGITS, PH "Content-Length: -5\r\n\r\nhello"),
    NO("length-minus-zero", "RFC 9110 8.6", LENGTH_DIGITS, PH "Content-Length: -0\r\n\r\n"),
    NO("length-hex", "RFC 9110 8.6", LENGTH_DIGITS, PH "Content-Length: 0x5\r\n\r\nhello"),
    NO("length-fraction", "RFC 9110 8.6", LENGTH_DIGITS, PH "Content-Length: 5.0\r\n\r\nhello"),
    NO("length-space-inside", "RFC 9110 8.6", LENGTH_DIGITS, PH "Content-Length: 5 5\r\n\r\nhello"),
    NO("length-word", "RFC 9110 8.6", LENGTH_DIGITS, PH "Content-Length: five\r\n\r\nhello"),
    NO("length-underscore", "RFC 9110 8.6", LENGTH_DIGITS, PH "Content-Length: 1_0\r\n\r\nhello"),
    NO("length-quoted", "RFC 9110 8.6", LENGTH_DIGITS, PH "Content-Length: \"5\"\r\n\r\nhello"),
    NO("length-overflow-by-one", "RFC 9110 8.6", LENGTH_OVERFLOW,
       PH "Content-Length: 18446744073709551616\r\n\r\n"),
    NO("length-overflow", "RFC 9110 8.6", LENGTH_OVERFLOW,
       PH "Content-Length: 99999999999999999999999\r\n\r\n"),
    NO("length-required-post", "RFC 9110 15.5.12", LENGTH_REQUIRED, PH E),
    NO("length-required-put", "RFC 9110 15.5.12", LENGTH_REQUIRED, "PUT / HTTP/1.1\r\n" HOST E),
    NO("length-required-post-1.0", "RFC 9110 15.5.12", LENGTH_REQUIRED,
       "POST / HTTP/1.0\r\n\r\nabc"),
    OK("length-not-required-delete", "6.3", 2, "DELETE / HTTP/1.1\r\n" HOST E NEXT),
    OK_NO("refusal-after-accepted", "9.3.2", 2, METHOD_CASE, NEXT NEXT "get / HTTP/1.1\r\n" HOST E),
    OK_NO("body-longer-than-length", "6.3", 1, REQUEST_LINE_PARTS,
          PH "Content-Length: 2\r\n\r\nabcd\r\n\r\n"),

    /* --- Transfer-Encoding ---------------------------------------------------------- */
    OK("chunked", "7.1", 2, CHUNKED "5\r\nhello\r\n0\r\n\r\n" NEXT),
    OK("chunked-empty", "7.1", 2, CHUNKED "0\r\n\r\n" NEXT),
    OK("chunked-coding-case", "7", 2,
       PH "Transfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n" NEXT),
    OK("chunked-get", "6.3", 2, GH "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n" NEXT),
    OK("chunked-several", "7.1", 2, CHUNKED "1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n" NEXT),
    OK("chunked-size-hex-upper", "7.1", 2, CHUNKED "A\r\n0123456789\r\n0\r\n\r\n" NEXT),
    OK("chunked-size-hex-lower", "7.1", 2, CHUNKED "a\r\n0123456789\r\n0\r\n\r\n" NEXT),
    OK("chunked-size-leading-zeros", "7.1", 2, CHUNKED "0005\r\nhello\r\n000\r\n\r\n" NEXT),
    OK("chunked-data-with-crlf", "7.1", 2, CHUNKED "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n" NEXT),
    OK("chunked-extension", "7.1.1", 2, CHUNKED "5;a=b;c=\"d e\"\r\nhello\r\n0;last\r\n\r\n" NEXT),
    OK_WITH("chunked-extension-long", "7.1.1", 2, CHUNKED "1\xff\r\nx\r\n0\r\n\r\n" NEXT,
            FILL(128, ";a")),
    OK("chunked-trailer", "7.1.2", 2,
       CHUNKED "1\r\nx\r\n0\r\nX-Sum: abc\r\nX-More: d\r\n\r\n" NEXT),
    OK_WITH("chunked-64-trailers", "7.1.2", 2, CHUNKED "0\r\n\xff\r\n" NEXT, FILL(64, "X: y\r\n")),
    OK_WITH("chunked-incomplete", "8", 0, CHUNKED "5\r\nhel", .pending = true),
    OK_WITH("chunked-incomplete-end", "8", 0, CHUNKED "5\r\nhello\r\n0\r\n", .pending = true),
    OK_WITH("chunked-incomplete-trailer", "8", 0, CHUNKED "0\r\nX: y\r\n", .pending = true),
    OK("chunked-not-expected-in-1.1-response", "6.1", 1, CHUNKED "0\r\n\r\n"),
    NO("length-and-chunked", "6.1", LENGTH_AND_CODING,
       PH "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    NO("chunked-and-length", "6.1", LENGTH_AND_CODING,
       PH "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    NO("length-zero-and-chunked", "6.1", LENGTH_AND_CODING,
       PH "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    NO("coding-gzip", "6.1", CODING_UNKNOWN, PH "Transfer-Encoding: gzip\r\n\r\n"),
    NO("coding-gzip-chunked", "6.1", CODING_UNKNOWN,
       PH "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    NO("coding-gzip-chunked-two-lines", "6.1", CODING_UNKNOWN,
       PH "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    NO("coding-identity", "6.1", CODING_UNKNOWN, PH "Transfer-Encoding: identity\r\n\r\n"),
    NO("coding-xchunked", "6.1", CODING_UNKNOWN, PH "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    NO("coding-chunked-quoted", "6.1", CODING_UNKNOWN,
       PH "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    NO("coding-chunked-parameter", "7.1", CODING_UNKNOWN,
       PH "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n"),
    NO("coding-chunked-with-vertical-tab", "RFC 9110 5.5", FIELD_VALUE_BYTES,
       PH "Transfer-Encoding: \x0b"
          "chunked\r\n\r\n0\r\n\r\n"),
    NO("coding-twice", "6.1", CODING_REPEATED,
       PH "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    NO("coding-twice-two-lines", "6.1", CODING_REPEATED,
       PH "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    NO("coding-chunked-not-last", "6.3", CODING_NOT_LAST,
       PH "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    NO("coding-chunked-then-identity", "6.3", CODING_NOT_LAST,
       PH "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    NO("coding-empty", "6.1", CODING_EMPTY, GH "Transfer-Encoding:\r\n\r\n"),
    NO("coding-empty-element", "6.1", CODING_EMPTY,
       PH "Transfer-Encoding: , chunked\r\n\r\n0\r\n\r\n"),
    NO("coding-empty-last-element", "6.1", CODING_EMPTY,
       PH "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"),
    NO("coding-in-1.0", "6.1", CODING_IN_10,
       "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),

    /* --- chunked body --------------------------------------------------------------- */
    NO("chunk-size-missing", "7.1", CHUNK_SIZE_MISSING, CHUNKED "\r\nhello\r\n0\r\n\r\n"),
    NO("chunk-size-space-first", "7.1", CHUNK_SIZE_MISSING, CHUNKED " 5\r\nhello\r\n0\r\n\r\n"),
    NO("chunk-size-plus", "7.1", CHUNK_SIZE_MISSING, CHUNKED "+5\r\nhello\r\n0\r\n\r\n"),
    NO("chunk-size-minus", "7.1", CHUNK_SIZE_MISSING, CHUNKED "-5\r\nhello\r\n0\r\n\r\n"),
    NO("chunk-size-extension-only", "7.1", CHUNK_SIZE_MISSING, CHUNKED ";a\r\n\r\n"),
    NO("chunk-size-bare-lf-first", "7.1", CHUNK_SIZE_MISSING, CHUNKED "\n5\r\nhello\r\n0\r\n\r\n"),
    NO("chunk-size-0x", "7.1", CHUNK_SIZE_BYTES, CHUNKED "0x5\r\nhello\r\n0\r\n\r\n"),
    NO("chunk-size-letter", "7.1", CHUNK_SIZE_BYTES, CHUNKED "5g\r\nhello\r\n0\r\n\r\n"),
    NO("chunk-size-space-after", "7.1", CHUNK_SIZE_BYTES, CHUNKED "5 \r\nhello\r\n0\r\n\r\n"),
    NO("chunk-size-space-before-extension", "7.1.1", CHUNK_SIZE_BYTES,
       CHUNKED "5 ;a=b\r\nhello\r\n0\r\n\r\n"),
    NO("chunk-size-tab-after", "7.1", CHUNK_SIZE_BYTES, CHUNKED "5\t\r\nhello\r\n0\r\n\r\n"),
    NO("chunk-size-nul", "7.1", CHUNK_SIZE_BYTES, CHUNKED "5\0\r\nhello\r\n0\r\n\r\n"),
    NO("chunk-size-comma", "7.1", CHUNK_SIZE_BYTES, CHUNKED "5,5\r\nhello\r\n0\r\n\r\n"),
    NO("chunk-size-17-digits", "7.1", CHUNK_SIZE_LENGTH,
       CHUNKED "00000000000000005\r\nhello\r\n0\r\n\r\n"),
    NO("chunk-size-overflow", "7.1", CHUNK_SIZE_LENGTH,
       CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    NO("chunk-size-bare-lf", "7.1", CHUNK_SIZE_LF, CHUNKED "5\nhello\r\n0\r\n\r\n"),
    NO("chunk-extension-bare-lf", "7.1.1", CHUNK_SIZE_LF, CHUNKED "5;a\nhello\r\n0\r\n\r\n"),
    NO("chunk-last-size-bare-lf", "7.1", CHUNK_SIZE_LF, CHUNKED "0\n\r\n"),
    NO("chunk-size-bare-cr", "7.1", CHUNK_SIZE_CR, CHUNKED "5\rhello\r\n0\r\n\r\n"),
    NO("chunk-extension-bare-cr", "7.1.1", CHUNK_SIZE_CR, CHUNKED "5;a\rb\r\nhello\r\n0\r\n\r\n"),
    NO("chunk-extension-nul", "7.1.1", CHUNK_EXT_BYTES, CHUNKED "5;a\0\r\nhello\r\n0\r\n\r\n"),
    NO("chunk-extension-control", "7.1.1", CHUNK_EXT_BYTES,
       CHUNKED "5;a=\x1b\r\nhello\r\n0\r\n\r\n"),
    NO_WITH("chunk-extension-too-long", "7.1.1", CHUNK_EXT_LENGTH,
            CHUNKED "1\xff\r\nx\r\n0\r\n\r\n", FILL(129, ";a")),
    NO_WITH("chunk-extension-endless", "7.1.1", CHUNK_EXT_LENGTH, CHUNKED "1;\xff",
            FILL(1000, "a")),
    NO("chunk-data-too-long", "7.1", CHUNK_END, CHUNKED "4\r\nhello\r\n0\r\n\r\n"),
    NO("chunk-data-too-short", "7.1", CHUNK_END, CHUNKED "6\r\nhello\r\n0\r\n\r\n"),
    NO("chunk-data-end-bare-lf", "7.1", CHUNK_END, CHUNKED "5\r\nhello\n0\r\n\r\n"),
    NO("chunk-data-end-bare-cr", "7.1", CHUNK_END, CHUNKED "5\r\nhello\r0\r\n\r\n"),
    NO("chunk-data-end-missing", "7.1", CHUNK_END, CHUNKED "5\r\nhello0\r\n\r\n"),
    NO("chunk-second-size-bad", "7.1", CHUNK_SIZE_MISSING, CHUNKED "1\r\na\r\nz\r\nb\r\n0\r\n\r\n"),

    /* --- trailers ------------------------------------------------------------------- */
    NO_WITH("trailer-too-many", "7.1.2", TRAILER_COUNT, CHUNKED "0\r\n\xff\r\n",
            FILL(65, "X: y\r\n")),
    NO_WITH("trailer-too-long", "7.1.2", TRAILER_LENGTH, CHUNKED "0\r\nX: \xff\r\n\r\n",
            FILL(4200, "x")),
    NO_WITH("trailer-endless", "7.1.2", TRAILER_LENGTH, CHUNKED "0\r\nX: \xff", FILL(5000, "x")),
    NO("trailer-length", "RFC 9110 6.5.1", TRAILER_NAME, CHUNKED "0\r\nContent-Length: 5\r\n\r\n"),
    NO("trailer-coding", "RFC 9110 6.5.1", TRAILER_NAME,
       CHUNKED "0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    NO("trailer-host", "RFC 9110 6.5.1", TRAILER_NAME, CHUNKED "0\r\nHost: b\r\n\r\n"),
    NO("trailer-authorization", "RFC 9110 6.5.1", TRAILER_NAME,
       CHUNKED "0\r\nX: y\r\nauthorization: Basic x\r\n\r\n"),
    NO("trailer-cookie", "RFC 9110 6.5.1", TRAILER_NAME, CHUNKED "0\r\nCookie: a=b\r\n\r\n"),
    NO("trailer-set-cookie", "RFC 9110 6.5.1", TRAILER_NAME,
       CHUNKED "0\r\nSet-Cookie: a=b\r\n\r\n"),
    NO("trailer-connection", "RFC 9110 6.5.1", TRAILER_NAME,
       CHUNKED "0\r\nConnection: close\r\n\r\n"),
    NO("trailer-folded", "5.2", OBS_FOLD, CHUNKED "0\r\nX: a\r\n b\r\n\r\n"),
    NO("trailer-space-first", "5.2", OBS_FOLD, CHUNKED "0\r\n X: a\r\n\r\n"),
    NO("trailer-no-colon", "5", FIELD_NO_COLON, CHUNKED "0\r\nnonsense\r\n\r\n"),
    NO("trailer-space-before-colon", "5.1", FIELD_NAME_SPACE, CHUNKED "0\r\nX : a\r\n\r\n"),
    NO("trailer-name-bytes", "RFC 9110 5.6.2", FIELD_NAME_BYTES, CHUNKED "0\r\nX@: a\r\n\r\n"),
    NO("trailer-value-bytes", "RFC 9110 5.5", FIELD_VALUE_BYTES, CHUNKED "0\r\nX: a\x01\r\n\r\n"),
    NO("trailer-bare-lf", "2.2", BARE_LF, CHUNKED "0\r\nX: a\n\r\n"),
    NO("trailer-bare-cr", "2.2", BARE_CR, CHUNKED "0\r\nX: a\rY: b\r\n\r\n"),
    NO("trailer-end-bare-lf", "2.2", BARE_LF, CHUNKED "0\r\n\n"),
    NO("trailer-request-without-end", "7.1", FIELD_NAME_BYTES, CHUNKED "0\r\n" NEXT),

    /* --- connection ----------------------------------------------------------------- */
    OK_WITH("close", "9.6", 1, GH "Connection: close\r\n\r\n" NEXT, .close = true),
    OK_WITH("close-case", "9.6", 1, GH "Connection: Close\r\n\r\n" NEXT, .close = true),
    OK_WITH("close-in-list", "9.6", 1, GH "Connection: x, close ,y\r\n\r\n" NEXT, .close = true),
    OK_WITH("close-in-second-line", "9.6", 1, GH "Connection: x\r\nConnection: close\r\n\r\n" NEXT,
            .close = true),
    OK_WITH("close-beats-keep-alive", "9.3", 1, GH "Connection: keep-alive, close\r\n\r\n" NEXT,
            .close = true),
    OK("close-is-no-prefix", "9.6", 2, GH "Connection: closed\r\n\r\n" NEXT),
    OK("keep-alive-default", "9.3", 2, GH E NEXT),
    OK("keep-alive-explicit", "9.3", 2, GH "Connection: keep-alive\r\n\r\n" NEXT),
    OK("keep-alive-1.0", "9.3", 2, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" NEXT),
    OK("keep-alive-1.0-case", "9.3", 2, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n" NEXT),
    OK_WITH("keep-alive-1.0-not-asked", "9.3", 1, "GET / HTTP/1.0\r\n\r\n" NEXT, .close = true),
    OK("connection-empty", "RFC 9110 7.6.1", 2, GH "Connection:\r\n\r\n" NEXT),
    OK_WITH("body-then-close", "9.6", 1, PH "Connection: close\r\nContent-Length: 2\r\n\r\nab" NEXT,
            .close = true),
    OK("upgrade-ignored", "RFC 9110 7.8", 2, GH "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" NEXT),
    OK("expect-unknown-is-delivered", "RFC 9110 10.1.1", 2, GH "Expect: x\r\n\r\n" NEXT),

    /* --- incomplete ----------------------------------------------------------------- */
    OK("nothing", "3", 0, ""),
    OK_WITH("only-empty-line", "2.2", 0, E, .pending = true),
    OK_WITH("cut-in-method", "3", 0, "GE", .pending = true),
    OK_WITH("cut-in-target", "3", 0, "GET /ab", .pending = true),
    OK_WITH("cut-in-version", "3", 0, "GET / HTTP/1.", .pending = true),
    OK_WITH("cut-after-request-line", "3", 0, G, .pending = true),
    OK_WITH("cut-in-header", "5", 0, G "Host: a.exam", .pending = true),
    OK_WITH("cut-before-empty-line", "2.1", 0, GH, .pending = true),
    OK_WITH("cut-in-empty-line", "2.1", 0, GH "\r", .pending = true),
    OK_WITH("cut-after-accepted", "9.3.2", 1, NEXT "GET / HT", .pending = true),
};

#define H1_CASE_COUNT (sizeof(h1_cases) / sizeof(h1_cases[0]))

#undef BYTES
#undef OK
#undef OK_WITH
#undef NO
#undef NO_WITH
#undef OK_NO
#undef BAD_URL
#undef FILL
#undef E
#undef G
#undef P
#undef HOST
#undef GH
#undef PH
#undef CHUNKED
#undef NEXT
