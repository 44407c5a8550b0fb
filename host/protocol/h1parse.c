#include "protocol/h1parse.h"

#include <assert.h>

#include "protocol/h1bytes.h"
#include "protocol/header.h"
#include "protocol/url.h"
#include "protocol/verb.h"

/* One walk over the input. Functions return H1_OK and leave `p` behind what they took; after
 * H1_REFUSED `rule` says why. What follows a broken rule that is switched off is the tolerant
 * reading of the same bytes: it exists only where H1_RULE_SWITCH is defined. */
struct walk {
    const char *p;   /* next byte */
    const char *end; /* first byte that may not be read */
    const struct h1_limits *limits;
    struct h1_head *head;
    enum h1_rule rule;
    bool in_target;     /* the input ended inside the request target */
    bool coding_seen;   /* a Transfer-Encoding */
    bool close_seen;    /* Connection: close */
    bool keep_seen;     /* Connection: keep-alive */
    bool upgrade_seen;  /* Connection: upgrade */
    bool continue_seen; /* Expect: 100-continue */
};

static enum h1_result refuse(struct walk *w, enum h1_rule rule)
{
    w->rule = rule;
    return H1_REFUSED;
}

static bool at_line_break(const char *p)
{
    return *p == '\r' || *p == '\n';
}

/* Takes the line end that starts at `p`, a CR or LF. */
static enum h1_result take_line_end(struct walk *w)
{
    assert(w->p < w->end && at_line_break(w->p));
    if (*w->p == '\n') {
        if (H1_BREAKS(H1_RULE_BARE_LF, true)) {
            return refuse(w, H1_RULE_BARE_LF);
        }
        w->p++;
        return H1_OK;
    }
    if (w->p + 1 == w->end) {
        return H1_NEED_MORE;
    }
    if (w->p[1] != '\n') {
        if (H1_BREAKS(H1_RULE_BARE_CR, true)) {
            return refuse(w, H1_RULE_BARE_CR);
        }
        w->p++;
        return H1_OK;
    }
    w->p += 2;
    return H1_OK;
}

/* The request line ends at `p` before all of its parts were there, as HTTP/0.9 has it. */
static enum h1_result end_line_early(struct walk *w)
{
    enum h1_result result = take_line_end(w);
    if (result == H1_OK && H1_BREAKS(H1_RULE_REQUEST_LINE_PARTS, true)) {
        return refuse(w, H1_RULE_REQUEST_LINE_PARTS);
    }
    w->head->minor = 0;
    return result;
}

static enum h1_result take_spaces(struct walk *w)
{
    while (w->p < w->end && *w->p == ' ') {
        if (H1_BREAKS(H1_RULE_REQUEST_LINE_SPACES, true)) {
            return refuse(w, H1_RULE_REQUEST_LINE_SPACES);
        }
        w->p++;
    }
    return w->p == w->end ? H1_NEED_MORE : H1_OK;
}

/* Takes the method and the space behind it; stops at a line break. */
static enum h1_result take_method(struct walk *w)
{
    static const char usual[] = "GET ";
    const char *start = w->p;
    if ((size_t)(w->end - start) >= sizeof usual - 1 &&
        memcmp(start, usual, sizeof usual - 1) == 0) {
        w->head->method = slice_make(start, 3);
        w->head->verb = VERB_GET;
        w->p += sizeof usual - 1;
        return H1_OK;
    }
    while (w->p < w->end && *w->p != ' ' && !at_line_break(w->p)) {
        if (H1_BREAKS(H1_RULE_METHOD_BYTES, !h1_is_token_byte((unsigned char)*w->p))) {
            return refuse(w, H1_RULE_METHOD_BYTES);
        }
        w->p++;
    }
    size_t len = (size_t)(w->p - start);
    if (H1_BREAKS(H1_RULE_METHOD_LENGTH, len > H1_METHOD_BYTES_MAX)) {
        return refuse(w, H1_RULE_METHOD_LENGTH);
    }
    if (w->p == w->end) {
        return H1_NEED_MORE;
    }
    if (H1_BREAKS(H1_RULE_METHOD_EMPTY, len == 0)) {
        return refuse(w, H1_RULE_METHOD_EMPTY);
    }
    w->head->method = slice_make(start, len);
    w->head->verb = (uint8_t)verb_id(w->head->method);
    if (H1_BREAKS(H1_RULE_METHOD_CASE, w->head->verb == VERB_INVALID)) {
        return refuse(w, H1_RULE_METHOD_CASE);
    }
    if (*w->p == ' ') {
        w->p++;
    }
    return H1_OK;
}

