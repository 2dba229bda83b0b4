#include "waiter.h"

#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "debug.h"
#include "error.h"
#include "host.h"
#include "loop.h"
#include "task.h"

/* How far down a stack is searched: lua_getstack counts from the top each time. */
#define LEVELS_MAX 2000

static struct lc_task *task_of(struct lc_waiter *waiter)
{
    return lc_container_of(waiter, struct lc_task, waiter);
}

/* Pushes the name under which the function on top stands in a loaded module, or nil. [-1, +1, m] */
static void push_global_name(lua_State *L)
{
    int function = lua_gettop(L);

    luaL_checkstack(L, 10, NULL);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushnil(L);
    while (lua_next(L, function + 1) != 0) {
        if (lua_type(L, -1) == LUA_TTABLE && lua_type(L, -2) == LUA_TSTRING) {
            lua_pushnil(L);
            while (lua_next(L, function + 3) != 0) {
                if (lua_rawequal(L, -1, function) && lua_type(L, -2) == LUA_TSTRING) {
                    lua_pushfstring(L, "%s.%s", lua_tostring(L, function + 2), lua_tostring(L, -2));
                    lua_replace(L, function);
                    lua_settop(L, function);
                    return;
                }
                lua_pop(L, 1);
            }
        }
        lua_pop(L, 1);
    }
    lua_settop(L, function - 1);
    lua_pushnil(L);
}

void lc_wait_mark_passable(lua_State *L, struct lc_host *host)
{
    lc_host_push_ref(L, host, LC_REF_PASSABLE);
    lua_pushvalue(L, -2);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

static bool is_passable(lua_State *L, struct lc_host *host, int function)
{
    bool passable;

    lc_host_push_ref(L, host, LC_REF_PASSABLE);
    lua_pushvalue(L, function);
    passable = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 2);
    return passable;
}

/* Pushes the name of what is at that level of L's stack, if it cannot be suspended, in quotes if it is
 * a C function. [-0, +(0|1), m] */
static bool push_obstacle(lua_State *L, struct lc_host *host, lua_State *co, lua_Debug *ar)
{
    bool found = false;

    lua_getinfo(co, "Snf", ar);
    lua_xmove(co, L, 1);
    if (strcmp(ar->namewhat, "hook") == 0) {
        lua_pushliteral(L, "a hook");
        found = true;
    } else if (ar->name != NULL && strcmp(ar->name, "__gc") == 0) {
        lua_pushliteral(L, "a __gc metamethod");
        found = true;
    } else if (ar->what[0] == 'C' && !is_passable(L, host, lua_gettop(L))) {
        const char *name;

        lua_pushvalue(L, -1);
        push_global_name(L);
        name = lua_isnil(L, -1) ? ar->name : lua_tostring(L, -1);
        if (name != NULL && strncmp(name, LUA_GNAME ".", 3) == 0)
            name += 3;
        /* below error there is a message handler */
        found = name == NULL || (strcmp(name, "error") != 0 && strcmp(name, "assert") != 0);
        if (name == NULL)
            lua_pushliteral(L, "a C function");
        else if (found)
            lua_pushfstring(L, "the C function '%s'", name);
        lua_remove(L, found ? -2 : -1);
    }
    lua_remove(L, found ? -2 : -1);
    return found;
}

/* Raises what cannot be suspended in the stack of `co` from that level on, and the line that called it, if
 * there is something. */
static void raise_obstacle(lua_State *L, struct lc_host *host, lua_State *co, int level,
                           const char *what)
{
    lua_Debug ar;

    if (co != L && !lua_checkstack(co, 4))
        luaL_error(L, "stack overflow");
    while (level < LEVELS_MAX && lua_getstack(co, level, &ar) && !push_obstacle(L, host, co, &ar))
        level++;
    if (level == LEVELS_MAX)
        return;
    /* what no Lua code called is the bottom of the stack */
    while (lua_getstack(co, ++level, &ar) && lua_getinfo(co, "Sl", &ar)) {
        if (ar.currentline > 0)
            lc_raise(L, host, LC_RUNTIME_ERROR,
                     "%s: cannot suspend the task across %s called at %s:%d", what,
                     lua_tostring(L, -1), ar.short_src, ar.currentline);
    }
}

