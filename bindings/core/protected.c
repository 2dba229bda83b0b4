/*
 * protected: pcall and xpcall that let cancellation pass, and the function form of `async with`.
 * CancelledError, KeyboardInterrupt and SystemExit are no errors of the program: `except Exception`
 * does not catch them in Python, and lucio.pcall does not here (LG6).
 */
#include <lauxlib.h>

#include "core.h"
#include "traceback.h"
#include "xpcall.h"

static bool passes(lua_State *L, int idx)
{
    enum lc_kind kind = lc_error_kind(L, idx);

    return kind == LC_KIND_CANCELLED || kind == LC_KIND_EXIT || kind == LC_KIND_BASE;
}

/* Stack: the handler at 1, then the results or the error. */
static int pcall_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)ctx;
    if (status != LUA_OK && status != LUA_YIELD) {
        if (passes(L, -1))
            return lua_error(L);
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushboolean(L, 1);
    lua_replace(L, 1);
    return lua_gettop(L);
}

/* lucio.pcall(f, ...) -> true, ... or false, error. f may suspend. */
static int lucio_pcall(lua_State *L)
{
    int status;

    if (lua_gettop(L) == 0)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, "pcall", 1, "function", 1);
    lua_pushcfunction(L, lc_traceback_handler);
    lua_insert(L, 1);
    status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, pcall_k);
    return pcall_k(L, status, 0);
}

/* The message handler of xpcall: the user's, but not for what passes. Upvalue 1: the user's. */
static int xpcall_handler(lua_State *L)
{
    lua_settop(L, 1);
    lc_traceback_take(L);
    if (passes(L, 1))
        return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

/* lucio.xpcall(f, handler, ...) */
static int lucio_xpcall(lua_State *L)
{
    int status;

    if (lua_gettop(L) < 2)
        lua_settop(L, 2);
    lc_check_callable(L, 2, "xpcall", 2);
    if (lc_xpcall_may_wait(L, lc_host_of(L)))
        return lc_xpcall(L, lc_host_of(L), true);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, xpcall_handler, 1);
    lua_insert(L, 1);
    lua_remove(L, 3);
    status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, pcall_k);
    return pcall_k(L, status, 0);
}

/* ---- with ---- */

enum with_phase { WITH_BODY, WITH_EXIT_OK, WITH_EXIT_FAILED, WITH_CLOSE_FAILED };

/* Raises the error on top, which an exit function raised in the place of the one below it; that one is
 * its context, as in Python. */
static int raise_instead(lua_State *L)
{
    int error = lua_gettop(L);

    luaL_checkstack(L, 10, NULL);
    if (lc_is_error(L, error) && !lua_rawequal(L, error, error - 1)) {
        lua_pushliteral(L, "context");
        if (lua_rawget(L, error) == LUA_TNIL) {
            lua_pushliteral(L, "context");
            lua_pushvalue(L, error - 1);
            lc_error_wrap(L, lc_host_of(L));
            lua_rawset(L, error);
        }
        lua_settop(L, error);
    }
    return lua_error(L);
}

static bool has_failed(int status)
{
    return status != LUA_OK && status != LUA_YIELD;
}

static int with_k(lua_State *L, int status, lua_KContext phase);

/* The body failed with the error on top, and the exit function is above it, with the resource: calls it.
 * One in Lua is called protected, for its own errors. */
static int exit_failed(lua_State *L, int results)
{
    lua_KContext phase = results ? WITH_EXIT_FAILED : WITH_CLOSE_FAILED;
    int status = LUA_OK, n = lua_gettop(L) - 2;

    lua_pushvalue(L, n);
    if (lua_iscfunction(L, n + 1))
        lua_callk(L, 2, results, phase, with_k);
    else
        status = lua_pcallk(L, 2, results, 2, phase, with_k);
    return with_k(L, status, phase);
}

/* Stack: 1 the resource, 2 the handler, then the results; for WITH_EXIT_FAILED the error and what
 * the exit function returned or raised. */
static int with_k(lua_State *L, int status, lua_KContext phase)
{
    int n, results = 1;

    switch ((enum with_phase)phase) {
    case WITH_BODY:
        n = lua_gettop(L);
        luaL_checkstack(L, 4, NULL);
        if (luaL_getmetafield(L, 1, "__exit") == LUA_TNIL) {
            luaL_getmetafield(L, 1, "__close");
            results = 0; /* __close cannot suppress an error (LG3) */
        }
        lua_pushvalue(L, 1);
        if (!has_failed(status)) {
            lua_pushnil(L);
            lua_callk(L, 2, 0, WITH_EXIT_OK, with_k);
            return lua_gettop(L) - 2;
        }
        if (lua_isnil(L, n)) {
            /* error(nil) must not look like a normal end (LG9) */
            lua_pushliteral(L, "nil");
            lua_replace(L, n);
        }
        return exit_failed(L, results);
    case WITH_EXIT_FAILED:
        if (has_failed(status))
            return raise_instead(L);
        if (lua_toboolean(L, -1))
            return 0;
        lua_pop(L, 1);
        return lua_error(L);
    case WITH_CLOSE_FAILED:
        return has_failed(status) ? raise_instead(L) : lua_error(L);
    case WITH_EXIT_OK:
        break;
    }
    return lua_gettop(L) - 2;
}

/* lucio.with(resource, fn, ...) -> ... fn and the exit function may suspend. */
static int lucio_with(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    int status;

    if (lua_gettop(L) < 2)
        lua_settop(L, 2);
    if (luaL_getmetafield(L, 1, "__exit") == LUA_TNIL) {
        if (luaL_getmetafield(L, 1, "__close") == LUA_TNIL)
            lc_raise_argument(L, host, LC_TYPE_ERROR, "with", 1, "resource with __exit or __close",
                              1);
    }
    lua_pop(L, 1);
    lc_check_callable(L, 2, "with", 2);
    lc_group_mark_with(L, 1);
    lua_pushcfunction(L, lc_traceback_handler);
    lua_insert(L, 2);
    lua_pushvalue(L, 1);
    lua_insert(L, 4);
    status = lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, 2, WITH_BODY, with_k);
    return with_k(L, status, WITH_BODY);
}

void lc_open_protected(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg functions[] = {
        {"pcall", lucio_pcall}, {"xpcall", lucio_xpcall}, {"with", lucio_with}, {NULL, NULL}};

    lc_set_functions(L, host, functions);
    for (const luaL_Reg *function = functions; function->name != NULL; function++) {
        lua_getfield(L, -1, function->name);
        lc_wait_mark_passable(L, host);
        lua_pop(L, 1);
    }
}
