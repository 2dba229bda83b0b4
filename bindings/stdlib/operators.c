#include "operators.h"

#include <lauxlib.h>

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

/* Whether __index, which is on top, leads to a function, or to what is no table. */
static bool leads_to_call(lua_State *L, int type)
{
    for (int n = 0; n < CHAIN_MAX && type == LUA_TTABLE; n++) {
        if (!lua_getmetatable(L, -1))
            return false;
        lua_pushvalue(L, lua_upvalueindex(LC_UP_INDEX));
        type = lua_rawget(L, -2);
        lua_replace(L, -3);
        lua_pop(L, 1);
    }
    return type != LUA_TNIL;
}

bool lc_op_metatable_waits(lua_State *L, int abilities)
{
    struct lc_host *host = lc_host_of(L);
    int pushed = 1;
    bool calls = false;

    if (host->current == NULL) {
        lua_pop(L, 1);
        return false;
    }
    if (abilities & LC_HAS_LENGTH) {
        lua_pushvalue(L, lua_upvalueindex(LC_UP_LEN));
        calls = lua_rawget(L, -1 - pushed++) != LUA_TNIL;
    }
    if (!calls && (abilities & LC_CAN_WRITE)) {
        lua_pushvalue(L, lua_upvalueindex(LC_UP_NEWINDEX));
        calls = lua_rawget(L, -1 - pushed++) != LUA_TNIL;
    }
    if (!calls && (abilities & LC_CAN_READ)) {
        lua_pushvalue(L, lua_upvalueindex(LC_UP_INDEX));
        calls = leads_to_call(L, lua_rawget(L, -1 - pushed++));
    }
    lua_pop(L, pushed);
    return calls && lc_standard_may_wait(L, host);
}

void lc_op_len(lua_State *L, int idx, lua_KContext ctx, lua_KFunction k)
{
    if (lua_type(L, idx) == LUA_TSTRING || luaL_getmetafield(L, idx, "__len") == LUA_TNIL) {
        lua_len(L, idx);
        return;
    }
    lua_pushvalue(L, idx);
    lua_pushvalue(L, idx);
    lua_callk(L, 2, 1, ctx, k);
}

lua_Integer lc_op_length(lua_State *L)
{
    int is_integer;
    lua_Integer length = lua_tointegerx(L, -1, &is_integer);

    if (!is_integer)
        luaL_error(L, "object length is not an integer");
    lua_pop(L, 1);
    return length;
}

/* Calls the metamethod on top with both operands. */
static inline void call_binary(lua_State *L, int a, int b, lua_KContext ctx, lua_KFunction k)
{
    lua_pushvalue(L, a);
    lua_pushvalue(L, b - (b < 0));
    lua_callk(L, 2, 1, ctx, k);
}

/* Pushes the __lt of the value at `idx`. False: it has none. */
static inline bool push_less(lua_State *L, int idx)
{
    if (!lua_getmetatable(L, idx))
        return false;
    lua_pushvalue(L, lua_upvalueindex(LC_UP_LT));
    if (lua_rawget(L, -2) != LUA_TNIL) {
        lua_replace(L, -2);
        return true;
    }
    lua_pop(L, 2);
    return false;
}

void lc_op_less(lua_State *L, int a, int b, lua_KContext ctx, lua_KFunction k)
{
    int type = lua_type(L, a);

    if (((type == LUA_TNUMBER || type == LUA_TSTRING) && type == lua_type(L, b)) ||
        (!push_less(L, a) && !push_less(L, b)))
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

/* Pushes the __index of the value on top, if it has one. */
static bool push_index(lua_State *L)
{
    if (!lua_getmetatable(L, -1))
        return false;
    lua_pushvalue(L, lua_upvalueindex(LC_UP_INDEX));
    if (lua_rawget(L, -2) == LUA_TNIL) {
        lua_pop(L, 2);
        return false;
    }
    lua_replace(L, -2);
    return true;
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
        if (!push_index(L)) {
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

void lc_op_geti_slowly(lua_State *L, int idx, lua_Integer i, lua_KContext ctx, lua_KFunction k)
{
    int type;

    lua_pushvalue(L, lua_upvalueindex(LC_UP_INDEX));
    type = lua_rawget(L, -2);
    /* nil, metatable, __index: what is common is done here, with few calls */
    if (type == LUA_TFUNCTION) {
        lua_replace(L, -3);
        lua_pop(L, 1);
        lua_pushvalue(L, idx);
        lua_pushinteger(L, i);
        lua_callk(L, 2, 1, ctx, k);
        return;
    }
    if (type == LUA_TTABLE && (lua_rawgeti(L, -1, i) != LUA_TNIL || !lua_getmetatable(L, -2))) {
        lua_replace(L, -4);
        lua_pop(L, 2);
        return;
    }
    if (type == LUA_TNIL && lua_type(L, idx) == LUA_TTABLE) {
        lua_pop(L, 2);
        return;
    }
    lua_pop(L, type == LUA_TTABLE ? 5 : 3);
    lua_pushinteger(L, i);
    lc_op_get(L, idx, ctx, k);
}

/* Pushes the __newindex of the value on top. */
static int push_newindex(lua_State *L)
{
    int type;

    if (!lua_getmetatable(L, -1)) {
        lua_pushnil(L);
        return LUA_TNIL;
    }
    lua_pushvalue(L, lua_upvalueindex(LC_UP_NEWINDEX));
    type = lua_rawget(L, -2);
    lua_replace(L, -2);
    return type;
}

static bool is_set(lua_State *L, int idx, lua_Integer i)
{
    bool set = lua_rawgeti(L, idx, i) != LUA_TNIL;

    lua_pop(L, 1);
    return set;
}

void lc_op_seti_slowly(lua_State *L, int idx, lua_Integer i, lua_KContext ctx, lua_KFunction k)
{
    int type = LUA_TNIL;
    bool found = false;

    lua_pushvalue(L, idx);
    /* the stack ends with: value, an object without the key */
    for (int n = 0; n < CHAIN_MAX && !found; n++) {
        type = push_newindex(L);
        if (type == LUA_TFUNCTION) {
            lua_insert(L, -3);
            lua_insert(L, -2);
            lua_pushinteger(L, i);
            lua_insert(L, -2);
            lua_callk(L, 3, 0, ctx, k);
            return;
        }
        if (type == LUA_TNIL) {
            lua_pop(L, 1);
            found = lua_type(L, -1) == LUA_TTABLE;
            break;
        }
        lua_replace(L, -2);
        found = type == LUA_TTABLE && is_set(L, -1, i);
    }
    if (found) {
        lua_insert(L, -2);
        lua_rawseti(L, -2, i);
        lua_pop(L, 1);
    } else {
        lua_pop(L, 1);
        lua_seti(L, idx, i); /* goes the same way, and raises the error */
    }
}
