#include "binding/file_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t ns_per_s = 1000000000;

static uint64_t now_of(const struct file_cache *cache)
{
    return cache->loop == NULL ? 0 : loop_now_ns(cache->loop);
}

/* Eight bytes at a step; spread well enough for 256 buckets. */
static uint64_t hash_path(struct slice path)
{
    const uint64_t odd = 0x9E3779B97F4A7C15u;
    uint64_t hash = path.len;
    size_t i = 0;
    for (; i + 8 <= path.len; i += 8) {
        uint64_t word = 0;
        memcpy(&word, path.p + i, 8);
        hash = (hash ^ word) * odd;
        hash ^= hash >> 32;
    }
    uint64_t rest = 0;
    memcpy(&rest, path.p + i, path.len - i);
    hash = (hash ^ rest) * odd;
    return hash ^ hash >> 32;
}

static struct list *bucket_of(const struct file_cache *cache, uint64_t hash)
{
    return &cache->buckets[hash % FILE_CACHE_BUCKETS];
}

void file_cache_release(struct open_file *file)
{
    assert(file->shares > 0);
    if (--file->shares > 0) {
        return;
    }
    assert(!list_is_linked(&file->bucket));
    (void)file_close(file->handle); /* nothing was written */
    free(file->kept);
    free(file);
}

/* The cache gives its share up. */
static void forget(struct file_cache *cache, struct open_file *file)
{
    list_remove(&file->bucket);
    list_remove(&file->use);
    cache->count--;
    file_cache_release(file);
}

/* The timer: closes what has not been asked for, the oldest use last in the list. */
static void sweep(struct loop_timer *timer)
{
    struct file_cache *cache = LIST_ITEM(timer, struct file_cache, sweep);
    uint64_t now = loop_now_ns(cache->loop);
    while (!list_is_empty(&cache->by_use)) {
        struct open_file *oldest = LIST_ITEM(cache->by_use.head.prev, struct open_file, use);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what was freed has left the list */
        if (now - oldest->checked_ns < FILE_CACHE_IDLE_S * ns_per_s) {
            break;
        }
        forget(cache, oldest);
    }
    if (cache->count > 0) {
        loop_timer_start(cache->loop, &cache->sweep, FILE_CACHE_IDLE_S * ns_per_s);
    }
}

void file_cache_init(struct file_cache *cache)
{
    memset(cache, 0, sizeof *cache);
    list_init(&cache->by_use);
}

void file_cache_start(struct file_cache *cache, struct loop *loop)
{
    assert(cache->loop == NULL);
    cache->loop = file_may_stay_open() ? loop : NULL;
}

void file_cache_close(struct file_cache *cache)
{
    struct list_node *node, *next;
    if (cache->loop == NULL) {
        return;
    }
    LIST_FOREACH_SAFE(node, next, &cache->by_use)
    {
        forget(cache, LIST_ITEM(node, struct open_file, use));
    }
    assert(cache->count == 0);
    loop_timer_stop(cache->loop, &cache->sweep);
    free(cache->buckets);
    cache->buckets = NULL;
    cache->loop = NULL;
}

