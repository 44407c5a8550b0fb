/* The HTTP Server API, versions 2.0 and 1.0: the contract between everything above and whoever
 * serves below.
 *
 * One page for both platforms. On Windows the functions are those of httpapi.dll; elsewhere they
 * are the engine's, with the same names, codes, layouts and rules. A program that uses only this
 * page and the base types it pulls in is portable.
 *
 * OBJECTS
 *   initialization   counted per flag; HttpInitialize / HttpTerminate
 *   queue            a HANDLE, independent of sessions; requests are received and answered on it
 *   session          a set of URL groups with common settings
 *   group            a set of URLs with common settings, in one session; bound to at most one queue
 *   request          belongs to the queue (and process) that received it, until it is answered
 * Settings of a group win over those of its session, which win over the defaults.
 *
 * ORDER OF CLOSING   URLs, group, session, queue, HttpTerminate. Nothing breaks in another order:
 * closing a parent closes what is left inside it (a session its groups, a group its URLs), and a
 * stale id or handle gives an error, not a crash.
 *
 * IDS   sessions, groups, requests and connections are opaque 64-bit numbers, never reused while a
 * process lives here; HTTP_NULL_ID is none of them.
 *
 * RESULTS   every function returns a Win32 error number; NO_ERROR is success. A capability that the
 * provider does not have is ERROR_NOT_SUPPORTED.
 * HttpIsFeatureSupported returns a BOOL. Unless a function says otherwise ERROR_INVALID_PARAMETER
 * means a NULL pointer that must not be, a reserved argument that is not zero, an unknown flag, or
 * an id that does not exist; ERROR_DLL_INIT_FAILED that HttpInitialize with the flag it needs is
 * missing.
 *
 * CALLING SYNCHRONOUSLY OR NOT (functions with an Overlapped argument)
 *   Overlapped NULL            blocks; the byte count goes to the out argument (may be NULL). On a
 *                              thread that turns a loop a call that would have to wait for that
 *                              very thread gives ERROR_INVALID_PARAMETER instead
 *   Overlapped with hEvent     returns at once; the event is set on completion; GetOverlappedResult
 *   Overlapped without hEvent  returns at once; completes into the calling thread's loop when the
 *                              queue is attached to it (loop.h), else GetOverlappedResult
 * NO_ERROR and ERROR_IO_PENDING both announce a completion; any other code is final and no
 * completion follows. After NO_ERROR the results may be used at once. The byte-count argument must
 * be NULL when Overlapped is given. OVERLAPPED, buffers, response structures and the memory of
 * chunks stay alive and unchanged until the call has completed.
 *
 * THREADS   every function may be called on any thread. Calls on one request must not overlap,
 * except HttpCancelHttpRequest.
 *
 * TEXT   PCWSTR is a string of HTTP_CHAR (text.h). Header values, verbs and raw URLs are bytes with
 * explicit lengths. A member named ...Length counts bytes, without a terminator, also for PCWSTR.
 *
 * SOURCES   the Microsoft Learn pages of the same names (win32 "HTTP Server API", header http.h);
 * RFC 9110 and 9112 for what goes over the wire. "Observed" marks what real systems do where the
 * pages are silent or say something else. */
#pragma once

#if defined(_WIN32)
#include "api/platform_windows.h"
#else
#include "api/platform_posix.h"
#endif

/* ----------------------------------------------------------------------------------------------
 * Ids and versions
 * -------------------------------------------------------------------------------------------- */

typedef ULONGLONG HTTP_OPAQUE_ID, *PHTTP_OPAQUE_ID;
typedef HTTP_OPAQUE_ID HTTP_SERVER_SESSION_ID, *PHTTP_SERVER_SESSION_ID;
typedef HTTP_OPAQUE_ID HTTP_URL_GROUP_ID, *PHTTP_URL_GROUP_ID;
typedef HTTP_OPAQUE_ID HTTP_REQUEST_ID, *PHTTP_REQUEST_ID;
typedef HTTP_OPAQUE_ID HTTP_CONNECTION_ID, *PHTTP_CONNECTION_ID;
typedef HTTP_OPAQUE_ID HTTP_RAW_CONNECTION_ID, *PHTTP_RAW_CONNECTION_ID;
typedef ULONGLONG HTTP_URL_CONTEXT; /* the application's own value, given with a URL and returned
                                       with its requests */

#define HTTP_NULL_ID          0ull
#define HTTP_IS_NULL_ID(pid)  (HTTP_NULL_ID == *(pid))
#define HTTP_SET_NULL_ID(pid) (*(pid) = HTTP_NULL_ID)

/* Version of the API an object is made for; passed by value. */
typedef struct HTTPAPI_VERSION {
    USHORT HttpApiMajorVersion;
    USHORT HttpApiMinorVersion;
} HTTPAPI_VERSION, *PHTTPAPI_VERSION;

#define HTTPAPI_VERSION_1 ((HTTPAPI_VERSION){1, 0})
#define HTTPAPI_VERSION_2 ((HTTPAPI_VERSION){2, 0})

/* Version of the protocol, as in "HTTP/1.1". */
typedef struct HTTP_VERSION {
    USHORT MajorVersion;
    USHORT MinorVersion;
} HTTP_VERSION, *PHTTP_VERSION;

#define HTTP_VERSION_UNKNOWN ((HTTP_VERSION){0, 0})
#define HTTP_VERSION_0_9     ((HTTP_VERSION){0, 9})
#define HTTP_VERSION_1_0     ((HTTP_VERSION){1, 0})
#define HTTP_VERSION_1_1     ((HTTP_VERSION){1, 1})
#define HTTP_VERSION_2_0     ((HTTP_VERSION){2, 0})
#define HTTP_VERSION_3_0     ((HTTP_VERSION){3, 0})

#define HTTP_EQUAL_VERSION(version, major, minor)                                                  \
    ((version).MajorVersion == (major) && (version).MinorVersion == (minor))
#define HTTP_GREATER_VERSION(version, major, minor)                                                \
    ((version).MajorVersion > (major) ||                                                           \
     ((version).MajorVersion == (major) && (version).MinorVersion > (minor)))
#define HTTP_LESS_VERSION(version, major, minor)                                                   \
    ((version).MajorVersion < (major) ||                                                           \
     ((version).MajorVersion == (major) && (version).MinorVersion < (minor)))
#define HTTP_NOT_EQUAL_VERSION(version, major, minor) (!HTTP_EQUAL_VERSION(version, major, minor))
#define HTTP_GREATER_EQUAL_VERSION(version, major, minor)                                          \
    (!HTTP_LESS_VERSION(version, major, minor))
#define HTTP_LESS_EQUAL_VERSION(version, major, minor)                                             \
    (!HTTP_GREATER_VERSION(version, major, minor))

/* ----------------------------------------------------------------------------------------------
 * Flags
 * -------------------------------------------------------------------------------------------- */

/* HttpInitialize, HttpTerminate */
/* Needed by everything except the service configuration. */
#define HTTP_INITIALIZE_SERVER 0x00000001u
#define HTTP_INITIALIZE_CONFIG 0x00000002u /* needed by Http*ServiceConfiguration */

/* HttpRemoveUrlFromUrlGroup */
/* Every URL of the group; the URL argument must be NULL. */
#define HTTP_URL_FLAG_REMOVE_ALL 0x00000001u

/* HttpAddUrlToUrlGroup, in Reserved: our one extension there. A URL that another group of this
 * process has moves here in one step: each request finds it in the one or in the other. A provider
 * without it says ERROR_INVALID_PARAMETER. */
#define HTTP_URL_FLAG_MOVE 0x80000000u

/* HttpCreateRequestQueue */
/* Open a named queue that exists. */
#define HTTP_CREATE_REQUEST_QUEUE_FLAG_OPEN_EXISTING 0x00000001u
/* Configures, never receives or sends. */
#define HTTP_CREATE_REQUEST_QUEUE_FLAG_CONTROLLER    0x00000002u
#define HTTP_CREATE_REQUEST_QUEUE_FLAG_DELEGATION    0x00000008u /* target of request delegation */

/* HttpReceiveHttpRequest */
/* Copy the body bytes that are here and fit. */
#define HTTP_RECEIVE_REQUEST_FLAG_COPY_BODY  0x00000001u
/* Wait for the whole body, as far as it fits. */
#define HTTP_RECEIVE_REQUEST_FLAG_FLUSH_BODY 0x00000002u
/* Our one extension (ignored, with no harm, where the provider is the system's): see
 * HttpReceiveHttpRequest. */
#define HTTP_RECEIVE_REQUEST_FLAG_BORROW     0x80000000u

/* HttpReceiveRequestEntityBody */
/* Wait until the buffer is full or the body ends. */
#define HTTP_RECEIVE_REQUEST_ENTITY_BODY_FLAG_FILL_BUFFER 0x00000001u

/* HttpReceiveClientCertificate */
#define HTTP_RECEIVE_SECURE_CHANNEL_TOKEN 0x00000001u
#define HTTP_RECEIVE_FULL_CHAIN           0x00000002u

/* HttpSendHttpResponse, HttpSendResponseEntityBody */
/* Close the connection after this response; not with MORE_DATA. */
#define HTTP_SEND_RESPONSE_FLAG_DISCONNECT         0x00000001u
/* The body goes on in another call; the last call has it clear. */
#define HTTP_SEND_RESPONSE_FLAG_MORE_DATA          0x00000002u
#define HTTP_SEND_RESPONSE_FLAG_BUFFER_DATA        0x00000004u /* gather small writes */
/* Nagle's algorithm on for this send. */
#define HTTP_SEND_RESPONSE_FLAG_ENABLE_NAGLING     0x00000008u
/* Full representation given; the provider applies Range (GET). */
#define HTTP_SEND_RESPONSE_FLAG_PROCESS_RANGES     0x00000020u
/* Status 101 only: bytes are raw from here on, both ways. */
#define HTTP_SEND_RESPONSE_FLAG_OPAQUE             0x00000040u
/* Ask an HTTP/2 or 3 client to open a new connection. */
#define HTTP_SEND_RESPONSE_FLAG_GOAWAY             0x00000100u
/* The provider does the chunked framing. */
#define HTTP_SEND_RESPONSE_FLAG_AUTOMATIC_CHUNKING 0x00000200u

/* HttpFlushResponseCache */
#define HTTP_FLUSH_RESPONSE_FLAG_RECURSIVE 0x00000001u /* the URL and everything below it */

/* HTTP_REQUEST.Flags */
/* Body left to read with HttpReceiveRequestEntityBody. */
#define HTTP_REQUEST_FLAG_MORE_ENTITY_BODY_EXISTS 0x00000001u
#define HTTP_REQUEST_FLAG_IP_ROUTED               0x00000002u /* by host name and address */
#define HTTP_REQUEST_FLAG_HTTP2                   0x00000004u
#define HTTP_REQUEST_FLAG_HTTP3                   0x00000008u
#define HTTP_REQUEST_FLAG_FAST_FORWARDING         0x00000010u

/* HTTP_RESPONSE.Flags */
/* Hint for the response cache. */
#define HTTP_RESPONSE_FLAG_MULTIPLE_ENCODINGS_AVAILABLE 0x00000001u
#define HTTP_RESPONSE_FLAG_MORE_ENTITY_BODY_EXISTS      0x00000002u

/* HTTP_MULTIPLE_KNOWN_HEADERS.Flags */
#define HTTP_RESPONSE_INFO_FLAGS_PRESERVE_ORDER 0x00000001u

/* HTTP_SERVER_AUTHENTICATION_INFO.AuthSchemes and .ExFlags, HTTP_REQUEST_AUTH_INFO.Flags */
#define HTTP_AUTH_ENABLE_BASIC     0x00000001u
#define HTTP_AUTH_ENABLE_DIGEST    0x00000002u
#define HTTP_AUTH_ENABLE_NTLM      0x00000004u
#define HTTP_AUTH_ENABLE_NEGOTIATE 0x00000008u
#define HTTP_AUTH_ENABLE_KERBEROS  0x00000010u
#define HTTP_AUTH_ENABLE_ALL                                                                       \
    (HTTP_AUTH_ENABLE_BASIC | HTTP_AUTH_ENABLE_DIGEST | HTTP_AUTH_ENABLE_NTLM |                    \
     HTTP_AUTH_ENABLE_NEGOTIATE | HTTP_AUTH_ENABLE_KERBEROS)
#define HTTP_AUTH_EX_FLAG_ENABLE_KERBEROS_CREDENTIAL_CACHING 0x01u
#define HTTP_AUTH_EX_FLAG_CAPTURE_CREDENTIAL                 0x02u
#define HTTP_REQUEST_AUTH_FLAG_TOKEN_FOR_CACHED_CRED         0x00000001u

/* HTTP_CHANNEL_BIND_INFO.Flags */
#define HTTP_CHANNEL_BIND_PROXY                 0x01u
#define HTTP_CHANNEL_BIND_NO_SERVICE_NAME_CHECK 0x02u
#define HTTP_CHANNEL_BIND_DOTLESS_SERVICE       0x04u
#define HTTP_CHANNEL_BIND_SECURE_CHANNEL_TOKEN  0x08u
#define HTTP_CHANNEL_BIND_CLIENT_SERVICE        0x10u
#define HTTP_CHANNEL_BIND_PROXY_COHOSTING       0x20u

/* HTTP_LOGGING_INFO.LoggingFlags; the last two exclude each other */
#define HTTP_LOGGING_FLAG_LOCAL_TIME_ROLLOVER 0x00000001u
#define HTTP_LOGGING_FLAG_USE_UTF8_CONVERSION 0x00000002u
#define HTTP_LOGGING_FLAG_LOG_ERRORS_ONLY     0x00000004u
#define HTTP_LOGGING_FLAG_LOG_SUCCESS_ONLY    0x00000008u

