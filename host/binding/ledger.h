/* The process ledger: what scripts opened through the contract, who still holds it, and in which
 * order it closes.
 *
 *   initialization (one per successful HttpInitialize)
 *    |- queue
 *    `- session -- group -- url            group --(bound to)--> queue
 *
 * Several Lua states (workers, and during a reload two generations) run the same script. Each state
 * that names an object holds a share of it; the contract object is made once and closes when its
 * last share goes. A share counts the handles (Lua userdata) that hold it: closing a handle drops
 * one count, the last count drops the share.
 *
 *   node state   entered by                                     contract object
 *   DECLARED     ledger_make_*                                  none yet
 *   OPEN         ledger_open, ledger_commit                     exists
 *   CLOSING      last share dropped after ledger_stop           exists, its close call waits for
 *                                                               ledger_close_all
 *   CLOSED       last share dropped; ledger_close_all           gone; the node stays until no
 *                                                               handle names it
 *
 * A state that loads only declares: nodes become OPEN when its generation commits. A state that
 * serves declares and then calls ledger_open at once. Which existing node a creation call names is
 * decided by its key: the explicit name; for a URL its canonical prefix; else, while loading,
 * (script file, key of the parent, kind, ordinal under that parent). Without a name, a state that
 * has loaded makes new nodes.
 *
 * Anchoring: an open URL keeps its group, session and queue even when every handle of theirs was
 * collected; they close when the URL does. The host's own queue, session and group (bare
 * http.add_url) have a share of the host and live until the exit.
 *
 * Ids: 64 bits, never 0, never reused (base/slots.h); a URL's id is its UrlContext, its low 32 bits
 * are a small index.
 *
 * Owner: whoever called ledger_create; every struct state points to it. Thread: any; one mutex,
 * never on the request path. Trace, report and holder callbacks run under it and must not call
 * back. Cost: a creation compares keys with the siblings. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/httpapi.h"
#include "base/log.h"
#include "base/slice.h"
#include "binding/property.h"

struct ledger;

enum node_kind {
    NODE_INITIALIZATION,
    NODE_QUEUE,
    NODE_SESSION,
    NODE_GROUP,
    NODE_URL,
    NODE_KIND_COUNT
};
enum node_state { NODE_DECLARED, NODE_OPEN, NODE_CLOSING, NODE_CLOSED };

enum {
    LEDGER_NODES_MAX =
        65536, /* nodes of one process, closed ones that a handle still names included */
    LEDGER_REGISTRATIONS_MAX =
        16, /* prefixes of one URL node (a bare path has one for each address) */
    LEDGER_NAME_BYTES_MAX = 128,    /* explicit name, terminator included */
    LEDGER_PREFIX_BYTES_MAX = 2048, /* one URL prefix, terminator included */
    LEDGER_SITE_BYTES_MAX =
        160, /* file name in infos and errors, terminator included; longer ones keep their end */
    LEDGER_OBJECT_BYTES_MAX = 256,
    LEDGER_HINT_BYTES_MAX = 256
};

/* Who asks, and where. file may be NULL; it is copied. */
struct ledger_origin {
    uint32_t generation;
    uint16_t worker;
    bool loading;     /* the state has not loaded yet: declare only, match by position */
    const char *file; /* script of the Lua caller */
    int line;
};

/* The worker number of the host's own shares; no real worker has it. */
#define LEDGER_WORKER_HOST ((uint16_t)0xFFFF)

struct ledger_site {
    char file[LEDGER_SITE_BYTES_MAX]; /* "" when unknown */
    int line;
};

/* Why something failed. Filled in only when a function returns a code other than NO_ERROR. */
struct ledger_error {
    const char *call; /* contract function, or NULL when the ledger itself refused */
    ULONG code;
    char object[LEDGER_OBJECT_BYTES_MAX]; /* "http://localhost:8080/api/", "group app.lua:3" */
    char hint[LEDGER_HINT_BYTES_MAX];     /* the cure, "" when there is none */
    struct ledger_site site;              /* where the object was declared */
};

