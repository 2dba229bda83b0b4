/*
 * loop: the Loop object of Lua (API.md, "Loop object"). It is a box around struct lc_loop.
 * Owner: Lua's collector; who runs the loop has the object on its stack. A collected object closes its
 *        loop, with a warning; what remains of a closed one is a shell.
 */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "debug.h"
#include "handle.h"
#include "loop_object.h"
#include "permit.h"
#include "report.h"
#include "run.h"

struct loop_object {
    struct lc_object object;
    struct lc_loop *loop;
    uint32_t generation;
};

static const struct lc_type loop_type = {"Loop", sizeof(struct loop_object)};

/* The empty box of a loop to come. */
static struct loop_object *box_new(lua_State *L, struct lc_host *host)
{
    struct loop_object *box = lc_new_object(L, host, &loop_type, LC_REF_LOOP, sizeof *box, 0);

    lc_pointer_register(L, host, -1);
    return box;
}

static struct lc_loop *box_fill(struct loop_object *box, struct lc_loop *loop)
{
    box->loop = loop;
    box->generation = loop->generation;
    loop->object = box;
    return loop;
}

struct lc_loop *lc_loop_object_new(lua_State *L, struct lc_host *host, const char *backend)
{
    struct loop_object *box = box_new(L, host);
    struct lc_loop *loop;

    if (host->options.bad_variable != NULL)
        lc_raise(L, host, LC_VALUE_ERROR, "%s: 0 or more seconds expected, got '%s'",
                 host->options.bad_variable, getenv(host->options.bad_variable));
    loop = lc_loop_new(host, backend);
    if (loop == NULL && backend != NULL)
        lc_raise(L, host, LC_VALUE_ERROR, "event loop backend '%s' is not to be had here", backend);
    if (loop == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "cannot make an event loop");
    return box_fill(box, loop);
}

struct lc_loop *lc_loop_object_lend(lua_State *L, struct lc_host *host, struct ev_loop *ev)
{
    struct loop_object *box = box_new(L, host);
    struct lc_loop *loop = lc_loop_lend(host, ev);

    if (loop == NULL)
        luaL_error(L, "not enough memory");
    return box_fill(box, loop);
}

static struct lc_loop *open_loop(const struct loop_object *box)
{
    if (box->loop == NULL || box->generation != box->loop->generation ||
        box->loop->state == LC_LOOP_CLOSED)
        return NULL;
    return box->loop;
}

/* The open loop behind self, or NULL. */
static struct lc_loop *to_open_loop(lua_State *L, const char *what)
{
    return open_loop(lc_check_self(L, &loop_type, what));
}

bool lc_is_loop(lua_State *L, int idx, struct lc_loop **loop)
{
    struct loop_object *box = lc_to_object(L, idx, &loop_type);

    *loop = box != NULL ? open_loop(box) : NULL;
    return box != NULL;
}

struct lc_loop *lc_loop_check(lua_State *L, const char *what)
{
    struct lc_loop *loop = to_open_loop(L, what);

    if (loop == NULL)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "Event loop is closed");
    return loop;
}

/* ---- time and callbacks ---- */

static int loop_time(lua_State *L)
{
    lua_pushnumber(L, lc_loop_time(lc_loop_check(L, "time")));
    return 1;
}

/* A callback; debug mode refuses what would only make a Coroutine that nobody awaits (EX6). */
static void check_callback(lua_State *L, struct lc_loop *loop, int idx, const char *what, int pos)
{
    lc_check_callable(L, idx, what, pos);
    lc_debug_check_loop(L, loop, what);
    if (loop->debug && lc_is_async_function(L, idx))
        lc_raise(L, loop->host, LC_TYPE_ERROR, "coroutines cannot be used with %s()", what);
}

static int call_soon(lua_State *L, const char *what)
{
    struct lc_loop *loop = lc_loop_check(L, what);
    struct lc_handle *handle;

    check_callback(L, loop, 2, what, 1);
    handle = lc_handle_new(L, loop->host, loop, 2, 0);
    lc_loop_ready(loop, &handle->timer.entry);
    return 1;
}

