/* The tree of routes: which one is found, what is allowed otherwise, and no allocation lost. */
#include "support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/router_tree.h"

/* A lua_Alloc that counts what is out and can be told to fail. */
struct pool {
    size_t bytes;
    size_t calls;
    size_t fail_at; /* 0: never */
};

static void *allocate(void *ud, void *block, size_t old_bytes, size_t new_bytes)
{
    struct pool *pool = ud;
    size_t old = block == NULL ? 0 : old_bytes;
    if (new_bytes == 0) {
        pool->bytes -= old;
        free(block);
        return NULL;
    }
    if (++pool->calls == pool->fail_at) {
        return NULL;
    }
    void *moved = realloc(block, new_bytes);
    assert_non_null(moved);
    pool->bytes = pool->bytes - old + new_bytes;
    return moved;
}

static ULONG add(struct router *r, const char *method, const char *path)
{
    const char *other = NULL;
    struct router_route added = {slice_from_cstr(method), slice_from_cstr(path), path, false};
    return router_tree_add(r, &added, &other);
}

static struct router *make(struct pool *pool, const char *const routes[][2], size_t count)
{
    struct router *r = router_tree_create(allocate, pool);
    assert_non_null(r);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(add(r, routes[i][0], routes[i][1]), NO_ERROR);
    }
    return r;
}

#define MAKE(pool, routes) make(pool, routes, sizeof(routes) / sizeof((routes)[0]))

/* Number of the handler, or minus the result. */
static int find(struct router *r, const char *method, const char *path, uint32_t strip,
                struct router_match *match)
{
    uint32_t handler = 0;
    enum router_result result =
        router_tree_find(r, slice_from_cstr(method), slice_from_cstr(path), strip, match, &handler);
    return result == ROUTER_FOUND ? (int)handler : -(int)result;
}

static int find_once(struct router *r, const char *method, const char *path)
{
    struct router_match match;
    int found = find(r, method, path, 0, &match);
    router_match_release(&match);
    return found;
}

static const char *const shop[][2] = {
    {"GET", "/"},          {"GET", "/users"},      {"GET", "/users/:id"},
    {"GET", "/users/new"}, {"POST", "/users/:id"}, {"GET", "/users/:id/edit"},
    {"", "/any/:x/:y"},    {"HEAD", "/head"},      {"GET", "/head"},
    {"PURGE", "/users/"},  {"GET", "/a/b/c/d/e"},
};

static void router_literal_beats_named(void **state)
{
    struct pool pool = {0};
    struct router *r = MAKE(&pool, shop);
    (void)state;
    assert_int_equal(find_once(r, "GET", "/"), 1);
    assert_int_equal(find_once(r, "GET", "/users"), 2);
    assert_int_equal(find_once(r, "GET", "/users/7"), 3);
    assert_int_equal(find_once(r, "GET", "/users/new"), 4);
    assert_int_equal(find_once(r, "GET", "/users/new/edit"), 6); /* back to the named one */
    assert_int_equal(find_once(r, "POST", "/users/new"), 5);
    assert_int_equal(find_once(r, "PURGE", "/users/"), 10); /* a final slash counts */
    assert_int_equal(find_once(r, "GET", "/a/b/c/d/e"), 11);
    router_tree_unref(r);
    assert_int_equal(pool.bytes, 0);
}

static void router_head_is_answered_by_get(void **state)
{
    struct pool pool = {0};
    struct router *r = MAKE(&pool, shop);
    (void)state;
    assert_int_equal(find_once(r, "HEAD", "/users"), 2);
    assert_int_equal(find_once(r, "HEAD", "/head"), 8);
    assert_int_equal(find_once(r, "HEAD", "/any/1/2"), 7);
    router_tree_unref(r);
}

static void router_unknown_path_and_method(void **state)
{
    static const char *const unknown[] = {"/x",       "/users/7/",   "/users/7/x", "//",
                                          "/users//", "/any//1",     "",           "*",
                                          "/a/b/c/d", "/a/b/c/d/e/f"};
    struct pool pool = {0};
    struct router_match match;
    struct router *r = MAKE(&pool, shop);
    (void)state;
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_int_equal(find_once(r, "GET", unknown[i]), -ROUTER_NOT_FOUND);
    }
    assert_int_equal(find(r, "DELETE", "/users/new", 0, &match), -ROUTER_METHOD_NOT_ALLOWED);
    assert_string_equal(match.allow, "GET, HEAD, POST, OPTIONS");
    assert_null(match.router);
    assert_int_equal(find(r, "OPTIONS", "/users/", 0, &match), -ROUTER_OPTIONS);
    assert_string_equal(match.allow, "PURGE, OPTIONS");
    router_tree_unref(r);
}

