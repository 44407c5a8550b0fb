/* shim.h over Windows. */
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/contract.h"
#include "contract/shim.h"

enum { COMMAND_BYTES_MAX = 4096, RESULT_KILLED = 256 + 9, RESULT_CRASHED = 256 + 11 };

void shim_start(void)
{
    WSADATA data;
    CHECK(WSAStartup(MAKEWORD(2, 2), &data) == 0);
    (void)_setmode(1, _O_BINARY); /* one kind of line end everywhere */
    setvbuf(stdout, NULL, _IONBF, 0);
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX); /* nobody answers a window */
}

unsigned shim_provider(void)
{
    const HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    const bool wine = ntdll != NULL && GetProcAddress(ntdll, "wine_get_version") != NULL;
    return wine ? PROVIDER_WINE : PROVIDER_HTTPSYS;
}

/* Fills an address; returns its length, 0 when the text is none. */
static int make_address(const char *text, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (InetPtonA(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof *v4;
    }
    if (InetPtonA(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        return sizeof *v6;
    }
    return 0;
}

bool shim_has_ipv6(void)
{
    const intptr_t listener = shim_listen("::1", 0);
    if (listener == SHIM_NO_SOCKET) {
        return false;
    }
    shim_close(listener);
    return true;
}

intptr_t shim_connect(const char *address, uint16_t port)
{
    struct sockaddr_storage to;
    const int length = make_address(address, port, &to);
    const SOCKET s = socket(to.ss_family, SOCK_STREAM, 0);
    if (s == INVALID_SOCKET) {
        return SHIM_NO_SOCKET;
    }
    if (connect(s, (struct sockaddr *)&to, length) != 0) {
        closesocket(s);
        return SHIM_NO_SOCKET;
    }
    const BOOL on = TRUE;
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof on);
    return (intptr_t)s;
}

bool shim_send(intptr_t socket, const void *bytes, size_t length)
{
    const char *next = bytes;
    while (length > 0) {
        const int piece = length > 65536 ? 65536 : (int)length;
        const int sent = send((SOCKET)socket, next, piece, 0);
        if (sent <= 0) {
            return false;
        }
        next += sent;
        length -= (size_t)sent;
    }
    return true;
}

enum shim_result shim_receive(intptr_t socket, void *buffer, size_t size, unsigned milliseconds,
                              size_t *count)
{
    fd_set readable;
    struct timeval limit = {.tv_sec = (long)(milliseconds / 1000),
                            .tv_usec = (long)(milliseconds % 1000 * 1000)};
    *count = 0;
    FD_ZERO(&readable);
    FD_SET((SOCKET)socket, &readable);
    if (select(0, &readable, NULL, NULL, &limit) == 0) {
        return SHIM_TIMEOUT;
    }
    const int got = recv((SOCKET)socket, buffer, (int)size, 0);
    if (got > 0) {
        *count = (size_t)got;
        return SHIM_BYTES;
    }
    return got == 0 ? SHIM_EOF : SHIM_RESET;
}

void shim_shutdown_send(intptr_t socket)
{
    CHECK(shutdown((SOCKET)socket, SD_SEND) == 0);
}

void shim_close(intptr_t socket)
{
    closesocket((SOCKET)socket);
}

void shim_reset(intptr_t socket)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt((SOCKET)socket, SOL_SOCKET, SO_LINGER, (const char *)&now, sizeof now);
    closesocket((SOCKET)socket);
}

intptr_t shim_listen(const char *address, uint16_t port)
{
    struct sockaddr_storage at;
    const int length = make_address(address, port, &at);
    const SOCKET s = socket(at.ss_family, SOCK_STREAM, 0);
    if (s == INVALID_SOCKET) {
        return SHIM_NO_SOCKET;
    }
    const BOOL on = TRUE;
    setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on, sizeof on);
    if (bind(s, (struct sockaddr *)&at, length) != 0 || listen(s, 8) != 0) {
        closesocket(s);
        return SHIM_NO_SOCKET;
    }
    return (intptr_t)s;
}

