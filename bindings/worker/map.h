/*
 * map: the iterator of executor:map.
 * Owner: Lua's collector. User value 1 is the list of futures, 2 the results of the chunk at hand.
 */
#ifndef LC_MAP_H
#define LC_MAP_H

#include <lua.h>

struct lc_host;
struct lc_loop;
struct lc_pool;

/* (executor, fn, list, options): submits the calls; returns what a generic `for` takes. [-0, +4, v] */
int lc_map_new(lua_State *L, struct lc_loop *loop, struct lc_pool *pool);

void lc_open_map(lua_State *L, struct lc_host *host);

#endif
