#include "binding/ledger.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/error.h"
#include "binding/ledger_internal.h"

/* --- names --------------------------------------------------------------------------------- */

const char *ledger_kind_name(enum node_kind kind)
{
    static const char *const names[NODE_KIND_COUNT] = {"initialization", "queue", "session",
                                                       "group", "url"};
    return names[kind];
}

const char *ledger_state_name(enum node_state state)
{
    static const char *const names[] = {"declared", "open", "closing", "closed"};
    return names[state];
}

void site_export(struct site site, struct ledger_site *out)
{
    size_t len = site.file == NULL ? 0 : strlen(site.file);
    if (len >= sizeof out->file) {
        size_t keep = sizeof out->file - 4; /* the end of a path says more than its beginning */
        memcpy(out->file, "...", 3);
        memcpy(out->file + 3, site.file + len - keep, keep);
        out->file[sizeof out->file - 1] = '\0';
    } else {
        memcpy(out->file, site.file == NULL ? "" : site.file, len + 1);
    }
    out->line = site.line;
}

const char *node_label(const struct node *node, char out[LEDGER_OBJECT_BYTES_MAX])
{
    const char *kind = ledger_kind_name(node->kind);
    if (node->kind == NODE_URL) {
        snprintf(out, LEDGER_OBJECT_BYTES_MAX, "%s", node->name);
    } else if (node->host_made) {
        snprintf(out, LEDGER_OBJECT_BYTES_MAX, "%s host", kind);
    } else if (node->name != NULL) {
        snprintf(out, LEDGER_OBJECT_BYTES_MAX, "%s %s", kind, node->name);
    } else {
        struct ledger_site site;
        site_export(node->made, &site);
        snprintf(out, LEDGER_OBJECT_BYTES_MAX, "%s %s:%d", kind, site.file, site.line);
    }
    return out;
}

ULONG ledger_fail(struct ledger_error *error, const char *call, ULONG code, const struct node *node,
                  const char *hint, ...)
{
    assert(code != NO_ERROR);
    *error = (struct ledger_error){.call = call, .code = code};
    if (node != NULL) {
        node_label(node, error->object);
        site_export(node->made, &error->site);
    }
    if (hint != NULL) {
        va_list args;
        va_start(args, hint);
        vsnprintf(error->hint, sizeof error->hint, hint, args);
        va_end(args);
    }
    return code;
}

void node_describe(const struct node *node, const struct share *asking, struct ledger_info *info)
{
    bool live = asking != NULL ? asking->live : node_live_shares(node) > 0;
    *info = (struct ledger_info){
        .id = node->id,
        .parent = node->parent == NULL ? 0 : node->parent->id,
        .queue = node->queue == NULL ? 0 : node->queue->id,
        .kind = node->kind,
        .state = node->state,
        .host_made = node->host_made,
        .live = live,
        .drops = asking == NULL ? 0 : asking->drops,
        .shares = node_live_shares(node),
        .handle =
            node->kind == NODE_QUEUE ? (uint64_t)(uintptr_t)node->queue_handle : node->contract_id,
        .order = node->order,
    };
    const char *name = node->host_made ? "host" : node->name;
    snprintf(info->name, sizeof info->name, "%s", name == NULL ? "" : name);
    site_export(node->made, &info->made);
    bool own_end = asking != NULL && !asking->live && asking->closed.file != NULL;
    site_export(own_end ? asking->closed : node->closed, &info->closed);
}

/* --- life ---------------------------------------------------------------------------------- */

char *ledger_copy_text(struct slice text)
{
    char *copy = malloc(text.len + 1);
    if (copy != NULL) {
        if (text.len > 0) {
            memcpy(copy, text.p, text.len);
        }
        copy[text.len] = '\0';
    }
    return copy;
}

void ledger_lock(struct ledger *ledger)
{
    int failed = pthread_mutex_lock(&ledger->mutex);
    assert(failed == 0);
    (void)failed; /* an ordinary mutex that exists cannot fail */
}

static void free_node(struct ledger *ledger, struct node *node)
{
    assert(node->newest_child == NULL && node->registered_count == 0);
    void *removed = slots_remove(&ledger->nodes, node->id);
    assert(removed == node);
    (void)removed; /* checked above */
    list_remove(&node->dying);
    free(node->shares);
    free(node->name);
    free(node);
}

