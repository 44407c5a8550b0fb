#include "runtime/exit.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "binding/ledger.h"
#include "runtime/dev.h"
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
    }
}

/* After the tasks: a handler that was stopped has answered 503 by then. */
static void cancel_requests(struct list *members)
{
    struct list_node *node, *next;
    FOREACH_MEMBER(node, next, members)
    {
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

/* Main chunks that may come to their end by themselves; one that still loads is cancelled. */
static size_t count_chunks(const struct list *members)
{
    size_t count = 0;
    struct list_node *node, *next;
    FOREACH_MEMBER(node, next, members)
    {
        const struct member *member = member_at(node);
        for (size_t i = 0; i < member->chunk_count; i++) {
            const struct chunk *chunk = &member->chunks[i];
            count += chunk->task != NULL && chunk->phase != CHUNK_LOADING ? 1 : 0;
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
    dev_wake(&worker->members);
}

static bool is_drained(const struct worker *worker)
{
    return loop_connection_count(worker->loop) == 0 &&
           atomic_load(&worker->dispatch.arriving) == 0 &&
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

static void run_cancel_requests(struct worker_call *call)
{
    cancel_requests(&call->worker->members);
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
        if (!over) {
            return progress->interruptible && host->signal_second != 0;
        }
    }
    return progress->begun || progress->part->is_over_here == NULL ||
           progress->part->is_over_here(&host->members);
}

static unsigned count_stuck(const struct host *host)
{
    unsigned stuck = 0;
    for (unsigned i = 0; i < host->worker_count; i++) {
        const struct worker *worker = &host->workers[i];
        stuck += atomic_load(&worker->calls[worker->current].begun) ? 0 : 1;
    }
    return stuck;
}

/* A worker that has not even begun sits in a C function that does not return. It is given some time
 * more; then the verdict is `forced`. */
static void wait_for_stuck(struct progress *progress, struct host_verdict *verdict)
{
    struct host *host = progress->host;
    progress->begun = true;
    progress->interruptible =
        false; /* a moment is due to every worker, also after a second signal */
    if (host_wait(host, is_part_over, progress, loop_now_ns(host->loop) + EXIT_NOW_NS)) {
        return;
    }
    log_write(host->log, LOG_LEVEL_WARN,
              "a worker sits in a C function that does not return (%s): waiting, a second signal "
              "ends that",
              progress->part->name);
    progress->interruptible = true;
    (void)host_wait(host, is_part_over, progress, loop_now_ns(host->loop) + EXIT_STUCK_NS);
    unsigned stuck = count_stuck(host);
    verdict->cut += stuck;
    verdict->forced = stuck > 0;
    for (unsigned i = 0; i < host->worker_count && stuck > 0; i++) {
        atomic_store(&host->workers[i].abandoned, true);
    }
}

/* Does a part everywhere; true: it was over in time. Does nothing once the verdict is forced. */
static bool do_part(struct host *host, const struct part *part, uint64_t time_ns,
                    struct host_verdict *verdict)
{
    struct progress progress = {
        .host = host, .part = part, .interruptible = part->is_over == is_drained};
    uint64_t now_ns = loop_now_ns(host->loop);
    if (verdict->forced) {
        return true;
    }
    for (unsigned i = 0; i < host->worker_count; i++) {
        /* Without a loop it has never begun: start_workers has told. */
        if (host->workers[i].loop != NULL) {
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
        wait_for_stuck(&progress, verdict);
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
/* A worker that had drained may have got a request of another one since, or its answer has not come
 * home yet. Once every worker had no connection, nothing new can come. */
static const struct part settle = {"finish", worker_do_nothing, is_drained, NULL, NULL};
static const struct part goodbye = {"end of the main chunks", run_goodbye, has_no_chunks, end_runs,
                                    has_no_chunks_here};
static const struct part cancel = {"cancel", run_cancel, has_no_tasks, cancel_tasks,
                                   has_no_tasks_here};
static const struct part kill_rest = {"hard stop", run_kill, has_no_tasks, kill_tasks,
                                      has_no_tasks_here};
static const struct part cancel_rest = {"cancel the requests", run_cancel_requests, NULL,
                                        cancel_requests, NULL};
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

/* Stages 3 and 4. */
static void stop_tasks(struct host *host, struct host_verdict *verdict)
{
    enter(host, EXIT_GOODBYE);
    if (!do_part(host, &goodbye, bounded(host, EXIT_CHUNK_NS), verdict)) {
        log_write(host->log, LOG_LEVEL_WARN, "a main chunk has not come to its end: cancelled");
    }
    verdict->cut += (unsigned)count_left(host);
    enter(host, EXIT_CANCEL);
    if (!do_part(host, &cancel, bounded(host, EXIT_CANCEL_NS), verdict)) {
        log_write(host->log, LOG_LEVEL_WARN,
                  "some coroutines did not end when cancelled: stopped hard");
    }
    (void)do_part(host, &kill_rest, EXIT_STUCK_NS, verdict);
    (void)do_part(host, &cancel_rest, EXIT_STUCK_NS, verdict);
    if (verdict->forced) {
        return;
    }
    verdict->failures += (unsigned)ledger_shutdown_queues(host->ledger);
    if (!do_part(host, &join, EXIT_STUCK_NS, verdict)) {
        log_write(host->log, LOG_LEVEL_ERROR, "some contract calls did not come back");
    }
}

/* Stages 5 and 6. */
static void close_all(struct host *host, struct host_verdict *verdict)
{
    enter(host, EXIT_CLOSE);
    verdict->failures += (unsigned)ledger_close_all(host->ledger);
    enter(host, EXIT_TERMINATE);
    (void)do_part(host, &close_states, EXIT_STUCK_NS, verdict);
    for (unsigned i = 0; i < host->worker_count && !verdict->forced; i++) {
        worker_join(&host->workers[i]);
    }
    verdict->failures += (unsigned)ledger_terminate(host->ledger);
    enter(host, EXIT_DONE);
}

/* Stage 2. false: the time was over, or a second signal has come. */
static bool finish(struct host *host, struct host_verdict *verdict)
{
    uint64_t begin_ns = loop_now_ns(host->loop);
    if (!do_part(host, &drain, host->drain_ns, verdict)) {
        return false;
    }
    uint64_t spent_ns = loop_now_ns(host->loop) - begin_ns;
    uint64_t rest_ns = spent_ns < host->drain_ns ? host->drain_ns - spent_ns : 0;
    return do_part(host, &settle, rest_ns > EXIT_NOW_NS ? rest_ns : EXIT_NOW_NS, verdict);
}

void exit_run(struct host *host, struct host_verdict *verdict)
{
    ledger_stop(host->ledger); /* first: what Lua closes from here on is no call of this path */
    enter(host, EXIT_STOP_INTAKE);
    host_tell_drain(host);
    enter(host, EXIT_FINISH);
    /* An errand from before may still be waiting for its worker. */
    wait_for_stuck(&(struct progress){.host = host, .part = &drain}, verdict);
    if (!finish(host, verdict)) {
        log_write(host->log, LOG_LEVEL_WARN,
                  host->signal_second != 0 ? "second signal: the drain ends now"
                                           : "the drain time is over");
    }
    stop_tasks(host, verdict);
    if (verdict->forced) {
        log_write(
            host->log, LOG_LEVEL_ERROR,
            "a worker does not come back from a C function: left behind, nothing more is closed");
        return;
    }
    close_all(host, verdict);
}