/* HTTP_LOGGING_INFO.Fields (W3C columns). "S": filled by the provider, the rest from
 * HTTP_LOG_FIELDS_DATA. */
#define HTTP_LOG_FIELD_DATE           0x00000001u /* date S */
#define HTTP_LOG_FIELD_TIME           0x00000002u /* time S */
#define HTTP_LOG_FIELD_CLIENT_IP      0x00000004u /* c-ip */
#define HTTP_LOG_FIELD_USER_NAME      0x00000008u /* cs-username */
#define HTTP_LOG_FIELD_SITE_NAME      0x00000010u /* s-sitename */
#define HTTP_LOG_FIELD_COMPUTER_NAME  0x00000020u /* s-computername */
#define HTTP_LOG_FIELD_SERVER_IP      0x00000040u /* s-ip */
#define HTTP_LOG_FIELD_METHOD         0x00000080u /* cs-method */
#define HTTP_LOG_FIELD_URI_STEM       0x00000100u /* cs-uri-stem */
#define HTTP_LOG_FIELD_URI_QUERY      0x00000200u /* cs-uri-query */
#define HTTP_LOG_FIELD_STATUS         0x00000400u /* sc-status */
#define HTTP_LOG_FIELD_WIN32_STATUS   0x00000800u /* sc-win32-status */
#define HTTP_LOG_FIELD_BYTES_SENT     0x00001000u /* sc-bytes S */
#define HTTP_LOG_FIELD_BYTES_RECV     0x00002000u /* cs-bytes S */
#define HTTP_LOG_FIELD_TIME_TAKEN     0x00004000u /* time-taken S, milliseconds */
#define HTTP_LOG_FIELD_SERVER_PORT    0x00008000u /* s-port */
#define HTTP_LOG_FIELD_USER_AGENT     0x00010000u /* cs(User-Agent) */
#define HTTP_LOG_FIELD_COOKIE         0x00020000u /* cs(Cookie) */
#define HTTP_LOG_FIELD_REFERER        0x00040000u /* cs(Referer) */
#define HTTP_LOG_FIELD_VERSION        0x00080000u /* cs-version S */
#define HTTP_LOG_FIELD_HOST           0x00100000u /* cs-host */
#define HTTP_LOG_FIELD_SUB_STATUS     0x00200000u /* sc-substatus */
#define HTTP_LOG_FIELD_STREAM_ID      0x08000000u /* streamid S */
#define HTTP_LOG_FIELD_STREAM_ID_EX   0x10000000u /* streamid-ex S */
#define HTTP_LOG_FIELD_TRANSPORT_TYPE 0x20000000u /* transport type S */
/* Error log only */
#define HTTP_LOG_FIELD_CLIENT_PORT    0x00400000u
#define HTTP_LOG_FIELD_URI            0x00800000u
#define HTTP_LOG_FIELD_SITE_ID        0x01000000u
#define HTTP_LOG_FIELD_REASON         0x02000000u
#define HTTP_LOG_FIELD_QUEUE_NAME     0x04000000u
#define HTTP_LOG_FIELD_CORRELATION_ID 0x40000000u
#define HTTP_LOG_FIELD_FAULT_CODE     0x80000000u

/* Limits */
#define HTTP_LIMIT_INFINITE                        0xFFFFFFFFu
#define HTTP_MIN_ALLOWED_BANDWIDTH_THROTTLING_RATE 1024u /* bytes per second */
#define HTTP_MIN_ALLOWED_LOG_FILE_ROLLOVER_SIZE    (1024u * 1024u)
#define HTTP_MIN_SERVER_QUEUE_LENGTH               1u
#define HTTP_MAX_SERVER_QUEUE_LENGTH               0x7FFFFFFFu
#define HTTP_MAX_ENTITY_CHUNKS                     9999u /* in one call */
#define HTTP_MAX_FRAGMENT_NAME_BYTES               65532u

/* ----------------------------------------------------------------------------------------------
 * Properties
 *
 * Set and query functions take a HTTP_SERVER_PROPERTY, a pointer to the structure of that property,
 * and its size. Session and group structures begin with HTTP_PROPERTY_FLAGS: Present 1 makes the
 * value effective, Present 0 means "not set here, inherit". Queue properties are bare integers. The
 * structure is copied; nothing of the caller's is kept.
 * -------------------------------------------------------------------------------------------- */

/* Where a property may be set (Session, Group, Queue), and the type of its value. */
typedef enum HTTP_SERVER_PROPERTY {
    HttpServerAuthenticationProperty = 0,         /* S G; HTTP_SERVER_AUTHENTICATION_INFO */
    HttpServerLoggingProperty = 1,                /* S G, set only; HTTP_LOGGING_INFO */
    HttpServerQosProperty = 2,                    /* S G; HTTP_QOS_SETTING_INFO */
    HttpServerTimeoutsProperty = 3,               /* S G; HTTP_TIMEOUT_LIMIT_INFO */
    HttpServerQueueLengthProperty = 4,            /* Q; ULONG, default 1000 */
    HttpServerStateProperty = 5,                  /* S G HTTP_STATE_INFO; Q HTTP_ENABLED_STATE */
    HttpServer503VerbosityProperty = 6,           /* Q; HTTP_503_RESPONSE_VERBOSITY */
    HttpServerBindingProperty = 7,                /* G; HTTP_BINDING_INFO */
    HttpServerExtendedAuthenticationProperty = 8, /* S G; HTTP_SERVER_AUTHENTICATION_INFO */
    HttpServerListenEndpointProperty = 9,         /* G; HTTP_LISTEN_ENDPOINT_INFO */
    HttpServerChannelBindProperty = 10,           /* S G; HTTP_CHANNEL_BIND_INFO */
    HttpServerProtectionLevelProperty = 11,       /* G; HTTP_PROTECTION_LEVEL_INFO */
    HttpServerDelegationProperty = 16,            /* G; HTTP_BINDING_INFO */
    HttpServerFastForwardingProperty = 18,        /* G; HTTP_FAST_FORWARD_INFO */
    HttpServerRequestInfoProperty = 19            /* G; HTTP_REQUEST_INFO_PROPERTY_INFO */
} HTTP_SERVER_PROPERTY;
typedef HTTP_SERVER_PROPERTY *PHTTP_SERVER_PROPERTY;

typedef struct HTTP_PROPERTY_FLAGS {
    ULONG Present : 1; /* 1: the value counts; 0: inherit */
} HTTP_PROPERTY_FLAGS, *PHTTP_PROPERTY_FLAGS;

typedef enum HTTP_ENABLED_STATE {
    HttpEnabledStateActive = 0,  /* default */
    HttpEnabledStateInactive = 1 /* requests are refused with 503, per the queue's verbosity */
} HTTP_ENABLED_STATE;
typedef HTTP_ENABLED_STATE *PHTTP_ENABLED_STATE;

typedef struct HTTP_STATE_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    HTTP_ENABLED_STATE State;
} HTTP_STATE_INFO, *PHTTP_STATE_INFO;

/* What a client sees when the provider itself refuses with 503. The connection is closed in every
 * case. */
typedef enum HTTP_503_RESPONSE_VERBOSITY {
    Http503ResponseVerbosityBasic = 0,   /* default: no response, the connection is reset */
    Http503ResponseVerbosityLimited = 1, /* 503 "Service Unavailable" */
    Http503ResponseVerbosityFull = 2     /* 503 with a reason phrase that says why */
} HTTP_503_RESPONSE_VERBOSITY;
typedef HTTP_503_RESPONSE_VERBOSITY *PHTTP_503_RESPONSE_VERBOSITY;

typedef enum HTTP_QOS_SETTING_TYPE {
    HttpQosSettingTypeBandwidth = 0,       /* HTTP_BANDWIDTH_LIMIT_INFO */
    HttpQosSettingTypeConnectionLimit = 1, /* HTTP_CONNECTION_LIMIT_INFO, groups only */
    HttpQosSettingTypeFlowRate = 2         /* HTTP_FLOWRATE_INFO, per response */
} HTTP_QOS_SETTING_TYPE;
typedef HTTP_QOS_SETTING_TYPE *PHTTP_QOS_SETTING_TYPE;

typedef struct HTTP_QOS_SETTING_INFO {
    HTTP_QOS_SETTING_TYPE QosType;
    PVOID QosSetting; /* the structure of that type; on query filled by the provider */
} HTTP_QOS_SETTING_INFO, *PHTTP_QOS_SETTING_INFO;

typedef struct HTTP_CONNECTION_LIMIT_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    ULONG MaxConnections; /* more of them get 503; HTTP_LIMIT_INFINITE: no limit */
} HTTP_CONNECTION_LIMIT_INFO, *PHTTP_CONNECTION_LIMIT_INFO;

typedef struct HTTP_BANDWIDTH_LIMIT_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    ULONG MaxBandwidth; /* bytes per second, at least 1024; HTTP_LIMIT_INFINITE: no limit */
} HTTP_BANDWIDTH_LIMIT_INFO, *PHTTP_BANDWIDTH_LIMIT_INFO;

typedef struct HTTP_FLOWRATE_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    ULONG MaxBandwidth;     /* bytes per second after the burst */
    ULONG MaxPeakBandwidth; /* bytes per second during the burst */
    ULONG BurstSize;        /* bytes */
} HTTP_FLOWRATE_INFO, *PHTTP_FLOWRATE_INFO;

/* Seconds, MinSendRate in bytes per second. 0: the session's value, else the default. MAXUSHORT /
 * MAXULONG: no limit. The application's own processing time is never limited. IdleConnection and
 * HeaderWait of a group count from the first request of a connection on: before it nobody knows the
 * group. */
typedef struct HTTP_TIMEOUT_LIMIT_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    USHORT EntityBody;      /* 120: longest gap between arriving pieces of a request body */
    USHORT DrainEntityBody; /* 120: time to read away the rest of a body after an early answer */
    USHORT RequestQueue;   /* 120: longest wait of a request for a receive call; then its connection
                              is closed */
    USHORT IdleConnection; /* 120: keep-alive idleness */
    USHORT HeaderWait;     /* 120: until the header block is complete */
    ULONG MinSendRate;     /* 150: a slower reader of the response is dropped */
} HTTP_TIMEOUT_LIMIT_INFO, *PHTTP_TIMEOUT_LIMIT_INFO;

typedef struct HTTP_BINDING_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    HANDLE RequestQueueHandle; /* NULL unbinds */
} HTTP_BINDING_INFO, *PHTTP_BINDING_INFO;

typedef struct HTTP_LISTEN_ENDPOINT_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    BOOLEAN EnableSharing;
} HTTP_LISTEN_ENDPOINT_INFO, *PHTTP_LISTEN_ENDPOINT_INFO;

/* IPv6 edge traversal. */
typedef enum HTTP_PROTECTION_LEVEL_TYPE {
    HttpProtectionLevelUnrestricted = 0,
    HttpProtectionLevelEdgeRestricted = 1,
    HttpProtectionLevelRestricted = 2
} HTTP_PROTECTION_LEVEL_TYPE;
typedef HTTP_PROTECTION_LEVEL_TYPE *PHTTP_PROTECTION_LEVEL_TYPE;

typedef struct HTTP_PROTECTION_LEVEL_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    HTTP_PROTECTION_LEVEL_TYPE Level;
} HTTP_PROTECTION_LEVEL_INFO, *PHTTP_PROTECTION_LEVEL_INFO;

typedef struct HTTP_FAST_FORWARD_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    BOOLEAN EnableFastForwarding;
} HTTP_FAST_FORWARD_INFO, *PHTTP_FAST_FORWARD_INFO;

typedef struct HTTP_REQUEST_INFO_PROPERTY_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    ULONGLONG RequestInfoMask; /* one bit for each HTTP_REQUEST_INFO_TYPE to attach */
} HTTP_REQUEST_INFO_PROPERTY_INFO, *PHTTP_REQUEST_INFO_PROPERTY_INFO;

typedef struct HTTP_SERVER_AUTHENTICATION_DIGEST_PARAMS {
    USHORT DomainNameLength; /* bytes */
    PWSTR DomainName;
    USHORT RealmLength; /* bytes */
    PWSTR Realm;
} HTTP_SERVER_AUTHENTICATION_DIGEST_PARAMS, *PHTTP_SERVER_AUTHENTICATION_DIGEST_PARAMS;

typedef struct HTTP_SERVER_AUTHENTICATION_BASIC_PARAMS {
    USHORT RealmLength; /* bytes */
    PWSTR Realm;
} HTTP_SERVER_AUTHENTICATION_BASIC_PARAMS, *PHTTP_SERVER_AUTHENTICATION_BASIC_PARAMS;

/* Authentication done by the provider. */
typedef struct HTTP_SERVER_AUTHENTICATION_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    ULONG AuthSchemes; /* HTTP_AUTH_ENABLE_... */
    BOOLEAN ReceiveMutualAuth;
    BOOLEAN ReceiveContextHandle;
    BOOLEAN DisableNTLMCredentialCaching;
    UCHAR ExFlags; /* HTTP_AUTH_EX_FLAG_... */
    HTTP_SERVER_AUTHENTICATION_DIGEST_PARAMS DigestParams;
    HTTP_SERVER_AUTHENTICATION_BASIC_PARAMS BasicParams;
} HTTP_SERVER_AUTHENTICATION_INFO, *PHTTP_SERVER_AUTHENTICATION_INFO;

typedef enum HTTP_SERVICE_BINDING_TYPE {
    HttpServiceBindingTypeNone = 0,
    HttpServiceBindingTypeW = 1,
    HttpServiceBindingTypeA = 2
} HTTP_SERVICE_BINDING_TYPE;
typedef HTTP_SERVICE_BINDING_TYPE *PHTTP_SERVICE_BINDING_TYPE;

typedef struct HTTP_SERVICE_BINDING_BASE {
    HTTP_SERVICE_BINDING_TYPE Type;
} HTTP_SERVICE_BINDING_BASE, *PHTTP_SERVICE_BINDING_BASE;

