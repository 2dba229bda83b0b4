#include "loan.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "job.h"
#include "parcel.h"

#define SECOND 1000000000

void lc_loans_init(struct lc_loans *loans)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&loans->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&loans->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void lc_loans_finish(struct lc_loans *loans)
{
    pthread_cond_destroy(&loans->changed);
    pthread_mutex_destroy(&loans->mutex);
}

/* ---- the worker ---- */

void lc_loan_begin(struct lc_loan *loan, struct lc_loans *loans, struct lc_job *job)
{
    memset(loan, 0, sizeof *loan);
    loan->loans = loans;
    job->loans = loans;
    job->loan = loan;
}

void lc_loan_drop(struct lc_job *job)
{
    job->loans = NULL;
    job->loan = NULL;
}

/* So long from now as copying takes, at a nanosecond for each byte. */
static struct timespec copying_time(const struct lc_parcel *parcel)
{
    struct timespec until;
    uint64_t left;

    clock_gettime(CLOCK_MONOTONIC, &until);
    left = (uint64_t)until.tv_nsec + lc_parcel_lent(parcel);
    until.tv_sec += (time_t)(left / SECOND);
    until.tv_nsec = (long)(left % SECOND);
    return until;
}

/* Copies the strings. False: no memory. The mutex is held, but not meanwhile: the loop waits. */
static bool copy(struct lc_loan *loan, struct lc_job *job)
{
    bool copied;

    loan->copying = true;
    pthread_mutex_unlock(&loan->loans->mutex);
    copied = lc_parcel_own(&job->result);
    pthread_mutex_lock(&loan->loans->mutex);
    loan->copying = false;
    if (copied)
        job->loan = NULL;
    pthread_cond_broadcast(&loan->loans->changed);
    return copied;
}

void lc_loan_wait(struct lc_loan *loan, struct lc_job *job)
{
    struct lc_loans *loans = loan->loans;
    struct timespec until;
    int error = 0;

    pthread_mutex_lock(&loans->mutex);
    if (!loan->ended && !loan->reading)
        until = copying_time(&job->result);
    while (!loan->ended && !loan->reading && error == 0)
        error = pthread_cond_timedwait(&loans->changed, &loans->mutex, &until);
    if (loan->ended || loan->reading || !copy(loan, job)) {
        while (!loan->ended)
            pthread_cond_wait(&loans->changed, &loans->mutex);
    }
    pthread_mutex_unlock(&loans->mutex);
}

/* ---- the loop ---- */

/* The loan of the job, or NULL; the mutex is held. */
static struct lc_loan *find(struct lc_job *job)
{
    while (job->loan != NULL && job->loan->copying)
        pthread_cond_wait(&job->loans->changed, &job->loans->mutex);
    return job->loan;
}

void lc_loan_read(struct lc_job *job)
{
    struct lc_loan *loan;

    if (job->loans == NULL)
        return;
    pthread_mutex_lock(&job->loans->mutex);
    loan = find(job);
    if (loan != NULL)
        loan->reading = true;
    pthread_mutex_unlock(&job->loans->mutex);
}

void lc_loan_end(struct lc_job *job)
{
    struct lc_loans *loans = job->loans;
    struct lc_loan *loan;

    if (loans == NULL)
        return;
    pthread_mutex_lock(&loans->mutex);
    loan = find(job);
    if (loan != NULL)
        loan->ended = true;
    job->loan = NULL;
    job->loans = NULL;
    pthread_cond_broadcast(&loans->changed);
    pthread_mutex_unlock(&loans->mutex);
}
