#include "contract/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/contract.h"

enum { READ_PIECE = 64 * 1024 };

bool client_try_open(struct client *client, const char *address, uint16_t port)
{
    memset(client, 0, sizeof *client);
    client->port = port;
    client->socket = shim_connect(address, port);
    return client->socket != SHIM_NO_SOCKET;
}

void client_open(struct client *client, uint16_t port)
{
    CHECK(client_try_open(client, "127.0.0.1", port));
}

static void forget(struct client *client)
{
    free(client->bytes);
    memset(client, 0, sizeof *client);
    client->socket = SHIM_NO_SOCKET;
}

void client_close(struct client *client)
{
    shim_close(client->socket);
    forget(client);
}

void client_reset(struct client *client)
{
    shim_reset(client->socket);
    forget(client);
}

void client_send_bytes(struct client *client, const void *bytes, size_t length)
{
    CHECK(shim_send(client->socket, bytes, length));
}

void client_send(struct client *client, const char *format, ...)
{
    char text[8192];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    CHECK(length >= 0 && (size_t)length < sizeof text);
    client_send_bytes(client, text, (size_t)length);
}

void client_request(struct client *client, const char *method, const char *target, const char *more)
{
    client_send(client, "%s %s HTTP/1.1\r\nHost: localhost:%u\r\n%s\r\n", method, target,
                (unsigned)client->port, more);
}

/* Receives one more piece behind what is there. */
static enum shim_result pull(struct client *client, unsigned milliseconds)
{
    if (client->ended) {
        return SHIM_EOF;
    }
    if (client->capacity - client->length < READ_PIECE + 1) {
        const size_t capacity = client->capacity * 2 + READ_PIECE + 1;
        CHECK(client->length < CLIENT_BODY_MAX);
        char *bytes = realloc(client->bytes, capacity);
        CHECK(bytes != NULL);
        client->bytes = bytes;
        client->capacity = capacity;
    }
    size_t count = 0;
    const enum shim_result result = shim_receive(client->socket, client->bytes + client->length,
                                                 READ_PIECE, milliseconds, &count);
    client->length += count;
    client->bytes[client->length] = 0;
    client->ended = result == SHIM_EOF || result == SHIM_RESET;
    return result;
}

/* At least so many bytes are here; the case fails otherwise. */
static void need(struct client *client, size_t length)
{
    while (client->length < length) {
        const enum shim_result result = pull(client, CONTRACT_WAIT_MS);
        if (result != SHIM_BYTES) {
            contract_fail(__FILE__, __LINE__, "answer cut after %zu bytes (%s): \"%.*s\"",
                          client->length, result == SHIM_TIMEOUT ? "nothing more" : "closed",
                          (int)(client->length > 200 ? 200 : client->length),
                          client->length > 0 ? client->bytes : "");
        }
    }
}

/* Where `text` begins at or behind `from`; waits for it. */
static size_t find(struct client *client, size_t from, const char *text)
{
    const size_t length = strlen(text);
    for (size_t at = from;; at++) {
        need(client, at + length);
        if (memcmp(client->bytes + at, text, length) == 0) {
            return at;
        }
    }
}

static char *copy_of(const char *bytes, size_t length)
{
    char *copy = malloc(length + 1);
    CHECK(copy != NULL);
    if (length > 0) {
        memcpy(copy, bytes, length);
    }
    copy[length] = 0;
    return copy;
}

static void take(struct client *client, size_t length)
{
    memmove(client->bytes, client->bytes + length, client->length - length);
    client->length -= length;
    client->bytes[client->length] = 0;
}

/* Chunked body from `at` on, unchunked into the reply. Returns where it ends. */
static size_t read_chunked(struct client *client, size_t at, struct reply *reply)
{
    for (;;) {
        const size_t line_end = find(client, at, "\r\n");
        char *end = NULL;
        const unsigned long size = strtoul(client->bytes + at, &end, 16);
        CHECK(end > client->bytes + at && size < CLIENT_BODY_MAX);
        at = line_end + 2;
        if (size == 0) {
            break;
        }
        need(client, at + size + 2);
        CHECK(memcmp(client->bytes + at + size, "\r\n", 2) == 0);
        char *body = realloc(reply->body, reply->body_length + size + 1);
        CHECK(body != NULL);
        memcpy(body + reply->body_length, client->bytes + at, size);
        reply->body = body;
        reply->body_length += size;
        reply->body[reply->body_length] = 0;
        at += size + 2;
    }
    for (;;) { /* trailers, then the empty line */
        const size_t line_end = find(client, at, "\r\n");
        const bool empty = line_end == at;
        at = line_end + 2;
        if (empty) {
            return at;
        }
    }
}