typedef struct HTTP_SERVICE_BINDING_A {
    HTTP_SERVICE_BINDING_BASE Base;
    PCHAR Buffer;
    ULONG BufferSize;
} HTTP_SERVICE_BINDING_A, *PHTTP_SERVICE_BINDING_A;

typedef struct HTTP_SERVICE_BINDING_W {
    HTTP_SERVICE_BINDING_BASE Base;
    PWCHAR Buffer;
    ULONG BufferSize;
} HTTP_SERVICE_BINDING_W, *PHTTP_SERVICE_BINDING_W;

typedef enum HTTP_AUTHENTICATION_HARDENING_LEVELS {
    HttpAuthenticationHardeningLegacy = 0,
    HttpAuthenticationHardeningMedium = 1,
    HttpAuthenticationHardeningStrict = 2
} HTTP_AUTHENTICATION_HARDENING_LEVELS;

typedef struct HTTP_CHANNEL_BIND_INFO {
    HTTP_AUTHENTICATION_HARDENING_LEVELS Hardening;
    ULONG Flags; /* HTTP_CHANNEL_BIND_... */
    PHTTP_SERVICE_BINDING_BASE *ServiceNames;
    ULONG NumberOfServiceNames;
} HTTP_CHANNEL_BIND_INFO, *PHTTP_CHANNEL_BIND_INFO;

typedef struct HTTP_REQUEST_CHANNEL_BIND_STATUS {
    PHTTP_SERVICE_BINDING_BASE ServiceName;
    PUCHAR ChannelToken;
    ULONG ChannelTokenSize;
    ULONG Flags;
} HTTP_REQUEST_CHANNEL_BIND_STATUS, *PHTTP_REQUEST_CHANNEL_BIND_STATUS;

typedef enum HTTP_LOGGING_TYPE {
    HttpLoggingTypeW3C = 0,
    HttpLoggingTypeIIS = 1,
    HttpLoggingTypeNCSA = 2,
    HttpLoggingTypeRaw = 3
} HTTP_LOGGING_TYPE;
typedef HTTP_LOGGING_TYPE *PHTTP_LOGGING_TYPE;

typedef enum HTTP_LOGGING_ROLLOVER_TYPE {
    HttpLoggingRolloverSize = 0,
    HttpLoggingRolloverDaily = 1,
    HttpLoggingRolloverWeekly = 2,
    HttpLoggingRolloverMonthly = 3,
    HttpLoggingRolloverHourly = 4
} HTTP_LOGGING_ROLLOVER_TYPE;
typedef HTTP_LOGGING_ROLLOVER_TYPE *PHTTP_LOGGING_ROLLOVER_TYPE;

/* Access log of a session (W3C, raw) or a group (W3C, IIS, NCSA). The property alone logs nothing:
 * a response is logged when its last send carries log data. */
typedef struct HTTP_LOGGING_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    ULONG LoggingFlags;         /* HTTP_LOGGING_FLAG_... */
    PCWSTR SoftwareName;        /* for the #Software line; may be NULL */
    USHORT SoftwareNameLength;  /* bytes, at most MAX_PATH */
    USHORT DirectoryNameLength; /* bytes, at most 424 */
    PCWSTR DirectoryName;       /* absolute, one for each object */
    HTTP_LOGGING_TYPE Format;
    ULONG Fields;          /* HTTP_LOG_FIELD_..., W3C only */
    PVOID pExtFields;      /* NULL */
    USHORT NumOfExtFields; /* 0 */
    USHORT MaxRecordSize;  /* 0 */
    HTTP_LOGGING_ROLLOVER_TYPE RolloverType;
    ULONG RolloverSize; /* bytes, for HttpLoggingRolloverSize: at least 1 MiB, or
                           HTTP_LIMIT_INFINITE */
    PSECURITY_DESCRIPTOR pSecurityDescriptor;
} HTTP_LOGGING_INFO, *PHTTP_LOGGING_INFO;

/* ----------------------------------------------------------------------------------------------
 * Verbs and header ids
 * -------------------------------------------------------------------------------------------- */

/* Case-sensitive. A token that is none of these is HttpVerbUnknown and comes as text (PATCH among
 * them). */
typedef enum HTTP_VERB {
    HttpVerbUnparsed = 0,
    HttpVerbUnknown = 1, /* pUnknownVerb has the token */
    HttpVerbInvalid = 2,
    HttpVerbOPTIONS = 3,
    HttpVerbGET = 4,
    HttpVerbHEAD = 5,
    HttpVerbPOST = 6,
    HttpVerbPUT = 7,
    HttpVerbDELETE = 8,
    HttpVerbTRACE = 9,
    HttpVerbCONNECT = 10,
    HttpVerbTRACK = 11,
    HttpVerbMOVE = 12,
    HttpVerbCOPY = 13,
    HttpVerbPROPFIND = 14,
    HttpVerbPROPPATCH = 15,
    HttpVerbMKCOL = 16,
    HttpVerbLOCK = 17,
    HttpVerbUNLOCK = 18,
    HttpVerbSEARCH = 19,
    HttpVerbMaximum = 20
} HTTP_VERB;
typedef HTTP_VERB *PHTTP_VERB;

/* Index into KnownHeaders. 0 to 19 mean the same in requests and responses, from 20 on they differ.
 */
typedef enum HTTP_HEADER_ID {
    HttpHeaderCacheControl = 0,
    HttpHeaderConnection = 1,
    HttpHeaderDate = 2,
    HttpHeaderKeepAlive = 3,
    HttpHeaderPragma = 4,
    HttpHeaderTrailer = 5,
    HttpHeaderTransferEncoding = 6,
    HttpHeaderUpgrade = 7,
    HttpHeaderVia = 8,
    HttpHeaderWarning = 9,
    HttpHeaderAllow = 10,
    HttpHeaderContentLength = 11,
    HttpHeaderContentType = 12,
    HttpHeaderContentEncoding = 13,
    HttpHeaderContentLanguage = 14,
    HttpHeaderContentLocation = 15,
    HttpHeaderContentMd5 = 16,
    HttpHeaderContentRange = 17,
    HttpHeaderExpires = 18,
    HttpHeaderLastModified = 19,

    HttpHeaderAccept = 20, /* requests */
    HttpHeaderAcceptCharset = 21,
    HttpHeaderAcceptEncoding = 22,
    HttpHeaderAcceptLanguage = 23,
    HttpHeaderAuthorization = 24,
    HttpHeaderCookie = 25,
    HttpHeaderExpect = 26,
    HttpHeaderFrom = 27,
    HttpHeaderHost = 28,
    HttpHeaderIfMatch = 29,
    HttpHeaderIfModifiedSince = 30,
    HttpHeaderIfNoneMatch = 31,
    HttpHeaderIfRange = 32,
    HttpHeaderIfUnmodifiedSince = 33,
    HttpHeaderMaxForwards = 34,
    HttpHeaderProxyAuthorization = 35,
    HttpHeaderReferer = 36,
    HttpHeaderRange = 37,
    HttpHeaderTe = 38,
    HttpHeaderTranslate = 39,
    HttpHeaderUserAgent = 40,
    HttpHeaderRequestMaximum = 41,

    HttpHeaderAcceptRanges = 20, /* responses */
    HttpHeaderAge = 21,
    HttpHeaderEtag = 22,
    HttpHeaderLocation = 23,
    HttpHeaderProxyAuthenticate = 24,
    HttpHeaderRetryAfter = 25,
    HttpHeaderServer = 26,
    HttpHeaderSetCookie = 27,
    HttpHeaderVary = 28,
    HttpHeaderWwwAuthenticate = 29,
    HttpHeaderResponseMaximum = 30,

    HttpHeaderMaximum = 41
} HTTP_HEADER_ID;
typedef HTTP_HEADER_ID *PHTTP_HEADER_ID;

typedef struct HTTP_KNOWN_HEADER {
    USHORT RawValueLength; /* bytes; 0 with NULL: absent */
    PCSTR pRawValue;       /* trimmed of surrounding white space */
} HTTP_KNOWN_HEADER, *PHTTP_KNOWN_HEADER;

typedef struct HTTP_UNKNOWN_HEADER {
    USHORT NameLength;     /* bytes */
    USHORT RawValueLength; /* bytes */
    PCSTR pName;
    PCSTR pRawValue;
} HTTP_UNKNOWN_HEADER, *PHTTP_UNKNOWN_HEADER;

/* Repeated known headers of a request are joined with ", " (Cookie with "; "). */
typedef struct HTTP_REQUEST_HEADERS {
    USHORT UnknownHeaderCount;
    PHTTP_UNKNOWN_HEADER pUnknownHeaders;
    USHORT TrailerCount; /* of a chunked body that has been read to its end before delivery */
    PHTTP_UNKNOWN_HEADER pTrailers;
    HTTP_KNOWN_HEADER KnownHeaders[HttpHeaderRequestMaximum];
} HTTP_REQUEST_HEADERS, *PHTTP_REQUEST_HEADERS;

/* Written in the order of known ids, then unknown headers. Several values of one header: unknown
 * entries, or HTTP_MULTIPLE_KNOWN_HEADERS. A value with CR, LF or NUL is ERROR_INVALID_PARAMETER.
 */
typedef struct HTTP_RESPONSE_HEADERS {
    USHORT UnknownHeaderCount;
    PHTTP_UNKNOWN_HEADER pUnknownHeaders;
    USHORT TrailerCount;            /* 0: trailers are a data chunk */
    PHTTP_UNKNOWN_HEADER pTrailers; /* NULL */
    HTTP_KNOWN_HEADER KnownHeaders[HttpHeaderResponseMaximum];
} HTTP_RESPONSE_HEADERS, *PHTTP_RESPONSE_HEADERS;

/* ----------------------------------------------------------------------------------------------
 * Bodies
 * -------------------------------------------------------------------------------------------- */

typedef struct HTTP_BYTE_RANGE {
    ULARGE_INTEGER StartingOffset;
    ULARGE_INTEGER Length; /* HTTP_BYTE_RANGE_TO_EOF: up to the end */
} HTTP_BYTE_RANGE, *PHTTP_BYTE_RANGE;

#define HTTP_BYTE_RANGE_TO_EOF 0xFFFFFFFFFFFFFFFFull

typedef enum HTTP_DATA_CHUNK_TYPE {
    HttpDataChunkFromMemory = 0,
    HttpDataChunkFromFileHandle = 1,
    HttpDataChunkFromFragmentCache = 2,
    HttpDataChunkFromFragmentCacheEx = 3,
    HttpDataChunkTrailers = 4, /* last chunk of a body; feature HttpFeatureResponseTrailers */
    HttpDataChunkFromWinHttpFastForwarding = 5,
    HttpDataChunkMaximum = 6
} HTTP_DATA_CHUNK_TYPE;
typedef HTTP_DATA_CHUNK_TYPE *PHTTP_DATA_CHUNK_TYPE;

/* A piece of a body. Chunks go out in their order and may be of different types. Owner of what it
 * points to: the caller, until the send that got it has completed. */
typedef struct HTTP_DATA_CHUNK {
    HTTP_DATA_CHUNK_TYPE DataChunkType;
    union {
        struct {
            PVOID pBuffer;
            ULONG BufferLength; /* bytes */
        } FromMemory;
        struct {
            HTTP_BYTE_RANGE ByteRange;
            HANDLE FileHandle; /* a file opened for reading; http_handle_from_fd where files are
                                  descriptors */
        } FromFileHandle;
        struct {
            USHORT FragmentNameLength; /* bytes */
            PCWSTR pFragmentName;      /* a missing fragment is ERROR_PATH_NOT_FOUND */
        } FromFragmentCache;
        struct {
            HTTP_BYTE_RANGE ByteRange;
            PCWSTR pFragmentName; /* terminated, at most HTTP_MAX_FRAGMENT_NAME_BYTES */
        } FromFragmentCacheEx;
        struct {
            USHORT TrailerCount;
            PHTTP_UNKNOWN_HEADER pTrailers;
        } Trailers;
        struct {
            UCHAR OpaqueData[16];
        } FromWinHttpFastForwarding;
    };
} HTTP_DATA_CHUNK, *PHTTP_DATA_CHUNK;

/* ----------------------------------------------------------------------------------------------
 * Requests
 * -------------------------------------------------------------------------------------------- */

/* The validated, canonical form of a request's URL: the one to act on. One terminated string,
 * pFullUrl; the others point into it. The host is as sent (or as in an absolute-form target), with
 * its port; the path is percent-decoded, without dot segments and empty segments; the query is as
 * sent and begins at its '?'. No query: NULL and 0. */
typedef struct HTTP_COOKED_URL {
    USHORT FullUrlLength; /* bytes, as all four */
    USHORT HostLength;
    USHORT AbsPathLength;
    USHORT QueryStringLength; /* with the '?' */
    PCWSTR pFullUrl;
    PCWSTR pHost;
    PCWSTR pAbsPath;
    PCWSTR pQueryString;
} HTTP_COOKED_URL, *PHTTP_COOKED_URL;

typedef struct HTTP_TRANSPORT_ADDRESS {
    PSOCKADDR pRemoteAddress;
    PSOCKADDR pLocalAddress;
} HTTP_TRANSPORT_ADDRESS, *PHTTP_TRANSPORT_ADDRESS;

typedef struct HTTP_SSL_CLIENT_CERT_INFO {
    ULONG CertFlags;       /* result of the verification, 0: good */
    ULONG CertEncodedSize; /* bytes */
    PUCHAR pCertEncoded;   /* DER */
    HANDLE Token;
    BOOLEAN CertDeniedByMapper;
} HTTP_SSL_CLIENT_CERT_INFO, *PHTTP_SSL_CLIENT_CERT_INFO;

