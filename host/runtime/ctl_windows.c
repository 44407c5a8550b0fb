/* The control socket where it is a named pipe: \\.\pipe\moonlatch-PID, open to this user alone and
 * to this machine alone. A pipe cannot be watched by the loop, so a few threads serve it, each a
 * client: the thread reads the line and posts it, the coordinator answers, the thread writes. */
#include "runtime/ctl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sddl.h>

#include "api/text.h"
#include "runtime/hostdata.h"

enum {
    SERVERS = 4,           /* clients at a time; further ones wait */
    ASK_MS_MAX = 10000,    /* a client sends its line in this time */
    WRITE_MS_MAX = 5000,   /* and takes its answer in this */
    BUSY_MS_MAX = 5000,    /* ctl_ask waits so long for a free thread */
    RETRY_MS = 100,        /* before a pipe that could not be made is tried again */
    PIPE_BYTES = 64 * 1024 /* what the system keeps for a client */
};

#define PIPE_FOLDER "\\\\.\\pipe\\"
#define PIPE_PREFIX "moonlatch-"

/* Owner and this thread at a time: `lock` of struct ctl guards the change. */
enum server_phase {
    SERVER_LISTENING, /* the thread's */
    SERVER_POSTED,    /* its question is on the way to the coordinator */
    SERVER_WAITING,   /* for a reload, or for the end */
    SERVER_ANSWERED   /* the thread writes */
};

struct server {
    struct ctl *ctl;
    HANDLE thread, pipe, event, answered;
    struct loop_task task;
    struct ctl_question question;
    enum server_phase phase;
    char line[CTL_LINE_BYTES_MAX];
    size_t len; /* of the line, without its line feed */
};

struct ctl {
    struct host *host;
    const struct host_verdict *verdict; /* set by ctl_close: the answer to every question */
    SRWLOCK lock;
    bool closed;
    HANDLE quit;
    PSECURITY_DESCRIPTOR owner_only;
    WCHAR path[CTL_PATH_BYTES_MAX];
    struct server servers[SERVERS];
};

/* --- where -------------------------------------------------------------------------------------
 */

/* path NULL: by the number. */
static ULONG choose_path(const char *path, unsigned long pid, WCHAR out[CTL_PATH_BYTES_MAX])
{
    char text[CTL_PATH_BYTES_MAX];
    size_t needed = 0;
    int len = path != NULL ? snprintf(text, sizeof text, "%s", path)
                           : snprintf(text, sizeof text, PIPE_FOLDER PIPE_PREFIX "%lu", pid);
    if (len < 0 || (size_t)len >= sizeof text ||
        strncmp(text, PIPE_FOLDER, sizeof PIPE_FOLDER - 1) != 0) {
        return ERROR_INVALID_PARAMETER;
    }
    return text_from_utf8(text, (size_t)len, out, CTL_PATH_BYTES_MAX, &needed);
}

static HANDLE make_pipe(const struct ctl *ctl, DWORD first)
{
    SECURITY_ATTRIBUTES security = {.nLength = sizeof security,
                                    .lpSecurityDescriptor = ctl->owner_only};
    return CreateNamedPipeW(ctl->path, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | first,
                            PIPE_TYPE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, SERVERS,
                            PIPE_BYTES, PIPE_BYTES, 0, &security);
}

/* --- the coordinator's side --------------------------------------------------------------------
 */

static void set_phase(struct server *server, enum server_phase phase)
{
    AcquireSRWLockExclusive(&server->ctl->lock);
    server->phase = phase;
    ReleaseSRWLockExclusive(&server->ctl->lock);
}

static void answer(struct server *server)
{
    set_phase(server, SERVER_ANSWERED);
    (void)SetEvent(server->answered);
}

static void answer_end(struct server *server)
{
    reload_forget(&server->question.waiter);
    ctl_describe_end(&server->question, server->ctl->verdict);
    answer(server);
}

static void on_reloaded(struct reload_waiter *waiter, const struct reload_result *result)
{
    struct server *server = LIST_ITEM(waiter, struct server, question.waiter);
    ctl_describe_reload(&server->question, result);
    answer(server);
}

