/*
 * xpcall: calls whose message handler may wait; see xpcall.c.
 */
#ifndef LC_XPCALL_H
#define LC_XPCALL_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;

/* Whether the handler at 2 may wait in this call. [-0, +0, -] */
bool lc_xpcall_may_wait(lua_State *L, struct lc_host *host);

/* xpcall with the arguments of the frame. `lets_pass`: a cancellation or an exit goes past the handler
 * and is raised. May suspend. [-?, +?, ey] */
int lc_xpcall(lua_State *L, struct lc_host *host, bool lets_pass);

#endif
