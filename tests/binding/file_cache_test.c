/* Files kept open by path: real files, a real loop. */
#include "support/cmocka_all.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "binding/file_cache.h"

static char folder[64];
static struct loop *loop;
static struct file_cache cache;

static struct slice path_of(const char *name)
{
    static char paths[2][128];
    static unsigned next;
    char *path = paths[next++ % 2];
    int n = snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return slice_make(path, (size_t)n);
}

static void put_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name).p, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct open_file *get(const char *name)
{
    struct open_file *file = NULL;
    assert_int_equal(file_cache_open(&cache, path_of(name), &file), NO_ERROR);
    return file;
}

static void expect_text(const struct open_file *file, const char *text)
{
    char bytes[256];
    size_t len = strlen(text);
    assert_int_equal(file->stamp.bytes, len);
    assert_int_equal(file_read(file->handle, bytes, len), NO_ERROR);
    assert_memory_equal(bytes, text, len);
    assert_int_equal(file_read(file->handle, bytes, len + 1), ERROR_HANDLE_EOF);
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/file_cache_XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(loop_open(LOOP_BACKEND_DEFAULT, &loop), NO_ERROR);
    file_cache_init(&cache);
    file_cache_start(&cache, loop);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    file_cache_close(&cache);
    loop_close(loop);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void a_path_is_opened_once(void **state)
{
    (void)state;
    put_file("a", "one");
    put_file("b", "other");
    size_t before = open_descriptors();
    struct open_file *first = get("a"), *second = get("a"), *other = get("b");
    assert_ptr_equal(first, second);
    assert_ptr_not_equal(first, other);
    assert_int_equal(cache.count, 2);
    assert_int_equal(open_descriptors(), before + 2);
    expect_text(first, "one");
    expect_text(other, "other");
    file_cache_release(first);
    file_cache_release(second);
    file_cache_release(other);
    assert_int_equal(open_descriptors(), before + 2); /* the cache has them still */
    file_cache_close(&cache);
    assert_int_equal(open_descriptors(), before);
}

static void a_change_is_seen_at_once(void **state)
{
    (void)state;
    put_file("a", "one");
    struct open_file *old = get("a");
    put_file("a", "longer than one");
    struct open_file *written = get("a");
    expect_text(written, "longer than one");
    put_file("new", "replaced");
    assert_int_equal(rename(path_of("new").p, path_of("a").p), 0);
    struct open_file *renamed = get("a");
    expect_text(renamed, "replaced");
    expect_text(written, "longer than one"); /* whoever has the file that was, keeps it */
    assert_int_equal(unlink(path_of("a").p), 0);
    struct open_file *gone = NULL;
    assert_int_equal(file_cache_open(&cache, path_of("a"), &gone), ERROR_FILE_NOT_FOUND);
    assert_null(gone);
    assert_int_equal(cache.count, 0);
    file_cache_release(old);
    file_cache_release(written);
    file_cache_release(renamed);
}

/* The way to a file is followed again once a second: here that second is taken off the entry. */
static void a_path_that_leads_elsewhere_is_seen(void **state)
{
    (void)state;
    put_file("one", "one");
    put_file("two", "two!");
    assert_int_equal(symlink("one", path_of("link").p), 0);
    struct open_file *file = get("link");
    assert_int_equal(unlink(path_of("link").p), 0);
    assert_int_equal(symlink("two", path_of("link").p), 0);
    file->path_ns -= (uint64_t)FILE_CACHE_PATH_S * 1000000000;
    struct open_file *other = get("link");
    expect_text(other, "two!");
    expect_text(file, "one");
    file_cache_release(file);
    file_cache_release(other);
}

static void a_held_file_tells_its_length_anew(void **state)
{
    (void)state;
    put_file("a", "one");
    struct open_file *file = get("a");
    put_file("a", "longer than one");
    file->checked_ns--; /* an earlier turn */
    assert_int_equal(file_cache_refresh(&cache, file), NO_ERROR);
    expect_text(file, "longer than one");
    assert_int_equal(cache.count, 0); /* nobody else gets it by its path */
    file_cache_release(file);
}

static void the_one_used_longest_ago_gives_way(void **state)
{
    (void)state;
    char name[16];
    size_t before = open_descriptors();
    for (int i = 0; i <= FILE_CACHE_FILES_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        put_file(name, name);
        file_cache_release(get(name));
        file_cache_release(get("0")); /* stays young */
    }
    assert_int_equal(cache.count, FILE_CACHE_FILES_MAX);
    assert_int_equal(open_descriptors(), before + FILE_CACHE_FILES_MAX);
    struct open_file *young = get("0");
    assert_int_equal(young->shares, 2);
    file_cache_release(young);
    struct open_file *back = get("1"); /* gave way: opened again, in place of "2" */
    expect_text(back, "1");
    file_cache_release(back);
    assert_int_equal(cache.count, FILE_CACHE_FILES_MAX);
}

static void what_nobody_asks_for_is_closed(void **state)
{
    (void)state;
    put_file("a", "one");
    put_file("b", "two");
    size_t before = open_descriptors();
    file_cache_release(get("a"));
    struct open_file *held = get("b");
    assert_true(loop_timer_is_running(&cache.sweep));
    cache.sweep.on_fire(&cache.sweep);
    assert_int_equal(cache.count, 2); /* too young */
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &cache.by_use)
    {
        LIST_ITEM(node, struct open_file, use)->checked_ns -=
            (uint64_t)FILE_CACHE_IDLE_S * 1000000000;
    }
    loop_timer_stop(loop, &cache.sweep); /* as when it fires */
    cache.sweep.on_fire(&cache.sweep);
    assert_int_equal(cache.count, 0);
    assert_false(loop_timer_is_running(&cache.sweep));
    assert_int_equal(open_descriptors(), before + 1); /* the held one */
    file_cache_release(held);
    assert_int_equal(open_descriptors(), before);
}

