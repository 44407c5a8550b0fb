/* What a server that is made of the parsers of protocol/ makes of a byte stream: the loop of a
 * connection without a socket. Fed with a growing prefix, as reads deliver it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/chunked.h"
#include "protocol/h1parse.h"
#include "protocol/url.h"
#include "protocol/h1cases.h"

enum h1_feed_state { H1_FEED_HEAD, H1_FEED_LENGTH, H1_FEED_CHUNKED, H1_FEED_OVER };

struct h1_feed {
    struct h1_limits limits;
    enum h1_feed_state state;
    size_t at;      /* consumed */
    size_t scanned; /* of the head at `at` */
    struct h1_head head;
    struct chunked chunked;
    uint64_t left;                                              /* of a body with length */
    uint64_t body;                                              /* bytes of the body so far */
    void (*on_request)(void *context, const struct h1_feed *f); /* may be NULL */
    void *context;
    /* the verdict */
    int requests;
    unsigned status; /* 0: nothing was refused */
    enum h1_rule rule;
    enum url_result url;
    bool closed;
};

static inline void h1_feed_init(struct h1_feed *f, struct h1_header *headers)
{
    *f = (struct h1_feed){.limits = H1_LIMITS_DEFAULT, .head = {.headers = headers}};
}

static inline bool h1_feed_pending(const struct h1_feed *f)
{
    return f->state != H1_FEED_OVER && (f->state != H1_FEED_HEAD || f->scanned > 0);
}

static inline void h1_feed_refuse(struct h1_feed *f, enum h1_rule rule)
{
    f->rule = rule;
    f->status = h1_rule_refusal(rule).status;
    f->state = H1_FEED_OVER;
}

static inline void h1_feed_accept(struct h1_feed *f)
{
    if (f->on_request != NULL) {
        f->on_request(f->context, f);
    }
    f->requests++;
    f->closed = !f->head.keep_alive;
    f->state = f->closed ? H1_FEED_OVER : H1_FEED_HEAD;
    f->scanned = 0;
}

/* false: more bytes are needed, or the stream is over */
static inline bool h1_feed_head(struct h1_feed *f, const char *p, size_t len)
{
    struct h1_refusal why = {.rule = H1_RULE_NONE};
    enum h1_result result = h1_parse_head(p, len, f->scanned, &f->limits, &f->head, &why);
    if (result == H1_NEED_MORE) {
        f->scanned = len;
        return false;
    }
    if (result == H1_REFUSED) {
        h1_feed_refuse(f, why.rule);
        return false;
    }
    struct url_cook_in in = {f->head.target, f->head.host, NULL, false};
    if (in.host.len == 0) {
        in.host = SLICE_LIT("none");
    }
    struct url_cooked cooked;
    size_t cap = url_cook_bound(&in);
    char *out = malloc(cap);
    f->url = url_cook(&in, out, cap, &cooked);
    free(out);
    if (f->url != URL_OK) {
        f->status = 400;
        f->state = H1_FEED_OVER;
        return false;
    }
    f->at += f->head.head_bytes;
    f->left = f->head.content_length;
    f->body = 0;
    f->state = f->head.chunked ? H1_FEED_CHUNKED : H1_FEED_LENGTH;
    if (f->head.chunked) {
        chunked_init(&f->chunked, NULL);
    }
    return true;
}

static inline bool h1_feed_chunked(struct h1_feed *f, const char *p, size_t len)
{
    struct slice data;
    size_t used = 0;
    enum chunked_result result = chunked_decode(&f->chunked, p, len, &used, &data);
    f->at += used;
    f->body += result == CHUNKED_DATA ? data.len : 0;
    if (result == CHUNKED_REFUSED) {
        h1_feed_refuse(f, (enum h1_rule)f->chunked.refused);
    } else if (result == CHUNKED_DONE) {
        h1_feed_accept(f);
    }
    return result == CHUNKED_DATA || result == CHUNKED_DONE;
}

/* p[0..len): everything that has arrived; the part before f->at is not read again. */
static inline void h1_feed(struct h1_feed *f, const char *p, size_t len)
{
    bool more = true;
    while (more && f->state != H1_FEED_OVER) {
        const char *rest = p + f->at;
        size_t rest_len = len - f->at;
        if (f->state == H1_FEED_HEAD) {
            more = rest_len > 0 && h1_feed_head(f, rest, rest_len);
        } else if (f->state == H1_FEED_CHUNKED) {
            more = h1_feed_chunked(f, rest, rest_len);
        } else {
            size_t n = f->left < rest_len ? (size_t)f->left : rest_len;
            f->at += n;
            f->body += n;
            f->left -= n;
            more = f->left == 0;
            if (more) {
                h1_feed_accept(f);
            }
        }
    }
}

/* The bytes of a row with its filling, malloced. */
static inline char *h1_case_bytes(const struct h1_case *row, size_t *len)
{
    size_t text_len = row->fill_text == NULL ? 0 : strlen(row->fill_text);
    const char *mark = row->fill == 0 ? NULL : memchr(row->bytes, '\xff', row->len);
    *len = row->len + (mark == NULL ? 0 : text_len * row->fill - 1);
    char *bytes = malloc(*len + 1);
    size_t before = mark == NULL ? row->len : (size_t)(mark - row->bytes);
    memcpy(bytes, row->bytes, before);
    char *at = bytes + before;
    if (mark != NULL) {
        for (uint32_t i = 0; i < row->fill; i++, at += text_len) {
            memcpy(at, row->fill_text, text_len);
        }
        memcpy(at, mark + 1, row->len - before - 1);
    }
    return bytes;
}
