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
 * its continuation calls lc_coroutine_woken and this again with nargs 0. Otherwise the results or the error are on co's
 * stack. [-0, +0, -] */
int lc_coroutine_resume(lua_State *L, struct lc_host *host, lua_State *co, int nargs, int *results);

#define LC_AWAITING (-1)

/* The same from below a C function that cannot be suspended, which L runs: it has to be left first. L
 * must be able to suspend after that, and nothing else of the task may await before it does.
 * [-0, +0, -] */
int lc_coroutine_resume_below(lua_State *L, struct lc_host *host, lua_State *co, int nargs,
                              int *results);

/* Suspends L because `co`, which it resumed, awaits. */
int lc_coroutine_suspend(lua_State *L, struct lc_host *host, lua_State *co, lua_KContext ctx,
                         lua_KFunction k);

/* In the continuation: `co` awaits no more. [-0, +0, -] */
void lc_coroutine_woken(lua_State *co);

#endif