/* loop:call_soon(fn, ...) -> Handle */
static int loop_call_soon(lua_State *L)
{
    return call_soon(L, "call_soon");
}

/* The same: a loop object never leaves its thread. */
static int loop_call_soon_threadsafe(lua_State *L)
{
    return call_soon(L, "call_soon_threadsafe");
}

/* loop:call_later(delay, fn, ...) -> TimerHandle */
static int loop_call_later(lua_State *L)
{
    struct lc_loop *loop = lc_loop_check(L, "call_later");
    double delay = lc_check_seconds(L, 2, "call_later", 1);
    struct lc_handle *handle;

    check_callback(L, loop, 3, "call_later", 2);
    handle = lc_handle_new(L, loop->host, loop, 3, 0);
    lc_handle_set_timer(L, handle, lc_loop_time(loop) + delay);
    return 1;
}

/* loop:call_at(when, fn, ...) -> TimerHandle */
static int loop_call_at(lua_State *L)
{
    struct lc_loop *loop = lc_loop_check(L, "call_at");
    double when = lc_check_seconds(L, 2, "call_at", 1);
    struct lc_handle *handle;

    check_callback(L, loop, 3, "call_at", 2);
    handle = lc_handle_new(L, loop->host, loop, 3, 0);
    lc_handle_set_timer(L, handle, when);
    return 1;
}

static int loop_create_task(lua_State *L)
{
    struct lc_loop *loop = lc_loop_check(L, "create_task");

    lc_debug_check_loop(L, loop, "create_task");
    lc_create_task_from(L, loop->host, loop, 2, "create_task");
    return 1;
}

static int loop_create_future(lua_State *L)
{
    lc_future_new(L, lc_loop_check(L, "create_future"));
    return 1;
}

/* ---- running ---- */

static int loop_run_forever(lua_State *L)
{
    struct lc_loop *loop = lc_loop_check(L, "run_forever");

    lua_settop(L, 1);
    lc_check_may_run(L, loop, "run_forever");
    switch (lc_loop_run(L, loop)) {
    case LC_RUN_RAISED:
        return lua_error(L);
    case LC_RUN_STUCK:
        return lc_raise_stuck(L, loop);
    default:
        return 0;
    }
}

/* loop:run_until_complete(awaitable) -> ... */
static int loop_run_until_complete(lua_State *L)
{
    struct lc_loop *loop = lc_loop_check(L, "run_until_complete");

    lua_settop(L, 2);
    lc_check_may_run(L, loop, "run_until_complete");
    lc_check_awaitable(L, 2, "run_until_complete", 1);
    return lc_run_until_complete(L, loop, 2);
}

static int loop_stop(lua_State *L)
{
    lc_loop_stop(lc_loop_check(L, "stop"));
    return 0;
}

static int loop_close(lua_State *L)
{
    struct lc_loop *loop = to_open_loop(L, "close");

    if (loop == NULL)
        return 0;
    if (loop->state == LC_LOOP_RUNNING)
        lc_raise(L, loop->host, LC_RUNTIME_ERROR, "Cannot close a running event loop");
    lc_loop_close(L, loop);
    return 0;
}

/* Collected without having been closed (EX8). */
static int loop_gc(lua_State *L)
{
    struct loop_object *box = lc_to_finalize(L, &loop_type);
    struct lc_loop *loop = box != NULL ? box->loop : NULL;

    if (loop == NULL || box->generation != loop->generation || loop->state != LC_LOOP_IDLE ||
        loop->host->closed)
        return 0;
    lua_writestringerror("%s\n", "ResourceWarning: unclosed event loop");
    lc_loop_close(L, loop);
    return 0;
}

static int loop_is_running(lua_State *L)
{
    struct lc_loop *loop = to_open_loop(L, "is_running");

    lua_pushboolean(L, loop != NULL && loop->state == LC_LOOP_RUNNING);
    return 1;
}

static int loop_is_closed(lua_State *L)
{
    lua_pushboolean(L, to_open_loop(L, "is_closed") == NULL);
    return 1;
}

/* ---- settings ---- */

