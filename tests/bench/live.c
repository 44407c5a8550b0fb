/* Counts the memory that a program has from malloc and has not given back: to be preloaded
 * (LD_PRELOAD), with MOONLATCH_LIVE naming a file of 16 bytes that then holds two 64-bit numbers,
 * bytes and blocks, at any time. Unlike resident memory they do not depend on what malloc keeps,
 * nor on which pages of a buffer were touched: something that is left behind shows in full. */
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The C library's own, under the names that it gives to those who replace malloc. */
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *p, size_t bytes);
extern void __libc_free(void *p);

struct live {
    _Atomic int64_t bytes, blocks;
};

static struct live until_open;
static struct live *live = &until_open;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("MOONLATCH_LIVE");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    void *p =
        fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *live, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED) {
        struct live *shared = p;
        atomic_store(&shared->bytes, atomic_load(&until_open.bytes));
        atomic_store(&shared->blocks, atomic_load(&until_open.blocks));
        live = shared;
    }
    if (fd >= 0) {
        close(fd);
    }
}

static void *count(void *p, int sign)
{
    if (p != NULL) {
        atomic_fetch_add(&live->bytes, sign * (int64_t)malloc_usable_size(p));
        atomic_fetch_add(&live->blocks, sign);
    }
    return p;
}

void *malloc(size_t bytes)
{
    return count(__libc_malloc(bytes), 1);
}

void *calloc(size_t n, size_t bytes)
{
    return count(__libc_calloc(n, bytes), 1);
}

void *realloc(void *p, size_t bytes)
{
    int64_t before = p == NULL ? 0 : (int64_t)malloc_usable_size(p);
    void *after = __libc_realloc(p, bytes);
    if (after == NULL && bytes > 0) {
        return NULL; /* as it was */
    }
    if (p != NULL) {
        atomic_fetch_add(&live->bytes, -before);
        atomic_fetch_add(&live->blocks, -1);
    }
    return count(after, 1);
}

void free(void *p)
{
    (void)count(p, -1);
    __libc_free(p);
}