static void nothing_is_kept_before_the_start(void **state)
{
    (void)state;
    file_cache_close(&cache);
    put_file("a", "one");
    size_t before = open_descriptors();
    struct open_file *first = get("a"), *second = get("a");
    assert_ptr_not_equal(first, second);
    put_file("a", "more");
    assert_int_equal(file_cache_refresh(&cache, first), NO_ERROR);
    expect_text(first, "more");
    file_cache_release(first);
    file_cache_release(second);
    assert_int_equal(open_descriptors(), before);
}

static void a_small_settled_file_is_kept_with_its_bytes(void **state)
{
    (void)state;
    const struct timespec tick = {0, 20000000};
    put_file("a", "small");
    struct open_file *file = get("a");
    assert_null(file->content);
    file_cache_release(get("a"));
    assert_null(file->content); /* younger than FILE_SETTLED_S */
    for (int i = 0; i < 500 && !file_is_settled(&file->stamp); i++) {
        nanosleep(&tick, NULL);
    }
    file_cache_release(get("a"));
    assert_non_null(file->content);
    assert_memory_equal(file->content, "small", 5);
    put_file("a", "SMALL"); /* as long as before */
    struct open_file *now = get("a");
    assert_ptr_not_equal(now, file);
    assert_null(now->content);
    file->checked_ns--; /* an earlier turn */
    assert_int_equal(file_cache_refresh(&cache, file), NO_ERROR);
    assert_null(file->content);
    expect_text(file, "SMALL");
    file_cache_release(file);
    file_cache_release(now);
}

static void what_cannot_be_opened_is_not_kept(void **state)
{
    (void)state;
    struct open_file *file = NULL;
    assert_int_equal(file_cache_open(&cache, path_of("none"), &file), ERROR_FILE_NOT_FOUND);
    assert_int_equal(file_cache_open(&cache, slice_from_cstr(folder), &file), ERROR_NOT_SUPPORTED);
    assert_int_equal(cache.count, 0);
    put_file("none", "now");
    file_cache_release(get("none"));
    assert_int_equal(cache.count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_path_is_opened_once),
        TEST(a_change_is_seen_at_once),
        TEST(a_path_that_leads_elsewhere_is_seen),
        TEST(a_held_file_tells_its_length_anew),
        TEST(the_one_used_longest_ago_gives_way),
        TEST(what_nobody_asks_for_is_closed),
        TEST(nothing_is_kept_before_the_start),
        TEST(a_small_settled_file_is_kept_with_its_bytes),
        TEST(what_cannot_be_opened_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
