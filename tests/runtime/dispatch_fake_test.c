/* From an injected request to the answer: what a handler may return, and how it may fail. */
#include "runtime/rig.h"

#define URL "http://localhost:8080"

static struct rig rig;

static bool has_header(const struct fake_response *response, const char *line)
{
    return strstr(response->headers, line) != NULL;
}

/* One handler at "/", one request, its answer; the rig stays open. */
static const struct fake_response *answer_of(const char *handler)
{
    static char script[4096];
    snprintf(script, sizeof script, "http.add_url('/', function(request) %s end)", handler);
    rig_serve(&rig, script);
    return rig_get(&rig, URL "/a/b?x=1");
}

static void assert_all_ended(void)
{
    assert_int_equal(state_count_live(&rig.state, LIVE_REQUEST), 0);
    assert_int_equal(state_count_live(&rig.state, LIVE_STREAM), 0);
    assert_int_equal(state_count_live(&rig.state, LIVE_TASK), 0);
    assert_int_equal(lua_gettop(rig.state.L), 0);
    rig_close(&rig);
}

static void dispatch_string_is_200_text(void **state)
{
    (void)state;
    const struct fake_response *response = answer_of("return 'hello'");
    assert_int_equal(response->status, 200);
    assert_string_equal(response->body, "hello");
    assert_true(has_header(response, "Content-Type: text/plain; charset=utf-8\r\n"));
    assert_int_equal(response->sends, 1);
    assert_all_ended();
}

static void dispatch_same_coroutine_serves_again(void **state)
{
    (void)state;
    rig_serve(&rig, "local seen = {} http.add_url('/', function(request)"
                    " local co = coroutine.running() local again = seen[co] seen[co] = true"
                    " return tostring(again) end)");
    assert_string_equal(rig_get(&rig, URL "/")->body, "nil");
    assert_string_equal(rig_get(&rig, URL "/")->body, "true");
    assert_all_ended();
}

static void dispatch_nothing_is_204(void **state)
{
    (void)state;
    const struct fake_response *response = answer_of("");
    assert_int_equal(response->status, 204);
    assert_int_equal(response->body_len, 0);
    assert_false(has_header(response, "Content-Type"));
    assert_all_ended();
}

static void dispatch_status_alone(void **state)
{
    (void)state;
    const struct fake_response *response = answer_of("return 404");
    assert_int_equal(response->status, 404);
    assert_int_equal(response->body_len, 0);
    assert_all_ended();
}

static void dispatch_table_is_json(void **state)
{
    (void)state;
    const struct fake_response *response = answer_of("return { n = 3 }");
    assert_int_equal(response->status, 200);
    assert_string_equal(response->body, "{\"n\":3}");
    assert_true(has_header(response, "Content-Type: application/json\r\n"));
    assert_all_ended();
}

static void dispatch_status_and_table(void **state)
{
    (void)state;
    const struct fake_response *response = answer_of("return 201, { 1, 2 }");
    assert_int_equal(response->status, 201);
    assert_string_equal(response->body, "[1,2]");
    assert_all_ended();
}

static void dispatch_status_headers_body(void **state)
{
    (void)state;
    const struct fake_response *response =
        answer_of("return 200, { ['content-type'] = 'text/html', ['Set-Cookie'] = { 'a=1', 'b=2' },"
                  " ['x-n'] = 5 }, '<p>'");
    assert_int_equal(response->status, 200);
    assert_string_equal(response->body, "<p>");
    assert_true(has_header(response, "Content-Type: text/html\r\n"));
    assert_true(has_header(response, "Set-Cookie: a=1\r\n"));
    assert_true(has_header(response, "Set-Cookie: b=2\r\n"));
    assert_true(has_header(response, "x-n: 5\r\n"));
    assert_false(has_header(response, "text/plain"));
    /* The next answer from the same memory has none of them. */
    assert_all_ended();
}

static void dispatch_headers_do_not_leak_into_the_next_answer(void **state)
{
    (void)state;
    rig_serve(&rig, "local n = 0 http.add_url('/', function(request) n = n + 1 if n == 1 then"
                    " return 200, { location = '/x', ['x-a'] = '1' }, 'a' end return 'b' end)");
    assert_true(has_header(rig_get(&rig, URL "/"), "x-a: 1"));
    for (int i = 0; i < 12; i++) { /* each of the pooled requests */
        const struct fake_response *response = rig_get(&rig, URL "/");
        assert_false(has_header(response, "x-a"));
        assert_false(has_header(response, "Location"));
    }
    assert_all_ended();
}

