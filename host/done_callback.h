/*
 * done_callback: functions given to future:add_done_callback (SEMANTICS FU); see done_callback.c.
 */
#ifndef LC_DONE_CALLBACK_H
#define LC_DONE_CALLBACK_H

#include <lua.h>

struct lc_host;

/* future:add_done_callback(fn, {context=}?) */
int lc_future_add_done_callback(lua_State *L);
/* future:remove_done_callback(fn) -> count */
int lc_future_remove_done_callback(lua_State *L);

void lc_done_callbacks_open(lua_State *L, struct lc_host *host);

#endif
