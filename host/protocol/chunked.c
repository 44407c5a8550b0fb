#include "protocol/chunked.h"

#include <assert.h>

#include "protocol/h1bytes.h"
#include "protocol/header.h"

static const struct chunked_limits default_limits = {
    CHUNKED_EXTENSION_BYTES_MAX, CHUNKED_TRAILER_BYTES_MAX, CHUNKED_TRAILER_COUNT_MAX};

/* The changes of state that chunked.h draws. */
static bool may_follow(enum chunked_state from, enum chunked_state to)
{
    switch (to) {
    case CHUNKED_AT_SIZE_START: return from == CHUNKED_AT_DATA_LF;
    case CHUNKED_AT_SIZE: return from == CHUNKED_AT_SIZE_START;
    case CHUNKED_AT_EXTENSION: return from == CHUNKED_AT_SIZE;
    case CHUNKED_AT_SIZE_LF: return from == CHUNKED_AT_SIZE || from == CHUNKED_AT_EXTENSION;
    case CHUNKED_AT_DATA:
    case CHUNKED_AT_TRAILERS: return from == CHUNKED_AT_SIZE_LF;
    case CHUNKED_AT_DATA_CR: return from == CHUNKED_AT_DATA;
    case CHUNKED_AT_DATA_LF: return from == CHUNKED_AT_DATA_CR;
    case CHUNKED_AT_DONE: return from == CHUNKED_AT_TRAILERS;
    case CHUNKED_AT_REFUSED: return from != CHUNKED_AT_DONE && from != CHUNKED_AT_REFUSED;
    }
    return false;
}

/* The only place that changes the state. */
static void enter(struct chunked *c, enum chunked_state next)
{
    assert(may_follow((enum chunked_state)c->state, next));
    (void)may_follow; /* without asserts nobody else asks */
    c->state = (uint8_t)next;
}

static void reject(struct chunked *c, enum h1_rule rule)
{
    c->refused = (uint8_t)rule;
    enter(c, CHUNKED_AT_REFUSED);
}

void chunked_init(struct chunked *c, const struct chunked_limits *limits)
{
    *c = (struct chunked){.limits = limits == NULL ? &default_limits : limits};
    assert(c->limits->trailer_count_max <= CHUNKED_TRAILER_COUNT_MAX);
    assert(c->state == CHUNKED_AT_SIZE_START);
}

/* --- the size line: one byte a call; the result says whether the byte was used ------ */

static bool size_start(struct chunked *c, unsigned char byte)
{
    if (H1_BREAKS(H1_RULE_CHUNK_SIZE_MISSING, h1_hex_value(byte) > 15)) {
        reject(c, H1_RULE_CHUNK_SIZE_MISSING);
        return false;
    }
    c->left = 0;
    c->digits = 0;
    c->extension = 0;
    enter(c, CHUNKED_AT_SIZE);
    return false;
}

/* The CR of a size line, or what stands there instead. */
static bool size_cr(struct chunked *c, unsigned char byte)
{
    if (H1_BREAKS(H1_RULE_CHUNK_SIZE_LF, byte == '\n')) {
        reject(c, H1_RULE_CHUNK_SIZE_LF);
        return false;
    }
    enter(c, CHUNKED_AT_SIZE_LF);
    return byte == '\r';
}

static bool size_digit(struct chunked *c, unsigned char byte)
{
    unsigned digit = h1_hex_value(byte);
    if (digit < 16) {
        if (H1_BREAKS(H1_RULE_CHUNK_SIZE_LENGTH, c->digits == CHUNKED_SIZE_DIGITS_MAX)) {
            reject(c, H1_RULE_CHUNK_SIZE_LENGTH);
            return false;
        }
        c->left = c->left << 4 | digit;
        c->digits++;
        return true;
    }
    if (byte == '\r' || byte == '\n') {
        return size_cr(c, byte);
    }
    if (byte == ';') {
        enter(c, CHUNKED_AT_EXTENSION);
        return false;
    }
    if (H1_BREAKS(H1_RULE_CHUNK_SIZE_BYTES, true)) {
        reject(c, H1_RULE_CHUNK_SIZE_BYTES);
        return false;
    }
    return true;
}

