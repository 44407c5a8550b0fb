/* See urltree.h. Two open-addressing tables of one size: hosts, and registrations, each of which
 * belongs to a host. */
#include "engine/urltree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CAP_MIN = 16 };

/* FNV-1a */
static const uint32_t HASH_SEED = 0x811C9DC5u;
static const uint32_t HASH_PRIME = 0x01000193u;

struct urltree_host {
    uint32_t hash;
    uint32_t count; /* registrations; under the lock */
    uint16_t port;
    uint8_t category;
    bool https;
    struct slice name; /* text behind the struct */
    struct retired retired;
};

struct urltree {
    struct retired retired;
    uint32_t cap;  /* places in each table, a power of two */
    uint32_t used; /* places that are or were taken; under the lock */
    uint32_t live; /* registrations; under the lock */
    _Atomic(struct registration *) *registrations;
    _Atomic(struct urltree_host *) *hosts;
    _Atomic uint64_t stamp;    /* another one whenever a host comes or goes; never the same again */
    _Atomic uint32_t path_max; /* bytes: no registered path is longer */
    _Atomic uint32_t category_counts[URLPREFIX_CATEGORY_COUNT]; /* hints: 0 = skip the category */
    /* In a place whose entry was taken out stands the address of one of these: a probe goes on
     * behind it. */
    struct registration gone_registration;
    struct urltree_host gone_host;
};

/* -------- hashes -------- */

/* Letters of either case become the same byte; so do some others, which comparing tells apart. */
static uint32_t hash_byte(uint32_t hash, char c)
{
    return (hash ^ ((unsigned char)c | 0x20u)) * HASH_PRIME;
}

static uint32_t hash_path(struct slice path)
{
    uint32_t hash = HASH_SEED;
    for (size_t i = 0; i < path.len; i++) {
        hash = hash_byte(hash, path.p[i]);
    }
    return hash;
}

static uint64_t load_8(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word | UINT64_C(0x2020202020202020); /* as in hash_byte */
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

/* Eight bytes at a time: a request's host is hashed for each category. */
static uint32_t hash_host(uint16_t port, bool https, uint8_t category, struct slice host)
{
    uint64_t hash = mix(host.len, (uint64_t)port << 16 | (uint64_t)category << 1 | (uint64_t)https);
    size_t at = 0;
    for (; host.len - at >= 8; at += 8) {
        hash = mix(hash, load_8(host.p + at));
    }
    if (at > 0 && at < host.len) {
        hash = mix(hash, load_8(host.p + host.len - 8));
    } else {
        uint64_t word = 0;
        for (; at < host.len; at++) {
            word = word << 8 | ((unsigned char)host.p[at] | 0x20u);
        }
        hash = mix(hash, word);
    }
    return (uint32_t)(hash >> 32);
}

/* FNV leaves its low bits poorly mixed; the tables use them. */
static uint32_t combine(uint32_t host_hash, uint32_t path_hash)
{
    uint32_t hash = host_hash * 31 + path_hash;
    hash ^= hash >> 15;
    return hash * 0x2C1B3C6Du;
}

void urltree_prepare(struct registration *r)
{
    r->hash = combine(hash_host(r->port, r->https, r->category, r->host), hash_path(r->path));
}

/* -------- lookup -------- */

static bool same_text(struct slice a, struct slice b)
{
    return slice_equal(a, b) || slice_equal_nocase(a, b); /* nearly always equal as they are */
}

static bool same_host(uint8_t category, struct slice a, struct slice b)
{
    return category == URLPREFIX_ADDRESS ? slice_equal(a, b) : same_text(a, b);
}

/* Whether `registered`, which ends with a slash, is the first `len` bytes of the path, the last
 * slash being allowed to be missing there. */
static bool same_path(struct slice registered, struct slice path, size_t len)
{
    if (registered.len != len) {
        return false;
    }
    size_t shared = len <= path.len ? len : path.len;
    return same_text(slice_make(registered.p, shared), slice_make(path.p, shared));
}

struct prefixes {
    unsigned count;
    uint32_t hash[URLTREE_SEGMENTS_MAX];
    uint32_t len[URLTREE_SEGMENTS_MAX]; /* with the final slash, that the path may lack */
};

/* "/a/b" has the prefixes "/", "/a/" and "/a/b/"; listed are those of at most `max` bytes. */
static void list_prefixes(struct slice path, size_t max, struct prefixes *out)
{
    uint32_t hash = HASH_SEED;
    size_t end = path.len < max ? path.len : max;
    out->count = 0;
    for (size_t i = 0; i < end && out->count < URLTREE_SEGMENTS_MAX - 1; i++) {
        hash = hash_byte(hash, path.p[i]);
        if (path.p[i] == '/') {
            out->hash[out->count] = hash;
            out->len[out->count++] = (uint32_t)i + 1;
        }
    }
    if (path.len < max && (path.len == 0 || path.p[path.len - 1] != '/')) {
        out->hash[out->count] = hash_byte(hash, '/');
        out->len[out->count++] = (uint32_t)path.len + 1;
    }
}

/* The registration of that host whose path is the first `len` bytes of the given one. */
static const struct registration *probe(const struct urltree *tree,
                                        const struct urltree_host *owner, uint32_t hash,
                                        struct slice path, size_t len)
{
    uint32_t mask = tree->cap - 1;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        const struct registration *r =
            atomic_load_explicit(&tree->registrations[i], memory_order_acquire);
        if (r == NULL) {
            return NULL;
        }
        if (r->hash == hash && r->owner == owner && same_path(r->path, path, len)) {
            return r;
        }
    }
}

