/* Reading request bodies from handlers, and pulling requests from queues. */
#include "runtime/rig.h"

#define URL "http://localhost:8080"

static struct rig rig;

static void assert_all_ended(void)
{
    assert_int_equal(state_count_live(&rig.state, LIVE_REQUEST), 0);
    assert_int_equal(state_count_live(&rig.state, LIVE_TASK), 0);
    assert_int_equal(lua_gettop(rig.state.L), 0);
    rig_close(&rig);
}

static const struct fake_response *post(const char *handler, const char *body)
{
    static char script[4096];
    snprintf(script, sizeof script, "http.add_url('/', function(r) %s end)", handler);
    rig_serve(&rig, script);
    return rig_ask(&rig,
                   &(struct fake_request_spec){
                       .method = "POST", .url = URL "/", .body = body, .body_len = strlen(body)});
}

static void body_whole_is_read(void **state)
{
    (void)state;
    assert_string_equal(post("return r:body() .. (r:read() or '|end')", "hello")->body,
                        "hello|end");
    assert_all_ended();
}

static void body_none_is_empty(void **state)
{
    (void)state;
    assert_string_equal(post("return '[' .. r:body() .. ']'", "")->body, "[]");
    assert_all_ended();
}

static void body_in_pieces(void **state)
{
    (void)state;
    assert_string_equal(
        post("local t = {} for c in r:chunks(2) do t[#t + 1] = c end return table.concat(t, '|')",
             "abcde")
            ->body,
        "ab|cd|e");
    assert_all_ended();
    assert_string_equal(
        post("return r:read(3) .. '|' .. r:read(100) .. '|' .. tostring(r:read(1))", "abcde")->body,
        "abc|de|nil");
    assert_all_ended();
}

static void body_over_the_limit_is_an_error_with_status_413(void **state)
{
    (void)state;
    const struct fake_response *response = post("return r:body({ limit = 4 })", "abcde");
    assert_int_equal(response->status, 413);
    assert_all_ended();
    response = post("local b, e = r:body({ limit = '5' }) assert(b == 'abcde') return b", "abcde");
    assert_int_equal(response->status, 200);
    assert_all_ended();
    response = post("local b, e = r:body({ limit = 4 }) assert(b == nil and e.name == 'too_large')"
                    " return tostring(e)",
                    "abcde");
    assert_int_equal(response->status, 200);
    assert_all_ended();
}

static void body_limit_must_make_sense(void **state)
{
    (void)state;
    static const char *const limits[] = {"-1",  "'x'", "'5T'", "true",
                                         "1.5", "''",  "'K'",  "'99999999999999G'"};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        char handler[64];
        snprintf(handler, sizeof handler, "return r:body({ limit = %s })", limits[i]);
        assert_int_equal(post(handler, "a")->status, 500);
        assert_true(rig_logged(&rig, "limit is a count of bytes"));
        assert_all_ended();
    }
}

static void body_that_arrives_later(void **state)
{
    (void)state;
    rig_serve(&rig, "http.add_url('/', function(r) return r:body() end)");
    HTTP_REQUEST_ID id = fake_inject(&(struct fake_request_spec){
        .method = "POST", .url = URL "/", .body = "one ", .body_len = 4, .body_open = true});
    rig_turn(&rig, 5);
    assert_int_equal(state_count_live(&rig.state, LIVE_TASK), 1);
    fake_push_body(id, "two ", 4, false);
    rig_turn(&rig, 5);
    fake_push_body(id, "three", 5, true);
    rig_turn(&rig, 5);
    assert_string_equal(fake_response_of(id)->body, "one two three");
    assert_all_ended();
}

static void body_read_times_out_and_goes_on(void **state)
{
    (void)state;
    rig_serve(&rig,
              "http.add_url('/', function(r) local b, e = r:read(10, 0.5)"
              " assert(b == nil and e.name == 'timeout', tostring(e)) return r:read(10) end)");
    HTTP_REQUEST_ID id = fake_inject(
        &(struct fake_request_spec){.method = "POST", .url = URL "/", .body_open = true});
    rig_turn(&rig, 3);
    fake_advance(1000000000);
    rig_turn(&rig, 5);
    fake_push_body(id, "late", 4, true);
    rig_turn(&rig, 5);
    assert_string_equal(fake_response_of(id)->body, "late");
    assert_all_ended();
}

