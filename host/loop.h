/*
 * loop: one pass (tick) after another: poll, due timers, then exactly the entries queued by then,
 * first in first out (SEMANTICS LP). The only caller of ev_run.
 * Invariant: libev callbacks only append entries to the ready list; Lua runs from entries alone.
 * Owner:     the host owns loops; a closed loop's memory is used again under a new generation, so
 *            that objects that outlive their loop see that it is gone.
 */
#ifndef LC_LOOP_H
#define LC_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <ev.h>
#include <lua.h>

#include "entry.h"
#include "spin.h"
#include "timer.h"

struct lc_errand_box;
struct lc_future;
struct lc_host;
struct lc_pool;
struct lc_task;

enum lc_loop_state { LC_LOOP_IDLE, LC_LOOP_RUNNING, LC_LOOP_CLOSED };

/* How a run of a loop ended. */
enum lc_run {
    LC_RUN_STOPPED, /* stop() was called */
    LC_RUN_RAISED,  /* KeyboardInterrupt, SystemExit: the error is on top of the caller's stack */
    LC_RUN_STUCK    /* virtual clock: nothing can ever happen any more */
};

struct lc_loop {
    struct lc_host *host;
    struct lc_link link; /* host->loops or host->old_loops */
    struct ev_loop *ev;
    uint32_t generation;
    enum lc_loop_state state;
    bool stopping;
    bool closing;
    bool ending;             /* its main task is done with: what is left is being cancelled */
    bool closing_generators; /* a generator that starts now is closed by nobody */
    bool debug;
    bool doomed;                    /* shutdown_timeout is over: every wait of its tasks raises */
    double slow_callback_duration;  /* seconds */
    bool timing;                    /* debug mode: a step runs that is timed */
    int timed_top;                  /* of the stack below what the step that runs is for */
    struct lc_task *timed_task;     /* the task that is stepped, unless it has ended */
    double timed_from;              /* real time at which that step began */
    double shutdown_timeout;        /* seconds */
    struct lc_timer shutdown_timer; /* at the end of the run: the timeout, and what follows it */
    unsigned shutdown_ticks;        /* how many more iterations its doomed tasks are given */
    pthread_t thread;               /* while it runs: whose */
    lua_State *L;                   /* while it runs: where entries call Lua */
    struct lc_link ready;           /* entries of the next tick */
    struct lc_link *batch;          /* those of this tick that did not run yet */
    double now;                     /* of its clock, lately: see loop_refresh_now */
    bool in_row;                    /* ticks may follow each other without a return to the loop */
    unsigned coarse;                /* ticks until it is read again though nothing asks for it */
    struct lc_timers timers;
    struct lc_link reports;           /* failures that nobody retrieved yet */
    struct lc_link generators;        /* started, unfinished async generators */
    struct lc_link watchers;          /* readers and writers */
    struct lc_link signals;           /* signal handlers */
    struct lc_link errands;           /* what other threads do for it */
    struct lc_errand_box *errand_box; /* through which that comes back; NULL: nothing ever did */
    struct lc_link streams;           /* open streams */
    struct lc_link listeners;         /* sockets that accept */
    unsigned starving;                /* those that lack a descriptor */
    struct lc_link descriptors;       /* descriptors that tasks wait for */
    struct lc_link datagrams;         /* open sockets of datagrams */
    struct lc_link processes;         /* child processes */
    ev_timer alarm;
    ev_async wake;
    struct lc_guest *guest; /* what drives it when the program does, see guest.h; or NULL */
    atomic_int wake_fd;     /* an eventfd that posting writes to as well; -1: none */
    ev_io wake_io;          /* of wake_fd */
    atomic_bool posted;     /* a signal or another thread has something for this loop */
    unsigned io;       /* active I/O watchers: the poll happens every tick while there are any */
    unsigned local_io; /* those of them for which nothing outside of the process is awaited */
    unsigned writing;  /* those of them that wait for room to write */
    unsigned quiet;    /* entries of this tick that did nothing but take bytes in */
    bool was_quiet;    /* the last tick had no others: see loop_poll */
    unsigned workers;  /* errands under way */
    unsigned lasting;  /* those of them that the end of a run waits for */
    struct lc_entry *lasting_over; /* queued once there is none; or NULL */
    struct lc_spin spin;           /* of waits for one of them */
    double virtual_from;           /* real time at which a poll under the virtual clock began */
    bool has_raised;
    int raised;            /* anchor of the error that leaves the run call */
    int exception_handler; /* anchors, or LC_NO_ANCHOR */
    int executor;          /* the default one, of the pool below */
    int task_factory;
    struct lc_pool *executor_pool; /* NULL: none was needed yet */
    bool executor_ended;           /* it was shut down, and there is no other one */
    const void *object;            /* the Loop object; who runs the loop holds it */
};

