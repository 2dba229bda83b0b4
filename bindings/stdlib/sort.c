/*
 * sort: table.sort with a comparator, or with metamethods, that may wait. A function in Lua does Lua's
 * quicksort with the same choice of pivots, so the same comparisons in the same order.
 */
#include <limits.h>

#include <lauxlib.h>

#include "handover.h"
#include "operators.h"
#include "standard.h"

#define ACCESSES (LC_CAN_READ | LC_CAN_WRITE | LC_HAS_LENGTH)

/* Items looked at before they are popped; the stack has room for twenty. */
#define BATCH 16

/* Whether the comparator is no valid order is on top. */
static int sort_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    if (lua_toboolean(L, -1))
        luaL_error(L, "invalid order function for sorting");
    return 0;
}

/* Whether all items of the table have a metatable with __lt. */
static bool all_have_lt(lua_State *L, lua_Integer length)
{
    int top = lua_gettop(L);
    bool all = true;

    for (lua_Integer i = 1; all && i <= length; i++) {
        int type = lua_rawgeti(L, 1, i);

        if ((type != LUA_TTABLE && type != LUA_TUSERDATA) || !lua_getmetatable(L, -1)) {
            all = false;
        } else if (i == 1 || !lua_rawequal(L, -1, top + 1)) {
            /* the metatable of the first item stays below */
            lua_pushvalue(L, -1);
            lua_insert(L, top + 1);
            lua_pushvalue(L, lua_upvalueindex(LC_UP_LT));
            all = lua_rawget(L, -2) != LUA_TNIL;
        }
        lua_settop(L, all ? top + 1 : top);
    }
    lua_settop(L, top);
    return all;
}

static int sort_range(lua_State *L, lua_Integer length, bool is_table, bool has_function)
{
    if (length <= 1)
        return 0;
    luaL_argcheck(L, length < INT_MAX, 1, "array too big");
    if (!has_function && !lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    if (has_function) {
        lc_handover_push(L, LC_UP_HELPER, "sort");
    } else if (is_table && all_have_lt(L, length)) {
        lc_handover_load(L, LC_HANDOVER_GUARD);
        lua_replace(L, 2); /* without a function, nil */
        lua_toclose(L, 2);
        lc_handover_load(L, LC_HANDOVER_SORT_ITEMS);
    } else {
        lc_handover_load(L, LC_HANDOVER_COMPARE);
        lua_replace(L, 2);
        lc_handover_push(L, LC_UP_HELPER, "sort");
    }
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 1);
    lua_pushinteger(L, length);
    lua_pushinteger(L, 0);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -6);
    lua_callk(L, 6, 1, 0, sort_k);
    return sort_k(L, LUA_OK, 0);
}

/* The length is on top. */
static int sort_length_k(lua_State *L, int status, lua_KContext ctx)
{
    lua_Integer length = lc_op_length(L);

    (void)status;
    (void)ctx;
    lua_settop(L, 2);
    return sort_range(L, length, lua_type(L, 1) == LUA_TTABLE, lua_type(L, 2) == LUA_TFUNCTION);
}

/* Whether the items of the table are there, all numbers or all strings: sorting them by themselves
 * calls no Lua code. */
static bool is_plain(lua_State *L)
{
    lua_Integer length;
    int type, pushed = 1;
    bool same;

    if (lc_op_way(L, 1, LC_HAS_LENGTH) != LC_WAY_PLAIN)
        return false;
    length = (lua_Integer)lua_rawlen(L, 1);
    type = lua_rawgeti(L, 1, 1);
    same = type == LUA_TNUMBER || type == LUA_TSTRING;
    for (lua_Integer i = 2; same && i <= length; i++) {
        if (pushed == BATCH) {
            lua_pop(L, pushed);
            pushed = 0;
        }
        same = lua_rawgeti(L, 1, i) == type;
        pushed++;
    }
    lua_pop(L, pushed);
    return same;
}

/* table.sort(list, comparator) */
static int table_sort(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    bool is_table, has_function;

    if (host->current == NULL)
        return lc_standard_original(L);
    is_table = lua_type(L, 1) == LUA_TTABLE;
    has_function = lua_type(L, 2) == LUA_TFUNCTION;
    if ((is_table && !has_function && is_plain(L)) || !lc_standard_may_wait(L, host))
        return lc_standard_original(L);
    if (!lua_getmetatable(L, 1)) {
        if (!is_table)
            return lc_standard_original(L);
        return sort_range(L, (lua_Integer)lua_rawlen(L, 1), true, has_function);
    }
    if (lc_op_metatable_way(L, ACCESSES) == LC_WAY_ODD || !lc_op_is_able(L, 1, ACCESSES))
        return lc_standard_original(L);
    lua_settop(L, 2);
    lua_getmetatable(L, 1);
    lua_pushvalue(L, lua_upvalueindex(LC_UP_LEN));
    lua_rawget(L, -2);
    lc_op_enter_len(L, 0, sort_length_k);
    return sort_length_k(L, LUA_OK, 0);
}

void lc_open_sort(lua_State *L, struct lc_host *host)
{
    lc_standard_replace(L, host, "sort", table_sort);
}
