/* From declared to open: the contract calls of creation, and the commit of a generation. */
#include "binding/ledger.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/ledger_internal.h"

/* --- properties and binding ---------------------------------------------------------------- */

static uint32_t property_bit(enum node_kind kind)
{
    switch (kind) {
    case NODE_SESSION: return PROPERTY_ON_SESSION;
    case NODE_GROUP: return PROPERTY_ON_GROUP;
    default: return PROPERTY_ON_QUEUE;
    }
}

static ULONG apply_properties(struct ledger *ledger, struct node *node,
                              const struct properties *properties, struct ledger_error *error)
{
    char label[LEDGER_OBJECT_BYTES_MAX];
    struct property_target target = {
        .on = property_bit(node->kind),
        .session = node->contract_id,
        .group = node->contract_id,
        .queue = node->queue_handle,
        .label = node_label(node, label),
    };
    const char *call = NULL;
    enum property_id failed = PROPERTY_COUNT;
    ULONG code =
        properties_apply(&ledger->contract, &target, &node->properties, properties, &call, &failed);
    if (code == NO_ERROR) {
        node->properties = *properties;
        return NO_ERROR;
    }
    bool missing = code == ERROR_NOT_SUPPORTED || code == ERROR_CALL_NOT_IMPLEMENTED;
    if (missing && node->host_made) {
        node->properties = *properties; /* a wish of the host's own: nobody relies on it */
        return NO_ERROR;
    }
    if (node->state == NODE_OPEN) {
        struct properties partly = node->properties;
        const char *ignored_call = NULL;
        enum property_id ignored = PROPERTY_COUNT;
        properties_take_before(&partly, properties, failed);
        /* What was set before the failure is put back; the first failure is the one to tell. */
        (void)properties_apply(&ledger->contract, &target, &partly, &node->properties,
                               &ignored_call, &ignored);
    }
    return ledger_fail(error, call, code, node, missing ? "leave out %s" : "%s",
                       property_name(failed));
}

static ULONG apply_binding(struct ledger *ledger, struct node *node, struct node *queue,
                           struct ledger_error *error)
{
    char label[LEDGER_OBJECT_BYTES_MAX];
    assert(node->kind == NODE_GROUP || queue == NULL);
    if (node->queue == queue) {
        return NO_ERROR;
    }
    assert(queue == NULL || queue->state == NODE_OPEN);
    ULONG code = contract_bind_group(&ledger->contract, node_label(node, label), node->contract_id,
                                     queue == NULL ? NULL : queue->queue_handle);
    if (code != NO_ERROR) {
        return ledger_fail(error, "HttpSetUrlGroupProperty", code, node, "binding");
    }
    node->queue = queue;
    return NO_ERROR;
}

ULONG node_apply(struct ledger *ledger, struct node *node, const struct properties *properties,
                 struct node *queue, struct ledger_error *error)
{
    assert(node->kind == NODE_QUEUE || node->kind == NODE_SESSION || node->kind == NODE_GROUP);
    struct properties before = node->properties;
    ULONG code = apply_properties(ledger, node, properties, error);
    if (code == NO_ERROR) {
        code = apply_binding(ledger, node, queue, error);
        if (code != NO_ERROR && node->state == NODE_OPEN) {
            struct ledger_error ignored; /* the first failure is the one to tell */
            (void)apply_properties(ledger, node, &before, &ignored);
        }
    }
    return code;
}

/* --- sessions, groups, queues -------------------------------------------------------------- */

static ULONG create_object(struct ledger *ledger, struct node *node, const char **call)
{
    char label[LEDGER_OBJECT_BYTES_MAX];
    const struct contract *contract = &ledger->contract;
    node_label(node, label);
    switch (node->kind) {
    case NODE_QUEUE:
        *call = "HttpCreateRequestQueue";
        return contract_create_queue(contract, label, &node->queue_handle);
    case NODE_SESSION:
        *call = "HttpCreateServerSession";
        return contract_create_session(contract, label, &node->contract_id);
    default:
        assert(node->kind == NODE_GROUP && node->parent != NULL);
        assert(node->parent->state == NODE_OPEN);
        *call = "HttpCreateUrlGroup";
        return contract_create_group(contract, label, node->parent->contract_id,
                                     &node->contract_id);
    }
}

