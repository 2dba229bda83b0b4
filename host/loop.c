#include "loop.h"

#include <math.h>
#include <string.h>

#include <lauxlib.h>

#include "backend.h"
#include "budget.h"
#include "children.h"
#include "clock.h"
#include "errand.h"
#include "error.h"
#include "guest.h"
#include "host.h"
#include "pool.h"
#include "report.h"
#include "signals.h"
#include "step_timer.h"
#include "streams.h"
#include "task.h"
#include "virtual_clock.h"
#include "watcher.h"

/* The poll never sleeps longer: an infinite delay simply never fires (LP4). */
#define POLL_MAX 86400.0
/* Resolution of the clock: a timer is due when its deadline is before now plus this (LP6). */
#define CLOCK_RESOLUTION 1e-9
/* The virtual clock starts at a whole number of seconds, not at 0, which would hide bugs. */
#define VIRTUAL_START 1000.0
/* Waiting for another thread begins with looking: long enough for a thread that has to be woken, has little
 * to do and then looks for more, as long as it is awake. */
static const struct lc_spin_type errand_spin = {50000, 1023, 128};
/* A tick that needs the time for nothing else reads the clock only each time after so many. */
#define COARSE_TICKS 128

double lc_loop_time(struct lc_loop *loop)
{
    struct lc_clock *clock = &loop->host->clock;

    if (!clock->is_virtual)
        return lc_monotonic_time();
    if (clock->now == 0)
        clock->now = VIRTUAL_START;
    return clock->now;
}

/* libev callback: the timeout of a poll; its work is done in loop_due_timers. */
static void on_alarm(struct ev_loop *ev, ev_timer *alarm, int events)
{
    struct lc_loop *loop = lc_container_of(alarm, struct lc_loop, alarm);

    (void)ev;
    (void)events;
    if (loop->guest != NULL)
        lc_guest_hurry(loop);
}

/* libev callback: something was posted; its work is done in loop_take_posted. */
static void on_wake(struct ev_loop *ev, ev_async *wake, int events)
{
    struct lc_loop *loop = lc_container_of(wake, struct lc_loop, wake);

    (void)ev;
    (void)events;
    if (loop->guest != NULL)
        lc_guest_hurry(loop);
}

void lc_loop_push_object(lua_State *L, const struct lc_loop *loop)
{
    lc_pointer_push(L, loop->host, loop->object);
}

const char *lc_loop_backend(const struct lc_loop *loop)
{
    return lc_backend_name(loop->ev != NULL ? ev_backend(loop->ev) : 0);
}

static void loop_init(struct lc_loop *loop, struct lc_host *host, struct ev_loop *ev)
{
    uint32_t generation = loop->generation + 1;

    memset(loop, 0, sizeof *loop);
    loop->host = host;
    loop->ev = ev;
    loop->generation = generation;
    loop->state = LC_LOOP_IDLE;
    loop->debug = host->options.debug;
    loop->slow_callback_duration = 0.1;
    loop->shutdown_timeout = host->options.shutdown_timeout;
    lc_list_init(&loop->link);
    lc_list_init(&loop->ready);
    lc_list_init(&loop->reports);
    lc_list_init(&loop->generators);
    lc_list_init(&loop->watchers);
    lc_list_init(&loop->signals);
    lc_list_init(&loop->errands);
    lc_list_init(&loop->streams);
    lc_list_init(&loop->listeners);
    lc_list_init(&loop->descriptors);
    lc_list_init(&loop->datagrams);
    lc_list_init(&loop->processes);
    lc_spin_init(&loop->spin, &errand_spin);
    atomic_init(&loop->posted, false);
    atomic_init(&loop->wake_fd, -1);
    ev_init(&loop->alarm, on_alarm);
    ev_async_init(&loop->wake, on_wake);
    ev_async_start(ev, &loop->wake);
    lc_list_append(&host->loops, &loop->link);
    host->open_loops++;
}

