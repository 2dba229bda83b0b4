/*
 * sandbox: what keeps code that nobody trusts from stalling its host, or reaching past it; see sandbox.c.
 */
#ifndef LC_SANDBOX_H
#define LC_SANDBOX_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;

/* For a host with a budget, before lucio is opened in it: replaces functions of Lua's libraries that can
 * run long by themselves. [-0, +0, m] */
void lc_sandbox_open(lua_State *L, struct lc_host *host);

/* Takes away what reaches past a budget: finalizers, precompiled chunks, the collector's settings.
 * [-0, +0, m] */
void lc_sandbox_close_in(lua_State *L, struct lc_host *host);

/* Adds string.find and the like to the table on top. [-0, +0, m] */
void lc_sandbox_open_search(lua_State *L, struct lc_host *host);

#endif
