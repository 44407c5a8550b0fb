/* Creation: which node a call names, and the state's share of it. */
#include "binding/ledger.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/ledger_internal.h"

/* --- keys ---------------------------------------------------------------------------------- */

/* FNV-1a over 64 bits: scripts name the objects, peers do not, so nobody gains by a collision. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.*): reads wider numbers by their bytes */
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* Keys begin with the kind and the key of the parent, and are never 0. */
static uint64_t begin_key(enum node_kind kind, const struct node *parent)
{
    uint64_t head[2] = {kind, 0};
    if (parent != NULL) {
        head[1] = parent->key != 0 ? parent->key : parent->id;
    }
    return mix(UINT64_C(0xcbf29ce484222325), head, sizeof head);
}

static uint64_t name_key(enum node_kind kind, const struct node *parent, struct slice name)
{
    return mix(begin_key(kind, parent) ^ 1, name.p, name.len) | 1;
}

/* What the ordinals of unnamed nodes are counted under. */
static uint64_t place_of(enum node_kind kind, const struct node *parent, const char *file)
{
    return mix(begin_key(kind, parent) ^ 2, file, strlen(file)) | 1;
}

static uint64_t ordinal_key(uint64_t place, size_t ordinal)
{
    return mix(place, &ordinal, sizeof ordinal) | 1;
}

static bool grow_buckets(struct ledger *ledger)
{
    if (ledger->key_count < ledger->bucket_count) {
        return true;
    }
    size_t count = ledger->bucket_count == 0 ? LEDGER_BUCKETS_MIN : ledger->bucket_count * 2;
    struct node **buckets = calloc(count, sizeof *buckets);
    if (buckets == NULL) {
        return ledger->bucket_count > 0; /* longer chains will do */
    }
    for (size_t i = 0; i < ledger->bucket_count; i++) {
        struct node *node = ledger->buckets[i];
        while (node != NULL) {
            struct node *next = node->bucket_next;
            struct node **head = &buckets[node->key & (count - 1)];
            node->bucket_next = *head;
            *head = node;
            node = next;
        }
    }
    free(ledger->buckets);
    ledger->buckets = buckets;
    ledger->bucket_count = count;
    return true;
}

/* The newest node with that key after `after` (NULL: the first). */
static struct node *find_key(struct ledger *ledger, uint64_t key, struct node *after)
{
    if (key == 0 || ledger->bucket_count == 0) {
        return NULL;
    }
    struct node *node =
        after != NULL ? after->bucket_next : ledger->buckets[key & (ledger->bucket_count - 1)];
    while (node != NULL && node->key != key) {
        node = node->bucket_next;
    }
    return node;
}

/* --- what a loading state has declared ----------------------------------------------------- */

static struct loader *get_loader(struct ledger *ledger, const struct ledger_origin *origin)
{
    struct loader *loader = ledger->loaders;
    while (loader != NULL &&
           (loader->generation != origin->generation || loader->worker != origin->worker)) {
        loader = loader->next;
    }
    if (loader == NULL && (loader = calloc(1, sizeof *loader)) != NULL) {
        loader->generation = origin->generation;
        loader->worker = origin->worker;
        loader->next = ledger->loaders;
        ledger->loaders = loader;
    }
    return loader;
}

/* Room for one more item. NULL: no memory. */
static struct loader *reserve_declared(struct ledger *ledger, const struct ledger_origin *origin)
{
    struct loader *loader = get_loader(ledger, origin);
    if (loader == NULL || loader->count < loader->cap) {
        return loader;
    }
    size_t cap = loader->cap == 0 ? 16 : loader->cap * 2;
    if (cap > (size_t)LEDGER_NODES_MAX * 2) {
        return NULL;
    }
    struct declared *items = realloc(loader->items, cap * sizeof *items);
    if (items == NULL) {
        return NULL;
    }
    loader->items = items;
    loader->cap = cap;
    return loader;
}

