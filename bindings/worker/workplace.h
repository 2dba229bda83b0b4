/*
 * workplace: the Lua state and the host in which a worker's jobs run, one after the other.
 * Invariant: globals, loaded modules and thread-local tables stay from job to job, context variables and
 *            the stack do not.
 * Owner:     a worker's thread, or the worker process; nobody else sees it.
 */
#ifndef LC_WORKPLACE_H
#define LC_WORKPLACE_H

#include <stdbool.h>

#include <lua.h>

#include "parcel.h"

struct lc_host;
struct lc_job;
struct lc_settings;

struct lc_workplace {
    lua_State *L; /* NULL: there was no memory for one */
    struct lc_host *host;
    const struct lc_settings *settings;
    int index; /* from 1 */
    bool is_thread;
    void (*look)(
        struct lc_workplace *place); /* sets whether the job is cancelled; NULL: others do */
    /* Sends it. False: no memory. NULL in a thread. */
    bool (*report)(struct lc_workplace *place, const struct lc_parcel *parcel);
    struct lc_job *job;       /* that runs now, or NULL */
    const void *keeper;       /* the key under which the state keeps strings... */
    bool lends;               /* ...that the result of the last job lends, if it does */
    bool failed;              /* the state or its initializer */
    struct lc_parcel failure; /* with what; no values: there was no memory for it */
};

/* Makes the state. What fails there fails the jobs. */
void lc_workplace_open(struct lc_workplace *place);

/* Calls the initializer. What fails there fails the jobs, too. */
void lc_workplace_initialize(struct lc_workplace *place);

/* Runs the job. True: the result is what it returned; false: its error and the traceback of that, or
 * nothing if there was no memory. */
bool lc_workplace_run(struct lc_workplace *place, struct lc_job *job);

/* Nobody reads the strings any more that are kept there. */
void lc_workplace_forget(struct lc_workplace *place, const void *keeper);

/* The job could not be taken: its outcome is an OSError. */
void lc_workplace_refuse(struct lc_workplace *place, struct lc_job *job, int error);

void lc_workplace_close(struct lc_workplace *place);

#endif
