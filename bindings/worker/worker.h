/*
 * worker: the threads of an executor. Each has a Lua state and a host of its own, made when the thread
 * starts and kept for its jobs, with the libraries and paths of the state whose executor it is.
 * Owner:   a state belongs to its thread, from its making to its closing.
 * Context: lc_threads_new the submitting state's thread; all else the workers'.
 */
#ifndef LC_WORKER_H
#define LC_WORKER_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;
struct lc_pool;

struct lc_threads_limits {
    unsigned threads;
    double job, cancel; /* seconds, see warden.h */
    bool daemon;        /* they do not keep the program from ending */
};

/* New pool of such threads; the initializer, a function or nil, is at `initializer`. [-0, +0, v] */
struct lc_pool *lc_threads_new(lua_State *L, struct lc_host *host, const char *name,
                               const struct lc_threads_limits *limits, int initializer);

/* Initializers that run are stopped. */
void lc_threads_end_initializers(struct lc_pool *pool);

/* Jobs that run in so many seconds, or begin later, are stopped. [-0, +0, v] */
void lc_threads_limit(lua_State *L, struct lc_host *host, struct lc_pool *pool, double seconds);

#endif
