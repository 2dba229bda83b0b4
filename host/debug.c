#include "debug.h"

#include <pthread.h>
#include <string.h>

#include <lauxlib.h>

#include "error.h"
#include "future.h"
#include "report.h"
#include "task.h"
#include "timeout.h"

void lc_debug_refuse(lua_State *L, struct lc_loop *loop, const char *what)
{
    struct lc_host *host = loop->host;

    if (loop->state == LC_LOOP_RUNNING && !pthread_equal(loop->thread, pthread_self()))
        lc_raise(L, host, LC_RUNTIME_ERROR, "%s: called from another thread than the loop's", what);
    if (host->loop != NULL && host->loop != loop)
        lc_raise(
            L, host, LC_RUNTIME_ERROR,
            "%s: Non-thread-safe operation invoked on an event loop other than the current one",
            what);
}

/* ---- swallowed cancellation ---- */

static void set_extra(lua_State *L, struct lc_task *task, enum lc_extra extra)
{
    lc_task_push(L, task);
    lua_insert(L, -2);
    lc_future_set_extra(L, -2, extra);
    lua_pop(L, 1);
}

static void push_extra(lua_State *L, struct lc_task *task, enum lc_extra extra)
{
    lc_task_push(L, task);
    lc_future_push_extra(L, -1, extra);
    lua_replace(L, -2);
}

void lc_debug_deliver(lua_State *L, struct lc_task *task)
{
    const void *error = lua_topointer(L, -1);

    if (lc_error_kind(L, -1) != LC_KIND_CANCELLED)
        return;
    luaL_checkstack(L, 8, NULL);
    task->requested = false;
    lua_pushlightuserdata(L, (void *)error);
    set_extra(L, task, LC_EXTRA_DELIVERED);
}

/* A protected call has caught the error on top: notes where, if it is the one delivered. The outermost
 * call that catches it is the one that counts. */
static void note_caught(lua_State *L, struct lc_host *host)
{
    struct lc_task *task = host->current;

    if (task == NULL || task->cancelling == 0 || lc_error_kind(L, -1) != LC_KIND_CANCELLED)
        return;
    luaL_checkstack(L, 8, NULL);
    push_extra(L, task, LC_EXTRA_DELIVERED);
    if (lua_touserdata(L, -1) == lua_topointer(L, -2)) {
        lc_report_push_place(L);
        set_extra(L, task, LC_EXTRA_SWALLOWED);
        task->swallowed = true;
    }
    lua_pop(L, 1);
}

/* Reports what the task swallowed, once. */
static void report_swallowed(lua_State *L, struct lc_task *task)
{
    luaL_checkstack(L, 12, NULL);
    lua_createtable(L, 0, 2);
    push_extra(L, task, LC_EXTRA_SWALLOWED);
    lua_pushfstring(L,
                    "Cancellation was swallowed at %s: raise the CancelledError again, use "
                    "lucio.pcall, or call uncancel",
                    lua_tostring(L, -1));
    lua_setfield(L, -3, "message");
    lua_pop(L, 1);
    lc_task_push(L, task);
    lua_setfield(L, -2, "task");
    task->swallowed = false;
    lc_report_call_handler(L, task->future.loop);
}

/* A protected call begins: the one that swallowed a cancellation goes on as if nothing had been. */
static void check_again(lua_State *L, struct lc_host *host)
{
    struct lc_task *task = host->current;

    if (task == NULL || !task->swallowed)
        return;
    luaL_checkstack(L, 8, NULL);
    lc_report_push_place(L);
    push_extra(L, task, LC_EXTRA_SWALLOWED);
    if (lua_rawequal(L, -1, -2))
        report_swallowed(L, task);
    lua_pop(L, 2);
}

void lc_debug_push_swallowed(lua_State *L, struct lc_task *task)
{
    if (task->swallowed)
        push_extra(L, task, LC_EXTRA_SWALLOWED);
    else
        lua_pushnil(L);
}

void lc_debug_end(lua_State *L, struct lc_task *task, bool normally)
{
    if (task->swallowed && normally)
        report_swallowed(L, task);
    if (task->timeouts != NULL)
        lc_timeouts_report(L, task);
}

/* ---- pcall and xpcall ---- */

/* As Lua's own. ctx: how many values stand below the results. */
static int protected_k(lua_State *L, int status, lua_KContext ctx)
{
    if (status != LUA_OK && status != LUA_YIELD) {
        note_caught(L, lc_host_of(L));
        lua_pushboolean(L, 0);
        lua_pushvalue(L, -2);
        return 2;
    }
    return lua_gettop(L) - (int)ctx;
}

static int debug_pcall(lua_State *L)
{
    int status;

    luaL_checkany(L, 1);
    check_again(L, lc_host_of(L));
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, protected_k);
    return protected_k(L, status, 0);
}

static int debug_xpcall(lua_State *L)
{
    int status, n = lua_gettop(L);

    luaL_checktype(L, 2, LUA_TFUNCTION);
    check_again(L, lc_host_of(L));
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2);
    status = lua_pcallk(L, n - 2, LUA_MULTRET, 2, 2, protected_k);
    return protected_k(L, status, 2);
}

void lc_debug_open(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg functions[] = {
        {"pcall", debug_pcall}, {"xpcall", debug_xpcall}, {NULL, NULL}};

    if (host->looks)
        return;
    host->looks = true;
    luaL_checkstack(L, 5, NULL);
    lua_pushglobaltable(L);
    for (const luaL_Reg *it = functions; it->name != NULL; it++) {
        int top = lua_gettop(L);

        lua_pushstring(L, it->name);
        lua_rawget(L, top);
        /* what a script has put in its place stays */
        if (lua_iscfunction(L, -1) && lua_getupvalue(L, -1, 1) == NULL) {
            lua_pushstring(L, it->name);
            lua_pushlightuserdata(L, host);
            lua_pushcclosure(L, it->func, 1);
            lua_rawset(L, top);
        }
        lua_settop(L, top);
    }
    lua_pop(L, 1);
}
