/* The watcher over real files, real inotify and polling: each test runs with both. The host is as
 * much of one as the watcher sees; what would be a reload is taken note of in it. */
#include "support/cmocka_all.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/hostdata.h"
#include "runtime/sources.h"
#include "runtime/watch.h"

enum { FILES_MAX = 8, TURNS_MAX = 2000, TURN_NS = 5000000, POLL_MS = WATCH_POLL_MIN_MS };

struct context {
    char folder[64];
    char paths[FILES_MAX][128]; /* what the scripts load */
    size_t count;
    const char *patterns[2];
    struct host_source source;
    struct host_config config;
    struct log log;
    struct host host;
    struct watch *watch;
    struct sources *sources;
    unsigned warnings;
};

static void note_log(void *ctx, enum log_level level, struct slice line)
{
    struct context *c = ctx;
    (void)line;
    c->warnings += level == LOG_LEVEL_WARN ? 1 : 0;
}

static int make(void **state, unsigned poll_ms)
{
    struct context *c = calloc(1, sizeof *c);
    (void)snprintf(c->folder, sizeof c->folder, "/tmp/watch_test.XXXXXX");
    if (mkdtemp(c->folder) == NULL) {
        return -1;
    }
    host_config_init(&c->config);
    c->config.watch_poll_ms = poll_ms;
    c->log = (struct log){.level = LOG_LEVEL_INFO, .write = note_log, .ctx = c};
    c->host.config = &c->config;
    c->host.log = &c->log;
    list_init(&c->host.generations);
    reload_init(&c->host.reload);
    *state = c;
    return (int)loop_open(LOOP_BACKEND_DEFAULT, &c->host.loop);
}

static int set_up(void **state)
{
    return make(state, 0);
}

static int set_up_polling(void **state)
{
    return make(state, POLL_MS);
}

static int tear_down(void **state)
{
    struct context *c = *state;
    char command[160];
    watch_close(c->watch);
    sources_unref(c->sources);
    loop_close(c->host.loop);
    (void)snprintf(command, sizeof command, "rm -rf %s", c->folder);
    assert_int_equal(system(command), 0);
    free(c);
    return 0;
}

/* --- files ----------------------------------------------------------------------------------- */

static const char *path_of(const struct context *c, const char *name)
{
    static char path[4][160];
    static unsigned next;
    char *out = path[next++ % 4];
    (void)snprintf(out, sizeof path[0], "%s/%s", c->folder, name);
    return out;
}

