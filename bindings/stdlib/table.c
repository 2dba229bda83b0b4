/*
 * table: insert, remove, move, concat and unpack over objects whose metamethods may wait. What has no
 * metatable goes to the original. Else an operation is a loop over get and set that may be left and
 * entered again after each of them: the index is the continuation's context, all else is on the stack.
 */
#include <limits.h>

#include <lauxlib.h>

#include "operators.h"
#include "standard.h"

_Static_assert(sizeof(lua_KContext) >= sizeof(lua_Integer), "an index fits into a context");

/* What insert and remove do with their object. */
#define CHANGES (LC_CAN_READ | LC_CAN_WRITE | LC_HAS_LENGTH)

/* The argument that remove's error names; Lua 5.4.4 and before blame the table. */
#define REMOVE_POSITION (LUA_VERSION_RELEASE_NUM <= 50404 ? 1 : 2)

/* So many items fit into the stack that every function has. */
#define RAW_MAX 16

/* ---- insert ---- */

static int insert_got_k(lua_State *L, int status, lua_KContext ctx);
static int insert_set_k(lua_State *L, int status, lua_KContext ctx);

static int insert_done_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 0;
}

/* Stack: object, position, value; `got`: the item that becomes item i. */
static int insert_move(lua_State *L, lua_Integer i, bool got)
{
    lua_Integer pos = lua_tointeger(L, 2);

    for (; i > pos; i--, got = false) {
        if (!got)
            lc_op_geti(L, 1, i - 1, i, insert_got_k);
        lc_op_seti(L, 1, i, i, insert_set_k);
    }
    lc_op_seti(L, 1, pos, 0, insert_done_k);
    return 0;
}

static int insert_got_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    return insert_move(L, ctx, true);
}

static int insert_set_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    return insert_move(L, ctx - 1, false);
}

static int insert_length_k(lua_State *L, int status, lua_KContext ctx)
{
    lua_Integer free = luaL_intop(+, lc_op_length(L), 1), pos = free;

    (void)status;
    (void)ctx;
    switch (lua_gettop(L)) {
    case 2:
        lua_pushinteger(L, pos);
        lua_insert(L, 2);
        break;
    case 3:
        pos = luaL_checkinteger(L, 2);
        luaL_argcheck(L, (lua_Unsigned)pos - 1u < (lua_Unsigned)free, 2, "position out of bounds");
        break;
    default:
        return luaL_error(L, "wrong number of arguments to 'insert'");
    }
    return insert_move(L, free, false);
}

/* Whether the metatable at `idx` has not got that metamethod. Pushes something. */
static inline bool lacks(lua_State *L, int idx, enum lc_upvalue name)
{
    lua_pushvalue(L, lua_upvalueindex(name));
    return lua_rawget(L, idx) == LUA_TNIL;
}

/* table.insert(object, position, value), table.insert(object, value) */
static int table_insert(lua_State *L)
{
    if (!lua_getmetatable(L, 1))
        return lc_standard_original(L);
    if (lua_gettop(L) == 3) {
        if (lua_type(L, 1) == LUA_TTABLE && lacks(L, 3, LC_UP_LEN) && lacks(L, 3, LC_UP_NEWINDEX)) {
            /* an object of a class: nothing is called */
            lua_settop(L, 2);
            lua_rawseti(L, 1, luaL_intop(+, (lua_Integer)lua_rawlen(L, 1), 1));
            return 0;
        }
        lua_settop(L, 3);
    }
    if (!lc_op_metatable_waits(L, CHANGES) || !lc_op_is_able(L, 1, CHANGES))
        return lc_standard_original(L);
    lc_op_len(L, 1, 0, insert_length_k);
    return insert_length_k(L, LUA_OK, 0);
}

/* ---- remove ---- */

static int remove_got_k(lua_State *L, int status, lua_KContext ctx);
static int remove_set_k(lua_State *L, int status, lua_KContext ctx);

static int remove_done_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 1;
}

/* Stack: object, length, the removed item; `got`: the item that becomes item i. */
static int remove_move(lua_State *L, lua_Integer i, bool got)
{
    lua_Integer length = lua_tointeger(L, 2);

    for (; i < length; i++, got = false) {
        if (!got)
            lc_op_geti(L, 1, i + 1, i, remove_got_k);
        lc_op_seti(L, 1, i, i, remove_set_k);
    }
    lua_pushnil(L);
    lc_op_seti(L, 1, i, 0, remove_done_k);
    return 1;
}

static int remove_got_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    return remove_move(L, ctx, true);
}

static int remove_set_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    return remove_move(L, ctx + 1, false);
}

/* The removed item is on top. */
static int remove_first_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    return remove_move(L, ctx, false);
}

