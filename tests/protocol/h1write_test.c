/* Response heads and chunk framing: exact bytes, and never beyond the bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "protocol/date.h"
#include "protocol/guarded.h"
#include "protocol/h1write.h"

static char buf[4096];

static void expect(const char *end, const char *wanted)
{
    size_t len = (size_t)(end - buf);
    assert_int_equal(len, strlen(wanted));
    assert_memory_equal(buf, wanted, len);
}

static void h1write_status_line_exact(void **state)
{
    (void)state; /* cmocka's signature */
    expect(h1_write_status(buf, 418, SLICE_LIT("I'm a teapot")), "HTTP/1.1 418 I'm a teapot\r\n");
    expect(h1_write_status(buf, 999, SLICE_LIT("")), "HTTP/1.1 999 \r\n");
}

static void h1write_known_status_same_as_by_hand(void **state)
{
    (void)state; /* cmocka's signature */
    for (unsigned status = 100; status <= 999; status++) {
        char line[128];
        struct slice reason = status_reason((int)status);
        assert_true(reason.len > 0);
        int len = snprintf(line, sizeof(line), "HTTP/1.1 %u %s\r\n", status, reason.p);
        assert_true(len > 0 && (size_t)len <= H1_STATUS_KNOWN_BOUND);
        assert_true((size_t)len <= H1_STATUS_BOUND(reason.len));
        expect(h1_write_status_known(buf, status), line);
    }
    assert_string_equal(status_reason(200).p, "OK");
    assert_string_equal(status_reason(599).p, "Unknown");
    assert_string_equal(status_reason(-1).p, "Unknown");
    assert_string_equal(status_reason(1000).p, "Unknown");
}

static void h1write_numbers_as_printf(void **state)
{
    (void)state; /* cmocka's signature */
    for (unsigned shift = 0; shift < 64; shift++) {
        for (int delta = -1; delta <= 1; delta++) {
            char text[32];
            uint64_t value = ((uint64_t)1 << shift) + (uint64_t)(int64_t)delta;
            (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value); /* fits */
            expect(h1_write_decimal(buf, value), text);
            (void)snprintf(text, sizeof(text), "%llx", (unsigned long long)value); /* fits */
            expect(h1_write_hex(buf, value), text);
        }
    }
    expect(h1_write_decimal(buf, UINT64_MAX), "18446744073709551615");
    expect(h1_write_hex(buf, 0), "0");
}

static void h1write_headers_exact(void **state)
{
    char date[DATE_BYTES];
    (void)state; /* cmocka's signature */
    date_format(784111777, date);
    expect(h1_write_header(buf, SLICE_LIT("X"), SLICE_LIT("y z")), "X: y z\r\n");
    expect(h1_write_header(buf, SLICE_LIT("X"), SLICE_LIT("")), "X: \r\n");
    expect(h1_write_length(buf, 0), "Content-Length: 0\r\n");
    expect(h1_write_date(buf, date), "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    expect(h1_write_chunked(buf), "Transfer-Encoding: chunked\r\n");
    expect(h1_write_close(buf), "Connection: close\r\n");
    expect(h1_write_keep_alive(buf), "Connection: keep-alive\r\n");
    expect(h1_write_end(buf), "\r\n");
}

static void h1write_chunk_framing_exact(void **state)
{
    (void)state; /* cmocka's signature */
    expect(h1_write_chunk_size(buf, 255), "ff\r\n");
    expect(h1_write_last_chunk(buf), "0\r\n\r\n");
    expect(h1_write_chunk_zero(buf), "0\r\n");
    assert_int_equal(h1_continue().len, 25);
}

/* Each writer at its bound before a page that may not be touched. */
static void h1write_largest_output_within_bound(void **state)
{
    struct guarded g;
    char date[DATE_BYTES];
    (void)state; /* cmocka's signature */
    guarded_init(&g);
    char *end = g.start + g.size;
    date_format(0, date);
    assert_ptr_equal(h1_write_decimal(end - H1_DECIMAL_BOUND, UINT64_MAX), end);
    assert_ptr_equal(h1_write_hex(end - H1_HEX_BOUND, UINT64_MAX), end);
    assert_ptr_equal(h1_write_chunk_size(end - H1_CHUNK_SIZE_BOUND, UINT64_MAX), end);
    assert_ptr_equal(h1_write_length(end - H1_LENGTH_BOUND, UINT64_MAX), end);
    assert_ptr_equal(h1_write_date(end - H1_DATE_BOUND, date), end);
    assert_ptr_equal(h1_write_status(end - H1_STATUS_BOUND(3), 200, SLICE_LIT("abc")), end);
    assert_ptr_equal(h1_write_header(end - H1_HEADER_BOUND(1, 2), SLICE_LIT("X"), SLICE_LIT("yz")),
                     end);
    assert_ptr_equal(h1_write_chunked(end - H1_CHUNKED_BOUND), end);
    assert_ptr_equal(h1_write_close(end - H1_CLOSE_BOUND), end);
    assert_ptr_equal(h1_write_keep_alive(end - H1_KEEP_ALIVE_BOUND), end);
    assert_ptr_equal(h1_write_last_chunk(end - H1_LAST_CHUNK_BOUND), end);
    assert_ptr_equal(h1_write_end(end - H1_END_BOUND), end);
    guarded_deinit(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h1write_status_line_exact),
        cmocka_unit_test(h1write_known_status_same_as_by_hand),
        cmocka_unit_test(h1write_numbers_as_printf),
        cmocka_unit_test(h1write_headers_exact),
        cmocka_unit_test(h1write_chunk_framing_exact),
        cmocka_unit_test(h1write_largest_output_within_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
