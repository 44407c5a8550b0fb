#include "base/pages.h"

#include <assert.h>

#include <sys/mman.h>

void *pages_take(size_t bytes)
{
    assert(bytes > 0 && bytes % PAGES_UNIT_BYTES == 0);
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void pages_give(void *p, size_t bytes)
{
    int failed = munmap(p, bytes);
    assert(!failed);
    (void)failed; /* used by the assert alone */
}
