#include "clock.h"

#include <time.h>

static double read_clock(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

double lc_monotonic_time(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double lc_coarse_time(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}
