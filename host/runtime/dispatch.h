/* From a received request to its handler and back: the hot path of the runtime.
 *
 *   a receive completes -> take_request (here) -> handler's coroutine (binding/task.h)
 *   -> handler(request) -> answer_return (binding/answer.h) -> HttpSendHttpResponse
 *   -> the receive's memory goes back
 *
 * A worker keeps some receives posted on each queue that calls handlers. A request is handed to the
 * current state; its receive is replaced at once, so handlers overlap.
 *
 * A URL that one state has added after loading has its handler there alone, but its requests come
 * to any worker: one without the handler asks the ledger who has it and posts the request there,
 * memory and all. The connection stays; the answer finds its way back in the provider.
 *
 * Owner: the worker. Thread: the worker's. Cost: no allocation but Lua's own, no lock; a request
 * that is passed on costs the ledger's lock, a post, and the way back of the answer. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/httpapi.h"
#include "api/loop.h"
#include "base/log.h"
#include "binding/request.h"
#include "binding/state.h"

enum {
    DISPATCH_QUEUES_MAX = 64,    /* queues of one worker */
    DISPATCH_RETRY_MS = 100,     /* pause before receives are posted again after lack of memory */
    DISPATCH_OLDER_MAX = 4,      /* states that retire here */
    DISPATCH_RECEIVES = 8,       /* posted on each queue at first; */
    DISPATCH_RECEIVES_MAX = 256, /* one more for each request that found none waiting */
    DISPATCH_REQUESTS_MAX =
        16384 /* alive in one worker; past it nothing is posted until one ends */
};

struct host_config;

/* Who gets in. */
enum dispatch_gate {
    DISPATCH_OPEN,
    DISPATCH_OUTAGE,  /* the newest script is broken and must not be hidden: see on_outage */
    DISPATCH_REFUSING /* past the drain deadline: newcomers get 503 */
};

/* A queue that this worker serves. */
struct dispatch_lane {
    struct dispatch *dispatch;
    HANDLE queue;
    uint64_t queue_id;    /* its node in the ledger */
    struct list receives; /* struct request.node: in flight */
    unsigned posted;      /* how many */
    unsigned wanted;      /* how many there should be: DISPATCH_RECEIVES and more */
    bool pulled;          /* the current state pulls it: nothing is posted */
    bool broken;          /* a receive failed for good (queue closed or shut down) */
};

struct dispatch {
    struct loop *loop;
    struct state *state; /* gets the requests; NULL: refused with 503 */
    struct state *next;  /* about to be published: requests for what it alone has are held */
    struct state *older[DISPATCH_OLDER_MAX]; /* retiring, newest first: what was routed to a URL */
    size_t older_count;                      /* of theirs before it was withdrawn is still theirs */
    struct list held;                        /* struct request.node: for next */
    const struct log *log;
    const struct host_config *notes; /* its on_request hears of each request; NULL: nobody does */
    struct request_pool pool;
    struct dispatch_lane lanes[DISPATCH_QUEUES_MAX];
    size_t lane_count;
    /* The dispatch of another worker; NULL: there is none. NULL without others. */
    struct dispatch *(*find_other)(struct dispatch *d, uint16_t worker);
    _Atomic unsigned arriving; /* requests that others have posted here; any thread */
    struct loop_timer retry;   /* posts receives again after lack of memory */
    enum dispatch_gate gate;
    /* DISPATCH_OUTAGE: true: it has answered; false: the request goes its way all the same. */
    bool (*on_outage)(void *ctx, struct request *r);
    void *outage_ctx;
    bool stopped; /* no receive is posted any more */
};

/* Without queues and without a state. loop and log are not owned. */
void dispatch_init(struct dispatch *d, struct loop *loop, const struct log *log);

/* Every receive and request must be back (dispatch_is_quiet). */
void dispatch_deinit(struct dispatch *d);

/* The queue is attached to the loop already; posts nothing before dispatch_set_state.
 * Errors: ERROR_NOT_ENOUGH_MEMORY (DISPATCH_QUEUES_MAX). A queue already here is kept. */
ULONG dispatch_add_queue(struct dispatch *d, uint64_t queue_id, HANDLE queue);

/* Announces the state that will be published, before its URLs are registered: a request that comes
 * for one of them waits for the publication. NULL: it will not be; what was held gets 503. */
void dispatch_announce(struct dispatch *d, struct state *S);

/* Publishes a state: the next request is its. Posts the receives (none for queues it pulls). The
 * one before becomes an older one until dispatch_forget_state. */
void dispatch_set_state(struct dispatch *d, struct state *S);

/* The state is closed: nothing is given to it any more. */
void dispatch_forget_state(struct dispatch *d, const struct state *S);

/* The hook on_pull of a state: takes the receives of that queue back. */
void dispatch_pull(struct dispatch *d, uint64_t queue_id);

/* Closes the gate for as long as on_outage is not NULL. Not once dispatch_refuse was called. */
void dispatch_set_outage(struct dispatch *d, bool (*on_outage)(void *ctx, struct request *r),
                         void *ctx);

/* Newcomers get 503 from now on. */
void dispatch_refuse(struct dispatch *d);

/* Cancels the receives; they come back in later turns. */
void dispatch_stop_receiving(struct dispatch *d);

/* No receive in flight, no request on its way here, every request back in the pool. */
bool dispatch_is_quiet(const struct dispatch *d);
