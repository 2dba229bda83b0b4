/*
 * for_loop: what can be found out about a `for` in Lua code. In Lua 5.4.4 a loop that a `break` leaves
 * does not close its fourth value if the body captures a loop variable in a closure (fixed in 5.4.5,
 * 997f11f5); worse, the value counts as still to be closed when its place on the stack has gone to
 * something else. A loop with that fault must not get a fourth value.
 */
#ifndef LC_FOR_LOOP_H
#define LC_FOR_LOOP_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;

/* Whether every `for` of the function that called the running C function closes its fourth value. What
 * was found is remembered. [-0, +0, m] */
bool lc_for_closes(lua_State *L, struct lc_host *host);

/* Whether some function that runs in `co` is in a `for` over the object; in one without debug
 * information, whether it has the object at all. [-0, +0, -] */
bool lc_for_is_active(lua_State *co, const void *object);

void lc_open_for_loop(lua_State *L, struct lc_host *host);

#endif
