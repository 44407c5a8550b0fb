#include "runtime/reload.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "binding/ledger.h"
#include "runtime/dev.h"
#include "runtime/hostdata.h"
#include "runtime/reachable.h"
#include "runtime/watch.h"
#include "runtime/worker.h"

void reload_init(struct reload *reload)
{
    memset(reload, 0, sizeof *reload);
    list_init(&reload->waiters);
    list_init(&reload->told);
}

void reload_request(struct host *host, const char *cause, struct reload_waiter *waiter)
{
    struct reload *reload = &host->reload;
    if (!reload->wanted) {
        reload->wanted = true;
        reload->wanted_ns = clock_mono_ns();
        (void)snprintf(reload->cause, sizeof reload->cause, "%s", cause);
    }
    reload->only_watched = false;
    if (waiter != NULL) {
        list_push_back(&reload->waiters, &waiter->node);
    }
}

void reload_request_watched(struct host *host, const char *cause)
{
    struct reload *reload = &host->reload;
    bool only = !reload->wanted || reload->only_watched;
    reload_request(host, cause, NULL);
    reload->only_watched = only;
    reload->restart = true;
}

bool reload_request_back(struct host *host, struct reload_waiter *waiter)
{
    if (host->previous == NULL) {
        return false;
    }
    host->reload.wanted_back = true;
    reload_request(host, "rollback", waiter);
    return true;
}

void reload_forget(struct reload_waiter *waiter)
{
    list_remove(&waiter->node);
}

size_t reload_count_alive(const struct host *host)
{
    size_t count = 0;
    const struct list_node *node = host->generations.head.next;
    for (; node != &host->generations.head; node = node->next) {
        count++;
    }
    return count;
}

bool reload_is_due(const struct host *host)
{
    return host->reload.wanted && host->current != NULL &&
           reload_count_alive(host) < RELOAD_ALIVE_MAX;
}

/* --- the report --------------------------------------------------------------------------------
 */

static void tell(struct host *host, const struct reload_result *result)
{
    struct list_node *node;
    struct reload *reload = &host->reload;
    if (result->ok) {
        uint64_t broken_ns = reload->broken_ns == 0 ? 0 : clock_mono_ns() - reload->broken_ns;
        reload->broken_ns = 0;
        reachable_warn(host);
        dev_note_good(host);
        dev_tell_workers(host, false);
        host_tell(host, &(struct host_event){.kind = HOST_EVENT_RELOAD,
                                             .generation = result->after,
                                             .before = result->before,
                                             .text = reload->cause,
                                             .took_ns = result->took_ns,
                                             .changed = result->changed,
                                             .in_flight = result->in_flight,
                                             .broken_ns = broken_ns});
        if (result->before == 0) {
            host_tell_ready(host);
        }
    } else {
        reload_note_broken(host, result->error, result->before, result->took_ns);
    }
    while ((node = list_pop_front(&host->reload.told)) != NULL) {
        struct reload_waiter *waiter = LIST_ITEM(node, struct reload_waiter, node);
        waiter->done(waiter, result);
    }
}

void reload_note_broken(struct host *host, const struct load_error *error, uint32_t before,
                        uint64_t took_ns)
{
    struct reload *reload = &host->reload;
    bool outage = before == 0 || host->config->fail_on_bad_reload;
    char url[HOST_URL_BYTES_MAX] = "";
    reload->broken_ns = reload->broken_ns == 0 ? clock_mono_ns() : reload->broken_ns;
    reload->broken = true;
    reload->error = *error;
    dev_tell_workers(host, outage);
    if (outage) {
        (void)host_find_url(host, url);
    }
    host_tell(host, &(struct host_event){.kind = HOST_EVENT_BROKEN,
                                         .url = url[0] == '\0' ? NULL : url,
                                         .generation = before,
                                         .before = before,
                                         .text = error->text,
                                         .hint = error->hint,
                                         .took_ns = took_ns,
                                         .outage = outage});
}

static unsigned count_in_flight(const struct generation *generation)
{
    size_t count = 0;
    for (size_t i = 0; i < generation->member_count; i++) {
        count += generation->members[i].retire.requests; /* written before publication was told */
    }
    return (unsigned)count;
}

