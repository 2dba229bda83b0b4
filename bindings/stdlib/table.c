/*
 * table: insert, remove, move, concat and unpack over objects whose metamethods may wait. What has no
 * metatable goes to the original. Else the arguments are checked here, in the original's words, and a
 * function in Lua goes through the items.
 */
#include <limits.h>

#include <lauxlib.h>

#include "handover.h"
#include "operators.h"
#include "standard.h"
#include "text.h"

_Static_assert(sizeof(lua_KContext) >= sizeof(lua_Integer), "an index fits into a context");

/* What insert and remove do with their object. */
#define CHANGES (LC_CAN_READ | LC_CAN_WRITE | LC_HAS_LENGTH)

/* The argument that remove's error names; Lua 5.4.4 and before blame the table. */
#define REMOVE_POSITION (LUA_VERSION_RELEASE_NUM <= 50404 ? 1 : 2)

/* So many items fit into the stack that every function has. */
#define RAW_MAX 16

/* Whether the metatable at `idx` has not got that metamethod. Pushes something. */
static inline bool lacks(lua_State *L, int idx, enum lc_upvalue name)
{
    lua_pushvalue(L, lua_upvalueindex(name));
    return lua_rawget(L, idx) == LUA_TNIL;
}

/* Calls the __len of the object at 1, which is on top, if the task may wait in it. Where something is in the
 * way of that, it does what lua_len does: it is not asked for. */
static inline bool may_call_len(lua_State *L, lua_KContext n, lua_KFunction k)
{
    if (!lc_standard_is_in_task(L, lc_host_of(L)))
        return false;
    lc_op_call_len(L, n, k);
    return true;
}

/* ---- insert ---- */

static int insert_done_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 0;
}

/* The length is on top of n arguments and others. */
static int insert_length_k(lua_State *L, int status, lua_KContext n)
{
    lua_Integer free = luaL_intop(+, lc_op_length(L), 1), pos = free;

    (void)status;
    if (n == 3) {
        pos = luaL_checkinteger(L, 2);
        luaL_argcheck(L, (lua_Unsigned)pos - 1u < (lua_Unsigned)free, 2, "position out of bounds");
    } else if (n != 2) {
        return luaL_error(L, "wrong number of arguments to 'insert'");
    }
    if (pos == free) {
        lc_op_set_item(L, lua_type(L, 1) == LUA_TTABLE, (int)n, pos, 0, insert_done_k);
        return 0;
    }
    lc_handover_push(L, LC_UP_HELPER, "insert");
    lua_pushvalue(L, 1);
    lua_pushinteger(L, pos);
    lua_pushvalue(L, (int)n);
    lua_pushinteger(L, free);
    lua_callk(L, 4, 0, 0, insert_done_k);
    return 0;
}

/* The same for a table and a value for its end. */
static int append_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    lc_op_set_item(L, true, 2, luaL_intop(+, lc_op_length(L), 1), 0, insert_done_k);
    return 0;
}

/* table.insert(object, position, value), table.insert(object, value) */
static int table_insert(lua_State *L)
{
    int n;

    if (!lua_getmetatable(L, 1))
        return lc_standard_original(L);
    n = lua_gettop(L) - 1;
    if (n == 2 && lua_type(L, 1) == LUA_TTABLE) {
        if (!lacks(L, 3, LC_UP_LEN)) {
            if (may_call_len(L, 0, append_k))
                return append_k(L, LUA_OK, 0);
        } else if (lacks(L, 3, LC_UP_NEWINDEX)) {
            /* an object of a class: nothing is called */
            lua_settop(L, 2);
            lua_rawseti(L, 1, luaL_intop(+, (lua_Integer)lua_rawlen(L, 1), 1));
            return 0;
        }
        lua_settop(L, 3);
    }
    if (!lc_op_enters(L, CHANGES))
        return lc_standard_original(L);
    lc_op_enter_len(L, n, insert_length_k);
    return insert_length_k(L, LUA_OK, n);
}

/* ---- remove ---- */

/* The removed item is on top. */
static int remove_done_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 1;
}

/* The removed item is at `item`. */
static int remove_last_k(lua_State *L, int status, lua_KContext item)
{
    (void)status;
    lua_settop(L, (int)item);
    return 1;
}

/* Removes the item at `pos`, the end of the list, which is on top, at `item`. */
static inline int remove_last(lua_State *L, bool is_table, int item, lua_Integer pos)
{
    lua_pushnil(L);
    lc_op_set_item(L, is_table, item + 1, pos, item, remove_last_k);
    lua_settop(L, item);
    return 1;
}

