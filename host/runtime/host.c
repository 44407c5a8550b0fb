#include "runtime/host.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/error.h"
#include "binding/ledger.h"
#include "runtime/ctl.h"
#include "runtime/dev.h"
#include "runtime/exit.h"
#include "runtime/generation.h"
#include "runtime/guard.h"
#include "runtime/hostdata.h"
#include "runtime/port_holder.h"
#include "runtime/reachable.h"
#include "runtime/signal_watch.h"
#include "runtime/sources.h"
#include "runtime/store.h"
#include "runtime/watch.h"
#include "runtime/worker.h"

enum {
    GENERATIONS_ALIVE_MAX =
        4, /* served, retiring, and one on its way: slots of the guard for each worker */
};

static const struct host_limits default_limits = {
    .load_ns = UINT64_C(10000000000),
    .resume_ns = UINT64_C(2000000000),
    .request_ns = UINT64_C(30000000000),
    .memory_bytes = 256U * 1024 * 1024,
};

void host_config_init(struct host_config *config)
{
    memset(config, 0, sizeof *config);
    config->workers = 1;
    config->drain_ns = HOST_DRAIN_DEFAULT_NS;
    config->backend = LOOP_BACKEND_DEFAULT;
    config->limits = default_limits;
    config->signal_fd = -1;
}

const char *host_cause_name(enum host_cause cause)
{
    static const char *const names[] = {
        [HOST_CAUSE_NONE] = "none",     [HOST_CAUSE_END] = "end",
        [HOST_CAUSE_STOP] = "stop",     [HOST_CAUSE_OS_EXIT] = "os.exit",
        [HOST_CAUSE_SIGNAL] = "signal", [HOST_CAUSE_CHILD] = "child",
        [HOST_CAUSE_LOAD] = "load",     [HOST_CAUSE_LISTEN] = "listen",
        [HOST_CAUSE_SCRIPT] = "script", [HOST_CAUSE_INTERNAL] = "internal",
    };
    return names[cause];
}

/* --- stopping
 * -------------------------------------------------------------------------------------- */

void host_stop_with(struct host *host, enum host_cause cause, int code, const char *text,
                    const char *hint)
{
    assert(cause != HOST_CAUSE_NONE);
    (void)pthread_mutex_lock(&host->stop_lock);
    if (atomic_load(&host->cause) == HOST_CAUSE_NONE) {
        host->code = code;
        (void)snprintf(host->text, sizeof host->text, "%s", text == NULL ? "" : text);
        (void)snprintf(host->hint, sizeof host->hint, "%s", hint == NULL ? "" : hint);
        atomic_store(&host->cause, (int)cause);
    } else if (cause == HOST_CAUSE_OS_EXIT && host->code == 0) {
        host->code =
            code; /* `http.run() os.exit(failed and 1 or 0)`: the verdict of a test script */
    }
    (void)pthread_mutex_unlock(&host->stop_lock);
    loop_wake(host->loop);
}

void host_stop(struct host *host, enum host_cause cause, int code, const char *text)
{
    host_stop_with(host, cause, code, text, NULL);
}

/* A text of several lines, line by line, with blanks for tabs. */
static void log_lines(const struct log *log, const char *text)
{
    char line[LOG_LINE_BYTES_MAX];
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        size_t indent = strspn(text, "\t");
        (void)snprintf(line, sizeof line, "%*s%.*s", (int)(4 * indent), "", (int)(length - indent),
                       text + indent);
        log_write(log, LOG_LEVEL_ERROR, "%s", line);
        text += length + (text[length] == '\n' ? 1 : 0);
    }
}

void host_script_failed(struct host *host, const char *text)
{
    log_lines(host->log, text);
    (void)pthread_mutex_lock(&host->stop_lock);
    if (!host->script_failed) {
        host->script_failed = true;
        (void)snprintf(host->failure, sizeof host->failure, "%.*s", (int)strcspn(text, "\n"), text);
    }
    (void)pthread_mutex_unlock(&host->stop_lock);
    host_stop_with(host, HOST_CAUSE_SCRIPT, HOST_EXIT_FAILED, NULL, NULL);
}

void host_on_stop_signal(struct host *host, int number)
{
    if (host->signal_first == 0) {
        host->signal_first = number;
        host_stop(host, HOST_CAUSE_SIGNAL, HOST_EXIT_OK, NULL);
    } else if (host->signal_second == 0) {
        host->signal_second = number;
    }
}

