/* Classes of bytes and fast searches for the parsers of this folder. Inline: each is the inner loop
 * of somebody. The searches go 16 bytes a step with the compiler's vector types, which become
 * SSE2, NEON or plain words as the target has it, and byte by byte near the end, so that no byte
 * outside [p, end) is read. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define H1_BYTE_TOKEN  1U /* tchar of RFC 9110 5.6.2 */
#define H1_BYTE_TARGET 2U /* may stand in a request target: visible ASCII but `#` */
#define H1_BYTE_HOST   4U /* letters, digits, `-._~` */
#define H1_BYTE_PLAIN  8U /* in a URL path: visible ASCII that means itself, so not `%\/?#` */

extern const uint8_t h1_byte_classes[256];

static inline bool h1_is_token_byte(unsigned char c)
{
    return (h1_byte_classes[c] & H1_BYTE_TOKEN) != 0;
}

static inline bool h1_is_target_byte(unsigned char c)
{
    return (h1_byte_classes[c] & H1_BYTE_TARGET) != 0;
}

static inline bool h1_is_host_byte(unsigned char c)
{
    return (h1_byte_classes[c] & H1_BYTE_HOST) != 0;
}

static inline bool h1_is_control(unsigned char c)
{
    return (c < 0x20 && c != '\t') || c == 0x7f;
}

static inline bool h1_is_plain_byte(unsigned char c)
{
    return (h1_byte_classes[c] & H1_BYTE_PLAIN) != 0;
}

/* The value of a hexadecimal digit, or 16 and more. */
static inline unsigned h1_hex_value(unsigned char c)
{
    unsigned digit = (unsigned)c - '0';
    unsigned letter = ((unsigned)c | 0x20U) - 'a';
    return digit < 10 ? digit : letter < 6 ? letter + 10 : 16;
}

typedef uint8_t h1_vector __attribute__((vector_size(16)));
typedef uint64_t h1_vector_words __attribute__((vector_size(16)));

/* Index of the first byte in memory order that is not 0 in a compare result; both words 0: 16. */
static inline size_t h1_first_set(h1_vector mask)
{
    h1_vector_words words = (h1_vector_words)mask;
    if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) {
        words[0] = __builtin_bswap64(words[0]);
        words[1] = __builtin_bswap64(words[1]);
    }
    if (words[0] != 0) {
        return (size_t)__builtin_ctzll(words[0]) / 8;
    }
    return words[1] != 0 ? 8 + (size_t)__builtin_ctzll(words[1]) / 8 : 16;
}

/* First byte that ends a field value or is not allowed in it: controls but HTAB; `end` if none. The
 * other looks at 16 bytes and returns 16 if none. */
static inline size_t h1_first_control(const char *p)
{
    h1_vector bytes;
    memcpy(&bytes, p, sizeof(bytes));
    return h1_first_set((h1_vector)(((bytes < 0x20) & (bytes != '\t')) | (bytes == 0x7f)));
}

static inline const char *h1_find_control(const char *p, const char *end)
{
    const char *start = p;
    while (end - p >= 16) {
        size_t first = h1_first_control(p);
        if (first < 16) {
            return p + first;
        }
        p += 16;
    }
    if (end - start >= 16) { /* the rest together with bytes that are known to be none */
        return end - 16 + h1_first_control(end - 16);
    }
    while (p < end && !h1_is_control((unsigned char)*p)) {
        p++;
    }
    return p;
}

/* First byte of 16 that is no letter, digit or hyphen, of which field names usually are; 16: none.
 */
static inline size_t h1_first_unusual(const char *p)
{
    h1_vector bytes;
    memcpy(&bytes, p, sizeof(bytes));
    h1_vector lower = bytes | 0x20;
    h1_vector letter = (h1_vector)((lower >= 'a') & (lower <= 'z'));
    h1_vector digit = (h1_vector)((bytes >= '0') & (bytes <= '9'));
    return h1_first_set(~(letter | digit | (h1_vector)(bytes == '-')));
}

/* First byte that is not of a token; `end` if none. */
static inline const char *h1_find_token_end(const char *p, const char *end)
{
    while (end - p >= 16) {
        size_t first = h1_first_unusual(p);
        p += first;
        if (first < 16) {
            break;
        }
    }
    while (p < end && h1_is_token_byte((unsigned char)*p)) {
        p++;
    }
    return p;
}

/* First byte that ends a request target or is not allowed in it: all but 0x21..0x7E, and `#`. */
static inline const char *h1_find_target_end(const char *p, const char *end)
{
    while (end - p >= 16) {
        h1_vector bytes;
        memcpy(&bytes, p, sizeof(bytes));
        size_t first = h1_first_set((h1_vector)((bytes < 0x21) | (bytes > 0x7e) | (bytes == '#')));
        if (first < 16) {
            return p + first;
        }
        p += 16;
    }
    while (p < end && h1_is_target_byte((unsigned char)*p)) {
        p++;
    }
    return p;
}
