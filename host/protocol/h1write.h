/* Writers for HTTP/1.1 response heads and chunk framing. Each appends at `at`, the caller's memory,
 * and returns where the next byte goes; none checks room, none checks content twice: the caller
 * has made room by the *_BOUND of each call and has checked what an application gave it
 * (header_is_token, header_is_field_value). No NUL is written. No state; any thread.
 *
 *   at = h1_write_status(at, 200, SLICE_LIT("OK"));
 *   at = h1_write_header(at, header_response_name(H_SERVER), value);
 *   at = h1_write_length(at, body_bytes);
 *   at = h1_write_end(at); */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define H1_DECIMAL_BOUND                         20
#define H1_HEX_BOUND                             16
#define H1_STATUS_BOUND(reason_bytes)            (15 + (size_t)(reason_bytes))
#define H1_HEADER_BOUND(name_bytes, value_bytes) ((size_t)(name_bytes) + (size_t)(value_bytes) + 4)
#define H1_LENGTH_BOUND                          (18 + H1_DECIMAL_BOUND)
#define H1_DATE_BOUND                            37
#define H1_END_BOUND                             2
#define H1_CHUNK_SIZE_BOUND                      (H1_HEX_BOUND + 2)
#define H1_LAST_CHUNK_BOUND                      5

/* The registered reason phrase of a status (RFC 9110 15 and the IANA list); "Unknown" for others,
 * never empty. Static, NUL-terminated. */
struct slice status_reason(int status);

/* "HTTP/1.1 200 OK\r\n". status: 100..999. reason: as given, may be empty (the blank stays). */
char *h1_write_status(char *at, unsigned status, struct slice reason);

#define H1_STATUS_KNOWN_BOUND 48
/* The same with status_reason(); the common ones come from one prebuilt copy. */
char *h1_write_status_known(char *at, unsigned status);

/* "name: value\r\n" */
char *h1_write_header(char *at, struct slice name, struct slice value);

/* "Content-Length: n\r\n" */
char *h1_write_length(char *at, uint64_t length);

/* "Date: " and 29 bytes as date_format() makes them, "\r\n" */
char *h1_write_date(char *at, const char *imf_fixdate);

#define H1_CHUNKED_BOUND    28
#define H1_CLOSE_BOUND      19
#define H1_KEEP_ALIVE_BOUND 24
/* "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "Connection: keep-alive\r\n" */
char *h1_write_chunked(char *at);
char *h1_write_close(char *at);
char *h1_write_keep_alive(char *at);

/* The empty line that ends a head or a trailer section. */
char *h1_write_end(char *at);

/* "HTTP/1.1 100 Continue\r\n\r\n"; static. */
struct slice h1_continue(void);

/* Size line of a chunk: lower-case hexadecimal and CR LF; after the data comes h1_write_end().
 * size: at least 1, because 0 ends the body. */
char *h1_write_chunk_size(char *at, uint64_t size);

/* "0\r\n\r\n": the end of a chunked body without trailers. With trailers: h1_write_chunk_zero(),
 * headers, h1_write_end(). */
char *h1_write_last_chunk(char *at);
char *h1_write_chunk_zero(char *at);

/* Bare numbers without leading zeros. */
char *h1_write_decimal(char *at, uint64_t value);
char *h1_write_hex(char *at, uint64_t value);