static size_t count_place(const struct loader *loader, uint64_t place)
{
    size_t count = 0;
    for (size_t i = 0; i < loader->count; i++) {
        count += loader->items[i].place == place;
    }
    return count;
}

/* --- one creation call --------------------------------------------------------------------- */

/* What a creation call has worked out before it changes anything. */
struct making {
    struct ledger *ledger;
    const struct ledger_origin *origin;
    enum node_kind kind;
    struct node *parent;
    struct slice name; /* explicit name, or the URL as written */
    struct site site;
    uint64_t key;
    uint64_t place;        /* 0: named */
    struct loader *loader; /* NULL: the state has loaded */
    struct node *found;    /* exists already */
    struct ledger_error *error;
};

/* Works out key and place of an object that is not a URL, and finds the node that has it. */
static ULONG identify(struct making *m)
{
    bool has_nul = m->name.len > 0 && memchr(m->name.p, '\0', m->name.len) != NULL;
    if (m->name.len >= LEDGER_NAME_BYTES_MAX || has_nul) {
        return ledger_fail(m->error, NULL, ERROR_INVALID_PARAMETER, NULL,
                           "a name has at most %d bytes and no NUL", LEDGER_NAME_BYTES_MAX - 1);
    }
    if (m->name.len > 0) {
        m->key = name_key(m->kind, m->parent, m->name);
    } else if (m->loader != NULL) {
        m->place = place_of(m->kind, m->parent, m->site.file);
        m->key = ordinal_key(m->place, count_place(m->loader, m->place));
    }
    m->found = find_key(m->ledger, m->key, NULL);
    return NO_ERROR;
}

static ULONG begin(struct making *m)
{
    if (m->ledger->stopping) {
        return ledger_fail(m->error, NULL, ERROR_OPERATION_ABORTED, NULL, "stopping");
    }
    m->site = ledger_site_of(m->ledger, m->origin);
    if (m->origin->loading) {
        m->loader = reserve_declared(m->ledger, m->origin);
        if (m->loader == NULL) {
            return ledger_fail(m->error, NULL, ERROR_NOT_ENOUGH_MEMORY, NULL, NULL);
        }
    }
    return NO_ERROR;
}

/* The share of the asking state, made when there is none. NULL: no memory. */
static struct share *reserve_share(struct node *node, uint32_t generation, uint16_t worker)
{
    struct share *share = node_share(node, generation, worker);
    if (share != NULL) {
        return share;
    }
    if (node->share_count == node->share_cap) {
        uint32_t cap = node->share_cap == 0 ? 1 : node->share_cap * 2;
        struct share *shares = realloc(node->shares, cap * sizeof *shares);
        if (shares == NULL) {
            return NULL;
        }
        node->shares = shares;
        node->share_cap = cap;
    }
    share = &node->shares[node->share_count++];
    *share = (struct share){.generation = generation, .worker = worker};
    return share;
}

/* A new node, in no list yet but with an id. */
static struct node *new_node(struct making *m)
{
    struct node *node = calloc(1, sizeof *node);
    if (node == NULL) {
        return NULL;
    }
    node->kind = m->kind;
    node->state = NODE_DECLARED;
    node->made = m->site;
    node->closed.file = "";
    if (m->name.len > 0) {
        node->name = ledger_copy_text(m->name);
    }
    if ((m->name.len > 0 && node->name == NULL) ||
        reserve_share(node, m->origin->generation, m->origin->worker) == NULL ||
        (m->key != 0 && !grow_buckets(m->ledger)) ||
        (node->id = slots_insert(&m->ledger->nodes, node)) == 0) {
        free(node->shares);
        free(node->name);
        free(node);
        return NULL;
    }
    return node;
}

