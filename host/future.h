/*
 * future: a write-once cell for results, an error or a cancellation.
 * Invariant: pending, then exactly one of finished, failed, cancelled; completion moves all
 *            callbacks to the ready list in the order of their registration (FU7, FU8).
 * Owner:     Lua's collector. User value 1 holds the result (a packed table when there are several),
 *            the error, or the cancel message; user value 2 a table of what few futures have, or,
 *            while there is none, the function that a task runs.
 * A task is a future with a body: struct lc_task begins with a struct lc_future.
 */
#ifndef LC_FUTURE_H
#define LC_FUTURE_H

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include "entry.h"
#include "host.h"

struct lc_loop;
struct lc_report;

enum lc_future_state { LC_PENDING, LC_FINISHED, LC_FAILED, LC_CANCELLED };

/* Keys of the table in user value 2. */
enum lc_extra {
    LC_EXTRA_CALLBACKS = 1, /* lightuserdata of a callback -> callback */
    LC_EXTRA_REPORT,        /* the report of a failure nobody has retrieved */
    LC_EXTRA_NAME,
    LC_EXTRA_CONTEXT,
    LC_EXTRA_CANCEL_MESSAGE,   /* of a request that waits for delivery */
    LC_EXTRA_FUNCTION,         /* what the task runs */
    LC_EXTRA_TRACEBACK,        /* of the error when it failed; false: an object without one */
    LC_EXTRA_WRAPPED,          /* the LuaError that stands for a bare error value */
    LC_EXTRA_SOURCE,           /* debug mode: where it was made, as file:line... */
    LC_EXTRA_SOURCE_TRACEBACK, /* ...and in full */
    LC_EXTRA_DELIVERED,        /* debug mode: the CancelledError that was raised in the task... */
    LC_EXTRA_SWALLOWED,        /* ...and where it was caught, as file:line */
    LC_EXTRA_GUARD,            /* a shield's link to what it protects */
    LC_EXTRA_LOOPS,   /* list of the generators that the task goes through in faulty loops */
    LC_EXTRA_LENT,    /* list of strings that the job behind it reads */
    LC_EXTRA_REPORTS, /* Queue of what the job behind it reports, once somebody has asked for that */
    LC_EXTRA_ERRING /* of a task that runs a message handler: the task in which the error was raised */
};

extern const struct lc_type lc_future_type;

struct lc_future {
    struct lc_object object;
    struct lc_loop *loop;
    union {
        struct lc_link callbacks; /* pending: entries that run when it is done */
        struct lc_report *report; /* done: of a failure nobody has retrieved, or NULL */
    };
    uint32_t generation; /* of the loop */
    int held; /* anchor while it has callbacks in Lua: key in the host's weak table; set when done */
    int32_t result_count;
    uint16_t lua_callbacks; /* callbacks in Lua, registered or queued */
    uint8_t state;          /* enum lc_future_state */
    bool ignore_failure : 1;
    bool marked : 1; /* by who goes through a list that may name it twice; false outside of that */
};

/* [-0, +1, m] */
struct lc_future *lc_future_new(lua_State *L, struct lc_loop *loop);
void lc_future_init(struct lc_future *future, const struct lc_type *type, struct lc_loop *loop);

/* The future or task at idx, or NULL. [-0, +0, -] */
struct lc_future *lc_to_future(lua_State *L, int idx);

static inline bool lc_future_is_done(const struct lc_future *future)
{
    return future->state != LC_PENDING;
}

/* The loop, or NULL when it was closed. */
struct lc_loop *lc_future_loop(const struct lc_future *future);

/* Completes a pending future at `idx`. The values are the n on top. [-n, +0, m] */
void lc_future_set_result(lua_State *L, int idx, int n);
/* The same with the future at hand; `idx` is absolute. */
void lc_future_finish(lua_State *L, struct lc_future *future, int idx, int n);
/* The error is on top; user code sees it when it looks or, if nobody does, as a report.
 * [-1, +0, m] */
void lc_future_set_error(lua_State *L, int idx);
/* The same in two steps, of which only the first can fail: the report of the error on top, NULL if none
 * is due; then the failure. [-0, +0, m] [-1, +0, -] */
struct lc_report *lc_future_make_report(lua_State *L, int idx);
void lc_future_fail(lua_State *L, int idx, struct lc_report *report);
/* The message or CancelledError is on top. [-1, +0, m] */
void lc_future_set_cancelled(lua_State *L, int idx);

/* A cancel request for the future or task at `idx`; the message at `msg` (0: none). [-0, +0, m] */
bool lc_future_cancel(lua_State *L, int idx, int msg);

/* Pushes the outcome of a done future: true with n results, or false with the error, after which
 * it counts as retrieved. [-0, +n, m] */
bool lc_future_push_outcome(lua_State *L, int idx, int *n);

/* Pushes the error of a failed or cancelled future; it counts as retrieved. [-0, +1, m] */
void lc_future_push_error(lua_State *L, int idx);

/* Marks a failure as retrieved. [-0, +0, -] */
void lc_future_mark_retrieved(struct lc_future *future);

/* Runs the entry one tick after the future is done. [-0, +0, -] */
void lc_future_add_entry(struct lc_future *future, struct lc_entry *entry);

/* Pushes a future from its pointer: of a task, or of a future that has callbacks in Lua.
 * [-0, +1, -] */
void lc_future_push(lua_State *L, struct lc_future *future);

/* User value 2's field, nil if there is none. [-0, +1, -] */
void lc_future_push_extra(lua_State *L, int idx, enum lc_extra key);
/* [-1, +0, m] */
void lc_future_set_extra(lua_State *L, int idx, enum lc_extra key);

/* Replaces the bare error value on top by the LuaError of the future at `idx`. [-1, +1, m] */
void lc_future_wrap_error(lua_State *L, struct lc_host *host, int idx);

/* Suspends the running task until the future, which is at `idx`, is done and returns or raises its
 * outcome: the body of future:await() and lucio.await(). [-0, +n, ye] */
int lc_await_future(lua_State *L, struct lc_host *host, struct lc_future *future, int idx);

/* The text form (FU18, TA16). [-0, +1, m] */
void lc_future_push_text(lua_State *L, struct lc_host *host, int idx);

/* The part of the text that names the callbacks: the first, a count, the last. [-0, +1, m] */
void lc_future_push_callbacks_text(lua_State *L, int idx, struct lc_future *future);

/* Adds the methods and Future() to the module on top. [-0, +0, m] */
void lc_futures_open(lua_State *L, struct lc_host *host);
/* The methods that tasks have too. */
extern const luaL_Reg lc_future_methods[];

#endif
