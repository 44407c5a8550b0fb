/* Reloads under load: nothing fails, nothing is cut, nothing is old.
 *
 * 64 connections ask all the time, half of them kept alive, half made anew for each request; beside
 * them a download, an upload, an event stream and a sleeping handler, each far shorter than the
 * drain time. Meanwhile the script is saved with a higher number and `reload` is asked for over the
 * control socket, again and again. An answer must be whole, and must have at least the number that
 * was reported done before its request was sent; on one connection numbers never go back. The URL
 * that is asked for is /v/ of every other script, and / of those between: a set of routes that is
 * not swapped at once would show as 404.
 *
 * The pools of the engine and of the workers keep what many requests at once have needed, up to
 * limits of their own; how many come together at one worker is chance. So that this is not taken
 * for something that reloads leave behind, more requests than there will be fill them first.
 *
 * A stream that outlives the drain time is ended well by the server, which says so. That is no
 * fault of the server's, but of a machine so busy that 0.3 s became DRAIN: it is told apart, by the
 * generation that the stream names.
 *
 * MOONLATCH_RELOADS: how many (60; docs/reload.md has figures of 1000). From 200 on memory is
 * measured every 20 reloads, with nothing under way, and its slope is that of the straight line
 * through the figures of the last four fifths. From 1000 on it is judged: neither memory in use,
 * when it is known, nor resident memory of the process's own, without pages of files, may grow by
 * more than SLOPE_MAX beyond thrice the standard error of the line.
 *
 * MOONLATCH_WORKERS: 2, then a short run with 4. MOONLATCH_OPTIONS: one more option for the server,
 * "--loop=io_uring". MOONLATCH_DRAIN: 20 s. MOONLATCH_PRELOAD: the library made of
 * tests/bench/live.c, for memory in use.
 * ctest-timeout: 300 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DRAIN "20" /* seconds */

enum {
    CONNECTIONS = 64,
    WARM_CONNECTIONS = 200, /* a worker, some of which get more and some fewer */
    WORKERS_MAX = 4,
    INPUT_BYTES = 32 * 1024, /* what the server reads at once */
    SERIES_FROM = 200,       /* reloads */
    JUDGED_FROM = 1000,
    SERIES_STEP = 20,
    SERIES_MAX = 1000,
    SLOPE_MAX = 64, /* bytes a reload */
    ANSWER_BYTES = 262144,
    DOWNLOAD_BYTES = 64 * 1000,
    UPLOAD_PIECES = 20,
    UPLOAD_PIECE = 4096,
    EVENTS = 10
};

static char folder[64];
static char script[96], control[96], live_path[96], said[96];
static const volatile int64_t *live; /* bytes, blocks */
static uint16_t port;
static pid_t server;
static _Atomic bool over;
static _Atomic int reported; /* the number that was reported done last */
static _Atomic long answers, failed, cut, stale, back;
static _Atomic long ended; /* streams that ended well, but early */
static _Atomic int *early; /* those, by generation */
static int *excused;       /* and how many of each the server says it had to end */
static int generations;    /* so many, and 0 for what names none */
static char sample[256];   /* of what went wrong first */
static pthread_mutex_t sample_lock = PTHREAD_MUTEX_INITIALIZER;

static void note(_Atomic long *count, const char *what, const char *detail)
{
    if (atomic_fetch_add(count, 1) == 0) {
        pthread_mutex_lock(&sample_lock);
        if (sample[0] == '\0') {
            snprintf(sample, sizeof sample, "%s: %.150s", what, detail);
        }
        pthread_mutex_unlock(&sample_lock);
    }
}

static void die(const char *what)
{
    fprintf(stderr, "FAILED: %s: %s\n", what, strerror(errno));
    if (server > 0) {
        kill(server, SIGKILL);
    }
    _exit(1);
}

/* --- the script --------------------------------------------------------------------------------
 */

