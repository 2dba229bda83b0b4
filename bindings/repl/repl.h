/*
 * repl: the prompt of the command, as a step of its main task; its policy is lua/lucio/repl.lua.
 */
#ifndef LC_REPL_H
#define LC_REPL_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;
struct lc_screen;

/* Pushes a function that reads inputs and runs them until the user ends it. `greet`: it says which
 * version this is; `no_env`: the environment names no file for the history. [-0, +1, m] */
void lc_repl_push(lua_State *L, struct lc_host *host, struct lc_screen *screen, bool greet,
                  bool no_env);

#endif
