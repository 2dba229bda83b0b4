/*
 * budget: how many instructions of the Lua machine a step, and a task in all, may use.
 * A count hook in every thread charges them in portions. Over the limit BudgetError is raised, which may
 * be caught; the clean-up then has a tenth of the limit more, after which the error is raised at every
 * instruction until the step ends, so that no pcall can stop it.
 * Invariant: every Lua thread of a host with a budget has the hook; a new one has it from its creator.
 * Owner:     the host.
 * Limits:    a C function that loops by itself is not charged; finalizers run without hooks.
 */
#ifndef LC_BUDGET_H
#define LC_BUDGET_H

#include <stdbool.h>

#include <lua.h>

struct lc_budget;
struct lc_host;
struct lc_task;

/* Sets the limits of a host that has none yet; 0: no limit. Raises when there is no memory.
 * [-0, +0, m] */
void lc_budget_open(lua_State *L, struct lc_host *host, long long step, long long task);
void lc_budget_free(struct lc_host *host);

/* The limits of a host; 0: none. */
void lc_budget_read(const struct lc_host *host, long long *step, long long *task);

/* A step of the task (NULL: a callback) begins. `is_new`: the task's first one. */
void lc_budget_begin(struct lc_host *host, struct lc_task *task, bool is_new);

/* Charges the step and the running task for instructions, or for rounds of a loop in C.
 * [-0, +0, v] */
void lc_budget_charge(lua_State *L, struct lc_host *host, int count);

/* For a coroutine that code running in L has made. [-0, +0, v] */
void lc_budget_charge_thread(lua_State *L, struct lc_host *host, lua_State *thread);

/* Gives a thread whose hook was used for something else its hook back. */
void lc_budget_hook(lua_State *L, struct lc_host *host);

#endif
