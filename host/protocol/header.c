#include "protocol/header.h"

#include <assert.h>

#include "protocol/h1bytes.h"

/* Every known name, at the place its length, first and last letter give. That no two names share
 * a place was found by search and is proven by the test, which looks every name up. */
#define PLACES         128
#define NAME_BYTES_MAX 19 /* If-Unmodified-Since, Proxy-Authorization */

struct place {
    const char *name; /* NULL: nobody lives here */
    uint8_t len;
    int8_t request;
    int8_t response;
};

static const struct place places[PLACES] = {
    [3] = {"Last-Modified", 13, H_LAST_MODIFIED, H_LAST_MODIFIED},
    [4] = {"Max-Forwards", 12, H_MAX_FORWARDS, H_UNKNOWN},
    [6] = {"Set-Cookie", 10, H_UNKNOWN, H_SET_COOKIE},
    [8] = {"Location", 8, H_UNKNOWN, H_LOCATION},
    [9] = {"Upgrade", 7, H_UPGRADE, H_UPGRADE},
    [10] = {"Accept-Charset", 14, H_ACCEPT_CHARSET, H_UNKNOWN},
    [13] = {"Proxy-Authorization", 19, H_PROXY_AUTHORIZATION, H_UNKNOWN},
    [15] = {"Translate", 9, H_TRANSLATE, H_UNKNOWN},
    [16] = {"If-Match", 8, H_IF_MATCH, H_UNKNOWN},
    [18] = {"Accept", 6, H_ACCEPT, H_UNKNOWN},
    [20] = {"Vary", 4, H_UNKNOWN, H_VARY},
    [21] = {"Content-MD5", 11, H_CONTENT_MD5, H_CONTENT_MD5},
    [23] = {"Transfer-Encoding", 17, H_TRANSFER_ENCODING, H_TRANSFER_ENCODING},
    [27] = {"Allow", 5, H_ALLOW, H_ALLOW},
    [28] = {"Host", 4, H_HOST, H_UNKNOWN},
    [29] = {"If-Unmodified-Since", 19, H_IF_UNMODIFIED_SINCE, H_UNKNOWN},
    [33] = {"Accept-Language", 15, H_ACCEPT_LANGUAGE, H_UNKNOWN},
    [35] = {"Range", 5, H_RANGE, H_UNKNOWN},
    [36] = {"Content-Type", 12, H_CONTENT_TYPE, H_CONTENT_TYPE},
    [38] = {"TE", 2, H_TE, H_UNKNOWN},
    [40] = {"Content-Location", 16, H_CONTENT_LOCATION, H_CONTENT_LOCATION},
    [41] = {"Referer", 7, H_REFERER, H_UNKNOWN},
    [46] = {"User-Agent", 10, H_USER_AGENT, H_UNKNOWN},
    [49] = {"Accept-Encoding", 15, H_ACCEPT_ENCODING, H_UNKNOWN},
    [50] = {"Server", 6, H_UNKNOWN, H_SERVER},
    [51] = {"Content-Range", 13, H_CONTENT_RANGE, H_CONTENT_RANGE},
    [52] = {"From", 4, H_FROM, H_UNKNOWN},
    [54] = {"Proxy-Authenticate", 18, H_UNKNOWN, H_PROXY_AUTHENTICATE},
    [64] = {"WWW-Authenticate", 16, H_UNKNOWN, H_WWW_AUTHENTICATE},
    [68] = {"Date", 4, H_DATE, H_DATE},
    [69] = {"Via", 3, H_VIA, H_VIA},
    [70] = {"Keep-Alive", 10, H_KEEP_ALIVE, H_KEEP_ALIVE},
    [73] = {"Warning", 7, H_WARNING, H_WARNING},
    [74] = {"Cookie", 6, H_COOKIE, H_UNKNOWN},
    [75] = {"Authorization", 13, H_AUTHORIZATION, H_UNKNOWN},
    [78] = {"Connection", 10, H_CONNECTION, H_CONNECTION},
    [89] = {"Trailer", 7, H_TRAILER, H_TRAILER},
    [90] = {"Content-Length", 14, H_CONTENT_LENGTH, H_CONTENT_LENGTH},
    [91] = {"If-None-Match", 13, H_IF_NONE_MATCH, H_UNKNOWN},
    [96] = {"Content-Language", 16, H_CONTENT_LANGUAGE, H_CONTENT_LANGUAGE},
    [98] = {"Pragma", 6, H_PRAGMA, H_PRAGMA},
    [101] = {"Retry-After", 11, H_UNKNOWN, H_RETRY_AFTER},
    [107] = {"Cache-Control", 13, H_CACHE_CONTROL, H_CACHE_CONTROL},
    [108] = {"ETag", 4, H_UNKNOWN, H_ETAG},
    [109] = {"Age", 3, H_UNKNOWN, H_AGE},
    [112] = {"Content-Encoding", 16, H_CONTENT_ENCODING, H_CONTENT_ENCODING},
    [114] = {"Expect", 6, H_EXPECT, H_UNKNOWN},
    [115] = {"Accept-Ranges", 13, H_UNKNOWN, H_ACCEPT_RANGES},
    [120] = {"If-Range", 8, H_IF_RANGE, H_UNKNOWN},
    [121] = {"Expires", 7, H_EXPIRES, H_EXPIRES},
    [127] = {"If-Modified-Since", 17, H_IF_MODIFIED_SINCE, H_UNKNOWN},
};