/* Memory for a loop: that of a closed one, if there is one. NULL: no memory. */
static struct lc_loop *loop_take(struct lc_host *host)
{
    struct lc_loop *loop;

    if (!lc_list_empty(&host->old_loops))
        return lc_container_of(lc_list_pop(&host->old_loops), struct lc_loop, link);
    loop = lc_realloc(host, NULL, 0, sizeof *loop);
    if (loop != NULL)
        loop->generation = 0;
    return loop;
}

struct lc_loop *lc_loop_new(struct lc_host *host, const char *backend)
{
    int flags = lc_backend_flags(backend);
    struct lc_loop *loop;
    struct ev_loop *ev;

    if (flags < 0)
        return NULL;
    ev = ev_loop_new((unsigned)flags | EVFLAG_NOENV);
    if (ev == NULL)
        return NULL;
    loop = loop_take(host);
    if (loop == NULL)
        ev_loop_destroy(ev);
    else
        loop_init(loop, host, ev);
    return loop;
}

struct lc_loop *lc_loop_lend(struct lc_host *host, struct ev_loop *ev)
{
    struct lc_guest *guest = lc_guest_new(host);
    struct lc_loop *loop = guest != NULL ? loop_take(host) : NULL;

    if (loop == NULL) {
        lc_guest_free(host, guest);
        return NULL;
    }
    loop_init(loop, host, ev);
    loop->guest = guest;
    lc_guest_start(loop);
    return loop;
}

static void entry_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    if (entry->type->forget != NULL)
        entry->type->forget(L, loop, entry);
}

void lc_loop_close(lua_State *L, struct lc_loop *loop)
{
    struct lc_host *host = loop->host;

    /* what is reported below runs Lua code, under which the Loop object may be collected */
    if (loop->state == LC_LOOP_CLOSED || loop->closing)
        return;
    loop->closing = true;
    lc_signals_remove_all(L, loop);
    lc_watchers_remove_all(L, loop);
    lc_errands_abandon(L, loop);
    lc_processes_abandon(L, loop);
    lc_streams_abandon(L, loop);
    lc_listeners_abandon(L, loop);
    lc_datagrams_abandon(L, loop);
    lc_descriptors_abandon(loop);
    lc_reports_close(L, loop);
    lc_tasks_abandon(L, loop);
    loop->state = LC_LOOP_CLOSED;
    while (!lc_list_empty(&loop->ready)) {
        struct lc_entry *entry = lc_container_of(lc_list_pop(&loop->ready), struct lc_entry, link);
        entry_forget(L, loop, entry);
    }
    while (loop->timers.count > 0) {
        struct lc_timer *timer = lc_timers_first(&loop->timers)->timer;

        lc_timers_remove(&loop->timers, timer);
        entry_forget(L, loop, &timer->entry);
    }
    lc_timers_free(host, &loop->timers);
    ev_timer_stop(loop->ev, &loop->alarm);
    if (atomic_load(&loop->wake_fd) >= 0)
        lc_guest_close_fd(loop);
    if (loop->guest != NULL) {
        lc_guest_stop(loop);
        ev_async_stop(loop->ev, &loop->wake);
        lc_guest_free(host, loop->guest);
        loop->guest = NULL;
    } else {
        ev_async_stop(loop->ev, &loop->wake);
        ev_loop_destroy(loop->ev);
    }
    loop->ev = NULL;
    lc_anchor_drop(L, host, &loop->exception_handler);
    lc_anchor_drop(L, host, &loop->task_factory);
    /* its threads end when they have no job; who waits for them is the host */
    if (loop->executor_pool != NULL)
        lc_pool_close(loop->executor_pool);
    loop->executor_pool = NULL;
    lc_anchor_drop(L, host, &loop->executor);
    lc_anchor_drop(L, host, &loop->raised);
    lc_list_unlink(&loop->link);
    lc_list_append(&host->old_loops, &loop->link);
    host->open_loops--;
}

