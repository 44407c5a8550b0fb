/* The request head parser: any bytes, whole and cut in two. The first two bytes choose the cut and
 * the limits. */
#include <stdint.h>
#include <stdlib.h>

#include "protocol/h1parse.h"
#include "protocol/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADERS_MAX 16

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool inside(struct slice part, const char *p, size_t len)
{
    return part.len == 0 || (part.p >= p && part.p + part.len <= p + len);
}

static void check_head(const struct h1_head *head, const char *p, size_t len)
{
    check(head->head_bytes <= len && head->header_count <= HEADERS_MAX);
    check(inside(head->method, p, len) && header_is_token(head->method));
    check(inside(head->target, p, len) && head->target.len > 0);
    check(inside(head->host, p, len) && inside(head->host_field, p, len));
    check(head->minor == 0 || head->host_field.len > 0);
    check(!(head->has_length && head->chunked));
    for (int i = 0; i < head->header_count; i++) {
        const struct h1_header *header = &head->headers[i];
        check(inside(header->name, p, len) && header_is_token(header->name));
        check(inside(header->value, p, len) && header_is_field_value(header->value));
        check(slice_equal(slice_trim(header->value), header->value));
        check(header->id == header_request_id(header->name));
    }
}

/* A copy of exactly the bytes, so that the sanitizer sees one too far. */
static char *exact_copy(const char *p, size_t len)
{
    char *copy = malloc(len == 0 ? 1 : len);
    check(copy != NULL);
    if (len > 0) {
        memcpy(copy, p, len);
    }
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct h1_limits limits = {H1_HEAD_BYTES_MAX, H1_FIELD_BYTES_MAX, H1_TARGET_BYTES_MAX,
                               HEADERS_MAX};
    struct h1_header headers[HEADERS_MAX];
    struct h1_head whole = {.headers = headers};
    struct h1_refusal why = {.rule = H1_RULE_NONE};
    if (size < 2) {
        return 0;
    }
    if (data[1] > 0x80) {
        limits = (struct h1_limits){data[1], 32, 16, 2};
    }
    const char *p = (const char *)data + 2;
    size_t len = size - 2;
    size_t cut = len == 0 ? 0 : data[0] % (len + 1);
    char *all = exact_copy(p, len);
    char *first = exact_copy(p, cut);
    enum h1_result result = h1_parse_head(all, len, 0, &limits, &whole, &why);
    enum h1_rule rule = why.rule;
    if (result == H1_OK) {
        check_head(&whole, all, len);
    }
    struct h1_header cut_headers[HEADERS_MAX];
    struct h1_head head = {.headers = cut_headers};
    enum h1_result early = h1_parse_head(first, cut, 0, &limits, &head, &why);
    if (early == H1_OK) {
        check(result == H1_OK && head.head_bytes == whole.head_bytes);
    } else if (early == H1_REFUSED) {
        check(result == H1_REFUSED);
    } else {
        enum h1_result late = h1_parse_head(all, len, cut, &limits, &head, &why);
        check(result != H1_OK || (late == H1_OK && head.head_bytes == whole.head_bytes));
        check(result != H1_NEED_MORE || late == H1_NEED_MORE);
        check(late != H1_REFUSED || (result == H1_REFUSED && why.rule == rule));
        check(late != H1_OK || result == H1_OK);
    }
    free(first);
    free(all);
    return 0;
}
