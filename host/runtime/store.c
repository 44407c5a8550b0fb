/* The memory back end of http.store. */
#include "runtime/store.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"

enum { BUCKETS_MIN = 64 };

struct entry {
    struct entry *next; /* same bucket */
    uint64_t hash;
    uint64_t version;
    uint64_t expires_ns; /* clock_coarse_ns; UINT64_MAX: never */
    size_t key_len, value_len;
    char bytes[]; /* key, value */
};

struct memory {
    struct store store; /* first */
    pthread_mutex_t mutex;
    struct entry **buckets; /* a power of two */
    size_t bucket_count;
    size_t count;
    size_t bytes;
    uint64_t version; /* last one given */
};

static uint64_t hash_key(struct slice key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < key.len; i++) {
        hash = (hash ^ (unsigned char)key.p[i]) * UINT64_C(0x100000001b3);
    }
    return hash ^ hash >> 32;
}

static size_t size_of(size_t key_len, size_t value_len)
{
    return sizeof(struct entry) + key_len + value_len;
}

static struct memory *memory_of(struct store *store)
{
    return LIST_ITEM(store, struct memory, store);
}

/* --- with the mutex ----------------------------------------------------------------------------
 */

static void drop(struct memory *m, struct entry **place)
{
    struct entry *entry = *place;
    *place = entry->next;
    m->count--;
    m->bytes -= size_of(entry->key_len, entry->value_len);
    free(entry);
}

/* Where the entry hangs; *place is NULL when there is none. One that has expired is removed. */
static struct entry **find(struct memory *m, struct slice key, uint64_t hash)
{
    struct entry **place = &m->buckets[hash & (m->bucket_count - 1)];
    while (*place != NULL && ((*place)->hash != hash || (*place)->key_len != key.len ||
                              memcmp((*place)->bytes, key.p, key.len) != 0)) {
        place = &(*place)->next;
    }
    if (*place != NULL && (*place)->expires_ns <= clock_coarse_ns()) {
        drop(m, place);
        return find(m, key, hash);
    }
    return place;
}

static void drop_expired(struct memory *m)
{
    uint64_t now_ns = clock_coarse_ns();
    for (size_t i = 0; i < m->bucket_count; i++) {
        struct entry **place = &m->buckets[i];
        while (*place != NULL) {
            if ((*place)->expires_ns <= now_ns) {
                drop(m, place);
            } else {
                place = &(*place)->next;
            }
        }
    }
}

static bool has_room(const struct memory *m, size_t more, size_t less)
{
    return m->bytes - less + more <= STORE_BYTES_MAX && (less > 0 || m->count < STORE_KEYS_MAX);
}

/* Longer chains will do when there is no memory. */
static void grow(struct memory *m)
{
    size_t count = m->bucket_count * 2;
    struct entry **buckets =
        m->count < m->bucket_count ? NULL : calloc(count, sizeof(struct entry *));
    if (buckets == NULL) {
        return;
    }
    for (size_t i = 0; i < m->bucket_count; i++) {
        struct entry *entry = m->buckets[i];
        while (entry != NULL) {
            struct entry *next = entry->next;
            entry->next = buckets[entry->hash & (count - 1)];
            buckets[entry->hash & (count - 1)] = entry;
            entry = next;
        }
    }
    free(m->buckets);
    m->buckets = buckets;
    m->bucket_count = count;
}

