/* What is Linux about it: processes that the command leaves behind become our children (prctl
 * PR_SET_CHILD_SUBREAPER), so that their end can be waited for instead of guessed. */
#include "cli/child.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    URL_BYTES_MAX = 2100,
    LOOK_MS = 5 /* between two looks whether the group is gone */
};

/* The environment with our two variables in front of it, which so win. The array is the caller's to
 * free; the strings are not copied. */
static char **make_environment(char *url, char *port)
{
    size_t count = 0;
    while (environ[count] != NULL) {
        count++;
    }
    char **all = calloc(count + 3, sizeof *all);
    if (all != NULL) {
        size_t at = 0;
        all[at++] = url;
        all[at++] = port;
        for (size_t i = 0; i < count; i++) {
            if (strncmp(environ[i], "MOONLATCH_URL=", 14) != 0 &&
                strncmp(environ[i], "MOONLATCH_PORT=", 15) != 0) {
                all[at++] = environ[i];
            }
        }
    }
    return all;
}

/* A group of its own, no signal blocked, every signal at its default. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t defaults;
    (void)sigemptyset(&none);
    (void)sigfillset(&defaults);
    int error = posix_spawnattr_setflags(
        attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    error = error != 0 ? error : posix_spawnattr_setpgroup(attributes, 0);
    error = error != 0 ? error : posix_spawnattr_setsigmask(attributes, &none);
    return error != 0 ? error : posix_spawnattr_setsigdefault(attributes, &defaults);
}

/* Makes the child's group the terminal's foreground, if ours is it now: it may read from it, and ^C
 * goes there. */
static bool hand_over_terminal(pid_t group)
{
    if (isatty(STDIN_FILENO) != 1 || tcgetpgrp(STDIN_FILENO) != getpgrp()) {
        return false;
    }
    return tcsetpgrp(STDIN_FILENO, group) == 0;
}

static void take_back_terminal(struct child *child)
{
    sigset_t out;
    sigset_t before;
    if (!child->had_terminal) {
        return;
    }
    child->had_terminal = false;
    (void)sigemptyset(&out);
    (void)sigaddset(&out, SIGTTOU); /* or a background group could not ask */
    (void)sigprocmask(SIG_BLOCK, &out, &before);
    (void)tcsetpgrp(STDIN_FILENO, getpgrp());
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

bool child_start(struct child *child, const char *const *args, const char *url, uint16_t port,
                 const char **why)
{
    char url_text[URL_BYTES_MAX];
    char port_text[32];
    posix_spawnattr_t attributes;
    pid_t pid = 0;
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L,
                0L); /* without it grandchildren are init's to reap */
    (void)snprintf(url_text, sizeof url_text, "MOONLATCH_URL=%s", url);
    (void)snprintf(port_text, sizeof port_text, "MOONLATCH_PORT=%u", (unsigned)port);
    char **all = make_environment(url_text, port_text);
    int error = all == NULL ? ENOMEM : posix_spawnattr_init(&attributes);
    if (error == 0) {
        error = set_attributes(&attributes);
        if (error == 0) {
            error =
                posix_spawnp(&pid, args[0], NULL, &attributes, (char *const *)(uintptr_t)args, all);
        }
        (void)posix_spawnattr_destroy(&attributes);
    }
    free(all);
    if (error != 0) {
        child->phase = CHILD_FAILED;
        child->code = error == ENOENT ? 127 : 126;
        *why = strerror(error);
        return false;
    }
    child->phase = CHILD_RUNNING;
    child->pid = pid;
    child->had_terminal = hand_over_terminal(pid);
    return true;
}

static void note_end(struct child *child, int status)
{
    child->phase = CHILD_ENDED;
    child->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    take_back_terminal(child);
}

/* Takes what has ended of the group. pid 0 when nobody is left of it: the number may come to mean
 * others then. */
static void reap_group(struct child *child)
{
    int status = 0;
    pid_t pid = 0;
    while ((pid = waitpid(-(pid_t)child->pid, &status, WNOHANG)) > 0) {
        if (pid == (pid_t)child->pid && child->phase == CHILD_RUNNING) {
            note_end(child, status);
        }
    }
    if (child->phase == CHILD_ENDED && kill(-(pid_t)child->pid, 0) != 0) {
        child->pid = 0;
    }
}

bool child_reap(struct child *child)
{
    if (child->phase != CHILD_RUNNING) {
        return false;
    }
    reap_group(child);
    return child->phase == CHILD_ENDED;
}

void child_signal(struct child *child, int number)
{
    if (child->phase == CHILD_RUNNING) {
        child->told = true;
        (void)kill(-(pid_t)child->pid, number); /* gone already: fine */
    }
}

/* Waits until nobody of the group is left. */
static bool wait_for_group(struct child *child, int milliseconds)
{
    for (int waited = 0;; waited += LOOK_MS) {
        reap_group(child);
        if (child->pid == 0) {
            return true;
        }
        if (waited >= milliseconds) {
            return false;
        }
        (void)nanosleep(&(struct timespec){.tv_sec = 0, .tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
}

void child_end(struct child *child)
{
    if (child->pid != 0 && !wait_for_group(child, child->told ? CHILD_GRACE_MS : 0)) {
        (void)kill(-(pid_t)child->pid, SIGTERM);
        (void)kill(-(pid_t)child->pid, SIGCONT); /* a stopped process would not hear it */
        if (!wait_for_group(child, CHILD_GRACE_MS)) {
            (void)kill(-(pid_t)child->pid,
                       SIGKILL); /* not gone a moment ago, so still this group's number */
            (void)wait_for_group(child, CHILD_GRACE_MS);
        }
    }
    take_back_terminal(child);
}