/* Takes the bytes of the target and the space behind them; stops at a line break. */
static enum h1_result take_target(struct walk *w)
{
    const char *start = w->p;
    for (;;) {
        w->p = h1_find_target_end(w->p, w->end);
        if (w->p == w->end || *w->p == ' ' || at_line_break(w->p)) {
            break;
        }
        if (H1_BREAKS(H1_RULE_TARGET_FRAGMENT, *w->p == '#')) {
            return refuse(w, H1_RULE_TARGET_FRAGMENT);
        }
        if (H1_BREAKS(H1_RULE_TARGET_BYTES, *w->p != '#')) {
            return refuse(w, H1_RULE_TARGET_BYTES);
        }
        w->p++;
    }
    w->head->target = slice_make(start, (size_t)(w->p - start));
    if (H1_BREAKS(H1_RULE_TARGET_LENGTH, w->head->target.len > w->limits->target_bytes_max)) {
        return refuse(w, H1_RULE_TARGET_LENGTH);
    }
    if (w->p == w->end) {
        w->in_target = true;
        return H1_NEED_MORE;
    }
    if (*w->p == ' ') {
        w->p++;
    }
    return H1_OK;
}

/* Takes the version and the line end, any way it may be written. */
static enum h1_result take_odd_version(struct walk *w)
{
    static const char form[] = "HTTP/d.d";
    const char *start = w->p;
    const char *form_end = start + sizeof(form) - 1;
    bool well_formed = true;
    while (w->p < w->end && !at_line_break(w->p)) {
        if (H1_BREAKS(H1_RULE_REQUEST_LINE_SPACES, *w->p == ' ')) {
            return refuse(w, H1_RULE_REQUEST_LINE_SPACES);
        }
        char wanted = form[w->p < form_end ? (size_t)(w->p - start) : sizeof(form) - 1];
        bool digit = *w->p >= '0' && *w->p <= '9';
        bool wrong = *w->p != ' ' && (wanted == 'd' ? !digit : *w->p != wanted || wanted == '\0');
        if (H1_BREAKS(H1_RULE_VERSION_FORM, wrong)) {
            return refuse(w, H1_RULE_VERSION_FORM);
        }
        well_formed = well_formed && !wrong;
        w->p++;
    }
    if (w->p == w->end) {
        return H1_NEED_MORE;
    }
    well_formed = well_formed && w->p >= form_end;
    if (H1_BREAKS(H1_RULE_VERSION_FORM, !well_formed)) {
        return refuse(w, H1_RULE_VERSION_FORM);
    }
    bool known = well_formed && start[5] == '1' && (start[7] == '0' || start[7] == '1');
    w->head->minor = known && start[7] == '0' ? 0 : 1;
    enum h1_result result = take_line_end(w);
    if (result == H1_OK && H1_BREAKS(H1_RULE_VERSION_UNKNOWN, well_formed && !known)) {
        return refuse(w, H1_RULE_VERSION_UNKNOWN);
    }
    return result;
}

