/* Who stands behind the contract, and what it cannot do: for `version`, for messages, for tests.
 *
 * A capability has the same name everywhere. What a provider lacks it refuses with
 * ERROR_NOT_SUPPORTED when it is asked for, so nobody needs to look here first.
 *
 * Owner: everything returned is static. Thread: any. Cost: nothing; the first call on Windows loads
 * the system's library. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* X(NAME, "name"): what providers differ in. */
#define PROVIDER_CAPABILITIES(X)                                                                   \
    X(SEVERAL_URLS, "several_urls")           /* URLs in one group */                              \
    X(IPV6, "ipv6")                           /* URLs with an IPv6 address */                      \
    X(WEAK_WILDCARD, "weak_wildcard")         /* URLs with the host "*" */                         \
    X(OWN_ANSWERS, "own_answers")             /* 400, 404, 503... for what matches nothing */      \
    X(STREAMED_ANSWERS, "streamed_answers")   /* HttpSendResponseEntityBody */                     \
    X(AUTOMATIC_CHUNKING, "automatic_chunks") /* framed by the provider */                         \
    X(FILE_CHUNKS, "file_chunks")             /* sent by the provider */                           \
    X(BACK_PRESSURE, "back_pressure")         /* a slow reader holds completion back */            \
    X(LARGE_BODIES, "large_bodies")           /* requests with more than some KiB */               \
    X(STREAMED_BODIES, "streamed_bodies")     /* delivered before the whole body is here */        \
    X(CHUNKED_BODIES, "chunked_bodies")       /* Transfer-Encoding of a request */                 \
    X(EXPECT_CONTINUE, "expect_continue")     /* the interim answer 100 */                         \
    X(DECODED_PATH, "decoded_path")           /* the cooked URL has no escapes */                  \
    X(DISCONNECT, "disconnect")               /* closing a connection, HTTP/1.0 */                 \
    X(DISCONNECT_WATCH, "disconnect_watch")   /* HttpWaitForDisconnect */                          \
    X(CANCEL, "cancel")                       /* HttpCancelHttpRequest */                          \
    X(QUEUE_SHUTDOWN, "queue_shutdown")       /* HttpShutdownRequestQueue */                       \
    X(QUEUE_PROPERTIES, "queue_properties")   /* length, state, 503 verbosity */                   \
    X(GROUP_PROPERTIES, "group_properties")   /* state, timeouts, limit */                         \
    X(QUERIES, "queries")                     /* HttpQuery...Property */                           \
    X(NAMED_QUEUES, "named_queues")           /* shared with other processes */                    \
    X(BORROWED_TEXT, "borrowed_text")         /* HTTP_RECEIVE_REQUEST_FLAG_BORROW */               \
    X(CACHE, "cache")                         /* fragments and cached answers */                   \
    X(AUTHENTICATION, "authentication")                                                            \
    X(TLS, "tls")                                                                                  \
    X(HTTP2, "http2")

enum provider_capability {
#define X(name, text) PROVIDER_##name,
    PROVIDER_CAPABILITIES(X)
#undef X
        PROVIDER_CAPABILITY_COUNT
};

/* "engine", "http.sys", "http.sys of Wine 10.0". */
const char *provider_name(void);

/* The name of a capability, as above. */
const char *provider_capability_name(enum provider_capability capability);

enum provider_support {
    PROVIDER_HAS,    /* as documented */
    PROVIDER_HELPED, /* not the system's; what stands around it makes up for it */
    PROVIDER_LACKS
};

/* How far the provider has it. *reason: NULL for PROVIDER_HAS, else why not, in a few words. */
enum provider_support provider_support(enum provider_capability capability, const char **reason);

/* NULL: the documented function is called as it is. Else why it never is; what the caller gets
 * then comes from the provider's own fallback, or is ERROR_NOT_SUPPORTED. */
const char *provider_skips(const char *function);
