#include "crossing.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>

#include "core.h"
#include "host.h"

/* Registry key of the metatable of thread-local tables. */
static const char local_key;

static void make_table(lua_State *L, struct lc_host *host, enum lc_ref ref, const char *mode)
{
    lua_newtable(L);
    if (mode != NULL) {
        lua_createtable(L, 0, 1);
        lua_pushstring(L, mode);
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
    }
    lc_host_set_ref(L, host, ref);
}

/* Pushes a key that no other state makes, in this process or another one. [-0, +1, m] */
static void push_new_key(lua_State *L, struct lc_host *host)
{
    char key[96];
    struct timespec now = {0, 0};

    if (host->crossed == 0) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        host->crossing_id = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    }
    snprintf(key, sizeof key, "%lx:%p:%llx:%llx", (unsigned long)getpid(), (void *)host,
             (unsigned long long)host->crossing_id, (unsigned long long)++host->crossed);
    lua_pushstring(L, key);
}

void lc_crossing_set(lua_State *L, struct lc_host *host, int key)
{
    key = lua_absindex(L, key);
    lc_host_push_ref(L, host, LC_REF_CROSSED);
    lua_pushvalue(L, key);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, key);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

void lc_crossing_push_key(lua_State *L, struct lc_host *host, int idx)
{
    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 6, NULL);
    lc_host_push_ref(L, host, LC_REF_CROSSED);
    lua_pushvalue(L, idx);
    lua_rawget(L, -2);
    lua_replace(L, -2);
    if (!lua_isnil(L, -1))
        return;
    lua_pop(L, 1);
    push_new_key(L, host);
    lua_pushvalue(L, idx);
    lc_crossing_set(L, host, -2);
    lua_pop(L, 1);
}

bool lc_crossing_has_key(lua_State *L, struct lc_host *host, int idx)
{
    bool found;

    idx = lua_absindex(L, idx);
    lc_host_push_ref(L, host, LC_REF_CROSSED);
    lua_pushvalue(L, idx);
    found = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 2);
    return found;
}

void lc_crossing_find(lua_State *L, struct lc_host *host)
{
    lc_host_push_ref(L, host, LC_REF_CROSSED);
    lua_insert(L, -2);
    lua_rawget(L, -2);
    lua_replace(L, -2);
}

/* ---- thread-local tables ---- */

static void local_new(lua_State *L)
{
    lua_newtable(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &local_key);
    lua_setmetatable(L, -2);
}

void lc_crossing_push_local(lua_State *L, struct lc_host *host)
{
    lua_pushvalue(L, -1);
    lc_crossing_find(L, host);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        local_new(L);
        lc_crossing_set(L, host, -2);
        /* what a job leaves there is for the next one */
        lc_host_push_ref(L, host, LC_REF_LOCALS);
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -3);
        lua_rawset(L, -3);
        lua_pop(L, 1);
    }
    lua_replace(L, -2);
}

bool lc_crossing_is_local(lua_State *L, struct lc_host *host, int idx)
{
    bool found;

    (void)host;
    if (!lua_getmetatable(L, idx))
        return false;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &local_key);
    found = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return found;
}

/* lucio.thread_local() -> a table; a job that has it sees one of its own thread */
static int lucio_thread_local(lua_State *L)
{
    lc_check_no_arguments(L, "thread_local");
    local_new(L);
    return 1;
}

void lc_crossing_open(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg functions[] = {{"thread_local", lucio_thread_local}, {NULL, NULL}};

    make_table(L, host, LC_REF_CROSSED, "kv");
    make_table(L, host, LC_REF_LOCALS, NULL);
    make_table(L, host, LC_REF_DUMPS, "k");
    make_table(L, host, LC_REF_LOADED, NULL);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "lucio.thread_local");
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &local_key);
    lc_set_functions(L, host, functions);
}
