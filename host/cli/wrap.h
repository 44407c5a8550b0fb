/* Text broken at blanks, for help and for the reference of the Lua API.
 *
 * Thread: main. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "base/slice.h"

enum { WRAP_COLUMNS = 80 /* no line is longer, unless one word is */ };

/* Prints one paragraph and ends its last line. The first line goes on at column `at`, where the
 * stream stands; each further one begins at column `indent`. Runs of blanks become one. */
void wrap_put(FILE *out, struct slice text, size_t at, size_t indent);
