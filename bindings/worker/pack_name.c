/*
 * pack_name: values that the other state has, too, and finds by a name: modules, their C functions, classes
 * of errors.
 */
#include "packer.h"

#include <lauxlib.h>

#include "core.h"
#include "crossing.h"

/* More classes below each other are a circle. */
#define CLASS_DEPTH 200

/* If the object at `idx` is the value of a loaded module: packs its name. */
bool lc_put_module(struct lc_packer *packer, int idx)
{
    lua_State *L = packer->L;
    int top = lua_gettop(L);
    bool found = false;

    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushnil(L);
    while (!found && lua_next(L, top + 1)) {
        found = lua_rawequal(L, -1, idx) && lua_type(L, -2) == LUA_TSTRING;
        lua_pop(L, 1);
    }
    if (found) {
        lc_put_tag(packer, LC_TAG_MODULE);
        lc_put_string(packer, -1);
    }
    lua_settop(L, top);
    return found;
}

/* Whether the table on top has the function at `idx`: leaves its key. [-0, +(0|1), m] */
static bool find_field(lua_State *L, int idx)
{
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        bool found = lua_rawequal(L, -1, idx) && lua_type(L, -2) == LUA_TSTRING;

        lua_pop(L, 1);
        if (found)
            return true;
    }
    return false;
}

/* If the C function at `idx` is a field of a loaded module: packs both names. */
bool lc_put_c_function(struct lc_packer *packer, int idx)
{
    lua_State *L = packer->L;
    int top = lua_gettop(L);
    bool found = false;

    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushnil(L);
    while (!found && lua_next(L, -2)) {
        if (lua_type(L, -1) == LUA_TTABLE && lua_type(L, -2) == LUA_TSTRING && find_field(L, idx)) {
            lc_put_tag(packer, LC_TAG_FIELD);
            lc_put_string(packer, -3);
            lc_put_string(packer, -1);
            found = true;
        } else {
            lua_pop(L, 1);
        }
    }
    lua_settop(L, top);
    return found;
}

/* Replaces the class on top by its parent; one that a script has spoilt raises. [-1, +1, v] */
static void push_parent(struct lc_packer *packer, size_t depth)
{
    lua_State *L = packer->L;

    lua_pushliteral(L, "parent");
    lua_rawget(L, -2);
    lua_replace(L, -2);
    if (!lc_is_class(L, -1) || depth > CLASS_DEPTH)
        lc_raise(L, packer->host, LC_TYPE_ERROR,
                 "a class of errors that is below none of lucio's cannot be passed to a worker");
}

/* A class: how many of its line are no class of lucio's, each with key and name; then one that is. */
void lc_put_class(struct lc_packer *packer, int idx)
{
    lua_State *L = packer->L;
    int top = lua_gettop(L), class;
    size_t depth = 0;

    luaL_checkstack(L, 8, NULL);
    lc_put_tag(packer, LC_TAG_CLASS);
    lua_pushvalue(L, idx);
    for (; (class = lc_class_number(L, packer->host, -1)) == 0; depth++)
        push_parent(packer, depth);
    lc_put_size(packer, (size_t) class);
    lc_put_size(packer, depth);
    lua_pushvalue(L, idx);
    for (; depth > 0; depth--) {
        lc_crossing_push_key(L, packer->host, -1);
        lc_put_string(packer, -1);
        lua_pop(L, 1);
        lua_pushliteral(L, "name");
        lua_rawget(L, -2);
        lc_push_text(L, -1);
        lc_put_string(packer, -1);
        lua_pop(L, 2);
        push_parent(packer, 0);
    }
    lua_settop(L, top);
}
