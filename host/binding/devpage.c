#include "binding/devpage.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/answer.h"
#include "binding/headers.h"
#include "binding/request.h"
#include "binding/state.h"

enum { ADDED_BYTES_MAX = 4096 /* banner and script tag */ };

static struct slice answer_field(const struct request *r, unsigned id)
{
    const HTTP_KNOWN_HEADER *field = &r->response.Headers.KnownHeaders[id];
    return slice_make(field->pRawValue, field->RawValueLength);
}

/* --- pages ------------------------------------------------------------------------------------
 */

/* fetch() and the like say so; where nothing is said it may be a page. */
static bool is_fetched_by_page(const struct request *r)
{
    const HTTP_REQUEST_HEADERS *headers = &r->http->Headers;
    for (size_t i = 0; i < headers->UnknownHeaderCount; i++) {
        const HTTP_UNKNOWN_HEADER *field = &headers->pUnknownHeaders[i];
        if (slice_equal_nocase(slice_make(field->pName, field->NameLength),
                               SLICE_LIT("Sec-Fetch-Dest"))) {
            return slice_equal_nocase(slice_make(field->pRawValue, field->RawValueLength),
                                      SLICE_LIT("empty"));
        }
    }
    return false;
}

static bool is_html(struct slice type)
{
    struct slice html = SLICE_LIT("text/html");
    return type.len >= html.len && slice_equal_nocase(slice_make(type.p, html.len), html) &&
           (type.len == html.len || type.p[html.len] == ';' || type.p[html.len] == ' ');
}

static bool is_page(const struct request *r)
{
    USHORT status = r->response.StatusCode;
    const HTTP_DATA_CHUNK *chunk = &r->chunk;
    return status != 204 && status != 206 && status != 304 &&
           chunk->DataChunkType == HttpDataChunkFromMemory && chunk->FromMemory.BufferLength > 0 &&
           chunk->FromMemory.BufferLength <= DEVPAGE_BODY_BYTES_MAX && r->file == NULL &&
           chunk->FromMemory.pBuffer != r->text && /* an error page has it all */
           is_html(answer_field(r, HttpHeaderContentType)) &&
           answer_field(r, HttpHeaderContentEncoding).len == 0 &&
           answer_field(r, HttpHeaderContentMd5).len == 0 &&
           answer_field(r, HttpHeaderContentRange).len == 0 && !is_fetched_by_page(r);
}

/* Before the last </body>, else at the end. */
static size_t find_place(struct slice body)
{
    struct slice tag = SLICE_LIT("</body");
    for (size_t at = body.len; at-- > 0;) {
        if (body.p[at] == '<' && body.len - at > tag.len &&
            slice_equal_nocase(slice_make(body.p + at, tag.len), tag)) {
            return at;
        }
    }
    return body.len;
}

/* Both are empty where there is nothing to add. */
static bool put_added(struct buf *out, const struct devpage_notice *notice)
{
    bool ok = true;
    if (notice->stale[0] != '\0') {
        ok = buf_printf(out, "<div id=\"moonlatch-stale\" role=\"status\" style=\"position:fixed;"
                             "left:0;right:0;bottom:0;z-index:2147483647;padding:.5em 1em;"
                             "background:#c22;color:#fff;font:14px/1.5 monospace\">") &&
             errorpage_escape(out, slice_from_cstr(notice->stale)) && buf_printf(out, "</div>");
    }
    if (ok && notice->refresh) {
        ok = buf_printf(
            out, "<script src=\"" ERRORPAGE_REFRESH_PATH "\" data-version=\"%s\" defer></script>",
            notice->version);
    }
    return ok;
}

/* --- the answer -------------------------------------------------------------------------------
 */

/* One block for what is sent beside the script's own memory: the field's value, then the body. */
static bool join(struct buf *out, const struct devpage_notice *notice, struct slice body,
                 struct slice added)
{
    size_t place = added.len == 0 ? body.len : find_place(body);
    return buf_append(out, notice->stale, strlen(notice->stale)) &&
           buf_append(out, body.p, place) && buf_append_slice(out, added) &&
           buf_append(out, body.p + place, body.len - place);
}

static void set_length(struct request *r, size_t len)
{
    if (r->head_only || answer_field(r, HttpHeaderContentLength).len > 0) {
        int n = snprintf(r->digits, sizeof r->digits, "%zu", len);
        headers_set(r, HttpHeaderContentLength, slice_make(r->digits, (size_t)n));
    }
}

