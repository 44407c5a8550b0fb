/* The loop over completion ports: the back end of net/loop.c, and loop_attach_queue.
 *
 * A queue can report to one port only, for its whole life: to that of the first loop that is
 * attached. OVERLAPPED.Pointer names the loop a call belongs to (the system does not use it for
 * queues); what arrives for another loop is posted on to that loop's port. When the first loop is
 * closed while others have the queue, a thread of our own takes over its port and posts on.
 *
 * What a call brought at once is not reported by the system (SetFileCompletionNotificationModes):
 * call_end queues the completion itself. */
#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "net/loop.h"
#include "windows/httpsys.h"

enum {
    PACKETS_PER_WAIT_MAX = 64,
    QUEUES_PER_LOOP_MAX = 256, /* a process has few */
    CLOSE_WAIT_MS = 2000,      /* loop_close waits so long for calls it has cancelled */
    KEY_CALL = 0,              /* a call has ended; it may be another loop's */
    KEY_WAKE = 1,              /* loop_wake */
    KEY_QUIT = 2               /* ends the thread that posts on */
};

/* A call under way for this loop, with what struct call says of it. */
struct pending {
    LPOVERLAPPED overlapped;
    HANDLE queue;
    void *memory;
    PHTTP_REQUEST request;
};

struct iocp {
    HANDLE port;
    struct loop *loop; /* known from the first attached queue on */
    HANDLE queues[QUEUES_PER_LOOP_MAX];
    size_t queue_count;
    struct pending *pending; /* unordered */
    size_t pending_count, pending_cap;
    bool given_away; /* the port is a thread's now */
};

/* A queue that reports to a port. */
struct bound {
    struct bound *next;
    HANDLE queue;
    HANDLE port;
    struct iocp *first; /* whose port it is; NULL: the thread's */
    HANDLE thread;      /* NULL: none */
    unsigned loops;     /* that have the queue attached */
    bool skips;         /* calls that end at once are not reported */
};

/* The process record of this file: queues and their ports. */
static struct {
    SRWLOCK lock;
    struct bound *list;
} record = {.lock = SRWLOCK_INIT};

static struct bound *find_bound(HANDLE queue)
{
    struct bound *bound = record.list;
    while (bound != NULL && bound->queue != queue) {
        bound = bound->next;
    }
    return bound;
}

bool iocp_is_bound(HANDLE queue)
{
    AcquireSRWLockShared(&record.lock);
    bool found = find_bound(queue) != NULL;
    ReleaseSRWLockShared(&record.lock);
    return found;
}

bool iocp_skips_success(HANDLE queue)
{
    AcquireSRWLockShared(&record.lock);
    const struct bound *bound = find_bound(queue);
    bool skips = bound != NULL && bound->skips;
    ReleaseSRWLockShared(&record.lock);
    return skips;
}

/* --- calls under way ------------------------------------------------------------------------- */

static struct iocp *state_of(const struct loop *loop)
{
    return loop->backend_state;
}

struct loop *iocp_loop_of(HANDLE queue)
{
    struct loop *loop = loop_current();
    const struct iocp *iocp = loop == NULL ? NULL : state_of(loop);
    for (size_t i = 0; iocp != NULL && i < iocp->queue_count; i++) {
        if (iocp->queues[i] == queue) {
            return loop;
        }
    }
    return NULL;
}

bool iocp_note_pending(const struct call *call)
{
    struct iocp *iocp = state_of(call->loop);
    if (iocp->pending_count == iocp->pending_cap) {
        size_t cap = iocp->pending_cap == 0 ? 16 : iocp->pending_cap * 2;
        struct pending *bigger = realloc(iocp->pending, cap * sizeof *bigger);
        if (bigger == NULL) {
            return false;
        }
        iocp->pending = bigger;
        iocp->pending_cap = cap;
    }
    iocp->pending[iocp->pending_count++] =
        (struct pending){call->given, call->queue, call->memory, call->request};
    return true;
}

bool iocp_forget_pending(struct loop *loop, LPOVERLAPPED overlapped, HANDLE *queue,
                         PHTTP_REQUEST *request)
{
    struct iocp *iocp = state_of(loop);
    for (size_t i = iocp->pending_count; i-- > 0;) {
        if (iocp->pending[i].overlapped == overlapped) {
            *queue = iocp->pending[i].queue;
            *request = iocp->pending[i].request;
            free(iocp->pending[i].memory);
            iocp->pending[i] = iocp->pending[--iocp->pending_count];
            return true;
        }
    }
    return false;
}

/* --- waiting --------------------------------------------------------------------------------- */

