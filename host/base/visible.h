/* Text that others have a hand in, for a terminal: a control byte is shown as \x1b and does
 * nothing.
 *
 * Control bytes are C0, DEL, and the C1 controls of UTF-8 (C2 80 to C2 9F), which some terminals
 * obey. No state, any thread. */
#pragma once

#include "base/slice.h"

enum {
    VISIBLE_CUT_BYTES = 3 /* "...": the end of a text that did not fit */
};

/* Writes text to out, no zero behind it; what does not fit in cap (at least VISIBLE_CUT_BYTES) is
 * cut and ends in "...". keep: control bytes that are meant, such as "\n\t". Returns the length. */
size_t visible_write(char *out, size_t cap, struct slice text, const char *keep);

/* The same for strings, always with a zero behind it; cap counts it. Returns out. */
const char *visible_text(char *out, size_t cap, const char *text, const char *keep);