static int remove_got_k(lua_State *L, int status, lua_KContext pos)
{
    (void)status;
    return remove_last(L, lua_type(L, 1) == LUA_TTABLE, lua_gettop(L), pos);
}

/* The length is on top of n arguments and others. */
static int remove_length_k(lua_State *L, int status, lua_KContext n)
{
    lua_Integer length = lc_op_length(L), pos = length;

    (void)status;
    if (n > 1) {
        pos = luaL_optinteger(L, 2, length);
        if (pos != length)
            luaL_argcheck(L, (lua_Unsigned)pos - 1u <= (lua_Unsigned)length, REMOVE_POSITION,
                          "position out of bounds");
    }
    if (pos >= length) {
        lc_op_item(L, lua_type(L, 1) == LUA_TTABLE, pos, pos, remove_got_k);
        return remove_got_k(L, LUA_OK, pos);
    }
    lc_handover_push(L, LC_UP_HELPER, "remove");
    lua_pushvalue(L, 1);
    lua_pushinteger(L, pos);
    lua_pushinteger(L, length);
    lua_callk(L, 3, 1, 0, remove_done_k);
    return 1;
}

/* Where a table's last item is: behind its metatable, its length and what lc_op_item pushes. */
#define LAST_ITEM 6

static int take_got_k(lua_State *L, int status, lua_KContext pos)
{
    (void)status;
    return remove_last(L, true, LAST_ITEM, pos);
}

/* The length of a table, whose last item is to be removed, is on top. */
static int take_length_k(lua_State *L, int status, lua_KContext ctx)
{
    lua_Integer length = lc_op_length(L);

    (void)status;
    (void)ctx;
    lc_op_item(L, true, length, length, take_got_k);
    return remove_last(L, true, LAST_ITEM, length);
}

/* table.remove(object, position) */
static int table_remove(lua_State *L)
{
    int n;

    if (!lua_getmetatable(L, 1))
        return lc_standard_original(L);
    n = lua_gettop(L) - 1;
    if (n == 1 && lua_type(L, 1) == LUA_TTABLE) {
        lua_Integer length = (lua_Integer)lua_rawlen(L, 1);
        bool has_last = length > 0 && lua_rawgeti(L, 1, length) != LUA_TNIL, has_len;

        has_len = !lacks(L, 2, LC_UP_LEN);
        if (has_last && !has_len) {
            /* an object of a class: nothing is called, and the nil on top is its last item from now on */
            lua_rawseti(L, 1, length);
            return 1;
        }
        if (length > 0)
            lua_replace(L, 3);
        if (has_len && may_call_len(L, 0, take_length_k))
            return take_length_k(L, LUA_OK, 0);
        lua_settop(L, 2);
    }
    if (!lc_op_enters(L, CHANGES))
        return lc_standard_original(L);
    lc_op_enter_len(L, n, remove_length_k);
    return remove_length_k(L, LUA_OK, n);
}

/* ---- move ---- */

static int move_done_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    lua_settop(L, 5);
    return 1;
}

struct range {
    lua_Integer first, last, target;
};

/* Stack: source, three integers, destination. */
static int move_range(lua_State *L, const struct range *range, bool backwards)
{
    lc_handover_push(L, LC_UP_HELPER, "move");
    lua_pushvalue(L, 1);
    lua_pushinteger(L, backwards ? range->last : range->first);
    lua_pushinteger(L, backwards ? range->first : range->last);
    lua_pushinteger(L, backwards ? -1 : 1);
    lua_pushinteger(L, luaL_intop(-, range->target, range->first));
    lua_pushvalue(L, 5);
    lua_callk(L, 6, 0, 0, move_done_k);
    return move_done_k(L, LUA_OK, 0);
}

/* Whether source and destination, which overlap, are the same object is on top. */
static int move_same_k(lua_State *L, int status, lua_KContext ctx)
{
    struct range range = {lua_tointeger(L, 2), lua_tointeger(L, 3), lua_tointeger(L, 4)};

    (void)status;
    (void)ctx;
    return move_range(L, &range, lua_toboolean(L, -1));
}

/* Whether the arguments are such that items move, to the object at `to`. */
static bool can_move(lua_State *L, int to, struct range *range)
{
    int is_first, is_last, is_target;

    range->first = lua_tointegerx(L, 2, &is_first);
    range->last = lua_tointegerx(L, 3, &is_last);
    range->target = lua_tointegerx(L, 4, &is_target);
    return is_first && is_last && is_target &&
           lc_op_is_able(L, 1, to == 1 ? LC_CAN_READ | LC_CAN_WRITE : LC_CAN_READ) &&
           (to == 1 || lc_op_is_able(L, to, LC_CAN_WRITE)) && range->last >= range->first &&
           (range->first > 0 || range->last < LUA_MAXINTEGER + range->first) &&
           range->target <= LUA_MAXINTEGER - (range->last - range->first + 1) + 1;
}

