/* The end of a generation whose successor serves: what it still finishes, what it is not given time
 * for, in which order it closes, and what is said of what it left. */
#include "runtime/live_host.h"

#define NEXT "http.add_url('/v/', function() return 'next' end)\n"

static char told[LIVE_TOLD_MAX];

static void retire_finishes_requests_in_their_generation(void **state)
{
    (void)state;
    char body[LIVE_TEXT_MAX];
    struct live *live = live_start(
        2, 20000,
        "http.add_url('/slow/', function() http.store():set('slow', 'begun')\n"
        "  http.sleep(0.2) local m = 0 for i = 1, 3 do http.sleep(0.01) m = m + i end\n"
        "  return 'slow ' .. m end)\n"
        "http.add_url('/spawns/', function()\n"
        "  http.spawn(function() http.sleep(0.3) http.store():set('spawned', true) end)\n"
        "  return 'spawned' end)\n"
        "http.add_url('/v/', function() return http.store():get('slow') or '' end)\n");
    int slow = live_send(live, "/slow/");
    live_expect(live, "/spawns/", "spawned");
    live_await(live, "/v/", "begun");
    live_save(live, NEXT "http.add_url('/spawned/', function()\n"
                         "  return tostring(http.store():get('spawned')) end)\n");
    live_reload(live);
    live_expect(live, "/v/", "next");
    assert_int_equal(live_receive(slow, body), 200);
    assert_string_equal(body, "slow 6");
    struct live_event closed = live_event(live, HOST_EVENT_CLOSED, 1);
    assert_int_equal(closed.closed.cut, 0);
    assert_int_equal(closed.closed.left, 0);
    assert_int_equal(closed.closed.urls, 2);
    live_expect(live, "/spawned/", "true"); /* a task of a request is part of it */
    live_stop(live);
}

static void retire_cuts_what_the_drain_time_does_not_suffice_for(void **state)
{
    (void)state;
    char body[LIVE_TEXT_MAX];
    struct live *live = live_start(
        1, 100,
        "http.add_url('/never/', function() while true do http.sleep(0.01) end end)\n"
        "http.add_url('/deaf/', function()\n"
        "  local t <close> = setmetatable({}, { __close = function() print('deaf closed') end })\n"
        "  while true do pcall(http.sleep, 0.01) end end)\n"
        "http.add_url('/events/', function() return function(stream)\n"
        "  while true do stream:write('data: x\\n\\n') http.sleep(0.01) end end end)\n"
        "http.add_url('/v/', function() return 'first' end)\n");
    int never = live_send(live, "/never/");
    int deaf = live_send(live, "/deaf/");
    int events = live_send(live, "/events/");
    live_expect(live, "/v/", "first");
    live_save(live, NEXT);
    live_reload(live);
    live_expect(live, "/v/", "next"); /* at once, whatever the old one does */
    struct live_event closed = live_event(live, HOST_EVENT_CLOSED, 1);
    assert_true(closed.closed.cut >= 1);
    assert_true(live_has_line(live, "gen 1: the drain time is over"));
    assert_int_equal(live_receive(events, body), 200); /* whole: the last chunk was sent */
    assert_non_null(strstr(body, "data: x"));
    assert_int_not_equal(live_receive(never, body), 200);
    assert_int_not_equal(live_receive(deaf, body), 200);
    live_stop(live);
}

/* A client that reads some bytes now and then, of far more than the buffers between take. */
static void retire_does_not_wait_for_a_slow_client(void **state)
{
    char piece[512] = "";
    (void)state;
    struct live *live =
        live_start(2, 150,
                   "http.add_url('/big/', function() return function(stream)\n"
                   "  for i = 1, 2000 do stream:write(('x'):rep(100000)) end end end)\n"
                   "http.add_url('/v/', function() return 'first' end)\n");
    int slow = live_send(live, "/big/");
    assert_int_equal(recv(slow, piece, 12, MSG_WAITALL), 12);
    assert_memory_equal(piece, "HTTP/1.1 200", 12); /* it has begun */
    live_expect(live, "/v/", "first");
    for (int i = 2; i < 6; i++) {
        live_save(live, i % 2 == 0 ? NEXT : NEXT "-- again\n");
        live_reload(live);
        live_expect(live, "/v/", "next");
    }
    struct live_event closed;
    bool is_closed = false;
    for (int i = 0; i < LIVE_WAIT_MS / 2 && !is_closed; i++) {
        (void)recv(slow, piece, sizeof piece, MSG_DONTWAIT); /* above the least send rate */
        is_closed = live_find(live, HOST_EVENT_CLOSED, 1, &closed);
        live_pause();
    }
    if (!is_closed) {
        fail_msg("a slow client keeps its generation past the drain time");
    }
    (void)close(slow);
    live_stop(live);
}

