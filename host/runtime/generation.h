/* A generation: the script as it was loaded once, with one Lua state for each worker.
 *
 * Start and reload are one path: load every state -> check -> commit -> publish. A failure anywhere before publish discards the whole generation and
 * leaves what was there before untouched. Loading runs on the coordinator and its loop; at commit each state moves to its worker.
 *
 *   phase                   means                                                          next
 *   GENERATION_LOADING      main chunks run on the coordinator; nothing is at the contract  LOADED, DISCARDED
 *   GENERATION_LOADED       every main chunk has returned or waits in http.run or a pull   COMMITTING, DISCARDED
 *   GENERATION_COMMITTING   contract calls; workers take their states                      SERVING, DISCARDED
 *   GENERATION_SERVING      published                                                      RETIRING
 *   GENERATION_RETIRING     a newer one serves, or the process stops; requests finish here CLOSED
 *   GENERATION_CLOSED       its states are closed                                          -
 *   GENERATION_DISCARDED    it never served                                                -
 *
 * A member is one state of a generation on one worker; a chunk is one script's main chunk in one member:
 *
 *   CHUNK_LOADING   runs or waits for something else                        WAITING, PULLING, ENDED, FAILED
 *   CHUNK_WAITING   in http.run: counts as loaded                           RUNNING
 *   CHUNK_PULLING   has waited in queue:receive or queue:requests: loaded   WAITING, ENDED, FAILED
 *   CHUNK_RUNNING   http.run has returned, the code behind it runs          WAITING, ENDED, FAILED
 *   CHUNK_ENDED     returned                                                -
 *   CHUNK_FAILED    raised                                                  -
 *
 * Owner: host. Thread: coordinator; a member belongs to its worker from commit to the end of stage 4. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include "api/httpapi.h"
#include "api/loop.h"
#include "base/buf.h"
#include "base/list.h"

struct host;
struct state;
struct task;
struct worker;
struct script;

enum generation_phase {
    GENERATION_LOADING,
    GENERATION_LOADED,
    GENERATION_COMMITTING,
    GENERATION_SERVING,
    GENERATION_RETIRING,
    GENERATION_CLOSED,
    GENERATION_DISCARDED,
};

enum chunk_phase {
    CHUNK_LOADING,
    CHUNK_WAITING,
    CHUNK_PULLING,
    CHUNK_RUNNING,
    CHUNK_ENDED,
    CHUNK_FAILED,
};

/* Why a generation did not come to serve: what the terminal shows. */
struct load_error {
    int exit_code;   /* host_exit: 3 or 4 (70 ours) */
    char text[2048]; /* "app.lua:3: unexpected symbol near '='", with traceback when there is one */
    char hint[512];  /* the cure, or empty */
};
