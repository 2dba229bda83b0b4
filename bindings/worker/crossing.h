/*
 * crossing: what stays itself when it goes from one Lua state to another: error classes, context
 * variables, thread-local tables. Each gets a key when it first leaves its state; who gets a key that it
 * does not know makes an equal object for it, and gives the same object for the key from then on.
 * Owner: a table with weak keys and values in each state, object -> key and key -> object; thread-local
 *        tables stay as long as their state.
 */
#ifndef LC_CROSSING_H
#define LC_CROSSING_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;

/* Makes the tables. [-0, +0, m] */
void lc_crossing_open(lua_State *L, struct lc_host *host);

/* Pushes the key of the object at `idx`. [-0, +1, m] */
void lc_crossing_push_key(lua_State *L, struct lc_host *host, int idx);

/* Whether the object at `idx` has one already. [-0, +0, -] */
bool lc_crossing_has_key(lua_State *L, struct lc_host *host, int idx);

/* Replaces the key on top by its object here, or by nil. [-1, +1, -] */
void lc_crossing_find(lua_State *L, struct lc_host *host);

/* The object on top is the one for the key at `key`. [-0, +0, m] */
void lc_crossing_set(lua_State *L, struct lc_host *host, int key);

/* Replaces the key on top by the thread-local table of this state. [-1, +1, m] */
void lc_crossing_push_local(lua_State *L, struct lc_host *host);

/* Whether the table at `idx` is a thread-local one. [-0, +0, -] */
bool lc_crossing_is_local(lua_State *L, struct lc_host *host, int idx);

#endif
