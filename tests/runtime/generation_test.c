/* The takeover: what a load may do before it, who has switched when it is reported, and what the
 * requests of one page see of it. With one, two and four workers alike. */
#include "runtime/live_host.h"

enum {
    WORKERS_MAX = 4,
    CONNECTIONS = 64, /* so many that every worker has some */
    PAGES = 8,
    DRAIN_MS = 120000, /* longer than eight reloads of a machine with other work */
    READERS = 4
};

/* The states of a generation are loaded one by one, in the order of the workers. */
#define WHO                                                                                        \
    "local store = http.store()\n"                                                                 \
    "local worker = (store:incr('loaded') - 1) % workers\n"                                        \
    "local function who() return n .. ' ' .. worker end\n"                                         \
    "for _, name in ipairs { 'page', 'style', 'script' } do\n"                                     \
    "  http.add_url('/' .. name .. '/', who) end\n"                                                \
    "http.add_url('/held/', function() return tostring(store:get('held')) end)\n"                  \
    "http.add_url('/hold/', function() store:incr('held')\n"                                       \
    "  while not store:get('go') do http.sleep(0.003) end return who() end)\n"                     \
    "http.add_url('/go/', function() store:set('go', true) return 'gone' end)\n"

static char told[LIVE_TOLD_MAX];

static void make_text(char *text, size_t cap, int number, unsigned workers)
{
    (void)snprintf(text, cap, "local n, workers = %d, %u\n%s", number, workers, WHO);
}

static void save_number(const struct live *live, int number, unsigned workers)
{
    char text[2048];
    make_text(text, sizeof text, number, workers);
    live_save(live, text);
}

/* --- one kept connection -------------------------------------------------------------------- */

/* What a connection has seen. */
struct reader {
    const struct live *live;
    int fd;
    int number, worker;        /* of its last answer */
    char wrong[LIVE_TEXT_MAX]; /* "": nothing */
    _Atomic bool *over;
    unsigned pages;
};

/* Asks on the connection, which stays; no assert inside. false: r->wrong says what. */
static bool ask(struct reader *r, const char *path)
{
    char all[LIVE_TEXT_MAX] = "";
    char request[256];
    size_t len = 0;
    const char *body = NULL;
    int number = 0;
    int size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost:%u\r\n\r\n",
                        path, (unsigned)r->live->port);
    bool sent = send(r->fd, request, (size_t)size, MSG_NOSIGNAL) == size;
    while (sent && (body == NULL || strchr(body, ' ') == NULL) && len < sizeof all - 1) {
        ssize_t got = recv(r->fd, all + len, sizeof all - 1 - len, 0);
        if (got <= 0) {
            break;
        }
        len += (size_t)got;
        all[len] = '\0';
        body = strstr(all, "\r\n\r\n");
        body = body == NULL ? NULL : body + 4;
    }
    if (body == NULL || strncmp(all, "HTTP/1.1 200", 12) != 0 ||
        sscanf(body, "%d %d", &number, &r->worker) != 2) {
        (void)snprintf(r->wrong, sizeof r->wrong,
                       "%s on a kept connection after generation %d: %.500s", path, r->number,
                       len == 0 ? "the connection was cut" : all);
        return false;
    }
    if (number < r->number) {
        (void)snprintf(r->wrong, sizeof r->wrong,
                       "one connection went back: generation %d answered %s after generation %d "
                       "had answered",
                       number, path, r->number);
    }
    r->number = number;
    return r->wrong[0] == '\0';
}

static void expect_nothing_wrong(const struct reader *r)
{
    if (r->wrong[0] != '\0') {
        fail_msg("%s", r->wrong);
    }
}

static struct reader connected(const struct live *live)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(live->port)};
    struct timeval limit = {.tv_sec = LIVE_WAIT_MS / 1000};
    struct reader r = {.live = live};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(r.fd >= 0);
    (void)setsockopt(r.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(r.fd, (struct sockaddr *)&address, sizeof address), 0);
    return r;
}

