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
struct lc_loan;
struct lc_loans;
struct lc_loop;

/* Why a job has no result, not even an error of its own. */
enum lc_job_loss {
    LC_LOSS_NONE,
    LC_LOSS_START,   /* no worker process could be started; code: an errno */
    LC_LOSS_UNTAKEN, /* processes ended before they had the job */
    LC_LOSS_DIED,    /* its process ended */
    LC_LOSS_TIMEOUT, /* its process was killed since it took too long */
    LC_LOSS_KILLED,  /* its process was killed since somebody said so */
    LC_LOSS_SENDING  /* it could not be sent, or its result not be taken; code: an errno */
};

enum lc_job_options {
    LC_JOB_CALL = 0,
    LC_JOB_CONTEXT = 1, /* the context variables go with it */
    LC_JOB_EACH = 2 /* the function is called for each argument; its first results are the result */
};

/* Who may read the call: its long strings are lent by the state that submitted it. A courier is not through with
 * it before the job is: it may have to send it again. */
enum lc_job_reading {
    LC_JOB_UNREAD,
    LC_JOB_READING, /* the worker is about it, or the courier */
    LC_JOB_READ,
    LC_JOB_COPYING, /* the loop closes: they become the parcel's */
    LC_JOB_DROPPED  /* there was no memory for it */
};

struct lc_job {
    struct lc_errand errand;
    struct lc_entry watch; /* in the future's callbacks: it is done before the job is */
    struct lc_pool_job queued;
    struct lc_pool *pool;
    enum lc_job_options options;
    atomic_bool cancelled; /* nobody wants what comes of it */
    unsigned tries;        /* processes that ended before they had it */
    bool failed;
    enum lc_job_loss loss; /* of one that failed */
    bool loss_early;       /* the process had not returned from its initializer */
    int loss_pid;          /* of the process that had it */
    int loss_code;         /* its exit status, the negative number of a signal, or an errno */
    bool lends;            /* the future keeps strings of the call */
    atomic_int reading;    /* enum lc_job_reading */
    atomic_size_t reports; /* what its reports weigh that the loop has not taken yet */
    atomic_bool held_up;   /* by them: its courier reads no more of them for now */
    struct lc_parcel call; /* the function and its arguments */
    struct lc_job_variable {
        struct lc_job_variable *next;
        struct lc_parcel parcel; /* a context variable and its value */
    } * variables;
    struct lc_loans *loans;  /* NULL: the result never lent anything, or the loop has it */
    struct lc_loan *loan;    /* under their mutex; NULL: it does not any more */
    struct lc_parcel result; /* or the error and its traceback; empty: there was no memory */
};

/* Submits the call of the function at `first` with the arguments above it, up to the top; `names` says
 * who asked. Pushes the future. [-0, +1, v] */
struct lc_job *lc_job_submit(lua_State *L, struct lc_loop *loop, struct lc_pool *pool, int first,
                             const struct lc_pack_names *names, enum lc_job_options options);

/* The job was taken back from its pool's queue: cancels its future. [-0, +0, m] */
void lc_job_cancel(lua_State *L, struct lc_host *host, struct lc_pool_job *queued);

/* The host closes in a hurry: what is queued, of loops that have closed, is not run. */
void lc_jobs_drop(struct lc_pool *pool);

/* Pushes the error that tells of the job's loss; in loss.c. [-0, +1, m] */
void lc_job_push_loss(lua_State *L, struct lc_host *host, const struct lc_job *job);

/* In the worker's thread: begins to read the call, and is done with that. False: there is none any more. */
bool lc_job_begin_reading(struct lc_job *job);
void lc_job_end_reading(struct lc_job *job);

/* In the courier's thread: has begun to read the call, for no longer than the socket takes some of it, and may do
 * so again. */
void lc_job_give_call(struct lc_job *job);

/* In the courier's thread: the call is wanted no more. */
void lc_job_clear_call(struct lc_job *job);

/* Frees a job that no loop and no thread has. */
void lc_job_free(struct lc_job *job);

#endif
