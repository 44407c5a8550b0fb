/* The host: one process that serves Lua scripts, from the first contract call to the last.
 *
 * host_run is the whole life: initialise -> load the first generation -> commit -> serve -> the
 * exit path (exit.h). It runs on the calling thread, which becomes the coordinator: it owns the
 * loop on which generations load, hears signals, and conducts the exit path. It never serves a
 * request; that is what the workers do (worker.h), each on a thread of its own with a loop of its
 * own.
 *
 *   coordinator                               worker 0..N-1
 *   load N states, one a worker (generation.h)
 *   commit: ledger phase A
 *     loop_post ---------------------------->  take the state, attach queues, arm receives
 *     <---------------------------- loop_post  done
 *   commit: ledger phase B (URLs), publish
 *   wait                                       serve
 *   exit_run: six stages (exit.h)
 *
 * The two sides speak by loop_post only; there is no lock between them but the ledger's.
 *
 * Owner: host_run's caller owns the config and everything in it until host_run returns. Thread:
 * host_run on one thread at a time a process (the contract behind it has no context argument);
 * host_stop and host_number on any thread while host_run runs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/httpapi.h"
#include "api/loop.h"
#include "base/log.h"
#include "base/slice.h"

struct host;

enum {
    HOST_WORKERS_MAX = 256,       /* more workers than this are refused */
    HOST_SOURCES_MAX = 4096,      /* route scripts of one generation */
    HOST_PORT_TRIES_MAX = 8,      /* free ports tried for -p 0 before giving up */
    HOST_PORT_DEFAULT = 8080,     /* bare paths, when the command line says nothing */
    HOST_REASON_BYTES_MAX = 1024, /* verdict texts are cut here */
};

/* What the process ends with; the numbers are frozen (commandline.md). */
enum host_exit {
    HOST_EXIT_OK = 0,        /* asked to stop, or the script came to its end */
    HOST_EXIT_FAILED = 1,    /* the script failed after it was loaded (an assert behind http.run) */
    HOST_EXIT_USAGE = 2,     /* the command line */
    HOST_EXIT_LOAD = 3,      /* the script does not load */
    HOST_EXIT_LISTEN = 4,    /* port in use, no permission, bad address */
    HOST_EXIT_FILE = 5,      /* a file of the command line is missing or cannot be read */
    HOST_EXIT_DRAIN = 6,     /* the drain time ran out and something was cut */
    HOST_EXIT_INTERNAL = 70, /* a bug of ours, or no memory for the host itself */
    HOST_EXIT_SIGNAL = 128,  /* + number: a second signal */
};

/* Why the host ends. The first cause wins, but for a second signal, which only makes everything
 * faster. */
enum host_cause {
    HOST_CAUSE_NONE,     /* still running */
    HOST_CAUSE_END,      /* main chunks returned and nothing is open */
    HOST_CAUSE_STOP,     /* http.stop() */
    HOST_CAUSE_OS_EXIT,  /* os.exit(); its code becomes ours */
    HOST_CAUSE_SIGNAL,   /* SIGINT, SIGTERM */
    HOST_CAUSE_CHILD,    /* the command of `test FILE -- CMD` ended; its code becomes ours */
    HOST_CAUSE_LOAD,     /* a script did not load */
    HOST_CAUSE_LISTEN,   /* an address could not be taken */
    HOST_CAUSE_SCRIPT,   /* a main chunk failed while serving or after http.run */
    HOST_CAUSE_INTERNAL, /* ours */
};

/* A file (a directory is one source too, loadpath.h expands it) or a text. */
struct host_source {
    const char *path; /* file or directory; NULL: text */
    const char *text; /* Lua source, when path is NULL */
    size_t text_len;  /* bytes */
    const char *name; /* chunk name of a text without "=": "-e", "stdin" */
};

/* --set K=V: http.arg.K == "V". */
struct host_setting {
    const char *key;
    const char *value;
};

/* How far a script may go (guard.h). Zero members take the default. */
struct host_limits {
    uint64_t load_ns;    /* wall time from the first chunk to "loaded": 10 s */
    uint64_t resume_ns;  /* one resume that cannot be interrupted by yielding: 2 s */
    uint64_t request_ns; /* processor time of one task over its longer resumes: 30 s */
    size_t memory_bytes; /* of one Lua state: 256 MiB */
};

/* What happened, for terminal and --json. Pointers are good during the call only. */
enum host_event_kind {
    HOST_EVENT_READY,   /* every worker serves, listeners accept: url, generation */
    HOST_EVENT_RELOAD,  /* a newer generation serves on every worker: generation, before, text is
                           what triggered it, took_ns, changed, in_flight, broken_ns */
    HOST_EVENT_BROKEN,  /* a reload failed, or the first load in dev: text, hint, generation is the
                           one that serves on */
    HOST_EVENT_CLOSED,  /* an old generation has ended: generation, closed */
    HOST_EVENT_DRAIN,   /* stage 1 begins: cause, text */
    HOST_EVENT_SUMMARY, /* the last event: cause, code, text */
};

/* What an old generation had when the newer one took over; left: what was found open at its end. */
struct host_closed {
    unsigned urls, groups, sessions, queues; /* those that only it had */
    unsigned tasks, timers, coroutines;
    unsigned cut; /* requests that the drain time did not suffice for */
    unsigned
        left; /* objects that its scripts neither used nor closed; each has a line in the log */
};