typedef struct HTTP_SSL_INFO {
    USHORT ServerCertKeySize; /* bits */
    USHORT ConnectionKeySize; /* bits */
    ULONG ServerCertIssuerSize;
    ULONG ServerCertSubjectSize;
    PCSTR pServerCertIssuer;
    PCSTR pServerCertSubject;
    PHTTP_SSL_CLIENT_CERT_INFO pClientCertInfo;
    ULONG SslClientCertNegotiated; /* 1: the client has been asked */
} HTTP_SSL_INFO, *PHTTP_SSL_INFO;

typedef struct HTTP_SSL_PROTOCOL_INFO {
    ULONG Protocol;
    ULONG CipherType;
    ULONG CipherStrength;
    ULONG HashType;
    ULONG HashStrength;
    ULONG KeyExchangeType;
    ULONG KeyExchangeStrength;
} HTTP_SSL_PROTOCOL_INFO, *PHTTP_SSL_PROTOCOL_INFO;

typedef enum HTTP_REQUEST_INFO_TYPE {
    HttpRequestInfoTypeAuth = 0,        /* HTTP_REQUEST_AUTH_INFO */
    HttpRequestInfoTypeChannelBind = 1, /* HTTP_REQUEST_CHANNEL_BIND_STATUS */
    HttpRequestInfoTypeSslProtocol = 2, /* HTTP_SSL_PROTOCOL_INFO */
    HttpRequestInfoTypeSslTokenBindingDraft = 3,
    HttpRequestInfoTypeSslTokenBinding = 4, /* HTTP_REQUEST_TOKEN_BINDING_INFO */
    HttpRequestInfoTypeRequestTiming = 5,   /* HTTP_REQUEST_TIMING_INFO */
    HttpRequestInfoTypeTcpInfoV0 = 6,
    HttpRequestInfoTypeRequestSizing = 7, /* HTTP_REQUEST_SIZING_INFO */
    HttpRequestInfoTypeQuicStats = 8,
    HttpRequestInfoTypeTcpInfoV1 = 9,
    HttpRequestInfoTypeQuicStatsV2 = 10,
    HttpRequestInfoTypeTcpInfoV2 = 11,
    HttpRequestInfoTypeTransportIdleConnectionTimeout = 12,
    HttpRequestInfoTypeDscpTag = 13,
    HttpRequestInfoTypeInitialPacketTtl = 14
} HTTP_REQUEST_INFO_TYPE;
typedef HTTP_REQUEST_INFO_TYPE *PHTTP_REQUEST_INFO_TYPE;

/* An extra block that came with a request. */
typedef struct HTTP_REQUEST_INFO {
    HTTP_REQUEST_INFO_TYPE InfoType;
    ULONG InfoLength; /* bytes at pInfo */
    PVOID pInfo;
} HTTP_REQUEST_INFO, *PHTTP_REQUEST_INFO;

typedef enum HTTP_AUTH_STATUS {
    HttpAuthStatusSuccess = 0,
    HttpAuthStatusNotAuthenticated = 1,
    HttpAuthStatusFailure = 2
} HTTP_AUTH_STATUS;
typedef HTTP_AUTH_STATUS *PHTTP_AUTH_STATUS;

typedef enum HTTP_REQUEST_AUTH_TYPE {
    HttpRequestAuthTypeNone = 0,
    HttpRequestAuthTypeBasic = 1,
    HttpRequestAuthTypeDigest = 2,
    HttpRequestAuthTypeNTLM = 3,
    HttpRequestAuthTypeNegotiate = 4,
    HttpRequestAuthTypeKerberos = 5
} HTTP_REQUEST_AUTH_TYPE;
typedef HTTP_REQUEST_AUTH_TYPE *PHTTP_REQUEST_AUTH_TYPE;

typedef struct HTTP_REQUEST_AUTH_INFO {
    HTTP_AUTH_STATUS AuthStatus;
    SECURITY_STATUS SecStatus; /* why it failed */
    ULONG Flags;               /* HTTP_REQUEST_AUTH_FLAG_... */
    HTTP_REQUEST_AUTH_TYPE AuthType;
    HANDLE AccessToken; /* the application closes it */
    ULONG ContextAttributes;
    ULONG PackedContextLength;
    ULONG PackedContextType;
    PVOID PackedContext;
    ULONG MutualAuthDataLength;
    PCHAR pMutualAuthData;
    USHORT PackageNameLength;
    PWSTR pPackageName;
} HTTP_REQUEST_AUTH_INFO, *PHTTP_REQUEST_AUTH_INFO;

typedef struct HTTP_REQUEST_TOKEN_BINDING_INFO {
    PUCHAR TokenBinding;
    ULONG TokenBindingSize;
    PUCHAR EKM;
    ULONG EKMSize;
    UCHAR KeyType;
} HTTP_REQUEST_TOKEN_BINDING_INFO, *PHTTP_REQUEST_TOKEN_BINDING_INFO;

/* Index into HTTP_REQUEST_TIMING_INFO.RequestTiming. */
typedef enum HTTP_REQUEST_TIMING_TYPE {
    HttpRequestTimingTypeConnectionStart = 0,
    HttpRequestTimingTypeDataStart,
    HttpRequestTimingTypeTlsCertificateLoadStart,
    HttpRequestTimingTypeTlsCertificateLoadEnd,
    HttpRequestTimingTypeTlsHandshakeLeg1Start,
    HttpRequestTimingTypeTlsHandshakeLeg1End,
    HttpRequestTimingTypeTlsHandshakeLeg2Start,
    HttpRequestTimingTypeTlsHandshakeLeg2End,
    HttpRequestTimingTypeTlsAttributesQueryStart,
    HttpRequestTimingTypeTlsAttributesQueryEnd,
    HttpRequestTimingTypeTlsClientCertQueryStart,
    HttpRequestTimingTypeTlsClientCertQueryEnd,
    HttpRequestTimingTypeHttp2StreamStart,
    HttpRequestTimingTypeHttp2HeaderDecodeStart,
    HttpRequestTimingTypeHttp2HeaderDecodeEnd,
    HttpRequestTimingTypeRequestHeaderParseStart,
    HttpRequestTimingTypeRequestHeaderParseEnd,
    HttpRequestTimingTypeRequestRoutingStart,
    HttpRequestTimingTypeRequestRoutingEnd,
    HttpRequestTimingTypeRequestQueuedForInspection,
    HttpRequestTimingTypeRequestDeliveredForInspection,
    HttpRequestTimingTypeRequestReturnedAfterInspection,
    HttpRequestTimingTypeRequestQueuedForDelegation,
    HttpRequestTimingTypeRequestDeliveredForDelegation,
    HttpRequestTimingTypeRequestReturnedAfterDelegation,
    HttpRequestTimingTypeRequestQueuedForIO,
    HttpRequestTimingTypeRequestDeliveredForIO,
    HttpRequestTimingTypeHttp3StreamStart,
    HttpRequestTimingTypeHttp3HeaderDecodeStart,
    HttpRequestTimingTypeHttp3HeaderDecodeEnd,
    HttpRequestTimingTypeMax
} HTTP_REQUEST_TIMING_TYPE;
typedef HTTP_REQUEST_TIMING_TYPE *PHTTP_REQUEST_TIMING_TYPE;

typedef struct HTTP_REQUEST_TIMING_INFO {
    ULONG RequestTimingCount;                          /* valid entries */
    ULONGLONG RequestTiming[HttpRequestTimingTypeMax]; /* performance counter ticks */
} HTTP_REQUEST_TIMING_INFO, *PHTTP_REQUEST_TIMING_INFO;

typedef enum HTTP_REQUEST_SIZING_TYPE {
    HttpRequestSizingTypeTlsHandshakeLeg1ClientData = 0,
    HttpRequestSizingTypeTlsHandshakeLeg1ServerData,
    HttpRequestSizingTypeTlsHandshakeLeg2ClientData,
    HttpRequestSizingTypeTlsHandshakeLeg2ServerData,
    HttpRequestSizingTypeHeaders,
    HttpRequestSizingTypeMax
} HTTP_REQUEST_SIZING_TYPE;
typedef HTTP_REQUEST_SIZING_TYPE *PHTTP_REQUEST_SIZING_TYPE;

#define HTTP_REQUEST_SIZING_INFO_FLAG_TCP_FAST_OPEN          0x1u
#define HTTP_REQUEST_SIZING_INFO_FLAG_TLS_SESSION_RESUMPTION 0x2u
#define HTTP_REQUEST_SIZING_INFO_FLAG_TLS_FALSE_START        0x4u
#define HTTP_REQUEST_SIZING_INFO_FLAG_FIRST_REQUEST          0x8u

typedef struct HTTP_REQUEST_SIZING_INFO {
    ULONGLONG Flags;
    ULONG RequestIndex; /* on its connection, from 0 */
    ULONG RequestSizingCount;
    ULONGLONG RequestSizing[HttpRequestSizingTypeMax]; /* bytes */
} HTTP_REQUEST_SIZING_INFO, *PHTTP_REQUEST_SIZING_INFO;

/* A received request. Pointers that do not apply are NULL, counts 0. All pointers are good until
 * the buffer that was given to the receive is reused (with HTTP_RECEIVE_REQUEST_FLAG_BORROW: until
 * the request has been answered). */
typedef struct HTTP_REQUEST_V2 {
    ULONG Flags; /* HTTP_REQUEST_FLAG_... */
    HTTP_CONNECTION_ID ConnectionId;
    HTTP_REQUEST_ID RequestId;   /* names the request in all later calls */
    HTTP_URL_CONTEXT UrlContext; /* of the URL that routed it */
    HTTP_VERSION Version;
    HTTP_VERB Verb;
    USHORT UnknownVerbLength; /* bytes; 0 unless Verb is HttpVerbUnknown */
    USHORT RawUrlLength;      /* bytes */
    PCSTR pUnknownVerb;
    PCSTR pRawUrl; /* as it stood in the request line: for logs, not to act on */
    HTTP_COOKED_URL CookedUrl;
    HTTP_TRANSPORT_ADDRESS Address;
    HTTP_REQUEST_HEADERS Headers;
    ULONGLONG BytesReceived; /* of this request so far, header and body */
    USHORT EntityChunkCount; /* 1 when body bytes were copied */
    PHTTP_DATA_CHUNK pEntityChunks;
    HTTP_RAW_CONNECTION_ID RawConnectionId;
    PHTTP_SSL_INFO pSslInfo; /* NULL without TLS */
    USHORT RequestInfoCount;
    PHTTP_REQUEST_INFO pRequestInfo;
} HTTP_REQUEST_V2, *PHTTP_REQUEST_V2;

/* What a version 1 program knows of it: the same members but the last two, at the same places. */
typedef struct HTTP_REQUEST_V1 {
    ULONG Flags;
    HTTP_CONNECTION_ID ConnectionId;
    HTTP_REQUEST_ID RequestId;
    HTTP_URL_CONTEXT UrlContext;
    HTTP_VERSION Version;
    HTTP_VERB Verb;
    USHORT UnknownVerbLength;
    USHORT RawUrlLength;
    PCSTR pUnknownVerb;
    PCSTR pRawUrl;
    HTTP_COOKED_URL CookedUrl;
    HTTP_TRANSPORT_ADDRESS Address;
    HTTP_REQUEST_HEADERS Headers;
    ULONGLONG BytesReceived;
    USHORT EntityChunkCount;
    PHTTP_DATA_CHUNK pEntityChunks;
    HTTP_RAW_CONNECTION_ID RawConnectionId;
    PHTTP_SSL_INFO pSslInfo;
} HTTP_REQUEST_V1, *PHTTP_REQUEST_V1;

typedef HTTP_REQUEST_V2 HTTP_REQUEST, *PHTTP_REQUEST;

/* ----------------------------------------------------------------------------------------------
 * Responses
 * -------------------------------------------------------------------------------------------- */

typedef enum HTTP_RESPONSE_INFO_TYPE {
    HttpResponseInfoTypeMultipleKnownHeaders = 0,   /* HTTP_MULTIPLE_KNOWN_HEADERS */
    HttpResponseInfoTypeAuthenticationProperty = 1, /* HTTP_SERVER_AUTHENTICATION_INFO */
    HttpResponseInfoTypeQoSProperty = 2,            /* HTTP_QOS_SETTING_INFO */
    HttpResponseInfoTypeChannelBind = 3             /* HTTP_CHANNEL_BIND_INFO */
} HTTP_RESPONSE_INFO_TYPE;
typedef HTTP_RESPONSE_INFO_TYPE *PHTTP_RESPONSE_INFO_TYPE;

typedef struct HTTP_RESPONSE_INFO {
    HTTP_RESPONSE_INFO_TYPE Type;
    ULONG Length; /* bytes at pInfo */
    PVOID pInfo;
} HTTP_RESPONSE_INFO, *PHTTP_RESPONSE_INFO;

/* Several values of one known header, one line each. */
typedef struct HTTP_MULTIPLE_KNOWN_HEADERS {
    HTTP_HEADER_ID HeaderId;
    ULONG Flags; /* HTTP_RESPONSE_INFO_FLAGS_PRESERVE_ORDER */
    USHORT KnownHeaderCount;
    PHTTP_KNOWN_HEADER KnownHeaders;
} HTTP_MULTIPLE_KNOWN_HEADERS, *PHTTP_MULTIPLE_KNOWN_HEADERS;

/* An answer. Owner of everything: the caller, until the send has completed. */
typedef struct HTTP_RESPONSE_V2 {
    ULONG Flags;          /* HTTP_RESPONSE_FLAG_... */
    HTTP_VERSION Version; /* ignored: the connection's protocol decides */
    USHORT StatusCode;
    USHORT ReasonLength; /* bytes */
    PCSTR pReason;       /* goes out as it is */
    HTTP_RESPONSE_HEADERS Headers;
    USHORT EntityChunkCount;
    PHTTP_DATA_CHUNK pEntityChunks;
    USHORT ResponseInfoCount;
    PHTTP_RESPONSE_INFO pResponseInfo;
} HTTP_RESPONSE_V2, *PHTTP_RESPONSE_V2;

