#include "binding/errorpage.h"

#include <inttypes.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "base/jsonout.h"
#include "base/utf8.h"
#include "binding/excerpt.h"

/* --- what the client wants ---------------------------------------------------------------------
 */

/* "q=0.8" among the parameters, in thousandths (RFC 9110 section 12.4.2); 1000 without one. */
static unsigned read_weight(struct slice parameters)
{
    const char *end = parameters.p + parameters.len;
    for (const char *p = parameters.p; p + 2 < end; p++) {
        if ((p[0] != 'q' && p[0] != 'Q') || p[1] != '=' ||
            (p != parameters.p && p[-1] != ';' && p[-1] != ' ')) {
            continue;
        }
        unsigned weight = p[2] == '1' ? 1000 : 0;
        for (unsigned scale = 100, i = 4;
             p + i < end && p[3] == '.' && p[i] >= '0' && p[i] <= '9' && scale > 0;
             scale /= 10, i++) {
            weight += scale * (unsigned)(p[i] - '0');
        }
        return weight > 1000 ? 1000 : weight;
    }
    return 1000;
}

static bool is_json(struct slice type)
{
    static const char suffix[] = "+json";
    size_t len = sizeof suffix - 1;
    return slice_equal_nocase(type, SLICE_LIT("application/json")) ||
           (type.len > len &&
            slice_equal_nocase(slice_make(type.p + type.len - len, len), SLICE_LIT("+json")));
}

enum errorpage_form errorpage_choose(struct slice accept)
{
    enum errorpage_form form = ERRORPAGE_TEXT;
    unsigned best = 0;
    while (accept.len > 0) {
        const char *comma = memchr(accept.p, ',', accept.len);
        struct slice item =
            comma == NULL ? accept : slice_make(accept.p, (size_t)(comma - accept.p));
        accept = slice_make(accept.p + item.len, accept.len - item.len);
        if (accept.len > 0) {
            accept = slice_make(accept.p + 1, accept.len - 1);
        }
        const char *semicolon = item.len == 0 ? NULL : memchr(item.p, ';', item.len);
        struct slice type =
            semicolon == NULL ? item : slice_make(item.p, (size_t)(semicolon - item.p));
        struct slice rest = slice_make(item.p + type.len + (semicolon == NULL ? 0 : 1),
                                       item.len - type.len - (semicolon == NULL ? 0 : 1));
        unsigned weight = read_weight(rest);
        type = slice_trim(type);
        bool html = slice_equal_nocase(type, SLICE_LIT("text/html"));
        if ((html || is_json(type)) && weight > best) {
            best = weight;
            form = html ? ERRORPAGE_HTML : ERRORPAGE_JSON;
        }
    }
    return form;
}

struct slice errorpage_type(enum errorpage_form form)
{
    switch (form) {
    case ERRORPAGE_HTML: return SLICE_LIT("text/html; charset=utf-8");
    case ERRORPAGE_JSON: return SLICE_LIT("application/json");
    case ERRORPAGE_TEXT: break;
    }
    return SLICE_LIT("text/plain; charset=utf-8");
}

/* --- where it is -------------------------------------------------------------------------------
 */

/* A report, taken apart. */
struct parts {
    struct slice message;   /* without traceback */
    struct slice traceback; /* from "stack traceback:" on; empty: none */
    struct excerpt_place place;
    struct slice source;      /* text of place.file; p NULL: not known */
    struct excerpt_line line; /* that failed; number 0: not known */
    size_t at;                /* byte of the token; EXCERPT_NOWHERE */
};

static bool find_known(const struct errorpage *page, const char *text, struct parts *parts)
{
    struct excerpt_place place;
    while (text != NULL && excerpt_next_place(&text, &place)) {
        parts->source =
            page->source == NULL ? slice_make(NULL, 0) : page->source(page->ctx, place.file);
        if (parts->source.p != NULL) {
            parts->place = place;
            return true;
        }
    }
    return false;
}

static bool is_syntax_error(struct slice text)
{
    static const char word[] = " near ";
    for (size_t i = 0; i + sizeof word - 1 <= text.len; i++) {
        if (memcmp(text.p + i, word, sizeof word - 1) == 0) {
            return true;
        }
    }
    return false;
}