uint16_t shim_port_of(intptr_t socket)
{
    struct sockaddr_storage at;
    int length = sizeof at;
    CHECK(getsockname((SOCKET)socket, (struct sockaddr *)&at, &length) == 0);
    return ntohs(at.ss_family == AF_INET ? ((struct sockaddr_in *)&at)->sin_port
                                         : ((struct sockaddr_in6 *)&at)->sin6_port);
}

struct shim_thread {
    HANDLE thread;
    void (*run)(void *context);
    void *context;
};

static DWORD WINAPI thread_main(LPVOID argument)
{
    const struct shim_thread *thread = argument;
    thread->run(thread->context);
    return 0;
}

struct shim_thread *shim_thread_start(void (*run)(void *context), void *context)
{
    struct shim_thread *thread = malloc(sizeof *thread);
    CHECK(thread != NULL);
    thread->run = run;
    thread->context = context;
    thread->thread = CreateThread(NULL, 0, thread_main, thread, 0, NULL);
    CHECK(thread->thread != NULL);
    return thread;
}

void shim_thread_join(struct shim_thread *thread)
{
    CHECK(WaitForSingleObject(thread->thread, INFINITE) == WAIT_OBJECT_0);
    CloseHandle(thread->thread);
    free(thread);
}

void shim_pause(void)
{
    Sleep(1);
}

/* Names and numbers alone: nothing in them needs more than the quotes. */
static void make_command(char *out, size_t capacity, const char *const *arguments)
{
    char self[MAX_PATH];
    const DWORD length = GetModuleFileNameA(NULL, self, sizeof self);
    CHECK(length > 0 && length < sizeof self);
    size_t used = (size_t)snprintf(out, capacity, "\"%s\"", self);
    for (size_t i = 0; arguments[i] != NULL; i++) {
        CHECK(used < capacity && strchr(arguments[i], '"') == NULL);
        used += (size_t)snprintf(out + used, capacity - used, " \"%s\"", arguments[i]);
    }
    CHECK(used < capacity);
}

int shim_run_self(const char *const *arguments, unsigned seconds)
{
    char command[COMMAND_BYTES_MAX];
    STARTUPINFOA startup = {.cb = sizeof startup};
    PROCESS_INFORMATION child;
    make_command(command, sizeof command, arguments);
    fflush(stdout);
    CHECK(CreateProcessA(NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &child));
    CloseHandle(child.hThread);
    DWORD code = 0;
    if (WaitForSingleObject(child.hProcess, seconds * 1000) != WAIT_OBJECT_0) {
        TerminateProcess(child.hProcess, RESULT_KILLED);
        WaitForSingleObject(child.hProcess, INFINITE);
    }
    CHECK(GetExitCodeProcess(child.hProcess, &code));
    CloseHandle(child.hProcess);
    /* An exception's number is larger than any code of ours. */
    return code > RESULT_KILLED ? RESULT_CRASHED : (int)code;
}

void shim_die(int code)
{
    ExitProcess((UINT)code);
}

HANDLE shim_file(const void *bytes, size_t length)
{
    char folder[MAX_PATH], path[MAX_PATH];
    DWORD written = 0;
    CHECK(GetTempPathA(sizeof folder, folder) != 0);
    CHECK(GetTempFileNameA(folder, "ml", 0, path) != 0);
    const HANDLE file = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
                                    FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, NULL);
    CHECK(file != INVALID_HANDLE_VALUE);
    CHECK(WriteFile(file, bytes, (DWORD)length, &written, NULL) && written == length);
    return file;
}

void shim_file_close(HANDLE file)
{
    CloseHandle(file);
}

HANDLE shim_bad_file(void)
{
    return (HANDLE)(intptr_t)0x7ffffff0;
}
