/*
 * run: lucio.run and Runner (SEMANTICS RU).
 * Phases of a run: the main task; the orderly end (shutdown.c); the loop is closed. Only then the
 * outcome is returned or raised.
 */
#include "run.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "context.h"
#include "core.h"
#include "debug.h"
#include "inspect.h"
#include "loop_object.h"
#include "permit.h"
#include "signals.h"
#include "sink.h"

void lc_check_may_run(lua_State *L, struct lc_loop *loop, const char *what)
{
    struct lc_host *host = lc_host_of(L);

    if (loop != NULL && loop->state == LC_LOOP_RUNNING)
        lc_raise(L, host, LC_RUNTIME_ERROR, "%s: this event loop is already running", what);
    if (host->loop != NULL && (host->script == NULL || host->current != host->script))
        lc_raise(L, host, LC_RUNTIME_ERROR, "%s() cannot be called from a running event loop",
                 what);
}

void lc_push_stuck(lua_State *L, struct lc_loop *loop)
{
    lc_inspect_push_tree(L, loop, "\n  ", "");
    lc_error_push(L, loop->host, LC_RUNTIME_ERROR,
                  "the program waits for ever: nothing is ready and no timer is set%s",
                  lua_tostring(L, -1));
    lua_replace(L, -2);
}

int lc_raise_stuck(lua_State *L, struct lc_loop *loop)
{
    lc_push_stuck(L, loop);
    return lua_error(L);
}

/* ---- one future ---- */

struct stopper {
    struct lc_entry entry;
};

static void stopper_run(struct lc_loop *loop, struct lc_entry *entry)
{
    (void)entry;
    lc_loop_stop(loop);
}

const struct lc_entry_type lc_stopper_entry = {stopper_run, NULL, NULL, NULL};

enum lc_run lc_run_future(lua_State *L, struct lc_loop *loop, struct lc_future *future)
{
    /* in Lua's memory: an error may leave this frame */
    struct stopper *stopper = lua_newuserdatauv(L, sizeof *stopper, 0);
    int top = lua_gettop(L);
    enum lc_run how;

    lc_entry_init(&stopper->entry, &lc_stopper_entry);
    lc_future_add_entry(future, &stopper->entry);
    how = lc_loop_run(L, loop);
    lc_list_unlink(&stopper->entry.link);
    lua_remove(L, top);
    return how;
}

int lc_run_until_complete(lua_State *L, struct lc_loop *loop, int idx)
{
    struct lc_host *host = loop->host;
    struct lc_future *future = lc_to_future(L, idx);
    bool made = future == NULL;
    enum lc_run how;
    int at, n;

    if (future != NULL && lc_future_loop(future) != loop)
        lc_raise(L, host, LC_VALUE_ERROR, "The future belongs to a different loop");
    if (made) {
        lc_create_task(L, host, loop, lc_push_body(L, host, idx), 0, LC_TASK_PLAIN);
        future = lc_to_future(L, -1);
    } else {
        lua_pushvalue(L, idx);
    }
    at = lua_gettop(L);
    how = lc_run_future(L, loop, future);
    if (how == LC_RUN_RAISED) {
        if (made && lc_future_is_done(future))
            lc_future_mark_retrieved(future);
        return lua_error(L);
    }
    if (how == LC_RUN_STUCK)
        return lc_raise_stuck(L, loop);
    if (!lc_future_is_done(future))
        lc_raise(L, host, LC_RUNTIME_ERROR, "Event loop stopped before Future completed.");
    return lc_future_push_outcome(L, at, &n) ? n : lua_error(L);
}

/* ---- Runner ---- */

struct runner {
    struct lc_object object;
    struct lc_loop *loop;
    uint32_t generation;
    bool closed;
    bool has_debug;
    bool debug;
    double shutdown_timeout;
    const char *backend; /* user value 1 holds it; 2 is the context, 3 the Loop object */
};