/* What a version 1 program knows of it: the same members but the last two, at the same places. */
typedef struct HTTP_RESPONSE_V1 {
    ULONG Flags;
    HTTP_VERSION Version;
    USHORT StatusCode;
    USHORT ReasonLength;
    PCSTR pReason;
    HTTP_RESPONSE_HEADERS Headers;
    USHORT EntityChunkCount;
    PHTTP_DATA_CHUNK pEntityChunks;
} HTTP_RESPONSE_V1, *PHTTP_RESPONSE_V1;

typedef HTTP_RESPONSE_V2 HTTP_RESPONSE, *PHTTP_RESPONSE;

typedef enum HTTP_CACHE_POLICY_TYPE {
    HttpCachePolicyNocache = 0,
    HttpCachePolicyUserInvalidates = 1,
    HttpCachePolicyTimeToLive = 2,
    HttpCachePolicyMaximum = 3
} HTTP_CACHE_POLICY_TYPE;
typedef HTTP_CACHE_POLICY_TYPE *PHTTP_CACHE_POLICY_TYPE;

typedef struct HTTP_CACHE_POLICY {
    HTTP_CACHE_POLICY_TYPE Policy;
    ULONG SecondsToLive; /* for HttpCachePolicyTimeToLive */
} HTTP_CACHE_POLICY, *PHTTP_CACHE_POLICY;

typedef enum HTTP_LOG_DATA_TYPE { HttpLogDataTypeFields = 0 } HTTP_LOG_DATA_TYPE;
typedef HTTP_LOG_DATA_TYPE *PHTTP_LOG_DATA_TYPE;

typedef struct HTTP_LOG_DATA {
    HTTP_LOG_DATA_TYPE Type;
} HTTP_LOG_DATA, *PHTTP_LOG_DATA;

/* What the application knows for the access log of one response. NULL and 0 leave a field out.
 * Lengths are bytes. */
typedef struct HTTP_LOG_FIELDS_DATA {
    HTTP_LOG_DATA Base; /* Type = HttpLogDataTypeFields */
    USHORT UserNameLength;
    USHORT UriStemLength;
    USHORT ClientIpLength;
    USHORT ServerNameLength;
    USHORT ServiceNameLength;
    USHORT ServerIpLength;
    USHORT MethodLength;
    USHORT UriQueryLength;
    USHORT HostLength;
    USHORT UserAgentLength;
    USHORT CookieLength;
    USHORT ReferrerLength;
    PWCHAR UserName;
    PWCHAR UriStem;
    PCHAR ClientIp;
    PCHAR ServerName;
    PCHAR ServiceName;
    PCHAR ServerIp;
    PCHAR Method;
    PCHAR UriQuery;
    PCHAR Host;
    PCHAR UserAgent;
    PCHAR Cookie;
    PCHAR Referrer;
    USHORT ServerPort;
    USHORT ProtocolStatus;
    ULONG Win32Status;
    HTTP_VERB MethodNum;
    USHORT SubStatus;
} HTTP_LOG_FIELDS_DATA, *PHTTP_LOG_FIELDS_DATA;

/* ----------------------------------------------------------------------------------------------
 * Request properties, delegation, features
 * -------------------------------------------------------------------------------------------- */

typedef enum HTTP_REQUEST_PROPERTY {
    HttpRequestPropertyIsb = 0, /* ideal send backlog; ULONG */
    HttpRequestPropertyTcpInfoV0 = 1,
    HttpRequestPropertyQuicStats = 2,
    HttpRequestPropertyTcpInfoV1 = 3,
    HttpRequestPropertySni = 4,         /* HTTP_REQUEST_PROPERTY_SNI */
    HttpRequestPropertyStreamError = 5, /* set; HTTP_REQUEST_PROPERTY_STREAM_ERROR */
    HttpRequestPropertyWskApiTimings = 6,
    HttpRequestPropertyQuicApiTimings = 7,
    HttpRequestPropertyQuicStatsV2 = 8,
    HttpRequestPropertyQuicStreamStats = 9,
    HttpRequestPropertyTcpInfoV2 = 10,
    HttpRequestPropertyTlsClientHello = 11,
    HttpRequestPropertyTransportIdleConnectionTimeout = 12, /* set; USHORT seconds */
    HttpRequestPropertyDscpTag = 13,                        /* set; at most 0x3F */
    HttpRequestPropertyTlsCipherInfo = 14
} HTTP_REQUEST_PROPERTY;
typedef HTTP_REQUEST_PROPERTY *PHTTP_REQUEST_PROPERTY;

#define HTTP_REQUEST_PROPERTY_SNI_HOST_MAX_LENGTH 255
#define HTTP_REQUEST_PROPERTY_SNI_FLAG_SNI_USED   0x00000001u
#define HTTP_REQUEST_PROPERTY_SNI_FLAG_NO_SNI     0x00000002u

typedef struct HTTP_REQUEST_PROPERTY_SNI {
    WCHAR Hostname[HTTP_REQUEST_PROPERTY_SNI_HOST_MAX_LENGTH + 1];
    ULONG Flags;
} HTTP_REQUEST_PROPERTY_SNI, *PHTTP_REQUEST_PROPERTY_SNI;

typedef struct HTTP_REQUEST_PROPERTY_STREAM_ERROR {
    ULONG ErrorCode; /* of HTTP/2 or HTTP/3 */
} HTTP_REQUEST_PROPERTY_STREAM_ERROR, *PHTTP_REQUEST_PROPERTY_STREAM_ERROR;

typedef struct HTTP_QUERY_REQUEST_QUALIFIER_TCP {
    ULONGLONG Freshness;
} HTTP_QUERY_REQUEST_QUALIFIER_TCP, *PHTTP_QUERY_REQUEST_QUALIFIER_TCP;

typedef struct HTTP_QUERY_REQUEST_QUALIFIER_QUIC {
    ULONGLONG Freshness;
} HTTP_QUERY_REQUEST_QUALIFIER_QUIC, *PHTTP_QUERY_REQUEST_QUALIFIER_QUIC;

typedef enum HTTP_DELEGATE_REQUEST_PROPERTY_ID {
    DelegateRequestReservedProperty = 0,
    DelegateRequestDelegateUrlProperty = 1 /* PCWSTR */
} HTTP_DELEGATE_REQUEST_PROPERTY_ID;
typedef HTTP_DELEGATE_REQUEST_PROPERTY_ID *PHTTP_DELEGATE_REQUEST_PROPERTY_ID;

typedef struct HTTP_DELEGATE_REQUEST_PROPERTY_INFO {
    HTTP_DELEGATE_REQUEST_PROPERTY_ID PropertyId;
    ULONG PropertyInfoLength;
    PVOID PropertyInfo;
} HTTP_DELEGATE_REQUEST_PROPERTY_INFO, *PHTTP_DELEGATE_REQUEST_PROPERTY_INFO;

typedef enum HTTP_FEATURE_ID {
    HttpFeatureUnknown = 0,
    HttpFeatureResponseTrailers = 1,
    HttpFeatureApiTimings = 2,
    HttpFeatureDelegateEx = 3,
    HttpFeatureHttp3 = 4,
    HttpFeatureTlsSessionTickets = 5,
    HttpFeatureDisableTlsSessionId = 6,
    HttpFeatureTlsDualCerts = 7,
    HttpFeatureAutomaticChunkedEncoding = 8,
    HttpFeatureDedicatedReqQueueDelegationType = 9,
    HttpFeatureFastForwardResponse = 10,
    HttpFeatureCacheTlsClientHello = 11,
    HttpFeatureIdleConnectionTimeoutRequestProperty = 12,
    HttpFeatureDisableAiaFlag = 13,
    HttpFeatureDscp = 14,
    HttpFeatureQueryCipherInfo = 15,
    HttpFeatureQueryInitialPacketTtl = 16,
    HttpFeatureTlsHandshakePerformanceCounters = 17,
    HttpFeatureLast = 18,
    HttpFeaturemax = -1
} HTTP_FEATURE_ID;
typedef HTTP_FEATURE_ID *PHTTP_FEATURE_ID;

/* ----------------------------------------------------------------------------------------------
 * Service configuration: machine-wide and persistent
 * -------------------------------------------------------------------------------------------- */

/* Which table of records. Each is set with its ..._SET (the listen list with ..._PARAM), and read
 * with its ..._QUERY; timeouts, cache and settings are read with their ..._KEY and give the
 * ..._PARAM, the listen list is read with NULL and gives the whole ..._QUERY. */
typedef enum HTTP_SERVICE_CONFIG_ID {
    HttpServiceConfigIPListenList = 0,            /* ..._IP_LISTEN_... */
    HttpServiceConfigSSLCertInfo = 1,             /* ..._SSL_... */
    HttpServiceConfigUrlAclInfo = 2,              /* ..._URLACL_... */
    HttpServiceConfigTimeout = 3,                 /* ..._TIMEOUT_... */
    HttpServiceConfigCache = 4,                   /* ..._CACHE_... */
    HttpServiceConfigSslSniCertInfo = 5,          /* ..._SSL_SNI_... */
    HttpServiceConfigSslCcsCertInfo = 6,          /* ..._SSL_CCS_... */
    HttpServiceConfigSetting = 7,                 /* ..._SETTING_... */
    HttpServiceConfigSslCertInfoEx = 8,           /* ..._SSL_..._EX */
    HttpServiceConfigSslSniCertInfoEx = 9,        /* ..._SSL_SNI_..._EX */
    HttpServiceConfigSslCcsCertInfoEx = 10,       /* ..._SSL_CCS_..._EX */
    HttpServiceConfigSslScopedCcsCertInfo = 11,   /* ..._SSL_SNI_... */
    HttpServiceConfigSslScopedCcsCertInfoEx = 12, /* ..._SSL_SNI_..._EX */
    HttpServiceConfigMax = 13
} HTTP_SERVICE_CONFIG_ID;
typedef HTTP_SERVICE_CONFIG_ID *PHTTP_SERVICE_CONFIG_ID;

typedef enum HTTP_SERVICE_CONFIG_QUERY_TYPE {
    HttpServiceConfigQueryExact = 0, /* the record of KeyDesc */
    HttpServiceConfigQueryNext = 1,  /* record number dwToken; ERROR_NO_MORE_ITEMS after the last */
    HttpServiceConfigQueryMax = 2
} HTTP_SERVICE_CONFIG_QUERY_TYPE;
typedef HTTP_SERVICE_CONFIG_QUERY_TYPE *PHTTP_SERVICE_CONFIG_QUERY_TYPE;

typedef struct HTTP_SERVICE_CONFIG_IP_LISTEN_PARAM {
    USHORT AddrLength; /* bytes */
    PSOCKADDR pAddress;
} HTTP_SERVICE_CONFIG_IP_LISTEN_PARAM, *PHTTP_SERVICE_CONFIG_IP_LISTEN_PARAM;

typedef struct HTTP_SERVICE_CONFIG_IP_LISTEN_QUERY {
    ULONG AddrCount;
    SOCKADDR_STORAGE AddrList[ANYSIZE_ARRAY];
} HTTP_SERVICE_CONFIG_IP_LISTEN_QUERY, *PHTTP_SERVICE_CONFIG_IP_LISTEN_QUERY;

/* HTTP_SERVICE_CONFIG_SSL_PARAM.DefaultCertCheckMode */
#define HTTP_SERVICE_CONFIG_SSL_CHECK_NO_REVOCATION          0x00000001u
#define HTTP_SERVICE_CONFIG_SSL_CHECK_CACHED_REVOCATION_ONLY 0x00000002u
#define HTTP_SERVICE_CONFIG_SSL_CHECK_USE_FRESHNESS_TIME     0x00000004u
#define HTTP_SERVICE_CONFIG_SSL_CHECK_CACHED_URLS_ONLY       0x00000008u
#define HTTP_SERVICE_CONFIG_SSL_CHECK_NO_AIA                 0x00000010u
#define HTTP_SERVICE_CONFIG_SSL_CHECK_NO_USAGE_CHECK         0x00010000u

/* HTTP_SERVICE_CONFIG_SSL_PARAM.DefaultFlags */
#define HTTP_SERVICE_CONFIG_SSL_FLAG_USE_DS_MAPPER             0x00000001u
#define HTTP_SERVICE_CONFIG_SSL_FLAG_NEGOTIATE_CLIENT_CERT     0x00000002u
#define HTTP_SERVICE_CONFIG_SSL_FLAG_NO_RAW_FILTER             0x00000004u
#define HTTP_SERVICE_CONFIG_SSL_FLAG_REJECT                    0x00000008u
#define HTTP_SERVICE_CONFIG_SSL_FLAG_DISABLE_HTTP2             0x00000010u
#define HTTP_SERVICE_CONFIG_SSL_FLAG_DISABLE_QUIC              0x00000020u
#define HTTP_SERVICE_CONFIG_SSL_FLAG_DISABLE_TLS13             0x00000040u
#define HTTP_SERVICE_CONFIG_SSL_FLAG_DISABLE_OCSP_STAPLING     0x00000080u
#define HTTP_SERVICE_CONFIG_SSL_FLAG_ENABLE_TOKEN_BINDING      0x00000100u
#define HTTP_SERVICE_CONFIG_SSL_FLAG_LOG_EXTENDED_EVENTS       0x00000200u
#define HTTP_SERVICE_CONFIG_SSL_FLAG_DISABLE_LEGACY_TLS        0x00000400u
#define HTTP_SERVICE_CONFIG_SSL_FLAG_ENABLE_SESSION_TICKET     0x00000800u
#define HTTP_SERVICE_CONFIG_SSL_FLAG_DISABLE_TLS12             0x00001000u
#define HTTP_SERVICE_CONFIG_SSL_FLAG_ENABLE_CLIENT_CORRELATION 0x00002000u
#define HTTP_SERVICE_CONFIG_SSL_FLAG_DISABLE_SESSION_ID        0x00004000u
#define HTTP_SERVICE_CONFIG_SSL_FLAG_ENABLE_CACHE_CLIENT_HELLO 0x00008000u

