/* The Win32 base types and the few kernel companions that the HTTP Server API contract needs, for
 * systems that are not Windows.
 *
 * Included by httpapi.h only. Names, sizes and meanings are those of 64-bit Windows, with one
 * difference: text (PCWSTR) is UTF-8 in `char` here, see text.h. Handles are of three kinds and
 * never mixed: request queues (made by the HTTP Server API), events (made by CreateEvent), and
 * files, which are a descriptor in disguise (http_handle_from_fd) and stay the caller's:
 * CloseHandle does not take them.
 *
 * Thread: all functions may be called on any thread. GetLastError is per thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Calling convention of the contract: the C one. */
#define WINAPI

typedef void VOID;
typedef int BOOL;        /* FALSE 0, TRUE anything else */
typedef uint8_t BOOLEAN; /* one byte, 0 or 1 */
typedef char CHAR;
typedef uint8_t UCHAR;
typedef uint8_t BYTE;
typedef uint16_t USHORT;
typedef uint16_t WORD;
typedef int32_t LONG; /* 32 bits as on Windows, whatever `long` is here */
typedef uint32_t ULONG;
typedef uint32_t DWORD;
typedef uint64_t ULONGLONG;
typedef int64_t LONGLONG;
typedef uintptr_t ULONG_PTR;
typedef void *PVOID;
typedef void *LPVOID;
typedef void *HANDLE;
typedef HANDLE *PHANDLE;
typedef BOOL *PBOOL;
typedef UCHAR *PUCHAR;
typedef USHORT *PUSHORT;
typedef ULONG *PULONG;
typedef DWORD *LPDWORD;
typedef ULONGLONG *PULONGLONG;
typedef char *PCHAR;
typedef char *PSTR;
typedef const char *PCSTR;
typedef LONG SECURITY_STATUS;

/* One unit of the contract's text: a byte of UTF-8. Its literal form is HTTP_TEXT("..."). */
typedef char HTTP_CHAR;
#define HTTP_TEXT(literal) literal

typedef HTTP_CHAR WCHAR;
typedef HTTP_CHAR *PWCHAR;
typedef HTTP_CHAR *PWSTR;
typedef HTTP_CHAR *LPWSTR;
typedef const HTTP_CHAR *PCWSTR;
typedef const HTTP_CHAR *LPCWSTR;

typedef struct sockaddr SOCKADDR;
typedef struct sockaddr *PSOCKADDR;
typedef struct sockaddr_storage SOCKADDR_STORAGE;
typedef struct sockaddr_storage *PSOCKADDR_STORAGE;

/* There are no Windows access control lists here: whoever passes a pointer to one gets
 * ERROR_NOT_SUPPORTED. */
typedef struct SECURITY_ATTRIBUTES *PSECURITY_ATTRIBUTES;
typedef struct SECURITY_DESCRIPTOR *PSECURITY_DESCRIPTOR;

typedef struct GUID {
    uint32_t Data1;
    uint16_t Data2;
    uint16_t Data3;
    uint8_t Data4[8];
} GUID;

/* 64 bits that may also be seen as two halves (little endian machines only use QuadPart). */
typedef union ULARGE_INTEGER {
    struct {
        DWORD LowPart;
        DWORD HighPart;
    } u;
    ULONGLONG QuadPart;
} ULARGE_INTEGER;

/* A call in flight. Owner: the caller, who zeroes it before each use and keeps it (and every buffer
 * of the call) alive until the call has completed. Internal and InternalHigh are the provider's:
 * status and byte count. hEvent: an event handle to be signalled on completion, or NULL. The event
 * is reset when the call starts and set when it ends. */
typedef struct OVERLAPPED {
    ULONG_PTR Internal;     /* final status; ERROR_IO_PENDING while it runs */
    ULONG_PTR InternalHigh; /* bytes transferred */
    union {
        struct {
            DWORD Offset;
            DWORD OffsetHigh;
        };
        PVOID Pointer; /* unused by the HTTP Server API */
    };
    HANDLE hEvent; /* caller's; may be NULL */
} OVERLAPPED, *LPOVERLAPPED;

#define TRUE                 1
#define FALSE                0
#define INVALID_HANDLE_VALUE ((HANDLE)(intptr_t)-1)
#define MAX_PATH             260
#define ANYSIZE_ARRAY        1
#define MAXUSHORT            0xFFFFu
#define MAXULONG             0xFFFFFFFFu
#define INFINITE             0xFFFFFFFFu
#define WAIT_OBJECT_0        0u
#define WAIT_ABANDONED       0x80u
#define WAIT_TIMEOUT         258u
#define WAIT_FAILED          0xFFFFFFFFu

