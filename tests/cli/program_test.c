/* The program as a user meets it: exit codes, what goes to which stream, the ready contract.
 * Needs MOONLATCH=<executable>. Ports are free ones; nothing waits but for output and ends.
 * ctest-timeout: 120 */
#include "support/cmocka_all.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_BYTES = 32768, WORDS_MAX = 24 };

extern char **environ;

/* One run of the program; both streams are read to their end by finish. */
struct program {
    pid_t pid;
    int out, err; /* reading ends */
    char stdout_text[OUTPUT_BYTES];
    char stderr_text[OUTPUT_BYTES];
    int port; /* of the ready line */
    int code; /* 128 + n for a signal */
};

static struct program p;
static char folder[64];

static void start(const char *const *words)
{
    char *argv[WORDS_MAX + 2] = {getenv("MOONLATCH")};
    int out[2], err[2];
    posix_spawn_file_actions_t actions;
    memset(&p, 0, sizeof p);
    for (int i = 0; words[i] != NULL && i < WORDS_MAX; i++) {
        argv[i + 1] = (char *)(uintptr_t)words[i];
    }
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO), 0);
    assert_int_equal(posix_spawn(&p.pid, argv[0], &actions, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(out[1]);
    (void)close(err[1]);
    p.out = out[0];
    p.err = err[0];
}

#define START(...) start((const char *const[]){__VA_ARGS__, NULL})

static void read_rest(int fd, char *text)
{
    size_t used = strlen(text);
    ssize_t got = 0;
    while (used < OUTPUT_BYTES - 1 && (got = read(fd, text + used, OUTPUT_BYTES - 1 - used)) > 0) {
        used += (size_t)got;
    }
    text[used] = '\0';
    (void)close(fd);
}

/* Both streams are short enough for their pipes, so one may be read after the other. */
static int finish(void)
{
    int status = 0;
    read_rest(p.out, p.stdout_text);
    read_rest(p.err, p.stderr_text);
    assert_int_equal(waitpid(p.pid, &status, 0), p.pid);
    p.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return p.code;
}

static int run(const char *const *words)
{
    start(words);
    return finish();
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

/* Reads the first line of stdout. */
static void read_line(void)
{
    size_t used = 0;
    while (used < OUTPUT_BYTES - 1 && read(p.out, p.stdout_text + used, 1) == 1 &&
           p.stdout_text[used] != '\n') {
        used++;
    }
    p.stdout_text[used + 1] = '\0';
}

/* Waits until it serves. */
static void wait_ready(void)
{
    int pid = 0;
    unsigned generation = 0;
    read_line();
    assert_int_equal(sscanf(p.stdout_text, "ready http://localhost:%d pid=%d gen=%u\n", &p.port,
                            &pid, &generation),
                     3);
    assert_int_equal(pid, p.pid);
    assert_int_equal(generation, 1);
}

static int stop(int number)
{
    assert_int_equal(kill(p.pid, number), 0);
    return finish();
}

/* Sends a request without reading its answer. */
static int send_get(const char *path)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)p.port)};
    char text[256];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    int length = snprintf(text, sizeof text,
                          "GET %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n\r\n",
                          path, p.port);
    assert_int_equal(write(fd, text, (size_t)length), length);
    return fd;
}

/* Status of the answer; body: its bytes. */
static int read_answer(int fd, char body[1024])
{
    char text[4096];
    size_t used = 0;
    ssize_t got = 0;
    int status = 0;
    while (used < sizeof text - 1 && (got = read(fd, text + used, sizeof text - 1 - used)) > 0) {
        used += (size_t)got;
    }
    text[used] = '\0';
    (void)close(fd);
    (void)sscanf(text, "HTTP/1.1 %d", &status);
    const char *end = strstr(text, "\r\n\r\n");
    (void)snprintf(body, 1024, "%s", end == NULL ? "" : end + 4);
    return status;
}

static void check_get(const char *path, int status, const char *wanted)
{
    char body[1024];
    assert_int_equal(read_answer(send_get(path), body), status);
    if (wanted != NULL) {
        assert_string_equal(body, wanted);
    }
}

/* A file in the test's folder; its path is good until the next call. */
static const char *file(const char *name, const char *text)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs(text, f);
    assert_int_equal(fclose(f), 0);
    return path;
}

