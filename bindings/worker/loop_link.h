/*
 * loop_link: a loop as another thread sees it. A Loop that goes to a job is a LoopLink there, which can
 * have it call functions and run coroutines; on its way back it is itself again.
 * Owner: as of everything shared; it holds the loop's errand box, which outlives the loop.
 */
#ifndef LC_LOOP_LINK_H
#define LC_LOOP_LINK_H

#include <stdbool.h>

#include <lua.h>

struct lc_errand_box;
struct lc_host;
struct lc_loop;
struct lc_shared;

/* Pushes the object of a new link; NULL: to a loop that is closed. [-0, +1, m] */
struct lc_shared *lc_loop_link_push(lua_State *L, struct lc_host *host, struct lc_loop *loop);

/* The box of the link at `idx`, or NULL; *is_link: whether it is one. [-0, +0, -] */
struct lc_errand_box *lc_loop_link_box(lua_State *L, int idx, bool *is_link);

#endif
