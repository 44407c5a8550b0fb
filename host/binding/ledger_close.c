/* The end of shares and nodes, on every way: a handle, a generation, the whole process.
 *
 * Two steps are kept apart. Dropping a share goes down the tree, children first, newest first, and
 * asks the contract for each node whose last share went. Looking up, at what only the dropped node
 * had anchored, is done once afterwards by the caller. */
#include "binding/ledger.h"

#include <assert.h>
#include <stdlib.h>

#include "binding/ledger_internal.h"

/* Remembers the first error of several steps. */
static void keep_first(ULONG *first, ULONG code)
{
    if (*first == NO_ERROR) {
        *first = code;
    }
}

/* --- contract calls ------------------------------------------------------------------------ */

/* A registration that was moved here by a commit which has failed goes back, in one step where the
 * provider can; one that was only promised has never left. false: it was not moved. */
static bool give_back(struct ledger *ledger, struct node *node, uint32_t index)
{
    const struct contract *contract = &ledger->contract;
    uint32_t from = node->taken[index].index;
    struct node *other =
        node->taken[index].id == 0 ? NULL : node_get(ledger, node->taken[index].id);
    if (other == NULL || other->state != NODE_OPEN) {
        return false;
    }
    ULONG code = NO_ERROR;
    if ((node->promised & 1U << index) == 0) {
        struct slice url = slice_from_cstr(other->registered[from]);
        code = contract_add_url(contract, other->parent->contract_id, url, other->id, true);
        if (code == ERROR_INVALID_PARAMETER) {
            (void)contract_remove_url(contract, node->parent->contract_id,
                                      slice_from_cstr(node->registered[index])); /* traced */
            code = contract_add_url(contract, other->parent->contract_id, url, other->id, false);
        }
    }
    if (code == NO_ERROR) {
        other->lent &= ~(1U << from);
    }
    return true;
}

ULONG node_unregister(struct ledger *ledger, struct node *node)
{
    ULONG first = NO_ERROR;
    assert(node->kind == NODE_URL);
    while (node->registered_count > 0) {
        uint32_t i = --node->registered_count;
        char *url = node->registered[i];
        if ((node->lent & 1U << i) == 0 && !give_back(ledger, node, i)) {
            keep_first(&first, contract_remove_url(&ledger->contract, node->parent->contract_id,
                                                   slice_from_cstr(url)));
        }
        node->taken[i].id = 0;
        free(url);
    }
    node->lent = node->promised = 0;
    return first;
}

/* The groups bound to the queue lose it, newest first. */
static ULONG unbind_groups(struct ledger *ledger, struct node *queue)
{
    ULONG first = NO_ERROR;
    struct list_node *at = ledger->kinds[NODE_GROUP].head.prev;
    for (; at != &ledger->kinds[NODE_GROUP].head; at = at->prev) {
        struct node *group = LIST_ITEM(at, struct node, of_kind);
        if (group->queue == queue && group->state == NODE_OPEN) {
            char label[LEDGER_OBJECT_BYTES_MAX];
            keep_first(&first, contract_bind_group(&ledger->contract, node_label(group, label),
                                                   group->contract_id, NULL));
        }
        if (group->queue == queue) {
            group->queue = NULL;
        }
        if (group->queue_wanted == queue) {
            group->queue_wanted = NULL;
        }
        if (group->queue_previous == queue) {
            group->queue_previous = NULL;
        }
    }
    return first;
}

ULONG node_close_contract(struct ledger *ledger, struct node *node)
{
    char label[LEDGER_OBJECT_BYTES_MAX];
    const struct contract *contract = &ledger->contract;
    ULONG code = NO_ERROR;
    node_label(node, label);
    switch (node->kind) {
    case NODE_URL: return node_unregister(ledger, node);
    case NODE_GROUP: return contract_close_group(contract, label, node->contract_id);
    case NODE_SESSION: return contract_close_session(contract, label, node->contract_id);
    case NODE_QUEUE:
        code = unbind_groups(ledger, node);
        keep_first(&code, contract_close_queue(contract, label, node->queue_handle));
        return code;
    default: return contract_terminate(contract, (ULONG)node->contract_id);
    }
}

