#include "runtime/exit.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "binding/ledger.h"
#include "runtime/generation.h"
#include "runtime/guard.h"
#include "runtime/hostdata.h"
#include "runtime/worker.h"

/* Every member of a place (a worker, or the coordinator for states that never left it). */
#define FOREACH_MEMBER(node, next, list) LIST_FOREACH_SAFE(node, next, list)

static struct member *member_at(struct list_node *node)
{
    return LIST_ITEM(node, struct member, node);
}

static void enter(struct host *host, enum exit_stage stage)
{
    assert((int)stage == atomic_load(&host->stage) + 1);
    atomic_store(&host->stage, (int)stage);
    log_write(host->log, LOG_LEVEL_DEBUG, "exit: stage %d", (int)stage);
}

/* --- what each place does; the thread that has the members ---------------------------------------
 */

static void end_runs(struct list *members)
{
    struct list_node *node, *next;
    FOREACH_MEMBER(node, next, members)
    {
        state_end_pulls(&member_at(node)->state);
        state_end_streams(&member_at(node)->state);
        member_end_run(member_at(node));
    }
}

static void cancel_tasks(struct list *members)
{
    struct list_node *node, *next;
    FOREACH_MEMBER(node, next, members)
    {
        if (member_at(node)->state.phase != STATE_STOPPING) {
            state_enter(&member_at(node)->state, STATE_STOPPING);
        }
        state_cancel_tasks(&member_at(node)->state, NULL);
    }
}

static void kill_tasks(struct list *members)
{
    struct list_node *node, *next;
    FOREACH_MEMBER(node, next, members)
    {
        state_kill_tasks(&member_at(node)->state, "the host stops");
        state_cancel_requests(&member_at(node)->state);
    }
}

static void close_members(struct list *members)
{
    struct list_node *node, *next;
    FOREACH_MEMBER(node, next, members)
    {
        if (member_at(node)->guard != NULL) {
            guard_detach(member_at(node)->guard);
            member_at(node)->guard = NULL;
        }
        member_close(member_at(node));
    }
}

static size_t count_chunks(const struct list *members)
{
    size_t count = 0;
    struct list_node *node, *next;
    FOREACH_MEMBER(node, next, members)
    {
        const struct member *member = member_at(node);
        for (size_t i = 0; i < member->chunk_count; i++) {
            count += member->chunks[i].task != NULL ? 1 : 0;
        }
    }
    return count;
}

static size_t count_live(const struct list *members, enum live_kind kind)
{
    size_t count = 0;
    struct list_node *node, *next;
    FOREACH_MEMBER(node, next, members)
    {
        count += state_count_live(&member_at(node)->state, kind);
    }
    return count;
}

