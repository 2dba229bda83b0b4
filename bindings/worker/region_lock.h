/*
 * region_lock: who holds the lock of a region: a task, or a thread outside of tasks.
 * The mutex of the region is taken by the thread; a note in the memory says which of its tasks it is for.
 * Invariant: a host that holds a lock holds the mapping too: the kernel knows the mutex by its address.
 * Owner:     host->held_locks, from taking to giving back.
 */
#ifndef LC_REGION_LOCK_H
#define LC_REGION_LOCK_H

#include <stdbool.h>

struct lc_host;
struct lc_region;

/* Takes it for whom the host runs now, if that needs no wait. 0: taken, *died says whether its last
 * holder died, or ended, with it; EDEADLK: the caller has it, and it is no RLock; EBUSY: another one has
 * it; else what is wrong with the mutex. */
int lc_region_try(struct lc_host *host, struct lc_region *region, bool *died);

/* The same, but blocks the thread for at most `milliseconds`. EBUSY: so long another one had it. */
int lc_region_try_for(struct lc_host *host, struct lc_region *region, int milliseconds, bool *died);

/* Gives it back. 0; EPERM: the caller does not have it. */
int lc_region_give(struct lc_host *host, struct lc_region *region);

/* Whether the host holds it, by whichever of its tasks. */
bool lc_region_is_held(const struct lc_host *host, const struct lc_region *region);

/* Waits for the mutex without taking the lock, as long. True: it was free. Any thread. */
bool lc_region_watch(struct lc_region *region, int milliseconds);

#endif
