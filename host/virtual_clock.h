/*
 * virtual_clock: how an idle loop waits under the virtual clock: it jumps to the next deadline, or takes real
 * time while something outside of the process is awaited.
 * Invariant: what has come is taken before a deadline that was reached meanwhile: the machine may have
 *            stopped the process for longer than that.
 * Context:   the loop's thread, in a poll.
 */
#ifndef LC_VIRTUAL_CLOCK_H
#define LC_VIRTUAL_CLOCK_H

#include <stdbool.h>

struct lc_loop;

/* Nothing is ready. False: nothing can ever happen any more. */
bool lc_virtual_wait(struct lc_loop *loop);

#endif
