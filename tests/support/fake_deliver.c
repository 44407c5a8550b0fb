/* The recording fake: laying out an injected request in the buffer of the receive that gets it. */
#include "fake_internal.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *const fake_common_header[20] = {"Cache-Control",
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
static const char *const verb_name[20] = {NULL,        NULL,    NULL,   "OPTIONS", "GET",
                                          "HEAD",      "POST",  "PUT",  "DELETE",  "TRACE",
                                          "CONNECT",   "TRACK", "MOVE", "COPY",    "PROPFIND",
                                          "PROPPATCH", "MKCOL", "LOCK", "UNLOCK",  "SEARCH"};

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
        const char *known = i < 20 ? fake_common_header[i] : request_header[i - 20];
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

HTTP_CONNECTION_ID fake_connection_of(const struct fake_request *request)
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
        out->ConnectionId = fake_connection_of(request);
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
ULONG fake_deliver(struct fake_request *request, void *buffer, ULONG cap, ULONG flags, ULONG *bytes)
{
    HTTP_REQUEST *out = buffer;
    bool borrow = (flags & HTTP_RECEIVE_REQUEST_FLAG_BORROW) != 0;
    struct layout own = {NULL, sizeof(HTTP_REQUEST)}, lent = {NULL, 0};
    lay_request(&own, borrow ? &lent : &own, NULL, request);
    request->bound = true;
    if (own.used > cap) {
        memset(out, 0, sizeof(HTTP_REQUEST_V1));
        out->RequestId = request->id;
        out->ConnectionId = fake_connection_of(request);
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
void fake_take_back(struct fake_request *request)
{
    if (request->borrowed != NULL) {
        memset(request->borrowed, 0xDD, request->borrowed_len);
    }
}
