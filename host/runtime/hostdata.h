/* The inside of struct host: shared by host.c, generation.c, worker.c, exit.c and the Lua functions
 * of control.c, by nobody else.
 *
 * Owner: host_run. Thread: the coordinator, but for what says otherwise. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/loop.h"
#include "base/list.h"
#include "binding/ledger.h"
#include "runtime/exit.h"
#include "runtime/host.h"
#include "runtime/reload.h"

struct ctl;
struct dev;
struct store;
struct watch;
struct guard;
struct worker;

enum {
    HOST_ADDRESSES_MAX = 16,     /* bases of bare paths: the three defaults or -l */
    HOST_HOLDER_BYTES_MAX = 400, /* "nginx (pid 311, /srv)" */
    HOST_BASE_BYTES_MAX = 300,   /* "http://host:port" */
    HOST_URL_BYTES_MAX = 2048,   /* of the ready line */
};

struct host {
    const struct host_config *config; /* host_run's caller's */
    const struct log *log;            /* config's */
    struct host_limits limits;        /* config's, defaults filled in */
    unsigned workers_wanted;

    struct loop *loop;      /* the coordinator's */
    struct ledger *ledger;  /* thread safe by itself */
    struct guard *guard;    /* thread safe by itself */
    struct worker *workers; /* worker_count of them have a thread */
    unsigned worker_count;
    struct list members;        /* struct member that live here: loading, or failed to */
    struct list generations;    /* newest first */
    uint32_t generation_last;   /* number of the newest one */
    struct generation *current; /* published; NULL before */
    struct sources *previous;   /* what served before current; NULL: nothing */
    struct reload reload;
    struct store *store; /* http.store */
    struct dev *dev;     /* NULL: not in dev */
    bool has_warned_reachable;
    bool outage;          /* the gates of the workers are closed (dev.h) */
    struct watch *watch;  /* NULL: files are not followed */
    struct ctl *ctl;      /* control socket; NULL: none */
    uint64_t drain_ns;    /* config's, unless `ctl drain` has said otherwise */
    _Atomic bool closing; /* contract calls are those of a retiring generation: traced as such */
    char holder[HOST_HOLDER_BYTES_MAX]; /* who had the port that was asked for last; "" unknown */
    bool watches_end; /* the workers' present errand is "tell when no task is left" */

    char bases[HOST_ADDRESSES_MAX][HOST_BASE_BYTES_MAX]; /* with the port filled in */
    struct ledger_address addresses[HOST_ADDRESSES_MAX]; /* point into bases */
    size_t address_count;
    bool any_port; /* a port must be found: -p 0 or -l with port 0 */

    struct loop_watch signal_watch; /* on config->signal_fd */
    void *signal_reader;            /* signal_watch_windows.c */
    int signal_first;               /* number of the first stop signal; 0: none */
    int signal_second;              /* and of the second */

    /* Why it ends. Any thread, under the lock; cause also without, by host_is_stopping. */
    pthread_mutex_t stop_lock;
    _Atomic int cause; /* enum host_cause */
    int code;
    char text[HOST_REASON_BYTES_MAX];
    char hint[HOST_REASON_BYTES_MAX];
    bool script_failed;                  /* a main chunk failed after it was loaded */
    char failure[HOST_REASON_BYTES_MAX]; /* the first line of its error */

    _Atomic int stage; /* enum exit_stage; written by exit.c */
};

/* host_stop with a hint. Any thread. */
void host_stop_with(struct host *host, enum host_cause cause, int code, const char *text,
                    const char *hint);

/* A main chunk failed while serving or after http.run: stops the host, or spoils its verdict when
 * it stops already. Any thread. */
void host_script_failed(struct host *host, const char *text);

/* "http://localhost:8080" of the first bare path, else of the first URL, and its port; "" and 0
 * without any. Coordinator. */
uint16_t host_find_url(struct host *host, char url[HOST_URL_BYTES_MAX]);

/* The event HOST_EVENT_READY; once. Coordinator. */
void host_tell_ready(struct host *host);

/* The event HOST_EVENT_DRAIN. Coordinator. */
void host_tell_drain(struct host *host);

/* Hands a contract call to the config's on_trace. Any thread. */
void host_trace(struct host *host, const char *call, const char *object, ULONG result);

/* Hands an event to the config's on_event. Coordinator. */
void host_tell(struct host *host, const struct host_event *event);

/* The present errand of every worker is done. */
bool host_errands_are_done(void *host);

/* Turns the coordinator's loop until is_over(ctx) or the deadline (clock of loop_now_ns;
 * UINT64_MAX: none). Returns is_over's last answer. */
bool host_wait(struct host *host, bool (*is_over)(void *ctx), void *ctx, uint64_t deadline_ns);

/* Hands the addresses of bare paths to the ledger; finds a free port first where one is asked for.
 */
ULONG host_set_addresses(struct host *host);