/* table.move(source, first, last, target, destination) -> destination */
static int table_move(lua_State *L)
{
    int to = lua_isnoneornil(L, 5) ? 1 : 5;
    enum lc_way way = lc_op_way(L, 1, to == 1 ? LC_CAN_READ | LC_CAN_WRITE : LC_CAN_READ);
    struct range range;

    if (to != 1 && way != LC_WAY_ODD) {
        enum lc_way to_way = lc_op_way(L, to, LC_CAN_WRITE);

        way = to_way != LC_WAY_PLAIN ? to_way : way;
    }
    if (way != LC_WAY_WAITS || !can_move(L, to, &range))
        return lc_standard_original(L);
    lua_settop(L, 5);
    if (to == 1)
        lua_copy(L, 1, 5);
    if (to == 1 || range.target > range.last || range.target <= range.first)
        return move_range(L, &range,
                          to == 1 && range.target > range.first && range.target <= range.last);
    lc_op_equal(L, 1, 5, 0, move_same_k);
    return move_range(L, &range, lua_toboolean(L, -1));
}

/* ---- unpack ---- */

/* So many items come at once: a loop that put them into a list would take longer. */
#define BLOCK 8

/* For those behind the last block, and for a call. */
#define STACK_ROOM (3 * BLOCK + LUA_MINSTACK)

static int unpack_k(lua_State *L, int status, lua_KContext n);

/* Stack: object, first, last, then the first n items of so many: whole blocks of them, behind those each
 * one with two other values below it. */
static int unpack_from(lua_State *L, lua_Integer first, int count, int n)
{
    int top = 3 + count - count % BLOCK;
    bool is_table;

    while (count - n >= BLOCK) {
        if (first + n == 1)
            lc_handover_push(L, LC_UP_OWN, "unpack_first");
        else
            lc_handover_push(L, LC_UP_HELPER, "unpack");
        lua_pushvalue(L, 1);
        lua_pushinteger(L, first + n);
        n += BLOCK;
        lua_callk(L, 2, BLOCK, n, unpack_k);
    }
    is_table = lua_type(L, 1) == LUA_TTABLE;
    while (n < count) {
        lua_Integer i = first + n++;

        lc_op_item(L, is_table, i, n, unpack_k);
    }
    for (int i = 1; i <= count % BLOCK; i++) {
        if (count < BLOCK)
            lua_pushvalue(L, top + 3 * i);
        else
            lua_copy(L, top + 3 * i, top + i);
    }
    if (count > BLOCK)
        lua_settop(L, 3 + count);
    return count;
}

static int unpack_k(lua_State *L, int status, lua_KContext n)
{
    lua_Integer first = lua_tointeger(L, 2);

    (void)status;
    return unpack_from(L, first, (int)(lua_tointeger(L, 3) - first) + 1, (int)n);
}

/* Whether the object at 1 has an __index that is a function. Pushes values. */
static bool calls_index(lua_State *L)
{
    if (!lua_getmetatable(L, 1))
        return false;
    lua_pushvalue(L, lua_upvalueindex(LC_UP_INDEX));
    return lua_rawget(L, -2) == LUA_TFUNCTION;
}

/* Replaces all but the object by the range. */
static int unpack_range(lua_State *L, lua_Integer first, lua_Integer last)
{
    lua_Unsigned n = (lua_Unsigned)last - (lua_Unsigned)first;

    if (first > last)
        return 0;
    lua_settop(L, 1);
    if (n >= (unsigned)INT_MAX - STACK_ROOM || !lua_checkstack(L, (int)n + 1 + STACK_ROOM))
        return luaL_error(L, "too many results to unpack");
    lua_pushinteger(L, first);
    lua_pushinteger(L, last);
    if (n >= BLOCK) {
        bool waits = calls_index(L) || lc_op_way(L, 1, LC_CAN_READ) == LC_WAY_WAITS;

        lua_settop(L, 3);
        if (!waits)
            return lc_standard_original(L);
    }
    return unpack_from(L, first, (int)n + 1, 0);
}

/* The length is on top. */
static int unpack_length_k(lua_State *L, int status, lua_KContext first)
{
    (void)status;
    return unpack_range(L, first, lc_op_length(L));
}

