/*
 * context: context variables (PEP 567, SEMANTICS CX). A Context is a userdata whose user value 1 is
 * a table variable -> value that is never changed once shared: a copy shares it, a set replaces it.
 * Nobody pays who uses no variable: no context at all stands for an empty one.
 * Owner: a task's context is in its table of extras; a callback's in the callback; the one outside
 *        of any loop is anchored by the host.
 */
#ifndef LC_CONTEXT_H
#define LC_CONTEXT_H

#include <stdbool.h>

#include <lua.h>

#include "host.h"

void lc_context_open(lua_State *L, struct lc_host *host);

/* Pushes the context for a new task: the one at `idx`, or a copy of the current one (idx 0). False:
 * it is empty, nothing is pushed. [-0, +(0|1), m] */
bool lc_context_push_for_task(lua_State *L, struct lc_host *host, int idx);

/* [-0, +1, m] */
void lc_context_push_empty(lua_State *L, struct lc_host *host);

/* Pushes a copy of the current context, or nil when it is empty. [-0, +1, m] */
void lc_context_push_copy(lua_State *L, struct lc_host *host);

/* The same, or the one that the options at `idx` give as `context`. */
void lc_context_push_copy_or(lua_State *L, struct lc_host *host, int options);

/* Raises unless the options at `idx` are nil or {context = Context}. */
void lc_context_check_option(lua_State *L, struct lc_host *host, int idx, const char *what,
                             int pos);
/* Raises unless the value at `idx` is nil or a Context. */
void lc_context_check(lua_State *L, struct lc_host *host, int idx, const char *what, int pos);

/* Pushes the context kept in user value 2 of the Runner at `idx`, made as a copy of the current one at
 * the first call (RU6). [-0, +1, m] */
void lc_context_push_runner(lua_State *L, struct lc_host *host, int idx);

/* If the value at `idx` is a context variable: pushes its name and its default. [-0, +(0|2), -] */
bool lc_context_var_push(lua_State *L, int idx, bool *has_default);
/* Pops a name and, if there is one, a default: pushes a new variable. [-(1|2), +1, m] */
void lc_context_var_new(lua_State *L, struct lc_host *host, bool has_default);
/* Sets the variable below the value on top in the context of the code that runs. [-2, +0, m] */
void lc_context_var_set(lua_State *L, struct lc_host *host);
/* Pushes the table variable -> value of the current context, which nobody may change, or nil; what stands
 * for nil in it is turned into nil on top by the other function. [-0, +1, -] [-1, +1, -] */
void lc_context_push_map(lua_State *L, struct lc_host *host);
void lc_context_unstore(lua_State *L);
/* Outside of any loop: there is no variable set any more. [-0, +0, -] */
void lc_context_clear(lua_State *L, struct lc_host *host);

/* Raises if the context at `idx` is entered: by a context:run, or by code that runs. [-0, +0, v] */
void lc_context_check_enterable(lua_State *L, struct lc_host *host, int idx);

/* Around a step of a task within other code, whose context stays entered meanwhile; NULL: there is nothing
 * to let go. [-0, +0, -] */
void *lc_context_hold(lua_State *L, struct lc_host *host);
void lc_context_let_go(void *held);

/* Around a callback: its context (or nil) is on top. [-1, +0, m] */
void lc_callback_call_begin(lua_State *L, struct lc_host *host);
void lc_callback_call_end(lua_State *L, struct lc_host *host);

#endif
