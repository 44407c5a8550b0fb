/* Delivery: a routed request becomes an HTTP_REQUEST in the application's buffer.
 *
 * Step before: queue.c has found a receive for the request. Step after: the contract; the
 * application has the request. Thread: the request's shard. */
#pragma once

#include "engine/call.h"
#include "engine/request.h"

/* Fills the receive's buffer and makes the request DELIVERED. *bytes: written.
 * ERROR_MORE_DATA: it does not fit; *bytes is what it needs, the buffer holds the two ids, and the
 * request is BOUND to its id. */
ULONG receive_write(struct request *request, struct call *call, ULONG *bytes);
/* A receive with a request id: the retry after ERROR_MORE_DATA. ERROR_CONNECTION_INVALID: not bound
 * (any more). */
ULONG receive_by_id(struct shard *shard, struct call *call);
