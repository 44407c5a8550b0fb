/* The takeover: from loaded to serving, on all workers at one point or not at all. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "binding/error.h"
#include "binding/ledger.h"
#include "binding/pull.h"
#include "runtime/generation_internal.h"
#include "runtime/guard.h"
#include "runtime/hostdata.h"
#include "runtime/store_lua.h"

/* --- what the terminal shows of a failed commit --------------------------------------------------
 */

/* "localhost:8080" of "http://localhost:8080/x/". */
static struct slice authority_of(const char *url)
{
    const char *start = strstr(url, "://");
    start = start == NULL ? url : start + 3;
    return slice_make(start, strcspn(start, "/"));
}

/* What the terminal shows for a failed commit: where a port is held a plain sentence first, then
 * call, object, code and place. */
static void explain(struct host *host, struct ledger_error *failure, struct load_error *out)
{
    char line[LOAD_TEXT_BYTES_MAX / 2];
    bool adding = failure->call != NULL && strcmp(failure->call, "HttpAddUrlToUrlGroup") == 0;
    bool held = adding && failure->code == ERROR_SHARING_VIOLATION;
    struct slice address = authority_of(failure->object);
    out->exit_code = adding                                     ? HOST_EXIT_LISTEN
                     : failure->code == ERROR_NOT_ENOUGH_MEMORY ? HOST_EXIT_INTERNAL
                                                                : HOST_EXIT_LOAD;
    (void)snprintf(out->hint, sizeof out->hint, "%s",
                   held ? "-p 0 takes a free port" : failure->hint);
    failure->hint[0] = '\0'; /* it has a line of its own */
    (void)error_format(failure, line, sizeof line);
    if (held) {
        (void)snprintf(out->text, sizeof out->text, "%.*s is in use by %s\n       %s",
                       (int)address.len, address.p,
                       host->holder[0] == '\0' ? "another program" : host->holder, line);
    } else {
        (void)snprintf(out->text, sizeof out->text, "%s", line);
    }
}

/* --- on the workers ------------------------------------------------------------------------------
 */

/* On the worker: the state moves here and its queues join this worker's loop. */
static void take(struct worker_call *call)
{
    struct member *member = call->arg;
    struct worker *worker = call->worker;
    struct ledger_queue queues[DISPATCH_QUEUES_MAX];
    member->worker = worker;
    list_push_front(&worker->members, &member->node);
    dispatch_announce(&worker->dispatch, &member->state);
    state_move(&member->state, worker->loop, &worker->dispatch.pool);
    size_t count = ledger_queues(member->host->ledger, member->generation->number, queues,
                                 DISPATCH_QUEUES_MAX);
    call->result = count > DISPATCH_QUEUES_MAX ? ERROR_NOT_ENOUGH_MEMORY : NO_ERROR;
    for (size_t i = 0; i < count && call->result == NO_ERROR; i++) {
        call->result = worker_attach_queue(worker, queues[i].id, queues[i].handle);
    }
}

/* On the worker: requests are this state's from now on. */
static void publish(struct worker_call *call)
{
    struct member *member = call->arg;
    member->guard = guard_attach(member->host->guard, &member->state);
    state_enter(&member->state, STATE_SERVING);
    struct state *old = call->worker->dispatch.state;
    if (old != NULL) {
        unload_run(old->host, member);
    }
    dispatch_set_state(&call->worker->dispatch, &member->state);
    if (old != NULL) {
        retire_begin(old->host);
    }
    pull_start(&member->state);
    state_start_deferred(&member->state);
}

static bool have_all_begun(void *ctx)
{
    const struct host *host = ctx;
    for (unsigned i = 0; i < host->worker_count; i++) {
        if (!atomic_load(&worker_call(&host->workers[i])->begun)) {
            return false;
        }
    }
    return true;
}

ULONG generation_send(struct generation *generation, void (*run)(struct worker_call *call),
                      bool (*is_over)(const struct worker *worker))
{
    struct host *host = generation->host;
    ULONG code = NO_ERROR;
    (void)host_wait(host, have_all_begun, host,
                    UINT64_MAX); /* the one before: it may be watching for the end */
    host->watches_end = false;
    for (size_t i = 0; i < generation->member_count; i++) {
        worker_send(&host->workers[i], run, is_over, &generation->members[i]);
    }
    (void)host_wait(host, host_errands_are_done, host, UINT64_MAX);
    for (size_t i = 0; i < generation->member_count && code == NO_ERROR; i++) {
        code = worker_call(&host->workers[i])->result;
    }
    return code;
}

struct ledger_errand {
    struct generation *generation;
    enum ledger_step step;
    struct ledger_error *failure;
};

static ULONG do_step(const struct ledger_errand *errand)
{
    struct host *host = errand->generation->host;
    struct ledger *ledger = host->ledger;
    uint32_t number = errand->generation->number;
    switch (errand->step) {
    case STEP_OBJECTS: return ledger_commit(ledger, number, LEDGER_PHASE_OBJECTS, errand->failure);
    case STEP_URLS: return ledger_commit(ledger, number, LEDGER_PHASE_URLS, errand->failure);
    case STEP_WITHDRAW:
        atomic_store(&host->closing, true);
        ledger_withdraw(ledger, number);
        atomic_store(&host->closing, false);
        break;
    case STEP_DISCARD: ledger_discard(ledger, number); break;
    }
    return NO_ERROR;
}

