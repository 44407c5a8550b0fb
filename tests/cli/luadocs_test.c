/* The tables of the Lua API are complete, and their text keeps to its columns. That they say what a
 * running host has, and that docs/lua.md holds it: tests/lua/docs_test.lua. */
#include "support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/module.h"
#include "cli/luadocs.h"
#include "cli/wrap.h"
#include "runtime/luaenv.h"

static char *printed(void (*put)(FILE *out))
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    put(out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void check_entries(const struct binding_entry *entry)
{
    for (; entry != NULL && entry->name != NULL; entry++) {
        bool is_function = strncmp(entry->signature, "fun(", strlen("fun(")) == 0;
        size_t length = strlen(entry->doc);
        if (is_function != (entry->function != NULL) || length < 3 || strchr(entry->doc, '\n')) {
            fail_msg("%s: %s: %s", entry->name, entry->signature, entry->doc);
        }
    }
}

static void luadocs_every_part_has_complete_entries(void **state)
{
    const struct binding_part *const *lists[] = {binding_docs(), luaenv_docs()};
    size_t parts = 0;
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (const struct binding_part *const *part = lists[i]; *part != NULL; part++, parts++) {
            check_entries((*part)->functions);
            for (size_t t = 0; (*part)->types != NULL && (*part)->types[t] != NULL; t++) {
                assert_memory_equal((*part)->types[t]->name, "http.", strlen("http."));
                check_entries((*part)->types[t]->methods);
                check_entries((*part)->types[t]->fields);
            }
        }
    }
    assert_true(parts >= 9);
}

static void luadocs_text_fits_its_columns(void **state)
{
    char *text = printed(luadocs_put_text);
    (void)state;
    for (const char *line = text; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        if (length > WRAP_COLUMNS || (length > 0 && line[length - 1] == ' ')) {
            fail_msg("%.*s", (int)length, line);
        }
        line += length + 1;
    }
    free(text);
}

static void luadocs_forms_are_lines_of_text_and_one_union_of_types(void **state)
{
    char *text = printed(luadocs_put_text);
    char *types = printed(luadocs_put_types);
    (void)state;
    assert_non_null(strstr(text, "  http.remove_url(group: http.group, url: string|http.url): "
                                 "true?, http.error?\n  http.remove_url(url: string|http.url): "
                                 "true?, http.error?\n"));
    assert_non_null(strstr(types, "---@field remove_url (fun(group: http.group, url: "
                                  "string|http.url): true?, http.error?) | (fun(url: "
                                  "string|http.url): true?, http.error?)\n"));
    assert_non_null(strstr(text, "  url:close()\n"));
    assert_non_null(strstr(text, "  headers[string]: string?\n"));
    assert_memory_equal(types, "---@meta http\n", strlen("---@meta http\n"));
    free(text);
    free(types);
}

static void wrap_breaks_at_blanks(void **state)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    (void)state;
    assert_non_null(out);
    wrap_put(out, SLICE_LIT("one  two three"), WRAP_COLUMNS - 7, 2);
    wrap_put(out, SLICE_LIT(""), 0, 0);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "one two\n  three\n\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(luadocs_every_part_has_complete_entries),
        cmocka_unit_test(luadocs_text_fits_its_columns),
        cmocka_unit_test(luadocs_forms_are_lines_of_text_and_one_union_of_types),
        cmocka_unit_test(wrap_breaks_at_blanks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