bool host_is_stopping(const struct host *host)
{
    return atomic_load_explicit(&host->cause, memory_order_relaxed) != HOST_CAUSE_NONE;
}

/* --- waiting
 * --------------------------------------------------------------------------------------- */

bool host_wait(struct host *host, bool (*is_over)(void *ctx), void *ctx, uint64_t deadline_ns)
{
    for (;;) {
        if (is_over(ctx)) {
            return true;
        }
        uint64_t now_ns = loop_now_ns(host->loop);
        if (now_ns >= deadline_ns) {
            return false;
        }
        uint64_t wait_ns = deadline_ns == UINT64_MAX ? UINT64_MAX : deadline_ns - now_ns;
        if (loop_run_once(host->loop, wait_ns) != NO_ERROR) {
            host_stop(host, HOST_CAUSE_INTERNAL, HOST_EXIT_INTERNAL,
                      "the event loop of the coordinator failed");
            return is_over(ctx);
        }
    }
}

bool host_errands_are_done(void *ctx)
{
    const struct host *host = ctx;
    for (unsigned i = 0; i < host->worker_count; i++) {
        if (!worker_call(&host->workers[i])->done) {
            return false;
        }
    }
    return true;
}

/* Asked to stop; or the last task of a script without URLs has ended. */
static bool is_over(void *ctx)
{
    struct host *host = ctx;
    if (host->watches_end && host_errands_are_done(host)) {
        host->watches_end = false;
        if (!generation_is_live(host->current)) {
            host_stop(host, HOST_CAUSE_END, HOST_EXIT_OK, NULL);
        }
    }
    if (host->watch != NULL) {
        watch_refresh(host->watch, host->current->sources);
    }
    return host_is_stopping(host) || reload_is_due(host);
}

void host_reload(struct host *host, const char *cause)
{
    reload_request(host, cause, NULL);
}

/* --- addresses
 * ------------------------------------------------------------------------------------- */

/* Puts the port into a base that ends with ":0". */
static void fill_port(char *base, uint16_t port)
{
    char *colon = strrchr(base, ':');
    if (colon != NULL && strcmp(colon, ":0") == 0) {
        (void)snprintf(colon, HOST_BASE_BYTES_MAX - (size_t)(colon - base), ":%u", (unsigned)port);
    }
}

static void set_default_bases(struct host *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    unsigned port = host->config->any_port    ? 0U
                    : host->config->port == 0 ? HOST_PORT_DEFAULT
                                              : host->config->port;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(host->bases[i], HOST_BASE_BYTES_MAX, "http://%s:%u", names[i], port);
        host->addresses[i] = (struct ledger_address){.base = host->bases[i], .optional = i > 0};
    }
    host->address_count = sizeof names / sizeof names[0];
}

ULONG host_set_addresses(struct host *host)
{
    const struct host_config *config = host->config;
    uint16_t port = 0;
    if (config->listen_count > HOST_ADDRESSES_MAX) {
        return ERROR_INVALID_PARAMETER;
    }
    if (config->listen_count == 0) {
        set_default_bases(host);
    }
    for (size_t i = 0; i < config->listen_count; i++) {
        (void)snprintf(host->bases[i], HOST_BASE_BYTES_MAX, "%s", config->listen[i]);
        host->addresses[i] = (struct ledger_address){.base = host->bases[i], .optional = false};
        host->address_count = i + 1;
    }
    host->any_port = false;
    for (size_t i = 0; i < host->address_count; i++) {
        size_t length = strlen(host->bases[i]);
        host->any_port =
            host->any_port || (length > 2 && strcmp(host->bases[i] + length - 2, ":0") == 0);
    }
    if (host->any_port) {
        ULONG code = loop_find_free_port(&port);
        if (code != NO_ERROR) {
            return code;
        }
    }
    for (size_t i = 0; i < host->address_count; i++) {
        fill_port(host->bases[i], port);
    }
    return ledger_set_addresses(host->ledger, host->addresses, host->address_count);
}

/* --- ready
 * ----------------------------------------------------------------------------------------- */

/* The URL for the ready line: that of the oldest bare path, else of the oldest URL. */
struct first_url {
    uint64_t bare, full; /* node ids; 0: none */
};

