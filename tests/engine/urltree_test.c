/* The URL tree by itself: precedence, segments, case, removal, growth, and the same answers as a
 * model that looks at every registration. */
#include "support/cmocka_all.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/urltree.h"
#include "protocol/urlprefix.h"

enum { ITEMS_MAX = 10000, TEXT_MAX = 64, MODEL_ITEMS = 400, MODEL_STEPS = 5000 };

/* A registration and the texts that it points to. */
struct item {
    struct registration r;
    char host[TEXT_MAX], path[TEXT_MAX];
    bool is_in;
};

struct rig {
    struct engine engine;
    struct urltree_memo memo;
    struct item *items; /* ITEMS_MAX */
    size_t count;
};

static int rig_open(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    rig->items = calloc(ITEMS_MAX, sizeof *rig->items);
    assert_non_null(rig->items);
    atomic_store(&rig->engine.version, 1);
    struct urltree *tree = urltree_create_empty(&rig->engine);
    assert_non_null(tree);
    atomic_store(&rig->engine.tree, tree);
    *state = rig;
    return 0;
}

static void take_out(struct rig *rig, struct item *item)
{
    assert_true(item->is_in);
    urltree_remove(&rig->engine, &item->r);
    item->is_in = false;
}

static int rig_close(void **state)
{
    struct rig *rig = *state;
    for (size_t i = 0; i < rig->count; i++) {
        if (rig->items[i].is_in) {
            take_out(rig, &rig->items[i]);
        }
    }
    urltree_retire(&rig->engine, atomic_load(&rig->engine.tree));
    assert_null(rig->engine.retired_first); /* no shard holds anything back */
    free(rig->items);
    free(rig);
    return 0;
}

static struct sockaddr_in address_of(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
    return address;
}

static void fill(struct item *item, uint8_t category, const char *host, uint16_t port,
                 const char *path)
{
    memset(item, 0, sizeof *item);
    size_t host_len = 0;
    if (category == URLPREFIX_ADDRESS) {
        struct sockaddr_in address = address_of(host);
        memcpy(item->host, &address.sin_addr, 4);
        host_len = 4;
    } else if (category == URLPREFIX_EXPLICIT) {
        host_len = (size_t)snprintf(item->host, sizeof item->host, "%s", host);
    }
    (void)snprintf(item->path, sizeof item->path, "%s", path);
    item->r.category = category;
    item->r.port = port;
    item->r.host = slice_make(item->host, host_len);
    item->r.path = slice_from_cstr(item->path);
    urltree_prepare(&item->r);
}

/* Adds a prefix; category by the look of the host: "+", "*", an address, a name. */
static struct item *add(struct rig *rig, const char *host, uint16_t port, const char *path)
{
    assert_true(rig->count < ITEMS_MAX);
    struct item *item = &rig->items[rig->count++];
    uint8_t category = URLPREFIX_EXPLICIT;
    if (strcmp(host, "+") == 0) {
        category = URLPREFIX_STRONG;
    } else if (strcmp(host, "*") == 0) {
        category = URLPREFIX_WEAK;
    } else if (host[0] >= '0' && host[0] <= '9') {
        category = URLPREFIX_ADDRESS;
    }
    fill(item, category, host, port, path);
    assert_null(urltree_conflict(atomic_load(&rig->engine.tree), &item->r));
    assert_int_equal(urltree_add(&rig->engine, &item->r), NO_ERROR);
    item->is_in = true;
    return item;
}

struct outcome {
    const struct registration *found;
    enum urltree_miss miss;
    bool by_address;
};

static struct outcome find_at(struct rig *rig, const char *host, uint16_t port, const char *path,
                              const char *local)
{
    struct sockaddr_in address = address_of(local);
    struct urltree_key key = {.host = slice_from_cstr(host),
                              .path = slice_from_cstr(path),
                              .local = (const struct sockaddr *)(const void *)&address,
                              .port = port};
    struct outcome out = {NULL, URLTREE_HIT, false};
    out.found =
        urltree_find(atomic_load(&rig->engine.tree), &rig->memo, &key, &out.miss, &out.by_address);
    assert_int_equal(out.found != NULL, out.miss == URLTREE_HIT);
    return out;
}

static const struct registration *find(struct rig *rig, const char *host, const char *path)
{
    return find_at(rig, host, 80, path, "127.0.0.1").found;
}

