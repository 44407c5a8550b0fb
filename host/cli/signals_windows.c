/* Console control events as the bytes of signals.h. The system calls the handler on a thread of its
 * own; it ends the process when the handler of a closing console returns, so that one waits. */
#include "cli/signals.h"

#include <fcntl.h>
#include <io.h>
#include <signal.h>

#include "api/httpapi.h"

enum {
    STOPS_MAX = 3, /* the third stop signal does not wait any more */
    PIPE_BYTES = 256,
    CLOSE_GRACE_MS = 20000 /* more than the system gives a closing console */
};

/* The process record: what the handler can reach. Written before the handler is installed. */
static struct {
    int read_fd, write_fd;
    volatile LONG stops; /* stop events so far */
} record = {-1, -1, 0};

static BOOL WINAPI on_control(DWORD event)
{
    bool soft = event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT;
    unsigned char number = event == CTRL_C_EVENT ? SIGINT : SIGTERM;
    if (InterlockedIncrement(&record.stops) >= STOPS_MAX) {
        ExitProcess(128u + number);
    }
    (void)_write(record.write_fd, &number, 1); /* full: plenty of them are there already */
    if (!soft) {
        Sleep(CLOSE_GRACE_MS);
    }
    return TRUE;
}

bool signals_open(int *fd)
{
    int ends[2];
    if (_pipe(ends, PIPE_BYTES, _O_BINARY | _O_NOINHERIT) != 0) {
        return false;
    }
    record.read_fd = ends[0];
    record.write_fd = ends[1];
    record.stops = 0;
    *fd = ends[0];
    /* A program started by another's background job may ignore Ctrl-C by inheritance. */
    (void)SetConsoleCtrlHandler(NULL, FALSE);
    return SetConsoleCtrlHandler(on_control, TRUE) != 0;
}

/* The reading end is the reader thread's until it sees the end (signal_watch_windows.c). */
void signals_close(void)
{
    (void)SetConsoleCtrlHandler(on_control, FALSE);
    (void)_close(record.write_fd);
    record.write_fd = -1;
}

void signals_tell_child(void)
{
    unsigned char number = SIGNALS_CHILD;
    (void)_write(record.write_fd, &number, 1); /* a signals_close in between: nobody listens */
}
