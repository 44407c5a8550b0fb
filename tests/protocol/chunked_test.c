/* The decoder of chunked bodies; refusals are in h1cases_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/chunked.h"
#include "protocol/guarded.h"

struct decoded {
    char body[512];
    size_t body_len;
    char trailers[512];
    size_t trailers_len;
    size_t used;
    enum chunked_result result;
};

/* Presents text[0..len) in pieces of `piece` bytes; what is not used is presented again. */
static struct decoded decode(struct chunked *c, const char *text, size_t len, size_t piece)
{
    struct decoded d = {.result = CHUNKED_NEED_MORE};
    struct guarded g;
    guarded_init(&g);
    size_t arrived = 0;
    while (arrived < len && d.result == CHUNKED_NEED_MORE) {
        arrived = len - arrived < piece ? len : arrived + piece;
        do {
            struct slice data;
            size_t used = 0;
            size_t left = arrived - d.used;
            const char *in = guarded_at_end(&g, text + d.used, left);
            d.result = chunked_decode(c, in, left, &used, &data);
            d.used += used;
            assert_true(used <= left);
            if (d.result == CHUNKED_DATA) {
                assert_true(data.len > 0 && d.body_len + data.len <= sizeof(d.body));
                memcpy(d.body + d.body_len, data.p, data.len);
                d.body_len += data.len;
            } else if (d.result == CHUNKED_DONE && data.len > 0) {
                memcpy(d.trailers, data.p, data.len);
                d.trailers_len = data.len;
            }
        } while (d.result == CHUNKED_DATA);
    }
    guarded_deinit(&g);
    return d;
}

static void chunked_any_pieces_same_body(void **state)
{
    static const char text[] =
        "5;x=\"y\"\r\nhello\r\n1\r\n \r\n0B\r\nbig\r\nworld!\r\n0\r\nA: 1\r\nB: 2\r\n"
        "\r\nGET /";
    (void)state; /* cmocka's signature */
    for (size_t piece = 1; piece <= sizeof(text); piece++) {
        struct chunked c;
        chunked_init(&c, NULL);
        struct decoded d = decode(&c, text, sizeof(text) - 1, piece);
        assert_int_equal(d.result, CHUNKED_DONE);
        assert_int_equal(d.body_len, 17);
        assert_memory_equal(d.body, "hello big\r\nworld!", 17);
        assert_int_equal(d.used, sizeof(text) - 1 - 5);
        assert_int_equal(c.total, 17);
        assert_int_equal(c.trailer_count, 2);
        assert_int_equal(d.trailers_len, 12);
        assert_memory_equal(d.trailers, "A: 1\r\nB: 2\r\n", 12);
    }
}

static void chunked_data_points_into_input(void **state)
{
    static const char text[] = "3\r\nabc\r\n";
    struct chunked c;
    struct slice data;
    size_t used = 0;
    (void)state; /* cmocka's signature */
    chunked_init(&c, NULL);
    assert_int_equal(chunked_decode(&c, text, sizeof(text) - 1, &used, &data), CHUNKED_DATA);
    assert_ptr_equal(data.p, text + 3);
    assert_int_equal(data.len, 3);
    assert_int_equal(used, 6);
}

static void chunked_done_stays_done(void **state)
{
    struct chunked c;
    struct slice data;
    size_t used = 9;
    (void)state; /* cmocka's signature */
    chunked_init(&c, NULL);
    assert_int_equal(chunked_decode(&c, "0\r\n\r\n", 5, &used, &data), CHUNKED_DONE);
    assert_int_equal(used, 5);
    assert_int_equal(data.len, 0);
    assert_int_equal(chunked_decode(&c, "GET", 3, &used, &data), CHUNKED_DONE);
    assert_int_equal(used, 0);
}

static void chunked_refused_stays_refused(void **state)
{
    struct chunked c;
    struct slice data;
    size_t used = 9;
    (void)state; /* cmocka's signature */
    chunked_init(&c, NULL);
    assert_int_equal(chunked_decode(&c, "x", 1, &used, &data), CHUNKED_REFUSED);
    assert_int_equal(c.refused, H1_RULE_CHUNK_SIZE_MISSING);
    assert_int_equal(chunked_decode(&c, "0\r\n\r\n", 5, &used, &data), CHUNKED_REFUSED);
    assert_int_equal(used, 0);
}

