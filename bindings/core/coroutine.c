/*
 * coroutine: replacements for coroutine.resume, wrap, yield, close and status. An await inside of a
 * user's coroutine passes through every resume up to the task, and its wake-up back down (LG8); what
 * the coroutine yields itself goes to who resumed it, as always. Outside of tasks they behave as
 * Lua's own.
 * Invariant: a coroutine that is suspended in an await has a mark on top of its stack; to Lua it is
 *            "normal": the task that drives it is somewhere below.
 */
#include "coroutine.h"

#include <lauxlib.h>
#include <lualib.h>

#include "budget.h"
#include "core.h"
#include "generator.h"
#include "traceback.h"

/* What a coroutine has on top of its stack while it is suspended in an await; below it the number of
 * the task that drives it. */
static const char awaiting_mark;

static bool is_awaiting(lua_State *co)
{
    return lua_status(co) == LUA_YIELD && lua_gettop(co) >= 2 &&
           lua_touserdata(co, -1) == &awaiting_mark;
}

/* Resumes `co` from L; `can_await`: an await in it can go up to the task. */
static int resume_thread(lua_State *L, struct lc_host *host, lua_State *co, int nargs, int *results,
                         bool can_await)
{
    lua_State *outer = host->running;
    bool outer_can = host->can_await;
    int status;

    if (outer_can && !can_await) {
        host->blocked = L;
        host->blocked_level = 1;
    }
    host->can_await = can_await;
    lc_host_enter(host, co, co);
    *results = 0; /* what lua_resume refuses to run leaves it unset */
    status = lua_resume(co, L, nargs, results);
    lc_host_enter(host, outer, L);
    host->can_await = outer_can;
    if (status == LUA_YIELD && host->awaiting)
        *results = LC_AWAITING;
    return status;
}

int lc_coroutine_resume(lua_State *L, struct lc_host *host, lua_State *co, int nargs, int *results)
{
    bool can_await = host->can_await && host->running == L && lua_isyieldable(L);

    return resume_thread(L, host, co, nargs, results, can_await);
}

int lc_coroutine_resume_below(lua_State *L, struct lc_host *host, lua_State *co, int nargs,
                              int *results)
{
    int status = resume_thread(L, host, co, nargs, results, true);

    if (*results == LC_AWAITING)
        host->awaiting = false;
    return status;
}

int lc_coroutine_suspend(lua_State *L, struct lc_host *host, lua_State *co, lua_KContext ctx,
                         lua_KFunction k)
{
    /* every C function has the room, whatever it says */
    (void)lua_checkstack(co, 2);
    lua_pushinteger(co, host->current->id);
    lua_pushlightuserdata(co, (void *)&awaiting_mark);
    host->awaiting = true;
    return lua_yieldk(L, 0, ctx, k);
}

void lc_coroutine_woken(lua_State *co)
{
    if (is_awaiting(co))
        lua_pop(co, 2);
}

static lua_State *check_coroutine(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);

    luaL_argexpected(L, co, 1, "thread");
    return co;
}

/* Goes on with the coroutine at `idx`, whose arguments are on its stack. Returns the number of
 * results moved to L, LC_AWAITING, or -2 with the error. */
static int resume_on(lua_State *L, struct lc_host *host, lua_State *co, int nargs)
{
    int status, results;

    status = lc_coroutine_resume(L, host, co, nargs, &results);
    if (results == LC_AWAITING)
        return LC_AWAITING;
    if (status == LUA_OK || status == LUA_YIELD) {
        if (!lua_checkstack(L, results + 1)) {
            lua_pop(co, results);
            lua_pushliteral(L, "too many results to resume");
            return -2;
        }
        lua_xmove(co, L, results);
        return results;
    }
    lua_xmove(co, L, 1);
    return -2;
}

static int body_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)ctx;
    if (status != LUA_OK && status != LUA_YIELD)
        return lua_error(L);
    return lua_gettop(L) - 1;
}

/* What a coroutine made in a task runs: (handler, fn, ...). As in a task, the protected call lets
 * `<close>` variables suspend while an error unwinds (LG1). */