static void dispatch_many_headers(void **state)
{
    (void)state;
    const struct fake_response *response =
        answer_of("local h = {} for i = 1, 100 do h['x-' .. i] = i end return 200, h, 'x'");
    assert_true(has_header(response, "x-1: 1\r\n"));
    assert_true(has_header(response, "x-100: 100\r\n"));
    assert_all_ended();
}

static void dispatch_too_many_headers_is_500(void **state)
{
    (void)state;
    const struct fake_response *response =
        answer_of("local h = {} for i = 1, 129 do h['x-' .. i] = i end return 200, h, 'x'");
    assert_int_equal(response->status, 500);
    assert_true(rig_logged(&rig, "more than 128 header lines"));
    assert_all_ended();
}

static void refused_header(const char *header, const char *message)
{
    char handler[256];
    snprintf(handler, sizeof handler, "return 200, { %s }, 'x'", header);
    const struct fake_response *response = answer_of(handler);
    assert_int_equal(response->status, 500);
    assert_false(has_header(response, "evil"));
    if (!rig_logged(&rig, message)) {
        fail_msg("not logged: %s\n%s", message, rig.logged);
    }
    assert_all_ended();
}

static void dispatch_header_injection_is_refused(void **state)
{
    (void)state;
    refused_header("['x-a'] = 'b\\r\\nevil: 1'", "header 'x-a' has a line break in its value");
    refused_header("['x-a'] = 'b\\nevil: 1'", "header 'x-a' has a line break in its value");
    refused_header("['x-a'] = 'b\\0evil'", "header 'x-a' has a NUL in its value");
    refused_header("['x-a: evil'] = 'b'", "'x-a: evil' is not a header name");
    refused_header("['x\\r\\nevil'] = 'b'", "is not a header name");
    refused_header("[''] = 'evil'", "is not a header name");
    refused_header("['Transfer-Encoding'] = 'evil'", "'Transfer-Encoding' belongs to the host");
    refused_header("['content-length'] = '3, evil'", "'Content-Length' must be one number");
    refused_header("['content-length'] = 7", "says 7, but the body has 1 bytes");
    refused_header("['x-a'] = true", "header 'x-a' is a boolean");
    refused_header("'evil'", "header names are strings, not number");
}

/* Values are looked at eight bytes at a time. */
static void dispatch_line_breaks_are_found_at_each_place(void **state)
{
    static const char *const escapes[] = {"\\r", "\\n", "\\0"};
    char header[128];
    (void)state;
    for (int at = 0; at < 20; at++) {
        snprintf(header, sizeof header, "['x-a'] = '%.*s%s%.*s'", at, "aaaaaaaaaaaaaaaaaaaa",
                 escapes[at % 3], 20 - at, "aaaaaaaaaaaaaaaaaaaa");
        refused_header(header, at % 3 == 2 ? "has a NUL in its value" : "has a line break in its");
    }
    const struct fake_response *response =
        answer_of("return 200, { ['x-a'] = 'a\\tb\\x01\\x0e\\x80\\xfftwelve' }, 'x'");
    assert_int_equal(response->status, 200);
    assert_true(has_header(response, "x-a: a\tb\x01\x0e\x80\xfftwelve\r\n"));
    assert_all_ended();
}

/* Whoever gave way goes on after all requests that have come meanwhile, not after each of them. */
static void dispatch_requests_come_before_who_gave_way(void **state)
{
    (void)state;
    rig_serve(&rig, "order = '' http.add_url('/h/', function() order = order .. 'h' return 'h' end)"
                    " http.add_url('/long/', function() for i = 1, 4 do order = order .. 'L'"
                    " http.sleep(0) end return 'L' end)"
                    " http.add_url('/order/', function() return order end)");
    const struct fake_request_spec longer = {.url = URL "/long/"}, hello = {.url = URL "/h/"};
    HTTP_REQUEST_ID id = fake_inject(&longer);
    rig_turn(&rig, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_not_equal(fake_inject(&hello), 0);
    }
    for (int i = 0; i < 50 && !fake_response_of(id)->complete; i++) {
        rig_turn(&rig, 1);
    }
    assert_true(fake_response_of(id)->complete);
    const char *order = rig_get(&rig, URL "/order/")->body;
    if (strstr(order, "LhhhL") == NULL) {
        fail_msg("%s", order);
    }
    assert_all_ended();
}

