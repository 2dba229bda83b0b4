/*
 * job: a call that a worker makes for a future.
 * Phases: packed; queued in a pool; run by a worker, or taken back because its future was cancelled;
 *         posted with what came of it; the future is completed.
 * Owner:  as of every errand: its thread until it is posted, then the loop. The memory is malloc's.
 * Context: lc_job_run a worker's thread; all else the loop's.
 */
#ifndef LC_JOB_H
#define LC_JOB_H

#include <stdatomic.h>
#include <stdbool.h>

#include <lua.h>

#include "errand.h"
#include "parcel.h"
#include "pool.h"

struct lc_host;
struct lc_loop;

enum lc_job_options {
    LC_JOB_CALL = 0,
    LC_JOB_CONTEXT = 1, /* the context variables go with it */
    LC_JOB_EACH = 2 /* the function is called for each argument; its first results are the result */
};

struct lc_job {
    struct lc_errand errand;
    struct lc_entry watch; /* in the future's callbacks: it is done before the job is */
    struct lc_pool_job queued;
    struct lc_pool *pool;
    enum lc_job_options options;
    atomic_bool cancelled; /* nobody wants what comes of it */
    bool failed;
    struct lc_parcel call; /* the function and its arguments */
    struct lc_job_variable {
        struct lc_job_variable *next;
        struct lc_parcel parcel; /* a context variable and its value */
    } * variables;
    struct lc_parcel result; /* or the error and its traceback; empty: there was no memory */
};

/* Submits the call of the function at `first` with the arguments above it, up to the top; `what` names
 * who asked. Pushes the future. [-0, +1, v] */
struct lc_job *lc_job_submit(lua_State *L, struct lc_loop *loop, struct lc_pool *pool, int first,
                             const char *what, enum lc_job_options options);

/* The job was taken back from its pool's queue: cancels its future. [-0, +0, m] */
void lc_job_cancel(lua_State *L, struct lc_host *host, struct lc_pool_job *queued);

/* Frees a job that no loop and no thread has. */
void lc_job_free(struct lc_job *job);

#endif
