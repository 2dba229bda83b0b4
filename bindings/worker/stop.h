/*
 * stop: a job that is to end though it does not return by itself.
 */
#ifndef LC_STOP_H
#define LC_STOP_H

#include <lua.h>

struct lc_host;

/* From a call that blocks: raises if the job that runs here is to end. [-0, +0, v] */
void lc_stop_check(lua_State *L, struct lc_host *host);

#endif
