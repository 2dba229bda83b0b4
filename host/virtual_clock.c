#include "virtual_clock.h"

#include <math.h>

#include "clock.h"
#include "host.h"
#include "loop.h"

/* What is there at once takes so many seconds: without, a stream that never dries up would stop the clock. */
#define AT_ONCE 1e-5

static double later(double a, double b)
{
    return a > b ? a : b;
}

static bool has_come(struct lc_loop *loop)
{
    return !lc_list_empty(&loop->ready) || atomic_load(&loop->posted);
}

/* Takes real time, until `left` seconds are over. */
static double wait_outside(struct lc_loop *loop, double left)
{
    double before = lc_monotonic_time(), passed;

    lc_loop_poll(loop);
    if (has_come(loop))
        return AT_ONCE;
    lc_loop_wait(loop, lc_loop_timeout(loop));
    passed = lc_monotonic_time() - before;
    if (passed < left)
        return passed;
    if (!has_come(loop))
        lc_loop_poll(loop);
    return has_come(loop) ? left / 2 : left;
}

bool lc_virtual_wait(struct lc_loop *loop)
{
    struct lc_clock *clock = &loop->host->clock;
    const struct lc_deadline *timer = lc_timers_first(&loop->timers);
    double now = lc_loop_time(loop), when = timer != NULL ? timer->when : INFINITY;

    if (loop->local_io > 0) {
        lc_loop_poll(loop);
        if (!lc_list_empty(&loop->ready))
            return true;
    }
    if (loop->io > loop->local_io || loop->workers > 0) {
        double passed = wait_outside(loop, later(when - now, 0));

        clock->now = passed < when - now ? now + passed : later(when, now);
        return true;
    }
    if (isfinite(when)) {
        clock->now = later(when, now);
        return true;
    }
    if (!lc_list_empty(&loop->signals)) {
        lc_loop_wait(loop, -1);
        return true;
    }
    return false;
}