typedef struct HTTP_SERVICE_CONFIG_SSL_KEY {
    PSOCKADDR pIpPort;
} HTTP_SERVICE_CONFIG_SSL_KEY, *PHTTP_SERVICE_CONFIG_SSL_KEY;

typedef struct HTTP_SERVICE_CONFIG_SSL_KEY_EX {
    SOCKADDR_STORAGE IpPort;
} HTTP_SERVICE_CONFIG_SSL_KEY_EX, *PHTTP_SERVICE_CONFIG_SSL_KEY_EX;

typedef struct HTTP_SERVICE_CONFIG_SSL_SNI_KEY {
    SOCKADDR_STORAGE IpPort;
    PWSTR Host;
} HTTP_SERVICE_CONFIG_SSL_SNI_KEY, *PHTTP_SERVICE_CONFIG_SSL_SNI_KEY;

typedef struct HTTP_SERVICE_CONFIG_SSL_CCS_KEY {
    SOCKADDR_STORAGE LocalAddress;
} HTTP_SERVICE_CONFIG_SSL_CCS_KEY, *PHTTP_SERVICE_CONFIG_SSL_CCS_KEY;

/* Which certificate, and how TLS is done with it. */
typedef struct HTTP_SERVICE_CONFIG_SSL_PARAM {
    ULONG SslHashLength; /* bytes */
    PVOID pSslHash;      /* of the certificate */
    GUID AppId;
    PWSTR pSslCertStoreName; /* NULL: "MY" */
    DWORD DefaultCertCheckMode;
    DWORD DefaultRevocationFreshnessTime;       /* seconds */
    DWORD DefaultRevocationUrlRetrievalTimeout; /* milliseconds */
    PWSTR pDefaultSslCtlIdentifier;
    PWSTR pDefaultSslCtlStoreName;
    DWORD DefaultFlags;
} HTTP_SERVICE_CONFIG_SSL_PARAM, *PHTTP_SERVICE_CONFIG_SSL_PARAM;

typedef enum HTTP_SSL_SERVICE_CONFIG_EX_PARAM_TYPE {
    ExParamTypeHttp2Window = 0,
    ExParamTypeHttp2SettingsLimits = 1,
    ExParamTypeHttpPerformance = 2,
    ExParamTypeTlsRestrictions = 3,
    ExParamTypeErrorHeaders = 4,
    ExParamTypeTlsSessionTicketKeys = 5,
    ExParamTypeMax = 6
} HTTP_SSL_SERVICE_CONFIG_EX_PARAM_TYPE;
typedef HTTP_SSL_SERVICE_CONFIG_EX_PARAM_TYPE *PHTTP_SSL_SERVICE_CONFIG_EX_PARAM_TYPE;

typedef struct HTTP2_WINDOW_SIZE_PARAM {
    DWORD Http2ReceiveWindowSize;
} HTTP2_WINDOW_SIZE_PARAM, *PHTTP2_WINDOW_SIZE_PARAM;

typedef struct HTTP2_SETTINGS_LIMITS_PARAM {
    DWORD Http2MaxSettingsPerFrame;
    DWORD Http2MaxSettingsPerMinute;
} HTTP2_SETTINGS_LIMITS_PARAM, *PHTTP2_SETTINGS_LIMITS_PARAM;

typedef enum HTTP_PERFORMANCE_PARAM_TYPE {
    PerformanceParamSendBufferingFlags = 0,
    PerformanceParamAggressiveICW = 1,
    PerformanceParamMaxSendBufferSize = 2,
    PerformanceParamMaxConcurrentClientStreams = 3,
    PerformanceParamMaxReceiveBufferSize = 4,
    PerformanceParamDecryptOnSspiThread = 5,
    PerformanceParamMax = 6
} HTTP_PERFORMANCE_PARAM_TYPE;
typedef HTTP_PERFORMANCE_PARAM_TYPE *PHTTP_PERFORMANCE_PARAM_TYPE;

typedef struct HTTP_PERFORMANCE_PARAM {
    HTTP_PERFORMANCE_PARAM_TYPE Type;
    ULONG BufferSize;
    PVOID Buffer;
} HTTP_PERFORMANCE_PARAM, *PHTTP_PERFORMANCE_PARAM;

typedef struct HTTP_TLS_RESTRICTIONS_PARAM {
    ULONG RestrictionCount;
    PVOID TlsRestrictions;
} HTTP_TLS_RESTRICTIONS_PARAM, *PHTTP_TLS_RESTRICTIONS_PARAM;

typedef struct HTTP_ERROR_HEADERS_PARAM {
    USHORT StatusCode;
    USHORT HeaderCount;
    PHTTP_UNKNOWN_HEADER Headers;
} HTTP_ERROR_HEADERS_PARAM, *PHTTP_ERROR_HEADERS_PARAM;

typedef struct HTTP_TLS_SESSION_TICKET_KEYS_PARAM {
    ULONG SessionTicketKeyCount;
    PVOID SessionTicketKeys;
} HTTP_TLS_SESSION_TICKET_KEYS_PARAM, *PHTTP_TLS_SESSION_TICKET_KEYS_PARAM;

typedef struct HTTP_SERVICE_CONFIG_SSL_PARAM_EX {
    HTTP_SSL_SERVICE_CONFIG_EX_PARAM_TYPE ParamType;
    ULONGLONG Flags;
    union {
        HTTP2_WINDOW_SIZE_PARAM Http2WindowSizeParam;
        HTTP2_SETTINGS_LIMITS_PARAM Http2SettingsLimitsParam;
        HTTP_PERFORMANCE_PARAM HttpPerformanceParam;
        HTTP_TLS_RESTRICTIONS_PARAM HttpTlsRestrictionsParam;
        HTTP_ERROR_HEADERS_PARAM HttpErrorHeadersParam;
        HTTP_TLS_SESSION_TICKET_KEYS_PARAM HttpTlsSessionTicketKeysParam;
    };
} HTTP_SERVICE_CONFIG_SSL_PARAM_EX, *PHTTP_SERVICE_CONFIG_SSL_PARAM_EX;

typedef struct HTTP_SERVICE_CONFIG_SSL_SET {
    HTTP_SERVICE_CONFIG_SSL_KEY KeyDesc;
    HTTP_SERVICE_CONFIG_SSL_PARAM ParamDesc;
} HTTP_SERVICE_CONFIG_SSL_SET, *PHTTP_SERVICE_CONFIG_SSL_SET;

typedef struct HTTP_SERVICE_CONFIG_SSL_SNI_SET {
    HTTP_SERVICE_CONFIG_SSL_SNI_KEY KeyDesc;
    HTTP_SERVICE_CONFIG_SSL_PARAM ParamDesc;
} HTTP_SERVICE_CONFIG_SSL_SNI_SET, *PHTTP_SERVICE_CONFIG_SSL_SNI_SET;

typedef struct HTTP_SERVICE_CONFIG_SSL_CCS_SET {
    HTTP_SERVICE_CONFIG_SSL_CCS_KEY KeyDesc;
    HTTP_SERVICE_CONFIG_SSL_PARAM ParamDesc;
} HTTP_SERVICE_CONFIG_SSL_CCS_SET, *PHTTP_SERVICE_CONFIG_SSL_CCS_SET;

typedef struct HTTP_SERVICE_CONFIG_SSL_SET_EX {
    HTTP_SERVICE_CONFIG_SSL_KEY_EX KeyDesc;
    HTTP_SERVICE_CONFIG_SSL_PARAM_EX ParamDesc;
} HTTP_SERVICE_CONFIG_SSL_SET_EX, *PHTTP_SERVICE_CONFIG_SSL_SET_EX;

typedef struct HTTP_SERVICE_CONFIG_SSL_SNI_SET_EX {
    HTTP_SERVICE_CONFIG_SSL_SNI_KEY KeyDesc;
    HTTP_SERVICE_CONFIG_SSL_PARAM_EX ParamDesc;
} HTTP_SERVICE_CONFIG_SSL_SNI_SET_EX, *PHTTP_SERVICE_CONFIG_SSL_SNI_SET_EX;

typedef struct HTTP_SERVICE_CONFIG_SSL_CCS_SET_EX {
    HTTP_SERVICE_CONFIG_SSL_CCS_KEY KeyDesc;
    HTTP_SERVICE_CONFIG_SSL_PARAM_EX ParamDesc;
} HTTP_SERVICE_CONFIG_SSL_CCS_SET_EX, *PHTTP_SERVICE_CONFIG_SSL_CCS_SET_EX;

typedef struct HTTP_SERVICE_CONFIG_SSL_QUERY {
    HTTP_SERVICE_CONFIG_QUERY_TYPE QueryDesc;
    HTTP_SERVICE_CONFIG_SSL_KEY KeyDesc;
    DWORD dwToken;
} HTTP_SERVICE_CONFIG_SSL_QUERY, *PHTTP_SERVICE_CONFIG_SSL_QUERY;

typedef struct HTTP_SERVICE_CONFIG_SSL_SNI_QUERY {
    HTTP_SERVICE_CONFIG_QUERY_TYPE QueryDesc;
    HTTP_SERVICE_CONFIG_SSL_SNI_KEY KeyDesc;
    DWORD dwToken;
} HTTP_SERVICE_CONFIG_SSL_SNI_QUERY, *PHTTP_SERVICE_CONFIG_SSL_SNI_QUERY;

typedef struct HTTP_SERVICE_CONFIG_SSL_CCS_QUERY {
    HTTP_SERVICE_CONFIG_QUERY_TYPE QueryDesc;
    HTTP_SERVICE_CONFIG_SSL_CCS_KEY KeyDesc;
    DWORD dwToken;
} HTTP_SERVICE_CONFIG_SSL_CCS_QUERY, *PHTTP_SERVICE_CONFIG_SSL_CCS_QUERY;

typedef struct HTTP_SERVICE_CONFIG_SSL_QUERY_EX {
    HTTP_SERVICE_CONFIG_QUERY_TYPE QueryDesc;
    HTTP_SERVICE_CONFIG_SSL_KEY_EX KeyDesc;
    DWORD dwToken;
    HTTP_SSL_SERVICE_CONFIG_EX_PARAM_TYPE ParamType;
} HTTP_SERVICE_CONFIG_SSL_QUERY_EX, *PHTTP_SERVICE_CONFIG_SSL_QUERY_EX;

typedef struct HTTP_SERVICE_CONFIG_SSL_SNI_QUERY_EX {
    HTTP_SERVICE_CONFIG_QUERY_TYPE QueryDesc;
    HTTP_SERVICE_CONFIG_SSL_SNI_KEY KeyDesc;
    DWORD dwToken;
    HTTP_SSL_SERVICE_CONFIG_EX_PARAM_TYPE ParamType;
} HTTP_SERVICE_CONFIG_SSL_SNI_QUERY_EX, *PHTTP_SERVICE_CONFIG_SSL_SNI_QUERY_EX;

typedef struct HTTP_SERVICE_CONFIG_SSL_CCS_QUERY_EX {
    HTTP_SERVICE_CONFIG_QUERY_TYPE QueryDesc;
    HTTP_SERVICE_CONFIG_SSL_CCS_KEY KeyDesc;
    DWORD dwToken;
    HTTP_SSL_SERVICE_CONFIG_EX_PARAM_TYPE ParamType;
} HTTP_SERVICE_CONFIG_SSL_CCS_QUERY_EX, *PHTTP_SERVICE_CONFIG_SSL_CCS_QUERY_EX;

/* URL reservations. */
typedef struct HTTP_SERVICE_CONFIG_URLACL_KEY {
    PWSTR pUrlPrefix;
} HTTP_SERVICE_CONFIG_URLACL_KEY, *PHTTP_SERVICE_CONFIG_URLACL_KEY;

typedef struct HTTP_SERVICE_CONFIG_URLACL_PARAM {
    PWSTR pStringSecurityDescriptor; /* SDDL */
} HTTP_SERVICE_CONFIG_URLACL_PARAM, *PHTTP_SERVICE_CONFIG_URLACL_PARAM;

typedef struct HTTP_SERVICE_CONFIG_URLACL_SET {
    HTTP_SERVICE_CONFIG_URLACL_KEY KeyDesc;
    HTTP_SERVICE_CONFIG_URLACL_PARAM ParamDesc;
} HTTP_SERVICE_CONFIG_URLACL_SET, *PHTTP_SERVICE_CONFIG_URLACL_SET;

typedef struct HTTP_SERVICE_CONFIG_URLACL_QUERY {
    HTTP_SERVICE_CONFIG_QUERY_TYPE QueryDesc;
    HTTP_SERVICE_CONFIG_URLACL_KEY KeyDesc;
    DWORD dwToken;
} HTTP_SERVICE_CONFIG_URLACL_QUERY, *PHTTP_SERVICE_CONFIG_URLACL_QUERY;

typedef enum HTTP_SERVICE_CONFIG_TIMEOUT_KEY {
    IdleConnectionTimeout = 0,
    HeaderWaitTimeout = 1
} HTTP_SERVICE_CONFIG_TIMEOUT_KEY;
typedef HTTP_SERVICE_CONFIG_TIMEOUT_KEY *PHTTP_SERVICE_CONFIG_TIMEOUT_KEY;

typedef USHORT HTTP_SERVICE_CONFIG_TIMEOUT_PARAM,
    *PHTTP_SERVICE_CONFIG_TIMEOUT_PARAM; /* seconds, 0 not allowed */

