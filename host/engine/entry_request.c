/* The contract's functions on requests: arguments are checked here, the work is a call (call.h) on
 * the shard of the request. Each function's own page is api/httpapi.h. */
#include <stddef.h>
#include <stdint.h>

#include "api/loop.h"
#include "engine/call.h"
#include "engine/queue.h"
#include "engine/request.h"
#include "engine/shard.h"

enum {
    SEND_FLAGS_KNOWN = HTTP_SEND_RESPONSE_FLAG_DISCONNECT | HTTP_SEND_RESPONSE_FLAG_MORE_DATA |
                       HTTP_SEND_RESPONSE_FLAG_BUFFER_DATA |
                       HTTP_SEND_RESPONSE_FLAG_ENABLE_NAGLING |
                       HTTP_SEND_RESPONSE_FLAG_PROCESS_RANGES | HTTP_SEND_RESPONSE_FLAG_OPAQUE |
                       HTTP_SEND_RESPONSE_FLAG_GOAWAY | HTTP_SEND_RESPONSE_FLAG_AUTOMATIC_CHUNKING
};

/* Runs a call about a request or connection on the shard that its id names. */
static ULONG submit(HANDLE handle, struct call *call, PULONG bytes_out)
{
    struct shard *here = shard_current();
    call->home = call_completes_at(here, handle, call->overlapped) ? here : NULL;
    if (here != NULL &&
        ((call->id >> SHARD_PLACE_BITS) & (LIFETIME_SHARDS_MAX - 1)) == here->index &&
        queue_port_of_handle(here, handle) != NULL) {
        return call_here(here, call, bytes_out);
    }
    struct engine *engine = NULL;
    ULONG status = lifetime_enter(&engine);
    if (status != NO_ERROR) {
        return status;
    }
    struct shard *target = shard_of_id(engine, call->id);
    bool known = queue_find(engine, handle) != NULL;
    if (!known || target == NULL || target == here) {
        lifetime_leave(engine);
        return known ? ERROR_CONNECTION_INVALID : ERROR_INVALID_HANDLE;
    }
    return call_there(engine, target, call, bytes_out);
}

/* The shard that a receive from a foreign thread goes to: a needy one, else the engine's own, else
 * any. */
static struct shard *receiving_shard(struct engine *engine, struct queue *queue)
{
    int needy = queue_pick_needy(queue, &queue->needy_served, LIFETIME_SHARDS_MAX);
    if (needy >= 0 && engine->shards[needy] != NULL) {
        return engine->shards[needy];
    }
    for (uint32_t i = 0; i < LIFETIME_SHARDS_MAX; i++) {
        if (engine->shards[i] != NULL) {
            return engine->shards[i];
        }
    }
    return NULL;
}

static ULONG submit_receive(HANDLE handle, struct call *call, PULONG bytes_out)
{
    struct shard *here = shard_current();
    struct port *port = here == NULL ? NULL : queue_port_of_handle(here, handle);
    call->home = call_completes_at(here, handle, call->overlapped) ? here : NULL;
    if (port != NULL) {
        call->queue = port->queue;
        return call_here(here, call, bytes_out);
    }
    struct engine *engine = NULL;
    bool closing = here != NULL && here->closing; /* it would have to wait for what it receives */
    ULONG status = closing ? ERROR_OPERATION_ABORTED : lifetime_enter(&engine);
    if (status != NO_ERROR) {
        return status;
    }
    call->queue = queue_find(engine, handle);
    if (call->queue == NULL || atomic_load(&call->queue->phase) != QUEUE_OPEN) {
        lifetime_leave(engine);
        return ERROR_INVALID_HANDLE;
    }
    if (call->queue->controller) {
        lifetime_leave(engine);
        return ERROR_INVALID_PARAMETER;
    }
    struct shard *target = receiving_shard(engine, call->queue);
    return target == NULL ? call_orphan(engine, call, bytes_out)
                          : call_there(engine, target, call, bytes_out);
}

