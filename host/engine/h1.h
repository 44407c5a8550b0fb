/* HTTP/1.1 on a connection: bytes to requests.
 *
 * Step before: conn.c has input. Step after: request.c holds the request, queue.c delivers it. */
#pragma once

#include "engine/conn.h"

/* Looks for the next request in the input (not empty; state FRESH, HEAD or IDLE), routes and
 * delivers it. The connection's state says what came of it: HEAD more bytes are needed, REQUEST it
 * is on its way, LINGER it was refused, CLOSED. Returns whether the state changed to one of the
 * last three. */
bool h1_take_request(struct conn *conn);

/* Parses the request's head again into the shard's scratch, for a delivery that comes later. */
void h1_refresh_scratch(struct request *request);
