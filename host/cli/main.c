/* The one place that returns from the process. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/stdfds.h"
#include "cli/term.h"

static int run(const struct options *options)
{
    if (options->help) {
        return help_for(options->command);
    }
    switch (options->command) {
    case COMMAND_RUN:
    case COMMAND_DEV:
    case COMMAND_TEST: return serve_command(options);
    case COMMAND_CHECK: return check_command(options);
    case COMMAND_CTL: return ctl_command(options);
    case COMMAND_VERSION: return version_command(options);
    case COMMAND_MAN: return man_command(options);
    case COMMAND_HELP: return help_command(options);
    case COMMAND_NONE: break;
    }
    (void)fputs("error: no script and no command given\nhint:  moonlatch help\n", stderr);
    return HOST_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct options options;
    struct term term;
    char error[OPTIONS_ERROR_BYTES];
    int code = HOST_EXIT_USAGE;
    stdfds_fill();
    if (options_parse(&options, argc, argv, error)) {
        code = run(&options);
    } else {
        term_init(&term, &options);
        term_error(&term, error);
        term_hint(&term, "moonlatch help");
    }
    options_deinit(&options);
    return code;
}