/* Names what is between the task and L and cannot be suspended, and the line that called it. */
static void raise_in_the_way(lua_State *L, struct lc_host *host, const char *what)
{
    luaL_checkstack(L, 12, NULL);
    if (!lua_isyieldable(L))
        raise_obstacle(L, host, L, 1, what);
    if (!host->can_await)
        raise_obstacle(L, host, host->blocked, host->blocked_level, what);
    lc_raise(L, host, LC_RUNTIME_ERROR,
             "%s: cannot suspend the task across a C call (a message handler, or a metamethod that "
             "a C function called)",
             what);
}

struct lc_task *lc_wait_task(lua_State *L, struct lc_host *host, const char *what)
{
    struct lc_task *task = host->current;

    if (task == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "%s: no running task to suspend (call it in a task)",
                 what);
    if (L != host->running)
        lc_raise(L, host, LC_RUNTIME_ERROR,
                 "%s: cannot suspend the task from a coroutine that lucio does not run", what);
    if (!host->can_await || !lua_isyieldable(L))
        raise_in_the_way(L, host, what);
    return task;
}

void lc_waiter_push_object(lua_State *L, struct lc_waiter *waiter)
{
    luaL_checkstack(L, 4, NULL);
    if (waiter->L == L) {
        lua_pushvalue(L, waiter->idx);
    } else if (lua_checkstack(waiter->L, 1)) {
        lua_pushvalue(waiter->L, waiter->idx);
        lua_xmove(waiter->L, L, 1);
    } else {
        luaL_error(L, "not enough memory");
    }
}

void lc_wait_begin(lua_State *L, struct lc_task *task, const struct lc_wait_type *type, int idx)
{
    struct lc_waiter *waiter = &task->waiter;

    waiter->type = type;
    waiter->L = L;
    waiter->idx = (uint32_t)idx;
    waiter->state = LC_WAIT_PENDING;
    task->since = task->future.loop->now;
    if (task->must_cancel) {
        int msg = 0;

        if (task->has_message && type->cancel != NULL) {
            lc_task_push(L, task);
            lc_future_push_extra(L, -1, LC_EXTRA_CANCEL_MESSAGE);
            lua_replace(L, -2);
            msg = lua_gettop(L);
        }
        if (lc_waiter_cancel(L, waiter, msg)) {
            task->must_cancel = task->doomed;
            /* the waiter's own cancellation uses the stored message */
            if (waiter->state != LC_WAIT_CANCELLED)
                task->has_message = false;
        }
        if (msg != 0)
            lua_pop(L, 1);
    }
}

int lc_wait_yield(lua_State *L, struct lc_task *task, lua_KContext ctx, lua_KFunction k)
{
    task->future.loop->host->awaiting = true;
    return lua_yieldk(L, 0, ctx, k);
}

bool lc_wait_end(lua_State *L, struct lc_task *task)
{
    struct lc_waiter *waiter = &task->waiter;
    bool failed = false;

    if (waiter->state == LC_WAIT_CLOSED) {
        luaL_checkstack(L, 12, NULL);
        waiter->state = LC_WAIT_IDLE;
        waiter->type = NULL;
        lc_error_push_bare(L, task->future.loop->host, LC_GENERATOR_EXIT);
        return true;
    }
    if (waiter->type == &lc_wait_future_type) {
        struct lc_future *future = lua_touserdata(L, waiter->idx);

        if (future->state != LC_FINISHED && lc_future_is_done(future)) {
            luaL_checkstack(L, 12, NULL);
            lua_pushvalue(L, (int)waiter->idx);
            lc_future_push_error(L, -1);
            lua_replace(L, -2);
            failed = true;
        }
    } else if (waiter->state == LC_WAIT_CANCELLED) {
        lc_task_push_cancelled(L, task);
        failed = true;
    }
    if (failed || task->must_cancel)
        return lc_wait_settle(L, task, failed);
    waiter->state = LC_WAIT_IDLE;
    waiter->type = NULL;
    return false;
}

