/*
 * executor: ThreadPoolExecutor objects.
 * Owner: Lua's collector; a collected one leaves its pool to the host, which waits for the threads.
 */
#ifndef LC_EXECUTOR_H
#define LC_EXECUTOR_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;
struct lc_loop;
struct lc_pool;

/* The pool of the executor at `idx`, or NULL. [-0, +0, -] */
struct lc_pool *lc_executor_pool(lua_State *L, int idx);

/* Whether its workers are processes. [-0, +0, -] */
bool lc_executor_is_processes(lua_State *L, int idx);

/* New executor of threads with the defaults. [-0, +1, v] */
struct lc_pool *lc_executor_new(lua_State *L, struct lc_host *host);

/* Raises unless the function to call is at `idx`: a function, or "module:function". [-0, +0, v] */
void lc_executor_check_function(lua_State *L, int idx, const char *what, int pos);

/* Closes the pool and pushes a future that is done when its threads have ended; false and nothing: they
 * have already. [-0, +(0|1), m] */
bool lc_executor_end(lua_State *L, struct lc_loop *loop, struct lc_pool *pool);

/* Cancels the jobs that no thread has yet. [-0, +0, m] */
void lc_executor_cancel_jobs(lua_State *L, struct lc_host *host, struct lc_pool *pool);

#endif