/* A copy of what is known about a node. */
struct ledger_info {
    uint64_t id;
    uint64_t parent; /* session of a group, group of a url; else 0 */
    uint64_t queue;  /* of a group: the queue it is bound to, or 0 */
    enum node_kind kind;
    enum node_state state;
    bool host_made;
    bool live; /* the asking state holds a share (ledger_info), or anybody does (ledger_walk) */
    uint32_t drops; /* times the asking state's share was dropped: a handle from before is closed */
    uint32_t shares; /* states that hold a share, the host included */
    uint64_t handle; /* contract id, or the queue's HANDLE as an integer; flags of an
                        initialization; 0 before commit */
    uint64_t order;  /* grows with each contract object made; 0 while declared */
    char name[LEDGER_OBJECT_BYTES_MAX]; /* label: explicit name, "host", or the URL as the script
                                           wrote it; else "" */
    struct ledger_site made;            /* creation site */
    struct ledger_site closed;          /* where the asking state (or the last one) closed it */
};

struct ledger_options {
    const struct log *log; /* debug lines; may be NULL */
    /* Each contract call of the ledger, after it returned. May be NULL. */
    void (*trace)(void *ctx, const char *call, const char *object, ULONG result);
    /* Writes who holds the TCP port ("nginx (pid 311)") and returns true, or false when it cannot
     * tell. May be NULL. */
    bool (*port_holder)(void *ctx, uint16_t port, char *out, size_t cap);
    /* ledger_close_all: an object whose close call failed (result != NO_ERROR). May be NULL. */
    void (*report)(void *ctx, const struct ledger_info *leftover, ULONG result);
    void *ctx; /* for the three above */
};

/* One address of bare paths. base has neither path nor final slash: "http://localhost:8080".
 * optional: skipped with a debug line where the machine lacks it; never when the port is held or
 * somebody else has the URL. */
struct ledger_address {
    const char *base;
    bool optional;
};

/* --- life ---------------------------------------------------------------------------------- */

/* NULL: no memory. options are copied. */
struct ledger *ledger_create(const struct ledger_options *options);
/* Everything must be closed and terminated. NULL is harmless. */
void ledger_destroy(struct ledger *ledger);

/* One HttpInitialize, remembered for ledger_terminate. flags: HTTP_INITIALIZE_SERVER and/or
 * _CONFIG. */
ULONG ledger_initialize(struct ledger *ledger, ULONG flags, struct ledger_error *error);

/* What bare paths mean from the next commit or ledger_open on (copied). Until then
 * "http://localhost:8080", 127.0.0.1 and [::1]. Errors: ERROR_INVALID_PARAMETER none, too many, or
 * an unusable base; ERROR_NOT_ENOUGH_MEMORY. */
ULONG ledger_set_addresses(struct ledger *ledger, const struct ledger_address *addresses,
                           size_t count);

/* --- creation ------------------------------------------------------------------------------ */

/* Each declares a node or adds to a share of an existing one, and counts one handle for the asking
 * state; *id is valid until that handle is released with ledger_release. name may be empty.
 * properties may be NULL. Errors: ERROR_OPERATION_ABORTED stopping; ERROR_NOT_ENOUGH_MEMORY;
 * ERROR_INVALID_HANDLE a parent is closed; ERROR_INVALID_PARAMETER a malformed name or URL;
 * ERROR_ALREADY_EXISTS (see ledger_make_url). On failure nothing has changed. */
ULONG ledger_make_queue(struct ledger *ledger, const struct ledger_origin *origin,
                        struct slice name, const struct properties *properties, uint64_t *id,
                        struct ledger_error *error);
ULONG ledger_make_session(struct ledger *ledger, const struct ledger_origin *origin,
                          struct slice name, const struct properties *properties, uint64_t *id,
                          struct ledger_error *error);

/* What a group is made of. */
struct ledger_group_spec {
    uint64_t session;
    uint64_t queue; /* 0: unbound, requests get 503 */
    bool own_queue; /* the queue's handle goes with the group: it closes when no group is bound to
                       it any more */
    struct slice name;
    const struct properties *properties;
};
ULONG ledger_make_group(struct ledger *ledger, const struct ledger_origin *origin,
                        const struct ledger_group_spec *spec, uint64_t *id,
                        struct ledger_error *error);

/* url: a full prefix ("http://localhost:8080/api/") or a bare path ("/api/"). ERROR_ALREADY_EXISTS:
 * this state has it already, or another group of this process that is not being replaced. */
ULONG ledger_make_url(struct ledger *ledger, const struct ledger_origin *origin, uint64_t group,
                      struct slice url, uint64_t *id, struct ledger_error *error);

/* The host's own group (with its session and its queue, 503 verbosity Limited), made on first use.
 * No handle is counted: never release it. */
