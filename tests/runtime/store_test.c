/* The memory back end of http.store: what it keeps, for how long, how much, and for several threads
 * at once. */
#include "support/cmocka_all.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/store.h"

enum { THREADS = 4, ROUNDS = 2000, MANY = 1000, MILLISECOND = 1000000 };

static int set_up(void **state)
{
    *state = store_create_memory();
    return *state == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    store_destroy(*state);
    return 0;
}

static ULONG put(struct store *store, const char *key, const char *value, uint64_t version,
                 uint64_t ttl_ns)
{
    struct slice text = slice_from_cstr(value == NULL ? "" : value);
    return store->backend->set(store, slice_from_cstr(key), value == NULL ? NULL : &text, version,
                               ttl_ns);
}

/* The value as text; version may be NULL. */
static ULONG look(struct store *store, const char *key, char out[64], uint64_t *version)
{
    struct buf value;
    uint64_t ignored = 0;
    buf_init(&value, STORE_VALUE_BYTES_MAX);
    ULONG code = store->backend->get(store, slice_from_cstr(key), &value,
                                     version == NULL ? &ignored : version);
    (void)snprintf(out, 64, "%.*s", (int)value.len, value.p == NULL ? "" : value.p);
    buf_deinit(&value);
    return code;
}

static size_t count(struct store *store, size_t *bytes)
{
    size_t keys = 0;
    size_t ignored = 0;
    store->backend->count(store, &keys, bytes == NULL ? &ignored : bytes);
    return keys;
}

static void store_gives_back_what_was_set(void **state)
{
    struct store *store = *state;
    char text[64];
    assert_int_equal(look(store, "a", text, NULL), ERROR_FILE_NOT_FOUND);
    assert_int_equal(put(store, "a", "one", STORE_ANY, 0), NO_ERROR);
    assert_int_equal(put(store, "b", "", STORE_ANY, 0), NO_ERROR);
    assert_int_equal(look(store, "a", text, NULL), NO_ERROR);
    assert_string_equal(text, "one");
    assert_int_equal(look(store, "b", text, NULL), NO_ERROR);
    assert_string_equal(text, "");
    assert_int_equal(put(store, "a", "a longer one", STORE_ANY, 0), NO_ERROR);
    assert_int_equal(look(store, "a", text, NULL), NO_ERROR);
    assert_string_equal(text, "a longer one");
    assert_int_equal(count(store, NULL), 2);
    assert_int_equal(put(store, "a", NULL, STORE_ANY, 0), NO_ERROR);
    assert_int_equal(put(store, "a", NULL, STORE_ANY, 0), ERROR_FILE_NOT_FOUND);
    assert_int_equal(look(store, "a", text, NULL), ERROR_FILE_NOT_FOUND);
}

static void store_bytes_are_counted_to_nothing(void **state)
{
    struct store *store = *state;
    size_t bytes = 0;
    for (int i = 0; i < MANY; i++) { /* the table grows on the way */
        char key[32];
        (void)snprintf(key, sizeof key, "key %d", i);
        assert_int_equal(put(store, key, key, STORE_ANY, 0), NO_ERROR);
    }
    assert_int_equal(count(store, &bytes), MANY);
    assert_true(bytes > 0);
    for (int i = 0; i < MANY; i++) {
        char key[32];
        char text[64];
        (void)snprintf(key, sizeof key, "key %d", i);
        assert_int_equal(look(store, key, text, NULL), NO_ERROR);
        assert_string_equal(text, key);
        assert_int_equal(put(store, key, NULL, STORE_ANY, 0), NO_ERROR);
    }
    assert_int_equal(count(store, &bytes), 0);
    assert_int_equal(bytes, 0);
}

