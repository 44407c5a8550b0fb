/* Error pages and excerpts: three forms, everything escaped, carets under the right byte. */
#include "support/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "binding/errorpage.h"
#include "binding/excerpt.h"

static const char script[] = "local a = 1\n"
                             "\tlocal tax = = 1.2\n"
                             "return a.b.c </script><b>\n";

/* Knows app.lua and nothing else. */
static struct slice source(void *ctx, struct slice file)
{
    (void)ctx;
    return slice_equal(file, SLICE_LIT("app.lua")) ? slice_make(script, sizeof script - 1)
                                                   : slice_make(NULL, 0);
}

/* The page as a string; the caller frees. */
static char *render(enum errorpage_form form, const char *message, const char *traceback)
{
    struct buf out;
    buf_init(&out, ERRORPAGE_BYTES_MAX);
    const struct errorpage page = {.title = "a <title>",
                                   .message = message,
                                   .traceback = traceback,
                                   .hint = "a 'hint'",
                                   .id = "1-0-1",
                                   .generation = 7,
                                   .version = "v\"1",
                                   .source = source};
    assert_true(errorpage_render(&out, form, &page));
    assert_true(buf_append(&out, "", 1));
    return out.p;
}

#define ASSERT_HAS(text, part)                                                                     \
    do {                                                                                           \
        if (strstr(text, part) == NULL) {                                                          \
            fail_msg("\"%s\" wanted in:\n%s", part, text);                                         \
        }                                                                                          \
    } while (0)
#define ASSERT_HAS_NOT(text, part)                                                                 \
    do {                                                                                           \
        if (strstr(text, part) != NULL) {                                                          \
            fail_msg("\"%s\" not wanted in:\n%s", part, text);                                     \
        }                                                                                          \
    } while (0)