static void body_reader_is_cancelled_when_the_client_goes(void **state)
{
    (void)state;
    rig_serve(&rig, "http.add_url('/', function(r) local ok, e = pcall(r.body, r)"
                    " seen = ok == false and e.name or 'no' end)");
    HTTP_REQUEST_ID id = fake_inject(
        &(struct fake_request_spec){.method = "POST", .url = URL "/", .body_open = true});
    rig_turn(&rig, 3);
    fake_hang_up(id);
    rig_turn(&rig, 5);
    lua_getglobal(rig.state.L, "seen");
    assert_true(lua_isstring(rig.state.L, -1));
    lua_settop(rig.state.L, 0);
    assert_all_ended();
}

static void body_two_readers_raise(void **state)
{
    (void)state;
    rig_serve(&rig,
              "http.add_url('/', function(r) local t = http.spawn(function() return r:read() end)"
              " http.sleep(0.01) local ok, e = pcall(r.read, r) t:wait() return tostring(e) end)");
    HTTP_REQUEST_ID id = fake_inject(
        &(struct fake_request_spec){.method = "POST", .url = URL "/", .body_open = true});
    rig_turn(&rig, 3);
    fake_advance(100000000);
    rig_turn(&rig, 3);
    fake_push_body(id, "x", 1, true);
    rig_turn(&rig, 5);
    assert_non_null(strstr(fake_response_of(id)->body, "another coroutine is reading this body"));
    assert_all_ended();
}

static long file_size(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        return -1;
    }
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    fclose(f);
    return size;
}

static void body_save_writes_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/body_test_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    fclose(fdopen(fd, "w"));
    remove(path);
    char handler[200];
    snprintf(handler, sizeof handler, "return 201, { bytes = r:save('%s', { limit = '1G' }) }",
             path);
    assert_string_equal(post(handler, "0123456789")->body, "{\"bytes\":10}");
    assert_int_equal(file_size(path), 10);
    assert_all_ended();
    snprintf(handler, sizeof handler, "local n, e = r:save('%s', { limit = 9 }) return nil, e",
             path);
    assert_int_equal(post(handler, "0123456789")->status, 413);
    assert_all_ended();
    remove(path);
    assert_int_equal(post("local n, e = r:save('/nonexistent/x') assert(n == nil, n)"
                          " return e.name",
                          "x")
                         ->status,
                     200);
    assert_all_ended();
}

static void body_save_given_up_removes_the_file(void **state)
{
    (void)state;
    char path[] = "/tmp/body_test_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    fclose(fdopen(fd, "w"));
    remove(path);
    char script[200];
    snprintf(script, sizeof script, "http.add_url('/', function(r) r:save('%s') end)", path);
    rig_serve(&rig, script);
    HTTP_REQUEST_ID id = fake_inject(&(struct fake_request_spec){
        .method = "POST", .url = URL "/", .body = "abc", .body_len = 3, .body_open = true});
    rig_turn(&rig, 3);
    assert_int_equal(file_size(path), 3);
    fake_hang_up(id);
    rig_turn(&rig, 5);
    assert_int_equal(file_size(path), -1);
    assert_all_ended();
}

/* --- pulled queues */

#define PULLED                                                                                     \
    "local q = http.queue() local s = http.session() local g = s:group({ queue = q })"             \
    " g:add_url('http://localhost:8080/') "

static void pull_loop_answers(void **state)
{
    (void)state;
    rig_serve(&rig,
              PULLED "for r in q:requests() do r:respond(200, nil, r.path) end finished = true");
    assert_false(rig.main_ended);
    assert_string_equal(rig_get(&rig, URL "/a")->body, "/a");
    assert_string_equal(rig_get(&rig, URL "/b")->body, "/b");
    state_end_pulls(&rig.state);
    rig_turn(&rig, 5);
    assert_true(rig.main_ended);
    assert_int_equal(rig.main_end, TASK_RETURNED);
    assert_all_ended();
}

