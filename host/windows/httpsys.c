#include "windows/httpsys.h"

#include <stdio.h>
#include <string.h>

#include "api/provider.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

enum { NAME_BYTES_MAX = 64, WINE_STREAMS_SINCE = 10 };

/* Functions that Wine exports and that raise an exception nobody may catch. */
static const char ends_process[] = "Wine ends the process in it";
static const char cancel_fallback[] = "Wine ends the process in it; the request is answered 503";
static const char shutdown_fallback[] = "Wine ends the process in it; receives are cancelled";
static const struct {
    const char *name, *reason;
    int until; /* first major version of Wine that has it; 0: none yet */
} wine_stubs[] = {
    {"HttpQueryServerSessionProperty", ends_process, 0},
    {"HttpQueryUrlGroupProperty", ends_process, 0},
    {"HttpQueryRequestQueueProperty", ends_process, 0},
    {"HttpShutdownRequestQueue", shutdown_fallback, 0},
    {"HttpWaitForDemandStart", ends_process, 0},
    {"HttpSendResponseEntityBody", ends_process, WINE_STREAMS_SINCE},
    {"HttpCancelHttpRequest", cancel_fallback, 0},
    {"HttpWaitForDisconnect", ends_process, 0},
    {"HttpWaitForDisconnectEx", ends_process, 0},
    {"HttpReceiveClientCertificate", ends_process, 0},
    {"HttpFlushResponseCache", ends_process, 0},
    {"HttpAddFragmentToCache", ends_process, 0},
    {"HttpReadFragmentFromCache", ends_process, 0},
};

/* What Wine 10 lacks, as seen (docs/providers.md). */
static const char *const wine_lacks[PROVIDER_CAPABILITY_COUNT] = {
    [PROVIDER_SEVERAL_URLS] = "one hidden group for each further URL",
    [PROVIDER_IPV6] = "Wine refuses such URLs",
    [PROVIDER_WEAK_WILDCARD] = "Wine accepts such URLs and never matches them",
    [PROVIDER_OWN_ANSWERS] = "Wine leaves such requests unanswered",
    [PROVIDER_AUTOMATIC_CHUNKING] = "framed by the host",
    [PROVIDER_FILE_CHUNKS] = "read and sent from memory by the host",
    [PROVIDER_STREAMED_BODIES] = "Wine delivers a request with its whole body",
    [PROVIDER_CHUNKED_BODIES] = "Wine takes the chunks for a request",
    [PROVIDER_EXPECT_CONTINUE] = "Wine sends no interim answer",
    [PROVIDER_DECODED_PATH] = "Wine leaves the escapes in",
    [PROVIDER_DISCONNECT] = "Wine keeps every connection open",
    [PROVIDER_DISCONNECT_WATCH] = ends_process,
    [PROVIDER_CANCEL] = cancel_fallback,
    [PROVIDER_QUEUE_SHUTDOWN] = shutdown_fallback,
    [PROVIDER_QUEUE_PROPERTIES] = "Wine refuses them",
    [PROVIDER_GROUP_PROPERTIES] = "Wine refuses them, or ignores them",
    [PROVIDER_QUERIES] = ends_process,
    [PROVIDER_NAMED_QUEUES] = "Wine ignores the names",
    [PROVIDER_BORROWED_TEXT] = "the text is copied",
    [PROVIDER_CACHE] = ends_process,
    [PROVIDER_AUTHENTICATION] = "Wine refuses it",
    [PROVIDER_TLS] = "Wine refuses https",
    [PROVIDER_HTTP2] = "Wine has HTTP/1.1 alone",
};

/* The process record of this folder; written once, by load. */
static struct {
    INIT_ONCE once;
    struct httpsys api;
    char name[NAME_BYTES_MAX];
    int wine_major;
} record = {.once = INIT_ONCE_STATIC_INIT};

static const char *const names[] = {
#define X(name) #name,
    HTTPSYS_FUNCTIONS(X)
#undef X
};

static int find_wine(void)
{
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    const char *(CDECL * version)(void) = NULL;
    FARPROC found = ntdll == NULL ? NULL : GetProcAddress(ntdll, "wine_get_version");
    int major = 0;
    if (found == NULL) {
        (void)snprintf(record.name, sizeof record.name, "http.sys");
        return 0;
    }
    memcpy(&version, &found, sizeof version);
    (void)snprintf(record.name, sizeof record.name, "http.sys of Wine %s", version());
    (void)sscanf(version(), "%d", &major);
    return major;
}

static const char *stub_reason(const char *name)
{
    for (size_t i = 0; record.api.is_wine && i < COUNT_OF(wine_stubs); i++) {
        if (strcmp(wine_stubs[i].name, name) == 0 &&
            (wine_stubs[i].until == 0 || record.wine_major < wine_stubs[i].until)) {
            return wine_stubs[i].reason;
        }
    }
    return NULL;
}

static BOOL CALLBACK load(PINIT_ONCE once, PVOID parameter, PVOID *context)
{
    (void)once, (void)parameter, (void)context;
    FARPROC found[COUNT_OF(names)] = {NULL};
    HMODULE library = LoadLibraryExW(L"httpapi.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
    record.wine_major = find_wine();
    record.api.is_wine = record.wine_major != 0;
    for (size_t i = 0; library != NULL && i < COUNT_OF(names); i++) {
        found[i] = stub_reason(names[i]) != NULL ? NULL : GetProcAddress(library, names[i]);
    }
    _Static_assert(offsetof(struct httpsys, is_wine) == sizeof found, "the table and its names");
    memcpy(&record.api, found, sizeof found);
    record.api.can_chunk = record.api.HttpIsFeatureSupported != NULL &&
                           record.api.HttpIsFeatureSupported(HttpFeatureAutomaticChunkedEncoding);
    return TRUE;
}

const struct httpsys *httpsys(void)
{
    (void)InitOnceExecuteOnce(&record.once, load, NULL, NULL); /* load does not fail */
    return &record.api;
}

const char *provider_name(void)
{
    (void)httpsys();
    return record.name;
}

const char *provider_capability_name(enum provider_capability capability)
{
    static const char *const texts[] = {
#define X(name, text) text,
        PROVIDER_CAPABILITIES(X)
#undef X
    };
    return texts[capability];
}

const char *provider_lacks(enum provider_capability capability)
{
    const struct httpsys *api = httpsys();
    if (api->is_wine) {
        bool streams =
            capability != PROVIDER_STREAMED_ANSWERS || api->HttpSendResponseEntityBody != NULL;
        return streams ? wine_lacks[capability] : ends_process;
    }
    if (capability == PROVIDER_BORROWED_TEXT) {
        return "the text is copied";
    }
    return capability == PROVIDER_AUTOMATIC_CHUNKING && !api->can_chunk ? "framed by the host"
                                                                        : NULL;
}

const char *provider_skips(const char *function)
{
    const struct httpsys *api = httpsys();
    if (api->is_wine) {
        return stub_reason(function);
    }
    return NULL;
}
