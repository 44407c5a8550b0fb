#include "cli/options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/near.h"
#include "base/slice.h"
#include "cli/cores.h"

enum option_id {
    OPTION_PORT = 256, /* above every letter */
    OPTION_LISTEN,
    OPTION_PUBLIC,
    OPTION_EVAL,
    OPTION_WORKERS,
    OPTION_DRAIN,
    OPTION_SET,
    OPTION_JSON,
    OPTION_TRACE,
    OPTION_READY_FILE,
    OPTION_READY_FD,
    OPTION_LOOP,
    OPTION_LIMIT,
    OPTION_LUA_DIR,
    OPTION_CONTROL,
    OPTION_WATCH,
    OPTION_WATCH_ALSO,
    OPTION_WATCH_IGNORE,
    OPTION_ON_BAD_RELOAD,
    OPTION_LOG_LEVEL,
    OPTION_QUIET,
    OPTION_VERBOSE,
    OPTION_COLOR,
    OPTION_HELP
};

const struct command_row command_rows[] = {
    {COMMAND_RUN, "run", "run FILE|DIR... [-- ARGUMENTS]", "serve scripts",
     "Loads every file into one generation and serves until it is asked to stop. FILE may be - "
     "for standard input. A directory is a set of route scripts: every *.lua below it; names "
     "that begin with _ or . are left for require. What such a script returns (a router or a "
     "handler) is mounted at its own path: index.lua at /, users.lua at /users/, users/[id].lua "
     "at /users/:id.\n\n"
     "SIGINT and SIGTERM stop: requests that were accepted are answered, then everything is "
     "closed. A second signal ends the waiting.\n\n"
     "moonlatch FILE [ARGUMENTS] is short for run FILE -- ARGUMENTS."},
    {COMMAND_DEV, "dev", "dev FILE|DIR... [-- ARGUMENTS]", "serve scripts while you work on them",
     "As run --watch, with a drain time of 1 s, and with errors shown in full to the client: as a "
     "page, as JSON or as plain text, whichever it accepts. A saved file is live in milliseconds, "
     "and pages refresh themselves. When it is broken, the terminal says where, what was there "
     "before serves on, and its answers say so (a banner, and the field Moonlatch-Stale). A script "
     "that is broken from the start is waited for: its addresses show the error until it is "
     "mended.\n\n"
     "The host has the URL /_moonlatch/dev/ beside those of the script."},
    {COMMAND_TEST, "test", "test FILE|DIR... -- COMMAND [ARGUMENTS]", "serve while a command runs",
     "Serves on a free port, then runs COMMAND with MOONLATCH_URL and MOONLATCH_PORT in its "
     "environment. When it ends, the server stops, and its exit code "
     "becomes ours unless it is 0. COMMAND has a process group of its own; what is left of it is "
     "ended with the server. What has left the group, by setsid, is its own master."},
    {COMMAND_CHECK, "check", "check FILE|DIR...",
     "compile scripts, resolve require, find undefined globals",
     "Reads the scripts, runs none of them, and opens no socket. Prints errors with the line and "
     "a caret; exit code 3 when there is one. Warns of undefined globals, and of scripts of a "
     "directory that are mounted at one place. Routes that a script adds are known only when it "
     "runs: a second one for the same path fails the load, and a literal segment is never hidden "
     "by a parameter."},
    {COMMAND_CTL, "ctl", "ctl QUESTION [PID]", "ask a running server",
     "Questions: reload (load the scripts anew; the answer comes when every worker serves them, "
     "or with the error, exit code 3), rollback (the same with the scripts of the generation "
     "before), status, gens (generations alive), tree (what is open), stop (as SIGTERM does), "
     "drain (the same, but requests get as long as they take). PID is not needed while one "
     "server runs.\n\n"
     "The server listens on a socket of its own that only the same user can open."},
    {COMMAND_VERSION, "version", "version [--json]", "what this program was built from", NULL},
    {COMMAND_HELP, "help", "help [COMMAND|TOPIC]",
     "this text; topics: options, exit-codes, ready, scripts, lua, lua-types", NULL},
    {COMMAND_MAN, "man", "man", "the manual page, as input for man -l -", NULL},
    {COMMAND_NONE, NULL, NULL, NULL, NULL},
};