/* Takes the version and the line end. */
static enum h1_result take_version(struct walk *w)
{
    static const char usual[] = "HTTP/1.1\r\n";
    size_t len = sizeof(usual) - 1;
    if ((size_t)(w->end - w->p) < len || memcmp(w->p, usual, len) != 0) {
        return take_odd_version(w);
    }
    w->p += len;
    w->head->minor = 1;
    return H1_OK;
}

/* scheme "://" authority [path]: the authority is the host of the request (RFC 9112 3.2.2). */
static enum h1_result check_absolute(struct walk *w)
{
    struct h1_head *head = w->head;
    const char *p = head->target.p;
    const char *end = p + head->target.len;
    const char *colon = memchr(p, ':', head->target.len);
    bool is_url = colon != NULL && end - colon >= 3 && colon[1] == '/' && colon[2] == '/';
    if (H1_BREAKS(H1_RULE_TARGET_FORM, !is_url)) {
        return refuse(w, H1_RULE_TARGET_FORM);
    }
    if (!is_url) {
        return H1_OK;
    }
    struct slice scheme = slice_make(p, (size_t)(colon - p));
    head->target_form = H1_TARGET_ABSOLUTE;
    head->target_https = slice_equal_nocase(scheme, SLICE_LIT("https"));
    if (H1_BREAKS(H1_RULE_TARGET_SCHEME,
                  !head->target_https && !slice_equal_nocase(scheme, SLICE_LIT("http")))) {
        return refuse(w, H1_RULE_TARGET_SCHEME);
    }
    const char *host_end = colon + 3;
    while (host_end < end && *host_end != '/' && *host_end != '?') {
        host_end++;
    }
    head->host = slice_make(colon + 3, (size_t)(host_end - colon - 3));
    if (H1_BREAKS(H1_RULE_TARGET_AUTHORITY, !url_is_host(head->host))) {
        return refuse(w, H1_RULE_TARGET_AUTHORITY);
    }
    return H1_OK;
}

/* Which of the four forms the target has, and whether the method may have it (RFC 9112 3.2). */
static enum h1_result check_target(struct walk *w)
{
    struct h1_head *head = w->head;
    if (head->verb == VERB_CONNECT) {
        struct url_host parts;
        bool is_authority = url_parse_host(head->target, &parts) && parts.has_port;
        if (H1_BREAKS(H1_RULE_TARGET_CONNECT, !is_authority)) {
            return refuse(w, H1_RULE_TARGET_CONNECT);
        }
        head->target_form = H1_TARGET_AUTHORITY;
        head->host = head->target;
        return H1_OK;
    }
    if (head->target.len > 0 && head->target.p[0] == '/') {
        return H1_OK;
    }
    if (slice_equal(head->target, SLICE_LIT("*"))) {
        if (H1_BREAKS(H1_RULE_TARGET_ASTERISK, head->verb != VERB_OPTIONS)) {
            return refuse(w, H1_RULE_TARGET_ASTERISK);
        }
        head->target_form = H1_TARGET_ASTERISK;
        return H1_OK;
    }
    return check_absolute(w);
}

/* One empty line before the request is a habit of old clients (RFC 9112 2.2). */
static enum h1_result take_leading_line(struct walk *w)
{
    int lines = 0;
    while (w->p < w->end && at_line_break(w->p)) {
        if (H1_BREAKS(H1_RULE_LEADING_LINES, lines == 1)) {
            return refuse(w, H1_RULE_LEADING_LINES);
        }
        enum h1_result result = take_line_end(w);
        if (result != H1_OK) {
            return result;
        }
        lines++;
    }
    return w->p == w->end ? H1_NEED_MORE : H1_OK;
}

static enum h1_result take_request_line(struct walk *w)
{
    enum h1_result result = take_leading_line(w);
    if (result == H1_OK) {
        result = take_method(w);
    }
    if (result == H1_OK) {
        result = take_spaces(w);
    }
    if (result == H1_OK) {
        result = take_target(w);
    }
    if (result == H1_OK) {
        result = take_spaces(w);
    }
    if (result == H1_OK) {
        result = at_line_break(w->p) ? end_line_early(w) : take_version(w);
    }
    return result == H1_OK ? check_target(w) : result;
}

