#include "support/cmocka_all.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"

struct caught {
    int count;
    enum log_level level;
    char text[LOG_LINE_BYTES_MAX + 1];
    size_t len;
};

static void catch_line(void *ctx, enum log_level level, struct slice line)
{
    struct caught *c = ctx;
    assert_true(line.len <= LOG_LINE_BYTES_MAX);
    c->count++;
    c->level = level;
    c->len = line.len;
    memcpy(c->text, line.p, line.len);
    c->text[line.len] = '\0';
}

static void log_line_has_time_level_and_text(void **state)
{
    (void)state;
    struct caught c = {0};
    const struct log log = {LOG_LEVEL_INFO, catch_line, &c};
    log_write(&log, LOG_LEVEL_WARN, "%s is %d", "it", 42);
    assert_int_equal(c.count, 1);
    assert_int_equal(c.level, LOG_LEVEL_WARN);
    assert_int_equal(c.text[2], ':');
    assert_string_equal(c.text + 8, " warn  it is 42");
}

static void log_line_above_the_level_is_dropped(void **state)
{
    (void)state;
    struct caught c = {0};
    const struct log log = {LOG_LEVEL_INFO, catch_line, &c};
    const struct log *none = NULL;
    log_write(&log, LOG_LEVEL_DEBUG, "no");
    log_write(none, LOG_LEVEL_ERROR, "no");
    assert_int_equal(c.count, 0);
    assert_true(LOG_IS_ON(&log, LOG_LEVEL_INFO));
    assert_false(LOG_IS_ON(&log, LOG_LEVEL_DEBUG));
    assert_false(LOG_IS_ON(none, LOG_LEVEL_ERROR));
}

static void log_control_bytes_are_escaped(void **state)
{
    (void)state;
    struct caught c = {0};
    const struct log log = {LOG_LEVEL_DEBUG, catch_line, &c};
    log_write(&log, LOG_LEVEL_DEBUG, "a\nb\x1b[31m\x7f \xc3\xa4 \xc2\x9b");
    assert_string_equal(c.text + 8, " debug a\\x0ab\\x1b[31m\\x7f \xc3\xa4 \\xc2\\x9b");
}

static void log_long_line_is_cut_with_a_mark(void **state)
{
    (void)state;
    struct caught c = {0};
    const struct log log = {LOG_LEVEL_DEBUG, catch_line, &c};
    char text[3 * LOG_LINE_BYTES_MAX];
    for (size_t len = LOG_LINE_BYTES_MAX - 40; len < sizeof text; len += 7) {
        for (int kind = 0; kind < 2; kind++) {
            memset(text, kind == 0 ? 'x' : '\n', len);
            text[len] = '\0';
            log_write(&log, LOG_LEVEL_INFO, "%s", text);
            assert_true(c.len <= LOG_LINE_BYTES_MAX);
            if (kind == 1 || len > LOG_LINE_BYTES_MAX) {
                assert_string_equal(c.text + c.len - 3, "...");
            }
        }
    }
}

static void log_default_is_one_line_on_stderr(void **state)
{
    (void)state;
    int ends[2] = {-1, -1};
    assert_int_equal(pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    const struct log log = {.level = LOG_LEVEL_ERROR};
    log_write(&log, LOG_LEVEL_ERROR, "out");
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    close(ends[1]);
    char text[100] = {0};
    ssize_t n = read(ends[0], text, sizeof text - 1);
    assert_int_equal(n, 8 + 7 + 3 + 1);
    assert_string_equal(text + 8, " error out\n");
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_line_has_time_level_and_text),
        cmocka_unit_test(log_line_above_the_level_is_dropped),
        cmocka_unit_test(log_control_bytes_are_escaped),
        cmocka_unit_test(log_long_line_is_cut_with_a_mark),
        cmocka_unit_test(log_default_is_one_line_on_stderr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
