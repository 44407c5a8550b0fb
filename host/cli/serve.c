/* run and test: from options to host_run, and from the host's events to the terminal. */
#include "cli/commands.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/provider.h"
#include "cli/child.h"
#include "cli/lineout.h"
#include "base/jsonout.h"
#include "base/visible.h"
#include "cli/ready.h"
#include "cli/reloadout.h"
#include "cli/signals.h"
#include "cli/term.h"

enum {
    EVENT_BYTES_MAX = 16384,
    TRACE_OBJECT_BYTES_MAX = 8192,
    REQUEST_METHOD_BYTES_MAX = 33, /* as long as they are told (runtime/reqlog.h) */
    REQUEST_PATH_BYTES_MAX = 1025,
    SCRIPT_BYTES_MAX = 16 * 1024 * 1024 /* from standard input */
};

struct serve {
    const struct options *options;
    struct term term;
    struct log log;
    struct host_source *sources;
    struct buf script; /* standard input */
    struct child child;
    struct lineout *out; /* --json; else NULL */
    bool is_ready;
};

/* --- events
 * ---------------------------------------------------------------------------------------- */

static void put_event(const struct serve *serve, const char *name, const struct host_event *event)
{
    struct buf text;
    if (!serve->options->json) {
        return;
    }
    buf_init(&text, EVENT_BYTES_MAX);
    jsonout_open(&text, "event", name);
    if (event->kind == HOST_EVENT_SUMMARY) {
        jsonout_number(&text, "exit", event->code);
    }
    jsonout_text(&text, "reason", host_cause_name(event->cause));
    jsonout_text(&text, "text", event->text);
    jsonout_close(&text);
    lineout_put(serve->out, buf_slice(&text), false);
    buf_deinit(&text);
}

static void put_error(const struct serve *serve, const struct host_verdict *verdict)
{
    struct buf text;
    if (!serve->options->json) {
        return;
    }
    buf_init(&text, EVENT_BYTES_MAX);
    jsonout_open(&text, "event", "error");
    jsonout_text(&text, "message", verdict->reason);
    jsonout_text(&text, "hint", verdict->hint);
    jsonout_close(&text);
    lineout_put(serve->out, buf_slice(&text), false);
    buf_deinit(&text);
}

/* On a worker. */
static void on_request(void *ctx, const struct host_request *request)
{
    struct serve *serve = ctx;
    char method[REQUEST_METHOD_BYTES_MAX], path[REQUEST_PATH_BYTES_MAX];
    struct buf text;
    (void)snprintf(method, sizeof method, "%.*s", (int)request->method.len, request->method.p);
    (void)snprintf(path, sizeof path, "%.*s", (int)request->path.len, request->path.p);
    buf_init(&text, EVENT_BYTES_MAX);
    jsonout_open(&text, "event", "request");
    jsonout_text(&text, "method", method);
    jsonout_text(&text, "path", path);
    jsonout_number(&text, "status", request->status);
    (void)buf_printf(&text, ",\"ms\":%.3f", (double)request->took_ns / 1e6);
    jsonout_number(&text, "gen", request->generation);
    jsonout_close(&text);
    if (text.len > 0 && text.p[text.len - 1] == '\n') {
        lineout_put(serve->out, buf_slice(&text), true);
    }
    buf_deinit(&text);
}

static void start_child(struct serve *serve, struct host *host, const struct host_event *event)
{
    char text[512];
    const char *why = "";
    if (event->url == NULL) {
        host_stop(host, HOST_CAUSE_LOAD, HOST_EXIT_LOAD,
                  "the script opens no URL: there is nothing to test");
        return;
    }
    if (!child_start(&serve->child, serve->options->args, event->url, event->port, &why)) {
        (void)snprintf(text, sizeof text, "cannot run %s: %s", serve->options->args[0], why);
        host_stop(host, HOST_CAUSE_CHILD, serve->child.code, text);
    }
}

static void on_event(void *ctx, struct host *host, const struct host_event *event)
{
    struct serve *serve = ctx;
    switch (event->kind) {
    case HOST_EVENT_READY:
        serve->is_ready = true;
        ready_tell(serve->options, serve->out, event);
        if (serve->options->command == COMMAND_TEST) {
            start_child(serve, host, event);
        }
        break;
    case HOST_EVENT_RELOAD:
    case HOST_EVENT_BROKEN:
    case HOST_EVENT_CLOSED: reloadout_tell(serve->options, &serve->term, serve->out, event); break;
    case HOST_EVENT_DRAIN:
        if (serve->is_ready) {
            put_event(serve, "drain", event);
            ready_tell_stopping();
        }
        break;
    case HOST_EVENT_SUMMARY: break; /* serve_command tells it, with the child's code */
    }
}

