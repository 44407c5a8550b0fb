/* Whole pages straight from the system, for what is made and dropped as a whole: given back they
 * are gone at once, where malloc would keep them between pieces of others.
 *
 * Thread: any. Cost: a system call each, and a page fault at the first touch of each page. */
#pragma once

#include <stddef.h>

enum { PAGES_UNIT_BYTES = 64 * 1024 }; /* of which the length is a multiple; Windows counts so */

/* Zeroed. NULL: no memory. Owner: the caller, who gives them back. */
void *pages_take(size_t bytes);

/* What pages_take gave for that many bytes, whole. */
void pages_give(void *p, size_t bytes);
