/*
 * ipairs: its iterator reads items with an __index that may wait. A plain table costs no look at the
 * task.
 */
#include <lauxlib.h>

#include "operators.h"
#include "standard.h"

static int next_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lua_isnil(L, -1) ? 1 : 2;
}

/* Whether the table at 1, whose metatable is on top, has not got item i from its class either: no
 * __index, or a table without a metatable. Leaves nil on top then. */
static bool is_end(lua_State *L, lua_Integer i)
{
    int type;

    lua_pushvalue(L, lua_upvalueindex(LC_UP_INDEX));
    type = lua_rawget(L, -2);
    return type == LUA_TNIL ||
           (type == LUA_TTABLE && lua_rawgeti(L, -1, i) == LUA_TNIL && !lua_getmetatable(L, -2));
}

/* The iterator: (object, i) -> i + 1, object[i + 1]; or nil. */
static int ipairs_next(lua_State *L)
{
    lua_Integer i = luaL_checkinteger(L, 2);

    i = luaL_intop(+, i, 1);
    lua_pushinteger(L, i);
    if (lua_type(L, 1) == LUA_TTABLE) {
        if (lua_rawgeti(L, 1, i) != LUA_TNIL)
            return 2;
        if (!lua_getmetatable(L, 1) || is_end(L, i))
            return 1;
        if (lc_standard_may_wait(L, lc_host_of(L))) {
            lua_settop(L, 5);
            lc_op_geti_slowly(L, 1, i, 0, next_k);
            return next_k(L, LUA_OK, 0);
        }
        lua_settop(L, 3);
        lua_geti(L, 1, i);
    } else if (lc_standard_may_wait(L, lc_host_of(L))) {
        lc_op_geti(L, 1, i, 0, next_k);
    } else {
        lua_geti(L, 1, i);
    }
    return next_k(L, LUA_OK, 0);
}

/* ipairs(object) -> iterator, object, 0. Its own upvalue is the iterator. */
static int lua_ipairs(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushvalue(L, lua_upvalueindex(LC_UP_OWN));
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

void lc_open_ipairs(lua_State *L, struct lc_host *host)
{
    /* made first: nothing may fail once the function is there */
    lua_pushnil(L);
    lc_standard_push(L, host, ipairs_next);
    lua_insert(L, -2);
    if (lc_standard_replace(L, host, "ipairs", lua_ipairs)) {
        lua_getfield(L, -1, "ipairs");
        lua_pushvalue(L, -3);
        lua_setupvalue(L, -2, LC_UP_OWN);
        lua_pop(L, 1);
    }
    lua_remove(L, -2);
}
