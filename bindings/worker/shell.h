/*
 * shell: os.execute and io.popen of a worker thread. Such a thread takes no signals, and a child that the C
 * library starts there would have them blocked too: it could not be told to end, nor wait for children
 * of its own.
 * Invariant: the child has no signal blocked, and no descriptor of ours but the standard ones.
 * Owner:     of a child of io.popen: its file, whose close waits for it.
 */
#ifndef LC_SHELL_H
#define LC_SHELL_H

#include <lua.h>

/* Replaces both in the libraries that are open. [-0, +0, m] */
void lc_open_shell(lua_State *L);

#endif
