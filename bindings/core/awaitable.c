/*
 * awaitable: the five kinds of awaitables, async functions and await.
 * A Coroutine holds a function and its arguments until it is awaited or made a task, exactly once.
 * Owner: Lua's collector. User value 1 is the function, 2.. are the arguments.
 */
#include <lauxlib.h>

#include "core.h"
#include "report.h"

struct coroutine {
    struct lc_object object;
    int nargs;
    bool started;
    bool forgotten;        /* collected unstarted, reported */
    struct lc_entry entry; /* debug mode: reports it when it is collected unstarted */
    int anchor;
    int line;
    char source[LUA_IDSIZE];
};

static const struct lc_type coroutine_type = {"Coroutine", sizeof(struct coroutine)};

/* fn(...) of lucio.async(fn) -> Coroutine */
static int async_call(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    int nargs = lua_gettop(L);
    bool debug = host->loop != NULL ? host->loop->debug : host->options.debug;
    struct coroutine *coroutine;

    luaL_checkstack(L, 6, NULL);
    coroutine =
        lc_new_object(L, host, &coroutine_type, LC_REF_COROUTINE, sizeof *coroutine, nargs + 1);
    coroutine->nargs = nargs;
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_setiuservalue(L, -2, 1);
    for (int i = 1; i <= nargs; i++) {
        lua_pushvalue(L, i);
        lua_setiuservalue(L, -2, i + 1);
    }
    if (debug) {
        lua_Debug ar;

        if (lua_getstack(L, 1, &ar)) {
            lua_getinfo(L, "Sl", &ar);
            coroutine->line = ar.currentline;
            for (size_t i = 0; i < sizeof coroutine->source; i++)
                coroutine->source[i] = ar.short_src[i];
        }
        lc_host_push_ref(L, host, LC_REF_COROUTINE_DEBUG);
        lua_setmetatable(L, -2);
    }
    return 1;
}

/* lucio.async(fn) -> function */
static int lucio_async(lua_State *L)
{
    lua_settop(L, 1);
    lc_check_callable(L, 1, "async", 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_pushcclosure(L, async_call, 2);
    return 1;
}

static void forgotten_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct coroutine *coroutine = lc_container_of(entry, struct coroutine, entry);
    lua_State *L = loop->L;

    luaL_checkstack(L, 6, NULL);
    lc_anchor_push(L, loop->host, coroutine->anchor);
    lc_anchor_drop(L, loop->host, &coroutine->anchor);
    lua_createtable(L, 0, 2);
    lua_pushfstring(L, "coroutine made at %s:%d was never awaited", coroutine->source,
                    coroutine->line);
    lua_setfield(L, -2, "message");
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "coroutine");
    lc_report_call_handler(L, loop);
    lua_pop(L, 1);
}

static void forgotten_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    lc_anchor_drop(L, loop->host, &lc_container_of(entry, struct coroutine, entry)->anchor);
}

static const struct lc_entry_type forgotten_entry = {forgotten_run, forgotten_forget, NULL, NULL};

/* Debug mode: a Coroutine was collected that nobody awaited. Only queued here (LG10). */
static int coroutine_gc(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct coroutine *coroutine = lc_to_finalize(L, &coroutine_type);

    if (coroutine == NULL || coroutine->started || host->closed)
        return 0;
    coroutine->started = coroutine->forgotten = true;
    if (host->loop == NULL) {
        lua_writestringerror("coroutine made at %s", coroutine->source);
        lua_writestringerror(":%d was never awaited\n", coroutine->line);
        return 0;
    }
    lua_settop(L, 1);
    coroutine->anchor = lc_anchor(L, host);
    lc_entry_init(&coroutine->entry, &forgotten_entry);
    lc_loop_ready(host->loop, &coroutine->entry);
    return 0;
}

static int coroutine_tostring(lua_State *L)
{
    struct coroutine *coroutine = lc_check_self(L, &coroutine_type, "tostring");

    lua_pushfstring(L, "<Coroutine %s at %p>",
                    coroutine->forgotten ? "never awaited"
                    : coroutine->started ? "awaited"
                                         : "created",
                    coroutine);
    return 1;
}

