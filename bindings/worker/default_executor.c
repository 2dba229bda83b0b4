/*
 * default_executor: the loop's own executor: run_in_executor, to_thread, and its end.
 * Owner: the loop holds the executor by an anchor, and knows its pool. It is made on first use (TH1), ends
 *        with the run, and is closed, without a wait, with the loop.
 */
#include "default_executor.h"

#include <lauxlib.h>

#include "core.h"
#include "executor.h"
#include "job.h"
#include "loop_object.h"

/* Pushes the executor that the loop has, made if there is none yet. [-0, +1, v] */
static struct lc_pool *push_default(lua_State *L, struct lc_loop *loop)
{
    struct lc_host *host = loop->host;
    struct lc_pool *pool;

    if (loop->executor_ended)
        lc_raise(L, host, LC_RUNTIME_ERROR, "Executor shutdown has been called");
    if (loop->executor_pool != NULL) {
        lc_anchor_push(L, host, loop->executor);
        return loop->executor_pool;
    }
    pool = lc_executor_new(L, host);
    lua_pushvalue(L, -1);
    loop->executor = lc_anchor(L, host);
    loop->executor_pool = pool;
    return pool;
}

/* loop:run_in_executor(executor or nil, fn, ...) -> Future */
static int loop_run_in_executor(lua_State *L)
{
    static const struct lc_pack_names names = {.what = "run_in_executor", .first = 2};
    struct lc_loop *loop = lc_loop_check(L, "run_in_executor");
    struct lc_pool *pool = lc_executor_pool(L, 2);

    if (pool == NULL && !lua_isnoneornil(L, 2))
        lc_raise_argument(L, loop->host, LC_TYPE_ERROR, "run_in_executor", 1, "executor", 2);
    lc_executor_check_function(L, 3, "run_in_executor", 2);
    if (pool == NULL) {
        pool = push_default(L, loop);
        lua_replace(L, 2);
    }
    if (lc_pool_is_closed(pool))
        lc_raise(L, loop->host, LC_RUNTIME_ERROR, "cannot schedule new futures after shutdown");
    lc_job_submit(L, loop, pool, 3, &names, LC_JOB_CALL);
    return 1;
}

/* lucio.to_thread(fn, ...) -> what it returns. May suspend. */
static int lucio_to_thread(lua_State *L)
{
    static const struct lc_pack_names names = {.what = "to_thread", .first = 1};
    struct lc_host *host = lc_host_of(L);
    struct lc_pool *pool;

    lc_executor_check_function(L, 1, "to_thread", 1);
    lc_wait_task(L, host, "to_thread");
    pool = push_default(L, host->loop);
    lua_insert(L, 1);
    if (lc_pool_is_closed(pool))
        lc_raise(L, host, LC_RUNTIME_ERROR, "cannot schedule new futures after shutdown");
    lc_job_submit(L, host->loop, pool, 2, &names, LC_JOB_CONTEXT);
    lua_replace(L, 1);
    lua_settop(L, 1);
    return lc_await_future(L, host, lc_to_future(L, 1), 1);
}

/* loop:set_default_executor(executor) */
static int loop_set_default_executor(lua_State *L)
{
    struct lc_loop *loop = lc_loop_check(L, "set_default_executor");
    struct lc_pool *pool = lc_executor_pool(L, 2);

    lua_settop(L, 2);
    if (pool == NULL || lc_executor_is_processes(L, 2))
        lc_raise_argument(L, loop->host, LC_TYPE_ERROR, "set_default_executor", 1,
                          "ThreadPoolExecutor", 2);
    if (loop->executor == LC_NO_ANCHOR)
        loop->executor = lc_anchor_reserve(L, loop->host);
    lc_anchor_set(L, loop->host, loop->executor);
    loop->executor_pool = pool;
    return 0;
}

/* ---- the end ---- */

/* asyncio's limit for the end of a run, seconds. */
#define END_TIMEOUT 300

/* After wait_for, under a protected call. Stack: 1 the loop, 2 the limit, 3 the future... */
static int ended_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);

    (void)ctx;
    if (status == LUA_OK || status == LUA_YIELD)
        return 0;
    if (!lc_error_is(L, host, -1, LC_TIMEOUT_ERROR))
        return lua_error(L);
    lua_pushfstring(L,
                    "RuntimeWarning: The executor did not finish joining its threads within %f "
                    "seconds.\n",
                    lua_tonumber(L, 2));
    lc_host_log(host, lua_tostring(L, -1));
    return 0;
}

/* Waits for the end of the default executor's threads. Stack: 1 the loop, 2 the limit or nil. */
static int end_default(lua_State *L, struct lc_loop *loop)
{
    struct lc_host *host = loop->host;
    struct lc_pool *pool = loop->executor_pool;

    loop->executor_ended = true;
    if (pool == NULL || !lc_executor_end(L, loop, pool))
        return 0;
    lc_host_push_ref(L, host, LC_REF_MODULE);
    lua_getfield(L, -1, "wait_for");
    lua_replace(L, -2);
    lua_pushvalue(L, 3);
    lua_pushvalue(L, 2);
    return ended_k(L, lua_pcallk(L, 2, 0, 0, 0, ended_k), 0);
}

/* loop:shutdown_default_executor(timeout?). May suspend. */
static int loop_shutdown_default_executor(lua_State *L)
{
    struct lc_loop *loop = lc_loop_check(L, "shutdown_default_executor");
    double timeout;

    lua_settop(L, 2);
    if (lc_opt_seconds(L, 2, "shutdown_default_executor", 1, &timeout))
        lc_check_limit(L, 2, "shutdown_default_executor", 1);
    lc_wait_task(L, loop->host, "shutdown_default_executor");
    return end_default(L, loop);
}

/* The body of the task at the end of a run. */
static int end_main(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    lua_settop(L, 0);
    lua_pushnil(L);
    lua_pushnumber(L, END_TIMEOUT);
    return end_default(L, host->loop);
}

void lc_default_executor_push_end(lua_State *L, struct lc_host *host)
{
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, end_main, 1);
}

void lc_open_default_executor(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {
        {"run_in_executor", loop_run_in_executor},
        {"set_default_executor", loop_set_default_executor},
        {"shutdown_default_executor", loop_shutdown_default_executor},
        {NULL, NULL},
    };
    static const luaL_Reg functions[] = {{"to_thread", lucio_to_thread}, {NULL, NULL}};

    lc_loop_add_methods(L, host, methods);
    lc_set_functions(L, host, functions);
}
