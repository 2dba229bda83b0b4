/*
 * run: running loops to an end; see run.c and shutdown.c.
 */
#ifndef LC_RUN_H
#define LC_RUN_H

#include <stdbool.h>

#include <lua.h>

#include "loop.h"

struct lc_future;
struct lc_host;

/* Raises RuntimeError unless a loop may be run here: no loop runs, or the caller is the script of the
 * lucio command itself. [-0, +0, v] */
void lc_check_may_run(lua_State *L, struct lc_loop *loop, const char *what);

/* Runs the loop until the awaitable at `idx` is done; its results, or raises. [-0, +n, v] */
int lc_run_until_complete(lua_State *L, struct lc_loop *loop, int idx);

/* Runs the loop until the future is done (LP15). [-0, +(0|1), m] */
enum lc_run lc_run_future(lua_State *L, struct lc_loop *loop, struct lc_future *future);

/* An entry that stops the loop. */
extern const struct lc_entry_type lc_stopper_entry;

/* The orderly end. An error that leaves it (a second Ctrl-C) is pushed: true. [-0, +(0|1), m] */
bool lc_shut_down(lua_State *L, struct lc_loop *loop);

/* Pushes the error of a program that waits for ever under the virtual clock. [-0, +1, m] */
void lc_push_stuck(lua_State *L, struct lc_loop *loop);

/* Raises the RuntimeError of a program that waits for ever under the virtual clock. */
int lc_raise_stuck(lua_State *L, struct lc_loop *loop);

#endif
