/* A generation: the script as it was loaded once, with one Lua state for each worker.
 *
 * Start and reload are one path: load every state -> check -> commit -> publish. A failure anywhere
 * before publish discards the whole generation and leaves what was there before untouched. Loading
 * runs on the coordinator and its loop; at commit each state moves to its worker.
 *
 *   phase                   means
 *                           -> next
 *   GENERATION_LOADING      main chunks run on the coordinator; nothing is at the contract
 *                           -> LOADED, DISCARDED
 *   GENERATION_LOADED       every main chunk has returned or waits in http.run or a pull
 *                           -> COMMITTING, DISCARDED
 *   GENERATION_COMMITTING   contract calls; workers take their states
 *                           -> SERVING, DISCARDED
 *   GENERATION_SERVING      published
 *                           -> RETIRING
 *   GENERATION_RETIRING     a newer one serves, or the process stops; requests finish here
 *                           -> CLOSED
 *   GENERATION_CLOSED       its states are closed
 *   GENERATION_DISCARDED    it never served
 *
 * A member is one state of a generation on one worker; a chunk is one script's main chunk in one
 * member:
 *
 *   CHUNK_LOADING   runs or waits for something else
 *                   -> WAITING, PULLING, ENDED, FAILED
 *   CHUNK_WAITING   in http.run: counts as loaded
 *                   -> RUNNING, ENDED, FAILED (cancelled there)
 *   CHUNK_PULLING   has waited in queue:receive or queue:requests: loaded
 *                   -> WAITING, ENDED, FAILED
 *   CHUNK_RUNNING   http.run has returned, the code behind it runs
 *                   -> WAITING, ENDED, FAILED
 *   CHUNK_ENDED     returned
 *   CHUNK_FAILED    raised
 *
 * Owner: host. Thread: coordinator; a member belongs to its worker from commit to the end of
 * stage 4. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include "api/httpapi.h"
#include "api/loop.h"
#include "base/list.h"
#include "binding/state.h"
#include "binding/task.h"
#include "runtime/dispatch.h"
#include "runtime/host.h"
#include "runtime/retire.h"
#include "runtime/sources.h"

struct dev_wait;
struct generation;
struct guard_slot;
struct host;
struct member;
struct script;
struct worker;

enum generation_phase {
    GENERATION_LOADING,
    GENERATION_LOADED,
    GENERATION_COMMITTING,
    GENERATION_SERVING,
    GENERATION_RETIRING,
    GENERATION_CLOSED,
    GENERATION_DISCARDED
};

enum chunk_phase {
    CHUNK_LOADING,
    CHUNK_WAITING,
    CHUNK_PULLING,
    CHUNK_RUNNING,
    CHUNK_ENDED,
    CHUNK_FAILED
};

enum {
    LOAD_TEXT_BYTES_MAX = 4096, /* message and traceback of a failed load */
    LOAD_HINT_BYTES_MAX = 512,
    MEMBER_WARNING_BYTES_MAX = 512 /* of one warn(); longer ones are cut */
};

/* Why a generation did not come to serve: what the terminal shows. */
struct load_error {
    int exit_code;                  /* enum host_exit: 3, 4 or 70; 0: the script asked to stop */
    char text[LOAD_TEXT_BYTES_MAX]; /* "app.lua:3: unexpected symbol near '='", traceback */
    char hint[LOAD_HINT_BYTES_MAX]; /* the cure, or "" */
};

/* One script's main chunk in one member. */
struct chunk {
    struct member *member;
    const struct script *script;
    struct task *task;      /* NULL once it has ended */
    enum chunk_phase phase; /* changed by chunk_enter alone */
    struct wait wait;       /* of http.run */
    int result; /* index on the state's L of what a mounted script returned; 0: nothing */
};