/* A file that nobody else has. */
static ULONG open_new(const struct file_cache *cache, struct slice path, struct open_file **out)
{
    struct open_file *file = malloc(sizeof *file + path.len + 1);
    if (file == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    memset(file, 0, sizeof *file);
    memcpy(file->path, path.p, path.len);
    file->path[path.len] = 0;
    file->path_len = path.len;
    file->shares = 1;
    file->checked_ns = file->path_ns = now_of(cache);
    ULONG code = file_open(file->path, &file->handle, &file->stamp);
    if (code != NO_ERROR) {
        free(file);
        return code;
    }
    *out = file;
    return NO_ERROR;
}

/* Gives the cache a share, when it keeps files; without memory for it, it does not. */
static void keep(struct file_cache *cache, struct open_file *file, uint64_t hash)
{
    if (cache->loop == NULL || file->path_len > FILE_CACHE_PATH_BYTES_MAX) {
        return;
    }
    if (cache->buckets == NULL) {
        cache->buckets = malloc(FILE_CACHE_BUCKETS * sizeof *cache->buckets);
        if (cache->buckets == NULL) {
            return;
        }
        for (size_t i = 0; i < FILE_CACHE_BUCKETS; i++) {
            list_init(&cache->buckets[i]);
        }
    }
    if (cache->count == FILE_CACHE_FILES_MAX) {
        forget(cache, LIST_ITEM(cache->by_use.head.prev, struct open_file, use));
    }
    file->hash = hash;
    list_push_front(bucket_of(cache, hash), &file->bucket);
    list_push_front(&cache->by_use, &file->use);
    file->shares++;
    if (cache->count++ == 0 && !loop_timer_is_running(&cache->sweep)) {
        cache->sweep.on_fire = sweep;
        loop_timer_start(cache->loop, &cache->sweep, FILE_CACHE_IDLE_S * ns_per_s);
    }
}

static struct open_file *find(const struct file_cache *cache, struct slice path, uint64_t hash)
{
    if (cache->buckets == NULL) {
        return NULL;
    }
    const struct list *bucket = bucket_of(cache, hash);
    for (struct list_node *node = bucket->head.next; node != &bucket->head; node = node->next) {
        struct open_file *file = LIST_ITEM(node, struct open_file, bucket);
        if (file->hash == hash && file->path_len == path.len &&
            memcmp(file->path, path.p, path.len) == 0) {
            return file;
        }
    }
    return NULL;
}

/* Reads a small file that has been left alone for a while. */
static void load_content(struct open_file *file)
{
    size_t bytes = (size_t)file->stamp.bytes;
    struct file_stamp after;
    char *content = malloc(bytes);
    if (content == NULL) {
        return;
    }
    if (file_read(file->handle, content, bytes) == NO_ERROR &&
        file_examine(file->handle, &after) == NO_ERROR && file_stamp_equal(&after, &file->stamp)) {
        file->content = file->kept = content;
    } else {
        free(content);
    }
}

/* Whether it is still what it was when it was opened; brings the stamp up to date. */
static bool is_unchanged(struct open_file *file, uint64_t now)
{
    struct file_stamp stamp;
    ULONG code = NO_ERROR;
    if (now - file->path_ns >= FILE_CACHE_PATH_S * ns_per_s) {
        code = file_examine_path(file->path, &stamp);
        file->path_ns = now;
    } else {
        code = file_examine(file->handle, &stamp);
    }
    file->checked_ns = now;
    return code == NO_ERROR && file_stamp_equal(&stamp, &file->stamp);
}

static bool wants_content(const struct open_file *file)
{
    return file->kept == NULL && file->stamp.bytes <= FILE_CACHE_CONTENT_BYTES_MAX &&
           file->stamp.bytes > 0 && file_is_settled(&file->stamp);
}

ULONG file_cache_open(struct file_cache *cache, struct slice path, struct open_file **out)
{
    uint64_t hash = hash_path(path);
    struct open_file *file = find(cache, path, hash);
    if (file != NULL && !is_unchanged(file, now_of(cache))) {
        forget(cache, file);
        file = NULL;
    }
    if (file == NULL) {
        ULONG code = open_new(cache, path, &file);
        if (code != NO_ERROR) {
            return code;
        }
        keep(cache, file, hash);
    } else {
        file->shares++;
        list_remove(&file->use);
        list_push_front(&cache->by_use, &file->use);
        if (wants_content(file)) {
            load_content(file);
        }
    }
    *out = file;
    return NO_ERROR;
}

ULONG file_cache_refresh(struct file_cache *cache, struct open_file *file)
{
    struct file_stamp stamp;
    uint64_t now = now_of(cache);
    if (cache->loop != NULL && file->checked_ns == now) {
        return NO_ERROR;
    }
    ULONG code = file_examine(file->handle, &stamp);
    if (code == NO_ERROR && !file_stamp_equal(&stamp, &file->stamp)) {
        if (list_is_linked(&file->bucket)) {
            assert(file->shares > 1); /* the cache's, and that of who asks */
            forget(cache, file);      /* another file may have its path now */
        }
        file->stamp = stamp;
        file->content = NULL; /* what was kept may be on its way: it stays until the end */
    }
    file->checked_ns = now;
    return code;
}
