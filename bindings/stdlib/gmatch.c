/*
 * gmatch: string.gmatch of the patterns that are a class and `+` (char_class.h), whose matches are found by
 * a table; every other pattern is the original's.
 * Owner: the tables are kept with the function.
 */
#include <lauxlib.h>

#include "char_class.h"
#include "standard.h"

/* Where the rest of the subject is that has not been looked at. */
struct rest {
    const unsigned char *at, *end;
    const bool *has;
};

/* The iterator. Upvalues: where it is; the table and the subject, which it points into. */
static int next_run(lua_State *L)
{
    struct rest *rest = lua_touserdata(L, lua_upvalueindex(1));
    const unsigned char *at = rest->at, *end = rest->end, *start;
    const bool *has = rest->has;

    while (at < end && !has[*at])
        at++;
    start = at;
    while (at < end && has[*at])
        at++;
    rest->at = at;
    if (start == end)
        return 0;
    lua_pushlstring(L, (const char *)start, (size_t)(at - start));
    return 1;
}

/* string.gmatch(s, pattern, init?) */
static int string_gmatch(lua_State *L)
{
    const struct lc_char_class *class;
    struct rest *rest;
    size_t length;

    if (lua_type(L, 1) != LUA_TSTRING || lua_type(L, 2) != LUA_TSTRING || !lua_isnoneornil(L, 3))
        return lc_standard_original(L);
    lua_settop(L, 2);
    class = lc_char_class_push(L, lua_upvalueindex(LC_UP_OWN), 2);
    if (class == NULL)
        return lc_standard_original(L);
    lua_replace(L, 2);
    rest = lua_newuserdatauv(L, sizeof *rest, 0);
    rest->at = (const unsigned char *)lua_tolstring(L, 1, &length);
    rest->end = rest->at + length;
    rest->has = class->has;
    lua_insert(L, 1);
    lua_pushcclosure(L, next_run, 3);
    return 1;
}

void lc_open_gmatch(lua_State *L, struct lc_host *host)
{
    if (!lc_standard_replace(L, host, "gmatch", string_gmatch))
        return;
    lua_getfield(L, -1, "gmatch");
    lua_newtable(L);
    lua_setupvalue(L, -2, LC_UP_OWN);
    lua_pop(L, 1);
}