const struct option_row option_rows[] = {
    {"port", 'p', OPTION_PORT, "N", COMMAND_SERVING,
     "port of bare paths (default 8080) on localhost, 127.0.0.1 and [::1]; 0: any free one, the "
     "same on all"},
    {"listen", 'l', OPTION_LISTEN, "URL", COMMAND_SERVING,
     "address of bare paths instead: http://HOST:PORT; may be given several times"},
    {"public", 0, OPTION_PUBLIC, NULL, COMMAND_SERVING,
     "no warning about an address that other machines can reach"},
    {"eval", 'e', OPTION_EVAL, "LUA", COMMAND_SERVING, "serve this text instead of a file"},
    {"workers", 0, OPTION_WORKERS, "N", COMMAND_SERVING,
     "threads, each with a Lua state of its own (default 1); auto: one a core"},
    {"drain", 0, OPTION_DRAIN, "SECONDS", COMMAND_SERVING,
     "how long running requests may take after a stop signal (default 5)"},
    {"set", 0, OPTION_SET, "K=V", COMMAND_SERVING, "readable in the script as http.arg.K"},
    {"limit", 0, OPTION_LIMIT, "NAME=VALUE", COMMAND_SERVING,
     "load, resume, request: seconds a script may take to load, to run where it cannot be "
     "suspended, to run for one request (10, 2, 30); memory: of one Lua "
     "state, with K, M or G (256M)"},
    {"trace", 0, OPTION_TRACE, "WHAT", COMMAND_SERVING,
     "each contract call with its result on stderr; close: those of the way out; calls: all"},
    {"json", 0, OPTION_JSON, NULL, COMMAND_SERVING | COMMAND_VERSION,
     "stdout carries one JSON object a line (ready, request, reload, closed, error, drain, "
     "summary) instead of the ready line"},
    {"ready-file", 0, OPTION_READY_FILE, "PATH", COMMAND_SERVING,
     "write url, port, pid and generation as JSON when ready; removed at the end"},
    {"ready-fd", 0, OPTION_READY_FD, "N", COMMAND_SERVING,
     "write a line feed to this descriptor when ready, and close it"},
    {"loop", 0, OPTION_LOOP, "NAME", COMMAND_SERVING,
     "epoll or io_uring; refused where it is not available (default: io_uring, and epoll where "
     "that is not available)"},
    {"lua-dir", 0, OPTION_LUA_DIR, "DIR", COMMAND_SERVING | COMMAND_CHECK,
     "read the modules that come with the host from here (for working on them)"},
    {"watch", 'w', OPTION_WATCH, "[=HOW]", COMMAND_STAYING,
     "a saved file is a reload: scripts and all that they load. HOW: inotify, or poll:MS to look "
     "every MS milliseconds (default: inotify where there is one)"},
    {"watch-also", 0, OPTION_WATCH_ALSO, "GLOB", COMMAND_STAYING,
     "these files too; may be given several times"},
    {"watch-ignore", 0, OPTION_WATCH_IGNORE, "GLOB", COMMAND_STAYING,
     "not these files; may be given several times"},
    {"on-bad-reload", 0, OPTION_ON_BAD_RELOAD, "HOW", COMMAND_STAYING,
     "keep (default): what was there before serves on; fail: every request gets 503 until a reload "
     "succeeds"},
    {"control", 0, OPTION_CONTROL, "PATH", COMMAND_SERVING | COMMAND_CTL,
     "the control socket is here (default: the user's runtime folder, named by the process)"},
    {"log-level", 0, OPTION_LOG_LEVEL, "LEVEL", COMMAND_SERVING,
     "error, warn, info (default) or debug"},
    {"quiet", 'q', OPTION_QUIET, NULL, COMMAND_ANY, "errors only"},
    {"verbose", 'v', OPTION_VERBOSE, NULL, COMMAND_SERVING, "the same as --log-level debug"},
    {"color", 0, OPTION_COLOR, "WHEN", COMMAND_ANY, "auto (default), always or never"},
    {"help", 'h', OPTION_HELP, NULL, COMMAND_ANY, "help for the command"},
    {NULL, 0, 0, NULL, 0, NULL},
};

