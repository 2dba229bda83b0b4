/*
 * watchdog: notices a step that holds its loop for too long, while it runs.
 * A helper thread looks now and then at the host's pulse: whether a step runs, and which. When one runs
 * too long, the thread sends a signal to the loop's own thread, whose handler has a hook (hook.h)
 * print the stack, note the line or raise. So no other thread ever touches a lua_State.
 * Invariant: what was asked of a step that is over has no effect on the next one.
 * Owner:     the host; the thread ends, and is joined, before the host closes. Of the process there is
 *            only the handler of one real-time signal, set while any host has a watchdog.
 * Context:   loop thread, but for the helper thread, which sees only what is atomic or locked.
 */
#ifndef LC_WATCHDOG_H
#define LC_WATCHDOG_H

#include <stdatomic.h>
#include <stdbool.h>

#include <lua.h>

struct lc_host;
struct lc_loop;
struct lc_watchdog;

/* What the helper thread looks at. A step costs one relaxed store. */
struct lc_pulse {
    atomic_bool begun;  /* a step has begun since the thread looked, which sets it back */
    atomic_bool active; /* a loop runs, and does not wait in its poll */
};

/* A step begins. */
static inline void lc_pulse_step(struct lc_pulse *pulse)
{
    atomic_store_explicit(&pulse->begun, true, memory_order_relaxed);
}

/* A loop goes on, or waits or ends: what ran until now is no step any more. */
static inline void lc_pulse_set(struct lc_pulse *pulse, bool active)
{
    lc_pulse_step(pulse);
    atomic_store_explicit(&pulse->active, active, memory_order_relaxed);
}

/* Has steps that take longer than `seconds` printed, with `kill` also ended by RuntimeError; 0: no more.
 * Raises when there can be no such thread. [-0, +0, v] */
void lc_watchdog_set(lua_State *L, struct lc_host *host, double seconds, bool kill);

/* A run begins, or the loop's debug mode or slow_callback_duration changed: in debug mode the line at
 * which a slow step holds the loop is noted. */
void lc_watchdog_watch(struct lc_host *host, struct lc_loop *loop);

/* The line that was noted of the step that has just ended, or NULL; once. */
const char *lc_watchdog_place(struct lc_host *host);

/* Ends the thread. */
void lc_watchdog_free(struct lc_host *host);

#endif
