/*
 * done_callback: functions given to future:add_done_callback.
 * Owner: the future's table of callbacks, until the callback ran or was removed, or with its future. The
 *        future is found by a slot of the host's weak table, which is held once the future is done.
 */
#include "done_callback.h"

#include <lauxlib.h>

#include "args.h"
#include "context.h"
#include "error.h"
#include "future.h"
#include "loop.h"
#include "report.h"

/* A function given to add_done_callback. User values: 1 the function, 2 its context, 3 the future.
 * The future's table of callbacks holds it; it goes when it ran, was removed or with its future. */
struct done_callback {
    struct lc_object object;
    struct lc_entry entry;
    struct lc_future *future; /* NULL once it ran or was removed */
};

static const struct lc_type done_callback_type = {"callback", sizeof(struct done_callback)};

static void callback_drop(lua_State *L, struct done_callback *callback)
{
    struct lc_future *future = callback->future;
    struct lc_host *host = future->loop->host;

    callback->future = NULL;
    if (--future->lua_callbacks > 0 || host->closed)
        return;
    lc_host_push_ref(L, host, LC_REF_WEAK);
    lua_pushnil(L);
    lua_rawseti(L, -2, future->held);
    lua_pop(L, 1);
    lc_anchor_drop(L, host, &future->held);
}

/* A callback of a pending future that nobody holds any more. */
static int callback_gc(lua_State *L)
{
    struct done_callback *callback = lc_to_finalize(L, &done_callback_type);

    if (callback != NULL && callback->future != NULL)
        callback_drop(L, callback);
    return 0;
}

/* What a script sees of it is the handle in a report, when it ran. */

static struct done_callback *check_callback(lua_State *L, const char *what)
{
    return lc_check_self(L, &done_callback_type, what);
}

/* handle:cancel(): there is nothing left to do. */
static int callback_cancel(lua_State *L)
{
    check_callback(L, "cancel");
    return 0;
}

static int callback_cancelled(lua_State *L)
{
    check_callback(L, "cancelled");
    lua_pushboolean(L, 0);
    return 1;
}

static int callback_tostring(lua_State *L)
{
    check_callback(L, "tostring");
    lua_settop(L, 1);
    if (lua_getiuservalue(L, 1, 1) == LUA_TFUNCTION) {
        lua_Debug ar;

        lua_getinfo(L, ">S", &ar);
        lua_pushfstring(L, "<Handle function at %s:%d>", ar.short_src, ar.linedefined);
    } else {
        lua_pushliteral(L, "<Handle>");
    }
    return 1;
}

static void done_callback_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct done_callback *callback = lc_container_of(entry, struct done_callback, entry);
    struct lc_host *host = loop->host;
    lua_State *L = loop->L;
    int top = lua_gettop(L);

    lc_future_push(L, callback->future); /* top + 1 */
    lc_future_push_extra(L, top + 1, LC_EXTRA_CALLBACKS);
    lua_rawgetp(L, -1, callback); /* top + 3 */
    lua_pushnil(L);
    lua_rawsetp(L, -3, callback);
    callback_drop(L, callback);
    lua_getiuservalue(L, top + 3, 2);
    lc_callback_call_begin(L, host);
    lua_getiuservalue(L, top + 3, 1);
    lua_pushvalue(L, top + 1);
    if (lc_call(L, host, 1, 0) != LUA_OK)
        lc_report_callback(L, loop, top + 3);
    lc_callback_call_end(L, host);
    lua_settop(L, top);
}

static void done_callback_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    (void)loop;
    callback_drop(L, lc_container_of(entry, struct done_callback, entry));
}

static void done_callback_push(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    (void)loop;
    lc_future_push(L, lc_container_of(entry, struct done_callback, entry)->future);
}

static const struct lc_entry_type done_callback_entry = {done_callback_run, done_callback_forget,
                                                         done_callback_push, NULL};

/* Makes the future at `idx` findable from its pointer, and anchoring it later unable to fail. */
static void future_register(lua_State *L, struct lc_host *host, int idx, struct lc_future *future)
{
    if (future->held != LC_NO_ANCHOR)
        return;
    future->held = lc_anchor_reserve(L, host);
    /* the weak table has room for every anchor: this allocates nothing */
    lc_host_push_ref(L, host, LC_REF_WEAK);
    lua_pushvalue(L, idx);
    lua_rawseti(L, -2, future->held);
    lua_pop(L, 1);
}

