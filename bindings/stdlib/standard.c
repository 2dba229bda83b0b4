#include "standard.h"

#include <lauxlib.h>
#include <lualib.h>

#include "waiter.h"

bool lc_standard_is_plain(lua_State *L)
{
    if (!lua_iscfunction(L, -1))
        return false;
    if (lua_getupvalue(L, -1, 1) == NULL)
        return true;
    lua_pop(L, 1);
    return false;
}

void lc_standard_push(lua_State *L, struct lc_host *host, lua_CFunction function)
{
    lua_pushlightuserdata(L, host);
    lua_insert(L, -2);
    lua_pushnil(L);
    lua_pushliteral(L, "__index");
    lua_pushliteral(L, "__newindex");
    lua_pushliteral(L, "__len");
    lua_pushliteral(L, "__lt");
    lua_pushnil(L);
    lua_pushcclosure(L, function, LC_UP_COUNT);
    lc_wait_mark_passable(L, host);
}

bool lc_standard_replace(lua_State *L, struct lc_host *host, const char *name,
                         lua_CFunction function)
{
    lua_getfield(L, -1, name);
    if (!lc_standard_is_plain(L)) {
        lua_pop(L, 1);
        return false;
    }
    lc_standard_push(L, host, function);
    lua_setfield(L, -2, name);
    return true;
}

/* Lua's own functions that may be suspended as they are. */
static void mark_lua_functions(lua_State *L, struct lc_host *host)
{
    static const char *const names[] = {"dofile", "pairs", "pcall", "xpcall"};

    lua_pushglobaltable(L);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        lua_getfield(L, -1, names[i]);
        if (lua_iscfunction(L, -1))
            lc_wait_mark_passable(L, host);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

void lc_open_standard(lua_State *L, struct lc_host *host)
{
    mark_lua_functions(L, host);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_GNAME) == LUA_TTABLE) {
        lc_open_ipairs(L, host);
        lc_open_load(L, host);
        lc_open_require(L, host);
        lc_open_tostring(L, host);
        lc_open_xpcall(L, host);
    }
    lua_pop(L, 1);
    if (lua_getfield(L, -1, LUA_DBLIBNAME) == LUA_TTABLE)
        lc_open_debug(L, host);
    lua_pop(L, 1);
    if (lua_getfield(L, -1, LUA_STRLIBNAME) == LUA_TTABLE) {
        lc_open_format(L, host);
        lc_open_gmatch(L, host);
        lc_open_gsub(L, host);
    }
    lua_pop(L, 1);
    if (lua_getfield(L, -1, LUA_TABLIBNAME) == LUA_TTABLE) {
        lc_open_sort(L, host);
        lc_open_table(L, host);
    }
    lua_pop(L, 2);
}