static void save(int number)
{
    char temporary[160];
    snprintf(temporary, sizeof temporary, "%s.tmp", script);
    FILE *file = fopen(temporary, "w");
    if (file == NULL) {
        die("save");
    }
    fprintf(file,
            "local n = %d\n"
            "local kilobyte = n .. (' '):rep(1000 - #tostring(n))\n"
            "local s <close> = http.session { timeouts = { header_wait = %d } }\n"
            "http.add_url('%s', function() return tostring(n) end)\n"
            "http.add_url('/gone%d/', function() return tostring(n) end)\n"
            "http.add_url('/download/', function() return function(stream)\n"
            "  for i = 1, 64 do stream:write(kilobyte) http.sleep(0.005) end end end)\n"
            "http.add_url('/fill/', function() return function(stream)\n"
            "  for i = 1, 1000 do if not stream:write(kilobyte) then return end end end end)\n"
            "http.add_url('/upload/', function(request)\n"
            "  return tostring(#request:body()) end)\n"
            "http.add_url('/events/', function(request)\n"
            "  return function(stream) for i = 1, %d do stream:write('data: ', n, '\\n\\n')\n"
            "    http.sleep(0.03) end end end)\n"
            "http.add_url('/sleep/', function() http.sleep(0.3) return tostring(n) end)\n"
            "http.spawn(function() while true do http.sleep(0.01) end end)\n"
            "http.run()\n",
            number, 10 + number % 7, number % 2 == 1 ? "/v/" : "/", number, EVENTS);
    fclose(file);
    if (rename(temporary, script) != 0) {
        die("rename");
    }
}

/* --- a small client ----------------------------------------------------------------------------
 */

static int dial(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval limit = {.tv_sec = 20};
    int one = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_all(int fd, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, p, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        p += sent;
        len -= (size_t)sent;
    }
    return true;
}

struct answer {
    char bytes[ANSWER_BYTES];
    size_t len;
    int status;
    const char *body;
    size_t body_len;
};

static size_t find(const char *p, size_t len, const char *what)
{
    const char *at = memmem(p, len, what, strlen(what));
    return at == NULL ? SIZE_MAX : (size_t)(at - p);
}

/* Whether the answer is whole; chunks are joined in place. */
static bool is_whole(struct answer *a)
{
    size_t head = find(a->bytes, a->len, "\r\n\r\n");
    if (head == SIZE_MAX) {
        return false;
    }
    char *body = a->bytes + head + 4;
    size_t have = a->len - head - 4;
    a->status = (int)strtol(a->bytes + 9, NULL, 10);
    a->body = body;
    size_t length = find(a->bytes, head, "Content-Length: ");
    if (length != SIZE_MAX) {
        a->body_len = strtoul(a->bytes + length + 16, NULL, 10);
        return have >= a->body_len;
    }
    if (find(a->bytes, head, "chunked") == SIZE_MAX) {
        a->body_len = 0;
        return a->status == 204;
    }
    size_t end = find(body, have, "0\r\n\r\n");
    if (end == SIZE_MAX || (end > 0 && body[end - 1] != '\n')) {
        return false;
    }
    a->body_len = 0;
    for (size_t at = 0; at < have;) {
        char *after = NULL;
        size_t size = strtoul(body + at, &after, 16);
        size_t from = (size_t)(after - body) + 2;
        if (size == 0) {
            return true;
        }
        if (from + size > have) {
            return false;
        }
        memmove(body + a->body_len, body + from, size);
        a->body_len += size;
        at = from + size + 2;
    }
    return true;
}

/* false: the connection ended, or nothing came for 20 s. */
static bool receive(int fd, struct answer *a)
{
    a->len = 0;
    while (a->len < sizeof a->bytes - 1) {
        ssize_t got = recv(fd, a->bytes + a->len, sizeof a->bytes - 1 - a->len, 0);
        if (got <= 0) {
            return false;
        }
        a->len += (size_t)got;
        a->bytes[a->len] = '\0';
        if (a->len > 5 && is_whole(a)) {
            return true;
        }
    }
    return false;
}

static bool ask(int fd, const char *path, bool keep, struct answer *a)
{
    char request[256];
    int len = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost:%u\r\n%s\r\n",
                       path, port, keep ? "" : "Connection: close\r\n");
    return send_all(fd, request, (size_t)len) && receive(fd, a);
}

/* --- what runs all the time --------------------------------------------------------------------
 */

/* The number of an answer, judged. */
static int judge(const struct answer *a, int least, int before)
{
    if (a->status != 200) {
        note(&failed, "status", a->bytes);
        return before;
    }
    int number = (int)strtol(a->body, NULL, 10);
    if (number < least) {
        note(&stale, "stale", a->body);
    }
    if (number < before) {
        note(&back, "went back on one connection", a->body);
    }
    atomic_fetch_add(&answers, 1);
    return number;
}

