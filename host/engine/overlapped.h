/* The kernel companions of the contract (CreateEvent, GetOverlappedResult, ...) and the end of an
 * overlapped call that nobody's loop takes. Thread: any. */
#pragma once

#include <stdbool.h>

#include "api/httpapi.h"

/* A call begins: ERROR_IO_PENDING in Internal, its event reset. *event: a descriptor of the event
 * for overlapped_finish, -1 without one: once the status can be seen, the caller may close its
 * event, so what is signalled then is a descriptor of our own.
 * Errors: ERROR_NOT_ENOUGH_MEMORY no descriptor. A handle that is no event is the caller's loss:
 * nobody will be woken. */
ULONG overlapped_start(OVERLAPPED *overlapped, int *event);
/* A call without a loop has ended: status and count are set, then its event. event_fd: from
 * overlapped_start; closed here. */
void overlapped_finish(OVERLAPPED *overlapped, ULONG status, ULONG bytes, int event_fd);
/* A call ends without a completion: gives the descriptor of overlapped_start back. -1 is harmless.
 */
void overlapped_drop(int event_fd);

/* Whether the handle is one of CreateEvent. */
bool overlapped_is_event(HANDLE handle);