static void assert_last_line(const char *wanted)
{
    size_t length = strlen(p.stderr_text);
    size_t start_at = length;
    assert_true(length > 0 && p.stderr_text[length - 1] == '\n');
    while (start_at > 1 && p.stderr_text[start_at - 2] != '\n') {
        start_at--;
    }
    if (strncmp(p.stderr_text + start_at - 1, wanted, strlen(wanted)) != 0) {
        print_error("last line of:\n%s", p.stderr_text);
        fail_msg("\"%s\" wanted", wanted);
    }
}

#define SERVE "http.add_url('/', function() return 'x' end) "

/* --- the ready contract --- */

static void program_ready_line_then_answers_then_code_0(void **state)
{
    (void)state;
    START("-p", "0", "-e",
          "http.add_url('/hello/', function(r) return 'hello, ' .. r.query.name end)");
    wait_ready();
    check_get("/hello/?name=you", 200, "hello, you");
    assert_int_equal(stop(SIGTERM), 0);
    assert_null(strchr(strchr(p.stdout_text, '\n') + 1, '\n')); /* one line, nothing else */
    assert_last_line("exit 0: stopped by SIGTERM");
}

static void program_print_goes_to_stderr(void **state)
{
    (void)state;
    assert_int_equal(RUN("-e", "print(1, nil, 'x') http.stop()"), 0);
    assert_string_equal(p.stdout_text, "");
    assert_non_null(strstr(p.stderr_text, "1\tnil\tx\n"));
}

static void program_json_events_in_order(void **state)
{
    (void)state;
    START("-p", "0", "--json", "-e", SERVE);
    read_line();
    assert_int_equal(strncmp(p.stdout_text, "{\"event\":\"ready\",\"url\":\"http://localhost:", 40),
                     0);
    assert_int_equal(stop(SIGINT), 0);
    const char *drain = strstr(p.stdout_text, "\n{\"event\":\"drain\",\"reason\":\"signal\"");
    const char *summary =
        strstr(p.stdout_text, "\n{\"event\":\"summary\",\"exit\":0,\"reason\":\"signal\"");
    assert_true(drain != NULL && summary != NULL && drain < summary);
}

static void program_ready_file_comes_and_goes(void **state)
{
    char path[128], text[256] = "";
    (void)state;
    (void)snprintf(path, sizeof path, "%s/ready.json", folder);
    START("-p", "0", "--ready-file", path, "-e", SERVE);
    wait_ready();
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    (void)fclose(f);
    assert_int_equal(strncmp(text, "{\"generation\":1,\"url\":\"http://localhost:", 40), 0);
    assert_int_equal(stop(SIGTERM), 0);
    assert_int_equal(access(path, F_OK), -1);
}

static void program_notify_socket_hears_ready_and_stopping(void **state)
{
    struct sockaddr_storage storage;
    char path[108], text[64];
    (void)state;
    memset(&storage, 0, sizeof storage);
    storage.ss_family = AF_UNIX;
    (void)snprintf(path, sizeof path, "%s/notify", folder);
    memcpy((char *)&storage + 2, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&storage, (socklen_t)(2 + strlen(path) + 1)), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
    START("-p", "0", "-e", SERVE);
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    ssize_t got = read(fd, text, sizeof text);
    assert_int_equal(got, 7);
    assert_memory_equal(text, "READY=1", 7);
    assert_int_equal(stop(SIGTERM), 0);
    got = read(fd, text, sizeof text);
    assert_int_equal(got, 10);
    assert_memory_equal(text, "STOPPING=1", 10);
    (void)close(fd);
}

/* --- exit codes --- */

