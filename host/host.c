#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "budget.h"
#include "context.h"
#include "error.h"
#include "held_lock.h"
#include "loop.h"
#include "permit.h"
#include "pool.h"
#include "quota.h"
#include "report.h"
#include "sink.h"
#include "task.h"
#include "traceback.h"

static const struct lc_type host_type = {"host", sizeof(struct lc_host)};

/* How long tasks may take to end once they were cancelled at the end of a run, seconds. */
#define SHUTDOWN_TIMEOUT 10

/* Registry key of the host; its address is the key. */
static const char host_key;

void *lc_realloc(struct lc_host *host, void *block, size_t old_size, size_t new_size)
{
    void *data;
    lua_Alloc alloc = lua_getallocf(host->L, &data);

    return alloc(data, block, old_size, new_size);
}

void lc_pointer_register(lua_State *L, struct lc_host *host, int idx)
{
    idx = lua_absindex(L, idx);
    lc_host_push_ref(L, host, LC_REF_POINTERS);
    lua_pushvalue(L, idx);
    lua_rawsetp(L, -2, lua_touserdata(L, idx));
    lua_pop(L, 1);
}

void lc_pointer_push(lua_State *L, struct lc_host *host, const void *object)
{
    lc_host_push_ref(L, host, LC_REF_POINTERS);
    lua_rawgetp(L, -1, object);
    lua_replace(L, -2);
}

void *lc_to_finalize(lua_State *L, const struct lc_type *type)
{
    lua_Debug ar;

    /* in a hook Lua says no more than that */
    if (!lua_getstack(L, 0, &ar) || !lua_getinfo(L, "n", &ar) ||
        (strcmp(ar.namewhat, "metamethod") != 0 && strcmp(ar.namewhat, "hook") != 0) ||
        (ar.namewhat[0] == 'm' && (ar.name == NULL || strcmp(ar.name, "__gc") != 0)))
        return NULL;
    return lc_to_object(L, 1, type);
}

void lc_host_set_ref(lua_State *L, struct lc_host *host, enum lc_ref ref)
{
    host->refs[ref] = luaL_ref(L, LUA_REGISTRYINDEX);
}

void lc_set_functions(lua_State *L, struct lc_host *host, const luaL_Reg *functions)
{
    lua_pushlightuserdata(L, host);
    luaL_setfuncs(L, functions, 1);
}

void lc_new_type(lua_State *L, struct lc_host *host, enum lc_ref ref, const char *name,
                 const luaL_Reg *methods, const luaL_Reg *metamethods)
{
    lua_newtable(L);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lua_newtable(L);
    if (methods != NULL)
        lc_set_functions(L, host, methods);
    lua_setfield(L, -2, "__index");
    if (metamethods != NULL)
        lc_set_functions(L, host, metamethods);
    lc_host_set_ref(L, host, ref);
}

int lc_call(lua_State *L, struct lc_host *host, int nargs, int nresults)
{
    int base = lua_gettop(L) - nargs;
    int status;

    (void)host;
    lua_pushcfunction(L, lc_traceback_handler);
    lua_insert(L, base);
    status = lua_pcall(L, nargs, nresults, base);
    lua_remove(L, base);
    return status;
}

bool lc_host_has_space(struct lc_host *host)
{
    char *block;

    if (host->space != NULL)
        return true;
    block = lc_realloc(host, NULL, 0, LC_SPACE_HEAD + LC_SPACE_SIZE);
    host->space = block != NULL ? block + LC_SPACE_HEAD : NULL;
    return block != NULL;
}

void lc_host_log(struct lc_host *host, const char *text)
{
    if (host->log != NULL) {
        host->log(host, text, strlen(text));
        return;
    }
    lc_sinks_settle(host);
    fputs(text, stderr);
    fflush(stderr);
}

