/* The kernel companions of the contract (CreateEvent, GetOverlappedResult, ...) and the end of an
 * overlapped call that nobody's loop takes. Thread: any. */
#pragma once

#include <stdbool.h>

#include "api/httpapi.h"

/* A call begins: ERROR_IO_PENDING in Internal, its event reset. */
void overlapped_start(OVERLAPPED *overlapped);
/* A call without a loop has ended: status and count are set, then its event. */
void overlapped_finish(OVERLAPPED *overlapped, ULONG status, ULONG bytes);
/* Whether the handle is one of CreateEvent. */
bool overlapped_is_event(HANDLE handle);