static int body(lua_State *L)
{
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, body_k);

    return body_k(L, status, 0);
}

/* Moves n arguments from L and starts or goes on, as resume_on. */
static int resume_first(lua_State *L, struct lc_host *host, lua_State *co, int n)
{
    if (!lua_checkstack(co, n)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -2;
    }
    if (is_awaiting(co)) {
        lua_pop(L, n);
        lua_pushliteral(L, "cannot resume non-suspended coroutine");
        return -2;
    }
    lua_xmove(L, co, n);
    if (lua_status(co) == LUA_OK && lua_tocfunction(co, 1) == body)
        n = lua_gettop(co) - 1;
    return resume_on(L, host, co, n);
}

/* ---- coroutine.resume ---- */

static int resume_k(lua_State *L, int status, lua_KContext ctx);

static int resume_finish(lua_State *L, struct lc_host *host, int n)
{
    if (n == LC_AWAITING)
        return lc_coroutine_suspend(L, host, lua_tothread(L, 1), 0, resume_k);
    if (n < 0)
        lc_traceback_pass(L, host, -1, -1);
    lua_pushboolean(L, n >= 0);
    if (n < 0)
        n = 1;
    lua_insert(L, -(n + 1));
    return n + 1;
}

static int resume_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);

    (void)status;
    (void)ctx;
    lc_coroutine_woken(lua_tothread(L, 1));
    return resume_finish(L, host, resume_on(L, host, lua_tothread(L, 1), 0));
}

static int co_resume(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    lua_State *co = check_coroutine(L);

    return resume_finish(L, host, resume_first(L, host, co, lua_gettop(L) - 1));
}

/* ---- coroutine.wrap ---- */

static int wrap_k(lua_State *L, int status, lua_KContext ctx);

/* Closes the variables of a coroutine that does not run. Their Lua code runs in it, and may not await. */
static int close_thread(lua_State *L, struct lc_host *host, lua_State *co)
{
    lua_State *outer = host->running;
    bool outer_can = host->can_await;
    int status;

    if (outer_can) {
        host->blocked = L;
        host->blocked_level = 0;
    }
    host->can_await = false;
    lc_host_enter(host, co, co);
#if LUA_VERSION_RELEASE_NUM >= 50406
    status = lua_closethread(co, L);
#else
    status = lua_resetthread(co);
#endif
    lc_host_enter(host, outer, L);
    host->can_await = outer_can;
    return status;
}

static int wrap_finish(lua_State *L, struct lc_host *host, int n)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(2));
    int status;

    if (n == LC_AWAITING)
        return lc_coroutine_suspend(L, host, co, 0, wrap_k);
    if (n >= 0)
        return n;
    status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD) {
        status = close_thread(L, host, co);
        lua_xmove(co, L, 1);
    }
    lua_pushvalue(L, -1);
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    lc_traceback_pass(L, host, -2, -1);
    return lua_error(L);
}

static int wrap_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);
    lua_State *co = lua_tothread(L, lua_upvalueindex(2));

    (void)status;
    (void)ctx;
    lc_coroutine_woken(co);
    return wrap_finish(L, host, resume_on(L, host, co, 0));
}

/* The function that coroutine.wrap returns. Upvalue 2: the coroutine. */
static int wrap_call(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    lua_State *co = lua_tothread(L, lua_upvalueindex(2));

    return wrap_finish(L, host, resume_first(L, host, co, lua_gettop(L)));
}

/* Pushes a new coroutine that runs the function at 1. */
static void push_coroutine(lua_State *L, struct lc_host *host)
{
    lua_State *co;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    co = lua_newthread(L);
    lc_budget_charge_thread(L, host, co);
    if (host->current != NULL) {
        lua_pushcfunction(co, body);
        lua_pushcfunction(co, lc_traceback_handler);
    }
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
}

static int co_create(lua_State *L)
{
    push_coroutine(L, lc_host_of(L));
    return 1;
}

static int co_wrap(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_pushvalue(L, lua_upvalueindex(1));
    push_coroutine(L, lc_host_of(L));
    lua_pushcclosure(L, wrap_call, 2);
    return 1;
}

