/*
 * counter: lucio.counter, tables of how often something is there: {key = number}.
 * The words of a long text are counted in slots of their own (words.h), a Lua string is made for each one
 * that is different; patterns that are no class and `+` are counted in Lua (lua/lucio/counter.lua).
 * Invariant: a long loop stops in Lua code now and then, so that hooks reach it, and is charged to a budget.
 * Owner:     slots are userdata on the stack, tables of classes are kept with the functions.
 * Context:   tables are taken as they are, without metamethods; an error leaves a part of them done.
 */
#include <limits.h>
#include <stdio.h>

#include <lauxlib.h>

#include "budget.h"
#include "char_class.h"
#include "core.h"
#include "submodule.h"
#include "words.h"

/* Upvalues of the functions. */
enum { UP_PARTS = 2, UP_CLASSES, UP_COUNT = UP_CLASSES };

/* Bytes of a text between two stops, and keys of a table. */
#define PIECE_BYTES (256 * 1024)
#define PIECE_KEYS  4096

/* The words of a shorter text are counted in the Lua table at once. */
#define SHORT_TEXT 512
/* Slots, as powers of two: the least, the most in the beginning, the most of all; each time so many times more. */
#define BITS_MIN   6
#define BITS_BEGIN 12
#define BITS_MAX   18
#define BITS_MORE  2
/* A slot for so many bytes of the text, in the beginning. */
#define BYTES_PER_SLOT 8

/* Longer keys are cut in messages. */
#define KEY_TEXT_MAX 40

/* ---- one count ---- */

/* Raises TypeError for the value on top, with its key below: an argument's that is no count. [-0, +0, v] */
static int raise_no_count(lua_State *L, const char *what, int pos)
{
    char expected[KEY_TEXT_MAX + 32];

    lc_push_text(L, -2);
    snprintf(expected, sizeof expected, "number for key '%.*s'", KEY_TEXT_MAX, lua_tostring(L, -1));
    return lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, pos, expected, -2);
}

/* Adds the number on top to that of the key below it in the table at `into`, argument `pos`; `op` is LUA_OPADD or
 * LUA_OPSUB. [-2, +0, v] */
static void add(lua_State *L, int into, int op, const char *what, int pos)
{
    lua_pushvalue(L, -2);
    if (lua_rawget(L, into) == LUA_TNIL) {
        lua_pop(L, 1);
        if (op == LUA_OPSUB)
            lua_arith(L, LUA_OPUNM);
    } else {
        if (lua_type(L, -1) != LUA_TNUMBER) {
            lua_replace(L, -2);
            raise_no_count(L, what, pos);
        }
        if (op == LUA_OPADD && lua_isinteger(L, -1) && lua_isinteger(L, -2)) {
            /* the usual case; it wraps round as in Lua */
            lua_Unsigned sum =
                (lua_Unsigned)lua_tointeger(L, -1) + (lua_Unsigned)lua_tointeger(L, -2);

            lua_pop(L, 2);
            lua_pushinteger(L, (lua_Integer)sum);
        } else {
            lua_insert(L, -2);
            lua_arith(L, op);
        }
    }
    lua_rawset(L, into);
}

/* ---- stops in long loops ---- */

/* Hooks that signals have asked for run here, and may raise: a job that is stopped, Ctrl-C. [-0, +0, e] */
static void pause_in_lua(lua_State *L)
{
    lua_getfield(L, lua_upvalueindex(UP_PARTS), "pause");
    lua_call(L, 0, 0);
}

/* One more key of a table. [-0, +0, e] */
static void count_round(lua_State *L, int *rounds)
{
    if (++*rounds < PIECE_KEYS)
        return;
    lc_budget_charge(L, lc_host_of(L), *rounds);
    *rounds = 0;
    pause_in_lua(L);
}

/* ---- the words of a text ---- */

/* Adds all counts to the table at 3. [-0, +0, v] */
static void add_words(lua_State *L, const struct lc_words *words)
{
    const struct lc_word *word;
    size_t at = 0;

    while ((word = lc_words_next(words, &at)) != NULL) {
        lua_pushlstring(L, lc_word_bytes(word), (size_t)word->length);
        lua_pushinteger(L, (lua_Integer)word->count);
        add(L, 3, LUA_OPADD, "count", 3);
    }
}

