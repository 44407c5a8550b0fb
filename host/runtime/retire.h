/* The end of one state of an old generation, on its worker, while the newer one serves.
 *
 *   phase             waits for                                               at most      next
 *   RETIRE_NONE       (it serves)                                             -            DRAIN
 *   RETIRE_DRAIN      its requests, and the tasks they have spawned           drain time*  GOODBYE
 *   RETIRE_GOODBYE    its main chunks, in which http.run has returned         EXIT_CHUNK   CANCEL
 *   RETIRE_CANCEL     every task, in which `cancelled` was raised             EXIT_CANCEL  KILL
 *   RETIRE_KILL       what was in flight to come back, tasks stopped hard     -            QUIET
 *   RETIRE_QUIET      the coordinator to close what it holds of the ledger    -            CLOSED
 *   RETIRE_CLOSED     (the Lua state is closed)                               -            -
 *
 *   * but not before the URLs that only this generation has are withdrawn: until then it answers
 *     requests for them.
 *
 * Pulls and background tasks (http.spawn outside of a request) end when it begins, so that a timer
 * of the old and one of the new generation never run both. The steps are those of the exit path,
 * and each of them reports to the log and does not stop the next. When the process stops meanwhile,
 * the exit path takes over and nothing is done here any more.
 *
 * Thread: the worker's, but for what says otherwise. Cost: while a state retires, one look after
 * each turn of the loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/loop.h"

struct generation;
struct member;
struct worker;

enum retire_phase {
    RETIRE_NONE,
    RETIRE_DRAIN,
    RETIRE_GOODBYE,
    RETIRE_CANCEL,
    RETIRE_KILL,
    RETIRE_QUIET,
    RETIRE_CLOSED
};

/* Part of struct member. */
struct retire {
    enum retire_phase phase; /* changed by retire.c alone */
    uint64_t deadline_ns;    /* of the phase, loop_now_ns of the worker */
    struct loop_timer timer; /* makes the worker look at the deadline */
    struct loop_task told;   /* to the coordinator: quiet, closed */
    struct loop_task order;  /* to the worker: close */
    bool begun_quiet;        /* `told` means closed from now on */
    size_t requests;         /* what it had when it began, and at the end: */
    size_t tasks;
    size_t timers;
    size_t coroutines;
    size_t cut; /* requests that did not end within the drain time */
};

/* The state serves no more: a newer one was published on this worker just now. */
void retire_begin(struct member *member);

/* After each turn of the loop, while worker->retiring is not 0. */
void retire_turn(struct worker *worker);

/* Coordinator: called in turn for the quiet and the closed ones; see reload.h. */
void retire_on_quiet(struct generation *generation);
void retire_on_closed(struct generation *generation);

/* Coordinator: every member is quiet and the ledger holds nothing of the generation any more. */
void retire_close(struct generation *generation);