/* --- the transaction ---------------------------------------------------------------------------
 */

/* The generation that is being loaded: the newest one. */
static struct generation *newest(const struct host *host)
{
    return LIST_ITEM(host->generations.head.next, struct generation, node);
}

static void fail_empty(struct load_error *error)
{
    error->exit_code = HOST_EXIT_LOAD;
    (void)snprintf(error->text, sizeof error->text,
                   "nothing is open after loading: no URL, no http.run()");
}

/* From reading to publication. false: error says why, and nothing of it is left. */
static bool replace(struct host *host, struct sources *sources, struct load_error *error)
{
    struct generation *generation = generation_load(host, sources, error);
    bool ok = generation != NULL;
    if (host_is_stopping(host)) {
        return false; /* the exit path closes what there is of it */
    }
    if (ok && !generation_is_live(generation)) {
        fail_empty(error);
        ok = false;
    }
    ok = ok && generation_commit(generation, error);
    if (!ok && host_is_stopping(host)) {
        return false;
    }
    if (host->watch != NULL) {
        watch_follow(host->watch, newest(host)->sources, !ok);
    }
    if (!ok) {
        if (!host->reload.restart) {
            dev_note_broken(host, error, newest(host)->sources, newest(host)->number);
        }
        generation_discard(newest(host));
    }
    return ok;
}

/* What the watcher saw while the last load ran may have been in it. */
static bool is_stale_wish(struct host *host)
{
    const struct reload *reload = &host->reload;
    return reload->only_watched && host->watch != NULL && reload->wanted_ns < reload->ended_ns &&
           !watch_differs(host->watch);
}

static void move_waiters(struct list *from, struct list *to)
{
    struct list_node *node;
    while ((node = list_pop_front(from)) != NULL) {
        list_push_back(to, node);
    }
}

/* The new generation serves: what the old one leaves behind. */
static void supersede(struct host *host, struct generation *old, struct reload_result *result)
{
    if (!old->is_stand_in) {
        result->changed =
            (unsigned)ledger_compare(host->ledger, old->number, host->current->number);
        result->in_flight = count_in_flight(old);
        struct sources *before = sources_ref(old->sources);
        sources_unref(host->previous);
        host->previous = before;
    }
    generation_retire(old);
    host->reload.done++;
    host->reload.broken = false;
}

void reload_turn(struct host *host)
{
    struct reload *reload = &host->reload;
    if (is_stale_wish(host)) {
        reload->wanted = false;
        return;
    }
    struct generation *old = host->current;
    struct load_error error;
    uint64_t started_ns = reload->wanted_ns;
    assert(reload_is_due(host) && !reload->running && list_is_empty(&reload->told));
    reload->wanted = false;
    reload->running = true;
    reload->restart = false;
    move_waiters(&reload->waiters, &reload->told);
    struct reload_result result = {.before = old->is_stand_in ? 0 : old->number, .error = &error};
    memset(&error, 0, sizeof error);
    struct sources *back = reload->wanted_back ? host->previous : NULL;
    reload->wanted_back = false;
    if (back != NULL) {
        back->frozen = true;
    }
    result.ok = replace(host, back, &error);
    reload->ended_ns = clock_mono_ns();
    if (!result.ok && reload->restart && !host_is_stopping(host)) {
        reload->running = false;
        reload->wanted_ns = started_ns;
        reload->only_watched = false; /* what the load had read, the watcher takes for loaded */
        move_waiters(&reload->told, &reload->waiters);
        return; /* the next turn loads what is there now */
    }
    result.after = result.ok ? host->current->number : host->generation_last;
    if (!result.ok && error.exit_code == 0) {
        (void)snprintf(error.text, sizeof error.text, "the host stops");
    }
    if (result.ok) {
        supersede(host, old, &result);
    } else {
        reload->failed++;
    }
    result.took_ns = clock_mono_ns() - started_ns;
    tell(host, &result);
    reload->running = false;
    generation_watch_end(host->current); /* what it was told meanwhile it has put off */
}