static int loop_set_debug(lua_State *L)
{
    struct lc_loop *loop = lc_loop_check(L, "set_debug");

    loop->debug = lua_toboolean(L, 2);
    if (loop->debug)
        lc_debug_open(L, loop->host);
    if (loop->state == LC_LOOP_RUNNING)
        lc_watchdog_watch(loop->host, loop);
    return 0;
}

static int loop_get_debug(lua_State *L)
{
    struct lc_loop *loop = to_open_loop(L, "get_debug");

    lua_pushboolean(L, loop != NULL && loop->debug);
    return 1;
}

/* Sets an anchor to the function at 2, or to none. */
static void set_function(lua_State *L, struct lc_loop *loop, int *slot, const char *what)
{
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lc_anchor_drop(L, loop->host, slot);
        return;
    }
    lc_check_callable(L, 2, what, 1);
    if (*slot == LC_NO_ANCHOR)
        *slot = lc_anchor_reserve(L, loop->host);
    lc_anchor_set(L, loop->host, *slot);
}

static int loop_set_exception_handler(lua_State *L)
{
    struct lc_loop *loop = lc_loop_check(L, "set_exception_handler");

    set_function(L, loop, &loop->exception_handler, "set_exception_handler");
    return 0;
}

static int loop_get_exception_handler(lua_State *L)
{
    struct lc_loop *loop = lc_loop_check(L, "get_exception_handler");

    if (loop->exception_handler == LC_NO_ANCHOR)
        lua_pushnil(L);
    else
        lc_anchor_push(L, loop->host, loop->exception_handler);
    return 1;
}

static int loop_set_task_factory(lua_State *L)
{
    struct lc_loop *loop = lc_loop_check(L, "set_task_factory");

    set_function(L, loop, &loop->task_factory, "set_task_factory");
    return 0;
}

static int loop_get_task_factory(lua_State *L)
{
    struct lc_loop *loop = lc_loop_check(L, "get_task_factory");

    if (loop->task_factory == LC_NO_ANCHOR)
        lua_pushnil(L);
    else
        lc_anchor_push(L, loop->host, loop->task_factory);
    return 1;
}

static void check_context_table(lua_State *L, const char *what)
{
    lua_settop(L, 2);
    if (lua_type(L, 2) != LUA_TTABLE)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, 1, "context table", 2);
}

static int loop_call_exception_handler(lua_State *L)
{
    struct lc_loop *loop = lc_loop_check(L, "call_exception_handler");

    check_context_table(L, "call_exception_handler");
    lc_report_call_handler(L, loop);
    return 0;
}

static int loop_default_exception_handler(lua_State *L)
{
    lc_loop_check(L, "default_exception_handler");
    check_context_table(L, "default_exception_handler");
    lc_report_print(L, lc_host_of(L), 2);
    return 0;
}

/* ---- fields ---- */

/* loop.slow_callback_duration, loop.shutdown_timeout, loop.backend; methods come from upvalue 2 */
static int loop_index(lua_State *L)
{
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    struct lc_loop *loop;

    if (strcmp(key, "slow_callback_duration") == 0) {
        loop = lc_loop_check(L, key);
        lua_pushnumber(L, loop->slow_callback_duration);
    } else if (strcmp(key, "shutdown_timeout") == 0) {
        loop = lc_loop_check(L, key);
        lua_pushnumber(L, loop->shutdown_timeout);
    } else if (strcmp(key, "backend") == 0) {
        loop = to_open_loop(L, key);
        lua_pushstring(L, loop != NULL ? lc_loop_backend(loop) : "closed");
    } else {
        lua_settop(L, 2);
        lua_rawget(L, lua_upvalueindex(2));
    }
    return 1;
}

/* The program that has a sandbox closes it when it likes. */
static void set_shutdown_timeout(lua_State *L, struct lc_loop *loop)
{
    lc_permit_outside(L, loop->host, "shutdown_timeout");
    loop->shutdown_timeout = lc_check_limit(L, 3, "shutdown_timeout", 1);
}