static void write_file(const struct context *c, const char *name, const char *text)
{
    FILE *file = fopen(path_of(c, name), "w");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void rename_over(const struct context *c, const char *name, const char *text)
{
    write_file(c, "saved.tmp", text);
    assert_int_equal(rename(path_of(c, "saved.tmp"), path_of(c, name)), 0);
}

static void run(const struct context *c, const char *command)
{
    char line[256];
    (void)snprintf(line, sizeof line, "cd %s && %s", c->folder, command);
    assert_int_equal(system(line), 0);
}

/* --- a host that loads ----------------------------------------------------------------------- */

static void uses(struct context *c, const char *name)
{
    assert_true(c->count < FILES_MAX);
    (void)snprintf(c->paths[c->count++], sizeof c->paths[0], "%s", path_of(c, name));
}

static void read_all(struct context *c)
{
    sources_unref(c->sources);
    c->sources = sources_create();
    assert_non_null(c->sources);
    for (size_t i = 0; i < c->count; i++) {
        struct source_text text;
        (void)sources_read(c->sources, c->paths[i], true, true, &text); /* it may be missing */
        sources_give_back(&text);
    }
}

/* The reload that was asked for, or the first load. */
static void load(struct context *c, bool fails)
{
    if (c->watch == NULL) {
        assert_int_equal(watch_open(&c->host, c->config.watch_poll_ms, &c->watch), NO_ERROR);
    }
    c->host.reload.wanted = c->host.reload.restart = false;
    read_all(c);
    watch_follow(c->watch, c->sources, fails);
    c->host.reload.broken = fails;
}

static bool is_asked(struct context *c)
{
    for (int i = 0; i < TURNS_MAX && !c->host.reload.wanted; i++) {
        assert_int_equal(loop_run_once(c->host.loop, TURN_NS), NO_ERROR);
    }
    return c->host.reload.wanted;
}

/* Asked for, and nothing more once it is loaded. */
static void expect_reload(struct context *c, const char *what)
{
    if (!is_asked(c)) {
        fail_msg("not seen: %s", what);
    }
    load(c, false);
}

/* After everything that has happened so far was looked at: a save of another file is seen, and
 * nothing before. */
static void expect_quiet(struct context *c, const char *what)
{
    for (int i = 0; i < 8; i++) {
        assert_int_equal(loop_run_once(c->host.loop, TURN_NS), NO_ERROR);
    }
    if (c->host.reload.wanted) {
        fail_msg("a reload for nothing (%s): %s", c->host.reload.cause, what);
    }
}

static void begin(struct context *c)
{
    write_file(c, "a.lua", "a");
    write_file(c, "b.lua", "b");
    uses(c, "a.lua");
    uses(c, "b.lua");
    load(c, false);
    expect_quiet(c, "nothing has happened");
}

/* --- saves ----------------------------------------------------------------------------------- */

static void watch_sees_each_way_of_saving(void **state)
{
    struct context *c = *state;
    begin(c);
    assert_string_equal(watch_way(c->watch), c->config.watch_poll_ms > 0 ? "poll" : "inotify");
    assert_int_equal(watch_count(c->watch), 2);
    write_file(c, "a.lua", "a2");
    assert_true(is_asked(c));
    assert_non_null(strstr(c->host.reload.cause, "a.lua"));
    load(c, false);
    for (int i = 0; i < 5; i++) { /* the first rename is easy: the later ones lose a file's watch */
        char text[16];
        (void)snprintf(text, sizeof text, "r%d", i);
        rename_over(c, "b.lua", text);
        expect_reload(c, "renamed over");
    }
    run(c, "rm a.lua && echo a3 > a.lua");
    expect_reload(c, "removed and made again");
    run(c, "echo more >> a.lua");
    expect_reload(c, "appended to");
    run(c,
        "cp a.lua a.keep && mv a.keep a.lua && touch a.lua b.lua && cat b.lua > b.tmp && mv b.tmp "
        "b.lua");
    expect_quiet(c, "the same bytes");
    run(c, "echo x > other.lua; mkdir sub; echo y > sub/a.lua; mv sub/a.lua sub/b.lua");
    expect_quiet(c, "other files");
}

/* The events are there before the loop turns: what it sees in its first turn is decided. */
static void watch_does_not_take_half_a_save(void **state)
{
    struct context *c = *state;
    begin(c);
    int fd = open(path_of(c, "a.lua"), O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    write_file(c, "b.lua", "b");  /* the same bytes: a reason to look, and at once */
    for (int i = 0; i < 4; i++) { /* when polling, the first turn may be too early for a look */
        assert_int_equal(loop_run_once(c->host.loop, TURN_NS), NO_ERROR);
        assert_false(c->host.reload.wanted);
    }
    assert_int_equal(write(fd, "whole", 5), 5);
    assert_int_equal(close(fd), 0);
    expect_reload(c, "then whole");
    expect_quiet(c, "it was loaded");
}

static void watch_asks_once_for_what_it_has_asked_for(void **state)
{
    struct context *c = *state;
    begin(c);
    write_file(c, "a.lua", "a2");
    assert_true(is_asked(c));
    c->host.reload.wanted = false; /* it is put off, say, for older generations */
    expect_quiet(c, "asked for already");
    write_file(c, "a.lua", "a3");
    expect_reload(c, "another save");
    write_file(c, "a.lua", "a4");
    assert_true(is_asked(c));
    c->host.reload.wanted = false;
    write_file(c, "a.lua", "a3"); /* back to what was loaded: nothing to do any more */
    expect_quiet(c, "what is loaded");
    assert_false(watch_differs(c->watch));
    write_file(c, "a.lua", "a4");
    expect_reload(c, "and again");
}

static void watch_sees_what_changed_while_it_was_loaded(void **state)
{
    struct context *c = *state;
    begin(c);
    read_all(c);
    write_file(c, "b.lua", "later");
    watch_follow(c->watch, c->sources, false);
    expect_reload(c, "between reading and following");
    expect_quiet(c, "it was loaded");
}

static void watch_waits_after_a_failed_load(void **state)
{
    struct context *c = *state;
    begin(c);
    write_file(c, "a.lua", "broken");
    assert_true(is_asked(c));
    c->count = 1; /* it did not come to open b.lua */
    load(c, true);
    assert_int_equal(watch_count(c->watch), 2); /* which is followed all the same */
    write_file(c, "b.lua", "b2");
    if (c->config.watch_poll_ms == 0) {
        assert_int_equal(loop_run_once(c->host.loop, TURN_NS), NO_ERROR);
        assert_false(c->host.reload.wanted); /* the quiet time */
    }
    expect_reload(c, "a file that the failed load did not open");
    assert_int_equal(watch_count(c->watch), 1);
}

/* --- files that come and go ------------------------------------------------------------------ */

static void watch_sees_files_that_were_missing(void **state)
{
    struct context *c = *state;
    uses(c, "sub/deep/m.lua");
    begin(c);
    run(c, "mkdir sub");
    expect_quiet(c, "a folder on the way");
    run(c, "mkdir sub/deep && echo m > sub/deep/m.lua");
    expect_reload(c, "a file that was missing");
    write_file(c, "sub/deep/m.lua", "m2");
    expect_reload(c, "and its next save");
    run(c, "rm sub/deep/m.lua");
    expect_reload(c, "it has gone");
}

static void watch_follows_folders_that_are_made_anew(void **state)
{
    struct context *c = *state;
    run(c, "mkdir sub && echo m > sub/m.lua");
    uses(c, "sub/m.lua");
    begin(c);
    run(c, "rm -r sub");
    expect_reload(c, "the folder has gone");
    run(c, "mkdir sub && echo m2 > sub/m.lua");
    expect_reload(c, "a new folder");
    for (int i = 0; i < 3; i++) {
        run(c, "echo more >> sub/m.lua");
        expect_reload(c, "a save in the new folder");
        rename_over(c, "sub/m.lua", i == 0 ? "r0" : i == 1 ? "r1" : "r2");
        expect_reload(c, "a rename in the new folder");
    }
    run(c, "mv sub away && mkdir sub && echo m3 > sub/m.lua");
    expect_reload(c, "another folder of that name");
    run(c, "rm -r sub && mv away sub");
    expect_reload(c, "the first one again");
    run(c, "echo more >> sub/m.lua");
    expect_reload(c, "and a save in it");
    /* While a reload is wanted new folders are not looked for, but after it. */
    run(c, "mv sub away && mkdir sub && echo m4 > sub/m.lua");
    assert_true(is_asked(c));
    run(c, "mv sub gone && mkdir sub && echo m5 > sub/m.lua");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(loop_run_once(c->host.loop, TURN_NS), NO_ERROR);
    }
    load(c, false);
    run(c, "echo more >> sub/m.lua");
    expect_reload(c, "in the folder made meanwhile");
}

static void watch_follows_links(void **state)
{
    struct context *c = *state;
    run(c, "mkdir v1 v2 && echo 1 > v1/m.lua && echo 2 > v2/m.lua && ln -s v1 now");
    run(c, "echo x > x.lua && echo y > y.lua && ln -s x.lua l.lua");
    uses(c, "now/m.lua");
    uses(c, "l.lua");
    begin(c);
    run(c, "ln -s v2 next && mv -T next now");
    expect_reload(c, "a link to a folder was switched");
    run(c, "echo more >> v2/m.lua");
    expect_reload(c, "behind the new link");
    run(c, "echo more >> v1/m.lua");
    expect_quiet(c, "behind the old link");
    run(c, "ln -sfn y.lua l.lua");
    expect_reload(c, "a link to a file was made anew");
    run(c, "echo more >> y.lua");
    expect_reload(c, "behind it");
    run(c, "rm l.lua && echo own > l.lua");
    expect_reload(c, "a file in the place of the link");
}

static void watch_follows_a_file_that_was_loaded_later(void **state)
{
    struct context *c = *state;
    struct source_text text;
    begin(c);
    write_file(c, "late.lua", "late");
    assert_int_equal(sources_read(c->sources, path_of(c, "late.lua"), false, true, &text),
                     NO_ERROR);
    sources_give_back(&text);
    watch_refresh(c->watch, c->sources);
    assert_int_equal(watch_count(c->watch), 3);
    write_file(c, "late.lua", "later");
    expect_reload(c, "a file that was loaded while serving");
}

static void watch_follows_folders_of_scripts(void **state)
{
    struct context *c = *state;
    run(c, "mkdir routes && echo 1 > routes/one.lua");
    run(c, "for i in 1 2 3 4 5 6 7 8; do ln -s . routes/up$i; done"); /* 8^32 ways */
    c->source = (struct host_source){.path = strdup(path_of(c, "routes"))};
    c->config.sources = &c->source;
    c->config.source_count = 1;
    uses(c, "routes/one.lua");
    begin(c);
    run(c, "echo 2 > routes/two.lua");
    expect_reload(c, "one more script");
    run(c, "mkdir -p routes/a/b && echo 3 > routes/a/b/three.lua");
    expect_reload(c, "a script in a new folder");
    run(c, "echo 4 > routes/a/b/four.lua");
    expect_reload(c, "another one there");
    run(c, "echo 5 > routes/_private.lua; echo 6 > routes/notes.txt; mkdir routes/empty");
    expect_quiet(c, "names that are no scripts");
    run(c, "rm -r routes/a");
    expect_reload(c, "scripts have gone");
    free((void *)(uintptr_t)c->source.path); /* ours, by strdup above */
}

static void watch_heeds_patterns(void **state)
{
    struct context *c = *state;
    char also[160];
    (void)snprintf(also, sizeof also, "%s/*.txt", c->folder);
    c->patterns[0] = also;
    c->patterns[1] = "*/b.lua";
    c->config.watch_also = &c->patterns[0];
    c->config.watch_ignore = &c->patterns[1];
    c->config.watch_also_count = c->config.watch_ignore_count = 1;
    write_file(c, "page.txt", "page");
    begin(c);
    assert_int_equal(watch_count(c->watch), 2);
    write_file(c, "page.txt", "page 2");
    expect_reload(c, "watch_also");
    write_file(c, "b.lua", "b2");
    expect_quiet(c, "watch_ignore");
}

static void watch_gives_up_a_file_that_its_load_writes(void **state)
{
    struct context *c = *state;
    begin(c);
    for (int i = 0; i < WATCH_SELF_MAX; i++) {
        char text[16];
        assert_int_equal(c->warnings, 0);
        read_all(c);
        (void)snprintf(text, sizeof text, "s%d", i);
        write_file(c, "a.lua", text);
        c->host.reload.wanted = false;
        watch_follow(c->watch, c->sources, false);
    }
    assert_int_equal(c->warnings, 1);
    write_file(c, "a.lua", "again");
    expect_quiet(c, "the script's own");
    write_file(c, "b.lua", "b2");
    expect_reload(c, "the others are followed");
}

#define BOTH(name)                                                                                 \
    {#name, name, set_up, tear_down, NULL},                                                        \
    {                                                                                              \
#name "_polling", name, set_up_polling, tear_down, NULL                                    \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(watch_sees_each_way_of_saving),
        BOTH(watch_does_not_take_half_a_save),
        BOTH(watch_asks_once_for_what_it_has_asked_for),
        BOTH(watch_sees_what_changed_while_it_was_loaded),
        BOTH(watch_waits_after_a_failed_load),
        BOTH(watch_sees_files_that_were_missing),
        BOTH(watch_follows_folders_that_are_made_anew),
        BOTH(watch_follows_links),
        BOTH(watch_follows_a_file_that_was_loaded_later),
        BOTH(watch_follows_folders_of_scripts),
        BOTH(watch_heeds_patterns),
        BOTH(watch_gives_up_a_file_that_its_load_writes),
    };
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
