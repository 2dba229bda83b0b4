/*
 * lucio: tasks, futures and an event loop for Lua 5.4 in a C program.
 *
 * A program that has a Lua state of its own adds lucio to it with luaopen_lucio, which a script then
 * reaches as require "lucio":
 *
 *     luaL_requiref(L, "lucio", luaopen_lucio, 0);
 *     lua_pop(L, 1);
 *
 * All of lucio's memory belongs to that state and goes with lua_close. Nothing is kept per process but
 * the table of POSIX signals; any number of states may use lucio, each in one thread.
 */
#ifndef LUCIO_H
#define LUCIO_H

#ifdef __cplusplus
extern "C" {
#endif

#define LUCIO_API __attribute__((visibility("default")))

struct lua_State;

/* Opens lucio in the state and pushes its module table; the second call pushes the same one. Raises a
 * Lua error when there is no memory. */
LUCIO_API int luaopen_lucio(struct lua_State *L);

/* The version, such as "0.1.0". */
LUCIO_API const char *lucio_version(void);

#ifdef __cplusplus
}
#endif

#endif
