#include "support/failmalloc.h"

#include <stdatomic.h>
#include <stdlib.h>

static atomic_size_t fail_at; /* 0: nothing fails */
static atomic_size_t asked;
static atomic_bool has_failed;

/* The linker's names for the allocator and for what stands before it. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);

void failmalloc_arm(size_t nth)
{
    atomic_store(&asked, 0);
    atomic_store(&has_failed, false);
    atomic_store(&fail_at, nth);
}

bool failmalloc_disarm(void)
{
    atomic_store(&fail_at, 0);
    return atomic_load(&has_failed);
}

size_t failmalloc_count(void)
{
    return atomic_load(&asked);
}

static bool is_to_fail(void)
{
    size_t number = atomic_fetch_add(&asked, 1) + 1;
    if (number != atomic_load(&fail_at)) {
        return false;
    }
    atomic_store(&has_failed, true);
    return true;
}

void *__wrap_malloc(size_t size)
{
    return is_to_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_to_fail() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return is_to_fail() ? NULL : __real_realloc(p, size);
}