typedef struct HTTP_SERVICE_CONFIG_TIMEOUT_SET {
    HTTP_SERVICE_CONFIG_TIMEOUT_KEY KeyDesc;
    HTTP_SERVICE_CONFIG_TIMEOUT_PARAM ParamDesc;
} HTTP_SERVICE_CONFIG_TIMEOUT_SET, *PHTTP_SERVICE_CONFIG_TIMEOUT_SET;

typedef enum HTTP_SERVICE_CONFIG_CACHE_KEY {
    MaxCacheResponseSize = 0,
    CacheRangeChunkSize = 1
} HTTP_SERVICE_CONFIG_CACHE_KEY;
typedef HTTP_SERVICE_CONFIG_CACHE_KEY *PHTTP_SERVICE_CONFIG_CACHE_KEY;

typedef ULONG HTTP_SERVICE_CONFIG_CACHE_PARAM, *PHTTP_SERVICE_CONFIG_CACHE_PARAM; /* bytes */

typedef struct HTTP_SERVICE_CONFIG_CACHE_SET {
    HTTP_SERVICE_CONFIG_CACHE_KEY KeyDesc;
    HTTP_SERVICE_CONFIG_CACHE_PARAM ParamDesc;
} HTTP_SERVICE_CONFIG_CACHE_SET, *PHTTP_SERVICE_CONFIG_CACHE_SET;

typedef enum HTTP_SERVICE_CONFIG_SETTING_KEY {
    HttpNone = 0,
    HttpTlsThrottle = 1
} HTTP_SERVICE_CONFIG_SETTING_KEY;
typedef HTTP_SERVICE_CONFIG_SETTING_KEY *PHTTP_SERVICE_CONFIG_SETTING_KEY;

typedef ULONG HTTP_SERVICE_CONFIG_SETTING_PARAM, *PHTTP_SERVICE_CONFIG_SETTING_PARAM;

typedef struct HTTP_SERVICE_CONFIG_SETTING_SET {
    HTTP_SERVICE_CONFIG_SETTING_KEY KeyDesc;
    HTTP_SERVICE_CONFIG_SETTING_PARAM ParamDesc;
} HTTP_SERVICE_CONFIG_SETTING_SET, *PHTTP_SERVICE_CONFIG_SETTING_SET;

/* ----------------------------------------------------------------------------------------------
 * Library lifetime
 * -------------------------------------------------------------------------------------------- */

/* Begins the use of the API. Flags: one or both of HTTP_INITIALIZE_SERVER and _CONFIG. Each flag is
 * counted for itself and needs its own terminate. Version: {1,0} or {2,0}; what an object can do is
 * decided by the version it is made with.
 * Errors: ERROR_INVALID_PARAMETER no flag, unknown flag, pReserved not NULL;
 * ERROR_REVISION_MISMATCH. */
ULONG WINAPI HttpInitialize(HTTPAPI_VERSION Version, ULONG Flags, PVOID pReserved);

/* Ends it, once for each flag given. When the last SERVER initialization goes, whatever is still
 * open is closed first, in order: queues are shut down, URLs removed, groups, sessions and queues
 * closed; and the result is still NO_ERROR. Two initializations with one flag each may be undone by
 * one call with both.
 * Errors: ERROR_INVALID_PARAMETER no or unknown flag, pReserved not NULL, a flag that is not
 * initialized (then nothing is done). */
ULONG WINAPI HttpTerminate(ULONG Flags, PVOID pReserved);

/* ----------------------------------------------------------------------------------------------
 * Server sessions
 * -------------------------------------------------------------------------------------------- */

/* Makes a session.
 * Errors: ERROR_REVISION_MISMATCH version neither {1,0} (observed) nor {2,0};
 * ERROR_INVALID_PARAMETER NULL out or Reserved not 0; the out value is untouched on failure. */
ULONG WINAPI HttpCreateServerSession(HTTPAPI_VERSION Version,
                                     PHTTP_SERVER_SESSION_ID ServerSessionId, ULONG Reserved);

/* Closes a session and every group left in it, with their URLs. Their ids are invalid afterwards.
 * Errors: ERROR_INVALID_PARAMETER no such session. */
ULONG WINAPI HttpCloseServerSession(HTTP_SERVER_SESSION_ID ServerSessionId);

/* Sets a property of a session (the S column above).
 * Errors: ERROR_INVALID_PARAMETER not a session property, NULL, wrong length, bad value, no such
 * session; ERROR_NOT_SUPPORTED known but not offered by this provider. */
ULONG WINAPI HttpSetServerSessionProperty(HTTP_SERVER_SESSION_ID ServerSessionId,
                                          HTTP_SERVER_PROPERTY Property, PVOID PropertyInformation,
                                          ULONG PropertyInformationLength);

/* Reads one back; a property that was not set has Present 0. ReturnLength (may be NULL): bytes
 * written or needed.
 * Errors: as set; ERROR_MORE_DATA the buffer is too small. Logging cannot be read. */
ULONG WINAPI HttpQueryServerSessionProperty(HTTP_SERVER_SESSION_ID ServerSessionId,
                                            HTTP_SERVER_PROPERTY Property,
                                            PVOID PropertyInformation,
                                            ULONG PropertyInformationLength, PULONG ReturnLength);

/* ----------------------------------------------------------------------------------------------
 * URL groups
 * -------------------------------------------------------------------------------------------- */

/* Makes a group in a session: empty and bound to no queue.
 * Errors: ERROR_INVALID_PARAMETER no such session, NULL out, Reserved not 0; the out value is
 * untouched on failure. */
ULONG WINAPI HttpCreateUrlGroup(HTTP_SERVER_SESSION_ID ServerSessionId,
                                PHTTP_URL_GROUP_ID pUrlGroupId, ULONG Reserved);

/* Closes a group and removes its URLs. Requests already delivered can still be answered.
 * Errors: ERROR_INVALID_PARAMETER no such group. */
ULONG WINAPI HttpCloseUrlGroup(HTTP_URL_GROUP_ID UrlGroupId);

/* Registers a URL prefix for a group, bound or not. It takes effect before this returns.
 *
 * pFullyQualifiedUrl: scheme "://" host ":" port "/" [path "/"]. scheme: http or https, lower case.
 * host: "+" (strong wildcard), "*" (weak wildcard), a name, an IPv4 address or a bracketed IPv6
 * address, any case. port: 1 to 65535, required, without leading zeros. path: any case; a missing
 * final slash is added; no query.
 *
 * Routing: "+" first, then host names, then addresses (of the socket the request came in on), then
 * "*"; within one kind the longest matching prefix in whole path segments. The first kind with a
 * match ends the search. No match: 400 when no prefix of the port knows the host, else 404. A
 * matching group without a queue: 503.
 *
 * UrlContext comes back in HTTP_REQUEST.UrlContext. Wildcards answer to any name somebody points
 * here: prefer names and addresses.
 * Errors: ERROR_INVALID_PARAMETER malformed prefix, no such group, Reserved not 0;
 * ERROR_ALREADY_EXISTS the same prefix is registered, by whatever group; ERROR_SHARING_VIOLATION
 * another program holds the port, or the other scheme does; ERROR_ACCESS_DENIED not allowed for
 * this user; ERROR_NOT_SUPPORTED https without TLS in this provider. A failed call leaves nothing
 * behind. */
ULONG WINAPI HttpAddUrlToUrlGroup(HTTP_URL_GROUP_ID UrlGroupId, PCWSTR pFullyQualifiedUrl,
                                  HTTP_URL_CONTEXT UrlContext, ULONG Reserved);

/* Removes one URL, given as it was registered, or with HTTP_URL_FLAG_REMOVE_ALL and NULL all of the
 * group. New requests no longer match; delivered ones can still be answered. The port is released
 * with its last URL.
 * Errors: ERROR_FILE_NOT_FOUND not registered in this group; ERROR_INVALID_PARAMETER no such group,
 * unknown flag, REMOVE_ALL with a URL, no URL without it. */
ULONG WINAPI HttpRemoveUrlFromUrlGroup(HTTP_URL_GROUP_ID UrlGroupId, PCWSTR pFullyQualifiedUrl,
                                       ULONG Flags);

/* Sets a property of a group (the G column above). HttpServerBindingProperty binds it to a queue,
 * at any time, atomically: a request goes to the old or to the new queue.
 * Errors: as for sessions; ERROR_INVALID_PARAMETER binding to what is not a version 2 queue. */
ULONG WINAPI HttpSetUrlGroupProperty(HTTP_URL_GROUP_ID UrlGroupId, HTTP_SERVER_PROPERTY Property,
                                     PVOID PropertyInformation, ULONG PropertyInformationLength);

/* Reads one back.
 * Errors: as for sessions. */
ULONG WINAPI HttpQueryUrlGroupProperty(HTTP_URL_GROUP_ID UrlGroupId, HTTP_SERVER_PROPERTY Property,
                                       PVOID PropertyInformation, ULONG PropertyInformationLength,
                                       PULONG ReturnLength);

/* The group of a queue that a URL would be routed to. Returns an NTSTATUS on the system's provider,
 * an error number on ours: ERROR_NOT_FOUND, ERROR_INVALID_HANDLE, ERROR_INVALID_PARAMETER. */
ULONG WINAPI HttpFindUrlGroupId(PCWSTR FullyQualifiedUrl, HANDLE RequestQueueHandle,
                                PHTTP_URL_GROUP_ID UrlGroupId);

/* Turns a URL into the canonical form that HttpAddUrlToUrlGroup wants (international host names,
 * escapes, case of scheme). Reserved NULL, Flags 0. *PreparedUrl: the caller's,
 * HeapFree(GetProcessHeap(), 0, ...).
 * Errors: ERROR_INVALID_PARAMETER; ERROR_NOT_ENOUGH_MEMORY. */
ULONG WINAPI HttpPrepareUrl(PVOID Reserved, ULONG Flags, PCWSTR Url, PWSTR *PreparedUrl);

/* ----------------------------------------------------------------------------------------------
 * Request queues
 * -------------------------------------------------------------------------------------------- */

/* Makes a queue. Name NULL: private to the process. Version must be {2,0}.
 * Errors: ERROR_REVISION_MISMATCH; ERROR_INVALID_PARAMETER name longer than MAX_PATH bytes,
 * OPEN_EXISTING without a name or together with CONTROLLER or security attributes, unknown flag,
 * NULL out; ERROR_ALREADY_EXISTS name in use; ERROR_FILE_NOT_FOUND nothing to open;
 * ERROR_ACCESS_DENIED; ERROR_DLL_INIT_FAILED. */
ULONG WINAPI HttpCreateRequestQueue(HTTPAPI_VERSION Version, PCWSTR Name,
                                    PSECURITY_ATTRIBUTES SecurityAttributes, ULONG Flags,
                                    PHANDLE RequestQueueHandle);

/* Closes a queue. Pending calls on it end with ERROR_OPERATION_ABORTED, requests delivered but not
 * answered lose their connection, its groups become unbound.
 * Errors: ERROR_INVALID_HANDLE closed already, NULL (observed; the page says
 * ERROR_INVALID_PARAMETER). */
ULONG WINAPI HttpCloseRequestQueue(HANDLE RequestQueueHandle);

/* Ends this process's use of a queue in good order, before it is closed: no new request is
 * delivered, pending receives and disconnect waits end with ERROR_OPERATION_ABORTED, requests
 * delivered but unanswered are cancelled, and answers under way go out completely. Drain first if
 * unanswered requests matter. The handle must still be closed.
 * Errors: ERROR_INVALID_HANDLE. */
ULONG WINAPI HttpShutdownRequestQueue(HANDLE RequestQueueHandle);

/* Sets a property of a queue (the Q column above): a bare integer of 4 bytes. Reserved1 0,
 * Reserved2 NULL.
 * Errors: ERROR_INVALID_HANDLE; ERROR_INVALID_PARAMETER not a queue property, bad value or length,
 * reserved; ERROR_NOT_SUPPORTED a version 1 queue. */
ULONG WINAPI HttpSetRequestQueueProperty(HANDLE RequestQueueHandle, HTTP_SERVER_PROPERTY Property,
                                         PVOID PropertyInformation, ULONG PropertyInformationLength,
                                         ULONG Reserved1, PVOID Reserved2);

/* Reads one back.
 * Errors: as set; ERROR_MORE_DATA the buffer is too small, *ReturnLength bytes are needed. */
ULONG WINAPI HttpQueryRequestQueueProperty(HANDLE RequestQueueHandle, HTTP_SERVER_PROPERTY Property,
                                           PVOID PropertyInformation,
                                           ULONG PropertyInformationLength, ULONG Reserved1,
                                           PULONG ReturnLength, PVOID Reserved2);

/* For a controller: completes when a request arrives that a new worker process could serve.
 * Errors: ERROR_INVALID_ID_AUTHORITY the handle is not a controller; ERROR_INVALID_HANDLE closed or
 * shut down; ERROR_ALREADY_EXISTS one is waiting. */
ULONG WINAPI HttpWaitForDemandStart(HANDLE RequestQueueHandle, LPOVERLAPPED Overlapped);

/* ----------------------------------------------------------------------------------------------
 * Requests and answers
 * -------------------------------------------------------------------------------------------- */

