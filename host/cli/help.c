/* Help text and man page, both printed from the tables of options.c. */
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "cli/luadocs.h"
#include "cli/wrap.h"

enum {
    OPTION_COLUMN = 26, /* where the text of an option begins */
    COMMAND_COLUMN = 12
};

struct topic {
    const char *name;
    const char *title;
    const char *text; /* paragraphs */
};

static const struct topic topics[] = {
    {"ready", "READINESS",
     "When every worker has loaded the script and the listeners accept, and not before, one line "
     "is written to standard output:\n\n"
     "ready http://localhost:8080 pid=4711 gen=1\n\n"
     "It is the first line and, without --json, the only one; its form does not change. A program "
     "finds the port with ^ready (https?://\\S+?):(?<port>\\d+) . "
     "Beside it there are --ready-file, --ready-fd and systemd's NOTIFY_SOCKET. Everything else "
     "that the host says goes to standard error, print() included."},
    {"scripts", "SCRIPTS",
     "http.add_url(\"/hello/\", function(request) return \"hello\\n\" end)\n\n"
     "is a whole server. A script may return from its main chunk: what it has registered stays. "
     "What it holds in <close> variables needs http.run() before the "
     "end of the block. http.arg has the words behind the script and, by name, what --set gave. "
     "require finds modules beside the script.\n\n"
     "moonlatch help lua lists all functions and types of http; moonlatch help lua-types prints "
     "them as a definition file for editors (LuaCATS)."},
    {NULL, NULL, NULL},
};

/* Text with empty lines between its paragraphs. */
static void put_paragraphs(const char *text)
{
    while (text != NULL && *text != '\0') {
        const char *end = strstr(text, "\n\n");
        size_t length = end == NULL ? strlen(text) : (size_t)(end - text);
        (void)putchar('\n');
        wrap_put(stdout, slice_make(text, length), 0, 0);
        text = end == NULL ? NULL : end + 2;
    }
}

static void put_columns(const char *head, const char *text, size_t column)
{
    int width = printf("  %s", head);
    size_t at = width < 0 ? 0 : (size_t)width;
    if (at + 2 > column) {
        (void)printf("\n%*s", (int)column, "");
    } else {
        (void)printf("%*s", (int)(column - at), "");
    }
    wrap_put(stdout, slice_from_cstr(text), column, column);
}

/* "-p, --port N" */
static void describe(const struct option_row *row, char *out, size_t cap)
{
    char letter[5] = "    ";
    if (row->letter != 0) {
        (void)snprintf(letter, sizeof letter, "-%c, ", row->letter);
    }
    (void)snprintf(out, cap, "%s--%s%s%s", letter, row->name,
                   row->argument == NULL || row->argument[0] == '[' ? "" : " ",
                   row->argument == NULL ? "" : row->argument);
}

static void put_options(unsigned commands)
{
    char head[64];
    for (const struct option_row *row = option_rows; row->name != NULL; row++) {
        if ((row->commands & commands) != 0) {
            describe(row, head, sizeof head);
            put_columns(head, row->help, OPTION_COLUMN);
        }
    }
}

static void put_exits(void)
{
    for (const struct exit_row *row = exit_rows; row->code != NULL; row++) {
        put_columns(row->code, row->text, COMMAND_COLUMN);
    }
}

static void put_overview(void)
{
    (void)printf("Usage: moonlatch [OPTIONS] FILE [ARGUMENTS]\n       moonlatch [OPTIONS] -e LUA "
                 "[ARGUMENTS]\n       moonlatch COMMAND [OPTIONS] ...\n\n"
                 "Serves Lua scripts over HTTP.\n\nCommands:\n");
    for (const struct command_row *row = command_rows; row->name != NULL; row++) {
        put_columns(row->name, row->summary, COMMAND_COLUMN);
    }
    (void)printf("\nOptions of run and test (moonlatch FILE is moonlatch run FILE):\n");
    put_options(COMMAND_SERVING);
    (void)printf(
        "\nTry: moonlatch -e 'http.add_url(\"/\", function(r) return \"hello\\n\" end)'\n");
}

int help_for(enum command_id command)
{
    for (const struct command_row *row = command_rows; row->name != NULL; row++) {
        if (row->id == command) {
            (void)printf("Usage: moonlatch %s\n", row->usage);
            put_paragraphs(row->text == NULL ? row->summary : row->text);
            (void)printf("\nOptions:\n");
            put_options((unsigned)command);
            return HOST_EXIT_OK;
        }
    }
    put_overview();
    return HOST_EXIT_OK;
}

