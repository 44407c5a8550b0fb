/* Names of header fields, query strings, byte counts, addresses: what needs no server. */
#include "support/cmocka_all.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "binding/address.h"
#include "binding/body.h"
#include "binding/headers.h"
#include "binding/query.h"

static void headers_every_known_name_finds_its_id(void **state)
{
    (void)state;
    char other[HEADERS_NAME_MAX + 1];
    for (unsigned id = 0; id < HttpHeaderRequestMaximum; id++) {
        struct slice name = headers_request_name(id);
        assert_true(name.len > 0);
        assert_int_equal(headers_request_id(name), id);
        for (size_t i = 0; i < name.len; i++) { /* other case */
            char c = name.p[i];
            other[i] = c >= 'a' && c <= 'z' ? (char)(c - 32) : (char)slice_lower((unsigned char)c);
        }
        assert_int_equal(headers_request_id(slice_make(other, name.len)), id);
    }
    for (unsigned id = 0; id < HttpHeaderResponseMaximum; id++) {
        assert_int_equal(headers_response_id(headers_response_name(id)), id);
    }
}

static void headers_ids_are_those_of_the_contract(void **state)
{
    (void)state;
    assert_int_equal(headers_request_id(SLICE_LIT("host")), HttpHeaderHost);
    assert_int_equal(headers_request_id(SLICE_LIT("user-agent")), HttpHeaderUserAgent);
    assert_int_equal(headers_request_id(SLICE_LIT("content-md5")), HttpHeaderContentMd5);
    assert_int_equal(headers_request_id(SLICE_LIT("te")), HttpHeaderTe);
    assert_int_equal(headers_response_id(SLICE_LIT("set-cookie")), HttpHeaderSetCookie);
    assert_int_equal(headers_response_id(SLICE_LIT("www-authenticate")), HttpHeaderWwwAuthenticate);
    assert_int_equal(headers_response_id(SLICE_LIT("host")), -1);
    assert_int_equal(headers_request_id(SLICE_LIT("set-cookie")), -1);
    assert_int_equal(headers_request_id(SLICE_LIT("")), -1);
    assert_int_equal(headers_request_id(SLICE_LIT("x")), -1);
    assert_int_equal(headers_request_name(1000).len, 0);
}

static const char *query_value(lua_State *L, const char *query, const char *key)
{
    lua_settop(L, 0);
    query_push_table(L, slice_from_cstr(query));
    lua_getfield(L, 1, key);
    return lua_tostring(L, -1);
}

static void query_is_decoded(void **state)
{
    (void)state;
    lua_State *L = luaL_newstate();
    assert_string_equal(query_value(L, "a=1", "a"), "1");
    assert_string_equal(query_value(L, "a=1&a=2", "a"), "2");
    assert_string_equal(query_value(L, "a=x+y%20z", "a"), "x y z");
    assert_string_equal(query_value(L, "a=%C3%A4%2B", "a"), "\xC3\xA4+");
    assert_string_equal(query_value(L, "a", "a"), "");
    assert_string_equal(query_value(L, "a=", "a"), "");
    assert_string_equal(query_value(L, "=v", ""), "v");
    assert_string_equal(query_value(L, "a=b=c", "a"), "b=c");
    assert_string_equal(query_value(L, "&&a=1&&", "a"), "1");
    assert_string_equal(query_value(L, "%61=1", "a"), "1");
    assert_string_equal(query_value(L, "a=%", "a"), "%");
    assert_string_equal(query_value(L, "a=%4", "a"), "%4");
    assert_string_equal(query_value(L, "a=%4g", "a"), "%4g");
    assert_string_equal(query_value(L, "a=%%41", "a"), "%A");
    assert_null(query_value(L, "", "a"));
    assert_null(query_value(L, "b=1", "a"));
    assert_non_null(query_value(L, "a=%00x", "a"));
    assert_int_equal(lua_rawlen(L, -1), 2);
    lua_close(L);
}

static int make_table(lua_State *L)
{
    struct slice query;
    query.p = lua_tolstring(L, 1, &query.len);
    query_push_table(L, query);
    return 1;
}

static void query_with_too_many_pairs_raises(void **state)
{
    (void)state;
    lua_State *L = luaL_newstate();
    luaL_Buffer b;
    for (int extra = 0; extra < 2; extra++) {
        lua_pushcfunction(L, make_table);
        luaL_buffinit(L, &b);
        for (int i = 0; i < 1024 + extra; i++) {
            luaL_addstring(&b, "a&");
        }
        luaL_pushresult(&b);
        assert_int_equal(lua_pcall(L, 1, 1, 0), extra == 0 ? LUA_OK : LUA_ERRRUN);
        lua_settop(L, 0);
    }
    lua_close(L);
}

static void query_all_keeps_the_order(void **state)
{
    (void)state;
    lua_State *L = luaL_newstate();
    query_push_all(L, SLICE_LIT("a=1&b=2&%61=3&a"), SLICE_LIT("a"));
    assert_int_equal(lua_rawlen(L, -1), 3);
    lua_rawgeti(L, 1, 2);
    assert_string_equal(lua_tostring(L, -1), "3");
    lua_rawgeti(L, 1, 3);
    assert_string_equal(lua_tostring(L, -1), "");
    lua_close(L);
}

static void limit_of(lua_State *L, const char *text, int64_t expected)
{
    uint64_t bytes = 12345;
    lua_pushstring(L, text);
    bool good = httpreq_parse_limit(L, -1, &bytes);
    lua_pop(L, 1);
    assert_int_equal(good, expected >= 0);
    if (expected >= 0) {
        assert_int_equal(bytes, expected);
    }
}

static void body_limits_have_units(void **state)
{
    (void)state;
    lua_State *L = luaL_newstate();
    limit_of(L, "0", 0);
    limit_of(L, "10", 10);
    limit_of(L, "1K", 1024);
    limit_of(L, "2k", 2048);
    limit_of(L, "8M", 8 << 20);
    limit_of(L, "2G", INT64_C(2) << 30);
    limit_of(L, "", -1);
    limit_of(L, "M", -1);
    limit_of(L, "1T", -1);
    limit_of(L, "-1", -1);
    limit_of(L, "1.5M", -1);
    limit_of(L, "0x10", -1);
    limit_of(L, "18446744073709551616", -1);
    limit_of(L, "17179869184G", -1);
    lua_close(L);
}

static void address_is_printed(void **state)
{
    (void)state;
    char out[ADDRESS_BYTES_MAX];
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(8080)};
    inet_pton(AF_INET, "127.0.0.1", &four.sin_addr);
    assert_int_equal(address_format((const SOCKADDR *)(const void *)&four, out), 14);
    assert_string_equal(out, "127.0.0.1:8080");
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(1)};
    inet_pton(AF_INET6, "2001:db8::ff", &six.sin6_addr);
    address_format((const SOCKADDR *)(const void *)&six, out);
    assert_string_equal(out, "[2001:db8::ff]:1");
    assert_int_equal(address_format(NULL, out), 0);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_every_known_name_finds_its_id),
        cmocka_unit_test(headers_ids_are_those_of_the_contract),
        cmocka_unit_test(query_is_decoded),
        cmocka_unit_test(query_with_too_many_pairs_raises),
        cmocka_unit_test(query_all_keeps_the_order),
        cmocka_unit_test(body_limits_have_units),
        cmocka_unit_test(address_is_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
