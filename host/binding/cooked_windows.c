#include "binding/cooked.h"

#include <stdlib.h>

#include "api/text.h"
#include "binding/request.h"

/* What r->cooked points to: the texts, one behind the other in bytes. */
struct cooked {
    struct slice full, host, path, query;
    char bytes[];
};

enum { BYTES_OF_UNIT_MAX = 3 }; /* UTF-8 of one UTF-16 unit; a pair of them makes four */

/* Recodes one text to *at and moves it on. Unpaired surrogates cannot be written: empty then. */
static struct slice take(char **at, char *end, PCWSTR text, USHORT bytes)
{
    size_t needed = 0;
    char *p = *at;
    if (text == NULL ||
        text_to_utf8(text, text_units(bytes), p, (size_t)(end - p), &needed) != NO_ERROR) {
        return slice_make("", 0);
    }
    *at += needed;
    return slice_make(p, needed - 1);
}

bool cooked_open(struct request *r)
{
    const HTTP_COOKED_URL *url = &r->http->CookedUrl;
    size_t units = text_units((size_t)url->FullUrlLength + url->HostLength + url->AbsPathLength +
                              url->QueryStringLength);
    size_t room = units * BYTES_OF_UNIT_MAX + 4; /* and four terminators */
    struct cooked *c = malloc(sizeof *c + room);
    r->cooked = c;
    if (c == NULL) {
        return false;
    }
    char *at = c->bytes;
    char *end = c->bytes + room;
    c->full = take(&at, end, url->pFullUrl, url->FullUrlLength);
    c->host = take(&at, end, url->pHost, url->HostLength);
    c->path = take(&at, end, url->pAbsPath, url->AbsPathLength);
    c->query = take(&at, end, url->pQueryString, url->QueryStringLength);
    return true;
}

void cooked_close(struct request *r)
{
    free(r->cooked);
    r->cooked = NULL;
}

struct slice cooked_full(const struct request *r)
{
    return ((const struct cooked *)r->cooked)->full;
}

struct slice cooked_host(const struct request *r)
{
    return ((const struct cooked *)r->cooked)->host;
}

struct slice cooked_path(const struct request *r)
{
    return ((const struct cooked *)r->cooked)->path;
}

struct slice cooked_query(const struct request *r)
{
    return ((const struct cooked *)r->cooked)->query;
}
