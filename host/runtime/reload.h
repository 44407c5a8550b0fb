/* Reload as a transaction: the next generation is loaded and checked while the present one serves,
 * takes over on all workers at one point, and the old one drains and closes behind it.
 *
 *   trigger (SIGHUP, ctl, watcher) -> reload_request        only takes note
 *   host's waiting loop            -> reload_turn           when at most two generations live
 *     generation_load  -> failed: generation_discard, the old one serves on, HOST_EVENT_BROKEN
 *     generation_commit (URLs of the new one registered, published on every worker)
 *     ledger_withdraw   URLs that only the old one had go last
 *     HOST_EVENT_RELOAD, the waiters are told: every worker has switched
 *   retire.h on each worker -> ledger_retire -> lua_close -> HOST_EVENT_CLOSED
 *
 * A request that arrives while a reload runs is another reload after it; several are one.
 *
 * Owner: struct host has the struct reload. Thread: coordinator. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "runtime/generation.h"

struct host;

enum {
    RELOAD_ALIVE_MAX = 3,        /* generations: one serves, two retire; the next one waits */
    RELOAD_CAUSE_BYTES_MAX = 256 /* "routes/order.lua", "SIGHUP": cut */
};

/* How a reload went; what a waiter gets. Good during the call only. */
struct reload_result {
    bool ok;
    uint32_t before; /* the generation that served, and serves on when it failed */
    uint32_t after;  /* the one that serves now, or that failed */
    uint64_t took_ns;
    unsigned changed;               /* URLs added or gone */
    unsigned in_flight;             /* requests that stay in the one before */
    const struct load_error *error; /* not ok */
};

/* Somebody who wants to hear of the next reload that begins from now on. Owner: the caller, until
 * `done` was called or reload_forget. */
struct reload_waiter {
    struct list_node node;
    void (*done)(struct reload_waiter *waiter, const struct reload_result *result);
};

struct reload {
    bool wanted;
    bool wanted_back; /* by rollback: the sources of the generation before */
    bool running;
    bool restart;      /* a file has changed while it was being loaded: load again */
    bool only_watched; /* nobody but the watcher wants it */
    char cause[RELOAD_CAUSE_BYTES_MAX]; /* of the wanted one: the first */
    uint64_t wanted_ns;                 /* clock_mono_ns of it */
    uint64_t ended_ns;                  /* of the last one */
    struct list waiters;                /* for the wanted one */
    struct list told;                   /* for the running one */
    unsigned done, failed;              /* so far */
    bool broken;             /* the last one failed: the generation is older than the files */
    uint64_t broken_ns;      /* clock_mono_ns of the first that failed after a good one; 0: none */
    struct load_error error; /* of it */
};

void reload_init(struct reload *reload);

/* Another generation is wanted. cause: what the terminal shows, copied. waiter: may be NULL. */
void reload_request(struct host *host, const char *cause, struct reload_waiter *waiter);

/* The same for the watcher: a load that is under way begins anew, and nothing is done when the
 * files are by then what was loaded. */
void reload_request_watched(struct host *host, const char *cause);

/* Whether a load that is under way is to be given up for a newer one. */
static inline bool reload_restarts(const struct reload *reload)
{
    return reload->running && reload->restart;
}

/* The generation before the present one is wanted again, as it was read then. false: there is none.
 */
bool reload_request_back(struct host *host, struct reload_waiter *waiter);

/* The waiter will not be called. Harmless when it was. */
void reload_forget(struct reload_waiter *waiter);

/* Whether reload_turn has something to do. */
bool reload_is_due(const struct host *host);

/* Does it: from loading to the report. */
void reload_turn(struct host *host);

/* A load has failed: takes note, closes the gates where that is wanted, and tells it. before: the
 * generation that serves on; 0: none. host->current must be there. */
void reload_note_broken(struct host *host, const struct load_error *error, uint32_t before,
                        uint64_t took_ns);

/* Generations that are not closed, the one that serves included. */
size_t reload_count_alive(const struct host *host);
