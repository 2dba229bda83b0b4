/*
 * lock_wait: tasks that wait for the lock of a region which another thread or process holds. A helper
 * thread blocks in the mutex in their place: when it gets it, it gives it back, and the first task tries
 * again. So the kernel wakes them, also when the holder dies, and the loop goes on meanwhile.
 * Invariant: while tasks wait, the helper is under way or one of them was woken and has not tried yet.
 * Owner:     the host's list, until nobody waits and the helper has come back; a helper that comes after
 *            its loop has closed frees it. The memory is malloc's.
 * Context:   the loop's thread, but for the helper.
 */
#ifndef LC_LOCK_WAIT_H
#define LC_LOCK_WAIT_H

#include <lua.h>

struct lc_host;
struct lc_region;
struct lc_task;

/* Suspends the task until the mutex of the region is likely to be free; the lock is at `idx`. `ctx` is 0
 * for the first time, later what `k` got. */
int lc_lock_wait_begin(lua_State *L, struct lc_task *task, struct lc_region *region, int idx,
                       lua_KContext ctx, lua_KFunction k);

/* In `k`: raises what ended the wait. [-0, +0, v] */
void lc_lock_wait_done(lua_State *L, struct lc_task *task, struct lc_region *region);

/* The task has the mutex, or gives up: the next one that waits for it in this host has its turn. */
void lc_lock_wait_next(struct lc_host *host, struct lc_region *region);

#endif
