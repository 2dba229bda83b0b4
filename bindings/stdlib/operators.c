#include "operators.h"

#include <lauxlib.h>

#include "handover.h"
#include "standard.h"

/* As long as a chain of __index or __newindex may be in Lua (MAXTAGLOOP in lvm.c). */
#define CHAIN_MAX 2000

static bool has(lua_State *L, int idx, const char *name)
{
    if (luaL_getmetafield(L, idx, name) == LUA_TNIL)
        return false;
    lua_pop(L, 1);
    return true;
}

bool lc_op_is_able(lua_State *L, int idx, int abilities)
{
    if (lua_type(L, idx) == LUA_TTABLE)
        return true;
    if ((abilities & LC_CAN_READ) && !has(L, idx, "__index"))
        return false;
    if ((abilities & LC_CAN_WRITE) && !has(L, idx, "__newindex"))
        return false;
    return !(abilities & LC_HAS_LENGTH) || has(L, idx, "__len");
}

/* Where a chain of __index or __newindex leads, that of the metatable at `idx`, unless `way` is worse.
 * Leaves a value. */
static enum lc_way chain_way(lua_State *L, int idx, enum lc_upvalue name, enum lc_way way)
{
    int type;

    lua_pushvalue(L, lua_upvalueindex(name));
    type = lua_rawget(L, idx);
    for (int n = 0; n < CHAIN_MAX && type == LUA_TTABLE; n++) {
        if (!lua_getmetatable(L, -1))
            return way;
        lua_pushvalue(L, lua_upvalueindex(name));
        type = lua_rawget(L, -2);
        lua_replace(L, -3);
        lua_pop(L, 1);
    }
    if (type == LUA_TNIL || way == LC_WAY_ODD)
        return way;
    return type == LUA_TFUNCTION ? LC_WAY_WAITS : LC_WAY_ODD;
}

enum lc_way lc_op_metatable_way(lua_State *L, int abilities)
{
    int metatable = lua_gettop(L);
    enum lc_way way = LC_WAY_PLAIN;

    if (!lc_standard_may_wait(L, lc_host_of(L))) {
        lua_pop(L, 1);
        return LC_WAY_PLAIN;
    }
    if (abilities & LC_CAN_READ)
        way = chain_way(L, metatable, LC_UP_INDEX, way);
    if (abilities & LC_CAN_WRITE)
        way = chain_way(L, metatable, LC_UP_NEWINDEX, way);
    if (way == LC_WAY_PLAIN && (abilities & LC_HAS_LENGTH)) {
        lua_pushvalue(L, lua_upvalueindex(LC_UP_LEN));
        if (lua_rawget(L, metatable) != LUA_TNIL)
            way = LC_WAY_WAITS;
    }
    lua_settop(L, metatable - 1);
    return way;
}

/* Pushes a field of the value's metatable. False: it has none. */
static inline bool push_field(lua_State *L, int idx, enum lc_upvalue name)
{
    if (!lua_getmetatable(L, idx))
        return false;
    lua_pushvalue(L, lua_upvalueindex(name));
    if (lua_rawget(L, -2) != LUA_TNIL) {
        lua_replace(L, -2);
        return true;
    }
    lua_pop(L, 2);
    return false;
}

bool lc_op_enters(lua_State *L, int abilities)
{
    int metatable = lua_gettop(L);
    enum lc_way way = LC_WAY_PLAIN;

    if (lc_standard_may_wait(L, lc_host_of(L)) && lua_type(L, 1) != LUA_TSTRING) {
        if (abilities & LC_CAN_READ)
            way = chain_way(L, metatable, LC_UP_INDEX, way);
        if (abilities & LC_CAN_WRITE)
            way = chain_way(L, metatable, LC_UP_NEWINDEX, way);
        lua_pushvalue(L, lua_upvalueindex(LC_UP_LEN));
        if ((lua_rawget(L, metatable) != LUA_TNIL || way == LC_WAY_WAITS) && way != LC_WAY_ODD &&
            (!(abilities & LC_HAS_LENGTH) || lc_op_is_able(L, 1, abilities)))
            return true;
    }
    lua_settop(L, metatable - 1);
    return false;
}

void lc_op_enter_len(lua_State *L, lua_KContext ctx, lua_KFunction k)
{
    if (lua_type(L, -1) == LUA_TNIL) {
        lua_len(L, 1);
        return;
    }
    lc_op_call_len(L, ctx, k);
}

