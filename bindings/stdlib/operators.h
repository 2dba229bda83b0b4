/*
 * operators: t[key], #t, a < b and a == b for C functions, with metamethods that may be suspended.
 * Each gives the same result and raises the same error as its counterpart in the Lua API.
 * They return with the operation done, unless it suspends: then `k` goes on, with the same stack.
 * Context: called by functions with the upvalues of lc_standard_replace. An index is positive; `ctx`
 *          and `k` are as for lua_callk.
 */
#ifndef LC_OPERATORS_H
#define LC_OPERATORS_H

#include <stdbool.h>

#include <lua.h>

#include "standard.h"

/* What an object must be able to do to stand for a table. */
enum lc_ability { LC_CAN_READ = 1, LC_CAN_WRITE = 2, LC_HAS_LENGTH = 4 };

/* Whether the value is a table or has the metamethods for it. [-0, +0, m] */
bool lc_op_is_able(lua_State *L, int idx, int abilities);

/* What operations on a value lead to. */
enum lc_way {
    LC_WAY_PLAIN, /* no Lua code, or none in which the task may wait */
    LC_WAY_WAITS,
    LC_WAY_ODD /* to what is neither a function nor a table: the original is to raise the error */
};

/* The rest of lc_op_way, with the value's metatable on top. [-1, +0, -] */
enum lc_way lc_op_metatable_way(lua_State *L, int abilities);

/* Where these operations on the value lead. One that it is not able to do leads nowhere. [-0, +0, -] */
static inline enum lc_way lc_op_way(lua_State *L, int idx, int abilities)
{
    return lua_getmetatable(L, idx) ? lc_op_metatable_way(L, abilities) : LC_WAY_PLAIN;
}

/* Whether accesses to the object at 1, and its __len, wait. Its metatable is on top; if they do, values
 * are left above that, on top the __len or nil, for lc_op_enter_len; else it is popped. LC_HAS_LENGTH
 * says that the object has to be able to do all that. */
bool lc_op_enters(lua_State *L, int abilities);

/* Pushes the length of the object at 1: any value, lc_op_length takes it. [-1, +1, ey] */
void lc_op_enter_len(lua_State *L, lua_KContext ctx, lua_KFunction k);

/* The same when its __len is on top. */
static inline void lc_op_call_len(lua_State *L, lua_KContext ctx, lua_KFunction k)
{
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 1);
    lua_callk(L, 2, 1, ctx, k);
}

/* The length that is on top; raises if it is no integer. [-0, +0, v] */
lua_Integer lc_op_length(lua_State *L);

/* Push a true or false value, not always a boolean. The indices of less may be negative.
 * [-0, +1, ey] */
void lc_op_less(lua_State *L, int a, int b, lua_KContext ctx, lua_KFunction k);
void lc_op_equal(lua_State *L, int a, int b, lua_KContext ctx, lua_KFunction k);

/* Pops a key, pushes object[key]. [-1, +1, ey] */
void lc_op_get(lua_State *L, int idx, lua_KContext ctx, lua_KFunction k);

/* The rest of lc_op_item. [-0, +3, ey] */
void lc_op_item_slowly(lua_State *L, lua_Integer i, lua_KContext ctx, lua_KFunction k);

/* Pushes two values and item i of the object at 1. [-0, +3, ey] */
static inline void lc_op_item(lua_State *L, bool is_table, lua_Integer i, lua_KContext ctx,
                              lua_KFunction k)
{
    if (is_table && lua_rawgeti(L, 1, i) == LUA_TNIL && lua_getmetatable(L, 1)) {
        lua_pushvalue(L, lua_upvalueindex(LC_UP_INDEX));
        if (lua_rawget(L, -2) == LUA_TFUNCTION) {
            lua_pushvalue(L, 1);
            lua_pushinteger(L, i);
            lua_callk(L, 2, 1, ctx, k);
            return;
        }
        lua_pop(L, 2);
    }
    if (is_table)
        lua_pop(L, 1);
    lc_op_item_slowly(L, i, ctx, k);
}

/* Makes the value at `idx` item i of the object at 1. Other values are left. [-0, +n, ey] */
void lc_op_set_item(lua_State *L, bool is_table, int idx, lua_Integer i, lua_KContext ctx,
                    lua_KFunction k);

#endif