static struct slice address_bytes(const struct sockaddr *local)
{
    if (local->sa_family == AF_INET) {
        return slice_make((const char *)local + offsetof(struct sockaddr_in, sin_addr), 4);
    }
    return slice_make((const char *)local + offsetof(struct sockaddr_in6, sin6_addr), 16);
}

static struct slice without_port(struct slice host)
{
    for (size_t i = host.len; i > 0; i--) {
        char c = host.p[i - 1];
        if (c == ':') {
            return slice_make(host.p, i - 1);
        }
        if (c == ']') {
            break;
        }
    }
    return host;
}

static struct slice host_of(const struct urltree_key *key, uint8_t category)
{
    switch (category) {
    case URLPREFIX_EXPLICIT: return without_port(key->host);
    case URLPREFIX_ADDRESS: return address_bytes(key->local);
    default: return slice_make(NULL, 0);
    }
}

static struct urltree_host *find_host(const struct urltree *tree, uint16_t port, bool https,
                                      uint8_t category, struct slice name)
{
    uint32_t hash = hash_host(port, https, category, name);
    uint32_t mask = tree->cap - 1;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        struct urltree_host *host = atomic_load_explicit(&tree->hosts[i], memory_order_acquire);
        if (host == NULL) {
            return NULL;
        }
        if (host != &tree->gone_host && host->hash == hash && host->port == port &&
            host->https == https && host->category == category &&
            same_host(category, host->name, name)) {
            return host;
        }
    }
}

static bool is_remembered(const struct urltree_memo *memo, const struct urltree_key *key,
                          uint64_t stamp, struct slice local)
{
    return memo->stamp == stamp && memo->port == key->port && memo->https == key->https &&
           slice_equal(slice_make(memo->host, memo->host_bytes), key->host) &&
           slice_equal(slice_make(memo->local, memo->local_bytes), local);
}

/* Asks which categories know the host. The stamp was read before: what changes meanwhile has
 * another one. */
static void remember(const struct urltree *tree, struct urltree_memo *memo,
                     const struct urltree_key *key, uint64_t stamp, struct slice local)
{
    bool fits = key->host.len <= sizeof memo->host;
    memo->stamp = fits ? stamp : 0;
    memo->port = key->port;
    memo->https = key->https;
    memo->host_bytes = (uint8_t)(fits ? key->host.len : 0);
    memcpy(memo->host, key->host.p, memo->host_bytes);
    memo->local_bytes = (uint8_t)local.len;
    memcpy(memo->local, local.p, local.len);
    memo->count = 0;
    for (unsigned i = 0; i < URLPREFIX_CATEGORY_COUNT; i++) {
        uint8_t category = (uint8_t)i;
        if (atomic_load_explicit(&tree->category_counts[category], memory_order_relaxed) == 0) {
            continue;
        }
        const struct urltree_host *owner =
            find_host(tree, key->port, key->https, category, host_of(key, category));
        if (owner != NULL) {
            memo->known[memo->count].owner = owner;
            memo->known[memo->count].hash = owner->hash;
            memo->known[memo->count++].category = category;
        }
    }
}