static void *keep_asking(void *arg)
{
    struct answer *a = malloc(sizeof *a);
    bool keep = arg != NULL;
    int fd = -1;
    int number = 0;
    while (!atomic_load(&over)) {
        if (fd < 0) {
            fd = dial();
            number = 0;
        }
        int least = atomic_load(&reported);
        if (fd < 0 || !ask(fd, "/v/", keep, a)) {
            note(&failed, "no answer", fd < 0 ? "no connection" : "connection ended");
            close(fd);
            fd = -1;
            continue;
        }
        number = judge(a, least, number);
        if (!keep) {
            close(fd);
            fd = -1;
        }
    }
    close(fd);
    free(a);
    return NULL;
}

/* A stream that ended early, of the generation whose number it begins with. */
static void note_early(const char *path, const char *number)
{
    long generation = strtol(number, NULL, 10);
    note(&ended, path, "ended early");
    atomic_fetch_add(&early[generation > 0 && generation <= generations ? generation : 0], 1);
}

static void *keep_long(void *arg)
{
    const char *path = arg;
    struct answer *a = malloc(sizeof *a);
    while (!atomic_load(&over)) {
        int fd = dial();
        int least = atomic_load(&reported);
        if (fd < 0 || !ask(fd, path, false, a)) {
            note(&cut, path, "no whole answer");
        } else if (strcmp(path, "/sleep/") == 0) {
            (void)judge(a, least, 0);
        } else if (strcmp(path, "/download/") == 0 && a->body_len != DOWNLOAD_BYTES) {
            note_early(path, a->body);
        } else if (strcmp(path, "/events/") == 0) {
            size_t events = 0;
            for (size_t i = 0; i < a->body_len; i++) {
                events += a->body[i] == 'd' ? 1 : 0;
            }
            if (events != EVENTS) {
                note_early(path, a->body_len > 6 ? a->body + 6 : ""); /* "data: " */
            }
        }
        close(fd);
    }
    free(a);
    return NULL;
}

static void *keep_uploading(void *arg)
{
    struct answer *a = malloc(sizeof *a);
    char piece[UPLOAD_PIECE];
    char head[256];
    (void)arg;
    memset(piece, 'u', sizeof piece);
    while (!atomic_load(&over)) {
        int fd = dial();
        int len = snprintf(head, sizeof head,
                           "POST /upload/ HTTP/1.1\r\nHost: localhost:%u\r\nContent-Length: "
                           "%d\r\nConnection: close\r\n\r\n",
                           port, UPLOAD_PIECES * UPLOAD_PIECE);
        bool ok = fd >= 0 && send_all(fd, head, (size_t)len);
        for (int i = 0; ok && i < UPLOAD_PIECES; i++) {
            ok = send_all(fd, piece, sizeof piece);
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
        if (!ok || !receive(fd, a) || a->status != 200 ||
            (int)strtol(a->body, NULL, 10) != UPLOAD_PIECES * UPLOAD_PIECE) {
            note(&cut, "/upload/", ok ? a->bytes : "cut");
        }
        close(fd);
    }
    free(a);
    return NULL;
}

/* As many answers at once as the pools keep memory for, that nobody reads: each fills its buffer
 * before the first one ends. */
static void fill_output(int connections)
{
    static int fds[WARM_CONNECTIONS * WORKERS_MAX];
    char head[128];
    int few = 4096;
    int len =
        snprintf(head, sizeof head, "GET /fill/ HTTP/1.1\r\nHost: localhost:%u\r\n\r\n", port);
    for (int i = 0; i < connections; i++) {
        fds[i] = dial();
        setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &few, sizeof few);
        if (fds[i] < 0 || !send_all(fds[i], head, (size_t)len)) {
            note(&failed, "warming up", "no connection");
        }
    }
    for (int i = 0; i < connections; i++) {
        struct pollfd there = {.fd = fds[i], .events = POLLIN};
        if (poll(&there, 1, 20000) != 1) {
            note(&failed, "warming up", "no answer");
        }
    }
    for (int i = 0; i < connections; i++) {
        close(fds[i]);
    }
}

/* As many requests at once as the pools keep memory for, with a body that their handler does not
 * read: each fills its buffer of input to the end and keeps it until the answer. */