void lc_loops_free(struct lc_host *host)
{
    while (!lc_list_empty(&host->old_loops)) {
        struct lc_loop *loop = lc_container_of(lc_list_pop(&host->old_loops), struct lc_loop, link);
        lc_realloc(host, loop, sizeof *loop, 0);
    }
}

void lc_loop_post(struct lc_loop *loop)
{
    int fd = atomic_load(&loop->wake_fd);

    atomic_store(&loop->posted, true);
    ev_async_send(loop->ev, &loop->wake);
    if (fd >= 0)
        lc_guest_signal(fd);
}

void lc_loop_set_timer(lua_State *L, struct lc_loop *loop, struct lc_timer *timer, double when)
{
    if (!lc_timers_add(loop->host, &loop->timers, timer, when))
        luaL_error(L, "not enough memory");
}

void lc_loop_unset_timer(struct lc_loop *loop, struct lc_timer *timer)
{
    if (lc_timer_is_set(timer))
        lc_timers_remove(&loop->timers, timer);
    lc_list_unlink(&timer->entry.link);
}

void lc_loop_raise(lua_State *L, struct lc_loop *loop)
{
    /* the slot exists from the start of the run: keeping the error cannot fail */
    lc_anchor_set(L, loop->host, loop->raised);
    loop->has_raised = true;
    loop->stopping = true;
}

/* Appends all timers due at `now`, first deadline first. */
static void loop_due_timers(struct lc_loop *loop, double now)
{
    const struct lc_deadline *first;

    while ((first = lc_timers_first(&loop->timers)) != NULL &&
           first->when < now + CLOCK_RESOLUTION) {
        struct lc_timer *timer = first->timer;

        lc_timers_remove(&loop->timers, timer);
        lc_loop_ready(loop, &timer->entry);
    }
}

void lc_loop_take_timers(struct lc_loop *loop)
{
    loop->now = lc_loop_time(loop);
    loop_due_timers(loop, loop->now);
}

/* Keeps loop->now, the time that waits note as their beginning, near the clock: at no cost where the
 * tick reads the clock anyway, after a poll, and else now and then. */
static inline void loop_refresh_now(struct lc_loop *loop)
{
    if (loop->timers.count > 0) {
        lc_loop_take_timers(loop);
    } else if (loop->coarse-- == 0) {
        loop->now = loop->host->clock.is_virtual ? lc_loop_time(loop) : lc_coarse_time();
        loop->coarse = COARSE_TICKS;
    }
}

/* libev calls the last event first. What it queued after `last` is put into the order in which the
 * kernel told of the events, which is the order that asyncio's programs see. */
static void restore_order(struct lc_link *ready, struct lc_link *last)
{
    struct lc_link *link = last->next;

    if (link == ready || link->next == ready)
        return;
    last->next = ready;
    ready->prev = last;
    while (link != ready) {
        struct lc_link *next = link->next;

        link->prev = last;
        link->next = last->next;
        last->next->prev = link;
        last->next = link;
        link = next;
    }
}

void lc_loop_wait(struct lc_loop *loop, double timeout)
{
    struct lc_link *last = loop->ready.prev;

    loop->coarse = 0;
    if (loop->guest != NULL)
        return;
    if (timeout == 0) {
        ev_run(loop->ev, EVRUN_NOWAIT);
        restore_order(&loop->ready, last);
        return;
    }
    lc_threads_trim(loop->L, loop->host);
    if (timeout > 0) {
        ev_now_update(loop->ev);
        ev_timer_set(&loop->alarm, timeout, 0);
        ev_timer_start(loop->ev, &loop->alarm);
    }
    lc_pulse_set(&loop->host->pulse, false);
    ev_run(loop->ev, EVRUN_ONCE);
    lc_pulse_set(&loop->host->pulse, true);
    ev_timer_stop(loop->ev, &loop->alarm);
    restore_order(&loop->ready, last);
}