static void link_node(struct making *m, struct node *node)
{
    struct ledger *ledger = m->ledger;
    if (m->key != 0) {
        struct node **head = &ledger->buckets[m->key & (ledger->bucket_count - 1)];
        node->key = m->key;
        node->bucket_next = *head;
        *head = node;
        ledger->key_count++;
    }
    list_push_back(&ledger->kinds[m->kind], &node->of_kind);
    node->parent = m->parent;
    if (m->parent != NULL) {
        node->older = m->parent->newest_child;
        if (node->older != NULL) {
            node->older->newer = node;
        }
        m->parent->newest_child = node;
    }
}

/* Makes or joins the node and counts a handle. On failure nothing has changed. */
static ULONG finish(struct making *m, struct node **out)
{
    struct node *node = m->found;
    struct share *share = NULL;
    if (node == NULL) {
        node = new_node(m);
        if (node != NULL) {
            link_node(m, node);
            share = &node->shares[0];
        }
    } else {
        share = reserve_share(node, m->origin->generation, m->origin->worker);
    }
    if (share == NULL) {
        return ledger_fail(m->error, NULL, ERROR_NOT_ENOUGH_MEMORY, NULL, NULL);
    }
    share->live = true;
    share->orphan = false;
    share->open++;
    share->handles++;
    if (m->loader != NULL) {
        assert(m->loader->count < m->loader->cap);
        m->loader->items[m->loader->count++] =
            (struct declared){m->key, m->place, m->kind, m->site};
    }
    *out = node;
    return NO_ERROR;
}

/* What the node is to be when it opens or its generation commits. Calls of one generation that name
 * the same node add up; the first one of a generation begins anew. A state that has loaded does not
 * change what is there already. */
static void want(const struct making *m, struct node *node, const struct properties *properties,
                 struct node *queue)
{
    if (m->found != NULL && !m->origin->loading) {
        return;
    }
    if (m->found == NULL || node->wanted_generation != m->origin->generation) {
        node->wanted = (struct properties){0};
        node->queue_wanted = NULL;
        node->wanted_generation = m->origin->generation;
    }
    if (properties != NULL) {
        properties_merge(&node->wanted, properties);
    }
    if (queue != NULL) {
        node->queue_wanted = queue;
    }
}

/* A parent or queue that the state may build on: the host's, or one it holds a share of. */
static ULONG resolve(const struct making *m, uint64_t id, enum node_kind kind, struct node **out)
{
    struct node *node = node_get(m->ledger, id);
    struct share *share = NULL;
    if (node != NULL && node->kind == kind) {
        share = node->host_made ? &node->shares[0]
                                : node_share(node, m->origin->generation, m->origin->worker);
    }
    if (share == NULL || !share->live) {
        return ledger_fail(m->error, NULL, ERROR_INVALID_HANDLE, NULL, "closed http.%s",
                           ledger_kind_name(kind));
    }
    *out = node;
    return NO_ERROR;
}

static ULONG make_plain(struct making *m, const struct properties *properties, uint64_t *id)
{
    struct node *node = NULL;
    ledger_lock(m->ledger);
    ULONG code = begin(m);
    if (code == NO_ERROR) {
        code = identify(m);
    }
    if (code == NO_ERROR) {
        code = finish(m, &node);
    }
    if (code == NO_ERROR) {
        want(m, node, properties, NULL);
        *id = node->id;
    }
    ledger_unlock(m->ledger);
    return code;
}

ULONG ledger_make_queue(struct ledger *ledger, const struct ledger_origin *origin,
                        struct slice name, const struct properties *properties, uint64_t *id,
                        struct ledger_error *error)
{
    struct making m = {
        .ledger = ledger, .origin = origin, .kind = NODE_QUEUE, .name = name, .error = error};
    return make_plain(&m, properties, id);
}

ULONG ledger_make_session(struct ledger *ledger, const struct ledger_origin *origin,
                          struct slice name, const struct properties *properties, uint64_t *id,
                          struct ledger_error *error)
{
    struct making m = {
        .ledger = ledger, .origin = origin, .kind = NODE_SESSION, .name = name, .error = error};
    return make_plain(&m, properties, id);
}

