/*
 * modules: modules of the program's that scripts get by require: in C, in Lua, of the Lua API.
 */
#include <lauxlib.h>

#include "call.h"

/* The module of the arguments: a table of functions under its name in package.loaded. */
static int add_module(lua_State *L)
{
    struct lc_function_args *args = lua_touserdata(L, 1);
    const char *module = args->name;

    lua_newtable(L);
    for (const struct lucio_entry *entry = args->entries; entry->name != NULL; entry++) {
        args->name = entry->name;
        args->fn = entry->fn;
        lc_embed_push_function(L, args);
        lua_setfield(L, -2, entry->name);
    }
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_insert(L, -2);
    lua_setfield(L, -2, module);
    return 0;
}

int lucio_add_module(lucio *h, const char *name, const struct lucio_entry *entries, void *data)
{
    struct lc_function_args args = {.h = h, .name = name, .data = data, .entries = entries};
    int status = lc_embed_enter(h);

    if (status == LUCIO_OK && (name == NULL || entries == NULL))
        status = lc_embed_refuse(h, LUCIO_INVALID, "lucio_add_module: no name or no functions");
    for (; status == LUCIO_OK && entries->name != NULL; entries++) {
        if (entries->fn == NULL)
            status = lc_embed_refuse(h, LUCIO_INVALID, "lucio_add_module: a name has no function");
    }
    return status != LUCIO_OK ? status : lc_embed_protect(h, add_module, &args);
}

struct source_args {
    const char *name, *code;
    size_t length;
    lua_CFunction open;
};

static int add_source(lua_State *L)
{
    struct source_args *args = lua_touserdata(L, 1);

    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    if (args->open != NULL) {
        lua_pushcfunction(L, args->open);
    } else {
        lua_pushfstring(L, "=%s", args->name);
        if (luaL_loadbufferx(L, args->code, args->length, lua_tostring(L, -1), "t") != LUA_OK)
            return lua_error(L);
        lua_remove(L, -2);
    }
    lua_setfield(L, -2, args->name);
    return 0;
}

int lucio_add_lua_module(lucio *h, const char *name, const char *code, size_t length)
{
    struct source_args args = {.name = name, .code = code, .length = length};
    int status = lc_embed_enter(h);

    if (status == LUCIO_OK && (name == NULL || code == NULL))
        status = lc_embed_refuse(h, LUCIO_INVALID, "lucio_add_lua_module: no name or no code");
    return status != LUCIO_OK ? status : lc_embed_protect(h, add_source, &args);
}

int lucio_add_c_module(lucio *h, const char *name, int (*open)(struct lua_State *L))
{
    struct source_args args = {.name = name, .open = open};
    int status = lc_embed_enter(h);

    if (status == LUCIO_OK && (name == NULL || open == NULL))
        status = lc_embed_refuse(h, LUCIO_INVALID, "lucio_add_c_module: no name or no function");
    return status != LUCIO_OK ? status : lc_embed_protect(h, add_source, &args);
}
