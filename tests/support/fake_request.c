/* The recording fake: requests injected by the test, received and answered through the contract.
 *
 * A request goes to the queue of the group of its URL, to the oldest receive that waits there, else
 * it waits itself. Answers are kept for fake_response_of. Only overlapped calls that complete into
 * a loop are known here: a call that would block is a violation. */
#include "fake_internal.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char *const common_header[20] = {"Cache-Control",
                                              "Connection",
                                              "Date",
                                              "Keep-Alive",
                                              "Pragma",
                                              "Trailer",
                                              "Transfer-Encoding",
                                              "Upgrade",
                                              "Via",
                                              "Warning",
                                              "Allow",
                                              "Content-Length",
                                              "Content-Type",
                                              "Content-Encoding",
                                              "Content-Language",
                                              "Content-Location",
                                              "Content-MD5",
                                              "Content-Range",
                                              "Expires",
                                              "Last-Modified"};
static const char *const request_header[21] = {"Accept",
                                               "Accept-Charset",
                                               "Accept-Encoding",
                                               "Accept-Language",
                                               "Authorization",
                                               "Cookie",
                                               "Expect",
                                               "From",
                                               "Host",
                                               "If-Match",
                                               "If-Modified-Since",
                                               "If-None-Match",
                                               "If-Range",
                                               "If-Unmodified-Since",
                                               "Max-Forwards",
                                               "Proxy-Authorization",
                                               "Referer",
                                               "Range",
                                               "TE",
                                               "Translate",
                                               "User-Agent"};
static const char *const response_header[10] = {
    "Accept-Ranges", "Age",    "ETag",       "Location", "Proxy-Authenticate",
    "Retry-After",   "Server", "Set-Cookie", "Vary",     "WWW-Authenticate"};
static const char *const verb_name[20] = {NULL,        NULL,    NULL,   "OPTIONS", "GET",
                                          "HEAD",      "POST",  "PUT",  "DELETE",  "TRACE",
                                          "CONNECT",   "TRACK", "MOVE", "COPY",    "PROPFIND",
                                          "PROPPATCH", "MKCOL", "LOCK", "UNLOCK",  "SEARCH"};

enum { UNKNOWN_HEADERS_MAX = 64 };

static struct fake_request *find_request_locked(HTTP_REQUEST_ID id)
{
    struct fake_request *request = fake.requests;
    while (request != NULL && request->id != id) {
        request = request->next;
    }
    return request;
}

static bool is_over(const struct fake_request *request)
{
    return request->response.complete || request->response.cancelled;
}

/* --- laying out a received request
 * ------------------------------------------------------------------------------------- */

/* Memory handed out from the front of a block; with base NULL it only counts. */
struct layout {
    char *base;
    size_t used;
};

static void *take(struct layout *layout, size_t size, size_t align)
{
    layout->used = (layout->used + align - 1) & ~(align - 1);
    void *place = layout->base != NULL ? layout->base + layout->used : NULL;
    layout->used += size;
    return place;
}

static char *take_text(struct layout *layout, const char *text, size_t len)
{
    char *place = take(layout, len + 1, 1);
    if (place != NULL) {
        memcpy(place, text, len);
        place[len] = 0;
    }
    return place;
}

static int known_header(const char *name, size_t len)
{
    for (int i = 0; i < 41; i++) {
        const char *known = i < 20 ? common_header[i] : request_header[i - 20];
        if (strlen(known) == len && strncasecmp(known, name, len) == 0) {
            return i;
        }
    }
    return -1;
}

/* Puts one "Name: value" line into the request. The unknown ones go to the array that was taken
 * before. */
static void lay_header(struct layout *layout, HTTP_REQUEST_HEADERS *headers, const char *line,
                       size_t len)
{
    const char *colon = memchr(line, ':', len);
    if (colon == NULL) {
        return;
    }
    size_t name_len = (size_t)(colon - line), value_len = len - name_len - 1;
    const char *value = colon + 1;
    while (value_len > 0 && *value == ' ') {
        value++, value_len--;
    }
    int known = known_header(line, name_len);
    char *kept_name = known < 0 ? take_text(layout, line, name_len) : NULL;
    char *kept_value = take_text(layout, value, value_len);
    if (layout->base == NULL) {
        return;
    }
    if (known >= 0) {
        headers->KnownHeaders[known].pRawValue = kept_value;
        headers->KnownHeaders[known].RawValueLength = (USHORT)value_len;
        return;
    }
    HTTP_UNKNOWN_HEADER *unknown = &headers->pUnknownHeaders[headers->UnknownHeaderCount++];
    unknown->pName = kept_name;
    unknown->NameLength = (USHORT)name_len;
    unknown->pRawValue = kept_value;
    unknown->RawValueLength = (USHORT)value_len;
}

