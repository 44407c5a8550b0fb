/* See overlapped.h and api/platform_posix.h. Events are eventfds behind numbered handles, so that a
 * stale handle is an error and not a crash. */
#include "engine/overlapped.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/path.h"
#include "engine/call.h"
#include "engine/queue.h"

enum {
    POLL_MS = 1 /* GetOverlappedResult without an event looks this often */
};

/* Event handles carry this bit, queue handles never do (lifetime.h: slot ids of small generations).
 */
static const uint64_t EVENT_BIT = UINT64_C(1) << 63;

static _Thread_local DWORD last_error; /* GetLastError of this thread, as the contract has it */

static BOOL fail(DWORD error)
{
    last_error = error;
    return FALSE;
}

/* An event handle is EVENT_BIT | manual << 62 | descriptor + 1: the kernel's table is the table. */
static int event_fd(HANDLE handle)
{
    uint64_t bits = (uint64_t)(uintptr_t)handle;
    return (bits & EVENT_BIT) == 0 || handle == INVALID_HANDLE_VALUE
               ? -1
               : (int)(uint32_t)(bits & 0xFFFFFFFFu) - 1;
}

static bool is_manual(HANDLE handle)
{
    return ((uint64_t)(uintptr_t)handle & (UINT64_C(1) << 62)) != 0;
}

bool overlapped_is_event(HANDLE handle)
{
    return event_fd(handle) >= 0;
}

HANDLE CreateEvent(void *attributes, BOOL manual_reset, BOOL initial_state, PCSTR name)
{
    if (attributes != NULL || name != NULL) {
        (void)fail(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    int fd = eventfd(initial_state ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        (void)fail(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    uint64_t bits = EVENT_BIT | (uint64_t)(manual_reset != FALSE) << 62 | ((uint64_t)fd + 1);
    return (HANDLE)(uintptr_t)bits;
}

BOOL SetEvent(HANDLE event)
{
    int fd = event_fd(event);
    uint64_t one = 1;
    if (fd < 0) {
        return fail(ERROR_INVALID_HANDLE);
    }
    ssize_t n = write(fd, &one, sizeof one);
    return n < 0 && errno != EAGAIN ? fail(ERROR_INVALID_HANDLE) : TRUE;
}

BOOL ResetEvent(HANDLE event)
{
    int fd = event_fd(event);
    uint64_t count = 0;
    if (fd < 0) {
        return fail(ERROR_INVALID_HANDLE);
    }
    ssize_t n = read(fd, &count, sizeof count);
    return n < 0 && errno != EAGAIN ? fail(ERROR_INVALID_HANDLE) : TRUE;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

DWORD WaitForSingleObject(HANDLE event, DWORD milliseconds)
{
    int fd = event_fd(event);
    if (fd < 0) {
        (void)fail(ERROR_INVALID_HANDLE);
        return WAIT_FAILED;
    }
    uint64_t end = now_ms() + milliseconds;
    for (;;) {
        uint64_t now = now_ms();
        int timeout = milliseconds == INFINITE ? -1 : now >= end ? 0 : (int)(end - now);
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        int ready = poll(&poll_fd, 1, timeout);
        if (ready < 0 && errno != EINTR) {
            (void)fail(ERROR_INVALID_HANDLE);
            return WAIT_FAILED;
        }
        if (ready > 0 && (poll_fd.revents & POLLIN) != 0) {
            uint64_t count = 0;
            if (is_manual(event) || read(fd, &count, sizeof count) > 0) {
                return WAIT_OBJECT_0; /* an automatic event wakes one: who has read it */
            }
        } else if (ready > 0) {
            (void)fail(ERROR_INVALID_HANDLE);
            return WAIT_FAILED;
        } else if (ready == 0 && milliseconds != INFINITE && now_ms() >= end) {
            return WAIT_TIMEOUT;
        }
    }
}

BOOL CloseHandle(HANDLE handle)
{
    int fd = event_fd(handle);
    return fd >= 0 && close(fd) == 0 ? TRUE : fail(ERROR_INVALID_HANDLE);
}

DWORD GetLastError(void)
{
    return last_error;
}

/* Internal is written by the engine's thread and read here: both go through these. */
static void store_status(OVERLAPPED *overlapped, ULONG status)
{
    __atomic_store_n(&overlapped->Internal, (ULONG_PTR)status, __ATOMIC_RELEASE);
}

static ULONG load_status(const OVERLAPPED *overlapped)
{
    return (ULONG)__atomic_load_n(&overlapped->Internal, __ATOMIC_ACQUIRE);
}

/* From now on its end is told to the event. */
static APART ULONG watch_event(const OVERLAPPED *overlapped, int *event)
{
    if (!ResetEvent(overlapped->hEvent)) {
        return NO_ERROR;
    }
    *event = fcntl(event_fd(overlapped->hEvent), F_DUPFD_CLOEXEC, 0);
    return *event >= 0 ? NO_ERROR : ERROR_NOT_ENOUGH_MEMORY;
}

ULONG overlapped_start(OVERLAPPED *overlapped, int *event)
{
    store_status(overlapped, ERROR_IO_PENDING);
    overlapped->InternalHigh = 0;
    *event = -1;
    return overlapped->hEvent == NULL ? NO_ERROR : watch_event(overlapped, event);
}

static APART void tell_event(int event)
{
    uint64_t one = 1;
    ssize_t n = write(event, &one, sizeof one);
    (void)n; /* a counter that is full is set, too */
    (void)close(event);
}

void overlapped_finish(OVERLAPPED *overlapped, ULONG status, ULONG bytes, int event)
{
    overlapped->InternalHigh = bytes;
    store_status(overlapped, status); /* from here on the memory is the caller's again */
    if (event >= 0) {
        tell_event(event);
    }
}

void overlapped_drop(int event)
{
    if (event >= 0) {
        (void)close(event);
    }
}

BOOL GetOverlappedResult(HANDLE queue, LPOVERLAPPED overlapped, LPDWORD bytes, BOOL wait)
{
    (void)queue; /* the OVERLAPPED alone says how its call stands */
    while (wait && load_status(overlapped) == ERROR_IO_PENDING) {
        if (overlapped->hEvent != NULL) {
            struct pollfd poll_fd = {.fd = event_fd(overlapped->hEvent), .events = POLLIN};
            (void)poll(&poll_fd, 1, POLL_MS * 100); /* looked at again whatever it says */
        } else {
            struct timespec pause = {.tv_nsec = POLL_MS * 1000000};
            (void)nanosleep(&pause, NULL);
        }
    }
    ULONG status = load_status(overlapped);
    if (status == ERROR_IO_PENDING) {
        return fail(ERROR_IO_INCOMPLETE);
    }
    *bytes = (DWORD)overlapped->InternalHigh;
    return status == NO_ERROR ? TRUE : fail(status);
}

BOOL CancelIoEx(HANDLE queue, LPOVERLAPPED overlapped)
{
    struct engine *engine = NULL;
    if (lifetime_enter(&engine) != NO_ERROR) {
        return fail(ERROR_INVALID_HANDLE);
    }
    struct queue *found = queue_find(engine, queue);
    if (found == NULL) {
        lifetime_leave(engine);
        return fail(ERROR_INVALID_HANDLE);
    }
    return call_cancel(engine, found, overlapped) ? TRUE : fail(ERROR_NOT_FOUND);
}
