/* What time it is. The only place that asks the system; one file a platform.
 *
 * Thread: any. Never fails. */
#pragma once

#include <stdint.h>

/* Nanoseconds that never go back, from an arbitrary start. About 20 ns a call. */
uint64_t clock_mono_ns(void);

/* The same clock at the resolution of the kernel's tick (1 to 10 ms behind), for a fifth of the
 * cost. Never ahead of clock_mono_ns. */
uint64_t clock_coarse_ns(void);

/* Seconds since 1970-01-01 00:00:00 UTC. */
int64_t clock_wall_s(void);

/* The local time of day as "HH:MM:SS" with a NUL. */
void clock_local_hms(char out[9]);