void ledger_unlock(struct ledger *ledger)
{
    struct list_node *at = NULL;
    struct list_node *next = NULL;
    LIST_FOREACH_SAFE(at, next, &ledger->dying)
    {
        struct node *node = LIST_ITEM(at, struct node, dying);
        if (node->share_count == 0) {
            free_node(ledger, node);
        }
    }
    int failed = pthread_mutex_unlock(&ledger->mutex);
    assert(failed == 0);
    (void)failed;
}

struct ledger *ledger_create(const struct ledger_options *options)
{
    static const struct ledger_address standard[] = {
        {"http://localhost:8080", false},
        {"http://127.0.0.1:8080", true},
        {"http://[::1]:8080", true},
    };
    struct ledger *ledger = calloc(1, sizeof *ledger);
    if (ledger == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&ledger->mutex, NULL) != 0) {
        free(ledger);
        return NULL;
    }
    ledger->options = *options;
    ledger->contract = (struct contract){options->trace, options->ctx};
    slots_init(&ledger->nodes, LEDGER_NODES_MAX);
    for (size_t i = 0; i < NODE_KIND_COUNT; i++) {
        list_init(&ledger->kinds[i]);
    }
    list_init(&ledger->dying);
    if (ledger_set_addresses(ledger, standard, sizeof standard / sizeof standard[0]) != NO_ERROR) {
        ledger_destroy(ledger);
        return NULL;
    }
    return ledger;
}

static void free_all_nodes(struct ledger *ledger)
{
    size_t cursor = 0;
    struct node *node = NULL;
    while ((node = slots_next(&ledger->nodes, &cursor)) != NULL) {
        assert(node->state == NODE_CLOSED || node->state == NODE_DECLARED);
        free(node->shares);
        free(node->name);
        free(node);
    }
    slots_deinit(&ledger->nodes);
}

static void free_addresses(struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->address_count; i++) {
        free(ledger->addresses[i].base);
    }
    ledger->address_count = 0;
}

static void free_loader(struct loader *loader)
{
    free(loader->items);
    free(loader);
}

void ledger_destroy(struct ledger *ledger)
{
    if (ledger == NULL) {
        return;
    }
    free_all_nodes(ledger);
    free_addresses(ledger);
    while (ledger->loaders != NULL) {
        struct loader *gone = ledger->loaders;
        ledger->loaders = gone->next;
        free_loader(gone);
    }
    for (size_t i = 0; i < ledger->file_count; i++) {
        free(ledger->files[i]);
    }
    free(ledger->buckets);
    pthread_mutex_destroy(&ledger->mutex);
    free(ledger);
}

ULONG ledger_set_addresses(struct ledger *ledger, const struct ledger_address *addresses,
                           size_t count)
{
    char *copies[LEDGER_ADDRESSES_MAX] = {NULL};
    ULONG code = NO_ERROR;
    if (count == 0 || count > LEDGER_ADDRESSES_MAX) {
        return ERROR_INVALID_PARAMETER;
    }
    for (size_t i = 0; i < count && code == NO_ERROR; i++) {
        char url[LEDGER_PREFIX_BYTES_MAX];
        struct prefix prefix;
        const char *why = NULL;
        int len = snprintf(url, sizeof url, "%s/", addresses[i].base);
        copies[i] = ledger_copy_text(slice_from_cstr(addresses[i].base));
        if (copies[i] == NULL) {
            code = ERROR_NOT_ENOUGH_MEMORY;
        } else if (len < 0 || (size_t)len >= sizeof url ||
                   prefix_parse(slice_make(url, (size_t)len), &prefix, &why) != NO_ERROR ||
                   prefix.path.len != 1) {
            code = ERROR_INVALID_PARAMETER;
        }
    }
    ledger_lock(ledger);
    if (code == NO_ERROR) {
        free_addresses(ledger);
        for (size_t i = 0; i < count; i++) {
            ledger->addresses[i].base = copies[i];
            ledger->addresses[i].optional = addresses[i].optional;
            copies[i] = NULL;
        }
        ledger->address_count = count;
    }
    ledger_unlock(ledger);
    for (size_t i = 0; i < count; i++) {
        free(copies[i]);
    }
    return code;
}

/* --- nodes and shares ---------------------------------------------------------------------- */

