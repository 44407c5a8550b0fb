/* The nearest of several names to one that was mistyped, for "(did you mean ...?)".
 *
 *   struct near near;
 *   near_init(&near, typed, length);
 *   for (each name) near_try(&near, name);
 *   if (near.best != NULL) ...
 *
 * A step is a character too much, missing, wrong, or swapped with its neighbour. Near enough is one
 * step for each three characters, at least one.
 *
 * Owner: the struct is the caller's; the texts outlive it. Thread: any. Cost: for error paths. */
#pragma once

#include <stddef.h>

enum { NEAR_BYTES_MAX = 40 }; /* longer names are never near */

struct near {
    const char *typed;
    size_t length;
    const char *best; /* NULL: none is near enough */
    unsigned steps;   /* from typed to best; before: one more than may be */
};

void near_init(struct near *near, const char *typed, size_t length);

/* Keeps the name if it is nearer than the best until now. NUL-terminated. */
void near_try(struct near *near, const char *name);