/* What is wrong where the token of a field name ended without a colon. */
static enum h1_result name_without_colon(struct walk *w)
{
    if (at_line_break(w->p)) {
        const char *name_end = w->p;
        enum h1_result result = take_line_end(w);
        if (result == H1_OK && H1_BREAKS(H1_RULE_FIELD_NO_COLON, true)) {
            return refuse(w, H1_RULE_FIELD_NO_COLON);
        }
        w->p = name_end;
        return result;
    }
    const char *p = w->p;
    while (p < w->end && (*p == ' ' || *p == '\t')) {
        p++;
    }
    if (p == w->end) {
        return H1_NEED_MORE;
    }
    bool space = *p == ':' && p > w->p;
    if (H1_BREAKS(H1_RULE_FIELD_NAME_SPACE, space)) {
        return refuse(w, H1_RULE_FIELD_NAME_SPACE);
    }
    if (H1_BREAKS(H1_RULE_FIELD_NAME_BYTES, !space)) {
        return refuse(w, H1_RULE_FIELD_NAME_BYTES);
    }
    w->p = space ? p : w->p + 1;
    return H1_OK;
}

/* Takes a field name; stops at the colon. */
static enum h1_result take_name(struct walk *w, struct slice *name)
{
    const char *start = w->p;
    const char *name_end = NULL;
    do {
        w->p = h1_find_token_end(w->p, w->end);
        if (w->p == w->end) {
            return H1_NEED_MORE;
        }
        name_end = w->p;
        if (*w->p != ':') {
            enum h1_result result = name_without_colon(w);
            if (result != H1_OK) {
                return result;
            }
        }
    } while (*w->p != ':' && !at_line_break(w->p));
    *name = slice_make(start, (size_t)(name_end - start));
    if (H1_BREAKS(H1_RULE_FIELD_NAME_EMPTY, name->len == 0)) {
        return refuse(w, H1_RULE_FIELD_NAME_EMPTY);
    }
    return H1_OK;
}

/* Takes a field value without the white space around it, and the line end. */
static enum h1_result take_value(struct walk *w, struct slice *value)
{
    while (w->p < w->end && (*w->p == ' ' || *w->p == '\t')) {
        w->p++;
    }
    const char *start = w->p;
    for (;;) {
        w->p = h1_find_control(w->p, w->end);
        if (w->p == w->end) {
            return H1_NEED_MORE;
        }
        if (at_line_break(w->p)) {
            break;
        }
        if (H1_BREAKS(H1_RULE_FIELD_VALUE_BYTES, true)) {
            return refuse(w, H1_RULE_FIELD_VALUE_BYTES);
        }
        w->p++;
    }
    const char *value_end = w->p;
    while (value_end > start && (value_end[-1] == ' ' || value_end[-1] == '\t')) {
        value_end--;
    }
    *value = slice_make(start, (size_t)(value_end - start));
    return take_line_end(w);
}

/* Takes one header line. */
static enum h1_result take_field(struct walk *w, struct h1_header *field)
{
    const char *start = w->p;
    enum h1_result result = take_name(w, &field->name);
    if (result == H1_OK) {
        w->p += *w->p == ':';
        result = take_value(w, &field->value);
    }
    const char *field_end = result == H1_OK ? field->value.p + field->value.len : w->p;
    if (result != H1_REFUSED &&
        H1_BREAKS(H1_RULE_FIELD_LENGTH, (size_t)(field_end - start) > w->limits->field_bytes_max)) {
        return refuse(w, H1_RULE_FIELD_LENGTH);
    }
    return result;
}

