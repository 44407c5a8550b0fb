/* Dates of HTTP (RFC 9110 5.6.7), without locale, time zone data or allocation. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define DATE_BYTES 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* Writes exactly DATE_BYTES bytes, no NUL. seconds: since 1970-01-01 00:00:00 UTC, years 0..9999
 * (asserted). */
void date_format(int64_t seconds, char *out);

/* Reads an IMF-fixdate, and the two old forms that recipients must know: RFC 850
 * ("Sunday, 06-Nov-94 08:49:37 GMT"; more than 50 years after `now` means a century earlier) and
 * asctime ("Sun Nov  6 08:49:37 1994"). Exact spelling, existing days only, a second of 60 counts
 * as 59; the name of the day is checked for form, not against the date.
 * Returns whether it is a date; `*seconds` is written then only. */
bool date_parse(struct slice text, int64_t now, int64_t *seconds);
