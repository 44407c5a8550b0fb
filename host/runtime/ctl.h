/* The control socket of a running host: what `moonlatch ctl` asks, and how it is answered.
 *
 * A Unix socket, mode 0600, in a folder of the user's that nobody else can enter, named by the
 * process: $XDG_RUNTIME_DIR/moonlatch/PID.sock, or /tmp/moonlatch-UID/PID.sock. On Windows a named
 * pipe, \\.\pipe\moonlatch-PID, for this user and this machine alone. One connection, one
 * question: a line such as "reload\n"; the answer is the exit code for `ctl` in digits, a line
 * feed, and the text to print, then the end of the connection. Who closes his side after the line
 * feed (`printf 'reload\n' | nc -N -U SOCKET`) is answered all the same.
 *
 *   reload    loads the scripts anew; answered when every worker serves the new ones, or with 3
 *   rollback  the same with the texts of the generation before
 *   status, gens, tree   what there is
 *   stop      as SIGTERM; drain: the same, but waits for requests as long as they take. Both are
 *             answered when everything is closed
 *
 * Owner: struct host. Thread: coordinator. Limits: CTL_CLIENTS_MAX connections; a further one waits
 * in the backlog; of a pipe 4 are served at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "api/httpapi.h"
#include "base/buf.h"
#include "base/slice.h"
#include "runtime/reload.h"

struct ctl;
struct host;
struct host_verdict;

enum {
    CTL_CLIENTS_MAX = 16,
    CTL_LINE_BYTES_MAX = 256,
    CTL_ANSWER_BYTES_MAX = 1024 * 1024,
    CTL_PATH_BYTES_MAX = 108 /* what a Unix socket's address has room for */
};

/* What ctl_answer says of a question. */
enum ctl_fate {
    CTL_ANSWERED,  /* code and text are there */
    CTL_RELOADING, /* the waiter will be called */
    CTL_ENDING     /* ctl_close answers it */
};

struct ctl_question {
    struct reload_waiter waiter; /* `done` is set by the asker */
    int code;                    /* exit code of `ctl` */
    struct buf text;
};

/* One question, without its line feed. The text is appended. */
enum ctl_fate ctl_answer(struct host *host, struct slice line, struct ctl_question *question);

/* The outcome of a reload as `ctl` prints it. */
void ctl_describe_reload(struct ctl_question *question, const struct reload_result *result);

/* The end of the host, for who waited for it. */
void ctl_describe_end(struct ctl_question *question, const struct host_verdict *verdict);

/* Listens. path NULL: the place described above. Errors: ERROR_NOT_SUPPORTED; ERROR_ALREADY_EXISTS
 * another process listens there; ERROR_ACCESS_DENIED the folder is not ours alone;
 * ERROR_INVALID_PARAMETER the path is too long, or none of a pipe where it must be;
 * ERROR_NOT_SUPPORTED the system has neither; ERROR_NOT_ENOUGH_MEMORY. *out is NULL then. */
ULONG ctl_open(struct host *host, const char *path, struct ctl **out);

/* Answers who waits for the end, removes the socket. NULL is harmless. */
void ctl_close(struct ctl *ctl, const struct host_verdict *verdict);

/* The other side, for the command: asks the process of that number (0: the only one there is), or
 * at path; prints the text on `out`, errors on `err`. Returns the exit code. No thread, no loop. */
int ctl_ask(const char *path, long pid, const char *question, FILE *out, FILE *err);