static void retire_closes_in_order_and_counts(void **state)
{
    (void)state;
    static const char *const order[] = {"RemoveUrlFromUrlGroup", "CloseUrlGroup",
                                        "CloseServerSession", "CloseRequestQueue"};
    char text[1024];
    struct live *live = live_start(1, 5000, "http.add_url('/v/', function() return 'one' end)\n");
    (void)snprintf(text, sizeof text,
                   "local session = http.session {}\n"
                   "local group = session:group { queue = http.queue {} }\n"
                   "group:add_url('http://localhost:%u/own/', function() end)\n"
                   "http.add_url('/v/', function() return 'two' end)\n"
                   "for i = 1, 3 do http.spawn(function() http.sleep(100) end) end\n",
                   (unsigned)live->port);
    live_save(live, text);
    live_reload(live);
    live_expect(live, "/v/", "two");
    size_t before = live_calls(live, 0, told);
    live_save(live, "http.add_url('/v/', function() return 'three' end)\n");
    live_reload(live);
    struct host_closed closed = live_event(live, HOST_EVENT_CLOSED, 2).closed;
    assert_int_equal(closed.urls, 1);
    assert_int_equal(closed.groups, 1);
    assert_int_equal(closed.sessions, 1);
    assert_int_equal(closed.queues, 1);
    assert_int_equal(closed.tasks, 3);
    assert_int_equal(closed.timers, 3);
    assert_int_equal(closed.left, 0);
    assert_int_equal(closed.cut, 0);
    (void)live_calls(live, before, told);
    const char *at = told;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        at = strstr(at, order[i]);
        if (at == NULL) {
            fail_msg("%s is missing or too early: %s", order[i], told);
        }
    }
    assert_int_equal(live_ctl(live, "tree", told), 0);
    assert_null(strstr(told, "own"));
    live_stop(live);
}

static void retire_names_the_line_that_leaked(void **state)
{
    (void)state;
    struct live *live = live_start(2, 5000,
                                   "http.add_url('/v/', function() return 'one' end)\n"
                                   "\n"
                                   "leak = http.session {}\n");
    live_save(live, NEXT);
    live_reload(live);
    assert_int_equal(live_event(live, HOST_EVENT_CLOSED, 1).closed.left, 1);
    assert_true(live_has_line(live, "app.lua:3"));
    assert_true(live_has_line(live, "gen 1 left a session open"));
    live_stop(live);
}

/* Each generation's background task adds its number to a list that all share, unless it is the last
 * one there already: 1212 would be two at once, or an old one late. Requests keep the old ones. */
static void retire_ends_old_timers_before_new_ones_start(void **state)
{
    (void)state;
    char body[LIVE_TEXT_MAX];
    char text[1024];
    int held[2];
    static const char rest[] =
        "local store = http.store()\n"
        "http.spawn(function() while true do http.sleep(0.001)\n"
        "  store:update('ticks', function(t) t = t or ''\n"
        "    if t:sub(-1) ~= n then t = t .. n end return t end) end end)\n"
        "http.add_url('/ticks/', function() return store:get('ticks') or '' end)\n"
        "http.add_url('/hold/', function()\n"
        "  while not store:get('go') do http.sleep(0.003) end return n end)\n"
        "http.add_url('/go/', function() store:set('go', true) return 'gone' end)\n";
    (void)snprintf(text, sizeof text, "n = '1'\n%s", rest);
    struct live *live = live_start(1, 20000, text);
    char wanted[16] = "1";
    for (char n = '1'; n <= '3'; n++) {
        for (int i = 0; i < LIVE_WAIT_MS / 2; i++) { /* until this one ticks */
            assert_int_equal(live_get(live, "/ticks/", body), 200);
            if (strcmp(body, wanted) == 0) {
                break;
            }
            live_pause();
        }
        assert_string_equal(body, wanted);
        if (n < '3') {
            held[n - '1'] = live_send(live, "/hold/");
            live_expect(live, "/ticks/", wanted); /* the other request is there by now */
            (void)snprintf(text, sizeof text, "n = '%c'\n%s", n + 1, rest);
            live_save(live, text);
            live_reload(live);
            size_t len = strlen(wanted);
            wanted[len] = (char)(n + 1);
            wanted[len + 1] = '\0';
        }
    }
    for (int i = 0; i < 20; i++) {
        live_pause();
        live_expect(live, "/ticks/", "123");
    }
    live_expect(live, "/go/", "gone");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(live_receive(held[i], body), 200);
        assert_int_equal(body[0], '1' + i);
        assert_int_equal(live_event(live, HOST_EVENT_CLOSED, (uint32_t)i + 1).closed.tasks, 2);
    }
    live_stop(live);
}

static void retire_goes_on_after_errors_of_the_script(void **state)
{
    (void)state;
    struct live *live = live_start(
        2, 5000,
        "http.add_url('/v/', function() return 'one' end)\n"
        "http.on_unload(function() error('in unload') end)\n"
        "http.spawn(function()\n"
        "  local t <close> = setmetatable({}, { __close = function() error('in task') end })\n"
        "  http.sleep(100) end)\n"
        "u = setmetatable({}, { __gc = function() error('in gc') end })\n"
        "local t <close> = setmetatable({}, { __close = function() error('in main') end })\n"
        "http.run()\n");
    live_save(live, NEXT);
    live_reload(live);
    assert_int_equal(live_event(live, HOST_EVENT_CLOSED, 1).closed.left, 0);
    live_expect(live, "/v/", "next");
    assert_true(live_has_line(live, "in unload"));
    assert_true(live_has_line(live, "in gc"));
    assert_true(live_has_line(live, "in main"));
    live_stop(live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retire_finishes_requests_in_their_generation),
        cmocka_unit_test(retire_cuts_what_the_drain_time_does_not_suffice_for),
        cmocka_unit_test(retire_does_not_wait_for_a_slow_client),
        cmocka_unit_test(retire_closes_in_order_and_counts),
        cmocka_unit_test(retire_names_the_line_that_leaked),
        cmocka_unit_test(retire_ends_old_timers_before_new_ones_start),
        cmocka_unit_test(retire_goes_on_after_errors_of_the_script),
    };
    return cmocka_run_group_tests_name("retire", tests, NULL, NULL);
}