/* ---- coroutine.yield ---- */

/* The tick after a raw yield at task level (TA10). */
static int bad_yield_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);

    (void)status;
    (void)ctx;
    lc_error_push(
        L, host, LC_RUNTIME_ERROR,
        "Task got bad yield: coroutine.yield at task level (use lucio.sleep(0) to give up "
        "a turn)");
    lc_wait_settle(L, host->current, true);
    return lua_error(L);
}

static int co_yield (lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    if (host->current != NULL && host->current->thread == L)
        return lc_wait_turn(L, lc_wait_task(L, host, "coroutine.yield"), 0, bad_yield_k);
    if (host->generators > 0 && lc_generator_is_thread(L, host))
        return lc_generator_yield(L, host);
    return lua_yield(L, lua_gettop(L));
}

/* ---- coroutine.status and close ---- */

static int co_status(lua_State *L)
{
    if (is_awaiting(check_coroutine(L))) {
        lua_pushliteral(L, "normal");
        return 1;
    }
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

/* Closes the coroutine at 1, which `task` drives and which awaits: the await is withdrawn by raising
 * GeneratorExit from it, so that all clean-up runs, but nothing may await any more. The task goes on
 * in the next tick and finds the coroutine dead. */
static void close_awaiting(lua_State *L, struct lc_host *host, struct lc_task *task)
{
    struct lc_task *outer = host->current;
    lua_State *co = lua_tothread(L, 1), *outer_running = host->running;
    bool outer_can = host->can_await;
    int results;

    lc_coroutine_woken(co);
    lc_waiter_withdraw(&task->waiter);
    task->waiter.state = LC_WAIT_CLOSED;
    host->current = task;
    lc_host_enter(host, co, co);
    host->can_await = false;
    host->blocked = L;
    host->blocked_level = 0;
    lua_resume(co, L, 0, &results);
    host->current = outer;
    lc_host_enter(host, outer_running, L);
    host->can_await = outer_can;
    task->waiter.state = LC_WAIT_TURN;
    task->waiter.type = NULL;
    task->waiter.L = task->thread;
    lc_loop_ready(task->future.loop, &task->waiter.entry);
}

/* The results of coroutine.close; of a failure, the error is on top of the coroutine's stack. */
static int closed(lua_State *L, lua_State *co, bool ok)
{
    lua_pushboolean(L, ok);
    if (!ok)
        lua_xmove(co, L, 1);
    lua_settop(co, 0);
    return ok ? 1 : 2;
}

static int co_close(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    lua_State *co = check_coroutine(L);
    struct lc_task *task = NULL;

    /* of a closed loop, the task may be gone: then nothing is awaited any more */
    if (is_awaiting(co))
        task = lc_task_find(L, host, (unsigned)lua_tointeger(co, -2));
    if (task != NULL) {
        close_awaiting(L, host, task);
        if (close_thread(L, host, co) == LUA_OK || lc_error_is(co, host, -1, LC_GENERATOR_EXIT))
            return closed(L, co, true);
        return closed(L, co, false);
    }
    if (lua_status(co) == LUA_YIELD)
        return closed(L, co, close_thread(L, host, co) == LUA_OK);
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_insert(L, 1);
    lua_call(L, 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Replaces a function of Lua's coroutine table, on top; the original becomes upvalue 2. */
static void replace(lua_State *L, struct lc_host *host, const char *name, lua_CFunction function)
{
    lua_pushlightuserdata(L, host);
    lua_getfield(L, -2, name);
    lua_pushcclosure(L, function, 2);
    lua_setfield(L, -2, name);
}

void lc_open_coroutine(lua_State *L, struct lc_host *host)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_COLIBNAME) == LUA_TTABLE) {
        replace(L, host, "resume", co_resume);
        replace(L, host, "create", co_create);
        replace(L, host, "wrap", co_wrap);
        replace(L, host, "yield", co_yield );
        replace(L, host, "status", co_status);
        replace(L, host, "close", co_close);
    }
    lua_pop(L, 2);
}
