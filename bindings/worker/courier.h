/*
 * courier: the thread of a process pool. It takes the jobs out of the pool's queue, first in first out,
 * sends each to a worker process that is free, started if there is none and may be one more, and brings
 * back what comes of it. One thread for all processes of the pool: it waits in an epoll.
 * Invariant: a job that was taken ends exactly once: with what its process sent, or with the loss of the
 *            process. Only the job of a process that ended is lost. The thread ends when the pool is closed,
 *            its queue empty and every process reaped.
 * Owner:     the pool; the processes are children of the thread, and die with it.
 */
#ifndef LC_COURIER_H
#define LC_COURIER_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;
struct lc_pool;

struct lc_courier_limits {
    unsigned processes;
    double job;         /* seconds that a job may take; infinite: any time */
    double cancel;      /* seconds that a job may go on after its future was cancelled */
    unsigned long jobs; /* that one process does, 0: any number */
};

/* New pool of worker processes; the initializer, a function or nil, is at `initializer`. [-0, +0, v] */
struct lc_pool *lc_courier_new(lua_State *L, struct lc_host *host, const char *name,
                               const struct lc_courier_limits *limits, int initializer);

unsigned lc_courier_max(const struct lc_pool *pool);

/* Sends all processes that there are the signal; their jobs fail. */
void lc_courier_signal(struct lc_pool *pool, int number);

/* Kills in so many seconds the processes that there are then. */
void lc_courier_limit(struct lc_pool *pool, double seconds);

#endif
