/*
 * task: create_task, sleep and the methods of Task.
 */
#include <math.h>
#include <string.h>

#include <lauxlib.h>

#include "context.h"
#include "core.h"
#include "loop_object.h"
#include "report.h"
#include "traceback_part.h"

static int lucio_eager_task_factory(lua_State *L);

/* ---- making ---- */

/* Calls the loop's task factory: factory(loop, fn, ...). */
static struct lc_task *call_factory(lua_State *L, struct lc_host *host, struct lc_loop *loop,
                                    int nargs)
{
    int fn = lua_gettop(L) - nargs;

    luaL_checkstack(L, 6, NULL);
    lc_anchor_push(L, host, loop->task_factory);
    lua_insert(L, fn);
    lc_loop_push_object(L, loop);
    lua_insert(L, fn + 1);
    lua_call(L, nargs + 2, 1);
    if (lc_to_task(L, -1) == NULL)
        lc_raise(L, host, LC_TYPE_ERROR, "the task factory must return a Task, got %s",
                 lc_type_name(L, -1));
    return lc_to_task(L, -1);
}

static bool has_eager_factory(lua_State *L, struct lc_host *host, struct lc_loop *loop)
{
    bool eager;

    if (loop->task_factory == LC_NO_ANCHOR)
        return false;
    lc_anchor_push(L, host, loop->task_factory);
    eager = lua_tocfunction(L, -1) == lucio_eager_task_factory;
    lua_pop(L, 1);
    return eager;
}

struct lc_task *lc_create_task(lua_State *L, struct lc_host *host, struct lc_loop *loop, int nargs,
                               int context, enum lc_task_options options)
{
    struct lc_task *task;

    if (has_eager_factory(L, host, loop))
        options |= LC_TASK_EAGER;
    if (loop->task_factory == LC_NO_ANCHOR || (options & LC_TASK_EAGER))
        return lc_task_new(L, loop, nargs, context, options);
    task = call_factory(L, host, loop, nargs);
    if (context != 0 && !task->started)
        lc_task_set_context(L, task, context);
    return task;
}

/* Gives the task on top the text at `idx` as its name. */
static void set_name(lua_State *L, struct lc_task *task, int idx)
{
    lua_pushvalue(L, idx);
    lc_future_set_extra(L, -2, LC_EXTRA_NAME);
    task->number = 0;
}

/* A task with the name at `name`, which its first step sees even where it is eager. */
static struct lc_task *create_named(lua_State *L, struct lc_host *host, struct lc_loop *loop,
                                    int nargs, int context, int name, enum lc_task_options options)
{
    bool eager = (options & LC_TASK_EAGER) || has_eager_factory(L, host, loop);
    struct lc_task *task;

    if (!eager || host->loop != loop) {
        task = lc_create_task(L, host, loop, nargs, context, options | LC_TASK_NAMED);
        set_name(L, task, name);
        return task;
    }
    if (context != 0)
        lc_context_check_enterable(L, host, context);
    task = lc_task_new(L, loop, nargs, context, LC_TASK_NAMED);
    set_name(L, task, name);
    lc_task_start(L, task);
    return task;
}

/* Whether the arguments are one table {fn, args..., name=...}. */
static bool is_table_form(lua_State *L, int first)
{
    return lua_gettop(L) == first && lua_type(L, first) == LUA_TTABLE && !lc_is_awaitable(L, first);
}

/* Replaces {fn, args..., name=, context=, eager_start=} by fn, args...; the options' values go to
 * the three slots from `first` on. Returns how many values follow them. */
static int spread_table(lua_State *L, int first, const char *what)
{
    static const char *const names[] = {"name", "context", "eager_start", "n", NULL};
    int table = first;
    lua_Integer n;

    lc_check_options(L, table, what, 1, names);
    lua_getfield(L, table, "n");
    n = lua_isnil(L, -1) ? (lua_Integer)lua_rawlen(L, table) : lc_check_integer(L, -1, what, 1);
    lua_pop(L, 1);
    if (n < 1 || n > 200000)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, 1, "awaitable as first item",
                          first + 1);
    luaL_checkstack(L, (int)n + 8, "too many arguments to a task");
    lua_getfield(L, table, "name");
    lua_getfield(L, table, "context");
    lua_getfield(L, table, "eager_start");
    for (lua_Integer i = 1; i <= n; i++)
        lua_rawgeti(L, table, i);
    lua_remove(L, table);
    return (int)n;
}

