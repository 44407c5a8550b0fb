/* Every way out of the host, over the recording fake: whatever ends the process, the record must
 * show each object closed once, children first, kind by kind in stage 5, and HttpTerminate last.
 *
 * A case is a script, the requests that arrive when it is ready, and what must come out: cause,
 * exit code, answers. Scripts raise signals by writing to the descriptor in http.arg.fd. Time is
 * virtual, so a drain of five seconds takes none.
 * ctest-timeout: 300 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/host.h"
#include "support/fake.h"

enum { REQUESTS_MAX = 4, ANY = -1 };

struct exit_case {
    const char *name;
    const char *script;
    const char *request[REQUESTS_MAX]; /* URLs that are asked for when it is ready */
    unsigned status[REQUESTS_MAX];     /* of their answers; 0: cut */
    enum host_cause cause;
    int code;
    unsigned workers;     /* 0: 1 */
    size_t memory_bytes;  /* 0: default */
    unsigned rules;       /* FAKE_RULE_ that this case breaks on purpose */
    bool stop_when_ready; /* SIGTERM comes from outside as soon as it serves */
    unsigned closes;      /* least count of close calls that the exit path must make itself */
};

/* What one run of the host did. */
struct run {
    const struct exit_case *test;
    HTTP_REQUEST_ID request[REQUESTS_MAX];
    struct host_verdict verdict;
    size_t drain_at; /* records before stage 1 */
    bool drained;    /* stage 1 came */
    unsigned traced; /* contract calls of the exit path that the trace told */
    int code;
    int signal_end; /* where signals are written */
};

/* In one line before the script, so that its own lines keep their numbers. */
static const char prelude[] =
    "local function raise(n) local f = assert(io.open('/dev/fd/' .. http.arg.fd, 'wb')) "
    "f:write(string.char(n)) f:close() end "
    "local function after(s, f, ...) local a = {...} "
    "http.spawn(function() http.sleep(s) f(table.unpack(a)) end) end ";

static void on_trace(void *ctx, bool during_exit, const char *call, const char *object,
                     ULONG result)
{
    struct run *run = ctx;
    (void)call, (void)object, (void)result; /* the fake has them too */
    run->traced += during_exit;
}

static void on_event(void *ctx, struct host *host, const struct host_event *event)
{
    struct run *run = ctx;
    (void)host; /* the scripts stop it */
    if (event->kind == HOST_EVENT_DRAIN) {
        run->drained = true;
        run->drain_at = fake_record_count();
    }
    if (event->kind == HOST_EVENT_READY && run->test->stop_when_ready) {
        assert_int_equal(write(run->signal_end, "\17", 1), 1); /* 15, SIGTERM */
    }
    for (int i = 0; event->kind == HOST_EVENT_READY && i < REQUESTS_MAX; i++) {
        if (run->test->request[i] != NULL) {
            run->request[i] = fake_inject(&(struct fake_request_spec){
                .url = run->test->request[i],
            });
        }
    }
}

static void on_signal(void *ctx, struct host *host, int number)
{
    (void)ctx; /* nothing of the run is needed */
    host_on_stop_signal(host, number);
}

static unsigned count_closes(size_t from)
{
    static const char *const call[] = {"HttpRemoveUrlFromUrlGroup", "HttpCloseUrlGroup",
                                       "HttpCloseServerSession", "HttpCloseRequestQueue"};
    unsigned count = 0;
    for (size_t i = from; i < fake_record_count(); i++) {
        for (size_t j = 0; j < sizeof call / sizeof call[0]; j++) {
            count += strcmp(fake_record_at(i)->call, call[j]) == 0;
        }
    }
    return count;
}