/* The byte of a syntax error, by a compiler of its own: the script's state may be out of memory. */
static size_t find_syntax(struct slice source)
{
    lua_State *L = luaL_newstate();
    if (L == NULL) {
        return EXCERPT_NOWHERE;
    }
    size_t at = excerpt_compile(L, source, "=x");
    lua_close(L);
    return at;
}

static void find_token(struct parts *parts)
{
    struct slice text = parts->place.text;
    if (!excerpt_line(parts->source, parts->place.line, &parts->line)) {
        parts->line.number = 0;
        return;
    }
    if (is_syntax_error(text)) {
        size_t at = find_syntax(parts->source);
        struct excerpt_line line = excerpt_line_at(parts->source, at);
        if (at != EXCERPT_NOWHERE && line.number == parts->line.number) {
            parts->at = at;
        }
    } else {
        parts->at = excerpt_find_name(parts->source, parts->line, text);
    }
}

static void take_apart(const struct errorpage *page, struct parts *parts)
{
    const char *end = strstr(page->message, "stack traceback:");
    const char *text = page->message;
    size_t len = end == NULL ? strlen(text) : (size_t)(end - text);
    memset(parts, 0, sizeof *parts);
    parts->at = EXCERPT_NOWHERE;
    while (len > 0 && text[len - 1] == '\n') {
        len--;
    }
    parts->message = slice_make(text, len);
    parts->traceback = slice_from_cstr(end != NULL ? end : page->traceback);
    /* A message without a place: an error value; the traceback says where it was raised. */
    if (find_known(page, page->message, parts) || find_known(page, page->traceback, parts)) {
        find_token(parts);
    } else if (!excerpt_next_place(&text, &parts->place)) {
        parts->place = (struct excerpt_place){.line = 0};
    }
}

static int column_of(const struct parts *parts)
{
    return parts->at == EXCERPT_NOWHERE ? 0 : (int)(parts->at - parts->line.start) + 1;
}

/* One row of the excerpt, without a carriage return at its end. */
static struct slice text_of(const struct parts *parts, struct excerpt_line line)
{
    size_t len = line.end - line.start;
    len -= len > 0 && parts->source.p[line.end - 1] == '\r' ? 1 : 0;
    return slice_make(parts->source.p + line.start,
                      len < ERRORPAGE_LINE_BYTES_MAX ? len : ERRORPAGE_LINE_BYTES_MAX);
}

/* What stands before the caret: tabs stay tabs. */
static bool put_indent(struct buf *out, const struct parts *parts)
{
    bool ok = true;
    for (size_t i = parts->line.start; i < parts->at && ok; i++) {
        char c = parts->source.p[i];
        bool goes_on = ((unsigned char)c & 0xC0) == 0x80; /* within a character of UTF-8 */
        ok = goes_on || buf_append(out, c == '\t' ? "\t" : " ", 1);
    }
    return ok;
}

static bool has_caret(const struct parts *parts, struct excerpt_line line)
{
    return line.number == parts->line.number && parts->at != EXCERPT_NOWHERE &&
           parts->at - parts->line.start < ERRORPAGE_LINE_BYTES_MAX;
}

/* --- plain text --------------------------------------------------------------------------------
 */

static bool put_rows(struct buf *out, const struct parts *parts, int around)
{
    bool ok = true;
    struct excerpt_line line;
    for (int n = parts->line.number - around; n <= parts->line.number + around && ok; n++) {
        if (n < 1 || !excerpt_line(parts->source, n, &line) ||
            (line.start == parts->source.len && n > parts->line.number)) {
            continue;
        }
        struct slice text = text_of(parts, line);
        ok = buf_printf(out, "%c%4d | %.*s\n", n == parts->line.number ? '>' : ' ', n,
                        (int)text.len, text.p);
        if (ok && has_caret(parts, line)) {
            ok = buf_printf(out, "      | ") && put_indent(out, parts) && buf_append(out, "^\n", 2);
        }
    }
    return ok;
}

