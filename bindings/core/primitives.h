/*
 * primitives: methods of queues, locks, events, semaphores and conditions as functions of Lua in C, for who
 * calls them past a metatable, which a script can change. Each takes the object first, and what the method
 * of that name takes.
 */
#ifndef LC_PRIMITIVES_H
#define LC_PRIMITIVES_H

#include <lua.h>

struct lc_type;

extern const struct lc_type lc_core_condition_type;
extern const struct lc_type lc_core_event_type;
extern const struct lc_type lc_core_queue_type;
extern const struct lc_type lc_core_semaphore_type;

int lc_method_condition_locked(lua_State *L);
int lc_method_condition_notify(lua_State *L);
int lc_method_condition_release(lua_State *L);

int lc_method_event_clear(lua_State *L);
int lc_method_event_is_set(lua_State *L);
int lc_method_event_new(lua_State *L);
int lc_method_event_set(lua_State *L);
int lc_method_event_wait(lua_State *L);

int lc_method_lock_acquire(lua_State *L);
int lc_method_lock_locked(lua_State *L);
int lc_method_lock_new(lua_State *L);
int lc_method_lock_release(lua_State *L);

int lc_method_lifo_queue_new(lua_State *L);
int lc_method_priority_queue_new(lua_State *L);
int lc_method_queue_empty(lua_State *L);
int lc_method_queue_full(lua_State *L);
int lc_method_queue_get(lua_State *L);
int lc_method_queue_get_nowait(lua_State *L);
int lc_method_queue_join(lua_State *L);
int lc_method_queue_new(lua_State *L);
int lc_method_queue_put(lua_State *L);
int lc_method_queue_put_nowait(lua_State *L);
int lc_method_queue_qsize(lua_State *L);
int lc_method_queue_shutdown(lua_State *L);
int lc_method_queue_task_done(lua_State *L);

int lc_method_bounded_semaphore_new(lua_State *L);
int lc_method_semaphore_acquire(lua_State *L);
int lc_method_semaphore_locked(lua_State *L);
int lc_method_semaphore_new(lua_State *L);
int lc_method_semaphore_release(lua_State *L);

#endif
