/*
 * cancel: cancel requests of tasks. A request goes to what the task waits for, or waits in the task for
 * its next wait; the order of checks is that of asyncio's Task.cancel and Task.__step.
 * Invariant: `in_cancel` marks the tasks of the chain that a request is being passed along, only meanwhile.
 * Owner:     the task has the request: how many there were, the message, whether one waits.
 * Context:   loop thread; no Lua code is called. Declared in task.h.
 */
#include "task.h"

#include <lauxlib.h>

#include "cancel_batch.h"
#include "error.h"
#include "host.h"
#include "loop.h"

/* Requests are passed down chains of tasks by iteration; through gathers by recursion, this deep. */
#define CANCEL_DEPTH_MAX 1000

static void store_message(lua_State *L, struct lc_task *task, int msg)
{
    if (msg == 0 && !task->has_message)
        return;
    lc_task_push(L, task);
    if (msg != 0)
        lua_pushvalue(L, msg);
    else
        lua_pushnil(L);
    lc_future_set_extra(L, -2, LC_EXTRA_CANCEL_MESSAGE);
    lua_pop(L, 1);
    task->has_message = msg != 0;
}

void lc_task_push_cancelled(lua_State *L, struct lc_task *task)
{
    struct lc_host *host = task->future.loop->host;

    luaL_checkstack(L, 10, NULL);
    if (!task->has_message) {
        lua_pushnil(L);
    } else {
        lc_task_push(L, task);
        lc_future_push_extra(L, -1, LC_EXTRA_CANCEL_MESSAGE);
        lua_replace(L, -2);
        task->has_message = false;
    }
    lc_error_from(L, host, LC_CANCELLED_ERROR);
}

/* What a task waits for whose wait was withdrawn: the CancelledError to come. */
static const struct lc_wait_type withdrawn_wait = {"cancellation", NULL};

struct lc_task *lc_cancel_next(const struct lc_task *task)
{
    struct lc_future *future;

    if (task->waiter.state != LC_WAIT_PENDING || task->waiter.type != &lc_wait_future_type)
        return NULL;
    future = lc_waiter_object(&task->waiter);
    if (future->object.type != &lc_task_type || lc_future_is_done(future))
        return NULL;
    return (struct lc_task *)future;
}

/* Ends the wait of a task whose request cannot be passed on: it waits for itself in a circle, or at
 * the end of too long a chain of gathers. */
static void cancel_wait(lua_State *L, struct lc_task *task, int msg)
{
    lc_waiter_withdraw(&task->waiter);
    task->waiter.type = &withdrawn_wait;
    task->waiter.state = LC_WAIT_CANCELLED;
    store_message(L, task, msg);
    lc_loop_ready(task->future.loop, &task->waiter.entry);
}

void lc_cancel_count(struct lc_task *task, uint32_t count)
{
    uint32_t room = (uint32_t)(UINT16_MAX - task->cancelling);

    task->cancelling = (uint16_t)(task->cancelling + (count < room ? count : room));
    task->requested = true;
}

bool lc_cancel_is_barred(const struct lc_host *host, const struct lc_task *task)
{
    return task->in_cancel || host->cancel_depth > CANCEL_DEPTH_MAX;
}

void lc_cancel_deliver(lua_State *L, struct lc_host *host, struct lc_task *task, int msg)
{
    bool passed;

    if (task->waiter.type != NULL && task->waiter.type->cancel == NULL &&
        lc_waiter_is_pending(&task->waiter))
        store_message(L, task, msg);
    host->cancel_depth++;
    passed = task->waiter.type != NULL && lc_waiter_cancel(L, &task->waiter, msg);
    host->cancel_depth--;
    if (passed)
        return;
    task->must_cancel = true;
    /* a wait that is cancelled already keeps its message: the first one wins (CA8) */
    if (task->waiter.state != LC_WAIT_CANCELLED)
        store_message(L, task, msg);
}

void lc_cancel_mark(struct lc_task *first, struct lc_task *last, bool marked)
{
    for (; first != last; first = lc_waiter_object(&first->waiter))
        first->in_cancel = marked;
    last->in_cancel = marked;
}

/* Each task passes the request to the task that it awaits (CA3). */
static void pass_down(lua_State *L, struct lc_host *host, struct lc_task *first, int msg)
{
    struct lc_task *task = first, *next;

    lc_cancel_count(task, 1);
    if (lc_cancel_is_barred(host, task)) {
        if (lc_waiter_is_pending(&task->waiter))
            cancel_wait(L, task, msg);
        else
            task->must_cancel = true;
        return;
    }
    task->in_cancel = true;
    while ((next = lc_cancel_next(task)) != NULL && !next->in_cancel) {
        task = next;
        lc_cancel_count(task, 1);
        task->in_cancel = true;
    }
    if (next != NULL)
        cancel_wait(L, task, msg);
    else
        lc_cancel_deliver(L, host, task, msg);
    lc_cancel_mark(first, task, false);
}

bool lc_task_cancel(lua_State *L, struct lc_task *task, int msg)
{
    struct lc_host *host = task->future.loop->host;

    if (lc_future_is_done(&task->future)) {
        lc_future_mark_retrieved(&task->future);
        return false;
    }
    if (lc_future_loop(&task->future) == NULL)
        return false;
    luaL_checkstack(L, 10, NULL);
    if (!lc_cancel_batched(L, host, task, msg))
        pass_down(L, host, task, msg);
    return true;
}

int lc_task_uncancel(struct lc_task *task)
{
    if (task->cancelling > 0 && --task->cancelling == 0) {
        task->must_cancel = task->doomed;
        task->requested = task->swallowed = false;
    }
    return task->cancelling;
}
