/* http.store: values that all workers and all generations of this process share.
 *
 * A back end keeps bytes by key. `memory:` is a hash table in the host, behind one mutex: it
 * survives reloads and ends with the process. What other back ends (`redis:`) need is the table of
 * functions below: every change is a compare-and-set on the entry's version, so `update` needs no
 * lock across the network.
 *
 * Owner: struct host. Thread: any. Cost: a mutex, a hash and a copy of the value. Limits: bytes and
 * keys below; what is full refuses a set, after what has expired was removed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/httpapi.h"
#include "base/buf.h"
#include "base/slice.h"

struct store;

enum {
    STORE_KEY_BYTES_MAX = 1024,
    STORE_VALUE_BYTES_MAX = 1024 * 1024,
    STORE_KEYS_MAX = 1024 * 1024,
    STORE_BYTES_MAX = 64 * 1024 * 1024 /* keys, values and their overhead */
};

/* What a back end can do; all functions any thread. */
struct store_backend {
    const char *scheme; /* "memory" */
    void (*destroy)(struct store *store);
    /* Appends the value. *version: for set; 0 when there is none. ERROR_FILE_NOT_FOUND: no such
     * key; ERROR_NOT_ENOUGH_MEMORY: the buf takes no more. */
    ULONG (*get)(struct store *store, struct slice key, struct buf *value, uint64_t *version);
    /* Sets, or with value NULL removes. version STORE_ANY: whatever is there; else only when that
     * is still the entry's version (0: there is none): ERROR_SHARING_VIOLATION otherwise. ttl_ns 0:
     * stays. ERROR_NOT_ENOUGH_MEMORY: full. */
    ULONG(*set)
    (struct store *store, struct slice key, const struct slice *value, uint64_t version,
     uint64_t ttl_ns);
    /* Appends every key that begins with prefix: its length (size_t) and its bytes.
     * ERROR_NOT_ENOUGH_MEMORY: the buf takes no more. */
    ULONG (*keys)(struct store *store, struct slice prefix, struct buf *keys);
    void (*count)(struct store *store, size_t *keys, size_t *bytes);
};

#define STORE_ANY UINT64_MAX

struct store {
    const struct store_backend *backend;
};

/* The memory back end. NULL: no memory. */
struct store *store_create_memory(void);
/* NULL is harmless. */
void store_destroy(struct store *store);
