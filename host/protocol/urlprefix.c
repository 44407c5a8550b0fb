#include "protocol/urlprefix.h"

#include <assert.h>

#include "protocol/h1bytes.h"
#include "protocol/h1write.h"
#include "protocol/url.h"

#define PORT_DIGITS_MAX 5

/* The text still to read, and where the canonical prefix grows. */
struct build {
    struct slice rest;
    char *at;
    char *host_at;
    struct urlprefix *prefix;
};

static void advance(struct build *b, size_t bytes)
{
    assert(bytes <= b->rest.len);
    b->rest.p += bytes;
    b->rest.len -= bytes;
}

static void put(struct build *b, struct slice text)
{
    memcpy(b->at, text.p, text.len);
    b->at += text.len;
}

static enum urlprefix_error take_scheme(struct build *b)
{
    static const struct slice http = SLICE_INIT("http");
    static const struct slice https = SLICE_INIT("https");
    const char *colon = b->rest.len == 0 ? NULL : memchr(b->rest.p, ':', b->rest.len);
    size_t len = colon == NULL ? 0 : (size_t)(colon - b->rest.p);
    struct slice scheme = slice_make(b->rest.p, len);
    if (len == 0 || b->rest.len < len + 3 || colon[1] != '/' || colon[2] != '/') {
        return URLPREFIX_NO_SCHEME;
    }
    b->prefix->https = slice_equal_nocase(scheme, https);
    if (!b->prefix->https && !slice_equal_nocase(scheme, http)) {
        return URLPREFIX_BAD_SCHEME;
    }
    if (!slice_equal(scheme, b->prefix->https ? https : http)) {
        return URLPREFIX_SCHEME_CASE;
    }
    put(b, slice_make(b->rest.p, len + 3));
    advance(b, len + 3);
    return URLPREFIX_OK;
}

/* A wildcard host, of one byte. */
static void put_wildcard(struct build *b, enum urlprefix_category category)
{
    b->prefix->category = (uint8_t)category;
    put(b, slice_make(b->rest.p, 1));
}

static bool digits_and_dots(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] != '.' && (text.p[i] < '0' || text.p[i] > '9')) {
            return false;
        }
    }
    return true;
}

static void put_address(struct build *b, const struct url_host *host)
{
    bool ipv6 = host->kind == URL_HOST_IPV6;
    b->prefix->category = URLPREFIX_ADDRESS;
    b->prefix->ipv6 = ipv6;
    memcpy(b->prefix->address, host->address, sizeof(b->prefix->address));
    if (ipv6) {
        *b->at++ = '[';
    }
    b->at += url_format_ip(host->kind, host->address, b->at);
    if (ipv6) {
        *b->at++ = ']';
    }
}

static enum urlprefix_error put_host(struct build *b, struct slice text)
{
    struct url_host host;
    bool bracket = text.p[0] == '[';
    size_t brackets = bracket ? 2 : 0;
    if (!url_parse_host(text, &host) || host.host.len + brackets != text.len) {
        return bracket ? URLPREFIX_BAD_ADDRESS : URLPREFIX_BAD_HOST;
    }
    if (host.kind != URL_HOST_NAME) {
        put_address(b, &host);
        return URLPREFIX_OK;
    }
    if (digits_and_dots(text)) {
        return URLPREFIX_BAD_ADDRESS;
    }
    b->prefix->category = URLPREFIX_EXPLICIT;
    for (size_t i = 0; i < text.len; i++) {
        *b->at++ = (char)slice_lower((unsigned char)text.p[i]);
    }
    return URLPREFIX_OK;
}

/* Bytes up to the port or path: an IPv6 literal has colons of its own. */
static size_t host_length(struct slice rest)
{
    size_t len = 0;
    if (rest.len > 0 && rest.p[0] == '[') {
        const char *close = memchr(rest.p, ']', rest.len);
        len = close == NULL ? 0 : (size_t)(close - rest.p);
    }
    while (len < rest.len && rest.p[len] != ':' && rest.p[len] != '/' && rest.p[len] != '?') {
        len++;
    }
    return len;
}

static enum urlprefix_error take_host(struct build *b)
{
    size_t len = host_length(b->rest);
    struct slice text = slice_make(b->rest.p, len);
    enum urlprefix_error error = URLPREFIX_OK;
    b->host_at = b->at;
    if (len == 0) {
        return URLPREFIX_NO_HOST;
    }
    if (slice_equal(text, SLICE_LIT("+"))) {
        put_wildcard(b, URLPREFIX_STRONG);
    } else if (slice_equal(text, SLICE_LIT("*"))) {
        put_wildcard(b, URLPREFIX_WEAK);
    } else if (slice_starts_with(text, SLICE_LIT("*."))) {
        error = URLPREFIX_SUBDOMAIN_WILDCARD;
    } else {
        error = put_host(b, text);
    }
    b->prefix->host = slice_make(b->host_at, (size_t)(b->at - b->host_at));
    advance(b, len);
    return error;
}

