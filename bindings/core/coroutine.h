/*
 * coroutine: running Lua coroutines inside of a task so that they may await; see coroutine.c.
 */
#ifndef LC_COROUTINE_H
#define LC_COROUTINE_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;

/* Resumes `co`, which has `nargs` arguments on its stack, from the running function L. If it awaits,
 * the await goes up through L: *results is -1 and the caller must `return lc_coroutine_suspend(...)`;
 * its continuation calls this again with nargs 0. Otherwise the results or the error are on co's
 * stack. [-0, +0, -] */
int lc_coroutine_resume(lua_State *L, struct lc_host *host, lua_State *co, int nargs, int *results);

#define LC_AWAITING (-1)

/* Suspends L because what it resumed awaits; the coroutine is at `idx` of L's frame. */
int lc_coroutine_suspend(lua_State *L, struct lc_host *host, int idx, lua_KContext ctx,
                         lua_KFunction k);

#endif
