/*
 * loop_object: making and checking Loop objects; see loop.c.
 */
#ifndef LC_LOOP_OBJECT_H
#define LC_LOOP_OBJECT_H

#include <stdbool.h>

#include <lauxlib.h>
#include <lua.h>

struct ev_loop;
struct lc_host;
struct lc_loop;

/* New open loop and its object. Raises when the backend is not to be had. [-0, +1, v] */
struct lc_loop *lc_loop_object_new(lua_State *L, struct lc_host *host, const char *backend);

/* The same on a libev loop of the program's. [-0, +1, v] */
struct lc_loop *lc_loop_object_lend(lua_State *L, struct lc_host *host, struct ev_loop *ev);

/* self of a method that needs an open loop. [-0, +0, v] */
struct lc_loop *lc_loop_check(lua_State *L, const char *what);

/* Whether the value at `idx` is a Loop; *loop: the open loop behind it, or NULL. [-0, +0, -] */
bool lc_is_loop(lua_State *L, int idx, struct lc_loop **loop);

/* Adds methods of a part of its own. [-0, +0, m] */
void lc_loop_add_methods(lua_State *L, struct lc_host *host, const luaL_Reg *methods);

#endif
