/*
 * modules: how a host with permissions finds and loads code: require's searchers, package.searchpath and
 * loadlib, loadfile, dofile. They do what Lua's own do, and pass over files that they may not read; chunks
 * are text.
 */
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "permit.h"
#include "sandbox.h"
#include "waiter.h"
#include "way.h"

/* Upvalues of a searcher, after the host. */
enum { UP_PACKAGE = 2, UP_LOADLIB };

/* Whether a file may be loaded; then *way leads to it. */
static bool may_load(const struct lc_host *host, enum lc_permission kind, const char *path,
                     struct lc_way *way)
{
    lc_way_init(way, path);
    if (kind != LC_PERMIT_READ)
        return lc_permits_has(host, kind, path);
    return lc_way_has(way, host, kind, true) || lc_way_has(way, host, LC_PERMIT_MODULES, true);
}

static bool is_readable(const struct lc_way *way)
{
    FILE *file = lc_way_open(way, "r");

    if (file != NULL)
        fclose(file);
    return file != NULL;
}

/* Pushes the first file that a path of templates has for the name and that can be read, or a message about
 * those that were tried; false for that. [-0, +1, m] */
static bool push_file(lua_State *L, struct lc_host *host, enum lc_permission kind, const char *name,
                      const char *path)
{
    int tried = lua_gettop(L) + 1;

    lua_pushliteral(L, "");
    while (*path != '\0') {
        size_t length = strcspn(path, LUA_PATH_SEP);
        const char *why = "no file '%s'", *file;
        struct lc_way way;

        lua_pushlstring(L, path, length);
        path += length + (path[length] != '\0');
        if (length == 0) {
            lua_pop(L, 1);
            continue;
        }
        file = luaL_gsub(L, lua_tostring(L, -1), LUA_PATH_MARK, name);
        lua_remove(L, -2);
        if (!may_load(host, kind, file, &way)) {
            why = kind == LC_PERMIT_READ ? "no permission to read '%s'"
                                         : "no permission to load '%s'";
        } else if (is_readable(&way)) {
            lua_replace(L, tried);
            return true;
        }
        lua_pushvalue(L, tried);
        lua_pushstring(L, lua_rawlen(L, tried) > 0 ? "\n\t" : "");
        lua_pushfstring(L, why, file);
        lua_concat(L, 3);
        lua_replace(L, tried);
        lua_settop(L, tried);
    }
    if (lua_rawlen(L, tried) == 0) {
        lua_pushliteral(L, "no file ''");
        lua_replace(L, tried);
    }
    return false;
}

/* Pushes the name with its dots as `by`. [-0, +1, m] */
static const char *push_dotless(lua_State *L, const char *name, const char *dot, const char *by)
{
    return *dot != '\0' && strstr(name, dot) != NULL ? luaL_gsub(L, name, dot, by)
                                                     : lua_pushstring(L, name);
}

/* package.searchpath(name, path, separator, replacement) -> file, or nil and a message */
static int searchpath(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1), *path = luaL_checkstring(L, 2);
    const char *dot = luaL_optstring(L, 3, "."), *by = luaL_optstring(L, 4, LUA_DIRSEP);

    name = push_dotless(L, name, dot, by);
    if (push_file(L, lc_host_of(L), LC_PERMIT_READ, name, path))
        return 1;
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

/* Pushes the file of the name by that field of package. [-0, +1, v] */
static bool find(lua_State *L, enum lc_permission kind, const char *field, const char *name)
{
    const char *path;

    lua_getfield(L, lua_upvalueindex(UP_PACKAGE), field);
    path = lua_tostring(L, -1);
    if (path == NULL)
        luaL_error(L, "'package.%s' must be a string", field);
    name = push_dotless(L, name, ".", LUA_DIRSEP);
    return push_file(L, lc_host_of(L), kind, name, path);
}

static int raise_load(lua_State *L, const char *name, const char *file, const char *message)
{
    return luaL_error(L, "error loading module '%s' from file '%s':\n\t%s", name, file, message);
}

/* ---- searchers ---- */

/* (name) -> loader, file; or a message */
static int search_lua(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    const char *name = luaL_checkstring(L, 1), *file;
    struct lc_way way;
    int top;

    if (!find(L, LC_PERMIT_READ, "path", name))
        return 1;
    file = lua_tostring(L, -1);
    top = lua_gettop(L);
    lua_pushliteral(L, "bt");
    lc_permit_mode(L, host, top + 1);
    /* where it leads may have changed since */
    if (!may_load(host, LC_PERMIT_READ, file, &way))
        return raise_load(L, name, file, "no permission to read it");
    if (lc_way_load(L, &way, lua_tostring(L, top + 1)) != LUA_OK)
        return raise_load(L, name, file, lua_tostring(L, -1));
    lua_pushvalue(L, top);
    return 2;
}

/* Calls Lua's loadlib for the function of a module's name without what is before its hyphen, or else
 * without what is behind. [-0, +3, m] */
