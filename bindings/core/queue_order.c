#include "queue_order.h"

#include <lauxlib.h>

/* Whether a table compares by its fields: it has no __lt of its own. */
static bool is_tuple(lua_State *L, int idx)
{
    if (lua_type(L, idx) != LUA_TTABLE)
        return false;
    if (luaL_getmetafield(L, idx, "__lt") == LUA_TNIL)
        return true;
    lua_pop(L, 1);
    return false;
}

/* a < b as Python tuples compare: by the first fields that differ. */
static bool tuples_less(lua_State *L, int a, int b)
{
    lua_Integer na = luaL_len(L, a), nb = luaL_len(L, b);
    int top = lua_gettop(L);
    bool less;

    luaL_checkstack(L, 10, "items nested too deep to compare");
    for (lua_Integer i = 1; i <= na && i <= nb; i++) {
        lua_geti(L, a, i);
        lua_geti(L, b, i);
        if (is_tuple(L, top + 1) && is_tuple(L, top + 2)) {
            if (tuples_less(L, top + 1, top + 2)) {
                lua_settop(L, top);
                return true;
            }
            less = tuples_less(L, top + 2, top + 1);
            lua_settop(L, top);
            if (less)
                return false;
            continue;
        }
        if (!lua_compare(L, top + 1, top + 2, LUA_OPEQ)) {
            less = lua_compare(L, top + 1, top + 2, LUA_OPLT);
            lua_settop(L, top);
            return less;
        }
        lua_settop(L, top);
    }
    return na < nb;
}

bool lc_items_less(lua_State *L, int a, int b)
{
    if (is_tuple(L, a) && is_tuple(L, b))
        return tuples_less(L, a, b);
    return lua_compare(L, a, b, LUA_OPLT);
}