/* future:add_done_callback(fn, {context=}?) */
int lc_future_add_done_callback(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_future *future = lc_check_future(L, 1, "add_done_callback");
    struct done_callback *callback;

    lua_settop(L, 3);
    lc_check_callable(L, 2, "add_done_callback", 1);
    lc_context_check_option(L, host, 3, "add_done_callback", 2);
    if (lc_future_loop(future) == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "Event loop is closed");
    callback = lc_new_object(L, host, &done_callback_type, LC_REF_CALLBACK, sizeof *callback, 3);
    lc_entry_init(&callback->entry, &done_callback_entry);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, 4, 3);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 4, 1);
    lc_context_push_copy_or(L, host, 3);
    lua_setiuservalue(L, 4, 2);
    lc_future_push_extra(L, 1, LC_EXTRA_CALLBACKS);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lc_future_set_extra(L, 1, LC_EXTRA_CALLBACKS);
    }
    lua_pushvalue(L, 4);
    lua_rawsetp(L, -2, callback);
    if (future->lua_callbacks == UINT16_MAX)
        lc_raise(L, host, LC_RUNTIME_ERROR, "add_done_callback: the future has too many callbacks");
    future_register(L, host, 1, future);
    future->lua_callbacks++;
    callback->future = future;
    if (lc_future_is_done(future)) {
        lua_pushvalue(L, 1);
        lc_anchor_set(L, host, future->held);
    }
    lc_future_add_entry(future, &callback->entry);
    return 0;
}

/* future:remove_done_callback(fn) -> count */
int lc_future_remove_done_callback(lua_State *L)
{
    struct lc_future *future = lc_check_future(L, 1, "remove_done_callback");
    struct lc_link *link;
    int count = 0;

    lua_settop(L, 2);
    if (lc_future_loop(future) == NULL || lc_future_is_done(future)) {
        lua_pushinteger(L, 0);
        return 1;
    }
    link = future->callbacks.next;
    lc_future_push_extra(L, 1, LC_EXTRA_CALLBACKS);
    while (link != &future->callbacks) {
        struct lc_entry *entry = lc_container_of(link, struct lc_entry, link);

        link = link->next;
        if (entry->type != &done_callback_entry)
            continue;
        struct done_callback *callback = lc_container_of(entry, struct done_callback, entry);
        lua_rawgetp(L, 3, callback);
        lua_getiuservalue(L, -1, 1);
        if (lua_rawequal(L, -1, 2)) {
            lc_list_unlink(&callback->entry.link);
            lua_pushnil(L);
            lua_rawsetp(L, 3, callback);
            callback_drop(L, callback);
            count++;
        }
        lua_settop(L, 3);
    }
    lua_pushinteger(L, count);
    return 1;
}

/* " cb=[function at file:line, <n more>, ...]": the first and the last callback in Lua. */
void lc_future_push_callbacks_text(lua_State *L, int idx, struct lc_future *future)
{
    struct lc_link *list = &future->callbacks;
    int top = lua_gettop(L), seen = 0;

    lc_future_push_extra(L, idx, LC_EXTRA_CALLBACKS);
    lua_pushliteral(L, " cb=[");
    for (struct lc_link *link = list->next; link != list; link = link->next) {
        struct lc_entry *entry = lc_container_of(link, struct lc_entry, link);
        lua_Debug ar;

        if (entry->type != &done_callback_entry)
            continue;
        seen++;
        if (seen != 1 && seen != future->lua_callbacks) {
            if (seen == 2)
                lua_pushfstring(L, ", <%d more>", future->lua_callbacks - 2);
            continue;
        }
        lua_rawgetp(L, top + 1, lc_container_of(entry, struct done_callback, entry));
        lua_getiuservalue(L, -1, 1);
        lua_replace(L, -2);
        if (lua_isfunction(L, -1)) {
            lua_getinfo(L, ">S", &ar);
            lua_pushfstring(L, "%sfunction at %s:%d", seen > 1 ? ", " : "", ar.short_src,
                            ar.linedefined);
        } else {
            lua_pop(L, 1);
            lua_pushstring(L, seen > 1 ? ", callable" : "callable");
        }
    }
    lua_pushliteral(L, "]");
    lua_concat(L, lua_gettop(L) - top - 1);
    lua_replace(L, top + 1);
}

void lc_done_callbacks_open(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {
        {"cancel", callback_cancel}, {"cancelled", callback_cancelled}, {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__gc", callback_gc}, {"__tostring", callback_tostring}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_CALLBACK, "lucio.Handle", methods, metamethods);
}
