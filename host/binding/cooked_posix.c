#include "binding/cooked.h"

#include "binding/request.h"

_Static_assert(sizeof(HTTP_CHAR) == 1, "the contract's text is UTF-8 here");

bool cooked_open(struct request *r)
{
    (void)r; /* the text lives in the request */
    return true;
}

void cooked_close(struct request *r)
{
    (void)r;
}

struct slice cooked_full(const struct request *r)
{
    const HTTP_COOKED_URL *url = &r->http->CookedUrl;
    return slice_make(url->pFullUrl, url->FullUrlLength);
}

struct slice cooked_host(const struct request *r)
{
    const HTTP_COOKED_URL *url = &r->http->CookedUrl;
    return slice_make(url->pHost, url->HostLength);
}

struct slice cooked_path(const struct request *r)
{
    const HTTP_COOKED_URL *url = &r->http->CookedUrl;
    return slice_make(url->pAbsPath, url->AbsPathLength);
}

struct slice cooked_query(const struct request *r)
{
    const HTTP_COOKED_URL *url = &r->http->CookedUrl;
    return slice_make(url->pQueryString, url->QueryStringLength);
}
