/*
 * ipairs: its iterator reads items with an __index that may wait. A plain table costs no look at the
 * task.
 */
#include <lauxlib.h>

#include "operators.h"
#include "standard.h"

/* The index is below the item, which is on top. */
static int function_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lua_isnil(L, -1) ? 1 : 2;
}

/* Item i is on top. */
static int next_k(lua_State *L, int status, lua_KContext i)
{
    (void)status;
    if (lua_isnil(L, -1))
        return 1;
    lua_pushinteger(L, (lua_Integer)i);
    lua_insert(L, -2);
    return 2;
}

/* Item i of the table at 1, which has not got it itself; i is at 3, the metatable on top. */
static int next_of_class(lua_State *L, lua_Integer i)
{
    int type;

    lua_pushvalue(L, lua_upvalueindex(LC_UP_INDEX));
    type = lua_rawget(L, -2);
    if (type == LUA_TNIL)
        return 1;
    if (type == LUA_TTABLE && lua_rawgeti(L, -1, i) == LUA_TNIL && !lua_getmetatable(L, -2)) {
        lua_pushnil(L);
        return 1;
    }
    if (type == LUA_TFUNCTION) {
        /* where nothing may wait this is what lua_geti does, for less than it takes to ask */
        lua_copy(L, 3, -2);
        lua_pushvalue(L, 1);
        lua_pushinteger(L, i);
        lua_callk(L, 2, 1, 0, function_k);
        return function_k(L, LUA_OK, 0);
    }
    if (!lc_standard_may_wait(L, lc_host_of(L))) {
        lua_geti(L, 1, i);
    } else {
        lua_pushinteger(L, i);
        lc_op_get(L, 1, (lua_KContext)i, next_k);
    }
    return next_k(L, LUA_OK, (lua_KContext)i);
}

/* The iterator: (object, i) -> i + 1, object[i + 1]; or nil. */
static int ipairs_next(lua_State *L)
{
    int is_integer;
    lua_Integer i = lua_tointegerx(L, 2, &is_integer);

    if (!is_integer)
        luaL_checkinteger(L, 2); /* raises the error */
    i = luaL_intop(+, i, 1);
    if (lua_type(L, 1) == LUA_TTABLE) {
        lua_pushinteger(L, i);
        if (lua_rawgeti(L, 1, i) != LUA_TNIL)
            return 2;
        return lua_getmetatable(L, 1) ? next_of_class(L, i) : 1;
    }
    if (lc_standard_may_wait(L, lc_host_of(L))) {
        lua_pushinteger(L, i);
        lc_op_get(L, 1, (lua_KContext)i, next_k);
    } else {
        lua_geti(L, 1, i);
    }
    return next_k(L, LUA_OK, (lua_KContext)i);
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
