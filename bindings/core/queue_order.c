#include "queue_order.h"

#include <lauxlib.h>

#include "args.h"
#include "error.h"

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

/* a < b; what Lua cannot compare is a TypeError. */
static bool values_less(lua_State *L, struct lc_host *host, int a, int b)
{
    int kind = lua_type(L, a);

    if (kind != lua_type(L, b) || (kind != LUA_TNUMBER && kind != LUA_TSTRING)) {
        if (luaL_getmetafield(L, a, "__lt") == LUA_TNIL &&
            luaL_getmetafield(L, b, "__lt") == LUA_TNIL)
            lc_raise(L, host, LC_TYPE_ERROR,
                     "items of a PriorityQueue cannot be compared: %s with %s", lc_type_name(L, a),
                     lc_type_name(L, b));
        lua_pop(L, 1);
    }
    return lua_compare(L, a, b, LUA_OPLT);
}

/* a < b as Python tuples compare: by the first fields that differ. */
static bool tuples_less(lua_State *L, struct lc_host *host, int a, int b)
{
    lua_Integer na = luaL_len(L, a), nb = luaL_len(L, b);
    int top = lua_gettop(L);
    bool less;

    luaL_checkstack(L, 10, "items nested too deep to compare");
    for (lua_Integer i = 1; i <= na && i <= nb; i++) {
        lua_geti(L, a, i);
        lua_geti(L, b, i);
        if (is_tuple(L, top + 1) && is_tuple(L, top + 2)) {
            if (tuples_less(L, host, top + 1, top + 2)) {
                lua_settop(L, top);
                return true;
            }
            less = tuples_less(L, host, top + 2, top + 1);
            lua_settop(L, top);
            if (less)
                return false;
            continue;
        }
        if (!lua_compare(L, top + 1, top + 2, LUA_OPEQ)) {
            less = values_less(L, host, top + 1, top + 2);
            lua_settop(L, top);
            return less;
        }
        lua_settop(L, top);
    }
    return na < nb;
}

bool lc_items_less(lua_State *L, struct lc_host *host, int a, int b)
{
    if (is_tuple(L, a) && is_tuple(L, b))
        return tuples_less(L, host, a, b);
    return values_less(L, host, a, b);
}
