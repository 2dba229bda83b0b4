#include "step_timer.h"

#include "clock.h"
#include "host.h"
#include "loop.h"
#include "report.h"
#include "task.h"

/* Limits from here on are looked after by the coarse clock. */
#define COARSE_ENOUGH 0.05

/* A step begins. What the entry stands for is held on the stack, since the entry may be
 * gone afterwards; a task is held only when it ends, see lc_step_hold_timed. */
static void begin_timed(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    loop->timed_top = lua_gettop(L);
    loop->timed_task = NULL;
    if (entry->type == &lc_task_step_entry)
        loop->timed_task = lc_container_of(entry, struct lc_task, waiter.entry);
    else if (entry->type->push != NULL)
        entry->type->push(L, loop, entry);
}

void lc_step_hold_timed(lua_State *L, struct lc_loop *loop, int idx)
{
    if (loop->timed_task != lua_touserdata(L, idx) || L == loop->L || loop->L == NULL)
        return;
    loop->timed_task = NULL;
    lua_pushvalue(L, idx);
    lua_xmove(L, loop->L, 1);
}

/* The clock by which steps are timed. The coarse one, where its few milliseconds do not matter, costs a
 * fifth. */
static double timed_now(const struct lc_loop *loop)
{
    return loop->slow_callback_duration >= COARSE_ENOUGH ? lc_coarse_time() : lc_monotonic_time();
}

/* The step is over; says so if it held the loop for too long (EX5). */
static void end_timed(lua_State *L, struct lc_loop *loop)
{
    double now = timed_now(loop);

    if (now - loop->timed_from >= loop->slow_callback_duration) {
        if (loop->timed_task != NULL)
            lc_task_push(L, loop->timed_task);
        lua_settop(L, loop->timed_top + 1);
        lc_report_slow(L, loop, loop->timed_top + 1, now - loop->timed_from);
        now = timed_now(loop);
    }
    loop->timed_from = now;
    lua_settop(L, loop->timed_top);
}

void lc_step_run_timed(struct lc_loop *loop, struct lc_entry *entry)
{
    begin_timed(loop->L, loop, entry);
    loop->timing = true;
    entry->type->run(loop, entry);
    loop->timing = false;
    end_timed(loop->L, loop);
}

void lc_step_next_timed(struct lc_loop *loop, struct lc_entry *entry)
{
    end_timed(loop->L, loop);
    begin_timed(loop->L, loop, entry);
}

double lc_step_leave_timed(const struct lc_loop *outer)
{
    return outer != NULL && outer->timing ? timed_now(outer) : 0;
}

void lc_step_return_timed(struct lc_loop *outer, double left)
{
    if (outer != NULL && outer->timing && left > 0)
        outer->timed_from += timed_now(outer) - left;
}

void lc_step_begin_tick(struct lc_loop *loop)
{
    loop->timed_from = timed_now(loop);
}