/* New open loop. NULL: no memory or no such backend. [-0, +0, -] */
struct lc_loop *lc_loop_new(struct lc_host *host, const char *backend);

/* New open loop on a libev loop of the program's: it is never run or destroyed here. NULL: no memory.
 * [-0, +0, -] */
struct lc_loop *lc_loop_lend(struct lc_host *host, struct ev_loop *ev);

/* Closes the loop: forgets what is queued without running it. It must not be running.
 * [-0, +0, -] */
void lc_loop_close(lua_State *L, struct lc_loop *loop);

/* Frees the memory of all loops; the host is closing. */
void lc_loops_free(struct lc_host *host);

/* How far a call runs the loop. */
enum lc_span {
    LC_SPAN_STOP, /* until stop */
    LC_SPAN_TICK, /* one tick, whose poll does not wait */
    LC_SPAN_TURN  /* one tick without a poll: the program's own loop has polled */
};

/* Runs ticks until stop. [-0, +(0|1), -] */
enum lc_run lc_loop_run(lua_State *L, struct lc_loop *loop);

/* Runs ticks as far as `span` says. [-0, +(0|1), -] */
enum lc_run lc_loop_run_span(lua_State *L, struct lc_loop *loop, enum lc_span span);

/* Calls fn(L) with one argument, the light userdata `data`, as an entry of the loop would, though no tick of
 * it may run: tasks can start. [-0, +0, e] */
void lc_loop_call(lua_State *L, struct lc_loop *loop, lua_CFunction fn, void *data);

/* Polls without waiting: queues what has happened, and brings changed watchers to the kernel. */
void lc_loop_poll(struct lc_loop *loop);

/* Lets libev wait for `timeout` seconds at most; negative: without limit. A loop of the program's is
 * left alone: it polls by itself. */
void lc_loop_wait(struct lc_loop *loop, double timeout);

/* Seconds that a poll may wait now: 0 when something is ready; negative: for ever. */
double lc_loop_timeout(struct lc_loop *loop);

/* The loop returns at the end of the tick that runs now, or of the first one. */
static inline void lc_loop_stop(struct lc_loop *loop)
{
    loop->stopping = true;
}

/* Seconds of the monotonic clock, or of the virtual one. */
double lc_loop_time(struct lc_loop *loop);

/* Appends to the ready list; the entry runs in the next tick. */
static inline void lc_loop_ready(struct lc_loop *loop, struct lc_entry *entry)
{
    lc_list_append(&loop->ready, &entry->link);
}

/* Reads the clock, and appends all timers that are due to the ready list. */
void lc_loop_take_timers(struct lc_loop *loop);

/* From an entry, when the batch has run: makes what is ready the batch of the next tick, if that tick
 * has no poll to do and nothing that was posted to take. */
static inline bool lc_loop_next_batch(struct lc_loop *loop)
{
    if (!loop->in_row || lc_list_empty(&loop->ready) || loop->stopping || loop->io > 0 ||
        loop->coarse == 0 || loop->debug ||
        atomic_load_explicit(&loop->posted, memory_order_relaxed))
        return false;
    if (loop->timers.count > 0)
        lc_loop_take_timers(loop);
    else
        loop->coarse--;
    lc_list_splice(loop->batch, &loop->ready);
    return true;
}

/* Sets a timer for the absolute time `when`. Raises when there is no memory. [-0, +0, m] */
void lc_loop_set_timer(lua_State *L, struct lc_loop *loop, struct lc_timer *timer, double when);

/* Unsets the timer, and takes its entry out of the ready list if it was due. */
void lc_loop_unset_timer(struct lc_loop *loop, struct lc_timer *timer);

/* From an entry: ends the run with the error on top of the stack. [-1, +0, -] */
void lc_loop_raise(lua_State *L, struct lc_loop *loop);

/* Wakes a blocked poll. Safe in a signal handler and from any thread. */
void lc_loop_post(struct lc_loop *loop);

/* Pushes the Loop object, nil when the collector has it. [-0, +1, -] */
void lc_loop_push_object(lua_State *L, const struct lc_loop *loop);

/* Name of the libev backend. */
const char *lc_loop_backend(const struct lc_loop *loop);

#endif
