/* Makes the n-th allocation fail, to walk every path that runs out of memory.
 *
 *   for (size_t nth = 1;; nth++) {
 *       failmalloc_arm(nth);
 *       bool done = what_is_tested();
 *       if (!failmalloc_disarm()) {      // there was no n-th allocation: all have failed once
 *           assert_true(done);
 *           break;
 *       }
 *       check_that_nothing_is_lost();
 *   }
 *
 * Works in programs linked with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc, which is every
 * test named *_oom_test.c. Thread: any; the count is one for all threads. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Counts from 0 again and lets the nth allocation (1: the next one) fail, once. */
void failmalloc_arm(size_t nth);

/* Ends it. Returns whether an allocation was made to fail since failmalloc_arm. */
bool failmalloc_disarm(void);

/* Allocations asked for since failmalloc_arm. */
size_t failmalloc_count(void);
