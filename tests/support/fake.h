/* The recording fake: the two contracts of api/ (httpapi.h and loop.h) without sockets.
 *
 * It keeps the object graph of the process (initialisations, sessions, groups, URLs, queues,
 * requests), writes down every contract call in order with its object and its result, and notes
 * each breach of the rules that the host promises: children closed first, every object closed
 * exactly once, a group unbound before its queue closes, HttpTerminate last and once for each
 * HttpInitialize, nothing called without initialisation. A test drives the code under test, then
 * asks for the record and for the violations.
 *
 * What a test can do besides: make the n-th call fail with any code, inject requests and read the
 * answers, feed bodies piece by piece, hang up, hold sends back. Time is virtual: it stands still
 * while any loop works and jumps to the next due timer or timeout when all loops wait, so a drain
 * of five seconds takes no time and happens the same way each run.
 *
 * A call that is made to fail has no effect. A close that is made to fail counts as the one close
 * of its object: the host reports it and goes on.
 *
 * Thread: every function may be called from any thread (one lock). Pointers returned stay valid
 * until fake_reset. Cost: not measured, it is a test. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/httpapi.h"
#include "api/loop.h"

enum {
    FAKE_OBJECT_MAX = 128,   /* bytes of an object's name in a record, longer ones are cut */
    FAKE_DETAIL_MAX = 160,   /* bytes of a record's arguments */
    FAKE_VIOLATION_MAX = 256 /* bytes of one violation's text */
};

/* One contract call. */
struct fake_record {
    const char *call;             /* "HttpCloseUrlGroup" */
    char object[FAKE_OBJECT_MAX]; /* "session 1", "group 2", "queue 1", "request 7", a URL, "flags
                                     1" */
    char detail[FAKE_DETAIL_MAX]; /* other arguments, for the reader of a failed test */
    uint64_t about;               /* number of the object; grows with creation */
    ULONG result;
    unsigned
        thread;    /* number of the calling thread, 1 = first thread that called after the reset */
    bool injected; /* the result was ordered by fake_fail_* */
};

/* Kinds in the order in which the exit path must close them. */
enum fake_kind { FAKE_URL, FAKE_GROUP, FAKE_SESSION, FAKE_QUEUE, FAKE_KIND_COUNT };

/* Rules that are not breaches in every situation; a test switches off the ones that its situation
 * breaks on purpose. */
enum fake_rule {
    FAKE_RULE_RECEIVES_JOINED = 1, /* a queue closes only when none of its receives is pending */
    FAKE_RULE_REQUESTS_DONE =
        2, /* a queue closes only when none of its delivered requests is unanswered */
    FAKE_RULE_ALL = 3
};

/* --- life --- */

/* Forgets everything: record, graph, violations, faults, requests; time starts at 1 s. No loop may
 * be open. Call it first in each test. */
void fake_reset(void);

/* Which of the optional rules hold (default: none, the graph rules always hold). */
void fake_set_rules(unsigned rules);

/* --- the record --- */

size_t fake_record_count(void);
/* Record i in order, NULL past the end. */
const struct fake_record *fake_record_at(size_t i);
/* How often a call was made since the reset, whatever its result. */
size_t fake_count_calls(const char *call);
/* Prints the record to stderr, one line a call. */
void fake_print_record(void);

/* --- the graph and its rules --- */

/* Objects open now. */
size_t fake_open_count(enum fake_kind kind);
/* HttpInitialize calls not yet undone, for one flag. */
unsigned fake_initialize_count(ULONG flag);

size_t fake_violation_count(void);
/* Violation i as text, NULL past the end. */
const char *fake_violation_at(size_t i);

/* To be called when the host says it is done: notes a violation for each object still open, each
 * initialisation not undone, and any contract call recorded after the first HttpTerminate of the
 * closing row. Returns the count of violations. */
size_t fake_check_end(void);
/* Notes a violation when the close calls recorded from index `from` on are not in the order URLs,
 * groups, sessions, queues, HttpTerminate, or, within a kind, not newest first. For stages 5 and 6
 * of the exit path. Returns the count of violations. */
size_t fake_check_kind_order(size_t from);

/* --- faults --- */

/* The n-th contract call from now (1 = the next) returns `code` and does nothing else. 0 switches
 * it off. */
void fake_fail_nth(size_t n, ULONG code);
/* The same, counting only calls of this name. */
void fake_fail_call(const char *call, size_t n, ULONG code);
/* Every registration of a URL that contains `part` (":8080/", "[::1]") fails with `code`, as if the
 * port were held or the address missing. NULL switches it off. part is not copied. */
void fake_refuse_url(const char *part, ULONG code);
/* Whether an ordered failure has happened. */
bool fake_fault_fired(void);

/* --- requests --- */

struct fake_request_spec {
    const char *method;  /* NULL: GET */
    const char *url;     /* full: "http://localhost:8080/a/b?c=d" */
    const char *headers; /* "Name: value\r\nName: value\r\n", NULL for none; Host is added */
    const char *body;    /* bytes that have arrived already, NULL for none */
    size_t body_len;
    bool body_open; /* more will come by fake_push_body */
};

struct fake_response {
    unsigned status; /* 0: no answer yet; 400, 404, 503 also when the fake itself refused */
    char *headers;   /* "Name: value\r\n"..., in the order given */
    char *body;      /* bytes of all memory chunks so far (file chunks are read in), NUL added */
    size_t body_len;
    unsigned sends; /* contract calls that carried it */
    ULONG flags;    /* of the last send */
    bool complete;  /* the last send had no MORE_DATA */
    bool cancelled; /* HttpCancelHttpRequest, queue shutdown or queue close ended it */
};

/* Routes the request by the registered URLs (longest path prefix, host compared as text) to the
 * queue its group is bound to, and completes the oldest pending receive or waits for one. Returns
 * its id; 0 when it could not be routed (refused as the engine would). */
HTTP_REQUEST_ID fake_inject(const struct fake_request_spec *spec);
/* More body bytes; last ends the body. */
void fake_push_body(HTTP_REQUEST_ID id, const void *bytes, size_t len, bool last);
/* The client hangs up: disconnect waits complete, later sends fail with ERROR_CONNECTION_INVALID.
 */
void fake_hang_up(HTTP_REQUEST_ID id);
/* The answer so far. NULL for an unknown id. */
const struct fake_response *fake_response_of(HTTP_REQUEST_ID id);
/* Requests that were injected and are neither answered nor cancelled. */
size_t fake_request_count(void);
/* Receives waiting on all queues. */
size_t fake_receive_count(void);

/* Sends with more than `bytes` unsent bytes in flight pend until fake_release_sends; SIZE_MAX
 * (default): all complete at once. */
void fake_hold_sends(size_t bytes);
void fake_release_sends(void);

/* --- time --- */

uint64_t fake_now_ns(void);
/* Moves time by hand; timers due fire at the next turn of their loops. */
void fake_advance(uint64_t ns);