void devpage_decorate(struct request *r, bool whole)
{
    struct devpage_notice notice;
    struct buf added, block;
    r->state->dev->look(r->state, &notice);
    buf_init(&added, ADDED_BYTES_MAX);
    buf_init(&block, sizeof notice.stale + DEVPAGE_BODY_BYTES_MAX + ADDED_BYTES_MAX);
    bool page = whole && is_page(r);
    bool ok = !page || put_added(&added, &notice);
    size_t field = strlen(notice.stale);
    if (!ok || (field == 0 && added.len == 0)) {
        buf_deinit(&added);
        return;
    }
    /* What is in r->text already must move along: the request has room for one block. */
    bool moves = whole && (page || (r->text != NULL && r->chunk.FromMemory.pBuffer == r->text));
    struct slice body =
        moves ? slice_make(r->chunk.FromMemory.pBuffer, r->chunk.FromMemory.BufferLength)
              : slice_make("", 0);
    if (join(&block, &notice, body, buf_slice(&added))) {
        free(r->text);
        r->text = block.p;
        if (field > 0) {
            headers_add(r, SLICE_LIT("Moonlatch-Stale"), slice_make(block.p, field));
        }
        if (moves) {
            r->chunk.FromMemory.pBuffer = block.p + field;
            r->chunk.FromMemory.BufferLength = (ULONG)(block.len - field);
            set_length(r, block.len - field);
        }
    } else {
        buf_deinit(&block);
    }
    buf_deinit(&added);
}

/* --- error pages ------------------------------------------------------------------------------
 */

static struct slice wanted_type(const struct request *r)
{
    const HTTP_KNOWN_HEADER *accept = &r->http->Headers.KnownHeaders[HttpHeaderAccept];
    return slice_make(accept->pRawValue, accept->RawValueLength);
}

/* Renders into r->text. Empty: no memory. */
static struct slice render(struct request *r, enum errorpage_form form,
                           const struct errorpage *page)
{
    struct buf out;
    buf_init(&out, ERRORPAGE_BYTES_MAX);
    if (!errorpage_render(&out, form, page)) {
        buf_deinit(&out);
        return slice_make("", 0);
    }
    free(r->text);
    r->text = out.p;
    return buf_slice(&out);
}

static void add_fields(struct request *r, enum errorpage_form form)
{
    headers_set(r, HttpHeaderCacheControl, SLICE_LIT("no-store"));
    headers_add(r, SLICE_LIT("X-Content-Type-Options"), SLICE_LIT("nosniff"));
    if (form == ERRORPAGE_HTML) {
        headers_add(r, SLICE_LIT("Content-Security-Policy"),
                    SLICE_LIT("default-src 'none'; script-src 'self'; connect-src 'self'; "
                              "style-src 'unsafe-inline'"));
    }
}

static void answer(struct request *r, unsigned status, const struct errorpage *page)
{
    enum errorpage_form form = errorpage_choose(wanted_type(r));
    struct slice text = render(r, form, page);
    httpreq_fill_text(r, status, errorpage_type(form), text);
    add_fields(r, form);
    (void)httpreq_send(r); /* a client that has gone needs no answer */
}

static struct slice state_source(void *ctx, struct slice file)
{
    struct state *S = ctx;
    return S->dev->source(S, file);
}

void devpage_fail(struct request *r, unsigned status, const char *id, const char *message,
                  const char *traceback)
{
    struct state *S = r->state;
    struct devpage_notice notice;
    char what[160], title[192];
    S->dev->look(S, &notice);
    httpreq_describe(r, what, sizeof what);
    (void)snprintf(title, sizeof title, "%u %s: %s", status, answer_reason(status).p, what);
    answer(r, status,
           &(struct errorpage){.title = title,
                               .message = message,
                               .traceback = traceback,
                               .id = id,
                               .generation = S->generation,
                               .version = notice.refresh ? notice.version : NULL,
                               .source = state_source,
                               .ctx = S});
}

void devpage_refuse(struct request *r, unsigned status, const struct errorpage *page)
{
    assert(r->phase == REQUEST_DELIVERED);
    httpreq_prepare_refusal(r);
    answer(r, status, page);
}
