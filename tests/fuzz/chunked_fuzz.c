/* The decoder of chunked bodies: any bytes, whole and in pieces of the size that the first byte
 * says, must give the same body, the same end and the same refusal. */
#include <stdint.h>
#include <stdlib.h>

#include "protocol/chunked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct decoded {
    enum chunked_result result;
    size_t used;
    size_t body_bytes;
    uint64_t hash; /* of the body */
    size_t trailer_bytes;
    uint8_t rule;
};

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static uint64_t hash_more(uint64_t hash, struct slice data)
{
    for (size_t i = 0; i < data.len; i++) {
        hash = (hash ^ (unsigned char)data.p[i]) * 0x100000001b3U;
    }
    return hash;
}

static void take(struct decoded *d, struct slice data)
{
    if (d->result == CHUNKED_DATA) {
        check(data.len > 0);
        d->body_bytes += data.len;
        d->hash = hash_more(d->hash, data);
    } else if (d->result == CHUNKED_DONE) {
        struct h1_header trailers[CHUNKED_TRAILER_COUNT_MAX];
        d->trailer_bytes = data.len;
        int count = chunked_trailers(data, trailers, CHUNKED_TRAILER_COUNT_MAX);
        for (int i = 0; i < count; i++) {
            check(chunked_trailer_is_allowed(trailers[i].name));
        }
    } else {
        check(data.len == 0);
    }
}

static struct decoded decode(const char *p, size_t len, size_t piece)
{
    struct chunked c;
    struct decoded d = {.result = CHUNKED_NEED_MORE};
    size_t arrived = 0;
    chunked_init(&c, NULL);
    while (arrived < len && d.result == CHUNKED_NEED_MORE) {
        arrived = len - arrived < piece ? len : arrived + piece;
        do {
            size_t left = arrived - d.used;
            size_t used = 0;
            struct slice data;
            char *copy = malloc(left == 0 ? 1 : left); /* exact, for the sanitizer */
            check(copy != NULL);
            memcpy(copy, p + d.used, left);
            d.result = chunked_decode(&c, copy, left, &used, &data);
            check(used <= left);
            d.used += used;
            take(&d, data);
            free(copy);
        } while (d.result == CHUNKED_DATA);
    }
    d.rule = c.refused;
    check(c.total == d.body_bytes);
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    const char *p = (const char *)data + 1;
    struct decoded whole = decode(p, size - 1, size - 1);
    struct decoded pieces = decode(p, size - 1, data[0] % 16 + 1U);
    check(whole.result == pieces.result);
    check(whole.rule == pieces.rule);
    check(whole.body_bytes == pieces.body_bytes && whole.hash == pieces.hash);
    check(whole.result != CHUNKED_DONE ||
          (whole.used == pieces.used && whole.trailer_bytes == pieces.trailer_bytes));
    return 0;
}
