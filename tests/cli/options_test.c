#include "support/cmocka_all.h"

#include <string.h>

#include "cli/options.h"

enum { WORDS_MAX = 16 };

static struct options options;
static char why[OPTIONS_ERROR_BYTES];

/* Parses "moonlatch" and the words; NULL ends them. */
static bool parse(const char *const *words)
{
    char *argv[WORDS_MAX + 2] = {(char *)(uintptr_t) "moonlatch"};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++) {
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    }
    return options_parse(&options, argc, argv, why);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static int clean(void **state)
{
    (void)state;
    options_deinit(&options);
    return 0;
}

static void options_file_alone_is_run_and_further_words_are_its_arguments(void **state)
{
    (void)state;
    assert_true(PARSE("app.lua", "a", "-p", "0", "b", "--", "-c", "--d"));
    assert_int_equal(options.command, COMMAND_RUN);
    assert_int_equal(options.word_count, 1);
    assert_string_equal(options.words[0], "app.lua");
    assert_true(options.any_port);
    assert_int_equal(options.arg_count, 4);
    assert_string_equal(options.args[0], "a");
    assert_string_equal(options.args[1], "b");
    assert_string_equal(options.args[2], "-c");
    assert_string_equal(options.args[3], "--d");
}

static void options_run_takes_several_files_and_options_behind_them(void **state)
{
    (void)state;
    assert_true(PARSE("run", "a.lua", "b", "--port", "8081", "--workers=4"));
    assert_int_equal(options.word_count, 2);
    assert_int_equal(options.port, 8081);
    assert_false(options.any_port);
    assert_int_equal(options.workers, 4);
    assert_int_equal(options.arg_count, 0);
}

static void options_eval_and_standard_input_are_scripts(void **state)
{
    (void)state;
    assert_true(PARSE("-e", "return 1", "x"));
    assert_int_equal(options.command, COMMAND_RUN);
    assert_string_equal(options.eval, "return 1");
    assert_int_equal(options.arg_count, 1);
    options_deinit(&options);
    assert_true(PARSE("-", "x"));
    assert_string_equal(options.words[0], "-");
    assert_string_equal(options.args[0], "x");
}

static void options_test_takes_any_port_and_a_command(void **state)
{
    (void)state;
    assert_true(PARSE("test", "a.lua", "--", "npm", "test", "-p"));
    assert_true(options.any_port);
    assert_int_equal(options.arg_count, 3);
    assert_string_equal(options.args[2], "-p");
    options_deinit(&options);
    assert_false(PARSE("test", "a.lua"));
}

static void options_values_are_read(void **state)
{
    (void)state;
    assert_true(PARSE("a.lua", "--drain", "0.25", "--set", "k=v=w", "--set=x=", "--limit",
                      "memory=2M", "--limit", "request=1.5", "--trace", "close", "--json",
                      "--log-level", "warn"));
    assert_int_equal(options.drain_ns, 250000000);
    assert_int_equal(options.setting_count, 2);
    assert_string_equal(options.settings[0].key, "k");
    assert_string_equal(options.settings[0].value, "v=w");
    assert_string_equal(options.settings[1].value, "");
    assert_int_equal(options.limits.memory_bytes, 2 << 20);
    assert_int_equal(options.limits.request_ns, 1500000000);
    assert_int_equal(options.trace, HOST_TRACE_CLOSE);
    assert_true(options.json);
    assert_int_equal(options.log_level, LOG_LEVEL_WARN);
}

static void options_listen_is_an_address(void **state)
{
    (void)state;
    assert_true(PARSE("a.lua", "-l", "http://127.0.0.1:81/", "-l", "http://[::1]:0"));
    assert_int_equal(options.listen_count, 2);
    assert_string_equal(options.listen[0], "http://127.0.0.1:81");
    options_deinit(&options);
    assert_true(PARSE("a.lua", "-l", "http://0.0.0.0:81", "-l", "http://[::]:82/"));
    assert_string_equal(options.listen[0], "http://+:81");
    assert_string_equal(options.listen[1], "http://+:82");
}