static enum urltree_miss miss(struct rig *rig, const char *host, uint16_t port, const char *path)
{
    return find_at(rig, host, port, path, "127.0.0.1").miss;
}

/* -------- cases -------- */

static void urltree_categories_in_order_of_precedence(void **state)
{
    struct rig *rig = *state;
    struct item *weak = add(rig, "*", 80, "/");
    assert_ptr_equal(find(rig, "site", "/x"), &weak->r);
    struct item *address = add(rig, "127.0.0.1", 80, "/");
    assert_ptr_equal(find(rig, "site", "/x"), &address->r);
    assert_ptr_equal(find_at(rig, "site", 80, "/x", "127.0.0.2").found, &weak->r);
    struct item *name = add(rig, "site", 80, "/");
    assert_ptr_equal(find(rig, "site", "/x"), &name->r);
    assert_ptr_equal(find(rig, "other", "/x"), &address->r);
    struct item *strong = add(rig, "+", 80, "/");
    assert_ptr_equal(find(rig, "site", "/x"), &strong->r);
    take_out(rig, strong);
    assert_ptr_equal(find(rig, "site", "/x"), &name->r);
    take_out(rig, name);
    assert_ptr_equal(find(rig, "site", "/x"), &address->r);
    take_out(rig, address);
    assert_ptr_equal(find(rig, "site", "/x"), &weak->r);
}

static void urltree_only_an_address_match_says_so(void **state)
{
    struct rig *rig = *state;
    add(rig, "127.0.0.1", 80, "/");
    add(rig, "site", 80, "/");
    assert_true(find_at(rig, "other", 80, "/", "127.0.0.1").by_address);
    assert_false(find_at(rig, "site", 80, "/", "127.0.0.1").by_address);
    assert_false(find_at(rig, "other", 80, "/", "127.0.0.9").by_address);
}

static void urltree_first_category_with_a_match_beats_a_longer_path(void **state)
{
    struct rig *rig = *state;
    struct item *strong = add(rig, "+", 80, "/vroot/");
    struct item *name = add(rig, "adatum.com", 80, "/vroot/deep/");
    struct item *root = add(rig, "adatum.com", 80, "/");
    assert_ptr_equal(find(rig, "adatum.com", "/vroot/deep/x"), &strong->r);
    assert_ptr_equal(find(rig, "adatum.com", "/vroo"), &root->r);
    take_out(rig, strong);
    assert_ptr_equal(find(rig, "adatum.com", "/vroot/deep/x"), &name->r);
}

static void urltree_longest_prefix_of_whole_segments_wins(void **state)
{
    struct rig *rig = *state;
    struct item *root = add(rig, "site", 80, "/");
    struct item *a = add(rig, "site", 80, "/a/");
    struct item *abc = add(rig, "site", 80, "/a/b/c/");
    assert_ptr_equal(find(rig, "site", "/"), &root->r);
    assert_ptr_equal(find(rig, "site", "/a"), &a->r);
    assert_ptr_equal(find(rig, "site", "/a/"), &a->r);
    assert_ptr_equal(find(rig, "site", "/ab"), &root->r);
    assert_ptr_equal(find(rig, "site", "/ab/c"), &root->r);
    assert_ptr_equal(find(rig, "site", "/a/b"), &a->r);
    assert_ptr_equal(find(rig, "site", "/a/b/c"), &abc->r);
    assert_ptr_equal(find(rig, "site", "/a/b/c/d/e"), &abc->r);
    assert_ptr_equal(find(rig, "site", "/a/b/cc"), &a->r);
    assert_ptr_equal(find(rig, "site", "//a"), &root->r);
}

static void urltree_case_of_host_and_path_does_not_count(void **state)
{
    struct rig *rig = *state;
    struct item *item = add(rig, "site", 80, "/path/to/");
    assert_ptr_equal(find(rig, "SiTe", "/PATH/tO/X"), &item->r);
    struct item same;
    fill(&same, URLPREFIX_EXPLICIT, "SITE", 80, "/PATH/TO/");
    assert_ptr_equal(urltree_conflict(atomic_load(&rig->engine.tree), &same.r), &item->r);
}