const struct exit_row exit_rows[] = {
    {"0", "asked to stop (also by SIGINT or SIGTERM), or the script came to its end"},
    {"1", "the script failed after it was loaded"},
    {"2", "usage"},
    {"3", "a script does not load: syntax, runtime error, missing module"},
    {"4", "cannot listen: port in use, no permission, bad address"},
    {"5", "a file named on the command line is missing or cannot be read"},
    {"6", "the drain time ran out and something was cut"},
    {"70", "internal error"},
    {"N", "os.exit(N), http.stop(N), and the code of the command that test has run"},
    {"128+n", "a second signal n"},
    {NULL, NULL},
};

/* Agreed names that do not exist yet. */
static const char *const planned_options[] = {"port-fallback", "tls",
                                              "http2",         "no-http2",
                                              "h2c",           "ready-format",
                                              "env-file",      "drain-streams",
                                              "fault",         "fault-seed",
                                              "faults",        "record",
                                              "redact",        "expect",
                                              "expect-order",  "no-unmatched",
                                              "max-requests",  "expect-all-used",
                                              "timeout",       "report",
                                              "journal",       "cors",
                                              "header",        "delay",
                                              "access-log",    "inspect",
                                              "exec",          NULL};
static const char *const planned_commands[] = {"respond", "files",      "echo", "proxy",
                                               "replay",  "routes",     "repl", "health",
                                               "cert",    "completion", NULL};

/* What is being parsed. */
struct parse {
    struct options *options;
    char *error;      /* OPTIONS_ERROR_BYTES */
    bool drain_given; /* --drain */
    bool is_script;   /* `moonlatch FILE`: further words are arguments */
    unsigned given;   /* commands that know every option given so far */
    const char *last; /* the option that narrowed it */
};

#define DEV_DRAIN_NS     UINT64_C(1000000000)
#define LIMIT_MEMORY_MIN ((size_t)128 * 1024) /* about what an empty Lua state needs */

