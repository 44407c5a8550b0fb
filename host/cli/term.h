/* What goes to the terminal: "error: ...", "hint:  ...", "exit N: ...", coloured only where a
 * person looks.
 *
 * Thread: main. Owner: the struct is the caller's. */
#pragma once

#include <stdbool.h>

#include "cli/options.h"

struct term {
    bool color; /* stderr takes escape sequences */
    bool quiet; /* only errors */
};

/* Looks at --color, NO_COLOR, TERM and whether stderr is a terminal. */
void term_init(struct term *term, const struct options *options);

/* "error: text" on stderr. text may have several lines; other control bytes are shown, here and
 * below (base/visible.h). */
void term_error(const struct term *term, const char *text);

/* "hint:  text"; nothing for NULL or "". */
void term_hint(const struct term *term, const char *text);

/* The last line of a run: "exit 4: text". Quiet runs end silently when the code is 0. */
void term_verdict(const struct term *term, int code, const char *text);
