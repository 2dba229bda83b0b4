/*
 * signals: POSIX signals as callbacks of a loop, and Ctrl-C (SEMANTICS TH7, RU7..RU9).
 * Signals belong to the process: one table says which loop has which signal. The handlers only count
 * and wake the loop; everything else happens in the loop's thread.
 */
#ifndef LC_SIGNALS_H
#define LC_SIGNALS_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <lua.h>

#include "list.h"

struct lc_host;
struct lc_loop;
struct lc_task;

/* What Ctrl-C does at first, depending on what the main task does. */
enum lc_interrupt_mode {
    LC_INTERRUPT_SCRIPT, /* cancels it */
    LC_INTERRUPT_PROMPT, /* the same, each time; only where a task holds the loop the second one counts */
    LC_INTERRUPT_INPUT, /* raises KeyboardInterrupt in its Lua code, or cancels it where it waits */
};

/* Ctrl-C during one run call: the first cancels the main task, the second leaves the loop at once,
 * the third ends the process. Lives in the run call's frame. */
struct lc_interrupt {
    struct lc_loop *loop;
    struct lc_task *main;
    struct lc_interrupt *outer;
    struct sigaction old;
    atomic_int count; /* how many arrived */
    int seen;         /* how many were acted upon */
    enum lc_interrupt_mode mode;
    bool terminated; /* it was SIGTERM that was acted upon, in a worker of lucio --workers */
    bool installed;
};

void lc_interrupt_install(struct lc_host *host, struct lc_interrupt *interrupt,
                          struct lc_loop *loop, struct lc_task *main);
void lc_interrupt_remove(struct lc_interrupt *interrupt);
/* The main task has ended: from now on the first Ctrl-C leaves the loop. */
void lc_interrupt_forget_main(struct lc_interrupt *interrupt);

/* Of the run call that drives the loop now, while its main task runs: counts anew, in that mode.
 * True: one was acted upon before. */
bool lc_interrupt_restart(struct lc_loop *loop, enum lc_interrupt_mode mode);

/* For the command, in a worker process: from now on SIGTERM cancels the main task, as the first Ctrl-C does
 * elsewhere, and ends the process after so many seconds if it is still there. Ctrl-C is not the worker's. */
void lc_terminate_install(double seconds);

/* Something was posted: queues the callbacks of signals that arrived. */
void lc_signals_take(struct lc_loop *loop);

void lc_signals_remove_all(lua_State *L, struct lc_loop *loop);

#endif