static void router_parameters_are_named_and_cut(void **state)
{
    struct pool pool = {0};
    struct router_match match;
    struct router *r = MAKE(&pool, shop);
    (void)state;
    assert_int_equal(find(r, "PUT", "/any/one/two", 0, &match), 7);
    assert_int_equal(match.param_count, 2);
    assert_true(slice_equal(match.params[0].name, SLICE_LIT("x")));
    assert_true(slice_equal(match.params[0].value, SLICE_LIT("one")));
    assert_true(slice_equal(match.params[1].name, SLICE_LIT("y")));
    assert_true(slice_equal(match.params[1].value, SLICE_LIT("two")));
    /* The names stay while the match is held, even when the router goes. */
    router_tree_unref(r);
    assert_true(slice_equal(match.params[1].name, SLICE_LIT("y")));
    router_match_release(&match);
    router_match_release(&match);
    assert_int_equal(pool.bytes, 0);
}

static void router_mount_is_stripped_by_segments(void **state)
{
    struct pool pool = {0};
    struct router_match match;
    struct router *r = MAKE(&pool, shop);
    (void)state;
    assert_int_equal(find(r, "GET", "/Shop/v1/users", 2, &match), 2);
    router_match_release(&match);
    assert_int_equal(find(r, "GET", "/shop/v1/", 2, &match), 1);
    router_match_release(&match);
    assert_int_equal(find(r, "GET", "/shop/v1", 2, &match), 1);
    router_match_release(&match);
    assert_int_equal(find(r, "GET", "/shop", 2, &match), 1);
    router_match_release(&match);
    router_tree_unref(r);
}

static void router_same_route_twice_names_the_first(void **state)
{
    struct pool pool = {0};
    struct router *r = MAKE(&pool, shop);
    const char *other = NULL;
    (void)state;
    struct router_route twin = {SLICE_LIT("GET"), SLICE_LIT("/users/:name"), "app.lua:9", false};
    assert_int_equal(router_tree_add(r, &twin, &other), ERROR_ALREADY_EXISTS);
    assert_string_equal(other, "/users/:id");
    assert_int_equal(router_tree_count(r), 11);
    router_tree_unref(r);
    assert_int_equal(pool.bytes, 0);
}

static void router_paths_of_routes_are_judged(void **state)
{
    static const char *const bad[] = {"", "users", "/a//b", "/:", "/a/:/b", "/files/*", "/:a/x/:a"};
    char longest[ROUTER_SEGMENTS_MAX * 2 + 3] = "";
    char params[ROUTER_PARAMS_MAX * 3 + 4] = "";
    struct pool pool = {0};
    struct router *r = router_tree_create(allocate, &pool);
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(add(r, "GET", bad[i]), ERROR_INVALID_PARAMETER);
    }
    for (size_t i = 0; i < ROUTER_SEGMENTS_MAX; i++) {
        memcpy(longest + 2 * i, "/a", 3);
    }
    for (size_t i = 0; i < ROUTER_PARAMS_MAX; i++) {
        memcpy(params + 3 * i, "/:a", 4);
        params[3 * i + 2] = (char)('a' + (int)i);
    }
    assert_int_equal(add(r, "GET", longest), NO_ERROR);
    assert_int_equal(add(r, "GET", params), NO_ERROR);
    memcpy(longest + 2 * ROUTER_SEGMENTS_MAX, "/a", 3);
    memcpy(params + 3 * ROUTER_PARAMS_MAX, "/:z", 4);
    assert_int_equal(add(r, "GET", longest), ERROR_INVALID_PARAMETER);
    assert_int_equal(add(r, "GET", params), ERROR_INVALID_PARAMETER);
    /* A peer's longer path is not found, and costs no stack. */
    assert_int_equal(find_once(r, "GET", longest), -ROUTER_NOT_FOUND);
    router_tree_unref(r);
    assert_int_equal(pool.bytes, 0);
}

