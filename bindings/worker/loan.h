/*
 * loan: long strings of jobs' results that a worker thread lends to the loop, which so copies them once.
 * The worker goes on meanwhile, and keeps the strings until its next job. If it would keep too much with that
 * job's result, it waits for the oldest loan, no longer than copying takes, and then copies it.
 * Phases: begun, before the job is posted; read by the loop, or copied by the worker; ended; collected.
 * Owner:  the worker keeps the strings until the loan is collected; the job stays until it has ended.
 * Context: lc_loan_begin, _drop and _collect the worker's thread; lc_loan_read and _end the loop's.
 */
#ifndef LC_LOAN_H
#define LC_LOAN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct lc_job;

/* Room for loans of a worker; there is a free one always. */
#define LC_LOANS_MAX 8

/* What the loans of a pool share; it outlives its jobs. */
struct lc_loans {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

struct lc_loan {
    struct lc_loans *loans;
    size_t size; /* of the strings */
    /* Under the mutex: */
    struct lc_job *job; /* NULL: it has ended */
    bool reading, copying;
};

/* A worker's loans, the oldest first; zeroed is empty. */
struct lc_lender {
    struct lc_loan slots[LC_LOANS_MAX];
    unsigned first, count;
    size_t size; /* of them all */
};

void lc_loans_init(struct lc_loans *loans);
void lc_loans_finish(struct lc_loans *loans);

/* The loan that begins next. */
struct lc_loan *lc_loan_next(struct lc_lender *lender);

/* The result of the job lends; it is about to be posted. There was room made for it. */
void lc_loan_begin(struct lc_lender *lender, struct lc_loans *loans, struct lc_job *job);

/* It was not posted: the last loan never was. */
void lc_loan_drop(struct lc_lender *lender);

/* Takes out the oldest loan if it has ended. Nobody reads its strings any more. NULL: there is none. */
struct lc_loan *lc_loan_collect(struct lc_lender *lender);

/* The same, and ends it if it is too much with what the job's result lends; NULL: the worker closes. */
struct lc_loan *lc_loan_make_room(struct lc_lender *lender, const struct lc_job *job);

/* The loop is about to read the result; it has, or never will. Of a job without a loan nothing. */
void lc_loan_read(struct lc_job *job);
void lc_loan_end(struct lc_job *job);

#endif