static size_t count_lines(const char *lines)
{
    size_t count = 0;
    for (const char *p = lines; *p != 0; p += strcspn(p, "\n") + (strchr(p, '\n') != NULL)) {
        count++;
    }
    return count;
}

static void lay_headers(struct layout *layout, HTTP_REQUEST_HEADERS *headers,
                        HTTP_UNKNOWN_HEADER *unknown, const char *lines)
{
    if (headers != NULL) {
        headers->pUnknownHeaders = unknown;
    }
    for (const char *p = lines; *p != 0;) {
        size_t len = strcspn(p, "\r\n");
        lay_header(layout, headers, p, len);
        p += len;
        p += strspn(p, "\r\n");
    }
    if (headers != NULL && headers->UnknownHeaderCount == 0) {
        headers->pUnknownHeaders = NULL;
    }
}

static void lay_url(struct layout *layout, HTTP_REQUEST *out, const char *url)
{
    char *full = take_text(layout, url, strlen(url));
    const char *host = strstr(url, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;
    if (path == NULL) {
        return;
    }
    char *raw = take_text(layout, path, strlen(path));
    if (layout->base == NULL) {
        return;
    }
    const char *query = strchr(path, '?');
    size_t path_len = query != NULL ? (size_t)(query - path) : strlen(path);
    out->CookedUrl.pFullUrl = full;
    out->CookedUrl.FullUrlLength = (USHORT)strlen(url);
    out->CookedUrl.pHost = full + (host + 3 - url);
    out->CookedUrl.HostLength = (USHORT)(path - (host + 3));
    out->CookedUrl.pAbsPath = full + (path - url);
    out->CookedUrl.AbsPathLength = (USHORT)path_len;
    out->CookedUrl.pQueryString = query != NULL ? full + (query - url) : NULL;
    out->CookedUrl.QueryStringLength = query != NULL ? (USHORT)strlen(query) : 0;
    out->pRawUrl = raw;
    out->RawUrlLength = (USHORT)strlen(path);
}

static void lay_verb(struct layout *layout, HTTP_REQUEST *out, const char *method)
{
    for (int i = 3; i < 20; i++) {
        if (strcmp(verb_name[i], method) == 0) {
            if (layout->base != NULL) {
                out->Verb = (HTTP_VERB)i;
            }
            return;
        }
    }
    char *kept = take_text(layout, method, strlen(method));
    if (layout->base != NULL) {
        out->Verb = HttpVerbUnknown;
        out->pUnknownVerb = kept;
        out->UnknownVerbLength = (USHORT)strlen(method);
    }
}

static void lay_addresses(struct layout *layout, HTTP_REQUEST *out)
{
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in *address = take(layout, sizeof *address, _Alignof(struct sockaddr_in));
        if (layout->base == NULL) {
            continue;
        }
        memset(address, 0, sizeof *address);
        address->sin_family = AF_INET;
        address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address->sin_port = htons(i == 0 ? 50000 : 8080);
        *(i == 0 ? &out->Address.pRemoteAddress : &out->Address.pLocalAddress) = (PSOCKADDR)address;
    }
}

static HTTP_CONNECTION_ID connection_of(const struct fake_request *request)
{
    return request->id + 1;
}

/* Everything but the struct itself: arrays into the caller's buffer, strings into `text` (the same
 * place unless they are lent). out may be NULL when the layouts only count. */
static void lay_request(struct layout *own, struct layout *text, HTTP_REQUEST *out,
                        const struct fake_request *request)
{
    if (out != NULL) {
        memset(out, 0, sizeof *out);
        out->RequestId = request->id;
        out->ConnectionId = connection_of(request);
        out->UrlContext = request->context;
        out->Version.MajorVersion = 1;
        out->Version.MinorVersion = 1;
        out->BytesReceived = request->body_len + 64;
        bool more = request->body_open || request->body_read < request->body_len;
        out->Flags = more ? HTTP_REQUEST_FLAG_MORE_ENTITY_BODY_EXISTS : 0;
    }
    HTTP_UNKNOWN_HEADER *unknown =
        take(own, count_lines(request->headers) * sizeof *unknown, _Alignof(HTTP_UNKNOWN_HEADER));
    lay_addresses(text, out);
    lay_verb(text, out, request->method);
    lay_url(text, out, request->url);
    lay_headers(text, out != NULL ? &out->Headers : NULL, unknown, request->headers);
}

