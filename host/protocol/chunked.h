/* Decoder of `Transfer-Encoding: chunked` (RFC 9112 7.1). Streaming: hands out slices that point
 * into the input, copies nothing, keeps 40 bytes of state, may be cut at any byte. Strict: exact
 * CR LF, plain hexadecimal sizes without sign, blank or more than 16 digits, bounded extensions and
 * trailers; each refusal is a rule of h1rule.h. Owner: the connection. Thread: its worker.
 *
 * States, changed in one place (enter() in chunked.c):
 *   SIZE_START -> SIZE -> [EXTENSION ->] SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE_START
 *                                        SIZE_LF -> TRAILERS (size 0) -> DONE
 *   any -> REFUSED. DONE and REFUSED are final.
 *
 * Loop of a caller:
 *   for (;;) {
 *       result = chunked_decode(&c, in, len, &used, &data);
 *       if (result == CHUNKED_DATA) take(data);
 *       in += used, len -= used;
 *       if (result != CHUNKED_DATA) break;
 *   }
 * After CHUNKED_NEED_MORE the `len` bytes that remain (non-zero only inside the trailer section)
 * must be presented again, followed by new ones: trailers are judged as a whole, so the caller's
 * buffer must hold trailer_bytes_max + 2. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "protocol/h1parse.h"

#define CHUNKED_SIZE_DIGITS_MAX     16
#define CHUNKED_EXTENSION_BYTES_MAX 256  /* of one chunk, from the `;` on */
#define CHUNKED_TRAILER_BYTES_MAX   4096 /* all trailer lines with their line ends */
#define CHUNKED_TRAILER_COUNT_MAX   64

struct chunked_limits {
    uint32_t extension_bytes_max;
    uint32_t trailer_bytes_max;
    uint16_t trailer_count_max; /* at most CHUNKED_TRAILER_COUNT_MAX */
};

#define CHUNKED_LIMITS_DEFAULT                                                                     \
    ((struct chunked_limits){CHUNKED_EXTENSION_BYTES_MAX, CHUNKED_TRAILER_BYTES_MAX,               \
                             CHUNKED_TRAILER_COUNT_MAX})

enum chunked_state {
    CHUNKED_AT_SIZE_START,
    CHUNKED_AT_SIZE,
    CHUNKED_AT_EXTENSION,
    CHUNKED_AT_SIZE_LF,
    CHUNKED_AT_DATA,
    CHUNKED_AT_DATA_CR,
    CHUNKED_AT_DATA_LF,
    CHUNKED_AT_TRAILERS,
    CHUNKED_AT_DONE,
    CHUNKED_AT_REFUSED
};

struct chunked {
    uint64_t left;  /* bytes of the current chunk still to come; while in its size, the size */
    uint64_t total; /* data bytes handed out so far */
    const struct chunked_limits *limits; /* caller's, outlives the decoder */
    uint32_t extension;                  /* extension bytes seen of the current chunk */
    uint32_t scanned;                    /* trailer bytes already searched for their end */
    uint16_t trailer_count;              /* after CHUNKED_DONE */
    uint8_t digits;                      /* of the current size */
    uint8_t state;                       /* enum chunked_state */
    uint8_t refused;                     /* enum h1_rule */
};

enum chunked_result {
    CHUNKED_DATA,      /* `*data` is the next piece of the body, never empty; call again */
    CHUNKED_NEED_MORE, /* all usable bytes consumed */
    CHUNKED_DONE,      /* body complete; `*data` is the raw trailer section, usually empty; bytes
                          after *used belong to the next request. Also given by later calls, which
                          use nothing and have no trailers */
    CHUNKED_REFUSED    /* c->refused says which rule; also given by later calls */
};

/* limits: NULL means the defaults. Kept by pointer. */
void chunked_init(struct chunked *c, const struct chunked_limits *limits);

/* Decodes up to the next event. used: bytes of `in` consumed. data: see above, else empty. */
enum chunked_result chunked_decode(struct chunked *c, const char *in, size_t in_len, size_t *used,
                                   struct slice *data);

/* Splits the trailer section that CHUNKED_DONE gave, which is already validated. Slices point into
 * it. Returns the number of entries written, at most `max`. */
int chunked_trailers(struct slice section, struct h1_header *out, uint16_t max);

/* Whether a field may stand in a trailer section: not one for framing, routing, request modifiers,
 * authentication or content handling (RFC 9110 6.5.1). Holds for both directions. */
bool chunked_trailer_is_allowed(struct slice name);
