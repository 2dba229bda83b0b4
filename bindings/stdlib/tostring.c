/*
 * tostring: tostring and print whose __tostring may wait. The text takes the place of the argument, and
 * the original goes on with that.
 */
#include "tostring.h"

#include <lauxlib.h>

#include "standard.h"

bool lc_push_tostring(lua_State *L, int idx)
{
    int type = lua_type(L, idx);

    /* a __tostring of strings is the original's */
    if (type == LUA_TSTRING || !lua_getmetatable(L, idx))
        return false;
    lua_pushvalue(L, lua_upvalueindex(LC_UP_OWN));
    if (lua_rawget(L, -2) != LUA_TNIL && lc_standard_may_wait(L, lc_host_of(L))) {
        lua_replace(L, -2);
        return true;
    }
    lua_pop(L, 2);
    return false;
}

void lc_call_tostring(lua_State *L, int idx, lua_KContext ctx, lua_KFunction k)
{
    lua_pushvalue(L, idx);
    lua_callk(L, 1, 1, ctx, k);
}

void lc_tostring_end(lua_State *L, int idx)
{
    if (lua_tolstring(L, -1, NULL) == NULL)
        luaL_error(L, "'__tostring' must return a string");
    lua_replace(L, idx);
}

void lc_replace_tostring(lua_State *L, struct lc_host *host, const char *name,
                         lua_CFunction function)
{
    if (lc_standard_replace(L, host, name, function)) {
        lua_getfield(L, -1, name);
        lua_pushliteral(L, "__tostring");
        lua_setupvalue(L, -2, LC_UP_OWN);
        lua_pop(L, 1);
    }
}

bool lc_has_tostring(lua_State *L, int idx)
{
    bool has;

    if (!lua_getmetatable(L, idx))
        return false;
    lua_pushvalue(L, lua_upvalueindex(LC_UP_OWN));
    has = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 2);
    return has;
}

/* ---- tostring ---- */

static int tostring_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    lc_tostring_end(L, 1);
    lua_settop(L, 1);
    return 1;
}

/* tostring(value) -> text */
static int standard_tostring(lua_State *L)
{
    if (!lc_push_tostring(L, 1))
        return lc_standard_original(L);
    lc_call_tostring(L, 1, 0, tostring_k);
    return tostring_k(L, LUA_OK, 0);
}

/* ---- print ---- */

static int print_k(lua_State *L, int status, lua_KContext idx);

/* Makes texts of the arguments from `idx` on, then prints: lines of several tasks do not mix. */
static int print_from(lua_State *L, int idx)
{
    int n = lua_gettop(L);

    for (; idx <= n; idx++) {
        if (lc_push_tostring(L, idx)) {
            lua_pushliteral(L, "");
            if (lc_has_tostring(L, -1)) {
                lua_settop(L, n);
                break;
            }
            lua_pop(L, 1);
            lc_call_tostring(L, idx, idx, print_k);
            lc_tostring_end(L, idx);
        }
    }
    return lc_standard_original(L);
}

static int print_k(lua_State *L, int status, lua_KContext idx)
{
    (void)status;
    lc_tostring_end(L, (int)idx);
    return print_from(L, (int)idx + 1);
}

/* print(...) */
static int standard_print(lua_State *L)
{
    return print_from(L, 1);
}

void lc_open_tostring(lua_State *L, struct lc_host *host)
{
    lc_replace_tostring(L, host, "tostring", standard_tostring);
    lc_replace_tostring(L, host, "print", standard_print);
}
