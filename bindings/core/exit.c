/*
 * exit: lucio.exit, and an os.exit that unwinds a running loop before the process ends.
 */
#include <lauxlib.h>
#include <lualib.h>

#include "core.h"
#include "sink.h"

/* lucio.exit(code?) */
static int lucio_exit(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    int type = lua_type(L, 1);

    lua_settop(L, 1);
    if (type != LUA_TNONE && type != LUA_TNIL && type != LUA_TBOOLEAN && type != LUA_TSTRING)
        lc_check_integer(L, 1, "exit", 1);
    lc_error_from(L, host, LC_SYSTEM_EXIT);
    return lua_error(L);
}

/* os.exit(code?, close?): in a loop, or in a job of a worker, it unwinds first; else logs are written.
 * Upvalue 2: Lua's own. */
static int os_exit(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    if (host->loop == NULL && !host->is_worker) {
        lc_sinks_flush(host);
        lua_pushvalue(L, lua_upvalueindex(2));
        lua_insert(L, 1);
        lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
        return lua_gettop(L);
    }
    lua_settop(L, 1);
    if (!lua_isnil(L, 1) && !lua_isboolean(L, 1))
        lc_check_integer(L, 1, "exit", 1);
    lc_error_from(L, host, LC_SYSTEM_EXIT);
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "process");
    return lua_error(L);
}

static void replace_os_exit(lua_State *L, struct lc_host *host)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_OSLIBNAME) == LUA_TTABLE) {
        lua_pushlightuserdata(L, host);
        lua_getfield(L, -2, "exit");
        lua_pushcclosure(L, os_exit, 2);
        lua_setfield(L, -2, "exit");
    }
    lua_pop(L, 2);
}

void lc_open_exit(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg functions[] = {{"exit", lucio_exit}, {NULL, NULL}};

    lc_set_functions(L, host, functions);
    replace_os_exit(L, host);
}