void node_set_state(struct node *node, enum node_state state)
{
    static const unsigned allowed[] = {
        [NODE_DECLARED] = 1u << NODE_OPEN | 1u << NODE_CLOSED,
        /* Back to DECLARED: the commit that opened it is rolled back. */
        [NODE_OPEN] = 1u << NODE_DECLARED | 1u << NODE_CLOSING | 1u << NODE_CLOSED,
        [NODE_CLOSING] = 1u << NODE_CLOSED,
        [NODE_CLOSED] = 0,
    };
    assert((allowed[node->state] >> state & 1u) != 0);
    (void)allowed; /* used by the assertion alone */
    node->state = state;
}

struct node *node_get(struct ledger *ledger, uint64_t id)
{
    return slots_get(&ledger->nodes, id);
}

struct share *node_share(struct node *node, uint32_t generation, uint16_t worker)
{
    for (uint32_t i = 0; i < node->share_count; i++) {
        struct share *share = &node->shares[i];
        if (share->generation == generation && share->worker == worker) {
            return share;
        }
    }
    return NULL;
}

bool node_has_live_share(const struct node *node, uint32_t generation)
{
    for (uint32_t i = 0; i < node->share_count; i++) {
        if (node->shares[i].live && node->shares[i].generation == generation) {
            return true;
        }
    }
    return false;
}

uint32_t node_live_shares(const struct node *node)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->share_count; i++) {
        count += node->shares[i].live;
    }
    return count;
}

static void unlink_key(struct ledger *ledger, struct node *node)
{
    if (node->key == 0) {
        return;
    }
    struct node **at = &ledger->buckets[node->key & (ledger->bucket_count - 1)];
    while (*at != node) {
        assert(*at != NULL);
        at = &(*at)->bucket_next;
    }
    *at = node->bucket_next;
    node->bucket_next = NULL;
    node->key = 0;
    ledger->key_count--;
}

void node_unlink(struct ledger *ledger, struct node *node)
{
    unlink_key(ledger, node);
    list_remove(&node->of_kind);
    if (node->parent != NULL) {
        if (node->newer != NULL) {
            node->newer->older = node->older;
        } else {
            assert(node->parent->newest_child == node);
            node->parent->newest_child = node->older;
        }
        if (node->older != NULL) {
            node->older->newer = node->newer;
        }
        node->older = node->newer = NULL;
    }
    if (ledger->host_queue == node) {
        ledger->host_queue = NULL;
    }
    if (ledger->host_group == node) {
        ledger->host_group = NULL;
    }
}

void node_discard(struct ledger *ledger, struct node *node)
{
    assert(node->newest_child == NULL);
    for (uint32_t i = 0; i < node->share_count; i++) {
        node->shares[i].live = false;
    }
    node_unlink(ledger, node);
    node_set_state(node, NODE_CLOSED);
    node_drop_shares(node);
    list_push_back(&ledger->dying, &node->dying);
}

void node_drop_shares(struct node *node)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->share_count; i++) {
        if (node->shares[i].live || node->shares[i].handles > 0) {
            node->shares[kept++] = node->shares[i];
        }
    }
    node->share_count = kept;
}

struct site ledger_site_of(struct ledger *ledger, const struct ledger_origin *origin)
{
    struct site site = {"", origin->line};
    if (origin->file == NULL || origin->file[0] == '\0') {
        return site;
    }
    for (size_t i = ledger->file_count; i-- > 0;) {
        if (strcmp(ledger->files[i], origin->file) == 0) {
            site.file = ledger->files[i];
            return site;
        }
    }
    char *copy = ledger->file_count == LEDGER_FILES_MAX
                     ? NULL
                     : ledger_copy_text(slice_from_cstr(origin->file));
    if (copy != NULL) {
        ledger->files[ledger->file_count++] = copy;
        site.file = copy;
    }
    return site;
}

/* --- initialisation ------------------------------------------------------------------------ */