/* Extensions are skipped, as RFC 9112 7.1.1 wants unknown ones to be. */
static bool extension_byte(struct chunked *c, unsigned char byte)
{
    if (byte == '\r' || byte == '\n') {
        return size_cr(c, byte);
    }
    if (H1_BREAKS(H1_RULE_CHUNK_EXT_BYTES, h1_is_control(byte))) {
        reject(c, H1_RULE_CHUNK_EXT_BYTES);
        return false;
    }
    if (H1_BREAKS(H1_RULE_CHUNK_EXT_LENGTH, c->extension == c->limits->extension_bytes_max)) {
        reject(c, H1_RULE_CHUNK_EXT_LENGTH);
        return false;
    }
    c->extension++;
    return true;
}

static bool size_lf(struct chunked *c, unsigned char byte)
{
    if (H1_BREAKS(H1_RULE_CHUNK_SIZE_CR, byte != '\n')) {
        reject(c, H1_RULE_CHUNK_SIZE_CR);
        return false;
    }
    c->scanned = 0;
    enter(c, c->left > 0 ? CHUNKED_AT_DATA : CHUNKED_AT_TRAILERS);
    return byte == '\n';
}

static bool data_end(struct chunked *c, unsigned char byte, char wanted, enum chunked_state next)
{
    if (H1_BREAKS(H1_RULE_CHUNK_END, byte != (unsigned char)wanted)) {
        reject(c, H1_RULE_CHUNK_END);
        return false;
    }
    enter(c, next);
    return byte == (unsigned char)wanted;
}

static bool take_byte(struct chunked *c, unsigned char byte)
{
    switch (c->state) {
    case CHUNKED_AT_SIZE_START: return size_start(c, byte);
    case CHUNKED_AT_SIZE: return size_digit(c, byte);
    case CHUNKED_AT_EXTENSION: return extension_byte(c, byte);
    case CHUNKED_AT_SIZE_LF: return size_lf(c, byte);
    case CHUNKED_AT_DATA_CR: return data_end(c, byte, '\r', CHUNKED_AT_DATA_LF);
    default:
        assert(c->state == CHUNKED_AT_DATA_LF);
        return data_end(c, byte, '\n', CHUNKED_AT_SIZE_START);
    }
}

/* --- trailers ----------------------------------------------------------------------- */

#define BIT(id) (1ULL << (id))
#define FORBIDDEN_IN_BOTH                                                                          \
    (BIT(H_CACHE_CONTROL) | BIT(H_CONNECTION) | BIT(H_DATE) | BIT(H_KEEP_ALIVE) | BIT(H_PRAGMA) |  \
     BIT(H_TRAILER) | BIT(H_TRANSFER_ENCODING) | BIT(H_UPGRADE) | BIT(H_WARNING) |                 \
     BIT(H_CONTENT_LENGTH) | BIT(H_CONTENT_TYPE) | BIT(H_CONTENT_ENCODING) |                       \
     BIT(H_CONTENT_RANGE) | BIT(H_EXPIRES))
#define FORBIDDEN_IN_REQUESTS                                                                      \
    (FORBIDDEN_IN_BOTH | BIT(H_AUTHORIZATION) | BIT(H_COOKIE) | BIT(H_EXPECT) | BIT(H_HOST) |      \
     BIT(H_IF_MATCH) | BIT(H_IF_MODIFIED_SINCE) | BIT(H_IF_NONE_MATCH) | BIT(H_IF_RANGE) |         \
     BIT(H_IF_UNMODIFIED_SINCE) | BIT(H_MAX_FORWARDS) | BIT(H_PROXY_AUTHORIZATION) |               \
     BIT(H_RANGE) | BIT(H_TE))
#define FORBIDDEN_IN_RESPONSES                                                                     \
    (FORBIDDEN_IN_BOTH | BIT(H_AGE) | BIT(H_LOCATION) | BIT(H_PROXY_AUTHENTICATE) |                \
     BIT(H_RETRY_AFTER) | BIT(H_SET_COOKIE) | BIT(H_VARY) | BIT(H_WWW_AUTHENTICATE))

bool chunked_trailer_is_allowed(struct slice name)
{
    int request = header_request_id(name);
    int response = header_response_id(name);
    return (request < 0 || (FORBIDDEN_IN_REQUESTS & BIT(request)) == 0) &&
           (response < 0 || (FORBIDDEN_IN_RESPONSES & BIT(response)) == 0);
}

