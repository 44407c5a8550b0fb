/* Receiving: the system's calls, and what Wine leaves undone in a request. */
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "api/text.h"
#include "windows/httpsys.h"

/* Flags of ours that the system does not know. */
static const ULONG own_flags = HTTP_RECEIVE_REQUEST_FLAG_BORROW;

/* --- escapes in the cooked path -------------------------------------------------------------- */

static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char low = (char)(c | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* Replaces %XX; the new length. */
static size_t unescape(char *text, size_t length)
{
    size_t to = 0;
    for (size_t from = 0; from < length; from++) {
        char c = text[from];
        if (c == '%' && from + 2 < length && digit(text[from + 1]) >= 0 &&
            digit(text[from + 2]) >= 0) {
            c = (char)(digit(text[from + 1]) * 16 + digit(text[from + 2]));
            from += 2;
        }
        text[to++] = c;
    }
    return to;
}

/* The path without its escapes, in place: it only gets shorter, and the query moves up behind it.
 * What is no UTF-8 then stays as it was. */
static void decode_path(HTTP_COOKED_URL *url)
{
    size_t units = text_units(url->AbsPathLength);
    size_t needed = 0;
    size_t room = units * 3 + 1;
    if (url->pAbsPath == NULL || url->pFullUrl == NULL ||
        wmemchr(url->pAbsPath, L'%', units) == NULL) {
        return;
    }
    char *utf8 = malloc(room);
    WCHAR *decoded = malloc((units + 1) * sizeof *decoded);
    if (utf8 != NULL && decoded != NULL &&
        text_to_utf8(url->pAbsPath, units, utf8, room, &needed) == NO_ERROR &&
        text_from_utf8(utf8, unescape(utf8, needed - 1), decoded, units + 1, &needed) == NO_ERROR) {
        WCHAR *path = (WCHAR *)(uintptr_t)url->pAbsPath; /* the caller's buffer, not the system's */
        size_t rest = text_units(url->QueryStringLength);
        size_t shorter = units - (needed - 1);
        memcpy(path, decoded, (needed - 1) * sizeof *path);
        memmove(path + needed - 1, path + units, (rest + 1) * sizeof *path);
        url->AbsPathLength = (USHORT)text_bytes(needed - 1);
        url->FullUrlLength = (USHORT)(url->FullUrlLength - text_bytes(shorter));
        url->pQueryString = url->pQueryString == NULL ? NULL : path + needed - 1;
    }
    free(utf8);
    free(decoded);
}

void request_arrived(HANDLE queue, PHTTP_REQUEST request)
{
    if (httpsys()->is_wine) {
        decode_path(&request->CookedUrl);
    }
    HTTP_VERSION version = request->Version;
    bool is_old =
        version.MajorVersion < 1 || (version.MajorVersion == 1 && version.MinorVersion == 0);
    answer_note(queue, request->RequestId, request->Verb == HttpVerbHEAD, is_old);
}

/* --- calls ----------------------------------------------------------------------------------- */

ULONG WINAPI HttpReceiveHttpRequest(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId,
                                    ULONG Flags, PHTTP_REQUEST RequestBuffer,
                                    ULONG RequestBufferLength, PULONG BytesReturned,
                                    LPOVERLAPPED Overlapped)
{
    const struct httpsys *api = httpsys();
    struct call call = {.queue = RequestQueueHandle,
                        .given = Overlapped,
                        .bytes = BytesReturned,
                        .request = RequestBuffer};
    LPOVERLAPPED passed = NULL;
    ULONG code =
        api->HttpReceiveHttpRequest == NULL ? ERROR_NOT_SUPPORTED : call_begin(&call, &passed);
    if (code != NO_ERROR) {
        return code;
    }
    /* The count is asked for in any case: where a call with Overlapped ends at once, the system
     * need not have filled that in. */
    PULONG count = passed == NULL ? BytesReturned : &call.count;
    return call_end(&call,
                    api->HttpReceiveHttpRequest(RequestQueueHandle, RequestId, Flags & ~own_flags,
                                                RequestBuffer, RequestBufferLength, count, passed));
}

ULONG WINAPI HttpReceiveRequestEntityBody(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId,
                                          ULONG Flags, PVOID EntityBuffer, ULONG EntityBufferLength,
                                          PULONG BytesReturned, LPOVERLAPPED Overlapped)
{
    const struct httpsys *api = httpsys();
    struct call call = {.queue = RequestQueueHandle, .given = Overlapped, .bytes = BytesReturned};
    LPOVERLAPPED passed = NULL;
    ULONG code = api->HttpReceiveRequestEntityBody == NULL ? ERROR_NOT_SUPPORTED
                                                           : call_begin(&call, &passed);
    if (code != NO_ERROR) {
        return code;
    }
    PULONG count = passed == NULL ? BytesReturned : &call.count; /* as above */
    code = call_end(&call, api->HttpReceiveRequestEntityBody(RequestQueueHandle, RequestId, Flags,
                                                             EntityBuffer, EntityBufferLength,
                                                             count, passed));
    if (code == ERROR_HANDLE_EOF && Overlapped == NULL && BytesReturned != NULL) {
        *BytesReturned = 0; /* Wine leaves it as it was */
    }
    return code;
}

ULONG WINAPI HttpWaitForDisconnect(HANDLE RequestQueueHandle, HTTP_CONNECTION_ID ConnectionId,
                                   LPOVERLAPPED Overlapped)
{
    const struct httpsys *api = httpsys();
    struct call call = {.queue = RequestQueueHandle, .given = Overlapped};
    LPOVERLAPPED passed = NULL;
    ULONG code =
        api->HttpWaitForDisconnect == NULL ? ERROR_NOT_SUPPORTED : call_begin(&call, &passed);
    if (code != NO_ERROR) {
        return code;
    }
    return call_end(&call, api->HttpWaitForDisconnect(RequestQueueHandle, ConnectionId, passed));
}

ULONG WINAPI HttpWaitForDisconnectEx(HANDLE RequestQueueHandle, HTTP_CONNECTION_ID ConnectionId,
                                     ULONG Reserved, LPOVERLAPPED Overlapped)
{
    const struct httpsys *api = httpsys();
    struct call call = {.queue = RequestQueueHandle, .given = Overlapped};
    LPOVERLAPPED passed = NULL;
    ULONG code =
        api->HttpWaitForDisconnectEx == NULL ? ERROR_NOT_SUPPORTED : call_begin(&call, &passed);
    if (code != NO_ERROR) {
        return code;
    }
    return call_end(
        &call, api->HttpWaitForDisconnectEx(RequestQueueHandle, ConnectionId, Reserved, passed));
}