lua_Integer lc_op_length(lua_State *L)
{
    int is_integer;
    lua_Integer length = lua_tointegerx(L, -1, &is_integer);

    if (!is_integer)
        luaL_error(L, "object length is not an integer");
    return length;
}

/* Calls the metamethod on top with both operands. */
static inline void call_binary(lua_State *L, int a, int b, lua_KContext ctx, lua_KFunction k)
{
    lua_pushvalue(L, a);
    lua_pushvalue(L, b - (b < 0));
    lua_callk(L, 2, 1, ctx, k);
}

void lc_op_less(lua_State *L, int a, int b, lua_KContext ctx, lua_KFunction k)
{
    int type = lua_type(L, a);

    if (((type == LUA_TNUMBER || type == LUA_TSTRING) && type == lua_type(L, b)) ||
        (!push_field(L, a, LC_UP_LT) && !push_field(L, b, LC_UP_LT)))
        lua_pushboolean(L, lua_compare(L, a, b, LUA_OPLT));
    else
        call_binary(L, a - (a < 0), b - (b < 0), ctx, k);
}

void lc_op_equal(lua_State *L, int a, int b, lua_KContext ctx, lua_KFunction k)
{
    int type = lua_type(L, a);

    if (lua_rawequal(L, a, b) || type != lua_type(L, b) ||
        (type != LUA_TTABLE && type != LUA_TUSERDATA) ||
        (luaL_getmetafield(L, a, "__eq") == LUA_TNIL &&
         luaL_getmetafield(L, b, "__eq") == LUA_TNIL))
        lua_pushboolean(L, lua_rawequal(L, a, b));
    else
        call_binary(L, a, b, ctx, k);
}

void lc_op_get(lua_State *L, int idx, lua_KContext ctx, lua_KFunction k)
{
    int key = lua_gettop(L);

    lua_pushvalue(L, idx);
    for (int n = 0; n < CHAIN_MAX; n++) {
        bool is_table = lua_type(L, -1) == LUA_TTABLE;

        if (is_table) {
            lua_pushvalue(L, key);
            if (lua_rawget(L, -2) != LUA_TNIL) {
                lua_replace(L, key);
                lua_settop(L, key);
                return;
            }
            lua_pop(L, 1);
        }
        if (!push_field(L, -1, LC_UP_INDEX)) {
            if (!is_table)
                break;
            lua_settop(L, key - 1);
            lua_pushnil(L);
            return;
        }
        /* the stack ends with: key, object, __index */
        if (lua_isfunction(L, -1)) {
            lua_rotate(L, -3, 1);
            lua_insert(L, -2);
            lua_callk(L, 2, 1, ctx, k);
            return;
        }
        lua_replace(L, -2);
    }
    lua_settop(L, key);
    lua_gettable(L, idx); /* goes the same way, and raises the error */
}

void lc_op_item_slowly(lua_State *L, lua_Integer i, lua_KContext ctx, lua_KFunction k)
{
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushinteger(L, i);
    lc_op_get(L, 1, ctx, k);
}

/* The rest of lc_op_set_item: the object has no such item and this metatable, on top. */
static void set_slowly(lua_State *L, int idx, lua_Integer i, lua_KContext ctx, lua_KFunction k)
{
    if (chain_way(L, lua_gettop(L), LC_UP_NEWINDEX, LC_WAY_PLAIN) != LC_WAY_WAITS) {
        lua_pushvalue(L, idx);
        lua_seti(L, 1, i);
        return;
    }
    lc_handover_load(L, "set");
    lua_pushvalue(L, 1);
    lua_pushinteger(L, i);
    lua_pushvalue(L, idx);
    lua_callk(L, 3, 0, ctx, k);
}

void lc_op_set_item(lua_State *L, bool is_table, int idx, lua_Integer i, lua_KContext ctx,
                    lua_KFunction k)
{
    if ((is_table && lua_rawgeti(L, 1, i) != LUA_TNIL) || !lua_getmetatable(L, 1)) {
        lua_pushvalue(L, idx);
        lua_seti(L, 1, i); /* nothing is called; it may raise an error */
        return;
    }
    lua_pushvalue(L, lua_upvalueindex(LC_UP_NEWINDEX));
    if (lua_rawget(L, -2) != LUA_TFUNCTION) {
        lua_pop(L, 1);
        set_slowly(L, idx, i, ctx, k);
        return;
    }
    lua_pushvalue(L, 1);
    lua_pushinteger(L, i);
    lua_pushvalue(L, idx);
    lua_callk(L, 3, 0, ctx, k);
}