static const struct lc_type runner_type = {"Runner", sizeof(struct runner)};

/* A run call, in its C frame: an error may leave the phases, but not this. */
struct run_call {
    struct lc_host *host;
    struct lc_loop *loop;
    struct lc_interrupt interrupt;
    bool is_script;
};

/* Makes the task of a run call: the arguments are those from `first` on. [-n, +1, v] */
static struct lc_task *make_main(lua_State *L, struct lc_host *host, struct lc_loop *loop,
                                 int first, bool is_script)
{
    int nargs = lua_gettop(L) - first;
    struct lc_task *task;
    unsigned names = host->task_names;

    if (!lua_isfunction(L, first)) {
        lua_settop(L, first);
        nargs = lc_push_body(L, host, first);
        lua_remove(L, first);
    }
    lc_unwrap_async(L, lua_gettop(L) - nargs);
    task = lc_task_new(L, loop, nargs, 0, LC_TASK_PLAIN);
    if (is_script) {
        host->script = task;
        host->task_names = names;
        task->number = 0;
    }
    return task;
}

/* Pushes what the run call raises when a signal has cancelled the main task. */
static void push_interruption(lua_State *L, struct lc_host *host,
                              const struct lc_interrupt *interrupt)
{
    if (!interrupt->terminated) {
        lc_error_push_bare(L, host, LC_KEYBOARD_INTERRUPT);
        return;
    }
    lc_error_push_bare(L, host, LC_SYSTEM_EXIT);
    lua_pushinteger(L, 128 + SIGTERM);
    lua_setfield(L, -2, "code");
}

/* Runs the main task at the top of the stack to its end. Leaves its outcome: true and the number of
 * results, or false and the error. */
static bool run_main_task(lua_State *L, struct run_call *call, struct lc_task *task, int *n)
{
    struct lc_interrupt *interrupt = &call->interrupt;
    struct lc_host *host = call->host;
    struct lc_loop *loop = call->loop;
    int at = lua_gettop(L);
    enum lc_run how;
    bool ok = false;

    lc_interrupt_install(host, interrupt, loop, task);
    how = lc_run_future(L, loop, &task->future);
    if (how == LC_RUN_STUCK) {
        lc_push_stuck(L, loop);
    } else if (how == LC_RUN_RAISED) {
        lc_future_mark_retrieved(&task->future);
    } else if (!lc_future_is_done(&task->future)) {
        lc_error_push(L, host, LC_RUNTIME_ERROR, "%s",
                      "Event loop stopped before Future completed.");
    } else {
        ok = lc_future_push_outcome(L, at, n);
        if (!ok && task->future.state == LC_CANCELLED && interrupt->seen > 0 &&
            lc_task_uncancel(task) == 0) {
            lua_pop(L, 1);
            push_interruption(L, host, interrupt);
        }
    }
    lc_interrupt_remove(interrupt);
    if (!ok)
        *n = 1;
    return ok;
}

/* lc_shut_down with Ctrl-C at work; the loop is then closed. An error is pushed: true. */
static bool end_loop(lua_State *L, struct run_call *call)
{
    bool raised;

    lc_interrupt_install(call->host, &call->interrupt, call->loop, NULL);
    atomic_store(&call->interrupt.count, 1);
    call->loop->ending = true;
    raised = lc_shut_down(L, call->loop);
    lc_interrupt_remove(&call->interrupt);
    lc_loop_close(L, call->loop);
    return raised;
}

/* (call, ...) with the host as upvalue: the parts of a Runner's life that Ctrl-C ends. */
static int run_phase(lua_State *L)
{
    int n;

    return run_main_task(L, lua_touserdata(L, 1), lc_to_task(L, 2), &n) ? n : lua_error(L);
}

static int end_phase(lua_State *L)
{
    return end_loop(L, lua_touserdata(L, 1)) ? lua_error(L) : 0;
}

