#include "future.h"

#include <string.h>

#include <lauxlib.h>

#include "args.h"
#include "context.h"
#include "debug.h"
#include "done_callback.h"
#include "error.h"
#include "loop.h"
#include "report.h"
#include "task.h"
#include "traceback.h"
#include "waiter.h"

const struct lc_type lc_future_type = {"Future", sizeof(struct lc_future)};

void lc_future_init(struct lc_future *future, const struct lc_type *type, struct lc_loop *loop)
{
    future->object.type = type;
    future->loop = loop;
    future->generation = loop->generation;
    lc_list_init(&future->callbacks);
    future->held = LC_NO_ANCHOR;
    future->state = LC_PENDING;
}

struct lc_future *lc_future_new(lua_State *L, struct lc_loop *loop)
{
    struct lc_future *future =
        lc_new_object(L, loop->host, &lc_future_type, LC_REF_FUTURE, sizeof *future, 2);

    lc_future_init(future, &lc_future_type, loop);
    if (loop->debug)
        lc_report_note_source(L, lua_gettop(L));
    return future;
}

struct lc_future *lc_to_future(lua_State *L, int idx)
{
    struct lc_object *object = lua_touserdata(L, idx);

    if (object == NULL || lua_rawlen(L, idx) < sizeof(struct lc_future))
        return NULL;
    if (object->type != &lc_future_type && object->type != &lc_task_type)
        return NULL;
    return (struct lc_future *)object;
}

struct lc_loop *lc_future_loop(const struct lc_future *future)
{
    struct lc_loop *loop = future->loop;

    return loop->generation == future->generation && loop->state != LC_LOOP_CLOSED ? loop : NULL;
}

void lc_future_push_extra(lua_State *L, int idx, enum lc_extra key)
{
    if (lua_getiuservalue(L, idx, 2) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_pushnil(L);
        return;
    }
    lua_rawgeti(L, -1, key);
    lua_replace(L, -2);
}

void lc_future_set_extra(lua_State *L, int idx, enum lc_extra key)
{
    idx = lua_absindex(L, idx);
    if (lua_getiuservalue(L, idx, 2) != LUA_TTABLE) {
        /* until now it was the function of a task, or nothing */
        lua_createtable(L, 2, 0);
        lua_insert(L, -2);
        lua_rawseti(L, -2, LC_EXTRA_FUNCTION);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, idx, 2);
    }
    lua_insert(L, -2);
    lua_rawseti(L, -2, key);
    lua_pop(L, 1);
}

void lc_future_push(lua_State *L, struct lc_future *future)
{
    struct lc_host *host = future->loop->host;

    if (future->object.type == &lc_task_type && ((struct lc_task *)future)->thread != NULL) {
        lc_task_push(L, (struct lc_task *)future);
        return;
    }
    lc_host_push_ref(L, host, LC_REF_WEAK);
    lua_rawgeti(L, -1, future->held);
    lua_replace(L, -2);
}

/* ---- completion ---- */

/* Moves the callbacks to the ready list. The future is at `idx`. */
static void future_complete(lua_State *L, int idx, struct lc_future *future,
                            enum lc_future_state state)
{
    struct lc_loop *loop = lc_future_loop(future);

    future->state = (uint8_t)state;
    /* of a closed loop nobody waits any more: its entries went with it */
    if (loop != NULL && !lc_list_empty(&future->callbacks)) {
        if (future->lua_callbacks > 0) {
            lua_pushvalue(L, idx);
            lc_anchor_set(L, loop->host, future->held);
        }
        lc_list_splice(&loop->ready, &future->callbacks);
    }
    future->report = NULL;
}

void lc_future_set_result(lua_State *L, int idx, int n)
{
    lc_future_finish(L, lua_touserdata(L, idx), lua_absindex(L, idx), n);
}

void lc_future_finish(lua_State *L, struct lc_future *future, int idx, int n)
{
    if (n > 1) {
        lua_createtable(L, n, 0);
        lua_insert(L, -n - 1);
        for (int i = n; i >= 1; i--)
            lua_rawseti(L, -i - 1, i);
    }
    if (n > 0)
        lua_setiuservalue(L, idx, 1);
    future->result_count = n;
    future_complete(L, idx, future, LC_FINISHED);
}

struct lc_report *lc_future_make_report(lua_State *L, int idx)
{
    struct lc_future *future = lua_touserdata(L, idx);

    if (future->ignore_failure || lc_future_loop(future) == NULL)
        return NULL;
    return lc_report_new(L, idx, lua_gettop(L));
}