/* Receives one request into RequestBuffer: an HTTP_REQUEST, followed by what its pointers point to.
 * RequestId HTTP_NULL_ID: the next one of the queue, waiting for it; else that very request, after
 * ERROR_MORE_DATA. Several receives may be pending; each gets one request, first come, first
 * served. The buffer must be aligned like an HTTP_REQUEST; 4 KB is a good size, 16 KB with
 * authentication.
 *
 * Flags: 0 header only; COPY_BODY also the body bytes that are here and fit, as one memory chunk (a
 * body that is cut fills the buffer to its last byte); FLUSH_BODY waits for the whole body, as far
 * as it fits. What is left is announced by HTTP_REQUEST_FLAG_MORE_ENTITY_BODY_EXISTS and read with
 * HttpReceiveRequestEntityBody.
 *
 * BORROW (ours): strings and header values (the cooked URL and the addresses among them) are not
 * copied but stay in the connection's buffer; only the HTTP_REQUEST, its array of unknown headers
 * and copied body bytes are in RequestBuffer. The pointers are good until the answer is complete
 * (the last send has succeeded) or HttpCancelHttpRequest was called. When the client goes in
 * between, calls give ERROR_CONNECTION_INVALID and the bytes stay good: the application then gives
 * them back with HttpCancelHttpRequest. A provider that cannot lend copies as always.
 *
 * BytesReturned: bytes used, or needed.
 * Errors: ERROR_INVALID_HANDLE; ERROR_INSUFFICIENT_BUFFER smaller than HTTP_REQUEST_V1, nothing
 * consumed; ERROR_NOACCESS NULL or misaligned buffer; ERROR_MORE_DATA it does not fit: RequestId
 * and ConnectionId are set, the count is the size needed, and the request now waits for a receive
 * with its id; ERROR_CONNECTION_INVALID that id is unknown, has been received, or has been
 * answered; ERROR_OPERATION_ABORTED cancelled or the queue went; ERROR_INVALID_PARAMETER unknown
 * flag. */
ULONG WINAPI HttpReceiveHttpRequest(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId,
                                    ULONG Flags, PHTTP_REQUEST RequestBuffer,
                                    ULONG RequestBufferLength, PULONG BytesReturned,
                                    LPOVERLAPPED Overlapped);

/* Reads the request's body, transfer coding removed, from where COPY_BODY or the last read stopped.
 * Waits for at least one byte; with FILL_BUFFER until the buffer is full or the body ends. The
 * first read sends "100 Continue" to a client that expects it.
 * Errors: ERROR_HANDLE_EOF the body is at its end, 0 bytes; ERROR_CONNECTION_INVALID HTTP_NULL_ID,
 * unknown or answered request, client gone; ERROR_INVALID_HANDLE; ERROR_INVALID_PARAMETER NULL or
 * empty buffer, unknown flag; ERROR_OPERATION_ABORTED. */
ULONG WINAPI HttpReceiveRequestEntityBody(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId,
                                          ULONG Flags, PVOID EntityBuffer, ULONG EntityBufferLength,
                                          PULONG BytesReturned, LPOVERLAPPED Overlapped);

/* Answers a request: status line, headers, and the body or its beginning (MORE_DATA).
 *
 * The provider writes Date (replacing the caller's), Content-Length when the whole body is in this
 * call and the caller gave none (0 included), and "Connection: close" when the connection will be
 * closed. A Content-Length of the caller's goes out as it is. With MORE_DATA and neither
 * Content-Length nor Transfer-Encoding, or with AUTOMATIC_CHUNKING, a provider that has
 * HttpFeatureAutomaticChunkedEncoding frames the body (chunked for HTTP/1.1, ended by closing for
 * 1.0). No body bytes go out for HEAD, 1xx, 204, 304. Unread bytes of the request's body are read
 * away afterwards (DrainEntityBody). OPAQUE with 101 and interim responses (other 1xx) are
 * ERROR_NOT_SUPPORTED until the provider has them.
 *
 * CachePolicy, LogData: NULL or as described above. BytesSent: header and body on the wire.
 * Reserved1 NULL, Reserved2 0. Completion means that the bytes were accepted: memory chunks may be
 * reused. A client that does not read holds completion back.
 * Errors: ERROR_INVALID_PARAMETER DISCONNECT with MORE_DATA, OPAQUE without 101, bad header bytes,
 * unknown flag, NULL response; ERROR_INVALID_HANDLE; ERROR_CONNECTION_INVALID unknown or answered
 * request, or the client has gone; ERROR_PATH_NOT_FOUND missing fragment; ERROR_BAD_COMMAND another
 * send of this request is pending; ERROR_OPERATION_ABORTED. */
ULONG WINAPI HttpSendHttpResponse(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId, ULONG Flags,
                                  PHTTP_RESPONSE HttpResponse, PHTTP_CACHE_POLICY CachePolicy,
                                  PULONG BytesSent, PVOID Reserved1, ULONG Reserved2,
                                  LPOVERLAPPED Overlapped, PHTTP_LOG_DATA LogData);

/* More of the body of an answer that was begun with MORE_DATA; the last call has the flag clear and
 * may have no chunks. After OPAQUE the bytes are raw. At most HTTP_MAX_ENTITY_CHUNKS chunks.
 * LogData comes with the last call. BytesSent: bytes on the wire.
 * Errors: as HttpSendHttpResponse; ERROR_INVALID_PARAMETER chunks NULL with a count, too many
 * chunks. */
ULONG WINAPI HttpSendResponseEntityBody(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId,
                                        ULONG Flags, USHORT EntityChunkCount,
                                        PHTTP_DATA_CHUNK EntityChunks, PULONG BytesSent,
                                        PVOID Reserved1, ULONG Reserved2, LPOVERLAPPED Overlapped,
                                        PHTTP_LOG_DATA LogData);

/* Gives a request up: its pending calls end with ERROR_OPERATION_ABORTED and its connection is
 * closed.
 * Errors: ERROR_INVALID_HANDLE; ERROR_CONNECTION_INVALID unknown or answered request. */
ULONG WINAPI HttpCancelHttpRequest(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId,
                                   LPOVERLAPPED Overlapped);

/* Completes when the connection is gone, whoever ended it: NO_ERROR. One wait for each connection
 * is enough. A client that only shuts down its sending side after a complete request has not gone.
 * Errors: ERROR_CONNECTION_INVALID unknown or gone already; ERROR_INVALID_HANDLE;
 * ERROR_OPERATION_ABORTED cancelled, or the queue was shut down. */
ULONG WINAPI HttpWaitForDisconnect(HANDLE RequestQueueHandle, HTTP_CONNECTION_ID ConnectionId,
                                   LPOVERLAPPED Overlapped);

/* The same; documented as not to be used. Reserved 0. */
ULONG WINAPI HttpWaitForDisconnectEx(HANDLE RequestQueueHandle, HTTP_CONNECTION_ID ConnectionId,
                                     ULONG Reserved, LPOVERLAPPED Overlapped);

/* Sets a property of a request or connection.
 * Errors: ERROR_INVALID_FUNCTION not for this request; ERROR_INVALID_PARAMETER;
 * ERROR_INVALID_HANDLE. */
ULONG WINAPI HttpSetRequestProperty(HANDLE RequestQueueHandle, HTTP_OPAQUE_ID Id,
                                    HTTP_REQUEST_PROPERTY PropertyId, PVOID Input,
                                    ULONG InputPropertySize, LPOVERLAPPED Overlapped);

/* Reads one. Output NULL asks for the size.
 * Errors: as set; ERROR_MORE_DATA with the size in *BytesReturned. */
ULONG WINAPI HttpQueryRequestProperty(HANDLE RequestQueueHandle, HTTP_OPAQUE_ID Id,
                                      HTTP_REQUEST_PROPERTY PropertyId, PVOID Qualifier,
                                      ULONG QualifierSize, PVOID Output, ULONG OutputBufferSize,
                                      PULONG BytesReturned, LPOVERLAPPED Overlapped);

/* Hands a received, unanswered request to another queue and group. Returns an NTSTATUS on the
 * system's provider. */
ULONG WINAPI HttpDelegateRequestEx(HANDLE RequestQueueHandle, HANDLE DelegateQueueHandle,
                                   HTTP_REQUEST_ID RequestId, HTTP_URL_GROUP_ID DelegateUrlGroupId,
                                   ULONG PropertyInfoSetSize,
                                   PHTTP_DELEGATE_REQUEST_PROPERTY_INFO PropertyInfoSet);

/* Announces a resource to an HTTP/2 client. GET and HEAD, same origin. Clients have dropped this;
 * accepted without effect is right. */
ULONG WINAPI HttpDeclarePush(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId, HTTP_VERB Verb,
                             PCWSTR Path, PCSTR Query, PHTTP_REQUEST_HEADERS Headers);

/* The client's certificate (flags 0), its chain, or the channel's binding token.
 * Errors: ERROR_NOT_FOUND the client has none; ERROR_INSUFFICIENT_BUFFER nothing written;
 * ERROR_MORE_DATA only the fixed part written, with the size needed; ERROR_INVALID_PARAMETER. */
ULONG WINAPI HttpReceiveClientCertificate(HANDLE RequestQueueHandle,
                                          HTTP_CONNECTION_ID ConnectionId, ULONG Flags,
                                          PHTTP_SSL_CLIENT_CERT_INFO SslClientCertInfo,
                                          ULONG SslClientCertInfoSize, PULONG BytesReceived,
                                          LPOVERLAPPED Overlapped);

/* Whether the provider has a feature. Needs no initialization. */
BOOL WINAPI HttpIsFeatureSupported(HTTP_FEATURE_ID FeatureId);

/* ----------------------------------------------------------------------------------------------
 * Response and fragment cache
 * -------------------------------------------------------------------------------------------- */

/* Drops a cached response or fragment; RECURSIVE: everything below the URL.
 * Errors: ERROR_INVALID_HANDLE; ERROR_INVALID_PARAMETER. */
ULONG WINAPI HttpFlushResponseCache(HANDLE RequestQueueHandle, PCWSTR UrlPrefix, ULONG Flags,
                                    LPOVERLAPPED Overlapped);

/* Stores or replaces a fragment under a URL of this queue. It may vanish at any time. */
ULONG WINAPI HttpAddFragmentToCache(HANDLE RequestQueueHandle, PCWSTR UrlPrefix,
                                    PHTTP_DATA_CHUNK DataChunk, PHTTP_CACHE_POLICY CachePolicy,
                                    LPOVERLAPPED Overlapped);

/* Reads one, or a range of it.
 * Errors: ERROR_PATH_NOT_FOUND; ERROR_MORE_DATA with the size in *BytesRead. */
ULONG WINAPI HttpReadFragmentFromCache(HANDLE RequestQueueHandle, PCWSTR UrlPrefix,
                                       PHTTP_BYTE_RANGE ByteRange, PVOID Buffer, ULONG BufferLength,
                                       PULONG BytesRead, LPOVERLAPPED Overlapped);

/* ----------------------------------------------------------------------------------------------
 * Service configuration (needs HTTP_INITIALIZE_CONFIG; ServiceHandle NULL, pOverlapped NULL)
 * -------------------------------------------------------------------------------------------- */

/* Adds a record.
 * Errors: ERROR_ALREADY_EXISTS delete it first; ERROR_INSUFFICIENT_BUFFER; ERROR_INVALID_HANDLE;
 * ERROR_INVALID_PARAMETER; ERROR_NO_SUCH_LOGON_SESSION bad certificate; ERROR_ACCESS_DENIED. */
ULONG WINAPI HttpSetServiceConfiguration(HANDLE ServiceHandle, HTTP_SERVICE_CONFIG_ID ConfigId,
                                         PVOID pConfigInformation, ULONG ConfigInformationLength,
                                         LPOVERLAPPED pOverlapped);

/* Replaces the parameters of a TLS record.
 * Errors: as set; ERROR_FILE_NOT_FOUND no such record. */
ULONG WINAPI HttpUpdateServiceConfiguration(HANDLE Handle, HTTP_SERVICE_CONFIG_ID ConfigId,
                                            PVOID ConfigInfo, ULONG ConfigInfoLength,
                                            LPOVERLAPPED Overlapped);

/* Deletes a record.
 * Errors: ERROR_FILE_NOT_FOUND; ERROR_INVALID_PARAMETER; ERROR_ACCESS_DENIED. */
ULONG WINAPI HttpDeleteServiceConfiguration(HANDLE ServiceHandle, HTTP_SERVICE_CONFIG_ID ConfigId,
                                            PVOID pConfigInformation, ULONG ConfigInformationLength,
                                            LPOVERLAPPED pOverlapped);

/* Reads a record, or with HttpServiceConfigQueryNext and dwToken 0, 1, 2... all of them.
 * Errors: ERROR_INSUFFICIENT_BUFFER or ERROR_MORE_DATA with *pReturnLength bytes needed;
 * ERROR_NO_MORE_ITEMS; ERROR_FILE_NOT_FOUND. */
ULONG WINAPI HttpQueryServiceConfiguration(HANDLE ServiceHandle, HTTP_SERVICE_CONFIG_ID ConfigId,
                                           PVOID pInput, ULONG InputLength, PVOID pOutput,
                                           ULONG OutputLength, PULONG pReturnLength,
                                           LPOVERLAPPED pOverlapped);

/* ----------------------------------------------------------------------------------------------
 * Version 1: one queue that owns its URLs. Closed with CloseHandle; URL contexts are 0; groups and
 * queue properties do not apply. A version 1 queue and version 2 queues may live in one process.
 * -------------------------------------------------------------------------------------------- */

/* Makes a version 1 queue.
 * Errors: ERROR_INVALID_PARAMETER NULL out or Reserved not 0; ERROR_DLL_INIT_FAILED. */
ULONG WINAPI HttpCreateHttpHandle(PHANDLE RequestQueueHandle, ULONG Reserved);

/* Registers a prefix (rules and errors of HttpAddUrlToUrlGroup). ERROR_INVALID_HANDLE: NULL or
 * closed handle (observed). */
ULONG WINAPI HttpAddUrl(HANDLE RequestQueueHandle, PCWSTR FullyQualifiedUrl, PVOID Reserved);

/* Removes it.
 * Errors: ERROR_INVALID_PARAMETER NULL handle (observed); ERROR_FILE_NOT_FOUND. */
ULONG WINAPI HttpRemoveUrl(HANDLE RequestQueueHandle, PCWSTR FullyQualifiedUrl);
