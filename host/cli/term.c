#include "cli/term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/visible.h"

enum { LINE_BYTES_MAX = 8192 };

#define RED    "\x1b[31m"
#define YELLOW "\x1b[33m"
#define BOLD   "\x1b[1m"
#define PLAIN  "\x1b[0m"

void term_init(struct term *term, const struct options *options)
{
    const char *no_color = getenv("NO_COLOR");
    const char *kind = getenv("TERM");
    bool wanted = isatty(STDERR_FILENO) == 1 && (no_color == NULL || no_color[0] == '\0') &&
                  kind != NULL && strcmp(kind, "dumb") != 0;
    term->color = options->color == COLOR_ALWAYS || (options->color == COLOR_AUTO && wanted);
    term->quiet = options->quiet;
}

/* One line, written at once: workers may be writing too. Scripts, and who sends them requests, have
 * a hand in the text: no control byte of it reaches the terminal. */
static void line(const struct term *term, const char *color, const char *head, const char *text)
{
    char shown[LINE_BYTES_MAX];
    (void)fprintf(stderr, "%s%s%s%s\n", term->color ? color : "", head, term->color ? PLAIN : "",
                  visible_text(shown, sizeof shown, text, "\n\t"));
}

void term_error(const struct term *term, const char *text)
{
    line(term, RED, "error: ", text);
}

void term_hint(const struct term *term, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        line(term, YELLOW, "hint:  ", text);
    }
}

void term_verdict(const struct term *term, int code, const char *text)
{
    char head[24];
    if (code == 0 && term->quiet) {
        return;
    }
    (void)snprintf(head, sizeof head, "exit %d: ", code);
    line(term, code == 0 ? BOLD : RED, head, text);
}