static bool render_text(struct buf *out, const struct errorpage *page, const struct parts *parts)
{
    bool ok = buf_printf(out, "%s\n\n", page->title) && buf_append_slice(out, parts->message) &&
              buf_append(out, "\n", 1);
    if (ok && parts->line.number > 0) {
        ok = buf_append(out, "\n", 1) && put_rows(out, parts, ERRORPAGE_AROUND / 2);
    }
    if (ok && parts->traceback.len > 0) {
        ok = buf_append(out, "\n", 1) && buf_append_slice(out, parts->traceback) &&
             buf_append(out, "\n", 1);
    }
    if (ok && page->hint != NULL && page->hint[0] != '\0') {
        ok = buf_printf(out, "\nhint:  %s\n", page->hint);
    }
    return ok && buf_printf(out, "\ngen %u%s%s\n", (unsigned)page->generation,
                            page->id == NULL ? "" : "  error ", page->id == NULL ? "" : page->id);
}

/* --- JSON --------------------------------------------------------------------------------------
 */

/* jsonout takes texts that end with NUL. */
static bool put_member(struct buf *out, const char *name, struct slice value)
{
    struct buf copy;
    buf_init(&copy, ERRORPAGE_BYTES_MAX);
    bool ok = value.len > 0 && buf_append_slice(&copy, value) && buf_append(&copy, "", 1);
    jsonout_text(out, name, ok ? copy.p : NULL);
    buf_deinit(&copy);
    return ok || value.len == 0;
}

static bool render_json(struct buf *out, const struct errorpage *page, const struct parts *parts)
{
    struct buf message;
    buf_init(&message, ERRORPAGE_BYTES_MAX);
    bool ok = buf_append_slice(&message, parts->message) && buf_append(&message, "", 1);
    if (ok) {
        jsonout_open(out, "error", message.p);
        jsonout_text(out, "title", page->title);
        ok = put_member(out, "file", parts->place.file);
        jsonout_number(out, "line", parts->place.line);
        jsonout_number(out, "column", column_of(parts));
        ok = ok &&
             put_member(out, "source",
                        parts->line.number > 0 ? text_of(parts, parts->line) : slice_make("", 0));
        ok = ok && put_member(out, "traceback", parts->traceback);
        ok = ok && put_member(out, "hint", slice_from_cstr(page->hint));
        jsonout_number(out, "generation", page->generation);
        jsonout_text(out, "id", page->id);
        jsonout_close(out);
    }
    buf_deinit(&message);
    return ok && out->len > 0 && out->p[out->len - 1] == '\n';
}

/* --- HTML --------------------------------------------------------------------------------------
 */

/* How many bytes of one well-formed character are at p; 0: it is none. */
static size_t measure_character(const char *p, size_t left)
{
    unsigned char lead = (unsigned char)p[0];
    size_t len = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    return len <= left && utf8_is_valid(slice_make(p, len)) ? len : 0;
}

bool errorpage_escape(struct buf *out, struct slice text)
{
    bool ok = true;
    for (size_t i = 0; i < text.len && ok;) {
        char c = text.p[i];
        size_t len = measure_character(text.p + i, text.len - i);
        bool control = (unsigned char)c < 0x20 && c != '\n' && c != '\t';
        switch (c) {
        case '&': ok = buf_append(out, "&amp;", 5); break;
        case '<': ok = buf_append(out, "&lt;", 4); break;
        case '>': ok = buf_append(out, "&gt;", 4); break;
        case '"': ok = buf_append(out, "&quot;", 6); break;
        case '\'': ok = buf_append(out, "&#39;", 5); break;
        default:
            ok = len == 0 || control || c == 0x7F ? buf_append(out, "\xEF\xBF\xBD", 3)
                                                  : buf_append(out, text.p + i, len);
            break;
        }
        i += len == 0 ? 1 : len;
    }
    return ok;
}

static bool put(struct buf *out, const char *html)
{
    return buf_append(out, html, strlen(html));
}

