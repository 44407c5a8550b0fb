#include "support/cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "base/buf.h"
#include "cli/globals.h"

static char seen[1024];

static void note(void *ctx, enum globals_use use, struct slice name, int line)
{
    size_t used = strlen(seen);
    (void)ctx;
    (void)snprintf(seen + used, sizeof seen - used, "%c%d:%.*s ", "rsq"[use], line, (int)name.len,
                   name.p);
}

static int append(lua_State *L, const void *bytes, size_t length, void *ud)
{
    (void)L;
    return buf_append(ud, bytes, length) ? 0 : 1;
}

static void walk(const char *text, struct buf *dump)
{
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    assert_int_equal(luaL_loadstring(L, text), LUA_OK);
    buf_init(dump, 1 << 20);
    assert_int_equal(lua_dump(L, append, dump, 0), 0);
    lua_close(L);
    seen[0] = '\0';
    assert_true(globals_walk(buf_slice(dump), note, NULL));
}

static void check(const char *text, const char *wanted)
{
    struct buf dump;
    walk(text, &dump);
    assert_string_equal(seen, wanted);
    buf_deinit(&dump);
}

static void globals_reads_and_sets_are_told_with_their_lines(void **state)
{
    (void)state;
    check("local a = x\n\ny = a\nlocal print = 1 return print", "r1:x s3:y ");
    check("local t = {}\nfunction t.f()\n  return inner\nend\nouter = 1.5 + 3",
          "r3:inner s5:outer ");
}

static void globals_require_of_a_constant_is_told(void **state)
{
    (void)state;
    check("local m = require \"a.b\"\nlocal n = require(x)", "r1:require q1:a.b r2:require r2:x ");
}

static void globals_lines_stay_right_in_long_functions(void **state)
{
    struct buf text;
    (void)state;
    buf_init(&text, 1 << 16);
    assert_true(buf_printf(&text, "local a\n"));
    for (int i = 0; i < 400; i++) {
        assert_true(buf_printf(&text, "a = 1\n"));
    }
    assert_true(buf_append(&text, "\n\n\n\n\n\n\n\n\n\nb = a\n", 17));
    check(text.p, "s412:b ");
    buf_deinit(&text);
}

static void globals_every_cut_of_a_dump_ends_without_harm(void **state)
{
    struct buf dump;
    (void)state;
    walk("local m = require 'a' function f(...) return function() return g, m, 1, 2.5, 'a long "
         "string that is not short at all, really not' end end",
         &dump);
    for (size_t length = 0; length < dump.len; length++) {
        char *copy = test_malloc(length + 1); /* exact, so that reading past the end is seen */
        memcpy(copy, dump.p, length);
        assert_false(globals_walk(slice_make(copy, length), note, NULL));
        test_free(copy);
    }
    buf_deinit(&dump);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globals_reads_and_sets_are_told_with_their_lines),
        cmocka_unit_test(globals_require_of_a_constant_is_told),
        cmocka_unit_test(globals_lines_stay_right_in_long_functions),
        cmocka_unit_test(globals_every_cut_of_a_dump_ends_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