/* Runs the host on the script of the case; the fake keeps what it did. */
static void run_host(const struct exit_case *test, struct run *run)
{
    int ends[2];
    char fd_text[16];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    snprintf(fd_text, sizeof fd_text, "%d", ends[1]);
    size_t len = strlen(prelude) + strlen(test->script);
    char *text = malloc(len + 1);
    assert_non_null(text);
    snprintf(text, len + 1, "%s%s", prelude, test->script);
    struct host_source source = {.text = text, .text_len = len, .name = "case"};
    struct host_setting setting = {"fd", fd_text};
    struct host_config config;
    host_config_init(&config);
    config.sources = &source;
    config.source_count = 1;
    config.settings = &setting;
    config.setting_count = 1;
    config.workers = test->workers;
    config.limits.memory_bytes = test->memory_bytes;
    config.on_trace = on_trace;
    config.on_event = on_event;
    config.on_signal = on_signal;
    config.signal_fd = ends[0];
    config.ctx = run;
    run->test = test;
    run->signal_end = ends[1];
    run->code = host_run(&config, &run->verdict);
    free(text);
    close(ends[0]);
    close(ends[1]);
}

/* The first record of the exit path. The event comes a moment before the ledger stops; what a
 * script closes in between is closed at once, which is as it should be. */
static size_t first_of_exit(const struct run *run)
{
    for (size_t i = run->drain_at; i < fake_record_count(); i++) {
        if (strcmp(fake_record_at(i)->call, "loop_stop_listening") == 0) {
            return i;
        }
    }
    return run->drain_at;
}

/* Checks the rules that hold for every run. Returns the first breach, or NULL. */
static const char *breach_of(const struct run *run)
{
    if (run->drained) {
        (void)fake_check_kind_order(first_of_exit(run)); /* counted below */
    }
    (void)fake_check_end(); /* counted below */
    return fake_violation_at(0);
}

static void check_case(const struct exit_case *test)
{
    struct run run = {0};
    fake_reset();
    fake_set_rules(FAKE_RULE_ALL & ~test->rules);
    run_host(test, &run);
    const char *breach = breach_of(&run);
    bool good = breach == NULL && run.verdict.cause == test->cause && run.code == test->code &&
                run.code == run.verdict.code && count_closes(run.drain_at) >= test->closes;
    for (int i = 0; i < REQUESTS_MAX; i++) {
        const struct fake_response *response = fake_response_of(run.request[i]);
        if (test->request[i] == NULL) {
            continue;
        }
        bool whole = response != NULL && response->complete && !response->cancelled;
        bool as_wanted =
            test->status[i] == 0 ? !whole : whole && response->status == test->status[i];
        if (!as_wanted) {
            print_error("%s: request %d got %u%s\n", test->name, i,
                        response != NULL ? response->status : 0, whole ? "" : ", not whole");
            good = false;
        }
    }
    if (!good) {
        fake_print_record();
        print_error("%s: %s; cause %s (%s wanted), code %d (%d wanted), %u closes; %s\n",
                    test->name, breach != NULL ? breach : "no breach",
                    host_cause_name(run.verdict.cause), host_cause_name(test->cause), run.code,
                    test->code, count_closes(run.drain_at), run.verdict.reason);
    }
    assert_true(good);
    assert_true(run.traced > 0);
}

#define ALL_FOUR                                                                                   \
    "local q <close> = http.queue{} local s <close> = http.session{} "                             \
    "local g <close> = s:group{ queue = q } "
#define URL "http://localhost:8080/"