/* Moves the node to the end of its list: the lists are in the order in which objects were opened.
 */
static void note_opened(struct ledger *ledger, struct node *node)
{
    node_set_state(node, NODE_OPEN);
    node->order = ++ledger->next_order;
    list_remove(&node->of_kind);
    list_push_back(&ledger->kinds[node->kind], &node->of_kind);
    if (node->kind == NODE_URL) {
        struct node *group = node->parent;
        group->served = group->parent->served = true;
        if (group->queue != NULL) {
            group->queue->served = true;
        }
    }
}

static ULONG open_object(struct ledger *ledger, struct node *node, struct ledger_error *error)
{
    const char *call = NULL;
    ULONG code = create_object(ledger, node, &call);
    if (code != NO_ERROR) {
        return ledger_fail(error, call, code, node, NULL);
    }
    node->properties = (struct properties){0};
    node->queue = NULL;
    code = node_apply(ledger, node, &node->wanted, node->queue_wanted, error);
    if (code != NO_ERROR) {
        (void)node_close_contract(ledger, node); /* traced; the first failure is the one to tell */
        node->properties = (struct properties){0};
        node->queue = NULL;
        node->contract_id = 0;
        node->queue_handle = NULL;
        return code;
    }
    note_opened(ledger, node);
    return NO_ERROR;
}

/* --- URLs ---------------------------------------------------------------------------------- */

/* Codes by which a provider says that the machine has no such address. */
static bool is_missing_address(ULONG code)
{
    return code == ERROR_NOT_FOUND || code == ERROR_INVALID_PARAMETER ||
           code == ERROR_NOT_SUPPORTED || code == ERROR_CALL_NOT_IMPLEMENTED;
}

/* Whether two prefixes at the contract are in each other's way. */
static bool conflict(struct slice a, struct slice b)
{
    static const struct slice none = {NULL, 0};
    char keys[2][LEDGER_PREFIX_BYTES_MAX];
    size_t len = prefix_write_key(none, a, keys[0], sizeof keys[0]);
    return len > 0 && prefix_write_key(none, b, keys[1], sizeof keys[1]) == len &&
           memcmp(keys[0], keys[1], len) == 0;
}

struct node *ledger_find_registered(struct ledger *ledger, const char *url, uint32_t *index)
{
    struct list_node *at = NULL;
    struct list_node *next = NULL;
    LIST_FOREACH_SAFE(at, next, &ledger->kinds[NODE_URL])
    {
        struct node *node = LIST_ITEM(at, struct node, of_kind);
        for (uint32_t i = 0; i < node->registered_count; i++) {
            if ((node->lent & 1U << i) == 0 &&
                conflict(slice_from_cstr(node->registered[i]), slice_from_cstr(url))) {
                *index = i;
                return node;
            }
        }
    }
    return NULL;
}

static void hint_held(const struct ledger *ledger, uint16_t port, struct ledger_error *error)
{
    char holder[LEDGER_HINT_BYTES_MAX / 2];
    const struct ledger_options *options = &ledger->options;
    bool known = options->port_holder != NULL &&
                 options->port_holder(options->ctx, port, holder, sizeof holder);
    snprintf(error->hint, sizeof error->hint, "port %u is held by %s; -p 0 takes a free one", port,
             known ? holder : "another program");
}

