#include "binding/prefix.h"

#include <assert.h>

static bool take(struct slice *s, struct slice literal)
{
    if (!slice_starts_with(*s, literal)) {
        return false;
    }
    s->p += literal.len;
    s->len -= literal.len;
    return true;
}

static bool is_host_byte(unsigned char c)
{
    /* Bytes above ASCII are letters of an internationalised name; the provider converts them. */
    return (unsigned char)(slice_lower(c) - 'a') < 26 || (unsigned char)(c - '0') < 10 ||
           c == '-' || c == '.' || c == '_' || c >= 0x80;
}

/* Length of the host at the start of s, 0 when there is none or it is malformed. */
static size_t host_length(struct slice s)
{
    if (s.len > 0 && (s.p[0] == '+' || s.p[0] == '*')) {
        return 1;
    }
    if (s.len > 0 && s.p[0] == '[') {
        const char *end = memchr(s.p, ']', s.len);
        return end == NULL || end == s.p + 1 ? 0 : (size_t)(end - s.p) + 1;
    }
    size_t n = 0;
    while (n < s.len && is_host_byte((unsigned char)s.p[n])) {
        n++;
    }
    return n;
}

/* Reads ":port" off the start of s. */
static const char *take_port(struct slice *s, uint16_t *port)
{
    if (s->len == 0 || s->p[0] != ':') {
        return "the port is missing";
    }
    uint32_t value = 0;
    size_t n = 1;
    while (n < s->len && (unsigned char)(s->p[n] - '0') < 10 && value <= UINT16_MAX) {
        value = value * 10 + (uint32_t)(s->p[n] - '0');
        n++;
    }
    if (n == 1 || value == 0 || value > UINT16_MAX || s->p[1] == '0') {
        return "the port must be a number from 1 to 65535";
    }
    *port = (uint16_t)value;
    s->p += n;
    s->len -= n;
    return NULL;
}

/* Whether s begins with a whole segment "." or "..". */
static bool is_dot_segment(struct slice s)
{
    size_t dots = s.len > 1 && s.p[1] == '.' ? 2 : 1;
    return s.len == dots || s.p[dots] == '/';
}

static const char *judge_path(struct slice path)
{
    if (path.len == 0 || path.p[0] != '/') {
        return "a slash must follow the port";
    }
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.p[i];
        if (c == '?' || c == '#') {
            return "a prefix has no query and no fragment";
        }
        if (c <= ' ' || c == 0x7f || c == '\\') {
            return "the path has a space, a backslash or a control character";
        }
        if (c == '/' && i > 0 && path.p[i - 1] == '/') {
            return "the path has an empty segment";
        }
        if (c == '.' && path.p[i - 1] == '/' &&
            is_dot_segment(slice_make(path.p + i, path.len - i))) {
            return "the path has a segment . or ..";
        }
    }
    return NULL;
}

static uint32_t count_segments(struct slice path)
{
    uint32_t count = 0;
    for (size_t i = 0; i + 1 < path.len; i++) {
        count += path.p[i] == '/';
    }
    return count;
}

ULONG prefix_parse(struct slice text, struct prefix *out, const char **why)
{
    assert(out != NULL && why != NULL);
    struct slice rest = text;
    *out = (struct prefix){.bare = text.len > 0 && text.p[0] == '/'};
    *why = NULL;
    if (!out->bare) {
        if (!take(&rest, SLICE_LIT("http://")) && !take(&rest, SLICE_LIT("https://"))) {
            *why = "it must begin with http://, https:// or a slash";
            return ERROR_INVALID_PARAMETER;
        }
        size_t host = host_length(rest);
        if (host == 0) {
            *why = "the host is missing or malformed";
            return ERROR_INVALID_PARAMETER;
        }
        rest.p += host;
        rest.len -= host;
        *why = take_port(&rest, &out->port);
        if (*why != NULL) {
            return ERROR_INVALID_PARAMETER;
        }
        out->base = slice_make(text.p, text.len - rest.len);
    }
    *why = judge_path(rest);
    if (*why != NULL) {
        return ERROR_INVALID_PARAMETER;
    }
    out->path = rest;
    out->segments = count_segments(rest);
    return NO_ERROR;
}

size_t prefix_write_key(struct slice base, struct slice path, char *out, size_t cap)
{
    bool slash = path.len == 0 || path.p[path.len - 1] != '/';
    size_t len = base.len + path.len + slash;
    if (cap == 0 || len > cap - 1) {
        return 0;
    }
    size_t n = 0;
    for (size_t i = 0; i < base.len; i++) {
        out[n++] = (char)slice_lower((unsigned char)base.p[i]);
    }
    for (size_t i = 0; i < path.len; i++) {
        out[n++] = (char)slice_lower((unsigned char)path.p[i]);
    }
    if (slash) {
        out[n++] = '/';
    }
    out[n] = '\0';
    assert(n == len);
    return n;
}