/* Calls one of them with the n values on top, whose place its results take: whatever raises, Ctrl-C is as
 * it was before. */
static int call_phase(lua_State *L, struct run_call *call, lua_CFunction phase, int n)
{
    int first = lua_gettop(L) - n + 1;

    luaL_checkstack(L, 8, NULL);
    lua_pushlightuserdata(L, call->host);
    lua_pushcclosure(L, phase, 1);
    lua_insert(L, first);
    lua_pushlightuserdata(L, call);
    lua_insert(L, first + 1);
    if (lua_pcall(L, n + 1, LUA_MULTRET, 0) == LUA_OK)
        return lua_gettop(L) - first + 1;
    lc_interrupt_remove(&call->interrupt);
    if (phase == end_phase)
        lc_loop_close(L, call->loop);
    return lua_error(L);
}

/* os.exit in a run that nothing of ours surrounds: the process ends now that all is cleaned up. */
static void exit_process(lua_State *L, struct lc_host *host)
{
    if (host->is_command || host->loop != NULL || !lc_error_is(L, host, -1, LC_SYSTEM_EXIT))
        return;
    lua_getfield(L, -1, "process");
    if (lua_toboolean(L, -1)) {
        lua_getfield(L, -2, "code");
        lc_sinks_flush(host);
        exit(lua_isboolean(L, -1) ? !lua_toboolean(L, -1) : (int)lua_tointeger(L, -1));
    }
    lua_pop(L, 1);
}

/* The phases of a run. Stack: 1 the call, 2 main, then its arguments. */
static int run_phases(lua_State *L)
{
    struct run_call *call = lua_touserdata(L, 1);
    struct lc_host *host = call->host;
    struct lc_task *task;
    bool ok, raised;
    int n = 0;

    call->loop = lc_loop_object_new(L, host, host->options.backend);
    lua_insert(L, 2);
    task = make_main(L, host, call->loop, 3, call->is_script);
    ok = run_main_task(L, call, task, &n);
    raised = end_loop(L, call);
    if (!ok && raised)
        lua_pop(L, 1);
    return ok && !raised ? n : lua_error(L);
}

int lc_run_main(lua_State *L, struct lc_host *host, bool is_script)
{
    struct run_call call = {.host = host, .is_script = is_script};

    lc_check_may_run(L, NULL, "lucio.run");
    lua_settop(L, lua_gettop(L) > 0 ? lua_gettop(L) : 1);
    if (lc_to_future(L, 1) != NULL)
        lc_raise(L, host, LC_VALUE_ERROR,
                 "bad argument #1 to 'run' (a function or coroutine was expected, got %s)",
                 luaL_tolstring(L, 1, NULL));
    lc_check_awaitable(L, 1, "run", 1);
    luaL_checkstack(L, 8, NULL);
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, run_phases, 1);
    lua_insert(L, 1);
    lua_pushlightuserdata(L, &call);
    lua_insert(L, 2);
    if (lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0) == LUA_OK)
        return lua_gettop(L);
    /* whatever raised, the loop and Ctrl-C are as they were before */
    lc_interrupt_remove(&call.interrupt);
    if (call.loop != NULL)
        lc_loop_close(L, call.loop);
    exit_process(L, host);
    return lua_error(L);
}

/* lucio.run(main, ...) -> ... */
static int lucio_run(lua_State *L)
{
    return lc_run_main(L, lc_host_of(L), false);
}

static struct runner *check_runner(lua_State *L, const char *what)
{
    struct runner *runner = lc_check_self(L, &runner_type, what);

    if (runner->closed)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "Runner is closed");
    return runner;
}

static struct lc_loop *runner_loop(lua_State *L, struct runner *runner)
{
    if (runner->loop == NULL) {
        runner->loop = lc_loop_object_new(L, lc_host_of(L), runner->backend);
        runner->generation = runner->loop->generation;
        if (runner->has_debug)
            runner->loop->debug = runner->debug;
        if (runner->loop->debug)
            lc_debug_open(L, runner->loop->host);
        runner->loop->shutdown_timeout = runner->shutdown_timeout;
        lua_setiuservalue(L, 1, 3);
    }
    if (runner->loop->generation != runner->generation || runner->loop->state == LC_LOOP_CLOSED)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "Event loop is closed");
    return runner->loop;
}

