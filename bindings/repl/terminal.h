/*
 * terminal: what lua/lucio/repl.lua needs of C: lines from the terminal while the loop goes on, the
 * protected call of an input with Ctrl-C, the text of errors, the file of the history.
 * Invariant: the watchers are active only while a line is being edited; the task that reads it waits
 *            with the terminal in its frame.
 * Owner:     the Lua object, which the prompt's task holds.
 * Context:   loop thread; the libev callbacks draw and queue, and call no Lua.
 */
#ifndef LC_TERMINAL_H
#define LC_TERMINAL_H

#include <lua.h>

struct lc_host;
struct lc_screen;

/* New terminal object on stdin. [-0, +1, m] */
void lc_terminal_new(lua_State *L, struct lc_host *host, struct lc_screen *screen);

#endif
