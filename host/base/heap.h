/* What malloc keeps of memory that was given back to it.
 *
 * malloc returns to the system only what lies at the end of a heap. When one thread makes a large
 * structure and another one ends it, as happens to the Lua states of each reload, the free pieces
 * lie between what others use, never at the end; later pieces come to lie elsewhere, and so pages
 * are touched that nobody needs (docs/reload.md has figures). */
#pragma once

/* Gives whole pages inside free pieces back to the system, where the C library can do so; elsewhere
 * nothing. Thread: any. Cost: one walk over the free pieces and a system call for each run of free
 * pages, in all about a millisecond for 20 MiB, during which other threads may have to wait in
 * malloc: not on the way of a request. */
void heap_trim(void);
