#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

static const uint64_t ns_per_s = 1000000000u;

uint64_t clock_mono_ns(void)
{
    LARGE_INTEGER now, per_s;
    (void)QueryPerformanceFrequency(&per_s); /* neither fails since Windows XP */
    (void)QueryPerformanceCounter(&now);
    uint64_t ticks = (uint64_t)now.QuadPart, rate = (uint64_t)per_s.QuadPart;
    return ticks / rate * ns_per_s + ticks % rate * ns_per_s / rate;
}

/* The tick of GetTickCount64 has another zero than the counter, and the counter is cheap here. */
uint64_t clock_coarse_ns(void)
{
    return clock_mono_ns();
}

int64_t clock_wall_s(void)
{
    return (int64_t)time(NULL);
}

void clock_local_hms(char out[9])
{
    SYSTEMTIME now;
    GetLocalTime(&now);
    (void)snprintf(out, 9, "%02u:%02u:%02u", now.wHour % 24u, now.wMinute % 60u, now.wSecond % 61u);
}
