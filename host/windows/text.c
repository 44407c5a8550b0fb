/* api/text.h: UTF-16 on the contract's side. Nothing else here recodes. */
#include "api/text.h"

#include <limits.h>

ULONG text_from_utf8(const char *utf8, size_t length, HTTP_CHAR *out, size_t capacity,
                     size_t *needed)
{
    int units = 0;
    *needed = 1;
    if (length > INT_MAX) {
        return ERROR_INVALID_PARAMETER;
    }
    if (length > 0) {
        units = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, utf8, (int)length, NULL, 0);
        if (units <= 0) {
            return ERROR_INVALID_PARAMETER;
        }
    }
    *needed = (size_t)units + 1;
    if (capacity < *needed) {
        return ERROR_INSUFFICIENT_BUFFER;
    }
    if (units > 0) {
        (void)MultiByteToWideChar(CP_UTF8, 0, utf8, (int)length, out, units); /* as just counted */
    }
    out[units] = 0;
    return NO_ERROR;
}

ULONG text_to_utf8(const HTTP_CHAR *text, size_t length, char *out, size_t capacity, size_t *needed)
{
    int bytes = 0;
    *needed = 1;
    if (length > INT_MAX) {
        return ERROR_INVALID_PARAMETER;
    }
    if (length > 0) {
        bytes = WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, text, (int)length, NULL, 0, NULL,
                                    NULL);
        if (bytes <= 0) {
            return ERROR_INVALID_PARAMETER;
        }
    }
    *needed = (size_t)bytes + 1;
    if (capacity < *needed) {
        return ERROR_INSUFFICIENT_BUFFER;
    }
    if (bytes > 0) {
        (void)WideCharToMultiByte(CP_UTF8, 0, text, (int)length, out, bytes, NULL, NULL);
    }
    out[bytes] = 0;
    return NO_ERROR;
}
