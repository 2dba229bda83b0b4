/*
 * state: the Lua state of the command: with memory from slabs, else as luaL_newstate makes it.
 */
#ifndef LC_STATE_H
#define LC_STATE_H

#include <stdbool.h>

#include <lua.h>

/* New state. Its memory is malloc's in a build with a sanitizer, and where the environment has
 * LUCIO_ALLOCATOR=malloc unless it is to be ignored. NULL: no memory. */
lua_State *lc_state_new(bool no_env);

/* Closes the state and gives its memory back. */
void lc_state_close(lua_State *L);

#endif
