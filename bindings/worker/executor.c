#include "executor.h"

#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "core.h"
#include "courier.h"
#include "crossing.h"
#include "job.h"
#include "map.h"
#include "worker.h"

/* More threads are never the default, as in Python. */
#define THREADS_MAX 32
/* More processes are never allowed. */
#define PROCESSES_MAX 1000

struct executor {
    struct lc_object object;
    struct lc_pool *pool; /* user value 1 is its name */
    bool is_processes;
};

static const struct lc_type executor_type = {"Executor", sizeof(struct executor)};

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

bool lc_executor_is_processes(lua_State *L, int idx)
{
    struct executor *executor = lc_to_object(L, idx, &executor_type);

    return executor != NULL && executor->is_processes;
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

static const char *kind_name(bool is_processes)
{
    return is_processes ? "ProcessPoolExecutor" : "ThreadPoolExecutor";
}

/* New executor without a pool; its name is on top. [-1, +1, v] */
static struct executor *executor_new(lua_State *L, struct lc_host *host, bool is_processes)
{
    struct executor *executor;

    executor = lc_new_object(L, host, &executor_type,
                             is_processes ? LC_REF_PROCESS_EXECUTOR : LC_REF_EXECUTOR,
                             sizeof *executor, 1);
    executor->is_processes = is_processes;
    lua_insert(L, -2);
    lua_setiuservalue(L, -2, 1);
    return executor;
}

/* Pushes the name of the executor on top. */
static const char *push_name(lua_State *L)
{
    lua_getiuservalue(L, -1, 1);
    return lua_tostring(L, -1);
}

/* Pushes the next default name. */
static void push_default_name(lua_State *L, struct lc_host *host, bool is_processes)
{
    lua_pushfstring(L, "%s-%d", kind_name(is_processes), (int)host->executors++);
}

struct lc_pool *lc_executor_new(lua_State *L, struct lc_host *host)
{
    struct lc_threads_limits limits = {default_threads(), HUGE_VAL, HUGE_VAL, false};
    struct executor *executor;
    const char *name;

    push_default_name(L, host, false);
    executor = executor_new(L, host, false);
    name = push_name(L);
    lua_pushnil(L);
    executor->pool = lc_threads_new(L, host, name, &limits, -1);
    lua_pop(L, 2);
    return executor->pool;
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
    static const struct lc_pack_names names = {.what = "submit", .first = 1};
    struct lc_pool *pool = check_open(L, "submit");
    struct lc_loop *loop = check_loop(L, lc_host_of(L));

    lc_executor_check_function(L, 2, "submit", 1);
    lc_job_submit(L, loop, pool, 2, &names, LC_JOB_CALL);
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

/* Waits for the workers of the closed pool. */
static int wait_end(lua_State *L, struct lc_host *host, const struct executor *executor,
                    const char *what)
{
    struct lc_task *task;

    if (host->loop == NULL)
        return 0; /* the host waits for them */
    lua_pushfstring(L, "%s:%s", kind_name(executor->is_processes), what);
    task = lc_wait_task(L, host, lua_tostring(L, -1));
    if (!lc_executor_end(L, host->loop, executor->pool))
        return 0;
    return lc_wait_future(L, task, lc_to_future(L, -1), lua_gettop(L), 0, shutdown_k);
}

/* What runs then is stopped; processes that are busy are killed. */
static void limit(lua_State *L, const struct executor *executor, int options)
{
    double seconds;

    if (lua_isnil(L, options))
        return;
    if (lua_getfield(L, options, "timeout") != LUA_TNIL) {
        seconds = lc_check_limit(L, -1, "shutdown", 1);
        if (executor->is_processes)
            lc_courier_limit(executor->pool, seconds);
        else
            lc_threads_limit(L, lc_host_of(L), executor->pool, seconds);
    }
    lua_pop(L, 1);
}

/* executor:shutdown{wait=, cancel_futures=, timeout=}. May suspend. */
static int executor_shutdown(lua_State *L)
{
    static const char *const names[] = {"wait", "cancel_futures", "timeout", NULL};
    struct executor *executor = check_executor(L, "shutdown");
    struct lc_host *host = lc_host_of(L);
    bool wait;

    lua_settop(L, 2);
    lc_check_options(L, 2, "shutdown", 1, names);
    wait = get_flag(L, 2, "wait", true);
    limit(L, executor, 2);
    lc_pool_close(executor->pool);
    if (get_flag(L, 2, "cancel_futures", false))
        lc_executor_cancel_jobs(L, host, executor->pool);
    return wait ? wait_end(L, host, executor, "shutdown") : 0;
}

/* With Ctrl-C on its way no process is waited for, and no initializer. */
static void hurry(lua_State *L, struct lc_host *host, const struct executor *executor)
{
    if (!executor->is_processes) {
        lc_threads_end_initializers(executor->pool);
        return;
    }
    lc_executor_cancel_jobs(L, host, executor->pool);
    lc_courier_signal(executor->pool, SIGKILL);
}

/* Leaving the block waits for all jobs. May suspend. */
static int executor_close(lua_State *L)
{
    struct executor *executor = check_executor(L, "__close");
    struct lc_host *host = lc_host_of(L);

    lua_settop(L, 2);
    lc_pool_close(executor->pool);
    if (host->interrupted && lc_error_kind(L, 2) != LC_KIND_VALUE &&
        lc_error_kind(L, 2) != LC_KIND_ORDINARY)
        hurry(L, host, executor);
    lua_settop(L, 1);
    return wait_end(L, host, executor, "__close");
}

static int stop_workers(lua_State *L, const char *what, int number)
{
    struct executor *executor = check_executor(L, what);

    lc_pool_close(executor->pool);
    lc_executor_cancel_jobs(L, lc_host_of(L), executor->pool);
    lc_courier_signal(executor->pool, number);
    return 0;
}

/* executor:terminate_workers(): as shutdown without waiting, and running jobs fail. */
static int executor_terminate_workers(lua_State *L)
{
    return stop_workers(L, "terminate_workers", SIGTERM);
}

/* executor:kill_workers(): the same with SIGKILL */
static int executor_kill_workers(lua_State *L)
{
    return stop_workers(L, "kill_workers", SIGKILL);
}

static int executor_gc(lua_State *L)
{
    struct executor *executor = lc_to_finalize(L, &executor_type);

    if (executor != NULL && executor->pool != NULL && !lc_host_of(L)->closed)
        lc_pool_leave(executor->pool);
    if (executor != NULL)
        executor->pool = NULL;
    return 0;
}

static int executor_tostring(lua_State *L)
{
    struct executor *executor = check_executor(L, "tostring");
    unsigned max =
        executor->is_processes ? lc_courier_max(executor->pool) : lc_pool_max(executor->pool);

    lua_getiuservalue(L, 1, 1);
    lua_pushfstring(L, "<%s %s max_workers=%d%s>", kind_name(executor->is_processes),
                    lua_tostring(L, -1), (int)max,
                    lc_pool_is_closed(executor->pool) ? " shut down" : "");
    return 1;
}

/* ---- making ---- */

/* An integer among the options at 1. [-0, +0, v] */
static lua_Integer get_integer(lua_State *L, const char *what, const char *name, lua_Integer value,
                               lua_Integer min, lua_Integer max)
{
    if (lua_getfield(L, 1, name) != LUA_TNIL)
        value = lc_check_integer(L, -1, what, 1);
    if (value < min || value > max)
        lc_raise_value(L, lc_host_of(L), what, 1,
                       lua_pushfstring(L, "%s must be in %d..%d", name, (int)min, (int)max));
    lua_pop(L, 1);
    return value;
}

/* The options are a table at 1; pushes the initializer, or nil, and the executor, without a pool. The
 * number alone stands for max_workers. [-0, +2, v] */
static struct executor *take_options(lua_State *L, bool is_processes, const char *const *names)
{
    const char *what = kind_name(is_processes);
    struct lc_host *host = lc_host_of(L);

    lua_settop(L, 1);
    if (lua_type(L, 1) == LUA_TNUMBER) {
        lua_createtable(L, 0, 1);
        lua_insert(L, 1);
        lua_setfield(L, 1, "max_workers");
    }
    lc_check_options(L, 1, what, 1, names);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    if (lua_getfield(L, 1, "initializer") != LUA_TNIL)
        lc_executor_check_function(L, 2, what, 1);
    if (lua_getfield(L, 1, "name") == LUA_TNIL) {
        lua_pop(L, 1);
        push_default_name(L, host, is_processes);
    } else if (lua_type(L, 3) != LUA_TSTRING) {
        lc_raise_argument(L, host, LC_TYPE_ERROR, what, 1, "name as string", 3);
    }
    return executor_new(L, host, is_processes);
}

/* Seconds among the options at 1; without them for ever. [-0, +0, v] */
static double get_seconds(lua_State *L, const char *what, const char *name)
{
    double seconds = HUGE_VAL;

    if (lua_getfield(L, 1, name) != LUA_TNIL)
        seconds = lc_check_limit(L, -1, what, 1);
    lua_pop(L, 1);
    return seconds;
}

/* lucio.ThreadPoolExecutor{max_workers=, initializer=, name=, job_timeout=, cancel_timeout=, daemon=} */
static int lucio_thread_pool_executor(lua_State *L)
{
    static const char *const names[] = {"max_workers",    "initializer", "name", "job_timeout",
                                        "cancel_timeout", "daemon",      NULL};
    static const char what[] = "ThreadPoolExecutor";
    struct executor *executor = take_options(L, false, names);
    struct lc_threads_limits limits;

    limits.threads = (unsigned)get_integer(L, what, "max_workers", default_threads(), 1, 10000);
    limits.job = get_seconds(L, what, "job_timeout");
    limits.cancel = get_seconds(L, what, "cancel_timeout");
    limits.daemon = get_flag(L, 1, "daemon", false);
    executor->pool = lc_threads_new(L, lc_host_of(L), push_name(L), &limits, 2);
    lua_settop(L, 3);
    return 1;
}

/* lucio.ProcessPoolExecutor{max_workers=, initializer=, name=, job_timeout=, cancel_timeout=,
 * max_tasks_per_child=} */
static int lucio_process_pool_executor(lua_State *L)
{
    static const char *const names[] = {"max_workers", "initializer",    "name",
                                        "job_timeout", "cancel_timeout", "max_tasks_per_child",
                                        NULL};
    static const char what[] = "ProcessPoolExecutor";
    struct executor *executor = take_options(L, true, names);
    struct lc_courier_limits limits;

    limits.processes =
        (unsigned)get_integer(L, what, "max_workers", count_processors(), 1, PROCESSES_MAX);
    limits.jobs = (unsigned long)get_integer(L, what, "max_tasks_per_child", 0, 0, INT_MAX);
    limits.job = get_seconds(L, what, "job_timeout");
    limits.cancel = get_seconds(L, what, "cancel_timeout");
    executor->pool = lc_courier_new(L, lc_host_of(L), push_name(L), &limits, 2);
    lua_settop(L, 3);
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
    static const luaL_Reg process_methods[] = {{"submit", executor_submit},
                                               {"map", executor_map},
                                               {"shutdown", executor_shutdown},
                                               {"terminate_workers", executor_terminate_workers},
                                               {"kill_workers", executor_kill_workers},
                                               {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__close", executor_close},
                                           {"__gc", executor_gc},
                                           {"__tostring", executor_tostring},
                                           {NULL, NULL}};
    static const luaL_Reg functions[] = {{"ThreadPoolExecutor", lucio_thread_pool_executor},
                                         {"ProcessPoolExecutor", lucio_process_pool_executor},
                                         {"cpu_count", lucio_cpu_count},
                                         {NULL, NULL}};

    lc_new_type(L, host, LC_REF_EXECUTOR, "lucio.ThreadPoolExecutor", methods, metamethods);
    lc_new_type(L, host, LC_REF_PROCESS_EXECUTOR, "lucio.ProcessPoolExecutor", process_methods,
                metamethods);
    lc_set_functions(L, host, functions);
    lc_open_map(L, host);
    lc_crossing_open(L, host);
    lc_open_remote(L, host);
    lc_open_reports(L, host);
}