static int return_all(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    return lua_gettop(L) - (int)ctx;
}

/* Replaces the Coroutine at `idx` in the frame by a call of its function; results follow `idx`. */
static int coroutine_run_at(lua_State *L, struct lc_host *host, int idx)
{
    struct coroutine *coroutine = lua_touserdata(L, idx);

    if (coroutine->started)
        lc_raise(L, host, LC_RUNTIME_ERROR, "cannot reuse already awaited coroutine");
    coroutine->started = true;
    luaL_checkstack(L, coroutine->nargs + 2, "too many arguments to a coroutine");
    for (int i = 0; i <= coroutine->nargs; i++)
        lua_getiuservalue(L, idx, i + 1);
    lua_callk(L, coroutine->nargs, LUA_MULTRET, idx, return_all);
    return return_all(L, LUA_OK, idx);
}

/* (Future) -> its result; the body of a task made of it. */
static int future_body(lua_State *L)
{
    return lc_await_future(L, lc_host_of(L), lua_touserdata(L, 1), 1);
}

/* (Coroutine) raises: the body of a task made of one that was awaited already. */
static int coroutine_body(lua_State *L)
{
    return coroutine_run_at(L, lc_host_of(L), 1);
}

/* (object) -> what its __await returns; the body of a task made of it. */
static int object_body(lua_State *L)
{
    luaL_getmetafield(L, 1, "__await");
    lua_pushvalue(L, 1);
    lua_callk(L, 1, LUA_MULTRET, 1, return_all);
    return return_all(L, LUA_OK, 1);
}

static bool has_await(lua_State *L, int idx)
{
    if (luaL_getmetafield(L, idx, "__await") == LUA_TNIL)
        return false;
    lua_pop(L, 1);
    return true;
}

bool lc_is_awaitable(lua_State *L, int idx)
{
    return lua_isfunction(L, idx) || lc_to_future(L, idx) != NULL ||
           lc_to_object(L, idx, &coroutine_type) != NULL || has_await(L, idx);
}

void lc_check_awaitable(lua_State *L, int idx, const char *what, int pos)
{
    if (!lc_is_awaitable(L, idx))
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, pos, "awaitable", idx);
}

int lc_push_body(lua_State *L, struct lc_host *host, int idx)
{
    struct coroutine *coroutine;

    luaL_checkstack(L, 4, NULL);
    idx = lua_absindex(L, idx);
    if (lua_isfunction(L, idx)) {
        lua_pushvalue(L, idx);
        lc_unwrap_async(L, -1);
        return 0;
    }
    coroutine = lc_to_object(L, idx, &coroutine_type);
    if (coroutine != NULL && !coroutine->started) {
        coroutine->started = true;
        luaL_checkstack(L, coroutine->nargs + 8, "too many arguments to a coroutine");
        for (int i = 0; i <= coroutine->nargs; i++)
            lua_getiuservalue(L, idx, i + 1);
        return coroutine->nargs;
    }
    lua_pushlightuserdata(L, host);
    if (coroutine != NULL)
        lua_pushcclosure(L, coroutine_body, 1);
    else if (lc_to_future(L, idx) != NULL)
        lua_pushcclosure(L, future_body, 1);
    else
        lua_pushcclosure(L, object_body, 1);
    lua_pushvalue(L, idx);
    return 1;
}

struct lc_future *lc_ensure_future(lua_State *L, struct lc_host *host, int idx)
{
    if (lc_to_future(L, idx) != NULL)
        lua_pushvalue(L, idx);
    else
        lc_create_task(L, host, host->loop, lc_push_body(L, host, idx), 0, LC_TASK_PLAIN);
    return lc_to_future(L, -1);
}