static void end_with_child(struct serve *serve, struct host *host)
{
    char text[128];
    const struct child *child = &serve->child;
    (void)snprintf(text, sizeof text,
                   child->code > 128 ? "%s was ended by signal %d" : "%s ended with code %d",
                   serve->options->args[0], child->code > 128 ? child->code - 128 : child->code);
    host_stop(host, HOST_CAUSE_CHILD, child->code, text);
}

static void on_signal(void *ctx, struct host *host, int number)
{
    struct serve *serve = ctx;
    switch (number) {
    case SIGNALS_CHILD:
        if (child_reap(&serve->child)) {
            end_with_child(serve, host);
        }
        break;
    case SIGNALS_HANGUP: host_reload(host, "SIGHUP"); break;
    default:
        child_signal(&serve->child, number);
        host_on_stop_signal(host, number);
        break;
    }
}

/* One line: "close HttpRemoveUrlFromUrlGroup http://localhost:8080/hello/ 0". The form is frozen
 * (runtime/exit.h). A call that this provider never makes ends with "skipped: " and why. */
static void on_trace(void *ctx, bool during_exit, const char *call, const char *object,
                     ULONG result)
{
    const struct serve *serve = ctx;
    bool all = serve->options->trace == HOST_TRACE_CALLS;
    const char *why = provider_skips(call);
    char shown[TRACE_OBJECT_BYTES_MAX];
    if (!all && !during_exit) {
        return;
    }
    object = visible_text(shown, sizeof shown, object, "");
    if (why != NULL) {
        (void)fprintf(stderr, "%s %s %s skipped: %s\n", all ? "call" : "close", call, object, why);
    } else {
        (void)fprintf(stderr, "%s %s %s %lu\n", all ? "call" : "close", call, object,
                      (unsigned long)result);
    }
}

/* --- before and after
 * ------------------------------------------------------------------------------ */

static bool read_standard_input(struct serve *serve)
{
    char piece[8192];
    size_t got = 0;
    buf_init(&serve->script, SCRIPT_BYTES_MAX);
    while ((got = fread(piece, 1, sizeof piece, stdin)) > 0) {
        if (!buf_append(&serve->script, piece, got)) {
            return false;
        }
    }
    return ferror(stdin) == 0;
}

static bool set_sources(struct serve *serve, struct host_config *config)
{
    const struct options *options = serve->options;
    size_t count = options->eval != NULL ? 1 : options->word_count;
    assert(count > 0); /* options_parse asks for one */
    serve->sources = calloc(count, sizeof *serve->sources);
    if (serve->sources == NULL) {
        return false;
    }
    if (options->eval != NULL) {
        serve->sources[0] = (struct host_source){
            .text = options->eval, .text_len = strlen(options->eval), .name = "-e"};
    }
    for (size_t i = 0; i < options->word_count; i++) {
        serve->sources[i].path = options->words[i];
        if (strcmp(options->words[i], "-") == 0) {
            if (serve->script.max == 0 && !read_standard_input(serve)) {
                return false;
            }
            serve->sources[i] =
                (struct host_source){.text = serve->script.p == NULL ? "" : serve->script.p,
                                     .text_len = serve->script.len,
                                     .name = "stdin"};
        }
    }
    config->sources = serve->sources;
    config->source_count = count;
    return true;
}

static bool configure(struct serve *serve, struct host_config *config)
{
    const struct options *options = serve->options;
    host_config_init(config);
    config->settings = options->settings;
    config->setting_count = options->setting_count;
    config->args = options->command == COMMAND_TEST ? NULL : options->args;
    config->arg_count = options->command == COMMAND_TEST ? 0 : options->arg_count;
    config->program = options->word_count > 0 ? options->words[0] : NULL;
    config->workers = options->workers;
    config->port = options->port;
    config->any_port = options->any_port;
    config->listen = (const char *const *)options->listen;
    config->listen_count = options->listen_count;
    config->is_public = options->is_public;
    config->backend = options->backend;
    config->drain_ns = options->drain_ns;
    config->limits = options->limits;
    config->lua_dir = options->lua_dir;
    config->control = options->command != COMMAND_TEST || options->control != NULL;
    config->control_path = options->control;
    config->watch = options->watch;
    config->dev = options->command == COMMAND_DEV;
    config->fail_on_bad_reload = options->fail_on_bad_reload;
    config->watch_poll_ms = options->poll_ms;
    config->watch_also = options->watch_also;
    config->watch_also_count = options->watch_also_count;
    config->watch_ignore = options->watch_ignore;
    config->watch_ignore_count = options->watch_ignore_count;
    config->log = &serve->log;
    config->on_trace = options->trace == HOST_TRACE_OFF ? NULL : on_trace;
    config->on_event = on_event;
    config->on_request = options->json ? on_request : NULL;
    config->on_signal = on_signal;
    config->ctx = serve;
    return set_sources(serve, config);
}