/* Judges complete trailer lines. Returns whether they may stay. */
static bool check_trailers(struct chunked *c, struct slice section)
{
    struct h1_header trailers[CHUNKED_TRAILER_COUNT_MAX];
    enum h1_rule rule = H1_RULE_NONE;
    int count = h1_parse_fields(section, trailers, c->limits->trailer_count_max, &rule);
    if (count < 0 && rule != H1_RULE_HEADER_COUNT) {
        reject(c, rule);
        return false;
    }
    if (H1_BREAKS(H1_RULE_TRAILER_COUNT, count < 0)) {
        reject(c, H1_RULE_TRAILER_COUNT);
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (H1_BREAKS(H1_RULE_TRAILER_NAME, !chunked_trailer_is_allowed(trailers[i].name))) {
            reject(c, H1_RULE_TRAILER_NAME);
            return false;
        }
    }
    c->trailer_count = (uint16_t)(count < 0 ? 0 : count);
    return true;
}

/* Looks for the empty line that ends the section at in[0..len). Returns the bytes of the section's
 * lines with `*complete` set; lines ending in a bare LF are reported as the end so that they are
 * judged at once. */
static size_t find_end(struct chunked *c, const char *in, size_t len, bool *complete)
{
    const char *lf = in + c->scanned;
    *complete = false;
    while (lf < in + len && (lf = memchr(lf, '\n', (size_t)(in + len - lf))) != NULL) {
        bool bare = lf == in || lf[-1] != '\r';
        bool empty = !bare && (lf - in == 1 || lf[-2] == '\n');
        if (bare || empty) {
            *complete = true;
            return empty ? (size_t)(lf - in) - 1 : (size_t)(lf - in) + 1;
        }
        lf++;
    }
    return 0;
}

static enum chunked_result take_trailers(struct chunked *c, const char *in, size_t len,
                                         size_t *used, struct slice *data)
{
    bool complete = false;
    size_t most = (size_t)c->limits->trailer_bytes_max + 2;
    size_t lines = find_end(c, in, len < most ? len : most, &complete);
    *used = 0;
    if (!complete) {
        if (H1_BREAKS(H1_RULE_TRAILER_LENGTH, len >= most)) {
            reject(c, H1_RULE_TRAILER_LENGTH);
            return CHUNKED_REFUSED;
        }
        c->scanned = (uint32_t)(len < most ? len : most);
        return CHUNKED_NEED_MORE;
    }
    if (!check_trailers(c, slice_make(in, lines))) {
        return CHUNKED_REFUSED;
    }
    *used = lines;
    *used += *used < len && in[*used] == '\r';
    *used += *used < len && in[*used] == '\n';
    *data = slice_make(in, lines);
    enter(c, CHUNKED_AT_DONE);
    return CHUNKED_DONE;
}

int chunked_trailers(struct slice section, struct h1_header *out, uint16_t max)
{
    enum h1_rule rule = H1_RULE_NONE;
    struct h1_header all[CHUNKED_TRAILER_COUNT_MAX];
    int count = h1_parse_fields(section, all, CHUNKED_TRAILER_COUNT_MAX, &rule);
    assert(count >= 0);
    count = count < max ? count : max;
    if (count > 0) {
        memcpy(out, all, (size_t)count * sizeof(*out));
    }
    return count;
}

/* --- the decoder -------------------------------------------------------------------- */

static struct slice take_data(struct chunked *c, const char *in, size_t len)
{
    size_t n = c->left < len ? (size_t)c->left : len;
    c->left -= n;
    c->total += n;
    if (c->left == 0) {
        enter(c, CHUNKED_AT_DATA_CR);
    }
    return slice_make(in, n);
}

enum chunked_result chunked_decode(struct chunked *c, const char *in, size_t in_len, size_t *used,
                                   struct slice *data)
{
    size_t at = 0;
    *data = slice_make(NULL, 0);
    while (at < in_len && c->state < CHUNKED_AT_TRAILERS) {
        if (c->state == CHUNKED_AT_DATA) {
            *data = take_data(c, in + at, in_len - at);
            *used = at + data->len;
            return CHUNKED_DATA;
        }
        at += take_byte(c, (unsigned char)in[at]);
    }
    *used = at;
    if (c->state == CHUNKED_AT_TRAILERS && at < in_len) {
        size_t more = 0;
        enum chunked_result result = take_trailers(c, in + at, in_len - at, &more, data);
        *used += more;
        return result;
    }
    if (c->state == CHUNKED_AT_REFUSED) {
        return CHUNKED_REFUSED;
    }
    return c->state == CHUNKED_AT_DONE ? CHUNKED_DONE : CHUNKED_NEED_MORE;
}
