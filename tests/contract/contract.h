/* Harness of the contract tests: named cases, each in a process of its own, and the server side
 * that nearly every case begins with.
 *
 * One source for every provider of the contract (api/httpapi.h): it uses the contract's names,
 * plain sockets through shim.h, and nothing else. A case that hangs, crashes or leaks spoils no
 * other: the program runs itself once for each case, with a time limit.
 *
 *   x_contract                    all cases, one line each, then a summary; exit code 1 on a
 *                                 failure
 *   x_contract NAME [arguments]   that case in this process
 *   x_contract --list             the names
 *
 * A check that fails prints file, line, what was expected and what was seen, and ends the case. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/httpapi.h"

/* Providers a case may be skipped on; a set of bits. */
enum contract_provider {
    PROVIDER_ENGINE = 1,  /* host/engine */
    PROVIDER_HTTPSYS = 2, /* Windows */
    PROVIDER_WINE = 4     /* Wine's partial http.sys */
};

enum {
    CONTRACT_SECONDS = 25,    /* a case that runs longer is ended and has failed */
    CONTRACT_WAIT_MS = 10000, /* something that must happen has this long */
    CONTRACT_URL_UNITS = 512, /* room for a URL */
    CONTRACT_REQUEST_BYTES = 16384
};

struct contract_case {
    const char *name;
    void (*run)(void);
    unsigned skip_on;   /* enum contract_provider bits */
    const char *reason; /* why it is skipped there */
    bool helper;        /* run by another case only */
};

#define CASE(function)                                                                             \
    {                                                                                              \
#function, function, 0, NULL, false                                                        \
    }
#define CASE_NOT_ON(providers, reason, function)                                                   \
    {                                                                                              \
#function, function, (providers), (reason), false                                          \
    }
#define HELPER(function)                                                                           \
    {                                                                                              \
#function, function, 0, NULL, true                                                         \
    }
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* What main returns. */
int contract_main(const struct contract_case *cases, size_t count, int argc, char **argv);

/* Argument n of a helper, from 0; NULL when there is none. And its exit code, 0 to 100. */
const char *contract_argument(int n);
void contract_set_result(int code);
/* Runs a helper case in a second process and waits for it. Returns its exit code. */
int contract_run_helper(const char *name, const char *argument);
/* The same with the argument as a number. */
int contract_run_helper_number(const char *name, unsigned argument);

/* Ends the case as skipped. */
_Noreturn void contract_skip(const char *reason);

