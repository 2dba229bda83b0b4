/*
 * resolver: name lookups in other threads; see bindings/core/resolver.c.
 */
#ifndef LC_RESOLVER_H
#define LC_RESOLVER_H

#include <lua.h>

struct lc_loop;

/* Queues the completions of lookups that are done. */
void lc_lookups_take(struct lc_loop *loop);

/* The loop closes: lookups under way are left to their workers. */
void lc_lookups_abandon(lua_State *L, struct lc_loop *loop);

#endif