/* --- nodes --------------------------------------------------------------------------------- */

/* Takes a node without children out of everything. Its memory goes when no handle names it. */
static void bury(struct ledger *ledger, struct node *node, struct site site)
{
    assert(node->newest_child == NULL);
    if (node->kind == NODE_QUEUE) {
        (void)unbind_groups(ledger, node); /* of declared groups: no contract call */
    }
    for (uint32_t i = 0; i < node->share_count; i++) {
        if (node->shares[i].live) {
            node->shares[i].live = false;
            node->shares[i].drops++;
            node->shares[i].closed = site;
        }
    }
    node->closed = site;
    node_unlink(ledger, node);
    node_set_state(node, NODE_CLOSED);
    node_drop_shares(node);
    list_push_back(&ledger->dying, &node->dying);
    /* A handle may name it for longer than these exist. */
    node->parent = node->queue = node->queue_wanted = node->queue_previous = NULL;
}

/* Closes a node whoever holds it: its children, then itself. Returns the first error. */
static ULONG close_node(struct ledger *ledger, struct node *node, struct site site)
{
    ULONG first = NO_ERROR;
    assert(node->state != NODE_CLOSED);
    while (node->newest_child != NULL) {
        keep_first(&first, close_node(ledger, node->newest_child, site));
    }
    if (node->state == NODE_OPEN || node->state == NODE_CLOSING) {
        ULONG code = node_close_contract(ledger, node);
        if (code != NO_ERROR) {
            char label[LEDGER_OBJECT_BYTES_MAX];
            log_write(ledger->options.log, LOG_LEVEL_WARN, "closing %s: error %u",
                      node_label(node, label), (unsigned)code);
            keep_first(&first, code);
        }
    }
    bury(ledger, node, site);
    return first;
}

/* Nobody holds the node any more. */
static ULONG let_go(struct ledger *ledger, struct node *node, struct site site)
{
    if (!ledger->stopping || node->state == NODE_DECLARED) {
        return close_node(ledger, node, site);
    }
    /* Its contract call waits for ledger_close_all. */
    node->closed = site;
    if (node->state == NODE_OPEN) {
        node_set_state(node, NODE_CLOSING);
    }
    return NO_ERROR;
}

/* --- shares -------------------------------------------------------------------------------- */

/* One state, or with worker ANY_WORKER every worker of a generation. */
struct holder {
    uint32_t generation;
    uint32_t worker;
    struct site site;
};
#define ANY_WORKER UINT32_MAX

static bool matches(const struct share *share, const struct holder *holder)
{
    return share->live && share->generation == holder->generation &&
           (holder->worker == ANY_WORKER || share->worker == holder->worker);
}

static bool holds(const struct node *node, const struct holder *holder)
{
    for (uint32_t i = 0; i < node->share_count; i++) {
        if (matches(&node->shares[i], holder)) {
            return true;
        }
    }
    return false;
}

static bool is_bound(const struct node *group, const struct node *queue)
{
    return group->queue == queue || group->queue_wanted == queue;
}

/* Drops the holder's shares of the node and of all below it. Returns the first error. */
static ULONG drop_tree(struct ledger *ledger, struct node *node, const struct holder *holder)
{
    ULONG first = NO_ERROR;
    struct node *child = node->newest_child;
    while (child != NULL) {
        struct node *older = child->older;
        keep_first(&first, drop_tree(ledger, child, holder));
        child = older;
    }
    if (!holds(node, holder)) {
        return first;
    }
    for (uint32_t i = 0; i < node->share_count; i++) {
        struct share *share = &node->shares[i];
        if (matches(share, holder)) {
            share->live = share->orphan = false;
            share->open = 0;
            share->drops++;
            share->closed = holder->site;
        }
    }
    if (node_live_shares(node) == 0) {
        keep_first(&first, let_go(ledger, node, holder->site));
    } else {
        node_drop_shares(node);
    }
    return first;
}