static const struct exit_case cases[] = {
    {.name = "end_of_script",
     .script = ALL_FOUR "local u = g:add_url('" URL "', function() return 'x' end) u:close()",
     .cause = HOST_CAUSE_END},
    {.name = "http_stop",
     .script = "http.add_url('/', function() return 'x' end) after(0.1, http.stop)",
     .request = {URL},
     .status = {200},
     .cause = HOST_CAUSE_STOP,
     .closes = 4},
    {.name = "http_stop_with_code",
     .script = "http.add_url('/', function() return 'x' end) after(0.1, http.stop, 7)",
     .cause = HOST_CAUSE_STOP,
     .code = 7,
     .closes = 4},
    {.name = "os_exit_from_task",
     .script = "http.add_url('/', function() return 'x' end) after(0.1, os.exit, 5)",
     .cause = HOST_CAUSE_OS_EXIT,
     .code = 5,
     .closes = 4},
    {.name = "os_exit_with_close_from_task",
     .script = "http.add_url('/', function() return 'x' end) after(0.1, os.exit, false, true)",
     .cause = HOST_CAUSE_OS_EXIT,
     .code = 1,
     .closes = 4},
    {.name = "os_exit_in_handler_answers_503",
     .script = "http.add_url('/', function() os.exit(9, true) end)",
     .request = {URL},
     .status = {503},
     .cause = HOST_CAUSE_OS_EXIT,
     .code = 9,
     .closes = 4},
    {.name = "os_exit_behind_run",
     .script = ALL_FOUR "g:add_url('" URL "', function() return 'x' end) after(0.1, http.stop) "
                        "http.run() os.exit(3)",
     .cause = HOST_CAUSE_STOP,
     .code = ANY,
     .closes = 4},
    {.name = "error_at_load",
     .script = ALL_FOUR "g:add_url('" URL "', function() return 'x' end) error('broken')",
     .cause = HOST_CAUSE_LOAD,
     .code = HOST_EXIT_LOAD},
    {.name = "syntax_error",
     .script = "local = 1",
     .cause = HOST_CAUSE_LOAD,
     .code = HOST_EXIT_LOAD},
    {.name = "error_in_handler_is_500",
     .script = "http.add_url('/', function() error('broken') end) after(0.1, http.stop)",
     .request = {URL, URL "again"},
     .status = {500, 500},
     .cause = HOST_CAUSE_STOP,
     .closes = 4},
    {.name = "sigint",
     .script = ALL_FOUR "g:add_url('" URL "', function() return 'x' end) after(0.1, raise, 2) "
                        "http.run()",
     .request = {URL},
     .status = {200},
     .cause = HOST_CAUSE_SIGNAL,
     .closes = 4},
    {.name = "sigterm_lets_handlers_finish",
     .script = "http.add_url('/', function() http.sleep(2) return 'late' end) "
               "after(0.1, raise, 15)",
     .request = {URL, URL "b"},
     .status = {200, 200},
     .cause = HOST_CAUSE_SIGNAL,
     .closes = 4},
    {.name = "second_signal_cuts",
     .script = "http.add_url('/', function() http.sleep(100) end) "
               "after(0.1, raise, 15) after(0.2, raise, 15)",
     .request = {URL},
     .status = {503},
     .cause = HOST_CAUSE_SIGNAL,
     .code = HOST_EXIT_SIGNAL + 15,
     .closes = 4},
    {.name = "drain_deadline_cuts",
     .script = "http.add_url('/', function() http.sleep(100) end) after(0.1, raise, 15)",
     .request = {URL},
     .status = {503},
     .cause = HOST_CAUSE_SIGNAL,
     .code = HOST_EXIT_DRAIN,
     .closes = 4},
    {.name = "no_memory_at_load",
     .script = ALL_FOUR "g:add_url('" URL "', function() return 'x' end) "
                        "local t = {} for i = 1, 1e9 do t[i] = { i } end",
     .memory_bytes = 4 << 20,
     .cause = HOST_CAUSE_LOAD,
     .code = HOST_EXIT_LOAD},
    {.name = "no_memory_in_handler_is_500",
     .script = "http.add_url('/', function() local t = {} for i = 1, 1e9 do t[i] = { i } end end) "
               "after(30, http.stop)",
     .memory_bytes = 4 << 20,
     .request = {URL},
     .status = {500},
     .cause = HOST_CAUSE_STOP,
     .closes = 4},
    {.name = "close_that_raises",
     .script = "local bad <close> = setmetatable({}, { __close = function() error('bad') end }) "
               "http.add_url('/', function() return 'x' end) after(0.1, raise, 15) http.run()",
     .cause = HOST_CAUSE_SIGNAL,
     .code = ANY,
     .closes = 4},
    {.name = "close_that_raises_in_handler",
     .script = "local mt = { __close = function() error('bad') end } "
               "http.add_url('/', function() local bad <close> = setmetatable({}, mt) "
               "return 'x' end) after(0.1, raise, 15)",
     .request = {URL},
     .status = {500},
     .cause = HOST_CAUSE_SIGNAL,
     .closes = 4},
    {.name = "gc_that_raises",
     .script = "KEPT = setmetatable({}, { __gc = function() error('bad') end }) "
               "http.add_url('/', function() return 'x' end) after(0.1, raise, 15)",
     .cause = HOST_CAUSE_SIGNAL,
     .closes = 4},
    {.name = "gc_that_uses_closed_objects",
     .script = "local s = http.session{} local g = s:group{ queue = http.queue{} } "
               "KEPT = setmetatable({}, { __gc = function() g:close() s:close() "
               "pcall(g.add_url, g, '" URL "b/') pcall(http.session, {}) end }) "
               "g:add_url('" URL "', function() return 'x' end) after(0.1, raise, 15)",
     .cause = HOST_CAUSE_SIGNAL,
     .closes = 4},
    {.name = "close_that_yields_while_cancelled",
     .script = "local mt = { __close = function() http.sleep(0.2) end } "
               "http.add_url('/', function() local slow <close> = setmetatable({}, mt) "
               "http.sleep(100) end) after(0.1, raise, 15)",
     .request = {URL},
     .status = {503},
     .cause = HOST_CAUSE_SIGNAL,
     .code = HOST_EXIT_DRAIN,
     .closes = 4},
    {.name = "close_that_yields_for_ever",
     .script = "local mt = { __close = function() while true do http.sleep(10) end end } "
               "http.add_url('/', function() local slow <close> = setmetatable({}, mt) "
               "http.sleep(100) end) after(0.1, raise, 15)",
     .request = {URL},
     .status = {503},
     .cause = HOST_CAUSE_SIGNAL,
     .code = HOST_EXIT_DRAIN,
     .closes = 4},
    {.name = "cancelled_caught_again_and_again",
     .script = "http.add_url('/', function() while true do pcall(http.sleep, 100) end end) "
               "after(0.1, raise, 15)",
     .request = {URL},
     .status = {503},
     .cause = HOST_CAUSE_SIGNAL,
     .code = HOST_EXIT_DRAIN,
     .closes = 4},
    {.name = "parents_first_by_hand",
     .script = "local q = http.queue{} local s = http.session{} local g = s:group{ queue = q } "
               "local u = g:add_url('" URL "', function() return 'x' end) "
               "after(0.1, function() q:close() s:close() g:close() u:close() s:close() "
               "http.stop() end) http.run()",
     .rules = FAKE_RULE_RECEIVES_JOINED, /* closing by hand does not wait for them */
     .cause = HOST_CAUSE_STOP},
    {.name = "closing_in_the_middle_of_a_request",
     .script = "local q = http.queue{} local s = http.session{} local g = s:group{ queue = q } "
               "g:add_url('" URL "', function() s:close() http.sleep(0.1) http.stop() "
               "return 'still' end) http.run()",
     .request = {URL},
     .status = {200},
     .cause = HOST_CAUSE_STOP},
    {.name = "closing_after_stop_waits_for_stage_5",
     .script = "local s = http.session{} local g = s:group{ queue = http.queue{} } "
               "g:add_url('" URL "', function() http.stop() http.sleep(0.1) s:close() "
               "local ok, err = pcall(http.session, {}) return tostring(ok) end) http.run()",
     .request = {URL},
     .status = {200},
     .cause = HOST_CAUSE_STOP,
     .closes = 4},
    {.name = "pulled_queue",
     .script = ALL_FOUR "g:add_url('" URL "') after(0.1, raise, 15) "
                        "for r in q:requests() do r:respond(200, 'ok') end",
     .request = {URL},
     .status = {200},
     .cause = HOST_CAUSE_SIGNAL,
     .closes = 4},
    {.name = "stream_under_way_ends",
     .script = "http.add_url('/', function(r) local s <close> = r:stream(200) "
               "for i = 1, 20 do s:write('x') http.sleep(0.1) end end) after(0.5, raise, 15)",
     .request = {URL},
     .status = {200},
     .cause = HOST_CAUSE_SIGNAL,
     .closes = 4},
    {.name = "coroutines_and_spawned_tasks",
     .script = "CO = coroutine.wrap(function() local s <close> = http.session{} "
               "coroutine.yield(1) end) CO() "
               "http.spawn(function() local s <close> = http.session{} http.sleep(1000) end) "
               "http.add_url('/', function() return 'x' end) after(0.1, raise, 15)",
     .cause = HOST_CAUSE_SIGNAL,
     .code = ANY,
     .closes = 6},
    {.name = "three_workers",
     .script = ALL_FOUR "g:add_url('" URL "', function() http.stop() return 'x' end) http.run()",
     .workers = 3,
     .request = {URL, URL "b", URL "c"},
     .status = {200, 200, 200},
     .cause = HOST_CAUSE_STOP,
     .closes = 4},
};