static bool note_url(void *ctx, const struct ledger_info *info)
{
    struct first_url *first = ctx;
    if (info->kind == NODE_URL && info->state == NODE_OPEN) {
        uint64_t *place = info->name[0] == '/' ? &first->bare : &first->full;
        *place = *place == 0 ? info->id : *place;
    }
    return true;
}

/* "http://+:8080/x/" -> "http://localhost:8080", port 8080. Wildcard hosts are no address that a
 * client could use. */
static uint16_t reduce_to_base(char *url, size_t cap)
{
    char copy[HOST_URL_BYTES_MAX];
    char *host = strstr(url, "://");
    host = host == NULL ? url : host + 3;
    host[strcspn(host, "/")] = '\0';
    const char *colon = strrchr(host, ':');
    uint64_t port = 0;
    if (colon == NULL || !slice_to_u64(slice_from_cstr(colon + 1), &port) || port > UINT16_MAX) {
        return 0;
    }
    if ((host[0] == '+' || host[0] == '*') && host + 1 == colon) {
        (void)snprintf(copy, sizeof copy, "%.*slocalhost%s", (int)(host - url), url, colon);
        (void)snprintf(url, cap, "%s", copy);
    }
    return (uint16_t)port;
}

void host_tell(struct host *host, const struct host_event *event)
{
    if (host->config->on_event != NULL) {
        host->config->on_event(host->config->ctx, host, event);
    }
}

uint16_t host_find_url(struct host *host, char url[HOST_URL_BYTES_MAX])
{
    struct first_url first = {0, 0};
    ledger_walk(host->ledger, note_url, &first);
    uint64_t id = first.bare != 0 ? first.bare : first.full;
    url[0] = '\0';
    if (id == 0 || !ledger_url_prefix(host->ledger, id, 0, url, HOST_URL_BYTES_MAX)) {
        return 0;
    }
    return reduce_to_base(url, HOST_URL_BYTES_MAX);
}

void host_tell_ready(struct host *host)
{
    char url[HOST_URL_BYTES_MAX];
    struct host_event event = {.kind = HOST_EVENT_READY, .generation = host->current->number};
    event.port = host_find_url(host, url);
    event.url = url[0] == '\0' ? NULL : url;
    host_tell(host, &event);
}

/* --- the life
 * -------------------------------------------------------------------------------------- */

void host_trace(struct host *host, const char *call, const char *object, ULONG result)
{
    bool during_exit = atomic_load(&host->stage) != EXIT_NOT_BEGUN || atomic_load(&host->closing);
    if (host->config->on_trace != NULL) {
        host->config->on_trace(host->config->ctx, during_exit, call, object, result);
    }
}

static void on_ledger_trace(void *ctx, const char *call, const char *object, ULONG result)
{
    host_trace(ctx, call, object, result);
}

static bool on_port_holder(void *ctx, uint16_t port, char *out, size_t cap)
{
    struct host *host = ctx;
    struct port_holder holder;
    host->holder[0] = '\0';
    if (!port_holder_find(port, &holder)) {
        return false;
    }
    (void)snprintf(host->holder, sizeof host->holder, "%s (pid %ld%s%s)", holder.name, holder.pid,
                   holder.folder[0] == '\0' ? "" : ", ", holder.folder);
    (void)snprintf(out, cap, "%s", host->holder);
    return true;
}

static void on_leftover(void *ctx, const struct ledger_info *leftover, ULONG result)
{
    struct host *host = ctx;
    log_write(host->log, LOG_LEVEL_ERROR, "%s %s (made at %s:%d) did not close: %u",
              ledger_kind_name(leftover->kind), leftover->name, leftover->made.file,
              leftover->made.line, (unsigned)result);
}

/* Everything but the loop, which is open. Failures become the cause of the end. */
static bool open_parts(struct host *host)
{
    struct ledger_error failure;
    memset(&failure, 0, sizeof failure);
    size_t slots = (size_t)host->workers_wanted * GENERATIONS_ALIVE_MAX;
    if (guard_create(slots, &host->limits, &host->guard) != NO_ERROR) {
        host_stop(host, HOST_CAUSE_INTERNAL, HOST_EXIT_INTERNAL, "the watchdog cannot be started");
        return false;
    }
    if (ledger_initialize(host->ledger, HTTP_INITIALIZE_SERVER, &failure) != NO_ERROR) {
        char line[HOST_REASON_BYTES_MAX];
        host_stop_with(host, HOST_CAUSE_INTERNAL, HOST_EXIT_INTERNAL,
                       error_format(&failure, line, sizeof line), failure.hint);
        return false;
    }
    return true;
}