static int loop_newindex(lua_State *L)
{
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";

    if (strcmp(key, "slow_callback_duration") == 0)
        lc_loop_check(L, key)->slow_callback_duration = lc_check_seconds(L, 3, key, 1);
    else if (strcmp(key, "shutdown_timeout") == 0)
        set_shutdown_timeout(L, lc_loop_check(L, key));
    else
        lc_raise(L, lc_host_of(L), LC_TYPE_ERROR, "Loop has no field '%s' that can be set",
                 luaL_tolstring(L, 2, NULL));
    return 0;
}

static int loop_tostring(lua_State *L)
{
    struct lc_loop *loop = to_open_loop(L, "tostring");

    if (loop == NULL)
        lua_pushliteral(L, "<Loop closed>");
    else
        lua_pushfstring(L, "<Loop %s backend='%s' debug=%s>",
                        loop->state == LC_LOOP_RUNNING ? "running" : "idle", lc_loop_backend(loop),
                        loop->debug ? "true" : "false");
    return 1;
}

/* ---- functions ---- */

static int lucio_get_running_loop(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    if (host->loop == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "no running event loop");
    lc_loop_push_object(L, host->loop);
    return 1;
}

/* lucio.new_event_loop{backend=} -> Loop */
static int lucio_new_event_loop(lua_State *L)
{
    static const char *const names[] = {"backend", NULL};
    struct lc_host *host = lc_host_of(L);
    const char *backend = host->options.backend;

    lc_permit_outside(L, host, "new_event_loop");
    lua_settop(L, 1);
    lc_check_options(L, 1, "new_event_loop", 1, names);
    if (!lua_isnil(L, 1) && lua_getfield(L, 1, "backend") != LUA_TNIL) {
        if (lua_type(L, -1) != LUA_TSTRING)
            lc_raise_argument(L, host, LC_TYPE_ERROR, "new_event_loop", 1, "backend as string", -1);
        backend = lua_tostring(L, -1);
    }
    lc_loop_object_new(L, host, backend);
    return 1;
}

void lc_loop_add_methods(lua_State *L, struct lc_host *host, const luaL_Reg *methods)
{
    lc_host_push_ref(L, host, LC_REF_LOOP);
    lua_getfield(L, -1, "__index");
    lua_getupvalue(L, -1, 2);
    lc_set_functions(L, host, methods);
    lua_pop(L, 3);
}

void lc_open_loop(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {
        {"time", loop_time},
        {"call_soon", loop_call_soon},
        {"call_soon_threadsafe", loop_call_soon_threadsafe},
        {"call_later", loop_call_later},
        {"call_at", loop_call_at},
        {"create_task", loop_create_task},
        {"create_future", loop_create_future},
        {"run_until_complete", loop_run_until_complete},
        {"run_forever", loop_run_forever},
        {"stop", loop_stop},
        {"close", loop_close},
        {"is_running", loop_is_running},
        {"is_closed", loop_is_closed},
        {"set_debug", loop_set_debug},
        {"get_debug", loop_get_debug},
        {"set_exception_handler", loop_set_exception_handler},
        {"get_exception_handler", loop_get_exception_handler},
        {"call_exception_handler", loop_call_exception_handler},
        {"default_exception_handler", loop_default_exception_handler},
        {"set_task_factory", loop_set_task_factory},
        {"get_task_factory", loop_get_task_factory},
        {NULL, NULL},
    };
    static const luaL_Reg metamethods[] = {
        {"__gc", loop_gc},
        {"__tostring", loop_tostring},
        {"__newindex", loop_newindex},
        {NULL, NULL},
    };
    static const luaL_Reg functions[] = {{"get_running_loop", lucio_get_running_loop},
                                         {"new_event_loop", lucio_new_event_loop},
                                         {NULL, NULL}};

    lc_new_type(L, host, LC_REF_LOOP, "lucio.Loop", methods, metamethods);
    lc_host_push_ref(L, host, LC_REF_LOOP);
    lua_pushlightuserdata(L, host);
    lua_getfield(L, -2, "__index");
    lua_pushcclosure(L, loop_index, 2);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lc_set_functions(L, host, functions);
}
