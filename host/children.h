/*
 * children: what the loop calls of bindings/process when it closes.
 */
#ifndef LC_CHILDREN_H
#define LC_CHILDREN_H

#include <lua.h>

struct lc_loop;

/* Kills and reaps all child processes. [-0, +0, -] */
void lc_processes_abandon(lua_State *L, struct lc_loop *loop);

#endif
