/* Reloads of a whole host: what takes over, what is touched for it, what a failed one leaves, how
 * many generations there may be. With one, two and four workers alike. */
#include "runtime/live_host.h"

#define HOLD                                                                                       \
    "http.add_url('/go/', function() http.store():set('go', true) return 'gone' end)\n"            \
    "http.add_url('/held/', function() return tostring(http.store():get('held')) end)\n"           \
    "http.add_url('/hold/', function() http.store():incr('held')\n"                                \
    "  while not http.store():get('go') do http.sleep(0.003) end return n end)\n"                  \
    "http.add_url('/v/', function() return n end)\n"

static char told[LIVE_TOLD_MAX];

static void save_number(const struct live *live, int number, const char *rest)
{
    char text[2048];
    (void)snprintf(text, sizeof text, "n = '%d'\n%s", number, rest);
    live_save(live, text);
}

static void check_kept(unsigned workers)
{
    struct live *live = live_start(workers, 5000,
                                   "http.add_url('/a/', function() return 'one' end)\n"
                                   "http.add_url('/b/', function() return 'one' end)\n");
    live_expect(live, "/a/", "one");
    size_t before = live_calls(live, 0, told);
    live_save(live, "http.add_url('/a/', function() return 'two' end)\n"
                    "http.add_url('/b/', function() return 'two' end)\n");
    live_reload(live);
    live_expect(live, "/a/", "two");
    live_expect(live, "/b/", "two");
    struct live_event event = live_event(live, HOST_EVENT_RELOAD, 2);
    assert_int_equal(event.before, 1);
    assert_int_equal(event.changed, 0);
    assert_string_equal(event.text, "ctl");
    event = live_event(live, HOST_EVENT_CLOSED, 1);
    assert_int_equal(event.closed.urls, 0);
    assert_int_equal(event.closed.left, 0);
    (void)live_calls(live, before, told);
    assert_string_equal(told, ""); /* the contract has nothing to do with it */
    live_stop(live);
}

static void reload_of_functions_alone_calls_no_contract(void **state)
{
    (void)state;
    check_kept(1);
    check_kept(2);
    check_kept(4);
}

static void check_changed(unsigned workers)
{
    char body[LIVE_TEXT_MAX];
    struct live *live = live_start(workers, 5000,
                                   "http.add_url('/a/', function() return 'one' end)\n"
                                   "http.add_url('/old/', function() return 'old' end)\n");
    size_t before = live_calls(live, 0, told);
    live_save(live, "http.add_url('/a/', function() return 'two' end)\n"
                    "http.add_url('/new/', function() return 'new' end)\n");
    live_reload(live);
    live_expect(live, "/a/", "two");
    live_expect(live, "/new/", "new");
    assert_int_equal(live_get(live, "/old/", body), 404);
    assert_int_equal(live_event(live, HOST_EVENT_RELOAD, 2).changed, 2);
    assert_int_equal(live_event(live, HOST_EVENT_CLOSED, 1).closed.urls, 1);
    (void)live_calls(live, before, told);
    const char *added = strstr(told, "AddUrlToUrlGroup http://localhost");
    const char *removed = strstr(told, "RemoveUrlFromUrlGroup http://localhost");
    assert_true(added != NULL && removed != NULL && added < removed);
    assert_null(strstr(told, "/a/"));
    assert_null(strstr(told, "Close"));
    live_stop(live);
}

static void reload_adds_urls_before_it_removes_others(void **state)
{
    (void)state;
    check_changed(1);
    check_changed(2);
    check_changed(4);
}

