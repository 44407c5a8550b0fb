/* Files are not followed here yet: --watch is refused, and nothing else is ever called. */
#include "runtime/watch.h"

ULONG watch_open(struct host *host, unsigned poll_ms, struct watch **out)
{
    (void)host, (void)poll_ms;
    *out = NULL;
    return ERROR_NOT_SUPPORTED;
}

void watch_close(struct watch *watch)
{
    (void)watch;
}

void watch_follow(struct watch *watch, struct sources *sources, bool more)
{
    (void)watch, (void)sources, (void)more;
}

void watch_refresh(struct watch *watch, struct sources *sources)
{
    (void)watch, (void)sources;
}

bool watch_differs(struct watch *watch)
{
    (void)watch;
    return false;
}

size_t watch_count(const struct watch *watch)
{
    (void)watch;
    return 0;
}

const char *watch_way(const struct watch *watch)
{
    (void)watch;
    return "none";
}
