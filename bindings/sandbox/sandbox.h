/*
 * sandbox: what keeps code that nobody trusts from stalling its host, or reaching past it; see sandbox.c.
 */
#ifndef LC_SANDBOX_H
#define LC_SANDBOX_H

#include <stdbool.h>

#include <lauxlib.h>
#include <lua.h>

struct lc_host;

/* For a host with a budget, before lucio is opened in it: replaces functions of Lua's libraries that can
 * run long by themselves. [-0, +0, m] */
void lc_sandbox_open(lua_State *L, struct lc_host *host);

/* Takes away what reaches past a budget: finalizers, precompiled chunks, the collector's settings.
 * [-0, +0, m] */
void lc_sandbox_close_in(lua_State *L, struct lc_host *host);

/* For a host with permissions, after lucio is opened in it: functions of Lua's libraries that reach out of
 * the state ask for permission first. [-0, +0, m] */
void lc_doors_open(lua_State *L, struct lc_host *host);

/* The same for what finds and loads modules. [-0, +0, m] */
void lc_doors_open_modules(lua_State *L, struct lc_host *host);

/* Replaces functions of the library `name`, where they are. Lua's own become upvalue 2. [-0, +0, m] */
void lc_sandbox_replace(lua_State *L, struct lc_host *host, const char *name,
                        const luaL_Reg *functions);

/* Adds string.find and the like to the table on top. [-0, +0, m] */
void lc_sandbox_open_search(lua_State *L, struct lc_host *host);

#endif