static void reload_that_fails_changes_nothing(void **state)
{
    (void)state;
    static char tree[LIVE_TOLD_MAX];
    static const char *const broken[][2] = {
        {"local x = = 1\n", "app.lua:1: unexpected symbol near '='"},
        {"http.add_url('/new/', function() end)\nhttp.session {}:group { queue = http.queue {} }\n"
         "\nerror('no')\n",
         "app.lua:4: no"},
        {"http.add_url('/v/', function() end)\nhttp.add_url('/v/', function() end)\n",
         "app.lua:2: "},
        {"http.spawn(function() end)\nos.exit(1)\n", "os.exit(1)"},
        {"local t <close> = setmetatable({}, { __close = function() error('again') end })\n"
         "error('first')\n",
         "app.lua:1: again"},
        {"return 1\n", "nothing is open"},
    };
    struct live *live = live_start(2, 5000, "http.add_url('/v/', function() return 'one' end)\n");
    assert_int_equal(live_ctl(live, "tree", tree), 0);
    size_t before = live_calls(live, 0, told);
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        live_save(live, broken[i][0]);
        assert_int_equal(live_ctl(live, "reload", told), 3);
        if (strstr(told, broken[i][1]) == NULL) {
            fail_msg("wanted '%s': %s", broken[i][1], told);
        }
        assert_non_null(strstr(told, "gen 1 keeps serving"));
        live_expect(live, "/v/", "one");
    }
    assert_non_null(strstr(live_event(live, HOST_EVENT_BROKEN, 1).text, "app.lua:1: unexpected"));
    (void)live_calls(live, before, told);
    assert_string_equal(told, "");
    assert_int_equal(live_ctl(live, "tree", told), 0);
    assert_string_equal(told, tree);
    live_save(live, "http.add_url('/v/', function() return 'mended' end)\n");
    live_reload(live);
    live_expect(live, "/v/", "mended");
    live_stop(live);
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;
    for (; *text != '\0'; text++) {
        lines += *text == '\n' ? 1 : 0;
    }
    return lines;
}

struct asked {
    const struct live *live;
    char text[LIVE_TOLD_MAX];
    int code;
    _Atomic bool done;
};

static void *ask_reload(void *arg)
{
    struct asked *asked = arg;
    FILE *out = fmemopen(asked->text, sizeof asked->text, "w");
    asked->code = ctl_ask(asked->live->control, 0, "reload", out, stderr);
    (void)fclose(out);
    atomic_store(&asked->done, true);
    return NULL;
}

static void reload_waits_for_the_oldest_and_takes_the_newest_save(void **state)
{
    (void)state;
    static struct asked asked;
    char body[LIVE_TEXT_MAX];
    int held[3];
    pthread_t thread;
    struct live *live = live_start(2, 20000, "n = '1'\n" HOLD);
    for (int i = 0; i < 3; i++) {
        held[i] = live_send(live, "/hold/");
        char number[16];
        (void)snprintf(number, sizeof number, "%d", i + 1);
        live_await(live, "/held/", number); /* it has begun */
        live_expect(live, "/v/", number);
        if (i < 2) {
            save_number(live, i + 2, HOLD);
            live_reload(live);
            assert_int_equal(live_event(live, HOST_EVENT_RELOAD, (uint32_t)i + 2).in_flight, 1);
        }
    }
    asked = (struct asked){.live = live};
    save_number(live, 4, HOLD);
    assert_int_equal(pthread_create(&thread, NULL, ask_reload, &asked), 0);
    for (int i = 0; i < 20; i++) { /* it is asked for by then, or will be: never a fourth one */
        assert_int_equal(live_ctl(live, "gens", told), 0);
        assert_int_equal(count_lines(told), 3);
        live_pause();
    }
    live_expect(live, "/v/", "3");
    save_number(live, 5, HOLD); /* and again before it begins */
    assert_false(atomic_load(&asked.done));
    live_expect(live, "/go/", "gone");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(asked.code, 0);
    live_expect(live, "/v/", "5");
    for (int i = 0; i < 3; i++) {
        char number[16];
        (void)snprintf(number, sizeof number, "%d", i + 1);
        assert_int_equal(live_receive(held[i], body), 200);
        assert_string_equal(body, number);
        assert_int_equal(live_event(live, HOST_EVENT_CLOSED, (uint32_t)i + 1).closed.cut, 0);
    }
    live_stop(live);
}

