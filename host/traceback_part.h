/*
 * traceback_part: the text of which tracebacks are put together: the stack of one coroutine and a line
 * that says whose it is, `(in task 'Task-2' created at app.lua:12)`. Parts are found again by that line.
 * Context: also in a message handler, with what is left of a stack that overflowed.
 */
#ifndef LC_TRACEBACK_PART_H
#define LC_TRACEBACK_PART_H

#include <lua.h>

struct lc_host;

/* Pushes the part of L, which runs, from a level of its stack on. [-0, +1, m] */
void lc_part_push(lua_State *L, struct lc_host *host, int level);

/* Replaces the part on top by the traceback at `idx` with the part added; of too many parts one in
 * the middle is left out. [-1, +1, m] */
void lc_part_add(lua_State *L, int idx);

/* Makes the part on top a traceback. [-1, +1, m] */
void lc_part_add_title(lua_State *L);

/* Pushes a traceback of the last part of the traceback at `idx`. [-0, +1, m] */
void lc_part_push_last(lua_State *L, int idx);

/* Pushes the stack of the task at `idx`, which has started and is not done, that of its innermost
 * coroutine first. [-0, +1, m] */
void lc_part_push_task(lua_State *L, struct lc_host *host, int idx);

#endif
