/*
 * threads: the pool of Lua threads that tasks run in.
 * Invariant: a thread has one slot for life; a slot's task entry is the task that uses it, or false.
 *            A thread whose body returned is used again without a reset.
 * Owner:     the two tables hold threads and unfinished tasks, so a task needs no other reference.
 */
#ifndef LC_THREADS_H
#define LC_THREADS_H

#include <stddef.h>

#include <lua.h>

struct lc_host;

struct lc_threads {
    int threads; /* registry index: slot -> thread */
    int tasks;   /* registry index: slot -> task */
    struct lc_idle {
        lua_State *thread;
        int slot;
    } * idle; /* stack of slots whose thread is free */
    size_t idle_count;
    int *empty; /* stack of slots without a thread */
    size_t empty_count;
    size_t capacity; /* of both stacks; slots 1..capacity exist */
};

void lc_threads_open(lua_State *L, struct lc_host *host);
void lc_threads_close(struct lc_host *host);

/* A thread for the task at `task_idx`; its slot is stored in *slot. [-0, +0, m] */
lua_State *lc_thread_take(lua_State *L, struct lc_host *host, int task_idx, int *slot);

/* The task in the slot. [-0, +1, -] */
void lc_thread_push_task(lua_State *L, struct lc_host *host, int slot);

/* Ends the use of the slot: the thread goes back to the pool, or away when it is broken or the
 * pool is full. [-0, +0, -] */
void lc_thread_give(lua_State *L, struct lc_host *host, int slot, lua_State *thread);

#endif