static void reload_storm_ends_with_the_newest_save(void **state)
{
    (void)state;
    struct live *live = live_start(2, 300, "n = '0'\n" HOLD);
    for (int round = 0; round < 5; round++) {
        static struct asked asked[8];
        pthread_t threads[8];
        int held = live_send(live, "/hold/");
        for (int i = 0; i < 8; i++) {
            save_number(live, round * 8 + i + 1, HOLD);
            asked[i] = (struct asked){.live = live};
            assert_int_equal(pthread_create(&threads[i], NULL, ask_reload, &asked[i]), 0);
        }
        for (int i = 0; i < 8; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            assert_int_equal(asked[i].code, 0);
        }
        char number[16];
        char body[LIVE_TEXT_MAX];
        (void)snprintf(number, sizeof number, "%d", round * 8 + 8);
        live_expect(live, "/v/", number); /* whoever asked last was answered after it */
        (void)live_receive(held, body);   /* it was cut, or not */
    }
    live_stop(live);
}

static void reload_goes_back_to_what_was_read(void **state)
{
    (void)state;
    struct live *live = live_start(2, 5000, "n = '1'\n" HOLD);
    assert_int_equal(live_ctl(live, "rollback", told), 1);
    save_number(live, 2, HOLD);
    live_reload(live);
    save_number(live, 3, HOLD); /* on the disk alone */
    assert_int_equal(live_ctl(live, "rollback", told), 0);
    live_expect(live, "/v/", "1");
    assert_int_equal(live_ctl(live, "rollback", told), 0);
    live_expect(live, "/v/", "2");
    live_reload(live);
    live_expect(live, "/v/", "3");
    live_stop(live);
}

/* --- a URL that moves ------------------------------------------------------------------------- */

struct asker {
    const struct live *live;
    _Atomic bool over;
    unsigned asked, wrong;
    char sample[LIVE_TEXT_MAX];
};

static void *keep_asking(void *arg)
{
    struct asker *asker = arg;
    while (!atomic_load(&asker->over)) {
        char body[LIVE_TEXT_MAX];
        int status = live_get(asker->live, "/v/", body);
        asker->asked++;
        if (status != 200) {
            asker->wrong++;
            (void)snprintf(asker->sample, sizeof asker->sample, "%d %.900s", status, body);
        }
    }
    return NULL;
}

static void check_move(unsigned workers)
{
    char text[1024];
    pthread_t thread;
    struct live *live =
        live_start(workers, 5000, "http.add_url('/v/', function() return 'a' end)\n");
    struct asker asker = {.live = live};
    assert_int_equal(pthread_create(&thread, NULL, keep_asking, &asker), 0);
    for (int i = 0; i < 10; i++) {
        const char *own = "local g = http.session { name = 's' }:group { queue = http.queue {} }\n";
        /* To a group of its own, with a URL that cannot be had behind it; then without. */
        for (int good = 0; good < 2; good++) {
            (void)snprintf(text, sizeof text,
                           "%sfor _, h in ipairs { '127.0.0.1', 'localhost', '[::1]' } do\n"
                           "  g:add_url('http://' .. h .. ':%u/v/', function() return 'b' end)\n"
                           "end\n%s",
                           own, (unsigned)live->port,
                           good ? "" : "g:add_url('http://8.8.8.8:1/x/', function() end)\n");
            live_save(live, text);
            assert_int_equal(live_ctl(live, "reload", told), good ? 0 : 3);
        }
        live_save(live, "http.add_url('/v/', function() return 'a' end)\n");
        live_reload(live);
    }
    atomic_store(&asker.over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (asker.wrong > 0) {
        fail_msg("%u of %u: %s", asker.wrong, asker.asked, asker.sample);
    }
    assert_true(asker.asked > 10);
    (void)live_calls(live, 0, told);
    if (strstr(told, "RemoveUrlFromUrlGroup") != NULL) { /* a gap, however short */
        fail_msg("a URL that moves was removed: %s", told);
    }
    live_stop(live);
}

static void reload_never_leaves_a_moved_url_unanswered(void **state)
{
    (void)state;
    check_move(1);
    check_move(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reload_of_functions_alone_calls_no_contract),
        cmocka_unit_test(reload_adds_urls_before_it_removes_others),
        cmocka_unit_test(reload_that_fails_changes_nothing),
        cmocka_unit_test(reload_waits_for_the_oldest_and_takes_the_newest_save),
        cmocka_unit_test(reload_storm_ends_with_the_newest_save),
        cmocka_unit_test(reload_goes_back_to_what_was_read),
        cmocka_unit_test(reload_never_leaves_a_moved_url_unanswered),
    };
    return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
