/* The one warning about an address that other machines can reach, whoever has named it: -l, or the
 * script by a full URL. --public says that it is meant.
 *
 * Thread: coordinator. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

struct host;

/* Whether "http://127.0.0.1:80/x/" or "http://localhost:80" can be reached from this machine
 * alone. */
bool reachable_is_local(struct slice url);

/* After a commit: warns about the first such address, once in the life of a host. */
void reachable_warn(struct host *host);
