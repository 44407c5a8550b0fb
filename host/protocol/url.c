#include "protocol/url.h"

#include <assert.h>

#include "base/utf8.h"
#include "protocol/h1bytes.h"

static const struct url_rules default_rules = {URL_SEGMENT_CHARS_MAX, URL_SEGMENT_COUNT_MAX, true,
                                               false};

/* --- code points of a path ---------------------------------------------------------- */

struct reader {
    const char *p;
    const char *end;
    const struct url_rules *rules;
};

static bool take_hex(struct reader *r, int digits, uint32_t *value)
{
    *value = 0;
    if (r->end - r->p < digits) {
        return false;
    }
    for (int i = 0; i < digits; i++) {
        unsigned digit = h1_hex_value((unsigned char)*r->p++);
        if (digit > 15) {
            return false;
        }
        *value = *value * 16 + digit;
    }
    return true;
}

static bool at_percent_u(const struct reader *r)
{
    return r->end - r->p >= 2 && r->p[0] == '%' && (r->p[1] | 0x20) == 'u';
}

/* %uNNNN, of which two may make one code point (UTF-16 surrogates). */
static enum url_result take_percent_u(struct reader *r, uint32_t *code_point)
{
    uint32_t low = 0;
    r->p += 2;
    if (!r->rules->percent_u || !take_hex(r, 4, code_point)) {
        return URL_BAD_ESCAPE;
    }
    if (*code_point < 0xd800 || *code_point > 0xdfff) {
        return URL_OK;
    }
    if (*code_point > 0xdbff || !at_percent_u(r)) {
        return URL_BAD_UTF8;
    }
    r->p += 2;
    if (!take_hex(r, 4, &low)) {
        return URL_BAD_ESCAPE;
    }
    if (low < 0xdc00 || low > 0xdfff) {
        return URL_BAD_UTF8;
    }
    *code_point = 0x10000 + ((*code_point - 0xd800) << 10) + (low - 0xdc00);
    return URL_OK;
}

/* One byte, as it stands or as %XX. */
static enum url_result take_byte(struct reader *r, uint32_t *byte)
{
    if (*r->p != '%') {
        *byte = (unsigned char)*r->p++;
        return URL_OK;
    }
    r->p++;
    return take_hex(r, 2, byte) ? URL_OK : URL_BAD_ESCAPE;
}

/* The bytes behind `first` that make one UTF-8 sequence (RFC 3629 4). */
static enum url_result take_sequence(struct reader *r, uint32_t first, uint32_t *code_point)
{
    if (first < 0xc2 || first > 0xf4) {
        return URL_BAD_UTF8;
    }
    int more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint32_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint32_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    *code_point = first & (0x3fU >> more);
    for (int i = 0; i < more; i++) {
        uint32_t next = 0;
        if (r->p == r->end || at_percent_u(r)) {
            return URL_BAD_UTF8;
        }
        enum url_result result = take_byte(r, &next);
        if (result != URL_OK) {
            return result;
        }
        if (next < low || next > high) {
            return URL_BAD_UTF8;
        }
        *code_point = *code_point << 6 | (next & 0x3f);
        low = 0x80;
        high = 0xbf;
    }
    return URL_OK;
}

static enum url_result take_code_point(struct reader *r, uint32_t *code_point)
{
    enum url_result result;
    assert(r->p < r->end);
    if (at_percent_u(r)) {
        result = take_percent_u(r, code_point);
    } else {
        uint32_t first = 0;
        result = take_byte(r, &first);
        *code_point = first;
        if (result == URL_OK && first >= 0x80) {
            result = take_sequence(r, first, code_point);
        }
    }
    if (result != URL_OK) {
        return result;
    }
    if (*code_point == 0) {
        return URL_NUL;
    }
    bool restricted = *code_point < 0x20 || (*code_point >= 0x7f && *code_point <= 0x9f);
    return restricted && !r->rules->allow_restricted ? URL_RESTRICTED : URL_OK;
}

/* --- segments ----------------------------------------------------------------------- */

/* The path as it is being written. Invariant: out[0..segment) is canonical and ends with `/`. */
struct writer {
    char *out;
    size_t segment; /* where the open segment starts */
    size_t at;      /* where its next byte goes */
    uint32_t chars; /* of the open segment, in UTF-16 units */
    uint32_t count; /* closed segments that stayed */
    const struct url_rules *rules;
};

