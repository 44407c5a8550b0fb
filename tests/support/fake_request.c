/* The recording fake: requests injected by the test, the calls that wait for them, and their end.
 *
 * A request goes to the queue of the group of its URL, to the oldest receive that waits there, else
 * it waits itself. Only overlapped calls that complete into a loop are known here: a call that
 * would block is a violation. */
#include "fake_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct fake_request *fake_find_request_locked(HTTP_REQUEST_ID id)
{
    struct fake_request *request = fake.requests;
    while (request != NULL && request->id != id) {
        request = request->next;
    }
    return request;
}

bool fake_is_over(const struct fake_request *request)
{
    return request->response.complete || request->response.cancelled;
}

/* --- waits --- */

void fake_add_wait_locked(const struct fake_wait *wait)
{
    struct fake_wait *kept = fake_copy(wait, sizeof *wait);
    kept->next = NULL;
    kept->op->overlapped.Internal = ERROR_IO_PENDING;
    *fake.waits_end = kept;
    fake.waits_end = &kept->next;
}

/* Takes the wait at *place off the list and completes it. */
void fake_finish_wait_locked(struct fake_wait **place, ULONG status, ULONG bytes)
{
    struct fake_wait *wait = *place;
    *place = wait->next;
    if (wait->next == NULL) {
        fake.waits_end = place;
    }
    if (wait->what == FAKE_WAIT_SEND) {
        struct fake_request *request = fake_find_request_locked(wait->id);
        request->sends_pending -= request->sends_pending > 0;
    }
    fake_complete_locked(wait->loop, wait->op, status, bytes);
    free(wait);
}

typedef bool wait_filter(const struct fake_wait *wait, const void *what);

static size_t abort_waits_locked(wait_filter *matches, const void *what)
{
    size_t count = 0;
    for (struct fake_wait **place = &fake.waits; *place != NULL;) {
        if (matches(*place, what)) {
            fake_finish_wait_locked(place, ERROR_OPERATION_ABORTED, 0);
            count++;
        } else {
            place = &(*place)->next;
        }
    }
    return count;
}

static bool is_of_loop(const struct fake_wait *wait, const void *loop)
{
    return wait->loop == loop;
}
static bool is_of_queue(const struct fake_wait *wait, const void *queue)
{
    return wait->queue == queue;
}
static bool is_op(const struct fake_wait *wait, const void *op)
{
    return wait->op == op;
}
static bool is_of_request(const struct fake_wait *wait, const void *what)
{
    const struct fake_request *request = what;
    return wait->id == request->id ||
           (wait->what == FAKE_WAIT_DISCONNECT && wait->id == fake_connection_of(request));
}

void fake_abort_loop_locked(struct loop *loop)
{
    (void)abort_waits_locked(is_of_loop, loop); /* the count is for CancelIoEx */
}

/* Gives waiting requests of the queue to its waiting receives. */
static void match_locked(struct fake_object *queue)
{
    for (struct fake_wait **place = &fake.waits; *place != NULL;) {
        struct fake_wait *wait = *place;
        if (wait->what != FAKE_WAIT_RECEIVE || wait->queue != queue) {
            place = &wait->next;
            continue;
        }
        struct fake_request *request = fake.requests;
        while (request != NULL &&
               (request->queue != queue || request->bound || fake_is_over(request))) {
            request = request->next;
        }
        if (request == NULL) {
            return;
        }
        ULONG bytes = 0;
        ULONG status = fake_deliver(request, wait->buffer, wait->buffer_len, wait->flags, &bytes);
        fake_finish_wait_locked(place, status, bytes);
    }
}

static void cancel_request_locked(struct fake_request *request)
{
    if (fake_is_over(request)) {
        return;
    }
    request->response.cancelled = true;
    fake_take_back(request);
    (void)abort_waits_locked(is_of_request, request); /* the count is for CancelIoEx */
}

