/*
 * doors: the functions of Lua's libraries that reach out of the state, for a host with permissions: each asks
 * first, then Lua's own runs in the same frame; a path that a list decided about is opened here, by its way.
 * Invariant: Lua's own functions are upvalues of these and nowhere else, and nothing that reads upvalues,
 *            the registry or bytes of a function is left.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "error.h"
#include "permit.h"
#include "sandbox.h"
#include "way.h"

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

static int close_file(lua_State *L)
{
    luaL_Stream *stream = luaL_checkudata(L, 1, LUA_FILEHANDLE);

    return luaL_fileresult(L, fclose(stream->f) == 0, NULL);
}

static void permit_mode(lua_State *L, struct lc_way *way, const char *mode)
{
    bool both = mode[1] == '+';

    if (mode[0] == 'r' || both)
        lc_way_permit(L, way, LC_PERMIT_READ, true);
    if (mode[0] != 'r' || both)
        lc_way_permit(L, way, LC_PERMIT_WRITE, true);
}

/* Pushes Lua's file object of the way. False: errno says why. [-0, +1, m] */
static bool push_file(lua_State *L, const struct lc_way *way, const char *mode)
{
    luaL_Stream *stream = lua_newuserdatauv(L, sizeof *stream, 0);

    stream->closef = NULL; /* a closed file, until it is open */
    luaL_setmetatable(L, LUA_FILEHANDLE);
    stream->f = lc_way_open(way, mode);
    if (stream->f == NULL)
        return false;
    stream->closef = close_file;
    return true;
}

/* io.open(path, mode) */
static int io_open(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    const char *mode = luaL_optstring(L, 2, "r");
    struct lc_way way;

    luaL_argcheck(L, lc_way_is_mode(mode), 2, "invalid mode");
    lc_way_init(&way, path);
    permit_mode(L, &way, mode);
    if (!way.walked)
        return original(L);
    return push_file(L, &way, mode) ? 1 : luaL_fileresult(L, 0, path);
}

/* In the place of the path at 1, its file. False: it is permitted as a whole. [-0, +0, v] */
static bool replace_path(lua_State *L, const char *mode)
{
    const char *path = luaL_checkstring(L, 1);
    struct lc_way way;

    lc_way_init(&way, path);
    permit_mode(L, &way, mode);
    if (!way.walked)
        return false;
    if (!push_file(L, &way, mode))
        luaL_error(L, "cannot open file '%s' (%s)", path, strerror(errno));
    lua_replace(L, 1);
    return true;
}

/* Upvalue of the iterator of Lua's file:lines and io.lines that says whether it closes the file at its end. */
#define LINES_CLOSES 3

/* io.lines(path?, ...); upvalue 3 is Lua's file:lines. */
static int io_lines(lua_State *L)
{
    int n = lua_gettop(L);

    if (lua_isnoneornil(L, 1) || !replace_path(L, "r"))
        return original(L);
    luaL_checkstack(L, n + 4, "too many arguments");
    lua_pushvalue(L, lua_upvalueindex(3));
    for (int i = 1; i <= n; i++)
        lua_pushvalue(L, i);
    lua_call(L, n, 1);
    if (lua_getupvalue(L, -1, LINES_CLOSES) != NULL) {
        lua_pushboolean(L, true);
        lua_setupvalue(L, -3, LINES_CLOSES);
        lua_pop(L, 1);
    }
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushvalue(L, 1);
    return 4;
}

/* io.input(file or path) */
static int io_input(lua_State *L)
{
    if (lua_isstring(L, 1))
        replace_path(L, "r");
    return original(L);
}

/* io.output(file or path) */
static int io_output(lua_State *L)
{
    if (lua_isstring(L, 1))
        replace_path(L, "w");
    return original(L);
}

/* Replaces io.lines, which is the one function here with another upvalue. */
static void replace_lines(lua_State *L, struct lc_host *host)
{
    int top = lua_gettop(L);

    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_IOLIBNAME) == LUA_TTABLE) {
        lua_pushlightuserdata(L, host);
        lua_getfield(L, -2, "lines");
        luaL_getmetatable(L, LUA_FILEHANDLE);
        lua_getfield(L, -1, "__index");
        lua_getfield(L, -1, "lines");
        lua_insert(L, -3);
        lua_pop(L, 2);
        lua_pushcclosure(L, io_lines, 3);
        lua_setfield(L, -2, "lines");
    }
    lua_settop(L, top);
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
    const char *path = luaL_checkstring(L, 1);
    struct lc_way way;

    lc_way_init(&way, path);
    lc_way_permit(L, &way, LC_PERMIT_WRITE, false);
    return luaL_fileresult(L, lc_way_remove(&way) == 0, path);
}

/* os.rename(from, to): what is moved can be read at its new place. */
static int os_rename(lua_State *L)
{
    const char *from = luaL_checkstring(L, 1), *to = luaL_checkstring(L, 2);
    struct lc_way ways[2];

    lc_way_init(&ways[0], from);
    lc_way_init(&ways[1], to);
    lc_way_permit(L, &ways[0], LC_PERMIT_READ, false);
    lc_way_permit(L, &ways[0], LC_PERMIT_WRITE, false);
    lc_way_permit(L, &ways[1], LC_PERMIT_WRITE, false);
    return luaL_fileresult(L, lc_way_rename(&ways[0], &ways[1]) == 0, NULL);
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
    static const luaL_Reg io[] = {{"open", io_open},           {"input", io_input},
                                  {"output", io_output},       {"popen", run_shell},
                                  {"tmpfile", make_temporary}, {NULL, NULL}};
    static const luaL_Reg os[] = {{"execute", run_shell},      {"getenv", os_getenv},
                                  {"remove", os_remove},       {"rename", os_rename},
                                  {"tmpname", make_temporary}, {NULL, NULL}};

    luaL_checkstack(L, 10, NULL);
    lc_sandbox_replace(L, host, LUA_IOLIBNAME, io);
    replace_lines(L, host);
    lc_sandbox_replace(L, host, LUA_OSLIBNAME, os);
    lc_doors_open_modules(L, host);
    restrict_debug(L, host);
}
