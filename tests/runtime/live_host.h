/* A whole host in a test: it runs on a thread of its own, over the real engine, with a script in a
 * folder of its own; the test saves, asks over the control socket and over HTTP, and reads what the
 * host has told. Asserts of cmocka inside: the test's thread only. */
#pragma once

#include "support/cmocka_all.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "runtime/ctl.h"
#include "runtime/host.h"

enum { LIVE_EVENTS_MAX = 256, LIVE_WAIT_MS = 20000, LIVE_TEXT_MAX = 1024, LIVE_TOLD_MAX = 65536 };

struct live_event {
    enum host_event_kind kind;
    uint32_t generation, before;
    unsigned changed, in_flight;
    struct host_closed closed;
    char text[LIVE_TEXT_MAX];
};

struct live {
    char folder[64], script[96], control[96];
    struct host_source source;
    struct host_config config;
    struct host_verdict verdict;
    struct log log;
    pthread_t thread;
    pthread_mutex_t mutex; /* for what follows */
    struct live_event events[LIVE_EVENTS_MAX];
    size_t event_count;
    char calls[LIVE_TOLD_MAX]; /* contract calls, "AddUrlToUrlGroup http://...\n" */
    char lines[LIVE_TOLD_MAX]; /* of the log */
    uint16_t port;
};

static inline void live_append(char *all, const char *a, const char *b)
{
    size_t len = strlen(all);
    (void)snprintf(all + len, LIVE_TOLD_MAX - len, "%s %s\n", a, b);
}

static inline void live_on_event(void *ctx, struct host *host, const struct host_event *event)
{
    struct live *live = ctx;
    (void)host;
    (void)pthread_mutex_lock(&live->mutex);
    if (live->event_count < LIVE_EVENTS_MAX) {
        struct live_event *kept = &live->events[live->event_count++];
        *kept = (struct live_event){.kind = event->kind,
                                    .generation = event->generation,
                                    .before = event->before,
                                    .changed = event->changed,
                                    .in_flight = event->in_flight};
        if (event->closed != NULL) {
            kept->closed = *event->closed;
        }
        (void)snprintf(kept->text, sizeof kept->text, "%s", event->text == NULL ? "" : event->text);
        if (event->kind == HOST_EVENT_READY) {
            live->port = event->port; /* read without the mutex, after this event was seen */
        }
    }
    (void)pthread_mutex_unlock(&live->mutex);
}

static inline void live_on_trace(void *ctx, bool during_exit, const char *call, const char *object,
                                 ULONG result)
{
    struct live *live = ctx;
    (void)during_exit;
    (void)pthread_mutex_lock(&live->mutex);
    if (result == NO_ERROR) {
        live_append(live->calls, call + 4, object);
    }
    (void)pthread_mutex_unlock(&live->mutex);
}

static inline void live_on_line(void *ctx, enum log_level level, struct slice line)
{
    struct live *live = ctx;
    char text[LIVE_TEXT_MAX];
    (void)level;
    (void)snprintf(text, sizeof text, "%.*s", (int)line.len, line.p);
    (void)pthread_mutex_lock(&live->mutex);
    live_append(live->lines, "", text);
    (void)pthread_mutex_unlock(&live->mutex);
}

static inline void *live_run(void *arg)
{
    struct live *live = arg;
    (void)host_run(&live->config, &live->verdict);
    return NULL;
}