/* Whether something of the holder's keeps the node open although no handle does. */
static bool is_anchored(const struct ledger *ledger, const struct node *node,
                        const struct holder *holder)
{
    if (node->kind == NODE_URL) {
        return true;
    }
    if (node->kind != NODE_QUEUE) {
        const struct node *child = node->newest_child;
        while (child != NULL && !holds(child, holder)) {
            child = child->older;
        }
        return child != NULL;
    }
    for (const struct list_node *at = ledger->kinds[NODE_GROUP].head.next;
         at != &ledger->kinds[NODE_GROUP].head; at = at->next) {
        const struct node *group =
            (const struct node *)(const void *)((const char *)at - offsetof(struct node, of_kind));
        if (is_bound(group, node) && holds(group, holder)) {
            return true;
        }
    }
    return false;
}

/* Drops the holder's share of a node that only the node just dropped had anchored. */
static ULONG drop_orphan(struct ledger *ledger, struct node *node, const struct holder *holder)
{
    if (node == NULL || node->state == NODE_CLOSED || holder->worker == ANY_WORKER) {
        return NO_ERROR;
    }
    const struct share *share = node_share(node, holder->generation, (uint16_t)holder->worker);
    if (share == NULL || !share->live || !share->orphan || is_anchored(ledger, node, holder)) {
        return NO_ERROR;
    }
    return drop_tree(ledger, node, holder);
}

/* Drops a share and what it had anchored: of a url its group, of a group its session and queue. */
static ULONG drop_share(struct ledger *ledger, struct node *node, const struct holder *holder)
{
    struct node *group = node->kind == NODE_URL ? node->parent : node;
    struct node *session = group->parent;
    struct node *queues[2] = {group->queue, group->queue_wanted};
    ULONG first = drop_tree(ledger, node, holder);
    if (group != node) {
        keep_first(&first, drop_orphan(ledger, group, holder));
    }
    keep_first(&first, drop_orphan(ledger, session, holder));
    keep_first(&first, drop_orphan(ledger, queues[0], holder));
    keep_first(&first, drop_orphan(ledger, queues[1], holder));
    return first;
}

/* The queues that groups of this session alone had anchored are found by looking at all: sessions
 * are few. */
static ULONG drop_orphan_queues(struct ledger *ledger, const struct holder *holder)
{
    ULONG first = NO_ERROR;
    struct list_node *at = ledger->kinds[NODE_QUEUE].head.prev;
    while (at != &ledger->kinds[NODE_QUEUE].head) {
        struct list_node *older = at->prev;
        keep_first(&first, drop_orphan(ledger, LIST_ITEM(at, struct node, of_kind), holder));
        at = older;
    }
    return first;
}

static ULONG drop_and_follow(struct ledger *ledger, struct node *node, const struct holder *holder)
{
    bool session = node->kind == NODE_SESSION;
    ULONG first = drop_share(ledger, node, holder);
    if (session) {
        keep_first(&first, drop_orphan_queues(ledger, holder));
    }
    return first;
}

static struct holder holder_of(struct ledger *ledger, const struct ledger_origin *origin)
{
    return (struct holder){origin->generation, origin->worker, ledger_site_of(ledger, origin)};
}

ULONG ledger_close(struct ledger *ledger, const struct ledger_origin *origin, uint64_t id)
{
    ULONG first = NO_ERROR;
    ledger_lock(ledger);
    struct node *node = node_get(ledger, id);
    struct share *share =
        node == NULL ? NULL : node_share(node, origin->generation, origin->worker);
    if (share != NULL && share->live) {
        assert(share->open > 0);
        share->open--;
        if (share->open == 0) {
            struct holder holder = holder_of(ledger, origin);
            first = drop_and_follow(ledger, node, &holder);
        }
    }
    ledger_unlock(ledger);
    return first;
}