static bool watch_signals(struct host *host)
{
    if (host->config->signal_fd < 0 || signal_watch_start(host)) {
        return true;
    }
    host_stop(host, HOST_CAUSE_INTERNAL, HOST_EXIT_INTERNAL, "signals cannot be watched");
    return false;
}

static bool open_control(struct host *host)
{
    char text[HOST_REASON_BYTES_MAX];
    const char *path = host->config->control_path;
    ULONG code = host->config->control ? ctl_open(host, path, &host->ctl) : (ULONG)NO_ERROR;
    if (code == NO_ERROR) {
        return true;
    }
    const char *why = code == ERROR_ALREADY_EXISTS  ? "another process listens there"
                      : code == ERROR_ACCESS_DENIED ? "the folder is not this user's alone"
                      : code == ERROR_INVALID_PARAMETER
                          ? "the path is too long, or none of a socket"
                          : "not available here";
    (void)snprintf(text, sizeof text, "no control socket%s%s: %s", path == NULL ? "" : " at ",
                   path == NULL ? "" : path, why);
    if (path == NULL) {
        log_write(host->log, LOG_LEVEL_DEBUG, "%s", text);
        return true;
    }
    host_stop(host, HOST_CAUSE_LISTEN, HOST_EXIT_LISTEN, text);
    return false;
}

static bool start_workers(struct host *host)
{
    ULONG code = NO_ERROR;
    host->workers = calloc(host->workers_wanted, sizeof *host->workers);
    if (host->workers == NULL) {
        code = ERROR_NOT_ENOUGH_MEMORY;
    }
    while (code == NO_ERROR && host->worker_count < host->workers_wanted) {
        code = worker_open(&host->workers[host->worker_count], host, host->worker_count);
        host->worker_count += code == NO_ERROR ? 1 : 0;
    }
    (void)host_wait(host, host_errands_are_done, host, UINT64_MAX);
    for (unsigned i = 0; i < host->worker_count && code == NO_ERROR; i++) {
        code = worker_call(&host->workers[i])->result;
    }
    if (code != NO_ERROR) {
        host_stop(host, HOST_CAUSE_INTERNAL, HOST_EXIT_INTERNAL,
                  "a worker thread cannot be started");
    }
    return code == NO_ERROR;
}

static void stop_for_load(struct host *host, const struct load_error *error)
{
    if (error->exit_code != 0) {
        enum host_cause cause =
            error->exit_code == HOST_EXIT_LISTEN ? HOST_CAUSE_LISTEN
            : error->exit_code == HOST_EXIT_LOAD || error->exit_code == HOST_EXIT_FILE
                ? HOST_CAUSE_LOAD
                : HOST_CAUSE_INTERNAL;
        host_stop_with(host, cause, error->exit_code, error->text, error->hint);
    }
}

/* --watch, on the first generation or on what could mend it. */
static bool start_watch(struct host *host, struct sources *sources)
{
    if (!host->config->watch || host->watch != NULL) {
        return true;
    }
    if (watch_open(host, host->config->watch_poll_ms, &host->watch) != NO_ERROR) {
        host_stop(host, HOST_CAUSE_INTERNAL, HOST_EXIT_INTERNAL, "--watch is not available here");
        return false;
    }
    watch_follow(host->watch, sources, false);
    return true;
}

/* The first load has failed, and it is waited until that is mended: another generation serves the
 * reason. NULL: the host stops. */
static struct generation *load_stand_in(struct host *host, struct load_error *error)
{
    struct generation *failed = LIST_ITEM(list_first(&host->generations), struct generation, node);
    dev_note_broken(host, error, failed->sources, failed->number);
    host->reload.error = *error;
    bool watched = start_watch(host, failed->sources);
    generation_discard(failed);
    struct sources *sources = watched ? dev_stand_in() : NULL;
    struct generation *generation = sources == NULL ? NULL : generation_load(host, sources, error);
    sources_unref(sources);
    if (generation == NULL) {
        stop_for_load(host, error);
        return NULL;
    }
    generation->is_stand_in = true;
    return generation;
}

