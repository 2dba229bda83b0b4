/*
 * handle: callbacks of a loop: call_soon, call_later, call_at (SEMANTICS LP).
 * Owner: the host anchors a handle while it is queued or its timer is set. User values: 1 the
 *        function, 2 its context, 3 in debug mode where it was made, 4.. the arguments.
 */
#include <math.h>

#include <lauxlib.h>

#include "context.h"
#include "core.h"
#include "handle.h"
#include "report.h"

static const struct lc_type handle_type = {"Handle", sizeof(struct lc_handle)};

static void handle_release(lua_State *L, struct lc_handle *handle)
{
    lc_anchor_drop(L, handle->loop->host, &handle->anchor);
}

void lc_handle_call(struct lc_loop *loop, struct lc_handle *handle)
{
    struct lc_host *host = loop->host;
    lua_State *L = loop->L;
    int top = lua_gettop(L);

    luaL_checkstack(L, handle->nargs + 10, NULL);
    lc_anchor_push(L, host, handle->anchor);
    if (!handle->repeats)
        handle_release(L, handle);
    lua_getiuservalue(L, top + 1, 2);
    lc_callback_call_begin(L, host);
    lua_getiuservalue(L, top + 1, 1);
    for (int i = 0; i < handle->nargs; i++)
        lua_getiuservalue(L, top + 1, 4 + i);
    if (lc_call(L, host, handle->nargs, 0) != LUA_OK)
        lc_report_callback(L, loop, top + 1);
    lc_callback_call_end(L, host);
    lua_settop(L, top);
}

static void handle_run(struct lc_loop *loop, struct lc_entry *entry)
{
    lc_handle_call(loop, lc_container_of(entry, struct lc_handle, timer.entry));
}

static void handle_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    (void)loop;
    handle_release(L, lc_container_of(entry, struct lc_handle, timer.entry));
}

static void handle_push(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    lc_anchor_push(L, loop->host, lc_container_of(entry, struct lc_handle, timer.entry)->anchor);
}

static const struct lc_entry_type handle_entry = {handle_run, handle_forget, handle_push, NULL};

struct lc_handle *lc_handle_new(lua_State *L, struct lc_host *host, struct lc_loop *loop, int fn,
                                int options)
{
    int nargs = lua_gettop(L) - fn;
    struct lc_handle *handle;
    int idx;

    luaL_checkstack(L, 6, NULL);
    handle = lc_new_object(L, host, &handle_type, LC_REF_HANDLE, sizeof *handle, nargs + 3);
    idx = lua_gettop(L);
    lc_entry_init(&handle->timer.entry, &handle_entry);
    handle->loop = loop;
    handle->generation = loop->generation;
    handle->nargs = nargs;
    lua_pushvalue(L, fn);
    lua_setiuservalue(L, idx, 1);
    lc_context_push_copy_or(L, host, options);
    lua_setiuservalue(L, idx, 2);
    for (int i = 0; i < nargs; i++) {
        lua_pushvalue(L, fn + 1 + i);
        lua_setiuservalue(L, idx, 4 + i);
    }
    if (loop->debug) {
        lc_report_push_place(L);
        lua_setiuservalue(L, idx, 3);
    }
    lua_settop(L, idx);
    lua_pushvalue(L, idx);
    handle->anchor = lc_anchor(L, host);
    return handle;
}

static struct lc_handle *check_handle(lua_State *L, const char *what)
{
    return lc_check_self(L, &handle_type, what);
}

void lc_handle_cancel(lua_State *L, struct lc_handle *handle, int idx)
{
    if (handle->cancelled)
        return;
    handle->cancelled = true;
    if (handle->generation != handle->loop->generation || handle->loop->state == LC_LOOP_CLOSED)
        return;
    lc_loop_unset_timer(handle->loop, &handle->timer);
    handle_release(L, handle);
    for (int i = 1; i <= handle->nargs + 3; i++) {
        lua_pushnil(L);
        lua_setiuservalue(L, idx, i);
    }
}

/* handle:cancel() */
static int handle_cancel(lua_State *L)
{
    lc_handle_cancel(L, check_handle(L, "cancel"), 1);
    return 0;
}

static int handle_cancelled(lua_State *L)
{
    lua_pushboolean(L, check_handle(L, "cancelled")->cancelled);
    return 1;
}

/* handle:when() -> seconds; of a TimerHandle only */
static int handle_when(lua_State *L)
{
    struct lc_handle *handle = check_handle(L, "when");

    if (!handle->timed)
        lc_raise(L, lc_host_of(L), LC_TYPE_ERROR, "when: the handle of call_soon has no deadline");
    lua_pushnumber(L, handle->when);
    return 1;
}

static int handle_tostring(lua_State *L)
{
    struct lc_handle *handle = check_handle(L, "tostring");
    lua_Debug ar;

    lua_pushfstring(L, "<%s", handle->timed ? "TimerHandle" : "Handle");
    if (handle->cancelled) {
        lua_pushliteral(L, " cancelled>");
    } else {
        lua_getiuservalue(L, 1, 1);
        if (lua_isfunction(L, -1)) {
            lua_getinfo(L, ">S", &ar);
            lua_pushfstring(L, " function at %s:%d", ar.short_src, ar.linedefined);
        } else {
            lua_pop(L, 1);
            lua_pushliteral(L, "");
        }
        if (lua_getiuservalue(L, 1, 3) == LUA_TSTRING)
            lua_pushfstring(L, " created at %s>", lua_tostring(L, -1));
        else
            lua_pushliteral(L, ">");
        lua_remove(L, -2);
        lua_concat(L, 2);
    }
    lua_concat(L, 2);
    return 1;
}

void lc_handle_set_timer(lua_State *L, struct lc_handle *handle, double when)
{
    handle->timed = true;
    handle->when = when;
    lc_loop_set_timer(L, handle->loop, &handle->timer, when);
}

void lc_open_handle(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"cancel", handle_cancel},
                                       {"cancelled", handle_cancelled},
                                       {"when", handle_when},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__tostring", handle_tostring}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_HANDLE, "lucio.Handle", methods, metamethods);
}
