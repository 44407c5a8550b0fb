#include "base/near.h"

#include <string.h>

void near_init(struct near *near, const char *typed, size_t length)
{
    size_t allowed = length / 3 > 1 ? length / 3 : 1;
    *near = (struct near){.typed = typed, .length = length, .steps = (unsigned)allowed + 1};
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: rows i - 2, i - 1 and i of the table are kept. */
static unsigned count_steps(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][NEAR_BYTES_MAX + 1];
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *now = rows[i % 3];
        const unsigned *before = rows[(i - 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned wrong = before[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = least(wrong, least(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = least(now[j], rows[(i - 2) % 3][j - 2] + 1);
            }
        }
    }
    return rows[a_len % 3][b_len];
}

void near_try(struct near *near, const char *name)
{
    size_t length = strlen(name);
    if (near->length > NEAR_BYTES_MAX || length > NEAR_BYTES_MAX || length == 0) {
        return;
    }
    unsigned steps = count_steps(near->typed, near->length, name, length);
    if (steps < near->steps && steps < length) { /* or a word without a letter in common */
        near->steps = steps;
        near->best = name;
    }
}