static ULONG put(struct memory *m, struct slice key, struct slice value, uint64_t ttl_ns)
{
    uint64_t hash = hash_key(key);
    struct entry **place = find(m, key, hash);
    size_t size = size_of(key.len, value.len);
    size_t less = *place == NULL ? 0 : size_of((*place)->key_len, (*place)->value_len);
    if (!has_room(m, size, less)) {
        drop_expired(m);
        place = find(m, key, hash);
        less = *place == NULL ? 0 : size_of((*place)->key_len, (*place)->value_len);
    }
    struct entry *entry = has_room(m, size, less) ? malloc(size) : NULL;
    if (entry == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    if (*place != NULL) {
        drop(m, place);
    }
    uint64_t now_ns = clock_coarse_ns();
    *entry = (struct entry){
        .hash = hash,
        .version = ++m->version,
        .expires_ns = ttl_ns == 0 || ttl_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + ttl_ns,
        .key_len = key.len,
        .value_len = value.len};
    memcpy(entry->bytes, key.p, key.len);
    if (value.len > 0) {
        memcpy(entry->bytes + key.len, value.p, value.len);
    }
    entry->next = m->buckets[hash & (m->bucket_count - 1)];
    m->buckets[hash & (m->bucket_count - 1)] = entry;
    m->count++;
    m->bytes += size;
    grow(m);
    return NO_ERROR;
}

/* --- the back end ------------------------------------------------------------------------------
 */

static ULONG get(struct store *store, struct slice key, struct buf *value, uint64_t *version)
{
    struct memory *m = memory_of(store);
    (void)pthread_mutex_lock(&m->mutex);
    const struct entry *entry = *find(m, key, hash_key(key));
    ULONG code = ERROR_FILE_NOT_FOUND;
    *version = 0;
    if (entry != NULL) {
        *version = entry->version;
        code = buf_append(value, entry->bytes + entry->key_len, entry->value_len)
                   ? (ULONG)NO_ERROR
                   : (ULONG)ERROR_NOT_ENOUGH_MEMORY;
    }
    (void)pthread_mutex_unlock(&m->mutex);
    return code;
}

static ULONG set(struct store *store, struct slice key, const struct slice *value, uint64_t version,
                 uint64_t ttl_ns)
{
    struct memory *m = memory_of(store);
    ULONG code = NO_ERROR;
    (void)pthread_mutex_lock(&m->mutex);
    struct entry **place = find(m, key, hash_key(key));
    uint64_t present = *place == NULL ? 0 : (*place)->version;
    if (version != STORE_ANY && version != present) {
        code = ERROR_SHARING_VIOLATION;
    } else if (value != NULL) {
        code = put(m, key, *value, ttl_ns);
    } else if (*place != NULL) {
        drop(m, place);
    } else {
        code = ERROR_FILE_NOT_FOUND;
    }
    (void)pthread_mutex_unlock(&m->mutex);
    return code;
}

static ULONG keys(struct store *store, struct slice prefix, struct buf *out)
{
    struct memory *m = memory_of(store);
    bool ok = true;
    (void)pthread_mutex_lock(&m->mutex);
    drop_expired(m);
    for (size_t i = 0; i < m->bucket_count; i++) {
        for (const struct entry *entry = m->buckets[i]; ok && entry != NULL; entry = entry->next) {
            if (entry->key_len >= prefix.len &&
                (prefix.len == 0 || memcmp(entry->bytes, prefix.p, prefix.len) == 0)) {
                ok = buf_append(out, &entry->key_len, sizeof entry->key_len) &&
                     buf_append(out, entry->bytes, entry->key_len);
            }
        }
    }
    (void)pthread_mutex_unlock(&m->mutex);
    return ok ? NO_ERROR : ERROR_NOT_ENOUGH_MEMORY;
}

static void count(struct store *store, size_t *key_count, size_t *bytes)
{
    struct memory *m = memory_of(store);
    (void)pthread_mutex_lock(&m->mutex);
    *key_count = m->count;
    *bytes = m->bytes;
    (void)pthread_mutex_unlock(&m->mutex);
}

static void destroy(struct store *store)
{
    struct memory *m = memory_of(store);
    for (size_t i = 0; i < m->bucket_count; i++) {
        while (m->buckets[i] != NULL) {
            drop(m, &m->buckets[i]);
        }
    }
    assert(m->count == 0 && m->bytes == 0);
    free(m->buckets);
    (void)pthread_mutex_destroy(&m->mutex);
    free(m);
}

static const struct store_backend memory_backend = {
    .scheme = "memory", .destroy = destroy, .get = get, .set = set, .keys = keys, .count = count};

struct store *store_create_memory(void)
{
    struct memory *m = calloc(1, sizeof *m);
    struct entry **buckets = calloc(BUCKETS_MIN, sizeof(struct entry *));
    if (m == NULL || buckets == NULL) {
        free(m);
        free(buckets);
        return NULL;
    }
    m->store.backend = &memory_backend;
    m->buckets = buckets;
    m->bucket_count = BUCKETS_MIN;
    (void)pthread_mutex_init(&m->mutex, NULL); /* cannot fail with default attributes */
    return &m->store;
}

void store_destroy(struct store *store)
{
    if (store != NULL) {
        store->backend->destroy(store);
    }
}
