#include "base/utf8.h"

/* How many bytes the character that starts with `first` has, 0 if none can; *low, *high: the range
 * of its second byte. The table is RFC 3629 section 4: it excludes overlong forms (C0, C1, E0
 * 80..9F, F0 80..8F), surrogates (ED A0..BF) and what lies above U+10FFFF (F4 90.., F5..). */
static size_t char_len(unsigned char first, unsigned char *low, unsigned char *high)
{
    *low = 0x80;
    *high = 0xBF;
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        return 2;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        *low = first == 0xE0 ? 0xA0 : 0x80;
        *high = first == 0xED ? 0x9F : 0xBF;
        return 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        *low = first == 0xF0 ? 0x90 : 0x80;
        *high = first == 0xF4 ? 0x8F : 0xBF;
        return 4;
    }
    return 0;
}

/* Length of the ASCII run at the start, in steps of eight. */
static size_t ascii_run(const char *p, size_t len)
{
    size_t done = 0;
    while (len - done >= 8) {
        uint64_t word = 0;
        memcpy(&word, p + done, 8);
        if ((word & UINT64_C(0x8080808080808080)) != 0) {
            break;
        }
        done += 8;
    }
    return done;
}

bool utf8_is_valid(struct slice s)
{
    size_t i = 0;
    while (i < s.len) {
        i += ascii_run(s.p + i, s.len - i);
        if (i == s.len) {
            break;
        }
        unsigned char low = 0, high = 0;
        size_t n = char_len((unsigned char)s.p[i], &low, &high);
        if (n == 0 || n > s.len - i) {
            return false;
        }
        for (size_t k = 1; k < n; k++) {
            unsigned char c = (unsigned char)s.p[i + k];
            if (c < low || c > high) {
                return false;
            }
            low = 0x80;
            high = 0xBF;
        }
        i += n;
    }
    return true;
}

static char tail(uint32_t bits)
{
    return (char)(unsigned char)(0x80 | (bits & 0x3F));
}

size_t utf8_encode(uint32_t code_point, char out[4])
{
    if (code_point < 0x80) {
        out[0] = (char)(unsigned char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(unsigned char)(0xC0 | code_point >> 6);
        out[1] = tail(code_point);
        return 2;
    }
    if (code_point < 0x10000) {
        if (code_point >= 0xD800 && code_point <= 0xDFFF) {
            return 0;
        }
        out[0] = (char)(unsigned char)(0xE0 | code_point >> 12);
        out[1] = tail(code_point >> 6);
        out[2] = tail(code_point);
        return 3;
    }
    if (code_point > 0x10FFFF) {
        return 0;
    }
    out[0] = (char)(unsigned char)(0xF0 | code_point >> 18);
    out[1] = tail(code_point >> 12);
    out[2] = tail(code_point >> 6);
    out[3] = tail(code_point);
    return 4;
}