void lc_future_fail(lua_State *L, int idx, struct lc_report *report)
{
    struct lc_future *future = lua_touserdata(L, idx);

    lua_setiuservalue(L, idx, 1);
    future_complete(L, idx, future, LC_FAILED);
    future->report = report;
}

void lc_future_set_error(lua_State *L, int idx)
{
    idx = lua_absindex(L, idx);
    if (lua_isnil(L, -1)) {
        /* error(nil) is an error all the same (LG9) */
        lua_pop(L, 1);
        lua_pushliteral(L, "nil");
    }
    lc_traceback_keep(L, ((struct lc_future *)lua_touserdata(L, idx))->loop->host, idx);
    lc_future_fail(L, idx, lc_future_make_report(L, idx));
}

void lc_future_set_cancelled(lua_State *L, int idx)
{
    struct lc_future *future;

    idx = lua_absindex(L, idx);
    future = lua_touserdata(L, idx);
    lua_setiuservalue(L, idx, 1);
    future_complete(L, idx, future, LC_CANCELLED);
}

bool lc_future_cancel(lua_State *L, int idx, int msg)
{
    struct lc_future *future = lua_touserdata(L, idx);

    if (lc_future_is_done(future)) {
        lc_future_mark_retrieved(future);
        return false;
    }
    if (future->object.type == &lc_task_type)
        return lc_task_cancel(L, (struct lc_task *)future, msg);
    if (msg != 0)
        lua_pushvalue(L, msg);
    else
        lua_pushnil(L);
    lc_future_set_cancelled(L, idx);
    return true;
}

void lc_future_mark_retrieved(struct lc_future *future)
{
    if (lc_future_is_done(future) && future->report != NULL)
        lc_report_settle(future);
}

void lc_future_push_error(lua_State *L, int idx)
{
    struct lc_future *future;

    idx = lua_absindex(L, idx);
    future = lua_touserdata(L, idx);
    lc_future_mark_retrieved(future);
    lua_getiuservalue(L, idx, 1);
    if (future->state == LC_CANCELLED && lc_error_kind(L, -1) != LC_KIND_CANCELLED)
        lc_error_from(L, future->loop->host, LC_CANCELLED_ERROR);
    else
        lc_traceback_restore(L, future->loop->host, idx);
}

bool lc_future_push_outcome(lua_State *L, int idx, int *n)
{
    struct lc_future *future;

    future = lua_touserdata(L, idx);
    if (future->state == LC_FINISHED && future->result_count == 1) {
        *n = 1;
        lua_getiuservalue(L, idx, 1);
        return true;
    }
    idx = lua_absindex(L, idx);
    if (future->state != LC_FINISHED) {
        lc_future_push_error(L, idx);
        *n = 1;
        return false;
    }
    *n = future->result_count;
    luaL_checkstack(L, *n + 2, "too many results");
    if (*n > 0)
        lua_getiuservalue(L, idx, 1);
    if (*n > 1) {
        int list = lua_gettop(L);

        for (int i = 1; i <= *n; i++)
            lua_rawgeti(L, list, i);
        lua_remove(L, list);
    }
    return true;
}

void lc_future_add_entry(struct lc_future *future, struct lc_entry *entry)
{
    if (lc_future_is_done(future))
        lc_loop_ready(future->loop, entry);
    else
        lc_list_append(&future->callbacks, &entry->link);
}

/* ---- methods ---- */

static int future_done(lua_State *L)
{
    lua_pushboolean(L, lc_future_is_done(lc_check_future(L, 1, "done")));
    return 1;
}

static int future_cancelled(lua_State *L)
{
    lua_pushboolean(L, lc_check_future(L, 1, "cancelled")->state == LC_CANCELLED);
    return 1;
}

/* future:result() -> ... */
static int future_result(lua_State *L)
{
    struct lc_future *future = lc_check_future(L, 1, "result");
    int n;

    if (!lc_future_is_done(future))
        lc_raise(L, lc_host_of(L), LC_INVALID_STATE_ERROR, "Result is not set.");
    return lc_future_push_outcome(L, 1, &n) ? n : lua_error(L);
}

/* future:exception() -> error or nil */
static int future_exception(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_future *future = lc_check_future(L, 1, "exception");

    if (!lc_future_is_done(future))
        lc_raise(L, host, LC_INVALID_STATE_ERROR, "Exception is not set.");
    if (future->state == LC_FINISHED) {
        lua_pushnil(L);
        return 1;
    }
    if (future->state == LC_CANCELLED) {
        lc_future_push_error(L, 1);
        return lua_error(L);
    }
    /* not raised: whoever raised it last finds its traceback as it is */
    lc_future_mark_retrieved(future);
    lua_getiuservalue(L, 1, 1);
    if (!lc_is_error(L, -1))
        lc_future_wrap_error(L, host, 1);
    return 1;
}