static ULONG fail_url(struct ledger *ledger, const struct node *node, ULONG code, const char *url,
                      struct ledger_error *error)
{
    struct prefix prefix = {0};
    const char *why = NULL;
    const struct node *other = NULL;
    uint32_t index = 0;
    ledger_fail(error, "HttpAddUrlToUrlGroup", code, node, NULL);
    snprintf(error->object, sizeof error->object, "%s", url);
    ULONG parsed = prefix_parse(slice_from_cstr(url), &prefix, &why);
    assert(parsed == NO_ERROR);
    (void)parsed; /* judged when it was declared */
    switch (code) {
    case ERROR_SHARING_VIOLATION: hint_held(ledger, prefix.port, error); break;
    case ERROR_ACCESS_DENIED:
        snprintf(error->hint, sizeof error->hint,
                 "port %u needs a permission this user does not have; a port from 1024 up does not",
                 prefix.port);
        break;
    case ERROR_ALREADY_EXISTS:
        other = ledger_find_registered(ledger, url, &index);
        if (other == NULL) {
            snprintf(error->hint, sizeof error->hint, "another program has registered this URL");
        } else {
            struct ledger_site site;
            site_export(other->made, &site);
            snprintf(error->hint, sizeof error->hint, "%.80s has it, added at %.120s:%d",
                     other->name, site.file, site.line);
        }
        break;
    case ERROR_INVALID_PARAMETER:
        snprintf(error->hint, sizeof error->hint,
                 "a prefix looks like http://localhost:8080/path/, or /path/");
        break;
    case ERROR_NOT_FOUND:
        snprintf(error->hint, sizeof error->hint, "this machine has no such address");
        break;
    case ERROR_NOT_SUPPORTED:
        if (slice_starts_with(slice_from_cstr(url), SLICE_LIT("https:"))) {
            snprintf(error->hint, sizeof error->hint, "there is no TLS here: use http://");
        }
        break;
    default: break;
    }
    return code;
}

/* A prefix that only older generations have, in another group, moves here: for now it is only
 * promised, and the other one counts it as lent. Everything that may fail is done before the first
 * one moves. */
static ULONG promise_move(struct ledger *ledger, struct node *node, const char *url)
{
    uint32_t index = 0;
    struct node *other = ledger_find_registered(ledger, url, &index);
    if (ledger->committing == 0 || other == NULL || other == node || other->host_made ||
        node_has_live_share(other, ledger->committing)) {
        return ERROR_ALREADY_EXISTS;
    }
    other->lent |= 1U << index;
    node->taken[node->registered_count].id = other->id;
    node->taken[node->registered_count].index = index;
    node->promised |= 1U << node->registered_count;
    return NO_ERROR;
}

/* Moves one registration in one step, so that no request finds it missing. A provider that cannot
 * do that removes it first. */
static ULONG move_registration(struct ledger *ledger, struct node *node, uint32_t index)
{
    const struct contract *contract = &ledger->contract;
    struct slice url = slice_from_cstr(node->registered[index]);
    ULONG code = contract_add_url(contract, node->parent->contract_id, url, node->id, true);
    if (code == ERROR_INVALID_PARAMETER) {
        const struct node *other = node_get(ledger, node->taken[index].id);
        assert(other != NULL &&
               other->state == NODE_OPEN); /* the mutex was held since the promise */
        const char *there = other->registered[node->taken[index].index];
        code = contract_remove_url(contract, other->parent->contract_id, slice_from_cstr(there));
        if (code == NO_ERROR) {
            code = contract_add_url(contract, node->parent->contract_id, url, node->id, false);
        }
    }
    if (code == NO_ERROR) {
        node->promised &= ~(1U << index);
    }
    return code;
}