/* Error numbers: the ones the contract names, with their Windows values. */
#define NO_ERROR                    0u
#define ERROR_SUCCESS               0u
#define ERROR_INVALID_FUNCTION      1u
#define ERROR_FILE_NOT_FOUND        2u
#define ERROR_PATH_NOT_FOUND        3u
#define ERROR_ACCESS_DENIED         5u
#define ERROR_INVALID_HANDLE        6u
#define ERROR_NOT_ENOUGH_MEMORY     8u
#define ERROR_OUTOFMEMORY           14u
#define ERROR_BAD_COMMAND           22u
#define ERROR_SHARING_VIOLATION     32u
#define ERROR_HANDLE_EOF            38u
#define ERROR_NOT_SUPPORTED         50u
#define ERROR_NETNAME_DELETED       64u
#define ERROR_INVALID_PARAMETER     87u
#define ERROR_CALL_NOT_IMPLEMENTED  120u
#define ERROR_INSUFFICIENT_BUFFER   122u
#define ERROR_ALREADY_EXISTS        183u
#define ERROR_MORE_DATA             234u
#define ERROR_NO_MORE_ITEMS         259u
#define ERROR_OPERATION_ABORTED     995u
#define ERROR_IO_INCOMPLETE         996u
#define ERROR_IO_PENDING            997u
#define ERROR_NOACCESS              998u
#define ERROR_DLL_INIT_FAILED       1114u
#define ERROR_NOT_FOUND             1168u
#define ERROR_CONNECTION_INVALID    1229u
#define ERROR_CONNECTION_ABORTED    1236u
#define ERROR_REVISION_MISMATCH     1306u
#define ERROR_NO_SUCH_LOGON_SESSION 1312u
#define ERROR_INVALID_ID_AUTHORITY  1343u
/* Kernel companions only. */
#define ERROR_TIMEOUT               1460u

/* A file descriptor as the FileHandle of a data chunk. The provider reads it at explicit offsets
 * and never closes it or moves its position. Descriptor 0 cannot be told from NULL and must not be
 * used. */
static inline HANDLE http_handle_from_fd(int fd)
{
    return (HANDLE)(intptr_t)fd;
}

/* The descriptor in a FileHandle made by http_handle_from_fd. */
static inline int http_fd_from_handle(HANDLE handle)
{
    return (int)(intptr_t)handle;
}

/* Makes an event. manual_reset TRUE: stays set until ResetEvent; FALSE: one successful wait resets
 * it. attributes and name must be NULL. Owner of the result: the caller, CloseHandle. Returns NULL
 * on failure, GetLastError says why (ERROR_INVALID_PARAMETER, ERROR_NOT_ENOUGH_MEMORY). Source:
 * CreateEventA. */
HANDLE CreateEvent(void *attributes, BOOL manual_reset, BOOL initial_state, PCSTR name);

/* Sets the event; harmless when it is set. FALSE: not an event (ERROR_INVALID_HANDLE). */
BOOL SetEvent(HANDLE event);

/* Clears the event; harmless when it is clear. FALSE: not an event (ERROR_INVALID_HANDLE). */
BOOL ResetEvent(HANDLE event);

/* Waits up to `milliseconds` (INFINITE: for ever; 0: just looks) for an event. Returns
 * WAIT_OBJECT_0, WAIT_TIMEOUT, or WAIT_FAILED (not an event). Must not be called on a thread that
 * turns a loop: it would hold up the loop's own completions. */
DWORD WaitForSingleObject(HANDLE event, DWORD milliseconds);

/* Closes an event, or a version 1 queue made by HttpCreateHttpHandle. FALSE for anything else
 * (ERROR_INVALID_HANDLE). */
BOOL CloseHandle(HANDLE handle);

/* The outcome of an overlapped call on `queue`. TRUE: it succeeded, *bytes is its count. FALSE:
 * GetLastError is its final code, or ERROR_IO_INCOMPLETE when it still runs and wait is FALSE. With
 * wait TRUE it blocks on hEvent, or without one until the call has completed. A call that completes
 * into a loop reports there instead and must not be asked here. */
BOOL GetOverlappedResult(HANDLE queue, LPOVERLAPPED overlapped, LPDWORD bytes, BOOL wait);

/* Cancels pending calls on `queue`: the one of `overlapped`, or with NULL every one of this
 * process, blocking receives of other threads included. A cancelled call completes with
 * ERROR_OPERATION_ABORTED and 0 bytes, later, in the ordinary way. TRUE: something was cancelled;
 * FALSE: ERROR_NOT_FOUND nothing was pending, ERROR_INVALID_HANDLE. */
BOOL CancelIoEx(HANDLE queue, LPOVERLAPPED overlapped);

/* Why the last companion above failed on this thread. The HTTP Server API itself returns its codes
 * and does not set this. */
DWORD GetLastError(void);

/* Memory that the contract hands out (HttpPrepareUrl) is freed as documented:
 * HeapFree(GetProcessHeap(), 0, memory). */
static inline HANDLE GetProcessHeap(void)
{
    return NULL;
}
static inline BOOL HeapFree(HANDLE heap, DWORD flags, LPVOID memory)
{
    (void)heap, (void)flags; /* one heap, no options */
    free(memory);
    return TRUE;
}

/* The conversions that text.h documents: here both sides are UTF-8, so they only copy. */
static inline ULONG text_from_utf8(const char *utf8, size_t length, HTTP_CHAR *out, size_t capacity,
                                   size_t *needed)
{
    *needed = length + 1;
    if (capacity < length + 1) {
        return ERROR_INSUFFICIENT_BUFFER;
    }
    if (length > 0) {
        memcpy(out, utf8, length);
    }
    out[length] = 0;
    return NO_ERROR;
}
static inline ULONG text_to_utf8(const HTTP_CHAR *text, size_t length, char *out, size_t capacity,
                                 size_t *needed)
{
    return text_from_utf8(text, length, out, capacity, needed);
}
