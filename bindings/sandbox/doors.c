/*
 * doors: the functions of Lua's libraries that reach out of the state, for a host with permissions: each asks
 * first, then Lua's own runs in the same frame.
 * Invariant: Lua's own functions are upvalues of these and nowhere else, and nothing that reads upvalues,
 *            the registry or bytes of a function is left.
 */
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "error.h"
#include "permit.h"
#include "sandbox.h"

/* Where Lua's own functions make temporary files (P_tmpdir). */
#define TEMPORARY "/tmp"

/* Upvalue 2: it has no upvalues of its own, so that nobody can tell. */
static int original(lua_State *L)
{
    return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

static void permit(lua_State *L, enum lc_permission kind, const char *target)
{
    lc_permit(L, lc_host_of(L), kind, target);
}

/* ---- io ---- */

/* io.open(path, mode) */
static int io_open(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    const char *mode = luaL_optstring(L, 2, "r");
    bool both = strchr(mode, '+') != NULL;

    if (mode[0] == 'r' || both)
        permit(L, LC_PERMIT_READ, path);
    if (mode[0] != 'r' || both)
        permit(L, LC_PERMIT_WRITE, path);
    return original(L);
}

/* io.lines(path?, ...) */
static int io_lines(lua_State *L)
{
    if (!lua_isnoneornil(L, 1))
        permit(L, LC_PERMIT_READ, luaL_checkstring(L, 1));
    return original(L);
}

/* io.input(file or path) */
static int io_input(lua_State *L)
{
    if (lua_isstring(L, 1))
        permit(L, LC_PERMIT_READ, lua_tostring(L, 1));
    return original(L);
}

/* io.output(file or path) */
static int io_output(lua_State *L)
{
    if (lua_isstring(L, 1))
        permit(L, LC_PERMIT_WRITE, lua_tostring(L, 1));
    return original(L);
}

/* io.tmpfile(), os.tmpname() */
static int make_temporary(lua_State *L)
{
    permit(L, LC_PERMIT_WRITE, TEMPORARY);
    return original(L);
}

/* io.popen(command), os.execute(command): the shell, under either of its names. */
static int run_shell(lua_State *L)
{
    if (!lua_isnoneornil(L, 1) && !lc_permits_has(lc_host_of(L), LC_PERMIT_RUN, "/bin/sh"))
        permit(L, LC_PERMIT_RUN, "sh");
    return original(L);
}

/* ---- os ---- */

static int os_getenv(lua_State *L)
{
    permit(L, LC_PERMIT_ENV, luaL_checkstring(L, 1));
    return original(L);
}

static int os_remove(lua_State *L)
{
    lc_permit_entry(L, lc_host_of(L), LC_PERMIT_WRITE, luaL_checkstring(L, 1));
    return original(L);
}

/* os.rename(from, to): what is moved can be read at its new place. */
static int os_rename(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    const char *from = luaL_checkstring(L, 1), *to = luaL_checkstring(L, 2);

    lc_permit_entry(L, host, LC_PERMIT_READ, from);
    lc_permit_entry(L, host, LC_PERMIT_WRITE, from);
    lc_permit_entry(L, host, LC_PERMIT_WRITE, to);
    return original(L);
}

/* ---- debug ---- */

/* In the place of a function of debug; upvalue 2 is its name. */
static int refused(lua_State *L)
{
    lc_raise(L, lc_host_of(L), LC_PERMISSION_ERROR,
             "debug.%s is not there where permissions are limited",
             lua_tostring(L, lua_upvalueindex(2)));
}

/* What is left of debug looks at the stack and at metatables. */
static void restrict_debug(lua_State *L, struct lc_host *host)
{
    static const char *const gone[] = {
        "debug",        "gethook",      "getlocal",  "getregistry",  "getupvalue",
        "getuservalue", "sethook",      "setlocal",  "setmetatable", "setcstacklimit",
        "setupvalue",   "setuservalue", "upvalueid", "upvaluejoin",  NULL};

    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_DBLIBNAME) == LUA_TTABLE) {
        for (size_t i = 0; gone[i] != NULL; i++) {
            if (lua_getfield(L, -1, gone[i]) != LUA_TNIL) {
                lua_pushlightuserdata(L, host);
                lua_pushstring(L, gone[i]);
                lua_pushcclosure(L, refused, 2);
                lua_setfield(L, -3, gone[i]);
            }
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 2);
}

void lc_doors_open(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg io[] = {{"open", io_open},    {"lines", io_lines},
                                  {"input", io_input},  {"output", io_output},
                                  {"popen", run_shell}, {"tmpfile", make_temporary},
                                  {NULL, NULL}};
    static const luaL_Reg os[] = {{"execute", run_shell},      {"getenv", os_getenv},
                                  {"remove", os_remove},       {"rename", os_rename},
                                  {"tmpname", make_temporary}, {NULL, NULL}};

    luaL_checkstack(L, 10, NULL);
    lc_sandbox_replace(L, host, LUA_IOLIBNAME, io);
    lc_sandbox_replace(L, host, LUA_OSLIBNAME, os);
    lc_doors_open_modules(L, host);
    restrict_debug(L, host);
}
