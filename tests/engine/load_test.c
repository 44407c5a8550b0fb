/* Everything that may change while requests are served is changed while requests are served: URLs,
 * bindings, queues, loops. Whatever a client asks, it gets the right answer or none, and every call
 * ends once. Also for ThreadSanitizer. ctest-timeout: 240 */
#include "engine/rig.h"

enum { WORKERS = 3, SLOTS = 4, CLIENTS = 6 };

/* -------- workers that serve -------- */

/* A receive, then an answer, then a receive: on the worker's thread only. */
struct slot {
    struct loop_op op; /* first */
    struct crew *crew;
    struct received received;
    struct answer answer;
    bool is_sending, is_open;
};

struct crew_member {
    struct worker worker;
    struct slot slots[SLOTS];
    struct crew *crew;
};

struct crew {
    struct server server;
    struct crew_member members[WORKERS];
    _Atomic unsigned open_slots; /* with a call under way */
    _Atomic unsigned served;
};

static void slot_close(struct slot *slot)
{
    MUST(slot->is_open);
    slot->is_open = false;
    atomic_fetch_sub(&slot->crew->open_slots, 1);
}

static void slot_receive(struct slot *slot)
{
    memset(&slot->op.overlapped, 0, sizeof slot->op.overlapped);
    slot->is_sending = false;
    ULONG status = receive(slot->crew->server.queue, &slot->received, 0, &slot->op.overlapped);
    if (status == NO_ERROR || status == ERROR_IO_PENDING) {
        return;
    }
    /* The queue has gone, or the loop is closing. */
    MUST(status == ERROR_INVALID_HANDLE || status == ERROR_OPERATION_ABORTED);
    slot_close(slot);
}

static void slot_answer(struct slot *slot)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%llu",
                   (unsigned long long)slot->received.request.UrlContext);
    make_answer(&slot->answer, 200, text);
    memset(&slot->op.overlapped, 0, sizeof slot->op.overlapped);
    slot->is_sending = true;
    ULONG status = send_answer(slot->crew->server.queue, slot->received.request.RequestId,
                               &slot->answer, 0, &slot->op.overlapped);
    if (status != NO_ERROR && status != ERROR_IO_PENDING) {
        slot_receive(slot); /* the client or the queue has gone */
    }
}

static void on_slot(struct loop_op *op, ULONG status, ULONG bytes)
{
    struct slot *slot = (struct slot *)op;
    (void)bytes;
    if (slot->is_sending) {
        atomic_fetch_add(&slot->crew->served, status == NO_ERROR);
        slot_receive(slot);
    } else if (status == NO_ERROR) {
        slot_answer(slot);
    } else {
        MUST(status == ERROR_OPERATION_ABORTED);
        slot_close(slot);
    }
}

/* Starts the slots that are closed. */
static void job_arm(struct worker *worker, void *context)
{
    struct crew_member *member = context;
    (void)worker;
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = &member->slots[i];
        if (!slot->is_open) {
            slot->op.on_complete = on_slot;
            slot->crew = member->crew;
            slot->is_open = true;
            atomic_fetch_add(&member->crew->open_slots, 1);
            slot_receive(slot);
        }
    }
}

static void member_start(struct crew *crew, struct crew_member *member)
{
    member->crew = crew;
    worker_start(&member->worker, crew->server.queue);
    worker_run(&member->worker, job_arm, member);
}

static void crew_open(struct crew *crew)
{
    memset(crew, 0, sizeof *crew);
    server_open(&crew->server);
    for (int i = 0; i < WORKERS; i++) {
        member_start(crew, &crew->members[i]);
    }
    server_add(&crew->server, "/keep/", 1);
}

static void crew_close(struct crew *crew)
{
    for (int i = 0; i < WORKERS; i++) {
        worker_stop(&crew->members[i].worker);
    }
    assert_int_equal(atomic_load(&crew->open_slots), 0);
    server_close(&crew->server);
}

/* -------- clients that ask all the time -------- */