static void program_scripts_that_do_not_load_are_3(void **state)
{
    static const char *const rows[][2] = {
        {"x = = 1", "error: -e:1: unexpected symbol near '='"},
        {"error('boom')", "error: -e:1: boom"},
        {"error({})", "error: table:"},
        {"require 'no.such.module'", "module 'no.such.module' not found"},
        {"while true do pcall(function() while true do end end) end", "load limit"},
        {"http.sleep(1000)", "neither returns nor calls http.run"},
        {"local t = {} for i = 1, 99 do t[i] = ('x'):rep(1e6) .. i end", "not enough memory"},
        {"http.add_url('nonsense', print)", "-e:1:"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(RUN("--limit", "load=0.2", "--limit", "memory=8M", "-e", rows[i][0]), 3);
        if (strstr(p.stderr_text, rows[i][1]) == NULL) {
            fail_msg("\"%s\" wanted in:\n%s", rows[i][1], p.stderr_text);
        }
        assert_last_line("exit 3: the script does not load");
        assert_string_equal(p.stdout_text, "");
    }
}

static void program_port_in_use_is_4_and_names_the_holder(void **state)
{
    char port[16], holder[64];
    struct program first;
    (void)state;
    START("-p", "0", "-e", SERVE);
    wait_ready();
    first = p;
    (void)snprintf(port, sizeof port, "%d", first.port);
    (void)snprintf(holder, sizeof holder, "localhost:%d is in use by ", first.port);
    int code = RUN("-p", port, "-e", SERVE);
    char text[OUTPUT_BYTES];
    memcpy(text, p.stderr_text, sizeof text);
    assert_last_line("exit 4: cannot listen");
    p = first;
    assert_int_equal(stop(SIGTERM), 0);
    assert_int_equal(code, 4);
    assert_non_null(strstr(text, holder));
    (void)snprintf(holder, sizeof holder, "(pid %d", (int)first.pid);
    assert_non_null(strstr(text, holder));
    assert_non_null(strstr(text, "HttpAddUrlToUrlGroup"));
    assert_non_null(strstr(text, "ERROR_SHARING_VIOLATION (32)"));
    assert_non_null(strstr(text, "-e:1"));
    assert_non_null(strstr(text, "hint:  -p 0"));
}

static void program_scripts_name_their_own_code(void **state)
{
    static const struct {
        const char *script;
        int code;
    } rows[] = {
        {"os.exit(7)", 7},
        {"os.exit(true)", 0},
        {"os.exit(false, true)", 1},
        {SERVE "http.stop(9) http.run()", 9},
        {SERVE "http.spawn(function() http.stop() end) http.run() error('verdict')", 1},
        {SERVE "http.spawn(function() http.stop() end) http.run() os.exit(5)", 5},
        {"http.spawn(function() http.sleep(0.02) end)", 0},
        {"local s <close> = http.session{}", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int code = RUN("-p", "0", "-e", rows[i].script);
        if (code != rows[i].code) {
            fail_msg("%s: %d, %d wanted\n%s", rows[i].script, code, rows[i].code, p.stderr_text);
        }
    }
    assert_non_null(strstr(p.stderr_text, "add http.run()")); /* the last row */
}

static void program_drain_deadline_is_6(void **state)
{
    char body[1024];
    (void)state;
    START("-p", "0", "--drain", "0.05", "-e",
          "local go http.add_url('/', function() go = true http.sleep(1000) end) "
          "http.add_url('/go', function() while not go do http.sleep(0.001) end return 'go' end)");
    wait_ready();
    int fd = send_get("/");
    check_get("/go", 200, "go");
    assert_int_equal(stop(SIGTERM), 6);
    assert_int_equal(read_answer(fd, body), 503);
    assert_last_line("exit 6: stopped by SIGTERM; the drain time ran out, 1 cut");
}

static void program_request_under_way_is_answered_before_the_end(void **state)
{
    char body[1024];
    (void)state;
    START("-p", "0", "-e",
          "local go http.add_url('/', function() go = true http.sleep(0.2) return 'late' end) "
          "http.add_url('/go', function() while not go do http.sleep(0.001) end return 'go' end)");
    wait_ready();
    int fd = send_get("/");
    check_get("/go", 200, "go");
    assert_int_equal(stop(SIGTERM), 0);
    assert_int_equal(read_answer(fd, body), 200);
    assert_string_equal(body, "late");
}

static void program_second_signal_is_128_and_its_number(void **state)
{
    (void)state;
    START("-p", "0", "--trace", "close", "-e",
          "local go http.add_url('/', function() go = true http.sleep(1000) end) "
          "http.add_url('/go', function() while not go do http.sleep(0.001) end return 'go' end)");
    wait_ready();
    int fd = send_get("/");
    check_get("/go", 200, "go");
    assert_int_equal(kill(p.pid, SIGINT), 0);
    char byte;
    assert_int_equal(kill(p.pid, SIGHUP),
                     0); /* answered by a line: the first one was heard before it */
    assert_int_equal(read(p.err, &byte, 1), 1);
    assert_int_equal(stop(SIGTERM), 128 + SIGTERM);
    (void)close(fd);
    assert_non_null(strstr(p.stderr_text, "close HttpTerminate server 0\n"));
}

static void program_runaway_handler_stops_nobody(void **state)
{
    (void)state;
    START("-p", "0", "--drain", "0.01", "-e",
          "local go http.add_url('/', function() go = true while true do end end) "
          "http.add_url('/go', function() while not go do http.sleep(0.001) end return 'go' end)");
    wait_ready();
    int fd = send_get("/");
    check_get("/go", 200, "go");
    assert_int_equal(stop(SIGTERM), 6);
    (void)close(fd);
}

/* --- the trace --- */

static void program_trace_close_shows_the_order(void **state)
{
    char wanted[2048];
    (void)state;
    START("-p", "0", "--workers", "2", "--trace", "close", "-q", "-e",
          "http.add_url('/x/', function() end)");
    wait_ready();
    int port = p.port;
    assert_int_equal(stop(SIGTERM), 0);
    (void)snprintf(wanted, sizeof wanted,
                   "close HttpRemoveUrlFromUrlGroup http://localhost:%d/x/ 0\n"
                   "close HttpCloseUrlGroup group host 0\n"
                   "close HttpCloseServerSession session host 0\n"
                   "close HttpCloseRequestQueue queue host 0\n"
                   "close HttpTerminate server 0\n",
                   port);
    size_t length = strlen(p.stderr_text);
    size_t tail = strlen(wanted);
    assert_true(length >= tail);
    assert_string_equal(p.stderr_text + length - tail, wanted);
    assert_int_equal(strncmp(p.stderr_text, "close HttpShutdownRequestQueue queue host 0\n", 44),
                     0);
}

/* --- test, check, and the rest --- */

static void program_test_takes_the_code_of_its_command(void **state)
{
    char path[256];
    (void)state;
    (void)snprintf(path, sizeof path, "%s", file("app.lua", SERVE));
    assert_int_equal(RUN("test", path, "--", "sh", "-c", "test -n \"$MOONLATCH_URL\" && exit 5"),
                     5);
    assert_int_equal(RUN("test", path, "--", "true"), 0);
    assert_int_equal(RUN("test", path, "--", "/nonexistent/command"), 127);
    assert_int_equal(RUN("test", path, "--", "sh", "-c", "kill -9 $$"), 128 + SIGKILL);
    assert_int_equal(RUN("test", file("bad.lua", "x = = 1"), "--", "true"), 3);
    assert_int_equal(RUN("test", file("none.lua", ""), "--", "true"), 3);
}

/* stderr is inherited by what the command leaves behind: finish would not return while it lives. */
static void program_test_leaves_nothing_behind(void **state)
{
    (void)state;
    assert_int_equal(RUN("test", file("app.lua", SERVE), "--", "sh", "-c", "sleep 1000 & exit 0"),
                     0);
}

static void program_test_interrupted_ends_its_command(void **state)
{
    (void)state;
    START("test", file("app.lua", SERVE), "--", "sh", "-c", "echo started; exec sleep 1000");
    read_line();
    read_line(); /* of the command */
    assert_int_equal(stop(SIGINT), 128 + SIGINT);
}

static void program_check_shows_line_and_caret(void **state)
{
    (void)state;
    assert_int_equal(RUN("check", file("bad.lua", "local total = 0\nlocal tax = = 1.2\n")), 3);
    assert_non_null(strstr(p.stderr_text, "bad.lua:2:13: error: unexpected symbol near '='\n"
                                          "   1 | local total = 0\n"
                                          "   2 | local tax = = 1.2\n"
                                          "     |             ^\n"));
    assert_last_line("exit 3: 1 script, 1 error, 0 warnings");
    assert_int_equal(
        RUN("check", file("warn.lua", "local j = require 'nothere'\nreturn undefinedname\n")), 3);
    assert_non_null(strstr(p.stderr_text, "warn.lua:1: error: module 'nothere' not found"));
    assert_non_null(strstr(p.stderr_text, "warn.lua:2: warning: undefined global 'undefinedname'"));
    assert_int_equal(
        RUN("check", file("good.lua", "#!x\nlocal lfs = require 'lfs' http.run() return lfs\n")),
        0);
}

static void program_directory_mounts_what_scripts_return(void **state)
{
    char path[128];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/users", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)file("index.lua", "return function(r) return 'root' end");
    (void)file("users.lua", "local l = require '_lib' return function(r) return l.text end");
    (void)file("users/[id].lua", "return function(r) return 'user ' .. r.params.id end");
    (void)file("_lib.lua", "return { text = 'list' }");
    (void)file(
        "api.lua",
        "local app = http.router() app:get('/x/:y', function(r) return r.params.y end) return app");
    (void)file("own.lua", "http.add_url('/mine/', function() return 'mine' end)");
    START("run", folder, "-p", "0", "--workers", "2");
    wait_ready();
    check_get("/", 200, "root");
    check_get("/users/", 200, "list");
    check_get("/users/42", 200, "user 42");
    check_get("/users/42/more", 404, NULL);
    check_get("/api/x/7", 200, "7");
    check_get("/mine/", 200, "mine");
    assert_int_equal(stop(SIGTERM), 0);
    assert_int_equal(RUN("run", folder, "-p", "0", file("table.lua", "return {}")), 3);
    assert_non_null(
        strstr(p.stderr_text,
               "table.lua: a route script returns a function, a router or nothing, not a table"));
}

static void program_arguments_reach_the_script(void **state)
{
    (void)state;
    assert_int_equal(
        RUN(file("args.lua", "print(http.arg[0]:match('args.lua'), http.arg[1], http.arg.k, ...)"),
            "a", "--set", "k=v", "--", "-b"),
        0);
    assert_non_null(strstr(p.stderr_text, "args.lua\ta\tv\ta\t-b\n"));
}

/* Signals blocked and ignored, from text of /proc/self/status, without the C library's own (32 and
 * 33). */
static unsigned long read_masks(const char *text)
{
    unsigned long blocked = 0, ignored = 0;
    const char *line = strstr(text, "SigBlk:");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "SigBlk: %lx SigIgn: %lx", &blocked, &ignored), 2);
    return (blocked | ignored) & 0x7FFFFFFFUL;
}

