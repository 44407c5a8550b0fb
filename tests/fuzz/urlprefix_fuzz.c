/* Registration prefixes: what is accepted must be canonical, and its own canonical form. */
#include <stdint.h>
#include <stdlib.h>

#include "protocol/urlprefix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct urlprefix once;
    struct urlprefix twice;
    char *first = malloc(URLPREFIX_BUFFER_BYTES);
    char *second = malloc(URLPREFIX_BUFFER_BYTES);
    check(first != NULL && second != NULL);
    struct slice text = slice_make((const char *)data, size);
    enum urlprefix_error error = urlprefix_parse(text, first, &once);
    check(error < URLPREFIX_ERROR_COUNT);
    if (error == URLPREFIX_OK) {
        check(once.port > 0 && once.host.len > 0 && once.category < URLPREFIX_CATEGORY_COUNT);
        check(once.path.len > 0 && once.path.p[0] == '/');
        check(once.path.p[once.path.len - 1] == '/');
        check(once.full.p[once.full.len] == '\0' && strlen(once.full.p) == once.full.len);
        check(once.path.p + once.path.len == once.full.p + once.full.len);
        if (memchr(data, '%', size) == NULL && once.full.len <= URLPREFIX_BYTES_MAX) {
            check(urlprefix_parse(once.full, second, &twice) == URLPREFIX_OK);
            check(slice_equal(once.full, twice.full));
        }
    }
    free(second);
    free(first);
    return 0;
}