/* Copies what has arrived of the body behind the rest, as COPY_BODY asks. */
static void copy_body(struct layout *own, size_t cap, HTTP_REQUEST *out,
                      struct fake_request *request)
{
    HTTP_DATA_CHUNK *chunk = take(own, sizeof *chunk, _Alignof(HTTP_DATA_CHUNK));
    size_t have = request->body_len - request->body_read;
    size_t room = cap > own->used ? cap - own->used : 0;
    size_t len = have < room ? have : room;
    if (len == 0) {
        return;
    }
    memset(chunk, 0, sizeof *chunk);
    chunk->DataChunkType = HttpDataChunkFromMemory;
    chunk->FromMemory.pBuffer = take(own, len, 1);
    chunk->FromMemory.BufferLength = (ULONG)len;
    memcpy(chunk->FromMemory.pBuffer, request->body + request->body_read, len);
    request->body_read += len;
    out->EntityChunkCount = 1;
    out->pEntityChunks = chunk;
    if (!request->body_open && request->body_read == request->body_len) {
        out->Flags &= ~(ULONG)HTTP_REQUEST_FLAG_MORE_ENTITY_BODY_EXISTS;
    }
}

/* Gives the request to a receive. Result: NO_ERROR or ERROR_MORE_DATA; *bytes as the call reports
 * it. */
static ULONG deliver(struct fake_request *request, void *buffer, ULONG cap, ULONG flags,
                     ULONG *bytes)
{
    HTTP_REQUEST *out = buffer;
    bool borrow = (flags & HTTP_RECEIVE_REQUEST_FLAG_BORROW) != 0;
    struct layout own = {NULL, sizeof(HTTP_REQUEST)}, lent = {NULL, 0};
    lay_request(&own, borrow ? &lent : &own, NULL, request);
    request->bound = true;
    if (own.used > cap) {
        memset(out, 0, sizeof(HTTP_REQUEST_V1));
        out->RequestId = request->id;
        out->ConnectionId = connection_of(request);
        *bytes = (ULONG)own.used;
        return ERROR_MORE_DATA;
    }
    if (borrow) {
        request->borrowed = fake_alloc(lent.used);
        request->borrowed_len = lent.used;
    }
    own = (struct layout){buffer, sizeof(HTTP_REQUEST)};
    lent = (struct layout){request->borrowed, 0};
    lay_request(&own, borrow ? &lent : &own, out, request);
    bool copies = (flags & HTTP_RECEIVE_REQUEST_FLAG_COPY_BODY) != 0;
    if (copies && own.used + sizeof(HTTP_DATA_CHUNK) + _Alignof(HTTP_DATA_CHUNK) < cap) {
        copy_body(&own, cap, out, request);
    }
    request->delivered = true;
    *bytes = (ULONG)own.used;
    return NO_ERROR;
}

/* The request is over: what was lent may not be looked at any more, and who does sees this. */
static void take_back(struct fake_request *request)
{
    if (request->borrowed != NULL) {
        memset(request->borrowed, 0xDD, request->borrowed_len);
    }
}

/* --- waits
 * -----------------------------------------------------------------------------------------------------------
 */

static void add_wait_locked(const struct fake_wait *wait)
{
    struct fake_wait *kept = fake_copy(wait, sizeof *wait);
    kept->next = NULL;
    kept->op->overlapped.Internal = ERROR_IO_PENDING;
    *fake.waits_end = kept;
    fake.waits_end = &kept->next;
}

/* Takes the wait at *place off the list and completes it. */
static void finish_wait_locked(struct fake_wait **place, ULONG status, ULONG bytes)
{
    struct fake_wait *wait = *place;
    *place = wait->next;
    if (wait->next == NULL) {
        fake.waits_end = place;
    }
    if (wait->what == FAKE_WAIT_SEND) {
        struct fake_request *request = find_request_locked(wait->id);
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
            finish_wait_locked(place, ERROR_OPERATION_ABORTED, 0);
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
           (wait->what == FAKE_WAIT_DISCONNECT && wait->id == connection_of(request));
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
        while (request != NULL && (request->queue != queue || request->bound || is_over(request))) {
            request = request->next;
        }
        if (request == NULL) {
            return;
        }
        ULONG bytes = 0;
        ULONG status = deliver(request, wait->buffer, wait->buffer_len, wait->flags, &bytes);
        finish_wait_locked(place, status, bytes);
    }
}

