/* The URL canonicaliser: `host LF target`. What it accepts must be canonical. */
#include <stdint.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "protocol/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_path(const char *p, size_t len)
{
    size_t segment = 1;
    check(len > 0 && p[0] == '/');
    check(utf8_is_valid(slice_make(p, len)));
    check(memchr(p, '\0', len) == NULL && memchr(p, '\\', len) == NULL);
    for (size_t i = 1; i <= len; i++) {
        if (i == len || p[i] == '/') {
            struct slice text = slice_make(p + segment, i - segment);
            check(text.len > 0 || i == len);
            check(!slice_equal(text, SLICE_LIT(".")) && !slice_equal(text, SLICE_LIT("..")));
            segment = i + 1;
        }
    }
}

/* The path alone, cooked the long way, is the path of the URL. */
static void check_long_way(struct slice target, struct slice path)
{
    const char *mark = memchr(target.p, '?', target.len);
    size_t len = mark == NULL ? target.len : (size_t)(mark - target.p);
    char *out = malloc(len);
    size_t out_len = 0;
    check(out != NULL);
    check(url_cook_path(slice_make(target.p, len), NULL, out, &out_len) == URL_OK);
    check(slice_equal(slice_make(out, out_len), path));
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *lf = size == 0 ? NULL : memchr(data, '\n', size);
    if (lf == NULL) {
        return 0;
    }
    struct url_host host;
    struct url_cooked cooked;
    struct url_cook_in in = {.host = slice_make((const char *)data, (size_t)(lf - data))};
    in.target = slice_make((const char *)lf + 1, size - in.host.len - 1);
    if (!url_parse_host(in.host, &host)) {
        in.host = SLICE_LIT("h");
    } else if (host.kind != URL_HOST_NAME) {
        char text[URL_IP_TEXT_MAX];
        check(url_format_ip(host.kind, host.address, text) < URL_IP_TEXT_MAX);
    }
    size_t bound = url_cook_bound(&in);
    char *out = malloc(bound);
    check(out != NULL);
    if (url_cook(&in, out, bound, &cooked) == URL_OK) {
        check(cooked.full_bytes < bound && out[cooked.full_bytes] == '\0');
        check(cooked.host_at + cooked.host_bytes == cooked.path_at);
        check(cooked.path_at + cooked.path_bytes == cooked.query_at);
        check(cooked.query_at + cooked.query_bytes == cooked.full_bytes);
        check_path(out + cooked.path_at, cooked.path_bytes);
        if (in.target.p[0] == '/') {
            check_long_way(in.target, slice_make(out + cooked.path_at, cooked.path_bytes));
        }
    }
    free(out);
    return 0;
}