static int remove_length_k(lua_State *L, int status, lua_KContext ctx)
{
    lua_Integer length = lc_op_length(L);
    lua_Integer pos = luaL_optinteger(L, 2, length);

    (void)status;
    (void)ctx;
    if (pos != length)
        luaL_argcheck(L, (lua_Unsigned)pos - 1u <= (lua_Unsigned)length, REMOVE_POSITION,
                      "position out of bounds");
    lua_settop(L, 1);
    lua_pushinteger(L, length);
    lc_op_geti(L, 1, pos, pos, remove_first_k);
    return remove_first_k(L, LUA_OK, pos);
}

/* table.remove(object, position) */
static int table_remove(lua_State *L)
{
    if (!lua_getmetatable(L, 1))
        return lc_standard_original(L);
    if (lua_gettop(L) == 2) {
        if (lua_type(L, 1) == LUA_TTABLE && lacks(L, 2, LC_UP_LEN)) {
            lua_Integer length = (lua_Integer)lua_rawlen(L, 1);

            if (length > 0 && lua_rawgeti(L, 1, length) != LUA_TNIL) {
                lua_pushnil(L);
                lua_rawseti(L, 1, length);
                return 1;
            }
        }
        lua_settop(L, 2);
    }
    if (!lc_op_metatable_waits(L, CHANGES) || !lc_op_is_able(L, 1, CHANGES))
        return lc_standard_original(L);
    lc_op_len(L, 1, 0, remove_length_k);
    return remove_length_k(L, LUA_OK, 0);
}

/* ---- move ---- */

static int move_got_k(lua_State *L, int status, lua_KContext ctx);
static int move_set_k(lua_State *L, int status, lua_KContext ctx);

/* Stack: source, first, last, target, destination, whether the last item goes first; `i` counts from
 * 0, `got`: the item is on top. */
static int move_items(lua_State *L, lua_Integer i, bool got)
{
    lua_Integer first = lua_tointeger(L, 2), last = lua_tointeger(L, 3);
    lua_Integer target = lua_tointeger(L, 4);
    lua_Integer step = lua_toboolean(L, 6) ? -1 : 1;

    for (; i >= 0 && i <= last - first; i += step, got = false) {
        if (!got)
            lc_op_geti(L, 1, first + i, i, move_got_k);
        lc_op_seti(L, 5, target + i, i, move_set_k);
    }
    lua_pushvalue(L, 5);
    return 1;
}

static int move_got_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    return move_items(L, ctx, true);
}

static int move_set_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    return move_items(L, ctx + (lua_toboolean(L, 6) ? -1 : 1), false);
}

/* Whether source and destination, which overlap, are the same object is on top. */
static int move_same_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return move_items(L, lua_toboolean(L, 6) ? lua_tointeger(L, 3) - lua_tointeger(L, 2) : 0,
                      false);
}

/* Whether the arguments are such that items move, to the object at `to`. */
static bool can_move(lua_State *L, int to)
{
    int is_first, is_last, is_target;
    lua_Integer first = lua_tointegerx(L, 2, &is_first), last = lua_tointegerx(L, 3, &is_last);
    lua_Integer target = lua_tointegerx(L, 4, &is_target);

    return is_first && is_last && is_target && lc_op_is_able(L, 1, LC_CAN_READ) &&
           lc_op_is_able(L, to, LC_CAN_WRITE) && last >= first &&
           (first > 0 || last < LUA_MAXINTEGER + first) &&
           target <= LUA_MAXINTEGER - (last - first + 1) + 1;
}

static int table_move(lua_State *L)
{
    int to = lua_isnoneornil(L, 5) ? 1 : 5;
    lua_Integer target;

    if ((!lc_op_waits(L, 1, LC_CAN_READ) && !lc_op_waits(L, to, LC_CAN_WRITE)) || !can_move(L, to))
        return lc_standard_original(L);
    lua_settop(L, 5);
    lua_pushvalue(L, to);
    lua_replace(L, 5);
    target = lua_tointeger(L, 4);
    if (target > lua_tointeger(L, 3) || target <= lua_tointeger(L, 2))
        lua_pushboolean(L, 0);
    else
        lc_op_equal(L, 1, 5, 0, move_same_k);
    return move_same_k(L, LUA_OK, 0);
}

/* ---- unpack ---- */

/* Stack: object, first, last, then the items up to item `ctx`. */
static int unpack_k(lua_State *L, int status, lua_KContext ctx)
{
    lua_Integer last = lua_tointeger(L, 3);
    lua_Integer i = ctx;

    (void)status;
    while (i < last) {
        i++;
        lc_op_geti(L, 1, i, i, unpack_k);
    }
    return lua_gettop(L) - 3;
}