const struct registration *urltree_find(const struct urltree *tree, struct urltree_memo *memo,
                                        const struct urltree_key *key, enum urltree_miss *miss,
                                        bool *by_address)
{
    struct prefixes prefixes;
    struct slice local = address_bytes(key->local);
    uint64_t stamp = atomic_load_explicit(&tree->stamp, memory_order_acquire);
    if (!is_remembered(memo, key, stamp, local)) {
        remember(tree, memo, key, stamp, local);
    }
    list_prefixes(key->path, atomic_load_explicit(&tree->path_max, memory_order_relaxed),
                  &prefixes);
    for (uint32_t k = 0; k < memo->count; k++) {
        for (unsigned i = prefixes.count; i > 0; i--) {
            uint32_t hash = combine(memo->known[k].hash, prefixes.hash[i - 1]);
            const struct registration *found =
                probe(tree, memo->known[k].owner, hash, key->path, prefixes.len[i - 1]);
            if (found != NULL) {
                *miss = URLTREE_HIT;
                *by_address = memo->known[k].category == URLPREFIX_ADDRESS;
                return found;
            }
        }
    }
    *miss = memo->count > 0 ? URLTREE_NO_PATH : URLTREE_NO_HOST;
    *by_address = false;
    return NULL;
}

/* -------- writing -------- */

/* Readers forget which hosts they know. After the change. */
static void change_stamp(struct engine *engine, struct urltree *tree)
{
    atomic_store_explicit(&tree->stamp, ++engine->tree_stamp, memory_order_release);
}

static struct urltree *create(uint32_t cap)
{
    struct urltree *tree = calloc(1, sizeof *tree);
    if (tree == NULL) {
        return NULL;
    }
    tree->cap = cap;
    tree->registrations = calloc(cap, sizeof *tree->registrations);
    tree->hosts = calloc(cap, sizeof *tree->hosts);
    if (tree->registrations == NULL || tree->hosts == NULL) {
        free(tree->registrations);
        free(tree->hosts);
        free(tree);
        return NULL;
    }
    return tree;
}

struct urltree *urltree_create_empty(struct engine *engine)
{
    struct urltree *tree = create(CAP_MIN);
    if (tree != NULL) {
        change_stamp(engine, tree);
    }
    return tree;
}

static void release_tree(struct retired *retired)
{
    struct urltree *tree = LIST_ITEM(retired, struct urltree, retired);
    free(tree->registrations);
    free(tree->hosts);
    free(tree);
}

void urltree_retire(struct engine *engine, struct urltree *tree)
{
    lifetime_retire(engine, &tree->retired, release_tree);
}

static void release_host(struct retired *retired)
{
    free(LIST_ITEM(retired, struct urltree_host, retired));
}

static void store_registration(struct urltree *tree, struct registration *r)
{
    uint32_t mask = tree->cap - 1;
    uint32_t i = r->hash & mask;
    while (atomic_load(&tree->registrations[i]) != NULL) {
        i = (i + 1) & mask;
    }
    if (r->path.len > atomic_load(&tree->path_max)) {
        atomic_store(&tree->path_max, (uint32_t)r->path.len);
    }
    atomic_store_explicit(&tree->registrations[i], r, memory_order_release);
    atomic_fetch_add(&tree->category_counts[r->category], 1);
    tree->used++;
    tree->live++;
}

static void store_host(struct urltree *tree, struct urltree_host *host)
{
    uint32_t mask = tree->cap - 1;
    uint32_t i = host->hash & mask;
    while (atomic_load(&tree->hosts[i]) != NULL) {
        i = (i + 1) & mask;
    }
    atomic_store_explicit(&tree->hosts[i], host, memory_order_release);
}

/* A table with room for one more, without the places of what has gone. */
static struct urltree *copy_with_room(const struct urltree *old)
{
    uint32_t cap = CAP_MIN;
    while (cap < 4 * (old->live + 1)) {
        cap *= 2;
    }
    struct urltree *tree = create(cap);
    for (uint32_t i = 0; tree != NULL && i < old->cap; i++) {
        struct registration *r = atomic_load(&old->registrations[i]);
        struct urltree_host *host = atomic_load(&old->hosts[i]);
        if (r != NULL && r != &old->gone_registration) {
            store_registration(tree, r);
        }
        if (host != NULL && host != &old->gone_host) {
            store_host(tree, host);
        }
    }
    return tree;
}

