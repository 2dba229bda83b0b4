#include "repl.h"

#include <lauxlib.h>

#include "host.h"
#include "terminal.h"

static int finish(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 0;
}

/* Upvalues: 1 the host, 2 the screen, 3 the options for run. */
static int repl_step(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    lc_host_push_ref(L, host, LC_REF_MODULE);
    lua_setglobal(L, "lucio");
    /* not by the global require, which a script may have changed */
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_getfield(L, -1, "lucio.repl");
    lua_pushliteral(L, "lucio.repl");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "run");
    lc_terminal_new(L, host, lua_touserdata(L, lua_upvalueindex(2)));
    lua_pushvalue(L, lua_upvalueindex(3));
    lua_callk(L, 2, 0, 0, finish);
    return 0;
}

void lc_repl_push(lua_State *L, struct lc_host *host, struct lc_screen *screen, bool greet,
                  bool no_env)
{
    lua_pushlightuserdata(L, host);
    lua_pushlightuserdata(L, screen);
    lua_createtable(L, 0, 2);
    if (greet) {
        lua_pushliteral(L, "lucio " LUCIO_VERSION ", " LUA_RELEASE);
        lua_setfield(L, -2, "version");
    }
    lua_pushboolean(L, no_env);
    lua_setfield(L, -2, "no_env");
    lua_pushcclosure(L, repl_step, 3);
}
