/*
 * exception_group: split and subgroup of groups of errors, and lucio.except_star (SEMANTICS EG).
 * Groups are immutable: parts are new groups of the same class with the same message and cause.
 */
#include <lauxlib.h>

#include "core.h"

/* Groups nested deeper are refused: the recursion uses the C stack. */
#define DEPTH_MAX 100

static bool is_group(lua_State *L, struct lc_host *host, int idx)
{
    return lc_error_is(L, host, idx, LC_BASE_EXCEPTION_GROUP);
}

/* Whether the error at `idx` is what the class, list of classes or function at `what` selects. */
static bool matches(lua_State *L, struct lc_host *host, int idx, int what)
{
    bool found = false;

    if (lc_is_class(L, what))
        return lc_isinstance(L, host, idx, what);
    if (lua_type(L, what) == LUA_TTABLE) {
        for (lua_Integer i = 1; !found && i <= (lua_Integer)lua_rawlen(L, what); i++) {
            lua_rawgeti(L, what, i);
            found = lc_isinstance(L, host, idx, -1);
            lua_pop(L, 1);
        }
        return found;
    }
    lua_pushvalue(L, what);
    lua_pushvalue(L, idx);
    lua_call(L, 1, 1);
    found = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return found;
}

/* Replaces the list on top by a group like the one at `idx`; an empty list by nil. */
static void derive(lua_State *L, struct lc_host *host, int idx)
{
    static const char *const kept[] = {"cause", "traceback", NULL};
    int list = lua_gettop(L);

    if (lua_rawlen(L, list) == 0) {
        lua_pushnil(L);
        lua_replace(L, list);
        return;
    }
    (void)host;
    lua_getmetatable(L, idx);
    lua_getfield(L, idx, "message");
    lua_pushvalue(L, list);
    lua_call(L, 2, 1);
    for (int i = 0; kept[i] != NULL; i++) {
        lua_pushstring(L, kept[i]);
        lua_rawget(L, idx);
        lua_setfield(L, -2, kept[i]);
    }
    lua_replace(L, list);
}

static void append(lua_State *L, int list)
{
    if (lua_isnil(L, -1))
        lua_pop(L, 1);
    else
        lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
}

/* Pushes the part of the error at `idx` that matches and the rest, each may be nil. */
static void split(lua_State *L, struct lc_host *host, int idx, int what, int depth)
{
    int matched, rest, members;

    luaL_checkstack(L, 20, "errors nested too deep");
    if (depth > DEPTH_MAX)
        lc_raise(L, host, LC_RUNTIME_ERROR, "exception groups are nested too deep");
    if (matches(L, host, idx, what)) {
        lua_pushvalue(L, idx);
        lua_pushnil(L);
        return;
    }
    if (!is_group(L, host, idx)) {
        lua_pushnil(L);
        lua_pushvalue(L, idx);
        return;
    }
    lua_newtable(L);
    matched = lua_gettop(L);
    lua_newtable(L);
    rest = lua_gettop(L);
    lua_getfield(L, idx, "exceptions");
    members = lua_gettop(L);
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, members); i++) {
        lua_rawgeti(L, members, i);
        split(L, host, lua_gettop(L), what, depth + 1);
        append(L, rest);
        append(L, matched);
        lua_settop(L, members);
    }
    lua_settop(L, rest);
    if (lua_rawlen(L, matched) == 0) {
        lua_pushvalue(L, idx);
        lua_replace(L, rest);
        lua_pushnil(L);
        lua_replace(L, matched);
        return;
    }
    derive(L, host, idx);
    lua_pushvalue(L, matched);
    derive(L, host, idx);
    lua_replace(L, matched);
}

static void check_selector(lua_State *L, struct lc_host *host, int idx, const char *what, int pos)
{
    if (lc_is_class(L, idx) || lc_is_callable(L, idx))
        return;
    if (lua_type(L, idx) == LUA_TTABLE) {
        bool all = lua_rawlen(L, idx) > 0;

        for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, idx); i++) {
            lua_rawgeti(L, idx, i);
            all = all && lc_is_class(L, -1);
            lua_pop(L, 1);
        }
        if (all)
            return;
    }
    lc_raise_argument(L, host, LC_TYPE_ERROR, what, pos, "error class, list of them or function",
                      idx);
}

static void check_self(lua_State *L, struct lc_host *host, const char *what)
{
    if (!is_group(L, host, 1))
        lc_raise(L, host, LC_TYPE_ERROR,
                 "calling '%s' on bad self (ExceptionGroup expected, got %s)", what,
                 lc_type_name(L, 1));
    check_selector(L, host, 2, what, 1);
}

/* group:split(selector) -> matching group or nil, rest or nil */
static int group_split(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    lua_settop(L, 2);
    check_self(L, host, "split");
    split(L, host, 1, 2, 0);
    return 2;
}

/* group:subgroup(selector) -> matching group or nil */
static int group_subgroup(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    lua_settop(L, 2);
    check_self(L, host, "subgroup");
    split(L, host, 1, 2, 0);
    lua_pop(L, 1);
    return 1;
}

/* group:derive(list) -> group */
static int group_derive(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    lua_settop(L, 2);
    if (!is_group(L, host, 1) || lua_type(L, 2) != LUA_TTABLE)
        lc_raise_argument(L, host, LC_TYPE_ERROR, "derive", 1, "list of errors", 2);
    derive(L, host, 1);
    return 1;
}

void lc_open_exception_group(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"split", group_split},
                                       {"subgroup", group_subgroup},
                                       {"derive", group_derive},
                                       {NULL, NULL}};

    lc_class_push(L, host, LC_BASE_EXCEPTION_GROUP);
    lc_set_functions(L, host, methods);
    lua_pop(L, 1);
    lc_class_push(L, host, LC_EXCEPTION_GROUP);
    lc_set_functions(L, host, methods);
    lua_pop(L, 1);
}