/* The generation that serves first. NULL: the host stops. */
static struct generation *load_first(struct host *host, struct load_error *error)
{
    struct generation *generation = generation_load(host, NULL, error);
    bool empty = generation != NULL && !generation_is_live(generation);
    if (empty && host->dev != NULL && !host_is_stopping(host)) {
        error->exit_code = HOST_EXIT_LOAD;
        (void)snprintf(error->text, sizeof error->text,
                       "nothing is open after loading: no URL, no http.run()");
    }
    if (generation != NULL && !empty) {
        return generation;
    }
    if (dev_waits(host, error)) {
        return load_stand_in(host, error);
    }
    if (generation == NULL) {
        stop_for_load(host, error);
    } else {
        host_stop_with(
            host, HOST_CAUSE_END, HOST_EXIT_OK, NULL,
            "nothing is open: add http.run() to keep what a script holds in <close> variables");
    }
    return NULL;
}

/* From nothing to serving, and on until somebody asks to stop. */
static void serve(struct host *host)
{
    struct load_error error;
    if (!watch_signals(host) || !open_parts(host) || !open_control(host)) {
        return;
    }
    struct generation *generation = load_first(host, &error);
    if (generation == NULL || !start_workers(host)) {
        return;
    }
    if (!generation_commit(generation, &error)) {
        stop_for_load(host, &error);
        return;
    }
    if (!start_watch(host, generation->sources)) {
        return;
    }
    if (generation->is_stand_in) {
        reload_note_broken(host, &host->reload.error, 0, 0);
    } else {
        dev_tell_workers(host, false);
        reachable_warn(host);
        host_tell_ready(host);
        generation_watch_end(generation);
    }
    while (host_wait(host, is_over, host, UINT64_MAX) && !host_is_stopping(host)) {
        reload_turn(host);
    }
}

/* --- the verdict
 * ----------------------------------------------------------------------------------- */

static const char *signal_name(int number, char spare[24])
{
    if (number == 2) {
        return "SIGINT";
    }
    if (number == 15) {
        return "SIGTERM";
    }
    (void)snprintf(spare, 24, "signal %d", number);
    return spare;
}

static void describe_cause(const struct host *host, enum host_cause cause, char *out, size_t cap)
{
    char spare[24];
    switch (cause) {
    case HOST_CAUSE_END: (void)snprintf(out, cap, "the script has ended"); return;
    case HOST_CAUSE_STOP:
        if (host->text[0] == '\0') {
            (void)snprintf(out, cap, "http.stop(%d)", host->code);
        } else {
            (void)snprintf(out, cap, "%s", host->text);
        }
        return;
    case HOST_CAUSE_OS_EXIT: (void)snprintf(out, cap, "os.exit(%d)", host->code); return;
    case HOST_CAUSE_SIGNAL:
        (void)snprintf(out, cap, "stopped by %s", signal_name(host->signal_first, spare));
        return;
    case HOST_CAUSE_SCRIPT: (void)snprintf(out, cap, "the script failed"); return;
    default:
        (void)snprintf(out, cap, "%s", host->text[0] == '\0' ? host_cause_name(cause) : host->text);
        return;
    }
}

/* Appends to a verdict's reason. */
static void add_reason(struct host_verdict *verdict, const char *text)
{
    size_t used = strlen(verdict->reason);
    (void)snprintf(verdict->reason + used, sizeof verdict->reason - used, "%s", text);
}

static void conclude(struct host *host, struct host_verdict *verdict)
{
    char text[HOST_REASON_BYTES_MAX];
    char spare[24];
    verdict->cause = (enum host_cause)atomic_load(&host->cause);
    verdict->code = host->code;
    describe_cause(host, verdict->cause, verdict->reason, sizeof verdict->reason);
    (void)snprintf(verdict->hint, sizeof verdict->hint, "%s", host->hint);
    if (verdict->cut > 0) {
        verdict->code = verdict->code == 0 ? HOST_EXIT_DRAIN : verdict->code;
        (void)snprintf(text, sizeof text, "; %s, %u cut",
                       host->signal_second != 0 ? "not drained" : "the drain time ran out",
                       verdict->cut);
        add_reason(verdict, text);
    }
    if (host->script_failed) {
        verdict->code = verdict->code == 0 || verdict->code == HOST_EXIT_DRAIN ? HOST_EXIT_FAILED
                                                                               : verdict->code;
        add_reason(verdict, verdict->cause == HOST_CAUSE_SCRIPT ? ": " : "; the script failed: ");
        add_reason(verdict, host->failure);
    }
    if (verdict->failures > 0) {
        verdict->code = verdict->code == 0 ? HOST_EXIT_INTERNAL : verdict->code;
        (void)snprintf(text, sizeof text, "; %u contract calls failed while closing",
                       verdict->failures);
        add_reason(verdict, text);
    }
    if (verdict->forced) {
        add_reason(verdict, "; a worker was left behind in a C function");
    }
    if (host->signal_second != 0) {
        verdict->code = HOST_EXIT_SIGNAL + host->signal_second;
        (void)snprintf(text, sizeof text, "; at once by a second %s",
                       signal_name(host->signal_second, spare));
        add_reason(verdict, text);
    }
}

