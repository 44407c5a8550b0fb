/* The command of `test FILE -- COMMAND`: started in a process group of its own, and gone when we
 * are.
 *
 *   CHILD_NONE      not started                     RUNNING, FAILED
 *   CHILD_RUNNING   child_start succeeded           ENDED
 *   CHILD_ENDED     reaped; code is its exit code   -
 *   CHILD_FAILED    it could not be started; code is 127 (not found) or 126, as shells have it
 *
 * Thread: main. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum child_phase { CHILD_NONE, CHILD_RUNNING, CHILD_ENDED, CHILD_FAILED };

struct child {
    enum child_phase phase;
    long pid;          /* also its process group; 0: nobody of the group is left */
    int code;          /* exit code, 128 + n when a signal ended it */
    bool had_terminal; /* the terminal was handed to its group */
    bool told;         /* a stop signal was passed on: it may end by itself */
    void *process;     /* child_windows.c: its handle */
    void *job;         /* and that of the job that stands for the group */
    void *waiting;     /* and that of the wait for its end */
};

/* Starts args[0..count) with MOONLATCH_URL and MOONLATCH_PORT; default signals. false: phase
 * FAILED, *why says what was wrong. */
bool child_start(struct child *child, const char *const *args, const char *url, uint16_t port,
                 const char **why);

/* After SIGCHLD: true when it has ended now. */
bool child_reap(struct child *child);

/* Passes a signal on to its group. */
void child_signal(struct child *child, int number);

/* Ends it and whatever is left of its group: SIGTERM (after CHILD_GRACE_MS when a stop signal was
 * passed on already), then SIGKILL after as long again. Afterwards no process of the group runs. */
void child_end(struct child *child);

enum { CHILD_GRACE_MS = 1000 };
