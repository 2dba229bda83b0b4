/*
 * loan: long strings of a job's result that a worker thread lends to the loop, which so copies them once.
 * The worker waits for the loop no longer than copying them takes, and then copies them itself.
 * Phases: begun, before the job is posted; read by the loop, or copied by the worker; ended.
 * Owner:  the worker keeps the strings until the loan has ended; the job stays until then, too.
 * Context: lc_loan_begin, _drop and _wait the worker's thread; lc_loan_read and _end the loop's.
 */
#ifndef LC_LOAN_H
#define LC_LOAN_H

#include <pthread.h>
#include <stdbool.h>

struct lc_job;

/* What the loans of a pool share; it outlives its jobs. */
struct lc_loans {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

struct lc_loan {
    struct lc_loans *loans;
    /* Under the mutex: */
    bool reading, copying, ended;
};

void lc_loans_init(struct lc_loans *loans);
void lc_loans_finish(struct lc_loans *loans);

/* The result of the job lends; it is about to be posted. */
void lc_loan_begin(struct lc_loan *loan, struct lc_loans *loans, struct lc_job *job);

/* It was not posted. */
void lc_loan_drop(struct lc_job *job);

/* It was posted: returns when nobody reads the strings any more. */
void lc_loan_wait(struct lc_loan *loan, struct lc_job *job);

/* The loop is about to read the result; it has, or never will. Of a job without a loan nothing. */
void lc_loan_read(struct lc_job *job);
void lc_loan_end(struct lc_job *job);

#endif