/* Registers one prefix. ERROR_NOT_ENOUGH_MEMORY: nothing was registered. */
static ULONG add_registration(struct ledger *ledger, struct node *node, struct slice url)
{
    assert(node->registered_count < LEDGER_REGISTRATIONS_MAX);
    char *copy = ledger_copy_text(url);
    if (copy == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    node->taken[node->registered_count].id = 0;
    ULONG code =
        contract_add_url(&ledger->contract, node->parent->contract_id, url, node->id, false);
    if (code == ERROR_ALREADY_EXISTS) {
        code = promise_move(ledger, node, copy);
    }
    if (code != NO_ERROR) {
        free(copy);
        return code;
    }
    node->registered[node->registered_count++] = copy;
    return NO_ERROR;
}

/* A bare path: one registration for each address. */
static ULONG open_bare(struct ledger *ledger, struct node *node, struct ledger_error *error)
{
    for (size_t i = 0; i < ledger->address_count; i++) {
        const struct address *address = &ledger->addresses[i];
        char url[LEDGER_PREFIX_BYTES_MAX];
        struct slice path = node->prefix.path;
        bool slash = path.p[path.len - 1] != '/';
        int len = snprintf(url, sizeof url, "%s%.*s%s", address->base, (int)path.len, path.p,
                           slash ? "/" : "");
        if (len < 0 || (size_t)len >= sizeof url) {
            return ledger_fail(error, NULL, ERROR_INVALID_PARAMETER, node,
                               "with the address, a URL has at most %d bytes",
                               LEDGER_PREFIX_BYTES_MAX - 1);
        }
        ULONG code = add_registration(ledger, node, slice_make(url, (size_t)len));
        if (code == NO_ERROR) {
            continue;
        }
        if (!address->optional || !is_missing_address(code)) {
            return fail_url(ledger, node, code, url, error);
        }
        log_write(ledger->options.log, LOG_LEVEL_DEBUG, "%s skipped: no such address here (%u)",
                  url, (unsigned)code);
    }
    return NO_ERROR;
}

static ULONG open_url(struct ledger *ledger, struct node *node, struct ledger_error *error)
{
    assert(node->parent != NULL && node->parent->state == NODE_OPEN);
    assert(node->registered_count == 0);
    ULONG code = NO_ERROR;
    if (node->prefix.bare) {
        code = open_bare(ledger, node, error);
    } else {
        code = add_registration(ledger, node, slice_from_cstr(node->name));
        if (code != NO_ERROR) {
            fail_url(ledger, node, code, node->name, error);
        }
    }
    if (code != NO_ERROR) {
        (void)node_unregister(ledger, node); /* traced; the first failure is the one to tell */
        return code;
    }
    note_opened(ledger, node);
    return NO_ERROR;
}

ULONG node_open(struct ledger *ledger, struct node *node, struct ledger_error *error)
{
    assert(node->state == NODE_DECLARED);
    return node->kind == NODE_URL ? open_url(ledger, node, error)
                                  : open_object(ledger, node, error);
}

/* --- opening at once ----------------------------------------------------------------------- */

/* Opens what the node stands on, then the node. */
static ULONG open_chain(struct ledger *ledger, struct node *node, struct ledger_error *error)
{
    struct node *chain[4] = {NULL};
    size_t count = 0;
    struct node *group = node->kind == NODE_URL ? node->parent : node;
    chain[count++] = group->queue_wanted;
    chain[count++] = group->parent;
    chain[count++] = group;
    if (group != node) {
        chain[count++] = node;
    }
    for (size_t i = 0; i < count; i++) {
        if (chain[i] == NULL || chain[i]->state != NODE_DECLARED) {
            continue;
        }
        ULONG code = node_open(ledger, chain[i], error);
        if (code != NO_ERROR) {
            return code;
        }
    }
    return NO_ERROR;
}

ULONG ledger_open(struct ledger *ledger, const struct ledger_origin *origin, uint64_t id,
                  struct ledger_error *error)
{
    ULONG code = NO_ERROR;
    ledger_lock(ledger);
    struct node *node = node_get(ledger, id);
    struct share *share =
        node == NULL ? NULL : node_share(node, origin->generation, origin->worker);
    if (ledger->stopping) {
        code = ledger_fail(error, NULL, ERROR_OPERATION_ABORTED, NULL, "stopping");
    } else if (node == NULL || (!node->host_made && (share == NULL || !share->live))) {
        code = ledger_fail(error, NULL, ERROR_INVALID_HANDLE, NULL, "closed");
    } else {
        code = open_chain(ledger, node, error);
    }
    ledger_unlock(ledger);
    return code;
}

/* --- changes of an open object ------------------------------------------------------------- */

/* The node if the state holds a share of it and it is of a kind that has properties. */
static ULONG find_shared(struct ledger *ledger, const struct ledger_origin *origin, uint64_t id,
                         struct node **out, struct ledger_error *error)
{
    struct node *node = node_get(ledger, id);
    struct share *share =
        node == NULL ? NULL : node_share(node, origin->generation, origin->worker);
    if (share == NULL || !share->live || node->state == NODE_CLOSING) {
        (void)ledger_fail(error, NULL, ERROR_INVALID_HANDLE, NULL, "closed");
        return ERROR_INVALID_HANDLE;
    }
    assert(node->state != NODE_CLOSED);
    *out = node;
    return NO_ERROR;
}

/* Whether a change waits for the commit. */
static bool is_later(const struct node *node, const struct ledger_origin *origin)
{
    return origin->loading || node->state == NODE_DECLARED;
}

ULONG ledger_set(struct ledger *ledger, const struct ledger_origin *origin, uint64_t id,
                 const struct properties *properties, struct ledger_error *error)
{
    struct node *node = NULL;
    ledger_lock(ledger);
    ULONG code = find_shared(ledger, origin, id, &node, error);
    if (code == NO_ERROR && is_later(node, origin)) {
        assert(node->wanted_generation == origin->generation || !origin->loading);
        properties_merge(&node->wanted, properties);
    } else if (code == NO_ERROR) {
        struct properties after = node->properties;
        properties_merge(&after, properties);
        code = node_apply(ledger, node, &after, node->queue, error);
    }
    ledger_unlock(ledger);
    return code;
}

ULONG ledger_get(struct ledger *ledger, const struct ledger_origin *origin, uint64_t id,
                 struct properties *out)
{
    struct ledger_error ignored; /* the caller knows that it is closed */
    struct node *node = NULL;
    ledger_lock(ledger);
    ULONG code = find_shared(ledger, origin, id, &node, &ignored);
    if (code == NO_ERROR) {
        *out = is_later(node, origin) ? node->wanted : node->properties;
    }
    ledger_unlock(ledger);
    return code;
}

ULONG ledger_bind(struct ledger *ledger, const struct ledger_origin *origin, uint64_t group,
                  uint64_t queue, struct ledger_error *error)
{
    struct node *node = NULL;
    struct node *target = NULL;
    ledger_lock(ledger);
    ULONG code = find_shared(ledger, origin, group, &node, error);
    if (code == NO_ERROR && queue != 0) {
        code = find_shared(ledger, origin, queue, &target, error);
    }
    if (code == NO_ERROR && is_later(node, origin)) {
        node->queue_wanted = target;
    } else if (code == NO_ERROR) {
        code = apply_binding(ledger, node, target, error);
        if (code == NO_ERROR) {
            node->queue_wanted = target;
        }
    }
    ledger_unlock(ledger);
    return code;
}

/* --- the commit of a generation ------------------------------------------------------------ */

/* Nodes that the commit of a generation is about: its own, and the host's, which belong to all. */
static bool belongs(const struct node *node, uint32_t generation)
{
    return node->host_made || node_has_live_share(node, generation);
}

/* Changes an object that an older generation had opened. */
static ULONG change_kept(struct ledger *ledger, struct node *node, uint32_t generation,
                         struct ledger_error *error)
{
    if (node->wanted_generation != generation || node->host_made) {
        return NO_ERROR;
    }
    node->previous = node->properties;
    node->queue_previous = node->queue;
    ULONG code = node_apply(ledger, node, &node->wanted, node->queue_wanted, error);
    if (code == NO_ERROR) {
        node->changed_generation = generation;
    }
    return code;
}

static ULONG commit_kind(struct ledger *ledger, uint32_t generation, enum node_kind kind,
                         struct ledger_error *error)
{
    /* An opened node moves to the end of the list, so `last` ends the walk. */
    struct list_node *last = ledger->kinds[kind].head.prev;
    struct list_node *at = NULL;
    struct list_node *next = NULL;
    ULONG code = NO_ERROR;
    if (list_is_empty(&ledger->kinds[kind])) {
        return NO_ERROR;
    }
    LIST_FOREACH_SAFE(at, next, &ledger->kinds[kind])
    {
        struct node *node = LIST_ITEM(at, struct node, of_kind);
        if (belongs(node, generation)) {
            if (node->state == NODE_DECLARED) {
                code = node_open(ledger, node, error);
            } else if (kind != NODE_URL && node->state == NODE_OPEN) {
                code = change_kept(ledger, node, generation, error);
            }
        }
        if (code != NO_ERROR || at == last) {
            break;
        }
    }
    return code;
}

/* Moves what the URLs opened since `order` were promised. Where the provider is this
 * project's own, that needs a little memory and nothing else. */
static ULONG move_promised(struct ledger *ledger, uint64_t order, struct ledger_error *error)
{
    struct list_node *at = ledger->kinds[NODE_URL].head.next;
    for (; at != &ledger->kinds[NODE_URL].head; at = at->next) {
        struct node *node = LIST_ITEM(at, struct node, of_kind);
        for (uint32_t i = 0; node->order > order && i < node->registered_count; i++) {
            if ((node->promised & 1U << i) == 0) {
                continue;
            }
            ULONG code = move_registration(ledger, node, i);
            if (code != NO_ERROR) {
                return fail_url(ledger, node, code, node->registered[i], error);
            }
        }
    }
    return NO_ERROR;
}

/* Takes back the URLs opened since `order`, newest first. */
static void roll_back_urls(struct ledger *ledger, uint64_t order)
{
    struct list_node *at = ledger->kinds[NODE_URL].head.prev;
    while (at != &ledger->kinds[NODE_URL].head) {
        struct node *node = LIST_ITEM(at, struct node, of_kind);
        if (node->order > order && node->state == NODE_OPEN) {
            (void)node_unregister(ledger, node); /* traced; the commit has failed already */
            node_set_state(node, NODE_DECLARED);
            node->order = 0;
        }
        at = at->prev;
    }
}

/* The commit is done: what was moved stays. */
static void keep_moved(struct ledger *ledger, uint64_t order)
{
    struct list_node *at = ledger->kinds[NODE_URL].head.prev;
    for (; at != &ledger->kinds[NODE_URL].head; at = at->prev) {
        struct node *node = LIST_ITEM(at, struct node, of_kind);
        if (node->order > order) {
            memset(node->taken, 0, sizeof node->taken);
        }
    }
}

ULONG ledger_commit(struct ledger *ledger, uint32_t generation, enum ledger_phase phase,
                    struct ledger_error *error)
{
    ULONG code = NO_ERROR;
    ledger_lock(ledger);
    if (ledger->stopping) {
        code = ledger_fail(error, NULL, ERROR_OPERATION_ABORTED, NULL, "stopping");
    } else if (phase == LEDGER_PHASE_OBJECTS) {
        for (enum node_kind kind = NODE_QUEUE; kind < NODE_URL && code == NO_ERROR; kind++) {
            code = commit_kind(ledger, generation, kind, error);
        }
    } else {
        uint64_t order = ledger->next_order;
        ledger->committing = generation;
        code = commit_kind(ledger, generation, NODE_URL, error);
        if (code == NO_ERROR) {
            code = move_promised(ledger, order, error);
        }
        ledger->committing = 0;
        if (code == NO_ERROR) {
            keep_moved(ledger, order);
            ledger_drop_loaders(ledger, generation);
        } else {
            roll_back_urls(ledger, order);
        }
    }
    ledger_unlock(ledger);
    return code;
}

/* --- a commit without contract calls ------------------------------------------------------- */

/* The commit of the generation would call the contract for this node. */
static bool needs_call(const struct node *node, uint32_t generation)
{
    if (!belongs(node, generation)) {
        return false;
    }
    if (node->state != NODE_OPEN) {
        return true;
    }
    return node->kind != NODE_URL && !node->host_made && node->wanted_generation == generation &&
           (node->queue_wanted != node->queue ||
            !properties_equal(&node->wanted, &node->properties));
}

static bool is_kept(const struct ledger *ledger, uint32_t generation)
{
    for (enum node_kind kind = NODE_QUEUE; kind < NODE_KIND_COUNT; kind++) {
        const struct list_node *at = ledger->kinds[kind].head.next;
        for (; at != &ledger->kinds[kind].head; at = at->next) {
            if (needs_call(LIST_ITEM(at, struct node, of_kind), generation)) {
                return false;
            }
        }
    }
    return true;
}

bool ledger_commit_kept(struct ledger *ledger, uint32_t generation)
{
    struct ledger_error error; /* nothing can fail without a call */
    ledger_lock(ledger);
    bool kept = !ledger->stopping && is_kept(ledger, generation);
    for (enum node_kind kind = NODE_QUEUE; kept && kind < NODE_KIND_COUNT; kind++) {
        ULONG code = commit_kind(ledger, generation, kind, &error);
        assert(code == NO_ERROR);
        (void)code;
    }
    if (kept) {
        ledger_drop_loaders(ledger, generation);
    }
    ledger_unlock(ledger);
    return kept;
}
