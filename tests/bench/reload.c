/* From a saved file to its first answer: the script of ROUTES + 1 URLs is renamed over the old one
 * SAVES times, and a kept-alive connection asks every ASK_US until the new number answers.
 *
 * reload EXECUTABLE WORKERS idle|loaded [SAVES]
 *
 * loaded: wrk asks the same server over 64 connections meanwhile, with one thread. Prints one line:
 * the times, the CPU time of the server per save (idle), and the load average, because on a machine
 * that does other things too the times say more about those. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUTES = 100, SAVES_MAX = 10000, ASK_US = 100, PAUSE_MS = 60, GIVE_UP_S = 30 };

static char folder[] = "/tmp/moonlatch-bench-XXXXXX";
static char script[64], temporary[64];
static pid_t server, load;
static uint16_t port;

static void clean_up(void)
{
    if (load > 0) {
        kill(load, SIGKILL);
        waitpid(load, NULL, 0);
    }
    if (server > 0) {
        kill(server, SIGTERM);
        waitpid(server, NULL, 0);
    }
    unlink(script);
    unlink(temporary);
    rmdir(folder);
}

static void die(const char *what)
{
    perror(what);
    clean_up();
    _exit(1);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void pause_us(long us)
{
    nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000}, NULL);
}

/* Returns when it was renamed. */
static double save(int number)
{
    FILE *file = fopen(temporary, "w");
    if (file == NULL) {
        die("save");
    }
    fprintf(file, "local n = %d\n", number);
    for (int i = 0; i < ROUTES; i++) {
        fprintf(file, "http.add_url('/r%d/', function() return 'route %d' end)\n", i, i);
    }
    fprintf(file, "http.add_url('/v/', function() return tostring(n) end)\n");
    fclose(file);
    double at = now_ms();
    if (rename(temporary, script) != 0) {
        die("rename");
    }
    return at;
}

static void start(const char *program, const char *workers)
{
    char line[256] = "";
    int out[2];
    if (mkdtemp(folder) == NULL || pipe(out) != 0) {
        die("start");
    }
    snprintf(script, sizeof script, "%s/app.lua", folder);
    snprintf(temporary, sizeof temporary, "%s/app.tmp", folder);
    (void)save(0);
    server = fork();
    if (server == 0) {
        dup2(out[1], STDOUT_FILENO);
        execl(program, program, "run", script, "-p", "0", "-q", "--watch", "--workers", workers,
              (char *)NULL);
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

static void start_load(void)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/v/", port);
    load = fork();
    if (load == 0) {
        if (freopen("/dev/null", "w", stdout) != NULL) {
            execlp("wrk", "wrk", "-t1", "-c64", "-d3600", url, (char *)NULL);
        }
        _exit(127);
    }
    pause_us(500000);
    if (waitpid(load, NULL, WNOHANG) != 0) {
        load = 0;
        die("wrk");
    }
}

static int dial(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) {
        die("connect");
    }
    return fd;
}

/* The number that answers now. */
static int ask(int fd)
{
    char bytes[4096];
    size_t len = 0;
    int n = snprintf(bytes, sizeof bytes, "GET /v/ HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", port);
    if (send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n) {
        die("send");
    }
    for (;;) {
        ssize_t got = recv(fd, bytes + len, sizeof bytes - 1 - len, 0);
        if (got <= 0) {
            die("receive");
        }
        len += (size_t)got;
        bytes[len] = '\0';
        const char *head = strstr(bytes, "\r\n\r\n");
        const char *length = strstr(bytes, "Content-Length: ");
        if (head != NULL && length != NULL &&
            len >= (size_t)(head + 4 - bytes) + strtoul(length + 16, NULL, 10)) {
            return (int)strtol(head + 4, NULL, 10);
        }
    }
}

static double cpu_us(void)
{
    char path[64];
    char text[1024] = "";
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)server);
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(text, sizeof text, file) == NULL) {
        die(path);
    }
    fclose(file);
    unsigned long user = 0, system = 0;
    const char *at = strrchr(text, ')');
    if (at == NULL || sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                             &system) != 2) {
        die(path);
    }
    return (double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    static double took[SAVES_MAX];
    double average = 0;
    bool loaded = argc > 3 && strcmp(argv[3], "loaded") == 0;
    int saves = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 50;
    if (argc < 4 || saves < 1 || saves > SAVES_MAX) {
        fprintf(stderr, "usage: reload EXECUTABLE WORKERS idle|loaded [SAVES]\n");
        return 2;
    }
    start(argv[1], argv[2]);
    if (loaded) {
        start_load();
    }
    int fd = dial();
    double before = cpu_us();
    for (int i = 0; i < saves; i++) {
        double at = save(i + 1);
        while (ask(fd) != i + 1) {
            pause_us(ASK_US);
            if (now_ms() - at > GIVE_UP_S * 1e3) {
                die("no new answer");
            }
        }
        took[i] = now_ms() - at;
        pause_us(PAUSE_MS * 1000L);
    }
    double cpu = (cpu_us() - before) / saves;
    qsort(took, (size_t)saves, sizeof *took, compare);
    (void)getloadavg(&average, 1);
    printf("%s, %s worker(s), %d saves: median %.2f ms, p90 %.2f, max %.2f; ", argv[3], argv[2],
           saves, took[saves / 2], took[saves * 9 / 10], took[saves - 1]);
    if (!loaded) {
        printf("server CPU %.0f us a save; ", cpu);
    }
    printf("load average %.1f\n", average);
    close(fd);
    clean_up();
    return 0;
}