/* runner:run(main, ...) -> ... */
static int runner_run(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct runner *runner = check_runner(L, "run");
    struct run_call call = {0};
    struct lc_loop *loop;
    int n;

    lua_settop(L, lua_gettop(L) > 1 ? lua_gettop(L) : 2);
    lc_check_may_run(L, runner->loop, "Runner:run");
    lc_check_awaitable(L, 2, "run", 1);
    loop = runner_loop(L, runner);
    lc_context_push_runner(L, host, 1);
    lua_insert(L, 2);
    if (!lua_isfunction(L, 3)) {
        lua_settop(L, 3);
        n = lc_push_body(L, host, 3);
        lua_remove(L, 3);
    } else {
        n = lua_gettop(L) - 3;
    }
    lc_unwrap_async(L, lua_gettop(L) - n);
    lc_task_new(L, loop, n, 2, LC_TASK_PLAIN);
    call.host = host;
    call.loop = loop;
    return call_phase(L, &call, run_phase, 1);
}

static int runner_get_loop(lua_State *L)
{
    struct lc_loop *loop = runner_loop(L, check_runner(L, "get_loop"));

    lc_loop_push_object(L, loop);
    return 1;
}

/* runner:close(). Idempotent. */
static int runner_close(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct runner *runner = lc_check_self(L, &runner_type, "close");
    struct lc_loop *loop = runner->loop;
    struct run_call call = {0};

    if (runner->closed)
        return 0;
    runner->closed = true;
    if (loop == NULL || loop->generation != runner->generation || loop->state == LC_LOOP_CLOSED)
        return 0;
    lc_check_may_run(L, loop, "Runner:close");
    call.host = host;
    call.loop = loop;
    return call_phase(L, &call, end_phase, 0);
}

/* lucio.Runner{debug=, backend=, shutdown_timeout=} */
static int lucio_runner(lua_State *L)
{
    static const char *const names[] = {"debug", "backend", "shutdown_timeout", NULL};
    struct lc_host *host = lc_host_of(L);
    struct runner *runner;

    lc_permit_outside(L, host, "Runner");
    lua_settop(L, 1);
    lc_check_options(L, 1, "Runner", 1, names);
    runner = lc_new_object(L, host, &runner_type, LC_REF_RUNNER, sizeof *runner, 3); /* 2 */
    runner->backend = host->options.backend;
    runner->shutdown_timeout = host->options.shutdown_timeout;
    if (lua_isnil(L, 1))
        return 1;
    if (lua_getfield(L, 1, "debug") != LUA_TNIL) {
        runner->has_debug = true;
        runner->debug = lua_toboolean(L, -1);
    }
    if (lua_getfield(L, 1, "shutdown_timeout") != LUA_TNIL)
        runner->shutdown_timeout = lc_check_limit(L, -1, "Runner", 1);
    if (lua_getfield(L, 1, "backend") != LUA_TNIL) {
        if (lua_type(L, -1) != LUA_TSTRING)
            lc_raise_argument(L, host, LC_TYPE_ERROR, "Runner", 1, "backend as string", -1);
        runner->backend = lua_tostring(L, -1);
        lua_setiuservalue(L, 2, 1);
    }
    lua_settop(L, 2);
    return 1;
}

void lc_open_run(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {
        {"run", runner_run}, {"get_loop", runner_get_loop}, {"close", runner_close}, {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__close", runner_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"run", lucio_run}, {"Runner", lucio_runner}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_RUNNER, "lucio.Runner", methods, metamethods);
    lc_set_functions(L, host, functions);
}
