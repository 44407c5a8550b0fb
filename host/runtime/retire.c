#include "runtime/retire.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "runtime/dev.h"
#include "runtime/exit.h"
#include "runtime/generation.h"
#include "runtime/guard.h"
#include "runtime/hostdata.h"
#include "runtime/worker.h"

/* --- what is left ------------------------------------------------------------------------------
 */

static size_t count_chunks(const struct member *member)
{
    size_t count = 0;
    for (size_t i = 0; i < member->chunk_count; i++) {
        count += member->chunks[i].task != NULL ? 1 : 0;
    }
    return count;
}

/* --- phases ------------------------------------------------------------------------------------
 */

static void on_deadline(struct loop_timer *timer)
{
    (void)timer; /* the turn that follows looks */
}

static void enter(struct member *member, enum retire_phase phase, uint64_t time_ns)
{
    struct retire *retire = &member->retire;
    struct loop *loop = member->worker->loop;
    assert(phase == retire->phase + 1);
    retire->phase = phase;
    retire->deadline_ns = time_ns == UINT64_MAX ? UINT64_MAX : loop_now_ns(loop) + time_ns;
    retire->timer.on_fire = on_deadline;
    loop_timer_stop(loop, &retire->timer);
    if (time_ns != UINT64_MAX) {
        loop_timer_start(loop, &retire->timer, time_ns);
    }
}

static bool is_late(const struct member *member)
{
    return loop_now_ns(member->worker->loop) >= member->retire.deadline_ns;
}

static void say_goodbye(struct member *member)
{
    size_t left = state_count_live(&member->state, LIVE_REQUEST);
    if (left > 0) {
        log_write(member->host->log, LOG_LEVEL_WARN,
                  "gen %u: the drain time is over, %zu request%s still run%s",
                  (unsigned)member->generation->number, left, left == 1 ? "" : "s",
                  left == 1 ? "s" : "");
    }
    dev_note_locals(member);
    state_end_streams(&member->state);
    member_end_run(member);
    enter(member, RETIRE_GOODBYE, EXIT_CHUNK_NS);
}

static void cancel(struct member *member)
{
    state_enter(&member->state, STATE_STOPPING);
    state_cancel_tasks(&member->state, NULL);
    enter(member, RETIRE_CANCEL, EXIT_CANCEL_NS);
}

static void stop_hard(struct member *member)
{
    member->retire.cut = state_count_live(&member->state, LIVE_REQUEST);
    state_kill_tasks(&member->state, "a newer generation serves");
    state_cancel_requests(&member->state);
    enter(member, RETIRE_KILL, UINT64_MAX);
}

static void on_told(struct loop_task *task);

static void tell(struct member *member)
{
    member->retire.told.run = on_told;
    loop_post(member->host->loop, &member->retire.told);
}

/* One step; true: there may be another one at once. */
static bool advance(struct member *member)
{
    struct state *S = &member->state;
    switch (member->retire.phase) {
    case RETIRE_DRAIN: /* until its URLs are withdrawn, requests come that nobody else has */
        if (atomic_load(&member->generation->is_withdrawn) &&
            (is_late(member) || !state_serves_requests(S))) {
            say_goodbye(member);
            return true;
        }
        return false;
    case RETIRE_GOODBYE:
        if (is_late(member) || count_chunks(member) == 0) {
            cancel(member);
            return true;
        }
        return false;
    case RETIRE_CANCEL:
        if (is_late(member) || state_count_live(S, LIVE_TASK) == 0) {
            stop_hard(member);
            return true;
        }
        return false;
    case RETIRE_KILL:
        if (state_is_quiet(S)) {
            enter(member, RETIRE_QUIET, UINT64_MAX);
            member->worker->retiring--;
            tell(member);
        }
        return false;
    default: return false;
    }
}

void retire_begin(struct member *member)
{
    struct state *S = &member->state;
    struct retire *retire = &member->retire;
    assert(member->worker != NULL && retire->phase == RETIRE_NONE);
    state_enter(S, STATE_RETIRING);
    size_t streams = dev_count_streams(member); /* they end as soon as the reload is reported */
    retire->requests = state_count_live(S, LIVE_REQUEST) - streams;
    retire->tasks = state_count_live(S, LIVE_TASK) - count_chunks(member) - streams;
    retire->timers = state_count_live(S, LIVE_TIMER);
    retire->coroutines = state_count_live(S, LIVE_COROUTINE);
    enter(member, RETIRE_DRAIN, member->host->config->drain_ns);
    member->worker->retiring++;
    state_end_pulls(S);
    state_cancel_background(S);
}

void retire_turn(struct worker *worker)
{
    struct list_node *node, *next;
    if (worker->phase != WORKER_SERVING) {
        return; /* the exit path has it */
    }
    LIST_FOREACH_SAFE(node, next, &worker->members)
    {
        struct member *member = LIST_ITEM(node, struct member, node);
        while (advance(member)) {
        }
    }
}

/* --- the coordinator's part --------------------------------------------------------------------
 */

static void on_told(struct loop_task *task)
{
    struct member *member = LIST_ITEM(task, struct member, retire.told);
    if (member->retire.begun_quiet) {
        retire_on_closed(member->generation);
    } else {
        member->retire.begun_quiet = true;
        retire_on_quiet(member->generation);
    }
}

/* On the worker. */
static void on_order(struct loop_task *task)
{
    struct member *member = LIST_ITEM(task, struct member, retire.order);
    struct worker *worker = member->worker;
    if (!member->is_open || worker->phase != WORKER_SERVING) {
        return; /* the exit path has closed it, or will */
    }
    dispatch_forget_state(&worker->dispatch, &member->state);
    if (member->guard != NULL) {
        guard_detach(member->guard);
        member->guard = NULL;
    }
    member_close(member);
    member->retire.phase = RETIRE_CLOSED;
    tell(member);
}

void retire_close(struct generation *generation)
{
    for (size_t i = 0; i < generation->member_count; i++) {
        struct member *member = &generation->members[i];
        member->retire.order.run = on_order;
        loop_post(member->worker->loop, &member->retire.order);
    }
}
