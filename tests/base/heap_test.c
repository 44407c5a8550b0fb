/* What lies free between pieces in use goes back to the system, and the pieces stay as they are. */
#include "support/cmocka_all.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cells.h"
#include "base/heap.h"

enum { PIECES = 200, PIECE_BYTES = 64 * 1024, MARK_BYTES = 48 };

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || !defined(__GLIBC__)
static const bool gives_back = false; /* another malloc */
#else
static const bool gives_back = !CELLS_APART;
#endif

/* KiB; 0: this system does not tell. */
static long resident(void)
{
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "RssAnon: %ld", &kib); /* in one line */
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kib;
}

static void pages_between_pieces_in_use_go_back(void **state)
{
    static char *pieces[PIECES], *marks[PIECES];
    (void)state;
    for (int i = 0; i < PIECES; i++) {
        pieces[i] = malloc(PIECE_BYTES);
        marks[i] = malloc(MARK_BYTES);
        assert_non_null(pieces[i]);
        assert_non_null(marks[i]);
        memset(pieces[i], i, PIECE_BYTES);
        memset(marks[i], i, MARK_BYTES);
    }
    for (int i = 0; i < PIECES; i++) {
        free(pieces[i]);
    }
    long before = resident();
    heap_trim();
    long after = resident();
    if (gives_back && before > 0) {
        assert_true(before - after > (long)PIECES * PIECE_BYTES / 1024 / 2);
    }
    for (int i = 0; i < PIECES; i++) {
        for (int k = 0; k < MARK_BYTES; k++) {
            assert_int_equal((unsigned char)marks[i][k], i);
        }
        free(marks[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pages_between_pieces_in_use_go_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