/* Cuts the next element off a comma separated list; false at its end. */
static bool take_element(struct slice *list, struct slice *element)
{
    if (list->p == NULL) {
        return false;
    }
    const char *comma = list->len == 0 ? NULL : memchr(list->p, ',', list->len);
    size_t len = comma == NULL ? list->len : (size_t)(comma - list->p);
    *element = slice_trim(slice_make(list->p, len));
    *list = comma == NULL ? slice_make(NULL, 0) : slice_make(comma + 1, list->len - len - 1);
    return true;
}

bool h1_list_has(struct slice value, struct slice token)
{
    struct slice element;
    while (take_element(&value, &element)) {
        if (slice_equal_nocase(element, token)) {
            return true;
        }
    }
    return false;
}

static enum h1_result note_length(struct walk *w, struct slice value)
{
    struct h1_head *head = w->head;
    if (H1_BREAKS(H1_RULE_LENGTH_REPEATED, head->has_length)) {
        return refuse(w, H1_RULE_LENGTH_REPEATED);
    }
    if (H1_BREAKS(H1_RULE_LENGTH_EMPTY, value.len == 0)) {
        return refuse(w, H1_RULE_LENGTH_EMPTY);
    }
    uint64_t length = 0;
    for (size_t i = 0; i < value.len; i++) {
        unsigned digit = (unsigned)(unsigned char)value.p[i] - (unsigned)'0';
        if (H1_BREAKS(H1_RULE_LENGTH_DIGITS, digit > 9)) {
            return refuse(w, H1_RULE_LENGTH_DIGITS);
        }
        if (H1_BREAKS(H1_RULE_LENGTH_OVERFLOW, length > (UINT64_MAX - digit) / 10)) {
            return refuse(w, H1_RULE_LENGTH_OVERFLOW);
        }
        length = length * 10 + digit;
    }
    head->has_length = true;
    head->content_length = length;
    return H1_OK;
}

/* Several Transfer-Encoding lines are one list (RFC 9110 5.3). */
static enum h1_result note_codings(struct walk *w, struct slice value)
{
    struct h1_head *head = w->head;
    struct slice coding;
    if (H1_BREAKS(H1_RULE_CODING_IN_10, head->minor == 0)) {
        return refuse(w, H1_RULE_CODING_IN_10);
    }
    w->coding_seen = true;
    while (take_element(&value, &coding)) {
        bool is_chunked = slice_equal_nocase(coding, SLICE_LIT("chunked"));
        if (H1_BREAKS(H1_RULE_CODING_EMPTY, coding.len == 0)) {
            return refuse(w, H1_RULE_CODING_EMPTY);
        }
        if (H1_BREAKS(H1_RULE_CODING_REPEATED, is_chunked && head->chunked)) {
            return refuse(w, H1_RULE_CODING_REPEATED);
        }
        if (H1_BREAKS(H1_RULE_CODING_NOT_LAST, coding.len > 0 && !is_chunked && head->chunked)) {
            return refuse(w, H1_RULE_CODING_NOT_LAST);
        }
        if (H1_BREAKS(H1_RULE_CODING_UNKNOWN, coding.len > 0 && !is_chunked && !head->chunked)) {
            return refuse(w, H1_RULE_CODING_UNKNOWN);
        }
        head->chunked = head->chunked || is_chunked;
    }
    return H1_OK;
}

static enum h1_result note_host(struct walk *w, struct slice value)
{
    bool repeated = (w->head->known & (1ULL << H_HOST)) != 0;
    if (H1_BREAKS(H1_RULE_HOST_REPEATED, repeated)) {
        return refuse(w, H1_RULE_HOST_REPEATED);
    }
    w->head->host_is_known = value.len > 0 && slice_equal(value, w->head->host_known);
    if (H1_BREAKS(H1_RULE_HOST_MALFORMED, !w->head->host_is_known && !url_is_host(value))) {
        return refuse(w, H1_RULE_HOST_MALFORMED);
    }
    w->head->host_field = value;
    return H1_OK;
}

