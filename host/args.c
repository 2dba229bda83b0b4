#include "args.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "future.h"
#include "task.h"

const char *lc_type_name(lua_State *L, int idx)
{
    const char *name;

    if (lua_type(L, idx) == LUA_TNONE)
        return "no value";
    if (lua_type(L, idx) == LUA_TUSERDATA || lua_type(L, idx) == LUA_TTABLE) {
        if (luaL_getmetafield(L, idx, "__name") == LUA_TSTRING) {
            /* the metatable keeps the string alive */
            name = lua_tostring(L, -1);
            lua_pop(L, 1);
            return name;
        }
    }
    return luaL_typename(L, idx);
}

int lc_raise_argument(lua_State *L, struct lc_host *host, enum lc_class class, const char *what,
                      int pos, const char *expected, int idx)
{
    const char *name = lua_isnone(L, idx) ? "no value" : lc_type_name(L, idx);

    if (lua_isnone(L, idx) || lua_isnil(L, idx))
        name = "nil";
    lc_raise(L, host, class, "bad argument #%d to '%s' (%s expected, got %s)", pos, what, expected,
             name);
}

int lc_raise_value(lua_State *L, struct lc_host *host, const char *what, int pos,
                   const char *reason)
{
    lc_raise(L, host, LC_VALUE_ERROR, "bad argument #%d to '%s' (%s)", pos, what, reason);
}

static int raise_self(lua_State *L, const char *expected, const char *what)
{
    return lc_raise(L, lc_host_of(L), LC_TYPE_ERROR,
                    "calling '%s' on bad self (%s expected, got %s); is it called with ':'?", what,
                    expected, lc_type_name(L, 1));
}

void *lc_check_self(lua_State *L, const struct lc_type *type, const char *what)
{
    void *object = lc_to_object(L, 1, type);

    if (object == NULL)
        raise_self(L, type->name, what);
    return object;
}

struct lc_future *lc_check_future(lua_State *L, int idx, const char *what)
{
    struct lc_future *future = lc_to_future(L, idx);

    if (future == NULL)
        raise_self(L, "Future or Task", what);
    return future;
}

struct lc_task *lc_check_task(lua_State *L, const char *what)
{
    return lc_check_self(L, &lc_task_type, what);
}

bool lc_is_callable(lua_State *L, int idx)
{
    if (lua_isfunction(L, idx))
        return true;
    if (luaL_getmetafield(L, idx, "__call") == LUA_TNIL)
        return false;
    lua_pop(L, 1);
    return true;
}

void lc_check_callable(lua_State *L, int idx, const char *what, int pos)
{
    if (!lc_is_callable(L, idx))
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, pos, "function", idx);
}

double lc_check_seconds(lua_State *L, int idx, const char *what, int pos)
{
    double seconds;

    if (lua_type(L, idx) != LUA_TNUMBER)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, pos, "number", idx);
    seconds = lua_tonumber(L, idx);
    if (isnan(seconds))
        lc_raise_value(L, lc_host_of(L), what, pos, "number expected, got NaN");
    return seconds;
}

bool lc_opt_seconds(lua_State *L, int idx, const char *what, int pos, double *seconds)
{
    if (lua_isnoneornil(L, idx))
        return false;
    *seconds = lc_check_seconds(L, idx, what, pos);
    return true;
}

double lc_check_limit(lua_State *L, int idx, const char *what, int pos)
{
    double seconds = lc_check_seconds(L, idx, what, pos);

    if (seconds < 0)
        lc_raise_value(L, lc_host_of(L), what, pos, "0 or more seconds expected");
    return seconds;
}

bool lc_parse_seconds(const char *text, double *seconds)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= 0))
        return false;
    *seconds = value;
    return true;
}

lua_Integer lc_check_integer(lua_State *L, int idx, const char *what, int pos)
{
    int exact;
    lua_Integer value;

    if (lua_type(L, idx) != LUA_TNUMBER)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, pos, "integer", idx);
    value = lua_tointegerx(L, idx, &exact);
    if (!exact)
        lc_raise(L, lc_host_of(L), LC_TYPE_ERROR,
                 "bad argument #%d to '%s' (integer expected, got number %f)", pos, what,
                 lua_tonumber(L, idx));
    return value;
}