static struct urltree_host *make_host(const struct registration *r)
{
    struct urltree_host *host = calloc(1, sizeof *host + r->host.len + 1);
    if (host == NULL) {
        return NULL;
    }
    char *name = (char *)(host + 1);
    if (r->host.len > 0) {
        memcpy(name, r->host.p, r->host.len);
    }
    host->name = slice_make(name, r->host.len);
    host->hash = hash_host(r->port, r->https, r->category, r->host);
    host->port = r->port;
    host->https = r->https;
    host->category = r->category;
    return host;
}

ULONG urltree_add(struct engine *engine, struct registration *added)
{
    struct urltree *tree = atomic_load(&engine->tree);
    struct urltree_host *host =
        find_host(tree, added->port, added->https, added->category, added->host);
    struct urltree_host *made = NULL;
    if (tree->live >= URLTREE_REGISTRATIONS_MAX) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    if (host == NULL) {
        host = made = make_host(added);
        if (made == NULL) {
            return ERROR_NOT_ENOUGH_MEMORY;
        }
    }
    if (2 * (tree->used + 1) > tree->cap) {
        struct urltree *larger = copy_with_room(tree);
        if (larger == NULL) {
            free(made);
            return ERROR_NOT_ENOUGH_MEMORY;
        }
        change_stamp(engine, larger);
        atomic_store(&engine->tree, larger);
        urltree_retire(engine, tree);
        tree = larger;
    }
    if (made != NULL) {
        store_host(tree, made);
    }
    host->count++;
    added->owner = host;
    store_registration(tree, added);
    if (made != NULL) {
        change_stamp(engine, tree);
    }
    return NO_ERROR;
}

void urltree_remove(struct engine *engine, struct registration *removed)
{
    struct urltree *tree = atomic_load(&engine->tree);
    uint32_t mask = tree->cap - 1;
    uint32_t i = removed->hash & mask;
    while (atomic_load(&tree->registrations[i]) != removed) {
        assert(atomic_load(&tree->registrations[i]) != NULL); /* it is in the tree */
        i = (i + 1) & mask;
    }
    atomic_store(&tree->registrations[i], &tree->gone_registration);
    atomic_fetch_sub(&tree->category_counts[removed->category], 1);
    tree->live--;
    struct urltree_host *host =
        find_host(tree, removed->port, removed->https, removed->category, removed->host);
    assert(host != NULL && host->count > 0);
    if (--host->count > 0) {
        return;
    }
    for (i = host->hash & mask; atomic_load(&tree->hosts[i]) != host; i = (i + 1) & mask) {
    }
    atomic_store(&tree->hosts[i], &tree->gone_host);
    change_stamp(engine, tree);
    lifetime_retire(engine, &host->retired, release_host);
}

void urltree_replace(struct engine *engine, const struct registration *before,
                     struct registration *after)
{
    struct urltree *tree = atomic_load(&engine->tree);
    uint32_t mask = tree->cap - 1;
    uint32_t i = before->hash & mask;
    assert(before->hash == after->hash && before->category == after->category);
    while (atomic_load(&tree->registrations[i]) != before) {
        assert(atomic_load(&tree->registrations[i]) != NULL); /* it is in the tree */
        i = (i + 1) & mask;
    }
    after->owner = before->owner;
    atomic_store_explicit(&tree->registrations[i], after, memory_order_release);
}

struct registration *urltree_conflict(const struct urltree *tree, const struct registration *r)
{
    const struct urltree_host *owner = find_host(tree, r->port, r->https, r->category, r->host);
    /* Lookups read registrations; a writer, under the lock, may do more. */
    return owner == NULL ? NULL
                         : (struct registration *)(uintptr_t)probe(tree, owner, r->hash, r->path,
                                                                   r->path.len);
}

bool urltree_has_other_scheme(const struct urltree *tree, const struct registration *r)
{
    if (find_host(tree, r->port, r->https, r->category, r->host) != NULL) {
        return false; /* it was asked when that host came: many URLs have few hosts */
    }
    for (uint32_t i = 0; i < tree->cap; i++) {
        const struct urltree_host *host = atomic_load(&tree->hosts[i]);
        if (host != NULL && host != &tree->gone_host && host->port == r->port &&
            host->https != r->https) {
            return true;
        }
    }
    return false;
}
