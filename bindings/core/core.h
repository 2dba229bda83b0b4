/*
 * core: what the files of the Lua API share. Each file is one concept of the API and opens itself by
 * lc_open_x, which adds its functions to the module table on top. [-0, +0, m]
 */
#ifndef LC_CORE_H
#define LC_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include "args.h"
#include "entry.h"
#include "error.h"
#include "host.h"
#include "loop.h"
#include "task.h"
#include "waiter.h"

void lc_open_as_completed(lua_State *L, struct lc_host *host);
void lc_open_awaitable(lua_State *L, struct lc_host *host);
void lc_open_barrier(lua_State *L, struct lc_host *host);
void lc_open_condition(lua_State *L, struct lc_host *host);
void lc_open_coroutine(lua_State *L, struct lc_host *host);
void lc_open_default_executor(lua_State *L, struct lc_host *host);
void lc_open_event(lua_State *L, struct lc_host *host);
void lc_open_exception_group(lua_State *L, struct lc_host *host);
void lc_open_executor(lua_State *L, struct lc_host *host);
void lc_open_exit(lua_State *L, struct lc_host *host);
void lc_open_gather(lua_State *L, struct lc_host *host);
void lc_open_generator(lua_State *L, struct lc_host *host);
void lc_open_group(lua_State *L, struct lc_host *host);
void lc_open_handle(lua_State *L, struct lc_host *host);
void lc_open_lock(lua_State *L, struct lc_host *host);
void lc_open_loop(lua_State *L, struct lc_host *host);
void lc_open_protected(lua_State *L, struct lc_host *host);
void lc_open_queue(lua_State *L, struct lc_host *host);
void lc_open_remote(lua_State *L, struct lc_host *host);
void lc_open_reports(lua_State *L, struct lc_host *host);
void lc_open_resolver(lua_State *L, struct lc_host *host);
void lc_open_run(lua_State *L, struct lc_host *host);
void lc_open_semaphore(lua_State *L, struct lc_host *host);
void lc_open_shield(lua_State *L, struct lc_host *host);
void lc_open_signal(lua_State *L, struct lc_host *host);
void lc_open_task(lua_State *L, struct lc_host *host);
void lc_open_task_tree(lua_State *L, struct lc_host *host);
void lc_open_wait(lua_State *L, struct lc_host *host);
void lc_open_wait_for(lua_State *L, struct lc_host *host);
void lc_open_watchdog(lua_State *L, struct lc_host *host);
void lc_open_watcher(lua_State *L, struct lc_host *host);

/* ---- awaitable.c ---- */

/* Whether the value is one of the five awaitables (API.md, rule 3). [-0, +0, -] */
bool lc_is_awaitable(lua_State *L, int idx);
/* Raises TypeError unless it is. */
void lc_check_awaitable(lua_State *L, int idx, const char *what, int pos);
/* Pushes a function and its arguments that run the awaitable at `idx`, which is no future; returns
 * the number of arguments. [-0, +(1 + n), m] */
int lc_push_body(lua_State *L, struct lc_host *host, int idx);
/* Replaces what lucio.async returned, at `idx`, by the function given to it. [-0, +0, -] */
void lc_unwrap_async(lua_State *L, int idx);
/* Marks the Coroutine at `idx`, if it is one, as used up. [-0, +0, -] */
void lc_dispose_coroutine(lua_State *L, int idx);
/* Whether it is a Coroutine. [-0, +0, -] */
bool lc_is_coroutine(lua_State *L, int idx);
/* Whether it is what lucio.async returned. [-0, +0, -] */
bool lc_is_async_function(lua_State *L, int idx);
/* Makes the awaitable at `idx` a future of the running loop: futures and tasks stay as they are,
 * all else becomes a new task. [-0, +1, e] */
struct lc_future *lc_ensure_future(lua_State *L, struct lc_host *host, int idx);
/* Checks the list of awaitables at `idx`: all are awaitable, and of the running loop. Returns how
 * many; *only_futures: all are futures or tasks already. [-0, +0, v] */
lua_Integer lc_check_awaitables(lua_State *L, struct lc_host *host, int idx, const char *what,
                                int pos, bool *only_futures);
/* Pushes a table: the futures of the list's items, in order; what stands twice is one future, but a
 * function that stands twice is two tasks. [-0, +1, e] */
void lc_ensure_futures(lua_State *L, struct lc_host *host, int idx, lua_Integer n);

/* ---- task.c ---- */

/* New task by the loop's factory or lc_task_new; stack as there. [-(nargs + 1), +1, e] */
struct lc_task *lc_create_task(lua_State *L, struct lc_host *host, struct lc_loop *loop, int nargs,
                               int context, enum lc_task_options options);
/* The body of create_task in its three places (module, loop, group): arguments from `first` on.
 * [-0, +1, e] */
struct lc_task *lc_create_task_from(lua_State *L, struct lc_host *host, struct lc_loop *loop,
                                    int first, const char *what);

/* ---- task_tree.c, task_list.c ---- */

/* Pushes the trees of the tasks of all loops, as text. [-0, +1, m] */
void lc_push_all_trees(lua_State *L, struct lc_host *host);
/* Pushes a table of the tasks of all loops, as text: a head, then a line for each task. [-0, +1, m] */
void lc_push_task_list(lua_State *L, struct lc_host *host);

/* ---- signal.c ---- */

/* The signal, by number or name, that is a method's first argument. [-0, +0, v] */
int lc_check_signal(lua_State *L, struct lc_host *host, const char *what);

/* ---- lock.c ---- */

struct lc_lock {
    struct lc_object object;
    struct lc_link waiters; /* stay linked until their task runs */
    struct lc_loop *loop;   /* on which it first blocked */
    uint32_t generation;
    bool locked;
};

extern const struct lc_type lc_lock_type;

/* [-0, +1, m] */
struct lc_lock *lc_lock_new(lua_State *L, struct lc_host *host);
/* Takes the lock if that needs no wait. */
bool lc_lock_try(struct lc_lock *lock);
/* Queues the task for the lock, which is at `idx`; `k` goes on with lc_lock_wait_end. */
int lc_lock_wait(lua_State *L, struct lc_task *task, struct lc_lock *lock, int idx,
                 lua_KContext ctx, lua_KFunction k);
/* False: the task holds the lock. True: it does not, the error to raise was pushed. */
bool lc_lock_wait_end(lua_State *L, struct lc_task *task, struct lc_lock *lock);
/* False: it was not locked. */
bool lc_lock_release(struct lc_lock *lock);

/* Ties a primitive to the running loop when it first blocks (QU12). [-0, +0, v] */
void lc_bind_loop(lua_State *L, struct lc_host *host, struct lc_loop **loop, uint32_t *generation,
                  const char *name);

/* ---- the methods that others call ---- */

int lc_condition_wait(lua_State *L);
int lc_condition_acquire(lua_State *L);
struct lc_lock *lc_condition_lock(lua_State *L, int idx);
void lc_condition_notify(lua_State *L, int idx, lua_Integer n);
int lc_condition_new(lua_State *L);
/* What who waits on the condition at `idx` is said to wait for. [-0, +0, -] */
void lc_condition_set_wait_type(lua_State *L, int idx, const struct lc_wait_type *type);

/* ---- group.c ---- */

/* `lucio.with` runs the group at `idx`: its errors can be absorbed (TG21). */
void lc_group_mark_with(lua_State *L, int idx);

/* ---- run.c ---- */

/* (main, ...) run to its end on a new loop: the body of lucio.run and of the command. */
int lc_run_main(lua_State *L, struct lc_host *host, bool is_script);

#endif
