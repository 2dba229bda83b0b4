/*
 * threads: the pool of Lua threads that tasks run in.
 * Invariant: a thread has one slot for life. It holds the task that uses it on its stack; the slot's
 *            task entry is that task once somebody asked for its Lua value, else false.
 *            A thread whose body returned is used again without a reset. The pool holds at most as
 *            many threads as tasks were alive at once, and gives some back when the loop idles.
 * Owner:     the table holds the threads and they the unfinished tasks, which need no other reference.
 */
#ifndef LC_THREADS_H
#define LC_THREADS_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

struct lc_host;

struct lc_threads {
    int table; /* registry index: slot -> thread */
    int tasks; /* registry index: slot -> task or false */
    struct lc_idle {
        lua_State *thread;
        int slot;
    } * idle;   /* stack of idle threads */
    int *empty; /* stack of slots that lost their thread */
    size_t idle_count;
    size_t empty_count;
    size_t used;     /* slots 1..used have been taken */
    size_t capacity; /* slots 1..capacity exist */
};

void lc_threads_open(lua_State *L, struct lc_host *host);
void lc_threads_close(struct lc_host *host);

/* An idle thread; its slot is stored in *slot. [-0, +0, m] */
lua_State *lc_thread_take(lua_State *L, struct lc_host *host, int *slot);

/* The thread in the slot, or NULL. [-0, +0, -] */
lua_State *lc_thread_at(lua_State *L, struct lc_host *host, size_t slot);

/* Pops the value of the task that uses the slot's thread, to be found again. [-1, +0, -] */
void lc_thread_set_task(lua_State *L, struct lc_host *host, int slot);
/* Pushes what was set. [-0, +1, -] */
void lc_thread_push_task(lua_State *L, struct lc_host *host, int slot);

/* Ends the use of the slot, whose task was set or not: the thread goes back to the pool, or away when
 * it is broken. [-0, +0, -] */
void lc_thread_give(lua_State *L, struct lc_host *host, int slot, lua_State *thread, bool set);

/* The loop has nothing to do: leaves some idle threads to the collector if there are many.
 * [-0, +0, -] */
void lc_threads_trim(lua_State *L, struct lc_host *host);

#endif
