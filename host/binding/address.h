/* Socket addresses as text: "127.0.0.1:8080", "[::1]:8080". One file a platform.
 *
 * Thread: any. */
#pragma once

#include <stddef.h>

#include "api/httpapi.h"

enum { ADDRESS_BYTES_MAX = 64 };

/* Writes the text with a NUL and returns its length; 0 for NULL or a family without a name. */
size_t address_format(const SOCKADDR *address, char out[ADDRESS_BYTES_MAX]);