static void note_connection(struct walk *w, struct slice value)
{
    struct slice option;
    while (take_element(&value, &option)) {
        w->close_seen = w->close_seen || slice_equal_nocase(option, SLICE_LIT("close"));
        w->keep_seen = w->keep_seen || slice_equal_nocase(option, SLICE_LIT("keep-alive"));
        w->upgrade_seen = w->upgrade_seen || slice_equal_nocase(option, SLICE_LIT("upgrade"));
    }
}

/* Fields that decide about the connection or the body. */
static enum h1_result note_field(struct walk *w, const struct h1_header *field)
{
    enum h1_result result = H1_OK;
    switch (field->id) {
    case H_HOST: result = note_host(w, field->value); break;
    case H_CONTENT_LENGTH: result = note_length(w, field->value); break;
    case H_TRANSFER_ENCODING: result = note_codings(w, field->value); break;
    case H_CONNECTION: note_connection(w, field->value); break;
    case H_EXPECT:
        w->continue_seen =
            w->continue_seen || slice_equal_nocase(field->value, SLICE_LIT("100-continue"));
        break;
    default: break;
    }
    if (field->id >= 0) {
        w->head->known |= 1ULL << field->id;
    }
    return result;
}

/* White space at the start of a line where a header should be: a folded value, or before the first
 * header something that others may read as one (RFC 9112 2.2). */
static enum h1_result take_folded(struct walk *w)
{
    struct slice ignored;
    if (w->head->header_count == 0) {
        if (H1_BREAKS(H1_RULE_SPACE_BEFORE_HEADERS, true)) {
            return refuse(w, H1_RULE_SPACE_BEFORE_HEADERS);
        }
    } else if (H1_BREAKS(H1_RULE_OBS_FOLD, true)) {
        return refuse(w, H1_RULE_OBS_FOLD);
    }
    return take_value(w, &ignored);
}

/* Takes the headers and the empty line behind them. */
static enum h1_result take_fields(struct walk *w)
{
    struct h1_head *head = w->head;
    while (w->p < w->end && !at_line_break(w->p)) {
        enum h1_result result = H1_OK;
        if (*w->p == ' ' || *w->p == '\t') {
            result = take_folded(w);
        } else {
            if (H1_BREAKS(H1_RULE_HEADER_COUNT,
                          head->header_count == w->limits->header_count_max)) {
                return refuse(w, H1_RULE_HEADER_COUNT);
            }
            struct h1_header *field = &head->headers[head->header_count];
            result = take_field(w, field);
            if (result == H1_OK) {
                field->id = (int16_t)header_request_id(field->name);
                result = note_field(w, field);
                head->header_count++;
            }
        }
        if (result != H1_OK) {
            return result;
        }
    }
    return w->p == w->end ? H1_NEED_MORE : take_line_end(w);
}

/* What only the whole head shows. */
static enum h1_result conclude(struct walk *w)
{
    struct h1_head *head = w->head;
    bool has_host = (head->known & (1ULL << H_HOST)) != 0;
    if (H1_BREAKS(H1_RULE_HOST_MISSING, head->minor == 1 && !has_host)) {
        return refuse(w, H1_RULE_HOST_MISSING);
    }
    if (H1_BREAKS(H1_RULE_LENGTH_AND_CODING, head->has_length && w->coding_seen)) {
        return refuse(w, H1_RULE_LENGTH_AND_CODING);
    }
    bool wants_body = head->verb == VERB_POST || head->verb == VERB_PUT;
    if (H1_BREAKS(H1_RULE_LENGTH_REQUIRED, wants_body && !head->has_length && !head->chunked)) {
        return refuse(w, H1_RULE_LENGTH_REQUIRED);
    }
    if (head->target_form == H1_TARGET_ORIGIN || head->target_form == H1_TARGET_ASTERISK) {
        head->host = head->host_field;
    }
    head->has_body = head->chunked || head->content_length > 0;
    head->keep_alive = !w->close_seen && (head->minor == 1 || w->keep_seen);
    head->expect_continue = w->continue_seen && head->minor == 1 && head->has_body;
    head->upgrade = w->upgrade_seen && head->minor == 1 && (head->known & (1ULL << H_UPGRADE)) != 0;
    return H1_OK;
}

