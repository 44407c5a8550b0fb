/* Answers: from HTTP_RESPONSE and data chunks to bytes in the output of the connection.
 *
 * Step before: request.c. head.c writes the head, send.c moves the body, response.c keeps the order
 * and decides what comes after.
 *
 * Framing (RFC 9112 section 6): the caller's Content-Length is used as it is; without one and with
 * the whole body in one call it is computed; with HTTP_SEND_RESPONSE_FLAG_MORE_DATA an HTTP/1.1
 * client gets chunks (framed here), an HTTP/1.0 client the end of the connection. A caller's
 * Transfer-Encoding means that the caller frames. HEAD, 1xx, 204 and 304 get no body bytes whatever
 * is handed in. Thread: the request's shard. */
#pragma once

#include "engine/call.h"
#include "engine/request.h"

enum { RESPONSE_COPY_MAX = 16 * 1024 /* larger memory chunks go to the socket without a copy */ };

/* HttpSendHttpResponse and HttpSendResponseEntityBody. */
ULONG response_send(struct shard *shard, struct call *call);
/* The socket takes bytes again: goes on with the send that waits. */
void response_on_writable(struct request *request);

/* head.c: decides the framing and writes the head into the output.
 * ERROR_IO_PENDING no room now, nothing decided; ERROR_INVALID_PARAMETER a header that must not be
 * sent, a status outside 200..999, a head larger than SHARD_OUT_BLOCK; ERROR_NOT_SUPPORTED a
 * feature of a later tier. */
ULONG head_write(struct request *request, struct call_send *send);

/* send.c: moves the chunks of the send. NO_ERROR all taken; ERROR_IO_PENDING the peer is slow;
 * ERROR_INVALID_PARAMETER a chunk or file that cannot be read; ERROR_NOT_SUPPORTED a chunk type of
 * a later tier; else the connection is dead. */
ULONG send_pump(struct request *request, struct call_send *send);
/* Bytes of all chunks. ERROR_INVALID_PARAMETER, ERROR_NOT_SUPPORTED as above. */
ULONG send_measure(const HTTP_DATA_CHUNK *chunks, uint32_t count, uint64_t *bytes);
