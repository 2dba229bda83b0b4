/*
 * stack_text: the text of a Lua stack, line for line as luaL_traceback writes it, but without what is
 * lucio's own and says nothing: C functions that have no name, as under the body of every task, and Lua
 * functions that were hidden.
 * Context: also in a message handler, with what is left of a stack that overflowed.
 */
#ifndef LC_STACK_TEXT_H
#define LC_STACK_TEXT_H

#include <lua.h>

/* How many free slots of L's stack the functions here take. */
#define LC_STACK_TEXT_SLOTS 30

/* Pushes the lines of the stack of `thread` from a level on, each with a newline before it.
 * [-0, +1, m] */
void lc_stack_text_push(lua_State *L, lua_State *thread, int level);

/* Hides the function on top, one in Lua without lines and names. [-0, +0, m] */
void lc_stack_text_hide(lua_State *L);

/* Takes the lines of hidden functions out of a text of luaL_traceback, which is on top. [-1, +1, m] */
void lc_stack_text_strip(lua_State *L);

#endif