static void store_sets_only_the_version_that_was_read(void **state)
{
    struct store *store = *state;
    char text[64];
    uint64_t first = 0;
    uint64_t second = 0;
    assert_int_equal(put(store, "n", "1", 7, 0), ERROR_SHARING_VIOLATION); /* there is none */
    assert_int_equal(put(store, "n", "1", 0, 0), NO_ERROR);
    assert_int_equal(put(store, "n", "2", 0, 0), ERROR_SHARING_VIOLATION); /* there is one now */
    assert_int_equal(look(store, "n", text, &first), NO_ERROR);
    assert_int_equal(put(store, "n", "2", first, 0), NO_ERROR);
    assert_int_equal(put(store, "n", "3", first, 0), ERROR_SHARING_VIOLATION);
    assert_int_equal(put(store, "n", NULL, first, 0), ERROR_SHARING_VIOLATION);
    assert_int_equal(look(store, "n", text, &second), NO_ERROR);
    assert_string_equal(text, "2");
    assert_true(second > first);
    /* Removed and made again it is another entry, whatever its value. */
    assert_int_equal(put(store, "n", NULL, second, 0), NO_ERROR);
    assert_int_equal(put(store, "n", "2", 0, 0), NO_ERROR);
    assert_int_equal(put(store, "n", "3", second, 0), ERROR_SHARING_VIOLATION);
}

static bool is_gone(struct store *store, const char *key)
{
    char text[64];
    for (int i = 0; i < 2000; i++) {
        if (look(store, key, text, NULL) == ERROR_FILE_NOT_FOUND) {
            return true;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 5 * MILLISECOND}, NULL);
    }
    return false;
}

static void store_entry_ends_with_its_time(void **state)
{
    struct store *store = *state;
    char text[64];
    assert_int_equal(put(store, "long", "x", STORE_ANY, UINT64_MAX), NO_ERROR);
    assert_int_equal(put(store, "hour", "x", STORE_ANY, UINT64_C(3600000000000)), NO_ERROR);
    assert_int_equal(put(store, "short", "x", STORE_ANY, 30 * MILLISECOND), NO_ERROR);
    assert_int_equal(put(store, "never read", "x", STORE_ANY, 1), NO_ERROR);
    assert_true(is_gone(store, "short"));
    assert_int_equal(look(store, "long", text, NULL), NO_ERROR);
    assert_int_equal(look(store, "hour", text, NULL), NO_ERROR);
    /* What has expired counts as not there for a set too, and a set without a time stays. */
    assert_int_equal(put(store, "short", "y", 0, 0), NO_ERROR);
    assert_int_equal(look(store, "short", text, NULL), NO_ERROR);
    struct buf keys;
    buf_init(&keys, 4096);
    assert_int_equal(store->backend->keys(store, SLICE_LIT(""), &keys), NO_ERROR);
    buf_deinit(&keys);
    assert_int_equal(count(store, NULL), 3); /* a walk removes what nobody has read */
}

static bool has_key(const struct buf *keys, const char *wanted, size_t *total)
{
    bool found = false;
    size_t at = 0;
    for (*total = 0; at < keys->len; (*total)++) {
        size_t len = 0;
        memcpy(&len, keys->p + at, sizeof len);
        at += sizeof len;
        found = found || slice_equal(slice_make(keys->p + at, len), slice_from_cstr(wanted));
        at += len;
    }
    assert_int_equal(at, keys->len);
    return found;
}

static void store_lists_keys_by_prefix(void **state)
{
    struct store *store = *state;
    struct buf keys;
    size_t total = 0;
    static const char *const names[] = {"user:1", "user:2", "user", "use", "other", ""};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(put(store, names[i], "x", STORE_ANY, 0), NO_ERROR);
    }
    buf_init(&keys, 4096);
    assert_int_equal(store->backend->keys(store, SLICE_LIT("user:"), &keys), NO_ERROR);
    assert_true(has_key(&keys, "user:2", &total));
    assert_int_equal(total, 2);
    buf_clear(&keys);
    assert_int_equal(store->backend->keys(store, SLICE_LIT(""), &keys), NO_ERROR);
    assert_true(has_key(&keys, "", &total));
    assert_int_equal(total, 6);
    buf_clear(&keys);
    assert_int_equal(store->backend->keys(store, SLICE_LIT("none"), &keys), NO_ERROR);
    assert_int_equal(keys.len, 0);
    buf_deinit(&keys);
    buf_init(&keys, 20); /* too little for two */
    assert_int_equal(store->backend->keys(store, SLICE_LIT("user:"), &keys),
                     ERROR_NOT_ENOUGH_MEMORY);
    buf_deinit(&keys);
}