/* What is ignored or blocked here would be there as well, so it is compared and not expected to be
 * nothing. */
static void program_children_have_the_signals_we_were_given(void **state)
{
    char text[4096] = "";
    (void)state;
    FILE *f = fopen("/proc/self/status", "r");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    (void)fclose(f);
    assert_int_equal(RUN("-e", "local f = io.popen('grep -E \"^Sig(Blk|Ign)\" /proc/self/status') "
                               "print(f:read('a'))"),
                     0);
    assert_int_equal(read_masks(p.stderr_text), read_masks(text));
}

static void program_wrong_command_line_is_2(void **state)
{
    (void)state;
    assert_int_equal(RUN("--wibble"), 2);
    assert_int_equal(RUN("-p", "0", "--ready-fd", "77", "-e", SERVE), 2);
    assert_int_equal(RUN("help", "nothing"), 2);
    assert_int_equal(RUN("-q"), 2);
}

/* Every option of the table is in the help and in the manual page, and no planned one is. */
static void program_help_and_man_show_the_same(void **state)
{
    static const char *const names[] = {"port",  "listen", "workers",    "drain", "set",
                                        "trace", "json",   "ready-file", "loop",  "limit"};
    static char help[OUTPUT_BYTES];
    char name[32];
    (void)state;
    assert_int_equal(RUN("help"), 0);
    memcpy(help, p.stdout_text, sizeof help);
    assert_int_equal(RUN("man"), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(name, sizeof name, "--%s", names[i]);
        assert_non_null(strstr(help, name));
        (void)snprintf(name, sizeof name, "\\-\\-%.5s", names[i]);
        assert_non_null(strstr(p.stdout_text, name));
    }
    assert_null(strstr(help, "--tls"));
    assert_null(strstr(help, "--inspect"));
}

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/program_test.XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int drop_folder(void **state)
{
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, drop_folder)

