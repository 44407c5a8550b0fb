/* How a generation ends: it never served, or a newer one serves. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/log.h"
#include "binding/ledger.h"
#include "runtime/exit.h"
#include "runtime/generation_internal.h"
#include "runtime/guard.h"
#include "runtime/hostdata.h"
#include "runtime/sources.h"

/* --- a generation that never serves --------------------------------------------------------------
 */

static bool has_ended_tasks(void *ctx)
{
    const struct generation *generation = ctx;
    for (size_t i = 0; i < generation->member_count; i++) {
        const struct member *member = &generation->members[i];
        if (member->is_open && state_count_live(&member->state, LIVE_TASK) > 0) {
            return false;
        }
    }
    return true;
}

static bool is_quiet(void *ctx)
{
    const struct generation *generation = ctx;
    for (size_t i = 0; i < generation->member_count; i++) {
        const struct member *member = &generation->members[i];
        if (member->is_open && !state_is_quiet(&member->state)) {
            return false;
        }
    }
    return true;
}

static void cancel_member(struct member *member)
{
    state_enter(&member->state, STATE_STOPPING);
    state_cancel_tasks(&member->state, NULL);
}

/* States that never left the coordinator. */
static void end_here(struct generation *generation)
{
    struct host *host = generation->host;
    for (size_t i = 0; i < generation->member_count; i++) {
        if (generation->members[i].is_open) {
            cancel_member(&generation->members[i]);
        }
    }
    (void)host_wait(host, has_ended_tasks, generation, loop_now_ns(host->loop) + EXIT_CANCEL_NS);
    for (size_t i = 0; i < generation->member_count; i++) {
        if (generation->members[i].is_open) {
            state_kill_tasks(&generation->members[i].state, "the load failed");
        }
    }
    (void)host_wait(host, is_quiet, generation, UINT64_MAX);
}

static void take_back(struct worker_call *call)
{
    struct member *member = call->arg;
    dispatch_announce(&call->worker->dispatch, NULL);
    cancel_member(member);
    state_kill_tasks(&member->state, "the commit failed");
}

static bool is_taken_back(const struct worker *worker)
{
    const struct member *member = worker->lasting->arg;
    return state_is_quiet(&member->state);
}

static void close_taken(struct worker_call *call)
{
    member_close(call->arg);
}

struct barrier {
    struct loop_task task;
    bool reached;
};

static void reach(struct loop_task *task)
{
    LIST_ITEM(task, struct barrier, task)->reached = true;
}

static bool is_reached(void *ctx)
{
    const struct barrier *barrier = ctx;
    return barrier->reached;
}

void generation_discard(struct generation *generation)
{
    struct host *host = generation->host;
    bool taken = generation->member_count > 0 && generation->members[0].worker != NULL;
    struct barrier barrier = {.task = {.run = reach}};
    (void)atomic_exchange(&generation->end_noted, true);
    if (taken) {
        generation_send(generation, take_back, is_taken_back);
    } else {
        end_here(generation);
    }
    (void)generation_step(generation, STEP_DISCARD, NULL);
    if (taken) {
        (void)generation_send(generation, close_taken, NULL);
    }
    for (size_t i = 0; i < generation->member_count && !taken; i++) {
        member_close(&generation->members[i]);
    }
    if (generation->phase != GENERATION_DISCARDED) {
        generation_enter(generation, GENERATION_DISCARDED);
    }
    loop_post(host->loop, &barrier.task); /* behind `ended`, which may be on its way */
    (void)host_wait(host, is_reached, &barrier, UINT64_MAX);
    generation_destroy(generation);
}

/* --- a generation that has served ----------------------------------------------------------------
 */

static void count_open(struct generation *generation, struct host_closed *closed)
{
    size_t counts[NODE_KIND_COUNT];
    ledger_count_own(generation->host->ledger, generation->number, counts);
    closed->urls = (unsigned)counts[NODE_URL];
    closed->groups = (unsigned)counts[NODE_GROUP];
    closed->sessions = (unsigned)counts[NODE_SESSION];
    closed->queues = (unsigned)counts[NODE_QUEUE];
}

static void on_leftover(void *ctx, const struct ledger_info *leftover)
{
    struct generation *generation = ctx;
    generation->at_end.left++;
    log_write(generation->host->log, LOG_LEVEL_WARN,
              "gen %u left a %s open that it did not use, made at %s:%d",
              (unsigned)generation->number, ledger_kind_name(leftover->kind), leftover->made.file,
              leftover->made.line);
}

static void after_let_go(struct loop_task *task)
{
    struct generation *generation = LIST_ITEM(task, struct generation, ended);
    if (atomic_load(&generation->host->stage) == EXIT_NOT_BEGUN) {
        retire_close(generation);
    }
}

/* On a worker: see enum ledger_step. */
static void let_go(struct loop_task *task)
{
    struct generation *generation = LIST_ITEM(task, struct generation, ended);
    struct host *host = generation->host;
    if (generation->members[0].worker->phase != WORKER_SERVING) {
        return; /* the exit path closes the ledger and the states */
    }
    ledger_leftovers(host->ledger, generation->number, on_leftover, generation);
    atomic_store(&host->closing, true);
    ledger_retire(host->ledger, generation->number);
    atomic_store(&host->closing, false);
    generation->ended.run = after_let_go;
    loop_post(host->loop, &generation->ended);
}

/* Once it is known that it retires and every member is quiet: the states may be so fast that they
 * are quiet before the coordinator has reported the reload. */
static void close_when_quiet(struct generation *generation)
{
    struct host *host = generation->host;
    if (!atomic_load(&generation->is_withdrawn) || generation->is_let_go ||
        generation->quiet < generation->member_count ||
        atomic_load(&host->stage) != EXIT_NOT_BEGUN) {
        return; /* in the last case the exit path closes the ledger and the states */
    }
    generation->is_let_go = true;
    generation->ended.run = let_go;
    loop_post(generation->members[0].worker->loop, &generation->ended);
}

void generation_retire(struct generation *generation)
{
    generation_enter(generation, GENERATION_RETIRING);
    count_open(generation, &generation->at_end);
    if (!ledger_withdraw_kept(generation->host->ledger, generation->number)) {
        (void)generation_step(generation, STEP_WITHDRAW, NULL);
    }
    atomic_store(&generation->is_withdrawn, true); /* not before: it would be freed meanwhile */
    for (size_t i = 0; i < generation->member_count; i++) {
        loop_wake(generation->members[i].worker->loop);
    }
    close_when_quiet(generation);
}

void retire_on_quiet(struct generation *generation)
{
    generation->quiet++;
    close_when_quiet(generation);
}

void retire_on_closed(struct generation *generation)
{
    struct host *host = generation->host;
    struct host_closed *closed = &generation->at_end;
    if (++generation->closed < generation->member_count) {
        return;
    }
    for (size_t i = 0; i < generation->member_count; i++) {
        const struct retire *retire = &generation->members[i].retire;
        closed->tasks += (unsigned)retire->tasks;
        closed->timers += (unsigned)retire->timers;
        closed->coroutines += (unsigned)retire->coroutines;
        closed->cut += (unsigned)retire->cut;
    }
    generation_enter(generation, GENERATION_CLOSED);
    if (!generation->is_stand_in) {
        host_tell(host, &(struct host_event){.kind = HOST_EVENT_CLOSED,
                                             .generation = generation->number,
                                             .closed = closed});
    }
    generation_destroy(generation);
    if (reload_count_alive(host) == 1) {
        heap_trim(); /* of what only the older ones needed */
    }
}