/* 65 to 68 are 'A' to 'D', 97 to 100 'a' to 'd'. */
static void urltree_an_address_is_no_text(void **state)
{
    struct rig *rig = *state;
    struct item *upper = add(rig, "65.66.67.68", 80, "/");
    assert_null(find_at(rig, "x", 80, "/", "97.98.99.100").found);
    struct item *lower = add(rig, "97.98.99.100", 80, "/");
    assert_ptr_equal(find_at(rig, "x", 80, "/", "65.66.67.68").found, &upper->r);
    assert_ptr_equal(find_at(rig, "x", 80, "/", "97.98.99.100").found, &lower->r);
}

static void urltree_another_port_or_scheme_is_another_place(void **state)
{
    struct rig *rig = *state;
    add(rig, "site", 80, "/");
    struct urltree *tree = atomic_load(&rig->engine.tree);
    assert_int_equal(miss(rig, "site", 81, "/"), URLTREE_NO_HOST);
    struct item other;
    fill(&other, URLPREFIX_EXPLICIT, "site", 81, "/");
    assert_null(urltree_conflict(tree, &other.r));
    fill(&other, URLPREFIX_EXPLICIT, "site", 80, "/");
    other.r.https = true;
    urltree_prepare(&other.r);
    assert_null(urltree_conflict(tree, &other.r));
}

static void urltree_a_miss_tells_host_from_path(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(miss(rig, "site", 80, "/"), URLTREE_NO_HOST);
    struct item *item = add(rig, "site", 80, "/a/");
    assert_int_equal(miss(rig, "site", 80, "/b"), URLTREE_NO_PATH);
    assert_int_equal(miss(rig, "other", 80, "/a"), URLTREE_NO_HOST);
    struct item *second = add(rig, "site", 80, "/b/");
    take_out(rig, item);
    assert_int_equal(miss(rig, "site", 80, "/a"), URLTREE_NO_PATH);
    take_out(rig, second);
    assert_int_equal(miss(rig, "site", 80, "/a"), URLTREE_NO_HOST);
    add(rig, "*", 80, "/a/");
    assert_int_equal(miss(rig, "anything", 80, "/b"), URLTREE_NO_PATH);
    assert_int_equal(miss(rig, "anything", 81, "/a"), URLTREE_NO_HOST);
}

static void urltree_deep_paths_match_by_their_first_segments(void **state)
{
    struct rig *rig = *state;
    struct item *item = add(rig, "site", 80, "/a/a/");
    char path[4 * URLTREE_SEGMENTS_MAX + 1];
    for (size_t i = 0; i < sizeof path - 1; i++) {
        path[i] = i % 2 == 0 ? '/' : 'a';
    }
    path[sizeof path - 1] = 0;
    assert_ptr_equal(find(rig, "site", path), &item->r);
    memset(path, '/', sizeof path - 1);
    assert_int_equal(miss(rig, "site", 80, path), URLTREE_NO_PATH);
    assert_int_equal(miss(rig, "site", 80, ""), URLTREE_NO_PATH);
}

static void urltree_empty_path_and_star_are_the_root(void **state)
{
    struct rig *rig = *state;
    struct item *root = add(rig, "site", 80, "/");
    assert_ptr_equal(find(rig, "site", ""), &root->r);
}

static void urltree_a_replaced_registration_is_found_no_more(void **state)
{
    struct rig *rig = *state;
    struct item *before = add(rig, "site", 80, "/a/");
    struct item *after = &rig->items[rig->count++];
    fill(after, URLPREFIX_EXPLICIT, "site", 80, "/a/");
    urltree_replace(&rig->engine, &before->r, &after->r);
    before->is_in = false;
    after->is_in = true;
    assert_ptr_equal(find(rig, "site", "/a/x"), &after->r);
    for (int i = 0; i < 100; i++) { /* also by the tables that follow */
        char path[16];
        (void)snprintf(path, sizeof path, "/b%d/", i);
        add(rig, "site", 80, path);
    }
    assert_ptr_equal(find(rig, "site", "/a"), &after->r);
    take_out(rig, after);
    assert_int_equal(miss(rig, "site", 80, "/a"), URLTREE_NO_PATH);
}