static void run_case(void **state)
{
    const struct exit_case *test = *state;
    if (test->code != ANY) {
        check_case(test);
        return;
    }
    /* The code is the host's choice between two truths; the order is what counts. */
    struct run run = {0};
    fake_reset();
    fake_set_rules(FAKE_RULE_ALL & ~test->rules);
    run_host(test, &run);
    const char *breach = breach_of(&run);
    if (breach != NULL) {
        fake_print_record();
        fail_msg("%s: %s", test->name, breach);
    }
    assert_true(count_closes(run.drain_at) >= test->closes);
}

static const char everything[] =
    "local q = http.queue{ length = 10 } "
    "local s <close> = http.session{ timeouts = { header_wait = 5 } } "
    "local g = s:group{ queue = q } "
    "g:add_url('" URL "a/', function(r) http.sleep(0.01) return 'x' end) "
    "http.add_url('/', function(r) local t <close> = r:stream(200) t:write('y') end) "
    "after(0.2, function() local extra <close> = http.session{} http.sleep(0.1) http.stop() end) "
    "http.run()";

/* Each contract call of a run fails once: the host may refuse to start or answer worse, but it
 * ends, in order. */
static void exit_each_call_failing_in_order(void **state)
{
    (void)state;
    static const ULONG code[] = {ERROR_NOT_ENOUGH_MEMORY, ERROR_SHARING_VIOLATION};
    struct exit_case test = {.name = "faults", .script = everything, .request = {URL "a/", URL}};
    for (size_t c = 0; c < sizeof code / sizeof code[0]; c++) {
        size_t nth = 1;
        bool fired = true;
        for (; fired; nth++) {
            struct run run = {0};
            fake_reset();
            fake_fail_nth(nth, code[c]);
            run_host(&test, &run);
            fired = fake_fault_fired();
            const char *breach = breach_of(&run);
            if (breach != NULL) {
                fake_print_record();
                fail_msg("call %zu failing with %u: %s", nth, (unsigned)code[c], breach);
            }
        }
        assert_true(nth > 20);
    }
}

/* The state may have less and less memory: from some point on the script does not load. */
static void exit_less_memory_in_order(void **state)
{
    (void)state;
    struct exit_case test = {.name = "memory",
                             .script = everything,
                             .request = {URL "a/", URL},
                             .stop_when_ready = true};
    for (size_t bytes = 8 << 10; bytes < 400 << 10; bytes += 1777) {
        struct run run = {0};
        fake_reset();
        test.memory_bytes = bytes;
        run_host(&test, &run);
        const char *breach = breach_of(&run);
        if (breach != NULL) {
            fake_print_record();
            fail_msg("%zu bytes of Lua memory: %s", bytes, breach);
        }
    }
}

int main(void)
{
    enum { CASES = sizeof cases / sizeof cases[0] };
    struct CMUnitTest tests[CASES + 2];
    for (int i = 0; i < CASES; i++) {
        tests[i] = (struct CMUnitTest){cases[i].name, run_case, NULL, NULL, (void *)&cases[i]};
    }
    tests[CASES] = (struct CMUnitTest)cmocka_unit_test(exit_each_call_failing_in_order);
    tests[CASES + 1] = (struct CMUnitTest)cmocka_unit_test(exit_less_memory_in_order);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
