/*
 * handle: see handle.c; for those who keep callbacks in Lua (loop, watcher, signal).
 */
#ifndef LC_HANDLE_H
#define LC_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include "host.h"
#include "loop.h"

struct lc_handle {
    struct lc_object object;
    struct lc_timer timer; /* its entry also serves without a deadline */
    double when;           /* of a TimerHandle */
    struct lc_loop *loop;
    uint32_t generation;
    int nargs;
    int anchor;
    bool cancelled;
    bool timed;
    bool repeats; /* of a watcher or signal: stays anchored when it ran */
};

/* New handle for the function at `fn` and the arguments above it, with the context that the options
 * at `options` name (0: a copy of the current one). The arguments are dropped.
 * [-nargs, +1, m] */
struct lc_handle *lc_handle_new(lua_State *L, struct lc_host *host, struct lc_loop *loop, int fn,
                                int options);
void lc_handle_set_timer(lua_State *L, struct lc_handle *handle, double when);
void lc_handle_call(struct lc_loop *loop, struct lc_handle *handle);
/* The handle is at `idx`. Idempotent. */
void lc_handle_cancel(lua_State *L, struct lc_handle *handle, int idx);

#endif
