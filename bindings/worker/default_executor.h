/*
 * default_executor: the end of a loop's own executor; see default_executor.c.
 */
#ifndef LC_DEFAULT_EXECUTOR_H
#define LC_DEFAULT_EXECUTOR_H

#include <lua.h>

struct lc_host;

/* Pushes the body of a task that ends the default executor of the running loop. [-0, +1, m] */
void lc_default_executor_push_end(lua_State *L, struct lc_host *host);

#endif