bool lc_wait_settle(lua_State *L, struct lc_task *task, bool failed)
{
    struct lc_waiter *waiter = &task->waiter;

    waiter->state = LC_WAIT_IDLE;
    waiter->type = NULL;
    if (task->must_cancel) {
        luaL_checkstack(L, 12, NULL);
        task->must_cancel = task->doomed;
        if (!failed || lc_error_kind(L, -1) != LC_KIND_CANCELLED) {
            if (failed)
                lua_pop(L, 1);
            lc_task_push_cancelled(L, task);
            failed = true;
        }
    }
    if (failed && task->requested && task->future.loop->debug)
        lc_debug_deliver(L, task);
    return failed;
}

int lc_wait_turn(lua_State *L, struct lc_task *task, lua_KContext ctx, lua_KFunction k)
{
    task->waiter.state = LC_WAIT_TURN;
    task->waiter.L = L;
    lc_loop_ready(task->future.loop, &task->waiter.entry);
    return lc_wait_yield(L, task, ctx, k);
}

static bool cancel_future(lua_State *L, struct lc_waiter *waiter, int msg)
{
    bool passed;

    lc_waiter_push_object(L, waiter);
    passed = lc_future_cancel(L, lua_gettop(L), msg);
    lua_pop(L, 1);
    return passed;
}

const struct lc_wait_type lc_wait_future_type = {"future", cancel_future};

int lc_wait_future(lua_State *L, struct lc_task *task, struct lc_future *future, int idx,
                   lua_KContext ctx, lua_KFunction k)
{
    /* registered first: a request that waits for delivery may complete the future at once */
    lc_future_add_entry(future, &task->waiter.entry);
    lc_wait_begin(L, task, &lc_wait_future_type, idx);
    return lc_wait_yield(L, task, ctx, k);
}

const char *lc_push_waiters_text(lua_State *L, const struct lc_link *waiters)
{
    lua_Integer n = 0;

    for (const struct lc_link *link = waiters->next; link != waiters; link = link->next)
        n++;
    return n > 0 ? lua_pushfstring(L, ", waiters:%I", (LUAI_UACINT)n) : lua_pushliteral(L, "");
}

void lc_waiter_wake(struct lc_waiter *waiter)
{
    if (waiter->state != LC_WAIT_PENDING)
        return;
    waiter->state = LC_WAIT_WOKEN;
    lc_loop_ready(task_of(waiter)->future.loop, &waiter->entry);
}

bool lc_waiters_wake_one(struct lc_link *list)
{
    for (struct lc_link *link = list->next; link != list; link = link->next) {
        struct lc_waiter *waiter = lc_waiter_of(link);

        if (lc_waiter_is_pending(waiter)) {
            lc_waiter_wake(waiter);
            return true;
        }
    }
    return false;
}

void lc_waiter_withdraw(struct lc_waiter *waiter)
{
    lc_loop_unset_timer(task_of(waiter)->future.loop, &waiter->timer);
    waiter->entry.type = &lc_task_step_entry;
}

bool lc_waiter_cancel(lua_State *L, struct lc_waiter *waiter, int msg)
{
    if (waiter->state != LC_WAIT_PENDING)
        return false;
    if (waiter->type->cancel != NULL)
        return waiter->type->cancel(L, waiter, msg);
    lc_waiter_withdraw(waiter);
    waiter->state = LC_WAIT_CANCELLED;
    lc_loop_ready(task_of(waiter)->future.loop, &waiter->entry);
    return true;
}
