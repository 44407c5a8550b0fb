/* The control socket on systems that have Unix sockets. */
#include "runtime/ctl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/hostdata.h"

enum client_phase {
    CLIENT_FREE,
    CLIENT_ASKING,  /* its line is still to come */
    CLIENT_WAITING, /* for a reload, or for the end */
};

struct client {
    struct loop_watch watch;
    struct ctl *ctl;
    struct ctl_question question;
    enum client_phase phase;
    char line[CTL_LINE_BYTES_MAX];
    size_t len;
};

struct ctl {
    struct host *host;
    struct loop_watch watch; /* fd: the listener */
    char path[CTL_PATH_BYTES_MAX];
    struct client clients[CTL_CLIENTS_MAX];
};

/* --- where -------------------------------------------------------------------------------------
 */

/* The user's folder of control sockets. */
static bool write_folder(char *out, size_t cap)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int len = runtime != NULL && runtime[0] == '/'
                  ? snprintf(out, cap, "%s/moonlatch", runtime)
                  : snprintf(out, cap, "/tmp/moonlatch-%ld", (long)getuid());
    return len > 0 && (size_t)len < cap;
}

/* Makes the folder; it must be ours and closed to others. */
static ULONG make_folder(const char *path)
{
    struct stat info;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return errno == ENOMEM ? ERROR_NOT_ENOUGH_MEMORY : ERROR_ACCESS_DENIED;
    }
    if (lstat(path, &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != getuid() ||
        (info.st_mode & 077) != 0) {
        return ERROR_ACCESS_DENIED;
    }
    return NO_ERROR;
}