static inline void live_pause(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* The event, if it has come; with generation 0 the first of its kind. */
static inline bool live_find(struct live *live, enum host_event_kind kind, uint32_t generation,
                             struct live_event *found)
{
    bool is_there = false;
    (void)pthread_mutex_lock(&live->mutex);
    for (size_t i = 0; i < live->event_count && !is_there; i++) {
        *found = live->events[i];
        is_there = found->kind == kind && (generation == 0 || found->generation == generation);
    }
    (void)pthread_mutex_unlock(&live->mutex);
    return is_there;
}

/* The event, waited for. */
static inline struct live_event live_event(struct live *live, enum host_event_kind kind,
                                           uint32_t generation)
{
    struct live_event found = {0};
    bool is_there = false;
    for (int i = 0; i < LIVE_WAIT_MS / 2 && !is_there; i++) {
        is_there = live_find(live, kind, generation, &found);
        if (!is_there) {
            live_pause();
        }
    }
    assert_true(is_there);
    return found;
}

static inline void live_save(const struct live *live, const char *text)
{
    char temporary[128];
    (void)snprintf(temporary, sizeof temporary, "%s.tmp", live->script);
    FILE *file = fopen(temporary, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(temporary, live->script), 0);
}

/* Waits until it serves. */
static inline struct live *live_start(unsigned workers, uint64_t drain_ms, const char *text)
{
    struct live *live = calloc(1, sizeof *live);
    assert_non_null(live);
    (void)snprintf(live->folder, sizeof live->folder, "/tmp/live_host.XXXXXX");
    assert_non_null(mkdtemp(live->folder));
    (void)snprintf(live->script, sizeof live->script, "%s/app.lua", live->folder);
    (void)snprintf(live->control, sizeof live->control, "%s/control", live->folder);
    live_save(live, text);
    live->log = (struct log){.level = LOG_LEVEL_WARN, .write = live_on_line, .ctx = live};
    live->source.path = live->script;
    host_config_init(&live->config);
    live->config.sources = &live->source;
    live->config.source_count = 1;
    live->config.workers = workers;
    live->config.any_port = true;
    live->config.control = true;
    live->config.control_path = live->control;
    live->config.drain_ns = drain_ms * 1000000;
    live->config.log = &live->log;
    live->config.on_event = live_on_event;
    live->config.on_trace = live_on_trace;
    live->config.ctx = live;
    (void)pthread_mutex_init(&live->mutex, NULL);
    assert_int_equal(pthread_create(&live->thread, NULL, live_run, live), 0);
    (void)live_event(live, HOST_EVENT_READY, 1);
    return live;
}

/* Asks over the control socket; text: LIVE_TOLD_MAX bytes. */
static inline int live_ctl(const struct live *live, const char *question, char *text)
{
    FILE *out = fmemopen(text, LIVE_TOLD_MAX, "w");
    assert_non_null(out);
    text[0] = '\0';
    int code = ctl_ask(live->control, 0, question, out, stderr);
    assert_int_equal(fclose(out), 0);
    return code;
}

static inline void live_reload(const struct live *live)
{
    static char text[LIVE_TOLD_MAX];
    if (live_ctl(live, "reload", text) != 0) {
        fail_msg("%s", text);
    }
}

static inline void live_stop(struct live *live)
{
    static char text[LIVE_TOLD_MAX];
    char command[128];
    assert_int_equal(live_ctl(live, "stop", text), 0);
    assert_int_equal(pthread_join(live->thread, NULL), 0);
    assert_int_equal(live->verdict.code, 0);
    assert_int_equal(live->verdict.failures, 0);
    (void)pthread_mutex_destroy(&live->mutex);
    (void)snprintf(command, sizeof command, "rm -r %s", live->folder);
    assert_int_equal(system(command), 0);
    free(live);
}

/* --- requests -------------------------------------------------------------------------------- */

/* A connection on which a request was sent. */
static inline int live_send(const struct live *live, const char *path)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(live->port)};
    struct timeval limit = {.tv_sec = LIVE_WAIT_MS / 1000};
    char request[256];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    int len = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: localhost:%u\r\nConnection: close\r\n\r\n", path,
                       (unsigned)live->port);
    assert_int_equal(send(fd, request, (size_t)len, MSG_NOSIGNAL), len);
    return fd;
}

/* The answer to the end of the connection, which is closed: its status; body: LIVE_TEXT_MAX bytes
 * of it. */
static inline int live_receive(int fd, char *body)
{
    char all[LIVE_TEXT_MAX * 4];
    size_t len = 0;
    ssize_t got = 1;
    while (got > 0 && len < sizeof all - 1) {
        got = recv(fd, all + len, sizeof all - 1 - len, 0);
        len += got > 0 ? (size_t)got : 0;
    }
    all[len] = '\0';
    (void)close(fd);
    const char *head = strstr(all, "\r\n\r\n");
    (void)snprintf(body, LIVE_TEXT_MAX, "%s", head == NULL ? "" : head + 4);
    return len < 12 ? -1 : (int)strtol(all + 9, NULL, 10);
}

static inline int live_get(const struct live *live, const char *path, char *body)
{
    return live_receive(live_send(live, path), body);
}

static inline void live_expect(const struct live *live, const char *path, const char *wanted)
{
    char body[LIVE_TEXT_MAX];
    assert_int_equal(live_get(live, path, body), 200);
    assert_string_equal(body, wanted);
}

/* Asks until that is the answer. */
static inline void live_await(const struct live *live, const char *path, const char *wanted)
{
    char body[LIVE_TEXT_MAX] = "";
    for (int i = 0; i < LIVE_WAIT_MS / 2 && strcmp(body, wanted) != 0; i++) {
        (void)live_get(live, path, body);
        live_pause();
    }
    assert_string_equal(body, wanted);
}

/* --- what was told --------------------------------------------------------------------------- */

/* Contract calls since that many bytes; out: LIVE_TOLD_MAX bytes. Returns how many there are by
 * now. */
static inline size_t live_calls(struct live *live, size_t since, char *out)
{
    (void)pthread_mutex_lock(&live->mutex);
    size_t len = strlen(live->calls);
    (void)snprintf(out, LIVE_TOLD_MAX, "%s", live->calls + since);
    (void)pthread_mutex_unlock(&live->mutex);
    return len;
}

static inline bool live_has_line(struct live *live, const char *part)
{
    (void)pthread_mutex_lock(&live->mutex);
    bool found = strstr(live->lines, part) != NULL;
    (void)pthread_mutex_unlock(&live->mutex);
    return found;
}
