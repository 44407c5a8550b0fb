/* The URL tree: from scheme, port, host, local address and path to a registration.
 *
 * A hash table behind engine->tree. Shards read it without a lock; a writer, under the engine's
 * lock, stores one pointer to add or to take out, and replaces the whole table when it grows. What
 * was taken out is freed by lifetime_retire.
 *
 *   lookup = for each category in order of precedence that knows the host:
 *                for each prefix of whole segments, longest first: one probe
 *
 * so its cost depends on the depth of the path, as far as registered ones are long, and not on how
 * many URLs there are. Which categories know a host changes rarely and is asked again and again: a
 * shard keeps the answer for the host that it met last (struct urltree_memo).
 *
 * Precedence (HTTP Server API, Routing Incoming Requests): strong wildcard "+", explicit host,
 * IP-bound weak wildcard, weak wildcard "*"; the first category with any match decides, inside it
 * the longest path. Hosts and paths compare without case. */
#pragma once

#include <netinet/in.h>

#include "base/slice.h"
#include "engine/lifetime.h"
#include "protocol/urlprefix.h"

struct endpoint;
struct urlgroup;
struct urltree;
struct urltree_host; /* scheme, port, category and host, shared by the registrations with them */

enum {
    URLTREE_REGISTRATIONS_MAX = 1 << 20, /* registered URLs of the process */
    URLTREE_SEGMENTS_MAX = 256,          /* deeper paths match by their first segments */
    URLTREE_MEMO_HOST_MAX = 64,          /* a longer host is looked up each time */
    REGISTRATION_ENDPOINTS_MAX = 2       /* addresses one registration listens on: IPv4 and IPv6 */
};

/* One registered URL. What routing reads never changes. One allocation, texts included. */
struct registration {
    struct list_node group_link; /* in group->registrations; under the lock */
    struct urlgroup *group;
    HTTP_URL_CONTEXT context;
    uint8_t category; /* enum urlprefix_category */
    bool https;
    uint16_t port;
    uint32_t hash;     /* of scheme, port, category, host and path */
    struct slice host; /* lower case; IP-bound: the address in binary; wildcards: empty */
    struct slice path; /* lower case, ends with '/' */
    struct slice url;  /* the canonical prefix */
    const struct urltree_host *owner; /* while registered; only ever compared */
    struct endpoint *endpoints[REGISTRATION_ENDPOINTS_MAX]; /* held while registered; may be NULL */
    struct retired retired;
};

/* Why nothing matched: the contract answers 400 and 404. */
enum urltree_miss { URLTREE_HIT, URLTREE_NO_HOST, URLTREE_NO_PATH };

struct urltree_key {
    struct slice host;            /* of the request, with or without port; any case */
    struct slice path;            /* cooked path; any case */
    const struct sockaddr *local; /* address the connection arrived on */
    uint16_t port;                /* of the endpoint it arrived on */
    bool https;
};

/* The categories that know a host, in order of precedence. Zeroed before its first use; goes stale
 * by itself. Owner and thread: one reader's. */
struct urltree_memo {
    uint64_t stamp; /* of the tree that this is true of; 0 = of none */
    uint32_t count;
    uint16_t port;
    uint8_t host_bytes, local_bytes;
    bool https;
    char host[URLTREE_MEMO_HOST_MAX]; /* with port, as it was asked for */
    char local[sizeof(struct in6_addr)];
    struct {
        const struct urltree_host *owner; /* only ever compared: it may be gone */
        uint32_t hash;
        uint8_t category;
    } known[URLPREFIX_CATEGORY_COUNT];
};

/* The registration that serves the request, or NULL with *miss. *by_address: an IP-bound prefix
 * decided. Thread: any shard, within a turn. */
const struct registration *urltree_find(const struct urltree *tree, struct urltree_memo *memo,
                                        const struct urltree_key *key, enum urltree_miss *miss,
                                        bool *by_address);

/* Sets the hash, once the other members are there. */
void urltree_prepare(struct registration *registration);

/* -------- writers: under the engine's lock -------- */

/* NULL: no memory. */
struct urltree *urltree_create_empty(struct engine *engine);
/* Adds to engine->tree, replacing it when it must grow. ERROR_NOT_ENOUGH_MEMORY: nothing has
 * changed. */
ULONG urltree_add(struct engine *engine, struct registration *added);
/* Takes out of engine->tree. The caller retires the registration afterwards. */
void urltree_remove(struct engine *engine, struct registration *removed);
/* The same place in engine->tree names another registration, of the same scheme, port, category,
 * host and path, from now on. The caller retires the one before. Cannot fail. */
void urltree_replace(struct engine *engine, const struct registration *before,
                     struct registration *after);
/* The registration with the same scheme, port, category, host and path, or NULL. */
struct registration *urltree_conflict(const struct urltree *tree,
                                      const struct registration *candidate);
/* Whether the port of the candidate is in use with the other scheme: http and https cannot share
 * one. Cost: that of a lookup where its host is known, else all hosts are looked at. */
bool urltree_has_other_scheme(const struct urltree *tree, const struct registration *candidate);
void urltree_retire(struct engine *engine, struct urltree *tree);
