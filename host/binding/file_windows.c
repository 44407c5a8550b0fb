#include "binding/file.h"

#include <stdbool.h>
#include <string.h>

#include "api/text.h"

enum { PATH_UNITS_MAX = 4096, WRITE_BYTES_MAX = 1 << 30 };

static ULONG from_error(DWORD error)
{
    switch (error) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_ACCESS_DENIED:
    case ERROR_NOT_ENOUGH_MEMORY: return error;
    case ERROR_INVALID_NAME:
    case ERROR_BAD_PATHNAME:
    case ERROR_FILENAME_EXCED_RANGE: return ERROR_PATH_NOT_FOUND;
    case ERROR_SHARING_VIOLATION:
    case ERROR_WRITE_PROTECT: return ERROR_ACCESS_DENIED;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
    case ERROR_FILE_TOO_LARGE: return ERROR_HANDLE_DISK_FULL;
    default: return ERROR_INVALID_FUNCTION;
    }
}

/* The path as the system wants it; false: it cannot be one. */
static bool make_wide(const char *path, WCHAR wide[PATH_UNITS_MAX])
{
    size_t needed = 0;
    return text_from_utf8(path, strlen(path), wide, PATH_UNITS_MAX, &needed) == NO_ERROR;
}

/* As elsewhere, who reads keeps nobody from writing. */
static ULONG open_path(const char *path, DWORD access, DWORD how, HANDLE *handle)
{
    WCHAR wide[PATH_UNITS_MAX];
    if (!make_wide(path, wide)) {
        return ERROR_PATH_NOT_FOUND;
    }
    *handle = CreateFileW(wide, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                          NULL, how, FILE_ATTRIBUTE_NORMAL, NULL);
    return *handle == INVALID_HANDLE_VALUE ? from_error(GetLastError()) : NO_ERROR;
}

static bool is_folder(const char *path)
{
    WCHAR wide[PATH_UNITS_MAX];
    DWORD kind = make_wide(path, wide) ? GetFileAttributesW(wide) : INVALID_FILE_ATTRIBUTES;
    return kind != INVALID_FILE_ATTRIBUTES && (kind & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

bool file_is_settled(const struct file_stamp *stamp)
{
    (void)stamp; /* nothing is kept here */
    return false;
}

/* A file that is open here cannot be replaced by another, which is how many editors save. */
bool file_may_stay_open(void)
{
    return false;
}

ULONG file_examine(HANDLE handle, struct file_stamp *stamp)
{
    BY_HANDLE_FILE_INFORMATION info;
    memset(stamp, 0, sizeof *stamp);
    if (!GetFileInformationByHandle(handle, &info)) {
        return from_error(GetLastError());
    }
    const int64_t tick_ns = 100;
    const FILETIME *written = &info.ftLastWriteTime;
    stamp->volume = info.dwVolumeSerialNumber;
    stamp->id = (uint64_t)info.nFileIndexHigh << 32 | info.nFileIndexLow;
    stamp->bytes = (uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow;
    stamp->written_ns =
        (int64_t)((uint64_t)written->dwHighDateTime << 32 | written->dwLowDateTime) * tick_ns;
    return NO_ERROR;
}

ULONG file_examine_path(const char *path, struct file_stamp *stamp)
{
    HANDLE handle = NULL;
    ULONG code = file_open(path, &handle, stamp);
    if (code == NO_ERROR) {
        (void)CloseHandle(handle);
    }
    return code;
}

ULONG file_read(HANDLE handle, char *p, size_t len)
{
    OVERLAPPED start = {0}; /* offset 0 */
    DWORD n = 0;
    if (len > MAXDWORD || !ReadFile(handle, p, (DWORD)len, &n, &start)) {
        return from_error(GetLastError());
    }
    return n == len ? NO_ERROR : ERROR_HANDLE_EOF;
}

ULONG file_open(const char *path, HANDLE *handle, struct file_stamp *stamp)
{
    ULONG code = open_path(path, GENERIC_READ, OPEN_EXISTING, handle);
    if (code != NO_ERROR) {
        /* A folder cannot be opened like this; it is refused as one, not as a secret. */
        return is_folder(path) ? ERROR_NOT_SUPPORTED : code;
    }
    if (GetFileType(*handle) != FILE_TYPE_DISK || file_examine(*handle, stamp) != NO_ERROR) {
        (void)CloseHandle(*handle);
        return ERROR_NOT_SUPPORTED;
    }
    return NO_ERROR;
}

ULONG file_create(const char *path, HANDLE *handle)
{
    return open_path(path, GENERIC_WRITE, CREATE_ALWAYS, handle);
}

ULONG file_write(HANDLE handle, const void *p, size_t len)
{
    const char *at = p;
    while (len > 0) {
        DWORD piece = len > WRITE_BYTES_MAX ? WRITE_BYTES_MAX : (DWORD)len;
        DWORD written = 0;
        if (!WriteFile(handle, at, piece, &written, NULL)) {
            return from_error(GetLastError());
        }
        if (written == 0) {
            return ERROR_HANDLE_DISK_FULL;
        }
        at += written;
        len -= written;
    }
    return NO_ERROR;
}

ULONG file_close(HANDLE handle)
{
    return CloseHandle(handle) ? NO_ERROR : from_error(GetLastError());
}

void file_discard(const char *path)
{
    WCHAR wide[PATH_UNITS_MAX];
    size_t needed = 0;
    if (text_from_utf8(path, strlen(path), wide, PATH_UNITS_MAX, &needed) == NO_ERROR) {
        (void)DeleteFileW(wide); /* it was a failure already; a folder is refused */
    }
}
