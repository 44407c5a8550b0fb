#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    STOPS_MAX = 3, /* the third stop signal does not wait any more */
    /* The same signal again so soon is the same wish: timeout(1) sends it to the process
     * and to its group. */
    ECHO_MS = 20
};

/* The process record: what a signal handler can reach. Written before the handlers are installed.
 */
static struct {
    int read_fd, write_fd;
    volatile sig_atomic_t stops; /* SIGINT and SIGTERM so far, echoes not counted */
    volatile sig_atomic_t last;  /* number of the last one */
    struct timespec last_time;   /* of the last one; written with both blocked */
} record = {.read_fd = -1, .write_fd = -1};

static const int stop_signals[] = {SIGINT, SIGTERM};
static const int other_signals[] = {SIGHUP, SIGCHLD};

static void tell(int number)
{
    int saved = errno;
    unsigned char byte = (unsigned char)(number == SIGHUP    ? SIGNALS_HANGUP
                                         : number == SIGCHLD ? SIGNALS_CHILD
                                                             : number);
    ssize_t written =
        write(record.write_fd, &byte, 1); /* full: plenty of signals are there already */
    (void)written;
    errno = saved;
}

static bool is_echo(int number)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    long long passed_ns = (now.tv_sec - record.last_time.tv_sec) * 1000000000LL +
                          (now.tv_nsec - record.last_time.tv_nsec);
    bool echo = record.stops > 0 && record.last == number && passed_ns < ECHO_MS * 1000000LL;
    record.last = number;
    record.last_time = now;
    return echo;
}

static void on_stop(int number)
{
    if (is_echo(number)) {
        return;
    }
    record.stops = record.stops + 1;
    if (record.stops >= STOPS_MAX) {
        _exit(128 + number);
    }
    tell(number);
}

static void on_pipe(int number)
{
    (void)number;
}

static bool catch (int number, void (*handler)(int number))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof stop_signals / sizeof stop_signals[0]; i++) {
        (void)sigaddset(&action.sa_mask, stop_signals[i]);
    }
    return sigaction(number, &action, NULL) == 0;
}

bool signals_open(int *fd)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return false;
    }
    record.read_fd = ends[0];
    record.write_fd = ends[1];
    record.stops = 0;
    bool ok = catch (SIGPIPE, on_pipe);
    for (size_t i = 0; i < sizeof stop_signals / sizeof stop_signals[0]; i++) {
        ok = catch (stop_signals[i], on_stop) && ok;
    }
    for (size_t i = 0; i < sizeof other_signals / sizeof other_signals[0]; i++) {
        ok = catch (other_signals[i], tell) && ok;
    }
    *fd = ends[0];
    return ok;
}

void signals_close(void)
{
    for (size_t i = 0; i < sizeof stop_signals / sizeof stop_signals[0]; i++) {
        (void)catch (stop_signals[i], SIG_DFL);
    }
    for (size_t i = 0; i < sizeof other_signals / sizeof other_signals[0]; i++) {
        (void)catch (other_signals[i], SIG_DFL);
    }
    (void)close(record.read_fd);
    (void)close(record.write_fd);
    record.read_fd = record.write_fd = -1;
}