static uint64_t load_8(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

static uint64_t load_4(const char *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

/* 0 when eight bytes are equal but for the case of letters. Known names hold letters, `-` and
 * `5` only; of these just letters have bit 6, so that only they may differ in bit 5. */
static uint64_t differ(uint64_t sent, uint64_t known)
{
    return (sent ^ known) & ~((known & 0x4040404040404040U) >> 1);
}

/* a and b have `len` bytes, at most NAME_BYTES_MAX; no byte outside is read. */
static bool same_name(const char *a, const char *b, size_t len)
{
    if (len >= 8) {
        uint64_t all =
            differ(load_8(a), load_8(b)) | differ(load_8(a + len - 8), load_8(b + len - 8));
        return len <= 16 ? all == 0 : (all | differ(load_8(a + 8), load_8(b + 8))) == 0;
    }
    if (len >= 4) {
        return (differ(load_4(a), load_4(b)) | differ(load_4(a + len - 4), load_4(b + len - 4))) ==
               0;
    }
    for (size_t i = 0; i < len; i++) {
        if (differ((unsigned char)a[i], (unsigned char)b[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* NULL when the name is not known. */
static const struct place *find(struct slice name)
{
    if (name.len == 0 || name.len > NAME_BYTES_MAX) {
        return NULL;
    }
    unsigned first = (unsigned char)name.p[0] | 0x20U;
    unsigned last = (unsigned char)name.p[name.len - 1] | 0x20U;
    const struct place *place = &places[((unsigned)name.len * 15 + first * 24 + last * 8) % PLACES];
    if (place->len != name.len || !same_name(name.p, place->name, name.len)) {
        return NULL;
    }
    return place;
}

int header_request_id(struct slice name)
{
    const struct place *place = find(name);
    return place == NULL ? H_UNKNOWN : place->request;
}

int header_response_id(struct slice name)
{
    const struct place *place = find(name);
    return place == NULL ? H_UNKNOWN : place->response;
}

#define COMMON_NAMES                                                                               \
    [H_CACHE_CONTROL] = SLICE_INIT("Cache-Control"), [H_CONNECTION] = SLICE_INIT("Connection"),    \
    [H_DATE] = SLICE_INIT("Date"), [H_KEEP_ALIVE] = SLICE_INIT("Keep-Alive"),                      \
    [H_PRAGMA] = SLICE_INIT("Pragma"), [H_TRAILER] = SLICE_INIT("Trailer"),                        \
    [H_TRANSFER_ENCODING] = SLICE_INIT("Transfer-Encoding"), [H_UPGRADE] = SLICE_INIT("Upgrade"),  \
    [H_VIA] = SLICE_INIT("Via"), [H_WARNING] = SLICE_INIT("Warning"),                              \
    [H_ALLOW] = SLICE_INIT("Allow"), [H_CONTENT_LENGTH] = SLICE_INIT("Content-Length"),            \
    [H_CONTENT_TYPE] = SLICE_INIT("Content-Type"),                                                 \
    [H_CONTENT_ENCODING] = SLICE_INIT("Content-Encoding"),                                         \
    [H_CONTENT_LANGUAGE] = SLICE_INIT("Content-Language"),                                         \
    [H_CONTENT_LOCATION] = SLICE_INIT("Content-Location"),                                         \
    [H_CONTENT_MD5] = SLICE_INIT("Content-MD5"), [H_CONTENT_RANGE] = SLICE_INIT("Content-Range"),  \
    [H_EXPIRES] = SLICE_INIT("Expires"), [H_LAST_MODIFIED] = SLICE_INIT("Last-Modified")

static const struct slice request_names[H_REQUEST_COUNT] = {
    COMMON_NAMES,
    [H_ACCEPT] = SLICE_INIT("Accept"),
    [H_ACCEPT_CHARSET] = SLICE_INIT("Accept-Charset"),
    [H_ACCEPT_ENCODING] = SLICE_INIT("Accept-Encoding"),
    [H_ACCEPT_LANGUAGE] = SLICE_INIT("Accept-Language"),
    [H_AUTHORIZATION] = SLICE_INIT("Authorization"),
    [H_COOKIE] = SLICE_INIT("Cookie"),
    [H_EXPECT] = SLICE_INIT("Expect"),
    [H_FROM] = SLICE_INIT("From"),
    [H_HOST] = SLICE_INIT("Host"),
    [H_IF_MATCH] = SLICE_INIT("If-Match"),
    [H_IF_MODIFIED_SINCE] = SLICE_INIT("If-Modified-Since"),
    [H_IF_NONE_MATCH] = SLICE_INIT("If-None-Match"),
    [H_IF_RANGE] = SLICE_INIT("If-Range"),
    [H_IF_UNMODIFIED_SINCE] = SLICE_INIT("If-Unmodified-Since"),
    [H_MAX_FORWARDS] = SLICE_INIT("Max-Forwards"),
    [H_PROXY_AUTHORIZATION] = SLICE_INIT("Proxy-Authorization"),
    [H_REFERER] = SLICE_INIT("Referer"),
    [H_RANGE] = SLICE_INIT("Range"),
    [H_TE] = SLICE_INIT("TE"),
    [H_TRANSLATE] = SLICE_INIT("Translate"),
    [H_USER_AGENT] = SLICE_INIT("User-Agent"),
};

static const struct slice response_names[H_RESPONSE_COUNT] = {
    COMMON_NAMES,
    [H_ACCEPT_RANGES] = SLICE_INIT("Accept-Ranges"),
    [H_AGE] = SLICE_INIT("Age"),
    [H_ETAG] = SLICE_INIT("ETag"),
    [H_LOCATION] = SLICE_INIT("Location"),
    [H_PROXY_AUTHENTICATE] = SLICE_INIT("Proxy-Authenticate"),
    [H_RETRY_AFTER] = SLICE_INIT("Retry-After"),
    [H_SERVER] = SLICE_INIT("Server"),
    [H_SET_COOKIE] = SLICE_INIT("Set-Cookie"),
    [H_VARY] = SLICE_INIT("Vary"),
    [H_WWW_AUTHENTICATE] = SLICE_INIT("WWW-Authenticate"),
};

struct slice header_request_name(int id)
{
    assert(id >= 0 && id < H_REQUEST_COUNT);
    return request_names[id];
}

struct slice header_response_name(int id)
{
    assert(id >= 0 && id < H_RESPONSE_COUNT);
    return response_names[id];
}

bool header_is_token(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!h1_is_token_byte((unsigned char)text.p[i])) {
            return false;
        }
    }
    return text.len > 0;
}

bool header_is_field_value(struct slice text)
{
    return h1_find_control(text.p, text.p + text.len) == text.p + text.len;
}