struct asker {
    pthread_t thread;
    uint16_t port;
    const char *target;
    _Atomic bool *stop;
    unsigned asked, answered[6], lost, refused; /* answered: by hundreds */
    unsigned not_found, unavailable, wrong;
    char expected[32];
};

static void ask_once(struct asker *self, struct client *client, unsigned turn)
{
    struct reply reply;
    if (client->fd < 0 && !client_try_open(client, self->port)) {
        self->refused++;
        return;
    }
    self->asked++;
    bool sent = client_get(client, self->target);
    memset(&reply, 0, sizeof reply);
    if (sent) {
        client_read(client, &reply);
    }
    self->lost += reply.status == 0;
    self->not_found += reply.status == 404;
    self->unavailable += reply.status == 503;
    self->answered[reply.status / 100]++;
    self->wrong += reply.status == 200 && strcmp(reply.body, self->expected) != 0;
    if (reply.status != 200 || reply.close || turn % 10 == 9) {
        client_close(client);
    }
}

static void *ask(void *argument)
{
    struct asker *self = argument;
    struct client *client = malloc(sizeof *client);
    MUST(client != NULL);
    client->fd = -1;
    for (unsigned turn = 0; !atomic_load(self->stop); turn++) {
        ask_once(self, client, turn);
    }
    client_close(client);
    free(client);
    return NULL;
}

struct asking {
    struct asker askers[CLIENTS];
    _Atomic bool stop;
};

/* Half of the clients ask for the one target, half for the other. */
static void start_asking(struct asking *asking, uint16_t port, const char *even, const char *odd)
{
    memset(asking, 0, sizeof *asking);
    for (int i = 0; i < CLIENTS; i++) {
        struct asker *asker = &asking->askers[i];
        asker->port = port;
        asker->target = i % 2 == 0 ? even : odd;
        asker->stop = &asking->stop;
        (void)snprintf(asker->expected, sizeof asker->expected, "%d", i % 2 + 1);
        assert_int_equal(pthread_create(&asker->thread, NULL, ask, asker), 0);
    }
}

static void stop_asking(struct asking *asking)
{
    atomic_store(&asking->stop, true);
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(pthread_join(asking->askers[i].thread, NULL), 0);
    }
}

/* Waits until so many more requests were served. */
static void wait_served(struct crew *crew, unsigned more)
{
    unsigned goal = atomic_load(&crew->served) + more;
    WAIT_UNTIL(atomic_load(&crew->served) >= goal);
}

/* -------- cases -------- */

static void load_spreads_over_all_loops(void **state)
{
    (void)state;
    static struct crew crew;
    static struct client clients[60];
    crew_open(&crew);
    for (int i = 0; i < 60; i++) {
        client_open(&clients[i], crew.server.port);
        assert_true(client_get(&clients[i], "/keep/"));
    }
    for (int i = 0; i < 60; i++) {
        client_expect(&clients[i], 200, "1");
    }
    size_t sum = 0;
    for (int i = 0; i < WORKERS; i++) {
        size_t count = worker_connections(&crew.members[i].worker);
        assert_true(count > 0);
        sum += count;
    }
    assert_int_equal(sum, 60);
    for (int i = 0; i < 60; i++) {
        client_close(&clients[i]);
    }
    crew_close(&crew);
}

struct changer {
    pthread_t thread;
    struct crew *crew;
    const char *tail;
    HTTP_URL_CONTEXT context;
    unsigned rounds;
};

static void *change_urls(void *argument)
{
    struct changer *self = argument;
    for (unsigned i = 0; i < self->rounds; i++) {
        server_add(&self->crew->server, self->tail, self->context);
        MUST(server_remove(&self->crew->server, self->tail) == NO_ERROR);
    }
    return NULL;
}

