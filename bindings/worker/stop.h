/*
 * stop: a job of a thread that is to end though it does not return by itself. A signal to its thread sets a
 * hook in the Lua code that runs, which raises; what catches that is given a while, then the hook raises at
 * every instruction. A loop that the job runs is ended by the same error. A C function that never returns
 * cannot be stopped.
 * Owner:   the thread of the worker; from its beginning to its end a job's stop is in its warden's list.
 * Context: the worker's thread; a warden asks, and sends the signal.
 */
#ifndef LC_STOP_H
#define LC_STOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include <lua.h>

#include "entry.h"
#include "list.h"

struct lc_host;
struct lc_job;

/* Why a job is to end. */
enum lc_stop_reason { LC_STOP_NONE, LC_STOP_TIMEOUT, LC_STOP_CANCELLED, LC_STOP_SHUTDOWN };

struct lc_stop {
    atomic_int reason;
    atomic_bool always; /* it was asked before: no instruction more */
    pid_t thread;
    struct lc_host *host;  /* of the thread's state, or NULL */
    struct lc_entry entry; /* ends the loop that the job runs */
    /* the warden's */
    struct lc_link link;
    const struct lc_job *job; /* NULL: it is the initializer that runs */
    double deadline;          /* when it is asked to end; infinite: never */
    enum lc_stop_reason verdict;
};

/* A pool is made that may stop jobs, or is freed. False: there is no signal for it. */
bool lc_stop_install(void);
void lc_stop_remove(void);

/* In the worker's thread: it can be stopped from now on, when its state has been made; no more. */
void lc_stop_open(struct lc_stop *stop, struct lc_host *host);
void lc_stop_close(struct lc_stop *stop);

/* In the worker's thread, after a job: no hook is left of it. */
void lc_stop_clear(struct lc_stop *stop);

/* From another thread, while the job runs, with its reason set. */
void lc_stop_send(struct lc_stop *stop);

/* From a call that blocks: raises if the job that runs here is to end. [-0, +0, v] */
void lc_stop_check(lua_State *L, struct lc_host *host);

#endif