void lc_future_wrap_error(lua_State *L, struct lc_host *host, int idx)
{
    lc_future_push_extra(L, idx, LC_EXTRA_WRAPPED);
    if (!lua_isnil(L, -1)) {
        lua_replace(L, -2);
        return;
    }
    lua_pop(L, 1);
    lc_error_wrap(L, host);
    lc_future_push_extra(L, idx, LC_EXTRA_TRACEBACK);
    if (!lua_isnil(L, -1))
        lua_setfield(L, -2, "traceback");
    else
        lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lc_future_set_extra(L, idx, LC_EXTRA_WRAPPED);
}

static void check_settable(lua_State *L, struct lc_future *future, const char *what)
{
    if (future->object.type == &lc_task_type)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "Task does not support %s operation", what);
    if (lc_future_is_done(future))
        lc_raise(L, lc_host_of(L), LC_INVALID_STATE_ERROR, "%s: the future is %s already", what,
                 future->state == LC_CANCELLED ? "cancelled" : "done");
}

/* future:set_result(...) */
static int future_set_result(lua_State *L)
{
    struct lc_future *future = lc_check_future(L, 1, "set_result");

    check_settable(L, future, "set_result");
    lc_debug_check_loop(L, lc_future_loop(future), "set_result");
    luaL_checkstack(L, 4, NULL);
    lc_future_set_result(L, 1, lua_gettop(L) - 1);
    return 0;
}

/* future:set_exception(error or class) */
static int future_set_exception(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_future *future = lc_check_future(L, 1, "set_exception");

    check_settable(L, future, "set_exception");
    lc_debug_check_loop(L, lc_future_loop(future), "set_exception");
    lua_settop(L, 2);
    if (lc_is_class(L, 2)) {
        lua_pushvalue(L, 2);
        lua_call(L, 0, 1);
        lua_replace(L, 2);
    }
    if (!lc_is_error(L, 2))
        lc_raise_argument(L, host, LC_TYPE_ERROR, "set_exception", 1, "error object", 2);
    lc_future_set_error(L, 1);
    return 0;
}

/* future:cancel(message?) -> boolean */
static int future_cancel(lua_State *L)
{
    struct lc_future *future = lc_check_future(L, 1, "cancel");

    if (!lc_future_is_done(future))
        lc_debug_check_loop(L, lc_future_loop(future), "cancel");
    lua_settop(L, 2);
    lua_pushboolean(L, lc_future_cancel(L, 1, lua_isnil(L, 2) ? 0 : 2));
    return 1;
}

static int future_get_loop(lua_State *L)
{
    struct lc_loop *loop = lc_future_loop(lc_check_future(L, 1, "get_loop"));

    if (loop == NULL)
        lua_pushnil(L);
    else
        lc_loop_push_object(L, loop);
    return 1;
}

/* future:await() -> ... */
static int future_await(lua_State *L)
{
    struct lc_future *future = lc_check_future(L, 1, "await");

    lua_settop(L, 1);
    return lc_await_future(L, future->loop->host, future, 1);
}

static int future_tostring(lua_State *L)
{
    lc_check_future(L, 1, "tostring");
    lc_future_push_text(L, lc_host_of(L), 1);
    return 1;
}

const luaL_Reg lc_future_methods[] = {
    {"await", future_await},
    {"done", future_done},
    {"cancelled", future_cancelled},
    {"result", future_result},
    {"exception", future_exception},
    {"set_result", future_set_result},
    {"set_exception", future_set_exception},
    {"cancel", future_cancel},
    {"add_done_callback", lc_future_add_done_callback},
    {"remove_done_callback", lc_future_remove_done_callback},
    {"get_loop", future_get_loop},
    {NULL, NULL},
};

/* lucio.Future() -> future */
static int lucio_future(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    lc_check_no_arguments(L, "Future");
    if (host->loop == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "Future: no running event loop");
    lc_future_new(L, host->loop);
    return 1;
}

void lc_futures_open(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg metamethods[] = {{"__tostring", future_tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"Future", lucio_future}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_FUTURE, "lucio.future", lc_future_methods, metamethods);
    lc_done_callbacks_open(L, host);
    lc_set_functions(L, host, functions);
}
