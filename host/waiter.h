/*
 * waiter: how a task suspends. The only lua_yieldk.
 * A waiter is to its task what a fresh asyncio future that only this task awaits is there: it is
 * woken or cancelled at most once, and the task's step is queued at that moment. It lives in the
 * task, so that a wait allocates nothing.
 * Invariant: a waiter is idle, or pending (in a list or behind a future), or its entry is queued.
 * Context:   loop thread; wake and cancel call no Lua.
 *
 * An operation that suspends:   lc_wait_begin(...); link it; return lc_wait_yield(L, task, ctx, k);
 * and its continuation k:       failed = lc_wait_end(L, task); unlink; if failed, lua_error(L).
 */
#ifndef LC_WAITER_H
#define LC_WAITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "entry.h"
#include "timer.h"

struct lc_future;
struct lc_host;
struct lc_loop;
struct lc_task;
struct lc_waiter;

enum lc_wait_state {
    LC_WAIT_IDLE,
    LC_WAIT_PENDING,
    LC_WAIT_WOKEN,
    LC_WAIT_CANCELLED,
    LC_WAIT_CLOSED, /* its coroutine is being closed: GeneratorExit is raised */
    LC_WAIT_TURN    /* gave up one tick: queued already, nothing to cancel */
};

struct lc_wait_type {
    const char *name; /* "lock", "queue.get"...: shown by the report of what tasks wait for */
    /* Passes a cancel request on to what is awaited; false: it is done already. NULL: the waiter
     * itself is cancelled. The message is at `msg` (0: none). */
    bool (*cancel)(lua_State *L, struct lc_waiter *waiter, int msg);
};

/* The type of waits for a future or task. */
extern const struct lc_wait_type lc_wait_future_type;

/* Small, since every task has one: what sleeps waits for nothing else. */
struct lc_waiter {
    union {
        struct lc_entry entry; /* in the ready list or a future's callbacks: steps the task */
        struct lc_timer timer; /* of a sleep; when due, its entry wakes the waiter */
        struct {
            char unused[offsetof(struct lc_timer, spare)];
            uint32_t idx : 24;  /* where in L's frame the awaited object is */
            uint32_t state : 8; /* enum lc_wait_state */
        };
    };
    struct lc_link link; /* in the wait list of a primitive */
    const struct lc_wait_type *type;
    lua_State *L; /* the coroutine that suspended */
};

/* The task in which L may suspend. Raises RuntimeError when there is none or when something between
 * it and L cannot be suspended; `what` names the call. [-0, +0, v] */
struct lc_task *lc_wait_task(lua_State *L, struct lc_host *host, const char *what);

/* Notes that the C function on top may be suspended while it calls Lua code: when something is in the
 * way, it is something else. [-0, +0, m] */
void lc_wait_mark_passable(lua_State *L, struct lc_host *host);

/* Makes the task's waiter pending. A cancel request that waits for delivery cancels it at once.
 * The awaited object must stay at `idx` of L's frame. [-0, +0, m] */
void lc_wait_begin(lua_State *L, struct lc_task *task, const struct lc_wait_type *type, int idx);

/* Suspends; `k` goes on in a later tick. [-?, +?, y] */
int lc_wait_yield(lua_State *L, struct lc_task *task, lua_KContext ctx, lua_KFunction k);

/* In the continuation: ends the wait. True: the error to raise has been pushed. [-0, +(0|1), m] */
bool lc_wait_end(lua_State *L, struct lc_task *task);

/* The same when the outcome of what was awaited is known: `failed` if its error is on top. */
bool lc_wait_settle(lua_State *L, struct lc_task *task, bool failed);

/* Suspends for exactly one tick. */
int lc_wait_turn(lua_State *L, struct lc_task *task, lua_KContext ctx, lua_KFunction k);

/* Suspends until the future at `idx` is done, which it is not yet. lc_wait_end then leaves its
 * error; the results are the continuation's to fetch. */
int lc_wait_future(lua_State *L, struct lc_task *task, struct lc_future *future, int idx,
                   lua_KContext ctx, lua_KFunction k);

/* The awaited object of a suspended task: it stays in the frame that suspended. [-0, +0, -] */
static inline void *lc_waiter_object(const struct lc_waiter *waiter)
{
    return lua_touserdata(waiter->L, waiter->idx);
}

/* Pushes the awaited object of a suspended task. [-0, +1, m] */
void lc_waiter_push_object(lua_State *L, struct lc_waiter *waiter);

static inline bool lc_waiter_is_pending(const struct lc_waiter *waiter)
{
    return waiter->state == LC_WAIT_PENDING;
}

/* Queues the waiting task's step if the waiter is pending. */
void lc_waiter_wake(struct lc_waiter *waiter);

/* Pushes what the text form of something says of the waiters in its list: ", waiters:2", or "".
 * [-0, +1, m] */
const char *lc_push_waiters_text(lua_State *L, const struct lc_link *waiters);

/* The first waiter of a list. */
static inline struct lc_waiter *lc_waiter_of(struct lc_link *link)
{
    return lc_container_of(link, struct lc_waiter, link);
}

/* Wakes the first waiter that is still pending. False: there is none. */
bool lc_waiters_wake_one(struct lc_link *list);

/* Takes a waiter that will not be woken out of the list or the heap that its entry is in. */
void lc_waiter_withdraw(struct lc_waiter *waiter);

/* A cancel request for what the task waits for. True: it was passed on. [-0, +0, m] */
bool lc_waiter_cancel(lua_State *L, struct lc_waiter *waiter, int msg);

#endif
