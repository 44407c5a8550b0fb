/* ctl: one question to a running server. */
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "cli/commands.h"
#include "runtime/ctl.h"

static bool is_question(const char *word)
{
    static const char *const questions[] = {"reload", "rollback", "status", "gens",
                                            "tree",   "drain",    "stop"};
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        if (strcmp(word, questions[i]) == 0) {
            return true;
        }
    }
    return false;
}

int ctl_command(const struct options *options)
{
    uint64_t pid = 0;
    if (!is_question(options->words[0])) {
        (void)fprintf(stderr,
                      "error: ctl %s: reload, rollback, status, gens, tree, drain or stop\n",
                      options->words[0]);
        return HOST_EXIT_USAGE;
    }
    if (options->word_count > 1 &&
        (!slice_to_u64(slice_from_cstr(options->words[1]), &pid) || pid == 0 || pid > INT32_MAX)) {
        (void)fprintf(stderr, "error: ctl %s %s: the second word is a process id\n",
                      options->words[0], options->words[1]);
        return HOST_EXIT_USAGE;
    }
    return ctl_ask(options->control, (long)pid, options->words[0], stdout, stderr);
}
