/*
 * run: running loops to an end; see run.c.
 */
#ifndef LC_RUN_H
#define LC_RUN_H

#include <lua.h>

struct lc_host;
struct lc_loop;

/* Raises RuntimeError unless a loop may be run here: no loop runs, or the caller is the script of the
 * lucio command itself. [-0, +0, v] */
void lc_check_may_run(lua_State *L, struct lc_loop *loop, const char *what);

/* Runs the loop until the awaitable at `idx` is done; its results, or raises. [-0, +n, v] */
int lc_run_until_complete(lua_State *L, struct lc_loop *loop, int idx);

/* Raises the RuntimeError of a program that waits for ever under the virtual clock. */
int lc_raise_stuck(lua_State *L, struct lc_loop *loop);

#endif
