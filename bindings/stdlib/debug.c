/*
 * debug: debug.traceback and debug.getinfo in a message handler that runs in a task of its own: below
 * its stack they see that of the error, as if the handler had been called there.
 */
#include <stdbool.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "stack_text.h"
#include "standard.h"
#include "task.h"

/* How many levels the handler has, this function's included, when L is the handler's thread and the
 * arguments name no other; 0: it is not. */
static int handler_levels(lua_State *L, struct lc_host *host)
{
    const struct lc_task *handler = host->erring.handler;
    lua_Debug ar;
    int levels = 0;

    if (handler == NULL || handler != host->current || handler->thread != L || lua_isthread(L, 1))
        return 0;
    while (lua_getstack(L, levels, &ar))
        levels++;
    return levels - 1; /* the lowest is what every task runs */
}

/* debug.getinfo(level, what) */
static int debug_getinfo(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    int levels = handler_levels(L, host);

    if (levels > 0 && lua_isinteger(L, 1) && lua_tointeger(L, 1) >= levels) {
        lua_pushinteger(L, lua_tointeger(L, 1) - levels + 1);
        lua_replace(L, 1);
        lua_pushthread(host->erring.L);
        lua_xmove(host->erring.L, L, 1);
        lua_insert(L, 1);
    }
    return lc_standard_original(L);
}

/* debug.traceback(message, level) */
static int debug_traceback(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    int levels = handler_levels(L, host);
    const char *message = lua_tostring(L, 1), *last;
    lua_Integer level;

    if (levels == 0 || (message == NULL && !lua_isnoneornil(L, 1))) {
        int arg = lua_isthread(L, 1) ? 2 : 1;
        bool has_text = lua_isnoneornil(L, arg) || lua_isstring(L, arg);

        lc_standard_original(L);
        if (has_text)
            lc_stack_text_strip(L);
        return 1;
    }
    level = luaL_optinteger(L, 2, 1);
    if (level >= levels) {
        luaL_traceback(L, host->erring.L, message, (int)level - levels + 1);
        lc_stack_text_strip(L);
        return 1;
    }
    luaL_traceback(L, L, message, (int)level);
    last = strrchr(lua_tostring(L, -1), '\n');
    lua_pushlstring(L, lua_tostring(L, -1), (size_t)(last - lua_tostring(L, -1)));
    luaL_traceback(L, host->erring.L, NULL, 1);
    lua_pushstring(L, strchr(lua_tostring(L, -1), '\n'));
    lua_replace(L, -2);
    lua_concat(L, 2);
    lc_stack_text_strip(L);
    return 1;
}

void lc_open_debug(lua_State *L, struct lc_host *host)
{
    lc_standard_replace(L, host, "getinfo", debug_getinfo);
    lc_standard_replace(L, host, "traceback", debug_traceback);
}