static bool put_topic(const char *name)
{
    if (strcmp(name, "options") == 0) {
        put_options(COMMAND_ANY);
        return true;
    }
    if (strcmp(name, "exit-codes") == 0) {
        put_exits();
        return true;
    }
    if (strcmp(name, "lua") == 0) {
        luadocs_put_text(stdout);
        return true;
    }
    if (strcmp(name, "lua-types") == 0) {
        luadocs_put_types(stdout);
        return true;
    }
    for (const struct topic *topic = topics; topic->name != NULL; topic++) {
        if (strcmp(topic->name, name) == 0) {
            (void)printf("%s\n", topic->title);
            put_paragraphs(topic->text);
            return true;
        }
    }
    return false;
}

int help_command(const struct options *options)
{
    if (options->word_count == 0) {
        return help_for(COMMAND_NONE);
    }
    const struct command_row *row = options_find_command(options->words[0]);
    if (row != NULL) {
        return help_for(row->id);
    }
    if (put_topic(options->words[0])) {
        return HOST_EXIT_OK;
    }
    (void)fprintf(stderr,
                  "error: no help on %s\nhint:  commands, or options, exit-codes, ready, scripts, "
                  "lua, lua-types\n",
                  options->words[0]);
    return HOST_EXIT_USAGE;
}

/* --- man
 * ------------------------------------------------------------------------------------------- */

/* roff reads "-" as a hyphen, "\" as an escape, and a line that begins with "." or "'" as a
 * request. */
static void put_roff(const char *text)
{
    bool at_start = true;
    for (; *text != '\0'; text++) {
        if (at_start && (*text == '.' || *text == '\'')) {
            (void)fputs("\\&", stdout);
        }
        if (*text == '-') {
            (void)fputs("\\-", stdout);
        } else if (*text == '\\') {
            (void)fputs("\\e", stdout);
        } else if (*text == '\n' && text[1] == '\n') {
            (void)fputs("\n.PP", stdout);
        } else {
            (void)putchar(*text);
        }
        at_start = *text == '\n';
    }
    (void)putchar('\n');
}

static void put_item(const char *head, const char *text)
{
    (void)fputs(".TP\n.B ", stdout);
    put_roff(head);
    put_roff(text);
}

int man_command(const struct options *options)
{
    char head[64];
    (void)options;
    (void)printf(".TH MOONLATCH 1 \"\" \"moonlatch %s\" \"User Commands\"\n.SH NAME\nmoonlatch \\- "
                 "serve Lua scripts over HTTP\n.SH SYNOPSIS\n",
                 ML_VERSION);
    (void)printf(".B moonlatch\n[OPTIONS] FILE [ARGUMENTS]\n.br\n.B moonlatch\n[OPTIONS] \\-e LUA "
                 "[ARGUMENTS]\n");
    for (const struct command_row *row = command_rows; row->name != NULL; row++) {
        (void)fputs(".br\n.B moonlatch\n", stdout);
        put_roff(row->usage);
    }
    (void)fputs(".SH COMMANDS\n", stdout);
    for (const struct command_row *row = command_rows; row->name != NULL; row++) {
        put_item(row->name, row->text == NULL ? row->summary : row->text);
    }
    (void)fputs(".SH OPTIONS\n", stdout);
    for (const struct option_row *row = option_rows; row->name != NULL; row++) {
        describe(row, head, sizeof head);
        put_item(head[0] == ' ' ? head + 4 : head, row->help);
    }
    for (const struct topic *topic = topics; topic->name != NULL; topic++) {
        (void)printf(".SH %s\n", topic->title);
        put_roff(topic->text);
    }
    (void)fputs(".SH EXIT STATUS\n", stdout);
    for (const struct exit_row *row = exit_rows; row->code != NULL; row++) {
        put_item(row->code, row->text);
    }
    (void)fputs(".SH ENVIRONMENT\n", stdout);
    put_item("NOTIFY_SOCKET", "READY=1 and STOPPING=1 are sent there, as systemd asks for.");
    put_item(
        "NO_COLOR, TERM",
        "No colour when the first is set or the second is dumb, unless --color says otherwise.");
    put_item("MOONLATCH_URL, MOONLATCH_PORT",
             "Set for the command of test: the address of the ready line.");
    return HOST_EXIT_OK;
}
