/* What the files of the recording fake share. Tests include fake.h only.
 *
 * One process record behind one lock: the contracts have no context argument. Functions that end in
 * _locked want the lock held. */
#pragma once

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fake.h"

enum { FAKE_PROPERTY_COUNT = 20, FAKE_PROPERTY_MAX = 64 };

/* A property as last set: the struct's bytes. */
struct fake_property {
    unsigned char bytes[FAKE_PROPERTY_MAX];
    ULONG len; /* 0: never set */
};

/* A session, group, queue or registered URL. Stays in the list after its close, so that a second
 * close is told from a wrong id. */
struct fake_object {
    enum fake_kind kind;
    uint64_t id; /* contract id, handle value, or for a URL its number; grows with creation, never
                    used again */
    struct fake_object *parent; /* group of a URL, session of a group */
    struct fake_object *queue;  /* queue a group is bound to */
    char *url;                  /* prefix as registered */
    HTTP_URL_CONTEXT context;
    bool open;
    bool close_tried;  /* a close of it was made to fail */
    bool unbind_tried; /* group: a change of its binding was made to fail */
    bool shut_down;    /* queue: HttpShutdownRequestQueue was called */
    struct fake_property property[FAKE_PROPERTY_COUNT];
};

/* An overlapped call that waits. */
struct fake_wait {
    struct fake_wait *next;
    struct loop *loop; /* where it completes */
    struct loop_op *op;
    struct fake_object *queue;
    uint64_t id; /* request or connection it is about; 0: any request */
    enum { FAKE_WAIT_RECEIVE, FAKE_WAIT_BODY, FAKE_WAIT_SEND, FAKE_WAIT_DISCONNECT } what;
    void *buffer; /* receive, body: where to put it */
    ULONG buffer_len;
    ULONG flags;
    ULONG bytes; /* send: count to report */
};

/* A request that was injected. Stays after its end for fake_response_of. */
struct fake_request {
    struct fake_request *next; /* in order of injection */
    HTTP_REQUEST_ID id;
    struct fake_object *queue;
    HTTP_URL_CONTEXT context;
    char *method, *url, *headers;
    char *body;
    size_t body_len, body_read;
    bool body_open;
    bool bound;     /* named to a caller by MORE_DATA or delivered */
    bool delivered; /* a receive has got it */
    bool hung_up;
    size_t sends_pending;
    void *borrowed; /* strings of a request received with BORROW */
    size_t borrowed_len;
    struct fake_response response;
};

struct fake_process {
    pthread_mutex_t lock;
    struct fake_record **record;
    size_t record_count, record_cap;
    char **violation;
    size_t violation_count, violation_cap;
    struct fake_object **object;
    size_t object_count, object_cap;
    struct fake_request *requests, **requests_end;
    struct fake_wait *waits, **waits_end;
    uint64_t next_id;
    unsigned server_count, config_count; /* HttpInitialize not yet undone */
    bool terminate_failed;               /* an HttpTerminate was made to fail */
    unsigned rules;
    size_t fail_in; /* calls until the ordered failure; 0: none */
    const char *fail_call;
    ULONG fail_code;
    bool fault_fired;
    const char *refuse_part;
    ULONG refuse_code;
    size_t hold_sends_over;
    uint64_t now_ns;
    struct loop **loop;
    size_t loop_count;
    uint16_t next_port;
    unsigned thread_count;
    unsigned epoch; /* counts resets: thread numbers start anew */
};

extern struct fake_process fake;

/* Memory for the fake's own use: ends the program when there is none. */
void *fake_alloc(size_t size);
void *fake_copy(const void *bytes, size_t len); /* NUL added */

void fake_lock(void);
void fake_unlock(void);

/* Starts the record of a call. When a failure is ordered for it, result and injected are set and
 * the call must do nothing. */
struct fake_record *fake_begin_locked(const char *call, const char *object_format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same for an event that no fault may hit (it is not counted). */
struct fake_record *fake_note_locked(const char *call, const char *object_format, ...)
    __attribute__((format(printf, 2, 3)));
void fake_detail_locked(struct fake_record *record, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void fake_violate_locked(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the record; unlocks; returns the result. */
ULONG fake_end(struct fake_record *record, ULONG result);

const char *fake_kind_name(enum fake_kind kind);
struct fake_object *fake_find_locked(enum fake_kind kind, uint64_t id);
struct fake_object *fake_add_object_locked(enum fake_kind kind, struct fake_object *parent);
/* Number of the object among its kind, as printed. */
unsigned fake_number_locked(const struct fake_object *object);

/* Whether SERVER is initialised; notes a violation when not. */
bool fake_ready_locked(const char *call);

/* --- fake_request.c --- */

struct fake_request *fake_find_request_locked(HTTP_REQUEST_ID id);
/* Answered to the end, or cancelled. */
bool fake_is_over(const struct fake_request *request);
/* The open queue of a call; NULL: *code is its result. */
struct fake_object *fake_queue_of(struct fake_record *record, HANDLE handle, ULONG *code);
/* Keeps a copy; the op is pending from now on. */
void fake_add_wait_locked(const struct fake_wait *wait);
/* Takes the wait at *place off the list and completes it. */
void fake_finish_wait_locked(struct fake_wait **place, ULONG status, ULONG bytes);
/* Ends a call that need not wait. */
ULONG fake_finish_now_locked(LPOVERLAPPED overlapped, ULONG *bytes_out, ULONG bytes);
/* What the end of a queue does to its requests and waits. */
void fake_end_queue_locked(struct fake_object *queue, bool closing);
/* Completes every wait that belongs to the loop. */
void fake_abort_loop_locked(struct loop *loop);
void fake_forget_requests_locked(void);

/* --- fake_deliver.c --- */

/* Names of headers 0 to 19, which requests and responses share. */
extern const char *const fake_common_header[20];
HTTP_CONNECTION_ID fake_connection_of(const struct fake_request *request);
/* Gives the request to a receive: NO_ERROR or ERROR_MORE_DATA; *bytes as the call reports it. */
ULONG fake_deliver(struct fake_request *request, void *buffer, ULONG cap, ULONG flags,
                   ULONG *bytes);
/* The request is over: what was lent may not be looked at any more, and who does sees 0xDD. */
void fake_take_back(struct fake_request *request);

/* --- fake_answer.c --- */

/* Adds bytes to a text that grows; a NUL follows it. */
void fake_append(char **text, size_t *len, const void *more, size_t more_len);

/* --- fake_loop.c --- */

/* Queues the completion on the loop. */
void fake_complete_locked(struct loop *loop, struct loop_op *op, ULONG status, ULONG bytes);
