#include "base/pages.h"

#include <assert.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

void *pages_take(size_t bytes)
{
    assert(bytes > 0 && bytes % PAGES_UNIT_BYTES == 0);
    return VirtualAlloc(NULL, bytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
}

void pages_give(void *p, size_t bytes)
{
    (void)bytes; /* Windows knows it; a part cannot be given back */
    BOOL done = VirtualFree(p, 0, MEM_RELEASE);
    assert(done);
    (void)done; /* used by the assert alone */
}
