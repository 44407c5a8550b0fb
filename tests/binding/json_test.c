/* Lua values to JSON: each rule of binding/json.h. */
#include "support/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "binding/json.h"

static int set_up(void **state)
{
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    luaL_openlibs(L);
    lua_pushlightuserdata(L, NULL);
    lua_setglobal(L, "null");
    *state = L;
    return 0;
}

static int tear_down(void **state)
{
    lua_close(*state);
    return 0;
}

/* Encodes `return <source>` with a limit; leaves text or message on the stack. */
static bool encode(lua_State *L, const char *source, size_t max)
{
    lua_settop(L, 0);
    lua_pushfstring(L, "return %s", source);
    assert_int_equal(luaL_dostring(L, lua_tostring(L, 1)), LUA_OK);
    int top = lua_gettop(L);
    bool done = json_push(L, -1, max);
    assert_int_equal(lua_gettop(L), top + 1);
    return done;
}

struct pair {
    const char *lua;
    const char *text;
};

static void expect(lua_State *L, const struct pair *pairs, size_t count, bool good)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(encode(L, pairs[i].lua, JSON_BYTES_MAX), good);
        assert_string_equal(lua_tostring(L, -1), pairs[i].text);
    }
}

#define EXPECT(L, pairs, good) expect(L, pairs, sizeof(pairs) / sizeof((pairs)[0]), good)

static void json_scalars_as_documented(void **state)
{
    static const struct pair pairs[] = {
        {"nil", "null"},
        {"null", "null"},
        {"true", "true"},
        {"false", "false"},
        {"0", "0"},
        {"-1", "-1"},
        {"math.maxinteger", "9223372036854775807"},
        {"math.mininteger", "-9223372036854775808"},
        {"0.1", "0.1"},
        {"3.0", "3"},
        {"1e300", "1e+300"},
        {"1/3", "0.3333333333333333"},
        {"5e-324", "4.94065645841247e-324"},
        {"2^53 + 1.0", "9007199254740992"},
        {"-0.0", "-0"},
        {"''", "\"\""},
        {"'a\\nb\\t\"\\\\/'", "\"a\\nb\\t\\\"\\\\/\""},
        {"'\\0\\1\\31\\127\\11'", "\"\\u0000\\u0001\\u001f\\u007f\\u000b\""},
        {"'\\8\\12\\13'", "\"\\b\\f\\r\""},
        {"'gr\\u{FC}n \\u{1F319}'", "\"gr\xc3\xbcn \xf0\x9f\x8c\x99\""},
    };
    EXPECT(*state, pairs, true);
}

static void json_floats_read_back_the_same(void **state)
{
    lua_State *L = *state;
    unsigned long long seed = 42;
    for (int i = 0; i < 2000; i++) {
        double value;
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        memcpy(&value, &seed, sizeof value);
        if (value != value || value - value != 0) {
            continue;
        }
        lua_settop(L, 0);
        lua_pushnumber(L, value);
        assert_true(json_push(L, -1, JSON_BYTES_MAX));
        assert_true(strtod(lua_tostring(L, -1), NULL) == value);
    }
}

static void json_tables_as_documented(void **state)
{
    static const struct pair pairs[] = {
        {"{}", "{}"},
        {"setmetatable({}, {__jsontype = 'array'})", "[]"},
        {"{1, 2, 3}", "[1,2,3]"},
        {"{{}, {1}}", "[{},[1]]"},
        {"{a = 1}", "{\"a\":1}"},
        {"{a = {b = {true}}}", "{\"a\":{\"b\":[true]}}"},
        {"{['1'] = 1}", "{\"1\":1}"},
        {"{1, null, 3}", "[1,null,3]"},
        {"(function() local t = {1} return {t, t} end)()", "[[1],[1]]"},
        {"setmetatable({1}, {__index = error, __len = error, __pairs = error})", "[1]"},
    };
    EXPECT(*state, pairs, true);
}

static void json_refusals_say_where(void **state)
{
    static const struct pair pairs[] = {
        {"0/0", "NaN and infinities have no JSON"},
        {"{x = math.huge}", "x: NaN and infinities have no JSON"},
        {"{users = {{}, {}, {name = '\\xff'}}}", "users[3].name: the string is not UTF-8"},
        {"{['\\xff'] = 1}", "?: the string is not UTF-8"},
        {"{1, 2, x = 3}", "the table is neither a sequence nor has only string keys"},
        {"{[2] = 1}", "the table is neither a sequence nor has only string keys"},
        {"{[1.5] = 1}", "the table is neither a sequence nor has only string keys"},
        {"{a = {[true] = 1}}", "a: the table is neither a sequence nor has only string keys"},
        {"print", "a function has no JSON"},
        {"{io.stdout}", "[1]: a userdata has no JSON"},
        {"coroutine.create(print)", "a coroutine has no JSON"},
        {"(function() local t = {} t.a = {t} return t end)()", "a[1]: the table contains itself"},
    };
    EXPECT(*state, pairs, false);
}

static void json_nesting_has_a_limit(void **state)
{
    lua_State *L = *state;
    static const char nested[] =
        "(function() local t = {} for i = 2, %d do t = {t} end return t end)()";
    lua_settop(L, 0);
    const char *good = lua_pushfstring(L, nested, JSON_DEPTH_MAX);
    const char *bad = lua_pushfstring(L, nested, JSON_DEPTH_MAX + 1);
    char sources[2][128];
    snprintf(sources[0], sizeof sources[0], "%s", good);
    snprintf(sources[1], sizeof sources[1], "%s", bad);
    assert_true(encode(L, sources[0], JSON_BYTES_MAX));
    assert_false(encode(L, sources[1], JSON_BYTES_MAX));
    assert_non_null(strstr(lua_tostring(L, -1), ": the nesting is too deep"));
}

static void json_size_has_a_limit(void **state)
{
    lua_State *L = *state;
    assert_true(encode(L, "'12345678'", 10));
    assert_false(encode(L, "'123456789'", 10));
    assert_string_equal(lua_tostring(L, -1), "the text is too large");
    assert_true(encode(L, "{string.rep('x', 5000)}", 5004));
    assert_false(encode(L, "{string.rep('x', 5000)}", 5003));
}

static void json_large_texts_outgrow_the_first_bytes(void **state)
{
    lua_State *L = *state;
    struct json_text out;
    lua_settop(L, 0);
    assert_int_equal(
        luaL_dostring(L, "local t = {} for i = 1, 20000 do t[i] = {id = i} end return t"), LUA_OK);
    assert_true(json_encode(L, 1, &out, JSON_BYTES_MAX));
    lua_gc(L, LUA_GCCOLLECT);
    assert_int_equal(lua_gettop(L), 2);
    assert_memory_equal(out.p, "[{\"id\":1},", 10);
    assert_memory_equal(out.p + out.len - 13, "{\"id\":20000}]", 13);
    assert_true(out.len > 200000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(json_scalars_as_documented),
        TEST(json_floats_read_back_the_same),
        TEST(json_tables_as_documented),
        TEST(json_refusals_say_where),
        TEST(json_nesting_has_a_limit),
        TEST(json_size_has_a_limit),
        TEST(json_large_texts_outgrow_the_first_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
