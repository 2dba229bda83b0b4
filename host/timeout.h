/*
 * timeout: a deadline for part of a task: at the deadline the task is cancelled, and leaving the
 * part turns that CancelledError into TimeoutError (SEMANTICS TO).
 * States:  active, expiring (timeout_fire), expired or finished (lc_timeout_exit).
 * Owner:   the task's stack; while it can fire the host anchors it, and the task knows it, so that
 *          one that is never closed is disarmed when its task ends.
 */
#ifndef LC_TIMEOUT_H
#define LC_TIMEOUT_H

#include <stdbool.h>

#include <lua.h>

#include "host.h"

struct lc_task;
struct lc_timeout;

/* New active timeout of the running task; `when` is infinite for none; the clock says `now`.
 * [-0, +1, m] */
struct lc_timeout *lc_timeout_enter(lua_State *L, struct lc_host *host, double when, double now);

/* Leaves it. `error` is the stack index of the error that unwinds (0: none). True: the error to raise
 * in its place was pushed. [-0, +(0|1), m] */
bool lc_timeout_exit(lua_State *L, struct lc_timeout *timeout, int error);

/* The first deadline of the task's timeouts. False: there is none. */
bool lc_timeouts_next(const struct lc_task *task, double *when);

/* The task ends: what it never closed is disarmed. [-0, +0, -] */
void lc_timeouts_disarm(lua_State *L, struct lc_task *task);

/* The task ends with the CancelledError on top: if a timeout that was never closed caused it, the
 * error says so and names the line that made the timeout. [-1, +1, m] */
void lc_timeouts_explain(lua_State *L, struct lc_task *task);

/* Debug mode: the task ends, reports the timeouts that were made in it and never closed. [-0, +0, m] */
void lc_timeouts_report(lua_State *L, struct lc_task *task);

void lc_timeouts_open(lua_State *L, struct lc_host *host);

#endif
