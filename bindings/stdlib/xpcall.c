/*
 * xpcall: a message handler that may wait. It is called where the error is raised, which cannot be
 * suspended, so it runs as a task of its own that takes its first step there and then. When it suspends,
 * the error goes on as it is; xpcall awaits the handler's task and returns what that returned.
 * Invariant: the handler's closure lists the tasks that were suspended, in the order of the errors; the
 *            last error's handler says what xpcall returns.
 * Owner:     the closure is on the stack of xpcall. The function keeps one, with the program's handler,
 *            for its next call; one that has been called is dropped.
 */
#include "xpcall.h"

#include <string.h>

#include <lauxlib.h>

#include "error.h"
#include "standard.h"
#include "task.h"
#include "traceback.h"
#include "waiter.h"

/* The upvalues of the message handler. */
enum {
    UP_HANDLER = 2, /* the program's */
    UP_TASKS,       /* list of suspended ones, or nil */
    UP_AWAITS,      /* the last one is in that list */
    UP_RAISES,      /* xpcall raises what it gets: a cancellation, an exit */
    UP_LETS_PASS,   /* such an error goes past the handler */
    UP_KEPT,        /* the struct kept, or nil */
    UP_COUNT = UP_KEPT
};

/* What the function knows of the closure it keeps, so that a call costs little more than Lua's own. */
struct kept {
    struct lc_host *host;
    const void *handler; /* the program's: lua_topointer */
    bool is_busy;        /* serves a call, or has been called */
};

/* The stack of a call. */
enum slot { FUNCTION = 1, HANDLER, RESULT, TASKS, TASK };

/* Less than that is left of the stack when its overflow is being handled. */
#define STACK_LEFT 256

static bool passes(lua_State *L, int idx)
{
    enum lc_kind kind = lc_error_kind(L, idx);

    return kind != LC_KIND_VALUE && kind != LC_KIND_ORDINARY;
}

/* ---- the handler ---- */

/* Whether the handler of the error at 1 has to run in place: there is no room for a task. */
static bool runs_in_place(lua_State *L, struct lc_host *host)
{
    return host->current == NULL || host->running != L || !lua_checkstack(L, STACK_LEFT) ||
           (lua_type(L, 1) == LUA_TSTRING && strstr(lua_tostring(L, 1), "stack overflow") != NULL);
}

/* Pushes a task that runs the handler with the error at 1, in the context of the running task. */
static struct lc_task *push_task(lua_State *L, struct lc_host *host)
{
    struct lc_task *outer = host->current;
    int context = 0;

    lc_task_push(L, outer);
    if (outer->has_context) {
        lc_future_push_extra(L, 2, LC_EXTRA_CONTEXT);
        context = 3;
    }
    lua_pushvalue(L, lua_upvalueindex(UP_HANDLER));
    lua_pushvalue(L, 1);
    return lc_task_new(L, outer->future.loop, 1, context, LC_TASK_NAMED);
}

/* Lets the task, which is on top, take its first step. */
static void step(lua_State *L, struct lc_host *host, struct lc_task *task)
{
    struct lc_erring outer = host->erring;

    host->erring.L = L;
    host->erring.task = host->current;
    host->erring.handler = task;
    lc_task_start(L, task);
    host->erring = outer;
}

