#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t read_ns(clockid_t id)
{
    struct timespec t = {0, 0};
    (void)clock_gettime(id, &t); /* cannot fail: a clock every kernel has, and a good address */
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_coarse_ns(void)
{
#ifdef CLOCK_MONOTONIC_COARSE /* Linux has it, other Unixes do not */
    return read_ns(CLOCK_MONOTONIC_COARSE);
#else
    return read_ns(CLOCK_MONOTONIC);
#endif
}

int64_t clock_wall_s(void)
{
    return (int64_t)time(NULL);
}

void clock_local_hms(char out[9])
{
    time_t now = time(NULL);
    struct tm local = {0};
    if (localtime_r(&now, &local) == NULL || strftime(out, 9, "%H:%M:%S", &local) != 8) {
        (void)snprintf(out, 9, "--:--:--"); /* a fixed text that fits */
    }
}