ULONG ledger_close_share(struct ledger *ledger, const struct ledger_origin *origin, uint64_t id)
{
    ULONG first = NO_ERROR;
    ledger_lock(ledger);
    struct node *node = node_get(ledger, id);
    struct share *share =
        node == NULL ? NULL : node_share(node, origin->generation, origin->worker);
    if (share != NULL && share->live) {
        struct holder holder = holder_of(ledger, origin);
        first = drop_and_follow(ledger, node, &holder);
    }
    ledger_unlock(ledger);
    return first;
}

bool ledger_release(struct ledger *ledger, const struct ledger_origin *origin, uint64_t id,
                    bool closed, struct ledger_info *info)
{
    bool leaked = false;
    ledger_lock(ledger);
    struct node *node = node_get(ledger, id);
    struct share *share =
        node == NULL ? NULL : node_share(node, origin->generation, origin->worker);
    if (share == NULL) {
        ledger_unlock(ledger);
        return false;
    }
    assert(share->handles > 0);
    share->handles--;
    struct holder holder = holder_of(ledger, origin);
    bool last = share->live && !closed && share->open > 0 && --share->open == 0;
    if (last && is_anchored(ledger, node, &holder)) {
        share->orphan = true;
    } else if (last) {
        leaked = true;
        node_describe(node, share, info);
        (void)drop_and_follow(ledger, node, &holder); /* traced and logged */
    } else {
        node_drop_shares(node);
    }
    ledger_unlock(ledger);
    return leaked;
}

/* --- generations --------------------------------------------------------------------------- */

/* Drops the holder's shares of every node of a kind, newest first. */
static void drop_kind(struct ledger *ledger, enum node_kind kind, const struct holder *holder)
{
    struct list_node *at = ledger->kinds[kind].head.prev;
    while (at != &ledger->kinds[kind].head) {
        struct list_node *older = at->prev;
        struct node *node = LIST_ITEM(at, struct node, of_kind);
        (void)drop_tree(ledger, node, holder); /* traced and logged */
        at = older;
    }
}

static void drop_generation(struct ledger *ledger, uint32_t generation)
{
    static const enum node_kind order[] = {NODE_URL, NODE_GROUP, NODE_SESSION, NODE_QUEUE};
    struct holder holder = {generation, ANY_WORKER, {"", 0}};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        drop_kind(ledger, order[i], &holder);
    }
    ledger_drop_loaders(ledger, generation);
}

/* Puts back what the commit of this generation changed on objects it shares with older ones. */
static void put_back(struct ledger *ledger, uint32_t generation)
{
    for (enum node_kind kind = NODE_QUEUE; kind < NODE_URL; kind++) {
        struct list_node *at = NULL;
        struct list_node *next = NULL;
        LIST_FOREACH_SAFE(at, next, &ledger->kinds[kind])
        {
            struct node *node = LIST_ITEM(at, struct node, of_kind);
            if (node->wanted_generation == generation && node->state == NODE_OPEN) {
                node->wanted_generation = 0;
                node->queue_wanted = node->queue;
            }
            if (node->changed_generation == generation && node->state == NODE_OPEN) {
                struct ledger_error error;
                ULONG code =
                    node_apply(ledger, node, &node->previous, node->queue_previous, &error);
                if (code != NO_ERROR) {
                    log_write(ledger->options.log, LOG_LEVEL_WARN,
                              "%s keeps properties of a failed load: %s error %u", error.object,
                              error.call, (unsigned)code);
                }
                node->queue_wanted = node->queue;
                node->changed_generation = 0;
            }
        }
    }
}

void ledger_discard(struct ledger *ledger, uint32_t generation)
{
    ledger_lock(ledger);
    put_back(ledger, generation);
    drop_generation(ledger, generation);
    ledger_unlock(ledger);
}

void ledger_withdraw(struct ledger *ledger, uint32_t generation)
{
    struct holder holder = {generation, ANY_WORKER, {"", 0}};
    ledger_lock(ledger);
    drop_kind(ledger, NODE_URL, &holder);
    ledger_unlock(ledger);
}

