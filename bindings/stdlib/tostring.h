/*
 * tostring: calling a __tostring that may wait; see tostring.c.
 */
#ifndef LC_TOSTRING_H
#define LC_TOSTRING_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;

/* As lc_standard_replace; the functions below are for functions replaced so. [-0, +0, m] */
void lc_replace_tostring(lua_State *L, struct lc_host *host, const char *name,
                         lua_CFunction function);

/* Pushes the __tostring of the argument at `idx` if there is one that may wait. [-0, +(0|1), m] */
bool lc_push_tostring(lua_State *L, int idx);

/* Calls what lc_push_tostring pushed and puts the text in the argument's place, which ends with
 * lc_tostring_end, also in `k`. [-1, +1, ey] */
void lc_call_tostring(lua_State *L, int idx, lua_KContext ctx, lua_KFunction k);
void lc_tostring_end(lua_State *L, int idx);

/* Whether the argument at `idx` has a __tostring. If strings have one, the original is to do all: it
 * would call theirs for a text too. [-0, +0, -] */
bool lc_has_tostring(lua_State *L, int idx);

#endif
