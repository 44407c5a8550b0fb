#include "support/cmocka_all.h"

#include "base/utf8.h"

static void utf8_every_code_point_is_encoded_as_valid(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x110100; cp++) {
        char bytes[4] = {0};
        size_t len = utf8_encode(cp, bytes);
        if ((cp >= 0xD800 && cp <= 0xDFFF) || cp > 0x10FFFF) {
            assert_int_equal(len, 0);
        } else {
            assert_int_equal(len, cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4);
            assert_true(utf8_is_valid(slice_make(bytes, len)));
            assert_false(len > 1 && utf8_is_valid(slice_make(bytes, len - 1)));
        }
    }
}

static void utf8_encode_known_characters(void **state)
{
    (void)state;
    char bytes[4];
    assert_int_equal(utf8_encode(0xE4, bytes), 2);
    assert_memory_equal(bytes, "\xC3\xA4", 2);
    assert_int_equal(utf8_encode(0x20AC, bytes), 3);
    assert_memory_equal(bytes, "\xE2\x82\xAC", 3);
    assert_int_equal(utf8_encode(0x1F319, bytes), 4);
    assert_memory_equal(bytes, "\xF0\x9F\x8C\x99", 4);
}

/* What a decoder that knows nothing but the bit patterns makes of up to four bytes. */
static bool decodes(const unsigned char *p, size_t len)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80             ? 1
               : (p[0] & 0xE0) == 0xC0 ? 2
               : (p[0] & 0xF0) == 0xE0 ? 3
               : (p[0] & 0xF8) == 0xF0 ? 4
                                       : 0;
    if (n != len) {
        return false;
    }
    uint32_t cp = n == 1 ? p[0] : p[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return false;
        }
        cp = cp << 6 | (p[i] & 0x3Fu);
    }
    return cp >= smallest[n] && cp <= 0x10FFFF && !(cp >= 0xD800 && cp <= 0xDFFF);
}

static void utf8_sequences_agree_with_a_plain_decoder(void **state)
{
    (void)state;
    static const unsigned char tails[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90,
                                          0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
    enum { TAILS = sizeof tails };
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second++) {
            unsigned char p[4] = {(unsigned char)first, (unsigned char)second, 0, 0};
            bool two = decodes(p, 2) || (first < 0x80 && second < 0x80);
            assert_int_equal(utf8_is_valid(slice_make((char *)p, 2)), two);
            for (unsigned k = 0; k < TAILS * TAILS && first >= 0xE0; k++) {
                p[2] = tails[k / TAILS];
                p[3] = tails[k % TAILS];
                assert_int_equal(utf8_is_valid(slice_make((char *)p, 3)), decodes(p, 3));
                bool four = decodes(p, 4) || (decodes(p, 3) && p[3] < 0x80);
                assert_int_equal(utf8_is_valid(slice_make((char *)p, 4)), four);
            }
        }
    }
}

static void utf8_bad_byte_is_found_at_every_place(void **state)
{
    (void)state;
    char text[40];
    for (size_t len = 0; len <= sizeof text; len++) {
        memset(text, 'a', sizeof text);
        assert_true(utf8_is_valid(slice_make(text, len)));
        for (size_t at = 0; at < len; at++) {
            text[at] = '\x80';
            assert_false(utf8_is_valid(slice_make(text, len)));
            text[at] = 'a';
        }
    }
    assert_true(utf8_is_valid(slice_make(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_every_code_point_is_encoded_as_valid),
        cmocka_unit_test(utf8_encode_known_characters),
        cmocka_unit_test(utf8_sequences_agree_with_a_plain_decoder),
        cmocka_unit_test(utf8_bad_byte_is_found_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