/* The task on top, made for the one at 2, has not ended: it is awaited later. */
static void note_task(lua_State *L, struct lc_host *host)
{
    lc_task_push_name(L, host->current, 2);
    lc_future_set_extra(L, -2, LC_EXTRA_NAME);
    lua_pushvalue(L, 2);
    lc_future_set_extra(L, -2, LC_EXTRA_ERRING);
    lua_pushvalue(L, lua_upvalueindex(UP_TASKS));
    if (lua_isnil(L, -1)) {
        lua_createtable(L, 1, 0);
        lua_copy(L, -1, lua_upvalueindex(UP_TASKS));
        lua_replace(L, -2);
    }
    lua_insert(L, -2);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

/* The running function is not what is in the way of a wait: it is a message handler. */
static void mark_running(lua_State *L, struct lc_host *host)
{
    lua_Debug ar;

    lua_getstack(L, 0, &ar);
    lua_getinfo(L, "f", &ar);
    lc_wait_mark_passable(L, host);
    lua_pop(L, 1);
}

static void set_flag(lua_State *L, int upvalue, bool value)
{
    lua_pushboolean(L, value);
    lua_replace(L, lua_upvalueindex(upvalue));
}

/* The message handler: (error) -> error */
static int run_handler(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_task *task;
    int n;

    lua_settop(L, 1);
    set_flag(L, UP_AWAITS, false);
    set_flag(L, UP_RAISES, false);
    if (lua_toboolean(L, lua_upvalueindex(UP_LETS_PASS))) {
        lc_traceback_take(L);
        if (passes(L, 1)) {
            set_flag(L, UP_RAISES, true);
            return 1;
        }
    }
    if (runs_in_place(L, host)) {
        mark_running(L, host);
        lua_pushvalue(L, lua_upvalueindex(UP_HANDLER));
        lua_insert(L, 1);
        lua_call(L, 1, 1);
        return 1;
    }
    task = push_task(L, host);
    step(L, host, task);
    if (!lc_future_is_done(&task->future)) {
        set_flag(L, UP_AWAITS, true);
        note_task(L, host);
        lua_settop(L, 1);
        return 1;
    }
    lua_replace(L, 2);
    lua_settop(L, 2);
    if (lc_future_push_outcome(L, 2, &n)) {
        lua_settop(L, 3);
        return 1;
    }
    if (!passes(L, -1))
        return lua_error(L); /* calls this handler again, as it does in Lua */
    set_flag(L, UP_RAISES, true);
    return 1;
}

/* ---- xpcall ---- */

static bool upvalue_is_true(lua_State *L, int n)
{
    bool is_true;

    lua_getupvalue(L, HANDLER, n);
    is_true = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return is_true;
}

/* Stack: the function, the handler, the error. */
static int fail(lua_State *L)
{
    lua_settop(L, RESULT);
    if (upvalue_is_true(L, UP_RAISES))
        return lua_error(L);
    lua_pushboolean(L, 0);
    lua_insert(L, RESULT);
    return 2;
}

static int awaited_k(lua_State *L, int status, lua_KContext i);

/* The task on top is done; the last one's outcome becomes the result. */
static void take_outcome(lua_State *L, bool is_last)
{
    int n;
    bool ok = lc_future_push_outcome(L, TASK, &n);

    if (!ok && passes(L, -1))
        lua_error(L);
    if (!is_last)
        return;
    lua_settop(L, TASK + 1);
    lua_replace(L, RESULT);
}

/* Awaits the handlers' tasks from the i-th on. */
static int await_from(lua_State *L, lua_Integer i)
{
    struct lc_host *host = lc_host_of(L);

    lua_settop(L, RESULT);
    if (!lua_getupvalue(L, HANDLER, UP_TASKS) || lua_isnil(L, -1))
        return fail(L);
    for (; lua_rawgeti(L, TASKS, i) != LUA_TNIL; i++) {
        struct lc_future *future = lua_touserdata(L, TASK);

        if (!lc_future_is_done(future)) {
            struct lc_task *task = lc_wait_task(L, host, "xpcall");

            return lc_wait_future(L, task, future, TASK, (lua_KContext)i, awaited_k);
        }
        take_outcome(L, i == (lua_Integer)lua_rawlen(L, TASKS) && upvalue_is_true(L, UP_AWAITS));
        lua_settop(L, TASKS);
    }
    return fail(L);
}

static int awaited_k(lua_State *L, int status, lua_KContext i)
{
    struct lc_host *host = lc_host_of(L);
    bool failed = lc_wait_end(L, host->current);

    (void)status;
    if (!lc_future_is_done(lua_touserdata(L, TASK)))
        lc_future_cancel(L, TASK, 0); /* the coroutine is being closed */
    if (failed && passes(L, -1)) {
        lc_future_mark_retrieved(lua_touserdata(L, TASK));
        return lua_error(L);
    }
    return await_from(L, (lua_Integer)i);
}

static int xpcall_k(lua_State *L, int status, lua_KContext ctx)
{
    struct kept *kept = (struct kept *)ctx;

    if (status == LUA_OK || status == LUA_YIELD) {
        if (kept != NULL)
            kept->is_busy = false;
        return lua_gettop(L) - 2;
    }
    lua_replace(L, RESULT);
    return await_from(L, 1);
}

bool lc_xpcall_may_wait(lua_State *L, struct lc_host *host)
{
    return lua_type(L, 2) == LUA_TFUNCTION && !lua_iscfunction(L, 2) &&
           lc_standard_may_wait(L, host);
}

/* Makes a message handler of the program's at HANDLER. */
static void make_handler(lua_State *L, struct lc_host *host, bool lets_pass)
{
    lua_pushlightuserdata(L, host);
    lua_pushvalue(L, HANDLER);
    for (int i = UP_TASKS; i < UP_LETS_PASS; i++)
        lua_pushnil(L);
    lua_pushboolean(L, lets_pass);
    lua_pushnil(L);
    lua_pushcclosure(L, run_handler, UP_COUNT);
    lua_replace(L, HANDLER);
}

/* As the original; the handler is in the place of the program's. */
static int call(lua_State *L, struct kept *kept)
{
    int status, n = lua_gettop(L);

    lua_pushboolean(L, 1);
    lua_pushvalue(L, FUNCTION);
    lua_rotate(L, 3, 2);
    status = lua_pcallk(L, n - 2, LUA_MULTRET, HANDLER, (lua_KContext)kept, xpcall_k);
    return xpcall_k(L, status, (lua_KContext)kept);
}

int lc_xpcall(lua_State *L, struct lc_host *host, bool lets_pass)
{
    make_handler(L, host, lets_pass);
    return call(L, NULL);
}

/* Makes a message handler that the function keeps. */
static struct kept *make_kept(lua_State *L, struct lc_host *host, const void *handler)
{
    struct kept *kept;

    make_handler(L, host, false);
    kept = lua_newuserdatauv(L, sizeof *kept, 0);
    kept->host = host;
    kept->handler = handler;
    kept->is_busy = true;
    lua_copy(L, -1, lua_upvalueindex(LC_UP_HELPER));
    lua_setupvalue(L, HANDLER, UP_KEPT);
    lua_copy(L, HANDLER, lua_upvalueindex(LC_UP_OWN));
    return kept;
}

/* A call with another handler than the last one. */
static int call_with(lua_State *L, struct lc_host *host, struct kept *kept, const void *handler)
{
    if (!lc_xpcall_may_wait(L, host))
        return lc_standard_original(L);
    if (kept == NULL || kept->is_busy)
        return call(L, make_kept(L, host, handler));
    kept->handler = handler;
    kept->is_busy = true;
    lua_pushvalue(L, HANDLER);
    lua_copy(L, lua_upvalueindex(LC_UP_OWN), HANDLER);
    lua_setupvalue(L, HANDLER, UP_HANDLER);
    return call(L, kept);
}

/* xpcall(function, handler, ...) -> true, ... or false, what the handler returned */
static int standard_xpcall(lua_State *L)
{
    struct kept *kept = lua_touserdata(L, lua_upvalueindex(LC_UP_HELPER));
    const void *handler = lua_topointer(L, HANDLER);

    if (kept == NULL || kept->is_busy || kept->handler != handler)
        return call_with(L, lc_host_of(L), kept, handler);
    if (!lc_standard_may_wait(L, kept->host))
        return lc_standard_original(L);
    kept->is_busy = true;
    lua_copy(L, lua_upvalueindex(LC_UP_OWN), HANDLER);
    return call(L, kept);
}

void lc_open_xpcall(lua_State *L, struct lc_host *host)
{
    lc_standard_replace(L, host, "xpcall", standard_xpcall);
}