/* The back end that --loop names, tried before anything else happens. */
static bool is_loop_available(enum loop_backend backend)
{
    struct loop *loop = NULL;
    if (backend == LOOP_BACKEND_DEFAULT) {
        return true;
    }
    if (loop_open(backend, &loop) != NO_ERROR) {
        return false;
    }
    loop_close(loop);
    return true;
}

static void tell_missing_loop(const struct term *term, enum loop_backend backend)
{
    if (backend == LOOP_BACKEND_IO_URING) {
        term_error(term, "--loop io_uring: not available to this process");
        term_hint(term,
                  "it needs Linux 6.1, kernel.io_uring_disabled = 0, a container profile that "
                  "allows it, and liburing at build time; --loop epoll needs none of these");
    } else {
        term_error(term, "--loop: this back end is not available here");
        term_hint(term, "leave --loop out");
    }
}

/* A command that was misspelled is taken for a file. NULL: it was not. */
static const char *find_meant_command(const struct options *options)
{
    const char *command =
        options->word_count == 1 ? options_nearest_command(options->words[0]) : NULL;
    FILE *file = command == NULL ? NULL : fopen(options->words[0], "r");
    if (file != NULL) {
        (void)fclose(file); /* nothing was written */
        return NULL;
    }
    return command;
}

/* The end of a run in words: what was wrong, its cure, and the verdict as the last line. */
static void tell_verdict(struct serve *serve, const struct host_verdict *verdict, int code)
{
    bool failed_start = verdict->cause == HOST_CAUSE_LOAD || verdict->cause == HOST_CAUSE_LISTEN ||
                        verdict->cause == HOST_CAUSE_INTERNAL;
    const struct host_event event = {
        .kind = HOST_EVENT_SUMMARY, .cause = verdict->cause, .code = code, .text = verdict->reason};
    const char *command =
        verdict->cause == HOST_CAUSE_LOAD ? find_meant_command(serve->options) : NULL;
    if (failed_start) {
        term_error(&serve->term, verdict->reason);
        put_error(serve, verdict);
    }
    if (command != NULL) {
        char text[64];
        (void)snprintf(text, sizeof text, "the command %s? (moonlatch help)", command);
        term_hint(&serve->term, text);
    }
    term_hint(&serve->term, serve->term.quiet && code == 0 ? NULL : verdict->hint);
    put_event(serve, "summary", &event);
    if (verdict->cause == HOST_CAUSE_LOAD) {
        term_verdict(&serve->term, code,
                     code == HOST_EXIT_FILE ? "a file is missing or cannot be read"
                                            : "the script does not load");
    } else if (verdict->cause == HOST_CAUSE_LISTEN) {
        term_verdict(&serve->term, code, "cannot listen");
    } else {
        term_verdict(&serve->term, code, failed_start ? "the host failed" : verdict->reason);
    }
}

int serve_command(const struct options *options)
{
    struct serve serve = {.options = options, .log = {.level = options->log_level}};
    struct host_config config;
    struct host_verdict verdict;
    const char *why = "not enough memory, or standard input cannot be read";
    int code = HOST_EXIT_USAGE;
    term_init(&serve.term, options);
    if (!is_loop_available(options->backend)) {
        tell_missing_loop(&serve.term, options->backend);
        return HOST_EXIT_USAGE;
    }
    if (options->json && (serve.out = lineout_open()) == NULL) {
        term_error(&serve.term, "no thread for --json");
        return HOST_EXIT_INTERNAL;
    }
    if (!ready_check(options, &why) || !configure(&serve, &config) ||
        !signals_open(&config.signal_fd)) {
        term_error(&serve.term, why);
        goto out;
    }
    code = host_run(&config, &verdict);
    child_end(&serve.child);
    if (serve.child.phase == CHILD_ENDED && serve.child.code != 0 &&
        verdict.cause != HOST_CAUSE_CHILD) {
        code = serve.child.code; /* it outlived the server, or a signal ended both */
    }
    if (options->command == COMMAND_TEST && serve.child.phase == CHILD_NONE && code == 0) {
        code = HOST_EXIT_LOAD; /* no verdict without the command */
        term_error(&serve.term, "the command was not run: the script ended first");
    }
    if (serve.is_ready) {
        ready_clean(options);
    }
    tell_verdict(&serve, &verdict, code);
    signals_close();
out:
    lineout_close(serve.out);
    buf_deinit(&serve.script);
    free(serve.sources);
    return code;
}
