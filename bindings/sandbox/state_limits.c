#include "state_limits.h"

#include <stddef.h>

#include <lauxlib.h>
#include <lualib.h>

#include "budget.h"
#include "host.h"
#include "lucio.h"
#include "quota.h"
#include "sandbox.h"

static const struct {
    unsigned library;
    const char *name;
    lua_CFunction open;
} libraries[] = {
    {LUCIO_LIB_BASE, LUA_GNAME, luaopen_base},
    {LUCIO_LIB_BASE, LUA_COLIBNAME, luaopen_coroutine},
    {LUCIO_LIB_TABLE, LUA_TABLIBNAME, luaopen_table},
    {LUCIO_LIB_STRING, LUA_STRLIBNAME, luaopen_string},
    {LUCIO_LIB_STRING, LUA_UTF8LIBNAME, luaopen_utf8},
    {LUCIO_LIB_MATH, LUA_MATHLIBNAME, luaopen_math},
    {LUCIO_LIB_IO, LUA_IOLIBNAME, luaopen_io},
    {LUCIO_LIB_OS, LUA_OSLIBNAME, luaopen_os},
    {LUCIO_LIB_PACKAGE, LUA_LOADLIBNAME, NULL},
    {LUCIO_LIB_DEBUG, LUA_DBLIBNAME, luaopen_debug},
};

#define COUNT (sizeof libraries / sizeof libraries[0])

/* require without files: only what the program has registered. The package library is on top. */
static void restrict_package(lua_State *L)
{
    static const char *const gone[] = {"loadlib", "searchpath", "path", "cpath", "config", NULL};

    lua_getfield(L, -1, "searchers");
    lua_createtable(L, 1, 0);
    lua_rawgeti(L, -2, 1);
    lua_rawseti(L, -2, 1);
    lua_setfield(L, -3, "searchers");
    lua_pop(L, 1);
    for (size_t i = 0; gone[i] != NULL; i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, gone[i]);
    }
}

void lc_limits_open_libraries(lua_State *L, unsigned set)
{
    if (set & (LUCIO_LIB_BASE | LUCIO_LIB_PACKAGE)) {
        luaL_requiref(L, LUA_LOADLIBNAME, luaopen_package, 1);
        if (!(set & LUCIO_LIB_PACKAGE))
            restrict_package(L);
        lua_pop(L, 1);
    }
    for (size_t i = 0; i < COUNT; i++) {
        if (!(set & libraries[i].library) || libraries[i].open == NULL)
            continue;
        luaL_requiref(L, libraries[i].name, libraries[i].open, 1);
        lua_pop(L, 1);
    }
}

unsigned lc_limits_find_libraries(lua_State *L)
{
    unsigned found = 0;

    luaL_checkstack(L, 4, NULL);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    for (size_t i = 0; lua_istable(L, -1) && i < COUNT; i++) {
        lua_pushstring(L, libraries[i].name);
        if (lua_rawget(L, -2) != LUA_TNIL)
            found |= libraries[i].library;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return found;
}

void lc_limits_read(const struct lc_host *host, struct lc_limits *limits)
{
    limits->libraries = host->libraries;
    limits->sandbox = host->sandboxed;
    lc_budget_read(host, &limits->step, &limits->task);
    limits->quota = lc_quota_hold(host->quota);
}

/* A script must not take the hook away. */
static void open_budget(lua_State *L, struct lc_host *host, const struct lc_limits *limits)
{
    lc_budget_open(L, host, limits->step, limits->task);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_DBLIBNAME) == LUA_TTABLE) {
        lua_pushnil(L);
        lua_setfield(L, -2, "sethook");
    }
    lua_pop(L, 2);
    lc_sandbox_open(L, host);
}

void lc_limits_set(lua_State *L, struct lc_host *host, const struct lc_limits *limits)
{
    host->libraries = limits->libraries;
    host->quota = lc_quota_hold(limits->quota);
    if (limits->step > 0 || limits->task > 0)
        open_budget(L, host, limits);
    if (limits->sandbox)
        lc_sandbox_close_in(L, host);
}