/* Stack: object, first, last. */
static int unpack_range(lua_State *L)
{
    lua_Integer first = luaL_optinteger(L, 2, 1), last = luaL_checkinteger(L, 3);
    lua_Unsigned n = (lua_Unsigned)last - (lua_Unsigned)first;

    if (first > last)
        return 0;
    if (n >= (unsigned)INT_MAX || !lua_checkstack(L, (int)n + 1))
        return luaL_error(L, "too many results to unpack");
    lc_op_geti(L, 1, first, first, unpack_k);
    return unpack_k(L, LUA_OK, first);
}

/* The length is on top. */
static int unpack_length_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    lua_pushinteger(L, lc_op_length(L));
    lua_replace(L, 3);
    return unpack_range(L);
}

/* Pushes all items of the table at 1, an object of a class without __len, as long as none is missing:
 * nothing is called. */
static bool unpack_raw(lua_State *L)
{
    lua_Integer length = (lua_Integer)lua_rawlen(L, 1);

    if (length > RAW_MAX)
        return false;
    for (lua_Integer i = 1; i <= length; i++) {
        if (lua_rawgeti(L, 1, i) == LUA_TNIL)
            return false;
    }
    return true;
}

/* table.unpack(object, first, last) */
static int table_unpack(lua_State *L)
{
    if (!lua_getmetatable(L, 1))
        return lc_standard_original(L);
    if (lua_gettop(L) == 2) {
        if (lua_type(L, 1) == LUA_TTABLE && lacks(L, 2, LC_UP_LEN) && unpack_raw(L))
            return lua_gettop(L) - 3;
        lua_settop(L, 2);
    }
    if (!lc_op_metatable_waits(L, LC_CAN_READ | LC_HAS_LENGTH))
        return lc_standard_original(L);
    luaL_optinteger(L, 2, 1);
    if (!lua_isnoneornil(L, 3)) {
        luaL_checkinteger(L, 3);
        lua_settop(L, 3);
        return unpack_range(L);
    }
    lua_settop(L, 3);
    lc_op_len(L, 1, 0, unpack_length_k);
    return unpack_length_k(L, LUA_OK, 0);
}

/* ---- concat ---- */

/* Room for so many pieces is made at once. */
#define PIECES_MAX 1000

static int concat_got_k(lua_State *L, int status, lua_KContext ctx);

/* Stack: object, separator, first, last, the pieces so far; `got`: item i is on top. */
static int concat_items(lua_State *L, lua_Integer i, bool got)
{
    lua_Integer first = lua_tointeger(L, 3), last = lua_tointeger(L, 4);

    for (; i <= last; i++, got = false) {
        if (!got)
            lc_op_geti(L, 1, i, i, concat_got_k);
        if (!lua_isstring(L, -1))
            luaL_error(L, "invalid value (%s) at index %I in table for 'concat'",
                       luaL_typename(L, -1), (LUAI_UACINT)i);
        lua_rawseti(L, 5, i - first + 1);
        if (i == last)
            break;
    }
    lua_replace(L, 1);
    lua_pushinteger(L, 1);
    lua_replace(L, 3);
    lua_pushinteger(L, last < first ? 0 : last - first + 1);
    lua_replace(L, 4);
    return lc_standard_original(L);
}

static int concat_got_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    return concat_items(L, ctx, true);
}

/* The length is on top. */
static int concat_length_k(lua_State *L, int status, lua_KContext ctx)
{
    lua_Integer length = lc_op_length(L), first;

    (void)status;
    (void)ctx;
    luaL_optlstring(L, 2, "", NULL);
    first = luaL_optinteger(L, 3, 1);
    length = luaL_optinteger(L, 4, length);
    lua_settop(L, 2);
    lua_pushinteger(L, first);
    lua_pushinteger(L, length);
    lua_createtable(L, length >= first && length - first < PIECES_MAX ? length - first + 1 : 0, 0);
    return concat_items(L, first, false);
}

static int table_concat(lua_State *L)
{
    if (!lc_op_waits(L, 1, LC_CAN_READ | LC_HAS_LENGTH) ||
        !lc_op_is_able(L, 1, LC_CAN_READ | LC_HAS_LENGTH))
        return lc_standard_original(L);
    lc_op_len(L, 1, 0, concat_length_k);
    return concat_length_k(L, LUA_OK, 0);
}

void lc_open_table(lua_State *L, struct lc_host *host)
{
    lc_standard_replace(L, host, "concat", table_concat);
    lc_standard_replace(L, host, "insert", table_insert);
    lc_standard_replace(L, host, "move", table_move);
    lc_standard_replace(L, host, "remove", table_remove);
    lc_standard_replace(L, host, "unpack", table_unpack);
}