static void load_urls_come_and_go(void **state)
{
    (void)state;
    static struct crew crew;
    static struct asking asking;
    struct changer changers[2] = {{.tail = "/toggle/", .context = 2, .rounds = 300},
                                  {.tail = "/other/", .context = 3, .rounds = 300}};
    crew_open(&crew);
    start_asking(&asking, crew.server.port, "/keep/x", "/toggle/x");
    for (int i = 0; i < 2; i++) {
        changers[i].crew = &crew;
        assert_int_equal(pthread_create(&changers[i].thread, NULL, change_urls, &changers[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(changers[i].thread, NULL), 0);
    }
    wait_served(&crew, 100);
    stop_asking(&asking);
    for (int i = 0; i < CLIENTS; i++) {
        const struct asker *asker = &asking.askers[i];
        assert_int_equal(asker->lost, 0);
        assert_int_equal(asker->refused, 0);
        assert_int_equal(asker->wrong, 0);
        if (i % 2 == 0) {
            assert_int_equal(asker->answered[2], asker->asked);
        } else {
            assert_int_equal(asker->answered[2] + asker->not_found, asker->asked);
            assert_true(asker->not_found > 0);
        }
    }
    crew_close(&crew);
}

static void load_a_group_is_unbound_and_bound_again(void **state)
{
    (void)state;
    static struct crew crew;
    static struct asking asking;
    HTTP_URL_GROUP_ID second = 0;
    crew_open(&crew);
    assert_int_equal(HttpCreateUrlGroup(crew.server.session, &second, 0), NO_ERROR);
    assert_int_equal(try_add(&crew.server, second, "/moves/", 2), NO_ERROR);
    start_asking(&asking, crew.server.port, "/keep/x", "/moves/x");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(bind_group(second, crew.server.queue), NO_ERROR);
        wait_served(&crew, 5);
        assert_int_equal(bind_group(second, NULL), NO_ERROR);
        wait_served(&crew, 5);
    }
    stop_asking(&asking);
    for (int i = 0; i < CLIENTS; i++) {
        const struct asker *asker = &asking.askers[i];
        assert_int_equal(asker->lost + asker->refused + asker->wrong, 0);
        assert_int_equal(asker->answered[2] + asker->unavailable, asker->asked);
        assert_true(i % 2 == 0 ? asker->unavailable == 0 : asker->unavailable > 0);
    }
    assert_int_equal(HttpCloseUrlGroup(second), NO_ERROR);
    crew_close(&crew);
}

/* One group has the URL or the other: each request finds one of them. */
static void load_a_url_moves_between_groups(void **state)
{
    (void)state;
    static struct crew crew;
    static struct asking asking;
    HTTP_URL_GROUP_ID groups[2] = {0, 0};
    char url[64];
    crew_open(&crew);
    (void)snprintf(url, sizeof url, "http://localhost:%u/moves/", (unsigned)crew.server.port);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(HttpCreateUrlGroup(crew.server.session, &groups[i], 0), NO_ERROR);
        assert_int_equal(bind_group(groups[i], crew.server.queue), NO_ERROR);
    }
    assert_int_equal(HttpAddUrlToUrlGroup(groups[1], url, 2, 0), NO_ERROR);
    start_asking(&asking, crew.server.port, "/keep/x", "/moves/x");
    for (int i = 0; i < 500; i++) {
        assert_int_equal(HttpAddUrlToUrlGroup(groups[i % 2], url, 2, 0), ERROR_ALREADY_EXISTS);
        assert_int_equal(HttpAddUrlToUrlGroup(groups[i % 2], url, 2, HTTP_URL_FLAG_MOVE), NO_ERROR);
        assert_int_equal(HttpAddUrlToUrlGroup(groups[i % 2], url, 2, HTTP_URL_FLAG_MOVE),
                         ERROR_ALREADY_EXISTS);
        assert_int_equal(HttpRemoveUrlFromUrlGroup(groups[(i + 1) % 2], url, 0),
                         ERROR_FILE_NOT_FOUND);
        if (i % 10 == 0) {
            wait_served(&crew, 5);
        }
    }
    stop_asking(&asking);
    for (int i = 0; i < CLIENTS; i++) {
        const struct asker *asker = &asking.askers[i];
        assert_int_equal(asker->lost + asker->refused + asker->wrong, 0);
        assert_int_equal(asker->answered[2], asker->asked);
    }
    assert_int_equal(HttpCloseUrlGroup(groups[0]), NO_ERROR);
    assert_int_equal(HttpCloseUrlGroup(groups[1]), NO_ERROR);
    crew_close(&crew);
}

