/* What the files of the ledger share; nobody else includes this.
 *
 * Every function here is called with the mutex held. Nodes are not freed while an operation runs: a
 * closed node goes to the dying list, and ledger_unlock frees those that no handle names. */
#pragma once

#include <pthread.h>

#include "base/list.h"
#include "base/slots.h"
#include "binding/contract.h"
#include "binding/ledger.h"
#include "binding/prefix.h"

enum {
    LEDGER_FILES_MAX = 4096, /* distinct script names remembered; beyond, sites say "" */
    LEDGER_ADDRESSES_MAX = LEDGER_REGISTRATIONS_MAX,
    LEDGER_BUCKETS_MIN = 64
};

/* Where something happened; file is interned. */
struct site {
    const char *file;
    int line;
};

/* What one Lua state holds of a node. */
struct share {
    uint32_t generation;
    uint16_t worker;
    bool live;        /* holds the node open */
    bool orphan;      /* no handle is open: lives as long as something anchors the node */
    uint32_t open;    /* handles not closed */
    uint32_t drops;   /* times it was dropped: a handle from before means nothing after */
    uint32_t handles; /* handles not released; the entry goes when it is dead and this is 0 */
    struct site closed;
};

struct node {
    uint64_t id;
    enum node_kind kind;
    enum node_state state; /* changed by node_set_state only */
    bool host_made;
    bool served;                /* group, session, queue: a URL has been open below it or with it */
    struct node *parent;        /* group: session; url: group; else NULL */
    struct node *newest_child;  /* session: groups; group: urls */
    struct node *older, *newer; /* siblings */
    struct node *bucket_next;   /* same bucket of the key table */
    struct list_node of_kind;   /* ledger.kinds: declaration order, moved to the end when opened */
    struct list_node dying;     /* ledger.dying */

    uint64_t key; /* hash of what names it; 0: nothing does */
    char *name;   /* explicit name, or the URL as written; NULL: none */
    struct site made;
    struct site closed;
    uint64_t order; /* of the contract object; 0: none yet */

    struct share *shares;
    uint32_t share_count;
    uint32_t share_cap;

    uint64_t contract_id; /* session, group; flags of an initialization */
    HANDLE queue_handle;  /* queue */

    struct properties properties; /* in force */
    struct properties
        wanted; /* to be in force after the commit of wanted_generation, or when opened */
    struct properties previous; /* before the commit of changed_generation */
    struct node *queue;         /* group: bound to, in force */
    struct node *queue_wanted;
    struct node *queue_previous;
    uint32_t wanted_generation;  /* 0: nothing is wanted */
    uint32_t changed_generation; /* 0: nothing to put back */

    struct prefix prefix;                       /* url: slices into name */
    char *registered[LEDGER_REGISTRATIONS_MAX]; /* url: prefixes at the contract, oldest first */
    uint32_t registered_count;
    uint32_t lent; /* bits: registrations that a newer generation moves, or has moved, elsewhere */
    /* Only while a generation commits: where each registration was moved from; id 0: it is new. */
    struct {
        uint64_t id;    /* of the node */
        uint32_t index; /* of its registration */
    } taken[LEDGER_REGISTRATIONS_MAX];
    uint32_t promised; /* bits: registrations that are still to be moved here */
};

/* One thing a loading state has declared, for ledger_check and the ordinals. */
struct declared {
    uint64_t key;
    uint64_t
        place; /* hash of (file, key of the parent, kind): what ordinals count under; 0: named */
    enum node_kind kind;
    struct site made;
};

/* A state that loads. */
struct loader {
    struct loader *next;
    uint32_t generation;
    uint16_t worker;
    struct declared *items; /* in order */
    size_t count;
    size_t cap;
};

struct ledger {
    pthread_mutex_t mutex;
    struct ledger_options options;
    struct contract contract;
    struct slots nodes;
    struct list kinds[NODE_KIND_COUNT];
    struct list dying;
    struct node **buckets; /* by key */
    size_t bucket_count;   /* a power of two, or 0 */
    size_t key_count;
    struct loader *loaders;
    char *files[LEDGER_FILES_MAX];
    size_t file_count;
    struct address {
        char *base;
        bool optional;
    } addresses[LEDGER_ADDRESSES_MAX];
    size_t address_count;
    struct node *host_queue;
    struct node *host_group;
    uint64_t next_order;
    uint32_t committing; /* the generation whose URLs are being registered; 0: none */
    bool stopping;
};

/* --- ledger.c ------------------------------------------------------------------------------ */

/* A copy with a NUL behind it; NULL: no memory. */
char *ledger_copy_text(struct slice text);

void ledger_lock(struct ledger *ledger);
/* Frees what died, then lets go. */
void ledger_unlock(struct ledger *ledger);

/* The one place where a state changes; asserts that the change is allowed. */
void node_set_state(struct node *node, enum node_state state);
struct node *node_get(struct ledger *ledger, uint64_t id);
/* The share of a state, live or not; NULL. */
struct share *node_share(struct node *node, uint32_t generation, uint16_t worker);
bool node_has_live_share(const struct node *node, uint32_t generation);
uint32_t node_live_shares(const struct node *node);
/* Nobody but this generation holds the node (ledger_generation.c). */
bool node_is_own(const struct node *node, uint32_t generation);
/* Takes it out of its parent, the key table and the kind list. */
void node_unlink(struct ledger *ledger, struct node *node);
/* Forgets the shares that are neither live nor named by a handle. */
void node_drop_shares(struct node *node);
/* Ends a declared node that nothing builds on; frees it at unlock when no handle names it. */
void node_discard(struct ledger *ledger, struct node *node);
/* "session shop", "group app.lua:3", "http://...". Returns out. */
const char *node_label(const struct node *node, char out[LEDGER_OBJECT_BYTES_MAX]);
void node_describe(const struct node *node, const struct share *asking, struct ledger_info *info);
struct site ledger_site_of(struct ledger *ledger, const struct ledger_origin *origin);
void site_export(struct site site, struct ledger_site *out);

/* Fills in an error and returns code. hint is a format. */
ULONG ledger_fail(struct ledger_error *error, const char *call, ULONG code, const struct node *node,
                  const char *hint, ...) __attribute__((format(printf, 5, 6)));
void ledger_drop_loaders(struct ledger *ledger, uint32_t generation);

/* --- ledger_commit.c ----------------------------------------------------------------------- */

/* The node that has this prefix at the contract, and as which of its registrations; NULL. */
struct node *ledger_find_registered(struct ledger *ledger, const char *url, uint32_t *index);
/* The contract calls that make one declared node; its parents are open. */
ULONG node_open(struct ledger *ledger, struct node *node, struct ledger_error *error);
/* Turns what is in force into what is given. */
ULONG node_apply(struct ledger *ledger, struct node *node, const struct properties *properties,
                 struct node *queue, struct ledger_error *error);

/* --- ledger_close.c ------------------------------------------------------------------------ */

/* The contract calls that end an open node, registrations newest first. The state is not changed.
 * Returns the first error. */
ULONG node_close_contract(struct ledger *ledger, struct node *node);
/* Removes the registrations of a URL, newest first; those that were moved here by the commit under
 * way, or promised to be, go back to where they were. Returns the first error. */
ULONG node_unregister(struct ledger *ledger, struct node *node);