static struct host *create(const struct host_config *config)
{
    struct host *host = calloc(1, sizeof *host);
    if (host == NULL) {
        return NULL;
    }
    host->config = config;
    host->drain_ns = config->drain_ns;
    host->log = config->log;
    host->limits.load_ns =
        config->limits.load_ns != 0 ? config->limits.load_ns : default_limits.load_ns;
    host->limits.resume_ns =
        config->limits.resume_ns != 0 ? config->limits.resume_ns : default_limits.resume_ns;
    host->limits.request_ns =
        config->limits.request_ns != 0 ? config->limits.request_ns : default_limits.request_ns;
    host->limits.memory_bytes = config->limits.memory_bytes != 0 ? config->limits.memory_bytes
                                                                 : default_limits.memory_bytes;
    host->workers_wanted = config->workers == 0                 ? 1
                           : config->workers > HOST_WORKERS_MAX ? HOST_WORKERS_MAX
                                                                : config->workers;
    list_init(&host->members);
    list_init(&host->generations);
    reload_init(&host->reload);
    (void)pthread_mutex_init(&host->stop_lock, NULL); /* cannot fail with default attributes */
    const struct ledger_options options = {.log = config->log,
                                           .trace = on_ledger_trace,
                                           .port_holder = on_port_holder,
                                           .report = on_leftover,
                                           .ctx = host};
    host->ledger = ledger_create(&options);
    host->store = store_create_memory();
    host->dev = config->dev ? dev_create() : NULL;
    return host;
}

/* After exit_run: nothing of it is in use, unless a worker was left behind, which may come back
 * into any of this. */
static void destroy(struct host *host, bool forced)
{
    if (forced) {
        return;
    }
    if (host->loop != NULL) {
        signal_watch_stop(host);
        loop_close(host->loop); /* runs what was posted: before what it is about is freed */
    }
    sources_unref(host->previous);
    while (!list_is_empty(&host->generations)) {
        generation_destroy(LIST_ITEM(list_first(&host->generations), struct generation, node));
    }
    guard_destroy(host->guard);
    ledger_destroy(host->ledger);
    store_destroy(host->store);
    dev_destroy(host->dev);
    free(host->workers);
    (void)pthread_mutex_destroy(&host->stop_lock);
    free(host);
}

void host_tell_drain(struct host *host)
{
    char text[HOST_REASON_BYTES_MAX];
    enum host_cause cause = (enum host_cause)atomic_load(&host->cause);
    describe_cause(host, cause, text, sizeof text);
    host_tell(host, &(struct host_event){.kind = HOST_EVENT_DRAIN, .cause = cause, .text = text});
}

int host_run(const struct host_config *config, struct host_verdict *verdict)
{
    memset(verdict, 0, sizeof *verdict);
    struct host *host = create(config);
    bool made = host != NULL && host->ledger != NULL && host->store != NULL &&
                (host->dev != NULL || !config->dev);
    if (!made || loop_open(config->backend, &host->loop) != NO_ERROR) {
        verdict->cause = HOST_CAUSE_INTERNAL;
        verdict->code = HOST_EXIT_INTERNAL;
        add_reason(verdict, made ? "the event loop cannot be opened" : "not enough memory");
        if (host != NULL) {
            destroy(host, false);
        }
        return verdict->code;
    }
    serve(host);
    exit_run(host, verdict);
    conclude(host, verdict);
    ctl_close(host->ctl, verdict);
    watch_close(host->watch);
    host_tell(host, &(struct host_event){.kind = HOST_EVENT_SUMMARY,
                                         .cause = verdict->cause,
                                         .code = verdict->code,
                                         .text = verdict->reason});
    destroy(host, verdict->forced);
    return verdict->code;
}