static void router_many_routes_are_all_found(void **state)
{
    enum { COUNT = 3000 };
    struct pool pool = {0};
    struct router *r = router_tree_create(allocate, &pool);
    char path[32];
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "/r%d/x%d", i * 7919 % COUNT, i);
        assert_int_equal(add(r, "GET", path), NO_ERROR);
    }
    for (int i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "/r%d/x%d", i * 7919 % COUNT, i);
        assert_int_equal(find_once(r, "GET", path), i + 1);
        snprintf(path, sizeof path, "/r%d/x%d", i, COUNT + i);
        assert_int_equal(find_once(r, "GET", path), -ROUTER_NOT_FOUND);
        snprintf(path, sizeof path, "/r%d/x", COUNT + i);
        assert_int_equal(find_once(r, "GET", path), -ROUTER_NOT_FOUND);
    }
    router_tree_unref(r);
    assert_int_equal(pool.bytes, 0);
}

/* "/" and a segment of 1 to 20 bytes that differs from the others in one of them. */
static void make_sibling(int i, char *path, size_t path_bytes)
{
    snprintf(path, path_bytes, "/%.*s", 1 + i % 20, "aaaaaaaaaaaaaaaaaaaa");
    path[1 + i % 20 - i % (1 + i % 20)] = (char)('b' + i / 20);
}

/* Few children of a branch are found in another way than many. */
static void router_each_count_of_siblings_is_found(void **state)
{
    struct pool pool = {0};
    struct router *r = router_tree_create(allocate, &pool);
    char path[64];
    (void)state;
    for (int count = 1; count <= 70; count++) {
        make_sibling(count, path, sizeof path);
        assert_int_equal(find_once(r, "GET", path), -ROUTER_NOT_FOUND);
        assert_int_equal(add(r, "GET", path), NO_ERROR);
        for (int i = 1; i <= count; i++) {
            make_sibling(i, path, sizeof path);
            assert_int_equal(find_once(r, "GET", path), i);
        }
    }
    router_tree_unref(r);
    assert_int_equal(pool.bytes, 0);
}

static void router_failures_among_many_siblings_lose_nothing(void **state)
{
    enum { COUNT = 40 };
    char path[32];
    (void)state;
    for (size_t nth = 2;; nth++) {
        struct pool pool = {.fail_at = nth};
        struct router *r = router_tree_create(allocate, &pool);
        bool failed = false;
        for (int i = 0; i < COUNT; i++) {
            snprintf(path, sizeof path, "/%d/", i);
            ULONG code = add(r, "GET", path);
            failed = failed || code == ERROR_NOT_ENOUGH_MEMORY;
            assert_int_equal(code == NO_ERROR ? code : add(r, "GET", path), NO_ERROR);
        }
        for (int i = 0; i < COUNT; i++) {
            snprintf(path, sizeof path, "/%d/", i);
            assert_int_equal(find_once(r, "GET", path), i + 1);
        }
        router_tree_unref(r);
        assert_int_equal(pool.bytes, 0);
        if (!failed) {
            assert_true(nth > COUNT);
            return;
        }
    }
}

static void router_allocation_failures_lose_nothing(void **state)
{
    (void)state;
    for (size_t nth = 1;; nth++) {
        struct pool pool = {.fail_at = nth};
        struct router *r = router_tree_create(allocate, &pool);
        bool failed = r == NULL;
        for (size_t i = 0; r != NULL && i < sizeof shop / sizeof shop[0]; i++) {
            ULONG code = add(r, shop[i][0], shop[i][1]);
            if (code == ERROR_NOT_ENOUGH_MEMORY) {
                failed = true;
                assert_int_equal(add(r, shop[i][0], shop[i][1]), NO_ERROR); /* and again */
            } else {
                assert_int_equal(code, NO_ERROR);
            }
            assert_true(find_once(r, shop[i][0][0] == '\0' ? "GET" : shop[i][0], "/users") <= 2);
        }
        if (r != NULL) {
            assert_int_equal(find_once(r, "GET", "/users/new/edit"), 6);
            router_tree_unref(r);
        }
        assert_int_equal(pool.bytes, 0);
        if (!failed) {
            assert_true(nth > 20);
            return;
        }
    }
}

/* --- against a search that looks at every route -------------------------------------------- */

enum { RANDOM_ROUTES = 24, RANDOM_SEGMENTS_MAX = 3, RANDOM_ROUNDS = 200 };

struct random_route {
    const char *method;
    char path[32];
};