static void chunked_empty_input_needs_more(void **state)
{
    struct chunked c;
    struct slice data;
    size_t used = 9;
    (void)state; /* cmocka's signature */
    chunked_init(&c, NULL);
    assert_int_equal(chunked_decode(&c, "", 0, &used, &data), CHUNKED_NEED_MORE);
    assert_int_equal(used, 0);
    assert_int_equal(data.len, 0);
}

/* The largest size there is does not overflow, and hands out what is there. */
static void chunked_largest_size_streams(void **state)
{
    struct chunked c;
    struct slice data;
    size_t used = 0;
    static const char text[] = "ffffffffffffffff\r\nabc";
    (void)state; /* cmocka's signature */
    chunked_init(&c, NULL);
    assert_int_equal(chunked_decode(&c, text, sizeof(text) - 1, &used, &data), CHUNKED_DATA);
    assert_int_equal(data.len, 3);
    assert_true(c.left == UINT64_MAX - 3);
}

/* Each limit inclusive: the largest that fits, then one more. */
static void chunked_each_limit_inclusive(void **state)
{
    static const struct {
        struct chunked_limits limits;
        enum h1_rule rule;
    } rows[] = {
        {{4, 12, 2}, H1_RULE_NONE},
        {{3, 12, 2}, H1_RULE_CHUNK_EXT_LENGTH},
        {{4, 11, 2}, H1_RULE_TRAILER_LENGTH},
        {{4, 12, 1}, H1_RULE_TRAILER_COUNT},
    };
    static const char text[] = "0;abc\r\nA: 1\r\nB: 2\r\n\r\n";
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t piece = 1; piece <= sizeof(text); piece++) {
            struct chunked c;
            chunked_init(&c, &rows[i].limits);
            struct decoded d = decode(&c, text, sizeof(text) - 1, piece);
            assert_int_equal(d.result,
                             rows[i].rule == H1_RULE_NONE ? CHUNKED_DONE : CHUNKED_REFUSED);
            assert_int_equal(c.refused, rows[i].rule);
        }
    }
}

static void chunked_trailers_split(void **state)
{
    struct h1_header out[2];
    (void)state; /* cmocka's signature */
    assert_int_equal(chunked_trailers(SLICE_LIT(""), out, 2), 0);
    assert_int_equal(chunked_trailers(SLICE_LIT("A: 1\r\nB:2\r\n"), out, 2), 2);
    assert_true(slice_equal(out[1].value, SLICE_LIT("2")));
    assert_int_equal(chunked_trailers(SLICE_LIT("A: 1\r\nB:2\r\n"), out, 1), 1);
}

static void chunked_trailer_names_that_frame_or_route_forbidden(void **state)
{
    static const char *const forbidden[] = {"content-length",
                                            "Transfer-Encoding",
                                            "Host",
                                            "Trailer",
                                            "Connection",
                                            "Cache-Control",
                                            "TE",
                                            "Authorization",
                                            "Set-Cookie",
                                            "Content-Type",
                                            "If-Match",
                                            "Age",
                                            "Vary"};
    static const char *const allowed[] = {"X-Checksum",    "ETag",   "Content-MD5",
                                          "Server-Timing", "Digest", "grpc-status"};
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        assert_false(chunked_trailer_is_allowed(slice_from_cstr(forbidden[i])));
    }
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        assert_true(chunked_trailer_is_allowed(slice_from_cstr(allowed[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunked_any_pieces_same_body),
        cmocka_unit_test(chunked_data_points_into_input),
        cmocka_unit_test(chunked_done_stays_done),
        cmocka_unit_test(chunked_refused_stays_refused),
        cmocka_unit_test(chunked_empty_input_needs_more),
        cmocka_unit_test(chunked_largest_size_streams),
        cmocka_unit_test(chunked_each_limit_inclusive),
        cmocka_unit_test(chunked_trailers_split),
        cmocka_unit_test(chunked_trailer_names_that_frame_or_route_forbidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
