/* Known header fields: name -> id and back, and the checks for what an application wants to send.
 *
 * The ids are the numbers of HTTP_HEADER_ID in the contract (api/httpapi.h), so an id indexes
 * KnownHeaders[] directly. Numbers 0..19 mean the same in requests and responses; from 20 on a
 * number means one name in a request and another in a response, hence two pairs of functions.
 * No state, no allocation; any thread. A look-up costs a few nanoseconds and no branch per byte. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

enum h_id {
    H_UNKNOWN = -1,
    /* requests and responses */
    H_CACHE_CONTROL = 0,
    H_CONNECTION = 1,
    H_DATE = 2,
    H_KEEP_ALIVE = 3,
    H_PRAGMA = 4,
    H_TRAILER = 5,
    H_TRANSFER_ENCODING = 6,
    H_UPGRADE = 7,
    H_VIA = 8,
    H_WARNING = 9,
    H_ALLOW = 10,
    H_CONTENT_LENGTH = 11,
    H_CONTENT_TYPE = 12,
    H_CONTENT_ENCODING = 13,
    H_CONTENT_LANGUAGE = 14,
    H_CONTENT_LOCATION = 15,
    H_CONTENT_MD5 = 16,
    H_CONTENT_RANGE = 17,
    H_EXPIRES = 18,
    H_LAST_MODIFIED = 19,
    /* requests only */
    H_ACCEPT = 20,
    H_ACCEPT_CHARSET = 21,
    H_ACCEPT_ENCODING = 22,
    H_ACCEPT_LANGUAGE = 23,
    H_AUTHORIZATION = 24,
    H_COOKIE = 25,
    H_EXPECT = 26,
    H_FROM = 27,
    H_HOST = 28,
    H_IF_MATCH = 29,
    H_IF_MODIFIED_SINCE = 30,
    H_IF_NONE_MATCH = 31,
    H_IF_RANGE = 32,
    H_IF_UNMODIFIED_SINCE = 33,
    H_MAX_FORWARDS = 34,
    H_PROXY_AUTHORIZATION = 35,
    H_REFERER = 36,
    H_RANGE = 37,
    H_TE = 38,
    H_TRANSLATE = 39,
    H_USER_AGENT = 40,
    H_REQUEST_COUNT = 41,
    /* responses only */
    H_ACCEPT_RANGES = 20,
    H_AGE = 21,
    H_ETAG = 22,
    H_LOCATION = 23,
    H_PROXY_AUTHENTICATE = 24,
    H_RETRY_AFTER = 25,
    H_SERVER = 26,
    H_SET_COOKIE = 27,
    H_VARY = 28,
    H_WWW_AUTHENTICATE = 29,
    H_RESPONSE_COUNT = 30
};

/* The id of a field name in a request (0..40) or H_UNKNOWN. Case does not matter (RFC 9110 5.1). */
int header_request_id(struct slice name);

/* The id of a field name in a response (0..29) or H_UNKNOWN. */
int header_response_id(struct slice name);

/* The usual spelling of a request id / response id; static storage, also NUL-terminated.
 * An id outside the table is a programming error (asserted). */
struct slice header_request_name(int id);
struct slice header_response_name(int id);

/* Whether `text` is a token (RFC 9110 5.6.2), that is a legal field name or method: not empty. */
bool header_is_token(struct slice text);

/* Whether `text` may be sent as a field value (RFC 9110 5.5): no CR, LF, NUL or other control byte
 * but HTAB. Empty is legal. Surrounding white space is the sender's business. */
bool header_is_field_value(struct slice text);
