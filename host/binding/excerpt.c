#include "binding/excerpt.h"

#include <string.h>

enum { LINE_DIGITS_MAX = 9 };

/* "12: " at p; the number and how long it is with colon and blank. 0: there is none. */
static int read_line_number(const char *p, const char *end, size_t *length)
{
    size_t digits = 0;
    int number = 0;
    while (p + digits < end && digits < LINE_DIGITS_MAX && p[digits] >= '0' && p[digits] <= '9') {
        number = number * 10 + (p[digits++] - '0');
    }
    if (digits == 0 || p + digits + 1 >= end || p[digits] != ':' || p[digits + 1] != ' ') {
        return 0;
    }
    *length = digits + 2;
    return number;
}

bool excerpt_next_place(const char **message, struct excerpt_place *place)
{
    const char *at = *message;
    while (*at != '\0') {
        const char *start = at + strspn(at, " \t");
        const char *end = at + strcspn(at, "\n");
        at = *end == '\0' ? end : end + 1;
        for (const char *p = start + 1; start < end && p < end; p++) {
            size_t length = 0;
            int number = *p == ':' ? read_line_number(p + 1, end, &length) : 0;
            if (number > 0) {
                *place = (struct excerpt_place){
                    slice_make(start, (size_t)(p - start)), number,
                    slice_make(p + 1 + length, (size_t)(end - (p + 1 + length)))};
                *message = at;
                return true;
            }
        }
    }
    *message = at;
    return false;
}

struct excerpt_line excerpt_line_at(struct slice text, size_t at)
{
    struct excerpt_line line = {1, 0, 0};
    for (size_t i = 0; i < at && i < text.len; i++) {
        if (text.p[i] == '\n') {
            line.number++;
            line.start = i + 1;
        }
    }
    line.end = line.start;
    while (line.end < text.len && text.p[line.end] != '\n') {
        line.end++;
    }
    return line;
}

bool excerpt_line(struct slice text, int number, struct excerpt_line *line)
{
    size_t at = 0;
    for (int i = 1; i < number; i++) {
        const char *feed = at < text.len ? memchr(text.p + at, '\n', text.len - at) : NULL;
        if (feed == NULL) {
            return false;
        }
        at = (size_t)(feed - text.p) + 1;
    }
    const char *feed = at < text.len ? memchr(text.p + at, '\n', text.len - at) : NULL;
    *line = (struct excerpt_line){number, at, feed == NULL ? text.len : (size_t)(feed - text.p)};
    return number > 0;
}

/* --- syntax errors --------------------------------------------------------------------------- */

/* Gives the source byte by byte, so that the place where the compiler gave up is known to the byte.
 */
struct reader {
    struct slice text;
    size_t at;
};

static const char *read_byte(lua_State *L, void *ud, size_t *size)
{
    struct reader *reader = ud;
    (void)L;
    *size = reader->at < reader->text.len ? 1 : 0;
    return *size == 1 ? reader->text.p + reader->at++ : NULL;
}

/* Where the token stands that the message names: the last place that ends at or before the byte
 * that was read last. */
static size_t find_token(struct slice text, size_t read, const char *message)
{
    const char *place = strstr(message, " near '");
    const char *end = place == NULL ? NULL : strrchr(place, '\'');
    if (place == NULL) {
        return strstr(message, "near <eof>") == NULL ? EXCERPT_NOWHERE : text.len;
    }
    if (end < place + 7) {
        return EXCERPT_NOWHERE;
    }
    struct slice token = slice_make(place + 7, (size_t)(end - (place + 7)));
    for (size_t at = read; at-- > 0;) {
        if (at + token.len <= read && memcmp(text.p + at, token.p, token.len) == 0) {
            return at;
        }
        if (read - at > token.len + 8) {
            break;
        }
    }
    return EXCERPT_NOWHERE;
}

size_t excerpt_compile(lua_State *L, struct slice text, const char *chunk)
{
    struct reader reader = {.text = text};
    reader.at = slice_starts_with(text, SLICE_LIT("\xEF\xBB\xBF")) ? 3 : 0;
    if (reader.at < text.len && text.p[reader.at] == '#') {
        const char *line_end = memchr(text.p, '\n', text.len);
        reader.at = line_end == NULL ? text.len : (size_t)(line_end - text.p);
    }
    if (lua_load(L, read_byte, &reader, chunk, "t") == LUA_OK) {
        lua_pop(L, 1);
        lua_pushnil(L);
        return EXCERPT_NOWHERE;
    }
    const char *message = lua_tostring(L, -1);
    return message == NULL ? EXCERPT_NOWHERE : find_token(text, reader.at, message);
}

/* --- other errors ---------------------------------------------------------------------------- */

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* "... (global 'x')", "... (field 'x')": x. Empty: the message names nothing. */
static struct slice named_in(struct slice message)
{
    for (size_t i = message.len; i-- > 2;) {
        if (message.p[i] != ')' || message.p[i - 1] != '\'') {
            continue;
        }
        size_t start = i - 1;
        while (start > 0 && message.p[start - 1] != '\'') {
            start--;
        }
        return slice_make(message.p + start, i - 1 - start);
    }
    return slice_make("", 0);
}

size_t excerpt_find_name(struct slice text, struct excerpt_line line, struct slice message)
{
    struct slice name = named_in(message);
    for (size_t at = line.start; name.len > 0 && at + name.len <= line.end; at++) {
        bool whole = (at == line.start || !is_name_byte(text.p[at - 1])) &&
                     (at + name.len == line.end || !is_name_byte(text.p[at + name.len]));
        if (whole && memcmp(text.p + at, name.p, name.len) == 0) {
            return at;
        }
    }
    return EXCERPT_NOWHERE;
}
