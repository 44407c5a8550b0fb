/* Text at the edge of the contract: the one difference between the platforms.
 *
 * The contract's PCWSTR is a string of HTTP_CHAR: UTF-16 code units on Windows, bytes of UTF-8
 * elsewhere. Above the contract everything is UTF-8. This page has the literal, the two
 * conversions, and the unit of lengths; nothing else may know which it is.
 *
 *   HTTP_CHAR           one unit
 *   HTTP_TEXT("...")    a literal of such units
 *   *Length members     of contract structs count BYTES of HTTP_CHAR, without the terminator
 *
 * Owner: nothing is allocated. Thread: any. Cost: a copy; on Windows a recoding. */
#pragma once

#include <stddef.h>

#include "api/httpapi.h"

/* UTF-8 to contract text. `length` bytes at utf8 become units at out, always with a terminator.
 * capacity: units at out, terminator included. *needed: units needed, terminator included, also on
 * success. Errors: ERROR_INSUFFICIENT_BUFFER nothing written, try again with *needed;
 * ERROR_INVALID_PARAMETER the bytes are not UTF-8 (looked for only where the text is recoded). utf8
 * may be NULL when length is 0; out may be NULL when capacity is 0. */
ULONG text_from_utf8(const char *utf8, size_t length, HTTP_CHAR *out, size_t capacity,
                     size_t *needed);

/* Contract text to UTF-8. `length` units at text become bytes at out, always with a terminator.
 * capacity: bytes at out, terminator included. *needed and errors as above (a lone surrogate is
 * ERROR_INVALID_PARAMETER). */
ULONG text_to_utf8(const HTTP_CHAR *text, size_t length, char *out, size_t capacity,
                   size_t *needed);

/* Units to the bytes of a *Length member, and back. */
static inline size_t text_bytes(size_t units)
{
    return units * sizeof(HTTP_CHAR);
}
static inline size_t text_units(size_t bytes)
{
    return bytes / sizeof(HTTP_CHAR);
}