/* Raises unless item i of a list, on top, is an awaitable of the running loop. */
static void check_item(lua_State *L, struct lc_host *host, const char *what, int pos, int i)
{
    struct lc_future *future = lc_to_future(L, -1);

    if (future != NULL && lc_future_loop(future) != host->loop)
        lc_raise(L, host, LC_VALUE_ERROR,
                 "bad argument #%d to '%s' (item %d belongs to a different loop)", pos, what, i);
    if (future != NULL || lc_is_awaitable(L, -1))
        return;
    if (lua_isnil(L, -1))
        lc_raise(L, host, LC_TYPE_ERROR, "bad argument #%d to '%s' (item %d is nil)", pos, what, i);
    lc_raise(L, host, LC_TYPE_ERROR,
             "bad argument #%d to '%s' (item %d: awaitable expected, got %s)", pos, what, i,
             lc_type_name(L, -1));
}

lua_Integer lc_check_awaitables(lua_State *L, struct lc_host *host, int idx, const char *what,
                                int pos, bool *only_futures)
{
    lua_Integer n = lc_check_list(L, idx, what, pos);

    *only_futures = true;
    for (lua_Integer i = 1; i <= n; i++) {
        struct lc_future *future;

        lua_rawgeti(L, idx, i);
        future = lc_to_future(L, -1);
        if (future == NULL || lc_future_loop(future) != host->loop) {
            *only_futures = false;
            check_item(L, host, what, pos, (int)i);
        }
        lua_pop(L, 1);
    }
    return n;
}

/* Replaces item on top by its future; `seen` is a table object -> future, made on first use in that
 * slot: an object that stands twice is one. */
static void item_future(lua_State *L, struct lc_host *host, int seen)
{
    int item = lua_gettop(L);

    if (lua_isnil(L, seen)) {
        lua_newtable(L);
        lua_replace(L, seen);
    }
    lua_pushvalue(L, item);
    if (lua_rawget(L, seen) == LUA_TNIL) {
        lua_pop(L, 1);
        lc_ensure_future(L, host, item);
        lua_pushvalue(L, item);
        lua_pushvalue(L, -2);
        lua_rawset(L, seen);
    }
    lua_replace(L, item);
}

void lc_ensure_futures(lua_State *L, struct lc_host *host, int idx, lua_Integer n)
{
    int list, seen;

    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 12, NULL);
    lua_createtable(L, (int)n, 0);
    list = lua_gettop(L);
    lua_pushnil(L);
    seen = lua_gettop(L);
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_rawgeti(L, idx, i) == LUA_TFUNCTION) {
            lc_unwrap_async(L, -1);
            lc_create_task(L, host, host->loop, 0, 0, LC_TASK_PLAIN);
        } else if (lc_to_future(L, -1) == NULL) {
            item_future(L, host, seen);
        }
        lua_rawseti(L, list, i);
    }
    lua_settop(L, list);
}

/* ---- await ---- */

/* The tick of a task that awaits itself is over (TA10). */
static int await_self_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);

    (void)status;
    (void)ctx;
    lc_error_push(L, host, LC_RUNTIME_ERROR, "Task cannot await on itself");
    lc_wait_settle(L, host->current, true);
    return lua_error(L);
}

static int await_future_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = (struct lc_task *)ctx;
    struct lc_waiter *waiter = &task->waiter;
    struct lc_future *future;
    int idx = waiter->idx, n;

    (void)status;
    /* the usual case in few steps; all others in lc_wait_end */
    future = lua_touserdata(L, idx);
    if (future->state == LC_FINISHED && future->result_count == 1 && !task->must_cancel &&
        waiter->state != LC_WAIT_CLOSED) {
        waiter->state = LC_WAIT_IDLE;
        waiter->type = NULL;
        lua_getiuservalue(L, idx, 1);
        return 1;
    }
    if (lc_wait_end(L, task))
        return lua_error(L);
    lc_future_push_outcome(L, idx, &n);
    return n;
}

int lc_await_future(lua_State *L, struct lc_host *host, struct lc_future *future, int idx)
{
    struct lc_task *task;
    int n;

    if (lc_future_is_done(future))
        return lc_future_push_outcome(L, idx, &n) ? n : lua_error(L);
    task = lc_wait_task(L, host, "await");
    if (lc_future_loop(future) != host->loop)
        lc_raise(L, host, LC_RUNTIME_ERROR, "Task got a Future attached to a different loop");
    if (future == &task->future)
        return lc_wait_turn(L, task, 0, await_self_k);
    return lc_wait_future(L, task, future, idx, (lua_KContext)task, await_future_k);
}

