#include <assert.h>

#include "protocol/h1bytes.h"
#include "protocol/h1write.h"
#include "protocol/url.h"

#define IPV6_GROUPS     8
#define PORT_DIGITS_MAX 5

/* Four numbers 0..255 without leading zeros (RFC 3986 3.2.2). */
static bool parse_ipv4(struct slice text, uint8_t *address)
{
    unsigned value = 0;
    unsigned digits = 0; /* of the number that is being read */
    int number = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.p[i] - '0';
        if (digit <= 9) {
            bool zero_first = digits > 0 && value == 0;
            value = value * 10 + digit;
            digits++;
            if (zero_first || value > 255) {
                return false;
            }
        } else if (text.p[i] == '.' && digits > 0 && number < 3) {
            address[number++] = (uint8_t)value;
            value = digits = 0;
        } else {
            return false;
        }
    }
    address[number] = (uint8_t)value;
    return digits > 0 && number == 3;
}

/* Groups of an IPv6 address while they are read. */
struct groups {
    uint8_t bytes[16];
    int count; /* 16-bit groups so far */
    int gap;   /* place of `::`, -1 without */
};

/* Reads one group of 1 to 4 digits at text.p[*at]. */
static bool take_group(struct slice text, size_t *at, struct groups *g)
{
    unsigned value = 0;
    size_t start = *at;
    while (*at < text.len && *at - start < 4 && h1_hex_value((unsigned char)text.p[*at]) < 16) {
        value = value * 16 + h1_hex_value((unsigned char)text.p[*at]);
        (*at)++;
    }
    if (*at == start || g->count == IPV6_GROUPS) {
        return false;
    }
    g->bytes[g->count * 2] = (uint8_t)(value >> 8);
    g->bytes[g->count * 2 + 1] = (uint8_t)(value & 0xff);
    g->count++;
    return true;
}

static bool take_groups(struct slice text, struct groups *g)
{
    size_t at = 0;
    if (text.len >= 2 && text.p[0] == ':' && text.p[1] == ':') {
        g->gap = 0;
        at = 2;
    }
    while (at < text.len) {
        struct slice rest = slice_make(text.p + at, text.len - at);
        if (g->count <= IPV6_GROUPS - 2 && parse_ipv4(rest, g->bytes + g->count * 2)) {
            g->count += 2;
            return true;
        }
        if (!take_group(text, &at, g)) {
            return false;
        }
        if (at == text.len) {
            return true;
        }
        if (text.p[at++] != ':' || at == text.len) {
            return false;
        }
        if (text.p[at] == ':') {
            if (g->gap >= 0) {
                return false;
            }
            g->gap = g->count;
            at++;
        }
    }
    return g->gap >= 0;
}

/* RFC 4291 2.2, all three forms; no zone. */
static bool parse_ipv6(struct slice text, uint8_t *address)
{
    struct groups g = {.gap = -1};
    if (!take_groups(text, &g)) {
        return false;
    }
    bool whole = g.count == IPV6_GROUPS;
    if (g.gap < 0 ? !whole : whole) {
        return false;
    }
    size_t before = g.gap < 0 ? 16 : (size_t)g.gap * 2;
    size_t after = (size_t)g.count * 2 - (g.gap < 0 ? 16 : before);
    memset(address, 0, 16);
    memcpy(address, g.bytes, before);
    memcpy(address + 16 - after, g.bytes + before, after);
    return true;
}

/* `[:port]` behind a host. */
static bool parse_port(struct slice text, struct url_host *out)
{
    out->has_port = false;
    out->port = 0;
    if (text.len == 0) {
        return true;
    }
    if (text.p[0] != ':' || text.len > PORT_DIGITS_MAX + 1) {
        return false;
    }
    unsigned value = 0;
    for (size_t i = 1; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.p[i] - (unsigned)'0';
        if (digit > 9) {
            return false;
        }
        value = value * 10 + digit;
    }
    out->has_port = text.len > 1;
    out->port = (uint16_t)value;
    return value <= UINT16_MAX;
}

/* Everything but telling an IPv4 address from a name: what looks like one is a legal name too. */
static bool split_host(struct slice text, struct url_host *out)
{
    const char *p = text.p;
    const char *end = text.p + text.len;
    if (text.len > 0 && *p == '[') {
        const char *close = memchr(p, ']', text.len);
        out->kind = URL_HOST_IPV6;
        if (close == NULL) {
            return false;
        }
        out->host = slice_make(p + 1, (size_t)(close - p - 1));
        if (!parse_ipv6(out->host, out->address)) {
            return false;
        }
        p = close + 1;
    } else {
        while (p < end && h1_is_host_byte((unsigned char)*p)) {
            p++;
        }
        out->kind = URL_HOST_NAME;
        out->host = slice_make(text.p, (size_t)(p - text.p));
        if (out->host.len == 0 || out->host.len > URL_HOST_BYTES_MAX) {
            return false;
        }
    }
    return parse_port(slice_make(p, (size_t)(end - p)), out);
}

bool url_is_host(struct slice text)
{
    struct url_host host;
    return split_host(text, &host);
}

bool url_parse_host(struct slice text, struct url_host *out)
{
    struct url_host host = {.kind = URL_HOST_NAME};
    if (!split_host(text, &host)) {
        return false;
    }
    if (host.kind == URL_HOST_NAME && host.host.p[host.host.len - 1] <= '9' &&
        parse_ipv4(host.host, host.address)) {
        host.kind = URL_HOST_IPV4;
    }
    *out = host;
    return true;
}

static char *write_ipv4(char *at, const uint8_t *address)
{
    for (int i = 0; i < 4; i++) {
        if (i > 0) {
            *at++ = '.';
        }
        at = h1_write_decimal(at, address[i]);
    }
    return at;
}

static unsigned group_at(const uint8_t *address, int i)
{
    return (unsigned)address[2 * i] << 8 | address[2 * i + 1];
}

/* The longest run of two or more zero groups, the first of equals (RFC 5952 4.2). */
static void find_gap(const uint8_t *address, int *start, int *len)
{
    *start = -1;
    *len = 0;
    for (int i = 0; i < IPV6_GROUPS; i++) {
        int run = 0;
        while (i + run < IPV6_GROUPS && group_at(address, i + run) == 0) {
            run++;
        }
        if (run >= 2 && run > *len) {
            *start = i;
            *len = run;
        }
        i += run;
    }
}

static char *write_ipv6(char *at, const uint8_t *address)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (memcmp(address, mapped, sizeof(mapped)) == 0) {
        memcpy(at, "::ffff:", 7);
        return write_ipv4(at + 7, address + 12);
    }
    int gap = -1;
    int gap_len = 0;
    find_gap(address, &gap, &gap_len);
    for (int i = 0; i < IPV6_GROUPS; i++) {
        if (i == gap) {
            *at++ = ':';
            *at++ = ':';
            i += gap_len - 1;
            continue;
        }
        if (i > 0 && i != gap + gap_len) {
            *at++ = ':';
        }
        at = h1_write_hex(at, group_at(address, i));
    }
    return at;
}

size_t url_format_ip(int kind, const uint8_t address[16], char *out)
{
    assert(kind == URL_HOST_IPV4 || kind == URL_HOST_IPV6);
    char *end = kind == URL_HOST_IPV4 ? write_ipv4(out, address) : write_ipv6(out, address);
    assert(end - out < URL_IP_TEXT_MAX);
    *end = '\0';
    return (size_t)(end - out);
}
