/* A small HTTP client that shows every byte: it sends what a case gives it, and takes answers apart
 * without repairing them. One client is one connection. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "contract/shim.h"

enum {
    CLIENT_BODY_MAX = 64 << 20 /* a longer answer fails the case */
};

struct client {
    intptr_t socket;
    uint16_t port;
    char *bytes; /* received, not yet taken */
    size_t length;
    size_t capacity;
    bool ended; /* the peer has closed or reset */
};

/* An answer as it came. */
struct reply {
    unsigned status;
    char reason[128];
    char *head; /* status line and headers with the empty line, terminated */
    size_t head_length;
    char *body; /* unchunked, terminated */
    size_t body_length;
    size_t wire_length; /* bytes taken off the connection for it */
};

/* Connects to 127.0.0.1; the case fails when it is refused. */
void client_open(struct client *client, uint16_t port);
/* Connects to an address. false: refused. */
bool client_try_open(struct client *client, const char *address, uint16_t port);
void client_close(struct client *client);
void client_reset(struct client *client);

/* Sends text made with printf. The case fails when the peer has gone. */
void client_send(struct client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void client_send_bytes(struct client *client, const void *bytes, size_t length);
/* "METHOD target HTTP/1.1", Host: localhost:PORT, more (whole lines with CRLF, or ""), empty line.
 */
void client_request(struct client *client, const char *method, const char *target,
                    const char *more);

/* Reads one answer. no_body: it answers a HEAD. An answer without length ends with the connection.
 * 1xx, 204 and 304 have no body. The case fails when nothing whole comes. Free with reply_free. */
void client_read(struct client *client, struct reply *reply, bool no_body);
/* The same, checks the status and forgets the rest. */
void client_expect(struct client *client, unsigned status);
/* The same with the body. */
void client_expect_body(struct client *client, unsigned status, const char *body);
/* Everything up to the end of the connection, as it came; the caller frees. */
char *client_read_all(struct client *client, size_t *length);
/* How the connection ends, with nothing more on it: SHIM_EOF, SHIM_RESET, SHIM_BYTES something
 * comes, SHIM_TIMEOUT nothing happens. */
enum shim_result client_end(struct client *client);
/* It has ended, by FIN or reset, after nothing more than what was read. */
void client_expect_end(struct client *client);
/* Nothing has come so far. */
bool client_is_silent(struct client *client, unsigned milliseconds);

/* The value of header n (from 0) of that name, as it came, in `value` (cap bytes). */
bool reply_header_at(const struct reply *reply, const char *name, unsigned n, char *value,
                     size_t cap);
bool reply_header(const struct reply *reply, const char *name, char *value, size_t cap);
bool reply_has_header(const struct reply *reply, const char *name);
void reply_free(struct reply *reply);
