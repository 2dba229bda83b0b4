/*
 * operators: t[i], t[i] = v, #t, a < b and a == b for C functions, with metamethods that may be
 * suspended. Each gives the same result and raises the same error as its counterpart in the Lua API.
 * They return with the operation done, unless it suspends: then `k` goes on, with the same stack.
 * Context: called by functions with the upvalues of lc_standard_replace. An index is positive; `ctx`
 *          and `k` are as for lua_callk.
 */
#ifndef LC_OPERATORS_H
#define LC_OPERATORS_H

#include <stdbool.h>

#include <lua.h>

/* What an object must be able to do to stand for a table. */
enum lc_ability { LC_CAN_READ = 1, LC_CAN_WRITE = 2, LC_HAS_LENGTH = 4 };

/* Whether the value is a table or has the metamethods for it. [-0, +0, m] */
bool lc_op_is_able(lua_State *L, int idx, int abilities);

/* The rest of lc_op_waits, with the value's metatable on top. An operation that the value is not able
 * to do counts as one that calls nothing. [-1, +0, -] */
bool lc_op_metatable_waits(lua_State *L, int abilities);

/* Whether one of these operations on the value calls Lua code in which the task may wait.
 * [-0, +0, -] */
static inline bool lc_op_waits(lua_State *L, int idx, int abilities)
{
    return lua_getmetatable(L, idx) && lc_op_metatable_waits(L, abilities);
}

/* Pushes #object: any value, lc_op_length takes it. [-0, +1, ey] */
void lc_op_len(lua_State *L, int idx, lua_KContext ctx, lua_KFunction k);

/* Pops the length; raises if it is no integer. [-1, +0, v] */
lua_Integer lc_op_length(lua_State *L);

/* Push a true or false value, not always a boolean. The indices of less may be negative.
 * [-0, +1, ey] */
void lc_op_less(lua_State *L, int a, int b, lua_KContext ctx, lua_KFunction k);
void lc_op_equal(lua_State *L, int a, int b, lua_KContext ctx, lua_KFunction k);

/* Pops a key, pushes object[key]. [-1, +1, ey] */
void lc_op_get(lua_State *L, int idx, lua_KContext ctx, lua_KFunction k);

/* The rest of lc_op_geti. The stack ends with nil and the object's metatable. [-2, +1, ey] */
void lc_op_geti_slowly(lua_State *L, int idx, lua_Integer i, lua_KContext ctx, lua_KFunction k);

/* The rest of lc_op_seti: the object has no such key itself. [-1, +0, ey] */
void lc_op_seti_slowly(lua_State *L, int idx, lua_Integer i, lua_KContext ctx, lua_KFunction k);

/* Pushes object[i]. [-0, +1, ey] */
static inline void lc_op_geti(lua_State *L, int idx, lua_Integer i, lua_KContext ctx,
                              lua_KFunction k)
{
    if (lua_type(L, idx) != LUA_TTABLE)
        lua_pushnil(L);
    else if (lua_rawgeti(L, idx, i) != LUA_TNIL)
        return;
    if (lua_getmetatable(L, idx))
        lc_op_geti_slowly(L, idx, i, ctx, k);
    else if (lua_type(L, idx) != LUA_TTABLE)
        lua_geti(L, idx, i); /* raises the error */
}

/* Pops a value into object[i]. [-1, +0, ey] */
static inline void lc_op_seti(lua_State *L, int idx, lua_Integer i, lua_KContext ctx,
                              lua_KFunction k)
{
    if (lua_type(L, idx) == LUA_TTABLE) {
        bool may_call = lua_getmetatable(L, idx);

        if (may_call) {
            may_call = lua_rawgeti(L, idx, i) == LUA_TNIL;
            lua_pop(L, 2);
        }
        if (!may_call) {
            lua_rawseti(L, idx, i);
            return;
        }
    }
    lc_op_seti_slowly(L, idx, i, ctx, k);
}

#endif