static bool segment_is(const struct writer *w, struct slice text)
{
    return slice_equal(slice_make(w->out + w->segment, w->at - w->segment), text);
}

/* Removes the last closed segment, for `..`. */
static enum url_result drop_last(struct writer *w)
{
    if (w->count == 0) {
        return URL_ABOVE_ROOT;
    }
    size_t at = w->segment - 1;
    while (w->out[at - 1] != '/') {
        at--;
    }
    w->segment = at;
    w->count--;
    return URL_OK;
}

/* Ends the open segment; `slash`: one follows, else the path ends here. */
static enum url_result close_segment(struct writer *w, bool slash)
{
    enum url_result result = URL_OK;
    assert(w->segment > 0 && w->out[w->segment - 1] == '/');
    if (w->at == w->segment || segment_is(w, SLICE_LIT("."))) {
        w->at = w->segment;
    } else if (segment_is(w, SLICE_LIT(".."))) {
        result = drop_last(w);
        w->at = w->segment;
    } else {
        w->count++;
        if (w->rules->segment_chars_max != 0 && w->chars > w->rules->segment_chars_max) {
            result = URL_SEGMENT_LONG;
        } else if (w->rules->segment_count_max != 0 && w->count > w->rules->segment_count_max) {
            result = URL_SEGMENT_MANY;
        }
        if (slash) {
            w->out[w->at++] = '/';
        }
        w->segment = w->at;
    }
    w->chars = 0;
    return result;
}

enum url_result url_cook_path(struct slice in, const struct url_rules *rules, char *out,
                              size_t *out_bytes)
{
    if (in.len == 0 || in.p[0] != '/') {
        return URL_BAD_TARGET;
    }
    struct reader r = {in.p + 1, in.p + in.len, rules == NULL ? &default_rules : rules};
    struct writer w = {.out = out, .segment = 1, .at = 1, .rules = r.rules};
    out[0] = '/';
    while (r.p < r.end) {
        uint32_t code_point = 0;
        enum url_result result = take_code_point(&r, &code_point);
        if (result == URL_OK && (code_point == '/' || code_point == '\\')) {
            result = close_segment(&w, true);
        } else if (result == URL_OK) {
            w.at += utf8_encode(code_point, out + w.at);
            w.chars += code_point > 0xffff ? 2 : 1;
        }
        if (result != URL_OK) {
            return result;
        }
    }
    enum url_result result = close_segment(&w, false);
    *out_bytes = w.at;
    assert(w.at <= in.len);
    return result;
}

/* --- whole URLs --------------------------------------------------------------------- */

struct parts {
    struct slice host;
    struct slice path;
    struct slice query;
    bool https;
};

/* Whether the path up to the query has nothing to decode, to remove or to limit. path_len: its
 * length if so. */
static bool is_plain(struct slice target, const struct url_rules *rules, size_t *path_len)
{
    const char *p = target.p;
    const char *end = target.p + target.len;
    while (p < end) {
        if (h1_is_plain_byte((unsigned char)*p)) {
            p++;
        } else if (*p == '/' && (p + 1 == end || (p[1] != '/' && p[1] != '.'))) {
            p++;
        } else {
            break;
        }
    }
    *path_len = (size_t)(p - target.p);
    bool within = (rules->segment_chars_max == 0 || *path_len <= rules->segment_chars_max) &&
                  (rules->segment_count_max == 0 || *path_len <= rules->segment_count_max);
    return within && (p == end || *p == '?');
}

static void split_query(struct slice target, struct parts *parts)
{
    const char *mark = target.len == 0 ? NULL : memchr(target.p, '?', target.len);
    size_t path_len = mark == NULL ? target.len : (size_t)(mark - target.p);
    parts->path = slice_make(target.p, path_len);
    parts->query = slice_make(target.p + path_len, target.len - path_len);
}

static bool split_absolute(struct slice target, const char *colon, struct parts *parts)
{
    struct url_host host;
    struct slice scheme = slice_make(target.p, (size_t)(colon - target.p));
    const char *end = target.p + target.len;
    const char *host_end = colon + 3;
    parts->https = slice_equal_nocase(scheme, SLICE_LIT("https"));
    if (!parts->https && !slice_equal_nocase(scheme, SLICE_LIT("http"))) {
        return false;
    }
    while (host_end < end && *host_end != '/' && *host_end != '?') {
        host_end++;
    }
    parts->host = slice_make(colon + 3, (size_t)(host_end - colon - 3));
    split_query(slice_make(host_end, (size_t)(end - host_end)), parts);
    if (parts->path.len == 0) {
        parts->path = SLICE_LIT("/");
    }
    return url_parse_host(parts->host, &host);
}

