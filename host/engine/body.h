/* Entity bodies: from the input block, or straight from the socket, to the application.
 *
 * Step before: request.c. The transfer coding is removed here; the application never sees it. The
 * first read sends 100 Continue when the client waits for it. Nothing is read that nobody asked
 * for: a slow application slows the client by TCP. Thread: the request's shard. */
#pragma once

#include "engine/request.h"

enum body_step { BODY_BYTES, BODY_WANTS_MORE, BODY_AT_END, BODY_MALFORMED };

/* HttpReceiveRequestEntityBody. */
ULONG body_read(struct shard *shard, struct call *call);
/* New input, or its end: goes on with the read that waits. */
void body_on_input(struct request *request);
/* Copies what is in the block, up to cap bytes. Returns the count. */
ULONG body_copy_available(struct request *request, char *out, ULONG cap);
/* Throws away what is in the block. BODY_MALFORMED also for a rest longer than
 * CONN_DRAIN_BYTES_MAX. */
enum body_step body_discard(struct request *request);
/* True when the end is known to have been reached without reading more from the socket. */
bool body_is_at_end(struct request *request);