static void urltree_places_of_what_has_gone_hide_nothing(void **state)
{
    struct rig *rig = *state;
    struct item *stays = add(rig, "site", 80, "/stays/");
    for (int i = 0; i < URLTREE_REGISTRATIONS_MAX + 10;
         i++) { /* so many were never there at once */
        char path[] = "/pppp/";
        for (int k = 1, rest = i; k < 5; k++, rest /= 26) {
            path[k] = (char)('a' + rest % 26);
        }
        rig->count = 1;
        struct item *item = add(rig, i % 3 == 0 ? "site" : "other", 80, path);
        assert_ptr_equal(find(rig, i % 3 == 0 ? "site" : "other", path), &item->r);
        take_out(rig, item);
        assert_null(find(rig, i % 3 == 0 ? "site" : "other", path));
    }
    assert_ptr_equal(find(rig, "site", "/stays/x"), &stays->r);
}

static void urltree_ten_thousand_registrations_are_all_found(void **state)
{
    struct rig *rig = *state;
    char path[32];
    for (int i = 0; i < ITEMS_MAX; i++) {
        (void)snprintf(path, sizeof path, "/app%d/v%d/", i / 10, i % 10);
        add(rig, i % 2 == 0 ? "+" : "site", (uint16_t)(80 + i % 7), path);
    }
    for (int i = 0; i < ITEMS_MAX; i++) {
        (void)snprintf(path, sizeof path, "/App%d/V%d/x", i / 10, i % 10);
        assert_ptr_equal(find_at(rig, "site", (uint16_t)(80 + i % 7), path, "127.0.0.1").found,
                         &rig->items[i].r);
        assert_int_equal(miss(rig, "site", (uint16_t)(80 + (i + 1) % 7), path), URLTREE_NO_PATH);
    }
    for (int i = 0; i < ITEMS_MAX; i += 2) {
        take_out(rig, &rig->items[i]);
    }
    for (int i = 0; i < ITEMS_MAX; i++) {
        (void)snprintf(path, sizeof path, "/app%d/v%d", i / 10, i % 10);
        assert_ptr_equal(find_at(rig, "site", (uint16_t)(80 + i % 7), path, "127.0.0.1").found,
                         i % 2 == 0 ? NULL : &rig->items[i].r);
    }
}

/* -------- against the model -------- */