/* New slots, which take the place of the value on top. [-0, +0, m] */
static void new_slots(lua_State *L, struct lc_words *words, unsigned bits)
{
    lc_words_use(words, lua_newuserdatauv(L, lc_words_size(bits), 0), bits);
    lua_replace(L, -2);
}

static unsigned first_bits(size_t length)
{
    unsigned bits = BITS_MIN;

    while (bits < BITS_BEGIN && length / BYTES_PER_SLOT >> bits > 0)
        bits++;
    return bits;
}

/* Gives a table that is full more slots, on top, after what it has was added to the counts. [-0, +0, v] */
static void grow(lua_State *L, struct lc_words *words)
{
    unsigned bits = words->bits + BITS_MORE;

    add_words(L, words);
    new_slots(L, words, bits < BITS_MAX ? bits : BITS_MAX);
}

/* Counts the runs of the class in the text at 1 in the table at 3. [-0, +0, e] */
static void count_runs(lua_State *L, const struct lc_char_class *class)
{
    struct lc_words_text text = {.has = class->has};
    struct lc_words words = {.bits = 0};
    size_t length;

    text.at = (const unsigned char *)lua_tolstring(L, 1, &length);
    text.end = text.at + length;
    lua_pushnil(L);
    if (length >= SHORT_TEXT)
        new_slots(L, &words, first_bits(length));
    while (text.at < text.end) {
        const unsigned char *from = text.at;
        const unsigned char *limit = text.end - from > PIECE_BYTES ? from + PIECE_BYTES : text.end;

        while (!lc_words_count(&words, &text, limit)) {
            lua_pushlstring(L, (const char *)text.word, text.length);
            lua_pushinteger(L, 1);
            add(L, 3, LUA_OPADD, "count", 3);
            if (words.used == words.room && words.bits > 0 && words.bits < BITS_MAX)
                grow(L, &words);
        }
        lc_budget_charge(L, lc_host_of(L), (int)(limit - from));
        if (limit < text.end)
            pause_in_lua(L);
    }
    add_words(L, &words);
}

/* ---- the functions ---- */

/* Raises TypeError unless there is a table, or nil where that is allowed. [-0, +0, v] */
static void check_table(lua_State *L, int idx, bool may_be_nil, const char *what,
                        const char *expected)
{
    if (!lua_istable(L, idx) && !(may_be_nil && lua_isnil(L, idx)))
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, idx, expected, idx);
}

/* The counts of the table at `from`, argument `pos`, into that at 1. [-0, +0, v] */
static void combine(lua_State *L, int from, int op, const char *what, int pos, int into_pos)
{
    int rounds = 0;

    lua_pushnil(L);
    while (lua_next(L, from)) {
        if (lua_type(L, -1) != LUA_TNUMBER)
            raise_no_count(L, what, pos);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        add(L, 1, op, what, into_pos);
        count_round(L, &rounds);
    }
    lc_budget_charge(L, lc_host_of(L), rounds);
}

/* merge(into, counts) -> into */
static int counter_merge(lua_State *L)
{
    lua_settop(L, 2);
    check_table(L, 1, false, "merge", "table");
    check_table(L, 2, false, "merge", "table");
    combine(L, 2, LUA_OPADD, "merge", 2, 1);
    lua_settop(L, 1);
    return 1;
}

/* subtract(into, counts) -> into */
static int counter_subtract(lua_State *L)
{
    lua_settop(L, 2);
    check_table(L, 1, false, "subtract", "table");
    check_table(L, 2, false, "subtract", "table");
    combine(L, 2, LUA_OPSUB, "subtract", 2, 1);
    lua_settop(L, 1);
    return 1;
}

