/*
 * clock: the monotonic clock, in seconds.
 */
#ifndef LC_CLOCK_H
#define LC_CLOCK_H

double lc_monotonic_time(void);

/* The same clock, as of the last interrupt of the kernel's timer: a few ms behind, and cheap. */
double lc_coarse_time(void);

#endif