void lc_loop_poll(struct lc_loop *loop)
{
    lc_loop_wait(loop, 0);
}

double lc_loop_timeout(struct lc_loop *loop)
{
    const struct lc_deadline *timer = lc_timers_first(&loop->timers);
    double timeout;

    if (!lc_list_empty(&loop->ready) || atomic_load(&loop->posted))
        return 0;
    if (timer == NULL)
        return -1;
    timeout = timer->when - lc_loop_time(loop);
    if (!(timeout > 0))
        return 0;
    return timeout < POLL_MAX ? timeout : POLL_MAX;
}

/* Queues what signals and other threads have posted. */
static void loop_take_posted(struct lc_loop *loop)
{
    if (atomic_load_explicit(&loop->posted, memory_order_relaxed) &&
        atomic_exchange(&loop->posted, false)) {
        lc_signals_take(loop);
        lc_errands_take(loop);
        if (loop->host->on_posted != NULL)
            loop->host->on_posted(loop);
        if (loop->host->on_control != NULL)
            loop->host->on_control(loop);
    }
}

/* Before the loop sleeps while another thread does something for it: true, it has posted something. The tick
 * has its poll all the same. */
static bool loop_look(struct lc_loop *loop)
{
    const struct lc_deadline *timer = lc_timers_first(&loop->timers);

    if (loop->guest != NULL || !lc_spin_wants(&loop->spin))
        return false;
    if (timer != NULL && timer->when - lc_loop_time(loop) < errand_spin.limit * 1e-9)
        return false;
    if (!lc_spin_look(&loop->spin, &loop->posted))
        return false;
    if (loop->io > 0)
        lc_loop_wait(loop, 0);
    return true;
}

/* The poll of a tick. Without I/O watchers it costs no system call while anything is ready. After a tick
 * that only took in what had come for streams, nothing can have happened that this program caused, and
 * what others do may as well happen later: the poll is left out. But taking bytes in makes room for who
 * sends them, who may wait for it in this loop. False: nothing can ever happen any more. */
static bool loop_poll(struct lc_loop *loop)
{
    bool busy = !lc_list_empty(&loop->ready) || loop->stopping || atomic_load(&loop->posted);

    if (busy) {
        if (loop->io > 0 && !(loop->was_quiet && loop->writing == 0))
            lc_loop_wait(loop, 0);
    } else {
        loop->host->places.left = LC_PLACES_ROW;
        if (loop->host->clock.is_virtual)
            return lc_virtual_wait(loop);
        if (loop->workers > 0 && loop_look(loop))
            return true;
        lc_loop_wait(loop, lc_loop_timeout(loop));
    }
    return true;
}

/* One pass after the poll. */
static void loop_tick(struct lc_loop *loop)
{
    struct lc_link batch;
    unsigned entries = 0;

    loop_take_posted(loop);
    loop_refresh_now(loop);
    lc_list_init(&batch);
    lc_list_splice(&batch, &loop->ready);
    loop->batch = &batch;
    loop->quiet = 0;
    if (loop->debug)
        lc_step_begin_tick(loop);
    while (!lc_list_empty(&batch)) {
        struct lc_entry *entry = lc_container_of(lc_list_pop(&batch), struct lc_entry, link);

        entries++;
        lc_pulse_step(&loop->host->pulse);
        if (loop->host->budget != NULL)
            lc_budget_begin(loop->host, NULL, false);
        if (loop->debug)
            lc_step_run_timed(loop, entry);
        else
            entry->type->run(loop, entry);
        if (loop->has_raised) {
            /* what this tick did not run stays first in the queue of the next run (LP22) */
            lc_list_splice(&batch, &loop->ready);
            lc_list_splice(&loop->ready, &batch);
            break;
        }
    }
    loop->was_quiet = entries > 0 && loop->quiet == entries;
}

/* (loop, span) -> false: nothing can ever happen any more. Entries protect their own calls: what
 * raises here is the end of memory. */