static bool push_function(lua_State *L, const char *file, const char *name)
{
    const char *hyphen;
    int top = lua_gettop(L);

    name = push_dotless(L, name, ".", "_");
    hyphen = strchr(name, '-');
    for (int behind = 0; behind <= (hyphen != NULL); behind++) {
        lua_settop(L, top + 1);
        lua_pushvalue(L, lua_upvalueindex(UP_LOADLIB));
        lua_pushstring(L, file);
        if (hyphen != NULL && behind == 0) {
            lua_pushlstring(L, name, (size_t)(hyphen - name));
            lua_pushfstring(L, "luaopen_%s", lua_tostring(L, -1));
            lua_remove(L, -2);
        } else {
            lua_pushfstring(L, "luaopen_%s", hyphen != NULL ? hyphen + 1 : name);
        }
        lua_call(L, 2, 3);
        if (!lua_isnil(L, -3) || strcmp(lua_tostring(L, -1), "init") != 0)
            break;
    }
    lua_remove(L, top + 1);
    return !lua_isnil(L, -3);
}

/* (name) -> loader, file; or a message */
static int search_c(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1), *file;
    int top;

    if (!find(L, LC_PERMIT_LOAD, "cpath", name))
        return 1;
    file = lua_tostring(L, -1);
    top = lua_gettop(L);
    if (!push_function(L, file, name))
        return raise_load(L, name, file, lua_tostring(L, -2));
    lua_settop(L, top + 1);
    lua_pushvalue(L, top);
    return 2;
}

/* The same for a module in the library of what its name begins with. */
static int search_root(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1), *dot = strchr(name, '.'), *file;
    int top;

    if (dot == NULL)
        return 0;
    lua_pushlstring(L, name, (size_t)(dot - name));
    if (!find(L, LC_PERMIT_LOAD, "cpath", lua_tostring(L, -1)))
        return 1;
    file = lua_tostring(L, -1);
    top = lua_gettop(L);
    if (!push_function(L, file, name)) {
        if (strcmp(lua_tostring(L, -1), "init") != 0)
            return raise_load(L, name, file, lua_tostring(L, -2));
        lua_pushfstring(L, "no module '%s' in file '%s'", name, file);
        return 1;
    }
    lua_settop(L, top + 1);
    lua_pushvalue(L, top);
    return 2;
}

/* package.loadlib(path, name): upvalue 2 is Lua's own. */
static int loadlib(lua_State *L)
{
    lc_permit(L, lc_host_of(L), LC_PERMIT_LOAD, luaL_checkstring(L, 1));
    return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

/* ---- files ---- */

/* loadfile(path, mode, environment): upvalue 2 is Lua's own. */
static int load_file(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    const char *path = luaL_optstring(L, 1, NULL);
    bool has_environment = !lua_isnone(L, 3);
    struct lc_way way;

    lc_permit_mode(L, host, 2);
    lc_way_init(&way, path);
    if (path != NULL)
        lc_way_permit(L, &way, LC_PERMIT_READ, true);
    if (!way.walked)
        return lua_tocfunction(L, lua_upvalueindex(2))(L);
    if (lc_way_load(L, &way, luaL_optstring(L, 2, NULL)) != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (has_environment) {
        lua_pushvalue(L, 3);
        if (lua_setupvalue(L, -2, 1) == NULL)
            lua_pop(L, 1);
    }
    return 1;
}

static int did_file_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lua_gettop(L) - 1;
}

/* dofile(path) */
static int do_file(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    const char *path = luaL_optstring(L, 1, NULL), *mode;
    struct lc_way way;

    lua_settop(L, 1);
    lc_way_init(&way, path);
    if (path != NULL)
        lc_way_permit(L, &way, LC_PERMIT_READ, true);
    lua_pushliteral(L, "bt");
    lc_permit_mode(L, host, 2);
    mode = lua_tostring(L, 2);
    if ((path != NULL ? lc_way_load(L, &way, mode) : luaL_loadfilex(L, NULL, mode)) != LUA_OK)
        return lua_error(L);
    lua_remove(L, 2);
    lua_callk(L, 0, LUA_MULTRET, 0, did_file_k);
    return did_file_k(L, LUA_OK, 0);
}

/* The table package is on top: the searchers that look for files, where it has them. */
static void replace_searchers(lua_State *L, struct lc_host *host)
{
    static const lua_CFunction searchers[] = {search_lua, search_c, search_root};

    lua_getfield(L, -1, "searchers");
    for (int i = 0; i < 3; i++) {
        if (lua_rawgeti(L, -1, i + 2) == LUA_TFUNCTION) {
            lua_pushlightuserdata(L, host);
            lua_pushvalue(L, -4);
            lua_getfield(L, -5, "loadlib");
            lua_pushcclosure(L, searchers[i], 3);
            lua_rawseti(L, -3, i + 2);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

void lc_doors_open_modules(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg globals[] = {{"dofile", do_file}, {"loadfile", load_file}, {NULL, NULL}};
    static const luaL_Reg package[] = {
        {"loadlib", loadlib}, {"searchpath", searchpath}, {NULL, NULL}};

    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_LOADLIBNAME) == LUA_TTABLE)
        replace_searchers(L, host);
    lua_pop(L, 1);
    if (lua_getfield(L, -1, LUA_GNAME) == LUA_TTABLE) {
        lc_sandbox_replace(L, host, LUA_GNAME, globals);
        if (lua_getfield(L, -1, "dofile") == LUA_TFUNCTION)
            lc_wait_mark_passable(L, host);
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
    lc_sandbox_replace(L, host, LUA_LOADLIBNAME, package);
}
