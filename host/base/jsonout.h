/* One JSON object, written member by member into a buffer: the events of --json, the ready file,
 * version --json.
 *
 * Names are ours and plain; values are escaped, bytes that are not UTF-8 become U+FFFD. Thread:
 * any, one at a time. */
#pragma once

#include <stdint.h>

#include "base/buf.h"

/* "{" and then the first member. */
void jsonout_open(struct buf *out, const char *name, const char *value);
/* value NULL: null. */
void jsonout_text(struct buf *out, const char *name, const char *value);
void jsonout_number(struct buf *out, const char *name, int64_t value);
/* "}" and a line feed. */
void jsonout_close(struct buf *out);
