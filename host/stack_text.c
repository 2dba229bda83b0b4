#include "stack_text.h"

#include <stdbool.h>
#include <string.h>

#include <lauxlib.h>

/* Of a deep stack only the first and the last levels are shown, as in lauxlib.c. */
#define FIRST_LEVELS 10
#define LAST_LEVELS  11

/* Registry key of the hidden functions, function -> its line in a text of luaL_traceback; its address is
 * the key. */
static const char hidden_key;

void lc_stack_text_hide(lua_State *L)
{
    lua_Debug ar;

    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &hidden_key) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &hidden_key);
    }
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -1);
    lua_getinfo(L, ">S", &ar);
    lua_pushfstring(L, "\n\t?: in function <?:%d>", ar.linedefined);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

void lc_stack_text_strip(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &hidden_key) == LUA_TTABLE) {
        lua_insert(L, -2);
        lua_pushnil(L);
        while (lua_next(L, -3) != 0) {
            if (strstr(lua_tostring(L, -3), lua_tostring(L, -1)) != NULL) {
                luaL_gsub(L, lua_tostring(L, -3), lua_tostring(L, -1), "");
                lua_replace(L, -4);
            }
            lua_pop(L, 1);
        }
        lua_replace(L, -2);
    } else {
        lua_pop(L, 1);
    }
}

static bool is_hidden(lua_State *L, lua_State *thread, lua_Debug *ar)
{
    bool found = false;

    if (ar->currentline > 0 || ar->what[0] != 'L' || !lua_checkstack(thread, 1))
        return false;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &hidden_key) == LUA_TTABLE) {
        lua_getinfo(thread, "f", ar);
        if (thread != L)
            lua_xmove(thread, L, 1);
        found = lua_rawget(L, -2) != LUA_TNIL;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return found;
}

static int last_level(lua_State *thread)
{
    lua_Debug ar;
    int low = 1, high = 1;

    while (lua_getstack(thread, high, &ar)) {
        low = high;
        high *= 2;
    }
    while (low < high) {
        int middle = (low + high) / 2;

        if (lua_getstack(thread, middle, &ar))
            low = middle + 1;
        else
            high = middle;
    }
    return high - 1;
}

/* Whether the table on top holds the function at `function`: under `name`, or where that is NULL
 * under any string. Leaves that string. [-0, +(0|1), m] */
static bool find_in_table(lua_State *L, int function, const char *name)
{
    if (name != NULL) {
        lua_pushstring(L, name);
        lua_pushvalue(L, -1);
        lua_rawget(L, -3);
        if (lua_rawequal(L, -1, function)) {
            lua_pop(L, 1);
            return true;
        }
        lua_pop(L, 2);
        return false;
    }
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        bool found = lua_type(L, -2) == LUA_TSTRING && lua_rawequal(L, -1, function);

        lua_pop(L, 1);
        if (found)
            return true;
    }
    return false;
}

/* Replaces the function on top by the name that it has in a loaded module, or nil. Looking for one
 * name costs a step for each module, for any name one for each function of them. [-1, +1, m] */
static void push_module_name(lua_State *L, const char *name)
{
    int function = lua_gettop(L);

    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushnil(L);
    while (lua_type(L, function + 1) == LUA_TTABLE && lua_next(L, function + 1) != 0) {
        if (lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TTABLE &&
            find_in_table(L, function, name)) {
            const char *module = lua_tostring(L, function + 2);

            if (strcmp(module, LUA_GNAME) != 0)
                lua_pushfstring(L, "%s.%s", module, lua_tostring(L, -1));
            lua_replace(L, function);
            lua_settop(L, function);
            return;
        }
        lua_pop(L, 1);
    }
    lua_settop(L, function - 1);
    lua_pushnil(L);
}

/* Pushes what the function of a level is called, or nil for a C function without a name. */
static void push_what(lua_State *L, lua_State *thread, lua_Debug *ar, bool outermost)
{
    bool named = ar->namewhat[0] != '\0';
    const char *kind = ar->namewhat;

    if (named && strcmp(kind, "global") == 0)
        kind = "function";
    if (ar->what[0] == 'C' && (kind != ar->namewhat || kind[0] == 'm')) {
        /* a global, a method or a metamethod */
        lua_pushfstring(L, "%s '%s'", kind, ar->name);
    } else if (ar->what[0] == 'C') {
        /* what a coroutine or a C program begins with is never found */
        if ((outermost && !named) || !lua_checkstack(thread, 1)) {
            lua_pushnil(L);
        } else {
            lua_getinfo(thread, "f", ar);
            if (thread != L)
                lua_xmove(thread, L, 1);
            push_module_name(L, named ? ar->name : NULL);
        }
        if (!lua_isnil(L, -1))
            lua_pushfstring(L, "function '%s'", lua_tostring(L, -1));
        else if (named)
            lua_pushfstring(L, "%s '%s'", kind, ar->name);
        else
            lua_pushnil(L);
        lua_replace(L, -2);
    } else if (named) {
        lua_pushfstring(L, "%s '%s'", kind, ar->name);
    } else if (ar->what[0] == 'm') {
        lua_pushliteral(L, "main chunk");
    } else {
        lua_pushfstring(L, "function <%s:%d>", ar->short_src, ar->linedefined);
    }
}

static void add_level(lua_State *L, luaL_Buffer *buffer, lua_State *thread, lua_Debug *ar,
                      bool outermost)
{
    lua_getinfo(thread, "Slnt", ar);
    if (is_hidden(L, thread, ar))
        return;
    push_what(L, thread, ar, outermost);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    if (ar->currentline > 0)
        lua_pushfstring(L, "\n\t%s:%d: in %s%s", ar->short_src, ar->currentline,
                        lua_tostring(L, -1), ar->istailcall ? "\n\t(...tail calls...)" : "");
    else
        lua_pushfstring(L, "\n\t%s: in %s%s", ar->short_src, lua_tostring(L, -1),
                        ar->istailcall ? "\n\t(...tail calls...)" : "");
    lua_replace(L, -2);
    luaL_addvalue(buffer);
}

void lc_stack_text_push(lua_State *L, lua_State *thread, int level)
{
    int last = last_level(thread);
    int skip_from = last - level > FIRST_LEVELS + LAST_LEVELS ? level + FIRST_LEVELS : -1;
    luaL_Buffer buffer;
    lua_Debug ar;

    luaL_buffinit(L, &buffer);
    while (lua_getstack(thread, level, &ar)) {
        if (level == skip_from) {
            int skipped = last - level - LAST_LEVELS + 1;

            lua_pushfstring(L, "\n\t...\t(skipping %d levels)", skipped);
            luaL_addvalue(&buffer);
            level += skipped;
            continue;
        }
        add_level(L, &buffer, thread, &ar, level == last);
        level++;
    }
    luaL_pushresult(&buffer);
}