/* Pushes all items of the table at 1, an object of a class without __len, as long as none is missing:
 * nothing is called. Returns how many, or -1. */
static int unpack_raw(lua_State *L)
{
    lua_Unsigned length = lua_rawlen(L, 1);

    if (length > RAW_MAX)
        return -1;
    for (lua_Unsigned i = 1; i <= length; i++) {
        if (lua_rawgeti(L, 1, (lua_Integer)i) == LUA_TNIL)
            return -1;
    }
    return (int)length;
}

/* table.unpack(object, first, last) */
static int table_unpack(lua_State *L)
{
    lua_Integer first = 1;
    int n, raw;

    if (!lua_getmetatable(L, 1))
        return lc_standard_original(L);
    n = lua_gettop(L) - 1;
    if (n == 1 && lua_type(L, 1) == LUA_TTABLE) {
        if (!lacks(L, 2, LC_UP_LEN)) {
            if (may_call_len(L, first, unpack_length_k))
                return unpack_length_k(L, LUA_OK, first);
        } else if ((raw = unpack_raw(L)) >= 0) {
            return raw;
        }
        lua_settop(L, 2);
    }
    if (!lc_op_enters(L, LC_CAN_READ))
        return lc_standard_original(L);
    if (n > 1)
        first = luaL_optinteger(L, 2, 1);
    if (n > 2 && !lua_isnil(L, 3))
        return unpack_range(L, first, luaL_checkinteger(L, 3));
    lc_op_enter_len(L, first, unpack_length_k);
    return unpack_length_k(L, LUA_OK, first);
}

/* ---- concat ---- */

/* The stack while the items are put together. */
enum { SEPARATOR = 2, LAST, TEXT };

static int concat_k(lua_State *L, int status, lua_KContext i);

/* `got`: item i is on top. A function in Lua would gain nothing: it had to look at the type of each. */
static int concat_items(lua_State *L, lua_Integer i, bool got)
{
    lua_Integer last = lua_tointeger(L, LAST);
    bool is_table = lua_type(L, 1) == LUA_TTABLE;
    struct lc_text *text = lua_touserdata(L, TEXT);
    size_t separator_size, size;
    const char *separator = lua_tolstring(L, SEPARATOR, &separator_size), *piece;

    for (; i <= last; i++, got = false) {
        if (!got)
            lc_op_item(L, is_table, i, i, concat_k);
        piece = lua_tolstring(L, -1, &size);
        if (piece == NULL)
            luaL_error(L, "invalid value (%s) at index %I in table for 'concat'",
                       luaL_typename(L, -1), (LUAI_UACINT)i);
        text = lc_text_add(L, TEXT, text, piece, size);
        lua_settop(L, TEXT);
        if (i == last)
            break;
        text = lc_text_add(L, TEXT, text, separator, separator_size);
    }
    lc_text_end(L, TEXT, text);
    return 1;
}

static int concat_k(lua_State *L, int status, lua_KContext i)
{
    (void)status;
    return concat_items(L, i, true);
}

/* The length is on top of n arguments and others. */
static int concat_length_k(lua_State *L, int status, lua_KContext n)
{
    lua_Integer last = lc_op_length(L), first = 1;

    (void)status;
    lua_settop(L, (int)n);
    luaL_optlstring(L, SEPARATOR, "", NULL);
    if (n > 2) {
        first = luaL_optinteger(L, 3, 1);
        last = luaL_optinteger(L, 4, last);
        lua_settop(L, 2);
    }
    if (lua_isnoneornil(L, SEPARATOR)) {
        lua_settop(L, 1);
        lua_pushliteral(L, "");
    }
    lua_pushinteger(L, last);
    lc_text_push(L, sizeof(struct lc_text));
    return concat_items(L, first, false);
}

/* table.concat(object, separator, first, last) -> text */
static int table_concat(lua_State *L)
{
    int n = lua_gettop(L);

    if (!lua_getmetatable(L, 1) || !lc_op_enters(L, LC_CAN_READ | LC_HAS_LENGTH))
        return lc_standard_original(L);
    lc_op_enter_len(L, n, concat_length_k);
    return concat_length_k(L, LUA_OK, n);
}

void lc_open_table(lua_State *L, struct lc_host *host)
{
    lc_standard_replace(L, host, "concat", table_concat);
    lc_standard_replace(L, host, "insert", table_insert);
    lc_standard_replace(L, host, "move", table_move);
    lc_standard_replace(L, host, "remove", table_remove);
    lc_standard_replace(L, host, "unpack", table_unpack);
}
