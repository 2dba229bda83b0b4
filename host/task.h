/*
 * task: a Lua coroutine that a loop drives, and the future of its outcome. The only lua_resume of
 * tasks.
 * Invariant: an unfinished task waits (its waiter is pending) or its step is queued, never both.
 * Owner:     the host's thread slot holds an unfinished task; afterwards Lua's collector.
 * Phases:    made (step queued), running or suspended, done. lc_task_finish is the only way to done.
 */
#ifndef LC_TASK_H
#define LC_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include "future.h"
#include "place.h"
#include "waiter.h"

struct lc_timeout;

extern const struct lc_type lc_task_type;
/* What a task's waiter is queued as: the next step. */
extern const struct lc_entry_type lc_task_step_entry;

struct lc_task {
    struct lc_future future;
    struct lc_waiter waiter;
    lua_State *thread;           /* NULL once done */
    struct lc_timeout *timeouts; /* open timeouts, innermost first */
    double since;                /* when its last wait began: loop->now */
    int slot;
    uint32_t id;     /* the number of its making, which the host's next 2^32 tasks have not */
    unsigned number; /* of the default name; 0: it has a name of its own, or none yet */
    lc_place created;
    uint16_t cancelling;  /* requests minus uncancels */
    bool must_cancel : 1; /* the next step raises CancelledError; of a doomed task always set */
    bool in_cancel : 1;   /* a request is being passed through it: ends circles */
    bool has_message : 1; /* a cancel message is stored */
    bool has_context : 1;
    bool started : 1;
    bool in_loops : 1;  /* host->after_step looks at it after each step */
    bool findable : 1;  /* its Lua value is in the slot */
    bool doomed : 1;    /* its time to end is over: every wait raises CancelledError */
    bool requested : 1; /* a cancel request came whose CancelledError no wait has raised yet */
    bool swallowed : 1; /* debug mode: that error was caught, see debug.h */
    bool broken : 1;    /* yielded a foreign value: the next step raises RuntimeError */
    bool own : 1;       /* lucio's, at the end of a run: nobody is told that it was left behind */
};

/* LC_TASK_NAMED: the caller gives it a name, no default one is used up. */
enum lc_task_options { LC_TASK_PLAIN = 0, LC_TASK_EAGER = 1, LC_TASK_NAMED = 2 };

/* New task that runs the function and its `nargs` arguments on top of the stack. The step is queued,
 * or with LC_TASK_EAGER run now. `context` is the stack index of a context to run in (0: a copy of
 * the current one). [-(nargs + 1), +1, m] */
struct lc_task *lc_task_new(lua_State *L, struct lc_loop *loop, int nargs, int context,
                            enum lc_task_options options);

/* Runs the first step of a task that is queued for it, now. [-0, +0, m] */
void lc_task_start(lua_State *L, struct lc_task *task);

/* Makes the context at `context` that of the task on top, which has not started. [-0, +0, m] */
void lc_task_set_context(lua_State *L, struct lc_task *task, int context);

/* A cancel request (CA1..CA8). [-0, +0, m] */
bool lc_task_cancel(lua_State *L, struct lc_task *task, int msg);
/* Takes one request back; returns how many are left (CA14). */
int lc_task_uncancel(struct lc_task *task);

/* Pushes the task. [-0, +1, -] */
void lc_task_push(lua_State *L, struct lc_task *task);
static inline struct lc_task *lc_to_task(lua_State *L, int idx)
{
    return lc_to_object(L, idx, &lc_task_type);
}

/* Pushes the CancelledError that the task's own request stands for. [-0, +1, m] */
void lc_task_push_cancelled(lua_State *L, struct lc_task *task);

/* [-0, +1, m] */
void lc_task_push_name(lua_State *L, struct lc_task *task, int idx);

/* Where it was created, "file:line", or nil: no Lua code did, or it is one of very many that were
 * created in a row (LC_PLACES_ROW). [-0, +1, m] */
void lc_task_push_created(lua_State *L, const struct lc_task *task);

/* Where the function that the task at `idx` runs is defined: "file:line", "[C]" or "?".
 * [-0, +1, m] */
void lc_task_push_definition(lua_State *L, int idx);

/* The coroutine in which the task's code is now: its own thread or one that it runs in turn; NULL
 * when the task has not started or is done. */
lua_State *lc_task_coroutine(const struct lc_task *task);

/* Finds the innermost Lua function of a coroutine: its name, source and line. False: there is none. */
bool lc_find_position(lua_State *co, lua_Debug *ar);

/* Where the code of the task at `idx` is now, or where it is defined: "file:line". [-0, +1, m] */
void lc_task_push_position(lua_State *L, struct lc_task *task, int idx);

/* Sets the timer that wakes the task, which is about to wait for nothing else. [-0, +0, m] */
void lc_task_set_timer(lua_State *L, struct lc_task *task, double when);

/* Pushes a list of the loop's unfinished tasks in the order of their making. [-0, +1, m] */
void lc_tasks_push(lua_State *L, struct lc_loop *loop);

/* The unfinished task with that id, or NULL. Takes as long as there are tasks. [-0, +0, -] */
struct lc_task *lc_task_find(lua_State *L, struct lc_host *host, unsigned id);

/* Ends all unfinished tasks of a loop that closes. [-0, +0, -] */
void lc_tasks_abandon(lua_State *L, struct lc_loop *loop);

#endif