void lc_check_no_arguments(lua_State *L, const char *what)
{
    if (lua_gettop(L) > 0 && !lua_isnil(L, 1))
        lc_raise(L, lc_host_of(L), LC_TYPE_ERROR,
                 "bad argument #1 to '%s' (no value expected, got %s)", what, lc_type_name(L, 1));
}

/* Lists longer than this are not gone through key by key: what is no item follows the items. */
#define SHORT_LIST 16

/* Checks the keys of the table at `idx` that follow the key on top. [-1, +0, v] */
static void check_keys(lua_State *L, int idx, const char *what, int pos, const char *const *names)
{
    struct lc_host *host = lc_host_of(L);

    while (lua_next(L, idx) != 0) {
        bool known = false;

        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TNUMBER)
            continue; /* items of a list that carries options */
        if (lua_type(L, -1) != LUA_TSTRING)
            lc_raise(L, host, LC_TYPE_ERROR,
                     "bad argument #%d to '%s' (option names are strings, got %s)", pos, what,
                     luaL_typename(L, -1));
        for (int i = 0; names[i] != NULL && !known; i++)
            known = strcmp(names[i], lua_tostring(L, -1)) == 0;
        if (!known)
            lc_raise(L, host, LC_TYPE_ERROR, "bad argument #%d to '%s' (unknown option '%s')", pos,
                     what, lua_tostring(L, -1));
    }
}

void lc_check_options(lua_State *L, int idx, const char *what, int pos, const char *const *names)
{
    idx = lua_absindex(L, idx);
    if (lua_isnoneornil(L, idx))
        return;
    if (lua_type(L, idx) != LUA_TTABLE)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, pos, "table of options", idx);
    lua_pushnil(L);
    check_keys(L, idx, what, pos, names);
}

void lc_check_list_options(lua_State *L, int idx, const char *what, int pos,
                           const char *const *names, lua_Integer n)
{
    idx = lua_absindex(L, idx);
    if (n > SHORT_LIST && lua_rawgeti(L, idx, n) != LUA_TNIL)
        lua_pushinteger(L, n);
    else
        lua_pushnil(L);
    check_keys(L, idx, what, pos, names);
    if (n > SHORT_LIST)
        lua_pop(L, 1);
}

/* Whether the list has an item beyond its length n, after a hole. Looks at all keys of a short list;
 * of a long one at those that follow item n, where options and stray items are. */
static bool has_item_beyond(lua_State *L, int idx, lua_Integer n)
{
    if (n > SHORT_LIST)
        lua_pushinteger(L, n);
    else
        lua_pushnil(L);
    while (lua_next(L, idx) != 0) {
        lua_pop(L, 1);
        if (lua_isinteger(L, -1) && lua_tointeger(L, -1) > n) {
            lua_pop(L, 1);
            return true;
        }
    }
    return false;
}

lua_Integer lc_check_list(lua_State *L, int idx, const char *what, int pos)
{
    struct lc_host *host = lc_host_of(L);
    lua_Integer n;

    idx = lua_absindex(L, idx);
    if (!lua_istable(L, idx))
        lc_raise_argument(L, host, LC_TYPE_ERROR, what, pos, "list", idx);
    lua_pushliteral(L, "n");
    if (lua_rawget(L, idx) == LUA_TNUMBER) {
        n = lc_check_integer(L, -1, what, pos);
        if (n < 0 || n > (lua_Integer)1 << 30)
            lc_raise_value(L, host, what, pos, "its field n is out of range");
    } else {
        n = (lua_Integer)lua_rawlen(L, idx);
        if (has_item_beyond(L, idx, n))
            lc_raise(L, host, LC_TYPE_ERROR, "bad argument #%d to '%s' (item %d is nil)", pos, what,
                     (int)n + 1);
    }
    lua_pop(L, 1);
    return n;
}