/* How the queue ends under load. */
enum ending { SHUT_OUTSIDE, SHUT_ON_A_LOOP, CLOSE_OUTSIDE, CLOSE_ON_A_LOOP, ENDINGS };

struct end_job {
    HANDLE queue;
    bool closes;
    ULONG status;
};

static void job_end_queue(struct worker *worker, void *context)
{
    struct end_job *job = context;
    (void)worker;
    job->status =
        job->closes ? HttpCloseRequestQueue(job->queue) : HttpShutdownRequestQueue(job->queue);
}

static void end_queue(struct crew *crew, enum ending how)
{
    struct end_job job = {crew->server.queue, how == CLOSE_OUTSIDE || how == CLOSE_ON_A_LOOP,
                          NO_ERROR};
    if (how == SHUT_ON_A_LOOP || how == CLOSE_ON_A_LOOP) {
        worker_run(&crew->members[1].worker, job_end_queue, &job);
    } else {
        job_end_queue(NULL, &job);
    }
    assert_int_equal(job.status, NO_ERROR);
}

static void load_the_queue_ends(void **state)
{
    (void)state;
    static struct crew crew;
    static struct asking asking;
    for (enum ending how = SHUT_OUTSIDE; how < ENDINGS; how++) {
        for (int round = 0; round < 5; round++) {
            crew_open(&crew);
            start_asking(&asking, crew.server.port, "/keep/x", "/keep/y");
            for (int i = 0; i < CLIENTS; i++) {
                (void)snprintf(asking.askers[i].expected, sizeof asking.askers[i].expected, "1");
            }
            wait_served(&crew, 100);
            end_queue(&crew, how);
            WAIT_UNTIL(atomic_load(&crew.open_slots) == 0); /* every call has ended */
            if (how == SHUT_OUTSIDE || how == SHUT_ON_A_LOOP) {
                /* What is asked now waits, until the queue is closed. */
                assert_int_equal(HttpCloseRequestQueue(crew.server.queue), NO_ERROR);
            }
            crew.server.queue = NULL;
            static struct client late;
            client_open(&late, crew.server.port);
            assert_true(client_get(&late, "/keep/"));
            client_expect(&late, 503, NULL); /* the group is bound to nothing */
            client_close(&late);
            stop_asking(&asking);
            for (int i = 0; i < CLIENTS; i++) {
                assert_int_equal(asking.askers[i].refused, 0);
                assert_int_equal(asking.askers[i].answered[4], 0);
            }
            crew_close(&crew);
        }
    }
}

static void load_a_new_queue_takes_over(void **state)
{
    (void)state;
    static struct crew crew;
    static struct received received;
    static struct client client;
    static struct asking asking;
    crew_open(&crew);
    start_asking(&asking, crew.server.port, "/keep/x", "/keep/y");
    for (int round = 0; round < 10; round++) {
        wait_served(&crew, 20);
        end_queue(&crew, round % 2 == 0 ? CLOSE_OUTSIDE : CLOSE_ON_A_LOOP);
        WAIT_UNTIL(atomic_load(&crew.open_slots) == 0);
        crew.server.queue = open_queue();
        assert_int_equal(bind_group(crew.server.group, crew.server.queue), NO_ERROR);
        /* Loops that are not attached serve it all the same, then they are. */
        client_open(&client, crew.server.port);
        assert_true(client_get(&client, "/keep/"));
        struct reply reply = {0};
        while (reply.status == 0) {
            assert_int_equal(receive(crew.server.queue, &received, 0, NULL), NO_ERROR);
            (void)answer_text(crew.server.queue, received.request.RequestId, "plain");
            struct pollfd in = {.fd = client.fd, .events = POLLIN};
            if (poll(&in, 1, 0) == 1) {
                client_read(&client, &reply);
                break;
            }
        }
        assert_int_equal(reply.status, 200);
        client_close(&client);
        for (int i = 0; i < WORKERS; i++) {
            worker_stop(&crew.members[i].worker);
            member_start(&crew, &crew.members[i]);
        }
    }
    stop_asking(&asking);
    crew_close(&crew);
}

