#include "handover.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>

#include "operators.h"
#include "stack_text.h"
#include "submodule.h"
#include "traceback.h"

#define SOURCE "stdlib.accesses"

/* How a comparison by a function begins. */
#define LESS "less("

/* random() -> number: the sum of what the clocks give, as in ltablib.c */
static int random_number(lua_State *L)
{
    clock_t clocks = clock();
    time_t seconds = time(NULL);
    unsigned words[(sizeof clocks + sizeof seconds) / sizeof(unsigned)], sum = 0;

    memcpy(words, &clocks, sizeof clocks);
    memcpy((char *)words + sizeof clocks, &seconds, sizeof seconds);
    for (size_t n = 0; n < sizeof words / sizeof words[0]; n++)
        sum += words[n];
    lua_pushinteger(L, sum);
    return 1;
}

static int compare_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 1;
}

/* compare(a, b) -> whether a < b */
static int compare(lua_State *L)
{
    lc_op_less(L, 1, 2, 0, compare_k);
    return 1;
}

/* What an operator that fails in a function without lines puts before its message. */
#define NOWHERE "?:-1: "

/* __close(guard, e): raises the message of such an operator as a function in C has it, without a position. */
static int restate(lua_State *L)
{
    static const char prefix[] = NOWHERE "attempt to compare";
    const char *text = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";

    if (strncmp(text, prefix, strlen(prefix)) != 0)
        return 0;
    lua_pushstring(L, text + strlen(NOWHERE));
    lc_traceback_pass(L, lc_host_of(L), 2, -1);
    return lua_error(L);
}

/* Pushes what a frame closes that leaves comparisons to Lua code. */
static void push_guard(lua_State *L, struct lc_host *host)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, restate, 1);
    lua_setfield(L, -2, "__close");
    lua_setmetatable(L, -2);
}

/* ---- loading ---- */

struct dump {
    bool begun;
    luaL_Buffer buffer;
};

static int write_dump(lua_State *L, const void *bytes, size_t size, void *data)
{
    struct dump *dump = data;

    /* not before: lua_dump wants its function on top of the stack */
    if (!dump->begun)
        luaL_buffinit(L, &dump->buffer);
    dump->begun = true;
    luaL_addlstring(&dump->buffer, bytes, size);
    return 0;
}

/* Pushes the source as a function without lines and names. */
static void push_chunk(lua_State *L, const char *text, const char *name)
{
    struct dump dump = {.begun = false};
    size_t size;
    const char *bytes;

    if (luaL_loadbufferx(L, text, strlen(text), name, "t") != LUA_OK)
        lua_error(L);
    lua_dump(L, write_dump, &dump, 1);
    luaL_pushresult(&dump.buffer);
    bytes = lua_tolstring(L, -1, &size);
    if (luaL_loadbufferx(L, bytes, size, name, "b") != LUA_OK)
        lua_error(L);
    lua_replace(L, -3);
    lua_pop(L, 1);
}

/* Pushes the table of the functions that a chunk, which is on top, makes. [-1, +1, e] */
static void run_chunk(lua_State *L)
{
    lua_pushcfunction(L, random_number);
    lua_call(L, 1, 1);
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        lc_stack_text_hide(L);
        lua_pop(L, 1);
    }
}

/* Pushes the text with `a < b` for each `less(a, b)`. */
static const char *push_with_operator(lua_State *L, const char *text)
{
    luaL_Buffer buffer;
    const char *call, *comma;

    luaL_buffinit(L, &buffer);
    while ((call = strstr(text, LESS)) != NULL) {
        luaL_addlstring(&buffer, text, (size_t)(call - text));
        call += strlen(LESS);
        comma = strchr(call, ',');
        text = strchr(call, ')');
        luaL_addlstring(&buffer, call, (size_t)(comma - call));
        luaL_addstring(&buffer, " <");
        luaL_addlstring(&buffer, comma + 1, (size_t)(text - comma - 1));
        text++;
    }
    luaL_addstring(&buffer, text);
    luaL_pushresult(&buffer);
    return lua_tostring(L, -1);
}

/* Loads the functions and keeps them. */
static void load_all(lua_State *L, struct lc_host *host)
{
    const struct lc_lua_source *source = lc_lua_source_find(SOURCE);
    const char *text;

    lua_pushlstring(L, source->text, source->size);
    text = lua_tostring(L, -1);
    push_chunk(L, text, source->chunk);
    run_chunk(L);
    text = push_with_operator(L, text);
    push_chunk(L, text, source->chunk);
    run_chunk(L);
    lua_getfield(L, -1, "sort");
    lua_setfield(L, -4, LC_HANDOVER_SORT_ITEMS);
    lua_pop(L, 2);
    lua_pushnil(L);
    lc_standard_push(L, host, compare);
    lua_setfield(L, -2, LC_HANDOVER_COMPARE);
    push_guard(L, host);
    lua_setfield(L, -2, LC_HANDOVER_GUARD);
    lc_host_set_ref(L, host, LC_REF_ACCESSES);
    lua_pop(L, 1);
}

void lc_handover_load(lua_State *L, const char *name)
{
    struct lc_host *host = lc_host_of(L);

    luaL_checkstack(L, LUA_MINSTACK, NULL);
    if (host->refs[LC_REF_ACCESSES] == 0)
        load_all(L, host);
    lc_host_push_ref(L, host, LC_REF_ACCESSES);
    lua_getfield(L, -1, name);
    lua_replace(L, -2);
}