static void take_question(struct loop_task *task)
{
    struct server *server = LIST_ITEM(task, struct server, task);
    struct ctl *ctl = server->ctl;
    struct slice line = slice_make(server->line, server->len);
    set_phase(server, SERVER_WAITING);
    if (ctl->verdict != NULL) {
        answer_end(server);
        return;
    }
    if (slice_equal(line, SLICE_LIT("status"))) {
        (void)buf_printf(&server->question.text, "pid %lu\n", GetCurrentProcessId());
    }
    if (ctl_answer(ctl->host, line, &server->question) == CTL_ANSWERED) {
        answer(server);
    }
}

/* --- a thread's side ---------------------------------------------------------------------------
 */

/* The end of an overlapped call that was begun with `began`; false: it failed, took too long or,
 * with `quits`, the host stops. */
static bool finish(struct server *server, OVERLAPPED *call, BOOL began, DWORD ms, bool quits,
                   DWORD *bytes)
{
    HANDLE waits[] = {server->event, server->ctl->quit};
    if (!began && GetLastError() != ERROR_IO_PENDING) {
        return false;
    }
    if (WaitForMultipleObjects(quits ? 2 : 1, waits, FALSE, ms) != WAIT_OBJECT_0) {
        (void)CancelIoEx(server->pipe, call); /* it may have ended in between: the result tells */
    }
    return GetOverlappedResult(server->pipe, call, bytes, TRUE) != 0;
}

static bool connect_client(struct server *server)
{
    OVERLAPPED call = {.hEvent = server->event};
    DWORD bytes = 0;
    BOOL began = ConnectNamedPipe(server->pipe, &call);
    if (!began && GetLastError() == ERROR_PIPE_CONNECTED) {
        return true;
    }
    return finish(server, &call, began, INFINITE, true, &bytes);
}

static bool read_line(struct server *server)
{
    server->len = 0;
    while (server->len < sizeof server->line) {
        OVERLAPPED call = {.hEvent = server->event};
        char *at = server->line + server->len;
        DWORD bytes = 0;
        BOOL began =
            ReadFile(server->pipe, at, (DWORD)(sizeof server->line - server->len), NULL, &call);
        if (!finish(server, &call, began, ASK_MS_MAX, true, &bytes) || bytes == 0) {
            return false;
        }
        const char *end = memchr(at, '\n', bytes);
        if (end != NULL) {
            server->len = (size_t)(end - server->line);
            return true;
        }
        server->len += bytes;
    }
    return false;
}

static bool write_all(struct server *server, const char *p, size_t len)
{
    while (len > 0) {
        OVERLAPPED call = {.hEvent = server->event};
        DWORD bytes = 0;
        DWORD piece = len > PIPE_BYTES ? PIPE_BYTES : (DWORD)len;
        BOOL began = WriteFile(server->pipe, p, piece, NULL, &call);
        if (!finish(server, &call, began, WRITE_MS_MAX, false, &bytes)) {
            return false;
        }
        p += bytes;
        len -= bytes;
    }
    return true;
}

/* Hands the line to the coordinator and waits for its answer, which always comes: ctl_close gives
 * one to everybody. false: it is closed already. */
static bool ask_coordinator(struct server *server)
{
    struct ctl *ctl = server->ctl;
    memset(&server->question, 0, sizeof server->question);
    server->question.waiter.done = on_reloaded;
    buf_init(&server->question.text, CTL_ANSWER_BYTES_MAX);
    server->task.run = take_question;
    AcquireSRWLockExclusive(&ctl->lock);
    bool open = !ctl->closed;
    if (open) {
        server->phase = SERVER_POSTED;
        loop_post(ctl->host->loop, &server->task);
    }
    ReleaseSRWLockExclusive(&ctl->lock);
    if (open) {
        (void)WaitForSingleObject(server->answered, INFINITE);
    }
    return open;
}

static void serve_client(struct server *server)
{
    char head[24];
    if (!connect_client(server) || !read_line(server) || !ask_coordinator(server)) {
        return;
    }
    int len = snprintf(head, sizeof head, "%d\n", server->question.code);
    if (write_all(server, head, (size_t)len)) {
        (void)write_all(server, server->question.text.p, server->question.text.len);
    }
    buf_deinit(&server->question.text);
    set_phase(server, SERVER_LISTENING);
}