/* Each must be refused, and the refusal must have this in it. */
static void options_wrong_lines_are_refused(void **state)
{
    static const char *const rows[][5] = {
        {"--wibble", "a.lua", NULL, NULL, "unknown option --wibble"},
        {"--wokers", "2", "a.lua", NULL, "unknown option --wokers (--workers?)"},
        {"--drian=2", "a.lua", NULL, NULL, "(--drain?)"},
        {"a.lua", "-Z", NULL, NULL, "unknown option -Z"},
        {"a.lua", "--work", "2", NULL, "--workers?"},
        {"a.lua", "--tls", NULL, NULL, "not built yet"},
        {"a.lua", "--tls=auto", NULL, NULL, "not built yet"},
        {"proxy", "a.lua", NULL, NULL, "not built yet"},
        {"a.lua", "--watch=often", NULL, NULL, "poll:MS"},
        {"a.lua", "--watch=poll:1", NULL, NULL, "poll:MS"},
        {"test", "a.lua", "-w", NULL, "does not belong"},
        {"ctl", NULL, NULL, NULL, "one question"},
        {"a.lua", "-p", NULL, NULL, "needs a value"},
        {"a.lua", "-p", "65536", NULL, "0 to 65535"},
        {"a.lua", "-p", "+1", NULL, "0 to 65535"},
        {"a.lua", "--workers", "0", NULL, "1 to 256"},
        {"a.lua", "--drain", "1e3", NULL, "seconds"},
        {"a.lua", "--drain", "-1", NULL, "seconds"},
        {"a.lua", "--set", "novalue", NULL, "K=V"},
        {"a.lua", "--limit", "speed=1", NULL, "memory=256M"},
        {"a.lua", "--limit", "memory=0", NULL, "memory=256M"},
        {"a.lua", "--limit", "memory=127K", NULL, "from 128K"},
        {"a.lua", "--trace", "all", NULL, "close or calls"},
        {"a.lua", "--loop", "kqueue", NULL, "epoll or io_uring"},
        {"a.lua", "-l", "https://localhost:1", NULL, "only http://"},
        {"a.lua", "-l", "localhost:80", NULL, "http://HOST:PORT"},
        {"a.lua", "-l", "http://localhost:80/x", NULL, "http://HOST:PORT"},
        {"a.lua", "-l", "http://localhost", NULL, "http://HOST:PORT"},
        {"run", NULL, NULL, NULL, "no script"},
        {"check", "a.lua", "--workers=2", NULL, "does not belong"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool ok = parse(rows[i]);
        if (ok || strstr(why, rows[i][4]) == NULL) {
            print_error("%s %s: \"%s\" wanted, \"%s\"\n", rows[i][0], rows[i][1], rows[i][4], why);
        }
        assert_false(ok);
        assert_non_null(strstr(why, rows[i][4]));
        options_deinit(&options);
    }
}

static void options_port_and_listen_exclude_each_other(void **state)
{
    (void)state;
    assert_false(PARSE("a.lua", "-p", "1", "-l", "http://localhost:2"));
}

static void options_too_many_are_refused(void **state)
{
    char *argv[2 * OPTIONS_LISTEN_MAX + 6] = {(char *)(uintptr_t) "moonlatch",
                                              (char *)(uintptr_t) "a.lua"};
    int argc = 2;
    (void)state;
    for (int i = 0; i <= OPTIONS_LISTEN_MAX; i++) {
        argv[argc++] = (char *)(uintptr_t) "-l";
        argv[argc++] = (char *)(uintptr_t) "http://localhost:1";
    }
    assert_false(options_parse(&options, argc, argv, why));
    assert_non_null(strstr(why, "too many"));
}

static void options_help_needs_no_file(void **state)
{
    (void)state;
    assert_true(PARSE("run", "--help"));
    assert_true(options.help);
    assert_int_equal(options.command, COMMAND_RUN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(options_file_alone_is_run_and_further_words_are_its_arguments,
                                  clean),
        cmocka_unit_test_teardown(options_run_takes_several_files_and_options_behind_them, clean),
        cmocka_unit_test_teardown(options_eval_and_standard_input_are_scripts, clean),
        cmocka_unit_test_teardown(options_test_takes_any_port_and_a_command, clean),
        cmocka_unit_test_teardown(options_values_are_read, clean),
        cmocka_unit_test_teardown(options_listen_is_an_address, clean),
        cmocka_unit_test_teardown(options_wrong_lines_are_refused, clean),
        cmocka_unit_test_teardown(options_port_and_listen_exclude_each_other, clean),
        cmocka_unit_test_teardown(options_too_many_are_refused, clean),
        cmocka_unit_test_teardown(options_help_needs_no_file, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
