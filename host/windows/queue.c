/* Queues: as the system has them; shutting down has a fallback. */
#include "windows/httpsys.h"

ULONG WINAPI HttpCloseRequestQueue(HANDLE RequestQueueHandle)
{
    const struct httpsys *api = httpsys();
    if (api->HttpCloseRequestQueue == NULL) {
        return ERROR_NOT_SUPPORTED;
    }
    iocp_forget_queue(RequestQueueHandle);
    answer_forget_queue(RequestQueueHandle);
    return httpsys_code(api->HttpCloseRequestQueue(RequestQueueHandle));
}

/* Without the function: what is pending is cancelled, which is the part everybody waits for. */
ULONG WINAPI HttpShutdownRequestQueue(HANDLE RequestQueueHandle)
{
    const struct httpsys *api = httpsys();
    if (api->HttpShutdownRequestQueue != NULL) {
        return httpsys_code(api->HttpShutdownRequestQueue(RequestQueueHandle));
    }
    if (CancelIoEx(RequestQueueHandle, NULL)) {
        return NO_ERROR;
    }
    DWORD error = GetLastError();
    return error == ERROR_NOT_FOUND ? NO_ERROR : error;
}

ULONG WINAPI HttpWaitForDemandStart(HANDLE RequestQueueHandle, LPOVERLAPPED Overlapped)
{
    struct call call = {.queue = RequestQueueHandle, .given = Overlapped};
    LPOVERLAPPED passed = NULL;
    const struct httpsys *api = httpsys();
    if (api->HttpWaitForDemandStart == NULL) {
        return ERROR_NOT_SUPPORTED;
    }
    ULONG code = call_begin(&call, &passed);
    if (code != NO_ERROR) {
        return code;
    }
    return call_end(&call, api->HttpWaitForDemandStart(RequestQueueHandle, passed));
}