static DWORD WINAPI run_server(LPVOID parameter)
{
    struct server *server = parameter;
    while (WaitForSingleObject(server->ctl->quit, 0) == WAIT_TIMEOUT) {
        if (server->pipe == INVALID_HANDLE_VALUE) {
            server->pipe = make_pipe(server->ctl, 0);
        }
        if (server->pipe == INVALID_HANDLE_VALUE) {
            (void)WaitForSingleObject(server->ctl->quit, RETRY_MS);
            continue;
        }
        serve_client(server);
        (void)CloseHandle(server->pipe); /* what was written can still be read */
        server->pipe = INVALID_HANDLE_VALUE;
    }
    return 0;
}

/* --- life --------------------------------------------------------------------------------------
 */

static void close_handle(HANDLE handle)
{
    if (handle != NULL && handle != INVALID_HANDLE_VALUE) {
        (void)CloseHandle(handle);
    }
}

static void destroy(struct ctl *ctl)
{
    if (ctl->quit != NULL) {
        (void)SetEvent(ctl->quit);
    }
    for (size_t i = 0; i < SERVERS; i++) {
        struct server *server = &ctl->servers[i];
        if (server->thread != NULL) {
            (void)WaitForSingleObject(server->thread, INFINITE);
        }
        close_handle(server->thread);
        close_handle(server->pipe);
        close_handle(server->event);
        close_handle(server->answered);
    }
    close_handle(ctl->quit);
    (void)LocalFree(ctl->owner_only);
    free(ctl);
}

static ULONG start(struct ctl *ctl)
{
    /* The owner, whoever that is, and nobody else. */
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(L"D:P(A;;GA;;;OW)", SDDL_REVISION_1,
                                                              &ctl->owner_only, NULL)) {
        return ERROR_NOT_SUPPORTED;
    }
    ctl->servers[0].pipe = make_pipe(ctl, FILE_FLAG_FIRST_PIPE_INSTANCE);
    if (ctl->servers[0].pipe == INVALID_HANDLE_VALUE) {
        DWORD error = GetLastError();
        return error == ERROR_ACCESS_DENIED || error == ERROR_PIPE_BUSY ? ERROR_ALREADY_EXISTS
                                                                        : ERROR_NOT_SUPPORTED;
    }
    ctl->quit = CreateEventW(NULL, TRUE, FALSE, NULL);
    for (size_t i = 0; i < SERVERS; i++) {
        struct server *server = &ctl->servers[i];
        server->event = CreateEventW(NULL, TRUE, FALSE, NULL);
        server->answered = CreateEventW(NULL, FALSE, FALSE, NULL);
        if (ctl->quit == NULL || server->event == NULL || server->answered == NULL) {
            return ERROR_NOT_ENOUGH_MEMORY;
        }
        server->thread = CreateThread(NULL, 0, run_server, server, 0, NULL);
        if (server->thread == NULL) {
            return ERROR_NOT_ENOUGH_MEMORY;
        }
    }
    return NO_ERROR;
}

