/*
 * step_timer: debug mode's watch on steps that hold the loop too long (SEMANTICS EX5).
 * Invariant: from one step to the next the time goes on from where the last one ended: one reading of the
 *            clock for each step.
 */
#ifndef LC_STEP_TIMER_H
#define LC_STEP_TIMER_H

#include <lua.h>

struct lc_entry;
struct lc_loop;

/* A tick begins. */
void lc_step_begin_tick(struct lc_loop *loop);

/* Runs an entry and says so if it held the loop for too long. */
void lc_step_run_timed(struct lc_loop *loop, struct lc_entry *entry);

/* Inside of that: the step is over, the next one begins without a return to the loop. */
void lc_step_next_timed(struct lc_loop *loop, struct lc_entry *entry);

/* A step of `outer` (which may be NULL) runs another loop, and goes on: what that took is not its own. */
double lc_step_leave_timed(const struct lc_loop *outer);
void lc_step_return_timed(struct lc_loop *outer, double left);

/* The task at `idx` ends; it may be the one that is stepped. [-0, +0, -] */
void lc_step_hold_timed(lua_State *L, struct lc_loop *loop, int idx);

#endif