int main(void)
{
    enum { SKIPPED = 77 };
    const struct CMUnitTest tests[] = {
        TEST(program_ready_line_then_answers_then_code_0),
        TEST(program_print_goes_to_stderr),
        TEST(program_json_events_in_order),
        TEST(program_ready_file_comes_and_goes),
        TEST(program_notify_socket_hears_ready_and_stopping),
        TEST(program_scripts_that_do_not_load_are_3),
        TEST(program_port_in_use_is_4_and_names_the_holder),
        TEST(program_scripts_name_their_own_code),
        TEST(program_drain_deadline_is_6),
        TEST(program_request_under_way_is_answered_before_the_end),
        TEST(program_second_signal_is_128_and_its_number),
        TEST(program_runaway_handler_stops_nobody),
        TEST(program_trace_close_shows_the_order),
        TEST(program_test_takes_the_code_of_its_command),
        TEST(program_test_leaves_nothing_behind),
        TEST(program_test_interrupted_ends_its_command),
        TEST(program_check_shows_line_and_caret),
        TEST(program_directory_mounts_what_scripts_return),
        TEST(program_arguments_reach_the_script),
        TEST(program_children_have_the_signals_we_were_given),
        TEST(program_wrong_command_line_is_2),
        TEST(program_help_and_man_show_the_same),
    };
    if (getenv("MOONLATCH") == NULL) {
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
