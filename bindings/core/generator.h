/*
 * generator: async generators; see generator.c.
 */
#ifndef LC_GENERATOR_H
#define LC_GENERATOR_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;
struct lc_loop;

/* Pushes a list of the loop's started, unfinished generators. [-0, +1, m] */
void lc_generators_push(lua_State *L, struct lc_loop *loop);

/* Pushes the function that closes the generator given as its argument. [-0, +1, m] */
void lc_generator_push_close(lua_State *L, struct lc_host *host, int idx);

/* Whether L runs a generator's body, and the body's coroutine.yield. */
bool lc_generator_is_thread(lua_State *L, struct lc_host *host);
int lc_generator_yield(lua_State *L, struct lc_host *host);

#endif