static void fill_input(int connections)
{
    static int fds[WARM_CONNECTIONS * WORKERS_MAX];
    static char request[INPUT_BYTES];
    struct answer *a = malloc(sizeof *a);
    memset(request, 'w', sizeof request);
    int len = snprintf(request, sizeof request,
                       "POST /sleep/ HTTP/1.1\r\nHost: localhost:%u\r\n"
                       "Content-Length: %d\r\n\r\n",
                       port, INPUT_BYTES);
    request[len] = 'w';
    for (int i = 0; i < connections; i++) {
        fds[i] = dial();
        if (fds[i] < 0 || !send_all(fds[i], request, sizeof request)) {
            note(&failed, "warming up", "no request");
        }
    }
    for (int i = 0; i < connections; i++) {
        if (!receive(fds[i], a) || a->status != 200) {
            note(&failed, "warming up", "no answer");
        }
        close(fds[i]);
    }
    free(a);
}

/* --- the server --------------------------------------------------------------------------------
 */

/* Where the preloaded library counts. */
static void share_live(void)
{
    snprintf(live_path, sizeof live_path, "%s/live", folder);
    int fd = open(live_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, 16) != 0) {
        die(live_path);
    }
    void *p = mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
    live = p == MAP_FAILED ? NULL : p;
    close(fd);
}

static void start(const char *workers)
{
    const char *preload = getenv("MOONLATCH_PRELOAD");
    const char *option = getenv("MOONLATCH_OPTIONS");
    const char *drain = getenv("MOONLATCH_DRAIN");
    int out[2];
    char line[256] = "";
    const char *program = getenv("MOONLATCH");
    snprintf(folder, sizeof folder, "/tmp/moonlatch-reload-XXXXXX");
    if (program == NULL || mkdtemp(folder) == NULL || pipe(out) != 0) {
        die("set MOONLATCH to the executable");
    }
    snprintf(script, sizeof script, "%s/app.lua", folder);
    snprintf(said, sizeof said, "%s/said", folder);
    snprintf(control, sizeof control, "%s/control", folder);
    save(1);
    if (preload != NULL) {
        share_live();
    }
    server = fork();
    if (server == 0) {
        if (preload != NULL) {
            setenv("MOONLATCH_LIVE", live_path, 1);
            setenv("LD_PRELOAD", preload, 1);
        }
        dup2(out[1], STDOUT_FILENO);
        if (freopen(said, "w", stderr) != NULL) {
            execl(program, program, "run", script, "-p", "0", "--control", control, "--workers",
                  workers, "--drain", drain == NULL ? DRAIN : drain, option, (char *)NULL);
        }
        _exit(127);
    }
    close(out[1]);
    FILE *ready = fdopen(out[0], "r");
    const char *colon = fgets(line, sizeof line, ready) == NULL ? NULL : strrchr(line, ':');
    if (colon == NULL) {
        die("no ready line");
    }
    port = (uint16_t)strtoul(colon + 1, NULL, 10);
}

/* Asks over the control socket; the text behind the code. Returns the code. */
static int ctl(const char *question, char *text, size_t cap)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = 0;
    ssize_t got;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", control);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        !send_all(fd, question, strlen(question))) {
        die("control socket");
    }
    while (len < cap - 1 && (got = recv(fd, text + len, cap - 1 - len, 0)) > 0) {
        len += (size_t)got;
    }
    text[len] = '\0';
    close(fd);
    return len == 0 ? -1 : (int)strtol(text, NULL, 10);
}

static long count_entries(const char *path)
{
    long count = 0;
    DIR *stream = opendir(path);
    while (stream != NULL && readdir(stream) != NULL) {
        count++;
    }
    if (stream != NULL) {
        closedir(stream);
    }
    return count;
}

static long count_lines(const char *text)
{
    long lines = 0;
    for (; *text != '\0'; text++) {
        lines += *text == '\n' ? 1 : 0;
    }
    return lines;
}

struct figures {
    long descriptors, nodes;
    long kib, file_kib;    /* resident: its own pages, and those of the program's files */
    int64_t bytes, blocks; /* in use; 0 without MOONLATCH_PRELOAD */
};