ULONG ledger_make_group(struct ledger *ledger, const struct ledger_origin *origin,
                        const struct ledger_group_spec *spec, uint64_t *id,
                        struct ledger_error *error)
{
    struct making m = {
        .ledger = ledger, .origin = origin, .kind = NODE_GROUP, .name = spec->name, .error = error};
    struct node *queue = NULL;
    struct node *node = NULL;
    ledger_lock(ledger);
    ULONG code = begin(&m);
    if (code == NO_ERROR) {
        code = resolve(&m, spec->session, NODE_SESSION, &m.parent);
    }
    if (code == NO_ERROR && spec->queue != 0) {
        code = resolve(&m, spec->queue, NODE_QUEUE, &queue);
    }
    if (code == NO_ERROR) {
        code = identify(&m);
    }
    if (code == NO_ERROR) {
        code = finish(&m, &node);
    }
    if (code == NO_ERROR) {
        want(&m, node, spec->properties, queue);
        if (spec->own_queue) {
            struct share *share = node_share(queue, origin->generation, origin->worker);
            share->orphan = true;
        }
        *id = node->id;
    }
    ledger_unlock(ledger);
    return code;
}

/* --- URLs ---------------------------------------------------------------------------------- */

/* Whether a URL that exists in another group stands in the way of a new one: not when only older
 * generations have it, which the loading one is to replace. */
static bool blocks(const struct node *node, const struct ledger_origin *origin)
{
    for (uint32_t i = 0; i < node->share_count; i++) {
        const struct share *share = &node->shares[i];
        if (share->live && (!origin->loading || share->generation == origin->generation)) {
            return true;
        }
    }
    return false;
}

/* Finds the URL by its canonical prefix; refuses what the state or another group has. */
static ULONG identify_url(struct making *m, const struct prefix *prefix)
{
    char key[LEDGER_PREFIX_BYTES_MAX];
    size_t len = prefix_write_key(prefix->base, prefix->path, key, sizeof key);
    if (len == 0) {
        return ledger_fail(m->error, NULL, ERROR_INVALID_PARAMETER, NULL,
                           "a URL has at most %d bytes", LEDGER_PREFIX_BYTES_MAX - 2);
    }
    m->key = name_key(NODE_URL, NULL, slice_make(key, len));
    for (struct node *at = NULL; (at = find_key(m->ledger, m->key, at)) != NULL;) {
        const struct share *own = node_share(at, m->origin->generation, m->origin->worker);
        bool twice = own != NULL && own->live;
        if (twice || (at->parent != m->parent && blocks(at, m->origin))) {
            struct ledger_site site;
            site_export(at->made, &site);
            ULONG code = ledger_fail(m->error, NULL, ERROR_ALREADY_EXISTS, at,
                                     "this URL was added at %s:%d%s", site.file, site.line,
                                     twice ? "" : ", to another group");
            site_export(m->site, &m->error->site);
            return code;
        }
        if (at->parent == m->parent) {
            m->found = at;
        }
    }
    return NO_ERROR;
}

ULONG ledger_make_url(struct ledger *ledger, const struct ledger_origin *origin, uint64_t group,
                      struct slice url, uint64_t *id, struct ledger_error *error)
{
    struct making m = {
        .ledger = ledger, .origin = origin, .kind = NODE_URL, .name = url, .error = error};
    struct prefix prefix;
    const char *why = NULL;
    struct node *node = NULL;
    ULONG code = prefix_parse(url, &prefix, &why);
    if (code != NO_ERROR) {
        code = ledger_fail(error, NULL, code, NULL, "%s", why);
        snprintf(error->object, sizeof error->object, "%.*s", (int)(url.len > 200 ? 200 : url.len),
                 url.p);
        return code;
    }
    ledger_lock(ledger);
    code = begin(&m);
    if (code == NO_ERROR) {
        code = resolve(&m, group, NODE_GROUP, &m.parent);
    }
    if (code == NO_ERROR) {
        code = identify_url(&m, &prefix);
    }
    if (code == NO_ERROR) {
        code = finish(&m, &node);
    }
    if (code == NO_ERROR) {
        if (m.found == NULL) {
            /* The slices must point into the node's own copy. */
            ULONG again = prefix_parse(slice_from_cstr(node->name), &node->prefix, &why);
            assert(again == NO_ERROR);
            (void)again; /* the same text was accepted above */
        }
        *id = node->id;
    }
    ledger_unlock(ledger);
    return code;
}