/* --- every worker ---------------------------------------------------------------------------- */

static void check_switch(unsigned workers)
{
    static struct reader readers[CONNECTIONS];
    char text[2048];
    make_text(text, sizeof text, 1, workers);
    struct live *live = live_start(workers, DRAIN_MS, text);
    for (int i = 0; i < CONNECTIONS; i++) {
        readers[i] = connected(live);
    }
    for (int number = 1; number <= 4; number++) {
        bool seen[WORKERS_MAX] = {false};
        if (number > 1) {
            save_number(live, number, workers);
            live_reload(live);
        }
        for (int i = 0; i < CONNECTIONS; i++) {
            (void)ask(&readers[i], "/page/");
            expect_nothing_wrong(&readers[i]);
            if (readers[i].number != number) {
                fail_msg("worker %d of %u has not switched: generation %d answered after the "
                         "reload to %d was reported",
                         readers[i].worker, workers, readers[i].number, number);
            }
            assert_in_range(readers[i].worker, 0, workers - 1);
            seen[readers[i].worker] = true;
        }
        for (unsigned i = 0; i < workers; i++) {
            if (!seen[i]) {
                fail_msg("worker %u of %u has answered none of %d connections in generation %d", i,
                         workers, CONNECTIONS, number);
            }
        }
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        (void)close(readers[i].fd);
    }
    for (uint32_t number = 1; number <= 3; number++) {
        (void)live_event(live, HOST_EVENT_CLOSED, number);
    }
    live_stop(live);
}

static void generation_takes_over_on_every_worker(void **state)
{
    (void)state;
    check_switch(1);
    check_switch(2);
    check_switch(4);
}

/* --- one page -------------------------------------------------------------------------------- */

static void *keep_reading(void *arg)
{
    struct reader *r = arg;
    while (!atomic_load(r->over) && ask(r, "/page/") && ask(r, "/style/") && ask(r, "/script/")) {
        r->pages++;
    }
    return NULL;
}

/* While an older generation still answers a request of its own: a page of which the first part was
 * answered before the takeover gets the rest from the new one, on the same connection, and no page
 * that was begun afterwards gets anything old. */
static void check_pages(unsigned workers)
{
    static struct reader readers[READERS];
    char text[2048], body[LIVE_TEXT_MAX], wanted[16];
    pthread_t threads[READERS];
    _Atomic bool over = false;
    make_text(text, sizeof text, 1, workers);
    struct live *live = live_start(workers, DRAIN_MS, text);
    int held = live_send(live, "/hold/");
    live_await(live, "/held/", "1");
    struct reader page = connected(live);
    for (int i = 0; i < READERS; i++) {
        readers[i] = connected(live);
        readers[i].over = &over;
        assert_int_equal(pthread_create(&threads[i], NULL, keep_reading, &readers[i]), 0);
    }
    for (int number = 2; number < 2 + PAGES && page.wrong[0] == '\0'; number++) {
        if (ask(&page, "/page/") && page.number == number - 1) {
            save_number(live, number, workers);
            live_reload(live);
        }
        if (ask(&page, "/style/") && ask(&page, "/script/") && page.number != number) {
            (void)snprintf(page.wrong, sizeof page.wrong,
                           "a page load over a reload: generation %d answered its last part, after "
                           "the reload to %d was reported",
                           page.number, number);
        }
    }
    atomic_store(&over, true);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        (void)close(readers[i].fd);
    }
    for (int i = 0; i < READERS; i++) {
        expect_nothing_wrong(&readers[i]);
        assert_true(readers[i].pages > 0);
    }
    expect_nothing_wrong(&page);
    (void)close(page.fd);
    live_expect(live, "/go/", "gone");
    assert_int_equal(live_receive(held, body), 200);
    (void)snprintf(wanted, sizeof wanted, "1 ");
    assert_memory_equal(body, wanted, 2); /* it was the oldest one's all the time */
    live_stop(live);
}

static void generation_never_goes_back_on_a_connection(void **state)
{
    (void)state;
    check_pages(1);
    check_pages(2);
    check_pages(4);
}