ULONG ledger_host_group(struct ledger *ledger, uint64_t *group, struct ledger_error *error);
/* The host's queue, 0 before ledger_host_group. No handle is counted. */
uint64_t ledger_host_queue(struct ledger *ledger);

/* Makes the contract calls for a declared node (its declared ancestors and queue first); harmless
 * on an open one. For states that have loaded. On failure the node stays declared, what this call
 * had made is undone, and the caller closes its handle. */
ULONG ledger_open(struct ledger *ledger, const struct ledger_origin *origin, uint64_t id,
                  struct ledger_error *error);

/* --- use ----------------------------------------------------------------------------------- */

/* Sets what is present in `properties` (PROPERTY_UNSET values go back to "inherit"): at once on an
 * open node of a state that has loaded, else at the commit of the generation. Errors:
 * ERROR_INVALID_HANDLE closed; the contract's. */
ULONG ledger_set(struct ledger *ledger, const struct ledger_origin *origin, uint64_t id,
                 const struct properties *properties, struct ledger_error *error);
/* What this state sees: what its generation wants, else what is in force. */
ULONG ledger_get(struct ledger *ledger, const struct ledger_origin *origin, uint64_t id,
                 struct properties *out);

/* Binds a group to a queue, 0 unbinds; at once or at the commit as above. */
ULONG ledger_bind(struct ledger *ledger, const struct ledger_origin *origin, uint64_t group,
                  uint64_t queue, struct ledger_error *error);

/* false: the id names nothing (any more). info->live says whether the asking state still holds a
 * share. */
bool ledger_info(struct ledger *ledger, const struct ledger_origin *origin, uint64_t id,
                 struct ledger_info *info);

/* Finds an open or declared URL of this state by what the script called it; 0 when there is none.
 * No handle is counted. */
uint64_t ledger_find_url(struct ledger *ledger, const struct ledger_origin *origin, uint64_t group,
                         struct slice url);

/* Registered prefix number i of a URL node, as given to the contract; false past the end or before
 * commit. */
bool ledger_url_prefix(struct ledger *ledger, uint64_t id, size_t i, char *out, size_t cap);

/* Segments of the URL's path ("/a/b/" has 2, "/" has 0): what a router strips. 0 for an unknown id.
 */
uint32_t ledger_url_segments(struct ledger *ledger, uint64_t id);

/* A worker of the generation that has the URL, for a request that came to one that has not: after
 * loading, one state alone may have added it. LEDGER_WORKER_HOST: none has. Any thread. */
uint16_t ledger_url_worker(struct ledger *ledger, uint32_t generation, uint64_t id);

/* --- closing ------------------------------------------------------------------------------- */

/* Closes one handle: drops one count; with the last one the state's share, and with it the state's
 * shares of everything below, children first, newest first; an object whose last share went is
 * closed by contract calls (a queue first unbinds its groups). Closing twice is silent. After
 * ledger_stop only shares are dropped. Errors of contract calls are traced and logged, and the
 * first one is returned; the object counts as closed all the same. */
ULONG ledger_close(struct ledger *ledger, const struct ledger_origin *origin, uint64_t id);

/* The state's whole share at once, whatever handles there are: for http.remove_url. */
ULONG ledger_close_share(struct ledger *ledger, const struct ledger_origin *origin, uint64_t id);

/* Ends a handle (finalizer). closed: ledger_close was called on it before. If not, and nothing
 * anchors the node, it is closed as above and true is returned with *info filled in: the script
 * leaked it. An anchored node stays and closes with what anchors it. */
bool ledger_release(struct ledger *ledger, const struct ledger_origin *origin, uint64_t id,
                    bool closed, struct ledger_info *info);

/* --- generations --------------------------------------------------------------------------- */

/* All workers (0 to workers - 1) of a generation must have declared the same keys. error names one
 * line and its hint the other. ERROR_INVALID_PARAMETER when they have not. */
ULONG ledger_check(struct ledger *ledger, uint32_t generation, unsigned workers,
                   struct ledger_error *error);

enum ledger_phase {
    LEDGER_PHASE_OBJECTS, /* queues, sessions, groups, properties, bindings */
    LEDGER_PHASE_URLS     /* every declared URL; needs phase OBJECTS first */
};

/* The contract calls for what a generation declared, parents first, oldest first. Objects that are
 * open already keep their contract object and get the changed properties. LEDGER_PHASE_URLS: on
 * failure the URLs that this call added are removed again and are declared as before, so the phase
 * may be tried again with other addresses. LEDGER_PHASE_OBJECTS: on failure call ledger_discard. */