ULONG ledger_initialize(struct ledger *ledger, ULONG flags, struct ledger_error *error)
{
    struct node *node = calloc(1, sizeof *node);
    ULONG code = ERROR_NOT_ENOUGH_MEMORY;
    ledger_lock(ledger);
    if (node != NULL) {
        node->kind = NODE_INITIALIZATION;
        node->state = NODE_DECLARED;
        node->contract_id = flags;
        node->made.file = "";
        node->closed.file = "";
        node->id = slots_insert(&ledger->nodes, node);
    }
    if (node == NULL || node->id == 0) {
        code = ledger_fail(error, NULL, ERROR_NOT_ENOUGH_MEMORY, NULL, NULL);
        free(node);
        goto out;
    }
    code = contract_initialize(&ledger->contract, flags);
    if (code != NO_ERROR) {
        code = ledger_fail(error, "HttpInitialize", code, NULL, NULL);
        void *removed = slots_remove(&ledger->nodes, node->id);
        assert(removed == node);
        (void)removed; /* checked above */
        free(node);
        goto out;
    }
    node_set_state(node, NODE_OPEN);
    node->order = ++ledger->next_order;
    list_push_back(&ledger->kinds[NODE_INITIALIZATION], &node->of_kind);
out:
    ledger_unlock(ledger);
    return code;
}

/* --- looking ------------------------------------------------------------------------------- */

bool ledger_info(struct ledger *ledger, const struct ledger_origin *origin, uint64_t id,
                 struct ledger_info *info)
{
    ledger_lock(ledger);
    struct node *node = node_get(ledger, id);
    if (node != NULL) {
        struct share none = {.generation = origin->generation, .worker = origin->worker};
        struct share *share = node_share(node, origin->generation, origin->worker);
        if (share == NULL && node->host_made) {
            share = node_share(node, 0, LEDGER_WORKER_HOST);
        }
        node_describe(node, share == NULL ? &none : share, info);
    }
    ledger_unlock(ledger);
    return node != NULL;
}

bool ledger_url_prefix(struct ledger *ledger, uint64_t id, size_t i, char *out, size_t cap)
{
    bool found = false;
    ledger_lock(ledger);
    struct node *node = node_get(ledger, id);
    if (node != NULL && node->kind == NODE_URL && i < node->registered_count) {
        int len = snprintf(out, cap, "%s", node->registered[i]);
        found = len >= 0 && (size_t)len < cap;
    }
    ledger_unlock(ledger);
    return found;
}

uint32_t ledger_url_segments(struct ledger *ledger, uint64_t id)
{
    ledger_lock(ledger);
    struct node *node = node_get(ledger, id);
    uint32_t segments = node == NULL || node->kind != NODE_URL ? 0 : node->prefix.segments;
    ledger_unlock(ledger);
    return segments;
}

uint16_t ledger_url_worker(struct ledger *ledger, uint32_t generation, uint64_t id)
{
    uint16_t worker = LEDGER_WORKER_HOST;
    ledger_lock(ledger);
    const struct node *node = node_get(ledger, id);
    for (uint32_t i = 0; node != NULL && i < node->share_count; i++) {
        const struct share *share = &node->shares[i];
        if (share->live && share->generation == generation) {
            worker = share->worker;
            break;
        }
    }
    ledger_unlock(ledger);
    return worker;
}

void ledger_walk(struct ledger *ledger, bool (*fn)(void *ctx, const struct ledger_info *info),
                 void *ctx)
{
    ledger_walk_generation(ledger, 0, fn, ctx);
}

void ledger_walk_generation(struct ledger *ledger, uint32_t generation,
                            bool (*fn)(void *ctx, const struct ledger_info *info), void *ctx)
{
    bool more = true;
    ledger_lock(ledger);
    for (size_t kind = 0; kind < NODE_KIND_COUNT && more; kind++) {
        struct list_node *at = NULL;
        struct list_node *next = NULL;
        LIST_FOREACH_SAFE(at, next, &ledger->kinds[kind])
        {
            struct ledger_info info;
            const struct node *node = LIST_ITEM(at, struct node, of_kind);
            if (generation != 0 && !node_has_live_share(node, generation)) {
                continue;
            }
            node_describe(node, NULL, &info);
            more = fn(ctx, &info);
            if (!more) {
                break;
            }
        }
    }
    ledger_unlock(ledger);
}

/* generation 0: of anybody but the host. */
static size_t count_nodes(struct ledger *ledger, uint32_t generation, enum node_kind kind)
{
    size_t count = 0;
    struct list_node *at = NULL;
    struct list_node *next = NULL;
    ledger_lock(ledger);
    LIST_FOREACH_SAFE(at, next, &ledger->kinds[kind])
    {
        const struct node *node = LIST_ITEM(at, struct node, of_kind);
        count += generation == 0 ? !node->host_made : node_has_live_share(node, generation);
    }
    ledger_unlock(ledger);
    return count;
}

