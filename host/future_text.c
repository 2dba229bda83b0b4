/*
 * future_text: the text forms of futures and tasks (FU18, TA16): short, and never by the user's code.
 */
#include <lauxlib.h>

#include "args.h"
#include "error.h"
#include "exception_group.h"
#include "future.h"
#include "loop.h"
#include "task.h"
#include "waiter.h"

/* ---- tasks ---- */

void lc_task_push_name(lua_State *L, struct lc_task *task, int idx)
{
    lc_future_push_extra(L, idx, LC_EXTRA_NAME);
    if (!lua_isnil(L, -1))
        return;
    lua_pop(L, 1);
    lua_pushfstring(L, "Task-%d", (int)(task->number ? task->number : 1));
}

void lc_task_push_created(lua_State *L, const struct lc_task *task)
{
    lc_place_push(L, task->future.loop->host, task->created);
}

void lc_task_push_definition(lua_State *L, int idx)
{
    lua_Debug ar;

    if (lua_getiuservalue(L, idx, 2) == LUA_TTABLE) {
        lua_rawgeti(L, -1, LC_EXTRA_FUNCTION);
        lua_replace(L, -2);
    }
    if (lua_isfunction(L, -1)) {
        lua_getinfo(L, ">S", &ar);
        if (ar.linedefined >= 0)
            lua_pushfstring(L, "%s:%d", ar.short_src, ar.linedefined);
        else
            lua_pushstring(L, ar.short_src);
        return;
    }
    lua_pop(L, 1);
    lua_pushliteral(L, "?");
}

lua_State *lc_task_coroutine(const struct lc_task *task)
{
    struct lc_host *host = task->future.loop->host;

    if (task->thread == NULL || !task->started)
        return NULL;
    /* of a wait that is over the coroutine may be gone */
    if (task->waiter.state != LC_WAIT_IDLE)
        return task->waiter.L;
    return host->current == task ? host->running : task->thread;
}

bool lc_find_position(lua_State *co, lua_Debug *ar)
{
    for (int level = 0; lua_getstack(co, level, ar); level++) {
        lua_getinfo(co, "Sln", ar);
        if (ar->currentline > 0)
            return true;
    }
    return false;
}

void lc_task_push_position(lua_State *L, struct lc_task *task, int idx)
{
    lua_State *co = lc_task_coroutine(task);
    lua_Debug ar;

    if (co != NULL && lc_find_position(co, &ar))
        lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
    else
        lc_task_push_definition(L, idx);
}

/* ---- futures ---- */

/* Text of a value as the forms of futures show it: short, and never by the user's code. */
static void push_repr(lua_State *L, int idx)
{
    const char *text;
    size_t length;

    switch (lua_type(L, idx)) {
    case LUA_TSTRING:
        text = lua_tolstring(L, idx, &length);
        lua_pushlstring(L, text, length < 60 ? length : 60);
        lua_pushfstring(L, length < 60 ? "'%s'" : "'%s...'", lua_tostring(L, -1));
        lua_remove(L, -2);
        break;
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
        luaL_tolstring(L, idx, NULL);
        break;
    default:
        lua_pushfstring(L, "%s: %p", lc_type_name(L, idx), lua_topointer(L, idx));
    }
}

static void push_outcome_text(lua_State *L, struct lc_host *host, int idx, struct lc_future *future)
{
    lua_getiuservalue(L, idx, 1);
    if (future->state == LC_FAILED) {
        int error = lua_gettop(L);

        if (lc_is_error(L, error)) {
            lua_getfield(L, error, "name");
            lc_error_push_message(L, error);
            push_repr(L, lua_gettop(L));
            lua_pushfstring(L, " exception=%s(%s)", lua_tostring(L, -3), lua_tostring(L, -1));
        } else {
            push_repr(L, error);
            lua_pushfstring(L, " exception=LuaError(%s)", lua_tostring(L, -1));
        }
        lua_replace(L, error);
        lua_settop(L, error);
    } else {
        int value = lua_gettop(L);

        (void)host;
        if (future->result_count > 1)
            lua_rawgeti(L, value, 1);
        push_repr(L, lua_gettop(L));
        lua_pushfstring(L, " result=%s%s", lua_tostring(L, -1),
                        future->result_count > 1 ? ", ..." : "");
        lua_replace(L, value);
        lua_settop(L, value);
    }
}

static void push_text(lua_State *L, struct lc_host *host, int idx, bool nested);

static void push_wait_text(lua_State *L, struct lc_host *host, struct lc_task *task, bool nested)
{
    if (task->waiter.type != &lc_wait_future_type || nested) {
        lua_pushfstring(L, " wait_for=%s", task->waiter.type->name);
        return;
    }
    lc_waiter_push_object(L, &task->waiter);
    push_text(L, host, lua_gettop(L), true);
    lua_pushfstring(L, " wait_for=%s", lua_tostring(L, -1));
    lua_replace(L, -3);
    lua_pop(L, 1);
}

/* `nested`: as part of another one's text, which does not go on along a chain of waits. */
static void push_text(lua_State *L, struct lc_host *host, int idx, bool nested)
{
    static const char *const states[] = {"pending", "finished", "finished", "cancelled"};
    struct lc_future *future;
    struct lc_task *task;
    bool done;
    int top;

    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 20, NULL);
    future = lua_touserdata(L, idx);
    task = future->object.type == &lc_task_type ? (struct lc_task *)future : NULL;
    done = lc_future_is_done(future);
    top = lua_gettop(L);
    lua_pushstring(L, task != NULL ? "<Task " : "<Future ");
    lua_pushstring(L, task != NULL && !done && task->cancelling > 0 ? "cancelling"
                                                                    : states[future->state]);
    if (task != NULL) {
        lc_task_push_name(L, task, idx);
        lc_task_push_position(L, task, idx);
        lua_pushfstring(L, " name='%s' at %s", lua_tostring(L, -2), lua_tostring(L, -1));
        lua_replace(L, -3);
        lua_pop(L, 1);
        if (!done && task->waiter.type != NULL)
            push_wait_text(L, host, task, nested);
    }
    if (future->state == LC_FINISHED || future->state == LC_FAILED)
        push_outcome_text(L, host, idx, future);
    if (future->lua_callbacks > 0 && !done)
        lc_future_push_callbacks_text(L, idx, future);
    lc_future_push_extra(L, idx, LC_EXTRA_SOURCE);
    if (lua_isstring(L, -1))
        lua_pushfstring(L, " created at %s", lua_tostring(L, -1));
    else
        lua_pushliteral(L, "");
    lua_replace(L, -2);
    lua_pushliteral(L, ">");
    lua_concat(L, lua_gettop(L) - top);
}

void lc_future_push_text(lua_State *L, struct lc_host *host, int idx)
{
    push_text(L, host, idx, false);
}
