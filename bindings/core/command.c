#include "command.h"

#include <lauxlib.h>

#include "core.h"
#include "exception_group.h"

int lc_command_run(lua_State *L)
{
    return lc_run_main(L, lc_host_of(L), true);
}

/* Adds the text of the error at `idx`, its traceback and its members to the buffer's text. */
static void add_error(lua_State *L, struct lc_host *host, int idx, int depth)
{
    luaL_checkstack(L, 12, NULL);
    lc_error_push_text(L, host, idx);
    lc_error_push_traceback(L, host, idx);
    if (lua_type(L, -1) == LUA_TSTRING) {
        lua_pushliteral(L, "\n");
        lua_insert(L, -2);
        lua_concat(L, 3);
    } else {
        lua_pop(L, 1);
    }
    if (depth > 20 || !lc_exception_group_push_members(L, idx))
        return;
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, -1); i++) {
        lua_rawgeti(L, -1, i);
        add_error(L, host, lua_gettop(L), depth + 1);
        luaL_gsub(L, lua_tostring(L, -1), "\n", "\n  | ");
        lua_pushfstring(L, "%s\n  +-[%d] %s", lua_tostring(L, -5), (int)i, lua_tostring(L, -1));
        lua_replace(L, -6);
        lua_pop(L, 3);
    }
    lua_pop(L, 1);
}

void lc_command_push_report(lua_State *L, struct lc_host *host, int idx)
{
    add_error(L, host, lua_absindex(L, idx), 0);
}