/* One loop after the other is closed and opened again; the others go on. */
static void load_loops_come_and_go(void **state)
{
    (void)state;
    static struct crew crew;
    static struct asking asking;
    crew_open(&crew);
    start_asking(&asking, crew.server.port, "/keep/x", "/keep/y");
    for (int round = 0; round < 30; round++) {
        struct crew_member *member = &crew.members[round % WORKERS];
        wait_served(&crew, 20);
        worker_stop(&member->worker);
        wait_served(&crew, 20);
        member_start(&crew, member);
    }
    wait_served(&crew, 100);
    stop_asking(&asking);
    unsigned answered = 0;
    for (int i = 0; i < CLIENTS; i++) {
        const struct asker *asker = &asking.askers[i];
        assert_int_equal(asker->answered[4] + asker->answered[5], 0);
        answered += asker->answered[2];
    }
    assert_true(answered >= 100);
    crew_close(&crew);
}

static void job_stop_listening(struct worker *worker, void *context)
{
    (void)context;
    loop_stop_listening(worker->loop);
}

/* A loop drains while the others take over; nothing that was accepted is lost. */
static void load_a_loop_drains(void **state)
{
    (void)state;
    static struct crew crew;
    static struct asking asking;
    crew_open(&crew);
    start_asking(&asking, crew.server.port, "/keep/x", "/keep/y");
    for (int round = 0; round < 9; round++) {
        struct crew_member *member = &crew.members[round % WORKERS];
        wait_served(&crew, 50);
        worker_run(&member->worker, job_stop_listening, NULL);
        wait_served(&crew, 20);
        WAIT_UNTIL(worker_connections(&member->worker) == 0);
        worker_stop(&member->worker);
        member_start(&crew, member);
    }
    stop_asking(&asking);
    for (int i = 0; i < CLIENTS; i++) {
        const struct asker *asker = &asking.askers[i];
        assert_int_equal(asker->answered[4] + asker->answered[5], 0);
        /* An idle connection may be closed in the moment in which the client uses it again, and
         * the kernel drops what arrives at a listener in the moment of its end: once a round. */
        assert_true(asker->lost + asker->refused <= 9);
    }
    crew_close(&crew);
}

/* All of it at once. */
static void load_everything_changes(void **state)
{
    (void)state;
    static struct crew crew;
    static struct asking asking;
    struct changer changer = {.tail = "/toggle/", .context = 2, .rounds = 200};
    crew_open(&crew);
    changer.crew = &crew;
    start_asking(&asking, crew.server.port, "/keep/x", "/toggle/x");
    assert_int_equal(pthread_create(&changer.thread, NULL, change_urls, &changer), 0);
    for (int round = 0; round < 12; round++) {
        struct crew_member *member = &crew.members[round % WORKERS];
        worker_stop(&member->worker);
        wait_served(&crew, 5);
        member_start(&crew, member);
        (void)CancelIoEx(crew.server.queue, NULL); /* receives end, their slots close */
        for (int i = 0; i < WORKERS; i++) {
            worker_run(&crew.members[i].worker, job_arm, &crew.members[i]);
        }
    }
    assert_int_equal(pthread_join(changer.thread, NULL), 0);
    stop_asking(&asking);
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(asking.askers[i].wrong, 0);
    }
    crew_close(&crew);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_spreads_over_all_loops),
        cmocka_unit_test(load_urls_come_and_go),
        cmocka_unit_test(load_a_group_is_unbound_and_bound_again),
        cmocka_unit_test(load_a_url_moves_between_groups),
        cmocka_unit_test(load_the_queue_ends),
        cmocka_unit_test(load_a_new_queue_takes_over),
        cmocka_unit_test(load_loops_come_and_go),
        cmocka_unit_test(load_a_loop_drains),
        cmocka_unit_test(load_everything_changes),
    };
    rig_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