/* lucio.await(awaitable) -> ... */
static int lucio_await(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    struct lc_future *future;

    lua_settop(L, 1);
    future = lc_to_future(L, 1);
    if (future != NULL)
        return lc_await_future(L, host, future, 1);
    lc_check_awaitable(L, 1, "await", 1);
    if (lc_to_object(L, 1, &coroutine_type) != NULL)
        return coroutine_run_at(L, host, 1);
    if (has_await(L, 1))
        return object_body(L);
    lua_pushvalue(L, 1);
    lc_unwrap_async(L, 2);
    lua_callk(L, 0, LUA_MULTRET, 1, return_all);
    return return_all(L, LUA_OK, 1);
}

static int coroutine_await(lua_State *L)
{
    lc_check_self(L, &coroutine_type, "await");
    lua_settop(L, 1);
    return coroutine_run_at(L, lc_host_of(L), 1);
}

/* Coroutine:close(): it will not be awaited. */
static int coroutine_close(lua_State *L)
{
    struct coroutine *coroutine = lc_check_self(L, &coroutine_type, "close");

    coroutine->started = true;
    return 0;
}

bool lc_is_coroutine(lua_State *L, int idx)
{
    return lc_to_object(L, idx, &coroutine_type) != NULL;
}

static int lucio_iscoroutine(lua_State *L)
{
    lua_pushboolean(L, lc_is_coroutine(L, 1));
    return 1;
}

bool lc_is_async_function(lua_State *L, int idx)
{
    return lua_tocfunction(L, idx) == async_call;
}

void lc_unwrap_async(lua_State *L, int idx)
{
    if (!lc_is_async_function(L, idx))
        return;
    lua_getupvalue(L, idx, 2);
    lua_replace(L, idx < 0 ? idx - 1 : idx);
}

void lc_dispose_coroutine(lua_State *L, int idx)
{
    struct coroutine *coroutine = lc_to_object(L, idx, &coroutine_type);

    if (coroutine != NULL)
        coroutine->started = true;
}

static int lucio_iscoroutinefunction(lua_State *L)
{
    lua_pushboolean(L, lc_is_async_function(L, 1));
    return 1;
}

static int lucio_isfuture(lua_State *L)
{
    lua_pushboolean(L, lc_to_future(L, 1) != NULL);
    return 1;
}

static int lucio_isawaitable(lua_State *L)
{
    lua_settop(L, 1);
    lua_pushboolean(L, lc_is_awaitable(L, 1));
    return 1;
}

/* lucio.ensure_future(awaitable) -> Future or Task */
static int lucio_ensure_future(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    lua_settop(L, 1);
    lc_check_awaitable(L, 1, "ensure_future", 1);
    if (lc_to_future(L, 1) == NULL && host->loop == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "ensure_future: no running event loop");
    lc_ensure_future(L, host, 1);
    return 1;
}

void lc_open_awaitable(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {
        {"await", coroutine_await}, {"close", coroutine_close}, {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__tostring", coroutine_tostring}, {NULL, NULL}};
    static const luaL_Reg debug_metamethods[] = {
        {"__tostring", coroutine_tostring}, {"__gc", coroutine_gc}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"async", lucio_async},
        {"await", lucio_await},
        {"ensure_future", lucio_ensure_future},
        {"iscoroutine", lucio_iscoroutine},
        {"iscoroutinefunction", lucio_iscoroutinefunction},
        {"isfuture", lucio_isfuture},
        {"isawaitable", lucio_isawaitable},
        {NULL, NULL},
    };

    lc_new_type(L, host, LC_REF_COROUTINE, "lucio.Coroutine", methods, metamethods);
    lc_new_type(L, host, LC_REF_COROUTINE_DEBUG, "lucio.Coroutine", methods, debug_metamethods);
    lc_set_functions(L, host, functions);
}