void fake_end_queue_locked(struct fake_object *queue, bool closing)
{
    for (struct fake_wait *wait = fake.waits; closing && wait != NULL; wait = wait->next) {
        if (wait->queue == queue && (fake.rules & FAKE_RULE_RECEIVES_JOINED) != 0) {
            fake_violate_locked("queue %u closed with a call pending on it",
                                fake_number_locked(queue));
        }
    }
    (void)abort_waits_locked(is_of_queue, queue); /* the count is for CancelIoEx */
    for (struct fake_request *request = fake.requests; request != NULL; request = request->next) {
        if (request->queue != queue || fake_is_over(request)) {
            continue;
        }
        if (closing && request->delivered && (fake.rules & FAKE_RULE_REQUESTS_DONE) != 0) {
            fake_violate_locked("queue %u closed with request %s unanswered",
                                fake_number_locked(queue), request->url);
        }
        if (closing || request->delivered) {
            cancel_request_locked(request);
        }
    }
}

static void forget_request(struct fake_request *request)
{
    free(request->method);
    free(request->url);
    free(request->headers);
    free(request->body);
    free(request->borrowed);
    free(request->response.headers);
    free(request->response.body);
    free(request);
}

void fake_forget_requests_locked(void)
{
    while (fake.requests != NULL) {
        struct fake_request *request = fake.requests;
        fake.requests = request->next;
        forget_request(request);
    }
    while (fake.waits != NULL) {
        struct fake_wait *wait = fake.waits;
        fake.waits = wait->next;
        free(wait);
    }
    fake.requests_end = &fake.requests;
    fake.waits_end = &fake.waits;
}

/* --- receiving --- */

/* The queue of a call, open. NULL: the record has been ended with the code. */
struct fake_object *fake_queue_of(struct fake_record *record, HANDLE handle, ULONG *code)
{
    *code = NO_ERROR;
    if (!fake_ready_locked(record->call)) {
        *code = ERROR_DLL_INIT_FAILED;
        return NULL;
    }
    struct fake_object *queue = fake_find_locked(FAKE_QUEUE, (uint64_t)(uintptr_t)handle);
    if (queue == NULL || !queue->open) {
        fake_violate_locked("%s on a queue that is not open", record->call);
        *code = ERROR_INVALID_HANDLE;
        return NULL;
    }
    snprintf(record->object, sizeof record->object, "queue %u", fake_number_locked(queue));
    record->about = queue->id;
    return queue;
}

/* Reports the end of a call that need not wait. */
ULONG fake_finish_now_locked(LPOVERLAPPED overlapped, ULONG *bytes_out, ULONG bytes)
{
    if (overlapped != NULL) {
        fake_complete_locked(loop_current(), (struct loop_op *)(void *)overlapped, NO_ERROR, bytes);
    } else if (bytes_out != NULL) {
        *bytes_out = bytes;
    }
    return NO_ERROR;
}

/* Whether the overlapped call can complete into a loop of this thread. */
static bool can_wait(struct fake_record *record, const OVERLAPPED *overlapped)
{
    if (overlapped != NULL && overlapped->hEvent == NULL && loop_current() != NULL) {
        return true;
    }
    fake_violate_locked("%s would block: no loop to complete into", record->call);
    return false;
}

static ULONG receive_by_id_locked(struct fake_object *queue, HTTP_REQUEST_ID id, ULONG flags,
                                  void *buffer, ULONG len, ULONG *bytes)
{
    struct fake_request *request = fake_find_request_locked(id);
    if (request == NULL || request->queue != queue || request->delivered || fake_is_over(request)) {
        return ERROR_CONNECTION_INVALID;
    }
    return fake_deliver(request, buffer, len, flags, bytes);
}