struct host_event {
    enum host_event_kind kind;
    const char
        *url; /* READY, and BROKEN when nothing serves: the first bare-path address, else the first
                 URL; NULL without any URL */
    uint16_t port;       /* READY: of url */
    uint32_t generation; /* READY: 1 for the first */
    enum host_cause cause;
    int code;                         /* SUMMARY: the exit code */
    uint32_t before;                  /* RELOAD, BROKEN: the generation that served; 0: none */
    bool outage;                      /* BROKEN: requests get 503 until it is mended */
    uint64_t broken_ns;               /* RELOAD: since the first failed load before it; 0: none */
    uint64_t took_ns;                 /* RELOAD, BROKEN: since the trigger */
    unsigned changed;                 /* RELOAD: URLs added and gone */
    unsigned in_flight;               /* RELOAD: requests that stay in the one before */
    const char *hint;                 /* BROKEN: the cure, or "" */
    const struct host_closed *closed; /* CLOSED */
    const char *text;                 /* DRAIN, SUMMARY: in words, one line */
};

/* For on_request; good during the call only. */
struct host_request {
    struct slice method, path; /* decoded, without query; cut (reqlog.h) */
    unsigned status;           /* 0: it was never answered */
    uint64_t took_ns;          /* until its handler and its stream had ended */
    uint32_t generation;       /* 0: none had it */
};

enum host_trace { HOST_TRACE_OFF, HOST_TRACE_CLOSE, HOST_TRACE_CALLS };

struct host_config {
    const struct host_source *sources;
    size_t source_count;
    const struct host_setting *settings;
    size_t setting_count;
    const char *const
        *args; /* what follows the script: http.arg[1]..., and `...` of the main chunk */
    size_t arg_count;
    const char *program; /* http.arg[0]'s fallback; NULL: "moonlatch" */

    unsigned workers; /* 0: 1 */
    uint16_t port;    /* bare paths; 0: HOST_PORT_DEFAULT, unless any_port */
    bool any_port;    /* -p 0 */
    const char *const
        *listen; /* -l, in order: prefixes like "http://127.0.0.1:8080" that bare paths go to */
    size_t listen_count;
    bool is_public; /* addresses that other machines can reach are meant: no warning */
    enum loop_backend backend;
    uint64_t drain_ns;             /* 0: do not wait at all; see HOST_DRAIN_DEFAULT_NS */
    bool dev;                      /* error pages, refresh, and a first load that fails is waited
                                      out (dev.h) */
    bool fail_on_bad_reload;       /* 503 from a failed reload to the next good one */
    bool watch;                    /* a changed file is a reload (watch.h) */
    unsigned watch_poll_ms;        /* 0: as the system tells */
    const char *const *watch_also; /* patterns of further files */
    size_t watch_also_count;
    const char *const *watch_ignore; /* patterns of files that are not followed */
    size_t watch_ignore_count;
    bool control;             /* open a control socket (ctl.h) */
    const char *control_path; /* its place; the host fails without it. NULL: the usual place, and a
                                 warning when that is not possible */
    struct host_limits limits;
    const char
        *lua_dir; /* development: modules are read from here before the embedded ones; NULL: none */
    const struct log *log; /* NULL: silent */

    /* Each contract call of the ledger, in order, with its result. `during_exit` tells those of the
     * exit path. Any thread; NULL: none. */
    void (*on_trace)(void *ctx, bool during_exit, const char *call, const char *object,
                     ULONG result);
    void (*on_event)(void *ctx, struct host *host,
                     const struct host_event *event); /* coordinator; NULL: none */

    /* A request that a handler was called for has ended, or got 503 instead. The worker's thread,
     * which must not wait; NULL: none. */
    void (*on_request)(void *ctx, const struct host_request *request);

    /* A descriptor from which the coordinator reads signal numbers, one byte each, and hands each
     * to on_signal; -1: none. */
    int signal_fd;
    void (*on_signal)(void *ctx, struct host *host, int number); /* coordinator */
    void *ctx;                                                   /* for the four */
};

#define HOST_DRAIN_DEFAULT_NS UINT64_C(5000000000)

/* How it went. */
struct host_verdict {
    enum host_cause cause;
    int code;                           /* the exit code (host_exit, the child's, os.exit's) */
    char reason[HOST_REASON_BYTES_MAX]; /* one line, in words */
    char hint[HOST_REASON_BYTES_MAX];   /* the cure, or empty */
    unsigned failures;                  /* contract calls of the exit path that did not return 0 */
    unsigned cut; /* requests and connections that did not get their whole answer */
    bool forced;  /* something could not be ended in time; the caller should leave by _exit soon */
};

/* Fills in the defaults: one worker, port 8080, 5 s of drain, no signals. */
void host_config_init(struct host_config *config);

/* The whole life of the host; returns verdict->code. Everything it opened is closed when it
 * returns, however it went. Errors: none beyond the verdict. */
int host_run(const struct host_config *config, struct host_verdict *verdict);

/* Asks the host to end. The first caller's cause and code stand; later calls change nothing. code:
 * used by OS_EXIT, CHILD, STOP and SCRIPT. text: one line in words, copied, may be NULL. Any
 * thread, also from a signal callback of the config; not from a signal handler. */
void host_stop(struct host *host, enum host_cause cause, int code, const char *text);

/* What SIGINT and SIGTERM do: the first drains, the second ends the drain ("now") and makes the
 * exit code 128 + number. Coordinator only. */
void host_on_stop_signal(struct host *host, int number);

/* Loads the scripts anew; serve on with what there is when that fails. cause: what the terminal
 * shows, copied. Returns at once. Coordinator only. */
void host_reload(struct host *host, const char *cause);

/* Whether stopping has begun. Any thread. */
bool host_is_stopping(const struct host *host);

/* "end of script", "http.stop", ... for messages and the summary event. */
const char *host_cause_name(enum host_cause cause);