static bool fail(struct parse *parse, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says why the command line is refused. Always false. */
static bool fail(struct parse *parse, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(parse->error, OPTIONS_ERROR_BYTES, format, args);
    va_end(args);
    return false;
}

const char *options_nearest_command(const char *word)
{
    struct near near;
    near_init(&near, word, strlen(word));
    for (const struct command_row *row = command_rows; row->name != NULL; row++) {
        near_try(&near, row->name);
    }
    return near.best;
}

static bool is_in(const char *const *list, const char *name, size_t length)
{
    for (; *list != NULL; list++) {
        if (strlen(*list) == length && memcmp(*list, name, length) == 0) {
            return true;
        }
    }
    return false;
}

const struct command_row *options_find_command(const char *name)
{
    for (const struct command_row *row = command_rows; row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

/* --- values
 * ---------------------------------------------------------------------------------------- */

/* "1.5" to nanoseconds; at most a day. */
static bool parse_seconds(const char *text, uint64_t *ns)
{
    struct slice s = slice_from_cstr(text);
    const char *dot = memchr(s.p, '.', s.len);
    uint64_t whole = 0;
    uint64_t part = 0;
    struct slice head = dot == NULL ? s : slice_make(s.p, (size_t)(dot - s.p));
    struct slice tail = dot == NULL ? SLICE_LIT("0") : slice_make(dot + 1, s.len - head.len - 1);
    if (!slice_to_u64(head, &whole) || !slice_to_u64(tail, &part) || tail.len > 9 ||
        whole > 86400) {
        return false;
    }
    for (size_t i = tail.len; i < 9; i++) {
        part *= 10;
    }
    *ns = whole * 1000000000 + part;
    return true;
}

/* "256M" to bytes. */
static bool parse_bytes(const char *text, size_t *bytes)
{
    struct slice s = slice_from_cstr(text);
    const char *units = "KMG";
    const char *unit = s.len > 0 ? strchr(units, s.p[s.len - 1]) : NULL;
    unsigned shift = 0;
    uint64_t value = 0;
    if (unit != NULL && *unit != '\0') {
        shift = 10 * (unsigned)(unit - units + 1);
        s.len--;
    }
    if (!slice_to_u64(s, &value) || value == 0 || value > (SIZE_MAX >> shift)) {
        return false;
    }
    *bytes = (size_t)value << shift;
    return true;
}

static bool set_limit(struct parse *parse, const char *text)
{
    struct host_limits *limits = &parse->options->limits;
    const char *value = strchr(text, '=');
    struct slice name = slice_make(text, value == NULL ? 0 : (size_t)(value - text));
    bool ok = false;
    if (value != NULL && slice_equal(name, SLICE_LIT("memory"))) {
        ok = parse_bytes(value + 1, &limits->memory_bytes) &&
             limits->memory_bytes >= LIMIT_MEMORY_MIN;
    } else if (value != NULL) {
        uint64_t *place = slice_equal(name, SLICE_LIT("load"))      ? &limits->load_ns
                          : slice_equal(name, SLICE_LIT("resume"))  ? &limits->resume_ns
                          : slice_equal(name, SLICE_LIT("request")) ? &limits->request_ns
                                                                    : NULL;
        ok = place != NULL && parse_seconds(value + 1, place) && *place > 0;
    }
    return ok || fail(parse,
                      "--limit %s: load=S, resume=S, request=S (seconds above 0) or memory=256M "
                      "(from 128K)",
                      text);
}

/* A new string of both; NULL: no memory. */
static char *join(const char *head, const char *p, size_t len)
{
    size_t before = strlen(head);
    char *text = malloc(before + len + 1);
    if (text != NULL) {
        memcpy(text, head, before);
        memcpy(text + before, p, len);
        text[before + len] = '\0';
    }
    return text;
}

/* The spellings of "every address": for the contract that is the host "+". */
static bool is_any_address(struct slice host)
{
    return slice_equal(host, SLICE_LIT("0.0.0.0")) || slice_equal(host, SLICE_LIT("[::]")) ||
           slice_equal(host, SLICE_LIT("*"));
}

/* http://HOST:PORT, perhaps with a final slash. */
static bool add_listen(struct parse *parse, const char *text)
{
    struct options *options = parse->options;
    struct slice url = slice_from_cstr(text);
    uint64_t port = 0;
    if (slice_starts_with(url, SLICE_LIT("https:")) || slice_starts_with(url, SLICE_LIT("unix:")) ||
        slice_starts_with(url, SLICE_LIT("fd:"))) {
        return fail(parse, "--listen %s: only http:// is built yet", text);
    }
    if (url.len > 0 && url.p[url.len - 1] == '/') {
        url.len--;
    }
    size_t colon = url.len;
    while (colon > 0 && url.p[colon - 1] != ':') {
        colon--;
    }
    struct slice digits = slice_make(url.p + colon, url.len - colon);
    if (!slice_starts_with(url, SLICE_LIT("http://")) || colon < 9 ||
        memchr(url.p + 7, '/', url.len - 7) != NULL || !slice_to_u64(digits, &port) ||
        port > UINT16_MAX) {
        return fail(parse, "--listen %s: an address is http://HOST:PORT", text);
    }
    if (options->listen_count == OPTIONS_LISTEN_MAX) {
        return fail(parse, "--listen %s: too many addresses", text);
    }
    struct slice host = slice_make(url.p + 7, colon - 8);
    char *copy =
        is_any_address(host) ? join("http://+:", digits.p, digits.len) : join("", url.p, url.len);
    if (copy == NULL) {
        return fail(parse, "not enough memory");
    }
    options->listen[options->listen_count++] = copy;
    return true;
}

static bool add_setting(struct parse *parse, const char *text)
{
    struct options *options = parse->options;
    const char *value = strchr(text, '=');
    if (value == NULL || value == text) {
        return fail(parse, "--set %s: a setting is K=V", text);
    }
    char *key =
        options->setting_count == OPTIONS_SET_MAX ? NULL : join("", text, (size_t)(value - text));
    if (key == NULL) {
        return fail(parse, "--set %s: too many settings, or no memory", text);
    }
    options->setting_keys[options->setting_count] = key;
    options->settings[options->setting_count++] =
        (struct host_setting){.key = key, .value = value + 1};
    return true;
}

static bool set_workers(struct parse *parse, const char *text)
{
    uint64_t count = 0;
    if (strcmp(text, "auto") == 0) {
        unsigned cores = cores_count();
        count = cores > HOST_WORKERS_MAX ? HOST_WORKERS_MAX : cores;
    } else if (!slice_to_u64(slice_from_cstr(text), &count) || count == 0 ||
               count > HOST_WORKERS_MAX) {
        return fail(parse, "--workers %s: a number from 1 to 256, or auto", text);
    }
    parse->options->workers = (unsigned)count;
    return true;
}

/* Index of the word in a list "a|b|c" kept as an array; -1: not in it. */
static int choose(const char *text, const char *const *words)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static bool set_choice(struct parse *parse, enum option_id id, const char *text)
{
    static const char *const traces[] = {"close", "calls", NULL};
    static const char *const loops[] = {"epoll", "io_uring", NULL};
    static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
    static const char *const colors[] = {"auto", "always", "never", NULL};
    static const char *const bad_reloads[] = {"keep", "fail", NULL};
    struct options *options = parse->options;
    int i = 0;
    switch (id) {
    case OPTION_TRACE:
        i = choose(text, traces);
        options->trace = i == 0 ? HOST_TRACE_CLOSE : HOST_TRACE_CALLS;
        return i >= 0 || fail(parse, "--trace %s: close or calls", text);
    case OPTION_LOOP:
        i = choose(text, loops);
        options->backend = i == 0 ? LOOP_BACKEND_EPOLL : LOOP_BACKEND_IO_URING;
        return i >= 0 || fail(parse, "--loop %s: epoll or io_uring", text);
    case OPTION_ON_BAD_RELOAD:
        i = choose(text, bad_reloads);
        options->fail_on_bad_reload = i == 1;
        return i >= 0 || fail(parse, "--on-bad-reload %s: keep or fail", text);
    case OPTION_LOG_LEVEL:
        i = choose(text, levels);
        options->log_level = (enum log_level)(i < 0 ? 0 : i);
        return i >= 0 || fail(parse, "--log-level %s: error, warn, info or debug", text);
    default:
        i = choose(text, colors);
        options->color = (enum color_mode)(i < 0 ? 0 : i);
        return i >= 0 || fail(parse, "--color %s: auto, always or never", text);
    }
}

static bool set_port(struct parse *parse, const char *text)
{
    uint64_t port = 0;
    if (!slice_to_u64(slice_from_cstr(text), &port) || port > UINT16_MAX) {
        return fail(parse, "--port %s: a number from 0 to 65535", text);
    }
    parse->options->port = (uint16_t)port;
    parse->options->any_port = port == 0;
    parse->options->port_given = true;
    return true;
}

static bool set_ready_fd(struct parse *parse, const char *text)
{
    uint64_t fd = 0;
    if (!slice_to_u64(slice_from_cstr(text), &fd) || fd > INT16_MAX) {
        return fail(parse, "--ready-fd %s: the number of an open descriptor", text);
    }
    parse->options->ready_fd = (int)fd;
    return true;
}

static bool set_watch(struct parse *parse, const char *text)
{
    uint64_t ms = 0;
    parse->options->watch = true;
    if (text == NULL || strcmp(text, "inotify") == 0) {
        return true;
    }
    if (strncmp(text, "poll:", 5) != 0 || !slice_to_u64(slice_from_cstr(text + 5), &ms) ||
        ms < 10 || ms > 60000) {
        return fail(parse, "--watch=%s: inotify, or poll:MS with 10 to 60000", text);
    }
    parse->options->poll_ms = (unsigned)ms;
    return true;
}

static bool add_pattern(struct parse *parse, const char **list, size_t *count, const char *text)
{
    if (*count == OPTIONS_WATCH_MAX) {
        return fail(parse, "%s: at most %d patterns", text, OPTIONS_WATCH_MAX);
    }
    list[(*count)++] = text;
    return true;
}

static bool apply(struct parse *parse, enum option_id id, const char *text)
{
    struct options *options = parse->options;
    switch (id) {
    case OPTION_PORT: return set_port(parse, text);
    case OPTION_LISTEN: return add_listen(parse, text);
    case OPTION_WORKERS: return set_workers(parse, text);
    case OPTION_SET: return add_setting(parse, text);
    case OPTION_LIMIT: return set_limit(parse, text);
    case OPTION_READY_FD: return set_ready_fd(parse, text);
    case OPTION_DRAIN:
        parse->drain_given = true;
        return parse_seconds(text, &options->drain_ns) ||
               fail(parse, "--drain %s: seconds, such as 5 or 0.5", text);
    case OPTION_PUBLIC: options->is_public = true; return true;
    case OPTION_EVAL: options->eval = text; return true;
    case OPTION_JSON: options->json = true; return true;
    case OPTION_READY_FILE: options->ready_file = text; return true;
    case OPTION_WATCH: return set_watch(parse, text);
    case OPTION_WATCH_ALSO:
        return add_pattern(parse, options->watch_also, &options->watch_also_count, text);
    case OPTION_WATCH_IGNORE:
        return add_pattern(parse, options->watch_ignore, &options->watch_ignore_count, text);
    case OPTION_CONTROL: options->control = text; return true;
    case OPTION_LUA_DIR: options->lua_dir = text; return true;
    case OPTION_QUIET:
        options->quiet = true;
        options->log_level = LOG_LEVEL_ERROR;
        return true;
    case OPTION_VERBOSE: options->log_level = LOG_LEVEL_DEBUG; return true;
    case OPTION_HELP: options->help = true; return true;
    case OPTION_TRACE:
    case OPTION_LOOP:
    case OPTION_ON_BAD_RELOAD:
    case OPTION_LOG_LEVEL:
    case OPTION_COLOR: return set_choice(parse, id, text);
    }
    return false;
}

/* --- the walk along argv
 * --------------------------------------------------------------------------- */

static const struct option_row *find_option(int id)
{
    for (const struct option_row *row = option_rows; row->name != NULL; row++) {
        if (row->id == id || (row->letter != 0 && row->letter == id)) {
            return row;
        }
    }
    return NULL;
}

/* A word that is no option. The first one is a command or a script. */
static bool add_word(struct parse *parse, const char *word)
{
    struct options *options = parse->options;
    if (options->command == COMMAND_NONE && options->eval == NULL) {
        const struct command_row *row = options_find_command(word);
        if (row != NULL) {
            options->command = row->id;
            return true;
        }
        if (is_in(planned_commands, word, strlen(word))) {
            return fail(parse, "`%s` is not built yet (a script of that name is ./%s)", word, word);
        }
        options->command = COMMAND_RUN;
        parse->is_script = true;
        options->words[options->word_count++] = word;
        return true;
    }
    if (parse->is_script || options->eval != NULL) {
        options->args[options->arg_count++] = word;
    } else {
        options->words[options->word_count++] = word;
    }
    return true;
}

static bool refuse_unknown(struct parse *parse, const char *text, int letter)
{
    char name[3] = {'-', (char)letter, '\0'};
    if (letter != 0 && letter < 256) {
        return fail(parse, "unknown option %s (a script's own options go behind --)", name);
    }
    size_t length = strcspn(text + 2, "=");
    if (is_in(planned_options, text + 2, length)) {
        return fail(parse, "%s is not built yet", text);
    }
    struct near near;
    near_init(&near, text + 2, length);
    for (const struct option_row *row = option_rows; row->name != NULL; row++) {
        near_try(&near, row->name);
    }
    if (near.best != NULL) {
        return fail(parse, "unknown option %s (--%s?)", text, near.best);
    }
    return fail(parse, "unknown option %s (a script's own options go behind --)", text);
}

/* getopt_long takes every unambiguous beginning of a name; the table of options grows, so only
 * whole names may be used. */
static bool is_abbreviated(const char *text, const struct option_row *row)
{
    size_t length = strcspn(text, "=");
    return strncmp(text, "--", 2) == 0 &&
           (strlen(row->name) != length - 2 || memcmp(row->name, text + 2, length - 2) != 0);
}

static bool take_option(struct parse *parse, int found, const char *text)
{
    const struct option_row *row = find_option(found);
    if (found == '?') {
        return refuse_unknown(parse, text, optopt);
    }
    if (found == ':') {
        return fail(parse, "%s needs a value", text);
    }
    if (is_abbreviated(text, row)) {
        return fail(parse, "unknown option %s (--%s?)", text, row->name);
    }
    if ((parse->given & row->commands) != parse->given) {
        parse->last = row->name;
        parse->given &= row->commands;
    }
    return apply(parse, (enum option_id)row->id, optarg);
}

static int argument_kind(const struct option_row *row)
{
    return row->argument == NULL     ? no_argument
           : row->argument[0] == '[' ? optional_argument
                                     : required_argument;
}

static bool walk(struct parse *parse, int argc, char **argv)
{
    struct option longs[sizeof option_rows / sizeof option_rows[0]];
    char shorts[3 * sizeof option_rows / sizeof option_rows[0] + 3] = "-:";
    size_t at = 2;
    memset(longs, 0, sizeof longs);
    for (size_t i = 0; option_rows[i].name != NULL; i++) {
        const struct option_row *row = &option_rows[i];
        longs[i] = (struct option){row->name, argument_kind(row), NULL, row->id};
        if (row->letter != 0) {
            shorts[at++] = (char)row->letter;
            shorts[at++] = ':';
            at -= argument_kind(row) == required_argument ? 0 : 1;
        }
    }
    shorts[at] = '\0';
    optind = 0; /* GNU: start anew, also in a second parse of the same process */
    opterr = 0;
    for (;;) {
        int before = optind == 0 ? 1 : optind;
        int found = getopt_long(argc, argv, shorts, longs, NULL);
        if (found == -1) {
            break;
        }
        if (found == 1 ? !add_word(parse, optarg) : !take_option(parse, found, argv[before])) {
            return false;
        }
    }
    while (optind < argc) {
        parse->options->args[parse->options->arg_count++] = argv[optind++];
    }
    return true;
}

/* What single options cannot say. */
static bool check_whole(struct parse *parse)
{
    struct options *options = parse->options;
    if (options->eval != NULL && options->command == COMMAND_NONE) {
        options->command = COMMAND_RUN;
    }
    if (options->help) {
        return true;
    }
    if (options->command != COMMAND_NONE && (parse->given & (unsigned)options->command) == 0) {
        return fail(parse, "--%s does not belong to this command", parse->last);
    }
    if (options->listen_count > 0 && options->port_given) {
        return fail(parse,
                    "--port and --listen exclude each other: --port is for the default addresses");
    }
    bool needs_file = (options->command & (COMMAND_SERVING | COMMAND_CHECK)) != 0;
    if (needs_file && (options->word_count > 0) == (options->eval != NULL)) {
        return fail(parse, "%s",
                    options->eval != NULL ? "-e and files exclude each other" : "no script given");
    }
    if (options->command == COMMAND_CTL && (options->word_count < 1 || options->word_count > 2)) {
        return fail(parse,
                    "ctl needs one question: reload, rollback, status, gens, tree, drain or stop");
    }
    if (options->command == COMMAND_DEV) {
        options->watch = true;
        options->drain_ns = parse->drain_given ? options->drain_ns : DEV_DRAIN_NS;
    }
    if (options->command == COMMAND_TEST && options->arg_count == 0) {
        return fail(parse, "test needs a command: test FILE -- COMMAND");
    }
    if (options->command == COMMAND_TEST && !options->port_given && options->listen_count == 0) {
        options->any_port = true;
    }
    return true;
}

bool options_parse(struct options *options, int argc, char **argv, char error[OPTIONS_ERROR_BYTES])
{
    struct parse parse = {.options = options, .error = error, .given = COMMAND_ANY, .last = ""};
    memset(options, 0, sizeof *options);
    error[0] = '\0';
    options->workers = 1;
    options->drain_ns = HOST_DRAIN_DEFAULT_NS;
    options->ready_fd = -1;
    options->log_level = LOG_LEVEL_INFO;
    options->words = calloc((size_t)argc + 1, sizeof *options->words);
    options->args = calloc((size_t)argc + 1, sizeof *options->args);
    if (options->words == NULL || options->args == NULL) {
        return fail(&parse, "not enough memory");
    }
    return walk(&parse, argc, argv) && check_whole(&parse);
}

void options_deinit(struct options *options)
{
    for (size_t i = 0; i < options->listen_count; i++) {
        free(options->listen[i]);
    }
    for (size_t i = 0; i < options->setting_count; i++) {
        free(options->setting_keys[i]);
    }
    free(options->words);
    free(options->args);
    options->words = NULL;
    options->args = NULL;
    options->listen_count = options->setting_count = 0;
}
