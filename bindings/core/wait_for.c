/*
 * wait_for: an awaitable with a time limit (SEMANTICS WT): a timeout around an await in the calling
 * task; with no time left, the awaitable is cancelled and waited for.
 */
#include <math.h>

#include <lauxlib.h>

#include "core.h"
#include "timeout.h"
#include "traceback.h"

/* The awaitable under the timeout has ended. Stack: 1 the awaitable, 2 the timeout, 3 the handler,
 * then results or the error. */
static int call_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_timeout *timeout = lua_touserdata(L, 2);
    bool failed = status != LUA_OK && status != LUA_YIELD;

    (void)ctx;
    if (lc_timeout_exit(L, timeout, failed ? lua_gettop(L) : 0) || failed)
        return lua_error(L);
    return lua_gettop(L) - 3;
}

/* A future under the timeout is done, or the task was cancelled. */
static int future_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_timeout *timeout = lua_touserdata(L, 2);
    bool failed = lc_wait_end(L, host->current);
    int n;

    (void)status;
    (void)ctx;
    if (lc_timeout_exit(L, timeout, failed ? lua_gettop(L) : 0) || failed)
        return lua_error(L);
    lc_future_push_outcome(L, 1, &n);
    return n;
}

static int limited(lua_State *L, struct lc_host *host, double timeout)
{
    struct lc_future *future = lc_to_future(L, 1);
    struct lc_task *task = lc_wait_task(L, host, "wait_for");
    double now;
    int status, n;

    lua_settop(L, 1);
    if (future != NULL && lc_future_is_done(future))
        return lc_future_push_outcome(L, 1, &n) ? n : lua_error(L);
    if (future != NULL && lc_future_loop(future) != host->loop)
        lc_raise(L, host, LC_RUNTIME_ERROR, "Task got a Future attached to a different loop");
    now = lc_loop_time(host->loop);
    lc_timeout_enter(L, host, now + timeout, now);
    if (future != NULL && future != &task->future)
        return lc_wait_future(L, task, future, 1, 0, future_k);
    lua_pushcfunction(L, lc_traceback_handler);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_pushvalue(L, 1);
    status = lua_pcallk(L, 1, LUA_MULTRET, 3, 0, call_k);
    return call_k(L, status, 0);
}

/* ---- no time left: cancel and wait ---- */

struct ending {
    struct lc_object object;
    struct lc_entry entry;
    struct lc_task *task;
};

static const struct lc_type ending_type = {"wait_for", sizeof(struct ending)};
static const struct lc_wait_type ending_wait = {"wait_for", NULL};

static void ending_run(struct lc_loop *loop, struct lc_entry *entry)
{
    (void)loop;
    lc_waiter_wake(&lc_container_of(entry, struct ending, entry)->task->waiter);
}

static void ending_awaiter(const struct lc_entry *entry, struct lc_awaiter *awaiter)
{
    awaiter->task = lc_container_of(entry, struct ending, entry)->task;
}

static const struct lc_entry_type ending_entry = {ending_run, NULL, NULL, ending_awaiter};

/* Stack: 1 the future, 2 the ending. */
static int ending_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);
    struct ending *ending = lua_touserdata(L, 2);
    int n;

    (void)status;
    (void)ctx;
    lc_list_unlink(&ending->entry.link);
    if (lc_wait_end(L, host->current))
        return lua_error(L);
    if (lc_future_push_outcome(L, 1, &n))
        return n;
    if (lc_error_kind(L, -1) == LC_KIND_CANCELLED) {
        lc_error_push_bare(L, host, LC_TIMEOUT_ERROR);
        lua_insert(L, -2);
        lua_setfield(L, -2, "cause");
    }
    return lua_error(L);
}

static int cancel_and_wait(lua_State *L, struct lc_host *host)
{
    struct lc_task *task = lc_wait_task(L, host, "wait_for");
    struct lc_future *future = lc_ensure_future(L, host, 1);
    struct ending *ending;
    int n;

    lua_replace(L, 1);
    lua_settop(L, 1);
    if (lc_future_is_done(future))
        return lc_future_push_outcome(L, 1, &n) ? n : lua_error(L);
    if (lc_future_loop(future) != host->loop)
        lc_raise(L, host, LC_RUNTIME_ERROR, "Task got a Future attached to a different loop");
    ending = lc_new_object(L, host, &ending_type, LC_REF_WAIT, sizeof *ending, 0);
    lc_entry_init(&ending->entry, &ending_entry);
    ending->task = task;
    lc_future_add_entry(future, &ending->entry);
    lc_future_cancel(L, 1, 0);
    lc_wait_begin(L, task, &ending_wait, 2);
    return lc_wait_yield(L, task, 0, ending_k);
}

static int return_all(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lua_gettop(L);
}

/* lucio.wait_for(awaitable, timeout) -> ... May suspend. */
static int lucio_wait_for(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    double timeout = INFINITY;

    lua_settop(L, 2);
    lc_check_awaitable(L, 1, "wait_for", 1);
    if (!lc_opt_seconds(L, 2, "wait_for", 2, &timeout)) {
        lua_settop(L, 1);
        lua_pushvalue(L, lua_upvalueindex(2));
        lua_insert(L, 1);
        lua_callk(L, 1, LUA_MULTRET, 0, return_all);
        return return_all(L, LUA_OK, 0);
    }
    return timeout <= 0 ? cancel_and_wait(L, host) : limited(L, host, timeout);
}

void lc_open_wait_for(lua_State *L, struct lc_host *host)
{
    lua_pushlightuserdata(L, host);
    lua_getfield(L, -2, "await");
    lua_pushcclosure(L, lucio_wait_for, 2);
    lua_setfield(L, -2, "wait_for");
}
