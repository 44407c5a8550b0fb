/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
 *
 * Thread: any. No state, no memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* The empty slice is valid; NUL is an ordinary character. Runs of ASCII cost an eighth of a step a
 * byte. */
bool utf8_is_valid(struct slice s);

/* Writes the code point and returns its length, 1 to 4; 0 when it is a surrogate or above U+10FFFF.
 * No NUL is written. */
size_t utf8_encode(uint32_t code_point, char out[4]);
