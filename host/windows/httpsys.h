/* The inside of this folder: httpapi.dll as it was found, and what is known about it.
 *
 * Every function of the contract is looked up by name when the first one is called: newer ones are
 * in no import library, and older systems lack them. A function that is missing, or that would end
 * the process (Wine exports such), is NULL in the table, and its wrapper answers
 * ERROR_NOT_SUPPORTED or does what a named fallback does:
 *
 *   group.c   one hidden group for each further URL, where a group takes one only
 *   send.c    file chunks read into memory; chunks framed here; cancelling by answering
 *   queue.c   shutting down by cancelling what is pending
 *
 * Owner: the process record in httpsys.c. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/httpapi.h"

#define HTTPSYS_FUNCTIONS(X)                                                                       \
    X(HttpInitialize)                                                                              \
    X(HttpTerminate)                                                                               \
    X(HttpCreateServerSession)                                                                     \
    X(HttpCloseServerSession)                                                                      \
    X(HttpSetServerSessionProperty)                                                                \
    X(HttpQueryServerSessionProperty)                                                              \
    X(HttpCreateUrlGroup)                                                                          \
    X(HttpCloseUrlGroup)                                                                           \
    X(HttpAddUrlToUrlGroup)                                                                        \
    X(HttpRemoveUrlFromUrlGroup)                                                                   \
    X(HttpSetUrlGroupProperty)                                                                     \
    X(HttpQueryUrlGroupProperty)                                                                   \
    X(HttpFindUrlGroupId)                                                                          \
    X(HttpPrepareUrl)                                                                              \
    X(HttpCreateRequestQueue)                                                                      \
    X(HttpCloseRequestQueue)                                                                       \
    X(HttpShutdownRequestQueue)                                                                    \
    X(HttpSetRequestQueueProperty)                                                                 \
    X(HttpQueryRequestQueueProperty)                                                               \
    X(HttpWaitForDemandStart)                                                                      \
    X(HttpReceiveHttpRequest)                                                                      \
    X(HttpReceiveRequestEntityBody)                                                                \
    X(HttpSendHttpResponse)                                                                        \
    X(HttpSendResponseEntityBody)                                                                  \
    X(HttpCancelHttpRequest)                                                                       \
    X(HttpWaitForDisconnect)                                                                       \
    X(HttpWaitForDisconnectEx)                                                                     \
    X(HttpSetRequestProperty)                                                                      \
    X(HttpQueryRequestProperty)                                                                    \
    X(HttpDelegateRequestEx)                                                                       \
    X(HttpDeclarePush)                                                                             \
    X(HttpReceiveClientCertificate)                                                                \
    X(HttpIsFeatureSupported)                                                                      \
    X(HttpFlushResponseCache)                                                                      \
    X(HttpAddFragmentToCache)                                                                      \
    X(HttpReadFragmentFromCache)                                                                   \
    X(HttpSetServiceConfiguration)                                                                 \
    X(HttpUpdateServiceConfiguration)                                                              \
    X(HttpDeleteServiceConfiguration)                                                              \
    X(HttpQueryServiceConfiguration)                                                               \
    X(HttpCreateHttpHandle)                                                                        \
    X(HttpAddUrl)                                                                                  \
    X(HttpRemoveUrl)

struct httpsys {
#define X(name) __typeof__(&name) name;
    HTTPSYS_FUNCTIONS(X)
#undef X
    bool is_wine;   /* Wine's partial http.sys */
    bool can_chunk; /* HttpFeatureAutomaticChunkedEncoding */
};

/* Loads it at the first call. Never NULL; without httpapi.dll every function is. */
const struct httpsys *httpsys(void);

/* One code for "this provider does not have it": what Wine answers becomes what the contract says.
 */
static inline ULONG httpsys_code(ULONG code)
{
    return code == ERROR_CALL_NOT_IMPLEMENTED ? (ULONG)ERROR_NOT_SUPPORTED : code;
}

/* --- overlapped calls (call.c) --------------------------------------------------------------- */

/* One call on a queue, on its way through a wrapper.
 *
 *   call_begin    before the function is called: what to pass as Overlapped
 *   call_end      after it: the code for the caller. A result that came at once is handed to the
 *                 loop as a completion, because the system queues none (loop_iocp.c); a call
 *                 without Overlapped is waited for */
struct call {
    HANDLE queue;
    LPOVERLAPPED given;    /* the caller's, or NULL */
    struct loop *loop;     /* completes there; NULL: not into a loop */
    OVERLAPPED own;        /* for a call without one */
    HANDLE event;          /* of own */
    PULONG bytes;          /* the caller's count, may be NULL */
    ULONG count;           /* of a receive: what the function itself reported */
    void *memory;          /* malloc; freed when the call has completed */
    PHTTP_REQUEST request; /* of a receive: shown to request_arrived when it is there */
};

/* queue, given, bytes, memory and request are filled in already; memory is taken over in any case.
 * *passed: for the function. */
ULONG call_begin(struct call *call, LPOVERLAPPED *passed);
ULONG call_end(struct call *call, ULONG code);

/* --- the loop's side (loop_iocp.c) ----------------------------------------------------------- */

/* The calling thread's loop when the queue is attached to it; else NULL. */
struct loop *iocp_loop_of(HANDLE queue);
/* Some loop has the queue: the system reports its calls to a port. */
bool iocp_is_bound(HANDLE queue);
/* The system reports no call that ended at once. */
bool iocp_skips_success(HANDLE queue);
/* A call is pending and will come back into this loop. false: no memory. */
bool iocp_note_pending(const struct call *call);
/* It is not after all, or it has come back; frees its memory. *request: call.request. false: it was
 * not pending. */
bool iocp_forget_pending(struct loop *loop, LPOVERLAPPED overlapped, HANDLE *queue,
                         PHTTP_REQUEST *request);
/* The queue is about to be closed. */
void iocp_forget_queue(HANDLE queue);

/* --- requests (request.c, send.c) ------------------------------------------------------------ */

/* A request was received whole: what the system leaves undone is done here. */
void request_arrived(HANDLE queue, PHTTP_REQUEST request);

/* What must be known of a request that is not answered yet, where the host frames bodies itself.
 * Harmless elsewhere, and where there is no memory: then it is answered as an ordinary one. */
void answer_note(HANDLE queue, HTTP_REQUEST_ID id, bool is_head, bool is_old);
/* The queue is about to be closed. */
void answer_forget_queue(HANDLE queue);

/* --- groups (group.c) ------------------------------------------------------------------------ */

/* Stage 1 of the exit path: new requests are refused, what was accepted is served. */
void group_deactivate_all(void);
