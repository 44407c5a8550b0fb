/* api/provider.h for the engine. */
#include "api/provider.h"

#include <assert.h>

static const char not_built[] = "not built yet";

static const char *const lacks[PROVIDER_CAPABILITY_COUNT] = {
    [PROVIDER_NAMED_QUEUES] = "names are known inside this process alone",
    [PROVIDER_CACHE] = not_built,
    [PROVIDER_AUTHENTICATION] = not_built,
    [PROVIDER_TLS] = not_built,
    [PROVIDER_HTTP2] = not_built,
};

const char *provider_name(void)
{
    return "engine";
}

const char *provider_capability_name(enum provider_capability capability)
{
    static const char *const names[] = {
#define X(name, text) text,
        PROVIDER_CAPABILITIES(X)
#undef X
    };
    assert(capability < PROVIDER_CAPABILITY_COUNT);
    return names[capability];
}

enum provider_support provider_support(enum provider_capability capability, const char **reason)
{
    assert(capability < PROVIDER_CAPABILITY_COUNT);
    *reason = lacks[capability];
    return *reason == NULL ? PROVIDER_HAS : PROVIDER_LACKS;
}

const char *provider_skips(const char *function)
{
    (void)function; /* every call is made */
    return NULL;
}