#define CHECK(condition)                                                                           \
    ((condition) ? (void)0 : contract_fail(__FILE__, __LINE__, "%s", #condition))
/* A contract call and the code it must return. */
#define CHECK_CODE(expected, call)                                                                 \
    contract_check_code(__FILE__, __LINE__, #call, #expected, (expected), (call))
/* One of two codes: where the documentation and real systems differ. */
#define CHECK_CODE_OF(one, other, call)                                                            \
    contract_check_codes(__FILE__, __LINE__, #call, #one " or " #other, (one), (other), (call))
/* Any code but NO_ERROR: where the documentation only promises a failure. */
#define CHECK_FAILS(call) contract_check_fails(__FILE__, __LINE__, #call, (call))
#define CHECK_UINT(expected, actual)                                                               \
    contract_check_uint(__FILE__, __LINE__, #actual, (uint64_t)(expected), (uint64_t)(actual))
/* Bytes with a length against a terminated string. */
#define CHECK_TEXT(expected, text, length)                                                         \
    contract_check_text(__FILE__, __LINE__, #text, (expected), (text), (length))
/* Contract text (HTTP_CHAR, length in bytes) against UTF-8. */
#define CHECK_WIDE(expected, text, length)                                                         \
    contract_check_wide(__FILE__, __LINE__, #text, (expected), (text), (length))

_Noreturn void contract_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void contract_check_code(const char *file, int line, const char *call, const char *name,
                         ULONG expected, ULONG seen);
void contract_check_codes(const char *file, int line, const char *call, const char *names,
                          ULONG one, ULONG other, ULONG seen);
void contract_check_fails(const char *file, int line, const char *call, ULONG seen);
void contract_check_uint(const char *file, int line, const char *what, uint64_t expected,
                         uint64_t seen);
void contract_check_text(const char *file, int line, const char *what, const char *expected,
                         const char *seen, size_t length);
void contract_check_wide(const char *file, int line, const char *what, const char *expected,
                         PCWSTR seen, size_t bytes);

/* ---------------------------------------------------------------------------------------------
 * The server side (server.c)
 * ------------------------------------------------------------------------------------------- */

/* One session with one group bound to one queue, and a port nobody else had a moment ago. */
struct server {
    HTTP_SERVER_SESSION_ID session;
    HTTP_URL_GROUP_ID group;
    HANDLE queue;
    uint16_t port;
};

/* Contract text, made with printf, good until it goes out of scope. */
struct url {
    HTTP_CHAR text[CONTRACT_URL_UNITS];
};
struct url url_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Initializes and makes the objects. The queue answers its own 503s (verbosity Limited). */
void server_open(struct server *server);
/* The same and "http://localhost:PORT/" with context 0. */
void server_start(struct server *server);
/* Adds a URL; the first one of a server looks for another port when it was taken in between.
 * tail: what follows the port, from its slash. */
void server_add(struct server *server, const char *host, const char *tail,
                HTTP_URL_CONTEXT context);
/* Closes all in the documented order and checks each code. */
void server_close(struct server *server);
/* Binds a group to a queue; NULL unbinds. */
ULONG bind_group(HTTP_URL_GROUP_ID group, HANDLE queue);
void set_verbosity(HANDLE queue, HTTP_503_RESPONSE_VERBOSITY verbosity);

/* Room for a received request. */
struct received {
    union {
        HTTP_REQUEST request;
        UCHAR bytes[CONTRACT_REQUEST_BYTES];
    };
    ULONG count; /* as the receive reported */
};

/* Receives any request, blocking; the contract's code. */
ULONG receive(HANDLE queue, ULONG flags, struct received *received);
/* Receives one and checks that it is for this path (decoded, without query). */
void expect(const struct server *server, const char *path, struct received *received);
/* Answers with a text body; the contract's code. */
ULONG answer(HANDLE queue, HTTP_REQUEST_ID id, USHORT status, const char *body);
/* Receives one, answers 200 with its UrlContext as text. */
void serve_one(const struct server *server);

/* Fills a response: zeroed, status, reason "OK", and one memory chunk when body is not NULL. */
void make_response(HTTP_RESPONSE *response, HTTP_DATA_CHUNK *chunk, USHORT status,
                   const char *body);
void make_memory_chunk(HTTP_DATA_CHUNK *chunk, const void *bytes, size_t length);
void set_header(HTTP_RESPONSE *response, HTTP_HEADER_ID id, const char *value);
/* HttpSendHttpResponse, blocking, without cache policy and log data. */
ULONG send_response(HANDLE queue, HTTP_REQUEST_ID id, ULONG flags, HTTP_RESPONSE *response,
                    ULONG *sent);
/* HttpSendResponseEntityBody of one memory chunk (NULL: none), blocking. */
ULONG send_body(HANDLE queue, HTTP_REQUEST_ID id, ULONG flags, const char *text, ULONG *sent);
/* HttpReceiveRequestEntityBody, blocking. */
ULONG read_body(HANDLE queue, HTTP_REQUEST_ID id, ULONG flags, void *buffer, ULONG size,
                ULONG *count);
/* Reads the whole body; returns its length. Checks that it ends with ERROR_HANDLE_EOF. */
size_t read_whole_body(HANDLE queue, HTTP_REQUEST_ID id, char *out, size_t capacity);

/* ---------------------------------------------------------------------------------------------
 * Overlapped calls that end with an event (server.c)
 * ------------------------------------------------------------------------------------------- */

struct pending {
    OVERLAPPED overlapped;
    ULONG code; /* what the call itself returned */
};

void pending_open(struct pending *pending);
/* Makes it ready for another call. */
void pending_reset(struct pending *pending);
void pending_close(struct pending *pending);
/* Starts an overlapped receive of any request and checks that it was accepted. */
void pending_receive(struct pending *pending, HANDLE queue, ULONG flags, struct received *received);
/* Whether it completes within milliseconds. */
bool pending_done(struct pending *pending, unsigned milliseconds);
/* Waits for the end, which must come. Returns the final code; bytes may be NULL. */
ULONG pending_wait(struct pending *pending, HANDLE queue, ULONG *bytes);