ULONG WINAPI HttpReceiveHttpRequest(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId,
                                    ULONG Flags, PHTTP_REQUEST RequestBuffer,
                                    ULONG RequestBufferLength, PULONG BytesReturned,
                                    LPOVERLAPPED Overlapped)
{
    const ULONG known = HTTP_RECEIVE_REQUEST_FLAG_COPY_BODY | HTTP_RECEIVE_REQUEST_FLAG_FLUSH_BODY |
                        HTTP_RECEIVE_REQUEST_FLAG_BORROW;
    if (RequestQueueHandle == NULL) {
        return ERROR_INVALID_HANDLE;
    }
    if (RequestBuffer == NULL || (Flags & ~known) != 0) {
        return ERROR_INVALID_PARAMETER;
    }
    if ((Flags & HTTP_RECEIVE_REQUEST_FLAG_FLUSH_BODY) != 0) {
        return ERROR_NOT_SUPPORTED;
    }
    if ((uintptr_t)RequestBuffer % _Alignof(HTTP_REQUEST) != 0) {
        return ERROR_NOACCESS;
    }
    if (RequestBufferLength < sizeof(HTTP_REQUEST_V1)) {
        return ERROR_INSUFFICIENT_BUFFER;
    }
    struct call call = {.kind = CALL_RECEIVE, .id = RequestId, .overlapped = Overlapped};
    call.as.receive = (struct call_receive){RequestBuffer, RequestBufferLength, Flags, RequestId};
    return RequestId == HTTP_NULL_ID ? submit_receive(RequestQueueHandle, &call, BytesReturned)
                                     : submit(RequestQueueHandle, &call, BytesReturned);
}

ULONG WINAPI HttpReceiveRequestEntityBody(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId,
                                          ULONG Flags, PVOID EntityBuffer, ULONG EntityBufferLength,
                                          PULONG BytesReturned, LPOVERLAPPED Overlapped)
{
    if (RequestQueueHandle == NULL) {
        return ERROR_INVALID_HANDLE;
    }
    if (RequestId == HTTP_NULL_ID) {
        return ERROR_CONNECTION_INVALID;
    }
    if ((Flags & ~HTTP_RECEIVE_REQUEST_ENTITY_BODY_FLAG_FILL_BUFFER) != 0 || EntityBuffer == NULL ||
        EntityBufferLength == 0) {
        return ERROR_INVALID_PARAMETER;
    }
    struct call call = {.kind = CALL_READ_BODY, .id = RequestId, .overlapped = Overlapped};
    call.as.read.buffer = EntityBuffer;
    call.as.read.buffer_bytes = EntityBufferLength;
    call.as.read.fill = (Flags & HTTP_RECEIVE_REQUEST_ENTITY_BODY_FLAG_FILL_BUFFER) != 0;
    return submit(RequestQueueHandle, &call, BytesReturned);
}

static ULONG check_send(HANDLE handle, HTTP_REQUEST_ID id, ULONG flags, ULONG chunk_count,
                        const HTTP_DATA_CHUNK *chunks)
{
    const ULONG both = HTTP_SEND_RESPONSE_FLAG_DISCONNECT | HTTP_SEND_RESPONSE_FLAG_MORE_DATA;
    if (handle == NULL) {
        return ERROR_INVALID_HANDLE;
    }
    if (id == HTTP_NULL_ID) {
        return ERROR_CONNECTION_INVALID;
    }
    if ((flags & ~(ULONG)SEND_FLAGS_KNOWN) != 0 || (flags & both) == both ||
        chunk_count > HTTP_MAX_ENTITY_CHUNKS || (chunk_count > 0 && chunks == NULL)) {
        return ERROR_INVALID_PARAMETER;
    }
    return NO_ERROR;
}

