#include "executor.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "core.h"
#include "crossing.h"
#include "job.h"
#include "map.h"
#include "worker.h"

/* More threads are never the default, as in Python. */
#define THREADS_MAX 32

struct executor {
    struct lc_object object;
    struct lc_pool *pool; /* user value 1 is its name */
};

static const struct lc_type executor_type = {"ThreadPoolExecutor", sizeof(struct executor)};

static unsigned count_processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);

    return count > 0 ? (unsigned)count : 1;
}

static unsigned default_threads(void)
{
    unsigned threads = count_processors() + 4;

    return threads < THREADS_MAX ? threads : THREADS_MAX;
}

struct lc_pool *lc_executor_pool(lua_State *L, int idx)
{
    struct executor *executor = lc_to_object(L, idx, &executor_type);

    return executor != NULL ? executor->pool : NULL;
}

void lc_executor_check_function(lua_State *L, int idx, const char *what, int pos)
{
    const char *name = lua_type(L, idx) == LUA_TSTRING ? lua_tostring(L, idx) : NULL;
    const char *colon = name != NULL ? strchr(name, ':') : NULL;

    if (lua_isfunction(L, idx) || (colon != NULL && colon != name && colon[1] != '\0'))
        return;
    lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, pos, "function or 'module:function'",
                      idx);
}

/* New executor whose name is on top. [-1, +1, v] */
static struct lc_pool *executor_new(lua_State *L, struct lc_host *host, unsigned threads,
                                    int initializer)
{
    struct executor *executor;
    int name = lua_gettop(L);

    executor = lc_new_object(L, host, &executor_type, LC_REF_EXECUTOR, sizeof *executor, 1);
    lua_pushvalue(L, name);
    lua_setiuservalue(L, -2, 1);
    executor->pool = lc_threads_new(L, host, lua_tostring(L, name), threads, initializer);
    lua_replace(L, name);
    return executor->pool;
}

/* Pushes the next default name. */
static void push_default_name(lua_State *L, struct lc_host *host)
{
    lua_pushfstring(L, "ThreadPoolExecutor-%d", (int)host->executors++);
}

struct lc_pool *lc_executor_new(lua_State *L, struct lc_host *host)
{
    struct lc_pool *pool;

    lua_pushnil(L);
    push_default_name(L, host);
    pool = executor_new(L, host, default_threads(), lua_gettop(L) - 1);
    lua_replace(L, -2);
    return pool;
}

/* ---- ending ---- */

static void end_complete(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_pool_end *end = lc_container_of(entry, struct lc_pool_end, errand.entry);
    lua_State *L = loop->L;

    lc_errand_push_future(L, loop, &end->errand);
    free(end);
    /* without results nothing is allocated */
    if (!lc_future_is_done(lc_to_future(L, -1)))
        lc_future_set_result(L, lua_gettop(L), 0);
    lua_pop(L, 1);
}

static void end_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_pool_end *end = lc_container_of(entry, struct lc_pool_end, errand.entry);

    lc_anchor_drop(L, loop->host, &end->errand.future);
    free(end);
}

static const struct lc_errand_type end_type = {{end_complete, end_forget, NULL, NULL}, NULL};

/* (loop, end) -> future */
static int begin_end(lua_State *L)
{
    struct lc_loop *loop = lua_touserdata(L, 1);
    struct lc_pool_end *end = lua_touserdata(L, 2);

    lc_future_new(L, loop);
    lua_pushliteral(L, "executor shutdown");
    lc_future_set_extra(L, 3, LC_EXTRA_NAME);
    lc_errand_begin(L, loop, &end->errand, &end_type, 3);
    return 1;
}

bool lc_executor_end(lua_State *L, struct lc_loop *loop, struct lc_pool *pool)
{
    struct lc_pool_end *end = calloc(1, sizeof *end);

    if (end == NULL)
        luaL_error(L, "not enough memory");
    lua_pushcfunction(L, begin_end);
    lua_pushlightuserdata(L, loop);
    lua_pushlightuserdata(L, end);
    if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
        free(end);
        lua_error(L);
    }
    lc_pool_close(pool);
    if (lc_pool_watch_end(pool, end))
        return true;
    /* what the threads have posted before comes first */
    if (lc_pool_has_jobs(pool) && lc_errand_post(&end->errand))
        return true;
    lc_errand_withdraw(L, loop, &end->errand);
    free(end);
    lua_pop(L, 1);
    return false;
}

void lc_executor_cancel_jobs(lua_State *L, struct lc_host *host, struct lc_pool *pool)
{
    struct lc_pool_job *job;

    while ((job = lc_pool_pop(pool)) != NULL)
        lc_job_cancel(L, host, job);
}

/* ---- Lua ---- */

static struct executor *check_executor(lua_State *L, const char *what)
{
    struct executor *executor = lc_check_self(L, &executor_type, what);

    if (executor->pool == NULL) /* a script has called its finalizer */
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "the executor is finished");
    return executor;
}

/* The loop that runs. [-0, +0, v] */
static struct lc_loop *check_loop(lua_State *L, struct lc_host *host)
{
    if (host->loop == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "no running event loop");
    return host->loop;
}

static struct lc_pool *check_open(lua_State *L, const char *what)
{
    struct lc_pool *pool = check_executor(L, what)->pool;

    if (lc_pool_is_closed(pool))
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "cannot schedule new futures after shutdown");
    return pool;
}

/* executor:submit(fn, ...) -> Future */
static int executor_submit(lua_State *L)
{
    struct lc_pool *pool = check_open(L, "submit");
    struct lc_loop *loop = check_loop(L, lc_host_of(L));

    lc_executor_check_function(L, 2, "submit", 1);
    lc_job_submit(L, loop, pool, 2, "submit", LC_JOB_CALL);
    return 1;
}

