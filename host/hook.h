/*
 * hook: what signals want of the Lua code that runs. A signal handler cannot call Lua, but it may set a
 * hook, which Lua calls soon. It asks here; the hook is set in the Lua thread that runs, and follows when
 * another one is resumed or this one gives back, until Lua code has taken what was asked.
 * Invariant: while something is asked, the hook is set in the thread in which Lua code of the host runs, or is
 *            set there before the next instruction of it.
 * Owner:     the host. The hook that a thread had before is set again when ours has run there.
 * Context:   loop thread, and the signal handlers in it. Nothing allocates.
 */
#ifndef LC_HOOK_H
#define LC_HOOK_H

#include <stdatomic.h>
#include <stdbool.h>

#include <lua.h>

struct lc_host;

/* Who asks, in the order in which they are served. */
enum lc_hook_use {
    LC_HOOK_CONTROL,   /* who waits for what is printed, or sent to who asked */
    LC_HOOK_WATCHDOG,  /* the step runs too long */
    LC_HOOK_INTERRUPT, /* Ctrl-C */
    LC_HOOK_STOP,      /* the job is to end */
    LC_HOOK_USES
};

/* Does what was asked, once. `can_raise`: it stands between two instructions of Lua code. Else it may not
 * raise, since C code that has done its work is about to return, but may ask again. [-0, +0, v] */
typedef void (*lc_hook_serve)(lua_State *L, struct lc_host *host, bool can_raise);

/* How many hooks of others are remembered: one for each thread that ours was set in lately. */
#define LC_HOOKS_REPLACED 8

struct lc_hooks {
    atomic_uint asked; /* a bit for each use */
    atomic_uint next;  /* of `replaced` */
    lc_hook_serve serve[LC_HOOK_USES];
    struct lc_hook_replaced {
        lua_State *L; /* only compared: it may be gone */
        lua_Hook hook;
        int mask;
        int count;
    } replaced[LC_HOOKS_REPLACED];
};

/* Has Lua code of the host call `serve` soon. Also in a signal handler. [-0, +0, -] */
void lc_hook_ask(struct lc_host *host, enum lc_hook_use use, lc_hook_serve serve);

/* From `serve`: it is called again at the next instruction. [-0, +0, -] */
void lc_hook_ask_again(lua_State *L, struct lc_host *host, enum lc_hook_use use);

/* What was asked is void; in L, the only thread that has one, no hook is left of it. [-0, +0, -] */
void lc_hook_withdraw(lua_State *L, struct lc_host *host, enum lc_hook_use use);

/* Sets the hook in a thread. [-0, +0, -] */
void lc_hook_set(lua_State *L, struct lc_host *host);

#endif