/* One state of a generation on one worker. */
struct member {
    struct state state; /* state.host points back here */
    struct host *host;
    struct generation *generation;
    struct worker *worker; /* NULL while it is the coordinator's */
    struct list_node node; /* in the list of its place: host.members or worker.members */
    struct chunk *chunks;  /* one a script */
    size_t chunk_count;
    size_t chunks_loading;                  /* still in CHUNK_LOADING */
    size_t chunks_open;                     /* neither ended nor failed */
    bool is_open;                           /* the state is open */
    bool load_failed;                       /* a chunk failed while loading: error is filled in */
    bool run_over;                          /* http.run returns at once from now on */
    uint64_t load_deadline_ns;              /* clock_mono_ns */
    struct guard_slot *guard;               /* while on its worker */
    struct retire retire;                   /* once a newer generation serves */
    struct dev_wait *news;                  /* dev.c: event streams that wait; NULL: not in dev */
    bool refreshes;                         /* its pages refresh themselves */
    char warning[MEMBER_WARNING_BYTES_MAX]; /* pieces of a warn() so far (luaenv.c) */
};

struct generation {
    struct host *host;
    uint32_t number; /* 1 is the first */
    enum generation_phase phase;
    uint64_t phase_ns;      /* clock_mono_ns when it entered the phase */
    struct member *members; /* one a worker */
    size_t member_count;
    uint64_t queues[DISPATCH_QUEUES_MAX]; /* ids: every worker has them since its commit */
    size_t queue_count;
    struct sources *sources;    /* what it was loaded from */
    struct host_closed at_end;  /* once it retires: for the report */
    _Atomic bool is_withdrawn;  /* it retires, and its URLs are what the newer one has too */
    bool is_let_go;             /* a worker closes what it holds of the ledger */
    size_t quiet, closed;       /* members that have retired so far; coordinator */
    size_t own_urls;            /* of its URLs, how many are the host's (dev.h) */
    bool is_stand_in;           /* made by the host while no script loads (dev.h) */
    struct load_error *error;   /* while loading: the caller's */
    _Atomic size_t chunks_open; /* over all members */
    _Atomic bool end_noted;     /* `ended` was posted */
    struct loop_task ended;     /* to the coordinator: the last chunk has returned */
    struct list_node node;      /* host.generations, newest first */
};

/* Loads every state, from the files or, when sources is not NULL, from those texts. On success the
 * generation is LOADED and in host.generations.
 * NULL: it failed or the host was asked to stop; error says why. Its members then wait in
 * host.members, with open states, for the exit path or generation_discard: a failed state still has
 * coroutines whose <close> variables must run. */
struct generation *generation_load(struct host *host, struct sources *sources,
                                   struct load_error *error);

/* Something of it is live after loading: a URL, a waiting or pulling chunk, a spawned task. */
bool generation_is_live(const struct generation *generation);

/* Check, contract calls, hand the states to their workers, publish. The workers run already.
 * false: error says why; nothing is published and what was opened is closed by generation_discard
 * or the exit path. */
bool generation_commit(struct generation *generation, struct load_error *error);

/* The load or the commit failed while an older generation serves: cancels and closes what there is
 * of it and frees it. Waits for at most EXIT_CANCEL_NS for <close> variables. Not to be called when
 * the host stops: the exit path has it then. Coordinator. */
void generation_discard(struct generation *generation);

/* For what makes a load fail that is no error of Lua's: os.exit in a main chunk. The first text
 * stands. */
void member_fail_load(struct member *member, const char *text);

/* A newer one serves: its URLs are withdrawn but for those that it shares, and its states end on
 * their workers (retire.h). Coordinator. */
void generation_retire(struct generation *generation);

/* To be called when it serves and whenever its last main chunk has returned. A generation without
 * URLs and main chunks ends with the last of its spawned tasks: the workers are asked to tell
 * (host.watches_end). Coordinator. */
void generation_watch_end(struct generation *generation);

/* Changes the phase of a chunk; asserts the table above and keeps the counts. The state's thread.
 */
void chunk_enter(struct chunk *chunk, enum chunk_phase phase);

/* The chunk whose task runs in this coroutine; NULL: a handler, a spawned task, or nothing. */
struct chunk *chunk_of(lua_State *L);

/* Lets http.run return in every chunk of the member, now and later. The state's thread. */
void member_end_run(struct member *member);

/* Closes the state and what belongs to it. It must be quiet; no guard slot. The state's thread. */
void member_close(struct member *member);

/* Frees a generation whose members are all closed, or left behind (forced). Coordinator. */
void generation_destroy(struct generation *generation);
