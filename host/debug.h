/*
 * debug: mistakes that debug mode looks for: calls from a wrong thread or loop, timeouts that are never
 * closed, cancellation that is swallowed.
 * A CancelledError is *delivered* to a task when the first wait after a request raises it. It is swallowed
 * when pcall or xpcall catches that very error and then, with no uncancel since, the task ends normally or
 * the same call is made again. Clean-up that waits, and an error raised in its place, are none of that.
 * Owner:   the task, in its table of extras.
 * Context: loop thread, but for lc_debug_check_loop. Reports go to the exception handler.
 */
#ifndef LC_DEBUG_H
#define LC_DEBUG_H

#include <lua.h>

#include "host.h"
#include "loop.h"

struct lc_task;

/* Raises RuntimeError where the loop in debug mode is used from another loop or thread (EX6).
 * [-0, +0, v] */
void lc_debug_refuse(lua_State *L, struct lc_loop *loop, const char *what);
static inline void lc_debug_check_loop(lua_State *L, struct lc_loop *loop, const char *what)
{
    if (loop != NULL && loop->debug)
        lc_debug_refuse(L, loop, what);
}

/* A wait of the task raises the CancelledError on top, the first since a request. [-0, +0, m] */
void lc_debug_deliver(lua_State *L, struct lc_task *task);

/* The body of the task in this thread has ended, `normally` or with an error. [-0, +0, m] */
void lc_debug_end(lua_State *L, struct lc_task *task, bool normally);

/* Pushes where the task swallowed a cancellation, "file:line", or nil. [-0, +1, m] */
void lc_debug_push_swallowed(lua_State *L, struct lc_task *task);

/* Debug mode is on for the first time: replaces pcall and xpcall by their like that look. [-0, +0, m] */
void lc_debug_open(lua_State *L, struct lc_host *host);

#endif