static enum urlprefix_error take_port(struct build *b)
{
    size_t digits = 0;
    unsigned value = 0;
    if (b->rest.len == 0 || b->rest.p[0] != ':') {
        return URLPREFIX_NO_PORT;
    }
    advance(b, 1);
    while (digits < b->rest.len && b->rest.p[digits] >= '0' && b->rest.p[digits] <= '9') {
        if (digits < PORT_DIGITS_MAX) {
            value = value * 10 + (unsigned)(b->rest.p[digits] - '0');
        }
        digits++;
    }
    bool ends = digits == b->rest.len || b->rest.p[digits] == '/' || b->rest.p[digits] == '?';
    if (digits == 0 && ends) {
        return URLPREFIX_NO_PORT;
    }
    if (!ends || digits > PORT_DIGITS_MAX || value == 0 || value > UINT16_MAX ||
        b->rest.p[0] == '0') {
        return URLPREFIX_BAD_PORT;
    }
    if (digits == b->rest.len || b->rest.p[digits] != '/') {
        return URLPREFIX_NO_SLASH;
    }
    b->prefix->port = (uint16_t)value;
    put(b, SLICE_LIT(":"));
    b->at = h1_write_decimal(b->at, value);
    advance(b, digits);
    return URLPREFIX_OK;
}

/* A prefix is decoded like a request's path, else the two could not meet; but what a request may
 * write in several ways, a prefix must write in one. */
static enum urlprefix_error take_path(struct build *b)
{
    const char *p = b->rest.p;
    size_t len = 0;
    for (size_t i = 0; i < b->rest.len; i++) {
        bool segment_start = p[i] == '/' && i + 1 < b->rest.len;
        if (p[i] == '?' || p[i] == '#') {
            return URLPREFIX_QUERY;
        }
        if (p[i] == '\\' || (segment_start && p[i + 1] == '/')) {
            return URLPREFIX_BAD_PATH;
        }
        if ((unsigned char)p[i] == 0x7f || (unsigned char)p[i] <= 0x20) {
            return URLPREFIX_BAD_PATH;
        }
    }
    bool escaped = memchr(p, '%', b->rest.len) != NULL;
    if (url_cook_path(b->rest, NULL, b->at, &len) != URL_OK || (!escaped && len != b->rest.len)) {
        return URLPREFIX_BAD_PATH;
    }
    for (size_t i = 0; i < len; i++) {
        b->at[i] = (char)slice_lower((unsigned char)b->at[i]);
    }
    if (b->at[len - 1] != '/') {
        b->at[len++] = '/';
    }
    b->prefix->path = slice_make(b->at, len);
    b->at += len;
    return URLPREFIX_OK;
}

enum urlprefix_error urlprefix_parse(struct slice text, char *buf, struct urlprefix *out)
{
    struct urlprefix prefix = {.port = 0};
    struct build b = {.rest = text, .at = buf, .prefix = &prefix};
    if (text.len > URLPREFIX_BYTES_MAX) {
        return URLPREFIX_TOO_LONG;
    }
    enum urlprefix_error error = take_scheme(&b);
    if (error == URLPREFIX_OK) {
        error = take_host(&b);
    }
    if (error == URLPREFIX_OK) {
        error = take_port(&b);
    }
    if (error == URLPREFIX_OK) {
        error = take_path(&b);
    }
    if (error != URLPREFIX_OK) {
        return error;
    }
    assert((size_t)(b.at - buf) < URLPREFIX_BUFFER_BYTES);
    *b.at = '\0';
    prefix.full = slice_make(buf, (size_t)(b.at - buf));
    *out = prefix;
    return URLPREFIX_OK;
}

const char *urlprefix_error_text(enum urlprefix_error error)
{
    static const char *const texts[URLPREFIX_ERROR_COUNT] = {
        [URLPREFIX_OK] = "well formed",
        [URLPREFIX_TOO_LONG] = "the prefix is longer than 2048 bytes",
        [URLPREFIX_NO_SCHEME] = "no scheme: start with http:// or https://",
        [URLPREFIX_SCHEME_CASE] = "the scheme must be in lower case: http:// or https://",
        [URLPREFIX_BAD_SCHEME] = "unknown scheme: use http:// or https://",
        [URLPREFIX_NO_HOST] = "no host: use localhost, a name, an address, + or *",
        [URLPREFIX_BAD_HOST] = "malformed host: use letters, digits and -._~, else punycode",
        [URLPREFIX_BAD_ADDRESS] = "malformed address: use 127.0.0.1, or [::1] without a zone",
        [URLPREFIX_SUBDOMAIN_WILDCARD] = "no wildcards for subdomains: use the full name, + or *",
        [URLPREFIX_NO_PORT] = "no port: write it out, as in http://localhost:8080/",
        [URLPREFIX_BAD_PORT] = "malformed port: use 1 to 65535 without leading zeros",
        [URLPREFIX_NO_SLASH] = "no slash after the port: write http://localhost:8080/",
        [URLPREFIX_QUERY] = "a prefix has no query or fragment: remove what starts at ? or #",
        [URLPREFIX_BAD_PATH] = "malformed path: UTF-8, no //, \\, . or .. segments, no bad escapes",
    };
    assert(error < URLPREFIX_ERROR_COUNT);
    return texts[error];
}