static void errorpage_form_is_what_is_accepted(void **state)
{
    static const struct {
        const char *accept;
        enum errorpage_form form;
    } rows[] = {
        {"", ERRORPAGE_TEXT},
        {"*/*", ERRORPAGE_TEXT},
        {"text/plain", ERRORPAGE_TEXT},
        {"text/html", ERRORPAGE_HTML},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", ERRORPAGE_HTML},
        {"application/json", ERRORPAGE_JSON},
        {"application/problem+json, text/plain", ERRORPAGE_JSON},
        {"APPLICATION/JSON;charset=utf-8", ERRORPAGE_JSON},
        {"text/html;q=0.5, application/json", ERRORPAGE_JSON},
        {"application/json;q=0.5, text/html;level=1;q=0.75", ERRORPAGE_HTML},
        {"text/html;q=0", ERRORPAGE_TEXT},
        {"text/html;q=0.0, application/json;q=0.001", ERRORPAGE_JSON},
        {"text/htmlx", ERRORPAGE_TEXT},
        {",, ;,", ERRORPAGE_TEXT},
        {"text/html;q=", ERRORPAGE_HTML},
        {"text/html;q=9.", ERRORPAGE_TEXT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (errorpage_choose(slice_from_cstr(rows[i].accept)) != rows[i].form) {
            fail_msg("%s", rows[i].accept);
        }
    }
}

static void errorpage_text_has_excerpt_and_caret(void **state)
{
    (void)state;
    char *text = render(ERRORPAGE_TEXT, "app.lua:2: unexpected symbol near '='", NULL);
    ASSERT_HAS(text, "    1 | local a = 1\n"
                     ">   2 | \tlocal tax = = 1.2\n"
                     "      | \t            ^\n"
                     "    3 | return");
    ASSERT_HAS(text, "gen 7  error 1-0-1\n");
    free(text);
    /* The message names a file that was not loaded: none of it is shown. */
    text = render(ERRORPAGE_TEXT, "/etc/passwd:1: x", NULL);
    ASSERT_HAS_NOT(text, " | ");
    free(text);
    /* A value without a place: the traceback has it. */
    text = render(ERRORPAGE_TEXT, "gone", "stack traceback:\n\t[C]: in ?\n\tapp.lua:3: in f");
    ASSERT_HAS(text, ">   3 | return a.b.c");
    free(text);
    /* A module that does not load is named behind the line that wanted it. */
    text = render(ERRORPAGE_TEXT,
                  "error loading module 'app' from file 'app.lua':\n\tapp.lua:2: unexpected symbol "
                  "near '='\nstack traceback:\n\t[C]: in ?",
                  NULL);
    ASSERT_HAS(text, "      | \t            ^\n");
    free(text);
    text = render(ERRORPAGE_TEXT, "app.lua:99: x", NULL);
    ASSERT_HAS_NOT(text, " | ");
    free(text);
}

static void errorpage_html_is_escaped(void **state)
{
    (void)state;
    char *html = render(ERRORPAGE_HTML, "app.lua:3: <script>alert(\"1\")</script> & 'x' \xff\x01",
                        "stack traceback:\n\t<img src=x onerror=alert(1)>");
    ASSERT_HAS(html, "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39; "
                     "\xEF\xBF\xBD\xEF\xBF\xBD");
    ASSERT_HAS(html, "&lt;img src=x");
    ASSERT_HAS(html, "a &lt;title&gt;");
    ASSERT_HAS(html, "data-version=\"v&quot;1\"");
    ASSERT_HAS(html, "<b>    3 | return a.b.c &lt;/script&gt;&lt;b&gt;</b>\n");
    ASSERT_HAS(html, "generation 7, error 1-0-1");
    ASSERT_HAS_NOT(html, "<script>alert");
    ASSERT_HAS_NOT(html, "<img");
    free(html);
}

static void errorpage_json_has_every_member(void **state)
{
    (void)state;
    char *json =
        render(ERRORPAGE_JSON, "app.lua:2: \"near\" near '='\nstack traceback:\n\tx", NULL);
    assert_string_equal(json, "{\"error\":\"app.lua:2: \\\"near\\\" near '='\",\"title\":\"a "
                              "<title>\",\"file\":\"app.lua\",\"line\":2,\"column\":14,\"source\":"
                              "\"\\u0009local tax = = 1.2\",\"traceback\":\"stack "
                              "traceback:\\n\\u0009x\",\"hint\":\"a 'hint'\",\"generation\":7,"
                              "\"id\":\"1-0-1\"}\n");
    free(json);
    json = render(ERRORPAGE_JSON, "no place", NULL);
    ASSERT_HAS(json, "\"file\":null,\"line\":0,\"column\":0,\"source\":null,\"traceback\":null");
    free(json);
}

static void errorpage_summary_is_one_line_of_ascii(void **state)
{
    char out[ERRORPAGE_SUMMARY_BYTES_MAX];
    char small[8];
    (void)state;
    errorpage_summarize("app.lua:2: a\r\tb\xc3\xa4\nInjected: 1", out, sizeof out);
    assert_string_equal(out, "app.lua:2: a??b??");
    errorpage_summarize("error loading module 'm' from file 'm.lua':\n\tm.lua:3: x\n", out,
                        sizeof out);
    assert_string_equal(out, "m.lua:3: x");
    errorpage_summarize("app.lua:2: abc", small, sizeof small);
    assert_string_equal(small, "app.lua");
    errorpage_summarize("", out, sizeof out);
    assert_string_equal(out, "");
}

static void errorpage_is_bounded(void **state)
{
    struct buf out;
    char *big = malloc(ERRORPAGE_BYTES_MAX + 1);
    (void)state;
    assert_non_null(big);
    memset(big, '<', ERRORPAGE_BYTES_MAX);
    big[ERRORPAGE_BYTES_MAX] = '\0';
    for (int form = ERRORPAGE_TEXT; form <= ERRORPAGE_JSON; form++) {
        buf_init(&out, ERRORPAGE_BYTES_MAX);
        assert_false(errorpage_render(&out, (enum errorpage_form)form,
                                      &(struct errorpage){.title = "t", .message = big}));
        buf_deinit(&out);
    }
    free(big);
}

/* Where a text breaks, "line:column" from 1, or "" for nowhere. */
static void assert_breaks_at(const char *text, int line, int column)
{
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    struct slice all = slice_from_cstr(text);
    size_t at = excerpt_compile(L, all, "=x");
    if (line == 0) {
        assert_true(at == EXCERPT_NOWHERE);
    } else {
        assert_true(at != EXCERPT_NOWHERE);
        struct excerpt_line found = excerpt_line_at(all, at);
        if (found.number != line || (int)(at - found.start) + 1 != column) {
            fail_msg("%s: %d:%d", text, found.number, (int)(at - found.start) + 1);
        }
    }
    lua_close(L);
}

static void excerpt_finds_the_byte_of_a_syntax_error(void **state)
{
    (void)state;
    assert_breaks_at("x = = 1", 1, 5);
    assert_breaks_at("#!/bin/lua\nx = = 1", 2, 5);
    assert_breaks_at("\xEF\xBB\xBFx = = 1", 1, 8);
    assert_breaks_at("a = 1\nif a then\n  b()\n", 4, 1); /* near <eof> */
    assert_breaks_at("if a then\n  b()", 2, 6);
    assert_breaks_at("f('x' 'y')", 1, 7);
    assert_breaks_at("return return", 1, 8);
    assert_breaks_at("x = 1", 0, 0);
    assert_breaks_at("", 0, 0);
    assert_breaks_at("x = 'abc", 1, 9);
}

static void excerpt_finds_the_name_of_a_runtime_error(void **state)
{
    struct slice text = SLICE_LIT("tt = t.total + t_\nfoo(t)");
    struct excerpt_line line;
    (void)state;
    assert_true(excerpt_line(text, 1, &line));
    assert_int_equal(excerpt_find_name(text, line, SLICE_LIT("index a nil value (global 't')")), 5);
    assert_int_equal(excerpt_find_name(text, line, SLICE_LIT("arithmetic (field 'total')")), 7);
    assert_true(excerpt_find_name(text, line, SLICE_LIT("(global 'foo')")) == EXCERPT_NOWHERE);
    assert_true(excerpt_find_name(text, line, SLICE_LIT("no name")) == EXCERPT_NOWHERE);
    assert_true(excerpt_find_name(text, line, SLICE_LIT("')")) == EXCERPT_NOWHERE);
    assert_true(excerpt_line(text, 2, &line));
    assert_int_equal(excerpt_find_name(text, line, SLICE_LIT("(global 'foo')")), 18);
    assert_false(excerpt_line(text, 3, &line));
    assert_false(excerpt_line(text, 0, &line));
}

static void excerpt_reads_places(void **state)
{
    const char *message = "no place\n\tdir/a b.lua:12: text: 3: more\n[C]: in ?\nx.lua:7: y";
    struct excerpt_place place;
    (void)state;
    assert_true(excerpt_next_place(&message, &place));
    assert_true(slice_equal(place.file, SLICE_LIT("dir/a b.lua")));
    assert_int_equal(place.line, 12);
    assert_true(slice_equal(place.text, SLICE_LIT("text: 3: more")));
    assert_true(excerpt_next_place(&message, &place));
    assert_true(slice_equal(place.file, SLICE_LIT("x.lua")));
    assert_false(excerpt_next_place(&message, &place));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errorpage_form_is_what_is_accepted),
        cmocka_unit_test(errorpage_text_has_excerpt_and_caret),
        cmocka_unit_test(errorpage_html_is_escaped),
        cmocka_unit_test(errorpage_json_has_every_member),
        cmocka_unit_test(errorpage_summary_is_one_line_of_ascii),
        cmocka_unit_test(errorpage_is_bounded),
        cmocka_unit_test(excerpt_finds_the_byte_of_a_syntax_error),
        cmocka_unit_test(excerpt_finds_the_name_of_a_runtime_error),
        cmocka_unit_test(excerpt_reads_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