static void pull_receive_times_out(void **state)
{
    (void)state;
    rig_serve(&rig, PULLED "local r, e = q:receive(0.5) assert(r == nil and e.name == 'timeout')");
    rig_turn(&rig, 3);
    fake_advance(1000000000);
    rig_turn(&rig, 5);
    assert_true(rig.main_ended);
    if (rig.main_end != TASK_RETURNED) {
        fail_msg("%s", rig.main_error);
    }
    assert_all_ended();
}

static void pull_dropped_request_is_answered_500_and_logged(void **state)
{
    (void)state;
    rig_serve(&rig, PULLED "q:receive() collectgarbage() collectgarbage() http.sleep(1e6)");
    assert_int_equal(rig_get(&rig, URL "/lost")->status, 500);
    assert_true(rig_logged(&rig, "GET /lost was dropped unanswered (received at test:1)"));
    rig_close(&rig);
}

static void pull_closed_request_is_answered_500(void **state)
{
    (void)state;
    rig_serve(&rig, PULLED "do local r <close> = q:receive() end http.sleep(1e6)");
    assert_int_equal(rig_get(&rig, URL "/lost")->status, 500);
    rig_close(&rig);
}

static void pull_stream_and_body(void **state)
{
    (void)state;
    rig_serve(&rig,
              PULLED "for r in q:requests() do local b = r:body() local s <close> = r:stream()"
                     " s:write(b, b) end");
    const struct fake_response *response = rig_ask(
        &rig,
        &(struct fake_request_spec){.method = "POST", .url = URL "/", .body = "ab", .body_len = 2});
    assert_string_equal(response->body, "abab");
    assert_true(response->complete);
    rig_close(&rig);
}

static void pull_waiting_tasks_are_cancelled_at_the_exit(void **state)
{
    (void)state;
    rig_serve(&rig,
              PULLED "for i = 1, 3 do http.spawn(function() q:receive() end) end q:receive()");
    rig_turn(&rig, 3);
    assert_int_equal(fake_receive_count(), 4);
    rig_close(&rig);
    assert_int_equal(fake_receive_count(), 0);
}

static void pull_cancelled_while_receiving_gives_everything_back(void **state)
{
    (void)state;
    rig_serve(&rig, PULLED "http.spawn(function() local t = http.spawn(function() q:receive() end)"
                           " http.sleep(0.01) t:cancel() local ok, e = t:wait()"
                           " outcome = not ok and e.name end)");
    rig_turn(&rig, 3);
    fake_advance(100000000);
    rig_turn(&rig, 8);
    lua_getglobal(rig.state.L, "outcome");
    assert_string_equal(lua_tostring(rig.state.L, -1), "cancelled");
    lua_settop(rig.state.L, 0);
    assert_int_equal(fake_receive_count(), 0);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_whole_is_read),
        cmocka_unit_test(body_none_is_empty),
        cmocka_unit_test(body_in_pieces),
        cmocka_unit_test(body_over_the_limit_is_an_error_with_status_413),
        cmocka_unit_test(body_limit_must_make_sense),
        cmocka_unit_test(body_that_arrives_later),
        cmocka_unit_test(body_read_times_out_and_goes_on),
        cmocka_unit_test(body_reader_is_cancelled_when_the_client_goes),
        cmocka_unit_test(body_two_readers_raise),
        cmocka_unit_test(body_save_writes_a_file),
        cmocka_unit_test(body_save_given_up_removes_the_file),
        cmocka_unit_test(pull_loop_answers),
        cmocka_unit_test(pull_receive_times_out),
        cmocka_unit_test(pull_dropped_request_is_answered_500_and_logged),
        cmocka_unit_test(pull_closed_request_is_answered_500),
        cmocka_unit_test(pull_stream_and_body),
        cmocka_unit_test(pull_waiting_tasks_are_cancelled_at_the_exit),
        cmocka_unit_test(pull_cancelled_while_receiving_gives_everything_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
