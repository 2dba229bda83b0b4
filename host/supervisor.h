/*
 * supervisor: `lucio --workers N`: a process that starts N others, which run the script, and keeps them going.
 * It forks before there is a Lua state, a loop or a thread, and has none of them itself.
 * A reload goes from seat to seat: a second process starts beside the first, which is told to end once the second is
 * ready.
 * Invariant: processes are started in one function (tend), which looks at what the others noted.
 * Owner:     the command's main function.
 */
#ifndef LC_SUPERVISOR_H
#define LC_SUPERVISOR_H

#include "supervised.h"

/* What lc_supervise gives in a worker, in the place of an exit status. */
#define LC_IS_WORKER (-1)

/* Runs `count` workers until all have ended, and gives the exit status; in each worker it returns at once and has
 * filled in `worker`. Connections have `drain_timeout` seconds at a worker's end. */
int lc_supervise(int count, double drain_timeout, struct lc_supervised *worker);

#endif
