/*
 * cancel_batch: cancel requests for many tasks, with the outcome of one after the other. A request goes to the
 * end of a chain of tasks that await each other; to walk down the chain for each of its tasks takes time in the
 * square of its length. A batch keeps the end for each task it came by, and counts at the end who was passed
 * how many requests.
 * Invariant: the chains that a batch knows do not change: before one is cut, where it closes a circle, the batch
 *            forgets them all.
 * Owner:     the host has the batch while lc_tasks_cancel runs.
 * Context:   loop thread; no Lua code is called meanwhile, that of finalizers included.
 */
#ifndef LC_CANCEL_BATCH_H
#define LC_CANCEL_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

struct lc_host;
struct lc_task;

/* Cancels the tasks of the list at `list`, in its order. Returns how many tasks it walked by. [-0, +0, m] */
size_t lc_tasks_cancel(lua_State *L, struct lc_host *host, int list);

/* For lc_task_cancel. False: there is no batch, or a circle is in the way; then the caller passes the request
 * down by itself. [-0, +0, m] */
bool lc_cancel_batched(lua_State *L, struct lc_host *host, struct lc_task *task, int msg);

/* ---- cancel.c's, for the batch ---- */

/* The unfinished task that the task waits for directly, or NULL. */
struct lc_task *lc_cancel_next(const struct lc_task *task);

/* Counts requests. */
void lc_cancel_count(struct lc_task *task, uint32_t count);

/* Whether a request may not be passed on to the task: one is being passed through it, or too deep. */
bool lc_cancel_is_barred(const struct lc_host *host, const struct lc_task *task);

/* Passes a request on to what a task waits for that is at the end of its chain. [-0, +0, m] */
void lc_cancel_deliver(lua_State *L, struct lc_host *host, struct lc_task *task, int msg);

/* Marks the tasks of a chain as those that a request is being passed along, or not any more. */
void lc_cancel_mark(struct lc_task *first, struct lc_task *last, bool marked);

#endif
