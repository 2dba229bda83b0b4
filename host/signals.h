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

/* Ctrl-C during one run call: the first cancels the main task, the second leaves the loop at once,
 * the third ends the process. Lives in the run call's frame. */
struct lc_interrupt {
    struct lc_loop *loop;
    struct lc_task *main;
    struct lc_interrupt *outer;
    struct sigaction old;
    atomic_int count; /* how many arrived */
    int seen;         /* how many were acted upon */
    bool installed;
};

void lc_interrupt_install(struct lc_host *host, struct lc_interrupt *interrupt,
                          struct lc_loop *loop, struct lc_task *main);
void lc_interrupt_remove(struct lc_interrupt *interrupt);
/* The main task has ended: from now on the first Ctrl-C leaves the loop. */
void lc_interrupt_forget_main(struct lc_interrupt *interrupt);

/* Something was posted: queues the callbacks of signals that arrived. */
void lc_signals_take(struct lc_loop *loop);

void lc_signals_remove_all(lua_State *L, struct lc_loop *loop);

#endif
