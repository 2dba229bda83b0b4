/*
 * timer: a heap of deadlines ordered by (deadline, sequence): equal deadlines come due in the order
 * in which they were set (LP7).
 * Invariant: a timer is in the heap exactly while its index is not 0.
 * Owner:     a timer lives in its object (a task, a handle, a timeout); the heap owns its array, in
 *            which the deadlines are, so that a timer that is not set costs little.
 */
#ifndef LC_TIMER_H
#define LC_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "entry.h"

struct lc_host;

struct lc_timer {
    struct lc_entry entry; /* what runs when it is due */
    uint32_t index;        /* in the heap, from 1; 0: not set */
    uint32_t spare;        /* its owner's */
};

/* The deadline and its place among equal ones, while the timer is set. */
struct lc_deadline {
    double when; /* seconds of the loop's clock */
    uint64_t sequence;
    struct lc_timer *timer;
};

struct lc_timers {
    struct lc_deadline *heap; /* heap[1] is the first to come due */
    uint32_t count;
    uint32_t capacity;
    uint64_t sequence;
};

static inline bool lc_timer_is_set(const struct lc_timer *timer)
{
    return timer->index != 0;
}

/* Sets a timer that is not set. False: no memory, nothing changed. */
bool lc_timers_add(struct lc_host *host, struct lc_timers *timers, struct lc_timer *timer,
                   double when);

/* Takes a timer out of the heap. The timer must be set. */
void lc_timers_remove(struct lc_timers *timers, struct lc_timer *timer);

/* The first deadline, or NULL. */
static inline const struct lc_deadline *lc_timers_first(const struct lc_timers *timers)
{
    return timers->count > 0 ? &timers->heap[1] : NULL;
}

void lc_timers_free(struct lc_host *host, struct lc_timers *timers);

#endif
