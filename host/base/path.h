/* What a function is to the way that nearly every request goes. The compiler cannot know it: it
 * inlines what has one caller, however seldom that calls, and then the usual way saves registers
 * and jumps around code that it never runs. Only where it was measured to matter.
 *
 *   static COLD ULONG refuse(struct thing *thing);   errors, limits, odd requests: laid out apart,
 *                                                    and whatever leads to it counts as unlikely
 *   static APART void *grow(struct thing *thing);    goes on where the short way ends; a call as
 *                                                    the caller's last act costs it no stack */
#pragma once

#include <stddef.h> /* a header of macros alone is no C by itself */

#define COLD  __attribute__((cold, noinline))
#define APART __attribute__((noinline))
