/* What is Windows about it: a job object stands for the process group, and closing it ends whatever
 * is left inside. A polite end is a console break, which only console programs hear. */
#include "cli/child.h"

#include <stdio.h>
#include <string.h>

#include "api/httpapi.h"
#include "base/buf.h"
#include "cli/signals.h"

enum {
    LINE_BYTES_MAX = 32000, /* the system's limit for a command line */
    CODE_NOT_FOUND = 127,
    CODE_CANNOT_RUN = 126,
    LOOK_MS = 5
};

/* One argument as the C runtime of the child takes it apart again: quoted, backslashes before a
 * quote doubled. */
static bool add_argument(struct buf *line, const char *text)
{
    bool ok = line->len == 0 || buf_append(line, " ", 1);
    ok = ok && buf_append(line, "\"", 1);
    for (size_t slashes = 0; ok && *text != '\0'; text++) {
        if (*text == '"') {
            for (; ok && slashes > 0; slashes--) {
                ok = buf_append(line, "\\", 1);
            }
            ok = ok && buf_append(line, "\\", 1);
        }
        slashes = *text == '\\' ? slashes + 1 : 0;
        ok = ok && buf_append(line, text, 1);
        for (size_t i = 0; ok && text[1] == '\0' && i < slashes; i++) {
            ok = buf_append(line, "\\", 1);
        }
    }
    return ok && buf_append(line, "\"", 1);
}

static void CALLBACK on_end(void *ctx, BOOLEAN timed_out)
{
    (void)ctx;
    (void)timed_out; /* it waits for ever */
    signals_tell_child();
}

static bool fail(struct child *child, int code, const char *text, const char **why)
{
    child->phase = CHILD_FAILED;
    child->code = code;
    *why = text;
    return false;
}

/* Into the job before its first instruction, so that nothing it starts can be outside. */
static bool spawn(struct child *child, char *line)
{
    STARTUPINFOA startup = {.cb = sizeof startup};
    PROCESS_INFORMATION made;
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits;
    memset(&limits, 0, sizeof limits);
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    child->job = CreateJobObjectA(NULL, NULL);
    if (child->job != NULL) {
        (void)SetInformationJobObject(child->job, JobObjectExtendedLimitInformation, &limits,
                                      sizeof limits); /* without it child_end ends them itself */
    }
    if (!CreateProcessA(NULL, line, NULL, NULL, TRUE, CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP,
                        NULL, NULL, &startup, &made)) {
        return false;
    }
    if (child->job != NULL) {
        (void)AssignProcessToJobObject(child->job, made.hProcess);
    }
    child->process = made.hProcess;
    child->pid = (long)made.dwProcessId;
    (void)RegisterWaitForSingleObject(&child->waiting, child->process, on_end, NULL, INFINITE,
                                      WT_EXECUTEONLYONCE);
    (void)ResumeThread(made.hThread);
    (void)CloseHandle(made.hThread);
    return true;
}

bool child_start(struct child *child, const char *const *args, const char *url, uint16_t port,
                 const char **why)
{
    char port_text[8];
    struct buf line;
    bool ok = true;
    (void)snprintf(port_text, sizeof port_text, "%u", (unsigned)port);
    (void)SetEnvironmentVariableA("MOONLATCH_URL", url); /* the child inherits it */
    (void)SetEnvironmentVariableA("MOONLATCH_PORT", port_text);
    buf_init(&line, LINE_BYTES_MAX);
    for (size_t i = 0; ok && args[i] != NULL; i++) {
        ok = add_argument(&line, args[i]);
    }
    ok = ok && buf_append(&line, "", 1);
    if (!ok) {
        buf_deinit(&line);
        return fail(child, CODE_CANNOT_RUN, "the command line is too long", why);
    }
    ok = spawn(child, line.p);
    DWORD error = GetLastError();
    buf_deinit(&line);
    if (!ok) {
        bool missing = error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND;
        return fail(child, missing ? CODE_NOT_FOUND : CODE_CANNOT_RUN,
                    missing ? "no such program" : "the system refuses to start it", why);
    }
    child->phase = CHILD_RUNNING;
    return true;
}

bool child_reap(struct child *child)
{
    DWORD code = 0;
    if (child->phase != CHILD_RUNNING || WaitForSingleObject(child->process, 0) != WAIT_OBJECT_0) {
        return false;
    }
    (void)GetExitCodeProcess(child->process, &code);
    child->phase = CHILD_ENDED;
    child->code = (int)(code & 0xFF);
    return true;
}

void child_signal(struct child *child, int number)
{
    (void)number; /* there is one console event for another group */
    if (child->phase == CHILD_RUNNING) {
        (void)GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, (DWORD)child->pid);
    }
}

/* How many processes of the job run. */
static DWORD count_running(const struct child *child)
{
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION info;
    memset(&info, 0, sizeof info);
    if (child->job == NULL ||
        !QueryInformationJobObject(child->job, JobObjectBasicAccountingInformation, &info,
                                   sizeof info, NULL)) {
        return WaitForSingleObject(child->process, 0) == WAIT_OBJECT_0 ? 0 : 1;
    }
    return info.ActiveProcesses;
}

static bool wait_for_all(const struct child *child, int milliseconds)
{
    for (int waited = 0; count_running(child) > 0; waited += LOOK_MS) {
        if (waited >= milliseconds) {
            return false;
        }
        Sleep(LOOK_MS);
    }
    return true;
}

void child_end(struct child *child)
{
    if (child->process == NULL) {
        return;
    }
    if (count_running(child) > 0) {
        child_signal(child, 0);
        if (!wait_for_all(child, CHILD_GRACE_MS)) {
            (void)TerminateProcess(child->process, 1);
            if (child->job != NULL) {
                (void)TerminateJobObject(child->job, 1);
            }
            (void)wait_for_all(child, CHILD_GRACE_MS);
        }
    }
    if (child->waiting != NULL) {
        (void)UnregisterWaitEx(child->waiting, INVALID_HANDLE_VALUE);
    }
    (void)child_reap(child);
    (void)CloseHandle(child->process);
    if (child->job != NULL) {
        (void)CloseHandle(child->job);
    }
    child->process = child->job = child->waiting = NULL;
    child->pid = 0;
}