/* Whether the bytes from `scanned` on make it worth to parse from the start: they hold the end of
 * the request line, the end of the head, or an LF that will be refused. */
static bool has_news(const char *p, size_t len, size_t scanned)
{
    bool leading = len >= 2 && p[0] == '\r' && p[1] == '\n';
    const char *line = leading ? p + 2 : p;
    const char *end = p + len;
    const char *from = p + scanned < line ? line : p + scanned;
    bool first_line_done = memchr(line, '\n', (size_t)(from - line)) != NULL;
    const char *lf = from;
    while (lf < end && (lf = memchr(lf, '\n', (size_t)(end - lf))) != NULL) {
        if (!first_line_done || lf[-1] != '\r' || lf - line < 2 || lf[-2] == '\n') {
            return true;
        }
        lf++;
    }
    return false;
}

/* The input is not a complete head: is it too long already? */
static enum h1_result check_length(struct walk *w, size_t len)
{
    if (len < w->limits->head_bytes_max) {
        return H1_NEED_MORE;
    }
    if (H1_BREAKS(H1_RULE_TARGET_LENGTH, w->in_target)) {
        return refuse(w, H1_RULE_TARGET_LENGTH);
    }
    if (H1_BREAKS(H1_RULE_HEAD_LENGTH, true)) {
        return refuse(w, H1_RULE_HEAD_LENGTH);
    }
    return H1_NEED_MORE;
}

enum h1_result h1_parse_head(const char *p, size_t len, size_t scanned_before,
                             const struct h1_limits *limits, struct h1_head *head,
                             struct h1_refusal *why)
{
    assert(scanned_before <= len);
    bool too_long = len >= limits->head_bytes_max;
    if (len == 0 || (scanned_before > 0 && !too_long && !has_news(p, len, scanned_before))) {
        return H1_NEED_MORE;
    }
    *head = (struct h1_head){.headers = head->headers, .host_known = head->host_known};
    struct walk w = {.p = p,
                     .end = too_long ? p + limits->head_bytes_max : p + len,
                     .limits = limits,
                     .head = head};
    enum h1_result result = take_request_line(&w);
    if (result == H1_OK) {
        result = take_fields(&w);
    }
    if (result == H1_OK) {
        result = conclude(&w);
    }
    if (result == H1_NEED_MORE) {
        result = check_length(&w, len);
    }
    if (result == H1_REFUSED) {
        *why = h1_rule_refusal(w.rule);
    }
    head->head_bytes = (uint32_t)(w.p - p);
    return result;
}

int h1_parse_fields(struct slice block, struct h1_header *out, uint16_t max, enum h1_rule *rule)
{
    static const struct h1_limits unlimited = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT16_MAX};
    struct walk w = {.p = block.p, .end = block.p + block.len, .limits = &unlimited};
    int count = 0;
    while (w.p < w.end) {
        struct h1_header field;
        enum h1_result result = H1_REFUSED;
        if (*w.p == ' ' || *w.p == '\t') {
            w.rule = H1_RULE_OBS_FOLD;
        } else if (count == max) {
            w.rule = H1_RULE_HEADER_COUNT;
        } else {
            result = take_field(&w, &field);
        }
        if (result != H1_OK) {
            *rule = result == H1_NEED_MORE ? H1_RULE_FIELD_NO_COLON : w.rule;
            return -1;
        }
        field.id = (int16_t)header_request_id(field.name);
        out[count++] = field;
    }
    return count;
}
