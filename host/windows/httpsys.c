#include "windows/httpsys.h"

#include <stdio.h>
#include <string.h>

#include "api/provider.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

enum { NAME_BYTES_MAX = 64, WINE_STREAMS_SINCE = 10 };

/* Functions that Wine exports and that raise an exception nobody may catch. */
static const char text_copied[] = "the text is copied";
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
static const struct {
    enum provider_support support;
    const char *reason;
} wine[PROVIDER_CAPABILITY_COUNT] = {
    [PROVIDER_SEVERAL_URLS] = {PROVIDER_HELPED, "one hidden group for each further URL"},
    [PROVIDER_IPV6] = {PROVIDER_LACKS, "Wine refuses such URLs"},
    [PROVIDER_WEAK_WILDCARD] = {PROVIDER_LACKS, "Wine accepts such URLs and never matches them"},
    [PROVIDER_OWN_ANSWERS] = {PROVIDER_LACKS, "Wine leaves such requests unanswered"},
    [PROVIDER_AUTOMATIC_CHUNKING] = {PROVIDER_HELPED, "framed by the host"},
    [PROVIDER_FILE_CHUNKS] = {PROVIDER_HELPED, "read and sent from memory by the host"},
    [PROVIDER_BACK_PRESSURE] = {PROVIDER_LACKS, "Wine takes everything at once"},
    [PROVIDER_LARGE_BODIES] = {PROVIDER_LACKS, "Wine hangs on bodies that come in pieces"},
    [PROVIDER_STREAMED_BODIES] = {PROVIDER_LACKS, "Wine delivers a request with its whole body"},
    [PROVIDER_CHUNKED_BODIES] = {PROVIDER_LACKS, "Wine takes the chunks for a request"},
    [PROVIDER_EXPECT_CONTINUE] = {PROVIDER_LACKS, "Wine sends no interim answer"},
    [PROVIDER_DECODED_PATH] = {PROVIDER_HELPED, "decoded by the host"},
    [PROVIDER_DISCONNECT] = {PROVIDER_LACKS, "Wine keeps every connection open"},
    [PROVIDER_DISCONNECT_WATCH] = {PROVIDER_LACKS, ends_process},
    [PROVIDER_CANCEL] = {PROVIDER_LACKS, cancel_fallback},
    [PROVIDER_QUEUE_SHUTDOWN] = {PROVIDER_HELPED, shutdown_fallback},
    [PROVIDER_QUEUE_PROPERTIES] = {PROVIDER_LACKS, "Wine refuses them"},
    [PROVIDER_GROUP_PROPERTIES] = {PROVIDER_LACKS, "Wine refuses them, or ignores them"},
    [PROVIDER_QUERIES] = {PROVIDER_LACKS, ends_process},
    [PROVIDER_NAMED_QUEUES] = {PROVIDER_LACKS, "Wine ignores the names"},
    [PROVIDER_BORROWED_TEXT] = {PROVIDER_HELPED, text_copied},
    [PROVIDER_CACHE] = {PROVIDER_LACKS, ends_process},
    [PROVIDER_AUTHENTICATION] = {PROVIDER_LACKS, "Wine refuses it"},
    [PROVIDER_TLS] = {PROVIDER_LACKS, "Wine refuses https"},
    [PROVIDER_HTTP2] = {PROVIDER_LACKS, "Wine has HTTP/1.1 alone"},
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

enum provider_support provider_support(enum provider_capability capability, const char **reason)
{
    const struct httpsys *api = httpsys();
    *reason = NULL;
    if (api->is_wine) {
        if (capability == PROVIDER_STREAMED_ANSWERS && api->HttpSendResponseEntityBody == NULL) {
            *reason = ends_process;
            return PROVIDER_LACKS;
        }
        *reason = wine[capability].reason;
        return wine[capability].support;
    }
    if (capability == PROVIDER_BORROWED_TEXT) {
        *reason = text_copied;
    } else if (capability == PROVIDER_AUTOMATIC_CHUNKING && !api->can_chunk) {
        *reason = "framed by the host";
    }
    return *reason == NULL ? PROVIDER_HAS : PROVIDER_HELPED;
}

const char *provider_skips(const char *function)
{
    const struct httpsys *api = httpsys();
    if (api->is_wine) {
        return stub_reason(function);
    }
    return NULL;
}