/* The state closes: the last finalizer of ours. */
static int host_gc(lua_State *L)
{
    struct lc_host *host = lc_to_finalize(L, &host_type);

    if (host == NULL || host->closed)
        return 0;
    while (!lc_list_empty(&host->loops)) {
        struct lc_loop *loop = lc_container_of(host->loops.next, struct lc_loop, link);

        lc_loop_close(L, loop);
    }
    lc_pools_close(host);
    lc_lock_waits_free(host);
    lc_held_locks_abandon(host);
    host->closed = true;
    lc_sinks_close(host);
    if (host->on_close != NULL)
        host->on_close(host);
    lc_watchdog_free(host);
    lc_budget_free(host);
    lc_quota_release(host->quota);
    host->quota = NULL;
    lc_permits_free(host);
    if (host->space != NULL)
        lc_realloc(host, host->space - LC_SPACE_HEAD, LC_SPACE_HEAD + LC_SPACE_SIZE, 0);
    lc_loops_free(host);
    lc_threads_close(host);
    lc_places_close(host);
    lc_anchors_close(host);
    return 0;
}

/* The state has begun to close: failures and pending tasks are reported while all of Lua still
 * works. This object is made last, so that its finalizer is the first of ours. */
static int closing_gc(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    while (!host->closed && !lc_list_empty(&host->loops)) {
        struct lc_loop *loop = lc_container_of(host->loops.next, struct lc_loop, link);

        lc_loop_close(L, loop);
    }
    return 0;
}

/* The host is on top; the object holds it, should opening it fail half-way. */
static void make_closing_object(lua_State *L, struct lc_host *host)
{
    lua_newuserdatauv(L, 0, 1);
    lua_pushvalue(L, -2);
    lua_setiuservalue(L, -2, 1);
    lua_createtable(L, 0, 1);
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, closing_gc, 1);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    luaL_ref(L, LUA_REGISTRYINDEX);
}

static void make_weak_table(lua_State *L, struct lc_host *host, enum lc_ref ref, const char *mode)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushstring(L, mode);
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lc_host_set_ref(L, host, ref);
}

static bool env_is(const char *name, const char *value)
{
    const char *set = getenv(name);

    return set != NULL && strcmp(set, value) == 0;
}

void lc_host_set_defaults(struct lc_host *host)
{
    memset(&host->options, 0, sizeof host->options);
    host->options.shutdown_timeout = SHUTDOWN_TIMEOUT;
    host->clock.is_virtual = false;
}

static void read_environment(struct lc_host *host)
{
    const char *seconds = getenv("LUCIO_SHUTDOWN_TIMEOUT");

    host->options.debug = env_is("LUCIO_DEBUG", "1");
    host->clock.is_virtual = env_is("LUCIO_CLOCK", "virtual");
    host->options.no_control = env_is("LUCIO_CONTROL", "0");
    host->options.backend = getenv("LUCIO_BACKEND");
    host->options.fs_threads = getenv("LUCIO_FS_THREADS");
    host->options.worker = getenv("LUCIO_WORKER");
    host->options.keylog = secure_getenv("SSLKEYLOGFILE");
    if (seconds != NULL && !lc_parse_seconds(seconds, &host->options.shutdown_timeout))
        host->options.bad_variable = "LUCIO_SHUTDOWN_TIMEOUT";
}

struct lc_host *lc_host_open(lua_State *L)
{
    struct lc_host *host;

    luaL_checkstack(L, 20, NULL);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &host_key) == LUA_TUSERDATA) {
        host = lua_touserdata(L, -1);
        lua_pop(L, 1);
        return host;
    }
    lua_pop(L, 1);
    host = lua_newuserdatauv(L, sizeof *host, 0);
    memset(host, 0, sizeof *host);
    host->object.type = &host_type;
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    host->L = lua_tothread(L, -1);
    lua_pop(L, 1);
    host->places.left = LC_PLACES_ROW;
    lc_list_init(&host->loops);
    lc_list_init(&host->old_loops);
    lc_list_init(&host->sinks);
    lc_list_init(&host->pools);
    lc_list_init(&host->held_locks);
    lc_list_init(&host->lock_waits);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, host_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    make_weak_table(L, host, LC_REF_WEAK, "v");
    lc_anchors_open(L, host);
    lc_threads_open(L, host);
    make_weak_table(L, host, LC_REF_POINTERS, "v");
    make_weak_table(L, host, LC_REF_PASSABLE, "k");
    make_weak_table(L, host, LC_REF_TRACED, "kv");
    lc_reports_open(L, host);
    make_closing_object(L, host);
    lc_host_set_defaults(host);
    read_environment(host);
    /* last: a host that could not be made whole is not found again */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &host_key);
    return host;
}