/* Handlers that still run, their answer given or not: they end by themselves in stage 2. */
static bool has_handlers(const struct list *members)
{
    struct list_node *node, *next, *item, *after;
    FOREACH_MEMBER(node, next, members)
    {
        LIST_FOREACH_SAFE(item, after, &member_at(node)->state.tasks)
        {
            const struct task *task = LIST_ITEM(item, struct task, node);
            if (task->name != NULL && strcmp(task->name, "request") == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool are_quiet(const struct list *members)
{
    struct list_node *node, *next;
    FOREACH_MEMBER(node, next, members)
    {
        if (!state_is_quiet(&member_at(node)->state)) {
            return false;
        }
    }
    return true;
}

/* --- errands of a worker -------------------------------------------------------------------------
 */

static void run_drain(struct worker_call *call)
{
    struct worker *worker = call->worker;
    assert(worker->phase == WORKER_SERVING);
    worker->phase = WORKER_DRAINING;
    loop_stop_listening(worker->loop);
}

static bool is_drained(const struct worker *worker)
{
    return loop_connection_count(worker->loop) == 0 &&
           count_live(&worker->members, LIVE_REQUEST) == 0 && !has_handlers(&worker->members);
}

static void run_goodbye(struct worker_call *call)
{
    struct worker *worker = call->worker;
    size_t requests = count_live(&worker->members, LIVE_REQUEST);
    size_t connections = loop_connection_count(worker->loop);
    call->left = requests > connections ? requests : connections;
    dispatch_refuse(&worker->dispatch);
    end_runs(&worker->members);
}

static bool has_no_chunks(const struct worker *worker)
{
    return count_chunks(&worker->members) == 0;
}

static void run_cancel(struct worker_call *call)
{
    cancel_tasks(&call->worker->members);
}

static bool has_no_tasks(const struct worker *worker)
{
    return count_live(&worker->members, LIVE_TASK) == 0;
}

static void run_kill(struct worker_call *call)
{
    kill_tasks(&call->worker->members);
}

static void run_join(struct worker_call *call)
{
    dispatch_stop_receiving(&call->worker->dispatch);
}

static bool is_joined(const struct worker *worker)
{
    return dispatch_is_quiet(&worker->dispatch) && are_quiet(&worker->members);
}

static void run_close(struct worker_call *call)
{
    close_members(&call->worker->members);
    worker_leave(call->worker);
}

/* --- the coordinator -----------------------------------------------------------------------------
 */

/* One part of a stage: an errand for every worker, and the same for the states that are the
 * coordinator's. */
struct part {
    const char *name; /* for messages */
    void (*run)(struct worker_call *call);
    bool (*is_over)(const struct worker *worker); /* NULL: over after run */
    void (*run_here)(struct list *members);       /* NULL: nothing */
    bool (*is_over_here)(const struct list *members);
};

struct progress {
    struct host *host;
    const struct part *part;
    bool begun;         /* ask only whether every worker has begun */
    bool interruptible; /* a second signal ends it */
};

static bool is_part_over(void *ctx)
{
    const struct progress *progress = ctx;
    struct host *host = progress->host;
    for (unsigned i = 0; i < host->worker_count; i++) {
        struct worker *worker = &host->workers[i];
        bool over =
            progress->begun ? atomic_load(&worker_call(worker)->begun) : worker_call(worker)->done;
        if (!over && !atomic_load(&worker->abandoned)) {
            return progress->interruptible && host->signal_second != 0;
        }
    }
    return progress->begun || progress->part->is_over_here == NULL ||
           progress->part->is_over_here(&host->members);
}

/* A worker that has not even begun sits in a C function that does not return. It is given some time
 * more, then left behind. */
static void abandon_stuck(struct progress *progress, struct host_verdict *verdict)
{
    struct host *host = progress->host;
    uint64_t now_ns = loop_now_ns(host->loop);
    progress->begun = true;
    progress->interruptible = false;
    if (host_wait(host, is_part_over, progress, now_ns + EXIT_STUCK_NS)) {
        return;
    }
    for (unsigned i = 0; i < host->worker_count; i++) {
        struct worker *worker = &host->workers[i];
        if (!atomic_load(&worker_call(worker)->begun) &&
            !atomic_exchange(&worker->abandoned, true)) {
            log_write(host->log, LOG_LEVEL_ERROR,
                      "worker %u does not come back from a C function (%s): left behind, its Lua "
                      "state stays open",
                      worker->number, progress->part->name);
            verdict->forced = true;
        }
    }
}

/* Does a part everywhere; true: it was over in time. */
static bool do_part(struct host *host, const struct part *part, uint64_t time_ns,
                    struct host_verdict *verdict)
{
    struct progress progress = {
        .host = host, .part = part, .interruptible = part->run == run_drain};
    uint64_t now_ns = loop_now_ns(host->loop);
    for (unsigned i = 0; i < host->worker_count; i++) {
        if (!atomic_load(&host->workers[i].abandoned)) {
            worker_send(&host->workers[i], part->run, part->is_over, NULL);
        }
    }
    if (part->run_here != NULL) {
        part->run_here(&host->members);
    }
    uint64_t deadline_ns = time_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + time_ns;
    bool over = host_wait(host, is_part_over, &progress, deadline_ns) &&
                (!progress.interruptible || host->signal_second == 0);
    if (!over) {
        abandon_stuck(&progress, verdict);
    }
    return over;
}

/* Stages 3 and 4 are short after a second signal. */
static uint64_t bounded(const struct host *host, uint64_t time_ns)
{
    return host->signal_second != 0 && time_ns > EXIT_NOW_NS ? EXIT_NOW_NS : time_ns;
}

static bool has_no_chunks_here(const struct list *members)
{
    return count_chunks(members) == 0;
}

static bool has_no_tasks_here(const struct list *members)
{
    return count_live(members, LIVE_TASK) == 0;
}

static const struct part drain = {"stop intake", run_drain, is_drained, NULL, NULL};
static const struct part goodbye = {"end of the main chunks", run_goodbye, has_no_chunks, end_runs,
                                    has_no_chunks_here};
static const struct part cancel = {"cancel", run_cancel, has_no_tasks, cancel_tasks,
                                   has_no_tasks_here};
static const struct part kill_rest = {"hard stop", run_kill, has_no_tasks, kill_tasks,
                                      has_no_tasks_here};
static const struct part join = {"join the receives", run_join, is_joined, NULL, are_quiet};
static const struct part close_states = {"close the states", run_close, NULL, close_members, NULL};

/* What did not get its whole answer in the drain time. */
static size_t count_left(const struct host *host)
{
    size_t left = 0;
    for (unsigned i = 0; i < host->worker_count; i++) {
        const struct worker *worker = &host->workers[i];
        left += worker->calls[worker->current].left;
    }
    return left;
}

static void stop_tasks(struct host *host, struct host_verdict *verdict)
{
    enter(host, EXIT_GOODBYE);
    if (!do_part(host, &goodbye, bounded(host, EXIT_CHUNK_NS), verdict)) {
        log_write(host->log, LOG_LEVEL_WARN, "a main chunk has not come to its end: cancelled");
    }
    verdict->cut = (unsigned)count_left(host);
    enter(host, EXIT_CANCEL);
    if (!do_part(host, &cancel, bounded(host, EXIT_CANCEL_NS), verdict)) {
        log_write(host->log, LOG_LEVEL_WARN,
                  "some coroutines did not end when cancelled: stopped hard");
    }
    (void)do_part(host, &kill_rest, EXIT_STUCK_NS, verdict);
    verdict->failures += (unsigned)ledger_shutdown_queues(host->ledger);
    if (!do_part(host, &join, EXIT_STUCK_NS, verdict)) {
        log_write(host->log, LOG_LEVEL_ERROR, "some contract calls did not come back");
    }
}

void exit_run(struct host *host, struct host_verdict *verdict)
{
    enter(host, EXIT_STOP_INTAKE);
    ledger_stop(host->ledger);
    enter(host, EXIT_FINISH);
    abandon_stuck(&(struct progress){.host = host, .part = &drain},
                  verdict); /* an errand from before may be waiting for its worker */
    if (!do_part(host, &drain, host->config->drain_ns, verdict)) {
        log_write(host->log, LOG_LEVEL_WARN,
                  host->signal_second != 0 ? "second signal: the drain ends now"
                                           : "the drain time is over");
    }
    stop_tasks(host, verdict);
    enter(host, EXIT_CLOSE);
    verdict->failures += (unsigned)ledger_close_all(host->ledger);
    enter(host, EXIT_TERMINATE);
    (void)do_part(host, &close_states, EXIT_STUCK_NS, verdict);
    for (unsigned i = 0; i < host->worker_count; i++) {
        if (!atomic_load(&host->workers[i].abandoned)) {
            worker_join(&host->workers[i]);
        }
    }
    verdict->failures += (unsigned)ledger_terminate(host->ledger);
    enter(host, EXIT_DONE);
}
