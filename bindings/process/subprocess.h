/*
 * subprocess: what the module's table needs of processes; see process.c.
 */
#ifndef LC_SUBPROCESS_H
#define LC_SUBPROCESS_H

#include <lua.h>

struct lc_host;

/* What lucio.subprocess has in C: pushes the table of functions. [-0, +1, m] */
int lc_open_subprocess(lua_State *L);

/* Makes create_subprocess_exec and the like in the module table on top. [-0, +0, m] */
void lc_open_process(lua_State *L, struct lc_host *host);

#endif