static ULONG choose_path(const char *wanted, char out[CTL_PATH_BYTES_MAX])
{
    char folder[CTL_PATH_BYTES_MAX];
    int len = 0;
    if (wanted != NULL) {
        len = snprintf(out, CTL_PATH_BYTES_MAX, "%s", wanted);
    } else {
        if (!write_folder(folder, sizeof folder)) {
            return ERROR_INVALID_PARAMETER;
        }
        ULONG code = make_folder(folder);
        if (code != NO_ERROR) {
            return code;
        }
        len = snprintf(out, CTL_PATH_BYTES_MAX, "%s/%ld.sock", folder, (long)getpid());
    }
    return len > 0 && len < CTL_PATH_BYTES_MAX ? NO_ERROR : ERROR_INVALID_PARAMETER;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* What a process that died has left there is removed; a socket that answers is not. */
static ULONG listen_at(const char *path, int *out)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat info;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int other = connect_to(path);
    if (other >= 0) {
        (void)close(other);
        return ERROR_ALREADY_EXISTS;
    }
    if (lstat(path, &info) == 0 && S_ISSOCK(info.st_mode)) {
        (void)unlink(path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    /* Narrowed before it has a name: nobody else can connect in between. */
    mode_t before = umask(0177);
    int failed = bind(fd, (struct sockaddr *)&address, sizeof address);
    (void)umask(before);
    if (failed != 0 || listen(fd, CTL_CLIENTS_MAX) != 0) {
        ULONG code = errno == EADDRINUSE ? ERROR_ALREADY_EXISTS : ERROR_ACCESS_DENIED;
        (void)close(fd);
        return code;
    }
    *out = fd;
    return NO_ERROR;
}

/* --- clients -----------------------------------------------------------------------------------
 */

static void update_accepting(struct ctl *ctl);

static void drop(struct client *client)
{
    struct ctl *ctl = client->ctl;
    loop_watch_stop(ctl->host->loop, &client->watch);
    reload_forget(&client->question.waiter);
    (void)close(client->watch.fd);
    buf_deinit(&client->question.text);
    client->phase = CLIENT_FREE;
    update_accepting(ctl);
}

/* Sends the answer and ends. The socket's buffer takes what fits; an answer is short, and a client
 * that does not read gets less. */
static void answer(struct client *client)
{
    char head[24];
    struct ctl_question *question = &client->question;
    int len = snprintf(head, sizeof head, "%d\n", question->code);
    int size = CTL_ANSWER_BYTES_MAX;
    (void)setsockopt(client->watch.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    ssize_t sent = send(client->watch.fd, head, (size_t)len, MSG_NOSIGNAL);
    for (size_t at = 0; sent > 0 && at < question->text.len; at += (size_t)sent) {
        sent = send(client->watch.fd, question->text.p + at, question->text.len - at, MSG_NOSIGNAL);
    }
    drop(client);
}

static void on_reloaded(struct reload_waiter *waiter, const struct reload_result *result)
{
    struct client *client = LIST_ITEM(waiter, struct client, question.waiter);
    ctl_describe_reload(&client->question, result);
    answer(client);
}

static void take_line(struct client *client, size_t len)
{
    struct slice line = slice_make(client->line, len);
    client->phase = CLIENT_WAITING;
    if (slice_equal(line, SLICE_LIT("status"))) {
        (void)buf_printf(&client->question.text, "pid %ld\n", (long)getpid());
    }
    if (ctl_answer(client->ctl->host, line, &client->question) == CTL_ANSWERED) {
        answer(client);
    }
}

/* A client that has closed its side may still read: from now on only its end is news. */
static void wait_for_hangup(struct client *client)
{
    client->watch.events = 0;
    if (loop_watch_start(client->ctl->host->loop, &client->watch) != NO_ERROR) {
        drop(client);
    }
}

static void on_client(struct loop_watch *watch, unsigned events)
{
    struct client *client = LIST_ITEM(watch, struct client, watch);
    ssize_t got = recv(watch->fd, client->line + client->len, sizeof client->line - client->len, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got == 0 && client->phase == CLIENT_WAITING && (events & LOOP_HANGUP) == 0) {
        wait_for_hangup(client);
        return;
    }
    if (got <= 0) { /* it has gone; a reload that it asked for goes on */
        drop(client);
        return;
    }
    client->len += (size_t)got;
    const char *end = memchr(client->line, '\n', client->len);
    if (client->phase == CLIENT_ASKING && end != NULL) {
        take_line(client, (size_t)(end - client->line));
    } else if (client->len == sizeof client->line) {
        drop(client);
    }
}

static struct client *find_free(struct ctl *ctl)
{
    for (size_t i = 0; i < CTL_CLIENTS_MAX; i++) {
        if (ctl->clients[i].phase == CLIENT_FREE) {
            return &ctl->clients[i];
        }
    }
    return NULL;
}

/* While every place is taken the listener is not watched: further clients wait in its backlog. */
static void update_accepting(struct ctl *ctl)
{
    if (find_free(ctl) != NULL) {
        (void)loop_watch_start(ctl->host->loop, &ctl->watch); /* it was watched before */
    } else {
        loop_watch_stop(ctl->host->loop, &ctl->watch);
    }
}

static void on_listener(struct loop_watch *watch, unsigned events)
{
    struct ctl *ctl = LIST_ITEM(watch, struct ctl, watch);
    struct client *client = find_free(ctl);
    (void)events;
    int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 || client == NULL) {
        return;
    }
    memset(client, 0, sizeof *client);
    client->ctl = ctl;
    client->watch = (struct loop_watch){.on_ready = on_client, .fd = fd, .events = LOOP_READABLE};
    client->question.waiter.done = on_reloaded;
    buf_init(&client->question.text, CTL_ANSWER_BYTES_MAX);
    client->phase = CLIENT_ASKING;
    if (loop_watch_start(ctl->host->loop, &client->watch) != NO_ERROR) {
        drop(client);
        return;
    }
    update_accepting(ctl);
}

/* --- life --------------------------------------------------------------------------------------
 */

ULONG ctl_open(struct host *host, const char *path, struct ctl **out)
{
    int fd = -1;
    *out = NULL;
    struct ctl *ctl = calloc(1, sizeof *ctl);
    if (ctl == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    ctl->host = host;
    ULONG code = choose_path(path, ctl->path);
    if (code == NO_ERROR) {
        code = listen_at(ctl->path, &fd);
    }
    if (code == NO_ERROR) {
        ctl->watch =
            (struct loop_watch){.on_ready = on_listener, .fd = fd, .events = LOOP_READABLE};
        code = loop_watch_start(host->loop, &ctl->watch);
        if (code != NO_ERROR) {
            (void)unlink(ctl->path);
            (void)close(fd);
        }
    }
    if (code != NO_ERROR) {
        free(ctl);
        return code;
    }
    *out = ctl;
    return NO_ERROR;
}

void ctl_close(struct ctl *ctl, const struct host_verdict *verdict)
{
    if (ctl == NULL) {
        return;
    }
    for (size_t i = 0; i < CTL_CLIENTS_MAX; i++) {
        struct client *client = &ctl->clients[i];
        if (client->phase == CLIENT_WAITING) {
            ctl_describe_end(&client->question, verdict);
            answer(client);
        } else if (client->phase != CLIENT_FREE) {
            drop(client);
        }
    }
    loop_watch_stop(ctl->host->loop, &ctl->watch);
    (void)unlink(ctl->path);
    (void)close(ctl->watch.fd);
    free(ctl);
}

/* --- the other side ----------------------------------------------------------------------------
 */

/* The socket of the only process that listens in the folder. Returns how many there are; removes
 * what dead processes have left. pids: their numbers in words. */
static unsigned find_only(char out[CTL_PATH_BYTES_MAX], char *pids, size_t cap)
{
    char folder[CTL_PATH_BYTES_MAX];
    unsigned count = 0;
    pids[0] = '\0';
    DIR *directory = write_folder(folder, sizeof folder) ? opendir(folder) : NULL;
    const struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char path[CTL_PATH_BYTES_MAX];
        long pid = strtol(entry->d_name, NULL, 10);
        int len = snprintf(path, sizeof path, "%s/%ld.sock", folder, pid);
        if (pid <= 0 || len < 0 || (size_t)len >= sizeof path) {
            continue;
        }
        if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) {
            (void)unlink(path);
            continue;
        }
        size_t used = strlen(pids);
        (void)snprintf(pids + used, cap - used, " %ld", pid);
        memcpy(out, path, (size_t)len + 1);
        count++;
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return count;
}

static bool find_path(const char *path, long pid, char out[CTL_PATH_BYTES_MAX], FILE *err)
{
    char pids[256];
    char folder[CTL_PATH_BYTES_MAX];
    if (path != NULL || pid > 0) {
        int len = path != NULL ? snprintf(out, CTL_PATH_BYTES_MAX, "%s", path)
                  : write_folder(folder, sizeof folder)
                      ? snprintf(out, CTL_PATH_BYTES_MAX, "%s/%ld.sock", folder, pid)
                      : -1;
        if (len < 0 || len >= CTL_PATH_BYTES_MAX) {
            (void)fprintf(err, "error: the path of the socket is too long, %d bytes are possible\n",
                          CTL_PATH_BYTES_MAX - 1);
            return false;
        }
        return true;
    }
    unsigned count = find_only(out, pids, sizeof pids);
    if (count == 0) {
        (void)fprintf(err, "error: no running server found\n");
    } else if (count > 1) {
        (void)fprintf(err, "error: %u servers run:%s\nhint:  ctl COMMAND PID\n", count, pids);
    }
    return count == 1;
}

/* The answer: digits, a line feed, text. -1: none came. */
static int read_answer(int fd, FILE *out)
{
    char piece[4096];
    int code = -1;
    bool in_head = true;
    ssize_t got;
    while ((got = recv(fd, piece, sizeof piece, 0)) > 0) {
        size_t at = 0;
        for (; in_head && at < (size_t)got; at++) {
            if (piece[at] == '\n') {
                in_head = false;
            } else {
                code = (code < 0 ? 0 : code * 10) + (piece[at] - '0');
            }
        }
        (void)fwrite(piece + at, 1, (size_t)got - at, out);
    }
    (void)fflush(out);
    return in_head ? -1 : code;
}

int ctl_ask(const char *path, long pid, const char *question, FILE *out, FILE *err)
{
    char place[CTL_PATH_BYTES_MAX];
    char line[CTL_LINE_BYTES_MAX];
    int len = snprintf(line, sizeof line, "%s\n", question);
    if (!find_path(path, pid, place, err)) {
        return HOST_EXIT_FAILED;
    }
    int fd = connect_to(place);
    if (fd < 0) {
        (void)fprintf(err, "error: nobody listens at %s\n", place);
        return HOST_EXIT_FAILED;
    }
    int code = -1;
    if (len > 0 && (size_t)len < sizeof line && send(fd, line, (size_t)len, MSG_NOSIGNAL) == len) {
        code = read_answer(fd, out);
    }
    (void)close(fd);
    if (code < 0) {
        (void)fprintf(err, "error: the server ended without an answer\n");
        return HOST_EXIT_FAILED;
    }
    return code;
}