static void read_head(struct client *client, struct reply *reply)
{
    const size_t end = find(client, 0, "\r\n\r\n") + 4;
    reply->head = copy_of(client->bytes, end);
    reply->head_length = end;
    CHECK(end > 13 && memcmp(reply->head, "HTTP/1.1 ", 9) == 0);
    reply->status = (unsigned)strtoul(reply->head + 9, NULL, 10);
    const char *reason = reply->head + 12;
    if (*reason == ' ') {
        reason++;
    }
    const size_t length = strcspn(reason, "\r");
    CHECK(length < sizeof reply->reason);
    memcpy(reply->reason, reason, length);
    reply->reason[length] = 0;
}

void client_read(struct client *client, struct reply *reply, bool no_body)
{
    char value[128];
    memset(reply, 0, sizeof *reply);
    read_head(client, reply);
    size_t at = reply->head_length;
    const bool bare =
        no_body || reply->status < 200 || reply->status == 204 || reply->status == 304;
    if (bare) {
        reply->body = copy_of("", 0);
    } else if (reply_header(reply, "Transfer-Encoding", value, sizeof value)) {
        CHECK(strcmp(value, "chunked") == 0);
        reply->body = copy_of("", 0);
        at = read_chunked(client, at, reply);
    } else if (reply_header(reply, "Content-Length", value, sizeof value)) {
        reply->body_length = (size_t)strtoull(value, NULL, 10);
        CHECK(reply->body_length < CLIENT_BODY_MAX);
        need(client, at + reply->body_length);
        reply->body = copy_of(client->bytes + at, reply->body_length);
        at += reply->body_length;
    } else {
        while (pull(client, CONTRACT_WAIT_MS) == SHIM_BYTES) {
        }
        CHECK(client->ended);
        reply->body_length = client->length - at;
        reply->body = copy_of(client->bytes + at, reply->body_length);
        at = client->length;
    }
    reply->wire_length = at;
    take(client, at);
}

void client_expect(struct client *client, unsigned status)
{
    struct reply reply;
    client_read(client, &reply, false);
    CHECK_UINT(status, reply.status);
    reply_free(&reply);
}

void client_expect_body(struct client *client, unsigned status, const char *body)
{
    struct reply reply;
    client_read(client, &reply, false);
    CHECK_UINT(status, reply.status);
    CHECK_TEXT(body, reply.body, reply.body_length);
    reply_free(&reply);
}

char *client_read_all(struct client *client, size_t *length)
{
    while (!client->ended) {
        if (pull(client, CONTRACT_WAIT_MS) == SHIM_TIMEOUT) {
            contract_fail(__FILE__, __LINE__, "the connection stays open after %zu bytes",
                          client->length);
        }
    }
    *length = client->length;
    char *all = copy_of(client->bytes, client->length);
    client->length = 0;
    return all;
}

enum shim_result client_end(struct client *client)
{
    if (client->length > 0) {
        return SHIM_BYTES;
    }
    return pull(client, CONTRACT_WAIT_MS);
}

void client_expect_end(struct client *client)
{
    const enum shim_result result = client_end(client);
    if (result == SHIM_TIMEOUT) {
        contract_fail(__FILE__, __LINE__, "the connection stays open");
    }
    if (result == SHIM_BYTES) {
        contract_fail(__FILE__, __LINE__, "expected the end of the connection, seen \"%.*s\"",
                      (int)(client->length > 200 ? 200 : client->length), client->bytes);
    }
}

bool client_is_silent(struct client *client, unsigned milliseconds)
{
    return client->length == 0 && pull(client, milliseconds) == SHIM_TIMEOUT;
}

static bool same_name(const char *line, const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const char a = line[i] >= 'A' && line[i] <= 'Z' ? (char)(line[i] + 32) : line[i];
        const char b = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
        if (a != b) {
            return false;
        }
    }
    return line[length] == ':';
}

bool reply_header_at(const struct reply *reply, const char *name, unsigned n, char *value,
                     size_t cap)
{
    const size_t length = strlen(name);
    for (const char *line = strstr(reply->head, "\r\n"); line != NULL;
         line = strstr(line, "\r\n")) {
        line += 2;
        if (strlen(line) <= length || !same_name(line, name, length) || n-- > 0) {
            continue;
        }
        const char *begin = line + length + 1;
        begin += strspn(begin, " \t");
        const size_t bytes = strcspn(begin, "\r");
        CHECK(bytes < cap);
        memcpy(value, begin, bytes);
        value[bytes] = 0;
        return true;
    }
    return false;
}

bool reply_header(const struct reply *reply, const char *name, char *value, size_t cap)
{
    return reply_header_at(reply, name, 0, value, cap);
}

bool reply_has_header(const struct reply *reply, const char *name)
{
    char value[4096];
    return reply_header(reply, name, value, sizeof value);
}

void reply_free(struct reply *reply)
{
    free(reply->head);
    free(reply->body);
    memset(reply, 0, sizeof *reply);
}