/* executor:map(fn, list, {chunksize=, timeout=}) -> iterator of index, result */
static int executor_map(lua_State *L)
{
    struct lc_pool *pool = check_open(L, "map");
    struct lc_loop *loop = check_loop(L, lc_host_of(L));

    lua_settop(L, 4);
    lc_executor_check_function(L, 2, "map", 1);
    return lc_map_new(L, loop, pool);
}

static int shutdown_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lc_wait_end(L, lc_host_of(L)->current) ? lua_error(L) : 0;
}

static bool get_flag(lua_State *L, int options, const char *name, bool flag)
{
    if (lua_isnil(L, options))
        return flag;
    if (lua_getfield(L, options, name) != LUA_TNIL)
        flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

/* Waits for the threads of the closed pool. */
static int wait_end(lua_State *L, struct lc_host *host, struct lc_pool *pool, const char *what)
{
    struct lc_task *task;

    if (host->loop == NULL)
        return 0; /* the host waits for them */
    task = lc_wait_task(L, host, what);
    if (!lc_executor_end(L, host->loop, pool))
        return 0;
    return lc_wait_future(L, task, lc_to_future(L, -1), lua_gettop(L), 0, shutdown_k);
}

/* executor:shutdown{wait=, cancel_futures=}. May suspend. */
static int executor_shutdown(lua_State *L)
{
    static const char *const names[] = {"wait", "cancel_futures", NULL};
    struct executor *executor = check_executor(L, "shutdown");
    struct lc_host *host = lc_host_of(L);
    bool wait;

    lua_settop(L, 2);
    lc_check_options(L, 2, "shutdown", 1, names);
    wait = get_flag(L, 2, "wait", true);
    lc_pool_close(executor->pool);
    if (get_flag(L, 2, "cancel_futures", false))
        lc_executor_cancel_jobs(L, host, executor->pool);
    return wait ? wait_end(L, host, executor->pool, "ThreadPoolExecutor:shutdown") : 0;
}

/* Leaving the block waits for all jobs. May suspend. */
static int executor_close(lua_State *L)
{
    struct executor *executor = check_executor(L, "__close");

    lua_settop(L, 1);
    lc_pool_close(executor->pool);
    return wait_end(L, lc_host_of(L), executor->pool, "ThreadPoolExecutor:__close");
}

static int executor_gc(lua_State *L)
{
    struct executor *executor = lc_to_object(L, 1, &executor_type);

    if (executor != NULL && executor->pool != NULL && !lc_host_of(L)->closed)
        lc_pool_leave(executor->pool);
    if (executor != NULL)
        executor->pool = NULL;
    return 0;
}

static int executor_tostring(lua_State *L)
{
    struct executor *executor = check_executor(L, "tostring");

    lua_getiuservalue(L, 1, 1);
    lua_pushfstring(L, "<ThreadPoolExecutor %s max_workers=%d%s>", lua_tostring(L, -1),
                    (int)lc_pool_max(executor->pool),
                    lc_pool_is_closed(executor->pool) ? " shut down" : "");
    return 1;
}

/* lucio.ThreadPoolExecutor{max_workers=, initializer=, name=} */
static int lucio_thread_pool_executor(lua_State *L)
{
    static const char *const names[] = {"max_workers", "initializer", "name", NULL};
    struct lc_host *host = lc_host_of(L);
    lua_Integer threads = default_threads();

    lua_settop(L, 1);
    if (lua_type(L, 1) == LUA_TNUMBER) {
        lua_createtable(L, 0, 1);
        lua_insert(L, 1);
        lua_setfield(L, 1, "max_workers");
    }
    lc_check_options(L, 1, "ThreadPoolExecutor", 1, names);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    if (lua_getfield(L, 1, "max_workers") != LUA_TNIL)
        threads = lc_check_integer(L, -1, "ThreadPoolExecutor", 1);
    if (threads <= 0 || threads > 10000)
        lc_raise_value(L, host, "ThreadPoolExecutor", 1, "max_workers must be in 1..10000");
    lua_settop(L, 1);
    if (lua_getfield(L, 1, "initializer") != LUA_TNIL)
        lc_executor_check_function(L, 2, "ThreadPoolExecutor", 1);
    if (lua_getfield(L, 1, "name") == LUA_TNIL) {
        lua_pop(L, 1);
        push_default_name(L, host);
    } else if (lua_type(L, 3) != LUA_TSTRING) {
        lc_raise_argument(L, host, LC_TYPE_ERROR, "ThreadPoolExecutor", 1, "name as string", 3);
    }
    executor_new(L, host, (unsigned)threads, 2);
    return 1;
}

/* lucio.cpu_count() */
static int lucio_cpu_count(lua_State *L)
{
    lua_pushinteger(L, count_processors());
    return 1;
}

void lc_open_executor(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"submit", executor_submit},
                                       {"map", executor_map},
                                       {"shutdown", executor_shutdown},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__close", executor_close},
                                           {"__gc", executor_gc},
                                           {"__tostring", executor_tostring},
                                           {NULL, NULL}};
    static const luaL_Reg functions[] = {{"ThreadPoolExecutor", lucio_thread_pool_executor},
                                         {"cpu_count", lucio_cpu_count},
                                         {NULL, NULL}};

    lc_new_type(L, host, LC_REF_EXECUTOR, "lucio.ThreadPoolExecutor", methods, metamethods);
    lc_set_functions(L, host, functions);
    lc_open_map(L, host);
    lc_crossing_open(L, host);
}