/* With nothing under way: the old generations have ended. */
static struct figures measure(void)
{
    char text[65536];
    char path[64];
    struct figures f = {0};
    for (int i = 0; i < 500; i++) {
        (void)ctl("gens\n", text, sizeof text);
        if (count_lines(text) == 2) {
            break;
        }
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    (void)ctl("tree\n", text, sizeof text);
    f.nodes = count_lines(text);
    snprintf(path, sizeof path, "/proc/%ld/fd", (long)server);
    f.descriptors = count_entries(path);
    snprintf(path, sizeof path, "/proc/%ld/status", (long)server);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(text, sizeof text, file) != NULL) {
        (void)sscanf(text, "RssAnon: %ld", &f.kib); /* each is in one line */
        (void)sscanf(text, "RssFile: %ld", &f.file_kib);
    }
    if (file != NULL) {
        fclose(file);
    }
    for (int i = 0; live != NULL && i < 10; i++) { /* the last connections are still closing */
        if (i == 0 || live[0] < f.bytes) {
            f.bytes = live[0];
            f.blocks = live[1];
        }
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return f;
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double *took;

static void reload(int number)
{
    char text[8192];
    save(number);
    double began = now_ms();
    if (ctl("reload\n", text, sizeof text) != 0) {
        errno = 0;
        note(&failed, "reload", text);
    }
    took[number - 2] = now_ms() - began;
    atomic_store(&reported, number);
}

static void run(int first, int last)
{
    static pthread_t threads[CONNECTIONS + 4];
    static char download[] = "/download/", events[] = "/events/", sleeping[] = "/sleep/";
    size_t count = 0;
    atomic_store(&over, false);
    for (int i = 0; i < CONNECTIONS; i++) {
        pthread_create(&threads[count++], NULL, keep_asking, i % 2 == 0 ? folder : NULL);
    }
    pthread_create(&threads[count++], NULL, keep_long, download);
    pthread_create(&threads[count++], NULL, keep_long, events);
    pthread_create(&threads[count++], NULL, keep_long, sleeping);
    pthread_create(&threads[count++], NULL, keep_uploading, NULL);
    for (int i = first; i < last; i++) {
        reload(i);
    }
    atomic_store(&over, true);
    for (size_t i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    reload(last); /* what serves now has no garbage of requests yet */
}

struct slope {
    double bytes; /* a reload */
    double error; /* the standard error, from how far the figures are off the line */
};

/* By which memory grows: the straight line through the figures. */
static struct slope find_slope(const char *what, const double *at, const double *kib, size_t count)
{
    double mean_at = 0, mean_kib = 0, up = 0, down = 0, off = 0;
    for (size_t i = 0; i < count; i++) {
        mean_at += at[i] / (double)count;
        mean_kib += kib[i] / (double)count;
    }
    for (size_t i = 0; i < count; i++) {
        up += (at[i] - mean_at) * (kib[i] - mean_kib);
        down += (at[i] - mean_at) * (at[i] - mean_at);
    }
    double slope = count < 3 ? 0 : up / down;
    for (size_t i = 0; i < count; i++) {
        double distance = kib[i] - mean_kib - slope * (at[i] - mean_at);
        off += distance * distance;
    }
    double error = count < 3 ? 0 : sqrt(off / (double)(count - 2) / down);
    printf("slope, %s: %.0f bytes a reload, standard error %.0f\n", what, slope * 1024,
           error * 1024);
    return (struct slope){.bytes = slope * 1024, .error = error * 1024};
}

/* The last part, measured in steps. */
static bool run_series(int first, int last)
{
    static double at[SERIES_MAX], kib[SERIES_MAX], used[SERIES_MAX];
    size_t count = 0;
    for (int next; first <= last && count < SERIES_MAX; first = next) {
        next = first + SERIES_STEP < last + 1 ? first + SERIES_STEP : last + 1;
        run(first, next - 1);
        struct figures f = measure();
        at[count] = next - 2;
        kib[count] = (double)f.kib;
        used[count] = (double)f.bytes / 1024;
        printf("after %d reloads: %ld KiB resident, %ld of files", next - 2, f.kib, f.file_kib);
        if (live != NULL) {
            printf(", %lld bytes in %lld blocks in use", (long long)f.bytes, (long long)f.blocks);
        }
        printf("\n");
        count++;
    }
    struct slope resident = find_slope("resident", at, kib, count);
    bool ok = resident.bytes <= SLOPE_MAX + 3 * resident.error;
    if (live != NULL) {
        struct slope in_use = find_slope("in use", at, used, count);
        ok = ok && in_use.bytes <= SLOPE_MAX + 3 * in_use.error;
    }
    return ok || last < JUDGED_FROM;
}

/* What the server said besides that it has reloaded and closed; and of which generations it had to
 * end what had not ended by itself. */
static void print_said(void)
{
    char line[1024];
    FILE *file = fopen(said, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *of = strstr(line, "gen ");
        int generation = 0, count = 0;
        if (of != NULL &&
            sscanf(of, "gen %d: the drain time is over, %d request", &generation, &count) == 2 &&
            generation > 0 && generation <= generations) {
            excused[generation] += count;
        }
        if (strstr(line, " reload  ") == NULL && strstr(line, " closed  ") == NULL) {
            printf("server: %s", line);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

/* Whether each stream that ended early is one that the server said it had to end. */
static bool is_excused(void)
{
    bool ok = true;
    for (int i = 0; i <= generations; i++) {
        if (early[i] > excused[i]) {
            printf("generation %d: %d streams ended early, the server says it ended %d\n", i,
                   early[i], excused[i]);
            ok = false;
        }
    }
    if (atomic_load(&ended) > 0) {
        printf("%ld streams ended early%s\n", atomic_load(&ended),
               ok ? ", at the end of the drain time: the machine is too busy for it" : "");
    }
    return ok;
}

static bool stop(void)
{
    char text[1024];
    int status = 0;
    (void)ctl("stop\n", text, sizeof text);
    waitpid(server, &status, 0);
    unlink(script);
    print_said();
    unlink(said);
    unlink(live_path);
    rmdir(folder);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool test(const char *workers, int count)
{
    int warm = count / 5 + 1;
    int served_by = (int)strtol(workers, NULL, 10);
    if (served_by < 1 || served_by > WORKERS_MAX) {
        die("MOONLATCH_WORKERS: 1 to 4");
    }
    generations = count + 1;
    took = calloc((size_t)count + 2, sizeof *took);
    early = calloc((size_t)count + 2, sizeof *early);
    excused = calloc((size_t)count + 2, sizeof *excused);
    atomic_store(&reported, 1);
    atomic_store(&answers, 0);
    start(workers);
    fill_input(WARM_CONNECTIONS * served_by);
    fill_output(WARM_CONNECTIONS * served_by);
    run(2, warm);
    struct figures before = measure();
    double began = now_ms();
    bool flat = true;
    if (count >= SERIES_FROM) {
        flat = run_series(warm + 1, count + 1);
    } else {
        run(warm + 1, count + 1);
    }
    double lasted = now_ms() - began;
    struct figures after = measure();
    qsort(took, (size_t)count, sizeof *took, compare);
    printf("%s workers, %d reloads, %ld answers, %ld failed, %ld cut, %ld stale, %ld back\n",
           workers, count, atomic_load(&answers), atomic_load(&failed), atomic_load(&cut),
           atomic_load(&stale), atomic_load(&back));
    printf("reload asked to reported: median %.1f ms, p99 %.1f, longest %.1f, last part %.1f s\n",
           took[count / 2], took[count * 99 / 100], took[count - 1], lasted / 1e3);
    printf("descriptors %ld -> %ld, nodes %ld -> %ld, RSS %ld -> %ld KiB\n", before.descriptors,
           after.descriptors, before.nodes, after.nodes, before.kib, after.kib);
    free(took);
    bool ok = stop();
    ok = is_excused() && ok;
    free(early);
    free(excused);
    return ok && flat && atomic_load(&answers) > 0 && atomic_load(&failed) == 0 &&
           atomic_load(&cut) == 0 && atomic_load(&stale) == 0 && atomic_load(&back) == 0 &&
           before.descriptors == after.descriptors && before.nodes == after.nodes;
}

int main(void)
{
    const char *wanted = getenv("MOONLATCH_RELOADS");
    const char *workers = getenv("MOONLATCH_WORKERS");
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    bool ok =
        test(workers == NULL ? "2" : workers, wanted == NULL ? 60 : (int)strtol(wanted, NULL, 10));
    if (wanted == NULL && workers == NULL) {
        ok = test("4", 20) && ok;
    }
    if (sample[0] != '\0') {
        printf("first: %s\n", sample);
    }
    printf("%s\n", ok ? "ok: reload_load" : "FAILED");
    return ok ? 0 : 1;
}
