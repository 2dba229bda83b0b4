/*
 * traceback: where an error was raised and the way it took: through coroutines, generators and the
 * tasks that awaited one another. It is a string, the error object's field `traceback`, that grows by
 * a part for each coroutine which the error leaves: the coroutine's stack, then a line in brackets
 * with the task and where that was created. Of a bare value the host remembers the last one's.
 * Invariant: a coroutine adds its part once to an error; parts in the middle of a long way are left
 *            out. A future keeps the traceback its error had when it failed, and who awaits it
 *            begins from that: two awaiters do not see each other's stacks.
 * Owner:     the error object; a table with weak keys and values: coroutine -> last error it added to.
 * Context:   only when an error is raised. Nothing here replaces the error, not even without memory.
 */
#ifndef LC_TRACEBACK_H
#define LC_TRACEBACK_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;

/* Message handler: adds the running coroutine's part, returns the error unchanged. [-1, +1, -] */
int lc_traceback_handler(lua_State *L);

/* The same within another message handler, which has only the error at 1. [-0, +0, -] */
void lc_traceback_take(lua_State *L);

/* Pushes the traceback of the error at `idx`, or nil. [-0, +1, -] */
void lc_traceback_push(lua_State *L, struct lc_host *host, int idx);

/* The error on top is that of the future at `idx`, which fails: keeps its traceback. [-0, +0, m] */
void lc_traceback_keep(lua_State *L, struct lc_host *host, int idx);

/* The task whose thread L is has ended: what runs in the thread next is another one. [-0, +0, -] */
void lc_traceback_end(lua_State *L, struct lc_host *host);

/* The error on top was taken from the future at `idx` and is about to be raised in L: its traceback
 * becomes the one kept. [-0, +0, m] */
void lc_traceback_restore(lua_State *L, struct lc_host *host, int idx);

/* The bare value at `from` left a coroutine, and is raised in L as the value at `to`. [-0, +0, m] */
void lc_traceback_pass(lua_State *L, struct lc_host *host, int from, int to);

/* The text on top is the traceback of the error below it, which came from another state. [-1, +0, m] */
void lc_traceback_arrive(lua_State *L, struct lc_host *host);

/* The error object on top is raised in the place of the error at `from`, by a C function that runs
 * while L unwinds: the stack that is gone by now is taken from that one. [-0, +0, m] */
void lc_traceback_inherit(lua_State *L, struct lc_host *host, int from);

#endif