static void store_that_is_full_refuses_and_recovers(void **state)
{
    struct store *store = *state;
    char *big = malloc(STORE_VALUE_BYTES_MAX);
    char key[32];
    char text[64];
    size_t bytes = 0;
    int kept = 0;
    ULONG code = NO_ERROR;
    assert_non_null(big);
    memset(big, 'x', STORE_VALUE_BYTES_MAX);
    const struct slice value = slice_make(big, STORE_VALUE_BYTES_MAX);
    for (; code == NO_ERROR; kept++) {
        assert_true(kept < 2 * STORE_BYTES_MAX / STORE_VALUE_BYTES_MAX);
        (void)snprintf(key, sizeof key, "big %d", kept);
        code = store->backend->set(store, slice_from_cstr(key), &value, STORE_ANY, 0);
    }
    assert_int_equal(code, ERROR_NOT_ENOUGH_MEMORY);
    assert_int_equal(count(store, &bytes), (size_t)kept - 1);
    assert_true(bytes <= STORE_BYTES_MAX);
    /* A value takes the place of its predecessor; a refused one has changed nothing. */
    assert_int_equal(store->backend->set(store, SLICE_LIT("big 0"), &value, STORE_ANY, 1),
                     NO_ERROR);
    assert_int_equal(look(store, key, text, NULL), ERROR_FILE_NOT_FOUND);
    /* "big 0" expires at once: its room is found when it is needed. */
    (void)nanosleep(&(struct timespec){.tv_nsec = 20 * MILLISECOND}, NULL);
    assert_int_equal(store->backend->set(store, slice_from_cstr(key), &value, STORE_ANY, 0),
                     NO_ERROR);
    free(big);
}

/* One thread of several: adds 1 to a shared number as `update` does, and makes and drops keys of
 * its own. */
static void *add_ones(void *arg)
{
    struct store *store = arg;
    char mine[32];
    char text[64];
    (void)snprintf(mine, sizeof mine, "%lu", (unsigned long)pthread_self());
    for (int i = 0; i < ROUNDS; i++) {
        ULONG code = ERROR_SHARING_VIOLATION;
        while (code == ERROR_SHARING_VIOLATION) {
            uint64_t version = 0;
            char next[32];
            ULONG there = look(store, "sum", text, &version);
            long sum = there == NO_ERROR ? strtol(text, NULL, 10) : 0;
            (void)snprintf(next, sizeof next, "%ld", sum + 1);
            code = put(store, "sum", next, version, 0);
        }
        if (code != NO_ERROR || put(store, mine, "x", STORE_ANY, 0) != NO_ERROR ||
            look(store, mine, text, NULL) != NO_ERROR ||
            put(store, mine, NULL, STORE_ANY, 0) != NO_ERROR) {
            return arg;
        }
        (void)count(store, NULL);
    }
    return NULL;
}

static void store_loses_no_update_of_several_threads(void **state)
{
    struct store *store = *state;
    pthread_t threads[THREADS];
    char text[64];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add_ones, store), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(look(store, "sum", text, NULL), NO_ERROR);
    assert_int_equal(strtol(text, NULL, 10), THREADS * ROUNDS);
    assert_int_equal(count(store, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(store_gives_back_what_was_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(store_bytes_are_counted_to_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(store_sets_only_the_version_that_was_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(store_entry_ends_with_its_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(store_lists_keys_by_prefix, set_up, tear_down),
        cmocka_unit_test_setup_teardown(store_that_is_full_refuses_and_recovers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(store_loses_no_update_of_several_threads, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
