/* The engine starts and stops while loops live on and other threads do the same. Also for
 * ThreadSanitizer. ctest-timeout: 180 */
#include "engine/rig.h"

enum { THREADS = 4, ROUNDS = 30 };

/* -------- loops outlive a terminate -------- */

static void lifetime_a_loop_outlives_terminate_and_serves_the_next_life(void **state)
{
    (void)state;
    static struct server server;
    static struct worker worker;
    static struct client old, client;
    static struct received received;
    server_open(&server);
    worker_start(&worker, server.queue);
    server_add(&server, "/", 0);
    client_open(&old, server.port);
    assert_true(client_get(&old, "/"));
    assert_int_equal(receive(server.queue, &received, 0, NULL), NO_ERROR);
    assert_int_equal(answer_text(server.queue, received.request.RequestId, "x"), NO_ERROR);
    client_expect(&old, 200, "x");
    for (int life = 0; life < 3; life++) {
        server_close(&server);
        assert_int_equal(HttpReceiveHttpRequest(server.queue, 0, 0, &received.request,
                                                sizeof received.bytes, NULL, NULL),
                         ERROR_DLL_INIT_FAILED);
        if (life == 0) {
            assert_true(client_get(&old, "/")); /* on a connection of the first life: no URL */
            client_expect(&old, 400, NULL);
            client_close(&old);
        }
        server_open(&server);
        server_add(&server, "/", 0);
        client_open(&client, server.port);
        assert_true(client_get(&client, "/"));
        assert_int_equal(receive(server.queue, &received, 0, NULL), NO_ERROR);
        assert_int_equal(answer_text(server.queue, received.request.RequestId, "again"), NO_ERROR);
        client_expect(&client, 200, "again");
        client_close(&client);
    }
    worker_stop(&worker);
    server_close(&server);
}

/* The only loop does it all and never turns in between: nothing of the earlier lives is freed when
 * the last one begins, which goes on. */
static void job_many_lives(struct worker *worker, void *context)
{
    struct server *server = context;
    for (int life = 0; life <= 20; life++) {
        server_open(server);
        MUST(loop_attach_queue(worker->loop, server->queue) == NO_ERROR);
        server_add(server, "/a/", 0);
        server->port = 0;
        server_add(server, "/", 0); /* another port: more endpoints */
        if (life % 2 == 1) {
            MUST(HttpTerminate(HTTP_INITIALIZE_SERVER, NULL) == NO_ERROR); /* all is left open */
        } else if (life < 20) {
            server_close(server);
        }
    }
}

static void lifetime_many_lives_within_one_turn(void **state)
{
    (void)state;
    static struct worker worker;
    static struct server server;
    static struct client client;
    static struct received received;
    worker_start(&worker, NULL);
    for (int i = 0; i < 3; i++) {
        worker_run(&worker, job_many_lives, &server);
        assert_int_equal(worker_connections(&worker), 0); /* it has turned */
        server_add(&server, "/more/", 0);
        assert_int_equal(server_remove(&server, "/more/"), NO_ERROR);
        client_open(&client, server.port);
        assert_true(client_get(&client, "/"));
        assert_int_equal(receive(server.queue, &received, 0, NULL), NO_ERROR);
        assert_int_equal(answer_text(server.queue, received.request.RequestId, "x"), NO_ERROR);
        client_expect(&client, 200, "x");
        client_close(&client);
        server_close(&server);
    }
    worker_stop(&worker);
}

/* -------- several threads at once -------- */

struct starter {
    pthread_t thread;
    pthread_barrier_t *barrier;
    struct client client;
    struct received received;
};

static void serve_once(struct starter *self, const struct server *server)
{
    client_open(&self->client, server->port);
    MUST(client_get(&self->client, "/"));
    MUST(receive(server->queue, &self->received, 0, NULL) == NO_ERROR);
    MUST(answer_text(server->queue, self->received.request.RequestId, "x") == NO_ERROR);
    client_expect(&self->client, 200, "x");
    client_close(&self->client);
}

static void *start_together(void *argument)
{
    struct starter *self = argument;
    struct server server;
    for (int round = 0; round < ROUNDS; round++) {
        server_open(&server);
        (void)pthread_barrier_wait(self->barrier);
        server_add(&server, "/", 0); /* for one of them it is the first URL of the process */
        serve_once(self, &server);
        server_close(&server);
        (void)pthread_barrier_wait(self->barrier);
    }
    return NULL;
}

static void *start_and_stop(void *argument)
{
    struct starter *self = argument;
    struct server server;
    for (int round = 0; round < ROUNDS; round++) {
        server_open(&server);
        server_add(&server, "/", 0);
        if (round % 3 == 0) {
            serve_once(self, &server);
        }
        server_close(&server);
    }
    return NULL;
}

static void run_together(void *(*run)(void *))
{
    static struct starter starters[THREADS];
    pthread_barrier_t barrier;
    assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++) {
        starters[i].barrier = &barrier;
        assert_int_equal(pthread_create(&starters[i].thread, NULL, run, &starters[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(starters[i].thread, NULL), 0);
    }
    assert_int_equal(pthread_barrier_destroy(&barrier), 0);
    assert_int_equal(HttpTerminate(HTTP_INITIALIZE_SERVER, NULL), ERROR_INVALID_PARAMETER);
}

static void lifetime_threads_add_the_first_url_at_once(void **state)
{
    (void)state;
    run_together(start_together);
}

static void lifetime_threads_start_and_stop_the_engine(void **state)
{
    (void)state;
    run_together(start_and_stop);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lifetime_a_loop_outlives_terminate_and_serves_the_next_life),
        cmocka_unit_test(lifetime_many_lives_within_one_turn),
        cmocka_unit_test(lifetime_threads_add_the_first_url_at_once),
        cmocka_unit_test(lifetime_threads_start_and_stop_the_engine),
    };
    rig_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