static int run_ticks(lua_State *L)
{
    struct lc_loop *loop = lua_touserdata(L, 1);
    enum lc_span span = (enum lc_span)lua_tointeger(L, 2);
    bool alive = true;

    luaL_checkstack(L, 40, NULL);
    loop->in_row = span == LC_SPAN_STOP;
    loop->was_quiet = false;
    loop->host->places.left = LC_PLACES_ROW;
    switch (span) {
    case LC_SPAN_STOP:
        do {
            alive = loop_poll(loop);
            if (alive)
                loop_tick(loop);
        } while (alive && !loop->stopping);
        break;
    case LC_SPAN_TICK:
        if (loop->io > 0 || lc_list_empty(&loop->ready))
            lc_loop_wait(loop, 0);
        loop_tick(loop);
        break;
    case LC_SPAN_TURN:
        loop->coarse = 0;
        loop_tick(loop);
        break;
    }
    lua_pushboolean(L, alive);
    return 1;
}

enum lc_run lc_loop_run(lua_State *L, struct lc_loop *loop)
{
    return lc_loop_run_span(L, loop, LC_SPAN_STOP);
}

/* Calls fn(data, span) as what the loop runs; false from it: nothing can ever happen any more. */
static enum lc_run run_inside(lua_State *L, struct lc_loop *loop, lua_CFunction fn, void *data,
                              enum lc_span span)
{
    struct lc_host *host = loop->host;
    struct lc_loop *outer = host->loop;
    double left = lc_step_leave_timed(outer);
    struct lc_task *outer_task = host->current;
    lua_State *outer_running = host->running;
    int outer_context = host->callback_context;
    lua_State *outer_L = loop->L;
    bool alive = true;
    enum lc_run how = LC_RUN_STOPPED;

    luaL_checkstack(L, 20, NULL);
    loop->raised = lc_anchor_reserve(L, host);
    loop->state = LC_LOOP_RUNNING;
    loop->thread = pthread_self();
    loop->timing = false;
    loop->L = L;
    loop->now = lc_loop_time(loop);
    host->loop = loop;
    host->current = NULL;
    lc_host_enter(host, NULL, L);
    host->callback_context = LC_NO_ANCHOR;
    if (host->watchdog != NULL || loop->debug)
        lc_watchdog_watch(host, loop);
    lc_pulse_set(&host->pulse, true);
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, data);
    lua_pushinteger(L, span);
    if (lua_pcall(L, 2, 1, 0) == LUA_OK)
        alive = lua_isnil(L, -1) || lua_toboolean(L, -1);
    else
        lc_loop_raise(L, loop), lua_pushnil(L);
    lua_pop(L, 1);
    lc_pulse_set(&host->pulse, outer != NULL);
    lc_step_return_timed(outer, left);
    host->loop = outer;
    host->current = outer_task;
    lc_host_enter(host, outer_running, L);
    host->callback_context = outer_context;
    loop->L = outer_L;
    loop->state = LC_LOOP_IDLE;
    loop->stopping = false;
    if (!alive)
        how = LC_RUN_STUCK;
    if (loop->has_raised) {
        loop->has_raised = false;
        lc_anchor_push(L, host, loop->raised);
        how = LC_RUN_RAISED;
    }
    lc_anchor_drop(L, host, &loop->raised);
    return how;
}

enum lc_run lc_loop_run_span(lua_State *L, struct lc_loop *loop, enum lc_span span)
{
    return run_inside(L, loop, run_ticks, loop, span);
}

void lc_loop_call(lua_State *L, struct lc_loop *loop, lua_CFunction fn, void *data)
{
    if (loop->host->loop == NULL) {
        if (run_inside(L, loop, fn, data, LC_SPAN_TURN) == LC_RUN_RAISED)
            lua_error(L);
        return;
    }
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, data);
    lua_call(L, 1, 0);
}