ULONG ctl_open(struct host *host, const char *path, struct ctl **out)
{
    *out = NULL;
    struct ctl *ctl = calloc(1, sizeof *ctl);
    if (ctl == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    ctl->host = host;
    InitializeSRWLock(&ctl->lock);
    for (size_t i = 0; i < SERVERS; i++) {
        ctl->servers[i].ctl = ctl;
        ctl->servers[i].pipe = INVALID_HANDLE_VALUE;
    }
    ULONG code = choose_path(path, GetCurrentProcessId(), ctl->path);
    code = code == NO_ERROR ? start(ctl) : code;
    if (code != NO_ERROR) {
        destroy(ctl);
        return code;
    }
    *out = ctl;
    return NO_ERROR;
}

static bool is_in(struct server *server, enum server_phase phase)
{
    AcquireSRWLockShared(&server->ctl->lock);
    bool is = server->phase == phase;
    ReleaseSRWLockShared(&server->ctl->lock);
    return is;
}

void ctl_close(struct ctl *ctl, const struct host_verdict *verdict)
{
    if (ctl == NULL) {
        return;
    }
    AcquireSRWLockExclusive(&ctl->lock);
    ctl->closed = true;
    ctl->verdict = verdict;
    ReleaseSRWLockExclusive(&ctl->lock);
    for (size_t i = 0; i < SERVERS; i++) {
        while (is_in(&ctl->servers[i], SERVER_POSTED)) {
            (void)loop_run_once(ctl->host->loop, 0); /* its task is in there */
        }
        if (is_in(&ctl->servers[i], SERVER_WAITING)) {
            answer_end(&ctl->servers[i]);
        }
    }
    destroy(ctl);
}

/* --- the other side ----------------------------------------------------------------------------
 */

/* The number of the only process that has such a pipe; 0 and a message otherwise. */
static unsigned long find_only(FILE *err)
{
    WIN32_FIND_DATAA entry;
    char pids[256] = "";
    unsigned long only = 0;
    unsigned found = 0;
    HANDLE search = FindFirstFileA(PIPE_FOLDER "*", &entry);
    bool more = search != INVALID_HANDLE_VALUE;
    for (unsigned long last = 0; more; more = FindNextFileA(search, &entry) != 0) {
        unsigned long pid = strncmp(entry.cFileName, PIPE_PREFIX, sizeof PIPE_PREFIX - 1) == 0
                                ? strtoul(entry.cFileName + sizeof PIPE_PREFIX - 1, NULL, 10)
                                : 0;
        if (pid == 0 || pid == last) {
            continue; /* each of a pipe's threads may be listed */
        }
        size_t used = strlen(pids);
        (void)snprintf(pids + used, sizeof pids - used, " %lu", pid);
        only = last = pid;
        found++;
    }
    if (search != INVALID_HANDLE_VALUE) {
        (void)FindClose(search);
    }
    if (found == 0) {
        (void)fprintf(err, "error: no running server found\nhint:  ctl COMMAND PID\n");
    } else if (found > 1) {
        (void)fprintf(err, "error: %u servers run:%s\nhint:  ctl COMMAND PID\n", found, pids);
    }
    return found == 1 ? only : 0;
}

/* It may not act in our name, whoever it is. */
static HANDLE connect_to(const WCHAR *path)
{
    for (;;) {
        HANDLE pipe = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                                  SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, NULL);
        if (pipe != INVALID_HANDLE_VALUE || GetLastError() != ERROR_PIPE_BUSY ||
            !WaitNamedPipeW(path, BUSY_MS_MAX)) {
            return pipe;
        }
    }
}

/* The answer: digits, a line feed, text. -1: none came. */
static int read_answer(HANDLE pipe, FILE *out)
{
    char piece[4096];
    int code = -1;
    bool in_head = true;
    DWORD got = 0;
    while (ReadFile(pipe, piece, sizeof piece, &got, NULL) && got > 0) {
        DWORD at = 0;
        for (; in_head && at < got; at++) {
            if (piece[at] == '\n') {
                in_head = false;
            } else {
                code = (code < 0 ? 0 : code * 10) + (piece[at] - '0');
            }
        }
        (void)fwrite(piece + at, 1, got - at, out);
    }
    (void)fflush(out);
    return in_head ? -1 : code;
}

int ctl_ask(const char *path, long pid, const char *question, FILE *out, FILE *err)
{
    WCHAR place[CTL_PATH_BYTES_MAX];
    char line[CTL_LINE_BYTES_MAX];
    unsigned long number = path != NULL || pid > 0 ? (unsigned long)pid : find_only(err);
    if (path == NULL && number == 0) {
        return HOST_EXIT_FAILED;
    }
    if (choose_path(path, number, place) != NO_ERROR) {
        (void)fprintf(err, "error: %s is no pipe\nhint:  " PIPE_FOLDER "NAME\n", path);
        return HOST_EXIT_FAILED;
    }
    HANDLE pipe = connect_to(place);
    if (pipe == INVALID_HANDLE_VALUE) {
        (void)fprintf(err, "error: nobody listens at %ls\n", place);
        return HOST_EXIT_FAILED;
    }
    int len = snprintf(line, sizeof line, "%s\n", question);
    DWORD sent = 0;
    int code = -1;
    if (len > 0 && (size_t)len < sizeof line && WriteFile(pipe, line, (DWORD)len, &sent, NULL)) {
        code = read_answer(pipe, out);
    }
    (void)CloseHandle(pipe);
    if (code < 0) {
        (void)fprintf(err, "error: the server ended without an answer\n");
        return HOST_EXIT_FAILED;
    }
    return code;
}
