/*
 * sandbox: what keeps code that nobody trusts from stalling its host, or reaching past it.
 * A budget counts instructions of Lua; here are the functions of Lua's libraries in C that could run
 * for ever between two of them: they are charged for their loops, or refuse what no program needs.
 */
#include "sandbox.h"

#include <limits.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "budget.h"
#include "error.h"
#include "host.h"

/* Upvalue 2 is Lua's own function. */
static int call_original(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Charges n rounds of a loop in C. */
static void charge_rounds(lua_State *L, lua_Integer n)
{
    lc_budget_charge(L, lc_host_of(L), n > INT_MAX ? INT_MAX : n > 0 ? (int)n : 0);
}

/* string.rep: a long repetition of nothing takes no memory, but time. */
static int string_rep(lua_State *L)
{
    size_t length, separator = 0;
    lua_Integer n;

    luaL_checklstring(L, 1, &length);
    n = luaL_checkinteger(L, 2);
    luaL_optlstring(L, 3, "", &separator);
    if (n > 0 && length + separator == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    charge_rounds(L, n);
    return call_original(L);
}

/* table.move(a, from, to, ...) */
static int table_move(lua_State *L)
{
    lua_Integer from = luaL_checkinteger(L, 2), to = luaL_checkinteger(L, 3);

    if (to >= from)
        charge_rounds(L, from > 0 || to < LUA_MAXINTEGER + from ? to - from : LUA_MAXINTEGER);
    return call_original(L);
}

/* table.insert, remove, concat, sort, unpack: a length may be any number that __len gives. */
static int charge_length(lua_State *L)
{
    if (luaL_getmetafield(L, 1, "__len") != LUA_TNIL) {
        lua_pop(L, 1);
        charge_rounds(L, luaL_len(L, 1));
    }
    return call_original(L);
}

/* table.concat(list, separator, first, last), table.unpack(list, first, last): also by their arguments */
static int table_concat(lua_State *L)
{
    lua_Integer first = luaL_optinteger(L, 3, 1);

    if (!lua_isnoneornil(L, 4)) {
        lua_Integer last = luaL_checkinteger(L, 4);

        if (last >= first)
            charge_rounds(L, first > 0 || last < LUA_MAXINTEGER + first ? last - first
                                                                        : LUA_MAXINTEGER);
    }
    return charge_length(L);
}

/* ---- what a closed-in script does not get ---- */

/* setmetatable without __gc: finalizers run where no budget counts. */
static int no_finalizers(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TTABLE) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            lc_raise(L, lc_host_of(L), LC_PERMISSION_ERROR,
                     "setmetatable: finalizers (__gc) are not allowed here");
        lua_settop(L, 2);
    }
    return call_original(L);
}

/* load(chunk, name, mode, env): text only. */
static int text_load(lua_State *L)
{
    bool has_env = lua_gettop(L) >= 4;

    lua_settop(L, 4);
    lua_pushliteral(L, "t");
    lua_replace(L, 3);
    if (!has_env)
        lua_settop(L, 3);
    return call_original(L);
}

/* collectgarbage: what looks and what collects, but no settings. */
static int collect(lua_State *L)
{
    const char *what = luaL_optstring(L, 1, "collect");

    if (strcmp(what, "collect") != 0 && strcmp(what, "count") != 0 && strcmp(what, "step") != 0 &&
        strcmp(what, "isrunning") != 0)
        lc_raise(L, lc_host_of(L), LC_PERMISSION_ERROR, "collectgarbage: '%s' is not allowed here",
                 what);
    lua_settop(L, 1);
    return call_original(L);
}

void lc_sandbox_replace(lua_State *L, struct lc_host *host, const char *name,
                        const luaL_Reg *functions)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, name) == LUA_TTABLE) {
        for (; functions->name != NULL; functions++) {
            lua_pushlightuserdata(L, host);
            if (lua_getfield(L, -2, functions->name) == LUA_TFUNCTION) {
                lua_pushcclosure(L, functions->func, 2);
                lua_setfield(L, -2, functions->name);
            } else {
                lua_pop(L, 2);
            }
        }
    }
    lua_pop(L, 2);
}

void lc_sandbox_open(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg strings[] = {{"rep", string_rep}, {NULL, NULL}};
    static const luaL_Reg tables[] = {{"move", table_move},      {"insert", charge_length},
                                      {"remove", charge_length}, {"sort", charge_length},
                                      {"concat", table_concat},  {NULL, NULL}};

    luaL_checkstack(L, 10, NULL);
    lc_sandbox_replace(L, host, LUA_STRLIBNAME, strings);
    lc_sandbox_replace(L, host, LUA_TABLIBNAME, tables);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_STRLIBNAME) == LUA_TTABLE)
        lc_sandbox_open_search(L, host);
    lua_pop(L, 2);
}

void lc_sandbox_close_in(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg globals[] = {{"setmetatable", no_finalizers},
                                       {"load", text_load},
                                       {"collectgarbage", collect},
                                       {NULL, NULL}};
    static const char *const gone[] = {"dofile", "loadfile", "warn", NULL};

    luaL_checkstack(L, 10, NULL);
    host->sandboxed = true;
    lc_sandbox_replace(L, host, LUA_GNAME, globals);
    lua_pushglobaltable(L);
    for (size_t i = 0; gone[i] != NULL; i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, gone[i]);
    }
    lua_pop(L, 1);
}