bool ledger_withdraw_kept(struct ledger *ledger, uint32_t generation)
{
    struct holder holder = {generation, ANY_WORKER, {"", 0}};
    bool kept = true;
    ledger_lock(ledger);
    const struct list_node *at = ledger->kinds[NODE_URL].head.next;
    for (; at != &ledger->kinds[NODE_URL].head && kept; at = at->next) {
        kept = !node_is_own(LIST_ITEM(at, struct node, of_kind), generation);
    }
    if (kept) {
        drop_kind(ledger, NODE_URL, &holder);
    }
    ledger_unlock(ledger);
    return kept;
}

void ledger_retire(struct ledger *ledger, uint32_t generation)
{
    ledger_lock(ledger);
    drop_generation(ledger, generation);
    ledger_unlock(ledger);
}

/* --- exit ---------------------------------------------------------------------------------- */

static void report(struct ledger *ledger, const struct node *node, ULONG code)
{
    if (ledger->options.report != NULL) {
        struct ledger_info info;
        node_describe(node, NULL, &info);
        ledger->options.report(ledger->options.ctx, &info, code);
    }
}

size_t ledger_shutdown_queues(struct ledger *ledger)
{
    size_t failed = 0;
    ledger_lock(ledger);
    struct list_node *at = ledger->kinds[NODE_QUEUE].head.prev;
    for (; at != &ledger->kinds[NODE_QUEUE].head; at = at->prev) {
        struct node *node = LIST_ITEM(at, struct node, of_kind);
        if (node->state == NODE_DECLARED) {
            continue;
        }
        char label[LEDGER_OBJECT_BYTES_MAX];
        ULONG code =
            contract_shutdown_queue(&ledger->contract, node_label(node, label), node->queue_handle);
        if (code != NO_ERROR) {
            failed++;
            report(ledger, node, code);
        }
    }
    ledger_unlock(ledger);
    return failed;
}

/* Closes every node of a kind, newest first. Returns the count of failed calls. */
static size_t close_kind(struct ledger *ledger, enum node_kind kind)
{
    size_t failed = 0;
    struct list_node *at = ledger->kinds[kind].head.prev;
    while (at != &ledger->kinds[kind].head) {
        struct list_node *older = at->prev;
        struct node *node = LIST_ITEM(at, struct node, of_kind);
        while (node->newest_child != NULL) { /* none, when kinds are closed in their order */
            failed += close_node(ledger, node->newest_child, node->closed) != NO_ERROR;
        }
        struct site site = node_live_shares(node) > 0 ? (struct site){"", 0} : node->closed;
        if (node->state != NODE_DECLARED) {
            ULONG code = node_close_contract(ledger, node);
            if (code != NO_ERROR) {
                failed++;
                report(ledger, node, code);
            }
        }
        bury(ledger, node, site);
        at = older;
    }
    return failed;
}

size_t ledger_close_kind(struct ledger *ledger, enum node_kind kind)
{
    assert(kind != NODE_INITIALIZATION);
    ledger_lock(ledger);
    ledger->stopping = true;
    size_t failed = close_kind(ledger, kind);
    ledger_unlock(ledger);
    return failed;
}

size_t ledger_close_all(struct ledger *ledger)
{
    static const enum node_kind order[] = {NODE_URL, NODE_GROUP, NODE_SESSION, NODE_QUEUE};
    size_t failed = 0;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        failed += ledger_close_kind(ledger, order[i]);
    }
    return failed;
}

size_t ledger_terminate(struct ledger *ledger)
{
    ledger_lock(ledger);
    assert(list_is_empty(&ledger->kinds[NODE_QUEUE]) && list_is_empty(&ledger->kinds[NODE_URL]));
    assert(list_is_empty(&ledger->kinds[NODE_SESSION]) &&
           list_is_empty(&ledger->kinds[NODE_GROUP]));
    size_t failed = close_kind(ledger, NODE_INITIALIZATION);
    ledger_unlock(ledger);
    return failed;
}
