/* A run of bytes somebody else owns: pointer and length travel together.
 *
 * Owner: never; a slice lives as long as the bytes it shows. It is not NUL-terminated. p may be
 * NULL only when len is 0.
 * Thread: any. Cost: two words, passed by value. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *p; /* first byte */
    size_t len;    /* bytes */
};

/* The slice of a string literal, without its NUL. For initialisers use SLICE_INIT. */
#define SLICE_LIT(literal) ((struct slice){"" literal "", sizeof(literal) - 1})
#define SLICE_INIT(literal)                                                                        \
    {                                                                                              \
        "" literal "", sizeof(literal) - 1                                                         \
    }

static inline struct slice slice_make(const char *p, size_t len)
{
    return (struct slice){p, len};
}

/* NULL gives the empty slice. */
static inline struct slice slice_from_cstr(const char *text)
{
    return text == NULL ? (struct slice){NULL, 0} : (struct slice){text, strlen(text)};
}

static inline uint32_t slice_load_4(const char *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static inline uint64_t slice_load_8(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* Whether n bytes are the same. Most of what is compared is shorter than the call of memcmp is
 * worth: two words that may overlap cover 4 to 16 bytes. */
static inline bool slice_same_bytes(const char *a, const char *b, size_t n)
{
    if (n - 4 > 12) {
        return n == 0 || (*a == *b && memcmp(a, b, n) == 0);
    }
    if (n < 8) {
        return slice_load_4(a) == slice_load_4(b) &&
               slice_load_4(a + n - 4) == slice_load_4(b + n - 4);
    }
    return slice_load_8(a) == slice_load_8(b) && slice_load_8(a + n - 8) == slice_load_8(b + n - 8);
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && slice_same_bytes(a.p, b.p, a.len);
}

/* Lower case of an ASCII letter; every other byte unchanged. */
static inline unsigned char slice_lower(unsigned char c)
{
    return (unsigned char)(c - 'A') < 26 ? (unsigned char)(c | 0x20) : c;
}

/* Equal but for the case of ASCII letters. */
static inline bool slice_equal_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (slice_lower((unsigned char)a.p[i]) != slice_lower((unsigned char)b.p[i])) {
            return false;
        }
    }
    return true;
}

static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}

/* Without the SP and HTAB at both ends (OWS of RFC 9110 section 5.6.3). */
static inline struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.len--;
    }
    while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

/* Strict decimal: one or more digits and nothing else (leading zeros allowed), at most UINT64_MAX.
 * false: *value is unchanged. */
static inline bool slice_to_u64(struct slice s, uint64_t *value)
{
    uint64_t total = 0;
    if (s.len == 0) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(unsigned char)s.p[i] - (unsigned)'0';
        if (digit > 9 || total > (UINT64_MAX - digit) / 10) {
            return false;
        }
        total = total * 10 + digit;
    }
    *value = total;
    return true;
}
