/*
 * shared_wait: waiting until a descriptor of a shared thing is ready, as it is due where the caller runs:
 * a task suspends, so that its loop goes on; without a loop, as in a job, the thread blocks.
 */
#ifndef LC_SHARED_WAIT_H
#define LC_SHARED_WAIT_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;

/* Whether the caller has to suspend instead of blocking its thread. */
bool lc_shared_suspends(const struct lc_host *host);

/* Blocks the thread until `fd` is readable. Raises when the job is stopped. [-0, +0, v] */
void lc_shared_block(lua_State *L, struct lc_host *host, int fd);

/* Suspends the task until `fd` is readable; pushes what it needs, and that is all that `k` finds on the
 * stack above what was there. `what` names the call. */
int lc_shared_suspend(lua_State *L, struct lc_host *host, int fd, const char *what,
                      lua_KContext ctx, lua_KFunction k);

/* In `k`: ends the wait. True: pushes what ended it, to be raised. [-1, +0|1, -] */
bool lc_shared_wait_end(lua_State *L, struct lc_host *host);

/* The same; raises what ended it. [-1, +0, v] */
void lc_shared_resume(lua_State *L, struct lc_host *host);

#endif
