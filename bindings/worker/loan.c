#include "loan.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "job.h"
#include "parcel.h"

#define SECOND 1000000000
/* A worker keeps loans of so many bytes, or a single one. */
#define LENT_MAX ((size_t)512 * 1024)

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

struct lc_loan *lc_loan_next(struct lc_lender *lender)
{
    return &lender->slots[(lender->first + lender->count) % LC_LOANS_MAX];
}

void lc_loan_begin(struct lc_lender *lender, struct lc_loans *loans, struct lc_job *job)
{
    struct lc_loan *loan = lc_loan_next(lender);

    memset(loan, 0, sizeof *loan);
    loan->loans = loans;
    loan->job = job;
    loan->size = lc_parcel_lent(&job->result);
    lender->size += loan->size;
    lender->count++;
    job->loans = loans;
    job->loan = loan;
}

void lc_loan_drop(struct lc_lender *lender)
{
    struct lc_loan *loan;

    lender->count--;
    loan = lc_loan_next(lender);
    lender->size -= loan->size;
    loan->job->loans = NULL;
    loan->job->loan = NULL;
}

/* So long from now as copying takes, at a nanosecond for each byte. */
static struct timespec copying_time(const struct lc_loan *loan)
{
    struct timespec until;
    uint64_t left;

    clock_gettime(CLOCK_MONOTONIC, &until);
    left = (uint64_t)until.tv_nsec + loan->size;
    until.tv_sec += (time_t)(left / SECOND);
    until.tv_nsec = (long)(left % SECOND);
    return until;
}

/* It has ended, and not by the loop. */
static void forget(struct lc_loan *loan)
{
    loan->job->loan = NULL;
    loan->job = NULL;
}

/* Copies the strings; the mutex is held, but not meanwhile: the loop waits. False: no memory. */
static bool copy(struct lc_loan *loan)
{
    struct lc_job *job = loan->job;
    bool copied;

    loan->copying = true;
    pthread_mutex_unlock(&loan->loans->mutex);
    copied = lc_parcel_own(&job->result);
    pthread_mutex_lock(&loan->loans->mutex);
    loan->copying = false;
    if (copied)
        forget(loan);
    pthread_cond_broadcast(&loan->loans->changed);
    return copied;
}

/* The loop does not wait for us here, and may not run any more: the job has failed. */
static void give_up(struct lc_loan *loan)
{
    struct lc_job *job = loan->job;

    lc_parcel_clear(&job->result);
    job->failed = true;
    forget(loan);
}

enum mode { ENDED, WAITING, CLOSING };

/* Ends the loan; the mutex is held. */
static void end(struct lc_loan *loan, enum mode mode)
{
    struct lc_loans *loans = loan->loans;
    struct timespec until;
    int error = 0;

    if (mode == WAITING && loan->job != NULL && !loan->reading)
        until = copying_time(loan);
    while (mode == WAITING && loan->job != NULL && !loan->reading && error == 0)
        error = pthread_cond_timedwait(&loans->changed, &loans->mutex, &until);
    if (loan->job != NULL && !loan->reading && !copy(loan) && mode == CLOSING)
        give_up(loan);
    while (loan->job != NULL)
        pthread_cond_wait(&loans->changed, &loans->mutex);
}

/* Takes out the oldest loan if it has ended; it has to, unless the mode is ENDED. */
static struct lc_loan *collect(struct lc_lender *lender, enum mode mode)
{
    struct lc_loan *loan = &lender->slots[lender->first];
    bool ended;

    if (lender->count == 0)
        return NULL;
    pthread_mutex_lock(&loan->loans->mutex);
    if (mode != ENDED)
        end(loan, mode);
    ended = loan->job == NULL;
    pthread_mutex_unlock(&loan->loans->mutex);
    if (!ended)
        return NULL;
    lender->first = (lender->first + 1) % LC_LOANS_MAX;
    lender->count--;
    lender->size -= loan->size;
    return loan;
}

struct lc_loan *lc_loan_collect(struct lc_lender *lender)
{
    return collect(lender, ENDED);
}

struct lc_loan *lc_loan_make_room(struct lc_lender *lender, const struct lc_job *job)
{
    if (job == NULL)
        return collect(lender, CLOSING);
    if (lender->count + 1 < LC_LOANS_MAX && lender->size + lc_parcel_lent(&job->result) <= LENT_MAX)
        return NULL;
    return collect(lender, WAITING);
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
        loan->job = NULL;
    job->loan = NULL;
    job->loans = NULL;
    pthread_cond_broadcast(&loans->changed);
    pthread_mutex_unlock(&loans->mutex);
}
