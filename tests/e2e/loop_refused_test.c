/* The program where the kernel refuses io_uring, as container profiles have it: a filter makes
 * io_uring_setup end with EPERM. The default serves, `--loop io_uring` is refused with the cure,
 * and `version` tells. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_BYTES = 16384, EXIT_FAILED = 1, EXIT_NO_FILTER = 99 };

static char output[OUTPUT_BYTES]; /* of the last run, both streams */
static bool has_failed;

static bool forbid_rings(void)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof program / sizeof program[0], program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0 &&
           prctl(PR_SET_SECCOMP, (long)SECCOMP_MODE_FILTER, &filter) == 0;
}

/* Runs the program under the filter. Returns its exit code, -1 when it did not end by itself. */
static int run(char *const arguments[])
{
    int ends[2], status = 0;
    size_t length = 0;
    if (pipe(ends) != 0) {
        return -1;
    }
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)dup2(ends[1], STDERR_FILENO);
        if (!forbid_rings()) {
            _exit(EXIT_NO_FILTER);
        }
        (void)execv(arguments[0], arguments);
        _exit(EXIT_NO_FILTER - 1);
    }
    close(ends[1]);
    for (ssize_t got = 1; got > 0 && length < sizeof output - 1; length += (size_t)got) {
        got = read(ends[0], output + length, sizeof output - 1 - length);
        got = got < 0 ? 0 : got;
    }
    output[length] = '\0';
    close(ends[0]);
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status)
               ? WEXITSTATUS(status)
               : -1;
}

static void expect(const char *what, int code, int wanted, const char *text)
{
    if (code == wanted && strstr(output, text) != NULL) {
        printf("ok   %s\n", what);
        return;
    }
    printf("FAIL %s: exit code %d, wanted %d and \"%s\" in:\n%s\n", what, code, wanted, text,
           output);
    has_failed = true;
}

int main(void)
{
    char *program = getenv("MOONLATCH");
    char script[] = "http.spawn(function() http.stop() end) http.add_url('/', function() end)";
    if (program == NULL) {
        puts("set MOONLATCH to the executable");
        return EXIT_FAILED;
    }
    int code = run((char *[]){program, "-p", "0", "-e", script, NULL});
    if (code == EXIT_NO_FILTER) {
        puts("skipped: no filter can be set here");
        return 77;
    }
    expect("the default serves", code, 0, "ready http");
    code = run((char *[]){program, "-p", "0", "--loop", "io_uring", "-e", script, NULL});
    expect("io_uring is refused", code, 2, "error: --loop io_uring: not available");
    expect("the cure is named", code, 2, "--loop epoll");
    code = run((char *[]){program, "version", "--json", NULL});
    expect("version tells", code, 0, "\"io_uring\":\"no: ");
    expect("epoll takes its place", code, 0, "\"loop\":\"epoll\"");
    return has_failed ? EXIT_FAILED : 0;
}
