/*
 * shared: memory that several Lua states use at once.
 * Owner: counted: each object of Lua and each parcel that has it holds it.
 */
#ifndef LC_SHARED_H
#define LC_SHARED_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;
struct lc_shared;

/* The shared memory that the object at `idx` stands for, or whose lock it is; or NULL. [-0, +0, -] */
struct lc_shared *lc_shared_to(lua_State *L, int idx, bool *is_lock);

/* Holds it once more. */
void lc_shared_hold(struct lc_shared *shared);

/* Lets it go; the last one frees it. Any thread. NULL is harmless. */
void lc_shared_release(struct lc_shared *shared);

/* Pushes an object for it, or for its lock. [-0, +1, m] */
void lc_shared_push(lua_State *L, struct lc_host *host, struct lc_shared *shared, bool is_lock);

#endif