size_t ledger_count(struct ledger *ledger, enum node_kind kind)
{
    return count_nodes(ledger, 0, kind);
}

size_t ledger_count_generation(struct ledger *ledger, uint32_t generation, enum node_kind kind)
{
    assert(generation != 0);
    return count_nodes(ledger, generation, kind);
}

size_t ledger_queues(struct ledger *ledger, uint32_t generation, struct ledger_queue *out,
                     size_t cap)
{
    size_t count = 0;
    struct list_node *at = NULL;
    struct list_node *next = NULL;
    ledger_lock(ledger);
    LIST_FOREACH_SAFE(at, next, &ledger->kinds[NODE_QUEUE])
    {
        const struct node *node = LIST_ITEM(at, struct node, of_kind);
        if (!node->host_made && !node_has_live_share(node, generation)) {
            continue;
        }
        if (count < cap) {
            out[count] = (struct ledger_queue){node->id, node->queue_handle};
        }
        count++;
    }
    ledger_unlock(ledger);
    return count;
}

void ledger_stop(struct ledger *ledger)
{
    ledger_lock(ledger);
    ledger->stopping = true;
    ledger_unlock(ledger);
}

bool ledger_is_stopping(struct ledger *ledger)
{
    ledger_lock(ledger);
    bool stopping = ledger->stopping;
    ledger_unlock(ledger);
    return stopping;
}

/* --- checking ------------------------------------------------------------------------------ */

static const struct declared *find_declared(const struct loader *loader, uint64_t key)
{
    for (size_t i = 0; i < loader->count; i++) {
        if (loader->items[i].key == key) {
            return &loader->items[i];
        }
    }
    return NULL;
}

/* What `has` declared and `lacks` did not. */
static ULONG compare(const struct loader *has, const struct loader *lacks,
                     struct ledger_error *error)
{
    for (size_t i = 0; i < has->count; i++) {
        const struct declared *item = &has->items[i];
        /* Same script, same order: nearly always the same place holds the same key. */
        if ((i < lacks->count && lacks->items[i].key == item->key) ||
            find_declared(lacks, item->key) != NULL) {
            continue;
        }
        struct ledger_site here;
        struct ledger_site there = {.file = ""};
        site_export(item->made, &here);
        if (lacks->count > 0) {
            size_t same = i < lacks->count ? i : lacks->count - 1;
            site_export(lacks->items[same].made, &there);
        }
        ULONG code = ledger_fail(
            error, NULL, ERROR_INVALID_PARAMETER, NULL,
            lacks->count == 0
                ? "worker %u declared nothing, and all must declare the same"
                : "worker %u declared something else at %s:%d, and all must declare the same",
            lacks->worker, there.file, there.line);
        snprintf(error->object, sizeof error->object, "%s of worker %u at %.200s:%d",
                 ledger_kind_name(item->kind), has->worker, here.file, here.line);
        error->site = here;
        return code;
    }
    return NO_ERROR;
}

/* The loader of a worker, or one that has declared nothing. */
static const struct loader *loader_of(const struct ledger *ledger, uint32_t generation,
                                      unsigned worker, struct loader *nothing)
{
    for (const struct loader *l = ledger->loaders; l != NULL; l = l->next) {
        if (l->generation == generation && l->worker == worker) {
            return l;
        }
    }
    *nothing = (struct loader){.generation = generation, .worker = (uint16_t)worker};
    return nothing;
}

ULONG ledger_check(struct ledger *ledger, uint32_t generation, unsigned workers,
                   struct ledger_error *error)
{
    ULONG code = NO_ERROR;
    ledger_lock(ledger);
    for (unsigned i = 1; i < workers && code == NO_ERROR; i++) {
        struct loader nothing[2];
        const struct loader *first = loader_of(ledger, generation, 0, &nothing[0]);
        const struct loader *other = loader_of(ledger, generation, i, &nothing[1]);
        code = compare(first, other, error);
        if (code == NO_ERROR) {
            code = compare(other, first, error);
        }
    }
    ledger_unlock(ledger);
    return code;
}

void ledger_drop_loaders(struct ledger *ledger, uint32_t generation)
{
    struct loader **at = &ledger->loaders;
    while (*at != NULL) {
        struct loader *loader = *at;
        if (loader->generation == generation) {
            *at = loader->next;
            free_loader(loader);
        } else {
            at = &loader->next;
        }
    }
}