static void run_step(struct worker_call *call)
{
    call->result = do_step(call->arg);
}

ULONG generation_step(struct generation *generation, enum ledger_step what,
                      struct ledger_error *failure)
{
    struct host *host = generation->host;
    struct ledger_errand errand = {generation, what, failure};
    if (host->current == NULL) {
        return do_step(&errand);
    }
    (void)host_wait(host, have_all_begun, host, UINT64_MAX);
    host->watches_end = false;
    for (unsigned i = 1; i < host->worker_count; i++) {
        worker_send(&host->workers[i], worker_do_nothing, NULL, NULL);
    }
    worker_send(&host->workers[0], run_step, NULL, &errand);
    (void)host_wait(host, host_errands_are_done, host, UINT64_MAX);
    return worker_call(&host->workers[0])->result;
}

/* --- the two ways --------------------------------------------------------------------------------
 */

/* URLs, with another free port as often as a port that was free a moment ago has been taken. */
static ULONG commit_urls(struct generation *generation, struct ledger_error *failure)
{
    struct host *host = generation->host;
    ULONG code = NO_ERROR;
    if (host->current != NULL) { /* a reload: the addresses are what they were */
        return generation_step(generation, STEP_URLS, failure);
    }
    for (int i = 0; i < HOST_PORT_TRIES_MAX; i++) {
        code = host_set_addresses(host);
        if (code != NO_ERROR) {
            failure->code = code;
            (void)snprintf(failure->object, sizeof failure->object, "bare paths");
            return code;
        }
        code = ledger_commit(host->ledger, generation->number, LEDGER_PHASE_URLS, failure);
        if (code != ERROR_SHARING_VIOLATION || !host->any_port) {
            return code;
        }
        log_write(host->log, LOG_LEVEL_DEBUG, "%s was taken meanwhile, another port",
                  host->addresses[0].base);
    }
    return code;
}

static void leave_coordinator(struct generation *generation)
{
    for (size_t i = 0; i < generation->member_count; i++) {
        list_remove(&generation->members[i].node);
    }
}

static bool has_queue(const struct generation *generation, uint64_t id)
{
    for (size_t i = 0; i < generation->queue_count; i++) {
        if (generation->queues[i] == id) {
            return true;
        }
    }
    return false;
}

/* Every worker has the queues of the generation since the one that serves now. */
static bool has_known_queues(const struct generation *generation)
{
    const struct host *host = generation->host;
    struct ledger_queue queues[DISPATCH_QUEUES_MAX];
    size_t count = ledger_queues(host->ledger, generation->number, queues, DISPATCH_QUEUES_MAX);
    bool known = host->current != NULL && count <= DISPATCH_QUEUES_MAX;
    for (size_t i = 0; i < count && known; i++) {
        known = has_queue(host->current, queues[i].id);
    }
    return known;
}

static void note_queues(struct generation *generation)
{
    struct ledger_queue queues[DISPATCH_QUEUES_MAX];
    size_t count =
        ledger_queues(generation->host->ledger, generation->number, queues, DISPATCH_QUEUES_MAX);
    assert(count <= DISPATCH_QUEUES_MAX); /* else a worker had refused them */
    for (size_t i = 0; i < count; i++) {
        generation->queues[i] = queues[i].id;
    }
    generation->queue_count = count;
}

/* On the worker: a generation that changes nothing but its functions takes over at once. */
static void take_over(struct worker_call *call)
{
    take(call);
    assert(call->result == NO_ERROR); /* the queues are here already */
    publish(call);
}

/* Each errand waits for every worker to end its turn of the loop, which under load is most of a
 * reload. So there is only one when the contract has nothing to do. */
static ULONG commit_by_steps(struct generation *generation, struct ledger_error *failure)
{
    ULONG code = generation_step(generation, STEP_OBJECTS, failure);
    if (code != NO_ERROR) {
        return code;
    }
    leave_coordinator(generation);
    code = generation_send(generation, take, NULL);
    if (code != NO_ERROR) {
        failure->call = "loop_attach_queue";
        failure->code = code;
        (void)snprintf(failure->object, sizeof failure->object, "the queues of the script");
        return code;
    }
    code = commit_urls(generation, failure);
    if (code == NO_ERROR) {
        (void)generation_send(generation, publish, NULL); /* has no result */
    }
    return code;
}

bool generation_commit(struct generation *generation, struct load_error *error)
{
    struct host *host = generation->host;
    struct ledger_error failure;
    memset(&failure, 0, sizeof failure);
    memset(error, 0, sizeof *error);
    generation_enter(generation, GENERATION_COMMITTING);
    ULONG code = ledger_check(host->ledger, generation->number, (unsigned)generation->member_count,
                              &failure);
    if (code == NO_ERROR && has_known_queues(generation) &&
        ledger_commit_kept(host->ledger, generation->number)) {
        leave_coordinator(generation);
        (void)generation_send(generation, take_over, NULL); /* has no result */
    } else if (code == NO_ERROR) {
        code = commit_by_steps(generation, &failure);
    }
    if (code != NO_ERROR) {
        explain(host, &failure, error);
        return false;
    }
    note_queues(generation);
    generation_enter(generation, GENERATION_SERVING);
    host->current = generation;
    return true;
}
