/*
 * watchdog: lucio.watchdog. See host/watchdog.h.
 */
#include "watchdog.h"

#include <lauxlib.h>

#include "core.h"
#include "permit.h"

/* lucio.watchdog(seconds or nil, {kill=}) */
static int lucio_watchdog(lua_State *L)
{
    static const char *const names[] = {"kill", NULL};
    struct lc_host *host = lc_host_of(L);
    double seconds = 0;
    bool kill = false;

    lc_permit_outside(L, host, "watchdog");
    lua_settop(L, 2);
    if (!lua_isnil(L, 1)) {
        seconds = lc_check_seconds(L, 1, "watchdog", 1);
        if (seconds <= 0)
            lc_raise_value(L, host, "watchdog", 1, "more than 0 seconds expected");
    }
    lc_check_options(L, 2, "watchdog", 2, names);
    if (!lua_isnil(L, 2)) {
        lua_getfield(L, 2, "kill");
        kill = lua_toboolean(L, -1);
    }
    lc_watchdog_set(L, host, seconds, kill);
    return 0;
}

void lc_open_watchdog(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg functions[] = {{"watchdog", lucio_watchdog}, {NULL, NULL}};

    lc_set_functions(L, host, functions);
}
