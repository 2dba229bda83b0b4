/*
 * state: a Lua state with lucio in it, as an embedding program makes one, on counted memory.
 */
#ifndef LC_SPEC_STATE_H
#define LC_SPEC_STATE_H

#include <stdbool.h>

#include <lua.h>

#include "memory.h"

/* A function main() that uses tasks, queues, locks, timers, gather, groups, cancellation and
 * generators, and returns "done". It waits for nothing outside of the process. */
extern const char state_work[];

/* The same with datagrams, with child processes. */
extern const char state_datagrams[], state_child[];

/* Opens what the scripts here need of Lua's libraries, and lucio as `lucio`. [-0, +0, e] */
void state_open(lua_State *L);

/* A state on that memory with all of it open. Aborts when there is no memory. */
lua_State *state_new(struct memory *memory);

/* Runs the chunk and leaves its results; aborts with the message of an error. [-0, +nresults, -] */
void state_do(lua_State *L, const char *chunk, int nresults);

/* Runs `return chunk` and gives its integer. [-0, +0, -] */
long state_integer(lua_State *L, const char *chunk);

/* How many file descriptors the process has: each loop holds some. */
size_t state_open_files(void);

#endif