static bool put_html_rows(struct buf *out, const struct parts *parts)
{
    bool ok = put(out, "<pre class=\"source\">");
    struct excerpt_line line;
    for (int n = parts->line.number - ERRORPAGE_AROUND;
         n <= parts->line.number + ERRORPAGE_AROUND && ok; n++) {
        if (n < 1 || !excerpt_line(parts->source, n, &line) ||
            (line.start == parts->source.len && n > parts->line.number)) {
            continue;
        }
        ok = put(out, n == parts->line.number ? "<b>" : "<i>") && buf_printf(out, "%5d | ", n) &&
             errorpage_escape(out, text_of(parts, line)) &&
             put(out, n == parts->line.number ? "</b>\n" : "</i>\n");
        if (ok && has_caret(parts, line)) {
            ok = put(out, "<b>      | ") && put_indent(out, parts) && put(out, "<u>^</u></b>\n");
        }
    }
    return ok && put(out, "</pre>\n");
}

static const char head_html[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
    ":root{color-scheme:light dark}\n"
    "body{font:16px/1.5 system-ui,sans-serif;margin:2em auto;max-width:60em;padding:0 1em}\n"
    "h1{font-size:1em;color:#c22;margin:0}\n"
    "pre{font:14px/1.45 ui-monospace,monospace;overflow-x:auto;margin:1em 0}\n"
    ".message{font-size:1.15em;font-weight:bold;white-space:pre-wrap}\n"
    ".source{border-left:4px solid #c22;padding-left:.5em}\n"
    ".source i{font-style:normal;opacity:.65}.source u{text-decoration:none;color:#c22}\n"
    "footer{opacity:.65;font-size:.9em}\n</style>\n<title>";

static bool render_html(struct buf *out, const struct errorpage *page, const struct parts *parts)
{
    bool ok = put(out, head_html) && errorpage_escape(out, slice_from_cstr(page->title)) &&
              put(out, "</title>\n");
    if (ok && page->version != NULL) {
        ok = put(out, "<script src=\"" ERRORPAGE_REFRESH_PATH "\" data-version=\"") &&
             errorpage_escape(out, slice_from_cstr(page->version)) &&
             put(out, "\" defer></script>\n");
    }
    ok = ok && put(out, "</head>\n<body>\n<h1>") &&
         errorpage_escape(out, slice_from_cstr(page->title)) &&
         put(out, "</h1>\n<pre class=\"message\">") && errorpage_escape(out, parts->message) &&
         put(out, "</pre>\n");
    if (ok && parts->line.number > 0) {
        ok = put_html_rows(out, parts);
    }
    if (ok && parts->traceback.len > 0) {
        ok = put(out, "<pre class=\"traceback\">") && errorpage_escape(out, parts->traceback) &&
             put(out, "</pre>\n");
    }
    if (ok && page->hint != NULL && page->hint[0] != '\0') {
        ok = put(out, "<p>") && errorpage_escape(out, slice_from_cstr(page->hint)) &&
             put(out, "</p>\n");
    }
    ok = ok && buf_printf(out, "<footer>generation %" PRIu32, page->generation);
    if (ok && page->id != NULL) {
        ok = put(out, ", error ") && errorpage_escape(out, slice_from_cstr(page->id));
    }
    return ok && put(out, "</footer>\n</body>\n</html>\n");
}

bool errorpage_render(struct buf *out, enum errorpage_form form, const struct errorpage *page)
{
    struct parts parts;
    take_apart(page, &parts);
    switch (form) {
    case ERRORPAGE_HTML: return render_html(out, page, &parts);
    case ERRORPAGE_JSON: return render_json(out, page, &parts);
    case ERRORPAGE_TEXT: break;
    }
    return render_text(out, page, &parts);
}

/* --- in one line -------------------------------------------------------------------------------
 */

void errorpage_summarize(const char *message, char *out, size_t cap)
{
    const char *rest = message;
    struct excerpt_place place;
    const char *start = message;
    if (excerpt_next_place(&rest, &place)) {
        start = place.file.p;
    }
    size_t len = 0;
    for (; start[len] != '\0' && start[len] != '\n' && len + 1 < cap; len++) {
        out[len] = start[len];
        if (start[len] < 0x20 || start[len] >= 0x7F) {
            out[len] = '?';
        }
    }
    out[len] = '\0';
}
