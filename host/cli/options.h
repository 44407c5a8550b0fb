/* The command line: one table of commands, one of options, one of exit codes. Parsing, help text
 * and man page read the same rows, so they cannot differ. An option that is planned but not built
 * is refused with a message of its own and appears nowhere else.
 *
 *   moonlatch [OPTIONS] COMMAND [ARGUMENTS]   options may stand anywhere before "--"
 *   moonlatch [OPTIONS] FILE [ARGUMENTS]      the same as `run`, but further words are the
 *                                             script's arguments
 *
 * Owner: struct options points into argv and into arrays it allocates. Thread: main, before
 * anything else runs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/log.h"
#include "runtime/host.h"

enum {
    OPTIONS_LISTEN_MAX = 16,  /* -l, as many as the host takes */
    OPTIONS_SET_MAX = 256,    /* --set */
    OPTIONS_WATCH_MAX = 64,   /* --watch-also, --watch-ignore, each */
    OPTIONS_ERROR_BYTES = 512 /* a refusal, one line */
};

/* Which command an option belongs to; also the number of a command. */
enum command_id {
    COMMAND_NONE = 0,
    COMMAND_RUN = 1 << 0,
    COMMAND_TEST = 1 << 1,
    COMMAND_CHECK = 1 << 2,
    COMMAND_VERSION = 1 << 3,
    COMMAND_HELP = 1 << 4,
    COMMAND_MAN = 1 << 5,
    COMMAND_CTL = 1 << 6,
    COMMAND_DEV = 1 << 7
};

#define COMMAND_SERVING (COMMAND_RUN | COMMAND_TEST | COMMAND_DEV)
#define COMMAND_STAYING (COMMAND_RUN | COMMAND_DEV)
#define COMMAND_ANY     0xFFFFU

enum color_mode { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct options {
    enum command_id command;
    const char **words; /* files of run, test and check; topic of help */
    size_t word_count;
    const char **args; /* the script's arguments; with test: the command to run */
    size_t arg_count;

    const char *eval; /* -e */
    unsigned workers;
    uint16_t port;
    bool port_given, any_port;
    char *listen[OPTIONS_LISTEN_MAX]; /* checked, without final slash; ours */
    size_t listen_count;
    bool is_public; /* --public */
    bool help;      /* -h */
    struct host_setting settings[OPTIONS_SET_MAX];
    char *setting_keys[OPTIONS_SET_MAX]; /* ours */
    size_t setting_count;
    uint64_t drain_ns;
    struct host_limits limits;
    enum host_trace trace;
    enum loop_backend backend;
    const char *lua_dir;
    bool watch;       /* -w */
    unsigned poll_ms; /* --watch=poll:MS; 0: as the system tells */
    const char *watch_also[OPTIONS_WATCH_MAX];
    size_t watch_also_count;
    const char *watch_ignore[OPTIONS_WATCH_MAX];
    size_t watch_ignore_count;
    bool fail_on_bad_reload; /* --on-bad-reload fail */
    const char *control;     /* --control; NULL: the usual place */
    bool json;
    const char *ready_file;
    int ready_fd; /* -1: none */
    enum log_level log_level;
    bool quiet;
    enum color_mode color;
};

struct command_row {
    enum command_id id;
    const char *name;
    const char *usage;   /* behind "moonlatch " */
    const char *summary; /* one line */
    const char *text;    /* for `help NAME`, paragraphs; NULL: none */
};

struct option_row {
    const char *name;     /* without dashes */
    int letter;           /* 0: none */
    int id;               /* enum in options.c */
    const char *argument; /* its name; NULL: takes none; "[=X]": may be left out */
    unsigned commands;    /* enum command_id, ored */
    const char *help;     /* one line or a few, broken by the printer */
};

struct exit_row {
    const char *code; /* "128+n" is one */
    const char *text;
};

/* Each ends with a row of zeros. */
extern const struct command_row command_rows[];
extern const struct option_row option_rows[];
extern const struct exit_row exit_rows[];

/* Reads the command line. false: *error says what is wrong, in one line with a hint; exit code 2.
 * options: filled in either way; options_deinit frees. */
bool options_parse(struct options *options, int argc, char **argv, char error[OPTIONS_ERROR_BYTES]);

/* Frees what parsing has allocated; harmless twice. */
void options_deinit(struct options *options);

/* NULL: no such command. */
const struct command_row *options_find_command(const char *name);

/* The command that was perhaps meant by the word; NULL: none is near. */
const char *options_nearest_command(const char *word);