struct lc_task *lc_create_task_from(lua_State *L, struct lc_host *host, struct lc_loop *loop,
                                    int first, const char *what)
{
    enum lc_task_options options = LC_TASK_PLAIN;
    int nargs, context = 0, fn;

    if (is_table_form(L, first)) {
        nargs = spread_table(L, first, what) - 1;
    } else {
        nargs = lua_gettop(L) - first;
        luaL_checkstack(L, 8, NULL);
        for (int i = 0; i < 3; i++) {
            lua_pushnil(L);
            lua_insert(L, first);
        }
    }
    fn = first + 3;
    lc_context_check(L, host, first + 1, what, 1);
    if (!lua_isnil(L, first + 1))
        context = first + 1;
    if (nargs < 0)
        lua_pushnil(L), nargs = 0;
    if (!lc_is_awaitable(L, fn) && !lc_is_callable(L, fn))
        lc_raise_argument(L, host, LC_TYPE_ERROR, what, 1, "awaitable", fn);
    if (loop == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "%s: no running event loop", what);
    if (!lua_isfunction(L, fn) && lc_is_awaitable(L, fn)) {
        lua_settop(L, fn);
        nargs = lc_push_body(L, host, fn);
    }
    lc_unwrap_async(L, lua_gettop(L) - nargs);
    if (lua_toboolean(L, first + 2))
        options |= LC_TASK_EAGER;
    if (lua_isnil(L, first))
        return lc_create_task(L, host, loop, nargs, context, options);
    luaL_tolstring(L, first, NULL);
    lua_replace(L, first);
    return create_named(L, host, loop, nargs, context, first, options);
}

/* lucio.create_task(fn or awaitable, ...) -> Task */
static int lucio_create_task(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    if (lua_type(L, 1) == LUA_TFUNCTION && host->loop != NULL &&
        host->loop->task_factory == LC_NO_ANCHOR) {
        int nargs = lua_gettop(L) - 1;

        lc_unwrap_async(L, 1);
        lc_task_new(L, host->loop, nargs, 0, LC_TASK_PLAIN);
    } else {
        lc_create_task_from(L, host, host->loop, 1, "create_task");
    }
    return 1;
}

/* lucio.eager_task_factory(loop, fn, ...) -> Task */
static int lucio_eager_task_factory(lua_State *L)
{
    struct lc_loop *loop = lc_loop_check(L, "eager_task_factory");

    lc_check_callable(L, 2, "eager_task_factory", 2);
    lc_task_new(L, loop, lua_gettop(L) - 2, 0, LC_TASK_EAGER);
    return 1;
}

/* ---- sleep ---- */

static const struct lc_wait_type sleep_type = {"sleep", NULL};

static int sleep_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    if (lc_wait_end(L, (struct lc_task *)ctx))
        return lua_error(L);
    return lua_gettop(L) - 1;
}

/* lucio.sleep(delay, ...) -> ... */
static int lucio_sleep(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    double delay = lc_check_seconds(L, 1, "sleep", 1);
    struct lc_task *task = lc_wait_task(L, host, "sleep");

    if (delay <= 0)
        return lc_wait_turn(L, task, (lua_KContext)task, sleep_k);
    lc_task_set_timer(L, task, lc_loop_time(host->loop) + delay);
    lc_wait_begin(L, task, &sleep_type, 1);
    return lc_wait_yield(L, task, (lua_KContext)task, sleep_k);
}

/* ---- looking at tasks ---- */

/* lucio.current_task() -> Task or nil */
static int lucio_current_task(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    if (host->loop == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "current_task: no running event loop");
    if (host->current == NULL) {
        lua_pushnil(L);
        return 1;
    }
    if (host->current == host->erring.handler)
        lc_task_push(L, host->erring.task);
    else
        lc_task_push(L, host->current);
    /* in a message handler it is the task whose error that is */
    while (lc_future_push_extra(L, -1, LC_EXTRA_ERRING), !lua_isnil(L, -1))
        lua_replace(L, -2);
    lua_pop(L, 1);
    return 1;
}

/* lucio.all_tasks() -> list in creation order */
static int lucio_all_tasks(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    if (host->loop == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "all_tasks: no running event loop");
    lc_tasks_push(L, host->loop);
    return 1;
}

static int task_get_name(lua_State *L)
{
    struct lc_task *task = lc_check_task(L, "get_name");

    if (task->number == 0 && task->future.loop->host->script == task)
        task->number = ++task->future.loop->host->task_names;
    lc_task_push_name(L, task, 1);
    return 1;
}