static const char *const hosts[] = {"+", "a", "b.c", "127.0.0.1", "127.0.0.2", "*"};
static const char *const segments[] = {"a", "b", "ab", "A", "x1"};
static const char *const request_hosts[] = {"a", "A", "b.c", "zz"};
static const char *const locals[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3"};

static unsigned random_below(unsigned *seed, unsigned below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

static void random_path(unsigned *seed, char *out, bool lower, bool final_slash)
{
    unsigned depth = random_below(seed, 5);
    size_t at = 0;
    out[at++] = '/';
    for (unsigned i = 0; i < depth; i++) {
        const char *segment = segments[random_below(seed, 5)];
        at += (size_t)snprintf(out + at, TEXT_MAX - at, "%s/", segment);
    }
    if (!final_slash && at > 1 && random_below(seed, 2) == 0) {
        at--;
    }
    out[at] = 0;
    for (size_t i = 0; lower && i < at; i++) {
        out[i] = (char)slice_lower((unsigned char)out[i]);
    }
}

static bool host_fits(const struct item *item, const struct urltree_key *key)
{
    switch (item->r.category) {
    case URLPREFIX_EXPLICIT: return slice_equal_nocase(item->r.host, key->host);
    case URLPREFIX_ADDRESS:
        return memcmp(item->host, (const char *)key->local + offsetof(struct sockaddr_in, sin_addr),
                      4) == 0;
    default: return true;
    }
}

static bool path_fits(const struct item *item, struct slice path)
{
    char with_slash[TEXT_MAX + 2];
    size_t len = path.len;
    memcpy(with_slash, path.p, len);
    if (len == 0 || with_slash[len - 1] != '/') {
        with_slash[len++] = '/';
    }
    return item->r.path.len <= len &&
           slice_equal_nocase(item->r.path, slice_make(with_slash, item->r.path.len));
}

/* What the documentation says, by looking at every registration. */
static struct outcome ask_model(const struct rig *rig, const struct urltree_key *key)
{
    struct outcome out = {NULL, URLTREE_NO_HOST, false};
    for (size_t i = 0; i < rig->count; i++) {
        const struct item *item = &rig->items[i];
        if (!item->is_in || item->r.port != key->port || item->r.https != key->https ||
            !host_fits(item, key)) {
            continue;
        }
        if (out.miss == URLTREE_NO_HOST) {
            out.miss = URLTREE_NO_PATH;
        }
        if (path_fits(item, key->path) &&
            (out.found == NULL || item->r.category < out.found->category ||
             (item->r.category == out.found->category && item->r.path.len > out.found->path.len))) {
            out.found = &item->r;
            out.miss = URLTREE_HIT;
            out.by_address = item->r.category == URLPREFIX_ADDRESS;
        }
    }
    return out;
}

static void compare_once(struct rig *rig, unsigned *seed)
{
    char path[TEXT_MAX];
    random_path(seed, path, false, false);
    struct sockaddr_in address = address_of(locals[random_below(seed, 3)]);
    struct urltree_key key = {.host = slice_from_cstr(request_hosts[random_below(seed, 4)]),
                              .path = slice_from_cstr(path),
                              .local = (const struct sockaddr *)(const void *)&address,
                              .port = (uint16_t)(80 + random_below(seed, 2)),
                              .https = random_below(seed, 8) == 0};
    struct outcome expected = ask_model(rig, &key);
    struct outcome seen = {NULL, URLTREE_HIT, false};
    seen.found = urltree_find(atomic_load(&rig->engine.tree), &rig->memo, &key, &seen.miss,
                              &seen.by_address);
    assert_ptr_equal(seen.found, expected.found);
    assert_int_equal(seen.miss, expected.miss);
    assert_int_equal(seen.by_address, expected.by_address);
}

static void change_once(struct rig *rig, unsigned *seed)
{
    struct item *item = &rig->items[random_below(seed, MODEL_ITEMS)];
    if (item->is_in) {
        take_out(rig, item);
        return;
    }
    char path[TEXT_MAX];
    const char *host = hosts[random_below(seed, 6)];
    uint8_t category = host[0] == '+'                     ? URLPREFIX_STRONG
                       : host[0] == '*'                   ? URLPREFIX_WEAK
                       : host[0] >= '0' && host[0] <= '9' ? URLPREFIX_ADDRESS
                                                          : URLPREFIX_EXPLICIT;
    random_path(seed, path, true, true);
    fill(item, category, host, (uint16_t)(80 + random_below(seed, 2)), path);
    item->r.https = random_below(seed, 8) == 0;
    urltree_prepare(&item->r);
    const struct registration *there = NULL;
    for (size_t i = 0; i < MODEL_ITEMS; i++) {
        const struct registration *other = &rig->items[i].r;
        if (rig->items[i].is_in && other->category == category && other->port == item->r.port &&
            other->https == item->r.https && slice_equal(other->host, item->r.host) &&
            slice_equal(other->path, item->r.path)) {
            there = other;
        }
    }
    assert_ptr_equal(urltree_conflict(atomic_load(&rig->engine.tree), &item->r), there);
    if (there == NULL) {
        assert_int_equal(urltree_add(&rig->engine, &item->r), NO_ERROR);
        item->is_in = true;
    }
}

static void urltree_answers_as_the_model_does(void **state)
{
    struct rig *rig = *state;
    rig->count = MODEL_ITEMS;
    for (unsigned start = 1; start <= 5; start++) {
        unsigned seed = start;
        for (int step = 0; step < MODEL_STEPS; step++) {
            if (random_below(&seed, 4) == 0) {
                change_once(rig, &seed);
            } else {
                compare_once(rig, &seed);
            }
        }
        print_message("model: seed %u agrees\n", start);
    }
}

int main(void)
{
#define CASE(function) cmocka_unit_test_setup_teardown(function, rig_open, rig_close)
    const struct CMUnitTest tests[] = {
        CASE(urltree_categories_in_order_of_precedence),
        CASE(urltree_only_an_address_match_says_so),
        CASE(urltree_first_category_with_a_match_beats_a_longer_path),
        CASE(urltree_longest_prefix_of_whole_segments_wins),
        CASE(urltree_case_of_host_and_path_does_not_count),
        CASE(urltree_an_address_is_no_text),
        CASE(urltree_another_port_or_scheme_is_another_place),
        CASE(urltree_a_miss_tells_host_from_path),
        CASE(urltree_deep_paths_match_by_their_first_segments),
        CASE(urltree_empty_path_and_star_are_the_root),
        CASE(urltree_a_replaced_registration_is_found_no_more),
        CASE(urltree_places_of_what_has_gone_hide_nothing),
        CASE(urltree_ten_thousand_registrations_are_all_found),
        CASE(urltree_answers_as_the_model_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