ULONG WINAPI HttpSendHttpResponse(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId, ULONG Flags,
                                  PHTTP_RESPONSE HttpResponse, PHTTP_CACHE_POLICY CachePolicy,
                                  PULONG BytesSent, PVOID Reserved1, ULONG Reserved2,
                                  LPOVERLAPPED Overlapped, PHTTP_LOG_DATA LogData)
{
    (void)CachePolicy; /* a hint: without a response cache every policy means "do not cache" */
    (void)LogData;     /* nothing is logged until a logging property can be set */
    if (HttpResponse == NULL || Reserved1 != NULL || Reserved2 != 0) {
        return ERROR_INVALID_PARAMETER;
    }
    ULONG status = check_send(RequestQueueHandle, RequestId, Flags, HttpResponse->EntityChunkCount,
                              HttpResponse->pEntityChunks);
    if (status != NO_ERROR) {
        return status;
    }
    struct call call = {.kind = CALL_SEND, .id = RequestId, .overlapped = Overlapped};
    call.as.send.response = HttpResponse;
    call.as.send.chunks = HttpResponse->pEntityChunks;
    call.as.send.chunk_count = HttpResponse->EntityChunkCount;
    call.as.send.flags = Flags;
    return submit(RequestQueueHandle, &call, BytesSent);
}

ULONG WINAPI HttpSendResponseEntityBody(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId,
                                        ULONG Flags, USHORT EntityChunkCount,
                                        PHTTP_DATA_CHUNK EntityChunks, PULONG BytesSent,
                                        PVOID Reserved1, ULONG Reserved2, LPOVERLAPPED Overlapped,
                                        PHTTP_LOG_DATA LogData)
{
    (void)LogData; /* as above */
    if (Reserved1 != NULL || Reserved2 != 0) {
        return ERROR_INVALID_PARAMETER;
    }
    ULONG status = check_send(RequestQueueHandle, RequestId, Flags, EntityChunkCount, EntityChunks);
    if (status != NO_ERROR) {
        return status;
    }
    struct call call = {.kind = CALL_SEND, .id = RequestId, .overlapped = Overlapped};
    call.as.send.chunks = EntityChunks;
    call.as.send.chunk_count = EntityChunkCount;
    call.as.send.flags = Flags;
    return submit(RequestQueueHandle, &call, BytesSent);
}

ULONG WINAPI HttpCancelHttpRequest(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId,
                                   LPOVERLAPPED Overlapped)
{
    if (RequestQueueHandle == NULL) {
        return ERROR_INVALID_HANDLE;
    }
    struct call call = {.kind = CALL_CANCEL, .id = RequestId, .overlapped = Overlapped};
    return submit(RequestQueueHandle, &call, NULL);
}

ULONG WINAPI HttpWaitForDisconnect(HANDLE RequestQueueHandle, HTTP_CONNECTION_ID ConnectionId,
                                   LPOVERLAPPED Overlapped)
{
    if (RequestQueueHandle == NULL) {
        return ERROR_INVALID_HANDLE;
    }
    struct call call = {.kind = CALL_WAIT_DISCONNECT, .id = ConnectionId, .overlapped = Overlapped};
    return submit(RequestQueueHandle, &call, NULL);
}

ULONG loop_attach_queue(struct loop *loop, HANDLE queue_handle)
{
    struct engine *engine = NULL;
    ULONG status = lifetime_enter(&engine);
    if (status != NO_ERROR) {
        return status;
    }
    struct shard *shard = shard_current();
    struct queue *queue = queue_find(engine, queue_handle);
    if (loop != loop_current() || queue == NULL) {
        status = loop != loop_current() ? ERROR_INVALID_PARAMETER : ERROR_INVALID_HANDLE;
    } else if (shard == NULL) {
        status = shard_create(engine, loop, &shard);
    }
    if (status != NO_ERROR) {
        lifetime_leave(engine);
        return status;
    }
    queue_ref(queue);
    lifetime_leave(engine);
    struct port *port = queue_port(shard, queue);
    if (port == NULL) {
        status = ERROR_NOT_ENOUGH_MEMORY;
    } else if (port->attached) {
        status = ERROR_ALREADY_EXISTS;
    } else {
        port->attached = true;
    }
    queue_unref(engine, queue);
    return status;
}