static void cancel_request_locked(struct fake_request *request)
{
    if (is_over(request)) {
        return;
    }
    request->response.cancelled = true;
    take_back(request);
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
        if (request->queue != queue || is_over(request)) {
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

/* --- receiving
 * ---------------------------------------------------------------------------------------------------------
 */

/* The queue of a call, open. NULL: the record has been ended with the code. */
static struct fake_object *queue_of(struct fake_record *record, HANDLE handle, ULONG *code)
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
static ULONG finish_now_locked(LPOVERLAPPED overlapped, ULONG *bytes_out, ULONG bytes)
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
    struct fake_request *request = find_request_locked(id);
    if (request == NULL || request->queue != queue || request->delivered || is_over(request)) {
        return ERROR_CONNECTION_INVALID;
    }
    return deliver(request, buffer, len, flags, bytes);
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
    struct fake_object *queue = queue_of(record, RequestQueueHandle, &code);
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
        return fake_end(
            record, code == NO_ERROR ? finish_now_locked(Overlapped, BytesReturned, bytes) : code);
    }
    if (!can_wait(record, Overlapped)) {
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    if (queue->shut_down) {
        return fake_end(record, ERROR_OPERATION_ABORTED);
    }
    add_wait_locked(&(struct fake_wait){.loop = loop_current(),
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
    struct fake_object *queue = queue_of(record, RequestQueueHandle, &code);
    if (queue == NULL) {
        return fake_end(record, code);
    }
    struct fake_request *request = find_request_locked(RequestId);
    if (request == NULL || request->queue != queue || !request->delivered || is_over(request)) {
        return fake_end(record, ERROR_CONNECTION_INVALID);
    }
    if (EntityBuffer == NULL || EntityBufferLength == 0) {
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    ULONG bytes = 0;
    if (read_body(request, EntityBuffer, EntityBufferLength, Flags, &code, &bytes)) {
        return fake_end(
            record, code == NO_ERROR ? finish_now_locked(Overlapped, BytesReturned, bytes) : code);
    }
    if (request->hung_up || !can_wait(record, Overlapped)) {
        return fake_end(record,
                        request->hung_up ? ERROR_CONNECTION_INVALID : ERROR_INVALID_PARAMETER);
    }
    add_wait_locked(&(struct fake_wait){.loop = loop_current(),
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
            finish_wait_locked(place, status, bytes);
        } else {
            place = &wait->next;
        }
    }
}

/* --- answering
 * ---------------------------------------------------------------------------------------------------------
 */

static void append(char **text, size_t *len, const void *more, size_t more_len)
{
    char *bigger = realloc(*text, *len + more_len + 1);
    if (bigger == NULL) {
        abort();
    }
    if (more_len > 0) {
        memcpy(bigger + *len, more, more_len);
    }
    *len += more_len;
    bigger[*len] = 0;
    *text = bigger;
}

static void append_header(struct fake_response *response, const char *name, size_t name_len,
                          const char *value, size_t value_len)
{
    size_t len = strlen(response->headers);
    append(&response->headers, &len, name, name_len);
    append(&response->headers, &len, ": ", 2);
    append(&response->headers, &len, value, value_len);
    append(&response->headers, &len, "\r\n", 2);
}

static void keep_headers(struct fake_response *response, const HTTP_RESPONSE *from)
{
    for (int i = 0; i < 30; i++) {
        const HTTP_KNOWN_HEADER *known = &from->Headers.KnownHeaders[i];
        if (known->RawValueLength > 0) {
            const char *name = i < 20 ? common_header[i] : response_header[i - 20];
            append_header(response, name, strlen(name), known->pRawValue, known->RawValueLength);
        }
    }
    for (USHORT i = 0; i < from->Headers.UnknownHeaderCount; i++) {
        const HTTP_UNKNOWN_HEADER *unknown = &from->Headers.pUnknownHeaders[i];
        append_header(response, unknown->pName, unknown->NameLength, unknown->pRawValue,
                      unknown->RawValueLength);
    }
    for (USHORT i = 0; i < from->ResponseInfoCount; i++) {
        const HTTP_MULTIPLE_KNOWN_HEADERS *many = from->pResponseInfo[i].pInfo;
        bool headers = from->pResponseInfo[i].Type == HttpResponseInfoTypeMultipleKnownHeaders;
        for (USHORT j = 0; headers && j < many->KnownHeaderCount; j++) {
            int id = (int)many->HeaderId;
            const char *name = id < 20 ? common_header[id] : response_header[id - 20];
            append_header(response, name, strlen(name), many->KnownHeaders[j].pRawValue,
                          many->KnownHeaders[j].RawValueLength);
        }
    }
}

static size_t keep_file(struct fake_response *response, const HTTP_DATA_CHUNK *chunk)
{
    int fd = http_fd_from_handle(chunk->FromFileHandle.FileHandle);
    off_t at = (off_t)chunk->FromFileHandle.ByteRange.StartingOffset.QuadPart;
    uint64_t left = chunk->FromFileHandle.ByteRange.Length.QuadPart;
    size_t total = 0;
    while (left > 0) {
        char piece[4096];
        ssize_t got = pread(fd, piece, left < sizeof piece ? (size_t)left : sizeof piece, at);
        if (got <= 0) {
            break;
        }
        append(&response->body, &response->body_len, piece, (size_t)got);
        at += got;
        total += (size_t)got;
        left -= left == UINT64_MAX ? 0 : (uint64_t)got;
    }
    return total;
}

static size_t keep_body(struct fake_response *response, const HTTP_DATA_CHUNK *chunks, USHORT count)
{
    size_t total = 0;
    for (USHORT i = 0; i < count; i++) {
        if (chunks[i].DataChunkType == HttpDataChunkFromMemory) {
            append(&response->body, &response->body_len, chunks[i].FromMemory.pBuffer,
                   chunks[i].FromMemory.BufferLength);
            total += chunks[i].FromMemory.BufferLength;
        } else if (chunks[i].DataChunkType == HttpDataChunkFromFileHandle) {
            total += keep_file(response, &chunks[i]);
        }
    }
    return total;
}

/* What both send calls end with: pending or done. */
static ULONG end_send_locked(struct fake_object *queue, struct fake_request *request, ULONG flags,
                             size_t total, ULONG *sent, LPOVERLAPPED overlapped)
{
    request->response.sends++;
    request->response.flags = flags;
    request->response.complete = (flags & HTTP_SEND_RESPONSE_FLAG_MORE_DATA) == 0;
    if (request->response.complete) {
        take_back(request);
    }
    if (total > fake.hold_sends_over && overlapped != NULL && loop_current() != NULL) {
        request->sends_pending++;
        add_wait_locked(&(struct fake_wait){.loop = loop_current(),
                                            .op = (struct loop_op *)(void *)overlapped,
                                            .queue = queue,
                                            .id = request->id,
                                            .what = FAKE_WAIT_SEND,
                                            .bytes = (ULONG)total});
        return ERROR_IO_PENDING;
    }
    return finish_now_locked(overlapped, sent, (ULONG)total);
}

/* The request a send is for; NULL with *code when it cannot be answered. */
static struct fake_request *answerable_locked(struct fake_object *queue, HTTP_REQUEST_ID id,
                                              bool body, ULONG *code)
{
    struct fake_request *request = find_request_locked(id);
    bool known =
        request != NULL && request->queue == queue && request->delivered && !is_over(request);
    bool started = known && request->response.status >= 200;
    *code = NO_ERROR;
    if (!known || request->hung_up || started != body) {
        *code = ERROR_CONNECTION_INVALID;
    } else if (request->sends_pending > 0) {
        *code = ERROR_BAD_COMMAND;
    }
    return *code == NO_ERROR ? request : NULL;
}

ULONG WINAPI HttpSendHttpResponse(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId, ULONG Flags,
                                  PHTTP_RESPONSE HttpResponse, PHTTP_CACHE_POLICY CachePolicy,
                                  PULONG BytesSent, PVOID Reserved1, ULONG Reserved2,
                                  LPOVERLAPPED Overlapped, PHTTP_LOG_DATA LogData)
{
    (void)CachePolicy, (void)LogData; /* nothing is cached or logged here */
    fake_lock();
    struct fake_record *record = fake_begin_locked("HttpSendHttpResponse", "queue ?");
    if (record->injected) {
        return fake_end(record, record->result);
    }
    ULONG code = NO_ERROR;
    struct fake_object *queue = queue_of(record, RequestQueueHandle, &code);
    if (queue == NULL) {
        return fake_end(record, code);
    }
    const ULONG both = HTTP_SEND_RESPONSE_FLAG_DISCONNECT | HTTP_SEND_RESPONSE_FLAG_MORE_DATA;
    if (HttpResponse == NULL || Reserved1 != NULL || Reserved2 != 0 || (Flags & both) == both) {
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    struct fake_request *request = answerable_locked(queue, RequestId, false, &code);
    if (request == NULL) {
        return fake_end(record, code);
    }
    request->response.status = HttpResponse->StatusCode;
    fake_detail_locked(record, "status %u", (unsigned)HttpResponse->StatusCode);
    keep_headers(&request->response, HttpResponse);
    size_t total =
        keep_body(&request->response, HttpResponse->pEntityChunks, HttpResponse->EntityChunkCount);
    return fake_end(record, end_send_locked(queue, request, Flags, total, BytesSent, Overlapped));
}

ULONG WINAPI HttpSendResponseEntityBody(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId,
                                        ULONG Flags, USHORT EntityChunkCount,
                                        PHTTP_DATA_CHUNK EntityChunks, PULONG BytesSent,
                                        PVOID Reserved1, ULONG Reserved2, LPOVERLAPPED Overlapped,
                                        PHTTP_LOG_DATA LogData)
{
    (void)LogData; /* nothing is logged here */
    fake_lock();
    struct fake_record *record = fake_begin_locked("HttpSendResponseEntityBody", "queue ?");
    if (record->injected) {
        return fake_end(record, record->result);
    }
    ULONG code = NO_ERROR;
    struct fake_object *queue = queue_of(record, RequestQueueHandle, &code);
    if (queue == NULL) {
        return fake_end(record, code);
    }
    bool chunks_missing = EntityChunkCount > 0 && EntityChunks == NULL;
    if (chunks_missing || EntityChunkCount > 9999 || Reserved1 != NULL || Reserved2 != 0) {
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    struct fake_request *request = answerable_locked(queue, RequestId, true, &code);
    if (request == NULL) {
        return fake_end(record, code);
    }
    size_t total = keep_body(&request->response, EntityChunks, EntityChunkCount);
    return fake_end(record, end_send_locked(queue, request, Flags, total, BytesSent, Overlapped));
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
    struct fake_object *queue = queue_of(record, RequestQueueHandle, &code);
    if (queue == NULL) {
        return fake_end(record, code);
    }
    struct fake_request *request = find_request_locked(RequestId);
    if (request == NULL || request->queue != queue || is_over(request)) {
        return fake_end(record, ERROR_CONNECTION_INVALID);
    }
    cancel_request_locked(request);
    return fake_end(record, finish_now_locked(Overlapped, NULL, 0));
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
    struct fake_object *queue = queue_of(record, RequestQueueHandle, &code);
    if (queue == NULL) {
        return fake_end(record, code);
    }
    struct fake_request *request = find_request_locked(ConnectionId - 1);
    if (request == NULL || !can_wait(record, Overlapped)) {
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    if (request->hung_up) {
        return fake_end(record, finish_now_locked(Overlapped, NULL, 0));
    }
    add_wait_locked(&(struct fake_wait){.loop = loop_current(),
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

/* --- for the test
 * ------------------------------------------------------------------------------------------------------
 */

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
    append(&text, &len, "Host: ", 6);
    append(&text, &len, host, strcspn(host, "/"));
    append(&text, &len, "\r\n", 2);
    append(&text, &len, headers != NULL ? headers : "", headers != NULL ? strlen(headers) : 0);
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
    struct fake_request *request = find_request_locked(id);
    if (request != NULL) {
        append(&request->body, &request->body_len, bytes, len);
        request->body_open = !last;
        feed_readers_locked(request);
    }
    fake_unlock();
}

void fake_hang_up(HTTP_REQUEST_ID id)
{
    fake_lock();
    struct fake_request *request = find_request_locked(id);
    for (struct fake_wait **place = &fake.waits; request != NULL && *place != NULL;) {
        struct fake_wait *wait = *place;
        if (!is_of_request(wait, request)) {
            place = &wait->next;
            continue;
        }
        finish_wait_locked(
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
    struct fake_request *request = find_request_locked(id);
    fake_unlock();
    return request != NULL ? &request->response : NULL;
}

size_t fake_request_count(void)
{
    size_t count = 0;
    fake_lock();
    for (struct fake_request *request = fake.requests; request != NULL; request = request->next) {
        count += !is_over(request) && !request->hung_up;
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
            finish_wait_locked(place, NO_ERROR, (*place)->bytes);
        } else {
            place = &(*place)->next;
        }
    }
    fake_unlock();
}