static ULONG iocp_open(void **out)
{
    struct iocp *iocp = calloc(1, sizeof *iocp);
    if (iocp == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    iocp->port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    if (iocp->port == NULL) {
        free(iocp);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    *out = iocp;
    return NO_ERROR;
}

static void iocp_close(void *state)
{
    struct iocp *iocp = state;
    if (!iocp->given_away) {
        (void)CloseHandle(iocp->port);
    }
    free(iocp->pending);
    free(iocp);
}

static ULONG no_io(void *state, struct loop_io *io)
{
    (void)state, (void)io; /* sockets are the system's */
    return ERROR_NOT_SUPPORTED;
}

static void no_remove(void *state, struct loop_io *io)
{
    (void)state, (void)io;
}

static ULONG no_watch(void *state, struct loop_watch *watch)
{
    (void)state, (void)watch; /* there are no descriptors here */
    return ERROR_NOT_SUPPORTED;
}

static void no_unwatch(void *state, struct loop_watch *watch)
{
    (void)state, (void)watch;
}

/* The code of a call that has ended: the system's status, translated. */
static ULONG code_of(LPOVERLAPPED overlapped)
{
    DWORD bytes = 0;
    return GetOverlappedResult(NULL, overlapped, &bytes, FALSE) ? NO_ERROR : GetLastError();
}

static void take_packet(struct loop *loop, const OVERLAPPED_ENTRY *packet)
{
    LPOVERLAPPED overlapped = packet->lpOverlapped;
    struct loop *owner = overlapped == NULL ? NULL : overlapped->Pointer;
    if (packet->lpCompletionKey != KEY_CALL || owner == NULL) {
        return; /* a wake; or a call that nobody made for a loop */
    }
    if (owner != loop) {
        (void)PostQueuedCompletionStatus(state_of(owner)->port, packet->dwNumberOfBytesTransferred,
                                         KEY_CALL, overlapped);
        return;
    }
    HANDLE queue = NULL;
    PHTTP_REQUEST request = NULL;
    ULONG code = code_of(overlapped);
    if (code == ERROR_IO_INCOMPLETE) {
        return; /* of an earlier call with the same OVERLAPPED, whose end was told at once */
    }
    if (!iocp_forget_pending(loop, overlapped, &queue, &request)) {
        return; /* it has been told already */
    }
    if (code == NO_ERROR && request != NULL) {
        request_arrived(queue, request);
    }
    loop_complete(loop, (struct loop_op *)(void *)overlapped, code,
                  (ULONG)overlapped->InternalHigh);
}

/* Milliseconds, rounded up so that a timer is never looked at before it is due. */
static DWORD timeout_ms(uint64_t timeout_ns)
{
    const uint64_t ns = 1000000;
    if (timeout_ns == UINT64_MAX) {
        return INFINITE;
    }
    uint64_t ms = timeout_ns / ns + (timeout_ns % ns != 0 ? 1 : 0);
    return ms > INT_MAX ? INT_MAX : (DWORD)ms;
}

static ULONG iocp_wait(void *state, uint64_t timeout_ns, uint64_t (*on_waited)(void *ctx),
                       void *ctx)
{
    struct iocp *iocp = state;
    OVERLAPPED_ENTRY packets[PACKETS_PER_WAIT_MAX];
    ULONG count = 0;
    BOOL ok = GetQueuedCompletionStatusEx(iocp->port, packets, PACKETS_PER_WAIT_MAX, &count,
                                          timeout_ms(timeout_ns), FALSE);
    DWORD error = ok ? NO_ERROR : GetLastError();
    (void)on_waited(ctx); /* the time is the loop's business */
    if (!ok) {
        return error == WAIT_TIMEOUT ? NO_ERROR : error;
    }
    for (ULONG i = 0; i < count; i++) {
        take_packet(loop_current(), &packets[i]);
    }
    return NO_ERROR;
}

static void iocp_wake(void *state)
{
    struct iocp *iocp = state;
    (void)PostQueuedCompletionStatus(iocp->port, 0, KEY_WAKE, NULL);
}

static const struct loop_backend_ops loop_backend_iocp = {
    .name = "iocp",
    .open = iocp_open,
    .close = iocp_close,
    .io_add = no_io,
    .io_remove = no_remove,
    .io_close = no_remove,
    .listener_add = no_io,
    .watch_start = no_watch,
    .watch_stop = no_unwatch,
    .wait = iocp_wait,
    .wake = iocp_wake,
};

const struct loop_backend_ops *loop_backend_choose(enum loop_backend wanted,
                                                   const struct loop_backend_ops *turned_down)
{
    bool ours = wanted == LOOP_BACKEND_DEFAULT || wanted == LOOP_BACKEND_IOCP;
    return ours && turned_down == NULL ? &loop_backend_iocp : NULL;
}

/* --- queues ---------------------------------------------------------------------------------- */

/* The thread that posts on: nothing here is for it. */
static DWORD WINAPI post_on(LPVOID parameter)
{
    HANDLE port = parameter;
    for (;;) {
        DWORD bytes = 0;
        ULONG_PTR key = KEY_CALL;
        LPOVERLAPPED overlapped = NULL;
        (void)GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, INFINITE);
        if (overlapped == NULL) {
            (void)CloseHandle(port);
            return 0; /* KEY_QUIT, or the port has failed */
        }
        const struct loop *owner = overlapped->Pointer;
        if (owner != NULL) {
            (void)PostQueuedCompletionStatus(state_of(owner)->port, bytes, KEY_CALL, overlapped);
        }
    }
}

static void unlink_bound(struct bound *bound)
{
    struct bound **at = &record.list;
    while (*at != bound) {
        at = &(*at)->next;
    }
    *at = bound->next;
    if (bound->thread != NULL) {
        (void)PostQueuedCompletionStatus(bound->port, 0, KEY_QUIT, NULL);
        (void)CloseHandle(bound->thread);
    }
    free(bound);
}

void iocp_forget_queue(HANDLE queue)
{
    AcquireSRWLockExclusive(&record.lock);
    struct bound *bound = find_bound(queue);
    if (bound != NULL) {
        unlink_bound(bound);
    }
    ReleaseSRWLockExclusive(&record.lock);
}

/* The loop is closed: what reports to its port is posted on by a thread, where others need it. */
static void leave_queue(struct iocp *iocp, HANDLE queue)
{
    AcquireSRWLockExclusive(&record.lock);
    struct bound *bound = find_bound(queue);
    if (bound != NULL) {
        bound->loops--;
        if (bound->first == iocp && bound->loops > 0) {
            bound->first = NULL;
            bound->thread = CreateThread(NULL, 0, post_on, bound->port, 0, NULL);
            iocp->given_away = bound->thread != NULL;
        }
    }
    ReleaseSRWLockExclusive(&record.lock);
}

static void no_work(void *owner)
{
    (void)owner;
}

static bool never(void *owner)
{
    (void)owner;
    return false;
}

static size_t unknown_count(const void *owner)
{
    (void)owner; /* the system does not tell */
    return 0;
}

static void stop_listening(void *owner)
{
    (void)owner;
    group_deactivate_all();
}

/* Every call of this loop comes back before the loop goes. */
static void close_calls(void *owner)
{
    struct iocp *iocp = owner;
    for (size_t i = 0; i < iocp->pending_count; i++) {
        for (size_t q = 0; q < iocp->queue_count; q++) {
            (void)CancelIoEx(iocp->queues[q], iocp->pending[i].overlapped);
        }
    }
    for (int waited = 0; iocp->pending_count > 0 && waited < CLOSE_WAIT_MS; waited++) {
        OVERLAPPED_ENTRY packet;
        ULONG count = 0;
        if (GetQueuedCompletionStatusEx(iocp->port, &packet, 1, &count, 1, FALSE)) {
            take_packet(iocp->loop, &packet);
        }
    }
    assert(iocp->pending_count == 0);
    for (size_t i = 0; i < iocp->queue_count; i++) {
        leave_queue(iocp, iocp->queues[i]);
    }
    iocp->queue_count = 0;
}

static const struct loop_hooks hooks = {
    .before_wait = no_work,
    .has_work = never,
    .on_stop_listening = stop_listening,
    .on_close = close_calls,
    .connection_count = unknown_count,
};

/* The queue reports to this loop's port, unless it does to another's already. */
static ULONG bind_queue(struct iocp *iocp, HANDLE queue)
{
    struct bound *bound = find_bound(queue);
    if (bound == NULL) {
        bound = calloc(1, sizeof *bound);
        if (bound == NULL) {
            return ERROR_NOT_ENOUGH_MEMORY;
        }
        if (CreateIoCompletionPort(queue, iocp->port, KEY_CALL, 0) == NULL) {
            free(bound);
            return ERROR_INVALID_HANDLE;
        }
        bound->queue = queue;
        bound->port = iocp->port;
        bound->first = iocp;
        bound->skips =
            SetFileCompletionNotificationModes(queue, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS) != 0;
        bound->next = record.list;
        record.list = bound;
    }
    bound->loops++;
    return NO_ERROR;
}

ULONG loop_attach_queue(struct loop *loop, HANDLE queue)
{
    assert(loop == loop_current());
    struct iocp *iocp = state_of(loop);
    if (queue == NULL || queue == INVALID_HANDLE_VALUE) {
        return ERROR_INVALID_HANDLE;
    }
    /* A number that was a queue's once is not attached any more. */
    for (size_t i = 0; i < iocp->queue_count;) {
        if (!iocp_is_bound(iocp->queues[i])) {
            iocp->queues[i] = iocp->queues[--iocp->queue_count];
        } else if (iocp->queues[i++] == queue) {
            return ERROR_ALREADY_EXISTS;
        }
    }
    if (iocp->queue_count == QUEUES_PER_LOOP_MAX) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    AcquireSRWLockExclusive(&record.lock);
    ULONG code = bind_queue(iocp, queue);
    ReleaseSRWLockExclusive(&record.lock);
    if (code == NO_ERROR) {
        iocp->loop = loop;
        iocp->queues[iocp->queue_count++] = queue;
        loop_set_owner(loop, iocp, &hooks);
    }
    return code;
}