static int task_set_name(lua_State *L)
{
    struct lc_task *task = lc_check_task(L, "set_name");

    lua_settop(L, 2);
    luaL_tolstring(L, 2, NULL);
    lua_replace(L, 2);
    lua_pushvalue(L, 1);
    set_name(L, task, 2);
    return 0;
}

static int task_uncancel(lua_State *L)
{
    lua_pushinteger(L, lc_task_uncancel(lc_check_task(L, "uncancel")));
    return 1;
}

static int task_cancelling(lua_State *L)
{
    lua_pushinteger(L, lc_check_task(L, "cancelling")->cancelling);
    return 1;
}

/* task:get_coro() -> the Lua thread of an unfinished task, else nil */
static int task_get_coro(lua_State *L)
{
    struct lc_task *task = lc_check_task(L, "get_coro");

    if (task->thread == NULL) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushthread(task->thread);
    if (task->thread != L)
        lua_xmove(task->thread, L, 1);
    return 1;
}

static int task_get_context(lua_State *L)
{
    struct lc_task *task = lc_check_task(L, "get_context");

    lc_future_push_extra(L, 1, LC_EXTRA_CONTEXT);
    if (lua_isnil(L, -1)) {
        lua_settop(L, 1);
        lc_context_push_empty(L, lc_host_of(L));
        lua_pushvalue(L, -1);
        lc_future_set_extra(L, 1, LC_EXTRA_CONTEXT);
        task->has_context = true;
    }
    return 1;
}

/* Pushes the traceback of the task at 1: of a suspended one its stack, of a failed one its
 * error's; nil for all others. */
static void push_traceback(lua_State *L, struct lc_task *task)
{
    if (task->thread != NULL) {
        luaL_checkstack(L, 10, NULL);
        if (!task->started) {
            lua_pushliteral(L, "stack traceback:\n\t(not started) ");
            lc_task_push_position(L, task, 1);
            lua_concat(L, 2);
        } else {
            lc_part_push_task(L, task->future.loop->host, 1);
        }
    } else if (task->future.state == LC_FAILED) {
        lc_future_push_extra(L, 1, LC_EXTRA_TRACEBACK);
        if (!lua_toboolean(L, -1)) {
            lua_pop(L, 1);
            lua_pushnil(L);
        }
    } else {
        lua_pushnil(L);
    }
}

/* task:traceback() -> string or nil */
static int task_traceback(lua_State *L)
{
    push_traceback(L, lc_check_task(L, "traceback"));
    return 1;
}

/* task:print_stack(): the same on stderr, with a header. */
static int task_print_stack(lua_State *L)
{
    struct lc_task *task = lc_check_task(L, "print_stack");

    lua_settop(L, 1);
    push_traceback(L, task);
    lc_future_push_text(L, lc_host_of(L), 1);
    if (lua_isnil(L, 2)) {
        lua_writestringerror("No stack for %s\n", lua_tostring(L, 3));
        return 0;
    }
    lua_writestringerror(task->thread != NULL ? "Stack for %s:\n" : "Traceback for %s:\n",
                         lua_tostring(L, 3));
    lua_writestringerror("%s\n", lua_tostring(L, 2));
    return 0;
}

static int task_tostring(lua_State *L)
{
    lc_check_task(L, "tostring");
    lc_future_push_text(L, lc_host_of(L), 1);
    return 1;
}

void lc_open_task(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {
        {"get_name", task_get_name},
        {"set_name", task_set_name},
        {"uncancel", task_uncancel},
        {"cancelling", task_cancelling},
        {"get_coro", task_get_coro},
        {"get_context", task_get_context},
        {"traceback", task_traceback},
        {"print_stack", task_print_stack},
        {NULL, NULL},
    };
    static const luaL_Reg metamethods[] = {{"__tostring", task_tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"create_task", lucio_create_task},
        {"eager_task_factory", lucio_eager_task_factory},
        {"sleep", lucio_sleep},
        {"current_task", lucio_current_task},
        {"all_tasks", lucio_all_tasks},
        {NULL, NULL},
    };

    lc_new_type(L, host, LC_REF_TASK, "lucio.task", lc_future_methods, metamethods);
    lc_host_push_ref(L, host, LC_REF_TASK);
    lua_getfield(L, -1, "__index");
    lc_set_functions(L, host, methods);
    lua_pop(L, 2);
    lc_set_functions(L, host, functions);
}
