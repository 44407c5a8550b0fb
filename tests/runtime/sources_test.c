/* What a generation was loaded from: a file is read once while it loads, and what is kept stands
 * for it when it is rolled back to. */
#include "support/cmocka_all.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/host.h"
#include "runtime/sources.h"

enum { THREADS = 4, ROUNDS = 300 };

struct context {
    char folder[64];
    char a[96], b[96];
    struct sources *sources;
};

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    struct context *c = calloc(1, sizeof *c);
    (void)snprintf(c->folder, sizeof c->folder, "/tmp/sources_test.XXXXXX");
    if (mkdtemp(c->folder) == NULL) {
        return -1;
    }
    (void)snprintf(c->a, sizeof c->a, "%s/a.lua", c->folder);
    (void)snprintf(c->b, sizeof c->b, "%s/b.lua", c->folder);
    c->sources = sources_create();
    *state = c;
    return c->sources == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    struct context *c = *state;
    char command[128];
    sources_unref(c->sources);
    (void)snprintf(command, sizeof command, "rm -r %s", c->folder);
    assert_int_equal(system(command), 0);
    free(c);
    return 0;
}

/* What reading gives: the text, or "!" and the code. */
static const char *look(struct sources *sources, const char *path, bool keep, bool note)
{
    static char out[64];
    struct source_text text;
    ULONG code = sources_read(sources, path, keep, note, &text);
    if (code == NO_ERROR) {
        (void)snprintf(out, sizeof out, "%.*s", (int)text.len, text.p);
    } else {
        (void)snprintf(out, sizeof out, "!%u", (unsigned)code);
    }
    sources_give_back(&text);
    return out;
}

static void sources_file_is_read_once_while_loading(void **state)
{
    struct context *c = *state;
    write_file(c->a, "one");
    assert_string_equal(look(c->sources, c->a, true, true), "one");
    unsigned version = atomic_load(&c->sources->version);
    write_file(c->a, "two"); /* saved while the second worker's state loads */
    assert_string_equal(look(c->sources, c->a, true, true), "one");
    assert_int_equal(unlink(c->a), 0);
    assert_string_equal(look(c->sources, c->a, true, true), "one");
    assert_int_equal(atomic_load(&c->sources->version), version);
    assert_int_equal(c->sources->count, 1);
    const struct source *file = sources_at(c->sources, 0);
    assert_string_equal(file->path, c->a);
    assert_int_equal(file->hash, sources_hash("one", 3));
    assert_null(sources_at(c->sources, 1));
}

static void sources_file_is_read_anew_while_serving(void **state)
{
    struct context *c = *state;
    write_file(c->a, "one");
    assert_string_equal(look(c->sources, c->a, false, true), "one");
    write_file(c->a, "two");
    assert_string_equal(look(c->sources, c->a, false, true), "two");
    assert_int_equal(sources_at(c->sources, 0)->hash, sources_hash("two", 3));
    assert_null(sources_at(c->sources, 0)->text);
}

static void sources_missing_file_is_noted_when_it_matters(void **state)
{
    struct context *c = *state;
    char missing[16];
    (void)snprintf(missing, sizeof missing, "!%u", (unsigned)ERROR_FILE_NOT_FOUND);
    assert_string_equal(look(c->sources, c->a, true, false), missing);
    assert_int_equal(c->sources->count, 0); /* far from the scripts */
    assert_string_equal(look(c->sources, c->a, true, true), missing);
    assert_int_equal(sources_at(c->sources, 0)->hash, 0);
    write_file(c->a, "made meanwhile");
    assert_string_equal(look(c->sources, c->a, true, true), missing);  /* for all workers alike */
    assert_int_equal(look(c->sources, c->folder, true, true)[0], '!'); /* a folder: an error */
}

static void sources_rolled_back_read_nothing_they_had_read(void **state)
{
    struct context *c = *state;
    char missing[16];
    (void)snprintf(missing, sizeof missing, "!%u", (unsigned)ERROR_FILE_NOT_FOUND);
    write_file(c->a, "one");
    (void)look(c->sources, c->a, true, true);
    (void)look(c->sources, c->b, true, true);
    c->sources->frozen = true;
    write_file(c->a, "two");
    write_file(c->b, "two");
    assert_string_equal(look(c->sources, c->a, true, true), "one");
    assert_string_equal(look(c->sources, c->a, false, true), "one");
    assert_string_equal(look(c->sources, c->b, true, true), missing);
    char other[96];
    (void)snprintf(other, sizeof other, "%s/c.lua", c->folder);
    write_file(other, "never read before");
    assert_string_equal(look(c->sources, other, true, true), "never read before");
}

static void sources_scripts_are_read_and_followed(void **state)
{
    struct context *c = *state;
    const struct host_source source = {.path = c->a};
    const struct host_config config = {.sources = &source, .source_count = 1};
    struct buf why;
    buf_init(&why, 1024);
    assert_int_equal(sources_read_scripts(c->sources, &config, &why), ERROR_FILE_NOT_FOUND);
    assert_int_equal(c->sources->count, 1); /* so that it is seen when it is made */
    assert_int_equal(sources_at(c->sources, 0)->hash, 0);
    assert_true(why.len > 0);
    buf_clear(&why);
    write_file(c->a, "return 1");
    assert_int_equal(sources_read_scripts(c->sources, &config, &why), NO_ERROR);
    assert_int_equal(c->sources->scripts.count, 1);
    assert_int_equal(sources_at(c->sources, 0)->hash, sources_hash("return 1", 8));
    buf_deinit(&why);
}

static void sources_hash_tells_texts_apart(void **state)
{
    (void)state;
    assert_int_equal(sources_hash("same", 4), sources_hash("same", 4));
    assert_int_not_equal(sources_hash("same", 4), sources_hash("some", 4));
    assert_int_not_equal(sources_hash("same", 4), sources_hash("same", 3));
    assert_int_not_equal(sources_hash("", 0), 0); /* 0 is a missing file */
    assert_int_not_equal(sources_hash("\0", 1), sources_hash("", 0));
}

static void *read_both(void *arg)
{
    const struct context *c = arg;
    struct source_text text;
    for (int i = 0; i < ROUNDS; i++) {
        char path[160];
        (void)snprintf(path, sizeof path, "%s/none-%d", c->folder, i);
        (void)sources_read(c->sources, path, true, true, &text);
        sources_give_back(&text);
        if (sources_read(c->sources, i % 2 == 0 ? c->a : c->b, i % 3 == 0, true, &text) !=
                NO_ERROR ||
            text.len != 1) {
            return arg;
        }
        sources_give_back(&text);
        sources_unref(sources_ref(c->sources));
    }
    return NULL;
}

static void sources_serve_several_threads(void **state)
{
    struct context *c = *state;
    pthread_t threads[THREADS];
    write_file(c->a, "a");
    write_file(c->b, "b");
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_both, c), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(c->sources->count, ROUNDS + 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sources_file_is_read_once_while_loading),
        TEST(sources_file_is_read_anew_while_serving),
        TEST(sources_missing_file_is_noted_when_it_matters),
        TEST(sources_rolled_back_read_nothing_they_had_read),
        TEST(sources_scripts_are_read_and_followed),
        TEST(sources_serve_several_threads),
        cmocka_unit_test(sources_hash_tells_texts_apart),
    };
    return cmocka_run_group_tests_name("sources", tests, NULL, NULL);
}