ULONG WINAPI HttpReceiveHttpRequest(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId,
                                    ULONG Flags, PHTTP_REQUEST RequestBuffer,
                                    ULONG RequestBufferLength, PULONG BytesReturned,
                                    LPOVERLAPPED Overlapped)
{
    fake_lock();
    struct fake_record *record = fake_begin_locked("HttpReceiveHttpRequest", "queue ?");
    if (record->injected) {
        return fake_end(record, record->result);
    }
    ULONG code = NO_ERROR;
    struct fake_object *queue = fake_queue_of(record, RequestQueueHandle, &code);
    if (queue == NULL) {
        return fake_end(record, code);
    }
    if (RequestBuffer == NULL || RequestBufferLength < sizeof(HTTP_REQUEST_V1)) {
        return fake_end(record, ERROR_INSUFFICIENT_BUFFER);
    }
    if (RequestId != HTTP_NULL_ID) {
        ULONG bytes = 0;
        code = receive_by_id_locked(queue, RequestId, Flags, RequestBuffer, RequestBufferLength,
                                    &bytes);
        if (code == ERROR_MORE_DATA && BytesReturned != NULL) {
            *BytesReturned = bytes;
        }
        return fake_end(record, code == NO_ERROR
                                    ? fake_finish_now_locked(Overlapped, BytesReturned, bytes)
                                    : code);
    }
    if (!can_wait(record, Overlapped)) {
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    if (queue->shut_down) {
        return fake_end(record, ERROR_OPERATION_ABORTED);
    }
    fake_add_wait_locked(&(struct fake_wait){.loop = loop_current(),
                                             .op = (struct loop_op *)(void *)Overlapped,
                                             .queue = queue,
                                             .what = FAKE_WAIT_RECEIVE,
                                             .buffer = RequestBuffer,
                                             .buffer_len = RequestBufferLength,
                                             .flags = Flags});
    match_locked(queue);
    return fake_end(record, ERROR_IO_PENDING);
}

/* Copies what the body has. true: the read can end now. */
static bool read_body(struct fake_request *request, void *buffer, ULONG cap, ULONG flags,
                      ULONG *status, ULONG *bytes)
{
    size_t have = request->body_len - request->body_read;
    if (have == 0 && !request->body_open) {
        *status = ERROR_HANDLE_EOF;
        *bytes = 0;
        return true;
    }
    bool fill = (flags & HTTP_RECEIVE_REQUEST_ENTITY_BODY_FLAG_FILL_BUFFER) != 0;
    if (have == 0 || (fill && have < cap && request->body_open)) {
        return false;
    }
    size_t len = have < cap ? have : cap;
    memcpy(buffer, request->body + request->body_read, len);
    request->body_read += len;
    *status = NO_ERROR;
    *bytes = (ULONG)len;
    return true;
}

ULONG WINAPI HttpReceiveRequestEntityBody(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId,
                                          ULONG Flags, PVOID EntityBuffer, ULONG EntityBufferLength,
                                          PULONG BytesReturned, LPOVERLAPPED Overlapped)
{
    fake_lock();
    struct fake_record *record = fake_begin_locked("HttpReceiveRequestEntityBody", "queue ?");
    if (record->injected) {
        return fake_end(record, record->result);
    }
    ULONG code = NO_ERROR;
    struct fake_object *queue = fake_queue_of(record, RequestQueueHandle, &code);
    if (queue == NULL) {
        return fake_end(record, code);
    }
    struct fake_request *request = fake_find_request_locked(RequestId);
    if (request == NULL || request->queue != queue || !request->delivered ||
        fake_is_over(request)) {
        return fake_end(record, ERROR_CONNECTION_INVALID);
    }
    if (EntityBuffer == NULL || EntityBufferLength == 0) {
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    ULONG bytes = 0;
    if (read_body(request, EntityBuffer, EntityBufferLength, Flags, &code, &bytes)) {
        return fake_end(record, code == NO_ERROR
                                    ? fake_finish_now_locked(Overlapped, BytesReturned, bytes)
                                    : code);
    }
    if (request->hung_up || !can_wait(record, Overlapped)) {
        return fake_end(record,
                        request->hung_up ? ERROR_CONNECTION_INVALID : ERROR_INVALID_PARAMETER);
    }
    fake_add_wait_locked(&(struct fake_wait){.loop = loop_current(),
                                             .op = (struct loop_op *)(void *)Overlapped,
                                             .queue = queue,
                                             .id = RequestId,
                                             .what = FAKE_WAIT_BODY,
                                             .buffer = EntityBuffer,
                                             .buffer_len = EntityBufferLength,
                                             .flags = Flags});
    return fake_end(record, ERROR_IO_PENDING);
}

static void feed_readers_locked(struct fake_request *request)
{
    for (struct fake_wait **place = &fake.waits; *place != NULL;) {
        struct fake_wait *wait = *place;
        ULONG status = NO_ERROR, bytes = 0;
        bool ends =
            wait->what == FAKE_WAIT_BODY && wait->id == request->id &&
            read_body(request, wait->buffer, wait->buffer_len, wait->flags, &status, &bytes);
        if (ends) {
            fake_finish_wait_locked(place, status, bytes);
        } else {
            place = &wait->next;
        }
    }
}

ULONG WINAPI HttpCancelHttpRequest(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId,
                                   LPOVERLAPPED Overlapped)
{
    fake_lock();
    struct fake_record *record = fake_begin_locked("HttpCancelHttpRequest", "queue ?");
    if (record->injected) {
        return fake_end(record, record->result);
    }
    ULONG code = NO_ERROR;
    struct fake_object *queue = fake_queue_of(record, RequestQueueHandle, &code);
    if (queue == NULL) {
        return fake_end(record, code);
    }
    struct fake_request *request = fake_find_request_locked(RequestId);
    if (request == NULL || request->queue != queue || fake_is_over(request)) {
        return fake_end(record, ERROR_CONNECTION_INVALID);
    }
    cancel_request_locked(request);
    return fake_end(record, fake_finish_now_locked(Overlapped, NULL, 0));
}

ULONG WINAPI HttpWaitForDisconnect(HANDLE RequestQueueHandle, HTTP_CONNECTION_ID ConnectionId,
                                   LPOVERLAPPED Overlapped)
{
    fake_lock();
    struct fake_record *record = fake_begin_locked("HttpWaitForDisconnect", "queue ?");
    if (record->injected) {
        return fake_end(record, record->result);
    }
    ULONG code = NO_ERROR;
    struct fake_object *queue = fake_queue_of(record, RequestQueueHandle, &code);
    if (queue == NULL) {
        return fake_end(record, code);
    }
    struct fake_request *request = fake_find_request_locked(ConnectionId - 1);
    if (request == NULL || !can_wait(record, Overlapped)) {
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    if (request->hung_up) {
        return fake_end(record, fake_finish_now_locked(Overlapped, NULL, 0));
    }
    fake_add_wait_locked(&(struct fake_wait){.loop = loop_current(),
                                             .op = (struct loop_op *)(void *)Overlapped,
                                             .queue = queue,
                                             .id = ConnectionId,
                                             .what = FAKE_WAIT_DISCONNECT});
    return fake_end(record, ERROR_IO_PENDING);
}

BOOL CancelIoEx(HANDLE queue, LPOVERLAPPED overlapped)
{
    fake_lock();
    (void)fake_note_locked("CancelIoEx", "%s",
                           overlapped != NULL ? "one" : "all"); /* only the line is wanted */
    struct fake_object *object = fake_find_locked(FAKE_QUEUE, (uint64_t)(uintptr_t)queue);
    size_t count = overlapped != NULL ? abort_waits_locked(is_op, overlapped)
                                      : abort_waits_locked(is_of_queue, object);
    fake_unlock();
    return count > 0;
}

/* --- for the test --- */

static size_t prefix_match(const char *prefix, const char *url)
{
    size_t len = strlen(prefix);
    size_t bare = len > 0 && prefix[len - 1] == '/' ? len - 1 : len;
    if (strncasecmp(prefix, url, bare) != 0) {
        return 0;
    }
    return url[bare] == '/' || url[bare] == '?' || url[bare] == 0 ? len : 0;
}

static struct fake_object *route_locked(const char *url)
{
    struct fake_object *best = NULL;
    size_t best_len = 0;
    for (size_t i = 0; i < fake.object_count; i++) {
        struct fake_object *object = fake.object[i];
        size_t len = object->kind == FAKE_URL && object->open ? prefix_match(object->url, url) : 0;
        if (len > best_len) {
            best = object;
            best_len = len;
        }
    }
    return best;
}

static char *with_host(const char *headers, const char *url)
{
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : url;
    char *text = NULL;
    size_t len = 0;
    fake_append(&text, &len, "Host: ", 6);
    fake_append(&text, &len, host, strcspn(host, "/"));
    fake_append(&text, &len, "\r\n", 2);
    fake_append(&text, &len, headers != NULL ? headers : "", headers != NULL ? strlen(headers) : 0);
    return text;
}

HTTP_REQUEST_ID fake_inject(const struct fake_request_spec *spec)
{
    fake_lock();
    struct fake_object *url = route_locked(spec->url);
    if (url == NULL || url->parent->queue == NULL) {
        fake_unlock();
        return HTTP_NULL_ID;
    }
    struct fake_request *request = fake_alloc(sizeof *request);
    const char *method = spec->method != NULL ? spec->method : "GET";
    request->id = 0x100000000u + 2 * fake.next_id++;
    request->queue = url->parent->queue;
    request->context = url->context;
    request->method = fake_copy(method, strlen(method));
    request->url = fake_copy(spec->url, strlen(spec->url));
    request->headers = with_host(spec->headers, spec->url);
    request->body = fake_copy(spec->body, spec->body_len);
    request->body_len = spec->body_len;
    request->body_open = spec->body_open;
    request->response.headers = fake_alloc(1);
    request->response.body = fake_alloc(1);
    *fake.requests_end = request;
    fake.requests_end = &request->next;
    match_locked(request->queue);
    HTTP_REQUEST_ID id = request->id;
    fake_unlock();
    return id;
}

void fake_push_body(HTTP_REQUEST_ID id, const void *bytes, size_t len, bool last)
{
    fake_lock();
    struct fake_request *request = fake_find_request_locked(id);
    if (request != NULL) {
        fake_append(&request->body, &request->body_len, bytes, len);
        request->body_open = !last;
        feed_readers_locked(request);
    }
    fake_unlock();
}

void fake_hang_up(HTTP_REQUEST_ID id)
{
    fake_lock();
    struct fake_request *request = fake_find_request_locked(id);
    for (struct fake_wait **place = &fake.waits; request != NULL && *place != NULL;) {
        struct fake_wait *wait = *place;
        if (!is_of_request(wait, request)) {
            place = &wait->next;
            continue;
        }
        fake_finish_wait_locked(
            place, wait->what == FAKE_WAIT_DISCONNECT ? NO_ERROR : ERROR_CONNECTION_INVALID, 0);
    }
    if (request != NULL) {
        request->hung_up = true;
    }
    fake_unlock();
}

const struct fake_response *fake_response_of(HTTP_REQUEST_ID id)
{
    fake_lock();
    struct fake_request *request = fake_find_request_locked(id);
    fake_unlock();
    return request != NULL ? &request->response : NULL;
}

size_t fake_request_count(void)
{
    size_t count = 0;
    fake_lock();
    for (struct fake_request *request = fake.requests; request != NULL; request = request->next) {
        count += !fake_is_over(request) && !request->hung_up;
    }
    fake_unlock();
    return count;
}

size_t fake_receive_count(void)
{
    size_t count = 0;
    fake_lock();
    for (struct fake_wait *wait = fake.waits; wait != NULL; wait = wait->next) {
        count += wait->what == FAKE_WAIT_RECEIVE;
    }
    fake_unlock();
    return count;
}

void fake_hold_sends(size_t bytes)
{
    fake_lock();
    fake.hold_sends_over = bytes;
    fake_unlock();
}

void fake_release_sends(void)
{
    fake_lock();
    for (struct fake_wait **place = &fake.waits; *place != NULL;) {
        if ((*place)->what == FAKE_WAIT_SEND) {
            fake_finish_wait_locked(place, NO_ERROR, (*place)->bytes);
        } else {
            place = &(*place)->next;
        }
    }
    fake_unlock();
}