/* count(text, pattern?, into?) -> counts */
static int counter_count(lua_State *L)
{
    const struct lc_char_class *class;

    lua_settop(L, 3);
    if (lua_type(L, 1) != LUA_TSTRING)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, "count", 1, "string", 1);
    if (lua_isnil(L, 2)) {
        lua_pushliteral(L, "%S+");
        lua_replace(L, 2);
    } else if (lua_type(L, 2) != LUA_TSTRING) {
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, "count", 2, "pattern as string", 2);
    }
    check_table(L, 3, true, "count", "table");
    class = lc_char_class_push(L, lua_upvalueindex(UP_CLASSES), 2);
    if (class != NULL) {
        if (lua_isnil(L, 3)) {
            lua_newtable(L);
            lua_replace(L, 3);
        }
        count_runs(L, class);
        lua_settop(L, 3);
        return 1;
    }
    lua_getfield(L, lua_upvalueindex(UP_PARTS), "matches");
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_call(L, 2, 1);
    if (lua_isnil(L, 3))
        return 1;
    lua_replace(L, 2);
    lua_replace(L, 1);
    combine(L, 2, LUA_OPADD, "count", 0, 3);
    lua_settop(L, 1);
    return 1;
}

/* count_items(list, into?) -> counts */
static int counter_count_items(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    lua_Integer n;
    int rounds = 0;

    lua_settop(L, 2);
    n = lc_check_list(L, 1, "count_items", 1);
    check_table(L, 2, true, "count_items", "table");
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_rawgeti(L, 1, i) == LUA_TNIL)
            lc_raise(L, host, LC_TYPE_ERROR, "bad argument #1 to 'count_items' (item %d is nil)",
                     (int)i);
        if (!lua_rawequal(L, -1, -1))
            lc_raise(L, host, LC_VALUE_ERROR,
                     "bad argument #1 to 'count_items' (item %d is not a number)", (int)i);
        lua_pushinteger(L, 1);
        add(L, 2, LUA_OPADD, "count_items", 2);
        count_round(L, &rounds);
    }
    lc_budget_charge(L, host, rounds);
    lua_settop(L, 2);
    return 1;
}

/* Pushes the sum of the counts at 1. NaN is no count where they are compared. [-0, +1, v] */
static void push_total(lua_State *L, const char *what, bool is_compared)
{
    int rounds = 0;

    lua_pushinteger(L, 0);
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        if (lua_type(L, -1) != LUA_TNUMBER)
            raise_no_count(L, what, 1);
        if (is_compared && !lua_rawequal(L, -1, -1))
            lc_raise_value(L, lc_host_of(L), what, 1, "a count is not a number");
        lua_pushvalue(L, -3);
        lua_arith(L, LUA_OPADD);
        lua_replace(L, -3);
        count_round(L, &rounds);
    }
    lc_budget_charge(L, lc_host_of(L), rounds);
}

/* total(counts) -> number */
static int counter_total(lua_State *L)
{
    lua_settop(L, 1);
    check_table(L, 1, false, "total", "table");
    push_total(L, "total", false);
    return 1;
}

/* most_common(counts, n?) -> {{key, number}, ...} */
static int counter_most_common(lua_State *L)
{
    lua_settop(L, 2);
    check_table(L, 1, false, "most_common", "table");
    if (!lua_isnil(L, 2) && lc_check_integer(L, 2, "most_common", 2) < 0)
        lc_raise_value(L, lc_host_of(L), "most_common", 2, "must be 0 or more");
    /* more than there can be */
    if (lua_tointeger(L, 2) > INT_MAX) {
        lua_pushnil(L);
        lua_replace(L, 2);
    }
    push_total(L, "most_common", true);
    lua_getfield(L, lua_upvalueindex(UP_PARTS), "most_common");
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_call(L, 2, 1);
    return 1;
}

/* (parts): the module, whose functions call those parts that are in Lua. They are functions in C, so that they
 * go to workers by name. */
static int make_module(lua_State *L)
{
    static const luaL_Reg functions[] = {{"count", counter_count},
                                         {"count_items", counter_count_items},
                                         {"merge", counter_merge},
                                         {"most_common", counter_most_common},
                                         {"subtract", counter_subtract},
                                         {"total", counter_total},
                                         {NULL, NULL}};

    luaL_newlibtable(L, functions);
    lua_pushlightuserdata(L, lc_host_of(L));
    lua_pushvalue(L, 1);
    lua_newtable(L);
    luaL_setfuncs(L, functions, UP_COUNT);
    return 1;
}

int lc_open_counter(lua_State *L)
{
    lua_pushlightuserdata(L, lc_host_of(L));
    lua_pushcclosure(L, make_module, 1);
    return 1;
}
