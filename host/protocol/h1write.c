#include "protocol/h1write.h"

#include <assert.h>

#include "protocol/date.h"

#define STATUS_FIRST 100
#define STATUS_END   600

static const struct slice reasons[STATUS_END - STATUS_FIRST] = {
#define ROW(status, text) [(status)-STATUS_FIRST] = SLICE_INIT(text)
    ROW(100, "Continue"),
    ROW(101, "Switching Protocols"),
    ROW(102, "Processing"),
    ROW(103, "Early Hints"),
    ROW(200, "OK"),
    ROW(201, "Created"),
    ROW(202, "Accepted"),
    ROW(203, "Non-Authoritative Information"),
    ROW(204, "No Content"),
    ROW(205, "Reset Content"),
    ROW(206, "Partial Content"),
    ROW(207, "Multi-Status"),
    ROW(208, "Already Reported"),
    ROW(226, "IM Used"),
    ROW(300, "Multiple Choices"),
    ROW(301, "Moved Permanently"),
    ROW(302, "Found"),
    ROW(303, "See Other"),
    ROW(304, "Not Modified"),
    ROW(305, "Use Proxy"),
    ROW(307, "Temporary Redirect"),
    ROW(308, "Permanent Redirect"),
    ROW(400, "Bad Request"),
    ROW(401, "Unauthorized"),
    ROW(402, "Payment Required"),
    ROW(403, "Forbidden"),
    ROW(404, "Not Found"),
    ROW(405, "Method Not Allowed"),
    ROW(406, "Not Acceptable"),
    ROW(407, "Proxy Authentication Required"),
    ROW(408, "Request Timeout"),
    ROW(409, "Conflict"),
    ROW(410, "Gone"),
    ROW(411, "Length Required"),
    ROW(412, "Precondition Failed"),
    ROW(413, "Content Too Large"),
    ROW(414, "URI Too Long"),
    ROW(415, "Unsupported Media Type"),
    ROW(416, "Range Not Satisfiable"),
    ROW(417, "Expectation Failed"),
    ROW(421, "Misdirected Request"),
    ROW(422, "Unprocessable Content"),
    ROW(423, "Locked"),
    ROW(424, "Failed Dependency"),
    ROW(425, "Too Early"),
    ROW(426, "Upgrade Required"),
    ROW(428, "Precondition Required"),
    ROW(429, "Too Many Requests"),
    ROW(431, "Request Header Fields Too Large"),
    ROW(451, "Unavailable For Legal Reasons"),
    ROW(500, "Internal Server Error"),
    ROW(501, "Not Implemented"),
    ROW(502, "Bad Gateway"),
    ROW(503, "Service Unavailable"),
    ROW(504, "Gateway Timeout"),
    ROW(505, "HTTP Version Not Supported"),
    ROW(506, "Variant Also Negotiates"),
    ROW(507, "Insufficient Storage"),
    ROW(508, "Loop Detected"),
    ROW(510, "Not Extended"),
    ROW(511, "Network Authentication Required"),
#undef ROW
};

struct slice status_reason(int status)
{
    if (status < STATUS_FIRST || status >= STATUS_END || reasons[status - STATUS_FIRST].len == 0) {
        return SLICE_LIT("Unknown");
    }
    return reasons[status - STATUS_FIRST];
}

static char *put(char *at, struct slice text)
{
    if (text.len > 0) {
        memcpy(at, text.p, text.len);
    }
    return at + text.len;
}

char *h1_write_status(char *at, unsigned status, struct slice reason)
{
    assert(status >= STATUS_FIRST && status <= 999);
    memcpy(at, "HTTP/1.1 ", 9);
    at[9] = (char)('0' + status / 100);
    at[10] = (char)('0' + status / 10 % 10);
    at[11] = (char)('0' + status % 10);
    at[12] = ' ';
    at = put(at + 13, reason);
    return h1_write_end(at);
}

char *h1_write_status_known(char *at, unsigned status)
{
    switch (status) {
    case 200: return put(at, SLICE_LIT("HTTP/1.1 200 OK\r\n"));
    case 204: return put(at, SLICE_LIT("HTTP/1.1 204 No Content\r\n"));
    case 304: return put(at, SLICE_LIT("HTTP/1.1 304 Not Modified\r\n"));
    case 404: return put(at, SLICE_LIT("HTTP/1.1 404 Not Found\r\n"));
    default: return h1_write_status(at, status, status_reason((int)status));
    }
}

char *h1_write_header(char *at, struct slice name, struct slice value)
{
    at = put(at, name);
    *at++ = ':';
    *at++ = ' ';
    at = put(at, value);
    return h1_write_end(at);
}

char *h1_write_length(char *at, uint64_t length)
{
    at = h1_write_decimal(put(at, SLICE_LIT("Content-Length: ")), length);
    return h1_write_end(at);
}

char *h1_write_date(char *at, const char *imf_fixdate)
{
    memcpy(at, "Date: ", 6);
    memcpy(at + 6, imf_fixdate, DATE_BYTES);
    return h1_write_end(at + 6 + DATE_BYTES);
}

char *h1_write_chunked(char *at)
{
    return put(at, SLICE_LIT("Transfer-Encoding: chunked\r\n"));
}

char *h1_write_close(char *at)
{
    return put(at, SLICE_LIT("Connection: close\r\n"));
}

char *h1_write_keep_alive(char *at)
{
    return put(at, SLICE_LIT("Connection: keep-alive\r\n"));
}

char *h1_write_end(char *at)
{
    at[0] = '\r';
    at[1] = '\n';
    return at + 2;
}

struct slice h1_continue(void)
{
    return SLICE_LIT("HTTP/1.1 100 Continue\r\n\r\n");
}

char *h1_write_chunk_size(char *at, uint64_t size)
{
    assert(size > 0);
    return h1_write_end(h1_write_hex(at, size));
}

char *h1_write_last_chunk(char *at)
{
    return put(at, SLICE_LIT("0\r\n\r\n"));
}

char *h1_write_chunk_zero(char *at)
{
    return put(at, SLICE_LIT("0\r\n"));
}

char *h1_write_decimal(char *at, uint64_t value)
{
    char digits[H1_DECIMAL_BOUND];
    size_t first = sizeof(digits);
    do {
        digits[--first] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return put(at, slice_make(digits + first, sizeof(digits) - first));
}

char *h1_write_hex(char *at, uint64_t value)
{
    unsigned bits = value == 0 ? 1 : 64 - (unsigned)__builtin_clzll(value);
    unsigned digits = (bits + 3) / 4;
    for (unsigned i = digits; i-- > 0; value >>= 4) {
        at[i] = "0123456789abcdef"[value & 15];
    }
    return at + digits;
}
