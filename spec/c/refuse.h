/*
 * refuse: runs a script of state.h without memory: the nth request is refused, for every n, from luaopen_lucio
 * to lua_close. Each run must end by itself, crash nowhere, and give everything back; where memory comes
 * back, the same state must do its work again.
 *
 * The runs are made in a child process, which a crash ends and a new one replaces.
 */
#ifndef LC_SPEC_REFUSE_H
#define LC_SPEC_REFUSE_H

#include <stddef.h>

/* Before the tests. Negative: it cannot. */
int refuse_begin(void);

/* For every n, refuses `width` requests from the nth on; SIZE_MAX: all of them. Fails the test at a fault. */
void refuse(const char *script, size_t width);

#endif
