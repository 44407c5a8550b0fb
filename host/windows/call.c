#include <stdlib.h>

#include "api/loop.h"
#include "net/loop.h"
#include "windows/httpsys.h"

/* The lowest bit of an event handle keeps the system from reporting the call to the port too. */
static HANDLE without_port(HANDLE event)
{
    return (HANDLE)((ULONG_PTR)event | 1);
}

ULONG call_begin(struct call *call, LPOVERLAPPED *passed)
{
    HANDLE queue = call->queue;
    LPOVERLAPPED overlapped = call->given;
    *passed = overlapped;
    if (overlapped == NULL) {
        call->event = iocp_is_bound(queue) ? CreateEventW(NULL, TRUE, FALSE, NULL) : NULL;
        if (call->event != NULL) {
            call->own.hEvent = without_port(call->event);
            *passed = &call->own;
        }
        return NO_ERROR;
    }
    if (overlapped->hEvent != NULL) {
        if (iocp_is_bound(queue)) {
            overlapped->hEvent = without_port(overlapped->hEvent);
        }
        return NO_ERROR;
    }
    call->loop = iocp_loop_of(queue);
    if (call->loop == NULL) {
        return NO_ERROR;
    }
    overlapped->Pointer = call->loop;
    if (!iocp_note_pending(call)) {
        free(call->memory);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    return NO_ERROR;
}

/* The call's own end, waited for. */
static ULONG wait_for(struct call *call, LPOVERLAPPED overlapped)
{
    DWORD bytes = 0;
    return GetOverlappedResult(call->queue, overlapped, &bytes, TRUE) ? NO_ERROR : GetLastError();
}

static ULONG end_in_loop(struct call *call, ULONG code)
{
    if (code == ERROR_IO_PENDING || (code == NO_ERROR && !iocp_skips_success(call->queue))) {
        return code; /* the port will tell */
    }
    HANDLE queue = NULL;
    PHTTP_REQUEST request = NULL;
    ULONG bytes = (ULONG)call->given->InternalHigh;
    (void)iocp_forget_pending(call->loop, call->given, &queue, &request); /* it was just noted */
    if (code == NO_ERROR) {
        if (request != NULL) {
            request_arrived(queue, request);
        }
        loop_complete(call->loop, (struct loop_op *)(void *)call->given, NO_ERROR, bytes);
    }
    return code;
}

ULONG call_end(struct call *call, ULONG code)
{
    code = httpsys_code(code);
    if (call->given != NULL && code != ERROR_IO_PENDING && call->count != 0) {
        call->given->InternalHigh = call->count; /* in ERROR_MORE_DATA: the size that is needed */
    }
    if (call->loop != NULL) {
        return end_in_loop(call, code);
    }
    if (call->event != NULL) {
        code = code == ERROR_IO_PENDING ? wait_for(call, &call->own) : code;
        if (call->bytes != NULL) {
            *call->bytes = (ULONG)call->own.InternalHigh;
        }
        (void)CloseHandle(call->event);
    } else if (call->given != NULL && call->memory != NULL && code == ERROR_IO_PENDING) {
        /* Nobody would free the memory later, so it ends here; the event is as set as it was. */
        code = wait_for(call, call->given);
        if (call->given->hEvent != NULL) {
            (void)SetEvent(call->given->hEvent);
        }
    }
    if (code == NO_ERROR && call->request != NULL) {
        request_arrived(call->queue, call->request);
    }
    free(call->memory);
    call->memory = NULL;
    return code;
}