static uint32_t next_random(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525U + 1013904223U;
    return (*seed >> 16) % below;
}

static void make_path(uint32_t *seed, const char *const *segments, uint32_t count, char *path)
{
    uint32_t depth = 1 + next_random(seed, RANDOM_SEGMENTS_MAX);
    path[0] = '\0';
    for (uint32_t i = 0; i < depth; i++) {
        size_t at = strlen(path);
        snprintf(path + at, 32 - at, "/%s", segments[next_random(seed, count)]);
    }
}

/* Which of the route's segments are named, the first in the highest bit: the smaller, the earlier
 * it is tried. -1: the path does not fit. */
static int rank(const char *route, const char *path)
{
    int named = 0;
    for (int i = 0; i < RANDOM_SEGMENTS_MAX; i++) {
        named *= 2;
        if (*route == '\0' || *path == '\0') {
            if (*route != *path) {
                return -1;
            }
            continue;
        }
        size_t route_len = 1 + strcspn(route + 1, "/"), path_len = 1 + strcspn(path + 1, "/");
        if (route[1] == ':') {
            named++;
        } else if (route_len != path_len || memcmp(route, path, path_len) != 0) {
            return -1;
        }
        route += route_len;
        path += path_len;
    }
    return *route == '\0' && *path == '\0' ? named : -1;
}

/* How well the method fits, 0 best; -1: not. */
static int judge_method(const char *route, const char *method)
{
    bool get = strcmp(method, "HEAD") == 0 && strcmp(route, "GET") == 0;
    return strcmp(route, method) == 0 ? 0 : get ? 1 : route[0] == '\0' ? 2 : -1;
}

static int expected(const struct random_route *routes, int count, const char *method,
                    const char *path)
{
    int best = -1, best_rank = 0;
    for (int i = 0; i < count; i++) {
        int place = rank(routes[i].path, path), fit = judge_method(routes[i].method, method);
        if (place >= 0 && fit >= 0 && (best < 0 || place * 4 + fit < best_rank)) {
            best = i;
            best_rank = place * 4 + fit;
        }
    }
    return best + 1;
}

static void router_finds_what_a_look_at_all_routes_finds(void **state)
{
    static const char *const added[] = {"a", "b", ":x", ":y", ":z"};
    static const char *const asked[] = {"a", "b", "c", ":x"};
    static const char *const methods[] = {"GET", "POST", "", "HEAD"};
    uint32_t seed = 20;
    int found_count = 0;
    (void)state;
    for (int round = 0; round < RANDOM_ROUNDS; round++) {
        struct pool pool = {0};
        struct router *r = router_tree_create(allocate, &pool);
        struct random_route routes[RANDOM_ROUTES];
        int count = 0;
        for (int i = 0; i < RANDOM_ROUTES; i++) {
            struct random_route *route = &routes[count];
            route->method = methods[next_random(&seed, 4)];
            make_path(&seed, added, 5, route->path);
            count += add(r, route->method, route->path) == NO_ERROR; /* else: two alike */
        }
        for (int i = 0; i < RANDOM_ROUTES * 4; i++) {
            const char *method = i % 3 == 0 ? "HEAD" : methods[i % 2];
            char path[32];
            make_path(&seed, asked, 4, path);
            int found = find_once(r, method, path);
            assert_int_equal(found > 0 ? found : 0, expected(routes, count, method, path));
            found_count += found > 0;
        }
        router_tree_unref(r);
        assert_int_equal(pool.bytes, 0);
    }
    assert_true(found_count > RANDOM_ROUNDS * RANDOM_ROUTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(router_literal_beats_named),
        cmocka_unit_test(router_head_is_answered_by_get),
        cmocka_unit_test(router_unknown_path_and_method),
        cmocka_unit_test(router_parameters_are_named_and_cut),
        cmocka_unit_test(router_mount_is_stripped_by_segments),
        cmocka_unit_test(router_same_route_twice_names_the_first),
        cmocka_unit_test(router_paths_of_routes_are_judged),
        cmocka_unit_test(router_many_routes_are_all_found),
        cmocka_unit_test(router_each_count_of_siblings_is_found),
        cmocka_unit_test(router_failures_among_many_siblings_lose_nothing),
        cmocka_unit_test(router_allocation_failures_lose_nothing),
        cmocka_unit_test(router_finds_what_a_look_at_all_routes_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