/* --- before the takeover --------------------------------------------------------------------- */

struct asked {
    const struct live *live;
    char text[LIVE_TOLD_MAX];
    int code;
};

static void *ask_reload(void *arg)
{
    struct asked *asked = arg;
    FILE *out = fmemopen(asked->text, sizeof asked->text, "w");
    asked->code = ctl_ask(asked->live->control, 0, "reload", out, stderr);
    (void)fclose(out);
    return NULL;
}

/* What is open at the contract; a declared object is not. */
static unsigned count_open(const char *tree)
{
    unsigned count = 0;
    for (; (tree = strstr(tree, "  open  ")) != NULL; tree++) {
        count++;
    }
    return count;
}

static void expect_untouched(struct live *live, size_t calls, unsigned open, const char *when)
{
    char body[LIVE_TEXT_MAX];
    (void)live_calls(live, calls, told);
    if (told[0] != '\0') {
        fail_msg("%s, a script that was loading has called the contract: %s", when, told);
    }
    if (live_get(live, "/new/", body) != 404) {
        fail_msg("%s, a URL that was only declared is answered", when);
    }
    live_expect(live, "/ticks/", "nil"); /* no task of it has run */
    assert_int_equal(live_ctl(live, "tree", told), 0);
    if (count_open(told) != open) {
        fail_msg("%s, %u objects are open, not %u: %s", when, count_open(told), open, told);
    }
}

/* The load stands still behind its creation calls until it is let go on, or raises there. */
static void check_load(unsigned workers, bool fails)
{
    static struct asked asked;
    char text[2048];
    pthread_t thread;
    static const char gate[] =
        "local store = http.store()\n"
        "http.add_url('/ticks/', function() return tostring(store:get('ticks')) end)\n"
        "http.add_url('/at/', function() return tostring(store:get('at')) end)\n"
        "http.add_url('/go/', function() store:set('go', true) return 'gone' end)\n";
    struct live *live = live_start(workers, DRAIN_MS, gate);
    live_expect(live, "/at/", "nil");
    assert_int_equal(live_ctl(live, "tree", told), 0);
    unsigned open = count_open(told);
    assert_in_range(open, 6, 100);
    size_t calls = live_calls(live, 0, told);
    (void)snprintf(text, sizeof text,
                   "%slocal queue = http.queue { name = 'q', length = 20 }\n"
                   "local session = http.session { timeouts = { header_wait = 7 } }\n"
                   "local group = session:group { queue = queue }\n"
                   "group:add_url('http://127.0.0.1:%u/new/', function() return 'new' end)\n"
                   "http.spawn(function() store:incr('ticks') end)\n"
                   "store:set('at', 'gate')\n"
                   "while not store:get('go') do http.sleep(0.003) end\n%s",
                   gate, (unsigned)live->port, fails ? "error('no')\n" : "");
    live_save(live, text);
    asked = (struct asked){.live = live};
    assert_int_equal(pthread_create(&thread, NULL, ask_reload, &asked), 0);
    live_await(live, "/at/", "gate");
    expect_untouched(live, calls, open, "before the takeover");
    live_expect(live, "/go/", "gone");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(asked.code, fails ? 3 : 0);
    if (fails) {
        expect_untouched(live, calls, open, "after a load that failed");
        assert_null(strstr(told, "declared"));
    } else {
        live_expect(live, "/new/", "new");
        (void)snprintf(text, sizeof text, "%u", workers);
        live_await(live, "/ticks/", text);
    }
    live_stop(live);
}

static void generation_touches_nothing_before_it_takes_over(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= WORKERS_MAX; workers *= 2) {
        check_load(workers, false);
        check_load(workers, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generation_takes_over_on_every_worker),
        cmocka_unit_test(generation_never_goes_back_on_a_connection),
        cmocka_unit_test(generation_touches_nothing_before_it_takes_over),
    };
    return cmocka_run_group_tests_name("generation", tests, NULL, NULL);
}
