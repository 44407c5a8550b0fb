/* The recording fake: api/provider.h. It has everything that the contract documents and it makes
 * every call; what it does not keep (a cache, accounts, TLS) it does not refuse either. */
#include <stddef.h>

#include "api/provider.h"

const char *provider_name(void)
{
    return "fake";
}

const char *provider_capability_name(enum provider_capability capability)
{
    static const char *const name[] = {
#define X(constant, text) text,
        PROVIDER_CAPABILITIES(X)
#undef X
    };
    return capability < PROVIDER_CAPABILITY_COUNT ? name[capability] : "?";
}

enum provider_support provider_support(enum provider_capability capability, const char **reason)
{
    (void)capability; /* all the same */
    *reason = NULL;
    return PROVIDER_HAS;
}

const char *provider_skips(const char *function)
{
    (void)function; /* every call is made */
    return NULL;
}