/* A Lua function without parameters is called without a request; everything else gets it. */
static void dispatch_handlers_of_each_kind_are_called(void **state)
{
    (void)state;
    rig_serve(&rig,
              "local app = http.router()"
              " app:get('/none', function() return 'none' end)"
              " app:get('/one', function(r) return r.path end)"
              " app:get('/any', function(...) return select('#', ...) .. (...).path end)"
              " app:get('/table', setmetatable({}, { __call = function(_, r) return r.path end }))"
              " app:get('/wait', function() http.sleep(0.001) return 'waited' end)"
              " app:get('/fail', function() error('failed here') end)"
              " app:get('/c', tostring)"
              " http.add_url('/', app)");
    static const char *const rows[][2] = {{"/none", "none"},   {"/one", "/one"},
                                          {"/any", "1/any"},   {"/table", "/table"},
                                          {"/wait", "waited"}, {"/c", "http.request (GET /c)"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char url[64];
        snprintf(url, sizeof url, "%s%s", URL, rows[i][0]);
        assert_string_equal(rig_get(&rig, url)->body, rows[i][1]);
    }
    assert_int_equal(rig_get(&rig, URL "/fail")->status, 500);
    assert_true(rig_logged(&rig, "failed here"));
    assert_all_ended();
}

static void dispatch_wrong_values_are_500_and_named(void **state)
{
    (void)state;
    static const struct {
        const char *handler, *message;
    } cases[] = {
        {"return true", "a handler returned (boolean); allowed:"},
        {"return 'a', 1", "a handler returned (string, number); allowed:"},
        {"return 200, {}, 'x', 1", "a handler returned (number, table, string, number)"},
        {"return 200, {}, 5", "a handler returned (number, table, number)"},
        {"return 99", "a status is an integer from 200 to 999, not 99"},
        {"return 100", "a status is an integer from 200 to 999, not 100"},
        {"return 2.5", "a status is an integer from 200 to 999, not 2.5"},
        {"return 200, 'x', 'y'", "headers are a table, not a string"},
        {"return io.stdout", "a handler returned (userdata)"},
        {"return { f = print }", "the table cannot become JSON: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct fake_response *response = answer_of(cases[i].handler);
        assert_int_equal(response->status, 500);
        if (!rig_logged(&rig, cases[i].message)) {
            fail_msg("%s: not logged: %s\n%s", cases[i].handler, cases[i].message, rig.logged);
        }
        assert_all_ended();
    }
}

static void dispatch_error_is_500_with_an_id_and_a_traceback(void **state)
{
    (void)state;
    const struct fake_response *response =
        answer_of("local function deep() error('boom ' .. request.path) end deep()");
    assert_int_equal(response->status, 500);
    assert_string_equal(response->body, "Internal Server Error (error 1-0-1)\n");
    assert_true(rig_logged(&rig, "1-0-1 GET /a/b: 500"));
    assert_true(rig_logged(&rig, "test:1: boom /a/b"));
    assert_true(rig_logged(&rig, "stack traceback:"));
    assert_true(rig_logged(&rig, "in local 'deep'") || rig_logged(&rig, "in upvalue 'deep'"));
    /* The coroutine and the request serve again. */
    assert_int_equal(rig_get(&rig, URL "/")->status, 500);
    assert_all_ended();
}

static void dispatch_error_values_of_any_type(void **state)
{
    (void)state;
    static const char *const handlers[] = {
        "error()",
        "error({})",
        "error(setmetatable({}, { __tostring = function() error('x') end }))",
        "error(setmetatable({}, { __tostring = function() return 5 end }))",
        "error(setmetatable({}, { __index = function() error('x') end }))",
        "error(setmetatable({}, { __tostring = function() http.sleep(1) return '' end }))",
        "error(nil)",
        "error(coroutine.running())",
    };
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++) {
        assert_int_equal(answer_of(handlers[i])->status, 500);
        assert_all_ended();
    }
}

static void dispatch_error_with_a_status(void **state)
{
    (void)state;
    const struct fake_response *response = answer_of("error({ status = 418 })");
    assert_int_equal(response->status, 418);
    assert_all_ended();
    response = answer_of("error({ status = 200 })");
    assert_int_equal(response->status, 500);
    assert_all_ended();
}

static void dispatch_nil_and_error_uses_its_status(void **state)
{
    (void)state;
    const struct fake_response *response = answer_of("return http.file('/nonexistent/file')");
    assert_int_equal(response->status, 404);
    assert_all_ended();
    response = answer_of("return nil, 'no database'");
    assert_int_equal(response->status, 500);
    assert_true(rig_logged(&rig, "no database"));
    assert_all_ended();
}

static void dispatch_head_has_the_length_and_no_body(void **state)
{
    (void)state;
    rig_serve(&rig, "http.add_url('/', function(request) return 'hello' end)");
    const struct fake_request_spec spec = {.method = "HEAD", .url = URL "/"};
    const struct fake_response *response = rig_ask(&rig, &spec);
    assert_int_equal(response->status, 200);
    assert_int_equal(response->body_len, 0);
    assert_true(has_header(response, "Content-Length: 5\r\n"));
    assert_all_ended();
}

static void dispatch_304_has_no_body(void **state)
{
    (void)state;
    const struct fake_response *response = answer_of("return 304, 'text'");
    assert_int_equal(response->status, 304);
    assert_int_equal(response->body_len, 0);
    assert_false(has_header(response, "Content-Type"));
    assert_false(has_header(response, "Content-Length"));
    assert_all_ended();
}

static void dispatch_file_is_sent(void **state)
{
    (void)state;
    char path[] = "/tmp/dispatch_test_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    assert_non_null(f);
    for (int i = 0; i < 20000; i++) {
        fprintf(f, "%05d", i);
    }
    fclose(f);
    char handler[200];
    snprintf(handler, sizeof handler, "return assert(http.file('%s', { type = 'text/x' }))", path);
    const struct fake_response *response = answer_of(handler);
    assert_int_equal(response->status, 200);
    assert_int_equal(response->body_len, 100000);
    assert_memory_equal(response->body + 99995, "19999", 5);
    assert_true(has_header(response, "Content-Type: text/x\r\n"));
    remove(path);
    assert_all_ended();
}

static void dispatch_function_streams(void **state)
{
    (void)state;
    const struct fake_response *response =
        answer_of("return 200, { ['x-a'] = 'b' }, function(s) for i = 1, 3 do s:write(i, ' ') "
                  "http.sleep(1) end"
                  " end");
    assert_int_equal(response->status, 200);
    assert_string_equal(response->body, "1 2 3 ");
    assert_true(response->complete);
    assert_true(has_header(response, "x-a: b\r\n"));
    assert_all_ended();
}

static void dispatch_stream_object(void **state)
{
    (void)state;
    const struct fake_response *response =
        answer_of("local s <close> = request:stream(203) assert(s:write('a', 'b')) s:flush()"
                  " s:write('') s:write('1','2','3','4','5','6','7','8','9','10')");
    assert_int_equal(response->status, 203);
    assert_string_equal(response->body, "ab12345678910");
    assert_true(response->complete);
    assert_all_ended();
}

static void dispatch_stream_ends_with_its_handler(void **state)
{
    (void)state;
    const struct fake_response *response = answer_of("kept = request:stream() kept:write('x')");
    assert_true(response->complete);
    rig_run(&rig, "local ok, e = pcall(kept.write, kept, 'y') assert(not ok)"
                  " assert(e:find('closed http.stream', 1, true), e) assert(kept:close())");
    assert_int_equal(rig.main_end, TASK_RETURNED);
    assert_all_ended();
}

static void dispatch_error_while_streaming_cuts(void **state)
{
    (void)state;
    const struct fake_response *response =
        answer_of("local s = request:stream() s:write('x') error('late')");
    assert_true(response->cancelled);
    assert_false(response->complete);
    assert_true(rig_logged(&rig, "late"));
    assert_int_equal(fake_count_calls("HttpCancelHttpRequest"), 1);
    assert_all_ended();
}

static void dispatch_error_closes_the_stream_by_cutting(void **state)
{
    (void)state;
    const struct fake_response *response =
        answer_of("local s <close> = request:stream() s:write('x') error('late')");
    assert_true(response->cancelled);
    assert_all_ended();
}

static void dispatch_slow_client_suspends_the_writer(void **state)
{
    (void)state;
    rig_serve(&rig, "progress = 0 http.add_url('/', function(request) local s = request:stream()"
                    " for i = 1, 20 do s:write(('x'):rep(1000)) progress = i end end)");
    fake_hold_sends(500);
    HTTP_REQUEST_ID id = fake_inject(&(struct fake_request_spec){.url = URL "/"});
    rig_turn(&rig, 20);
    lua_getglobal(rig.state.L, "progress");
    lua_Integer progress = lua_tointeger(rig.state.L, -1);
    lua_pop(rig.state.L, 1);
    assert_true(progress < 10);
    assert_int_equal(state_count_live(&rig.state, LIVE_STREAM), 1);
    for (int i = 0; i < 100 && !fake_response_of(id)->complete; i++) {
        fake_release_sends();
        rig_turn(&rig, 1);
    }
    assert_true(fake_response_of(id)->complete);
    assert_int_equal(fake_response_of(id)->body_len, 20000);
    rig_turn(&rig, 3);
    fake_hold_sends(SIZE_MAX);
    assert_all_ended();
}

static void dispatch_large_answer_waits_for_the_client(void **state)
{
    (void)state;
    rig_serve(&rig, "http.add_url('/', function(request) return ('x'):rep(100000) end)");
    fake_hold_sends(1000);
    HTTP_REQUEST_ID id = fake_inject(&(struct fake_request_spec){.url = URL "/"});
    rig_turn(&rig, 5);
    assert_int_equal(state_count_live(&rig.state, LIVE_TASK), 1);
    assert_int_equal(state_count_live(&rig.state, LIVE_REQUEST), 1);
    lua_gc(rig.state.L, LUA_GCCOLLECT);
    fake_release_sends();
    rig_turn(&rig, 5);
    assert_int_equal(fake_response_of(id)->body_len, 100000);
    fake_hold_sends(SIZE_MAX);
    assert_all_ended();
}

static void dispatch_respond_answers_once(void **state)
{
    (void)state;
    const struct fake_response *response = answer_of(
        "assert(request:is_open()) assert(request:respond(202, { ['x-a'] = 'b' }, 'early'))"
        " assert(not request:is_open())"
        " local ok, e = pcall(function() return request.path end)"
        " assert(not ok and e:find('closed http.request', 1, true), e)"
        " ok, e = pcall(request.respond, request, 'again')"
        " assert(not ok and e:find('closed http.request', 1, true), e)"
        " done = tostring(request) return 'ignored'");
    assert_int_equal(response->status, 202);
    assert_string_equal(response->body, "early");
    lua_getglobal(rig.state.L, "done");
    assert_string_equal(lua_tostring(rig.state.L, -1), "http.request (closed)");
    lua_pop(rig.state.L, 1);
    assert_all_ended();
}

static void dispatch_kept_request_never_means_another(void **state)
{
    (void)state;
    rig_serve(&rig, "kept = {} http.add_url('/', function(request) for _, old in ipairs(kept) do"
                    " local ok, e = pcall(function() return old.method end)"
                    " assert(not ok and e:find('closed http.request', 1, true), e) end"
                    " kept[#kept + 1] = request return 'x' end)");
    for (int i = 0; i < 30; i++) {
        assert_int_equal(rig_get(&rig, URL "/")->status, 200);
    }
    assert_all_ended();
}

static void dispatch_fields_of_a_request(void **state)
{
    (void)state;
    rig_serve(
        &rig,
        "http.add_url('/', function(r)"
        " assert(r.method == 'PATCH', r.method) assert(r.path == '/a-b/c', r.path)"
        " assert(r.target == '/a-b/c?x=1&x=%32&y&z=%zz&=e', r.target)"
        " assert(r.raw_path == '/a-b/c', r.raw_path)"
        " assert(r.query.x == '2' and r.query.y == '' and r.query.z == '%zz' and r.query[''] == "
        "'e')"
        " assert(r.query == r.query and r.headers == r.headers)"
        " local all = r:query_all('x') assert(#all == 2 and all[1] == '1' and all[2] == '2')"
        " assert(#r:query_all('none') == 0)"
        " assert(r.headers['X-A'] == '1, 2', r.headers['X-A']) assert(r.headers['x-a'] == '1, 2')"
        " assert(r.headers.host == 'localhost:8080', r.headers.host)"
        " assert(r.headers['user-agent'] == 'me' and r.headers.none == nil)"
        " assert(r.host == 'localhost:8080') assert(r.scheme == 'http')"
        " assert(r.version == '1.1', r.version) assert(math.type(r.id) == 'integer')"
        " assert(not pcall(function() return r.nonsense end)) assert(not pcall(function() r.x = 1 "
        "end))"
        " assert(not pcall(function() r.headers.x = 1 end))"
        " local n = {} for k, v in pairs(r.headers) do n[k] = v end"
        " assert(n['x-a'] == '1, 2' and n['user-agent'] == 'me')"
        " return tostring(r) end)");
    const struct fake_request_spec spec = {
        .method = "PATCH",
        .url = URL "/a-b/c?x=1&x=%32&y&z=%zz&=e",
        .headers = "X-A: 1\r\nUser-Agent: me\r\nx-a: 2\r\n",
    };
    const struct fake_response *response = rig_ask(&rig, &spec);
    if (response->status != 200) {
        fail_msg("%s", rig.logged);
    }
    assert_string_equal(response->body, "http.request (PATCH /a-b/c)");
    assert_all_ended();
}

static void dispatch_request_that_needs_a_bigger_buffer(void **state)
{
    (void)state;
    static char headers[20000];
    rig_serve(
        &rig,
        "http.add_url('/', function(r) local n = 0 for k in pairs(r.headers) do"
        " n = n + (k:find('^x%-') and 1 or 0) end return n .. (r.headers['x-199'] or '') end)");
    for (int count = 0; count <= 400; count += 40) {
        size_t len = 0;
        headers[0] = 0;
        for (int i = 0; i < count; i++) {
            len += (size_t)snprintf(headers + len, sizeof headers - len, "X-%d: %d\r\n", i, i);
        }
        char expected[32];
        snprintf(expected, sizeof expected, "%d%s", count, count > 199 ? "199" : "");
        const struct fake_request_spec spec = {.url = URL "/", .headers = headers};
        assert_string_equal(rig_ask(&rig, &spec)->body, expected);
        assert_string_equal(rig_get(&rig, URL "/")->body, "0");
    }
    assert_true(fake_count_calls("HttpReceiveHttpRequest") > 8 + 22);
    assert_all_ended();
}

static void dispatch_receives_go_on_after_lack_of_memory(void **state)
{
    (void)state;
    rig_serve(&rig, "http.add_url('/', function(r) return 'x' end)");
    rig.dispatch.pool.on_idle = NULL; /* no other request comes to help: the timer must */
    for (int i = 0; i < 8; i++) {     /* each of the posted receives is used up */
        fake_fail_call("HttpReceiveHttpRequest", 1, ERROR_NOT_ENOUGH_MEMORY);
        assert_string_equal(rig_get(&rig, URL "/")->body, "x");
    }
    loop_run_once(rig.loop, UINT64_C(1000000000));
    loop_run_once(rig.loop, 0);
    assert_int_equal(fake_receive_count(), 8);
    assert_all_ended();
}

static void dispatch_router_params_and_refusals(void **state)
{
    (void)state;
    rig_serve(&rig, "local app = http.router()"
                    " app:get('/users/:id', function(r) return r.params.id end)"
                    " http.add_url('/', app)");
    assert_string_equal(rig_get(&rig, URL "/users/7")->body, "7");
    assert_int_equal(rig_get(&rig, URL "/nope")->status, 404);
    const struct fake_response *response =
        rig_ask(&rig, &(struct fake_request_spec){.method = "POST", .url = URL "/users/7"});
    assert_int_equal(response->status, 405);
    assert_true(has_header(response, "Allow: GET, HEAD"));
    response =
        rig_ask(&rig, &(struct fake_request_spec){.method = "OPTIONS", .url = URL "/users/7"});
    assert_int_equal(response->status, 204);
    assert_true(has_header(response, "Allow: GET, HEAD"));
    assert_all_ended();
}

static void dispatch_handlers_overlap(void **state)
{
    (void)state;
    rig_serve(&rig, "http.add_url('/', function(r) http.sleep(1) return r.query.n end)");
    HTTP_REQUEST_ID ids[40];
    char url[64];
    for (int i = 0; i < 40; i++) {
        snprintf(url, sizeof url, URL "/?n=%d", i);
        ids[i] = fake_inject(&(struct fake_request_spec){.url = url});
    }
    rig_turn(&rig, 20);
    assert_int_equal(state_count_live(&rig.state, LIVE_REQUEST), 40);
    assert_int_equal(state_count_live(&rig.state, LIVE_TIMER), 40);
    fake_advance(2000000000);
    rig_turn(&rig, 10);
    for (int i = 0; i < 40; i++) {
        snprintf(url, sizeof url, "%d", i);
        assert_string_equal(fake_response_of(ids[i])->body, url);
    }
    assert_all_ended();
}

static void dispatch_disconnect_cancels_the_handler(void **state)
{
    (void)state;
    rig_serve(&rig, "closed = 0 http.add_url('/', function(r)"
                    " local c <close> = setmetatable({}, { __close = function(_, e)"
                    " http.sleep(0.01) closed = closed + 1 reason = e.name end })"
                    " http.sleep(100) reached = true end)");
    HTTP_REQUEST_ID id = fake_inject(&(struct fake_request_spec){.url = URL "/"});
    rig_turn(&rig, 5);
    assert_int_equal(fake_count_calls("HttpWaitForDisconnect"), 1);
    fake_hang_up(id);
    rig_turn(&rig, 3);
    fake_advance(100000000);
    rig_turn(&rig, 5);
    lua_State *L = rig.state.L;
    assert_int_equal(lua_getglobal(L, "reached"), LUA_TNIL);
    lua_getglobal(L, "closed");
    assert_int_equal(lua_tointeger(L, -1), 1);
    lua_getglobal(L, "reason");
    assert_string_equal(lua_tostring(L, -1), "cancelled");
    lua_settop(L, 0);
    assert_all_ended();
}

static void dispatch_no_watch_without_waiting(void **state)
{
    (void)state;
    answer_of("return 'x'");
    assert_int_equal(fake_count_calls("HttpWaitForDisconnect"), 0);
    assert_all_ended();
}

static void dispatch_out_of_memory_is_500_and_goes_on(void **state)
{
    (void)state;
    rig_open(&rig, 4 << 20);
    rig_run(&rig, "http.add_url('/', function(r) if r.path == '/big' then local t = {}"
                  " for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end end return 'fine' end)");
    rig_commit(&rig);
    for (int i = 0; i < 3; i++) {
        const struct fake_response *response = rig_get(&rig, URL "/big");
        assert_int_equal(response->status, 500);
        assert_true(rig_logged(&rig, "not enough memory"));
        assert_string_equal(rig_get(&rig, URL "/")->body, "fine");
    }
    assert_all_ended();
}

static void dispatch_every_allocation_may_fail(void **state)
{
    (void)state;
    rig_serve(&rig, "http.add_url('/', function(r) local t = { r.path, r.query.a, r.headers.host }"
                    " return 200, { ['x-a'] = 'b' .. #t }, { ok = true } end)");
    for (int i = 0; i < 5; i++) {
        rig_get(&rig, URL "/?a=1");
    }
    struct account *account = &rig.state.account;
    unsigned failures = 0;
    for (uint64_t n = 1; n < 80; n++) {
        account->fail_from = account->calls + n;
        const struct fake_response *response = rig_get(&rig, URL "/?a=1");
        account->fail_from = 0;
        if (!response->cancelled) {
            assert_true(response->status == 200 || response->status == 500 ||
                        response->status == 503);
            failures += response->status != 200;
        }
        assert_int_equal(rig_get(&rig, URL "/?a=1")->status, 200);
    }
    assert_true(failures > 5);
    assert_all_ended();
}

static void dispatch_refuses_with_503(void **state)
{
    (void)state;
    rig_serve(&rig, "http.add_url('/', function(r) return 'x' end)");
    dispatch_refuse(&rig.dispatch);
    assert_int_equal(rig_get(&rig, URL "/")->status, 503);
    assert_all_ended();
}

static void dispatch_unfinished_requests_end_at_the_exit(void **state)
{
    (void)state;
    rig_serve(&rig, "http.add_url('/', function(r) http.sleep(1e6) end)");
    HTTP_REQUEST_ID id = fake_inject(&(struct fake_request_spec){.url = URL "/"});
    rig_turn(&rig, 5);
    rig_close(&rig);
    assert_int_equal(fake_response_of(id)->status, 503);
}

static void dispatch_handler_that_swallows_cancelled_is_stopped(void **state)
{
    (void)state;
    rig_serve(&rig,
              "closed = false http.add_url('/', function(r)"
              " local c <close> = setmetatable({}, { __close = function() closed = true end })"
              " while true do pcall(http.sleep, 1e6) end end)");
    fake_inject(&(struct fake_request_spec){.url = URL "/"});
    rig_turn(&rig, 5);
    state_cancel_tasks(&rig.state, NULL);
    rig_turn(&rig, 3);
    assert_int_equal(state_count_live(&rig.state, LIVE_TASK), 0);
    assert_true(rig_logged(&rig, "it went on after it was cancelled"));
    lua_getglobal(rig.state.L, "closed");
    assert_true(lua_toboolean(rig.state.L, -1));
    lua_settop(rig.state.L, 0);
    assert_all_ended();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dispatch_string_is_200_text),
        cmocka_unit_test(dispatch_same_coroutine_serves_again),
        cmocka_unit_test(dispatch_nothing_is_204),
        cmocka_unit_test(dispatch_status_alone),
        cmocka_unit_test(dispatch_table_is_json),
        cmocka_unit_test(dispatch_status_and_table),
        cmocka_unit_test(dispatch_status_headers_body),
        cmocka_unit_test(dispatch_headers_do_not_leak_into_the_next_answer),
        cmocka_unit_test(dispatch_many_headers),
        cmocka_unit_test(dispatch_too_many_headers_is_500),
        cmocka_unit_test(dispatch_header_injection_is_refused),
        cmocka_unit_test(dispatch_line_breaks_are_found_at_each_place),
        cmocka_unit_test(dispatch_handlers_of_each_kind_are_called),
        cmocka_unit_test(dispatch_requests_come_before_who_gave_way),
        cmocka_unit_test(dispatch_wrong_values_are_500_and_named),
        cmocka_unit_test(dispatch_error_is_500_with_an_id_and_a_traceback),
        cmocka_unit_test(dispatch_error_values_of_any_type),
        cmocka_unit_test(dispatch_error_with_a_status),
        cmocka_unit_test(dispatch_nil_and_error_uses_its_status),
        cmocka_unit_test(dispatch_head_has_the_length_and_no_body),
        cmocka_unit_test(dispatch_304_has_no_body),
        cmocka_unit_test(dispatch_file_is_sent),
        cmocka_unit_test(dispatch_function_streams),
        cmocka_unit_test(dispatch_stream_object),
        cmocka_unit_test(dispatch_stream_ends_with_its_handler),
        cmocka_unit_test(dispatch_error_while_streaming_cuts),
        cmocka_unit_test(dispatch_error_closes_the_stream_by_cutting),
        cmocka_unit_test(dispatch_slow_client_suspends_the_writer),
        cmocka_unit_test(dispatch_large_answer_waits_for_the_client),
        cmocka_unit_test(dispatch_respond_answers_once),
        cmocka_unit_test(dispatch_kept_request_never_means_another),
        cmocka_unit_test(dispatch_fields_of_a_request),
        cmocka_unit_test(dispatch_request_that_needs_a_bigger_buffer),
        cmocka_unit_test(dispatch_receives_go_on_after_lack_of_memory),
        cmocka_unit_test(dispatch_router_params_and_refusals),
        cmocka_unit_test(dispatch_handlers_overlap),
        cmocka_unit_test(dispatch_disconnect_cancels_the_handler),
        cmocka_unit_test(dispatch_no_watch_without_waiting),
        cmocka_unit_test(dispatch_out_of_memory_is_500_and_goes_on),
        cmocka_unit_test(dispatch_every_allocation_may_fail),
        cmocka_unit_test(dispatch_refuses_with_503),
        cmocka_unit_test(dispatch_unfinished_requests_end_at_the_exit),
        cmocka_unit_test(dispatch_handler_that_swallows_cancelled_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
