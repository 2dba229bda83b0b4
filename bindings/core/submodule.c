#include "submodule.h"

#include <string.h>

#include <lauxlib.h>

#include "connect.h"
#include "core.h"
#include "lucio.h"
#include "module.h"
#include "subprocess.h"

/* What stands before the name of every module. */
#define PREFIX "lucio."

/*
 * The modules that are fields of lucio: name, function in C.
 * With lua/lucio/NAME.lua, that file is the module: it is called with the table lucio, what the function
 * in C pushes (nil where it is NULL), and a function for its parts: part("NAME.PART", ...) calls
 * lua/lucio/NAME/PART.lua with lucio and the other arguments, every time. require knows parts too, and
 * calls them with lucio alone. Without such a file, what the function in C pushes is the module. It is
 * called without arguments, the host is its upvalue.
 */
#define SUBMODULES(X)                                                                              \
    X(counter, lc_open_counter)                                                                    \
    X(fs, lc_open_fs)                                                                              \
    X(log, lc_open_log)                                                                            \
    X(pretty, NULL)                                                                                \
    X(shared, lc_open_shared)                                                                      \
    X(ssl, lc_open_ssl)                                                                            \
    X(streams, lc_open_streams) X(subprocess, lc_open_subprocess) X(testing, lc_open_testing)

struct submodule {
    const char *name;
    lua_CFunction open;
};

static const struct submodule submodules[] = {
#define ROW(name, open) {#name, open},
    SUBMODULES(ROW)
#undef ROW
        {NULL, NULL},
};

static const struct submodule *find_submodule(const char *name)
{
    for (const struct submodule *row = submodules; row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0)
            return row;
    }
    return NULL;
}

const struct lc_lua_source *lc_lua_source_find(const char *name)
{
    for (const struct lc_lua_source *source = lc_lua_sources; source->name != NULL; source++) {
        if (strcmp(source->name, name) == 0)
            return source;
    }
    return NULL;
}

/* Loads a source and pushes what it gets first: lucio. [-0, +2, e] */
static void load_source(lua_State *L, struct lc_host *host, const struct lc_lua_source *source)
{
    if (luaL_loadbufferx(L, source->text, source->size, source->chunk, "t") != LUA_OK)
        lua_error(L);
    lc_host_push_ref(L, host, LC_REF_MODULE);
}

/* part(name, ...): calls the part of that name with lucio and the other arguments. */
static int open_part(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    const struct lc_lua_source *source = lc_lua_source_find(luaL_checkstring(L, 1));
    int nargs = lua_gettop(L) - 1;

    if (source == NULL)
        lc_raise_value(L, host, "part", 1, "no such part");
    luaL_checkstack(L, 4, NULL);
    load_source(L, host, source);
    lua_rotate(L, 2, 2);
    lua_call(L, nargs + 1, 1);
    return 1;
}

/* Opens the module, or the part of one, of that name below lucio. [-0, +1, e] */
static void open_submodule(lua_State *L, struct lc_host *host, const char *name)
{
    const struct submodule *row = find_submodule(name);
    const struct lc_lua_source *source = lc_lua_source_find(name);
    lua_CFunction open = row != NULL ? row->open : NULL;

    luaL_checkstack(L, 8, NULL);
    if (source != NULL)
        load_source(L, host, source);
    if (open != NULL) {
        lua_pushlightuserdata(L, host);
        lua_pushcclosure(L, open, 1);
        lua_call(L, 0, 1);
    } else {
        lua_pushnil(L);
    }
    if (source != NULL) {
        lua_pushlightuserdata(L, host);
        lua_pushcclosure(L, open_part, 1);
        lua_call(L, 3, 1);
    }
}

/* (name): what package.preload has for each of them. */
static int preload(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);

    open_submodule(L, lc_host_of(L), name + strlen(PREFIX));
    return 1;
}

/* (opened, name) -> the module, opened by now, or nil: __index of the table of those that a script
 * has reached as fields. */
static int field_index(lua_State *L)
{
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";

    if (find_submodule(name) == NULL)
        return 0;
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushfstring(L, PREFIX "%s", name);
    lua_pushvalue(L, -1);
    if (lua_gettable(L, 3) == LUA_TNIL) {
        lua_pop(L, 1);
        open_submodule(L, lc_host_of(L), name);
        lua_pushvalue(L, 4);
        lua_pushvalue(L, 5);
        lua_settable(L, 3);
    }
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 5);
    lua_rawset(L, 1);
    return 1;
}

/* Adds the function on top to the table below it under PREFIX and name. [-0, +0, m] */
static void add_preload(lua_State *L, const char *name)
{
    lua_pushfstring(L, PREFIX "%s", name);
    lua_pushvalue(L, -2);
    lua_settable(L, -4);
}

void lc_open_submodules(lua_State *L, struct lc_host *host)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, preload, 1);
    for (const struct submodule *row = submodules; row->name != NULL; row++)
        add_preload(L, row->name);
    for (const struct lc_lua_source *source = lc_lua_sources; source->name != NULL; source++)
        add_preload(L, source->name);
    lua_pop(L, 2);

    /* lucio's own fields are found first; those opened already without a call of ours */
    lua_createtable(L, 0, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, field_index, 1);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
}

static int return_all(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lua_gettop(L);
}

/* Stands for a function of a module below lucio until it is called. Upvalues: 2 the module's name, 3
 * the function's. */
static int stand_in(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    luaL_checkstack(L, 8, NULL);
    lc_host_push_ref(L, host, LC_REF_MODULE);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_gettable(L, -2);
    lua_pushvalue(L, lua_upvalueindex(3));
    lua_gettable(L, -2);
    lua_pushvalue(L, lua_upvalueindex(3));
    lua_pushvalue(L, -2);
    lua_rawset(L, -5);
    lua_insert(L, 1);
    lua_pop(L, 2);
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, return_all);
    return lua_gettop(L);
}

void lc_add_stand_ins(lua_State *L, struct lc_host *host, const char *module,
                      const char *const *names)
{
    for (; *names != NULL; names++) {
        lua_pushlightuserdata(L, host);
        lua_pushstring(L, module);
        lua_pushstring(L, *names);
        lua_pushcclosure(L, stand_in, 3);
        lua_setfield(L, -2, *names);
    }
}

/* require "lucio.NAME" when nothing has required lucio yet: the interpreter finds lucio.so by the
 * first part of the name and looks there for this function. */
static int open_alone(lua_State *L, const char *name)
{
    luaL_requiref(L, "lucio", luaopen_lucio, 0);
    lua_pop(L, 1);
    open_submodule(L, lc_host_open(L), name);
    return 1;
}

#define EXPORT(name, open)                                                                         \
    LUCIO_API int luaopen_lucio_##name(lua_State *L);                                              \
    int luaopen_lucio_##name(lua_State *L)                                                         \
    {                                                                                              \
        return open_alone(L, #name);                                                               \
    }
SUBMODULES(EXPORT)