ULONG ledger_commit(struct ledger *ledger, uint32_t generation, enum ledger_phase phase,
                    struct ledger_error *error);

/* Both phases in one, when no contract call is needed: every object of the generation is open
 * already and as it wants it. false: not so, and nothing has happened. */
bool ledger_commit_kept(struct ledger *ledger, uint32_t generation);

/* The load or the commit failed: drops every share of the generation, closes what only it had
 * opened, and puts back the properties of what it had changed. Its handles stay harmless. */
void ledger_discard(struct ledger *ledger, uint32_t generation);

/* A newer generation serves: drops the shares of its URLs, so that those which nobody else has are
 * withdrawn. */
void ledger_withdraw(struct ledger *ledger, uint32_t generation);
/* The same, when no contract call is needed: somebody else has each of its URLs too. false: not so,
 * and nothing has happened. */
bool ledger_withdraw_kept(struct ledger *ledger, uint32_t generation);

/* The generation has ended: drops every share of it, URLs, then groups, sessions, queues, each
 * newest first. */
void ledger_retire(struct ledger *ledger, uint32_t generation);

/* The queues that a generation holds shares of, the host's included: what workers attach to their
 * loops. Returns how many there are and writes up to cap of them, oldest first. */
struct ledger_queue {
    uint64_t id;
    HANDLE handle; /* NULL before commit */
};
size_t ledger_queues(struct ledger *ledger, uint32_t generation, struct ledger_queue *out,
                     size_t cap);

/* --- exit ---------------------------------------------------------------------------------- */

/* Stage 1: from now on a close drops the share and nothing else, and creating anything fails with
 * ERROR_OPERATION_ABORTED. */
void ledger_stop(struct ledger *ledger);
bool ledger_is_stopping(struct ledger *ledger);

/* Stage 4: HttpShutdownRequestQueue for every open queue, newest first. Returns the count of failed
 * calls. */
size_t ledger_shutdown_queues(struct ledger *ledger);

/* Stage 5: URLs, then groups, sessions, queues over the whole process, each newest first, whatever
 * shares there are. An error in one step does not stop the next. Returns the count of failed calls,
 * each reported. */
size_t ledger_close_all(struct ledger *ledger);

/* One step of it: every object of a kind, and first what is still below it. */
size_t ledger_close_kind(struct ledger *ledger, enum node_kind kind);

/* Stage 6: one HttpTerminate for each successful HttpInitialize, newest first, same flags. Returns
 * the count of failed calls. */
size_t ledger_terminate(struct ledger *ledger);

/* --- looking ------------------------------------------------------------------------------- */

/* Calls fn for each node that is not closed, oldest first within a kind, kinds in the order of the
 * enum; stops when fn returns false. */
void ledger_walk(struct ledger *ledger, bool (*fn)(void *ctx, const struct ledger_info *info),
                 void *ctx);

/* The same for what one generation has a share of. */
void ledger_walk_generation(struct ledger *ledger, uint32_t generation,
                            bool (*fn)(void *ctx, const struct ledger_info *info), void *ctx);

/* Nodes of a kind in DECLARED, OPEN or CLOSING that somebody but the host holds a share of. */
size_t ledger_count(struct ledger *ledger, enum node_kind kind);
/* The same, of one generation: `NODE_URL` 0 after loading means that nothing is live. */
size_t ledger_count_generation(struct ledger *ledger, uint32_t generation, enum node_kind kind);

/* How many nodes of each kind only this generation has. */
void ledger_count_own(struct ledger *ledger, uint32_t generation, size_t counts[NODE_KIND_COUNT]);

/* URLs that one of two generations has and the other has not. */
size_t ledger_compare(struct ledger *ledger, uint32_t a, uint32_t b);

/* Objects that only this generation has and that serve nothing: a group without a URL, a session
 * without a group, a queue without a group. For its end, while its URLs are registered or were
 * withdrawn by ledger_withdraw. */
void ledger_leftovers(struct ledger *ledger, uint32_t generation,
                      void (*fn)(void *ctx, const struct ledger_info *info), void *ctx);

/* "queue", "session", "group", "url", "initialization". */
const char *ledger_kind_name(enum node_kind kind);
/* "declared", "open", "closing", "closed". */
const char *ledger_state_name(enum node_state state);