uint64_t ledger_find_url(struct ledger *ledger, const struct ledger_origin *origin, uint64_t group,
                         struct slice url)
{
    char key[LEDGER_PREFIX_BYTES_MAX];
    struct prefix prefix;
    const char *why = NULL;
    uint64_t id = 0;
    if (prefix_parse(url, &prefix, &why) != NO_ERROR) {
        return 0;
    }
    size_t len = prefix_write_key(prefix.base, prefix.path, key, sizeof key);
    if (len == 0) {
        return 0;
    }
    ledger_lock(ledger);
    uint64_t wanted = name_key(NODE_URL, NULL, slice_make(key, len));
    for (struct node *at = NULL; (at = find_key(ledger, wanted, at)) != NULL;) {
        const struct share *share = node_share(at, origin->generation, origin->worker);
        if (share != NULL && share->live && at->parent->id == group) {
            id = at->id;
        }
    }
    ledger_unlock(ledger);
    return id;
}

/* --- the host's own nodes ------------------------------------------------------------------ */

/* A node that the host holds: one share, no handle. */
static ULONG make_host(struct making *m, struct node **out)
{
    ULONG code = finish(m, out);
    if (code == NO_ERROR) {
        struct node *node = *out;
        assert(node != NULL);
        node->host_made = true;
        node->shares[0].open = 0;
        node->shares[0].handles = 0;
    }
    return code;
}

ULONG ledger_host_group(struct ledger *ledger, uint64_t *group, struct ledger_error *error)
{
    static const struct properties limited = {
        .present = 1u << PROPERTY_VERBOSITY,
        /* Basic, the default, closes the connection without an answer. */
        .value[PROPERTY_VERBOSITY] = Http503ResponseVerbosityLimited,
    };
    const struct ledger_origin host = {.worker = LEDGER_WORKER_HOST};
    struct making q = {.ledger = ledger, .origin = &host, .kind = NODE_QUEUE, .error = error};
    struct making s = {.ledger = ledger, .origin = &host, .kind = NODE_SESSION, .error = error};
    struct making g = {.ledger = ledger, .origin = &host, .kind = NODE_GROUP, .error = error};
    struct node *queue = NULL;
    struct node *session = NULL;
    struct node *node = NULL;
    ledger_lock(ledger);
    ULONG code = NO_ERROR;
    if (ledger->host_group != NULL) {
        *group = ledger->host_group->id;
        goto out;
    }
    code = begin(&q);
    q.site = s.site = g.site = (struct site){"", 0};
    if (code == NO_ERROR) {
        code = make_host(&q, &queue);
    }
    if (code == NO_ERROR) {
        code = make_host(&s, &session);
    }
    if (code == NO_ERROR) {
        g.parent = session;
        code = make_host(&g, &node);
    }
    if (code == NO_ERROR) {
        queue->wanted = limited;
        node->queue_wanted = queue;
        ledger->host_queue = queue;
        ledger->host_group = node;
        *group = node->id;
        goto out;
    }
    /* Declared nodes without anything below: they go without a contract call. */
    if (session != NULL) {
        node_discard(ledger, session);
    }
    if (queue != NULL) {
        node_discard(ledger, queue);
    }
out:
    ledger_unlock(ledger);
    return code;
}

uint64_t ledger_host_queue(struct ledger *ledger)
{
    ledger_lock(ledger);
    uint64_t id = ledger->host_queue == NULL ? 0 : ledger->host_queue->id;
    ledger_unlock(ledger);
    return id;
}