/* The forms of RFC 9112 3.2 other than a plain path. */
static enum url_result split_target(const struct url_cook_in *in, struct parts *parts)
{
    struct slice target = in->target;
    struct url_host host;
    if (target.len == 0) {
        return URL_BAD_TARGET;
    }
    if (target.p[0] == '/') {
        split_query(target, parts);
        return URL_OK;
    }
    if (slice_equal(target, SLICE_LIT("*"))) {
        parts->path = SLICE_LIT("/*");
        return URL_OK;
    }
    const char *colon = memchr(target.p, ':', target.len);
    if (colon == NULL) {
        return URL_BAD_TARGET;
    }
    if (target.p + target.len - colon >= 3 && colon[1] == '/' && colon[2] == '/') {
        return split_absolute(target, colon, parts) ? URL_OK : URL_BAD_HOST;
    }
    parts->host = target;
    parts->path = SLICE_LIT("/");
    return url_parse_host(target, &host) && host.has_port ? URL_OK : URL_BAD_TARGET;
}

size_t url_cook_bound(const struct url_cook_in *in)
{
    return sizeof("https://") + in->host.len + in->target.len + 1;
}

static char *put(char *at, struct slice text)
{
    if (text.len > 0) {
        memcpy(at, text.p, text.len);
    }
    return at + text.len;
}

enum url_result url_cook(const struct url_cook_in *in, char *out, size_t out_cap,
                         struct url_cooked *result)
{
    const struct url_rules *rules = in->rules == NULL ? &default_rules : in->rules;
    struct parts parts = {.host = in->host, .https = in->https};
    size_t path_len = 0;
    bool plain =
        in->target.len > 0 && in->target.p[0] == '/' && is_plain(in->target, rules, &path_len);
    if (out_cap < url_cook_bound(in)) {
        return URL_NO_SPACE;
    }
    if (plain) {
        parts.path = slice_make(in->target.p, path_len);
        parts.query = slice_make(in->target.p + path_len, in->target.len - path_len);
    } else {
        enum url_result split = split_target(in, &parts);
        if (split != URL_OK) {
            return split;
        }
    }
    if (parts.host.len == 0) {
        return URL_BAD_HOST;
    }
    char *host_at = put(out, parts.https ? SLICE_LIT("https://") : SLICE_LIT("http://"));
    char *path_at = put(host_at, parts.host);
    if (plain) {
        (void)put(path_at, parts.path); /* its end is path_len away, as in the other case */
    } else {
        enum url_result cooked = url_cook_path(parts.path, rules, path_at, &path_len);
        if (cooked != URL_OK) {
            return cooked;
        }
    }
    char *query_at = path_at + path_len;
    char *end = put(query_at, parts.query);
    *end = '\0';
    assert((size_t)(end - out) < out_cap);
    result->full_bytes = (uint32_t)(end - out);
    result->host_at = (uint32_t)(host_at - out);
    result->host_bytes = (uint32_t)parts.host.len;
    result->path_at = (uint32_t)(path_at - out);
    result->path_bytes = (uint32_t)(query_at - path_at);
    result->query_at = (uint32_t)(query_at - out);
    result->query_bytes = (uint32_t)parts.query.len;
    return URL_OK;
}

const char *url_result_text(enum url_result result)
{
    static const char *const texts[URL_RESULT_COUNT] = {
        [URL_OK] = "well formed",
        [URL_BAD_TARGET] = "the request target is no path, no URL and no host:port",
        [URL_BAD_HOST] = "the host is missing or malformed",
        [URL_BAD_ESCAPE] = "% is not followed by two hexadecimal digits",
        [URL_BAD_UTF8] = "the decoded path is not UTF-8",
        [URL_NUL] = "the decoded path has a NUL",
        [URL_RESTRICTED] = "the decoded path has a control character",
        [URL_ABOVE_ROOT] = "`..` leaves the root",
        [URL_SEGMENT_LONG] = "a path segment is too long",
        [URL_SEGMENT_MANY] = "the path has too many segments",
        [URL_NO_SPACE] = "the buffer is too small",
    };
    assert(result < URL_RESULT_COUNT);
    return texts[result];
}
