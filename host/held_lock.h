/*
 * held_lock: locks in shared memory that a host holds; see bindings/worker/region_lock.c,
 * lock_wait.c.
 */
#ifndef LC_HELD_LOCK_H
#define LC_HELD_LOCK_H

struct lc_host;

/* The host closes: gives back what it holds, so that who comes next knows that it was left behind. */
void lc_held_locks_abandon(struct lc_host *host);

/* And forgets for which locks tasks of closed loops waited. */
void lc_lock_waits_free(struct lc_host *host);

#endif
